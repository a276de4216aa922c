//! The names of folders that both sides have, for two-way sync: what a folder of the second is called on the first, and
//! the other way round.
//!
//! What it keeps true: translating a name to one side and back gives the same name, so no folder is taken for another one;
//! and only names that can be read back are given to new folders.

use super::name::FolderName;
use super::pairing::{LeavesOut, TargetFolder};
use super::roles;
use super::roster::{Folder, Roster};
use super::rules::Rules;
use super::target::TargetSide;
use crate::mail::{Listing, SpecialUse};
use std::collections::HashSet;

/// Names that differ on the two sides: a folder's on the first and on the second, and all below them.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Vec<(FolderName, FolderName)>);

impl Exchange {
    /// What `--map` and the folders' roles exchange. A role gives way where another folder has one of its names.
    pub fn new(first: &Roster, second: &Roster, rules: &Rules) -> Self {
        let mut exchange = Self(Vec::new());
        for (from, to) in rules.map.entries() {
            exchange.add(from, to);
        }
        for role in roles::PAIRED.into_iter().filter(|_| rules.pair_roles) {
            if let (Some(from), Some(to)) = (with_role(first, role), with_role(second, role))
                && from.key() != to.key()
                && !has(first, to)
                && !has(second, from)
            {
                exchange.add(from, to);
            }
        }
        exchange.add_flattened(first, second);
        exchange
    }

    /// Adds the folders that one side has in levels and the other one under a name of fewer levels, as a mailbox there can have no
    /// folders below it. A folder that both sides have under one name stays what it is.
    fn add_flattened(&mut self, first: &Roster, second: &Roster) {
        let keys = |roster: &Roster| -> HashSet<String> {
            roster.folders.iter().filter(|folder| !folder.foreign).map(|folder| folder.name.key()).collect()
        };
        let (on_first, on_second) = (keys(first), keys(second));
        let flattened = |name: &FolderName, here: &HashSet<String>, there: &HashSet<String>| {
            let mut names = (0..name.levels().len() - 1).map(|depth| name.flattened(depth));
            names.find(|name| there.contains(&name.key()) && !here.contains(&name.key()))
        };
        let mut found = Vec::new();
        for folder in first.folders.iter().filter(|folder| !folder.foreign) {
            let wanted = self.to_second(&folder.name);
            if !on_second.contains(&wanted.key()) {
                found.extend(flattened(&wanted, &on_first, &on_second).map(|there| (folder.name.clone(), there)));
            }
        }
        for folder in second.folders.iter().filter(|folder| !folder.foreign) {
            let wanted = self.to_first(&folder.name);
            if !on_first.contains(&wanted.key()) {
                found.extend(flattened(&wanted, &on_second, &on_first).map(|here| (here, folder.name.clone())));
            }
        }
        for (first, second) in found {
            self.add(&first, &second);
        }
    }

    fn add(&mut self, first: &FolderName, second: &FolderName) {
        let is_free = |(a, b): &(FolderName, FolderName)| a.key() != first.key() && b.key() != second.key();
        if self.0.iter().all(is_free) {
            self.0.push((first.clone(), second.clone()));
        }
    }

    /// What a folder of the first is called on the second.
    pub fn to_second(&self, name: &FolderName) -> FolderName {
        let pairs = self.0.iter().map(|(first, second)| (first, second));
        translated(name, pairs)
    }

    /// What a folder of the second is called on the first.
    pub fn to_first(&self, name: &FolderName) -> FolderName {
        let pairs = self.0.iter().map(|(first, second)| (second, first));
        translated(name, pairs)
    }
}

/// The name by the longest of the names that it is below.
fn translated<'a>(name: &FolderName, pairs: impl Iterator<Item = (&'a FolderName, &'a FolderName)>) -> FolderName {
    let below = pairs.filter_map(|(from, to)| Some((from.levels().len(), to.join(name.below(from)?))));
    below.max_by_key(|(depth, _)| *depth).map_or_else(|| name.clone(), |(_, name)| name)
}

fn with_role(roster: &Roster, role: SpecialUse) -> Option<&FolderName> {
    roster.folders.iter().find(|folder| folder.role == Some(role)).map(|folder| &folder.name)
}

fn has(roster: &Roster, name: &FolderName) -> bool {
    roster.folders.iter().any(|folder| !folder.foreign && folder.name.key() == name.key())
}

