//! Messages that were moved on one side are moved on the other by its server itself.
//!
//! What it keeps true: a message counts as moved when it is known where it is now, by COPYUID or by
//! having been found there, and has left where it was. Anything else is left as it is and found
//! again by the next run: its pair stays in the base of the folder that it was to leave.

use super::Sync;
use super::memory::pair_record;
use super::strays::Departed;
use crate::engine::relocate::{self, Errand, Goal};
use crate::engine::way::Way;
use crate::event::Event;
use crate::mail::{Both, Flags, MailboxName, Message, Side, Uid, UidNext, UidSet, counted};
use crate::plan::elsewhere::Sameness;
use crate::plan::merge::{AgreedFlags, FlagMerge, Move, PairState, Prints};
use crate::state::TwoWayChange;
use crate::store::{Error, FlagChange, FlagEdit, Removal};
use std::collections::{BTreeMap, HashSet};

/// What one side is to change in the flags of moved messages.
#[derive(Default)]
struct MovedFlags {
    /// By folder, kind of change, and flags.
    changes: BTreeMap<(usize, u8, String), FlagChange>,
    /// How many messages they are of.
    messages: u64,
}

impl MovedFlags {
    /// Adds what is to be changed in a message of this folder.
    fn add(
        &mut self,
        (to, mailbox): (usize, &MailboxName),
        uid: Uid,
        edits: [(FlagEdit, &Flags); 2],
    ) {
        let mut any = false;
        for (nth, (edit, flags)) in (0..).zip(edits).filter(|(_, (_, flags))| !flags.is_empty()) {
            let key = (to, nth, Flags::to_string(flags));
            let change = self.changes.entry(key).or_insert_with(|| FlagChange {
                mailbox: mailbox.clone(),
                uids: UidSet::default(),
                edit,
                flags: flags.clone(),
                unchanged_since: None,
            });
            change.uids.insert(uid);
            any = true;
        }
        self.messages += u64::from(any);
    }
}

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
        let mark = to.state[side].counters;
        Some(Errand {
            from: from.raw[side].as_ref()?,
            from_uid_validity: from.state[side].counters.uid_validity,
            uid: from.message(side, moved.index)?.uid(),
            to: Goal {
                mailbox: to.raw[side].as_ref()?,
                uid_validity: mark.uid_validity,
                uid_next: mark.uid_next,
            },
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
    /// Gives the moves of which the message may be in both places.
    fn clear_leftovers(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        moves: &[Move],
        leftover: &HashSet<usize>,
        placed: &mut [Option<Uid>],
    ) -> Result<HashSet<usize>, Error> {
        let mut kept: Vec<usize> = Vec::new();
        let mut folders: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in leftover.iter().filter(|at| placed[**at].is_some()) {
            folders.entry(moves[*at].from).or_default().push(*at);
        }
        for (from, of_folder) in folders {
            let work = &self.works[from];
            let Some(mailbox) = work.raw[side].clone() else {
                continue;
            };
            let uids = of_folder
                .iter()
                .filter_map(|at| work.message(side, moves[*at].index))
                .map(Message::uid);
            let removal = Removal {
                mailbox,
                uid_validity: work.state[side].counters.uid_validity,
                uids: uids.collect(),
            };
            let results =
                way.repeatable(|link| link.side(side).remove(std::slice::from_ref(&removal)))?;
            if results.iter().any(Result::is_err) {
                kept.extend(of_folder);
            }
        }
        let mut copies: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        kept.iter()
            .for_each(|at| copies.entry(moves[*at].to).or_default().push(*at));
        for (to, of_folder) in copies {
            let work = &self.works[to];
            let Some(mailbox) = work.raw[side].clone() else {
                continue;
            };
            let uids = of_folder.iter().filter_map(|at| placed[*at]).collect();
            let removal = Removal {
                mailbox,
                uid_validity: work.state[side].counters.uid_validity,
                uids,
            };
            let results =
                way.repeatable(|link| link.side(side).remove(std::slice::from_ref(&removal)))?;
            if results.iter().all(Result::is_ok) {
                // It is where it was, and is moved by the next run.
                of_folder.iter().for_each(|at| placed[*at] = None);
                kept.retain(|at| !of_folder.contains(at));
            }
        }
        Ok(kept.into_iter().collect())
    }

    /// Gives both messages of each moved pair the flags that they are to have. Gives the UIDs, by
    /// folder, of which a side refused that.
    fn set_moved_flags(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        moves: &[Move],
        placed: &[Option<Uid>],
    ) -> Result<Both<HashSet<(usize, Uid)>>, Error> {
        let wanted = self.moved_flags(side, moves, placed);
        let mut refused: Both<HashSet<(usize, Uid)>> = Both::default();
        for (here, wanted) in wanted.each() {
            refused[here] = self.change_moved_flags(way, here, wanted)?;
        }
        Ok(refused)
    }

    /// What is to be changed in the flags of moved messages, on each side.
    fn moved_flags(&self, side: Side, moves: &[Move], placed: &[Option<Uid>]) -> Both<MovedFlags> {
        let mut wanted: Both<MovedFlags> = Both::default();
        for (moved, uid) in moves.iter().zip(placed) {
            let Some(uid) = uid else { continue };
            for here in Side::BOTH {
                let work = &self.works[moved.to];
                let uid = if here == side {
                    Some(*uid)
                } else {
                    work.message(here, moved.partner).map(Message::uid)
                };
                let (Some(uid), Some(mailbox)) = (uid, &work.raw[here]) else {
                    continue;
                };
                let edits = [
                    (FlagEdit::Add, &moved.flags.add[here]),
                    (FlagEdit::Remove, &moved.flags.remove[here]),
                ];
                wanted[here].add((moved.to, mailbox), uid, edits);
            }
        }
        wanted
    }

    /// Changes the flags of moved messages on one side. Gives the UIDs, by folder, of which that
    /// was refused.
    fn change_moved_flags(
        &mut self,
        way: &mut Way<'_>,
        here: Side,
        wanted: MovedFlags,
    ) -> Result<HashSet<(usize, Uid)>, Error> {
        let mut refused = HashSet::new();
        let (keys, changes): (Vec<_>, Vec<FlagChange>) = wanted.changes.into_iter().unzip();
        if changes.is_empty() {
            return Ok(refused);
        }
        let results = way.repeatable(|link| link.side(here).change_flags(&changes))?;
        for (((to, ..), change), result) in keys.iter().zip(&changes).zip(results) {
            if let Err(refusal) = result {
                let (name, flags) = (self.works[*to].name(here), &change.flags);
                let text = format!(
                    "the {} did not change {flags}: {}",
                    here.ordinal(),
                    refusal.text
                );
                self.fail_folder(&name, &text);
                refused.extend(change.uids.iter().map(|uid| (*to, uid)));
            }
        }
        self.way(here).flags_updated += wanted.messages;
        Ok(refused)
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
        // What is sent now comes after it: a lost reply must not be looked for among what was
        // moved.
        let next = &mut work.sent_from[side];
        *next = (*next).max(UidNext::after(uid));
        let folder = work.name(side);
        self.departed.push(Departed {
            side,
            former: moved.former,
            ours: Some((moved.to, uid)),
        });
        self.way(side).moved += 1;
        self.observer.observe(&Event::MessageCopied {
            to: side,
            folder: &folder,
            uid,
            bytes: 0,
        });
    }
}
