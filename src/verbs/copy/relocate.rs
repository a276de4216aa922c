//! Lets the target copy or move messages from one of its folders to another, and makes sure where they are.
//!
//! What it keeps true: a message counts as relocated only when it is known where it is now, by COPYUID or by having been
//! found there; what is not found is sent as if nothing had been tried. A connection that breaks leaves a doubt that is
//! settled the same way, so no message is copied twice.

use super::Copy;
use super::elsewhere::Job;
use crate::event::{Event, Side};
use crate::mail::{MailboxName, Message, Uid, UidSet};
use crate::plan::elsewhere::Sameness;
use crate::store::{Error, FlagChange, FlagEdit, Refusal, Relocated, Relocation, ScanDepth};
use crate::verbs::opening::Names;
use crate::verbs::scans::scan_each;
use crate::verbs::way::{Way, is_broken};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A message that was to leave a folder of the target and may still be there.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    pub(super) job: Job,
    /// Whether it has to be sent, as the target did not take it over: only once it is there may this one go.
    pub(super) is_sent: bool,
}

/// Which jobs one request covers: from where, to where, and whether they leave.
type Route<'j> = (bool, &'j MailboxName, &'j MailboxName);

impl Copy<'_> {
    /// Carries out jobs. Gives those that have to be sent after all.
    pub(super) fn relocate(&mut self, way: &mut Way<'_>, names: &Names<'_>, jobs: Vec<Job>) -> Result<Vec<Job>, Error> {
        let (mut jobs, unplaced): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| self.target_name(job.pair).is_some());
        // Copies before moves, which take away what others are copied from.
        jobs.sort_by(|a, b| {
            let route = |job: &Job| (job.leave, job.from.mailbox.as_bytes().to_vec(), job.pair, job.from.uid);
            route(a).cmp(&route(b))
        });
        let mut placed: Vec<Option<Uid>> = vec![None; jobs.len()];
        let mut undecided = self.request(way, &jobs, &mut placed)?;
        let was_undecided: HashSet<usize> = undecided.iter().copied().collect();
        if !undecided.is_empty() {
            undecided.retain(|at| placed[*at].is_none());
            self.look_for(way, &jobs, &undecided, &mut placed)?;
        }
        self.add_lacking_flags(way, &jobs, &placed)?;
        let mut left = unplaced;
        let mut done: BTreeMap<usize, Vec<(Job, Uid)>> = BTreeMap::new();
        for (at, (job, uid)) in jobs.into_iter().zip(placed).enumerate() {
            // What had to leave and may still be where it was is seen to with what is deleted.
            if job.leave && (uid.is_none() || was_undecided.contains(&at)) {
                self.leftovers.push(Leftover { job: job.clone(), is_sent: uid.is_none() });
            }
            match uid {
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
        Some(&self.folders.get(pair)?.as_ref()?.target.as_ref()?.name)
    }

    /// Asks the target for all of it. Fills in the new UIDs that it tells, and gives the jobs of which it must be seen
    /// where their messages are.
    fn request(&self, way: &mut Way<'_>, jobs: &[Job], placed: &mut [Option<Uid>]) -> Result<Vec<usize>, Error> {
        let mut routes: BTreeMap<Route<'_>, Vec<usize>> = BTreeMap::new();
        for (at, job) in jobs.iter().enumerate() {
            if let Some(to) = self.target_name(job.pair) {
                routes.entry((job.leave, &job.from.mailbox, to)).or_default().push(at);
            }
        }
        let mut requests = Vec::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for ((leave, from, to), mut of_route) in routes {
            // A set names a message once: one that is wanted twice in a folder goes in two requests.
            while !of_route.is_empty() {
                let mut seen = HashSet::new();
                let (now, later) = of_route.into_iter().partition(|at| seen.insert(jobs[*at].from.uid));
                of_route = later;
                let now: Vec<usize> = now;
                requests.push(Relocation {
                    from: from.clone(),
                    uid_validity: now.first().and_then(|at| jobs[*at].from.uid_validity),
                    uids: now.iter().map(|at| jobs[*at].from.uid).collect(),
                    to: to.clone(),
                    leave,
                });
                members.push(now);
            }
        }
        match way.link()?.target.relocate(&requests) {
            Ok(results) => Ok(self.take_results(jobs, &members, &results, placed)),
            Err(error) if is_broken(&error) => {
                way.end();
                std::thread::sleep(crate::exec::GRACE);
                Ok((0..jobs.len()).collect())
            }
            Err(error) => Err(error),
        }
    }

    fn take_results(
        &self,
        jobs: &[Job],
        members: &[Vec<usize>],
        results: &[Relocated],
        placed: &mut [Option<Uid>],
    ) -> Vec<usize> {
        let mut undecided = Vec::new();
        for (of_route, result) in members.iter().zip(results) {
            let to: HashMap<Uid, Uid> = result.placed.iter().copied().collect();
            for at in of_route {
                let (job, from) = (&jobs[*at], jobs[*at].from.uid);
                let target = self.folders[job.pair].as_ref().and_then(|needs| needs.target.as_ref());
                let is_generation = target.is_some_and(|target| target.side.uid_validity == result.uid_validity);
                match to.get(&from) {
                    Some(uid) if is_generation => placed[*at] = Some(*uid),
                    Some(_) => undecided.push(*at),
                    None if result.somewhere.contains(from) => undecided.push(*at),
                    None => {}
                }
            }
            if let Some(refusal) = &result.refusal {
                self.tell_refused(&jobs[of_route[0]], refusal);
            }
        }
        undecided
    }

    fn tell_refused(&self, job: &Job, refusal: &Refusal) {
        let verb = if job.leave { "move" } else { "copy" };
        let text = format!("the target did not {verb} all messages from {}: {}", job.from.mailbox, refusal.text);
        self.observer.observe(&Event::Warning { text: &text });
    }

    /// Looks for messages in the folders that they went to: among what is new there, each for one job.
    pub(super) fn look_for(
        &self,
        way: &mut Way<'_>,
        jobs: &[Job],
        undecided: &[usize],
        placed: &mut [Option<Uid>],
    ) -> Result<(), Error> {
        let mut folders: BTreeMap<&MailboxName, Vec<usize>> = BTreeMap::new();
        for at in undecided {
            if let Some(to) = self.target_name(jobs[*at].pair) {
                folders.entry(to).or_default().push(*at);
            }
        }
        let asked: Vec<(&MailboxName, Option<u32>)> = (folders.iter())
            .map(|(to, of_folder)| {
                let starts = of_folder.iter().map(|at| {
                    let needs = self.folders[jobs[*at].pair].as_ref();
                    needs.and_then(|needs| needs.target.as_ref()).and_then(|target| target.side.uid_next)
                });
                (*to, starts.min().flatten())
            })
            .collect();
        let scans = way.repeatable(|link| {
            let new = |from: Option<u32>| from.and_then(Uid::new).map(UidSet::from_uid);
            let asked = asked.iter().map(|(mailbox, from)| (*mailbox, new(*from)));
            scan_each(link.target.as_mut(), ScanDepth::Identity, asked)
        })?;
        let taken: HashSet<(usize, Uid)> =
            (0..jobs.len()).filter_map(|at| Some((jobs[at].pair, placed[at]?))).collect();
        for ((_, of_folder), scan) in folders.into_iter().zip(scans) {
            let Ok(scan) = scan else { continue };
            let mut there: HashMap<Sameness, Vec<Uid>> = HashMap::new();
            for message in &scan.messages {
                if let Some(same) = Sameness::of(message) {
                    there.entry(same).or_default().push(message.uid());
                }
            }
            for at in of_folder {
                let found = there.get_mut(&jobs[at].same);
                placed[at] = found.and_then(|uids| {
                    uids.retain(|uid| !taken.contains(&(jobs[at].pair, *uid)));
                    uids.pop()
                });
            }
        }
        Ok(())
    }

    /// Gives relocated messages the flags that they have on the source and did not bring along. None brought too many: those are
    /// sent (`elsewhere`).
    fn add_lacking_flags(&mut self, way: &mut Way<'_>, jobs: &[Job], placed: &[Option<Uid>]) -> Result<(), Error> {
        let mut changes: BTreeMap<(usize, String), FlagChange> = BTreeMap::new();
        for (job, uid) in jobs.iter().zip(placed) {
            let Some((uid, mailbox)) = uid.zip(self.target_name(job.pair)) else { continue };
            let flags = self.wanted_flags(job.pair, &job.message).minus(&job.from.flags);
            if flags.is_empty() {
                continue;
            }
            let change = changes.entry((job.pair, flags.to_string())).or_insert_with(|| FlagChange {
                mailbox: mailbox.clone(),
                uids: UidSet::default(),
                edit: FlagEdit::Add,
                flags,
                unchanged_since: None,
            });
            change.uids.insert(uid);
        }
        let changes: Vec<FlagChange> = changes.into_values().collect();
        if changes.is_empty() {
            return Ok(());
        }
        let results = way.repeatable(|link| link.target.change_flags(&changes))?;
        for (change, result) in changes.iter().zip(results) {
            if let Err(refusal) = result {
                let text = format!("{}: the target did not change {}: {}", change.mailbox, change.flags, refusal.text);
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        Ok(())
    }

    /// Messages are where they were wanted, in the folder of this pair.
    fn conclude(&mut self, names: &Names<'_>, pair: usize, jobs: &[(Job, Uid)]) {
        self.summary.copied += jobs.len() as u64;
        self.summary.copied_server_side += jobs.len() as u64;
        let Some(needs) = self.folders.get_mut(pair).and_then(Option::as_mut) else { return };
        if let Some(target) = &mut needs.target {
            // What is sent now comes after it: a lost reply must not be looked for among what was relocated.
            let next = jobs.iter().map(|(_, uid)| uid.get().saturating_add(1)).max().unwrap_or(0);
            target.side.uid_next = target.side.uid_next.map(|before| before.max(next));
        }
        let of = |(job, uid): &(Job, Uid)| (job.message.uid(), *uid, needs.flags.get(job.message.flags()));
        let pairs: Vec<_> = jobs.iter().map(of).collect();
        let uids: UidSet = pairs.iter().map(|(source, ..)| *source).collect();
        needs.missing = without(&needs.missing, &uids);
        self.memory.relocated(pair, &pairs);
        for (job, _) in jobs.iter().filter(|(job, _)| job.leave) {
            self.memory.removed(&job.from.mailbox, 1);
        }
        let folder = names.pairs[pair].from.to_string();
        for uid in uids.iter() {
            self.observer.observe(&Event::MessageCopied { to: Side::Target, folder: &folder, uid, bytes: 0 });
        }
        super::emptying::note_copied(&mut self.relocated, pair, uids.iter());
    }
}

/// The messages of a list that are not among these, by UID.
pub(super) fn without(messages: &[Message], uids: &UidSet) -> Vec<Message> {
    messages.iter().filter(|message| !uids.contains(message.uid())).copied().collect()
}