impl Rules {
    /// Which of `--folder` and `--exclude` keeps a folder out; `None`: both let it take part.
    pub fn keeps_out(&self, name: &FolderName) -> Option<LeavesOut> {
        self.refuses(&name.key())
    }

    /// Whether this is Gmail's folder of chats, which takes part only by its whole name: chats are no mail, and no server takes
    /// them back.
    pub fn leaves_chats(&self, listing: &Listing, folder: &Folder) -> bool {
        let is_chats = match folder.name.levels() {
            [top, name] => ["[Gmail]", "[Google Mail]"].contains(&top.as_str()) && name == "Chats",
            _ => false,
        };
        let key = folder.name.key();
        listing.are_labels && is_chats && !self.include.iter().any(|pattern| pattern.names(&key))
    }

    /// Whether a folder of this roster takes part by what it is: others' folders do only when they are named.
    pub fn takes_foreign(&self, folder: &Folder) -> bool {
        let key = folder.name.key();
        !folder.foreign || self.include.iter().any(|pattern| pattern.matches_on_purpose(&key))
    }
}

/// Where a folder of some name is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub folder: TargetFolder,
    /// Why it has a name of fewer levels there, if it does.
    pub note: Option<String>,
}

/// The folder of a listing with this name, or how a new one is written there.
///
/// # Errors
/// Why there can be none of this name.
pub fn place(listing: &Listing, name: &FolderName) -> Result<TargetFolder, String> {
    let roster = Roster::read(listing);
    place_on(&TargetSide::new(listing, &roster), name).map(|place| place.folder)
}

/// The same for many names, of which none is there for the others yet.
pub fn place_all(listing: &Listing, names: &[FolderName]) -> Vec<Result<Place, String>> {
    let roster = Roster::read(listing);
    let side = TargetSide::new(listing, &roster);
    names.iter().map(|name| place_on(&side, name)).collect()
}

fn place_on(side: &TargetSide<'_>, name: &FolderName) -> Result<Place, String> {
    let resolved = side.resolve(name, false)?;
    let why = if side.has_levels() { "a parent folder can't have subfolders" } else { "it has no folder hierarchy" };
    let note = (resolved.to.key() != name.key()).then(|| why.to_owned());
    Ok(Place { folder: resolved.target, note })
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::{any_name, name};
    use super::super::testing::listing;
    use super::*;
    use crate::folders::Options;
    use proptest::prelude::*;

    fn exchange(maps: &[&str]) -> Exchange {
        let options = Options { map: maps.iter().map(|&map| map.to_owned()).collect(), ..Options::default() };
        Exchange::new(&Roster::default(), &Roster::default(), &Rules::new(&options).unwrap())
    }

    #[test]
    fn names_are_exchanged_with_all_below_them() {
        let exchange = exchange(&["Old=Archive/Old", "Old/Work=Work"]);
        for (first, second) in
            [("Old", "Archive/Old"), ("Old/x", "Archive/Old/x"), ("Old/Work/y", "Work/y"), ("z", "z")]
        {
            let (first, second) = (FolderName::parse(first).unwrap(), FolderName::parse(second).unwrap());
            assert_eq!((exchange.to_second(&first), exchange.to_first(&second)), (second, first));
        }
    }

    #[test]
    fn a_folder_that_one_side_has_beside_its_parent_is_the_same() {
        let levels = Roster::read(&listing("", '/', &["A", "A/x", "B/y", "B=2Fy"]));
        let beside = Roster::read(&listing("", '/', &["A", "A=2Fx", "B=2Fy"]));
        let rules = Rules::new(&Options::default()).unwrap();
        let (to_files, from_files) = (Exchange::new(&levels, &beside, &rules), Exchange::new(&beside, &levels, &rules));
        for (here, there) in [(["A", "x"], name(&["A/x"])), (["B", "y"], name(&["B", "y"]))] {
            assert_eq!(to_files.to_second(&name(&here)), there);
            assert_eq!(to_files.to_first(&there), name(&here));
            assert_eq!(from_files.to_first(&name(&here)), there);
        }
        assert_eq!(to_files.to_second(&name(&["B/y"])), name(&["B/y"]), "both have it");
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn without_rules_names_are_the_same(any in any_name()) {
            prop_assert_eq!(exchange(&[]).to_second(&any), any.clone());
            prop_assert_eq!(exchange(&[]).to_first(&name(&["a"])), name(&["a"]));
        }
    }
}
