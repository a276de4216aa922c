//! What was sent to one side, folder by folder, and what that side shows of it.

use crate::exec::Fate;
use crate::mail::{Uid, UidSet};
use crate::plan::FolderTask;
use crate::store::FolderScan;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// What was sent to one folder, and what its side shows there now.
pub(crate) struct Proof<'a> {
    /// The verb's number for the folder.
    pub(crate) of: usize,
    pub(crate) task: &'a FolderTask,
    /// The fates, with the UIDs that the messages have now.
    pub(crate) fates: Cow<'a, [Fate]>,
    /// All that is new, or the messages whose UIDs were told.
    pub(crate) scan: FolderScan,
}

/// Tasks, each with its verb's number for the folder and, once it is completed, the fate of each
/// message.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) of: Vec<usize>,
    pub(crate) tasks: Vec<Arc<FolderTask>>,
    pub(crate) fates: Vec<Vec<Fate>>,
    /// Messages that the target has only as corrected copies, by their folder's number and UID.
    pub(crate) fixed: HashSet<(usize, Uid)>,
}

impl Sent {
    /// Adds a task that is still to be done, unless it is empty.
    pub(crate) fn plan(&mut self, of: usize, task: impl Into<Arc<FolderTask>>) {
        let task = task.into();
        if !task.messages.is_empty() {
            self.of.push(of);
            self.tasks.push(task);
        }
    }

    /// Adds a completed task with its messages' fates, unless it is empty.
    pub(crate) fn put(&mut self, of: usize, task: FolderTask, fates: Vec<Fate>) {
        if !task.messages.is_empty() {
            self.plan(of, task);
            self.fates.push(fates);
        }
    }

    /// Notes which messages of these tasks were corrected, by task and UID.
    pub(crate) fn note_fixed(&mut self, fixed: &HashSet<(usize, Uid)>) {
        let of = |(task, uid): &(usize, Uid)| Some((*self.of.get(*task)?, *uid));
        self.fixed.extend(fixed.iter().filter_map(of));
    }

    /// Adds everything from another one.
    pub(crate) fn add(&mut self, other: Self) {
        self.of.extend(other.of);
        self.tasks.extend(other.tasks);
        self.fates.extend(other.fates);
        self.fixed.extend(other.fixed);
    }

    /// Returns each completed task, with its folder's number and its messages' fates.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, &FolderTask, &[Fate])> {
        let tasks = self.tasks.iter().zip(&self.fates);
        self.of
            .iter()
            .zip(tasks)
            .map(|(of, (task, fates))| (*of, task.as_ref(), fates.as_slice()))
    }

    /// Reports whether any message was copied.
    pub(crate) fn has_copies(&self) -> bool {
        self.fates.iter().flatten().any(Fate::is_copied)
    }

    /// Returns the folders with a message that was not copied.
    pub(crate) fn short(&self) -> impl Iterator<Item = usize> {
        self.each()
            .filter(|(.., fates)| fates.iter().any(|fate| !fate.is_copied()))
            .map(|(of, ..)| of)
    }

    /// Returns the UIDs assigned to a folder's messages.
    pub(crate) fn placed_in(&self, folder: usize) -> UidSet {
        self.each()
            .filter(|(of, ..)| *of == folder)
            .flat_map(|(.., fates)| fates.iter().filter_map(Fate::uid))
            .collect()
    }

    /// Counts the messages of all tasks.
    pub(crate) fn messages(&self) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.messages.len() as u64)
            .sum()
    }

    /// Adds up the sizes of the messages of all tasks.
    pub(crate) fn bytes(&self) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.bytes(0..task.messages.len()))
            .sum()
    }
}
