//! Searches a source's views (`\All`, `\Flagged`, `\Important`) for messages that are in no folder.
//!
//! On Gmail, an archived message is only in All Mail; a copy without the view would miss it.
//! Messages in a folder don't concern the view, even if the user has left that folder out.

use super::opening::Names;
use crate::engine::scans::{more_than_listed, scan_each};
use crate::mail::{
    Counters, ListedMailbox, Listing, MailboxName, Message, SpecialUse, Uid, UidSet, UidValidity,
};
use crate::plan::views::{Look, Unplaced, look};
use crate::state::Checkpoint;
use crate::store::{ContentId, Error, FolderScan, ReadStore, ScanDepth, ScanRequest, SomeMessages};
use std::collections::{HashMap, HashSet};

/// Why a view can't be searched.
const UNTELLABLE: &str = "can't tell what is only here, as not all folders could be listed";

/// A view that was searched.
pub(super) struct Looked {
    /// The pair's index.
    pub(super) pair: usize,
    /// Its scan.
    pub(super) scan: FolderScan,
    /// The messages that only it has.
    pub(super) only: UidSet,
}

/// The result for a view: by its pair's index, why it could not be searched.
pub(super) type Outcome = Result<Looked, (usize, String)>;

/// Searches the views of these pairs, All Mail first: its messages don't concern other views.
///
/// # Errors
/// A failure that ends the connection.
pub(super) fn look_through(
    store: &mut dyn ReadStore,
    names: &Names<'_>,
) -> Result<Vec<Outcome>, Error> {
    let mut views: Vec<usize> = (0..names.pairs.len())
        .filter(|index| names.pairs[*index].view)
        .collect();
    let mailbox = |pair: &usize| &names.source.mailboxes[names.pairs[*pair].source];
    views.sort_by_key(|pair| mailbox(pair).special_use != Some(SpecialUse::All));
    let view_names: Vec<&MailboxName> = views.iter().map(|pair| &mailbox(pair).name).collect();
    if names.source.gaps.hide_folders() {
        return Ok(views
            .into_iter()
            .map(|pair| Err((pair, UNTELLABLE.to_owned())))
            .collect());
    }
    let looked = Homes::of(names).look(store, &view_names)?;
    Ok(views
        .into_iter()
        .zip(looked)
        .map(|(pair, looked)| match looked {
            Ok((scan, only)) => Ok(Looked { pair, scan, only }),
            Err(reason) => Err((pair, reason)),
        })
        .collect())
}

/// Returns what only views of a mailbox have, for each of these indices in its listing, in this
/// order.
///
/// # Errors
/// A failure that ends the connection.
pub(super) fn only_in(
    store: &mut dyn ReadStore,
    listing: &Listing,
    views: &[usize],
) -> Result<Found, Error> {
    if listing.gaps.hide_folders() {
        return Ok(views.iter().map(|_| Err(UNTELLABLE.to_owned())).collect());
    }
    let names: Vec<&MailboxName> = views
        .iter()
        .map(|at| &listing.mailboxes[*at].name)
        .collect();
    Homes::new(listing, &HashSet::new()).look(store, &names)
}

/// The folders that aren't views.
struct Homes<'a> {
    folders: Vec<&'a ListedMailbox>,
}

/// A folder with its UIDVALIDITY and its number of messages.
type Counted<'a> = (&'a MailboxName, Option<UidValidity>, usize);

/// The result for each view.
pub(super) type Found = Vec<Result<(FolderScan, UidSet), String>>;

impl<'a> Homes<'a> {
    /// Returns those of a copy: a view that the user copies by name counts as a folder.
    fn of(names: &Names<'a>) -> Self {
        let as_folders = names
            .pairs
            .iter()
            .filter(|pair| !pair.view)
            .map(|pair| pair.source)
            .collect();
        Self::new(names.source, &as_folders)
    }

