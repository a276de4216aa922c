//! What either side lacks is sent to it, both directions at the same time, by the lanes that `copy`
//! uses.

use super::memory::pair_record;
use super::sharing::{self, Postponed};
use super::{Sync, Work};
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::{self, Context, Journal, Tally};
use crate::locks::{lock, unlocked};
use crate::mail::{Both, FlagTable, Flags, Message, Side, Uid};
use crate::plan::FolderTask;
use crate::plan::merge::{AgreedFlags, PairState, Prints};
use crate::state::{FolderId, TwoWay, TwoWayChange, TwoWayPair, TwoWayRefused};
use crate::store::Error;
use std::collections::HashSet;
use std::sync::Mutex;

/// How many characters of a server's reason for a refusal are kept.
const LONGEST_REASON: usize = 300;

/// Records pairs as the side confirms them.
struct Pairs<'a> {
    state: Option<TwoWay<'a>>,
    to: Side,
    ids: Vec<Option<FolderId>>,
    /// Where something was put so far, by task.
    taken: Mutex<HashSet<(usize, Uid)>>,
    /// Why something could not be recorded.
    error: Mutex<Option<Error>>,
}

impl Journal for Pairs<'_> {
    fn copied(&self, task: usize, folder: &FolderTask, pairs: &[(Uid, Uid)]) {
        let (Some(state), Some(Some(id))) = (self.state, self.ids.get(task)) else {
            return;
        };
        let mut taken = lock(&self.taken);
        // A message that was there before, or that another one has become already, is no new pair:
        // the proof sees to it.
        let mut is_new = |to: Uid| {
            folder
                .target_uid_next
                .is_none_or(|next| !next.has_assigned(to))
                && taken.insert((task, to))
        };
        let mut change = |(from, to): &(Uid, Uid)| {
            is_new(*to).then_some(())?;
            let message = &folder.messages[folder.position(*from)?];
            Some(TwoWayChange::Pair(
                *id,
                Box::new(sent_pair(folder, message, *to, self.to, None)),
            ))
        };
        let changes: Vec<TwoWayChange> = pairs.iter().filter_map(&mut change).collect();
        self.record(state, &changes);
    }

    fn refused(&self, task: usize, uid: Uid, reason: &str) {
        let (Some(state), Some(Some(id))) = (self.state, self.ids.get(task)) else {
            return;
        };
        let reason = reason.chars().take(LONGEST_REASON).collect();
        let refused = TwoWayRefused {
            side: self.to.other(),
            uid,
            reason,
        };
        self.record(state, &[TwoWayChange::Refuse(*id, Box::new(refused))]);
    }
}

impl Pairs<'_> {
    fn record(&self, state: TwoWay<'_>, changes: &[TwoWayChange]) {
        if let Err(failure) = state.record(changes, false) {
            lock(&self.error).get_or_insert(failure);
        }
    }
}

/// The pair of a message and its copy on `to`; `copy` is how that looks there, once it was seen.
pub(super) fn sent_pair(
    task: &FolderTask,
    message: &Message,
    to_uid: Uid,
    to: Side,
    copy: Option<(&Message, &Flags)>,
) -> TwoWayPair {
    let flags = task.flags.get(message.flags());
    let unfit = task.permanent_flags.split(&flags).1;
    // A keyword that was sent and is not there was not taken, and so it is with a system flag that
    // the folder does not list. Any other system flag may have been changed by somebody.
    let keywords = flags.minus(&flags.filter_keywords(|_| false));
    let doubtful = keywords.union(&task.permanent_flags.doubts(&flags));
    let lost = copy.map_or_else(Flags::default, |(_, there)| doubtful.minus(there));
    let lacks = Both::of(|side| {
        if side == to {
            unfit.union(&lost)
        } else {
            Flags::default()
        }
    });
    let uids = Both::of(|side| if side == to { to_uid } else { message.uid() });
    let shown = Both::of(|side| {
        if side == to {
            copy.map(|(copy, _)| copy)
        } else {
            Some(message)
        }
    });
    pair_record(
        uids,
        &AgreedFlags { flags, lacks },
        Prints::of(shown),
        PairState::Settled,
    )
}

