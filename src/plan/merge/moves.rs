//! Moves: a message that vanished from one folder and appeared in another since the last run is
//! moved on the other side too, and not resent.
//!
//! | first | second | what is done | row |
//! |---|---|---|---|
//! | moved to X | not moved | moved to X on the second | 8 |
//! | moved to X | moved to X | nothing; its flags are merged with the base | 8 |
//! | moved to X | moved to Y | one final place, the first's unless `--prefer second` | 9 |
//! | in the same folder, with a new UID | not moved | paired again | 8 |
//! | moved to X | deleted | copied to X on the second: the moved message stays | 10 |
//!
//! A message is the same if its header key, its size and its date are, and if it is the only one
//! with them to vanish and the only one to appear; without a Message-ID its content has to be the
//! same too. If that can't be determined, the message is copied and the old one deleted, with the
//! same result. Time and memory grow with what vanished and appeared, not with the folders.

use super::actions::{Dropped, FolderMerge, Joined, Kept, Left};
use super::apart::keep_one_place;
use super::base::{Trace, trace};
use super::flags::{FlagMerge, FlagState, merge_flags};
use super::{BaseFolder, Folder, Policy, Row};
use crate::mail::{Both, HeaderKey, Side};
use std::collections::{HashMap, HashSet};

/// A message to be moved on one side, as it was on the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The side on which it is to be moved.
    pub side: Side,
    /// The folder that it is in now.
    pub from: usize,
    /// Its index in that folder's view of this side.
    pub index: u32,
    /// The folder that it goes to.
    pub to: usize,
    /// The index of the same message in the other side's view of that folder: the two are a pair
    /// from then on.
    pub partner: u32,
    /// The pair in the base of `from` that ends when it has gone; `None` if that pair was already
    /// dropped.
    pub pair: Option<u32>,
    /// Where it was when both sides agreed.
    pub former: Former,
    /// The outcome for its flags on both sides.
    pub flags: FlagMerge,
    /// Why.
    pub row: Row,
}

/// Where a message was when both sides agreed: a folder, and a pair of its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Former {
    /// The folder.
    pub folder: usize,
    /// The pair, an index into its base.
    pub pair: u32,
}

/// Finds moves between the folders of an account, once their messages are merged and their ties
/// settled, and removes them from what is to be copied and deleted. A message deleted from
/// different folders on the two sides keeps one of them. Folders are identified by their index in
/// both lists. For two messages without a Message-ID, each given by its folder and its index in its
/// side's view, `is_same` reports whether their contents are equal.
pub fn merge_moves(
    folders: &[Folder<'_>],
    merges: &mut [FolderMerge],
    policy: &Policy,
    is_same: &mut dyn FnMut(Both<At>) -> bool,
) -> Vec<Move> {
    let traces = Traces::of(folders, merges);
    let mut moves = Moves {
        folders,
        policy,
        is_same,
        found: Found::default(),
    };
    for (number, (folder, merge)) in folders.iter().zip(merges.iter()).enumerate() {
        let Some(base) = folder.base else { continue };
        for vanished in &merge.vanished {
            let origin = Origin {
                folder: number,
                base,
                pair: vanished.pair,
            };
            let places = traces.destinations(&origin);
            match vanished.here {
                Some((side, index)) => {
                    moves.gone_from_other(&origin, side, index, places[side.other()]);
                }
                None => moves.gone_from_both(origin, places),
            }
        }
    }
    let found = moves.found;
    found.set_joined_flags(folders, merges, policy);
    found.keep_moved(merges);
    found.drop_done(merges);
    for apart in &found.apart {
        leave_apart(merges, apart);
    }
    for rejoined in found.rejoined {
        rejoin(merges, rejoined);
    }
    keep_one_place(folders, merges, policy);
    found.moves
}

/// A message by its folder and its index there: in its side's view, or among the joined pairs.
pub type At = (usize, u32);

/// Where a message has appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Only on this side.
    Alone(At),
    /// On both sides, as a joined pair.
    Joined(At),
}

/// How many messages have a given trace, and where.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    vanished: u32,
    appeared: u32,
    place: Option<Place>,
}

/// What vanished, and where it appeared, by side and trace.
struct Traces(Both<HashMap<Trace, Slot>>);

