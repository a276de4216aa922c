//! Merges the folders of an account: which are the same on both sides, and which are created,
//! renamed and deleted.
//!
//! | first | second | what is done | row |
//! |---|---|---|---|
//! | new | – | created on the second | – |
//! | new | new, the same name | merged | 20 |
//! | renamed | unchanged | renamed on the second | 11 |
//! | renamed to X | renamed to Y | one final name, the first's unless `--prefer second` | 12 |
//! | deleted | unchanged | its messages decide: deleted, or restored with what is new ([`fate`]) | 13, 14 |
//! | deleted | renamed | restored | 14 |
//! | deleted | recreated | created on the first, as a new one | – |
//! | missing, and another folder's UIDNEXT went back | unchanged | restored | 19 |
//! | deleted | INBOX, or has a role | restored | – |
//! | deleted | deleted | forgotten | 6 |
//! | recreated with other mail | unchanged | merged; nothing is deleted | 15 |
//! | missing, and not all folders could be listed | unchanged, or gone | left alone | – |
//! | all deleted at once | | the side has lost its folders: left alone | 17 |
//! | can't hold mail, or shows that of others | | ignored | 37 |
//!
//! A folder whose new name is in use isn't renamed: it counts as deleted and recreated, so its
//! messages are moved one by one. Both sides' names are as the first would write them, so equal
//! names mean one folder; the caller translates them (`--map`, prefixes, separators).

mod subscriptions;

use super::renames::{Names, Rename, Wish};
use super::whereabouts::{Whereabouts, locate};
use super::{Extent, FolderMerge, Move, Policy, Row, View};
use crate::folders::FolderName;
use crate::mail::{Both, Counters, Side, UidSet};
use crate::plan::DeletionLimit;
use std::collections::{HashMap, HashSet};

/// A side that had this many folders and lists none but INBOX has lost sight of them.
const ALL_GONE: usize = 3;

/// What identifies a folder under another name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderIdentity {
    /// MAILBOXID (RFC 8474), if the server has it.
    pub mailbox_id: Option<Box<str>>,
    /// Its counters.
    pub mark: Counters,
    /// All its UIDs; `None`: not known. Needed if the server has no MAILBOXID, for folders that are
    /// new to a side from which others are gone.
    pub uids: Option<UidSet>,
}

/// A folder in the base, on both sides.
#[derive(Clone, Debug)]
pub struct KnownFolder {
    /// Its name on both sides.
    pub name: FolderName,
    /// What identified it on each side.
    pub identities: Both<FolderIdentity>,
    /// Whether both sides agreed that the user is subscribed to it.
    pub subscribed: bool,
}

/// What kind of folder it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// It holds mail.
    Mail,
    /// It holds mail and has a role (Sent, Drafts, Trash, …).
    Role,
    /// It can't hold mail (`\Noselect`, `\NonExistent`), or shows mail from other folders (`\All`,
    /// `\Flagged`).
    NoMail,
}

/// A folder on one side as listed now.
#[derive(Clone, Debug)]
pub struct SeenFolder {
    /// Its name.
    pub name: FolderName,
    /// Its kind.
    pub kind: FolderKind,
    /// What identifies it.
    pub identity: FolderIdentity,
    /// Whether the user is subscribed to it.
    pub subscribed: bool,
}

/// A folder to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFolder {
    /// Its name.
    pub name: FolderName,
    /// Why.
    pub row: Row,
}

/// A subscription to be added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// The folder's name after all renames.
    pub name: FolderName,
    /// Whether the user should be subscribed.
    pub subscribed: bool,
}

/// A folder whose messages are to be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderPair {
    /// Its name on each side after all renames; they differ only if a rename isn't allowed.
    pub names: Both<FolderName>,
    /// The known folder whose messages are its base.
    pub base: Option<usize>,
    /// The listed folder on each side; `None` if it doesn't exist ([`View::absent`]).
    pub seen: Both<Option<usize>>,
    /// Why it is recreated on the side that lacks it, with its messages, unless they were moved
    /// elsewhere.
    pub comes_back: Option<Row>,
}

impl FolderPair {
    /// Returns the side on which it was deleted, so that its messages decide what becomes of it on
    /// the other ([`fate`]).
    pub fn deleted_on(&self) -> Option<Side> {
        self.missing_on().filter(|_| self.comes_back.is_none())
    }

