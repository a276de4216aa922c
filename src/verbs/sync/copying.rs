//! What either side lacks is sent to it, both directions at the same time, by the lanes that `copy` uses.

use super::memory::pair_record;
use super::sharing::Postponed;
use super::{Sync, Work};
use crate::event::{Event, Observer};
use crate::exec::{self, Context, Fate, Journal, Tally};
use crate::locks::{lock, unlocked};
use crate::mail::{Both, FlagTable, Flags, Message, Side, Uid};
use crate::plan::FolderTask;
use crate::plan::merge::{AgreedFlags, PairState, Prints};
use crate::state::{FolderId, TwoWay, TwoWayChange, TwoWayPair, TwoWayRefused};
use crate::store::Error;
use crate::verbs::way::Way;
use std::collections::HashSet;
use std::sync::Mutex;

/// How many characters of a server's reason for a refusal are kept.
const LONGEST_REASON: usize = 300;

/// What was sent to each side: the folders, their tasks, and what became of the messages.
#[derive(Default)]
pub(super) struct Sent(pub(super) Both<Direction>);

/// What was sent one way.
#[derive(Default)]
pub(super) struct Direction {
    pub(super) works: Vec<usize>,
    pub(super) tasks: Vec<FolderTask>,
    pub(super) fates: Vec<Vec<Fate>>,
}

impl Direction {
    /// Each folder with its task and its messages' fates.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, &FolderTask, &[Fate])> {
        let tasks = self.tasks.iter().zip(&self.fates);
        self.works.iter().zip(tasks).map(|(work, (task, fates))| (*work, task, fates.as_slice()))
    }
}

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
        let (Some(state), Some(Some(id))) = (self.state, self.ids.get(task)) else { return };
        let mut taken = lock(&self.taken);
        // A message that was there before, or that another one has become already, is no new pair: the proof sees to it.
        let mut is_new =
            |to: Uid| folder.target_uid_next.is_none_or(|next| to.get() >= next) && taken.insert((task, to));
        let mut change = |(from, to): &(Uid, Uid)| {
            is_new(*to).then_some(())?;
            let message = &folder.messages[folder.position(*from)?];
            Some(TwoWayChange::Pair(*id, Box::new(sent_pair(folder, message, *to, self.to, None))))
        };
        let changes: Vec<TwoWayChange> = pairs.iter().filter_map(&mut change).collect();
        self.record(state, &changes);
    }

    fn refused(&self, task: usize, uid: Uid, reason: &str) {
        let (Some(state), Some(Some(id))) = (self.state, self.ids.get(task)) else { return };
        let reason = reason.chars().take(LONGEST_REASON).collect();
        let refused = TwoWayRefused { side: self.to.other(), uid, reason };
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
    // A keyword that was sent and is not there was not taken, and so it is with a system flag that the folder does not list.
    // Any other system flag may have been changed by somebody.
    let keywords = flags.minus(&flags.filter_keywords(|_| false));
    let doubtful = keywords.union(&task.permanent_flags.doubts(&flags));
    let lost = copy.map_or_else(Flags::default, |(_, there)| doubtful.minus(there));
    let lacks = Both::of(|side| if side == to { unfit.union(&lost) } else { Flags::default() });
    let uids = Both::of(|side| if side == to { to_uid } else { message.uid() });
    let shown = Both::of(|side| if side == to { copy.map(|(copy, _)| copy) } else { Some(message) });
    pair_record(uids, &AgreedFlags { flags, lacks }, Prints::of(shown), PairState::Settled)
}

/// Tells what a copy tells whose source is the second side.
struct Turned<'a>(&'a dyn Observer);

impl Observer for Turned<'_> {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Retrying { side, wait, reason } => {
                self.0.observe(&Event::Retrying { side: side.other(), wait: *wait, reason });
            }
            Event::MessageCopied { to, folder, uid, bytes } => {
                self.0.observe(&Event::MessageCopied { to: to.other(), folder, uid: *uid, bytes: *bytes });
            }
            event => self.0.observe(event),
        }
    }
}

