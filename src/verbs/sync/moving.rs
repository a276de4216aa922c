//! Messages that were moved on one side are moved on the other by its server itself.
//!
//! What it keeps true: a message counts as moved when it is known where it is now, by COPYUID or by
//! having been found there, and has left where it was. Anything else is left as it is and found
//! again by the next run: its pair stays in the base of the folder that it was to leave.

use super::Sync;
use super::memory::pair_record;
use super::strays::Departed;
use crate::engine::deleting::remove;
use crate::engine::flagging::{FlagChanges, FlagWork, change_flags};
use crate::engine::relocate::{self, Errand};
use crate::engine::way::Way;
use crate::event::Event;
use crate::mail::{Both, Message, Side, Uid, counted};
use crate::plan::elsewhere::Sameness;
use crate::plan::merge::{AgreedFlags, FlagMerge, Move, PairState, Prints};
use crate::state::TwoWayChange;
use crate::store::{Error, FlagEdit, Removal};
use std::collections::{BTreeMap, HashSet};

/// The flags that both sides agree on, but for what a side did not change: that stays as it was, so
/// that the next run finds the same change to make.
fn agreed_flags(merge: &FlagMerge, is_unflagged: Both<bool>) -> AgreedFlags {
    let mut agreed = merge.agreed.clone();
    for side in Side::BOTH.into_iter().filter(|side| is_unflagged[*side]) {
        agreed.flags = agreed
            .flags
            .minus(&merge.add[side])
            .union(&merge.remove[side]);
    }
    agreed
}

