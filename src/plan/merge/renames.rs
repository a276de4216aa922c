//! Renaming folders one after the other (RENAME, RFC 3501 section 6.3.5): each rename includes all
//! subfolders, and the new name must be free.

use super::Row;
use crate::folders::FolderName;
use std::collections::HashSet;

/// More renames per wish than any realistic order takes: names nest a few levels deep.
const ROUNDS: usize = 8;

/// A rename of a folder and its subfolders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Its name at that moment: renames are carried out in order.
    pub from: FolderName,
    /// Its name from then on.
    pub to: FolderName,
    /// Why.
    pub row: Row,
}

/// A folder that should get another name.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The folder's index on its side.
    pub(super) folder: usize,
    pub(super) to: FolderName,
    pub(super) row: Row,
}

/// The folders on one side while they are being renamed.
#[derive(Debug)]
pub(super) struct Names {
    /// The current name of each folder.
    pub(super) current: Vec<FolderName>,
    /// The renames so far.
    pub(super) renames: Vec<Rename>,
}

impl Names {
    pub(super) fn new(names: impl IntoIterator<Item = FolderName>) -> Self {
        Self {
            current: names.into_iter().collect(),
            renames: Vec::new(),
        }
    }

    /// Fulfils as many wishes as possible, outermost names first. Returns the folders that don't
    /// get their wish, because a folder that stays has that name.
    ///
    /// A folder that should keep its name has a wish too: if its parent is renamed, it has to be
    /// renamed back.
    pub(super) fn fulfil(&mut self, mut wishes: Vec<Wish>) -> Vec<usize> {
        wishes.sort_by(|a, b| (a.to.levels().len(), &a.to).cmp(&(b.to.levels().len(), &b.to)));
        let mut moved_aside = HashSet::new();
        // Each folder goes aside once, and to its place once plus once for each ancestor that is
        // renamed.
        let most = self.renames.len() + wishes.len() * ROUNDS;
        loop {
            let open: Vec<_> = wishes
                .iter()
                .filter(|wish| !self.is_fulfilled(wish))
                .cloned()
                .collect();
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
        self.current
            .get(wish.folder)
            .is_none_or(|name| name.key() == wish.to.key())
    }

    fn is_free(&self, name: &FolderName) -> bool {
        self.current
            .iter()
            .all(|current| current.key() != name.key())
    }

    /// Reports whether a folder can get a name now: it is free, and not below the folder itself.
    fn can_be(&self, folder: usize, name: &FolderName) -> bool {
        self.is_free(name) && !self.is_below_itself(folder, name)
    }

    fn is_below_itself(&self, folder: usize, name: &FolderName) -> bool {
        self.current
            .get(folder)
            .is_some_and(|current| name.below(current).is_some())
    }

    /// Finds a folder that is waiting to be renamed and is in the way: it has the name that another
    /// one should get (an exchange of names), or should go below its own name.
    fn in_the_way(&self, wishes: &[Wish], moved_aside: &HashSet<usize>) -> Option<(usize, Row)> {
        let is_wanted = |name: &FolderName| wishes.iter().any(|wish| wish.to.key() == name.key());
        let mut candidates = wishes
            .iter()
            .filter(|wish| !moved_aside.contains(&wish.folder));
        let found = candidates.find(|wish| {
            let has_wanted = self.current.get(wish.folder).is_some_and(is_wanted);
            has_wanted || self.is_below_itself(wish.folder, &wish.to)
        })?;
        Some((found.folder, found.row))
    }

    /// Returns a free name beside a folder's own.
    fn aside(&self, folder: usize) -> FolderName {
        let mut name = self
            .current
            .get(folder)
            .cloned()
            .unwrap_or_else(FolderName::inbox);
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
        let Some(from) = self.current.get(folder).cloned() else {
            return;
        };
        for name in &mut self.current {
            if let Some(below) = name.below(&from) {
                *name = to.join(below);
            }
        }
        self.renames.push(Rename { from, to, row });
    }
}
