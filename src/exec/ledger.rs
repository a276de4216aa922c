//! What became of each message to be copied: nine bytes each, written by all lanes.

use crate::locks::lock;
use crate::mail::Uid;
use crate::plan::FolderTask;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

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

/// All tasks and the stages of their messages. Tasks are added while lanes run.
pub(super) struct Ledger {
    entries: boxcar::Vec<Entry>,
    /// One past the last token.
    end: Mutex<u32>,
    bytes: AtomicU64,
}

/// One task and what became of its messages.
struct Entry {
    task: Arc<FolderTask>,
    /// The token of its first message.
    start: u32,
    stages: Box<[AtomicU8]>,
    /// The copies' UIDs on the target; 0: not reported.
    uids: Box<[AtomicU32]>,
    /// The bytes that were delivered, up to `u32::MAX`.
    sizes: Box<[AtomicU32]>,
}

impl Entry {
    fn new(task: Arc<FolderTask>, start: u32) -> Self {
        let zeros = || task.messages.iter().map(|_| AtomicU32::new(0)).collect();
        Self {
            start,
            stages: task.messages.iter().map(|_| AtomicU8::new(0)).collect(),
            uids: zeros(),
            sizes: zeros(),
            task,
        }
    }

    /// Returns one past the token of its last message.
    fn end(&self) -> u32 {
        let end = self.start as usize + self.stages.len();
        u32::try_from(end).unwrap_or(u32::MAX)
    }

    fn stage(&self, position: usize) -> Stage {
        Stage::of(self.stages[position].load(Ordering::Relaxed))
    }

    fn uid(&self, position: usize) -> Option<Uid> {
        Uid::new(self.uids[position].load(Ordering::Relaxed))
    }

    fn fate(&self, position: usize) -> Fate {
        match self.stage(position) {
            Stage::Copied => Fate::Copied {
                uid: self.uid(position),
                bytes: self.sizes[position].load(Ordering::Relaxed),
            },
            Stage::Failed => Fate::Failed,
            Stage::Vanished => Fate::Vanished,
            Stage::Waiting | Stage::Sent | Stage::Uncertain | Stage::Unseen | Stage::Doubted => {
                Fate::Open
            }
        }
    }
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
    pub(super) fn new() -> Self {
        Self {
            entries: boxcar::Vec::new(),
            end: Mutex::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Adds a task. Returns its index.
    pub(super) fn add(&self, task: Arc<FolderTask>) -> usize {
        let mut end = lock(&self.end);
        let entry = Entry::new(task, *end);
        *end = entry.end();
        self.entries.push(entry)
    }

    /// Returns the task with this index.
    pub(super) fn task(&self, task: usize) -> &FolderTask {
        &self.entries[task].task
    }

    /// Returns all tasks, in the order of their indices.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &FolderTask> {
        self.entries.iter().map(|(_, entry)| entry.task.as_ref())
    }

    /// Returns the number by which stores refer to this message.
    pub(super) fn token(&self, task: usize, position: usize) -> u32 {
        self.entries[task].start + position as u32
    }

    /// Returns the message with this number.
    pub(super) fn locate(&self, token: u32) -> (usize, usize) {
        let (mut task, mut later) = (0, self.entries.count());
        while later - task > 1 {
            let middle = task.midpoint(later);
            // An entry that is just being added is not there yet.
            let starts = self.entries.get(middle).map(|entry| entry.start);
            if starts.is_some_and(|start| start <= token) {
                task = middle;
            } else {
                later = middle;
            }
        }
        (task, (token - self.entries[task].start) as usize)
    }

    /// Returns the entry of the message with this number, and its position there.
    fn at(&self, token: u32) -> (&Entry, usize) {
        let (task, position) = self.locate(token);
        (&self.entries[task], position)
    }

    pub(super) fn stage(&self, token: u32) -> Stage {
        let (entry, position) = self.at(token);
        entry.stage(position)
    }

    /// Claims a waiting message for sending. False if it isn't waiting: after a failure a message
    /// may be in two pieces, and two lanes must never send it at the same time.
    pub(super) fn claim(&self, token: u32) -> bool {
        let (from, to) = (Stage::Waiting as u8, Stage::Sent as u8);
        let (entry, position) = self.at(token);
        entry.stages[position]
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    pub(super) fn set(&self, token: u32, stage: Stage) {
        let (entry, position) = self.at(token);
        entry.stages[position].store(stage as u8, Ordering::Relaxed);
    }

    /// Notes that the target has this message, with this many bytes.
    pub(super) fn set_copied(&self, token: u32, bytes: u64) {
        self.set(token, Stage::Copied);
        let (entry, position) = self.at(token);
        entry.sizes[position].store(u32::try_from(bytes).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes where the target has put this message.
    pub(super) fn set_uid(&self, token: u32, uid: Uid) {
        let (entry, position) = self.at(token);
        entry.uids[position].store(uid.get(), Ordering::Relaxed);
    }

    /// Returns where the target has put this message, if it reported that.
    pub(super) fn uid(&self, token: u32) -> Option<Uid> {
        let (entry, position) = self.at(token);
        entry.uid(position)
    }

    /// Returns the result for each task's messages, in order.
    pub(super) fn fates(&self) -> Vec<Vec<Fate>> {
        let of_one = |(_, entry): (usize, &Entry)| {
            (0..entry.stages.len()).map(|at| entry.fate(at)).collect()
        };
        self.entries.iter().map(of_one).collect()
    }

    /// Returns the positions among `within` of a task's messages at `stage`.
    pub(super) fn positions(
        &self,
        task: usize,
        within: Range<usize>,
        stage: Stage,
    ) -> impl Iterator<Item = usize> + '_ {
        let entry = &self.entries[task];
        within.filter(move |position| entry.stage(*position) == stage)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts {
            bytes: self.bytes.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for stage in self.entries.iter().flat_map(|(_, entry)| &entry.stages) {
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
        let ledger = Ledger::new();
        for sizes in [&[1, 1][..], &[], &[1, 1, 1]] {
            ledger.add(Arc::new(task_of_sizes(sizes)));
        }
        assert_eq!(ledger.token(2, 1), 3);
        for token in 0..5 {
            let (task, position) = ledger.locate(token);
            assert_eq!(ledger.token(task, position), token);
        }
    }

    #[test]
    fn a_message_is_claimed_once() {
        let ledger = Ledger::new();
        ledger.add(Arc::new(task_of_sizes(&[1])));
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
