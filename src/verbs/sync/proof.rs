//! What is recorded and said of each side's word on what was sent to it: with which flags each
//! message is there. What is not there is named as failed and its pair is forgotten. So is what a
//! side says to have put where another message is: Gmail takes equal bytes for one message, however
//! often they are sent. Were both paired with that one, a deletion of either would delete the
//! other.

use super::copying::sent_pair;
use super::deleting::Unproven;
use super::{Sync, Work};
use crate::engine::departures;
use crate::engine::kept::LostDates;
use crate::engine::latecomers::{self, Twice};
use crate::engine::proof::{self, Closeness, Says, Word};
use crate::engine::renumbered::Corrected;
use crate::engine::sent::{Proof, Sent};
use crate::engine::way::Way;
use crate::event::{Event, Place};
use crate::exec::Fate;
use crate::mail::{Both, Message, Side, Uid, UidSet};
use crate::plan::merge::BaseFolder;
use crate::state::{TwoWayChange, TwoWayRefused};
use crate::store::Error;
use std::collections::HashMap;

impl Sync<'_> {
    /// Asks each side what it holds of what was sent to it. Returns the messages that may not be
    /// there.
    pub(super) fn prove(
        &mut self,
        way: &mut Way<'_>,
        sent: &Both<Sent>,
    ) -> Result<Both<Unproven>, Error> {
        let mut unproven: Both<Unproven> = Both::default();
        for side in Side::BOTH {
            if sent[side].has_copies() {
                unproven[side] = self.prove_side(way, side, &sent[side])?;
            }
        }
        Ok(unproven)
    }

    fn prove_side(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        sent: &Sent,
    ) -> Result<Unproven, Error> {
        latecomers::await_those_of_a_dead_run(self.memory.follows_a_death(), way.context.stop)?;
        let answer = proof::ask(way, side, sent, Closeness::Attributes)?;
        let mut unproven = Unproven::new();
        for (at, task) in answer.silent {
            self.works[at].open = true;
            let uids = task.messages.iter().map(Message::uid).collect();
            unproven.entry(at).or_default().add(&uids);
        }
        let mut changes = Vec::new();
        for corrected in answer.corrected {
            self.take_back_uids(side, &answer.proofs[corrected.at], &corrected, &mut changes);
        }
        let mut taken: HashMap<usize, UidSet> = HashMap::new();
        for proof in &answer.proofs {
            let taken = taken.entry(proof.of).or_default();
            taken.add(&self.works[proof.of].paired(side, proof));
            let (recorded, lost) = self.take_word(side, proof, taken);
            changes.extend(recorded);
            unproven.entry(proof.of).or_default().add(&lost);
        }
        self.memory.write(&changes, false)?;
        let proofs: Vec<&Proof<'_>> = answer.proofs.iter().collect();
        let arrived = self.works.iter().filter_map(|work| {
            let arrived = Some(&work.arrived[side]).filter(|arrived| !arrived.uids.is_empty())?;
            Some((work.raw[side].as_ref()?, arrived.clone()))
        });
        let arrived = arrived.collect();
        let all = way.repeatable(|link| latecomers::find(link.side(side), &proofs, &arrived))?;
        for (proof, twice) in proofs
            .into_iter()
            .zip(all)
            .filter(|(_, twice)| !twice.is_empty())
        {
            self.take_back(way, side, proof, &twice)?;
        }
        Ok(unproven)
    }

    /// Forgets pairs by UIDs that are not those of what was sent. Those of the messages that were
    /// found come by the proof.
    fn take_back_uids(
        &mut self,
        side: Side,
        proof: &Proof<'_>,
        corrected: &Corrected,
        changes: &mut Vec<TwoWayChange>,
    ) {
        let work = &mut self.works[proof.of];
        work.open = true;
        let told = corrected
            .mistaken
            .iter()
            .map(|(source, told)| uids(side, *source, *told));
        changes.extend(told.filter_map(|uids| Some(TwoWayChange::Unpair(work.record?, uids))));
        let told = corrected.told(&proof.task.to, side.ordinal());
        self.warn(&format!("{told}; the next run rechecks the folder"));
    }

    /// Takes back the copies of messages that an earlier run had sent and that arrived only now.
    fn take_back(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        proof: &Proof<'_>,
        twice: &[Twice],
    ) -> Result<(), Error> {
        let task = proof.task;
        let mut changes = Vec::new();
        for twice in twice {
            let message = task
                .position(twice.source)
                .map(|position| task.messages[position]);
            let Some((message, id)) = message.zip(self.works[proof.of].record) else {
                continue;
            };
            changes.push(TwoWayChange::Unpair(
                id,
                uids(side, message.uid(), twice.ours),
            ));
            let pair = sent_pair(
                task,
                &message,
                twice.theirs.uid(),
                side,
                Some((&twice.theirs, &twice.flags)),
            );
            changes.push(TwoWayChange::Pair(id, Box::new(pair)));
        }
        // First the record, and on the disk: a recorded message that is not there any more would
        // read as a deletion.
        self.memory.write(&changes, true)?;
        self.works[proof.of].open = true;
        let (messages, bytes) =
            latecomers::take_back(way.link()?.side(side), task, twice, self.observer)?;
        let way = self.way(side);
        way.copied -= messages;
        way.bytes_copied = way.bytes_copied.saturating_sub(bytes);
        Ok(())
    }

    /// Returns what is to be recorded of a side's word on one folder, and the messages that it has
    /// lost.
    fn take_word(
        &mut self,
        side: Side,
        proof: &Proof<'_>,
        taken: &mut UidSet,
    ) -> (Vec<TwoWayChange>, UidSet) {
        let Proof { of, task, scan, .. } = proof;
        let words = proof.words(Closeness::Attributes, taken);
        let mut changes = Vec::new();
        let mut lost_dates = LostDates::default();
        let mut left: Vec<(&Message, Uid)> = Vec::new();
        let mut lost = UidSet::default();
        for Word { message, says } in &words {
            match says {
                Says::There(copy) | Says::Resized(copy, _) => {
                    lost_dates.compare(message, copy);
                    let flags = scan.flags.get(copy.flags());
                    let pair = sent_pair(task, message, copy.uid(), side, Some((copy, &flags)));
                    changes.extend(
                        self.works[*of]
                            .record
                            .map(|id| TwoWayChange::Pair(id, Box::new(pair))),
                    );
                }
                Says::Second => changes.extend(self.refuse_second(side, proof, message)),
                Says::Left(uid) => left.push((message, *uid)),
                Says::Lost(told) => {
                    let reason = format!(
                        "the {} confirmed the message but doesn't have it",
                        side.ordinal()
                    );
                    self.take_off(side, proof, message, &reason);
                    lost.insert(message.uid());
                    let uids = uids(side, message.uid(), *told);
                    changes.extend(
                        self.works[*of]
                            .record
                            .map(|id| TwoWayChange::Unpair(id, uids)),
                    );
                }
                // Where it is was not told: the next run pairs it.
                Says::Untold => self.works[*of].open = true,
            }
        }
        changes.extend(self.note_left(side, proof, &left));
        let (here, there) = (side.ordinal(), side.other().ordinal());
        let texts = [
            lost_dates.told(&task.to, here, there),
            proof::told_resized(task, &words, here, there),
        ];
        texts
            .into_iter()
            .flatten()
            .for_each(|text| self.warn(&text));
        (changes, lost)
    }

    /// Leaves a message that a side took for another one where it is, as if it had been refused.
    fn refuse_second(
        &mut self,
        side: Side,
        proof: &Proof<'_>,
        message: &Message,
    ) -> Option<TwoWayChange> {
        let reason = format!(
            "the {} treats it as a duplicate of a message already in that folder",
            side.ordinal()
        );
        self.take_off(side, proof, message, &reason);
        let way = self.way(side);
        way.copied_server_side = way.copied_server_side.min(way.copied);
        let refused = TwoWayRefused {
            side: side.other(),
            uid: message.uid(),
            reason,
        };
        Some(TwoWayChange::Refuse(
            self.works[proof.of].record?,
            Box::new(refused),
        ))
    }

    /// Names a message that counted as copied and is not there.
    fn take_off(&mut self, side: Side, proof: &Proof<'_>, message: &Message, reason: &str) {
        self.works[proof.of].open = true;
        let uid = message.uid();
        self.observer.observe(&Event::MessageFailed {
            place: Some(Place {
                side: side.other(),
                mailbox: &proof.task.source,
                uid_validity: proof.task.source_uid_validity,
            }),
            folder: &proof.task.from,
            uid,
            heading: None,
            reason,
        });
        let way = self.way(side);
        way.failed += 1;
        way.copied -= 1;
    }

    /// Records messages that have left where they were put with the UIDs that they had there, so
    /// that the next run takes what happened to them for the change that it is: it moves or deletes
    /// them on the other side.
    fn note_left(
        &mut self,
        side: Side,
        proof: &Proof<'_>,
        left: &[(&Message, Uid)],
    ) -> Vec<TwoWayChange> {
        if left.is_empty() {
            return Vec::new();
        }
        let work = &mut self.works[proof.of];
        work.open = true;
        let change = |(message, uid): &(&Message, Uid)| {
            Some(TwoWayChange::Pair(
                work.record?,
                Box::new(sent_pair(proof.task, message, *uid, side, None)),
            ))
        };
        let changes = left.iter().filter_map(change).collect();
        let told = departures::told(&proof.task.to, side.ordinal(), left.len() as u64);
        self.warn(&format!("{told}; the next run carries that over"));
        changes
    }
}

/// The UIDs of a message and its copy on a side.
fn uids(side: Side, source: Uid, copy: Uid) -> Both<Uid> {
    Both::of(|here| if here == side { copy } else { source })
}

impl Work {
    /// The messages of a side that are in a pair, of those that were there before; nothing where
    /// all that was sent is new.
    fn paired(&self, side: Side, proof: &Proof<'_>) -> UidSet {
        let is_older = |uid: &Uid| {
            proof
                .task
                .target_uid_next
                .is_none_or(|next| next.has_assigned(*uid))
        };
        if !proof
            .fates
            .iter()
            .filter_map(Fate::uid)
            .any(|uid| is_older(&uid))
        {
            return UidSet::default();
        }
        let base = self
            .base
            .iter()
            .flat_map(BaseFolder::pairs)
            .map(|pair| pair.uids()[side]);
        let joined = self
            .merge
            .joined
            .iter()
            .filter_map(|joined| self.message(side, joined.messages[side]));
        let mut paired: Vec<Uid> = base
            .chain(joined.map(Message::uid))
            .filter(is_older)
            .collect();
        paired.sort_unstable();
        paired.into_iter().collect()
    }
}
