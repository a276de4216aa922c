//! Carries out a plan: a pool of lanes, each with one connection to either side, takes pieces of work from one queue.
//!
//! What it keeps true: a message is sent again only after it is known that the target does not have it; no lane waits
//! for another; bytes in flight are bounded; whatever fails is named.

mod ahead;
mod contents;
mod doubts;
mod growth;
mod lane;
mod ledger;
mod lost_replies;
mod pause;
mod queue;
mod throttle;
mod transfer;

pub use ahead::{Ahead, Connecting, connecting_ahead};
pub use contents::{Contents, read_contents, read_tied};
pub use growth::Lanes;
pub use ledger::Fate;
pub(crate) use pause::wait as pause;

use crate::event::{Event, Observer, Stop};
use crate::locks::{lock, unlocked};
use crate::mail::{Both, Side, Uid};
use crate::plan::FolderTask;
use crate::store::{Connector, Error, ErrorKind, ReadStore, Store, Traffic};
use doubts::Doubts;
use growth::Growth;
use lane::Lane;
use ledger::Ledger;
use queue::Queue;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use throttle::Throttle;

/// How long a server is given to finish what it received before its connection broke.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// How often messages whose fate is uncertain are looked for on the target and, if they are not there, sent again.
const ROUNDS: usize = 5;

/// An open connection to either side.
pub struct Link<C = Box<dyn Store>> {
    /// The side that is read.
    pub source: C,
    /// The side that is written.
    pub target: C,
}

/// An open connection to either side that changes neither.
pub type ReadLink = Link<Box<dyn ReadStore>>;

impl Link {
    /// The account of one side.
    pub fn side(&mut self, side: Side) -> &mut dyn Store {
        match side {
            Side::SOURCE => self.source.as_mut(),
            Side::TARGET => self.target.as_mut(),
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
    /// What ends a connection; the first side's, if both end.
    pub fn on_both<T: Send>(
        &mut self,
        work: impl Fn(Side, &mut dyn Store) -> Result<T, Error> + Sync,
    ) -> Result<Both<T>, Error> {
        let Self { source, target } = self;
        let (first, second) = at_once(|| work(Side::First, source.as_mut()), || work(Side::Second, target.as_mut()));
        Ok(Both::new(first?, second?))
    }
}

/// What a copy works with.
pub struct Context<'a> {
    /// Makes connections to the side that is read.
    pub source: &'a dyn Connector,
    /// Makes connections to the side that is written.
    pub target: &'a dyn Connector,
    /// How many lanes.
    pub lanes: Lanes,
    /// Bytes a second to deliver, all lanes together.
    pub limit_rate: Option<u64>,
    /// Whether a message is copied whose body has another size than the source says, where it comes twice alike.
    pub accept_sizes: bool,
    /// The user's request to end.
    pub stop: &'a Stop,
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// Who remembers what was copied.
    pub journal: Option<&'a dyn Journal>,
    /// Connections that were made ahead of the lanes.
    pub ahead: Option<&'a Ahead>,
}

/// Is told which message of the source became which of the target, from many lanes at once.
pub trait Journal: Sync {
    /// Takes pairs of UIDs, source and target, of one task's messages that the target has confirmed.
    fn copied(&self, task: usize, folder: &FolderTask, pairs: &[(Uid, Uid)]);

    /// Takes the source's UID of a message that the target will never take, and the target's words.
    fn refused(&self, _task: usize, _uid: Uid, _reason: &str) {}
}

/// What came of a copy.
#[derive(Default)]
pub struct Tally {
    /// Messages that the target confirmed or was found to hold.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that failed, each named in an event.
    pub failed: u64,
    /// Messages that the source deleted before they could be read.
    pub vanished: u64,
    /// What ended the copy before its time.
    pub error: Option<Error>,
    /// What went over the source's and the target's connections that were closed here.
    pub traffic: Both<Traffic>,
    /// What became of each task's messages, in their order.
    pub fates: Vec<Vec<Fate>>,
    /// Connections that are still good, for what comes after.
    pub link: Option<Link>,
}

/// What the lanes share.
struct Shared<'a> {
    context: &'a Context<'a>,
    tasks: &'a [FolderTask],
    queue: Queue,
    ledger: Ledger,
    doubts: Doubts,
    growth: Growth,
    throttle: Option<Throttle>,
    /// The number of the next batch that is made of a refused one.
    batches: AtomicU32,
    /// Warnings already given, so that each is given once.
    warned: Mutex<HashSet<String>>,
    /// Messages that the source refused by themselves, with the reason.
    source_refusals: Mutex<HashMap<u32, String>>,
    /// Why a connection broke last.
    last_break: Mutex<Option<String>>,
    /// Whether the lanes are to end, as no message will be taken any more.
    halted: AtomicBool,
    traffic: Mutex<Both<Traffic>>,
    /// The connections of the lane that ended last: for the next round, or for what comes after.
    spare: Mutex<Option<Link>>,
}

