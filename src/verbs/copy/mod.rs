//! `copy`: makes the target hold everything that the source holds.
//!
//! Never writes to the source, sends only what the target lacks, and is safe to run again at any time.

mod apart;
mod carry;
mod changes;
mod checking;
mod deletion;
mod elsewhere;
mod emptying;
mod holding;
mod keeping;
mod memory;
mod moved_away;
mod needs;
mod prepare;
mod proof;
mod relocate;
mod removals;
mod renames;
mod repair;
mod saving;
mod unlisted;
mod views;

use super::compare::{Comparison, Learnt};
use super::gone::{self, Held};
use super::holdings::Survey;
use super::left_out;
use super::opening::{self, Opened};
use super::searching::check_search;
use super::{CopyOptions, CopySummary, Deleting, FlagPolicy, PlanUse, Status};
use crate::engine::latecomers;
use crate::event::{Event, FolderPlanned, Observer, Run, Stop};
use crate::exec::{self, Context, Link};
use crate::folders::{Pair, Rules, TargetFolder};
use crate::locks::{lock, unlocked};
use crate::mail::{Both, MailboxName, Side, UidSet, UidValidity};
use crate::plan::elsewhere::Shelf;
use crate::plan::planned::Planned;
use crate::state::State;
use crate::store::{Connector, Error, Prepared, Refusal, Store, Traffic};
use elsewhere::Elsewhere;
use memory::Memory;
use needs::{NeedRules, Needs};
use prepare::Preparing;
use relocate::Leftover;
use removals::Doomed;
use renames::Rename;
use repair::Damaged;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Instant;

/// Copies what the target lacks.
///
/// Messages and folders that fail are named in events and counted; the rest goes on. `state` is what earlier runs have
/// left and what the next one can build upon; without it everything is compared. Beside the summary it gives the plan, where
/// [`PlanUse::Keep`] asks for it; else that is empty.
///
/// # Errors
/// What kept the run from beginning: no connection, a refused login, folders that collide. What ends it later is in the
/// summary's status, beside what was done until then.
pub fn copy(
    connectors: Both<&dyn Connector>,
    rules: &Rules,
    options: &CopyOptions,
    state: Option<&State>,
    run: Run<'_>,
) -> Result<(CopySummary, Planned), Error> {
    let started = Instant::now();
    let Run { stop, observer } = run;
    let target = connectors[Side::TARGET];
    latecomers::await_those_of_a_dead_run(state.is_some_and(State::follows_a_death), stop)?;
    let held = held(state)?;
    if !options.new_target {
        held.check_place(Side::TARGET, target)?;
    }
    let (done, unused) = exec::connecting_ahead(connectors, |connecting| {
        let connect = || opening::connect(connectors);
        let (mut copy, opened, lanes) = opening::patiently(connect, run, |link| {
            let mut opened = Opened::new(link, rules, observer)?;
            if !options.new_target && held.is_gone(&opened.target_listing) {
                if target.directory().is_some() {
                    return Err(held.refusal(Side::TARGET, gone::EMPTY));
                }
                observer.observe(&Event::Warning { text: &held.warning() });
            }
            let (link, names) = opened.link_and_names();
            check_search(link.source.as_mut(), options.filter.search.as_deref(), Side::SOURCE, &names)?;
            let memory = Memory::open(state, options, observer);
            let mut copy = Copy::new(options, memory, observer);
            copy.summary.folders_failed = opened.folders_failed();
            copy.summary.left_out = left_out::folders_of(&opened.pairing, &opened.source_listing);
            copy.limit_to_plan(&mut opened);
            copy.find_renames(&mut opened)?;
            copy.ask_for_unlisted(&mut opened, rules)?;
            copy.check_apart(&mut opened)?;
            let lanes = opening::lanes(options.jobs, connectors, &opened.link);
            let (link, names) = opened.link_and_names();
            connecting.begin(copy.lanes_from_listing(lanes, &names) - 1);
            copy.plan(link, &names)?;
            Ok((copy, opened, lanes))
        })?;
        let Opened { link, pairing, source_listing, target_listing, .. } = opened;
        let names = opening::Names::new(&pairing, &source_listing, &target_listing);
        let planned = if matches!(options.plan, PlanUse::Keep) { copy.planned(&names) } else { Planned::default() };
        if options.dry_run {
            copy.foresee(&names, link);
        } else {
            connecting.begin(copy.lanes_for_certain(lanes) - 1);
            let (limit_rate, accept_sizes) = (options.limit_rate, options.accept_sizes);
            let (to, ahead) = (Side::TARGET, Some(connecting.ahead()));
            let context = Context {
                connectors,
                to,
                names: Side::PARTS,
                lanes,
                limit_rate,
                accept_sizes,
                stop,
                observer,
                journal: None,
                ahead,
            };
            copy.carry_out(link, &names, &context);
        }
        Ok::<_, Error>((copy, planned))
    });
    let (mut copy, planned) = done?;
    unused.into_iter().for_each(|link| copy.close(link));
    Ok((copy.finish(started, stop), planned))
}

