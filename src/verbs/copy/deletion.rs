//! Deletes on the target what the source does not have, at the end of a copy: messages first, then
//! folders that are seen to be empty. What is deleted was decided while planning
//! ([`super::removals`]).

use super::Copy;
use super::relocate::Leftover;
use super::removals::Doomed;
use crate::engine::scans::scan_each;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::{self, Event};
use crate::exec::{Fate, Link};
use crate::mail::{MailboxName, Message, Side, Uid, UidSet, counted};
use crate::plan::elsewhere::Looks;
use crate::store::{Error, ReadStore, Removal, ScanDepth};
use crate::verbs::Deleting;
use crate::verbs::headings::{Headings, Wanted};
use crate::verbs::opening::Names;
use crate::verbs::removing::{Removed, remove};
use std::collections::{BTreeMap, HashMap, HashSet};

impl Copy<'_> {
    /// Tells each message and folder that is deleted, or would be.
    pub(super) fn tell_deleted(&mut self, doomed: &Doomed, headings: &Headings) {
        let side = self.doomed_side();
        for uid in doomed.uids.iter() {
            let heading = headings.get(&doomed.mailbox, uid);
            self.observer.observe(&Event::MessageDeleted {
                side,
                folder: &doomed.folder,
                uid,
                heading,
            });
        }
        self.summary.deleted += doomed.uids.len();
    }

    fn doomed_side(&self) -> Side {
        if matches!(self.options.deleting, Deleting::Source(_)) {
            Side::SOURCE
        } else {
            Side::TARGET
        }
    }

    /// What people know the messages by that would be deleted or kept, where somebody lists them.
    pub(super) fn doomed_headings(&self, link: &mut Link) -> Headings {
        let mut wanted = Wanted::default();
        if self.observer.headings() >= event::Headings::Pressing {
            for doomed in &self.doomed {
                doomed
                    .uids
                    .iter()
                    .for_each(|uid| wanted.add(&doomed.mailbox, uid));
            }
        }
        wanted.read(link.side(self.doomed_side()))
    }

    /// Removes what should have left a folder by a move and did not: what was sent instead must be
    /// known to be there.
    pub(super) fn clear_leftovers(
        &mut self,
        way: &mut Way<'_>,
        copied: &HashMap<usize, UidSet>,
    ) -> Result<(), Error> {
        let is_there = |leftover: &Leftover| {
            let uid = leftover.job.message.uid();
            !leftover.is_sent
                || copied
                    .get(&leftover.job.pair)
                    .is_some_and(|uids| uids.contains(uid))
        };
        let mut folders: BTreeMap<Vec<u8>, Removal> = BTreeMap::new();
        for leftover in std::mem::take(&mut self.leftovers)
            .into_iter()
            .filter(is_there)
        {
            let from = leftover.job.from;
            let removal = folders
                .entry(from.mailbox.as_bytes().to_vec())
                .or_insert_with(|| Removal {
                    mailbox: from.mailbox.clone(),
                    uid_validity: from.uid_validity,
                    uids: UidSet::default(),
                });
            removal.uids.insert(from.uid);
            if leftover.is_sent {
                self.memory.removed(&from.mailbox, 1);
            }
        }
        let removals: Vec<Removal> = folders.into_values().collect();
        if removals.is_empty() {
            return Ok(());
        }
        let results = way.repeatable(|link| remove(link.target.as_mut(), &removals))?;
        for (removal, removed) in removals.iter().zip(results) {
            if let Some((left, why)) = removed.left {
                let reason = format!(
                    "still there after a move: {}: {why}",
                    counted(left.len(), "message")
                );
                self.note_not_deleted(&removal.mailbox.to_string(), &left, &reason);
            }
        }
        Ok(())
    }

    /// Keeps messages that look like ones which were to be sent and were not: the source may have
    /// moved them, and the target would have them nowhere.
    pub(super) fn hold_unsent(
        &mut self,
        way: &mut Way<'_>,
        sent: &Sent,
        unproven: &HashMap<usize, UidSet>,
    ) -> Result<(), Error> {
        let unsent = self.unsent(sent, unproven);
        if unsent.is_empty() {
            return Ok(());
        }
        let scans = way.repeatable(|link| {
            let asked = self
                .doomed
                .iter()
                .map(|doomed| (&doomed.mailbox, Some(doomed.uids.clone())));
            scan_each(link.target.as_mut(), ScanDepth::Attributes, asked)
        })?;
        let mut held_back = Vec::new();
        for (doomed, scan) in self.doomed.iter_mut().zip(scans) {
            // The removal itself leaves a folder alone that can't be opened.
            let Ok(scan) = scan else { continue };
            let is_unsent =
                |message: &&Message| Looks::of(message).is_none_or(|looks| unsent.contains(&looks));
            let held: UidSet = scan
                .messages
                .iter()
                .filter(is_unsent)
                .map(Message::uid)
                .collect();
            if !held.is_empty() {
                doomed.uids = doomed.uids.minus(&held);
                doomed.whole = false;
                held_back.push((doomed.folder.clone(), held));
            }
        }
        self.doomed
            .retain(|doomed| doomed.whole || !doomed.uids.is_empty());
        for (folder, held) in held_back {
            let reason = format!(
                "not deleted: {}, as the source may have moved what could not be copied; run again",
                counted(held.len(), "message")
            );
            self.note_not_deleted(&folder, &held, &reason);
        }
        Ok(())
    }

    /// What was to come into a folder and is not known to be there, by its looks.
    fn unsent(&self, sent: &Sent, unproven: &HashMap<usize, UidSet>) -> HashSet<Looks> {
        let mut unsent: HashSet<Looks> = HashSet::new();
        for (pair, task, fates) in sent.each() {
            let is_unproven = |uid: Uid| {
                unproven
                    .get(&pair)
                    .is_some_and(|unproven| unproven.contains(uid))
            };
            let is_open = |fate: &Fate| !fate.is_copied() && *fate != Fate::Vanished;
            let messages = task.messages.iter().zip(fates);
            let open =
                messages.filter(|(message, fate)| is_open(fate) || is_unproven(message.uid()));
            unsent.extend(open.filter_map(|(message, _)| Looks::of(message)));
        }
        // What is left of the plan had no folder to be sent to.
        let left = self.folders.all_needs().flat_map(|needs| &needs.missing);
        unsent.extend(left.filter_map(Looks::of));
        unsent
    }

    /// Deletes on the target what the source does not have.
    pub(super) fn mirror(&mut self, way: &mut Way<'_>, names: &Names<'_>) -> Result<(), Error> {
        let mut doomed = std::mem::take(&mut self.doomed);
        doomed.retain(|doomed| {
            doomed
                .pairs
                .iter()
                .all(|pair| !self.folders[*pair].has_failed)
        });
        if let Some(day) = self.options.keep_deleted {
            let emptied = self.keep(way, names, day, doomed)?;
            return self.delete_folders(
                way,
                emptied.into_iter().filter(|doomed| doomed.whole).collect(),
            );
        }
        let removals: Vec<Removal> = doomed.iter().map(removal).collect();
        let results = way.repeatable(|link| remove(link.target.as_mut(), &removals))?;
        let mut emptied = Vec::new();
        for (doomed, removed) in doomed.into_iter().zip(results) {
            let gone = self.take_removed(&doomed, removed);
            self.memory.removed(&doomed.mailbox, gone.len());
            if doomed.whole && gone.len() == doomed.uids.len() {
                emptied.push(doomed);
            }
        }
        self.delete_folders(way, emptied)
    }

    /// Tells what became of a folder's messages that were to be deleted. Returns those that are
    /// gone.
    pub(super) fn take_removed(&mut self, doomed: &Doomed, removed: Removed) -> UidSet {
        let Removed { gone, left } = removed;
        self.tell_deleted(
            &Doomed {
                uids: gone.clone(),
                ..doomed.clone()
            },
            &Headings::default(),
        );
        if let Some((left, why)) = left {
            let reason = format!(
                "{} could not be deleted: {why}",
                counted(left.len(), "message")
            );
            self.note_not_deleted(&doomed.folder, &left, &reason);
        }
        gone
    }

    /// Counts messages that were to be deleted and are still there, and names their folder.
    pub(super) fn note_not_deleted(&mut self, folder: &str, left: &UidSet, reason: &str) {
        self.summary.not_deleted += left.len();
        self.summary.folders_failed += 1;
        self.observer
            .observe(&Event::FolderFailed { folder, reason });
    }

    /// Deletes folders that are empty now: what has come in meanwhile stays, and its folder with
    /// it.
    fn delete_folders(&mut self, way: &mut Way<'_>, emptied: Vec<Doomed>) -> Result<(), Error> {
        if emptied.is_empty() {
            return Ok(());
        }
        let exists = way.repeatable(|link| count_again(link.target.as_mut(), &emptied))?;
        let (empty, full): (Vec<_>, Vec<_>) = emptied
            .into_iter()
            .zip(exists)
            .partition(|(_, exists)| *exists == Some(0));
        for (doomed, _) in full {
            let text = format!("{}: not deleted: new mail has arrived in it", doomed.folder);
            self.observer.observe(&Event::Warning { text: &text });
        }
        let names: Vec<MailboxName> = empty
            .iter()
            .map(|(doomed, _)| doomed.mailbox.clone())
            .collect();
        let subscribed = |is_deleted: &dyn Fn(usize) -> bool| -> Vec<MailboxName> {
            let of = empty
                .iter()
                .enumerate()
                .filter(|(at, (doomed, _))| doomed.subscribed && !is_deleted(*at));
            of.map(|(_, (doomed, _))| doomed.mailbox.clone()).collect()
        };
        // First, so that no run that breaks leaves a subscription to what is no more.
        let target = &mut way.link()?.target;
        target.unsubscribe(&subscribed(&|_| false))?;
        let results = target.delete(&names)?;
        target.subscribe(&subscribed(&|at| results[at].is_ok()))?;
        for ((doomed, _), result) in empty.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.summary.folders_deleted += 1;
                    self.observer.observe(&Event::FolderDeleted {
                        folder: &doomed.folder,
                    });
                    self.memory.forget_target(&doomed.mailbox);
                }
                Err(refusal) => {
                    let reason = format!("the target did not delete it: {}", refusal.text);
                    self.summary.folders_failed += 1;
                    self.observer.observe(&Event::FolderFailed {
                        folder: &doomed.folder,
                        reason: &reason,
                    });
                }
            }
        }
        Ok(())
    }
}

pub(super) fn removal(doomed: &Doomed) -> Removal {
    Removal {
        mailbox: doomed.mailbox.clone(),
        uid_validity: doomed.uid_validity,
        uids: doomed.uids.clone(),
    }
}

/// How many messages folders hold now; `None` where that can't be told.
fn count_again(store: &mut dyn ReadStore, folders: &[Doomed]) -> Result<Vec<Option<u32>>, Error> {
    // Opening tells the number; of the messages nothing need be asked.
    let none = UidSet::from_iter(Uid::new(u32::MAX));
    let asked = folders
        .iter()
        .map(|doomed| (&doomed.mailbox, Some(none.clone())));
    let scans = scan_each(store, ScanDepth::Sizes, asked)?;
    Ok(scans
        .into_iter()
        .map(|scan| scan.ok().map(|scan| scan.exists))
        .collect())
}
