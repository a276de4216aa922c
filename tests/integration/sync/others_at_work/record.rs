//! The record of what was done to each message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What was done on both sides. Sides have numbers, messages too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// All that were delivered.
    pub delivered: BTreeSet<u64>,
    /// By message, the sides on which it may have been deleted.
    pub deleted: BTreeMap<u64, BTreeSet<usize>>,
    /// By message, the folders in which it may have been deleted, by their names then.
    pub deleted_in: BTreeMap<u64, BTreeSet<String>>,
    /// By message, the side of each of its moves.
    pub moved: BTreeMap<u64, Vec<usize>>,
    /// The messages that were marked.
    pub flagged: BTreeSet<u64>,
    /// By message, the folders in which people have put or found it.
    pub homes: BTreeMap<u64, BTreeSet<String>>,
    /// The folders that lost what gives their messages UIDs, on each side.
    pub reset: [BTreeSet<String>; 2],
    /// The folders that were renamed, by both their names, on each side.
    pub renamed: [BTreeSet<String>; 2],
    /// A run was told to keep what it can (`--prefer keep`).
    pub prefers_keeping: bool,
    /// A server ended a connection of a run, so that replies were lost.
    pub was_cut: bool,
    /// What was done, and when.
    pub log: Vec<(Duration, String)>,
}

impl Record {
    pub(crate) fn add(&mut self, other: Self) {
        self.delivered.extend(other.delivered);
        self.flagged.extend(other.flagged);
        let folders = self.renamed.iter_mut().chain(&mut self.reset);
        for (all, more) in folders.zip(other.renamed.into_iter().chain(other.reset)) {
            all.extend(more);
        }
        self.prefers_keeping |= other.prefers_keeping;
        self.was_cut |= other.was_cut;
        self.log.extend(other.log);
        for (number, sides) in other.deleted {
            self.deleted.entry(number).or_default().extend(sides);
        }
        for (number, folders) in other.deleted_in {
            self.deleted_in.entry(number).or_default().extend(folders);
        }
        for (number, sides) in other.moved {
            self.moved.entry(number).or_default().extend(sides);
        }
        for (number, folders) in other.homes {
            self.homes.entry(number).or_default().extend(folders);
        }
    }

    pub(crate) fn note_home(&mut self, number: u64, folder: &str) {
        self.homes
            .entry(number)
            .or_default()
            .insert(folder.to_owned());
    }

    pub(crate) fn note_deleted(&mut self, number: u64, side: usize, folder: &str) {
        self.deleted.entry(number).or_default().insert(side);
        self.deleted_in
            .entry(number)
            .or_default()
            .insert(folder.to_owned());
    }

    pub(crate) fn was_deleted(&self, number: u64) -> bool {
        self.deleted.contains_key(&number)
    }

    pub(crate) fn was_deleted_in(&self, number: u64, folder: &str) -> bool {
        self.deleted_in
            .get(&number)
            .is_some_and(|folders| folders.contains(folder))
    }

    pub(crate) fn was_deleted_on(&self, side: usize, number: u64) -> bool {
        self.deleted
            .get(&number)
            .is_some_and(|sides| sides.contains(&side))
    }

    /// How often it was moved.
    pub(crate) fn moves(&self, number: u64) -> usize {
        self.moved.get(&number).map_or(0, Vec::len)
    }

    /// Whether it was moved on the other side than one on which it was deleted, or its folder was
    /// renamed there: what is not known to be the same folder is a new one, into which the mail was
    /// moved.
    pub(crate) fn was_moved_and_deleted(&self, number: u64) -> bool {
        let was_moved = |side: usize| {
            self.moved
                .get(&number)
                .is_some_and(|sides| sides.contains(&side))
        };
        [0, 1].into_iter().any(|side| {
            self.was_deleted_on(1 - side, number)
                && (was_moved(side) || self.was_renamed_on(side, number))
        })
    }

    /// Whether a folder in which it was has got new UIDs.
    pub(crate) fn was_reset(&self, number: u64) -> bool {
        [0, 1]
            .into_iter()
            .any(|side| self.was_reset_on(side, number))
    }

    /// Whether that happened on both sides.
    pub(crate) fn was_reset_on_both(&self, number: u64) -> bool {
        [0, 1]
            .into_iter()
            .all(|side| self.was_reset_on(side, number))
    }

    fn was_reset_on(&self, side: usize, number: u64) -> bool {
        self.homes
            .get(&number)
            .is_some_and(|homes| !homes.is_disjoint(&self.reset[side]))
    }

    /// Whether a folder in which it was has got another name.
    pub(crate) fn was_renamed(&self, number: u64) -> bool {
        [0, 1]
            .into_iter()
            .any(|side| self.was_renamed_on(side, number))
    }

    fn was_renamed_on(&self, side: usize, number: u64) -> bool {
        self.homes
            .get(&number)
            .is_some_and(|homes| !homes.is_disjoint(&self.renamed[side]))
    }

    /// How often each kind of thing was done.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let kinds = ["delivers", "moves", "deletes", "flags", "renames", "resets"];
        let count = |kind: &str| {
            self.log
                .iter()
                .filter(|(_, text)| text.split(' ').nth(1) == Some(kind))
                .count() as u64
        };
        kinds.into_iter().map(|kind| (kind, count(kind))).collect()
    }
}
