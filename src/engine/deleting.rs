//! Deletes messages and empty folders on one side, and reports what is left.
//!
//! Guarantees: only the given messages are deleted; what a server refused or ignored is known
//! afterwards; and a folder is deleted only after it was seen to be empty.

use super::folders::FolderRef;
use super::scans::{scan_again, scan_each};
use super::sent::Sent;
use super::way::Way;
use crate::exec::Fate;
use crate::mail::{Both, MailboxName, Message, Side, Uid, UidSet, UidValidity, counted};
use crate::plan::elsewhere::Looks;
use crate::plan::{DeletionLimit, Deletions, Verdict};
use crate::store::{Answer, Error, FolderScan, ReadStore, Removal, ScanDepth, Store};
use std::cmp::Reverse;
use std::collections::HashSet;

/// The result of a removal.
pub(crate) struct Removed {
    /// The messages that are gone.
    pub(crate) gone: UidSet,
    /// The messages that are still there, and why; `None` if all are gone.
    pub(crate) left: Option<(UidSet, String)>,
}

/// Removes messages from folders of one side. Looks for them in folders where some were refused.
///
/// # Errors
/// A failure that ends the connections.
pub(crate) fn remove(
    way: &mut Way<'_>,
    side: Side,
    removals: &[Removal],
) -> Result<Vec<Removed>, Error> {
    if removals.is_empty() {
        return Ok(Vec::new());
    }
    way.repeatable(|link| remove_from(link.side(side), removals))
}

fn remove_from(store: &mut dyn Store, removals: &[Removal]) -> Result<Vec<Removed>, Error> {
    let results = store.remove(removals)?;
    let refused = removals
        .iter()
        .zip(&results)
        .filter(|(_, result)| result.is_err());
    let asked = refused.map(|(removal, _)| (&removal.mailbox, Some(removal.uids.clone())));
    let mut scans = scan_each(store, ScanDepth::Sizes, asked)?.into_iter();
    let mut removed = Vec::with_capacity(removals.len());
    for (removal, result) in removals.iter().zip(results) {
        let left = match result {
            Ok(()) => UidSet::default(),
            Err(_) => scans
                .next()
                .map_or_else(|| removal.uids.clone(), |scan| still_there(removal, scan)),
        };
        let why = result
            .err()
            .map(|refusal| refusal.text)
            .filter(|_| !left.is_empty());
        removed.push(Removed {
            gone: removal.uids.minus(&left),
            left: why.map(|why| (left, why)),
        });
    }
    Ok(removed)
}

/// Returns the messages of a removal that its folder still shows; all of them if the folder can't be
/// read.
fn still_there(removal: &Removal, scan: Answer<FolderScan>) -> UidSet {
    let held = |scan: &FolderScan| scan.uid_validity == removal.uid_validity && scan.unlisted == 0;
    match scan.ok().filter(held) {
        Some(scan) => scan
            .messages
            .iter()
            .map(Message::uid)
            .filter(|uid| removal.uids.contains(*uid))
            .collect(),
        None => removal.uids.clone(),
    }
}

/// Scans messages that are to be deleted once more. A folder that can't be read, or was recreated
/// (UIDVALIDITY), has no scan: the removal leaves it alone.
///
/// # Errors
/// A failure that ends the connections.
pub(crate) fn look_again(
    way: &mut Way<'_>,
    side: Side,
    depth: ScanDepth,
    removals: &[Removal],
) -> Result<Vec<Option<FolderScan>>, Error> {
    way.repeatable(|link| {
        let asked = removals.iter().map(|removal| {
            let folder = FolderRef::new(&removal.mailbox, removal.uid_validity);
            (folder, Some(removal.uids.clone()))
        });
        scan_again(link.side(side), depth, asked)
    })
}

/// Messages that were to come to a side and that it may not have. If one of them was moved, its old
/// copy may be the only one on that side.
#[derive(Default)]
pub(crate) struct Unsent(HashSet<Looks>);

impl Unsent {
    /// Collects the sent messages for which `is_missing` holds, given the folder's number, the UID
    /// on the other side, and the fate.
    pub(crate) fn of(sent: &Sent, is_missing: impl Fn(usize, Uid, &Fate) -> bool) -> Self {
        let mut unsent = Self::default();
        for (of, task, fates) in sent.each() {
            let messages = task.messages.iter().zip(fates);
            let missing = messages.filter(|(message, fate)| is_missing(of, message.uid(), fate));
            unsent.add(missing.map(|(message, _)| message));
        }
        unsent
    }

