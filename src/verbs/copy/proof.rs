//! The target's own word on what was sent: that it has each message, with as many bytes as were delivered.
//!
//! An OK to an APPEND says that a server has taken a message. Some drop it all the same, or rewrite it: what is not there is
//! named as failed, what has another size is said and is not proven. Asked in one flight for all folders.

use super::Copy;
use super::carry::Sent;
use crate::event::Event;
use crate::exec::Fate;
use crate::mail::{Flags, MailboxName, Message, Side, Uid, UidSet};
use crate::plan::FolderTask;
use crate::store::{Error, FolderScan, ScanDepth, ScanRequest};
use crate::verbs::departures;
use crate::verbs::latecomers::{self, Arrival, Twice};
use crate::verbs::renumbered::{self, Corrected, Proof};
use crate::verbs::way::Way;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// What the target says of one folder's new messages.
struct Word {
    scan: FolderScan,
    /// How many of each size are in no pair yet: for messages whose UIDs were not told.
    loose: HashMap<u32, u32>,
}

impl Copy<'_> {
    /// Asks the target what it holds of what was sent. Gives the messages of which it is not proven that it holds them
    /// unchanged, by pair and UID on the source.
    pub(super) fn prove(&mut self, way: &mut Way<'_>, sent: &Sent) -> Result<HashMap<usize, UidSet>, Error> {
        let tasks: Vec<(usize, &FolderTask, &[Fate])> = sent.each().filter(|(.., fates)| has_copies(fates)).collect();
        let uids: Vec<Option<UidSet>> = tasks.iter().map(|(_, task, fates)| asked_for(task, fates)).collect();
        let put: Vec<(u32, usize)> = tasks.iter().map(|(_, task, fates)| departures::put(task, fates)).collect();
        latecomers::await_those_of_a_dead_run(!tasks.is_empty() && self.memory.follows_a_death(), way.context.stop)?;
        let scans = way.repeatable(|link| {
            let depth = ScanDepth::Sizes;
            let mut requests: Vec<ScanRequest<'_>> = Vec::new();
            for ((_, task, _), uids) in tasks.iter().zip(&uids) {
                let (mailbox, uids) = (&task.target, uids.clone());
                requests.push(ScanRequest { mailbox, depth, uids, search: None, for_writing: false });
            }
            departures::scan(link.target.as_mut(), &requests, &put)
        })?;
        let mut unproven: HashMap<usize, UidSet> = HashMap::new();
        let mut proofs = Vec::new();
        for ((of, task, fates), scan) in tasks.into_iter().zip(scans) {
            match scan.filter(|scan| scan.uid_validity == task.target_uid_validity) {
                Some(scan) => proofs.push(Proof { of, task, fates: Cow::Borrowed(fates), scan }),
                None => unproven.entry(of).or_default().add(&task.messages.iter().map(Message::uid).collect()),
            }
        }
        for corrected in renumbered::correct(way, Side::TARGET, &mut proofs)? {
            self.correct_pairs(&proofs[corrected.at], &corrected);
        }
        for (pair, uids) in self.take_back(way, &proofs)? {
            unproven.entry(pair).or_default().add(&uids);
        }
        for Proof { of: pair, task, fates, scan } in proofs {
            if scan.uid_next.is_some() && scan.highest_mod_seq.is_some() {
                self.memory.proven(&task.target, scan.counters());
            }
            let doubtful = self.compare_word(pair, task, &fates, Word::new(scan, &fates));
            unproven.entry(pair).or_default().add(&doubtful);
        }
        Ok(unproven)
    }

    /// Takes back the copies of messages that an earlier run had sent and that arrived only now. Gives them by pair and UID
    /// on the source.
    fn take_back(&mut self, way: &mut Way<'_>, proofs: &[Proof<'_>]) -> Result<HashMap<usize, UidSet>, Error> {
        let mailbox = |pair: &usize| Some(&self.folders.get(*pair)?.as_ref()?.target.as_ref()?.name);
        // What the target put there by itself looks like what somebody else did.
        let relocated_to: HashSet<&MailboxName> = self.relocated.keys().filter_map(mailbox).collect();
        let looked_at: Vec<&Proof<'_>> =
            proofs.iter().filter(|proof| !relocated_to.contains(&proof.task.target)).collect();
        let arrivals: Vec<Arrival<'_>> = (looked_at.iter())
            .map(|proof| Arrival { task: proof.task, fates: &proof.fates, scan: &proof.scan })
            .collect();
        let all = way.repeatable(|link| latecomers::find(link.target.as_mut(), &arrivals))?;
        let mut taken_back: HashMap<usize, UidSet> = HashMap::new();
        for (proof, twice) in looked_at.into_iter().zip(all).filter(|(_, twice)| !twice.is_empty()) {
            let sources = self.take_back_some(way, proof, &twice)?;
            taken_back.entry(proof.of).or_default().add(&sources);
        }
        Ok(taken_back)
    }

    fn take_back_some(&mut self, way: &mut Way<'_>, proof: &Proof<'_>, twice: &[Twice]) -> Result<UidSet, Error> {
        let pairs: Vec<(Uid, Uid, Flags)> =
            twice.iter().map(|twice| (twice.source, twice.theirs.uid(), twice.flags.clone())).collect();
        // First the record, then the removal: a run that dies between the two leaves a message that is there twice, never
        // one that is recorded and not there.
        let sources: UidSet = twice.iter().map(|twice| twice.source).collect();
        self.memory.unpair(proof.of, &sources);
        self.memory.pair(proof.of, &pairs);
        let (messages, bytes) = latecomers::take_back(way.link()?.target.as_mut(), proof.task, twice, self.observer)?;
        self.summary.copied -= messages;
        self.summary.already_there += messages;
        self.summary.bytes_copied = self.summary.bytes_copied.saturating_sub(bytes);
        Ok(sources)
    }

    fn compare_word(&mut self, pair: usize, task: &FolderTask, fates: &[Fate], mut word: Word) -> UidSet {
        let mut unproven = UidSet::default();
        let mut rewritten: Vec<(Uid, u32, u32)> = Vec::new();
        let mut lost = UidSet::default();
        let mut left: Vec<(&Message, Uid)> = Vec::new();
        let mut missed: Vec<&Message> = Vec::new();
        for (message, fate) in task.messages.iter().zip(fates) {
            let Fate::Copied { uid, bytes } = *fate else { continue };
            match (uid, uid.and_then(|uid| word.size(uid))) {
                (_, Some(size)) if size == bytes || bytes == u32::MAX => continue,
                (_, Some(size)) => rewritten.push((message.uid(), bytes, size)),
                (Some(uid), None) if departures::has_left(&word.scan, uid) => left.push((message, uid)),
                (Some(_), None) => lost.insert(message.uid()),
                (None, None) if word.take_loose(bytes) => continue,
                (None, None) => missed.push(message),
            }
            unproven.insert(message.uid());
        }
        let gone = word.left(task.target_uid_next.unwrap_or(u32::MAX), fates, missed.len());
        left.extend(missed.into_iter().zip(gone.into_iter().flatten()));
        self.note_left(pair, task, &left);
        for uid in lost.iter() {
            let reason = "the target confirmed the message but doesn't have it";
            self.observer.observe(&Event::MessageFailed { folder: &task.from, uid, heading: None, reason });
            self.summary.failed += 1;
            self.summary.copied -= 1;
            self.has_failed.insert(pair);
        }
        self.memory.unpair(pair, &lost);
        if let Some((uid, sent, stored)) = rewritten.first() {
            let text = format!(
                "{}: the target stored {} of the messages with a different size than sent, such as UID {uid} on the \
                 source: {sent} bytes became {stored}; compare their content with verify --deep",
                task.to,
                rewritten.len(),
            );
            self.observer.observe(&Event::Warning { text: &text });
        }
        unproven
    }
}

