//! Carries out the plan of a copy, step by step: folders, flags, what the target takes from itself,
//! what is sent, the proof of it, and at last what is deleted.

use super::early::Early;
use super::elsewhere::{Job, Place, Twin};
use super::relocate::without;
use super::{Copy, Status};
use crate::engine::relocate::{self, Errand, Outcome};
use crate::engine::sent::Sent;
use crate::engine::way::{self, Way};
use crate::exec::{self, Context, Fate, Journal, Lanes, Link, Tally};
use crate::mail::{Message, Side, SpecialUse, Uid, UidSet};
use crate::plan::FolderTask;
use crate::store::Error;
use crate::verbs::opening::Names;
use crate::verbs::{Deleting, MessageFilter};
use std::collections::HashMap;

/// For fewer messages and bytes than these the one connection that there is takes no longer than
/// others take to be made.
const MANY_MESSAGES: u64 = 50;
const MANY_BYTES: u64 = 256 << 10;

impl Copy<'_> {
    pub(super) fn carry_out(
        &mut self,
        link: Link,
        names: &Names<'_>,
        context: &Context<'_>,
        mut early: Option<Early<'_>>,
    ) {
        let (traffic, failure) = way::carry_out(context, link, |way| {
            let done = self.steps(way, names, &mut early);
            if let Some(early) = early.take() {
                let tally = self.end_early(early);
                way.settle(tally);
            }
            done
        });
        self.summary.traffic += traffic;
        if let Some(error) = failure {
            self.summary.status = Status::Stopped(error);
        }
    }

    /// How many lanes there will be work for, as far as the listings tell: where the target is
    /// empty, nothing is there already and nothing can be copied from other folders of its own.
    pub(super) fn lanes_from_listing(&self, lanes: Lanes, names: &Names<'_>) -> usize {
        let is_certain = self.prepares_ahead()
            && self.options.filter == MessageFilter::default()
            && names
                .target
                .mailboxes
                .iter()
                .all(|folder| folder.status.is_none() || folder.is_empty())
            && !names.pairs.iter().any(|pair| self.memory.has(pair, names));
        if !is_certain {
            return 1;
        }
        let own = names.pairs.iter().filter(|pair| !pair.view);
        let messages = own
            .filter_map(|pair| names.messages(pair))
            .filter(|messages| *messages > 0);
        let (pieces, total) = messages.fold((0, 0), |(pieces, total), messages| {
            (pieces + 1, total + messages)
        });
        if total < MANY_MESSAGES {
            1
        } else {
            lanes.first.min(pieces).max(1)
        }
    }

    /// As many lanes as there are pieces, as far as the listings tell.
    pub(super) fn lanes_for_pieces(lanes: Lanes, names: &Names<'_>, asks_for_each: bool) -> Lanes {
        let folders = names.pairs.iter().filter_map(|pair| names.messages(pair));
        let pieces: u64 = folders
            .map(|messages| crate::plan::pieces_of(messages, asks_for_each))
            .sum();
        lanes.up_to(usize::try_from(pieces).unwrap_or(usize::MAX))
    }

    /// How many lanes there is work for, whatever becomes of it.
    pub(super) fn lanes_for_certain(&self, lanes: Lanes) -> usize {
        let (mut pieces, mut messages, mut bytes) = (0, 0, 0);
        for needs in self.folders.all_needs() {
            let to_send = (needs.missing.len() as u64).saturating_sub(needs.server_side);
            pieces += usize::from(to_send > 0);
            messages += to_send;
            bytes += needs.bytes_to_send();
        }
        if messages < MANY_MESSAGES && bytes < MANY_BYTES {
            1
        } else {
            lanes.first.min(pieces).max(1)
        }
    }

    fn steps(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        early: &mut Option<Early<'_>>,
    ) -> Result<(), Error> {
        self.rename_folders(way, names)?;
        let link = way.link()?;
        self.create_folders(link, names.pairs)?;
        self.subscribe(way, names)?;
        self.change_flags(way, names.pairs)?;
        self.mark_damaged(way)?;
        self.memory.begin(names, &self.folders);
        let jobs = std::mem::take(&mut self.elsewhere.jobs);
        if !jobs.is_empty() {
            self.relocate(way, names, jobs)?;
        }
        let twins = self.postpone_twins();
        let mut sent = self.send(way, names, early)?;
        if !twins.is_empty() && !way.context.stop.is_requested() {
            self.settle_twins(way, names, twins, &sent)?;
            sent.add(self.send(way, names, &mut None)?);
        }
        if way.context.stop.is_requested() {
            return Ok(());
        }
        let unproven = self.prove(way, &sent)?;
        self.check_kept(way, &sent)?;
        self.replace_damaged(way, names, &sent)?;
        self.copy_rights(way, names)?;
        self.delete(way, names, &sent, &unproven)?;
        self.remember(way, &sent)
    }

    /// Takes what will be copied from what is sent to another folder off the lists.
    fn postpone_twins(&mut self) -> Vec<Twin> {
        let twins = std::mem::take(&mut self.elsewhere.twins);
        let mut uids: HashMap<usize, UidSet> = HashMap::new();
        for twin in &twins {
            uids.entry(twin.pair)
                .or_default()
                .insert(twin.message.uid());
        }
        for (pair, uids) in uids {
            if let Some(needs) = self.folders.needs_mut(pair) {
                needs.missing = without(&needs.missing, &uids);
            }
        }
        twins
    }

    /// Lets the target copy messages from where their twins went; those that it can't are to be
    /// sent themselves.
    fn settle_twins(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        twins: Vec<Twin>,
        sent: &Sent,
    ) -> Result<(), Error> {
        let places = self.places(way, &twins, sent)?;
        let mut jobs = Vec::new();
        let mut rest: HashMap<usize, Vec<Message>> = HashMap::new();
        for Twin {
            pair,
            message,
            same,
            first,
        } in twins
        {
            match places.get(&first) {
                Some(from) => jobs.push(Job {
                    pair,
                    message,
                    same,
                    from: from.clone(),
                    leave: false,
                }),
                None => rest.entry(pair).or_default().push(message),
            }
        }
        for job in self.relocate(way, names, jobs)? {
            rest.entry(job.pair).or_default().push(job.message);
        }
        for (pair, mut messages) in rest {
            messages.sort_by_key(Message::uid);
            if let Some(needs) = self.folders.needs_mut(pair) {
                needs.missing = messages;
            }
        }
        Ok(())
    }

    /// Where the messages are that others are twins of, with the flags that they got.
    fn places(
        &self,
        way: &mut Way<'_>,
        twins: &[Twin],
        sent: &Sent,
    ) -> Result<HashMap<(usize, Uid), Place>, Error> {
        let firsts: HashMap<(usize, Uid), &Twin> =
            twins.iter().map(|twin| (twin.first, twin)).collect();
        let mut places = HashMap::new();
        let mut unknown: Vec<Job> = Vec::new();
        for (pair, task, fates) in sent.each() {
            for (message, fate) in task.messages.iter().zip(fates) {
                let Some(twin) = firsts.get(&(pair, message.uid())) else {
                    continue;
                };
                let flags = task
                    .permanent_flags
                    .split(&task.flags.get(message.flags()))
                    .0;
                let (mailbox, uid_validity) = (task.target.clone(), task.target_uid_validity);
                let place = |uid| Place {
                    mailbox,
                    uid_validity,
                    uid,
                    flags,
                };
                match fate {
                    Fate::Copied { uid: Some(uid), .. } => {
                        places.insert((pair, message.uid()), place(*uid));
                    }
                    Fate::Copied { uid: None, .. } => {
                        let from = place(message.uid());
                        unknown.push(Job {
                            pair,
                            message: *message,
                            same: twin.same,
                            from,
                            leave: false,
                        });
                    }
                    Fate::Failed | Fate::Vanished | Fate::Open => {}
                }
            }
        }
        // Where the target does not tell UIDs, they are looked for.
        let errands: Vec<Errand<'_>> = unknown.iter().filter_map(|job| self.errand(job)).collect();
        let mut outcomes = vec![
            Outcome {
                was_untold: true,
                ..Outcome::default()
            };
            errands.len()
        ];
        relocate::look_for(way, Side::TARGET, &errands, &mut outcomes, &|_, _| false)?;
        for (job, outcome) in unknown.into_iter().zip(outcomes) {
            if let Some(uid) = outcome.placed {
                places.insert((job.pair, job.message.uid()), Place { uid, ..job.from });
            }
        }
        Ok(places)
    }

    /// Sends what folders lack: by the lanes that have begun early, if there are any.
    fn send(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        early: &mut Option<Early<'_>>,
    ) -> Result<Sent, Error> {
        let mut sent = self.tasks(names);
        let early = early.take().filter(Early::has_begun);
        if sent.tasks.is_empty() && early.is_none() {
            return Ok(sent);
        }
        let tally = match early {
            Some(early) => {
                self.memory.add_tasks(&sent.of);
                // Where there are no connections, the lanes make their own, or say why not.
                let link = way.take().ok();
                let (all, tally) = early.finish(sent, link);
                sent = all;
                way.settle(tally)
            }
            None => {
                self.memory.set_tasks(&sent.of);
                let link = way.take()?;
                let journal = self.memory.journal();
                let context = Context {
                    journal: journal.as_deref().map(|journal| journal as &dyn Journal),
                    ..*way.context
                };
                let mut tally = way.settle(exec::copy(&context, &sent.tasks, link));
                sent.fates = std::mem::take(&mut tally.fates);
                tally
            }
        };
        self.count(&tally);
        sent.note_fixed(&tally.fixed);
        sent.short()
            .for_each(|pair| self.folders[pair].has_failed = true);
        tally.error.map_or(Ok(sent), Err)
    }

    fn count(&mut self, tally: &Tally) {
        self.summary.copied += tally.copied;
        self.summary.bytes_copied += tally.bytes;
        self.summary.failed += tally.failed;
        self.summary.skipped += tally.vanished;
        self.summary.fixed += tally.fixed.len() as u64;
    }

    /// Lets lanes end what they were given of a plan that there will not be.
    pub(super) fn end_early(&mut self, early: Early<'_>) -> Tally {
        let (_, tally) = early.finish(Sent::default(), None);
        self.count(&tally);
        tally
    }

    fn tasks(&mut self, names: &Names<'_>) -> Sent {
        let mut sent = Sent::default();
        for index in 0..names.pairs.len() {
            if let Some(task) = self.task(names, index) {
                sent.plan(index, task);
            }
        }
        sent
    }

    /// Makes a task of what is missing in a folder, and takes that off it. `None`: there is nothing
    /// to send, or nowhere.
    pub(super) fn task(&mut self, names: &Names<'_>, index: usize) -> Option<FolderTask> {
        let pair = &names.pairs[index];
        let needs = self.folders.needs_mut(index)?;
        let target = needs.target.clone()?;
        if needs.missing.is_empty() {
            return None;
        }
        Some(FolderTask {
            from: pair.from.to_string(),
            to: pair.to.to_string(),
            source: names.source.mailboxes[pair.source].name.clone(),
            source_uid_validity: needs.source.counters.uid_validity,
            target: target.name,
            target_uid_validity: target.side.counters.uid_validity,
            target_uid_next: target.side.counters.uid_next,
            permanent_flags: target.permanent_flags,
            drafts: pair.role == Some(SpecialUse::Drafts),
            messages: std::mem::take(&mut needs.missing),
            flags: needs.flags.clone(),
        })
    }

    /// Deletes what is to be deleted, now that everything is copied.
    fn delete(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        sent: &Sent,
        unproven: &HashMap<usize, UidSet>,
    ) -> Result<(), Error> {
        if self.doomed.is_empty() && self.leftovers.is_empty() {
            return Ok(());
        }
        self.prove_apart(way, names, sent)?;
        let mut copied: HashMap<usize, UidSet> = self.folders.take_relocated().collect();
        for (pair, task, fates) in sent.each() {
            // A corrected copy is no substitute for the original.
            let is_fixed = |uid: &Uid| sent.fixed.contains(&(pair, *uid));
            let is_proven = |uid: &Uid| {
                !unproven
                    .get(&pair)
                    .is_some_and(|unproven| unproven.contains(*uid))
                    && !is_fixed(uid)
            };
            let done = task
                .messages
                .iter()
                .zip(fates)
                .filter(|(_, fate)| fate.is_copied());
            let uids = done.map(|(message, _)| message.uid()).filter(is_proven);
            super::emptying::note_copied(&mut copied, pair, uids);
        }
        match self.options.deleting {
            Deleting::Nothing => Ok(()),
            Deleting::Mirror(_) => {
                self.clear_leftovers(way, &copied)?;
                self.hold_unsent(way, sent, unproven)?;
                self.mirror(way, names)
            }
            Deleting::Source(_) => self.empty_source(way, sent, &copied),
        }
    }

    /// Notes which folders are in step now, if everything went through.
    fn remember(&mut self, way: &mut Way<'_>, sent: &Sent) -> Result<(), Error> {
        let vanished = sent
            .each()
            .any(|(.., fates)| fates.contains(&Fate::Vanished));
        let complete = self.summary.failed + self.summary.folders_failed == 0 && !vanished;
        if complete && !way.context.stop.is_requested() && self.memory.is_to_settle() {
            let link = way.link()?;
            self.memory.settle(link.target.as_mut());
        }
        Ok(())
    }
}
