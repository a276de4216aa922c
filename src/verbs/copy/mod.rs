//! `copy`: makes the target hold everything that the source holds.
//!
//! Never writes to the source, sends only what the target lacks, and is safe to run again at any
//! time.

mod apart;
mod carry;
mod changes;
mod checking;
mod damage;
mod deletion;
mod early;
mod elsewhere;
mod emptying;
mod holding;
mod keeping;
mod memory;
mod moved_away;
mod needs;
mod planning;
mod prepare;
mod proof;
mod recording;
mod relocate;
mod removals;
mod renames;
mod repair;
mod rights;
mod saving;
mod unlisted;
mod views;
mod work;

use super::gone::{self, Held};
use super::left_out;
use super::opening::{self, Opened};
use super::rounds;
use super::searching::check_search;
use super::{CopyOptions, CopySummary, PlanUse, Status};
use crate::engine::latecomers;
use crate::event::{Event, Observer, Run, Stop};
use crate::exec::{self, Ahead, Connecting, Context, Journal, Lanes, Link, Running};
use crate::folders::{Pair, Rules};
use crate::mail::{Both, MailboxName, Side, UidValidity};
use crate::plan::elsewhere::Shelf;
use crate::plan::planned::Planned;
use crate::state::State;
use crate::store::budget::Direction;
use crate::store::{Answer, Connector, Error, Prepared};
use early::Early;
use elsewhere::Elsewhere;
use memory::Memory;
use needs::Needs;
use recording::Recording;
use relocate::Leftover;
use removals::Doomed;
use renames::Rename;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread::Scope;
use std::time::Instant;
use work::Works;

/// Copies what the target lacks.
///
/// Messages and folders that fail are named in events and counted; the rest goes on. `state` is
/// what earlier runs have left and what the next one can build upon; without it everything is
/// compared. Beside the summary it gives the plan, where [`PlanUse::Keep`] asks for it; else that
/// is empty.
///
/// # Errors
/// What kept the run from beginning: no connection, a refused login, folders that collide. What
/// ends it later is in the summary's status, beside what was done until then.
pub fn copy(
    connectors: Both<&dyn Connector>,
    rules: &Rules,
    options: &CopyOptions,
    state: Option<&State>,
    run: Run<'_>,
) -> Result<(CopySummary, Planned), Error> {
    if options.dry_run {
        return copy_once(connectors, rules, options, state, run);
    }
    rounds::in_rounds(options.wait, connectors, run, || {
        // What a copy sends to its source is next to nothing.
        rounds::check(connectors, Both::new(&[Direction::Read], &Direction::BOTH))?;
        copy_once(connectors, rules, options, state, run)
    })
}

/// Does one round of a copy.
fn copy_once(
    connectors: Both<&dyn Connector>,
    rules: &Rules,
    options: &CopyOptions,
    state: Option<&State>,
    run: Run<'_>,
) -> Result<(CopySummary, Planned), Error> {
    let started = Instant::now();
    let target = connectors[Side::TARGET];
    latecomers::await_those_of_a_dead_run(state.is_some_and(State::follows_a_death), run.stop)?;
    let held = held(state)?;
    if !options.new_target {
        held.check_place(Side::TARGET, target)?;
    }
    let request = Request {
        connectors,
        rules,
        options,
        state,
        run,
        held,
    };
    let (done, unused) =
        exec::connecting_ahead(connectors, |connecting| request.carry_out(connecting));
    let (mut copy, planned) = done?;
    unused.into_iter().for_each(|link| copy.close(link));
    Ok((copy.finish(started, run.stop), planned))
}

/// What a copy is to do.
struct Request<'a> {
    connectors: Both<&'a dyn Connector>,
    rules: &'a Rules,
    options: &'a CopyOptions,
    state: Option<&'a State>,
    run: Run<'a>,
    /// What the state says that the target holds.
    held: Held,
}