    /// Returns the side that used to have it and doesn't any more.
    fn missing_on(&self) -> Option<Side> {
        Side::BOTH
            .into_iter()
            .find(|side| self.base.is_some() && self.is_on(side.other()) && !self.is_on(*side))
    }

    fn is_on(&self, side: Side) -> bool {
        self.seen[side].is_some()
    }
}

/// A folder that is left unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftFolder {
    /// The side that has it.
    pub side: Side,
    /// Its name there.
    pub name: FolderName,
    /// Why.
    pub row: Row,
}

/// What is done about the folders, in this order: renames, new folders, subscriptions, then the
/// messages in each pair.
#[derive(Clone, Debug, Default)]
pub struct FoldersMerge {
    /// Renames on each side, in order.
    pub renames: Both<Vec<Rename>>,
    /// Folders to create on each side, parents first.
    pub new: Both<Vec<NewFolder>>,
    /// Subscriptions to change on each side.
    pub subscriptions: Both<Vec<SubscriptionChange>>,
    /// The folders whose messages are to be merged. A folder that is gone from both sides is
    /// included, as its messages may have been moved.
    pub pairs: Vec<FolderPair>,
    /// What is left alone.
    pub left: Vec<LeftFolder>,
}

/// Merges the folders of both sides. `known` are those in the base, `seen` those that each side
/// lists.
pub fn merge_folders(
    known: &[KnownFolder],
    seen: Both<&[SeenFolder]>,
    policy: &Policy,
) -> FoldersMerge {
    let mail = Both::of(|side| {
        seen[side]
            .iter()
            .enumerate()
            .filter(|(_, folder)| folder.kind != FolderKind::NoMail)
    });
    let numbers = mail
        .clone()
        .map(|folders| folders.map(|(number, _)| number).collect::<Vec<_>>());
    let folders = mail.map(|folders| {
        folders
            .map(|(_, folder)| folder.clone())
            .collect::<Vec<_>>()
    });
    let places = Both::of(|side| locate(known, &folders[side], side));
    let names = folders
        .as_ref()
        .map(|folders| Names::new(folders.iter().map(|folder| folder.name.clone())));
    let left = Side::BOTH
        .into_iter()
        .flat_map(|side| not_mail(seen[side], side))
        .collect();
    let merge = FoldersMerge {
        left,
        ..FoldersMerge::default()
    };
    let restored = Both::of(|side| has_gone_back(known, &folders[side], &places[side], side));
    let mut merger = Merger {
        restored,
        known,
        folders: &folders,
        places,
        names,
        policy,
        merge,
    };
    merger.rename();
    merger.pair_known();
    merger.pair_new();
    merger.make_anew();
    merger.subscribe();
    let mut merge = merger.merge;
    for pair in &mut merge.pairs {
        pair.seen =
            Both::of(|side| pair.seen[side].and_then(|number| numbers[side].get(number).copied()));
    }
    merge
}

fn not_mail(seen: &[SeenFolder], side: Side) -> impl Iterator<Item = LeftFolder> {
    let folders = seen
        .iter()
        .filter(|folder| folder.kind == FolderKind::NoMail);
    folders.map(move |folder| LeftFolder {
        side,
        name: folder.name.clone(),
        row: Row::NotAFolder,
    })
}

/// Reports whether a folder that is still the same has a lower UIDNEXT than before: under its own
/// name, or as a folder that is new to this side with the UIDVALIDITY of exactly one missing
/// folder, which was renamed after the backup.
fn has_gone_back(
    known: &[KnownFolder],
    seen: &[SeenFolder],
    places: &[Whereabouts],
    side: Side,
) -> bool {
    let taken: HashSet<_> = places.iter().filter_map(|place| place.folder()).collect();
    let is_alone = |mark: &Counters| {
        known
            .iter()
            .filter(|other| other.identities[side].mark.uid_validity == mark.uid_validity)
            .count()
            == 1
    };
    known.iter().zip(places).any(|(known, place)| {
        let then = &known.identities[side];
        match place {
            Whereabouts::At(number) => seen
                .get(*number)
                .is_some_and(|now| now.identity.is_earlier_than(then)),
            Whereabouts::Replaced(_) => false,
            Whereabouts::Gone => (0..).zip(seen).any(|(number, now)| {
                !taken.contains(&number)
                    && now.identity.is_earlier_than(then)
                    && is_alone(&then.mark)
            }),
        }
    })
}