impl Sync<'_> {
    /// Sends what each side lacks.
    pub(super) fn copy(&mut self, way: &mut Way<'_>) -> Result<Both<Sent>, Error> {
        let mut sent = Both::of(|side| self.tasks(side));
        let (folders, messages) = (
            self.summary.folders,
            sent.first.messages() + sent.second.messages(),
        );
        let postponed = Both::of(|side| sharing::postpone(&mut sent[side], &self.originals[side]));
        let bytes = sent.first.bytes() + sent.second.bytes();
        self.observer.observe(&Event::Planned {
            folders,
            messages,
            bytes,
        });
        self.send(way, &mut sent)?;
        self.copy_postponed(way, &mut sent, postponed)?;
        Ok(sent)
    }

    /// What is to be copied by a side itself is, or is sent after all.
    fn copy_postponed(
        &mut self,
        way: &mut Way<'_>,
        sent: &mut Both<Sent>,
        postponed: Both<Vec<Postponed>>,
    ) -> Result<(), Error> {
        let mut rest = Both::<Sent>::default();
        for (side, postponed) in postponed.each() {
            if !postponed.is_empty() && !way.context.stop.is_requested() {
                let (done, left) = self.share(way, side, &sent[side], postponed)?;
                sent[side].add(done);
                rest[side] = left;
            }
        }
        self.send(way, &mut rest)?;
        sent.first.add(rest.first);
        sent.second.add(rest.second);
        Ok(())
    }

    /// Sends all tasks, both ways at the same time.
    fn send(&mut self, way: &mut Way<'_>, sent: &mut Both<Sent>) -> Result<(), Error> {
        if sent.all(|sent| sent.tasks.is_empty()) {
            return Ok(());
        }
        let state = self.memory.two_way;
        let journals = Both::of(|to| {
            let ids = sent[to]
                .of
                .iter()
                .map(|at| self.works[*at].record)
                .collect();
            Pairs {
                state,
                to,
                ids,
                taken: Mutex::default(),
                error: Mutex::new(None),
            }
        });
        let tallies = send_both(way, sent, &journals)?.each();
        let errors = journals.map(|journal| unlocked(journal.error));
        let mut failure = errors.first.or(errors.second);
        for (side, tally) in tallies {
            let Some(tally) = tally else { continue };
            let done = self.way(side);
            done.copied += tally.copied;
            done.bytes_copied += tally.bytes;
            done.failed += tally.failed;
            done.fixed += tally.fixed.len() as u64;
            self.summary.skipped += tally.vanished;
            sent[side].fates = tally.fates;
            sent[side].short().for_each(|at| self.works[at].open = true);
            failure = failure.or(tally.error);
        }
        failure.map_or(Ok(()), Err)
    }

    /// What is sent to a side.
    fn tasks(&self, to: Side) -> Sent {
        let mut sent = Sent::default();
        for (at, work) in self
            .works
            .iter()
            .enumerate()
            .filter(|(_, work)| !work.rests())
        {
            work.task(to)
                .into_iter()
                .for_each(|task| sent.plan(at, task));
        }
        sent
    }
}

impl Work {
    /// What the other side has for this one.
    pub(super) fn incoming(&self, to: Side) -> impl Iterator<Item = &Message> {
        self.merge.incoming[to]
            .iter()
            .filter_map(move |incoming| self.message(to.other(), incoming.from))
    }

    fn task(&self, to: Side) -> Option<FolderTask> {
        let from = to.other();
        let (source, target) = (self.raw[from].clone()?, self.raw[to].clone()?);
        let mut flags = FlagTable::default();
        let view = &self.views[from];
        let mut messages: Vec<Message> = self
            .incoming(to)
            .map(|message| message.with_flags(flags.intern(view.flags(message))))
            .collect();
        if messages.is_empty() {
            return None;
        }
        messages.sort_by_key(Message::uid);
        let mark = &self.state[to].counters;
        Some(FolderTask {
            from: self.name(from),
            to: self.name(to),
            source,
            source_uid_validity: self.state[from].counters.uid_validity,
            target,
            target_uid_validity: mark.uid_validity,
            // A lost reply must not be looked for among what was moved.
            target_uid_next: mark.uid_next.map(|next| next.max(self.arrived[to].next())),
            permanent_flags: self.state[to].permanent.clone(),
            drafts: self.drafts,
            messages,
            flags,
        })
    }
}

/// Sends the tasks of both ways: at the same time where there are lanes for it, else one after the
/// other.
fn send_both(
    way: &mut Way<'_>,
    sent: &Both<Sent>,
    journals: &Both<Pairs<'_>>,
) -> Result<Both<Option<Tally>>, Error> {
    let all = way.context.lanes;
    let at_once = all.first > 1 && !sent.any(|sent| sent.tasks.is_empty());
    let lanes = if at_once { all.halves() } else { [all, all] };
    let context = |to: Side, lanes| Context {
        to,
        lanes,
        journal: Some(&journals[to]),
        ..*way.context
    };
    let (to_first, to_second) = (
        context(Side::First, lanes[0]),
        context(Side::Second, lanes[1]),
    );
    if at_once {
        let link = way.take()?;
        let (first, second) = exec::at_once(
            || {
                Ok(exec::copy(
                    &to_first,
                    &sent.first.tasks,
                    to_first.connect_with_patience()?,
                ))
            },
            || Ok(exec::copy(&to_second, &sent.second.tasks, link)),
        );
        let tallies = Both::new(first, second).map(|tally| tally.map(|tally| way.settle(tally)));
        return Ok(Both::new(Some(tallies.first?), Some(tallies.second?)));
    }
    let mut tallies: Both<Option<Tally>> = Both::default();
    for context in [to_first, to_second] {
        let tasks = &sent[context.to].tasks;
        if !tasks.is_empty() && !context.stop.is_requested() {
            let tally = exec::copy(&context, tasks, way.take()?);
            tallies[context.to] = Some(way.settle(tally));
        }
    }
    Ok(tallies)
}
