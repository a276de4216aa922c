//! Messages that somebody moved while this run took them for gone, or for where they were.
//!
//! Folders are read one after the other, and what was decided is carried out later still. A message
//! that is moved meanwhile may be seen in neither folder, or in both, and may be carried to one
//! place by the run and to another by its reader. So before the run ends it looks at what has come
//! into each side's folders since it read them: what is there of a message that it has moved,
//! deleted, or let go is a stray. A copy that the run itself made of it is taken back, and the pair
//! is kept, so that the next run finds the move. What was seen in two folders is looked for in the
//! first one again before it is taken for new mail.

use super::memory::changed;
use super::{Sync, Work};
use crate::engine::folders::FolderRef;
use crate::engine::scans::scan_each;
use crate::engine::way::Way;
use crate::exec::Link;
use crate::mail::{MailboxName, Message, Side, Uid, UidNext, UidSet, UidValidity};
use crate::plan::merge::{
    BaseFolder, BasePair, Extent, Former, PairState, Prints, Row, Trace, leave_alone, trace,
};
use crate::state::{TwoWayChange, TwoWayPair};
use crate::store::{Error, FolderScan, ScanDepth};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// A message that is no longer where both sides knew it, as far as this run can tell.
pub(super) struct Departed {
    /// The side on which it may be somewhere else.
    pub(super) side: Side,
    pub(super) former: Former,
    /// What this run has made of it on that side: the folder and the UID.
    pub(super) ours: Option<(usize, Uid)>,
}

/// A message of which no pair tells, and which came after the folder was read.
struct Stray {
    /// Its folder, if that is one of the run's.
    work: Option<usize>,
    mailbox: MailboxName,
    uid_validity: Option<UidValidity>,
    message: Message,
}

impl Stray {
    fn folder(&self) -> FolderRef<'_> {
        FolderRef::new(&self.mailbox, self.uid_validity)
    }
}

/// A folder that may have something new.
struct Changed {
    work: Option<usize>,
    mailbox: MailboxName,
    uids: Option<UidSet>,
}

impl Work {
    /// The state in which a pair of the base stays that this run does not settle. Where a side's
    /// folder was gone, it may have been made anew since: the UID that the pair knows there is that
    /// of another message then.
    fn state_of(&self, pair: &BasePair) -> PairState {
        let gone = Side::BOTH
            .into_iter()
            .find(|side| self.views[*side].extent() == Extent::Absent);
        match pair.state() {
            PairState::Settled => gone.map_or(PairState::Settled, PairState::DeletedOn),
            deleted @ PairState::DeletedOn(_) => deleted,
        }
    }

    /// The messages of a side that are to be sent to the other, for one of these reasons.
    fn to_send(&self, side: Side, rows: &[Row]) -> impl Iterator<Item = &Message> {
        let incoming = self.merge.incoming[side.other()]
            .iter()
            .filter(|incoming| rows.contains(&incoming.row));
        incoming.filter_map(move |incoming| self.message(side, incoming.from))
    }
}

