//! What is to be done in one folder, and what is left alone and why. Messages are indices into the two views.

use super::flags::FlagMerge;
use super::{Former, Prints, Row};
use crate::mail::{Both, Side};
use crate::plan::Tie;
use std::collections::HashMap;

/// A folder that is left as it is on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub row: Row,
    /// The side that gave the reason.
    pub side: Side,
}

/// A message of the other side that this side is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its index in the other side's view.
    pub from: u32,
    /// Why.
    pub row: Row,
}

/// A message that this side is to get although it lost it: the other side moved it (row 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its index in the other side's view.
    pub from: u32,
    /// Where it was.
    pub former: Former,
}

/// A message that this side is to lose. Only when it is gone is its pair forgotten; if the side refuses that for good,
/// the pair becomes [`PairState::DeletedOn`](super::PairState::DeletedOn).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its index in this side's view.
    pub index: u32,
    /// Its pair, an index into the base.
    pub pair: u32,
    /// Why; [`Row::is_conflict`] tells whether the other side had other plans.
    pub row: Row,
    /// Whether it is kept in the undo store first.
    pub keep_first: bool,
}

/// A pair of the base whose flags change on a side, or in the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The pair, an index into the base.
    pub pair: u32,
    /// Its messages.
    pub messages: Both<u32>,
    /// Which of the [`FlagOutcomes`].
    pub flags: u32,
}

/// A pair of the base of which more is known now: nothing is done for it but to keep that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The pair, an index into the base.
    pub pair: u32,
    /// What its messages are known by.
    pub prints: Prints,
}

/// A new pair of two messages that are the same and are both there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The messages.
    pub messages: Both<u32>,
    /// Which of the [`FlagOutcomes`].
    pub flags: u32,
    /// Why.
    pub row: Row,
}

/// A pair of the base that says nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The pair, an index into the base.
    pub pair: u32,
    /// Why.
    pub row: Row,
}

/// A pair of which it is recorded that it was deleted on one side: because that must not cross to the other now, or, before
/// the other is deleted, because the folder and so its UID are gone there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The pair, an index into the base.
    pub pair: u32,
    /// The side on which it was deleted.
    pub deleted_on: Side,
    /// Why.
    pub row: Row,
}

/// A message that is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its index in its side's view.
    pub index: u32,
    /// Why.
    pub row: Row,
}

/// A pair of the base of which a message has gone: deleted, or moved to another folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vanished {
    /// The pair, an index into the base.
    pub(super) pair: u32,
    /// What is left of it: the index on the side that still has it.
    pub(super) here: Option<(Side, u32)>,
}

/// The different outcomes of merging flags in one folder, each kept once: pairs are many, outcomes a dozen.
#[derive(Clone, Debug, Default)]
pub struct FlagOutcomes {
    outcomes: Vec<FlagMerge>,
    numbers: HashMap<[u32; 5], u32>,
}

impl FlagOutcomes {
    /// The outcome with this number; a quiet one for a number that was never given out.
    pub fn get(&self, number: u32) -> FlagMerge {
        self.outcomes.get(number as usize).cloned().unwrap_or_default()
    }

    /// The number of the outcome for these sets of flags, which is computed when they are met first.
    pub(super) fn number(&mut self, sets: [u32; 5], merge: impl FnOnce() -> FlagMerge) -> u32 {
        if let Some(number) = self.numbers.get(&sets) {
            return *number;
        }
        let number = self.add(merge());
        self.numbers.insert(sets, number);
        number
    }

    /// The number of another outcome.
    pub(super) fn add(&mut self, outcome: FlagMerge) -> u32 {
        let number = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        self.outcomes.push(outcome);
        number
    }

    /// Whether a closed side would have to change something.
    pub(super) fn waits(&self, number: u32) -> bool {
        self.outcomes.get(number as usize).is_some_and(|outcome| outcome.waits)
    }

    /// Whether nothing changes, neither on a side nor in the base.
    pub(super) fn stays(&self, number: u32) -> bool {
        self.outcomes.get(number as usize).is_none_or(|outcome| outcome.stays)
    }
}

/// Everything that is to be done in one folder.
#[derive(Clone, Debug, Default)]
pub struct FolderMerge {
    /// Why nothing at all is done.
    pub refused: Option<Refusal>,
    /// What each side is to get, by ascending index.
    pub incoming: Both<Vec<Incoming>>,
    /// Those of them that the other side moved and this one lost.
    pub kept: Both<Vec<Kept>>,
    /// What each side is to lose.
    pub deletions: Both<Vec<Deletion>>,
    /// Pairs whose flags change.
    pub agreements: Vec<Agreement>,
    /// Pairs of which the base knows too little.
    pub learned: Vec<Learned>,
    /// Pairs to be made without sending anything.
    pub joined: Vec<Joined>,
    /// Pairs to be forgotten.
    pub dropped: Vec<Dropped>,
    /// Pairs to be marked as deleted on one side.
    pub pending: Vec<Pending>,
    /// What is left alone on each side.
    pub left: Both<Vec<Left>>,
    /// What flags become.
    pub flags: FlagOutcomes,
    /// Pairs of the base whose two messages are both there.
    pub on_both: u64,
    /// Pairs of the base whose flags would change on a side that is closed.
    pub(super) flags_waiting: u64,
    /// What only content can decide. Source is first, target is second, both as indices into the views.
    pub(super) ties: Vec<Tie>,
    pub(super) vanished: Vec<Vanished>,
    /// What is given as the reason for what has no base: for two messages that are the same, and for one alone.
    pub(super) rows: Option<[Row; 2]>,
}

impl FolderMerge {
    /// What only content can decide, for [`settle`](crate::plan::settle): source is the first side, target the second,
    /// both as indices into the views. Nothing of it is done before [`FolderMerge::settle`] is told.
    pub fn ties(&self) -> &[Tie] {
        &self.ties
    }

    /// Whether there is nothing to do on either side. The base may still have to change.
    pub fn is_quiet(&self) -> bool {
        let flags_stay = |number: &u32| self.flags.get(*number).is_quiet();
        self.incoming.all(Vec::is_empty)
            && self.deletions.all(Vec::is_empty)
            && self.agreements.iter().all(|agreement| flags_stay(&agreement.flags))
            && self.joined.iter().all(|joined| flags_stay(&joined.flags))
            && self.ties.is_empty()
    }

    /// Whether what both agree on has to be recorded anew, whatever is done on a side.
    pub fn changes_base(&self) -> bool {
        let agreed = [self.agreements.len(), self.learned.len(), self.joined.len()];
        agreed.iter().sum::<usize>() + self.dropped.len() + self.pending.len() > 0
    }

    /// How many changes of messages were decided and are not made now: the options or the brake forbid them, a side
    /// permits no changes, or they may be parts of moves to folders that could not be read. A later run that may make them finds them again, as long as no mark moves past them.
    pub fn held_back(&self) -> u64 {
        let is_held = |row: Row| matches!(row, Row::OneWay | Row::NotPermitted | Row::TooMany | Row::PerhapsMoved);
        let left = Side::BOTH.into_iter().flat_map(|side| &self.left[side]).filter(|left| is_held(left.row)).count();
        let pending = self.pending.iter().filter(|pending| is_held(pending.row)).count();
        let joined = self.joined.iter().filter(|joined| self.flags.waits(joined.flags)).count();
        (left + pending + joined) as u64 + self.flags_waiting
    }

    /// Leaves the folder as it is on both sides.
    pub(super) fn refuse(&mut self, row: Row, side: Side) {
        *self = Self { refused: Some(Refusal { row, side }), ..Self::default() };
    }
}
