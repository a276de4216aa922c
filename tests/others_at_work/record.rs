//! The record of what was done to each message.

use std::collections::{BTreeMap, BTreeSet};

/// What was done on each side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// All that were delivered, with how often.
    pub delivered: BTreeSet<u64>,
    /// By message, the sides on which it may have been deleted.
    pub deleted: BTreeMap<u64, BTreeSet<usize>>,
    /// By message, how often it was moved.
    pub moved: BTreeMap<u64, u32>,
    pub flagged: BTreeSet<u64>,
    /// Folders were renamed, or UIDs were taken away.
    pub has_reset: bool,
    pub has_renamed: bool,
    pub log: Vec<String>,
}

impl Record {
    pub(crate) fn add(&mut self, other: Self) {
        self.delivered.extend(other.delivered);
        for (number, sides) in other.deleted {
            self.deleted.entry(number).or_default().extend(sides);
        }
        for (number, times) in other.moved {
            *self.moved.entry(number).or_default() += times;
        }
        self.flagged.extend(other.flagged);
        self.has_reset |= other.has_reset;
        self.has_renamed |= other.has_renamed;
        self.log.extend(other.log);
    }

    pub(crate) fn was_deleted(&self, number: u64) -> bool {
        self.deleted.contains_key(&number)
    }

    pub(crate) fn was_deleted_on(&self, side: usize, number: u64) -> bool {
        self.deleted.get(&number).is_some_and(|sides| sides.contains(&side))
    }
}