    /// Returns all folders except views, some of which count as folders.
    fn new(listing: &'a Listing, as_folders: &HashSet<usize>) -> Self {
        let is_home = |(at, folder): &(usize, &ListedMailbox)| {
            folder.selectable
                && !folder.is_empty()
                && (as_folders.contains(at) || !folder.special_use.is_some_and(SpecialUse::is_view))
        };
        let folders = listing
            .mailboxes
            .iter()
            .enumerate()
            .filter(is_home)
            .map(|(_, folder)| folder);
        Self {
            folders: folders.collect(),
        }
    }

    /// Compares by the server's own message IDs if it has them, otherwise by headers.
    fn look(&self, store: &mut dyn ReadStore, views: &[&MailboxName]) -> Result<Found, Error> {
        let scans = scan_all(store, ScanDepth::Sizes, views)?;
        if let Some(by_id) = self.by_ids(store, views, &scans)? {
            return Ok(scans
                .into_iter()
                .zip(by_id)
                .map(|(scan, only)| Ok((scan?, only)))
                .collect());
        }
        self.by_looks(store, views)
    }

    /// Returns `None` if the server doesn't have an ID for every message.
    fn by_ids(
        &self,
        store: &mut dyn ReadStore,
        views: &[&MailboxName],
        scans: &[Result<FolderScan, String>],
    ) -> Result<Option<Vec<UidSet>>, Error> {
        let Some(scans) = scans
            .iter()
            .map(|scan| scan.as_ref().ok())
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        let Some(homes) = self.with_counters(store)? else {
            return Ok(None);
        };
        let of_views = views
            .iter()
            .zip(&scans)
            .map(|(mailbox, scan)| SomeMessages {
                mailbox,
                uid_validity: scan.uid_validity,
                uids: scan.messages.iter().map(Message::uid).collect(),
            });
        let told = store.content_ids(&of_views.collect::<Vec<_>>())?;
        if told
            .iter()
            .zip(&scans)
            .any(|(ids, scan)| ids.len() < scan.messages.len())
        {
            return Ok(None);
        }
        let Some(first) = Uid::new(1) else {
            return Ok(None);
        };
        let of_homes = homes.iter().map(|(mailbox, uid_validity, _)| SomeMessages {
            mailbox,
            uid_validity: *uid_validity,
            uids: UidSet::from_uid(first),
        });
        let at_home = store.content_ids(&of_homes.collect::<Vec<_>>())?;
        if at_home
            .iter()
            .zip(&homes)
            .any(|(ids, (.., messages))| ids.len() < *messages)
        {
            return Ok(None);
        }
        let mut known: HashSet<ContentId> =
            at_home.into_iter().flat_map(HashMap::into_values).collect();
        let mut all = Vec::new();
        for ids in told {
            let mut unplaced = Unplaced::new(ids.iter().map(|(uid, id)| (*id, *uid)));
            known.iter().for_each(|id| unplaced.place_all(id));
            known.extend(ids.into_values());
            all.push(unplaced.left());
        }
        Ok(Some(all))
    }

