//! Carries out a plan: a pool of lanes, each with one connection to each side, takes pieces of work
//! from one queue. The plan may still be adding to it meanwhile.
//!
//! Invariants: a message is resent only after it is known that the target doesn't have it; no lane
//! waits for another; bytes in flight are limited; every failure is reported.

mod ahead;
mod allowance;
mod contents;
mod doubts;
mod fixing;
mod found;
mod growth;
mod lane;
mod ledger;
mod lost_replies;
mod pause;
mod queue;
mod throttle;
mod transfer;
mod work;

pub use ahead::{Ahead, Connecting, connecting_ahead};
pub use contents::{Contents, read_contents, read_tied};
pub use growth::Lanes;
pub use ledger::Fate;
pub(crate) use pause::{GRACE, grace, wait as pause};
pub use work::{Running, begin};

use crate::event::{Event, Observer, Run, Stop};
use crate::fixing::Faults;
use crate::locks::{lock, unlocked};
use crate::mail::{Both, Side, Uid};
use crate::plan::{FolderTask, Piece, rows};
use crate::store::{Connector, Error, ErrorKind, ReadStore, Refusal, Store, Traffic};
use allowance::{Admitted, Allowance};
use doubts::Doubts;
use growth::Growth;
use lane::Lane;
use ledger::Ledger;
use queue::Queue;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::Instant;
use throttle::Throttle;
use work::Work;

/// How often messages with an uncertain fate are looked for on the target and, if missing, resent.
const ROUNDS: usize = 5;

/// How often in a row a server may refuse to go on for now. The pauses in between are up to 16
/// seconds, or as long as the server says.
const THROTTLES: u32 = 40;

/// An open connection to each side.
pub struct Link<C = Box<dyn Store>> {
    /// The side that is read from.
    pub source: C,
    /// The side that is written to.
    pub target: C,
}

/// Read-only connections to both sides.
pub type ReadLink = Link<Box<dyn ReadStore>>;

impl Link {
    /// Returns the connection to one side.
    pub fn side(&mut self, side: Side) -> &mut dyn Store {
        match side {
            Side::SOURCE => self.source.as_mut(),
            Side::TARGET => self.target.as_mut(),
        }
    }

    /// Returns the accounts by their parts in a copy to this side: the one that is read from, and
    /// the one that is written to.
    pub fn ends(&mut self, to: Side) -> (&mut dyn Store, &mut dyn Store) {
        let Self { source, target } = self;
        match to {
            Side::TARGET => (source.as_mut(), target.as_mut()),
            Side::SOURCE => (target.as_mut(), source.as_mut()),
        }
    }

    /// Ends both connections. Returns what went over them.
    pub fn end(mut self) -> Both<Traffic> {
        self.source.close();
        self.target.close();
        Both::new(self.source.traffic(), self.target.traffic())
    }

    /// Does this on both sides at the same time.
    ///
    /// # Errors
    /// A failure that ends a connection; the first side's, if both do.
    pub fn on_both<T: Send>(
        &mut self,
        work: impl Fn(Side, &mut dyn Store) -> Result<T, Error> + Sync,
    ) -> Result<Both<T>, Error> {
        let Self { source, target } = self;
        let (first, second) = at_once(
            || work(Side::First, source.as_mut()),
            || work(Side::Second, target.as_mut()),
        );
        Ok(Both::new(first?, second?))
    }
}

/// The settings and surroundings of a copy.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Makes connections to each side.
    pub connectors: Both<&'a dyn Connector>,
    /// The side that is written to; the other one is read from.
    pub to: Side,
    /// Each side's name in messages.
    pub names: Both<&'static str>,
    /// How many lanes.
    pub lanes: Lanes,
    /// Bytes to deliver per second, all lanes together.
    pub limit_rate: Option<u64>,
    /// Whether to copy messages whose bodies have another size than the source says, if they arrive
    /// identically twice.
    pub accept_sizes: bool,
    /// Whether to correct messages that the target refuses for what is wrong with them.
    pub fix_refused: bool,
    /// The user's request to stop.
    pub stop: &'a Stop,
    /// Receives events.
    pub observer: &'a dyn Observer,
    /// Records what was copied.
    pub journal: Option<&'a dyn Journal>,
    /// Connections made ahead of the lanes.
    pub ahead: Option<&'a Ahead>,
}

