//! The folders of a copy on their way: one for each pair, by the pair's index.

use super::damage::Damaged;
use super::needs::{Needs, TargetState};
use crate::engine::relocate::Arrived;
use crate::mail::{MailboxName, UidSet};
use std::collections::HashMap;
use std::ops::{Index, IndexMut};

/// One pair of folders.
#[derive(Default)]
pub(super) struct FolderWork {
    /// What it needs; `None` where it could not be compared, or nothing is done with it.
    pub(super) needs: Option<Needs>,
    /// A message or the folder failed.
    pub(super) has_failed: bool,
    /// It is left alone, as a saved plan does not hold for it.
    pub(super) is_refused: bool,
    /// Messages that the target took from other folders of its own, by their UIDs on the source.
    pub(super) relocated: UidSet,
    /// The same messages, as they arrived in the target's folder.
    pub(super) arrived: Arrived,
    /// Messages of which the target's copy is damaged.
    pub(super) damaged: Vec<Damaged>,
    /// Damaged copies that an earlier run has replaced and not deleted.
    pub(super) ended_repairs: UidSet,
}

/// All of them.
#[derive(Default)]
pub(super) struct Works(Vec<FolderWork>);

impl Works {
    pub(super) fn new(pairs: usize) -> Self {
        Self((0..pairs).map(|_| FolderWork::default()).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &FolderWork> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut FolderWork> {
        self.0.iter_mut()
    }

    /// Gives what a pair needs, if it was compared.
    pub(super) fn needs(&self, pair: usize) -> Option<&Needs> {
        self.0.get(pair)?.needs.as_ref()
    }

    /// The same, to be changed.
    pub(super) fn needs_mut(&mut self, pair: usize) -> Option<&mut Needs> {
        self.0.get_mut(pair)?.needs.as_mut()
    }

    /// Gives a pair's folder on the target, if it is there.
    pub(super) fn target(&self, pair: usize) -> Option<&TargetState> {
        self.needs(pair)?.target.as_ref()
    }

    /// Gives the pairs that were compared, with what they need.
    pub(super) fn compared(&self) -> impl Iterator<Item = (usize, &Needs)> {
        self.0
            .iter()
            .enumerate()
            .filter_map(|(pair, work)| Some((pair, work.needs.as_ref()?)))
    }

    /// The same without their numbers.
    pub(super) fn all_needs(&self) -> impl Iterator<Item = &Needs> {
        self.compared().map(|(_, needs)| needs)
    }

    /// Whether lanes were given messages while the plan was made.
    pub(super) fn are_on_their_way(&self) -> bool {
        self.all_needs().any(|needs| needs.sending.is_some())
    }

    /// Gives what the target moved or copied into its folders by itself. Several pairs may have the
    /// same one.
    pub(super) fn arrived(&self) -> HashMap<&MailboxName, Arrived> {
        let mut all: HashMap<&MailboxName, Arrived> = HashMap::new();
        for work in self.0.iter().filter(|work| !work.arrived.uids.is_empty()) {
            if let Some(target) = work.needs.as_ref().and_then(|needs| needs.target.as_ref()) {
                all.entry(&target.name).or_default().add(&work.arrived);
            }
        }
        all
    }

    /// Takes the messages that the target took from other folders of its own off all pairs; with
    /// their pairs.
    pub(super) fn take_relocated(&mut self) -> impl Iterator<Item = (usize, UidSet)> {
        self.0
            .iter_mut()
            .map(|work| std::mem::take(&mut work.relocated))
            .enumerate()
    }
}

impl Index<usize> for Works {
    type Output = FolderWork;

    fn index(&self, pair: usize) -> &FolderWork {
        &self.0[pair]
    }
}

impl IndexMut<usize> for Works {
    fn index_mut(&mut self, pair: usize) -> &mut FolderWork {
        &mut self.0[pair]
    }
}