/// Copies every message of `tasks`. `first` is the connection that the plan was made with; further lanes make their own.
pub fn copy(context: &Context<'_>, tasks: &[FolderTask], first: Link) -> Tally {
    let shared = Shared {
        context,
        tasks,
        queue: Queue::new(crate::plan::pieces(tasks, first.target.asks_for_each())),
        ledger: Ledger::new(tasks),
        doubts: Doubts::new(context.accept_sizes),
        growth: Growth::new(context.lanes),
        throttle: context.limit_rate.map(Throttle::new),
        batches: AtomicU32::new(1),
        warned: Mutex::default(),
        source_refusals: Mutex::default(),
        last_break: Mutex::default(),
        halted: AtomicBool::new(false),
        traffic: Mutex::default(),
        spare: Mutex::new(Some(first)),
    };
    let mut error = None;
    for round in 0..ROUNDS {
        if shared.queue.is_empty() && round == 0 {
            break;
        }
        error = run_lanes(&shared, shared.take_spare());
        if error.is_some() || context.stop.is_requested() {
            break;
        }
        match lost_replies::settle(&shared, round) {
            Ok(false) => break,
            Ok(true) => {}
            // A connection that broke while looking: it is looked again.
            Err(failure) if failure.kind.is_worth_retrying() && round + 1 < ROUNDS => shared.note_break(&failure),
            Err(failure) => {
                error = Some(failure);
                break;
            }
        }
    }
    shared.tell_doubts();
    let counts = shared.ledger.counts();
    let fates = shared.ledger.fates();
    let link = shared.take_spare();
    Tally {
        copied: counts.copied,
        bytes: counts.bytes,
        failed: counts.failed,
        vanished: counts.vanished,
        error,
        traffic: unlocked(shared.traffic),
        fates,
        link,
    }
}

/// Runs the pool until the queue is empty. Gives the error that ended it with work left over.
fn run_lanes(shared: &Shared<'_>, first: Option<Link>) -> Option<Error> {
    let lanes = shared.context.lanes.most.clamp(1, shared.queue.len().max(1));
    shared.growth.begin();
    // A pool of its own with a thread for each lane: a lane blocks on its connections, and no lane waits for another.
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(lanes).build() {
        Ok(pool) => pool,
        Err(error) => return Some(Error::new(ErrorKind::Local, format!("could not start {lanes} threads: {error}"))),
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
                shared.growth.leave(number, shared.queue.is_empty() || shared.is_to_stop());
                lock(errors).extend(done.err());
            });
        }
    });
    let errors = unlocked(errors);
    // An account that is full stops the run whatever else happened.
    let full = errors.iter().find(|error| error.kind == ErrorKind::Full).cloned();
    full.or_else(|| if shared.queue.is_empty() { None } else { errors.into_iter().next() })
}

fn run_lane(shared: &Shared<'_>, number: usize, link: Option<Link>) -> Result<(), Error> {
    let link = match link {
        Some(link) => link,
        // The first lane must have a connection; the others are a gain and no need.
        None if number == 0 => shared.context.connect_with_patience()?,
        None => match shared.context.ahead.and_then(Ahead::take).unwrap_or_else(|| shared.context.connect()) {
            Ok(link) => link,
            Err((side, error)) => {
                // One that was tried beyond the first is no loss, and nothing to tell.
                if number < shared.context.lanes.first {
                    let text = format!("{}: one connection fewer: {error}", side.name());
                    shared.context.observer.observe(&Event::Warning { text: &text });
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

/// A new connection to either side, both made at once.
///
/// # Errors
/// Why there is none, and on which side.
pub(crate) fn connect(source: &dyn Connector, target: &dyn Connector) -> Result<Link, (Side, Error)> {
    connect_with(|| source.connect(), || target.connect())
}

/// The same with whatever connections these make.
///
/// # Errors
/// The same.
pub(crate) fn connect_with<C: Send>(
    source: impl FnOnce() -> Result<C, Error> + Send,
    target: impl FnOnce() -> Result<C, Error>,
) -> Result<Link<C>, (Side, Error)> {
    let (source, target) = at_once(source, target);
    Ok(Link { source: source.map_err(|e| (Side::SOURCE, e))?, target: target.map_err(|e| (Side::TARGET, e))? })
}

impl Context<'_> {
    fn connect(&self) -> Result<Link, (Side, Error)> {
        connect(self.source, self.target)
    }

    /// The same, tried again with growing pauses while that may help.
    ///
    /// # Errors
    /// Why there is no connection, however often it was tried.
    pub fn connect_with_patience(&self) -> Result<Link, Error> {
        let mut pauses = pause::pauses();
        let begun = Instant::now();
        loop {
            match self.connect() {
                Ok(link) => return Ok(link),
                Err((side, error)) => {
                    let may_do_better = error.kind.is_worth_retrying() && begun.elapsed() < pause::LONGEST;
                    let Some(wait) = pauses.next().filter(|_| may_do_better) else {
                        return Err(error);
                    };
                    self.observer.observe(&Event::Retrying { side, wait, reason: &error.message });
                    pause::wait(wait, self.stop)?;
                }
            }
        }
    }
}

impl Shared<'_> {
    /// Lets all lanes end.
    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// Whether lanes are to take no more work.
    fn is_to_stop(&self) -> bool {
        self.context.stop.is_requested() || self.halted.load(Ordering::Relaxed)
    }

    /// Keeps the reason, for messages that it may be the reason of.
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

    /// Keeps a link for what comes after; the one that was kept before has been quiet for longer, and is ended.
    fn keep(&self, link: Link) {
        let before = lock(&self.spare).replace(link);
        if let Some(link) = before {
            self.close(link);
        }
    }

    fn take_spare(&self) -> Option<Link> {
        lock(&self.spare).take()
    }

    /// Ends a link and counts what went over it.
    fn close(&self, link: Link) {
        *lock(&self.traffic) += link.end();
    }
}

/// Does both at the same time.
pub(crate) fn at_once<A: Send, B>(
    first: impl FnOnce() -> Result<A, Error> + Send,
    second: impl FnOnce() -> Result<B, Error>,
) -> (Result<A, Error>, Result<B, Error>) {
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (join(first.join()), second)
    })
}

/// The result of a thread; a panic in it becomes an error of this run.
pub(crate) fn join<T>(joined: std::thread::Result<Result<T, Error>>) -> Result<T, Error> {
    joined.unwrap_or_else(|_| Err(Error::new(ErrorKind::Local, "a worker thread stopped unexpectedly")))
}
