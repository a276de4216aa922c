//! Each side's own word on what was sent to it: that it has each message, with as many bytes as were delivered, and with
//! which flags. What is not there is named as failed and its pair is forgotten. So is what a side says to have put where another
//! message is: Gmail takes equal bytes for one message, however often they are sent. Were both paired with that one, a deletion of
//! either would delete the other.

use super::copying::{Direction, Sent, sent_pair};
use super::{Sync, Work};
use crate::event::Event;
use crate::exec::Fate;
use crate::mail::{Both, Message, Side, Uid, UidSet};
use crate::plan::FolderTask;
use crate::plan::elsewhere::Sameness;
use crate::plan::merge::BaseFolder;
use crate::state::{TwoWayChange, TwoWayRefused};
use crate::store::{Error, FolderScan, ScanDepth, ScanRequest};
use crate::verbs::departures;
use crate::verbs::kept::LostDates;
use crate::verbs::latecomers::{self, Arrival, Twice};
use crate::verbs::renumbered::{self, Corrected, Proof};
use crate::verbs::way::Way;
use std::borrow::Cow;
use std::collections::HashMap;

impl Sync<'_> {
    pub(super) fn prove(&mut self, way: &mut Way<'_>, sent: &Sent) -> Result<(), Error> {
        for side in Side::BOTH {
            self.prove_side(way, side, &sent.0[side])?;
        }
        Ok(())
    }

    fn prove_side(&mut self, way: &mut Way<'_>, side: Side, direction: &Direction) -> Result<(), Error> {
        let tasks: Vec<(usize, &FolderTask, &[Fate])> =
            direction.each().filter(|(.., fates)| fates.iter().any(Fate::is_copied)).collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let asked: Vec<(ScanDepth, Option<UidSet>)> =
            tasks.iter().map(|(_, task, fates)| asked_for(task, fates)).collect();
        let put: Vec<(u32, usize)> = tasks.iter().map(|(_, task, fates)| departures::put(task, fates)).collect();
        latecomers::await_those_of_a_dead_run(self.memory.follows_a_death(), way.context.stop)?;
        let scans = way.repeatable(|link| {
            let requests: Vec<ScanRequest<'_>> = (tasks.iter().zip(&asked))
                .map(|((_, task, _), (depth, uids))| ScanRequest {
                    mailbox: &task.target,
                    depth: *depth,
                    uids: uids.clone(),
                    search: None,
                    for_writing: false,
                })
                .collect();
            departures::scan(link.side(side), &requests, &put)
        })?;
        let mut changes = Vec::new();
        let mut proofs = Vec::new();
        for ((of, task, fates), scan) in tasks.into_iter().zip(scans) {
            match scan.filter(|scan| scan.uid_validity == task.target_uid_validity) {
                Some(scan) => proofs.push(Proof { of, task, fates: Cow::Borrowed(fates), scan }),
                None => self.works[of].open = true,
            }
        }
        for corrected in renumbered::correct(way, side, &mut proofs)? {
            self.take_back_uids(side, &proofs[corrected.at], &corrected, &mut changes);
        }
        let mut taken: HashMap<usize, UidSet> = HashMap::new();
        for Proof { of: work, task, fates, scan } in &proofs {
            let taken = taken.entry(*work).or_default();
            taken.add(&self.works[*work].paired(side, task, fates));
            let firsts = firsts(fates, taken);
            self.refuse_seconds(side, *work, task, fates, &firsts, &mut changes);
            self.compare_word((side, *work), task, &firsts, scan, taken, &mut changes);
        }
        self.memory.write(&changes, false)?;
        let arrivals: Vec<Arrival<'_>> =
            proofs.iter().map(|Proof { task, fates, scan, .. }| Arrival { task, fates, scan }).collect();
        let all = way.repeatable(|link| latecomers::find(link.side(side), &arrivals))?;
        for (proof, twice) in proofs.iter().zip(all).filter(|(_, twice)| !twice.is_empty()) {
            self.take_back(way, side, proof.of, proof.task, &twice)?;
        }
        Ok(())
    }

    /// Forgets pairs by UIDs that are not those of what was sent. Those of the messages that were found come by the proof.
    fn take_back_uids(
        &mut self,
        side: Side,
        proof: &Proof<'_>,
        corrected: &Corrected,
        changes: &mut Vec<TwoWayChange>,
    ) {
        let work = &mut self.works[proof.of];
        work.open = true;
        for (source, told) in &corrected.mistaken {
            let mut uids = Both::new(*source, *source);
            uids[side] = *told;
            changes.extend(work.record.map(|id| TwoWayChange::Unpair(id, uids)));
        }
        let told = corrected.told(&proof.task.to, side.ordinal());
        self.warn(&format!("{told}; the next run rechecks the folder"));
    }

    /// Takes back the copies of messages that an earlier run had sent and that arrived only now.
    fn take_back(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        at: usize,
        task: &FolderTask,
        twice: &[Twice],
    ) -> Result<(), Error> {
        let mut changes = Vec::new();
        let source = |twice: &Twice| task.position(twice.source).map(|position| task.messages[position]);
        for (twice, message, id) in
            twice.iter().filter_map(|twice| Some((twice, source(twice)?, self.works[at].record?)))
        {
            let mut uids = Both::new(message.uid(), message.uid());
            uids[side] = twice.ours;
            changes.push(TwoWayChange::Unpair(id, uids));
            let pair = sent_pair(task, &message, twice.theirs.uid(), side, Some((&twice.theirs, &twice.flags)));
            changes.push(TwoWayChange::Pair(id, Box::new(pair)));
        }
        // First the record, and on the disk: a recorded message that is not there any more would read as a deletion.
        self.memory.write(&changes, true)?;
        self.works[at].open = true;
        let (messages, bytes) = latecomers::take_back(way.link()?.side(side), task, twice, self.observer)?;
        let way = self.way(side);
        way.copied -= messages;
        way.bytes_copied = way.bytes_copied.saturating_sub(bytes);
        Ok(())
    }

    /// Messages that a side took for another one are left where they are, as if it had refused them.
    fn refuse_seconds(
        &mut self,
        side: Side,
        at: usize,
        task: &FolderTask,
        fates: &[Fate],
        firsts: &[Fate],
        changes: &mut Vec<TwoWayChange>,
    ) {
        let seconds = task.messages.iter().zip(fates.iter().zip(firsts)).filter(|(_, (fate, first))| fate != first);
        for (message, _) in seconds {
            let reason = format!("the {} treats it as a duplicate of a message already in that folder", side.ordinal());
            let uid = message.uid();
            self.observer.observe(&Event::MessageFailed { folder: &task.from, uid, heading: None, reason: &reason });
            if let Some(id) = self.works[at].record {
                let refused = TwoWayRefused { side: side.other(), uid, reason };
                changes.push(TwoWayChange::Refuse(id, Box::new(refused)));
            }
            let way = self.way(side);
            way.failed += 1;
            way.copied -= 1;
            way.copied_server_side = way.copied_server_side.min(way.copied);
            self.works[at].open = true;
        }
    }

    fn compare_word(
        &mut self,
        (side, at): (Side, usize),
        task: &FolderTask,
        fates: &[Fate],
        scan: &FolderScan,
        taken: &mut UidSet,
        changes: &mut Vec<TwoWayChange>,
    ) {
        let record = self.works[at].record;
        let mut rewritten: Vec<(Uid, u32, u32)> = Vec::new();
        let mut lost_dates = LostDates::default();
        let mut loose = loose(fates, scan);
        let mut left: Vec<(&Message, Uid)> = Vec::new();
        let mut missed: Vec<&Message> = Vec::new();
        for (message, fate) in task.messages.iter().zip(fates) {
            let Fate::Copied { uid: told, bytes } = *fate else { continue };
            let uid = told.or_else(|| loose.get_mut(&Sameness::of(message)?)?.pop());
            match (uid.and_then(|uid| scan.message(uid)), told) {
                (Some(copy), _) => {
                    taken.insert(copy.uid());
                    if copy.size() != bytes && bytes != u32::MAX {
                        rewritten.push((message.uid(), bytes, copy.size()));
                    }
                    lost_dates.compare(message, copy);
                    let flags = scan.flags.get(copy.flags());
                    let pair = sent_pair(task, message, copy.uid(), side, Some((copy, &flags)));
                    changes.extend(record.map(|id| TwoWayChange::Pair(id, Box::new(pair))));
                }
                (None, Some(uid)) if departures::has_left(scan, uid) => left.push((message, uid)),
                (None, Some(uid)) => self.miss((side, at), task, message, uid, changes),
                (None, None) => missed.push(message),
            }
        }
        let first = task.target_uid_next.unwrap_or(u32::MAX);
        let gone = departures::left_from(scan, first, taken, missed.len());
        // Where they are was not told: the next run pairs them.
        self.works[at].open |= !missed.is_empty() && gone.is_none();
        left.extend(missed.into_iter().zip(gone.into_iter().flatten()));
        self.note_left((side, at), task, &left, changes);
        taken.add(&left.iter().map(|(_, uid)| *uid).collect());
        if let Some(text) = lost_dates.told(&task.to, side.ordinal(), side.other().ordinal()) {
            self.warn(&text);
        }
        if let Some((uid, sent, stored)) = rewritten.first() {
            self.warn(&format!(
                "{}: the {} stored {} of the messages with a different size than sent, such as UID {uid} on the other \
                 side: {sent} bytes became {stored}; compare their content with verify --deep",
                task.to,
                side.ordinal(),
                rewritten.len(),
            ));
        }
    }

    /// Names a message that a side took and never had.
    fn miss(
        &mut self,
        (side, at): (Side, usize),
        task: &FolderTask,
        message: &Message,
        told: Uid,
        changes: &mut Vec<TwoWayChange>,
    ) {
        let work = &mut self.works[at];
        work.open = true;
        let mut uids = Both::new(message.uid(), message.uid());
        uids[side] = told;
        changes.extend(work.record.map(|id| TwoWayChange::Unpair(id, uids)));
        let reason = format!("the {} confirmed the message but doesn't have it", side.ordinal());
        let uid = message.uid();
        self.observer.observe(&Event::MessageFailed { folder: &task.from, uid, heading: None, reason: &reason });
        let way = self.way(side);
        way.failed += 1;
        way.copied -= 1;
    }

    /// Records messages that have left where they were put with the UIDs that they had there, so that the next run takes what
    /// happened to them for the change that it is: it moves or deletes them on the other side.
    fn note_left(
        &mut self,
        (side, at): (Side, usize),
        task: &FolderTask,
        left: &[(&Message, Uid)],
        changes: &mut Vec<TwoWayChange>,
    ) {
        if left.is_empty() {
            return;
        }
        self.works[at].open = true;
        let pair = |(message, uid): &(&Message, Uid)| Box::new(sent_pair(task, message, *uid, side, None));
        changes.extend(
            self.works[at]
                .record
                .into_iter()
                .flat_map(|id| left.iter().map(move |left| TwoWayChange::Pair(id, pair(left)))),
        );
        let told = departures::told(&task.to, side.ordinal(), left.len() as u64);
        self.warn(&format!("{told}; the next run carries that over"));
    }
}