impl<'a> Request<'a> {
    /// Plans and, unless it is a dry run, carries out the plan.
    fn carry_out(&self, connecting: &Connecting<'_, '_>) -> Result<(Copy<'a>, Planned), Error> {
        let ahead = connecting.ahead();
        std::thread::scope(|scope| {
            let early = |lanes, asks_for_each, recording: Option<Arc<Recording<'a>>>| {
                let context = self.context(lanes, ahead);
                let begin = move || begin_lanes(scope, context, asks_for_each, recording.clone());
                Early::new(self.options.headway, begin)
            };
            // A copy that broke off while it was planned, with what it has sent.
            let mut broken: Option<Copy<'a>> = None;
            let connect = || opening::connect(self.connectors);
            let planned = opening::patiently(connect, self.run, |link| {
                self.plan(link, connecting, &early, &mut broken)
            });
            match (planned, broken) {
                (Ok(plan), _) => Ok(self.carry_out_plan(plan, connecting)),
                (Err(error), Some(mut copy)) if copy.summary.copied + copy.summary.failed > 0 => {
                    copy.summary.status = Status::Stopped(error);
                    Ok((copy, Planned::default()))
                }
                (Err(error), _) => Err(error),
            }
        })
    }

    /// Plans, and lets lanes begin meanwhile where they may.
    fn plan<'s>(
        &self,
        link: Link,
        connecting: &Connecting<'_, '_>,
        early: &MakeEarly<'a, 's, '_>,
        broken: &mut Option<Copy<'a>>,
    ) -> Result<Plan<'a, 's>, Error> {
        let (mut copy, mut opened) = self.open(link)?;
        let lanes = opening::lanes(self.options.jobs, self.connectors, &opened.link);
        let (link, names) = opened.link_and_names();
        let ahead = copy.lanes_from_listing(lanes, &names);
        connecting.begin(ahead - 1);
        let is_early = ahead > 1
            && copy.may_begin_early(&names)
            && Copy::has_room_for_all(link.target.as_mut(), &names)?;
        let mut early = is_early.then(|| {
            let asks_for_each = link.target.asks_for_each();
            let lanes = Copy::lanes_for_pieces(lanes, &names, asks_for_each);
            early(lanes, asks_for_each, copy.memory.journal())
        });
        let planned = copy.plan(link, &names, early.as_mut());
        if let Some(before) = &broken {
            copy.take_over(&before.summary);
        }
        if let Err(error) = planned {
            // Lanes may need connections in place of these.
            drop(opened);
            if let Some(early) = early {
                let tally = copy.end_early(early);
                copy.summary.traffic += tally.traffic;
                tally.link.into_iter().for_each(|link| copy.close(link));
            }
            *broken = Some(copy);
            return Err(error);
        }
        Ok(Plan {
            copy,
            opened,
            lanes,
            early,
        })
    }

    fn carry_out_plan(
        &self,
        plan: Plan<'a, '_>,
        connecting: &Connecting<'_, '_>,
    ) -> (Copy<'a>, Planned) {
        let Plan {
            mut copy,
            opened,
            lanes,
            early,
        } = plan;
        let Opened {
            link,
            pairing,
            source_listing,
            target_listing,
            ..
        } = opened;
        let names = opening::Names::new(&pairing, &source_listing, &target_listing);
        let is_kept = matches!(self.options.plan, PlanUse::Keep);
        let planned = if is_kept {
            copy.planned(&names)
        } else {
            Planned::default()
        };
        if self.options.dry_run {
            copy.foresee(&names, link);
        } else {
            // Lanes that run have taken the connections that were made ahead.
            if !early.as_ref().is_some_and(Early::has_begun) {
                connecting.begin(copy.lanes_for_certain(lanes) - 1);
            }
            let context = self.context(lanes, connecting.ahead());
            copy.carry_out(link, &names, &context, early);
        }
        (copy, planned)
    }

    /// Reads both listings and what is known, and decides which folders take part.
    fn open(&self, link: Link) -> Result<(Copy<'a>, Opened), Error> {
        let Self { options, run, .. } = *self;
        let mut opened = Opened::new(link, self.rules, run.observer)?;
        if !options.new_target && self.held.is_gone(&opened.target_listing) {
            if self.connectors[Side::TARGET].directory().is_some() {
                return Err(self.held.refusal(Side::TARGET, gone::EMPTY));
            }
            run.observer.observe(&Event::Warning {
                text: &self.held.warning(),
            });
        }
        let (link, names) = opened.link_and_names();
        check_search(
            link.source.as_mut(),
            options.filter.search.as_deref(),
            Side::SOURCE,
            &names,
        )?;
        let memory = Memory::open(self.state, options, run.observer);
        let mut copy = Copy::new(options, memory, run.observer);
        copy.summary.folders_failed = opened.folders_failed();
        copy.summary.left_out = left_out::folders_of(&opened.pairing, &opened.source_listing);
        copy.limit_to_plan(&mut opened);
        copy.find_renames(&mut opened)?;
        copy.ask_for_unlisted(&mut opened, self.rules)?;
        copy.check_apart(&mut opened)?;
        Ok((copy, opened))
    }

    fn context<'c>(&'c self, lanes: Lanes, ahead: &'c Ahead) -> Context<'c> {
        Context {
            limit_rate: self.options.limit_rate,
            accept_sizes: self.options.accept_sizes,
            fix_refused: self.options.fix_refused,
            ahead: Some(ahead),
            ..Context::new(self.connectors, Side::PARTS, lanes, self.run)
        }
    }
}

