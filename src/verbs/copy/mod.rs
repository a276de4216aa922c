//! `copy`: makes the target hold everything that the source holds.
//!
//! Never writes to the source, sends only what the target lacks, and is safe to run again at any time.

mod memory;
mod needs;
mod prepare;

use super::compare::Comparison;
use super::opening::{self, Opened};
use super::{CopyOptions, CopySummary, Status};
use crate::event::{Event, FolderPlanned, Observer, Stop};
use crate::exec::{self, Context, Link};
use crate::folders::{Pair, Rules, TargetFolder};
use crate::mail::SpecialUse;
use crate::plan::FolderTask;
use crate::state::State;
use crate::store::{Connector, Error, ErrorKind};
use memory::Memory;
use needs::{FlagRules, Needs};
use std::collections::HashSet;
use std::time::Instant;

/// Copies what the target lacks.
///
/// Messages and folders that fail are named in events and counted; the rest goes on. `state` is what earlier runs have
/// left and what the next one can build upon; without it everything is compared.
///
/// # Errors
/// What kept the run from beginning: no connection, a refused login, folders that collide. What ends it later is in the
/// summary's status, beside what was done until then.
pub fn copy(
    source: &dyn Connector,
    target: &dyn Connector,
    rules: &Rules,
    options: &CopyOptions,
    state: Option<&State>,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<CopySummary, Error> {
    let started = Instant::now();
    let connect = || opening::connect(source, target);
    let (mut copy, opened) = opening::patiently(connect, stop, observer, |link| {
        let mut opened = Opened::new(link, rules, observer)?;
        let memory = Memory::open(state, options, observer);
        let mut copy = Copy { options, observer, memory, summary: CopySummary::empty(), folders: Vec::new() };
        copy.summary.folders_failed = opened.folders_failed();
        let (link, names) = opened.link_and_names();
        copy.plan(link, &names)?;
        Ok((copy, opened))
    })?;
    let Opened { link, pairing, source_listing, target_listing } = opened;
    let pairs = &pairing.pairs;
    let names = opening::Names { pairs, source: &source_listing, target: &target_listing };
    if !options.dry_run {
        let lanes = lanes(options, source, target, &link);
        let limit_rate = options.limit_rate;
        let context = Context { source, target, lanes, limit_rate, stop, observer, journal: None };
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
    memory: Memory<'a>,
    summary: CopySummary,
    /// What each pair of folders needs, by the pair's index; `None` where it could not be compared.
    folders: Vec<Option<Needs>>,
}

impl Copy<'_> {
    /// Compares all folders and tells what there is to do.
    fn plan(&mut self, link: &mut Link, names: &opening::Names<'_>) -> Result<(), Error> {
        let mut compared_pairs = names.comparison_pairs();
        self.folders.resize_with(names.pairs.len(), || None);
        let mut open = Vec::new();
        for (index, pair) in names.pairs.iter().enumerate() {
            match self.memory.in_step(pair, names) {
                Some(messages) => self.folders[index] = Some(Needs { already_there: messages, ..Needs::default() }),
                None => {
                    compared_pairs[index].known = self.memory.known(pair, names);
                    open.push(index);
                }
            }
        }
        self.summary.already_there = self.folders.iter().flatten().map(|needs| needs.already_there).sum();
        let flag_rules = FlagRules { policy: self.options.flags, read_only: self.options.dry_run };
        let comparison = Comparison {
            pairs: &compared_pairs,
            filter: &self.options.filter,
            filter_target: false,
            for_writing: !self.options.dry_run,
        };
        self.summary.folders = names.pairs.len() as u64;
        comparison.run(link, open, &mut |index, result| match result {
            Ok(compared) => {
                self.summary.skipped += compared.filtered_out;
                self.summary.failed += compared.tell_doubtful(&names.pairs[index], self.observer);
                if let Some(reason) = compared.unlisted() {
                    self.fail_folder(&names.pairs[index], &reason);
                }
                if let Some(doubt) = &compared.doubt {
                    let text = format!("{}: {doubt}; everything in it is compared anew", names.pairs[index].from);
                    self.observer.observe(&Event::Warning { text: &text });
                }
                let needs = Needs::new(&compared, compared_pairs[index].target.clone(), flag_rules);
                self.summary.already_there += needs.already_there;
                self.folders[index] = Some(needs);
            }
            Err(reason) => self.fail_folder(&names.pairs[index], &reason),
        })?;
        self.tell_plan(names.pairs);
        Ok(())
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
            .and_then(|()| self.change_flags(&mut link, names.pairs));
        if let Err(error) = prepared {
            self.summary.status = Status::Stopped(error);
            self.close(link);
            return;
        }
        self.memory.begin(names, &self.folders);
        let tasks = self.tasks(names);
        let tally = exec::copy(&Context { journal: self.memory.journal(), ..*context }, &tasks, link);
        self.summary.copied = tally.copied;
        self.summary.bytes_copied = tally.bytes;
        self.summary.failed = tally.failed;
        self.summary.skipped += tally.vanished;
        self.summary.source_traffic += tally.source_traffic;
        self.summary.target_traffic += tally.target_traffic;
        if let Some(error) = tally.error.filter(|error| error.kind != ErrorKind::Interrupted) {
            self.summary.status = Status::Stopped(error);
            return;
        }
        self.remember(context, tally.failed == 0 && tally.vanished == 0);
    }

    /// Notes which folders are in step now, if everything went through.
    fn remember(&mut self, context: &Context<'_>, complete: bool) {
        let complete = complete && self.summary.failed + self.summary.folders_failed == 0;
        if complete && !context.stop.is_requested() {
            self.summary.target_traffic += self.memory.settle(context.target);
        }
    }

    fn tasks(&mut self, names: &opening::Names<'_>) -> Vec<FolderTask> {
        let mut tasks = Vec::new();
        for (index, pair) in names.pairs.iter().enumerate() {
            let needs = self.folders[index].take().filter(|needs| !needs.missing.is_empty());
            let Some(needs) = needs else { continue };
            let Some(target) = needs.target else { continue };
            self.memory.note_task(index);
            tasks.push(FolderTask {
                from: pair.from.to_string(),
                to: pair.to.to_string(),
                source: names.source.mailboxes[pair.source].name.clone(),
                source_uid_validity: needs.source.uid_validity,
                target: target.name,
                target_uid_validity: target.side.uid_validity,
                target_uid_next: target.side.uid_next,
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