impl Traces {
    fn of(folders: &[Folder<'_>], merges: &[FolderMerge]) -> Self {
        let mut traces = Self(Both::default());
        for (folder, merge) in folders.iter().zip(merges) {
            traces.note_vanished(folder, merge);
        }
        for (number, (folder, merge)) in folders.iter().zip(merges).enumerate() {
            traces.note_appeared(number, folder, merge);
        }
        traces
    }

    fn note_vanished(&mut self, folder: &Folder<'_>, merge: &FolderMerge) {
        let Some(base) = folder.base else { return };
        for vanished in &merge.vanished {
            let Some(pair) = base.pairs().get(vanished.pair as usize) else {
                continue;
            };
            for side in Side::BOTH
                .into_iter()
                .filter(|side| vanished.here.is_none_or(|(here, _)| here != *side))
            {
                if let Some(trace) = pair.prints.trace(side) {
                    self.0[side].entry(trace).or_default().vanished += 1;
                }
            }
        }
    }

    fn note_appeared(&mut self, number: usize, folder: &Folder<'_>, merge: &FolderMerge) {
        // After a restored backup or with an old state, old places aren't news.
        if !matches!(
            merge.rows,
            Some([
                _,
                Row::NewMail | Row::FirstRun | Row::NewUids | Row::Recreated
            ])
        ) {
            return;
        }
        let staying: HashSet<_> = merge
            .vanished
            .iter()
            .filter_map(|vanished| vanished.here)
            .collect();
        for side in Side::BOTH {
            let incoming = merge.incoming[side.other()]
                .iter()
                .map(|incoming| incoming.from);
            // If no new mail is allowed, a move still is.
            let closed = merge.left[side]
                .iter()
                .filter(|left| left.row == Row::OneWay)
                .map(|left| left.index);
            for index in incoming
                .chain(closed)
                .filter(|index| !staying.contains(&(side, *index)))
            {
                self.note(folder, side, index, Place::Alone((number, index)));
            }
            for (at, joined) in (0..).zip(&merge.joined) {
                self.note(
                    folder,
                    side,
                    joined.messages[side],
                    Place::Joined((number, at)),
                );
            }
        }
    }

    fn note(&mut self, folder: &Folder<'_>, side: Side, index: u32, place: Place) {
        let trace = folder.views[side].at(index).and_then(trace);
        if let Some(slot) = trace.and_then(|trace| self.0[side].get_mut(&trace)) {
            slot.appeared += 1;
            slot.place = Some(place);
        }
    }

    /// Returns where a pair's messages have appeared on each side, as far as that is certain.
    fn destinations(&self, origin: &Origin<'_>) -> Both<Option<Place>> {
        let pair = origin.base.pairs().get(origin.pair as usize);
        Both::of(|side| {
            let slot = self.0[side].get(&pair?.prints.trace(side)?)?;
            slot.place
                .filter(|_| slot.vanished == 1 && slot.appeared == 1)
        })
    }
}

/// Where a message used to be.
struct Origin<'a> {
    folder: usize,
    base: &'a BaseFolder,
    pair: u32,
}

/// An action that is removed from a folder because it is part of a move.
#[derive(PartialEq, Eq, Hash)]
enum Done {
    Incoming(usize, Side, u32),
    Deletion(usize, Side, u32),
    Left(usize, Side, u32),
}

/// Looks for what was moved.
struct Moves<'a> {
    folders: &'a [Folder<'a>],
    policy: &'a Policy,
    is_same: &'a mut dyn FnMut(Both<At>) -> bool,
    found: Found<'a>,
}

/// What follows from the moves that were found.
#[derive(Default)]
struct Found<'a> {
    moves: Vec<Move>,
    rejoined: Vec<Rejoined>,
    apart: Vec<Apart>,
    /// What both sides moved to one folder, and where its pair is among those that were joined
    /// there.
    joined: Vec<(Origin<'a>, At)>,
    kept: Vec<MovedAndDeleted>,
    done: HashSet<Done>,
}

/// A message that is at `place` on one side, and gone from `gone_from`.
struct MovedAndDeleted {
    gone_from: Side,
    place: At,
    former: Former,
}

/// A message moved to different folders, when the side that should follow may not do so now.
struct Apart {
    folder: usize,
    pair: u32,
    places: Both<At>,
}

/// A message that has a new UID in its folder, and is still the same as the other side's.
struct Rejoined {
    folder: usize,
    pair: u32,
    messages: Both<u32>,
    flags: FlagMerge,
}

impl<'a> Moves<'a> {
    /// Takes what is still here on `side` and has gone from its folder on the other side, perhaps
    /// to a place there.
    fn gone_from_other(
        &mut self,
        origin: &Origin<'_>,
        side: Side,
        index: u32,
        place: Option<Place>,
    ) {
        if let Some(Place::Alone(to)) = place {
            self.follow(origin, side, index, to);
        }
    }