impl Sync<'_> {
    /// Carries out all moves.
    pub(super) fn move_messages(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        for side in Side::BOTH {
            let moves: Vec<Move> = self
                .moves
                .iter()
                .filter(|moved| self.is_possible(moved, side))
                .cloned()
                .collect();
            if !moves.is_empty() {
                self.move_on(way, side, &moves)?;
            }
        }
        Ok(())
    }

    fn is_possible(&self, moved: &Move, side: Side) -> bool {
        let is_ready = |at: usize| !self.works[at].rests() && self.works[at].raw[side].is_some();
        let is_there = self.works[moved.from].message(side, moved.index).is_some();
        moved.side == side && is_ready(moved.from) && is_ready(moved.to) && is_there
    }

    /// What is asked of a side for a move. `None`: it is not possible.
    fn errand<'m>(&'m self, moved: &Move) -> Option<Errand<'m>> {
        let (side, from, to) = (moved.side, &self.works[moved.from], &self.works[moved.to]);
        let folder = from.folder_on(side)?;
        Some(Errand {
            from: folder.mailbox,
            from_uid_validity: folder.counters.uid_validity,
            uid: from.message(side, moved.index)?.uid(),
            to: to.folder_on(side)?,
            leave: true,
            // The other side's message is the same, and its header was read.
            same: to
                .message(side.other(), moved.partner)
                .and_then(Sameness::of),
        })
    }

    fn move_on(&mut self, way: &mut Way<'_>, side: Side, moves: &[Move]) -> Result<(), Error> {
        let errands: Vec<Errand<'_>> = moves
            .iter()
            .filter_map(|moved| self.errand(moved))
            .collect();
        let outcomes = relocate::relocate(way, side, &errands, &|_, _| false)?;
        for (first, refusal) in outcomes.refusals {
            let (from, to) = (
                self.works[moves[first].from].name(side),
                self.works[moves[first].to].name(side),
            );
            let text = format!(
                "the {} did not move all messages to {to}: {}",
                side.ordinal(),
                refusal.text
            );
            self.fail_folder(&from, &text);
        }
        let all = || outcomes.each.iter().enumerate();
        let mut placed: Vec<Option<Uid>> = all().map(|(_, outcome)| outcome.placed).collect();
        let unknown: Vec<usize> = all()
            .filter(|(_, outcome)| outcome.was_untold)
            .map(|(at, _)| at)
            .collect();
        let leftover: HashSet<usize> = all()
            .filter(|(_, outcome)| outcome.may_be_left)
            .map(|(at, _)| at)
            .collect();
        self.tell_unfound(side, moves, &unknown, &placed);
        let kept = self.clear_leftovers(way, side, moves, &leftover, &mut placed)?;
        let unflagged = self.set_moved_flags(way, side, moves, &placed)?;
        self.conclude_moves(side, moves, &placed, &kept, &unflagged)
    }

    /// Names the folders with messages that were to be moved and were not found where they were to
    /// go.
    fn tell_unfound(
        &mut self,
        side: Side,
        moves: &[Move],
        unknown: &[usize],
        placed: &[Option<Uid>],
    ) {
        let mut routes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for moved in unknown
            .iter()
            .filter(|at| placed[**at].is_none())
            .map(|at| &moves[*at])
        {
            *routes.entry((moved.from, moved.to)).or_default() += 1;
        }
        for ((from, to), count) in routes {
            let (from, to) = (self.works[from].name(side), self.works[to].name(side));
            let text = format!(
                "the {} did not confirm the move of {} to {to}; run again",
                side.ordinal(),
                counted(count as u64, "message")
            );
            self.fail_folder(&from, &text);
        }
    }

    /// Removes what was to leave and may still be where it was; where that is refused, the copy.
    /// Returns the moves whose message may be in both places.
    fn clear_leftovers(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        moves: &[Move],
        leftover: &HashSet<usize>,
        placed: &mut [Option<Uid>],
    ) -> Result<HashSet<usize>, Error> {
        let moved = leftover.iter().filter(|at| placed[**at].is_some());
        let originals = moved.filter_map(|at| {
            let from = moves[*at].from;
            let message = self.works[from].message(side, moves[*at].index)?;
            Some((*at, from, message.uid()))
        });
        let stay = self.remove_moved(way, side, originals.collect())?;
        let copies = stay
            .iter()
            .filter_map(|at| Some((*at, moves[*at].to, placed[*at]?)));
        let in_both = self.remove_moved(way, side, copies.collect())?;
        // Where it was, the next run moves it.
        for at in stay.difference(&in_both) {
            placed[*at] = None;
        }
        Ok(in_both)
    }

    /// Removes a message of each of these moves, given with its folder. Returns the moves whose
    /// message is still there.
    fn remove_moved(
        &self,
        way: &mut Way<'_>,
        side: Side,
        doomed: Vec<(usize, usize, Uid)>,
    ) -> Result<HashSet<usize>, Error> {
        let mut by_folder: BTreeMap<usize, Vec<(usize, Uid)>> = BTreeMap::new();
        for (moved, folder, uid) in doomed {
            by_folder.entry(folder).or_default().push((moved, uid));
        }
        let removal = |(folder, messages): (&usize, &Vec<(usize, Uid)>)| {
            let uids = messages.iter().map(|(_, uid)| *uid).collect();
            Some(self.works[*folder].folder_on(side)?.removal(uids))
        };
        let removals: Vec<Removal> = by_folder.iter().filter_map(removal).collect();
        let results = remove(way, side, &removals)?;
        let mut still_there = HashSet::new();
        for (messages, removed) in by_folder.values().zip(results) {
            let gone = |(_, uid): &&(usize, Uid)| removed.gone.contains(*uid);
            let left = messages.iter().filter(|message| !gone(message));
            still_there.extend(left.map(|(moved, _)| *moved));
        }
        Ok(still_there)
    }

    /// Changes the flags of both messages of each moved pair to what they should be. Returns the
    /// UIDs, by folder, for which a side refused that.
    fn set_moved_flags(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        moves: &[Move],
        placed: &[Option<Uid>],
    ) -> Result<Both<HashSet<(usize, Uid)>>, Error> {
        let wanted = self.moved_flags(side, moves, placed);
        let messages = wanted
            .as_ref()
            .map(|works| works.iter().map(FlagWork::messages).sum::<u64>());
        let outcomes = change_flags(way, &wanted)?;
        let unchanged = Both::of(|here| self.unchanged(here, &outcomes[here]));
        for here in Side::BOTH {
            self.way(here).flags_updated += messages[here] - unchanged[here].len() as u64;
        }
        Ok(unchanged)
    }

    /// Returns the flags of moved messages that are to be changed on each side.
    fn moved_flags(
        &self,
        side: Side,
        moves: &[Move],
        placed: &[Option<Uid>],
    ) -> Both<Vec<FlagWork<'_>>> {
        let mut wanted: Both<BTreeMap<usize, FlagChanges>> = Both::default();
        for (moved, uid) in moves.iter().zip(placed) {
            let Some(uid) = *uid else { continue };
            let partner = self.works[moved.to].message(side.other(), moved.partner);
            for here in Side::BOTH {
                let partner = partner.filter(|_| here != side).map(Message::uid);
                let Some(uid) = partner.or((here == side).then_some(uid)) else {
                    continue;
                };
                let changes = wanted[here].entry(moved.to).or_default();
                changes.add(FlagEdit::Add, moved.flags.add[here].clone(), uid);
                changes.add(FlagEdit::Remove, moved.flags.remove[here].clone(), uid);
            }
        }
        let work = |here: Side, of: usize, changes: FlagChanges| {
            let mailbox = self.works[of].raw[here].as_ref()?;
            Some(FlagWork::new(of, mailbox, changes))
        };
        let works = |here: Side| {
            let wanted = std::mem::take(&mut wanted[here]).into_iter();
            wanted
                .filter_map(|(of, changes)| work(here, of, changes))
                .collect()
        };
        Both::of(works)
    }

    fn conclude_moves(
        &mut self,
        side: Side,
        moves: &[Move],
        placed: &[Option<Uid>],
        kept: &HashSet<usize>,
        unflagged: &Both<HashSet<(usize, Uid)>>,
    ) -> Result<(), Error> {
        let mut changes = Vec::new();
        let mut open = HashSet::new();
        for (at, (moved, uid)) in moves.iter().zip(placed).enumerate() {
            let Some(uid) = *uid else {
                self.works[moved.from].open = true;
                self.works[moved.to].open = true;
                continue;
            };
            let (from, to) = (&self.works[moved.from], &self.works[moved.to]);
            let Some(partner) = to.message(side.other(), moved.partner).copied() else {
                continue;
            };
            let moved_one = from.message(side, moved.index).copied();
            if let Some(id) = to.record {
                let uids = Both::of(|here| if here == side { uid } else { partner.uid() });
                let shown = Both::of(|here| {
                    if here == side {
                        moved_one.as_ref()
                    } else {
                        Some(&partner)
                    }
                });
                let is_unflagged =
                    Both::of(|here| unflagged[here].contains(&(moved.to, uids[here])));
                if is_unflagged.any(|is| *is) {
                    open.insert(moved.to);
                }
                let agreed = agreed_flags(&moved.flags, is_unflagged);
                let record = pair_record(uids, &agreed, Prints::of(shown), PairState::Settled);
                changes.push(TwoWayChange::Pair(id, Box::new(record)));
            }
            if let (Some(id), Some(base), Some(old)) = (from.record, &from.base, moved.pair)
                && !kept.contains(&at)
                && let Some(old) = base.pairs().get(old as usize)
            {
                changes.push(TwoWayChange::Unpair(id, old.uids()));
            }
            self.note_moved(side, moved, uid);
        }
        for at in open {
            self.works[at].open = true;
        }
        self.memory.write(&changes, false)
    }

    /// Counts a message that has come to its new folder, and tells of it.
    fn note_moved(&mut self, side: Side, moved: &Move, uid: Uid) {
        let work = &mut self.works[moved.to];
        let scanned = work.state[side].counters.uid_next;
        work.arrived[side].note(scanned, std::iter::once(uid));
        let folder = work.name(side);
        self.departed.push(Departed {
            side,
            former: moved.former,
            ours: Some((moved.to, uid)),
        });
        self.way(side).moved += 1;
        self.observer.observe(&Event::MessageCopied {
            to: side,
            place: None,
            folder: &folder,
            uid,
            bytes: 0,
        });
    }
}