impl Work {
    /// The messages of a side that are in a pair, of those that were there before; nothing where all that was sent is new.
    fn paired(&self, side: Side, task: &FolderTask, fates: &[Fate]) -> UidSet {
        let is_older = |uid: &Uid| task.target_uid_next.is_none_or(|next| uid.get() < next);
        if !fates.iter().filter_map(Fate::uid).any(|uid| is_older(&uid)) {
            return UidSet::default();
        }
        let base = self.base.iter().flat_map(BaseFolder::pairs).map(|pair| pair.uids()[side]);
        let joined = self.merge.joined.iter().filter_map(|joined| self.message(side, joined.messages[side]));
        let mut paired: Vec<Uid> = base.chain(joined.map(Message::uid)).filter(is_older).collect();
        paired.sort_unstable();
        paired.into_iter().collect()
    }
}

/// What became of messages, where those that were put where another one is have failed. The others are noted as taken.
fn firsts(fates: &[Fate], taken: &mut UidSet) -> Vec<Fate> {
    let judge = |fate: &Fate| match fate.uid() {
        Some(uid) if taken.contains(uid) => Fate::Failed,
        Some(uid) => {
            taken.insert(uid);
            *fate
        }
        None => *fate,
    };
    fates.iter().map(judge).collect()
}

/// What a side is asked for: the messages whose UIDs it told, or else all that are new, with their headers.
fn asked_for(task: &FolderTask, fates: &[Fate]) -> (ScanDepth, Option<UidSet>) {
    let uids: UidSet = fates.iter().filter_map(Fate::uid).collect();
    if uids.len() == fates.iter().filter(|fate| fate.is_copied()).count() as u64 {
        return (ScanDepth::Attributes, Some(uids));
    }
    (ScanDepth::Identity, task.target_uid_next.and_then(Uid::new).map(UidSet::from_uid))
}

/// New messages that are in no pair yet.
fn loose(fates: &[Fate], scan: &FolderScan) -> HashMap<Sameness, Vec<Uid>> {
    let placed: UidSet = fates.iter().filter_map(Fate::uid).collect();
    let mut loose: HashMap<Sameness, Vec<Uid>> = HashMap::new();
    for message in scan.messages.iter().filter(|message| !placed.contains(message.uid())) {
        if let Some(same) = Sameness::of(message) {
            loose.entry(same).or_default().push(message.uid());
        }
    }
    loose
}
