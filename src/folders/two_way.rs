//! Folder names for two-way sync: translates each side's names into the other's.
//!
//! Invariants: translating a name to one side and back returns the same name, so no folder is
//! mistaken for another; new folders only get names that can be read back.

use super::gmail;
use super::name::FolderName;
use super::pairing::{LeavesOut, TargetFolder};
use super::roles;
use super::roster::{Folder, Roster};
use super::rules::Rules;
use super::target::TargetSide;
use crate::mail::{Both, Listing, SpecialUse};
use std::collections::HashSet;

/// Names that differ on the two sides, each with its subfolders: a folder's name on the first and
/// on the second.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Vec<(FolderName, FolderName)>);

impl Exchange {
    /// Collects what `--map`, the folders' roles and the lack of a `[Gmail]` exchange. A role gives
    /// way if another folder has one of its names.
    pub fn new(listings: &Both<Listing>, rosters: &Both<Roster>, rules: &Rules) -> Self {
        let Both { first, second } = rosters;
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
        let (one, other) = ((&listings.first, first), (&listings.second, second));
        for (name, there) in gmail::exchanged(one, other) {
            exchange.add(&name, &there);
        }
        for (name, there) in gmail::exchanged(other, one) {
            exchange.add(&there, &name);
        }
        exchange.add_flattened(first, second);
        exchange
    }

    /// Adds the folders that one side has in levels and the other under a flattened name, as a
    /// mailbox there can have no subfolders. A folder with the same name on both sides is left
    /// alone.
    fn add_flattened(&mut self, first: &Roster, second: &Roster) {
        let keys = |roster: &Roster| -> HashSet<String> {
            roster
                .folders
                .iter()
                .filter(|folder| !folder.foreign)
                .map(|folder| folder.name.key())
                .collect()
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
                found.extend(
                    flattened(&wanted, &on_first, &on_second)
                        .map(|there| (folder.name.clone(), there)),
                );
            }
        }
        for folder in second.folders.iter().filter(|folder| !folder.foreign) {
            let wanted = self.to_first(&folder.name);
            if !on_first.contains(&wanted.key()) {
                found.extend(
                    flattened(&wanted, &on_second, &on_first)
                        .map(|here| (here, folder.name.clone())),
                );
            }
        }
        for (first, second) in found {
            self.add(&first, &second);
        }
    }

    fn add(&mut self, first: &FolderName, second: &FolderName) {
        let is_free =
            |(a, b): &(FolderName, FolderName)| a.key() != first.key() && b.key() != second.key();
        if self.0.iter().all(is_free) {
            self.0.push((first.clone(), second.clone()));
        }
    }

    /// Translates a name on the first into the second's.
    pub fn to_second(&self, name: &FolderName) -> FolderName {
        let pairs = self.0.iter().map(|(first, second)| (first, second));
        translated(name, pairs)
    }

    /// Translates a name on the second into the first's.
    pub fn to_first(&self, name: &FolderName) -> FolderName {
        let pairs = self.0.iter().map(|(first, second)| (second, first));
        translated(name, pairs)
    }
}

/// Translates a name by its longest matching ancestor.
fn translated<'a>(
    name: &FolderName,
    pairs: impl Iterator<Item = (&'a FolderName, &'a FolderName)>,
) -> FolderName {
    let below =
        pairs.filter_map(|(from, to)| Some((from.levels().len(), to.join(name.below(from)?))));
    below
        .max_by_key(|(depth, _)| *depth)
        .map_or_else(|| name.clone(), |(_, name)| name)
}

fn with_role(roster: &Roster, role: SpecialUse) -> Option<&FolderName> {
    roster
        .folders
        .iter()
        .find(|folder| folder.role == Some(role))
        .map(|folder| &folder.name)
}

fn has(roster: &Roster, name: &FolderName) -> bool {
    roster
        .folders
        .iter()
        .any(|folder| !folder.foreign && folder.name.key() == name.key())
}

impl Rules {
    /// Returns which of `--folder` and `--exclude` keeps a folder out; `None` if neither does.
    pub fn keeps_out(&self, name: &FolderName) -> Option<LeavesOut> {
        self.refuses(&name.key())
    }

