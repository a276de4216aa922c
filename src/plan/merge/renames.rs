//! Renaming folders one after the other (RENAME, RFC 3501 section 6.3.5): each takes all folders below it along, and none
//! may take a name that is in use.

use super::Row;
use crate::folders::FolderName;
use std::collections::HashSet;

/// More renames for each wish than any honest order takes: names nest a few levels deep.
const ROUNDS: usize = 8;

/// A folder gets another name, and all below it with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Its name at that moment: renames are carried out in their order.
    pub from: FolderName,
    /// Its name from then on.
    pub to: FolderName,
    /// Why.
    pub row: Row,
}

/// A folder that is to have another name.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// Which folder of the side.
    pub(super) folder: usize,
    pub(super) to: FolderName,
    pub(super) row: Row,
}

/// The folders of one side while they are renamed.
#[derive(Debug)]
pub(super) struct Names {
    /// The name of each folder now.
    pub(super) current: Vec<FolderName>,
    /// What was done so far.
    pub(super) renames: Vec<Rename>,
}

impl Names {
    pub(super) fn new(names: impl IntoIterator<Item = FolderName>) -> Self {
        Self { current: names.into_iter().collect(), renames: Vec::new() }
    }

    /// Fulfils what wishes can be fulfilled, outermost names first. Returns the folders that keep another name than they
    /// should have, because a folder that stays has that name.
    ///
    /// A folder that is to keep its name has a wish too: a rename takes it along, and it has to come back then.
    pub(super) fn fulfil(&mut self, mut wishes: Vec<Wish>) -> Vec<usize> {
        wishes.sort_by(|a, b| (a.to.levels().len(), &a.to).cmp(&(b.to.levels().len(), &b.to)));
        let mut moved_aside = HashSet::new();
        // Each folder goes aside once, and to its place once and again for each outer one that takes it along.
        let most = self.renames.len() + wishes.len() * ROUNDS;
        loop {
            let open: Vec<_> = wishes.iter().filter(|wish| !self.is_fulfilled(wish)).cloned().collect();
            let next = open.iter().find(|wish| self.can_be(wish.folder, &wish.to));
            if self.renames.len() >= most {
                return open.iter().map(|wish| wish.folder).collect();
            } else if let Some(wish) = next {
                self.rename(wish.folder, wish.to.clone(), wish.row);
            } else if let Some((folder, row)) = self.in_the_way(&open, &moved_aside) {
                moved_aside.insert(folder);
                let aside = self.aside(folder);
                self.rename(folder, aside, row);
            } else {
                return open.iter().map(|wish| wish.folder).collect();
            }
        }
    }

    fn is_fulfilled(&self, wish: &Wish) -> bool {
        self.current.get(wish.folder).is_none_or(|name| name.key() == wish.to.key())
    }

    fn is_free(&self, name: &FolderName) -> bool {
        self.current.iter().all(|current| current.key() != name.key())
    }

    /// Whether a folder can get a name now: it is free, and not below the folder itself.
    fn can_be(&self, folder: usize, name: &FolderName) -> bool {
        self.is_free(name) && !self.is_below_itself(folder, name)
    }

    fn is_below_itself(&self, folder: usize, name: &FolderName) -> bool {
        self.current.get(folder).is_some_and(|current| name.below(current).is_some())
    }

    /// A folder that is to be renamed itself and stands in the way: it has the name that another one is to get (names that
    /// are exchanged), or is to come below its own name.
    fn in_the_way(&self, wishes: &[Wish], moved_aside: &HashSet<usize>) -> Option<(usize, Row)> {
        let is_wanted = |name: &FolderName| wishes.iter().any(|wish| wish.to.key() == name.key());
        let mut candidates = wishes.iter().filter(|wish| !moved_aside.contains(&wish.folder));
        let found = candidates.find(|wish| {
            let has_wanted = self.current.get(wish.folder).is_some_and(is_wanted);
            has_wanted || self.is_below_itself(wish.folder, &wish.to)
        })?;
        Some((found.folder, found.row))
    }

    /// A free name beside a folder's own.
    fn aside(&self, folder: usize) -> FolderName {
        let mut name = self.current.get(folder).cloned().unwrap_or_else(FolderName::inbox);
        while !self.is_free(&name) {
            let mut levels = name.levels().to_vec();
            if let Some(last) = levels.last_mut() {
                last.push('~');
            }
            name = FolderName::new(levels).unwrap_or(name);
        }
        name
    }

    fn rename(&mut self, folder: usize, to: FolderName, row: Row) {
        let Some(from) = self.current.get(folder).cloned() else { return };
        for name in &mut self.current {
            if let Some(below) = name.below(&from) {
                *name = to.join(below);
            }
        }
        self.renames.push(Rename { from, to, row });
    }
}
