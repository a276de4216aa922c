//! How many bytes an account may move in a day: what a provider or the user allows, what was moved
//! today, and when there is more.
//!
//! A day begins at midnight UTC: providers don't publish when theirs does. Bytes are those of the
//! protocol, all connections of all processes on this machine together, as far as they share a
//! [`Book`]. Work is reserved before it is begun, so that the limit isn't passed in the middle of a
//! message.

use super::{Error, ErrorKind, When};
use crate::locks::lock;
use crate::net::Meter;
use jiff::Timestamp;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;
/// How many bytes are moved before they are entered into the book.
const LOOSE: u64 = 256 << 10;
/// How long a server is left alone at least that has refused to go on.
const REST: Duration = Duration::from_secs(3_600);

/// Tells the time and lets it pass; tests have one of their own.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the present time.
    fn now(&self) -> SystemTime;

    /// Lets up to so much time pass.
    fn pass(&self, time: Duration);
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The directions in which bytes move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the account.
    Read,
    /// To the account.
    Written,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Read, Self::Written];
}

/// Something for each direction: read, written.
pub type PerDirection<T> = [T; 2];

/// What is known about one account's day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The day, counted from 1970-01-01 UTC.
    pub day: u64,
    /// Bytes moved in this day.
    pub moved: PerDirection<u64>,
    /// How often work was begun in this day.
    pub begun: PerDirection<u64>,
    /// How often the server has refused to go on in this day.
    pub refusals: u64,
    /// Until when the server refuses to go on, in seconds since 1970-01-01 UTC.
    pub closed_until: u64,
}

impl Page {
    /// Returns the page of this day: a new one after midnight.
    fn on(self, day: u64) -> Self {
        if self.day == day {
            return self;
        }
        Self {
            day,
            closed_until: self.closed_until,
            ..Self::default()
        }
    }
}

/// Keeps an account's page for all processes.
pub trait Book: Send + Sync {
    /// Changes the page. No other process changes it meanwhile. Returns the page as it is then.
    fn update(&self, change: &mut dyn FnMut(Page) -> Page) -> Page;

    /// Returns the page.
    fn look(&self) -> Page;
}

/// A book for one process.
#[derive(Debug, Default)]
pub struct Notebook(Mutex<Page>);

impl Notebook {
    /// Returns a book with this page.
    pub fn new(page: Page) -> Self {
        Self(Mutex::new(page))
    }
}

impl Book for Notebook {
    fn update(&self, change: &mut dyn FnMut(Page) -> Page) -> Page {
        let mut page = lock(&self.0);
        *page = change(*page);
        *page
    }

    fn look(&self) -> Page {
        *lock(&self.0)
    }
}

/// An account's budget of bytes. Shared by all of its connections.
pub struct Budget {
    limits: PerDirection<Option<u64>>,
    book: Box<dyn Book>,
    clock: Arc<dyn Clock>,
    /// Bytes moved that aren't in the book yet.
    loose: PerDirection<AtomicU64>,
    /// Bytes of work that was begun and not moved yet.
    reserved: Mutex<PerDirection<u64>>,
}

