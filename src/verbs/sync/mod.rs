//! `sync`: makes two mailboxes that are both in use the same, by what each has changed since both
//! last agreed.
//!
//! What is done is decided by [`crate::plan::merge`]; here both sides are read and its actions
//! carried out. What it keeps true: a folder is recorded as unfinished, on the disk, before
//! anything is done in it; a pair is recorded when both its messages are known to be there, and
//! forgotten only when its message is known to be gone; what was not carried out is found again by
//! the next run, since the marks that are kept are those of the scan.

mod apart;
mod carry;
mod conflicts;
mod copying;
mod deleting;
mod explaining;
mod flagging;
mod folders;
mod keeping;
mod listing;
mod memory;
mod merging;
mod moving;
mod planning;
mod proof;
mod scanning;
mod sharing;
mod strays;
mod telling;
mod views;

use super::gone::{self, Held};
use super::opening::{self, patiently};
use super::rounds;
use super::undo::UndoRun;
use super::{SyncOptions, SyncSummary, SyncWay};
use crate::engine::folders::FolderRef;
use crate::engine::latecomers;
use crate::engine::relocate::Arrived;
use crate::event::{Event, Observer, Run, Stop};
use crate::exec::{Context, Link};
use crate::folders::Rules;
use crate::mail::{Both, Counters, MailboxName, PermanentFlags, Side, UidSet};
use crate::plan::merge::{BaseFolder, FolderMerge, FolderPair, FoldersMerge, Move, Row, View};
use crate::state::{FolderId, TwoWay, TwoWayFolder, TwoWayRefused};
use crate::store::budget::Direction;
use crate::store::{Connector, Error};
use listing::Listed;
use memory::Memory;
use sharing::Originals;
use std::collections::HashSet;
use std::time::Instant;
use strays::Departed;
use telling::Untold;

/// Brings two mailboxes into step.
///
/// Messages and folders that fail are named in events and counted; the rest goes on. `state` is
/// what earlier runs have left; without it (in a dry run of a pair that has none) both sides are
/// joined.
///
/// # Errors
/// What kept the run from beginning: no connection, a refused login, a state that can't be read.
/// What ends it later is in the summary's status, beside what was done until then.
pub fn sync(
    connectors: Both<&dyn Connector>,
    rules: &Rules,
    options: &SyncOptions,
    state: Option<TwoWay<'_>>,
    run: Run<'_>,
) -> Result<SyncSummary, Error> {
    if options.dry_run {
        return sync_once(connectors, rules, options, state, run);
    }
    rounds::in_rounds(options.wait, connectors, run, || {
        rounds::check(connectors, Both::new(&Direction::BOTH, &Direction::BOTH))?;
        sync_once(connectors, rules, options, state, run)
    })
}

/// Does one round of a sync.
fn sync_once(
    connectors: Both<&dyn Connector>,
    rules: &Rules,
    options: &SyncOptions,
    state: Option<TwoWay<'_>>,
    run: Run<'_>,
) -> Result<SyncSummary, Error> {
    let started = Instant::now();
    let Run { stop, observer } = run;
    latecomers::await_those_of_a_dead_run(
        state.is_some_and(|state| state.follows_a_death()),
        stop,
    )?;
    let held = held(state)?;
    let places = Both::of(|side| held[side].check_place(side, connectors[side]));
    let has_no_place = places.as_ref().map(Result::is_err);
    if !options.new_target {
        places.first.and(places.second)?;
    }
    let connect = || opening::connect(connectors);
    let (mut sync, mut link) = patiently(connect, run, |mut link| {
        let mut sync = Sync::begin(&mut link, rules, options, state, observer)?;
        if sync.begins_anew(&held, &has_no_place)? {
            sync = Sync::begin(&mut link, rules, options, state, observer)?;
        }
        sync.check_apart(&mut link)?;
        sync.plan(&mut link)?;
        Ok((sync, link))
    })?;
    sync.tell_brakes();
    sync.explain();
    if options.dry_run {
        sync.foresee(&mut link);
        sync.close(link);
    } else {
        let lanes = opening::lanes(options.jobs, connectors, &link);
        let context = Context {
            limit_rate: options.limit_rate,
            accept_sizes: options.accept_sizes,
            fix_refused: options.fix_refused,
            ..Context::new(connectors, Side::ORDINALS, lanes, run)
        };
        sync.carry_out(link, &context);
    }
    Ok(sync.finish(started, stop))
}

/// What the state says that both sides hold. Counts are those of scans, before what the last run
/// copied.
fn held(state: Option<TwoWay<'_>>) -> Result<Both<Held>, Error> {
    let mut held: Both<Held> = Both::default();
    let Some(state) = state else { return Ok(held) };
    for (id, folder) in state.folders()? {
        let highest = state.highest(id)?;
        let count = Side::BOTH
            .iter()
            .filter_map(|side| folder.sides[*side].counters.messages)
            .max()
            .unwrap_or(0)
            .max(1);
        for side in Side::BOTH {
            held[side].messages += if highest[side].is_some() {
                u64::from(count)
            } else {
                0
            };
            held[side].folders.push((
                folder.sides[side].name.clone(),
                folder.sides[side].counters.uid_validity,
            ));
        }
    }
    Ok(held)
}