impl Sync<'_> {
    /// Sends what each side lacks.
    pub(super) fn copy(&mut self, way: &mut Way<'_>) -> Result<Sent, Error> {
        let mut sent = Sent(Both::of(|side| self.tasks(side)));
        let messages =
            |direction: &Direction| direction.tasks.iter().map(|task| task.messages.len() as u64).sum::<u64>();
        let total = messages(&sent.0.first) + messages(&sent.0.second);
        let postponed = Both::of(|side| sent.0[side].postpone(&self.originals[side]));
        let size = |direction: &Direction| -> u64 {
            direction.tasks.iter().flat_map(|task| &task.messages).map(|message| u64::from(message.size())).sum()
        };
        self.observer.observe(&Event::Planned {
            folders: self.summary.folders,
            messages: total,
            bytes: size(&sent.0.first) + size(&sent.0.second),
        });
        self.send(way, &mut sent)?;
        self.copy_postponed(way, &mut sent, postponed)?;
        Ok(sent)
    }

    /// What is to be copied by a side itself is, or is sent after all.
    fn copy_postponed(
        &mut self,
        way: &mut Way<'_>,
        sent: &mut Sent,
        postponed: Both<Vec<Postponed>>,
    ) -> Result<(), Error> {
        let mut rest = Sent::default();
        for (side, postponed) in [(Side::First, postponed.first), (Side::Second, postponed.second)] {
            if !postponed.is_empty() && !way.context.stop.is_requested() {
                let (done, left) = self.share(way, side, &sent.0[side], postponed)?;
                sent.0[side].add(done);
                rest.0[side] = left;
            }
        }
        self.send(way, &mut rest)?;
        let Sent(Both { first, second }) = rest;
        sent.0.first.add(first);
        sent.0.second.add(second);
        Ok(())
    }

    /// Sends all tasks, both ways at the same time.
    fn send(&mut self, way: &mut Way<'_>, sent: &mut Sent) -> Result<(), Error> {
        if sent.0.all(|direction| direction.tasks.is_empty()) {
            return Ok(());
        }
        let ids = |direction: &Direction| direction.works.iter().map(|at| self.works[*at].record).collect::<Vec<_>>();
        let state = self.memory.two_way;
        let journals = Both::of(|to| {
            let direction = &sent.0[to];
            Pairs { state, to, ids: ids(direction), taken: Mutex::default(), error: Mutex::new(None) }
        });
        let (to_first, to_second, link) = {
            let turned = Turned(way.context.observer);
            let is_both = !sent.0.first.tasks.is_empty() && !sent.0.second.tasks.is_empty();
            let all = way.context.lanes;
            let at_once = is_both && all.first > 1;
            let lanes = if at_once { all.halves() } else { [all, all] };
            let straight = Context { lanes: lanes[1], journal: Some(&journals.second), ..*way.context };
            let back = Context {
                source: way.context.target,
                target: way.context.source,
                lanes: lanes[0],
                observer: &turned,
                journal: Some(&journals.first),
                ..*way.context
            };
            let link = way.take()?;
            if at_once {
                std::thread::scope(|scope| {
                    let other = scope.spawn(|| {
                        let link = back.connect_with_patience()?;
                        Ok(exec::copy(&back, &sent.0.first.tasks, link))
                    });
                    let to_second = exec::copy(&straight, &sent.0.second.tasks, link);
                    let to_first = exec::join(other.join());
                    to_first.map(|mut to_first| {
                        let spare = to_first.link.take().map(turn);
                        if let Some(spare) = spare {
                            close(&mut to_first, spare);
                        }
                        (to_first, to_second)
                    })
                })
                .map(|(to_first, mut to_second)| {
                    let link = to_second.link.take();
                    (Some(to_first), Some(to_second), link)
                })?
            } else {
                let mut link = Some(link);
                let mut done = [None, None];
                for (nth, context, tasks) in [(0, &back, &sent.0.first.tasks), (1, &straight, &sent.0.second.tasks)] {
                    if tasks.is_empty() || way.context.stop.is_requested() {
                        continue;
                    }
                    let with = match link.take() {
                        Some(link) => link,
                        None => way.context.connect_with_patience()?,
                    };
                    let with = if nth == 0 { turn(with) } else { with };
                    let mut tally = exec::copy(context, tasks, with);
                    link = tally.link.take().map(|link| if nth == 0 { turn(link) } else { link });
                    done[nth] = Some(tally);
                }
                let [to_first, to_second] = done;
                (to_first, to_second, link)
            }
        };
        way.put(link);
        let errors = journals.map(|journal| unlocked(journal.error));
        let mut failure = errors.first.or(errors.second);
        for (side, tally) in [(Side::First, to_first), (Side::Second, to_second)] {
            let Some(tally) = tally else { continue };
            way.traffic += if side == Side::First { tally.traffic.turned() } else { tally.traffic };
            let done = self.way(side);
            done.copied += tally.copied;
            done.bytes_copied += tally.bytes;
            done.failed += tally.failed;
            self.summary.skipped += tally.vanished;
            for (work, fates) in sent.0[side].works.iter().zip(&tally.fates) {
                if fates.iter().any(|fate| !fate.is_copied()) {
                    self.works[*work].open = true;
                }
            }
            sent.0[side].fates = tally.fates;
            failure = failure.or(tally.error);
        }
        failure.map_or(Ok(()), Err)
    }

    /// What is sent to a side.
    fn tasks(&self, to: Side) -> Direction {
        let mut direction = Direction::default();
        for (at, work) in self.works.iter().enumerate().filter(|(_, work)| !work.rests()) {
            if let Some(task) = work.task(to) {
                direction.works.push(at);
                direction.tasks.push(task);
            }
        }
        direction
    }
}

impl Work {
    /// What the other side has for this one.
    pub(super) fn incoming(&self, to: Side) -> impl Iterator<Item = &Message> {
        self.merge.incoming[to].iter().filter_map(move |incoming| self.message(to.other(), incoming.from))
    }

    fn task(&self, to: Side) -> Option<FolderTask> {
        let from = to.other();
        let (source, target) = (self.raw[from].clone()?, self.raw[to].clone()?);
        let mut flags = FlagTable::default();
        let view = &self.views[from];
        let mut messages: Vec<Message> =
            self.incoming(to).map(|message| message.with_flags(flags.intern(view.flags(message)))).collect();
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
            target_uid_next: mark.uid_next.map(|next| next.max(self.sent_from[to])),
            permanent_flags: self.state[to].permanent.clone(),
            drafts: self.drafts,
            messages,
            flags,
        })
    }
}

/// The link with its ends exchanged.
fn turn(link: exec::Link) -> exec::Link {
    exec::Link { source: link.target, target: link.source }
}

/// Ends connections that are of no further use. `link` has the first side as its source.
fn close(tally: &mut Tally, link: exec::Link) {
    // The tally is of a copy from the second side to the first.
    tally.traffic += link.end().turned();
}