impl<'a> Context<'a> {
    /// Describes a run that writes to the second side, without limits or a record.
    pub fn new(
        connectors: Both<&'a dyn Connector>,
        names: Both<&'static str>,
        lanes: Lanes,
        run: Run<'a>,
    ) -> Self {
        Self {
            connectors,
            to: Side::Second,
            names,
            lanes,
            limit_rate: None,
            accept_sizes: false,
            fix_refused: false,
            stop: run.stop,
            observer: run.observer,
            journal: None,
            ahead: None,
        }
    }
}

/// Learns which message on the source became which on the target, from many lanes at once.
pub trait Journal: Sync {
    /// Records pairs of UIDs, source and target, of one task's messages that the target has
    /// confirmed.
    fn copied(&self, task: usize, folder: &FolderTask, pairs: &[(Uid, Uid)]);

    /// Records the source's UID of a message that the target permanently refuses, and the target's
    /// words.
    fn refused(&self, _task: usize, _uid: Uid, _reason: &str) {}
}

/// The result of a copy.
#[derive(Default)]
pub struct Tally {
    /// Messages that the target confirmed or was found to have.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that failed, each reported in an event.
    pub failed: u64,
    /// Messages that the source deleted before they could be read.
    pub vanished: u64,
    /// The failure that ended the copy early.
    pub error: Option<Error>,
    /// Traffic of each side's connections closed here.
    pub traffic: Both<Traffic>,
    /// Messages that were only taken once they had been corrected, by their task and UID.
    pub fixed: HashSet<(usize, Uid)>,
    /// The result for each task's messages, in order.
    pub fates: Vec<Vec<Fate>>,
    /// Connections that are still good, for later use.
    pub link: Option<Link>,
}

/// The state shared by all lanes.
struct Shared<'a> {
    context: &'a Context<'a>,
    queue: &'a Queue,
    ledger: &'a Ledger,
    doubts: Doubts,
    growth: Growth,
    throttle: Option<Throttle<'a>>,
    allowance: Allowance<'a>,
    /// The number for the next batch made from a refused one.
    batches: AtomicU32,
    /// Warnings already given, so that each is given once.
    warned: Mutex<HashSet<String>>,
    /// Messages that the source refused individually, with the reason.
    source_refusals: Mutex<HashMap<u32, String>>,
    /// Messages that were corrected, with what was.
    fixed: Mutex<HashMap<u32, Faults>>,
    /// What the target said of messages that are to be corrected.
    target_refusals: Mutex<HashMap<u32, String>>,
    /// Why a connection last broke.
    last_break: Mutex<Option<String>>,
    /// How often a server has refused to go on for now since a message last got through.
    throttles: AtomicU32,
    /// Whether the lanes should end, as no more messages will be accepted.
    halted: AtomicBool,
    traffic: Mutex<Both<Traffic>>,
    /// The connections of the lane that ended last: for the next round, or for later use.
    spare: Mutex<Option<Link>>,
}

/// Copies every message in `tasks`. `first` is the connection used for planning; further lanes make
/// their own.
pub fn copy(context: &Context<'_>, tasks: &[Arc<FolderTask>], mut first: Link) -> Tally {
    let work = Work::new(first.side(context.to).asks_for_each());
    work.add(tasks);
    work.close(Some(first));
    carry_out(context, &work)
}

/// Copies every message of `work`, until it is closed and done.
fn carry_out(context: &Context<'_>, work: &Work) -> Tally {
    let shared = Shared {
        context,
        queue: &work.queue,
        ledger: &work.ledger,
        doubts: Doubts::new(context.accept_sizes),
        growth: Growth::new(context.lanes_borne()),
        throttle: context
            .limit_rate
            .map(|rate| Throttle::new(rate, context.stop)),
        allowance: Allowance::new(context),
        batches: AtomicU32::new(1),
        warned: Mutex::default(),
        source_refusals: Mutex::default(),
        fixed: Mutex::default(),
        target_refusals: Mutex::default(),
        last_break: Mutex::default(),
        throttles: AtomicU32::new(0),
        halted: AtomicBool::new(false),
        traffic: Mutex::default(),
        spare: Mutex::default(),
    };
    let mut error = None;
    for round in 0..ROUNDS {
        if round == 0 && shared.queue.is_done() {
            break;
        }
        error = run_lanes(&shared, shared.take_spare());
        if error.is_some() || context.stop.is_requested() {
            break;
        }
        match lost_replies::settle(&shared, round) {
            Ok(false) => break,
            Ok(true) if shared.allowance.is_over() => break,
            Ok(true) => {}
            // The connection broke while looking: look again.
            Err(failure) if failure.kind.is_worth_retrying() && round + 1 < ROUNDS => {
                shared.note_break(&failure);
            }
            Err(failure) => {
                error = Some(failure);
                break;
            }
        }
    }
    let error = error.or_else(|| shared.allowance.error());
    shared.tell_doubts();
    let counts = shared.ledger.counts();
    let fates = shared.ledger.fates();
    let fixed = shared.fixed();
    let link = shared.take_spare().or_else(|| shared.queue.take_link());
    Tally {
        copied: counts.copied,
        bytes: counts.bytes,
        failed: counts.failed,
        vanished: counts.vanished,
        error,
        fixed,
        traffic: unlocked(shared.traffic),
        fates,
        link,
    }
}

