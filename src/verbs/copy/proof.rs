//! What is recorded and said of the target's word on what was sent: what is not there has failed,
//! what has another size is not proven.

use super::Copy;
use crate::engine::departures;
use crate::engine::latecomers::{self, Twice};
use crate::engine::proof::{self, Closeness, Says, Word};
use crate::engine::renumbered::Corrected;
use crate::engine::sent::{Proof, Sent};
use crate::engine::way::Way;
use crate::event::{Event, Place};
use crate::mail::{Flags, Message, Side, Uid, UidSet};
use crate::plan::FolderTask;
use crate::store::Error;
use std::collections::HashMap;

impl Copy<'_> {
    /// Asks the target what it holds of what was sent. Gives the messages of which it is not proven
    /// that it holds them unchanged, by pair and UID on the source.
    pub(super) fn prove(
        &mut self,
        way: &mut Way<'_>,
        sent: &Sent,
    ) -> Result<HashMap<usize, UidSet>, Error> {
        let died = sent.has_copies() && self.memory.follows_a_death();
        latecomers::await_those_of_a_dead_run(died, way.context.stop)?;
        let answer = proof::ask(way, Side::TARGET, sent, Closeness::Sizes)?;
        let mut unproven: HashMap<usize, UidSet> = HashMap::new();
        for (pair, task) in answer.silent {
            unproven
                .entry(pair)
                .or_default()
                .add(&task.messages.iter().map(Message::uid).collect());
        }
        for corrected in answer.corrected {
            self.correct_pairs(&answer.proofs[corrected.at], &corrected);
        }
        for (pair, uids) in self.take_back(way, &answer.proofs)? {
            unproven.entry(pair).or_default().add(&uids);
        }
        let estimates_sizes = way.link()?.target.estimates_sizes();
        for proof in &answer.proofs {
            if proof.scan.uid_next.is_some() && proof.scan.highest_mod_seq.is_some() {
                self.memory
                    .proven(&proof.task.target, proof.scan.counters());
            }
            unproven
                .entry(proof.of)
                .or_default()
                .add(&self.take_word(proof, estimates_sizes));
        }
        Ok(unproven)
    }

    /// Takes back the copies of messages that an earlier run had sent and that arrived only now.
    /// Gives them by pair and UID on the source.
    fn take_back(
        &mut self,
        way: &mut Way<'_>,
        proofs: &[Proof<'_>],
    ) -> Result<HashMap<usize, UidSet>, Error> {
        let arrived = self.folders.arrived();
        let looked_at: Vec<&Proof<'_>> = proofs.iter().collect();
        let all =
            way.repeatable(|link| latecomers::find(link.target.as_mut(), &looked_at, &arrived))?;
        let mut taken_back: HashMap<usize, UidSet> = HashMap::new();
        for (proof, twice) in looked_at
            .into_iter()
            .zip(all)
            .filter(|(_, twice)| !twice.is_empty())
        {
            let sources = self.take_back_some(way, proof, &twice)?;
            taken_back.entry(proof.of).or_default().add(&sources);
        }
        Ok(taken_back)
    }

    fn take_back_some(
        &mut self,
        way: &mut Way<'_>,
        proof: &Proof<'_>,
        twice: &[Twice],
    ) -> Result<UidSet, Error> {
        let pairs: Vec<(Uid, Uid, Flags)> = twice
            .iter()
            .map(|twice| (twice.source, twice.theirs.uid(), twice.flags.clone()))
            .collect();
        // First the record, then the removal: a run that dies between the two leaves a message that
        // is there twice, never one that is recorded and not there.
        let sources: UidSet = twice.iter().map(|twice| twice.source).collect();
        self.memory.unpair(proof.of, &sources);
        self.memory.pair(proof.of, &pairs);
        let (messages, bytes) = latecomers::take_back(
            way.link()?.target.as_mut(),
            proof.task,
            twice,
            self.observer,
        )?;
        self.summary.copied -= messages;
        self.summary.already_there += messages;
        self.summary.bytes_copied = self.summary.bytes_copied.saturating_sub(bytes);
        Ok(sources)
    }

    /// Records the target's word on one folder. Gives the messages that are not proven to be there
    /// as they were sent.
    fn take_word(&mut self, proof: &Proof<'_>, estimates_sizes: bool) -> UidSet {
        let words = proof.words(Closeness::Sizes, &mut UidSet::default());
        let mut unproven = UidSet::default();
        let mut lost = UidSet::default();
        let mut left: Vec<(&Message, Uid)> = Vec::new();
        for Word { message, says } in &words {
            match says {
                Says::There(_) => continue,
                Says::Left(uid) => left.push((message, *uid)),
                Says::Lost(_) => lost.insert(message.uid()),
                Says::Resized(..) | Says::Second | Says::Untold => {}
            }
            unproven.insert(message.uid());
        }
        self.note_left(proof, &left);
        self.note_lost(proof, &lost);
        // A size that is only an estimate says nothing.
        let told = proof::told_resized(proof.task, &words, "target", "source");
        if let Some(text) = told.filter(|_| !estimates_sizes) {
            self.observer.observe(&Event::Warning { text: &text });
        }
        unproven
    }

    fn note_lost(&mut self, proof: &Proof<'_>, lost: &UidSet) {
        for uid in lost.iter() {
            let reason = "the target confirmed the message but doesn't have it";
            self.observer.observe(&Event::MessageFailed {
                place: Some(Place {
                    side: Side::SOURCE,
                    mailbox: &proof.task.source,
                    uid_validity: proof.task.source_uid_validity,
                }),
                folder: &proof.task.from,
                uid,
                heading: None,
                reason,
            });
            self.summary.failed += 1;
            self.summary.copied -= 1;
            self.folders[proof.of].has_failed = true;
        }
        self.memory.unpair(proof.of, lost);
    }

    /// Records the UIDs that messages have now, instead of those that were told.
    fn correct_pairs(&self, proof: &Proof<'_>, corrected: &Corrected) {
        let mistaken: UidSet = corrected
            .mistaken
            .iter()
            .map(|(source, _)| *source)
            .collect();
        let pairs: Vec<(Uid, Uid, Flags)> = (proof.task.messages.iter().zip(proof.fates.iter()))
            .filter(|(message, _)| mistaken.contains(message.uid()))
            .filter_map(|(message, fate)| {
                Some((
                    message.uid(),
                    fate.uid()?,
                    proof.task.flags.get(message.flags()),
                ))
            })
            .collect();
        self.memory.unpair(proof.of, &mistaken);
        self.memory.pair(proof.of, &pairs);
        self.observer.observe(&Event::Warning {
            text: &corrected.told(&proof.task.to, "target"),
        });
    }

    /// Records messages that have left where they were put, with the UIDs that they had there: what
    /// was moved is not sent again.
    fn note_left(&self, proof: &Proof<'_>, left: &[(&Message, Uid)]) {
        if left.is_empty() {
            return;
        }
        let FolderTask { to, flags, .. } = proof.task;
        let record =
            |(message, uid): &(&Message, Uid)| (message.uid(), *uid, flags.get(message.flags()));
        self.memory
            .pair(proof.of, &left.iter().map(record).collect::<Vec<_>>());
        let text = departures::told(to, "target", left.len() as u64);
        self.observer.observe(&Event::Warning { text: &text });
    }
}