/// Makes what lets lanes begin early: so many, for a target that has to be asked before each
/// message or not.
type MakeEarly<'a, 's, 'f> = dyn Fn(Lanes, bool, Option<Arc<Recording<'a>>>) -> Early<'s> + 'f;

/// A copy that is planned, and lanes that may have begun with it.
struct Plan<'a, 's> {
    copy: Copy<'a>,
    opened: Opened,
    lanes: Lanes,
    early: Option<Early<'s>>,
}

/// Starts lanes for a plan that is still being made.
fn begin_lanes<'s>(
    scope: &'s Scope<'s, '_>,
    context: Context<'s>,
    asks_for_each: bool,
    recording: Option<Arc<Recording<'s>>>,
) -> Running<'s> {
    exec::begin(scope, asks_for_each, move |run| {
        let journal = recording.as_deref().map(|journal| journal as &dyn Journal);
        run(&Context { journal, ..context })
    })
}

/// What the state says that the target holds.
fn held(state: Option<&State>) -> Result<Held, Error> {
    let records = state.map_or(Ok(Vec::new()), State::folders)?;
    let messages = records.iter().map(|record| record.pairs).sum();
    let folders = records
        .into_iter()
        .map(|record| (record.target, record.target_uid_validity))
        .collect();
    Ok(Held { messages, folders })
}

struct Copy<'a> {
    options: &'a CopyOptions,
    observer: &'a dyn Observer,
    memory: Memory<'a>,
    summary: CopySummary,
    folders: Works,
    /// What the target's folders hold, as far as they were looked into.
    shelves: Vec<Shelf>,
    /// The generations of the target's folders that nothing is paired with, by their place in the
    /// listing.
    unmatched_generations: HashMap<usize, Option<UidValidity>>,
    /// What the target takes from other folders of its own.
    elsewhere: Elsewhere,
    /// Messages that were to leave a folder of the target and may still be there.
    leftovers: Vec<Leftover>,
    /// The planned names of the target's folders that were reported as created.
    made: HashSet<MailboxName>,
    /// What became of the target's new folders, where they were made ahead.
    prepared: Option<Vec<Answer<Prepared>>>,
    /// Folders that were subscribed to as they were made or opened.
    subscribed: HashSet<MailboxName>,
    /// Folders to rename on the target.
    renames: Vec<Rename>,
    /// The new names of those that were renamed, by their old ones.
    renamed: HashMap<MailboxName, MailboxName>,
    /// What is deleted at the end.
    doomed: Vec<Doomed>,
    /// Whether more was to be deleted than is allowed.
    braked: bool,
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
            summary: CopySummary::default(),
            folders: Works::default(),
            shelves: Vec::new(),
            unmatched_generations: HashMap::new(),
            elsewhere: Elsewhere::default(),
            leftovers: Vec::new(),
            made: HashSet::new(),
            prepared: None,
            subscribed: HashSet::new(),
            renames: Vec::new(),
            renamed: HashMap::new(),
            doomed: Vec::new(),
            braked: false,
            undenied: Vec::new(),
            unplanned: 0,
        }
    }
}

impl Copy<'_> {
    /// Whether a pair is a view that has nothing of its own.
    fn is_idle_view(&self, index: usize, pairs: &[Pair]) -> bool {
        let has_work = |needs: &Needs| !needs.missing.is_empty() || needs.already_there > 0;
        pairs[index].view && !self.folders.needs(index).is_some_and(has_work)
    }

    fn fail_folder(&mut self, index: usize, pair: &Pair, reason: &str) {
        self.folders[index].has_failed = true;
        self.summary.folders_failed += 1;
        self.observer.observe(&Event::FolderFailed {
            folder: &pair.from.to_string(),
            reason,
        });
    }

    fn close(&mut self, link: Link) {
        self.summary.traffic += link.end();
    }

    fn finish(mut self, started: Instant, stop: &Stop) -> CopySummary {
        let failures =
            self.summary.failed + self.summary.folders_failed + self.summary.rights_failed;
        let status = std::mem::take(&mut self.summary.status);
        self.summary.status = status.concluded(stop, self.braked, failures);
        self.summary.seconds = started.elapsed().as_secs_f64();
        self.summary
    }
}