    /// Returns the folders with their UIDVALIDITY and number of messages. `None` if one of them
    /// can't be read.
    fn with_counters(&self, store: &mut dyn ReadStore) -> Result<Option<Vec<Counted<'a>>>, Error> {
        let counters = |folder: &ListedMailbox| {
            let status = folder.status.as_ref()?;
            Some((
                status.counters.uid_validity,
                status.counters.messages? as usize,
            ))
            .filter(|(validity, _)| validity.is_some())
        };
        let unknown: Vec<&MailboxName> = self
            .folders
            .iter()
            .filter(|folder| counters(folder).is_none())
            .map(|folder| &folder.name)
            .collect();
        let mut scans = scan_all(store, ScanDepth::Sizes, &unknown)?.into_iter();
        let mut all = Vec::new();
        for folder in &self.folders {
            let told = counters(folder).or_else(|| {
                let scan = scans.next()?.ok()?;
                Some((scan.uid_validity, scan.messages.len()))
            });
            let Some((validity, messages)) = told else {
                return Ok(None);
            };
            all.push((&folder.name, validity, messages));
        }
        Ok(Some(all))
    }

    fn by_looks(&self, store: &mut dyn ReadStore, views: &[&MailboxName]) -> Result<Found, Error> {
        let scans = scan_all(store, ScanDepth::Identity, views)?;
        let looks = |scan: &FolderScan| -> Vec<(Look, Uid)> {
            scan.messages
                .iter()
                .map(|message| (look(message), message.uid()))
                .collect()
        };
        let mut unplaced: Vec<Option<Unplaced<Look>>> = scans
            .iter()
            .map(|scan| Some(Unplaced::new(looks(scan.as_ref().ok()?))))
            .collect();
        let homes: Vec<&MailboxName> = self.folders.iter().map(|folder| &folder.name).collect();
        let mut unread = None;
        let requests: Vec<ScanRequest<'_>> = homes
            .iter()
            .map(|home| ScanRequest::new(home, ScanDepth::Identity))
            .collect();
        // One folder's scan at a time, as together they may be large.
        store.scan(&requests, &mut |nth, scan| match scan {
            Ok(scan) => {
                unread = unread
                    .take()
                    .or_else(|| more_than_listed(&scan, &homes[nth].to_string()));
                for message in &scan.messages {
                    let views = unplaced.iter_mut().flatten();
                    views.for_each(|view| view.place_one(&look(message)));
                }
            }
            Err(refusal) => {
                unread = Some(format!("{} can't be read: {}", homes[nth], refusal.text));
            }
        })?;
        for (at, scan) in scans.iter().enumerate() {
            let Ok(scan) = scan else { continue };
            let later = unplaced.iter_mut().skip(at + 1).flatten();
            later.for_each(|view| {
                scan.messages
                    .iter()
                    .for_each(|message| view.place_all(&look(message)));
            });
        }
        let found = |(scan, view): (Result<FolderScan, String>, Option<Unplaced<Look>>)| {
            let scan = scan?;
            if let Some(reason) = &unread {
                return Err(format!("can't tell what is only here: {reason}"));
            }
            Ok((scan, view.map(Unplaced::left).unwrap_or_default()))
        };
        Ok(scans.into_iter().zip(unplaced).map(found).collect())
    }
}

/// Scans folders in full; one that lists fewer messages than it has counts as unread.
fn scan_all(
    store: &mut dyn ReadStore,
    depth: ScanDepth,
    mailboxes: &[&MailboxName],
) -> Result<Vec<Result<FolderScan, String>>, Error> {
    let asked = mailboxes.iter().map(|mailbox| (*mailbox, None));
    let whole = |scan: FolderScan| more_than_listed(&scan, "it").map_or(Ok(scan), Err);
    let scans = scan_each(store, depth, asked)?.into_iter();
    Ok(scans
        .map(|scan| scan.map_err(|refusal| refusal.text).and_then(whole))
        .collect())
}

/// Returns the checkpoint of a searched view; `None` if the server reports too little.
pub(super) fn checkpoint(scan: &FolderScan) -> Option<Checkpoint> {
    Checkpoint::of(Counters {
        uid_next: scan.next_uid(),
        ..scan.counters()
    })
}

/// Returns a fingerprint of all other folders' counters: as long as it and a view's own counters
/// stay the same, no message has left its folder. `None` if the listing lacks a counter.
pub(super) fn print_of_homes(names: &Names<'_>) -> Option<u64> {
    Homes::of(names).print()
}

/// Returns the same for one mailbox.
pub(super) fn print_of(listing: &Listing) -> Option<u64> {
    Homes::new(listing, &HashSet::new()).print()
}

impl Homes<'_> {
    fn print(&self) -> Option<u64> {
        let mut text = Vec::new();
        for folder in &self.folders {
            let status = folder.status.as_ref()?;
            let counters = (
                status.counters.uid_validity?.0,
                status.counters.uid_next?.get(),
                status.counters.messages?,
            );
            text.extend_from_slice(format!("{:?} {counters:?}\n", folder.name).as_bytes());
        }
        // As 63 bits, which the state can hold.
        Some(crate::identity::print(&text) >> 1)
    }
}
