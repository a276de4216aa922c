//! Deletes on the target what the source does not have, at the end of a copy: messages first, then
//! folders that are seen to be empty. What is deleted was decided while planning
//! ([`super::removals`]).

use super::Copy;
use super::relocate::Leftover;
use super::removals::Doomed;
use crate::engine::deleting::{
    Deletion, Emptied, Removed, Unsent, delete_empty, look_again, remove,
};
use crate::engine::folders::FolderRef;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::{self, Event};
use crate::exec::{Fate, Link};
use crate::mail::{Side, UidSet, counted};
use crate::store::{Error, Removal, ScanDepth};
use crate::verbs::Deleting;
use crate::verbs::headings::{Headings, Wanted};
use crate::verbs::opening::Names;
use std::collections::{BTreeMap, HashMap};

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
                .or_insert_with(|| {
                    FolderRef::new(&from.mailbox, from.uid_validity).removal(UidSet::default())
                });
            removal.uids.insert(from.uid);
            if leftover.is_sent {
                self.memory.removed(&from.mailbox, 1);
            }
        }
        let removals: Vec<Removal> = folders.into_values().collect();
        let results = remove(way, Side::TARGET, &removals)?;
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
        let removals: Vec<Removal> = self.doomed.iter().map(removal).collect();
        let scans = look_again(way, Side::TARGET, ScanDepth::Attributes, &removals)?;
        let mut held_back = Vec::new();
        for (doomed, scan) in self.doomed.iter_mut().zip(scans) {
            let held = scan.map(|scan| unsent.held(&scan)).unwrap_or_default();
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

    /// Returns what was to come into folders and is not known to be there.
    fn unsent(&self, sent: &Sent, unproven: &HashMap<usize, UidSet>) -> Unsent {
        let mut unsent = Unsent::of(sent, |pair, uid, fate| {
            let is_unproven = unproven.get(&pair).is_some_and(|uids| uids.contains(uid));
            is_unproven || !fate.is_copied() && *fate != Fate::Vanished
        });
        // What is left of the plan had no folder to be sent to.
        unsent.add(self.folders.all_needs().flat_map(|needs| &needs.missing));
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
            let whole = emptied.into_iter().filter(|doomed| doomed.whole);
            return self.delete_folders(way, &whole.collect::<Vec<_>>());
        }
        let removals: Vec<Removal> = doomed.iter().map(removal).collect();
        let results = remove(way, Side::TARGET, &removals)?;
        let mut emptied = Vec::new();
        for (doomed, removed) in doomed.into_iter().zip(results) {
            let gone = self.take_removed(&doomed, removed);
            self.memory.removed(&doomed.mailbox, gone.len());
            if doomed.whole && gone.len() == doomed.uids.len() {
                emptied.push(doomed);
            }
        }
        self.delete_folders(way, &emptied)
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

    /// Deletes folders that are empty now.
    fn delete_folders(&mut self, way: &mut Way<'_>, emptied: &[Doomed]) -> Result<(), Error> {
        let folders = emptied.iter().map(|doomed| Emptied {
            mailbox: &doomed.mailbox,
            uid_validity: doomed.uid_validity,
            is_subscribed: doomed.subscribed,
        });
        let folders: Vec<Emptied<'_>> = folders.collect();
        let results = delete_empty(way, Side::TARGET, &folders)?;
        for (doomed, result) in emptied.iter().zip(results) {
            let folder = &doomed.folder;
            match result {
                Deletion::Done => {
                    self.summary.folders_deleted += 1;
                    self.observer.observe(&Event::FolderDeleted { folder });
                    self.memory.forget_target(&doomed.mailbox);
                }
                Deletion::NotEmpty => {
                    let text = format!("{folder}: not deleted: new mail has arrived in it");
                    self.observer.observe(&Event::Warning { text: &text });
                }
                Deletion::Refused(why) => {
                    let reason = format!("the target did not delete it: {why}");
                    self.summary.folders_failed += 1;
                    self.observer.observe(&Event::FolderFailed {
                        folder,
                        reason: &reason,
                    });
                }
            }
        }
        Ok(())
    }
}

pub(super) fn removal(doomed: &Doomed) -> Removal {
    FolderRef::new(&doomed.mailbox, doomed.uid_validity).removal(doomed.uids.clone())
}
