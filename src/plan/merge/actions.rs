//! The actions for one folder, and what is left alone and why. Messages are indices into the two
//! views.

use super::flags::FlagMerge;
use super::{Former, Prints, Row};
use crate::mail::{Both, Side};
use crate::plan::Tie;
use std::collections::HashMap;

/// A folder that is left unchanged on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub row: Row,
    /// The side that caused it.
    pub side: Side,
}

/// A message on the other side that this side should get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its index in the other side's view.
    pub from: u32,
    /// Why.
    pub row: Row,
}

/// A message that this side should get although it lost it: the other side moved it (row 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its index in the other side's view.
    pub from: u32,
    /// Where it was.
    pub former: Former,
}

/// A message that this side should lose. Its pair is forgotten only once it is gone; if the side
/// refuses for good, the pair becomes [`PairState::DeletedOn`](super::PairState::DeletedOn).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its index in this side's view.
    pub index: u32,
    /// Its pair, an index into the base.
    pub pair: u32,
    /// Why; [`Row::is_conflict`] reports whether the other side wanted something else.
    pub row: Row,
    /// Whether it is saved in the undo store first.
    pub keep_first: bool,
}

/// A pair in the base whose flags change on a side, or in the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The pair, an index into the base.
    pub pair: u32,
    /// Its messages.
    pub messages: Both<u32>,
    /// Its outcome's number in [`FlagOutcomes`].
    pub flags: u32,
}

/// A pair in the base about which more is known now; that is recorded, and nothing else done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The pair, an index into the base.
    pub pair: u32,
    /// The fingerprints of its messages.
    pub prints: Prints,
}

/// A new pair of two messages that are the same and already on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The messages.
    pub messages: Both<u32>,
    /// Its outcome's number in [`FlagOutcomes`].
    pub flags: u32,
    /// Why.
    pub row: Row,
}

/// A pair in the base that no longer means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The pair, an index into the base.
    pub pair: u32,
    /// Why.
    pub row: Row,
}

/// A pair that is recorded as deleted on one side: because the deletion must not cross to the other
/// now, or because the folder, and so its UID, is gone there before the other is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The pair, an index into the base.
    pub pair: u32,
    /// The side on which it was deleted.
    pub deleted_on: Side,
    /// Why.
    pub row: Row,
}

/// A message that is left unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its index in its side's view.
    pub index: u32,
    /// Why.
    pub row: Row,
}

/// A pair in the base one of whose messages is gone: deleted, or moved to another folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vanished {
    /// The pair, an index into the base.
    pub(super) pair: u32,
    /// What is left of it: the side that still has it, and its index there.
    pub(super) here: Option<(Side, u32)>,
}

/// The distinct outcomes of merging flags in one folder, each stored once: there are many pairs,
/// but only a dozen outcomes.
#[derive(Clone, Debug, Default)]
pub struct FlagOutcomes {
    outcomes: Vec<FlagMerge>,
    numbers: HashMap<[u32; 5], u32>,
}

impl FlagOutcomes {
    /// Returns the outcome with this number; a quiet one for a number never assigned.
    pub fn get(&self, number: u32) -> FlagMerge {
        self.outcomes
            .get(number as usize)
            .cloned()
            .unwrap_or_default()
    }

    /// Returns the number of the outcome for these sets of flags, which is computed the first time.
    pub(super) fn number(&mut self, sets: [u32; 5], merge: impl FnOnce() -> FlagMerge) -> u32 {
        if let Some(number) = self.numbers.get(&sets) {
            return *number;
        }
        let number = self.add(merge());
        self.numbers.insert(sets, number);
        number
    }

    /// Adds another outcome and returns its number.
    pub(super) fn add(&mut self, outcome: FlagMerge) -> u32 {
        let number = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        self.outcomes.push(outcome);
        number
    }

    /// Reports whether a closed side would have to change something.
    pub(super) fn waits(&self, number: u32) -> bool {
        self.outcomes
            .get(number as usize)
            .is_some_and(|outcome| outcome.waits)
    }

