//! Lets the target copy or move messages from one of its folders to another, and makes sure where
//! they are.
//!
//! What it keeps true: a message counts as relocated only when it is known where it is now, by
//! COPYUID or by having been found there; what is not found is sent as if nothing had been tried. A
//! connection that breaks leaves a doubt that is settled the same way, so no message is copied
//! twice.

use super::Copy;
use super::elsewhere::Job;
use crate::engine::flagging::{FlagChanges, FlagWork, change_flags_on};
use crate::engine::relocate::{self, Arrived, Errand};
use crate::engine::way::Way;
use crate::event::Event;
use crate::mail::{MailboxName, Message, Side, Uid, UidSet};
use crate::store::{Error, FlagEdit, Refusal};
use crate::verbs::opening::Names;
use std::collections::BTreeMap;

/// A message that was to leave a folder of the target and may still be there.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    pub(super) job: Job,
    /// Whether it has to be sent, as the target did not take it over: only once it is there may
    /// this one go.
    pub(super) is_sent: bool,
}

impl Copy<'_> {
    /// Carries out jobs. Gives those that have to be sent after all.
    pub(super) fn relocate(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        jobs: Vec<Job>,
    ) -> Result<Vec<Job>, Error> {
        let (jobs, unplaced): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| self.errand(job).is_some());
        let errands: Vec<Errand<'_>> = jobs.iter().filter_map(|job| self.errand(job)).collect();
        let outcomes = relocate::relocate(way, Side::TARGET, &errands, &|_, _| false)?;
        for (at, refusal) in &outcomes.refusals {
            self.tell_refused(&jobs[*at], refusal);
        }
        let placed: Vec<Option<Uid>> = outcomes.each.iter().map(|outcome| outcome.placed).collect();
        self.add_lacking_flags(way, &jobs, &placed)?;
        let mut left = unplaced;
        let mut done: BTreeMap<usize, Vec<(Job, Uid)>> = BTreeMap::new();
        for (job, outcome) in jobs.into_iter().zip(outcomes.each) {
            // What had to leave and may still be where it was is seen to with what is deleted.
            if job.leave && (outcome.placed.is_none() || outcome.was_untold) {
                self.leftovers.push(Leftover {
                    job: job.clone(),
                    is_sent: outcome.placed.is_none(),
                });
            }
            match outcome.placed {
                Some(uid) => done.entry(job.pair).or_default().push((job, uid)),
                None => left.push(job),
            }
        }
        for (pair, jobs) in done {
            self.conclude(names, pair, &jobs);
        }
        Ok(left)
    }

    fn target_name(&self, pair: usize) -> Option<&MailboxName> {
        Some(&self.folders.target(pair)?.name)
    }

    /// What is asked of the target for a job. `None`: it has no folder for it.
    pub(super) fn errand<'j>(&'j self, job: &'j Job) -> Option<Errand<'j>> {
        let target = self.folders.target(job.pair)?;
        Some(Errand {
            from: &job.from.mailbox,
            from_uid_validity: job.from.uid_validity,
            uid: job.from.uid,
            to: target.folder(),
            leave: job.leave,
            same: Some(job.same),
        })
    }

    fn tell_refused(&self, job: &Job, refusal: &Refusal) {
        let verb = if job.leave { "move" } else { "copy" };
        let text = format!(
            "the target did not {verb} all messages from {}: {}",
            job.from.mailbox, refusal.text
        );
        self.observer.observe(&Event::Warning { text: &text });
    }

    /// Gives relocated messages the flags that they have on the source and did not bring along.
    /// None brought too many: those are sent (`elsewhere`).
    fn add_lacking_flags(
        &mut self,
        way: &mut Way<'_>,
        jobs: &[Job],
        placed: &[Option<Uid>],
    ) -> Result<(), Error> {
        let mut changes: BTreeMap<usize, FlagChanges> = BTreeMap::new();
        for (job, uid) in jobs.iter().zip(placed) {
            let Some(uid) = *uid else { continue };
            let flags = self
                .wanted_flags(job.pair, &job.message)
                .minus(&job.from.flags);
            let of_pair = changes.entry(job.pair).or_default();
            of_pair.add(FlagEdit::Add, flags, uid);
        }
        let works = changes
            .into_iter()
            .filter_map(|(of, changes)| Some(FlagWork::new(of, self.target_name(of)?, changes)));
        for outcome in change_flags_on(way, Side::TARGET, works.collect())? {
            for refused in &outcome.refused {
                let mailbox = self.target_name(outcome.of);
                let mailbox = mailbox.map(MailboxName::to_string).unwrap_or_default();
                let text = format!("{mailbox}: {}", refused.told("target"));
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        Ok(())
    }

    /// Messages are where they were wanted, in the folder of this pair.
    fn conclude(&mut self, names: &Names<'_>, pair: usize, jobs: &[(Job, Uid)]) {
        self.summary.copied += jobs.len() as u64;
        self.summary.copied_server_side += jobs.len() as u64;
        let Some(needs) = self.folders.needs_mut(pair) else {
            return;
        };
        let mut arrived = Arrived::default();
        if let Some(target) = &mut needs.target {
            // What is sent now comes after it: a lost reply must not be looked for among what was
            // relocated.
            let uid_next = &mut target.side.counters.uid_next;
            arrived.note(*uid_next, jobs.iter().map(|(_, uid)| *uid));
            *uid_next = uid_next.map(|before| before.max(arrived.next()));
        }
        let of = |(job, uid): &(Job, Uid)| {
            (
                job.message.uid(),
                *uid,
                needs.flags.get(job.message.flags()),
            )
        };
        let pairs: Vec<_> = jobs.iter().map(of).collect();
        let uids: UidSet = pairs.iter().map(|(source, ..)| *source).collect();
        needs.missing = without(&needs.missing, &uids);
        self.memory.relocated(pair, &pairs);
        for (job, _) in jobs.iter().filter(|(job, _)| job.leave) {
            self.memory.removed(&job.from.mailbox, 1);
        }
        let folder = names.pairs[pair].from.to_string();
        for uid in uids.iter() {
            self.observer.observe(&Event::MessageCopied {
                to: Side::TARGET,
                place: None,
                folder: &folder,
                uid,
                bytes: 0,
            });
        }
        self.folders[pair].relocated.add(&uids);
        self.folders[pair].arrived.add(&arrived);
    }
}

/// The messages of a list that are not among these, by UID.
pub(super) fn without(messages: &[Message], uids: &UidSet) -> Vec<Message> {
    messages
        .iter()
        .filter(|message| !uids.contains(message.uid()))
        .copied()
        .collect()
}
