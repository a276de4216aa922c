//! What the two accounts may still move today: a lane begins only what fits.
//!
//! A message is reserved on both sides before it is requested, and released as it passes: from then
//! on its bytes are counted where they go over the wire.

use super::Context;
use crate::locks::lock;
use crate::mail::Side;
use crate::plan::{FolderTask, Piece};
use crate::store::Error;
use crate::store::budget::{Budget, Direction};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a message costs in addition to its bytes: commands and replies.
const EACH: u64 = 256;

/// The budgets of a copy, if there are any limits.
pub(super) struct Allowance<'a> {
    /// That of the account that is read from, and that of the one that is written to.
    budgets: [Option<&'a Budget>; 2],
    /// What this copy has reserved and not released.
    reserved: [AtomicU64; 2],
    over: Mutex<Option<Error>>,
}

/// How much of a piece may be begun.
pub(super) enum Admitted {
    /// All of it.
    Whole(Piece),
    /// Its first messages, and what is left of it.
    Part(Piece, Piece),
    /// Nothing.
    Nothing(Piece),
}

const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Written];

impl<'a> Allowance<'a> {
    pub(super) fn new(context: &Context<'a>) -> Self {
        let of = |side: Side| {
            let budget = context.connectors[side].budget();
            budget.filter(|budget| budget.is_limited())
        };
        Self {
            budgets: [of(context.to.other()), of(context.to)],
            reserved: Default::default(),
            over: Mutex::default(),
        }
    }

    /// Reports whether nothing more may be begun.
    pub(super) fn is_over(&self) -> bool {
        self.is_limited() && lock(&self.over).is_some()
    }

    /// Returns why nothing more may be begun.
    pub(super) fn error(&self) -> Option<Error> {
        lock(&self.over).clone()
    }

    /// Reserves a piece, or as much of it as fits into the day.
    pub(super) fn admit(&self, task: &FolderTask, piece: Piece) -> Admitted {
        if !self.is_limited() {
            return Admitted::Whole(piece);
        }
        let mut count = piece.messages.len();
        while count > 0 {
            let first = piece.messages.start..piece.messages.start + count;
            match self.reserve(cost(task, first.clone()), count == 1) {
                Ok(()) if count == piece.messages.len() => return Admitted::Whole(piece),
                Ok(()) => {
                    let rest = Piece {
                        messages: first.end..piece.messages.end,
                        ..piece.clone()
                    };
                    let first = Piece {
                        messages: first,
                        ..piece
                    };
                    return Admitted::Part(first, rest);
                }
                Err(error) if count == 1 => *lock(&self.over) = Some(error),
                Err(_) => {}
            }
            count /= 2;
        }
        Admitted::Nothing(piece)
    }

    /// Releases messages of a task, which have passed or will not.
    pub(super) fn release(&self, task: &FolderTask, positions: Range<usize>) {
        if !self.is_limited() {
            return;
        }
        let bytes = cost(task, positions);
        for (at, budget) in self.budgets.iter().enumerate() {
            if let Some(budget) = budget {
                let before = self.reserved[at].load(Ordering::Relaxed);
                let bytes = bytes.min(before);
                self.reserved[at].fetch_sub(bytes, Ordering::Relaxed);
                budget.release(DIRECTIONS[at], bytes);
            }
        }
    }

    fn is_limited(&self) -> bool {
        self.budgets.iter().any(Option::is_some)
    }

    fn reserve(&self, bytes: u64, alone: bool) -> Result<(), Error> {
        for at in [0, 1] {
            let Some(budget) = self.budgets[at] else {
                continue;
            };
            if budget.reserve(DIRECTIONS[at], bytes, alone) {
                self.reserved[at].fetch_add(bytes, Ordering::Relaxed);
                continue;
            }
            if let (1, Some(source)) = (at, self.budgets[0]) {
                self.reserved[0].fetch_sub(bytes, Ordering::Relaxed);
                source.release(Direction::Read, bytes);
            }
            return Err(budget.used_up(DIRECTIONS[at]));
        }
        Ok(())
    }
}

impl Drop for Allowance<'_> {
    /// Releases what lanes that failed have left.
    fn drop(&mut self) {
        for (at, budget) in self.budgets.iter().enumerate() {
            if let Some(budget) = budget {
                budget.release(DIRECTIONS[at], self.reserved[at].load(Ordering::Relaxed));
            }
        }
    }
}

fn cost(task: &FolderTask, positions: Range<usize>) -> u64 {
    let count = positions.len() as u64;
    task.bytes(positions) + count * EACH
}
