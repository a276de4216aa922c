//! What became of each message to be copied: nine bytes each, written by all lanes.

use crate::mail::Uid;
use crate::plan::FolderTask;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// A message's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// Not sent, or refused and to be sent differently.
    Waiting = 0,
    /// Sent; the target has not answered yet.
    Sent = 1,
    /// The target has it.
    Copied = 2,
    /// Sent, but the connection broke before the answer: it has to be looked for.
    Uncertain = 3,
    /// The source did not send it: it has to be checked whether it still exists.
    Unseen = 4,
    /// It failed and was reported.
    Failed = 5,
    /// The source deleted it in the meantime.
    Vanished = 6,
    /// What the source sent contradicts what it says about the message: it is to be sent again.
    Doubted = 7,
}

impl Stage {
    fn of(value: u8) -> Self {
        use Stage::{Copied, Doubted, Failed, Sent, Uncertain, Unseen, Vanished, Waiting};
        [
            Waiting, Sent, Copied, Uncertain, Unseen, Failed, Vanished, Doubted,
        ]
        .into_iter()
        .find(|stage| *stage as u8 == value)
        .unwrap_or(Self::Waiting)
    }
}

/// The stages of all messages in all tasks.
pub(super) struct Ledger {
    /// The token of each task's first message, and one past the last.
    starts: Vec<u32>,
    stages: Vec<AtomicU8>,
    /// The copies' UIDs on the target; 0: not reported.
    uids: Vec<AtomicU32>,
    /// The bytes that were delivered, up to `u32::MAX`.
    sizes: Vec<AtomicU32>,
    bytes: AtomicU64,
}

/// One message's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The target has it.
    Copied {
        /// Its UID there, if the target reported it.
        uid: Option<Uid>,
        /// How many bytes were delivered, up to `u32::MAX`.
        bytes: u32,
    },
    /// It failed, and was reported.
    Failed,
    /// The source deleted it before it could be read.
    Vanished,
    /// It was not handled, as the copy ended early.
    Open,
}

impl Fate {
    /// Reports whether the target has it.
    pub fn is_copied(&self) -> bool {
        matches!(self, Self::Copied { .. })
    }

    /// Returns its UID on the target, if it is there and that was reported.
    pub fn uid(&self) -> Option<Uid> {
        if let Self::Copied { uid, .. } = self {
            *uid
        } else {
            None
        }
    }
}

/// How many messages ended in each way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) copied: u64,
    pub(super) failed: u64,
    pub(super) vanished: u64,
    pub(super) bytes: u64,
}

impl Ledger {
    pub(super) fn new(tasks: &[FolderTask]) -> Self {
        let mut starts = vec![0u32];
        for task in tasks {
            let end = starts.last().copied().unwrap_or(0) as usize + task.messages.len();
            starts.push(u32::try_from(end).unwrap_or(u32::MAX));
        }
        let total = starts.last().copied().unwrap_or(0);
        let zeros = || (0..total).map(|_| AtomicU32::new(0)).collect();
        let stages = (0..total).map(|_| AtomicU8::new(0)).collect();
        Self {
            starts,
            stages,
            uids: zeros(),
            sizes: zeros(),
            bytes: AtomicU64::new(0),
        }
    }

    /// Returns the number by which stores refer to this message.
    pub(super) fn token(&self, task: usize, position: usize) -> u32 {
        self.starts[task] + position as u32
    }

    /// Returns the message with this number.
    pub(super) fn locate(&self, token: u32) -> (usize, usize) {
        let task = self
            .starts
            .partition_point(|start| *start <= token)
            .saturating_sub(1);
        (task, (token - self.starts[task]) as usize)
    }

    pub(super) fn stage(&self, token: u32) -> Stage {
        Stage::of(self.stages[token as usize].load(Ordering::Relaxed))
    }

    /// Claims a waiting message for sending. False if it isn't waiting: after a failure a message
    /// may be in two pieces, and two lanes must never send it at the same time.
    pub(super) fn claim(&self, token: u32) -> bool {
        let (from, to) = (Stage::Waiting as u8, Stage::Sent as u8);
        self.stages[token as usize]
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    pub(super) fn set(&self, token: u32, stage: Stage) {
        self.stages[token as usize].store(stage as u8, Ordering::Relaxed);
    }

    /// Notes that the target has this message, with this many bytes.
    pub(super) fn set_copied(&self, token: u32, bytes: u64) {
        self.set(token, Stage::Copied);
        self.sizes[token as usize]
            .store(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes where the target has put this message.
    pub(super) fn set_uid(&self, token: u32, uid: Uid) {
        self.uids[token as usize].store(uid.get(), Ordering::Relaxed);
    }

    /// Returns where the target has put this message, if it reported that.
    pub(super) fn uid(&self, token: u32) -> Option<Uid> {
        Uid::new(self.uids[token as usize].load(Ordering::Relaxed))
    }

    /// Returns the result for each task's messages, in order.
    pub(super) fn fates(&self) -> Vec<Vec<Fate>> {
        self.starts
            .windows(2)
            .map(|task| (task[0]..task[1]).map(|token| self.fate(token)).collect())
            .collect()
    }

    fn fate(&self, token: u32) -> Fate {
        match self.stage(token) {
            Stage::Copied => Fate::Copied {
                uid: self.uid(token),
                bytes: self.sizes[token as usize].load(Ordering::Relaxed),
            },
            Stage::Failed => Fate::Failed,
            Stage::Vanished => Fate::Vanished,
            Stage::Waiting | Stage::Sent | Stage::Uncertain | Stage::Unseen | Stage::Doubted => {
                Fate::Open
            }
        }
    }

    /// Returns the positions among `within` of a task's messages at `stage`.
    pub(super) fn positions(
        &self,
        task: usize,
        within: Range<usize>,
        stage: Stage,
    ) -> impl Iterator<Item = usize> + '_ {
        within.filter(move |position| self.stage(self.token(task, *position)) == stage)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts {
            bytes: self.bytes.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for stage in &self.stages {
            match Stage::of(stage.load(Ordering::Relaxed)) {
                Stage::Copied => counts.copied += 1,
                Stage::Failed => counts.failed += 1,
                Stage::Vanished => counts.vanished += 1,
                Stage::Waiting
                | Stage::Sent
                | Stage::Uncertain
                | Stage::Unseen
                | Stage::Doubted => {}
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::task_of_sizes;

    #[test]
    fn tokens_name_messages_across_tasks() {
        let ledger = Ledger::new(&[
            task_of_sizes(&[1, 1]),
            task_of_sizes(&[]),
            task_of_sizes(&[1, 1, 1]),
        ]);
        assert_eq!(ledger.token(2, 1), 3);
        for token in 0..5 {
            let (task, position) = ledger.locate(token);
            assert_eq!(ledger.token(task, position), token);
        }
    }

    #[test]
    fn a_message_is_claimed_once() {
        let ledger = Ledger::new(&[task_of_sizes(&[1])]);
        assert!(ledger.claim(0));
        assert!(!ledger.claim(0));
        ledger.set(0, Stage::Waiting);
        assert!(ledger.claim(0));
        ledger.set(0, Stage::Copied);
        assert_eq!(
            ledger.counts(),
            Counts {
                copied: 1,
                ..Counts::default()
            }
        );
    }
}