/// What the state says that the target holds.
fn held(state: Option<&State>) -> Result<Held, Error> {
    let records = state.map_or(Ok(Vec::new()), State::folders)?;
    let messages = records.iter().map(|record| record.pairs).sum();
    let folders = records.into_iter().map(|record| (record.target, record.target_uid_validity)).collect();
    Ok(Held { messages, folders })
}

struct Copy<'a> {
    options: &'a CopyOptions,
    observer: &'a dyn Observer,
    memory: Memory<'a>,
    summary: CopySummary,
    /// What each pair of folders needs, by the pair's index; `None` where it could not be compared.
    folders: Vec<Option<Needs>>,
    /// What the target's folders hold, as far as they were looked into.
    shelves: Vec<Shelf>,
    /// The generations of the target's folders that nothing is paired with, by their place in the listing.
    unmatched_generations: HashMap<usize, Option<UidValidity>>,
    /// What the target takes from other folders of its own.
    elsewhere: Elsewhere,
    /// Messages that were to leave a folder of the target and may still be there.
    leftovers: Vec<Leftover>,
    /// What became of the target's new folders, where they were made ahead.
    prepared: Option<Vec<Result<Prepared, Refusal>>>,
    /// Folders that were subscribed to as they were made or opened.
    subscribed: HashSet<MailboxName>,
    /// Folders to rename on the target.
    renames: Vec<Rename>,
    /// What is damaged on the target.
    damaged: Vec<Damaged>,
    /// What an earlier run found to be damaged and has replaced, by its pair.
    ended_repairs: Vec<(usize, UidSet)>,
    /// What is deleted at the end.
    doomed: Vec<Doomed>,
    /// Whether more was to be deleted than is allowed.
    braked: bool,
    /// The pairs of which a message or the folder failed.
    has_failed: HashSet<usize>,
    /// Messages that the target took from other folders of its own, by pair and UID on the source.
    relocated: HashMap<usize, UidSet>,
    /// The pairs that are left alone, as a saved plan does not hold for them.
    refused: HashSet<usize>,
    /// Folders that the source neither lists nor denies.
    undenied: Vec<String>,
    /// Folders in which there is more to do than a saved plan has.
    unplanned: u64,
}

impl<'a> Copy<'a> {
    fn new(options: &'a CopyOptions, memory: Memory<'a>, observer: &'a dyn Observer) -> Self {
        Self {
            options,
            observer,
            memory,
            summary: CopySummary::empty(),
            folders: Vec::new(),
            shelves: Vec::new(),
            unmatched_generations: HashMap::new(),
            elsewhere: Elsewhere::default(),
            leftovers: Vec::new(),
            prepared: None,
            subscribed: HashSet::new(),
            renames: Vec::new(),
            damaged: Vec::new(),
            ended_repairs: Vec::new(),
            doomed: Vec::new(),
            braked: false,
            has_failed: HashSet::new(),
            relocated: HashMap::new(),
            refused: HashSet::new(),
            undenied: Vec::new(),
            unplanned: 0,
        }
    }
}

