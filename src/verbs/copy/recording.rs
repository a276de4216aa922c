//! What lanes record of the messages that the target has confirmed, while a plan may still be made.

use super::needs::FlaggedPair;
use crate::event::{Event, Observer};
use crate::exec::Journal;
use crate::locks::lock;
use crate::mail::Uid;
use crate::plan::FolderTask;
use crate::state::{FolderId, PairRecord, State};
use crate::store::Error;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The state as far as lanes write to it.
pub(super) struct Recording<'a> {
    state: Option<&'a State>,
    observer: &'a dyn Observer,
    /// The pair's index and the folder of each task; `None`: it was not begun.
    tasks: Mutex<Vec<Option<(usize, FolderId)>>>,
    /// How many messages are recorded, by their pair's index.
    copied: Mutex<HashMap<usize, u32>>,
    has_failed: AtomicBool,
}

impl<'a> Recording<'a> {
    pub(super) fn new(state: Option<&'a State>, observer: &'a dyn Observer) -> Self {
        Self {
            state,
            observer,
            tasks: Mutex::default(),
            copied: Mutex::default(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Forgets the tasks of lanes that have ended.
    pub(super) fn clear_tasks(&self) {
        lock(&self.tasks).clear();
    }

    /// Notes what the next tasks belong to.
    pub(super) fn add_tasks(&self, tasks: impl Iterator<Item = Option<(usize, FolderId)>>) {
        lock(&self.tasks).extend(tasks);
    }

    /// Records these pairs of a folder. Returns whether they are recorded.
    pub(super) fn pair(&self, folder: FolderId, pairs: &[FlaggedPair]) -> bool {
        let record = |(source, target, flags): &FlaggedPair| PairRecord {
            source: *source,
            target: *target,
            flags: flags.clone(),
        };
        let records: Vec<PairRecord> = pairs.iter().map(record).collect();
        self.state
            .and_then(|state| self.heed(state.add_pairs(folder, &records)))
            .is_some()
    }

    /// Counts recorded messages of a pair.
    pub(super) fn count(&self, pair: usize, more: usize) {
        let mut copied = lock(&self.copied);
        *copied.entry(pair).or_default() += u32::try_from(more).unwrap_or(u32::MAX);
    }

    /// Returns how many messages of a pair are recorded.
    pub(super) fn counted(&self, pair: usize) -> u32 {
        lock(&self.copied).get(&pair).copied().unwrap_or(0)
    }

    /// Reports a failure of the state, which costs the next run time, once.
    pub(super) fn heed<T>(&self, result: Result<T, Error>) -> Option<T> {
        result
            .inspect_err(|error| {
                if !self.has_failed.swap(true, Ordering::Relaxed) {
                    let hint = error
                        .hint
                        .as_deref()
                        .map(|hint| format!("; {hint}"))
                        .unwrap_or_default();
                    let text = format!("the next run will take longer: {error}{hint}");
                    self.observer.observe(&Event::Warning { text: &text });
                }
            })
            .ok()
    }
}

impl Journal for Recording<'_> {
    fn copied(&self, task: usize, folder: &FolderTask, pairs: &[(Uid, Uid)]) {
        let Some((pair, id)) = lock(&self.tasks).get(task).copied().flatten() else {
            return;
        };
        let with_flags = |(source, target): &(Uid, Uid)| {
            let flags = folder
                .position(*source)
                .map(|at| folder.flags.get(folder.messages[at].flags()));
            (*source, *target, flags.unwrap_or_default())
        };
        let pairs: Vec<FlaggedPair> = pairs.iter().map(with_flags).collect();
        if self.pair(id, &pairs) {
            self.count(pair, pairs.len());
        }
    }
}
