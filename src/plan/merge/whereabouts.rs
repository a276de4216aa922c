//! Which folder of a side now is which of those it had: names change, and so do folders under one name.
//!
//! A folder is the same by its MAILBOXID (RFC 8474); else by its name (below a renamed parent: the rest of its name), if its
//! UIDVALIDITY held; else by UIDVALIDITY,
//! UIDNEXT and UIDs together, if one folder alone was so and one alone is. UIDVALIDITY alone is no identity: servers give
//! the same to folders made in one second.

use super::folders::{FolderIdentity, KnownFolder, SeenFolder};
use crate::folders::FolderName;
use crate::mail::Side;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Where a known folder is now, as an index into what is seen of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// It is this one.
    At(usize),
    /// Another folder has taken its name: it was made anew, or its UIDs were.
    Replaced(usize),
    /// It is not there.
    Gone,
}

impl Whereabouts {
    /// The folder that is it, or bears its name.
    pub(super) fn folder(self) -> Option<usize> {
        match self {
            Self::At(index) | Self::Replaced(index) => Some(index),
            Self::Gone => None,
        }
    }
}

/// Where each known folder is on `side`. No folder is two known ones. `seen` holds folders of mail only.
pub(super) fn locate(known: &[KnownFolder], seen: &[SeenFolder], side: Side) -> Vec<Whereabouts> {
    let mut by_name = HashMap::new();
    for (folder, known) in known.iter().enumerate() {
        by_name.entry(&known.name).or_insert(folder);
    }
    let found = vec![Whereabouts::Gone; known.len()];
    let mut search = Search { known, by_name, seen, side, found, taken: HashSet::new() };
    search.by_name(|search, folder, here| search.is_inbox(folder) || search.is_held(folder, here));
    search.by_identity(|identity| identity.mailbox_id.clone());
    search.by_name(|search, folder, here| !search.contradicts(folder, here) && search.same_generation(folder, here));
    search.by_identity(FolderIdentity::fingerprint);
    search.by_name(|search, folder, here| !search.contradicts(folder, here) && search.same_generation(folder, here));
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
        self.known.get(folder).is_some_and(|known| known.name.is_inbox())
    }

    fn ids(&self, folder: usize, here: usize) -> Option<(&FolderIdentity, &FolderIdentity)> {
        Some((&self.known.get(folder)?.identities[self.side], &self.seen.get(here)?.identity))
    }

    /// The same name, UIDVALIDITY and MAILBOXID.
    fn is_held(&self, folder: usize, here: usize) -> bool {
        self.ids(folder, here).is_some_and(|(then, now)| then.mailbox_id.is_some() && then.mailbox_id == now.mailbox_id)
    }

    fn contradicts(&self, folder: usize, here: usize) -> bool {
        self.ids(folder, here).is_some_and(|(then, now)| {
            then.mailbox_id.is_some() && now.mailbox_id.is_some() && then.mailbox_id != now.mailbox_id
        })
    }

    fn same_generation(&self, folder: usize, here: usize) -> bool {
        self.ids(folder, here).is_some_and(|(then, now)| {
            then.mark.uid_validity.is_some() && then.mark.uid_validity == now.mark.uid_validity
        })
    }

    /// Those that are not found yet, with the folder of their name that is not taken yet. A folder below one that was renamed
    /// has its name too.
    fn namesakes(&self) -> Vec<(usize, usize)> {
        let open =
            |(index, seen): (usize, &SeenFolder)| (!self.taken.contains(&index)).then(|| (seen.name.key(), index));
        let names: HashMap<String, usize> = self.seen.iter().enumerate().filter_map(open).collect();
        let missing =
            self.known.iter().zip(&self.found).enumerate().filter(|(_, (_, found))| **found == Whereabouts::Gone);
        missing.filter_map(|(folder, _)| Some((folder, *names.get(&self.expected_name(folder)?.key())?))).collect()
    }

    /// The name that a folder has if nobody has renamed it: that of the base, below what its parent is called now.
    fn expected_name(&self, folder: usize) -> Option<FolderName> {
        let name = &self.known.get(folder)?.name;
        let moved = name.ancestors().find_map(|ancestor| {
            let Whereabouts::At(here) = *self.found.get(*self.by_name.get(&ancestor)?)? else { return None };
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

    /// Those that one known and one seen folder alone have in common.
    fn by_identity<K: Hash + Eq>(&mut self, mark: impl Fn(&FolderIdentity) -> Option<K>) {
        let open = |(folder, known): (usize, &KnownFolder)| {
            let is_open = self.found.get(folder) == Some(&Whereabouts::Gone) && !known.name.is_inbox();
            Some((mark(&known.identities[self.side]).filter(|_| is_open)?, folder))
        };
        let then = unique(self.known.iter().enumerate().filter_map(open));
        let free = |(here, seen): (usize, &SeenFolder)| {
            Some((mark(&seen.identity).filter(|_| !self.taken.contains(&here) && !seen.name.is_inbox())?, here))
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

/// Each key with its value, or with none if it came twice.
fn unique<K: Hash + Eq>(entries: impl Iterator<Item = (K, usize)>) -> HashMap<K, Option<usize>> {
    let mut found = HashMap::new();
    for (key, value) in entries {
        found.entry(key).and_modify(|known| *known = None).or_insert(Some(value));
    }
    found
}

/// UIDVALIDITY, UIDNEXT and the ranges of UIDs.
type Fingerprint = (u32, u32, Vec<(u32, u32)>);

impl FolderIdentity {
    /// What together tells a folder without MAILBOXID from all others.
    fn fingerprint(&self) -> Option<Fingerprint> {
        Some((self.mark.uid_validity?.0, self.mark.uid_next?, self.uids.as_ref()?.ranges().collect()))
    }
}