    /// Reports whether nothing changes, neither on a side nor in the base.
    pub(super) fn stays(&self, number: u32) -> bool {
        self.outcomes
            .get(number as usize)
            .is_none_or(|outcome| outcome.stays)
    }
}

/// Everything to be done in one folder.
#[derive(Clone, Debug, Default)]
pub struct FolderMerge {
    /// Why nothing at all is done.
    pub refused: Option<Refusal>,
    /// What each side should get, by ascending index.
    pub incoming: Both<Vec<Incoming>>,
    /// Those of them that the other side moved and this one lost.
    pub kept: Both<Vec<Kept>>,
    /// What each side should lose.
    pub deletions: Both<Vec<Deletion>>,
    /// Pairs whose flags change.
    pub agreements: Vec<Agreement>,
    /// Pairs about which the base knows too little.
    pub learned: Vec<Learned>,
    /// Pairs to be recorded without sending anything.
    pub joined: Vec<Joined>,
    /// Pairs to be forgotten.
    pub dropped: Vec<Dropped>,
    /// Pairs to be marked as deleted on one side.
    pub pending: Vec<Pending>,
    /// What is left alone on each side.
    pub left: Both<Vec<Left>>,
    /// The outcomes for flags.
    pub flags: FlagOutcomes,
    /// The number of pairs in the base with both messages present.
    pub on_both: u64,
    /// The number of pairs in the base whose flags would change on a closed side.
    pub(super) flags_waiting: u64,
    /// What only content can decide. Source is first, target is second, both as indices into the
    /// views.
    pub(super) ties: Vec<Tie>,
    pub(super) vanished: Vec<Vanished>,
    /// The reasons for messages without a base: for two that are the same, and for one alone.
    pub(super) rows: Option<[Row; 2]>,
}

impl FolderMerge {
    /// Returns what only content can decide, for [`settle`](crate::plan::settle): source is the
    /// first side, target the second, both as indices into the views. Nothing is done about them
    /// before [`FolderMerge::settle`].
    pub fn ties(&self) -> &[Tie] {
        &self.ties
    }

    /// Reports whether there is nothing to do on either side. The base may still have to change.
    pub fn is_quiet(&self) -> bool {
        let flags_stay = |number: &u32| self.flags.get(*number).is_quiet();
        self.incoming.all(Vec::is_empty)
            && self.deletions.all(Vec::is_empty)
            && self
                .agreements
                .iter()
                .all(|agreement| flags_stay(&agreement.flags))
            && self.joined.iter().all(|joined| flags_stay(&joined.flags))
            && self.ties.is_empty()
    }

    /// Reports whether the base has to be written, whatever is done on a side.
    pub fn changes_base(&self) -> bool {
        let agreed = [self.agreements.len(), self.learned.len(), self.joined.len()];
        agreed.iter().sum::<usize>() + self.dropped.len() + self.pending.len() > 0
    }

    /// Returns how many changes of messages were decided but are held back: the options or the
    /// deletion limit forbid them, a side is read-only, or they may be parts of moves to folders
    /// that could not be read. A later run that may make them finds them again, as long as no
    /// checkpoint moves past them.
    pub fn held_back(&self) -> u64 {
        let is_held = |row: Row| {
            matches!(
                row,
                Row::OneWay | Row::NotPermitted | Row::TooMany | Row::PerhapsMoved
            )
        };
        let left = Side::BOTH
            .into_iter()
            .flat_map(|side| &self.left[side])
            .filter(|left| is_held(left.row))
            .count();
        let pending = self
            .pending
            .iter()
            .filter(|pending| is_held(pending.row))
            .count();
        let joined = self
            .joined
            .iter()
            .filter(|joined| self.flags.waits(joined.flags))
            .count();
        (left + pending + joined) as u64 + self.flags_waiting
    }

    /// Leaves the folder unchanged on both sides.
    pub(super) fn refuse(&mut self, row: Row, side: Side) {
        *self = Self {
            refused: Some(Refusal { row, side }),
            ..Self::default()
        };
    }
}
