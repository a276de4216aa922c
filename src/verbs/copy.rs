//! `copy`: makes the target hold everything that the source holds.
//!
//! Never writes to the source, sends only what the target lacks, and is safe to run again at any time.

use super::compare::{Compared, Comparison, only};
use super::opening::{self, Opened};
use super::{CopyOptions, CopySummary, FlagPolicy, Status};
use crate::event::{Event, FolderPlanned, Observer, Stop};
use crate::exec::{self, Context, Link};
use crate::folders::{Pair, Rules, TargetFolder};
use crate::mail::{FlagTable, Flags, MailboxName, Message, PermanentFlags, SpecialUse, UidSet, UidValidity};
use crate::plan::FolderTask;
use crate::store::{Connector, Error, ErrorKind, FlagChange, FolderScan, NewFolder, ScanDepth, ScanRequest};
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// Copies what the target lacks.
///
/// Messages and folders that fail are named in events and counted; the rest goes on.
///
/// # Errors
/// What kept the run from beginning: no connection, a refused login, folders that collide. What ends it later is in the
/// summary's status, beside what was done until then.
pub fn copy(
    source: &dyn Connector,
    target: &dyn Connector,
    rules: &Rules,
    options: &CopyOptions,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<CopySummary, Error> {
    let started = Instant::now();
    let opened = Opened::new(source, target, rules, observer)?;
    let mut copy = Copy { options, observer, summary: CopySummary::empty(), folders: Vec::new() };
    copy.summary.folders_failed = opened.folders_failed();
    let Opened { mut link, pairing, source_listing, target_listing } = opened;
    let pairs = &pairing.pairs;
    let names = opening::Names { pairs, source: &source_listing, target: &target_listing };
    let lanes = lanes(options, source, target, &link);
    copy.plan(&mut link, &names)?;
    if !options.dry_run {
        let context = Context { source, target, lanes, limit_rate: options.limit_rate, stop, observer };
        copy.carry_out(link, &names, &context);
    } else {
        copy.foresee(pairs);
        copy.close(link);
    }
    Ok(copy.finish(started, stop))
}

/// How many lanes: as asked, else as both servers bear well; never more connections than an address allows.
fn lanes(options: &CopyOptions, source: &dyn Connector, target: &dyn Connector, link: &Link) -> usize {
    let usual = link.source.usual_connections().min(link.target.usual_connections());
    let allowed = source.max_connections().unwrap_or(usize::MAX).min(target.max_connections().unwrap_or(usize::MAX));
    options.jobs.unwrap_or(usual).min(allowed).max(1)
}

struct Copy<'a> {
    options: &'a CopyOptions,
    observer: &'a dyn Observer,
    summary: CopySummary,
    /// What each pair of folders needs, by the pair's index; `None` where it could not be compared.
    folders: Vec<Option<Needs>>,
}

/// What one folder needs.
struct Needs {
    source_uid_validity: Option<UidValidity>,
    missing: Vec<Message>,
    flags: FlagTable,
    already_there: u64,
    /// Flags to add on the target, and to which messages.
    flag_changes: Vec<(Flags, UidSet)>,
    /// What opening the target's folder told; `None` where it does not exist yet.
    target: Option<TargetState>,
}

#[derive(Clone)]
struct TargetState {
    name: MailboxName,
    uid_validity: Option<UidValidity>,
    uid_next: Option<u32>,
    permanent_flags: PermanentFlags,
}

impl TargetState {
    fn new(name: MailboxName, scan: &FolderScan) -> Self {
        let permanent_flags = scan.permanent_flags.clone();
        // A server that does not tell UIDNEXT gives new messages higher UIDs all the same (RFC 3501 section 2.3.1.1).
        let after_last = || scan.messages.last().map(|message| message.uid().get().saturating_add(1));
        let uid_next = scan.uid_next.or_else(after_last);
        Self { name, uid_validity: scan.uid_validity, uid_next, permanent_flags }
    }
}