impl FolderIdentity {
    /// Reports whether it may be an earlier state of the other, with a lower UIDNEXT.
    fn is_earlier_than(&self, other: &Self) -> bool {
        let contradicts = self.mailbox_id.is_some()
            && other.mailbox_id.is_some()
            && self.mailbox_id != other.mailbox_id;
        let same =
            self.mark.uid_validity.is_some() && self.mark.uid_validity == other.mark.uid_validity;
        same && !contradicts
            && self
                .mark
                .uid_next
                .zip(other.mark.uid_next)
                .is_some_and(|(now, then)| now < then)
    }
}

struct Merger<'a> {
    known: &'a [KnownFolder],
    folders: &'a Both<Vec<SeenFolder>>,
    /// Where each known folder is.
    places: Both<Vec<Whereabouts>>,
    names: Both<Names>,
    /// Whether some folder on a side shows that the server was restored: then others may be missing
    /// for that reason.
    restored: Both<bool>,
    policy: &'a Policy,
    merge: FoldersMerge,
}

/// Names.
impl Merger<'_> {
    /// Carries renames over: rows 11 and 12.
    fn rename(&mut self) {
        for side in Side::BOTH
            .into_iter()
            .filter(|side| self.policy.new_mail[*side])
        {
            let wishes = (0..self.known.len())
                .filter_map(|folder| self.wish(folder, side))
                .collect();
            let stuck: HashSet<_> = self.names[side].fulfil(wishes).into_iter().collect();
            for folder in 0..self.known.len() {
                if self
                    .place(folder, side)
                    .folder()
                    .is_some_and(|number| stuck.contains(&number))
                {
                    self.part(folder, side.other());
                }
            }
            self.merge.renames[side] = std::mem::take(&mut self.names[side].renames);
        }
    }

    /// Separates a folder from what it has become on `side`: that can't get its new name on the
    /// other side.
    fn part(&mut self, folder: usize, side: Side) {
        if let Some(place) = self.places[side].get_mut(folder) {
            *place = Whereabouts::Gone;
        }
    }

    /// Returns the name that a folder on `side` should end up with because of the other side's.
    fn wish(&self, folder: usize, side: Side) -> Option<Wish> {
        let renamed = Both::of(|side| self.renamed(folder, side));
        let Whereabouts::At(number) = self.place(folder, side) else {
            return None;
        };
        let (to, row) = match (&renamed[side], &renamed[side.other()]) {
            (None, Some(name)) => (name, Row::Renamed),
            (Some(here), Some(there))
                if here.key() != there.key() && side != self.policy.prefer.winner() =>
            {
                (there, Row::RenamedApart)
            }
            // A renamed folder may still have it below itself here, but no longer there.
            (None, None) if matches!(self.place(folder, side.other()), Whereabouts::At(_)) => {
                (&self.known.get(folder)?.name, Row::Renamed)
            }
            _ => return None,
        };
        Some(Wish {
            folder: number,
            to: to.clone(),
            row,
        })
    }

    /// Returns the name that a side has given a folder since the last run.
    fn renamed(&self, folder: usize, side: Side) -> Option<FolderName> {
        let Whereabouts::At(number) = self.place(folder, side) else {
            return None;
        };
        let name = &self.folders[side].get(number)?.name;
        (name.key() != self.known.get(folder)?.name.key()).then(|| name.clone())
    }

    fn place(&self, folder: usize, side: Side) -> Whereabouts {
        self.places[side]
            .get(folder)
            .copied()
            .unwrap_or(Whereabouts::Gone)
    }

    /// Returns a folder's name after all renames.
    fn name(&self, side: Side, number: usize) -> Option<FolderName> {
        self.names[side].current.get(number).cloned()
    }
}