/// A folder of both sides on its way.
struct Work {
    pair: FolderPair,
    /// Its record, and what it said at first.
    record: Option<FolderId>,
    stored: Option<TwoWayFolder>,
    base: Option<BaseFolder>,
    /// Its messages that the other side refused in an earlier run.
    refused_before: Vec<TwoWayRefused>,
    /// What it is called on each side now; `None`: it is not there.
    raw: Both<Option<MailboxName>>,
    /// How each side's folder stood before anything was written.
    state: Both<SideState>,
    views: Both<View>,
    merge: FolderMerge,
    drafts: bool,
    /// What each side moved here. What is sent comes after it.
    arrived: Both<Arrived>,
    /// Messages with a mark that a killed run has left.
    marked: Both<UidSet>,
    /// Why it is to be made on a side that lacks it, whatever becomes of its messages.
    new: Both<Option<Row>>,
    /// It is as it was when both were in step, and was not opened.
    in_step: bool,
    /// It could not be read, so nothing is done in it.
    unread: bool,
    /// Something in it was not done, so it stays unfinished.
    open: bool,
    /// It has not got the name that it should have.
    misnamed: bool,
}

/// How one side's folder stood.
#[derive(Clone, Debug, Default)]
struct SideState {
    counters: Counters,
    mailbox_id: Option<String>,
    permanent: PermanentFlags,
}

impl Work {
    /// Returns a side's folder as it was when it was read, if it exists.
    fn folder_on(&self, side: Side) -> Option<FolderRef<'_>> {
        Some(FolderRef {
            mailbox: self.raw[side].as_ref()?,
            counters: self.state[side].counters,
        })
    }

    /// Its name, for people.
    fn name(&self, side: Side) -> String {
        self.pair.names[side].to_string()
    }

    fn is_on_both(&self) -> bool {
        self.raw.all(Option::is_some)
    }

    /// Whether nothing is done with its messages.
    fn rests(&self) -> bool {
        self.in_step || self.unread || self.merge.refused.is_some()
    }
}

struct Sync<'a> {
    options: &'a SyncOptions,
    observer: &'a dyn Observer,
    memory: Memory<'a>,
    listed: Listed,
    folders: FoldersMerge,
    works: Vec<Work>,
    moves: Vec<Move>,
    /// Folders that the user was subscribed to when they were made.
    subscribed: Both<HashSet<MailboxName>>,
    /// The keys of the names of folders that a side did not subscribe to.
    not_subscribed: HashSet<String>,
    /// What each side is to get in several folders, and is sent once.
    originals: Both<Originals>,
    verdicts: Both<crate::plan::Verdict>,
    /// Messages that were moved or deleted, which may be somewhere else by now.
    departed: Vec<Departed>,
    summary: SyncSummary,
    undo: Option<UndoRun>,
    /// Changes that are told once the headings of their messages are read.
    untold: Vec<Untold>,
}

impl<'a> Sync<'a> {
    fn begin(
        link: &mut Link,
        rules: &Rules,
        options: &'a SyncOptions,
        state: Option<TwoWay<'a>>,
        observer: &'a dyn Observer,
    ) -> Result<Self, Error> {
        let mut memory = Memory::open(state)?;
        let mut summary = SyncSummary::default();
        let listed = Listed::read(link, rules, &mut memory, observer)?;
        summary.folders_failed = listed.failed;
        summary.left_out.clone_from(&listed.omitted);
        let undo = options
            .undo
            .clone()
            .map(|path| UndoRun::new(path, options.undo_size));
        let (works, moves) = (Vec::new(), Vec::new());
        let (folders, subscribed, verdicts) =
            (FoldersMerge::default(), Both::default(), Both::default());
        let (originals, departed) = (Both::default(), Vec::new());
        Ok(Self {
            options,
            observer,
            memory,
            listed,
            folders,
            works,
            moves,
            subscribed,
            not_subscribed: HashSet::new(),
            originals,
            verdicts,
            departed,
            summary,
            undo,
            untold: Vec::new(),
        })
    }

    /// Whether what is known was forgotten, as one side was filled by earlier runs, is empty now,
    /// and is to be filled anew.
    ///
    /// # Errors
    /// That a side is gone, and that nothing says that this is meant.
    fn begins_anew(&mut self, held: &Both<Held>, has_no_place: &Both<bool>) -> Result<bool, Error> {
        let gone =
            Both::of(|side| has_no_place[side] || held[side].is_gone(&self.listed.listings[side]));
        let side = match (gone.first, gone.second) {
            (true, false) => Side::First,
            (false, true) => Side::Second,
            // Where both are empty, nothing can be lost.
            _ => return Ok(false),
        };
        if !self.options.new_target {
            return Err(held[side].refusal(side, gone::EMPTY));
        }
        self.memory.forget_all(self.options.dry_run)?;
        Ok(!self.options.dry_run)
    }

    fn way(&mut self, side: Side) -> &mut SyncWay {
        &mut self.summary.to[side]
    }

    fn fail_folder(&mut self, name: &str, reason: &str) {
        self.summary.folders_failed += 1;
        self.observer.observe(&Event::FolderFailed {
            folder: name,
            reason,
        });
    }

    fn warn(&self, text: &str) {
        self.observer.observe(&Event::Warning { text });
    }

    fn close(&mut self, link: Link) {
        self.summary.traffic += link.end();
    }

    fn finish(mut self, started: Instant, stop: &Stop) -> SyncSummary {
        let is_braked = self.verdicts.any(crate::plan::Verdict::stops);
        let failures =
            self.summary.failed + self.summary.total().failed + self.summary.folders_failed;
        let status = std::mem::take(&mut self.summary.status);
        self.summary.status = status.concluded(stop, is_braked, failures);
        self.summary.seconds = started.elapsed().as_secs_f64();
        self.summary
    }
}