/// Runs the pool until the queue is done. Returns the error that ended it with work left over.
fn run_lanes(shared: &Shared<'_>, first: Option<Link>) -> Option<Error> {
    let pieces = if shared.queue.is_open() {
        usize::MAX
    } else {
        shared.queue.len().max(1)
    };
    let lanes = shared.context.lanes_borne().most.clamp(1, pieces);
    shared.growth.begin();
    // A separate pool with a thread per lane: a lane blocks on its connections, and no lane waits
    // for another.
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(lanes).build() {
        Ok(pool) => pool,
        Err(error) => {
            return Some(Error::new(
                ErrorKind::Local,
                format!("could not start {lanes} threads: {error}"),
            ));
        }
    };
    let errors = Mutex::new(Vec::new());
    let mut first = first;
    pool.scope(|scope| {
        for number in 0..lanes {
            let link = first.take();
            let errors = &errors;
            scope.spawn(move |_| {
                if !shared.growth.enter(number) {
                    return;
                }
                let done = run_lane(shared, number, link);
                shared
                    .growth
                    .leave(number, shared.queue.is_done() || shared.takes_no_more());
                lock(errors).extend(done.err());
            });
        }
    });
    let errors = unlocked(errors);
    // A full account stops the run whatever else happened, as does a limit.
    let full = errors
        .iter()
        .find(|error| matches!(error.kind, ErrorKind::Full | ErrorKind::LimitReached))
        .cloned();
    full.or_else(|| {
        if shared.queue.is_empty() {
            None
        } else {
            errors.into_iter().next()
        }
    })
}

fn run_lane(shared: &Shared<'_>, number: usize, link: Option<Link>) -> Result<(), Error> {
    // The connections that made the plan are the first lane's once it is complete.
    let planned = (link.is_none() && number == 0)
        .then(|| shared.queue.await_link(|| shared.is_to_stop()))
        .flatten();
    let link = match link.or(planned) {
        Some(link) => link,
        None if number == 0 && (shared.queue.is_done() || shared.is_to_stop()) => return Ok(()),
        // The first lane needs a connection; the others are optional.
        None if number == 0 => shared.context.connect_with_patience()?,
        None => match shared
            .context
            .ahead
            .and_then(Ahead::take)
            .unwrap_or_else(|| shared.context.connect())
        {
            Ok(link) => link,
            Err((side, error)) => {
                // A failed extra lane is no loss, and not worth reporting.
                if number < shared.context.lanes.first {
                    let text = format!(
                        "{}: one connection fewer: {error}",
                        shared.context.names[side]
                    );
                    shared
                        .context
                        .observer
                        .observe(&Event::Warning { text: &text });
                }
                shared.growth.refused();
                return Ok(());
            }
        },
    };
    shared.growth.connected();
    let link = Lane::new(shared, number, link).run()?;
    shared.keep(link);
    Ok(())
}

/// Connects to both sides in parallel.
///
/// # Errors
/// Why it failed, and on which side.
pub(crate) fn connect(connectors: Both<&dyn Connector>) -> Result<Link, (Side, Error)> {
    connect_with(
        || connectors.first.connect(),
        || connectors.second.connect(),
    )
}

/// Does the same with any kind of connection.
///
/// # Errors
/// The same.
pub(crate) fn connect_with<C: Send>(
    source: impl FnOnce() -> Result<C, Error> + Send,
    target: impl FnOnce() -> Result<C, Error>,
) -> Result<Link<C>, (Side, Error)> {
    let (source, target) = at_once(source, target);
    Ok(Link {
        source: source.map_err(|e| (Side::SOURCE, e))?,
        target: target.map_err(|e| (Side::TARGET, e))?,
    })
}