    /// Adds messages that had no folder to be sent to.
    pub(crate) fn add<'m>(&mut self, messages: impl IntoIterator<Item = &'m Message>) {
        self.0.extend(messages.into_iter().filter_map(Looks::of));
    }

    /// Reports whether everything has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the messages of a scan that may be among them, by size and date.
    pub(crate) fn held(&self, scan: &FolderScan) -> UidSet {
        let may_be = |message: &&Message| {
            Looks::of(message).is_none_or(|looks| self.0.contains(&looks)) && !self.is_empty()
        };
        scan.messages
            .iter()
            .filter(may_be)
            .map(Message::uid)
            .collect()
    }
}

/// Returns the warning that more was to be deleted on a side than the limit allows. `folders` are
/// those with too many, in brackets.
pub(crate) fn told_braked(
    side: &str,
    verdict: &Verdict,
    limit: DeletionLimit,
    folders: &str,
) -> String {
    let Deletions { deleted, .. } = verdict.account;
    format!(
        "not deleting anything on the {side}: {} would be deleted{folders} (limit: {limit}); if this is intended, rerun \
         with --max-delete {deleted} or more",
        verdict.account,
    )
}

/// Returns the warning that a side keeps messages because the other may have moved them to folders
/// that could not be read.
pub(crate) fn told_departures(
    folder: &str,
    side: Side,
    names: Both<&str>,
    count: u64,
    unread: &[String],
) -> String {
    format!(
        "{folder}: not deleted on the {}: {}, which the {} may have moved to a folder that could not be read ({}); run \
         again, or skip that folder with --exclude",
        names[side],
        counted(count, "message"),
        names[side.other()],
        unread.join(", ")
    )
}

/// A folder that is to be deleted if it is empty.
pub(crate) struct Emptied<'a> {
    pub(crate) mailbox: &'a MailboxName,
    pub(crate) uid_validity: Option<UidValidity>,
    pub(crate) is_subscribed: bool,
}

/// The result of deleting a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    Done,
    /// It has mail, or can't be read, or was recreated.
    NotEmpty,
    /// The server's words.
    Refused(String),
}

/// Deletes folders of one side that are empty, and their subscriptions, the innermost folders
/// first.
///
/// # Errors
/// A failure that ends the connections.
pub(crate) fn delete_empty(
    way: &mut Way<'_>,
    side: Side,
    folders: &[Emptied<'_>],
) -> Result<Vec<Deletion>, Error> {
    let mut done = vec![Deletion::NotEmpty; folders.len()];
    if folders.is_empty() {
        return Ok(done);
    }
    let is_empty = way.repeatable(|link| are_empty(link.side(side), folders))?;
    let mut order: Vec<usize> = (0..folders.len()).filter(|at| is_empty[*at]).collect();
    // A folder's name begins with those of the folders above it.
    order.sort_by_key(|at| Reverse(folders[*at].mailbox.as_bytes().len()));
    if order.is_empty() {
        return Ok(done);
    }
    let names = |holds: &dyn Fn(usize) -> bool| -> Vec<MailboxName> {
        let chosen = order.iter().filter(|at| holds(**at));
        chosen.map(|at| folders[*at].mailbox.clone()).collect()
    };
    // Unsubscribing comes first, so an interrupted run leaves no subscription to a missing folder.
    let store = way.link()?.side(side);
    store.unsubscribe(&names(&|at| folders[at].is_subscribed))?;
    let results = store.delete(&names(&|_| true))?;
    for (at, result) in order.iter().zip(results) {
        done[*at] = result.map_or_else(
            |refusal| Deletion::Refused(refusal.text),
            |()| Deletion::Done,
        );
    }
    let is_kept = |at: usize| folders[at].is_subscribed && done[at] != Deletion::Done;
    store.subscribe(&names(&is_kept))?;
    Ok(done)
}

fn are_empty(store: &mut dyn ReadStore, folders: &[Emptied<'_>]) -> Result<Vec<bool>, Error> {
    // Opening a folder tells how many messages it has, so no message has to be listed.
    let none = UidSet::from_iter(Uid::new(u32::MAX));
    let asked = folders
        .iter()
        .map(|folder| (folder.mailbox, Some(none.clone())));
    let scans = scan_each(store, ScanDepth::Sizes, asked)?;
    let is_empty = |folder: &Emptied<'_>, scan: &FolderScan| {
        scan.exists == 0 && scan.uid_validity == folder.uid_validity
    };
    Ok(folders
        .iter()
        .zip(scans)
        .map(|(folder, scan)| scan.is_ok_and(|scan| is_empty(folder, &scan)))
        .collect())
}