impl Budget {
    /// Makes a budget with these limits per day; `None`: unlimited.
    pub fn new(
        limits: PerDirection<Option<u64>>,
        book: Box<dyn Book>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            limits,
            book,
            clock,
            loose: Default::default(),
            reserved: Mutex::default(),
        }
    }

    /// Returns its clock.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Reports whether there is any limit.
    pub fn is_limited(&self) -> bool {
        self.limits.iter().any(Option::is_some)
    }

    /// Checks whether anything may be begun now in these directions.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`], with the time to come again: the day's limit is used up, or the
    /// server has refused to go on.
    pub fn check(&self, directions: &[Direction]) -> Result<(), Error> {
        let page = self.book.look();
        if page.closed_until > self.now() {
            let text = "the server refused to go on because of the provider's limit".to_owned();
            return Err(reached(text, page.closed_until));
        }
        let page = page.on(self.today());
        let used_up = |direction: &Direction| {
            self.limit(*direction)
                .is_some_and(|limit| page.moved[*direction as usize] >= limit)
        };
        match directions.iter().find(|direction| used_up(direction)) {
            Some(direction) => Err(self.used_up(*direction)),
            None => Ok(()),
        }
    }

    /// Reserves bytes in one direction for work that is about to begin. If they don't fit into what
    /// is left of the day, only a message `alone` may be sent, as the first of the day, so that one
    /// that is larger than the limit doesn't wait for ever. Returns whether to begin.
    pub fn reserve(&self, direction: Direction, bytes: u64, alone: bool) -> bool {
        let Some(limit) = self.limit(direction) else {
            return true;
        };
        let at = direction as usize;
        let mut reserved = lock(&self.reserved);
        let mut may_begin = false;
        let waiting = reserved[at];
        self.enter(&mut |mut page| {
            let fits = page.moved[at].saturating_add(waiting).saturating_add(bytes) <= limit;
            let is_first = alone && waiting == 0 && page.begun[at] == 0;
            may_begin = fits || is_first;
            page.begun[at] += u64::from(may_begin);
            page
        });
        if may_begin {
            reserved[at] += bytes;
        }
        may_begin
    }

    /// Gives back what was reserved, as it has been moved, or will not be.
    pub fn release(&self, direction: Direction, bytes: u64) {
        let mut reserved = lock(&self.reserved);
        let at = direction as usize;
        reserved[at] = reserved[at].saturating_sub(bytes);
    }

    /// Returns the error for a limit that is used up, or will be by the next message.
    pub fn used_up(&self, direction: Direction) -> Error {
        let limit = shown(self.limit(direction).unwrap_or_default());
        let text = match direction {
            Direction::Read => {
                format!("the limit of {limit} read from this account per day is reached")
            }
            Direction::Written => {
                format!("the limit of {limit} sent to this account per day is reached")
            }
        };
        reached(text, (self.today() + 1) * DAY)
    }

    /// Notes that the server refuses to go on, if that is the error, and adds to it when to come
    /// again: after its wait, and if that was too early, on the next day.
    #[must_use]
    pub fn heed(&self, error: Error) -> Error {
        if error.kind != ErrorKind::LimitReached || error.again().is_some() {
            return error;
        }
        let now = self.now();
        let soon = now
            + error
                .when
                .map_or(REST, |_| error.least_wait())
                .max(Duration::from_secs(1))
                .as_secs();
        let tomorrow = (self.today() + 1) * DAY;
        let page = self.enter(&mut |page| {
            // All lanes hear the same.
            if page.closed_until > now {
                return page;
            }
            let until = if page.refusals == 0 {
                soon
            } else {
                soon.max(tomorrow)
            };
            Page {
                refusals: page.refusals + 1,
                closed_until: until,
                ..page
            }
        });
        Error {
            hint: Some(come_again(page.closed_until)),
            when: Some(When::At(time(page.closed_until))),
            ..error
        }
    }

    /// Enters what was moved into the book.
    pub fn settle(&self) {
        if self
            .loose
            .iter()
            .any(|bytes| bytes.load(Ordering::Relaxed) > 0)
        {
            self.enter(&mut |page| page);
        }
    }

    fn enter(&self, change: &mut dyn FnMut(Page) -> Page) -> Page {
        let today = self.today();
        let loose = [0, 1].map(|at: usize| self.loose[at].swap(0, Ordering::Relaxed));
        self.book.update(&mut |page| {
            let mut page = page.on(today);
            for (moved, loose) in page.moved.iter_mut().zip(loose) {
                *moved = moved.saturating_add(loose);
            }
            change(page)
        })
    }

    fn limit(&self, direction: Direction) -> Option<u64> {
        self.limits[direction as usize]
    }

    /// Seconds since 1970-01-01 UTC.
    fn now(&self) -> u64 {
        let now = self.clock.now().duration_since(UNIX_EPOCH);
        now.map_or(0, |age| age.as_secs())
    }

    fn today(&self) -> u64 {
        self.now() / DAY
    }
}

impl Meter for Budget {
    fn count(&self, received: u64, sent: u64) {
        if !self.is_limited() {
            return;
        }
        let mut total = 0;
        for (loose, bytes) in self.loose.iter().zip([received, sent]) {
            total += loose.fetch_add(bytes, Ordering::Relaxed) + bytes;
        }
        if total >= LOOSE {
            self.settle();
        }
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.settle();
    }
}

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn reached(text: String, until: u64) -> Error {
    Error {
        when: Some(When::At(time(until))),
        ..Error::new(ErrorKind::LimitReached, text).with_hint(come_again(until))
    }
}

fn come_again(until: u64) -> String {
    let until = shown_time(time(until));
    format!("rerun the same command at {until} or later to resume, or use --wait")
}

/// Writes a time in UTC, as RFC 3339 does, in seconds.
pub fn shown_time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| "never".to_owned(), |time| time.to_string())
}