impl Copy<'_> {
    /// Compares all folders and tells what there is to do.
    fn plan(&mut self, link: &mut Link, names: &opening::Names<'_>) -> Result<(), Error> {
        let mut survey = Survey::new(Side::SOURCE, self.observer);
        let mut compared_pairs = names.comparison_pairs(survey.is_wanted());
        self.folders.resize_with(names.pairs.len(), || None);
        let mut open = Vec::new();
        for (index, pair) in names.pairs.iter().enumerate().filter(|(_, pair)| !pair.view) {
            let in_step = self.memory.in_step(pair, names, self.options.deleting);
            match in_step.filter(|_| !self.is_held(pair, names) && !self.options.repair) {
                Some(messages) => {
                    survey.add_unopened(&pair.from.to_string(), messages);
                    self.folders[index] = Some(Needs::in_step(messages));
                }
                None => {
                    // What is to be read is listed, whatever is known of it.
                    if !self.options.repair {
                        compared_pairs[index].known = self.memory.known(pair, names);
                    }
                    open.push(index);
                }
            }
        }
        self.summary.already_there = self.folders.iter().flatten().map(|needs| needs.already_there).sum();
        let rules = NeedRules {
            flags: self.options.flags,
            deleting: self.options.deleting,
            remembers: self.memory.is_kept(),
            read_only: self.options.dry_run,
            names_flags: !matches!(self.options.plan, PlanUse::Nothing),
            repair: self.options.repair,
        };
        let preparing = if self.prepares_ahead() { self.to_prepare(names, &open) } else { Preparing::default() };
        let prepared = Mutex::new(None);
        let prepare = |target: &mut Box<dyn Store>| {
            let done = preparing.carry_out(target.as_mut())?;
            let known = preparing.found_empty(&done);
            *lock(&prepared) = Some(done);
            Ok(known)
        };
        let unprepared = |_: &mut Box<dyn Store>| Ok(Learnt::new());
        // Views come last: what is only there shows once everything else is known.
        for views in [false, true] {
            if views {
                if !names.pairs.iter().any(|pair| pair.view) {
                    break;
                }
                open = self.views_to_compare(link, names, &mut compared_pairs)?;
            }
            let comparison = Comparison {
                first_on_target: if views { &unprepared } else { &prepare },
                pairs: &compared_pairs,
                filter: &self.options.filter,
                filter_target: false,
                for_writing: !self.options.dry_run,
                target_flags: self.options.flags == FlagPolicy::Union,
            };
            comparison.run(link, std::mem::take(&mut open), &mut |index, result| match result {
                Ok(mut compared) => {
                    if self.options.repair && !compared_pairs[index].drafts {
                        repair::pair_damaged(&mut compared);
                    }
                    self.summary.skipped += compared.filtered_out.total();
                    compared.filtered_out.add_to(&mut self.summary.left_out);
                    let from = names.pairs[index].from.to_string();
                    survey.add(&from, &compared_pairs[index].source, &compared.source.messages);
                    let doubtful = compared.tell_doubtful(&names.pairs[index], self.observer);
                    self.summary.failed += doubtful;
                    if doubtful > 0 {
                        self.has_failed.insert(index);
                    }
                    if let Some(reason) = compared.unlisted() {
                        self.fail_folder(index, &names.pairs[index], &reason);
                    }
                    if let Some(doubt) = &compared.doubt {
                        let text = format!("{}: {doubt}; rechecking all of it", names.pairs[index].from);
                        self.observer.observe(&Event::Warning { text: &text });
                    }
                    self.note_compared(index, &compared);
                    let mut needs = Needs::new(&compared, compared_pairs[index].target.clone(), rules);
                    needs.spare(&self.memory.kept(&names.pairs[index], names));
                    if let Err(reason) = self.hold(index, names, &compared, &mut needs) {
                        self.refuse(index, &names.pairs[index], &reason);
                        return;
                    }
                    self.summary.already_there += needs.already_there;
                    self.folders[index] = Some(needs);
                }
                Err(reason) => self.fail_folder(index, &names.pairs[index], &reason),
            })?;
        }
        self.summary.folders =
            (0..names.pairs.len()).filter(|index| !self.is_idle_view(*index, names.pairs)).count() as u64;
        let prepared = unlocked(prepared);
        self.take_prepared(&preparing, prepared.unwrap_or_default());
        self.hold_renames(names);
        self.scan_unmatched(link, names)?;
        self.leave_moved_away(link, names)?;
        self.look_elsewhere(link, names)?;
        self.hold_moves();
        self.find_damaged(link, names)?;
        self.plan_deletions(names);
        if matches!(self.options.deleting, Deleting::Source(_)) {
            self.tell_left_in_views(names);
        }
        self.refuse_unnumbered(names);
        survey.tell(link.source.as_mut(), self.observer)?;
        self.tell_plan(names.pairs);
        self.tell_unplanned();
        Ok(())
    }

    fn tell_plan(&self, pairs: &[Pair]) {
        let (mut messages, mut bytes) = (0, 0);
        for (index, (pair, needs)) in pairs.iter().zip(&self.folders).enumerate() {
            let Some(needs) = needs.as_ref().filter(|_| !self.is_idle_view(index, pairs)) else { continue };
            let to_send = needs.bytes_to_send();
            let leaving = self.doomed_in(index);
            let (delete, keep) = if self.options.keep_deleted.is_some() { (0, leaving) } else { (leaving, 0) };
            messages += needs.missing.len() as u64;
            bytes += to_send;
            self.observer.observe(&Event::FolderPlanned(FolderPlanned {
                from: &pair.from.to_string(),
                to: &pair.to.to_string(),
                reason: &pair.reasons.join("; "),
                create: matches!(pair.target, TargetFolder::New { .. }),
                messages: needs.missing.len() as u64 + needs.already_there,
                copy: needs.missing.len() as u64,
                server_side: needs.server_side,
                bytes: to_send,
                already_there: needs.already_there,
                flags: needs.flags_to_change(),
                delete,
                keep,
            }));
        }
        self.observer.observe(&Event::Planned { folders: self.summary.folders, messages, bytes });
    }

    /// A dry run's numbers: what would be done.
    fn foresee(&mut self, names: &opening::Names<'_>, mut link: Link) {
        let headings = self.doomed_headings(&mut link);
        self.close(link);
        let mut created = HashSet::new();
        for (index, (pair, needs)) in names.pairs.iter().zip(&self.folders).enumerate() {
            let Some(needs) = needs.as_ref().filter(|_| !self.is_idle_view(index, names.pairs)) else { continue };
            if let TargetFolder::New { name, .. } = &pair.target {
                created.insert(name);
            }
            self.summary.copied += needs.missing.len() as u64;
            self.summary.copied_server_side += needs.server_side;
            self.summary.bytes_copied += needs.bytes_to_send();
            self.summary.flags_updated += needs.flags_to_change();
        }
        self.summary.folders_created = created.len() as u64;
        for damaged in std::mem::take(&mut self.damaged) {
            self.tell_repaired(&names.pairs[damaged.pair], damaged.uid());
        }
        for rename in std::mem::take(&mut self.renames) {
            self.tell_renamed(&rename);
        }
        for doomed in std::mem::take(&mut self.doomed) {
            match self.options.keep_deleted.and_then(|day| keeping::name_of_day(day, &doomed.folder)) {
                Some(to) => {
                    let heading = |uid| headings.get(&doomed.mailbox, uid);
                    self.tell_kept(&doomed.folder, &to.to_string(), &doomed.uids, &heading);
                }
                None => self.tell_deleted(&doomed, &headings),
            }
            if doomed.whole {
                self.summary.folders_deleted += 1;
                self.observer.observe(&Event::FolderDeleted { folder: &doomed.folder });
            }
        }
    }

    /// Whether a pair is a view that has nothing of its own.
    fn is_idle_view(&self, index: usize, pairs: &[Pair]) -> bool {
        let has_work = |needs: &Needs| !needs.missing.is_empty() || needs.already_there > 0;
        pairs[index].view && !self.folders.get(index).and_then(Option::as_ref).is_some_and(has_work)
    }

    fn fail_folder(&mut self, index: usize, pair: &Pair, reason: &str) {
        self.has_failed.insert(index);
        self.summary.folders_failed += 1;
        self.observer.observe(&Event::FolderFailed { folder: &pair.from.to_string(), reason });
    }

    fn close(&mut self, link: Link) {
        let mut traffic = Both::default();
        link.close(&mut traffic);
        self.add_traffic(traffic);
    }

    fn add_traffic(&mut self, traffic: Both<Traffic>) {
        self.summary.source_traffic += traffic.first;
        self.summary.target_traffic += traffic.second;
    }

    fn finish(mut self, started: Instant, stop: &Stop) -> CopySummary {
        if matches!(self.summary.status, Status::Complete) {
            if stop.is_requested() {
                self.summary.status = Status::Interrupted;
            } else if self.braked {
                self.summary.status = Status::Braked;
            } else if self.summary.failed + self.summary.folders_failed > 0 {
                self.summary.status = Status::Partial;
            }
        }
        self.summary.seconds = started.elapsed().as_secs_f64();
        self.summary
    }
}