/// Pairs.
impl Merger<'_> {
    fn pair_known(&mut self) {
        let lost = Both::of(|side| self.has_lost_all(side));
        for folder in 0..self.known.len() {
            use Whereabouts::{At, Gone, Replaced};
            if self.leave_unlisted(folder) {
                continue;
            }
            match (
                self.place(folder, Side::First),
                self.place(folder, Side::Second),
            ) {
                (Gone, Gone) => self.forget(folder),
                (At(_), Gone) => self.deleted(folder, Side::Second, lost.second),
                (Gone, At(_)) => self.deleted(folder, Side::First, lost.first),
                (first @ (At(_) | Replaced(_)), second @ (At(_) | Replaced(_))) => {
                    let renamed = Side::BOTH
                        .into_iter()
                        .any(|side| self.renamed(folder, side).is_some());
                    if !renamed || matches!((first, second), (At(_), At(_))) {
                        self.push(
                            Some(folder),
                            Both::new(first.folder(), second.folder()),
                            None,
                        );
                    } else {
                        // Recreated here, renamed there: two folders now, and both are new to the
                        // other side.
                        self.forget(folder);
                    }
                }
                (Replaced(_), Gone) | (Gone, Replaced(_)) => self.forget(folder),
            }
        }
    }

    /// Leaves a folder alone that is missing on a side which may still have it; reports whether it
    /// was.
    fn leave_unlisted(&mut self, folder: usize) -> bool {
        let is_hidden = |side: &Side| {
            self.policy.unlisted[*side] && self.place(folder, *side).folder().is_none()
        };
        let Some(side) = Side::BOTH.into_iter().find(is_hidden) else {
            return false;
        };
        let here = side.other();
        if let Some(number) = self.place(folder, here).folder()
            && let Some(name) = self.name(here, number)
        {
            self.merge.left.push(LeftFolder {
                side: here,
                name,
                row: Row::Unlisted,
            });
        }
        true
    }

    /// Forgets a folder. Its messages may have been moved elsewhere, so it stays a pair for this
    /// run.
    fn forget(&mut self, folder: usize) {
        let Some(known) = self.known.get(folder) else {
            return;
        };
        let names = Both::of(|_| known.name.clone());
        self.merge.pairs.push(FolderPair {
            names,
            base: Some(folder),
            seen: Both::default(),
            comes_back: None,
        });
    }

    /// Decides about a deleted folder: rows 13, 14 and 17.
    fn deleted(&mut self, folder: usize, gone: Side, lost: bool) {
        let here = gone.other();
        let Some(number) = self.place(folder, here).folder() else {
            return;
        };
        let Some(seen) = self.folders[here].get(number) else {
            return;
        };
        let comes_back = self.why_back(folder, gone, seen);
        let forbidden = match comes_back {
            Some(_) => !self.policy.new_mail[gone],
            None => !self.policy.folder_deletions || !self.policy.deletions[here],
        };
        if lost || forbidden {
            let row = if lost { Row::Emptied } else { Row::OneWay };
            let name = self.name(here, number).unwrap_or_else(|| seen.name.clone());
            self.merge.left.push(LeftFolder {
                side: here,
                name,
                row,
            });
            return;
        }
        self.push(
            Some(folder),
            Both::of(|side| (side == here).then_some(number)),
            comes_back,
        );
    }

    /// Returns why a folder that is missing on `gone` doesn't count as deleted.
    fn why_back(&self, folder: usize, gone: Side, seen: &SeenFolder) -> Option<Row> {
        if self.restored[gone] {
            Some(Row::Restored)
        } else if self.renamed(folder, gone.other()).is_some() {
            Some(Row::FolderDeletedAndChanged)
        } else if seen.kind == FolderKind::Role || seen.name.is_inbox() {
            Some(Row::KeptFolder)
        } else {
            None
        }
    }

    /// Reports whether a side that had several folders now lists none, except INBOX.
    fn has_lost_all(&self, side: Side) -> bool {
        let had = self
            .known
            .iter()
            .filter(|known| !known.name.is_inbox())
            .count();
        let limit = self.policy.limits[side.other()];
        had >= ALL_GONE
            && self.folders[side]
                .iter()
                .all(|folder| folder.name.is_inbox())
            && !limit.allows_emptying(DeletionLimit::SMALL + 1)
    }

    fn push(&mut self, base: Option<usize>, seen: Both<Option<usize>>, comes_back: Option<Row>) {
        let name = |side: Side| seen[side].and_then(|number| self.name(side, number));
        let names = Both::of(|side| name(side).or_else(|| name(side.other())));
        if let Both {
            first: Some(first),
            second: Some(second),
        } = names
        {
            self.merge.pairs.push(FolderPair {
                names: Both::new(first, second),
                base,
                seen,
                comes_back,
            });
        }
    }

    /// Pairs folders that are in no pair yet.
    fn pair_new(&mut self) {
        let rest = Both::of(|side| self.unpaired(side));
        let second: HashMap<String, usize> = rest
            .second
            .iter()
            .filter_map(|number| Some((self.name(Side::Second, *number)?.key(), *number)))
            .collect();
        let mut missing = Both::of(|side| self.missing(side));
        let mut met = HashSet::new();
        for number in &rest.first {
            let there = self
                .name(Side::First, *number)
                .and_then(|name| second.get(&name.key()).copied());
            met.extend(there);
            self.take_up(Both::new(Some(*number), there), &mut missing);
        }
        for number in rest.second.iter().filter(|number| !met.contains(*number)) {
            self.take_up(Both::new(None, Some(*number)), &mut missing);
        }
    }

    /// Returns the pairs whose folder is missing on this side, by their name on the other.
    fn missing(&self, side: Side) -> HashMap<String, usize> {
        let mut missing = HashMap::new();
        for (at, pair) in self
            .merge
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| pair.missing_on() == Some(side))
        {
            missing.entry(pair.names[side.other()].key()).or_insert(at);
        }
        missing
    }

    /// Returns the folders on a side that are in no pair and were not left alone.
    fn unpaired(&self, side: Side) -> Vec<usize> {
        let mut paired: HashSet<_> = self
            .merge
            .pairs
            .iter()
            .filter_map(|pair| pair.seen[side])
            .collect();
        let left: HashSet<_> = self
            .merge
            .left
            .iter()
            .filter(|left| left.side == side)
            .map(|left| left.name.key())
            .collect();
        paired.extend((0..self.folders[side].len()).filter(|number| {
            self.name(side, *number)
                .is_some_and(|name| left.contains(&name.key()))
        }));
        (0..self.folders[side].len())
            .filter(|number| !paired.contains(number))
            .collect()
    }

    /// Adds a folder without a base. If it has the name of a folder that was deleted on its side,
    /// the two become one.
    fn take_up(&mut self, seen: Both<Option<usize>>, missing: &mut Both<HashMap<String, usize>>) {
        let Some(side) = Side::BOTH.into_iter().find(|side| seen[*side].is_some()) else {
            return;
        };
        let Some((number, other)) = seen[side].map(|number| (number, side.other())) else {
            return;
        };
        let Some(name) = self.name(side, number) else {
            return;
        };
        if seen[other].is_some() {
            return self.push(None, seen, None);
        }
        let namesake = missing[side].remove(&name.key());
        if let Some(pair) = namesake.and_then(|at| self.merge.pairs.get_mut(at)) {
            (pair.base, pair.seen[side], pair.comes_back) = (None, Some(number), None);
        } else if self.policy.new_mail[other] {
            self.merge.new[other].push(NewFolder {
                name,
                row: Row::NewFolder,
            });
            self.push(None, seen, None);
        } else {
            self.merge.left.push(LeftFolder {
                side,
                name,
                row: Row::OneWay,
            });
        }
    }

    /// Recreates what comes back.
    fn make_anew(&mut self) {
        for pair in &self.merge.pairs {
            if let (Some(side), Some(row)) = (pair.missing_on(), pair.comes_back) {
                self.merge.new[side].push(NewFolder {
                    name: pair.names[side].clone(),
                    row,
                });
            }
        }
        for side in Side::BOTH {
            self.merge.new[side].sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
}

/// What becomes of a folder that was deleted on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is deleted on this side too, once it turns out to be empty after everything is done in it
    /// (row 13).
    Deleted(Side),
    /// It is recreated on this side, for what is new or changed on the other (row 14).
    ComesBack(Side),
    /// It stays, because something in it is left alone.
    Stays,
}

/// Decides what becomes of a folder that was deleted on `gone`, given what is to be done with its
/// messages once moves are found and the deletion limit is applied. `number` is its index in the
/// account.
pub fn fate(
    gone: Side,
    number: usize,
    views: Both<&View>,
    merge: &FolderMerge,
    moves: &[Move],
) -> Fate {
    let here = gone.other();
    let comes_in = moves
        .iter()
        .any(|moved| moved.to == number && moved.side == gone);
    let leaving = moves
        .iter()
        .filter(|moved| moved.from == number && moved.side == here)
        .count();
    let staying = views[here].count()
        - (merge.deletions[here].len() as u64 + leaving as u64).min(views[here].count());
    if !merge.incoming[gone].is_empty() || comes_in {
        Fate::ComesBack(gone)
    } else if staying > 0 || views[here].extent() != Extent::Complete || merge.refused.is_some() {
        Fate::Stays
    } else {
        Fate::Deleted(here)
    }
}