/// Writes a number of bytes as limits are written.
fn shown(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1_000_000 && bytes % 1_000_000 == 0 => {
            format!("{} MB", bytes / 1_000_000)
        }
        bytes if bytes >= 1_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        bytes if bytes >= 1_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        bytes => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Read, Written};
    use super::*;

    /// A clock that stands still unless it is told otherwise.
    #[derive(Debug, Default)]
    struct Fixed(AtomicU64);

    impl Clock for Fixed {
        fn now(&self) -> SystemTime {
            time(self.0.load(Ordering::Relaxed))
        }

        fn pass(&self, time: Duration) {
            self.0.fetch_add(time.as_secs(), Ordering::Relaxed);
        }
    }

    fn budget(read: u64, written: u64) -> (Budget, Arc<Fixed>) {
        let clock = Arc::new(Fixed::default());
        clock.pass(Duration::from_secs(20_000 * DAY + 100));
        let (limits, book) = ([Some(read), Some(written)], Box::<Notebook>::default());
        (
            Budget::new(limits, book, Arc::<Fixed>::clone(&clock)),
            clock,
        )
    }

    #[test]
    fn work_is_begun_as_long_as_it_fits_into_the_day() {
        let (budget, clock) = budget(1_000, 100);
        budget.count(100, 0);
        assert!(budget.reserve(Read, 800, false));
        assert!(!budget.reserve(Read, 101, false), "100 are left");
        assert!(budget.reserve(Written, 100, false), "each way by itself");
        // As it arrives, it is counted instead of reserved.
        budget.count(400, 0);
        budget.release(Read, 400);
        assert!(!budget.reserve(Read, 101, false));
        assert!(budget.reserve(Read, 100, false));
        clock.pass(Duration::from_secs(DAY));
        budget.release(Read, 500);
        assert!(budget.reserve(Read, 1_000, false), "a new day");
    }

    #[test]
    fn a_message_larger_than_the_limit_is_the_first_of_its_day() {
        let (budget, clock) = budget(1_000, 1_000);
        assert!(!budget.reserve(Read, 5_000, false), "not with others");
        assert!(budget.reserve(Read, 5_000, true));
        assert!(!budget.reserve(Read, 5_000, true));
        budget.count(5_000, 0);
        budget.release(Read, 5_000);
        assert!(!budget.reserve(Read, 1, true));
        clock.pass(Duration::from_secs(DAY));
        assert!(budget.reserve(Read, 10, false));
        budget.release(Read, 10);
        assert!(!budget.reserve(Read, 5_000, true), "the day has begun");
    }

    #[test]
    fn a_limit_that_is_used_up_says_when_there_is_more() {
        let (budget, clock) = budget(5_000_000, 100);
        assert!(budget.check(&Direction::BOTH).is_ok());
        budget.count(5_000_000, 0);
        let error = budget.check(&Direction::BOTH).unwrap_err();
        assert_eq!(error.kind, ErrorKind::LimitReached);
        assert!(error.message.contains("5 MB read"), "{error}");
        assert!(budget.check(&[Written]).is_ok());
        assert_eq!(error.again(), Some(time(20_001 * DAY)));
        assert!(error.hint.unwrap().contains("2024-10-05T00:00:00Z"));
        clock.pass(Duration::from_secs(DAY));
        assert!(budget.check(&Direction::BOTH).is_ok());
    }

    #[test]
    fn a_server_that_refuses_is_left_alone_for_an_hour_and_then_for_the_day() {
        let (budget, clock) = budget(1_000, 1_000);
        let refusal = || Error::new(ErrorKind::LimitReached, "no");
        let start = 20_000 * DAY + 100;
        assert_eq!(budget.heed(refusal()).again(), Some(time(start + 3_600)));
        assert_eq!(
            budget.heed(refusal()).again(),
            Some(time(start + 3_600)),
            "another lane hears it"
        );
        assert_eq!(
            budget.check(&Direction::BOTH).unwrap_err().again(),
            Some(time(start + 3_600))
        );
        clock.pass(Duration::from_secs(3_600));
        assert!(budget.check(&Direction::BOTH).is_ok());
        assert_eq!(budget.heed(refusal()).again(), Some(time(20_001 * DAY)));
        clock.pass(Duration::from_secs(DAY));
        assert!(budget.check(&Direction::BOTH).is_ok());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let book = Box::<Notebook>::default();
        let budget = Budget::new([None, None], book, Arc::new(SystemClock));
        budget.count(1 << 40, 1 << 40);
        assert!(budget.reserve(Read, u64::MAX, false));
        assert_eq!(budget.book.look(), Page::default());
        assert!(budget.check(&Direction::BOTH).is_ok());
    }
}