impl Copy<'_> {
    /// Records the UIDs that messages have now, instead of those that were told.
    fn correct_pairs(&self, proof: &Proof<'_>, corrected: &Corrected) {
        let mistaken: UidSet = corrected.mistaken.iter().map(|(source, _)| *source).collect();
        let pairs: Vec<(Uid, Uid, Flags)> = (proof.task.messages.iter().zip(proof.fates.iter()))
            .filter(|(message, _)| mistaken.contains(message.uid()))
            .filter_map(|(message, fate)| Some((message.uid(), fate.uid()?, proof.task.flags.get(message.flags()))))
            .collect();
        self.memory.unpair(proof.of, &mistaken);
        self.memory.pair(proof.of, &pairs);
        self.observer.observe(&Event::Warning { text: &corrected.told(&proof.task.to, "target") });
    }

    /// Records messages that have left where they were put, with the UIDs that they had there: what was moved is not sent again.
    fn note_left(&self, pair: usize, task: &FolderTask, left: &[(&Message, Uid)]) {
        if left.is_empty() {
            return;
        }
        let record = |(message, uid): &(&Message, Uid)| (message.uid(), *uid, task.flags.get(message.flags()));
        self.memory.pair(pair, &left.iter().map(record).collect::<Vec<_>>());
        let text = departures::told(&task.to, "target", left.len() as u64);
        self.observer.observe(&Event::Warning { text: &text });
    }
}

impl Word {
    fn new(scan: FolderScan, fates: &[Fate]) -> Self {
        let placed: UidSet = fates.iter().filter_map(Fate::uid).collect();
        let mut loose: HashMap<u32, u32> = HashMap::new();
        for message in scan.messages.iter().filter(|message| !placed.contains(message.uid())) {
            *loose.entry(message.size()).or_default() += 1;
        }
        Self { scan, loose }
    }

    fn size(&self, uid: Uid) -> Option<u32> {
        self.scan.message(uid).map(Message::size)
    }

    /// The UIDs of so many messages that are gone, without the target's word on which; see [`departures::left_from`].
    fn left(&self, first: u32, fates: &[Fate], count: usize) -> Option<Vec<Uid>> {
        let is_told_for = self.loose.values().all(|count| *count == 0);
        let mut accounted: UidSet = self.scan.messages.iter().filter(|_| is_told_for).map(Message::uid).collect();
        accounted.add(&fates.iter().filter_map(Fate::uid).collect());
        departures::left_from(&self.scan, first, &accounted, count)
    }

    /// Whether there is a message of this size that stands for no other one.
    fn take_loose(&mut self, size: u32) -> bool {
        match self.loose.get_mut(&size) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

fn has_copies(fates: &[Fate]) -> bool {
    fates.iter().any(Fate::is_copied)
}

/// What the target is asked for: the messages whose UIDs it told, or else all that are new.
fn asked_for(task: &FolderTask, fates: &[Fate]) -> Option<UidSet> {
    let uids: UidSet = fates.iter().filter_map(Fate::uid).collect();
    if uids.len() == fates.iter().filter(|fate| fate.is_copied()).count() as u64 {
        return Some(uids);
    }
    task.target_uid_next.and_then(Uid::new).map(UidSet::from_uid)
}