impl Needs {
    fn bytes(&self) -> u64 {
        self.missing.iter().map(|message| u64::from(message.size())).sum()
    }

    fn flags_to_change(&self) -> u64 {
        self.flag_changes.iter().map(|(_, uids)| uids.len()).sum()
    }
}

impl Copy<'_> {
    /// Compares all folders and tells what there is to do.
    fn plan(&mut self, link: &mut Link, names: &opening::Names<'_>) -> Result<(), Error> {
        let compared_pairs = names.comparison_pairs();
        let comparison = Comparison {
            pairs: &compared_pairs,
            filter: &self.options.filter,
            filter_target: false,
            for_writing: !self.options.dry_run,
        };
        self.folders.resize_with(names.pairs.len(), || None);
        self.summary.folders = names.pairs.len() as u64;
        comparison.run(link, &mut |index, result| match result {
            Ok(compared) => {
                self.summary.skipped += compared.filtered_out;
                self.summary.already_there += compared.matching.pairs.len() as u64;
                self.summary.failed += compared.tell_doubtful(&names.pairs[index], self.observer);
                if let Some(reason) = compared.unlisted() {
                    self.fail_folder(&names.pairs[index], &reason);
                }
                let target = compared_pairs[index].target.clone();
                self.folders[index] = Some(self.needs(&compared, target));
            }
            Err(reason) => self.fail_folder(&names.pairs[index], &reason),
        })?;
        self.tell_plan(names.pairs);
        Ok(())
    }

    fn needs(&self, compared: &Compared, target: Option<MailboxName>) -> Needs {
        let (missing, flags) = only(&compared.source, &compared.matching.missing);
        Needs {
            source_uid_validity: compared.source.uid_validity,
            missing,
            flags,
            already_there: compared.matching.pairs.len() as u64,
            flag_changes: self.flag_changes(compared),
            target: target.zip(compared.target.as_ref()).map(|(name, scan)| TargetState::new(name, scan)),
        }
    }

    /// The flags that the source's messages have and the target's lack, grouped so that one STORE serves many.
    fn flag_changes(&self, compared: &Compared) -> Vec<(Flags, UidSet)> {
        let Some(target) = compared.target.as_ref().filter(|_| self.options.flags != FlagPolicy::Ignore) else {
            return Vec::new();
        };
        let mut changes: HashMap<Flags, UidSet> = HashMap::new();
        for (on_source, on_target) in &compared.matching.pairs {
            let wanted = compared.source.flags.get(compared.source.messages[*on_source as usize].flags());
            let message = &target.messages[*on_target as usize];
            // A folder that is open for reading only says that it keeps nothing: a dry run reckons with everything.
            let keepable = if self.options.dry_run { wanted } else { target.permanent_flags.split(&wanted).0 };
            let lacking = keepable.minus(&target.flags.get(message.flags()));
            if !lacking.is_empty() {
                changes.entry(lacking).or_default().insert(message.uid());
            }
        }
        changes.into_iter().collect()
    }

    fn tell_plan(&self, pairs: &[Pair]) {
        let (mut messages, mut bytes) = (0, 0);
        for (pair, needs) in pairs.iter().zip(&self.folders) {
            let Some(needs) = needs else { continue };
            messages += needs.missing.len() as u64;
            bytes += needs.bytes();
            self.observer.observe(&Event::FolderPlanned(FolderPlanned {
                from: &pair.from.to_string(),
                to: &pair.to.to_string(),
                reason: &pair.reasons.join("; "),
                create: matches!(pair.target, TargetFolder::New { .. }),
                messages: needs.missing.len() as u64 + needs.already_there,
                copy: needs.missing.len() as u64,
                bytes: needs.bytes(),
                already_there: needs.already_there,
                flags: needs.flags_to_change(),
            }));
        }
        self.observer.observe(&Event::Planned { folders: pairs.len() as u64, messages, bytes });
    }

    /// A dry run's numbers: what would be done.
    fn foresee(&mut self, pairs: &[Pair]) {
        let mut created = HashSet::new();
        for (pair, needs) in pairs.iter().zip(&self.folders) {
            let Some(needs) = needs else { continue };
            if let TargetFolder::New { name, .. } = &pair.target {
                created.insert(name);
            }
            self.summary.copied += needs.missing.len() as u64;
            self.summary.bytes_copied += needs.bytes();
            self.summary.flags_updated += needs.flags_to_change();
        }
        self.summary.folders_created = created.len() as u64;
    }

    fn carry_out(&mut self, mut link: Link, names: &opening::Names<'_>, context: &Context<'_>) {
        let prepared = self
            .create_folders(&mut link, names.pairs)
            .and_then(|()| self.subscribe(&mut link, names))
            .and_then(|()| self.add_flags(&mut link, names.pairs));
        if let Err(error) = prepared {
            self.summary.status = Status::Stopped(error);
            self.close(link);
            return;
        }
        let tasks = self.tasks(names);
        let tally = exec::copy(context, &tasks, link);
        self.summary.copied = tally.copied;
        self.summary.bytes_copied = tally.bytes;
        self.summary.failed = tally.failed;
        self.summary.skipped += tally.vanished;
        self.summary.source_traffic += tally.source_traffic;
        self.summary.target_traffic += tally.target_traffic;
        if let Some(error) = tally.error.filter(|error| error.kind != ErrorKind::Interrupted) {
            self.summary.status = Status::Stopped(error);
        }
    }

    /// Creates what the target lacks and opens it once, to learn what it can keep.
    fn create_folders(&mut self, link: &mut Link, pairs: &[Pair]) -> Result<(), Error> {
        let mut wanted: Vec<NewFolder> = Vec::new();
        let mut place: HashMap<&MailboxName, usize> = HashMap::new();
        for pair in pairs {
            if let TargetFolder::New { name, fallbacks } = &pair.target {
                place.entry(name).or_insert_with(|| {
                    wanted.push(NewFolder { name: name.clone(), fallbacks: fallbacks.clone() });
                    wanted.len() - 1
                });
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let created = link.target.create(&wanted)?;
        let states = self.open_new(link, &created)?;
        let mut told = HashSet::new();
        for (index, pair) in pairs.iter().enumerate() {
            let TargetFolder::New { name, .. } = &pair.target else { continue };
            let at = place[name];
            match (&states[at], &created[at]) {
                (Some(state), _) => {
                    if told.insert(at) {
                        self.summary.folders_created += 1;
                        self.observer.observe(&Event::FolderCreated { folder: &pair.to.to_string() });
                        self.tell_other_spelling(pair, name, &state.name);
                    }
                    if let Some(needs) = &mut self.folders[index] {
                        needs.target = Some(state.clone());
                    }
                }
                (None, Err(refusal)) => {
                    self.fail_folder(pair, &format!("the target did not create it: {}", refusal.text));
                }
                (None, Ok(_)) => self.fail_folder(pair, "the target created it but does not open it"),
            }
        }
        Ok(())
    }

    /// Says that a folder has another name than was planned, since the target refused that one.
    fn tell_other_spelling(&self, pair: &Pair, planned: &MailboxName, created: &MailboxName) {
        if planned != created {
            let text = format!("{}: the target refused the name {planned}, so it was created as {created}", pair.to);
            self.observer.observe(&Event::Warning { text: &text });
        }
    }

    /// Opens created folders. `None` where there is none or it can't be opened.
    fn open_new(
        &self,
        link: &mut Link,
        created: &[Result<MailboxName, crate::store::Refusal>],
    ) -> Result<Vec<Option<TargetState>>, Error> {
        let mut states = vec![None; created.len()];
        let opened: Vec<_> =
            created.iter().enumerate().filter_map(|(at, name)| Some((at, name.as_ref().ok()?))).collect();
        let requests: Vec<_> = opened
            .iter()
            .map(|(_, mailbox)| ScanRequest {
                mailbox,
                depth: ScanDepth::Attributes,
                uids: None,
                search: None,
                for_writing: true,
            })
            .collect();
        link.target.scan(&requests, &mut |nth, scan| {
            let (at, name) = opened[nth];
            states[at] = scan.ok().map(|scan| TargetState::new(name.clone(), &scan));
        })?;
        Ok(states)
    }

    /// Subscribes on the target to what the source is subscribed to.
    fn subscribe(&mut self, link: &mut Link, names: &opening::Names<'_>) -> Result<(), Error> {
        let wanted: Vec<(String, MailboxName)> = names
            .pairs
            .iter()
            .zip(&self.folders)
            .filter(|(pair, _)| pair.subscribe && !names.is_subscribed_on_target(pair))
            .filter_map(|(pair, needs)| Some((pair.to.to_string(), needs.as_ref()?.target.as_ref()?.name.clone())))
            .collect();
        let mailboxes: Vec<_> = wanted.iter().map(|(_, name)| name.clone()).collect();
        for (result, (folder, _)) in link.target.subscribe(&mailboxes)?.into_iter().zip(&wanted) {
            if let Err(refusal) = result {
                let text = format!("{folder}: the target did not subscribe to it: {}", refusal.text);
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        Ok(())
    }

    fn add_flags(&mut self, link: &mut Link, pairs: &[Pair]) -> Result<(), Error> {
        let mut changes = Vec::new();
        let mut folder_of = Vec::new();
        for (pair, needs) in pairs.iter().zip(&self.folders) {
            let Some((needs, target)) = needs.as_ref().and_then(|needs| Some((needs, needs.target.as_ref()?))) else {
                continue;
            };
            for (flags, uids) in &needs.flag_changes {
                folder_of.push(pair);
                changes.push(FlagChange { mailbox: target.name.clone(), uids: uids.clone(), flags: flags.clone() });
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        for ((result, change), pair) in link.target.add_flags(&changes)?.into_iter().zip(&changes).zip(folder_of) {
            match result {
                Ok(()) => self.summary.flags_updated += change.uids.len(),
                Err(refusal) => {
                    let text = format!("{}: the target did not set {}: {}", pair.to, change.flags, refusal.text);
                    self.observer.observe(&Event::Warning { text: &text });
                }
            }
        }
        Ok(())
    }

    fn tasks(&mut self, names: &opening::Names<'_>) -> Vec<FolderTask> {
        let mut tasks = Vec::new();
        for (pair, needs) in names.pairs.iter().zip(&mut self.folders) {
            let Some(needs) = needs.take().filter(|needs| !needs.missing.is_empty()) else { continue };
            let Some(target) = needs.target else { continue };
            tasks.push(FolderTask {
                from: pair.from.to_string(),
                to: pair.to.to_string(),
                source: names.source.mailboxes[pair.source].name.clone(),
                source_uid_validity: needs.source_uid_validity,
                target: target.name,
                target_uid_validity: target.uid_validity,
                target_uid_next: target.uid_next,
                permanent_flags: target.permanent_flags,
                drafts: pair.role == Some(SpecialUse::Drafts),
                messages: needs.missing,
                flags: needs.flags,
            });
        }
        tasks
    }

    fn fail_folder(&mut self, pair: &Pair, reason: &str) {
        self.summary.folders_failed += 1;
        self.observer.observe(&Event::FolderFailed { folder: &pair.from.to_string(), reason });
    }

    fn close(&mut self, mut link: Link) {
        link.source.close();
        link.target.close();
        self.summary.source_traffic += link.source.traffic();
        self.summary.target_traffic += link.target.traffic();
    }

    fn finish(mut self, started: Instant, stop: &Stop) -> CopySummary {
        if matches!(self.summary.status, Status::Complete) {
            if stop.is_requested() {
                self.summary.status = Status::Interrupted;
            } else if self.summary.failed + self.summary.folders_failed > 0 {
                self.summary.status = Status::Partial;
            }
        }
        self.summary.seconds = started.elapsed().as_secs_f64();
        self.summary
    }
}