impl Context<'_> {
    fn connect(&self) -> Result<Link, (Side, Error)> {
        connect(self.connectors)
    }

    /// Returns how many lanes there may be, without those that a server has refused in this run.
    fn lanes_borne(&self) -> Lanes {
        let borne = |side| {
            self.connectors[side]
                .max_connections()
                .unwrap_or(usize::MAX)
        };
        self.lanes
            .up_to(borne(Side::First).min(borne(Side::Second)))
    }

    /// Does the same, retrying with growing pauses as long as that may help.
    ///
    /// # Errors
    /// Why it failed, after all retries.
    pub fn connect_with_patience(&self) -> Result<Link, Error> {
        let mut pauses = pause::pauses();
        let begun = Instant::now();
        loop {
            match self.connect() {
                Ok(link) => return Ok(link),
                Err((side, error)) => {
                    let may_do_better =
                        error.kind.is_worth_retrying() && begun.elapsed() < pause::LONGEST;
                    let Some(wait) = pauses.next().filter(|_| may_do_better) else {
                        return Err(error);
                    };
                    let wait = wait.max(error.least_wait());
                    self.observer.observe(&Event::Retrying {
                        side,
                        wait,
                        reason: &error.message,
                    });
                    pause::wait(wait, self.stop)?;
                }
            }
        }
    }
}

impl Shared<'_> {
    /// Makes all lanes end.
    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// Reports whether lanes should take no more work.
    fn is_to_stop(&self) -> bool {
        self.context.stop.is_requested() || self.halted.load(Ordering::Relaxed)
    }

    /// Reports whether lanes should take no more work, for that or because of a daily limit.
    fn takes_no_more(&self) -> bool {
        self.is_to_stop() || self.allowance.is_over()
    }

    /// Puts up with a server that wants less load, which the connection gives it, unless it refuses
    /// everything for too long.
    fn bear(&self, side: Side, refusal: &Refusal) -> Result<(), Error> {
        if self.throttles.fetch_add(1, Ordering::Relaxed) < THROTTLES {
            return Ok(());
        }
        let text = format!(
            "the {} has refused everything for too long: {}",
            self.context.names[side], refusal.text
        );
        let error = Error::new(ErrorKind::LimitReached, text);
        Err(match self.context.connectors[side].budget() {
            Some(budget) => budget.heed(error),
            None => error,
        })
    }

    /// Takes the next piece, or as much of it as the daily limits allow.
    fn next_piece(&self) -> Option<Piece> {
        let piece = self.queue.take()?;
        match self.allowance.admit(self.ledger.task(piece.task), piece) {
            Admitted::Whole(piece) => Some(piece),
            Admitted::Part(first, rest) => {
                self.queue.give_back([rest]);
                Some(first)
            }
            Admitted::Nothing(piece) => {
                self.queue.give_back([piece]);
                None
            }
        }
    }

    /// Releases messages of a task, which will not pass now.
    fn release(&self, task: usize, positions: &[usize]) {
        for row in rows(positions.iter().copied()) {
            self.allowance.release(self.ledger.task(task), row);
        }
    }

    /// Does with one lane fewer from now on, if a server accepts no more connections.
    fn note_crowd(&self, error: &Error) {
        if error.kind == ErrorKind::TooManyConnections {
            self.growth.refused();
        }
    }

    /// Keeps the reason, for messages that it may have affected.
    fn note_break(&self, error: &Error) {
        *lock(&self.last_break) = Some(error.message.clone());
    }

    /// Gives a warning once.
    fn warn(&self, text: &str) {
        let is_new = lock(&self.warned).insert(text.to_owned());
        if is_new {
            self.context.observer.observe(&Event::Warning { text });
        }
    }

    /// Keeps a link for later use; one kept before has been idle for longer, and is closed.
    fn keep(&self, link: Link) {
        let before = lock(&self.spare).replace(link);
        if let Some(link) = before {
            self.close(link);
        }
    }

    fn take_spare(&self) -> Option<Link> {
        lock(&self.spare).take()
    }

    /// Closes a link and adds up its traffic.
    fn close(&self, link: Link) {
        *lock(&self.traffic) += link.end();
    }

    /// Returns the name of the side that is read from.
    fn reader(&self) -> &'static str {
        self.context.names[self.context.to.other()]
    }

    /// Returns the name of the side that is written to.
    fn writer(&self) -> &'static str {
        self.context.names[self.context.to]
    }
}

/// Runs both at the same time.
pub(crate) fn at_once<A: Send, B>(
    first: impl FnOnce() -> Result<A, Error> + Send,
    second: impl FnOnce() -> Result<B, Error>,
) -> (Result<A, Error>, Result<B, Error>) {
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (join(first), second)
    })
}

/// Waits for a thread and returns its result; a panic in it becomes an error of this run.
pub(crate) fn join<T>(thread: ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    thread.join().unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Local,
            "a worker thread stopped unexpectedly",
        ))
    })
}