impl Sync<'_> {
    /// Looks on both sides for what was moved meanwhile.
    pub(super) fn look_for_strays(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        let departed = self.all_departed()?;
        for side in Side::BOTH {
            let mut wanted: HashMap<Trace, Vec<&Departed>> = HashMap::new();
            // What this run has made a copy of comes last, so it is taken first.
            for one in departed.iter().rev().filter(|one| one.side == side) {
                if let Some(trace) = self.trace_of(one.former, side) {
                    wanted.entry(trace).or_default().push(one);
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let mut strays: VecDeque<Stray> = self.unpaired(way, side)?.into();
            while let Some(stray) = strays.pop_front() {
                let of = trace(&stray.message).and_then(|trace| wanted.get_mut(&trace)?.pop());
                if let Some(of) = of {
                    self.follow_stray(way, &stray, of, &mut strays)?;
                }
            }
        }
        Ok(())
    }

    /// What was moved and deleted, what was copied although it was gone, and what was let go as it
    /// was gone on both sides.
    fn all_departed(&mut self) -> Result<Vec<Departed>, Error> {
        let mut all = std::mem::take(&mut self.departed);
        for (at, work) in self
            .works
            .iter()
            .enumerate()
            .filter(|(_, work)| !work.rests())
        {
            for side in Side::BOTH
                .into_iter()
                .filter(|side| !work.merge.kept[*side].is_empty())
            {
                let copies = self.copies(at, side)?;
                for kept in &work.merge.kept[side] {
                    let source = work.message(side.other(), kept.from).map(Message::uid);
                    let ours = source
                        .and_then(|source| copies.get(&source))
                        .map(|uid| (at, *uid));
                    all.push(Departed {
                        side,
                        former: kept.former,
                        ours,
                    });
                }
            }
        }
        // What has a new pair by now, of a move, a copy or mail that both sides have, is found by
        // that one.
        let known: HashSet<Former> = all.iter().map(|one| one.former).collect();
        let mut joined = self.joined();
        for (folder, work) in self.works.iter().enumerate() {
            for dropped in work
                .merge
                .dropped
                .iter()
                .filter(|dropped| dropped.row == Row::DeletedOnBoth)
            {
                let former = Former {
                    folder,
                    pair: dropped.pair,
                };
                let trace = self.trace_of(former, Side::First);
                let alike = trace
                    .and_then(|trace| joined.get_mut(&trace))
                    .filter(|count| **count > 0);
                if let Some(count) = alike {
                    *count -= 1;
                } else if !known.contains(&former) {
                    all.extend(Side::BOTH.map(|side| Departed {
                        side,
                        former,
                        ours: None,
                    }));
                }
            }
        }
        Ok(all)
    }

    /// How many messages of each look are in a new pair, as both sides have them.
    fn joined(&self) -> HashMap<Trace, usize> {
        let mut joined = HashMap::new();
        for work in &self.works {
            let messages = work
                .merge
                .joined
                .iter()
                .filter_map(|pair| work.message(Side::First, pair.messages.first));
            messages
                .filter_map(trace)
                .for_each(|trace| *joined.entry(trace).or_default() += 1);
        }
        joined
    }

    /// The messages of a side by those of the other side that they are a pair with.
    fn copies(&self, at: usize, side: Side) -> Result<HashMap<Uid, Uid>, Error> {
        let pairs = self.memory.pairs(self.works[at].record)?;
        Ok(pairs
            .iter()
            .map(|pair| (pair.uids[side.other()], pair.uids[side]))
            .collect())
    }

    fn trace_of(&self, former: Former, side: Side) -> Option<Trace> {
        let base = self.works.get(former.folder)?.base.as_ref()?;
        base.pairs().get(former.pair as usize)?.prints().trace(side)
    }

    /// What has come to a side since it was read and is in no pair.
    fn unpaired(&self, way: &mut Way<'_>, side: Side) -> Result<Vec<Stray>, Error> {
        let listing = way.repeatable(|link| link.side(side).list())?;
        let before: HashSet<&MailboxName> = self.listed.listings[side]
            .mailboxes
            .iter()
            .map(|mailbox| &mailbox.name)
            .collect();
        let works: HashMap<&MailboxName, usize> = (0..)
            .zip(&self.works)
            .filter_map(|(at, work)| Some((work.raw[side].as_ref()?, at)))
            .collect();
        let mut changed = Vec::new();
        for mailbox in listing
            .mailboxes
            .iter()
            .filter(|mailbox| mailbox.selectable)
        {
            let work = works.get(&mailbox.name).copied();
            let next = work.and_then(|at| self.works[at].state[side].counters.uid_next);
            let is_new = work.is_none() && !before.contains(&mailbox.name);
            let now = mailbox
                .status
                .as_ref()
                .and_then(|status| status.counters.uid_next);
            if is_new || next.is_some_and(|next| now.is_none_or(|now| now > next)) {
                let uids = next.map(UidNext::and_above);
                changed.push(Changed {
                    work,
                    mailbox: mailbox.name.clone(),
                    uids,
                });
            }
        }
        let scans = way.repeatable(|link| {
            let asked = changed.iter().map(|one| (&one.mailbox, one.uids.clone()));
            scan_each(link.side(side), ScanDepth::Identity, asked)
        })?;
        let mut strays = Vec::new();
        for (one, scan) in changed.into_iter().zip(scans) {
            if let Ok(scan) = scan {
                strays.extend(self.strays(side, &one, &scan)?);
            }
        }
        Ok(strays)
    }

    fn strays(&self, side: Side, of: &Changed, scan: &FolderScan) -> Result<Vec<Stray>, Error> {
        let Changed { work, mailbox, .. } = of;
        if work
            .is_some_and(|at| self.works[at].state[side].counters.uid_validity != scan.uid_validity)
        {
            return Ok(Vec::new());
        }
        let pairs = self
            .memory
            .pairs(work.and_then(|at| self.works[at].record))?;
        let paired: HashSet<Uid> = pairs.iter().map(|pair| pair.uids[side]).collect();
        let stray = |message: &Message| Stray {
            work: *work,
            mailbox: mailbox.clone(),
            uid_validity: scan.uid_validity,
            message: *message,
        };
        Ok(scan
            .messages
            .iter()
            .filter(|message| !paired.contains(&message.uid()))
            .map(stray)
            .collect())
    }

    /// Lets the next run find that the message was moved there. `others` are the strays that are
    /// left.
    fn follow_stray(
        &mut self,
        way: &mut Way<'_>,
        stray: &Stray,
        of: &Departed,
        others: &mut VecDeque<Stray>,
    ) -> Result<(), Error> {
        let Departed { side, former, ours } = *of;
        let copy = match ours {
            Some(ours) => self.find_copy(way, side, stray, ours, others)?,
            None => None,
        };
        if ours.is_some() && copy.is_none() {
            return Ok(());
        }
        let works = [
            Some(former.folder),
            stray.work,
            ours.map(|(at, _)| at),
            copy.map(|(at, _)| at),
        ];
        for at in works.into_iter().flatten() {
            self.works[at].open = true;
        }
        let work = &self.works[former.folder];
        let mut changes = Vec::new();
        if let (Some(id), Some(base)) = (work.record, &work.base)
            && let Some(pair) = base.pairs().get(former.pair as usize)
        {
            let record = changed(base, pair, work.state_of(pair), pair.prints());
            changes.push(TwoWayChange::Pair(id, Box::new(record)));
        }
        if let Some((at, uid)) = ours {
            let pairs = self.memory.pairs(self.works[at].record)?;
            let pair = pairs.iter().find(|pair| pair.uids[side] == uid);
            changes.extend(
                self.works[at]
                    .record
                    .zip(pair)
                    .map(|(id, pair)| TwoWayChange::Unpair(id, pair.uids)),
            );
        }
        // First the record, and on the disk: a recorded message that is not there any more would
        // read as a deletion.
        self.memory.write(&changes, true)?;
        if let Some((at, uid)) = copy {
            self.take_back_ours(way, side, at, uid)?;
        }
        Ok(())
    }

    /// Finds the copy of a stray that this run made, by its bytes: where the run put it, or among
    /// the `others` if someone has moved the copy, too.
    fn find_copy(
        &self,
        way: &mut Way<'_>,
        side: Side,
        stray: &Stray,
        ours: (usize, Uid),
        others: &mut VecDeque<Stray>,
    ) -> Result<Option<(usize, Uid)>, Error> {
        let Some(wanted) = self.content(way, side, stray.folder(), stray.message.uid())? else {
            return Ok(None);
        };
        let Some(folder) = self.works[ours.0].folder_on(side) else {
            return Ok(None);
        };
        if let Some(found) = self.content(way, side, folder, ours.1)? {
            return Ok((found == wanted).then_some(ours));
        }
        for at in 0..others.len() {
            let other = &others[at];
            let Some(work) = other
                .work
                .filter(|_| trace(&other.message) == trace(&stray.message))
            else {
                continue;
            };
            let uid = other.message.uid();
            if self.content(way, side, other.folder(), uid)? == Some(wanted) {
                others.remove(at);
                return Ok(Some((work, uid)));
            }
        }
        Ok(None)
    }

    /// The SHA-256 of a message. `None`: it is not there.
    fn content(
        &self,
        way: &mut Way<'_>,
        side: Side,
        folder: FolderRef<'_>,
        uid: Uid,
    ) -> Result<Option<[u8; 32]>, Error> {
        let uids = UidSet::from_iter([uid]);
        let contents = way.repeatable(|link| folder.contents(link.side(side), &uids))?;
        Ok(contents.get(&uid).map(|keys| keys.raw))
    }

    fn take_back_ours(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        at: usize,
        uid: Uid,
    ) -> Result<(), Error> {
        let work = &self.works[at];
        let (name, word) = (work.name(side), side.ordinal());
        let Some(folder) = work.folder_on(side) else {
            return Ok(());
        };
        let removal = folder.removal(UidSet::from_iter([uid]));
        let done = way.repeatable(|link| link.side(side).remove(std::slice::from_ref(&removal)))?;
        let found = format!(
            "{name}: another program moved a message on the {word} while this run was putting it there"
        );
        self.warn(&match done.into_iter().next() {
            Some(Err(refusal)) => {
                format!("{found}; the duplicate can't be removed: {}", refusal.text)
            }
            _ => format!(
                "{found}; the duplicate was removed, and the next run decides where it belongs"
            ),
        });
        Ok(())
    }

    /// Leaves alone for this run, on both sides, what was moved while the side was read: two
    /// folders showed it, and one of them does not any more.
    pub(super) fn leave_half_seen(&mut self, link: &mut Link) -> Result<(), Error> {
        for side in Side::BOTH {
            let suspects = self.seen_twice(side)?;
            let half_seen = self.gone_by_now(link, side, &suspects)?;
            self.leave_alone(&half_seen);
        }
        Ok(())
    }

    /// What messages of a side looked like that are not where it showed them any more.
    pub(super) fn gone_by_now(
        &self,
        link: &mut Link,
        side: Side,
        suspects: &[Suspect],
    ) -> Result<HashSet<Trace>, Error> {
        if suspects.is_empty() {
            return Ok(HashSet::new());
        }
        let mut folders: BTreeMap<usize, UidSet> = BTreeMap::new();
        suspects
            .iter()
            .for_each(|suspect| folders.entry(suspect.work).or_default().insert(suspect.uid));
        let works = &self.works;
        let asked: Vec<(usize, &MailboxName, UidSet)> = (folders.into_iter())
            .filter_map(|(at, uids)| Some((at, works[at].raw[side].as_ref()?, uids)))
            .collect();
        let folders = asked
            .iter()
            .map(|(_, mailbox, uids)| (*mailbox, Some(uids.clone())));
        let scans = scan_each(link.side(side), ScanDepth::Sizes, folders)?;
        let there: HashSet<(usize, Uid)> = (asked.iter().zip(scans))
            .filter_map(|((at, ..), scan)| Some((*at, scan.ok()?)))
            .flat_map(|(at, scan)| {
                scan.messages
                    .into_iter()
                    .map(move |message| (at, message.uid()))
            })
            .collect();
        let gone = suspects
            .iter()
            .filter(|suspect| !there.contains(&(suspect.work, suspect.uid)));
        Ok(gone.map(|suspect| suspect.trace).collect())
    }

    fn leave_alone(&mut self, traces: &HashSet<Trace>) {
        for work in self.works.iter_mut().filter(|_| !traces.is_empty()) {
            let mut merge = std::mem::take(&mut work.merge);
            work.open |= leave_alone(&work.folder(), &mut merge, traces);
            work.merge = merge;
        }
    }

    /// What is to be sent from a side, and looks like a message that it showed in another folder,
    /// too.
    fn seen_twice(&self, side: Side) -> Result<Vec<Suspect>, Error> {
        let mut new: HashMap<Trace, Vec<usize>> = HashMap::new();
        for (at, work) in self
            .works
            .iter()
            .enumerate()
            .filter(|(_, work)| !work.rests())
        {
            for message in work.to_send(side, &[Row::NewMail, Row::FirstRun]) {
                if let Some(trace) = trace(message) {
                    new.entry(trace).or_default().push(at);
                }
            }
        }
        let mut found = Vec::new();
        if new.is_empty() {
            return Ok(found);
        }
        let keys: HashSet<u32> = new.keys().map(|(key, _)| *key).collect();
        for (at, work) in self.works.iter().enumerate() {
            let is_elsewhere = |trace: &Trace| {
                new.get(trace)
                    .is_some_and(|places| places.iter().any(|of| *of != at))
            };
            let alike = self
                .shown_of(work, side, &keys)?
                .into_iter()
                .filter(|(trace, _)| is_elsewhere(trace));
            found.extend(alike.map(|(trace, uid)| Suspect {
                work: at,
                uid,
                trace,
            }));
        }
        Ok(found)
    }

    /// The messages with these keys that a side showed in a folder, with their UIDs: those that are
    /// known, and new ones. A folder that was in step when it was listed, and so was not read, has
    /// all that is known of it.
    fn shown_of(
        &self,
        work: &Work,
        side: Side,
        keys: &HashSet<u32>,
    ) -> Result<Vec<(Trace, Uid)>, Error> {
        if let Some(id) = work.record.filter(|_| work.in_step) {
            let pairs = self.memory.pairs_with_keys(id, keys)?;
            let there = pairs.iter().filter(|pair| pair.deleted_on != Some(side));
            let prints = |pair: &TwoWayPair| Prints::from_kept(pair.keys, pair.looks);
            return Ok(there
                .filter_map(|pair| Some((prints(pair).trace(side)?, pair.uids[side])))
                .collect());
        }
        let known = (work.base.iter().flat_map(BaseFolder::pairs))
            .filter(|pair| work.shown(side, pair.uids()[side]).is_some())
            .filter_map(|pair| Some((pair.prints().trace(side)?, pair.uids()[side])));
        let joined = work
            .merge
            .joined
            .iter()
            .filter_map(|joined| work.message(side, joined.messages[side]));
        // Without what is known, all mail is new, and the same in several folders is nothing
        // special.
        let new = work.to_send(side, &[Row::NewMail]);
        let unknown = joined
            .chain(new)
            .filter_map(|message| Some((trace(message)?, message.uid())));
        Ok(known
            .chain(unknown)
            .filter(|((key, _), _)| keys.contains(key))
            .collect())
    }
}

/// A message of a side that may have been moved or deleted since its scan showed it.
pub(super) struct Suspect {
    pub(super) work: usize,
    pub(super) uid: Uid,
    pub(super) trace: Trace,
}