    /// Reports whether this is Gmail's folder of chats, which takes part only if its exact name is
    /// given: chats aren't mail, and no server accepts them.
    pub fn leaves_chats(&self, listing: &Listing, folder: &Folder) -> bool {
        let is_chats = match gmail::own_name(&folder.name).unwrap_or_default() {
            [name] => name == "Chats",
            _ => false,
        };
        let key = folder.name.key();
        listing.are_labels && is_chats && !self.include.iter().any(|pattern| pattern.names(&key))
    }

    /// Reports whether a folder in this roster takes part, considering its owner: other users'
    /// folders do only if they are named.
    pub fn takes_foreign(&self, folder: &Folder) -> bool {
        let key = folder.name.key();
        !folder.foreign
            || self
                .include
                .iter()
                .any(|pattern| pattern.matches_on_purpose(&key))
    }
}

/// Where a folder with some name is, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub folder: TargetFolder,
    /// Why its name there is flattened, if it is.
    pub note: Option<String>,
}

/// Finds the folder with this name in a listing, or returns how to write a new one.
///
/// # Errors
/// Why there can't be one with this name.
pub fn place(listing: &Listing, name: &FolderName) -> Result<TargetFolder, String> {
    let roster = Roster::read(listing);
    place_on(&TargetSide::new(listing, &roster), name).map(|place| place.folder)
}

/// Decides where many new folders go, as [`place`] does for one.
pub fn place_all(listing: &Listing, names: &[FolderName]) -> Vec<Result<Place, String>> {
    let roster = Roster::read(listing);
    let side = TargetSide::new(listing, &roster);
    names.iter().map(|name| place_on(&side, name)).collect()
}

fn place_on(side: &TargetSide<'_>, name: &FolderName) -> Result<Place, String> {
    let resolved = side.resolve(name, false)?;
    let why = if side.has_levels() {
        "a parent folder can't have subfolders"
    } else {
        "it has no folder hierarchy"
    };
    let note = (resolved.to.key() != name.key()).then(|| why.to_owned());
    Ok(Place {
        folder: resolved.target,
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::{any_name, name};
    use super::super::testing::listing;
    use super::*;
    use crate::folders::Options;
    use proptest::prelude::*;

    fn exchange(maps: &[&str]) -> Exchange {
        let options = Options {
            map: maps.iter().map(|&map| map.to_owned()).collect(),
            ..Options::default()
        };
        exchange_of([&[], &[]], &Rules::new(&options).unwrap())
    }

    fn exchange_of([first, second]: [&[&str]; 2], rules: &Rules) -> Exchange {
        let listings = Both::new(listing("", '/', first), listing("", '/', second));
        let rosters = listings.as_ref().map(Roster::read);
        Exchange::new(&listings, &rosters, rules)
    }

    #[test]
    fn names_are_exchanged_with_all_below_them() {
        let exchange = exchange(&["Old=Archive/Old", "Old/Work=Work"]);
        for (first, second) in [
            ("Old", "Archive/Old"),
            ("Old/x", "Archive/Old/x"),
            ("Old/Work/y", "Work/y"),
            ("z", "z"),
        ] {
            let (first, second) = (
                FolderName::parse(first).unwrap(),
                FolderName::parse(second).unwrap(),
            );
            assert_eq!(
                (exchange.to_second(&first), exchange.to_first(&second)),
                (second, first)
            );
        }
    }

    #[test]
    fn a_folder_that_one_side_has_beside_its_parent_is_the_same() {
        let levels: &[&str] = &["A", "A/x", "B/y", "B=2Fy"];
        let beside: &[&str] = &["A", "A=2Fx", "B=2Fy"];
        let rules = Rules::new(&Options::default()).unwrap();
        let (to_files, from_files) = (
            exchange_of([levels, beside], &rules),
            exchange_of([beside, levels], &rules),
        );
        for (here, there) in [
            (["A", "x"], name(&["A/x"])),
            (["B", "y"], name(&["B", "y"])),
        ] {
            assert_eq!(to_files.to_second(&name(&here)), there);
            assert_eq!(to_files.to_first(&there), name(&here));
            assert_eq!(from_files.to_first(&name(&here)), there);
        }
        assert_eq!(
            to_files.to_second(&name(&["B/y"])),
            name(&["B/y"]),
            "both have it"
        );
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