    /// Takes what has gone from its folder on both sides, perhaps to places on each.
    fn gone_from_both(&mut self, origin: Origin<'a>, places: Both<Option<Place>>) {
        let former = origin.former();
        match (places.first, places.second) {
            (Some(Place::Alone(first)), Some(Place::Alone(second))) => {
                self.bring_together(&origin, Both::new(first, second));
            }
            (Some(Place::Joined(one)), Some(Place::Joined(other))) if one == other => {
                self.found.joined.push((origin, one));
            }
            (Some(Place::Alone(place)), None) => {
                self.found.kept.push(MovedAndDeleted {
                    gone_from: Side::Second,
                    place,
                    former,
                });
            }
            (None, Some(Place::Alone(place))) => {
                self.found.kept.push(MovedAndDeleted {
                    gone_from: Side::First,
                    place,
                    former,
                });
            }
            _ => {}
        }
    }

    /// Follows a move to `to` on the other side, of a message still here on `side` (row 8).
    fn follow(&mut self, origin: &Origin<'_>, side: Side, index: u32, to: At) {
        let here = (origin.folder, index);
        if !self.are_same(Both::of(|at| if at == side { here } else { to })) {
            return;
        }
        if to.0 == origin.folder {
            self.rejoin(origin, Both::of(|at| if at == side { index } else { to.1 }));
        } else if self.may_leave(side, origin.folder) {
            self.push(origin, side, (origin.folder, index), to, Row::Moved);
        } else {
            return;
        }
        self.found
            .done
            .insert(Done::Deletion(origin.folder, side, index));
        // It may have been on its way back, because its flags changed here.
        self.found
            .done
            .insert(Done::Incoming(origin.folder, side.other(), index));
        self.found.done.insert(Done::Incoming(to.0, side, to.1));
        self.found.done.insert(Done::Left(to.0, side.other(), to.1));
    }

    fn rejoin(&mut self, origin: &Origin<'_>, messages: Both<u32>) {
        let (folder, pair) = (origin.folder, origin.pair);
        let at = Both::of(|side| (folder, messages[side]));
        if let Some(flags) = origin.flags(self.folders, at, folder, self.policy) {
            self.found.rejoined.push(Rejoined {
                folder,
                pair,
                messages,
                flags,
            });
        }
    }

    /// Brings together a message moved to different folders (row 9).
    fn bring_together(&mut self, origin: &Origin<'_>, places: Both<At>) {
        let winner = self.policy.prefer.winner();
        let (loser, from, to) = (winner.other(), places[winner.other()], places[winner]);
        if from.0 == to.0 || !self.are_same(places) {
            return;
        }
        if !self.may_leave(loser, from.0) {
            self.found.apart.push(Apart {
                folder: origin.folder,
                pair: origin.pair,
                places,
            });
            return;
        }
        self.push(origin, loser, from, to, Row::MovedApart);
        self.found
            .done
            .insert(Done::Incoming(from.0, winner, from.1));
        self.found.done.insert(Done::Incoming(to.0, loser, to.1));
        self.found.done.insert(Done::Left(from.0, loser, from.1));
        self.found.done.insert(Done::Left(to.0, winner, to.1));
    }

    /// Reports whether two messages that look the same are the same.
    fn are_same(&mut self, at: Both<At>) -> bool {
        let has_id = |side: Side| {
            let found = self
                .folders
                .get(at[side].0)
                .and_then(|folder| folder.views[side].at(at[side].1));
            found.is_none_or(|message| {
                !matches!(message.key(), HeaderKey::WithoutId(_) | HeaderKey::Empty)
            })
        };
        Side::BOTH.into_iter().all(has_id) || (self.is_same)(at)
    }

    fn may_leave(&self, side: Side, folder: usize) -> bool {
        let read_only = self
            .folders
            .get(folder)
            .is_none_or(|folder| folder.views[side].is_read_only());
        self.policy.deletions[side] && !read_only
    }

    fn push(&mut self, origin: &Origin<'_>, side: Side, from: At, to: At, row: Row) {
        let at = |here: Side| if here == side { from } else { to };
        let Some(flags) = origin.flags(self.folders, Both::of(at), to.0, self.policy) else {
            return;
        };
        let pair = (from.0 == origin.folder && row == Row::Moved).then_some(origin.pair);
        let former = origin.former();
        self.found.moves.push(Move {
            side,
            from: from.0,
            index: from.1,
            to: to.0,
            partner: to.1,
            pair,
            former,
            flags,
            row,
        });
    }
}

