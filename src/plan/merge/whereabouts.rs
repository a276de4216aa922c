//! Finds each of a side's known folders again: names change, and so do the folders behind a name.
//!
//! A folder is the same if its MAILBOXID is (RFC 8474); otherwise by name (below a renamed parent:
//! the rest of its name), if its UIDVALIDITY is unchanged; otherwise by UIDVALIDITY, UIDNEXT and
//! UIDs together, if exactly one known and one listed folder have them. UIDVALIDITY alone isn't an
//! identity: servers assign the same one to folders created within a second.

use super::folders::{FolderIdentity, KnownFolder, SeenFolder};
use crate::folders::FolderName;
use crate::mail::{Side, UidNext, UidValidity};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Where a known folder is now, as an index into a side's listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// It is this one.
    At(usize),
    /// Another folder has its name: it was recreated, or its UIDs were reassigned.
    Replaced(usize),
    /// It doesn't exist.
    Gone,
}

impl Whereabouts {
    /// Returns the folder that is it, or has its name.
    pub(super) fn folder(self) -> Option<usize> {
        match self {
            Self::At(index) | Self::Replaced(index) => Some(index),
            Self::Gone => None,
        }
    }
}

/// Locates each known folder on `side`. No folder is two known ones. `seen` contains only mail
/// folders.
pub(super) fn locate(known: &[KnownFolder], seen: &[SeenFolder], side: Side) -> Vec<Whereabouts> {
    let mut by_name = HashMap::new();
    for (folder, known) in known.iter().enumerate() {
        by_name.entry(&known.name).or_insert(folder);
    }
    let found = vec![Whereabouts::Gone; known.len()];
    let mut search = Search {
        known,
        by_name,
        seen,
        side,
        found,
        taken: HashSet::new(),
    };
    search.by_name(|search, folder, here| search.is_inbox(folder) || search.is_held(folder, here));
    search.by_identity(|identity| identity.mailbox_id.clone());
    search.by_name(|search, folder, here| {
        !search.contradicts(folder, here) && search.same_generation(folder, here)
    });
    search.by_identity(FolderIdentity::fingerprint);
    search.by_name(|search, folder, here| {
        !search.contradicts(folder, here) && search.same_generation(folder, here)
    });
    search.replaced();
    search.found
}

struct Search<'a> {
    known: &'a [KnownFolder],
    /// The known folders by their names.
    by_name: HashMap<&'a FolderName, usize>,
    seen: &'a [SeenFolder],
    side: Side,
    found: Vec<Whereabouts>,
    taken: HashSet<usize>,
}

impl Search<'_> {
    fn is_inbox(&self, folder: usize) -> bool {
        self.known
            .get(folder)
            .is_some_and(|known| known.name.is_inbox())
    }

    fn ids(&self, folder: usize, here: usize) -> Option<(&FolderIdentity, &FolderIdentity)> {
        Some((
            &self.known.get(folder)?.identities[self.side],
            &self.seen.get(here)?.identity,
        ))
    }

    /// Reports whether the folder has kept its MAILBOXID.
    fn is_held(&self, folder: usize, here: usize) -> bool {
        self.ids(folder, here).is_some_and(|(then, now)| {
            then.mailbox_id.is_some() && then.mailbox_id == now.mailbox_id
        })
    }

    fn contradicts(&self, folder: usize, here: usize) -> bool {
        self.ids(folder, here).is_some_and(|(then, now)| {
            then.mailbox_id.is_some()
                && now.mailbox_id.is_some()
                && then.mailbox_id != now.mailbox_id
        })
    }

    fn same_generation(&self, folder: usize, here: usize) -> bool {
        self.ids(folder, here).is_some_and(|(then, now)| {
            then.mark.uid_validity.is_some() && then.mark.uid_validity == now.mark.uid_validity
        })
    }

    /// Returns the folders not yet found, each with the untaken folder that has its name. A folder
    /// below a renamed one has its expected name.
    fn namesakes(&self) -> Vec<(usize, usize)> {
        let open = |(index, seen): (usize, &SeenFolder)| {
            (!self.taken.contains(&index)).then(|| (seen.name.key(), index))
        };
        let names: HashMap<String, usize> = self.seen.iter().enumerate().filter_map(open).collect();
        let missing = self
            .known
            .iter()
            .zip(&self.found)
            .enumerate()
            .filter(|(_, (_, found))| **found == Whereabouts::Gone);
        missing
            .filter_map(|(folder, _)| {
                Some((folder, *names.get(&self.expected_name(folder)?.key())?))
            })
            .collect()
    }

    /// Returns the name that a folder has if nobody has renamed it: that in the base, below its
    /// parent's current name.
    fn expected_name(&self, folder: usize) -> Option<FolderName> {
        let name = &self.known.get(folder)?.name;
        let moved = name.ancestors().find_map(|ancestor| {
            let Whereabouts::At(here) = *self.found.get(*self.by_name.get(&ancestor)?)? else {
                return None;
            };
            Some(self.seen.get(here)?.name.join(name.below(&ancestor)?))
        });
        Some(moved.unwrap_or_else(|| name.clone()))
    }

    fn by_name(&mut self, is_same: impl Fn(&Self, usize, usize) -> bool) {
        for (folder, here) in self.namesakes() {
            if is_same(self, folder, here) {
                self.settle(folder, Whereabouts::At(here));
            }
        }
    }

    /// Matches folders by a key that exactly one known and one seen folder have.
    fn by_identity<K: Hash + Eq>(&mut self, mark: impl Fn(&FolderIdentity) -> Option<K>) {
        let open = |(folder, known): (usize, &KnownFolder)| {
            let is_open =
                self.found.get(folder) == Some(&Whereabouts::Gone) && !known.name.is_inbox();
            Some((
                mark(&known.identities[self.side]).filter(|_| is_open)?,
                folder,
            ))
        };
        let then = unique(self.known.iter().enumerate().filter_map(open));
        let free = |(here, seen): (usize, &SeenFolder)| {
            Some((
                mark(&seen.identity)
                    .filter(|_| !self.taken.contains(&here) && !seen.name.is_inbox())?,
                here,
            ))
        };
        let now = unique(self.seen.iter().enumerate().filter_map(free));
        for (mark, folder) in then {
            if let (Some(folder), Some(Some(here))) = (folder, now.get(&mark)) {
                self.settle(folder, Whereabouts::At(*here));
            }
        }
    }

    fn replaced(&mut self) {
        for (folder, here) in self.namesakes() {
            self.settle(folder, Whereabouts::Replaced(here));
        }
    }

    fn settle(&mut self, folder: usize, place: Whereabouts) {
        if let Some(found) = self.found.get_mut(folder) {
            *found = place;
            self.taken.extend(place.folder());
        }
    }
}

/// Maps each key to its value, or to none if it occurs twice.
fn unique<K: Hash + Eq>(entries: impl Iterator<Item = (K, usize)>) -> HashMap<K, Option<usize>> {
    let mut found = HashMap::new();
    for (key, value) in entries {
        found
            .entry(key)
            .and_modify(|known| *known = None)
            .or_insert(Some(value));
    }
    found
}

/// UIDVALIDITY, UIDNEXT and the ranges of UIDs.
type Fingerprint = (UidValidity, UidNext, Vec<(u32, u32)>);

impl FolderIdentity {
    /// Returns what together distinguishes a folder without MAILBOXID from all others.
    fn fingerprint(&self) -> Option<Fingerprint> {
        Some((
            self.mark.uid_validity?,
            self.mark.uid_next?,
            self.uids.as_ref()?.ranges().collect(),
        ))
    }
}