impl Origin<'_> {
    fn former(&self) -> Former {
        Former {
            folder: self.folder,
            pair: self.pair,
        }
    }

    /// Merges the flags of two messages that are in different places and will be in folder `to`.
    fn flags(
        &self,
        folders: &[Folder<'_>],
        at: Both<At>,
        to: usize,
        policy: &Policy,
    ) -> Option<FlagMerge> {
        let to = folders.get(to)?;
        let now = Both::of(|side| {
            folders
                .get(at[side].0)
                .map(|folder| folder.views[side].flags_at(at[side].1))
                .unwrap_or_default()
        });
        let sides = Both::of(|side| FlagState {
            now: &now[side],
            permanent: to.views[side].permanent(),
            open: policy.flags[side] && !to.views[side].is_read_only(),
        });
        let pair = self.base.pairs().get(self.pair as usize)?;
        Some(merge_flags(
            Some(&self.base.flags(pair)),
            sides,
            policy.prefer,
        ))
    }

    /// Merges the flags of two messages that were moved to one folder on both sides.
    fn joined_flags(
        &self,
        folders: &[Folder<'_>],
        merges: &[FolderMerge],
        at: At,
        policy: &Policy,
    ) -> Option<FlagMerge> {
        let joined = merges.get(at.0)?.joined.get(at.1 as usize)?;
        self.flags(
            folders,
            Both::of(|side| (at.0, joined.messages[side])),
            at.0,
            policy,
        )
    }
}

impl Found<'_> {
    /// Row 8: gives what both sides moved to one folder the flags that follow from the base.
    fn set_joined_flags(
        &self,
        folders: &[Folder<'_>],
        merges: &mut [FolderMerge],
        policy: &Policy,
    ) {
        for (origin, at) in &self.joined {
            let outcome = origin.joined_flags(folders, merges, *at, policy);
            set_flags(merges, *at, outcome);
        }
    }

    /// Row 10: what was moved on one side and is gone on the other stays where it was moved to.
    fn keep_moved(&self, merges: &mut [FolderMerge]) {
        for MovedAndDeleted {
            gone_from,
            place,
            former,
        } in &self.kept
        {
            let Some(merge) = merges.get_mut(place.0) else {
                continue;
            };
            for incoming in merge.incoming[*gone_from]
                .iter_mut()
                .filter(|incoming| incoming.from == place.1)
            {
                incoming.row = Row::MovedAndDeleted;
                merge.kept[*gone_from].push(Kept {
                    from: place.1,
                    former: *former,
                });
            }
        }
    }

    /// Takes out of the folders' actions what is part of a move.
    fn drop_done(&self, merges: &mut [FolderMerge]) {
        let is_open = |done: Done| !self.done.contains(&done);
        for (number, merge) in merges.iter_mut().enumerate() {
            for side in Side::BOTH {
                merge.incoming[side]
                    .retain(|incoming| is_open(Done::Incoming(number, side, incoming.from)));
                merge.deletions[side]
                    .retain(|deletion| is_open(Done::Deletion(number, side, deletion.index)));
                merge.left[side].retain(|left| is_open(Done::Left(number, side, left.index)));
            }
        }
    }
}

/// Leaves a message where each side has moved it, and remembers the pair: as two new messages they
/// would be duplicated.
fn leave_apart(
    merges: &mut [FolderMerge],
    Apart {
        folder,
        pair,
        places,
    }: &Apart,
) {
    if let Some(merge) = merges.get_mut(*folder) {
        merge.dropped.retain(|dropped| dropped.pair != *pair);
    }
    for side in Side::BOTH {
        let (at, index) = places[side];
        let Some(merge) = merges.get_mut(at) else {
            continue;
        };
        merge.incoming[side.other()].retain(|incoming| incoming.from != index);
        if merge.left[side].iter().all(|left| left.index != index) {
            merge.left[side].push(Left {
                index,
                row: Row::OneWay,
            });
        }
    }
}

fn set_flags(merges: &mut [FolderMerge], at: At, outcome: Option<FlagMerge>) {
    let Some((merge, outcome)) = merges.get_mut(at.0).zip(outcome) else {
        return;
    };
    let number = merge.flags.add(outcome);
    if let Some(joined) = merge.joined.get_mut(at.1 as usize) {
        (joined.flags, joined.row) = (number, Row::Moved);
    }
}

/// Pairs anew a message that has another UID in its folder.
fn rejoin(
    merges: &mut [FolderMerge],
    Rejoined {
        folder,
        pair,
        messages,
        flags,
    }: Rejoined,
) {
    let Some(merge) = merges.get_mut(folder) else {
        return;
    };
    let flags = merge.flags.add(flags);
    merge.dropped.push(Dropped {
        pair,
        row: Row::Moved,
    });
    merge.joined.push(Joined {
        messages,
        flags,
        row: Row::Moved,
    });
}
