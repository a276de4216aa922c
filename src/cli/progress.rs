//! Progress on stderr: a bar on a terminal; elsewhere a line when the plan is known, and then one
//! every few seconds.
//!
//! Lanes only count; the text is made when the bar is drawn or a line is due.

use super::console::Console;
use super::harmless;
use super::pace::{Amount, Pace};
use super::units;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use mailferry::event::{Event, Observer};
use mailferry::locks::lock;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often the bar is redrawn when nothing happens, so that a stall is visible.
const TICK: Duration = Duration::from_millis(250);

/// How long after the plan the first line is printed.
const FIRST_LINE: Duration = Duration::from_secs(2);

/// The shortest time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The longest folder name beside the bar, in characters.
const FOLDER: usize = 30;

/// Shows the run's progress.
pub(crate) struct Progress {
    console: Arc<Console>,
    counters: Arc<Counters>,
    /// The bar; `None` if lines are printed.
    bar: Option<ProgressBar>,
    /// When the next line is due, since the beginning.
    next_line: Mutex<Duration>,
}

impl Progress {
    /// Chooses the form that fits the console.
    pub(crate) fn new(console: Arc<Console>) -> Self {
        let counters = Arc::new(Counters::new());
        let bar = console.is_terminal().then(|| {
            let bar = console.bars().add(ProgressBar::no_length());
            bar.set_style(style(false, console.is_coloured(), &counters));
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            console,
            counters,
            bar,
            next_line: Mutex::new(LINE_EVERY),
        }
    }

    /// Removes the bar; results may follow.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Starts measuring against a plan.
    fn planned(&self, work: Work, total: Amount) {
        self.counters.begin(work, total);
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.counters.position());
                bar.set_length(total.length().max(1));
                bar.set_style(style(true, self.console.is_coloured(), &self.counters));
            }
            None => {
                let text = self.counters.plan_text();
                *lock(&self.next_line) = self.counters.now() + FIRST_LINE;
                self.console.line(&text);
            }
        }
    }

    /// Updates the display after some work.
    fn moved(&self) {
        match &self.bar {
            Some(bar) => bar.set_position(self.counters.position()),
            None => {
                let now = self.counters.now();
                // A lane that doesn't get the lock need not wait for it: another one is printing.
                if let Ok(mut next) = self.next_line.try_lock()
                    && now >= *next
                {
                    *next = now + LINE_EVERY;
                    self.console.line(&self.counters.status());
                }
            }
        }
    }
}

impl Observer for Progress {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::FolderPlanned(_) => {
                self.counters.planned_folders.fetch_add(1, Relaxed);
            }
            Event::Planned {
                messages, bytes, ..
            } => {
                self.planned(
                    Work::Copy,
                    Amount {
                        messages: *messages,
                        bytes: *bytes,
                    },
                );
            }
            Event::ToCompare {
                messages, bytes, ..
            } => {
                self.planned(
                    Work::Compare,
                    Amount {
                        messages: *messages,
                        bytes: *bytes,
                    },
                );
            }
            Event::Sent { bytes, ended } => {
                self.counters.send(*bytes, *ended);
                self.moved();
            }
            // The message's result comes next, and is shown then.
            Event::Settled { bytes } => self.counters.settle(*bytes),
            Event::MessageCopied { folder, bytes, .. } => {
                self.counters.add(
                    folder,
                    Amount {
                        messages: 1,
                        bytes: *bytes,
                    },
                );
                self.moved();
            }
            Event::Compared {
                folder,
                messages,
                bytes,
            } => {
                self.counters.add(
                    folder,
                    Amount {
                        messages: *messages,
                        bytes: *bytes,
                    },
                );
                self.moved();
            }
            Event::MessageFailed { .. } | Event::FolderFailed { .. } => {
                self.counters.failed.fetch_add(1, Relaxed);
                self.moved();
            }
            _ => {}
        }
    }
}

/// Returns the style: one line while there is no plan; then the bar, and below it what doesn't fit
/// beside it in 80 columns.
fn style(planned: bool, coloured: bool, counters: &Arc<Counters>) -> ProgressStyle {
    let template = match (planned, coloured) {
        (false, _) => "{spinner} {planning}",
        (true, true) => "{wide_bar:.cyan} {amounts}\n{pace}",
        (true, false) => "{wide_bar} {amounts}\n{pace}",
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let key = |text: fn(&Counters) -> String| {
        let counters = Arc::clone(counters);
        move |_: &ProgressState, to: &mut dyn Write| {
            // If the bar can't be drawn, that is no reason to stop.
            let _ = to.write_str(&text(&counters));
        }
    };
    style
        .with_key("planning", key(Counters::planning))
        .with_key("amounts", key(Counters::amounts))
        .with_key("pace", key(Counters::pace))
}

/// What is measured.
#[derive(Clone, Copy, Default)]
enum Work {
    #[default]
    Copy,
    Compare,
}

/// The counts so far. Shared by the lanes and the bar.
struct Counters {
    start: Instant,
    planned_folders: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// Messages and bytes that were sent and not confirmed yet.
    messages_in_flight: AtomicU64,
    bytes_in_flight: AtomicU64,
    failed: AtomicU64,
    /// Whether messages are sent: those of a copy may be before its plan is complete.
    has_sent: AtomicBool,
    rest: Mutex<Rest>,
}

/// What isn't counted for every message.
#[derive(Default)]
struct Rest {
    work: Work,
    total: Amount,
    pace: Pace,
    folder: String,
}

impl Counters {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            planned_folders: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            messages_in_flight: AtomicU64::new(0),
            bytes_in_flight: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            has_sent: AtomicBool::new(false),
            rest: Mutex::default(),
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn begin(&self, work: Work, total: Amount) {
        let now = self.now();
        let mut rest = lock(&self.rest);
        if !self.has_sent.load(Relaxed) {
            self.messages.store(0, Relaxed);
            self.bytes.store(0, Relaxed);
        }
        *rest = Rest {
            work,
            total,
            ..Rest::default()
        };
        rest.pace.note(now, self.sent(total));
    }

    /// Returns the bar's position, out of the total's length.
    fn position(&self) -> u64 {
        let total = lock(&self.rest).total;
        let done = self.sent(total);
        if total.bytes > 0 {
            done.bytes
        } else {
            done.messages
        }
    }

    fn done(&self) -> Amount {
        Amount {
            messages: self.messages.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }

    /// Returns the same including what was sent and isn't confirmed yet. Servers confirm hundreds
    /// of messages at a time, so only this moves steadily. It may exceed the total if sizes were
    /// estimated.
    fn sent(&self, total: Amount) -> Amount {
        let more = |done: u64, in_flight: &AtomicU64, total: u64| {
            done.saturating_add(in_flight.load(Relaxed))
                .min(total)
                .max(done)
        };
        let done = self.done();
        Amount {
            messages: more(done.messages, &self.messages_in_flight, total.messages),
            bytes: more(done.bytes, &self.bytes_in_flight, total.bytes),
        }
    }

    fn send(&self, bytes: u64, ended: bool) {
        self.has_sent.store(true, Relaxed);
        self.bytes_in_flight.fetch_add(bytes, Relaxed);
        self.messages_in_flight.fetch_add(u64::from(ended), Relaxed);
    }

    fn settle(&self, bytes: u64) {
        self.bytes_in_flight.fetch_sub(bytes, Relaxed);
        self.messages_in_flight.fetch_sub(1, Relaxed);
    }

    fn add(&self, folder: &str, more: Amount) {
        self.messages.fetch_add(more.messages, Relaxed);
        self.bytes.fetch_add(more.bytes, Relaxed);
        let mut rest = lock(&self.rest);
        if rest.folder != folder {
            folder.clone_into(&mut rest.folder);
        }
    }

    fn planning(&self) -> String {
        let done = self.done();
        match self.planned_folders.load(Relaxed) {
            // A comparison of unknown size.
            0 if done.messages > 0 => {
                format!(
                    "{}, {}",
                    amounts_text(done, Amount::default()),
                    units::duration(self.now())
                )
            }
            0 => format!("scanning mailboxes, {}", units::duration(self.now())),
            n => format!(
                "planning: {}, {}",
                units::counted(n, "folder"),
                units::duration(self.now())
            ),
        }
    }

    fn plan_text(&self) -> String {
        let rest = lock(&self.rest);
        plan_text(rest.work, rest.total)
    }

    /// Writes `1,234/3,089 messages, 12.0 MiB/38.3 MiB`: confirmed messages, and bytes sent.
    fn amounts(&self) -> String {
        let total = lock(&self.rest).total;
        amounts_text(
            Amount {
                bytes: self.sent(total).bytes,
                ..self.done()
            },
            total,
        )
    }

    /// Writes `5.1 MiB/s, 5 s left, INBOX`.
    fn pace(&self) -> String {
        let (now, failed) = (self.now(), self.failed.load(Relaxed));
        let mut rest = lock(&self.rest);
        let done = self.sent(rest.total);
        rest.pace.note(now, done);
        pace_text(now, done, failed, &rest)
    }

    /// Writes both on one line.
    fn status(&self) -> String {
        [self.amounts(), self.pace()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn plan_text(work: Work, total: Amount) -> String {
    let messages = units::counted(total.messages, "message");
    match work {
        Work::Copy if total.messages == 0 => "plan: nothing to copy".to_owned(),
        Work::Copy => format!("plan: {messages} to copy, {}", units::bytes(total.bytes)),
        Work::Compare if total.bytes == 0 => format!("comparing {messages}"),
        Work::Compare => format!(
            "comparing {messages} in full ({} to read)",
            units::bytes(total.bytes)
        ),
    }
}

/// Writes amounts; without a total they stand alone, and bytes are omitted if none are moved.
fn amounts_text(done: Amount, total: Amount) -> String {
    let messages = match total.messages {
        0 => units::counted(done.messages, "message"),
        total => format!(
            "{}/{} messages",
            units::count(done.messages),
            units::count(total)
        ),
    };
    match total.bytes {
        0 => messages,
        total => format!(
            "{messages}, {}/{}",
            units::bytes(done.bytes),
            units::bytes(total)
        ),
    }
}

fn pace_text(now: Duration, done: Amount, failed: u64, rest: &Rest) -> String {
    let Rest {
        total,
        pace,
        folder,
        ..
    } = rest;
    let rate = match total.bytes {
        0 => pace
            .messages_per_second(now, done)
            .map(|rate| format!("{} messages/s", units::count(rate as u64))),
        _ => pace
            .bytes_per_second(now, done)
            .map(|rate| format!("{}/s", units::bytes(rate as u64))),
    };
    // A forecast isn't accurate to fractions of a second.
    let left = pace
        .time_left(now, done, *total)
        .map(|left| Duration::from_secs(left.as_secs()));
    let parts = [
        rate,
        left.map(|left| format!("{} left", units::duration(left))),
        (failed > 0).then(|| format!("{} failed", units::count(failed))),
        (!folder.is_empty()).then(|| shortened(folder)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns the end of a name, which says more than its beginning.
fn shortened(folder: &str) -> String {
    let folder = harmless::text(folder);
    let length = folder.chars().count();
    if length <= FOLDER {
        return folder;
    }
    format!(
        "…{}",
        folder.chars().skip(length + 1 - FOLDER).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_shows_what_is_known() {
        let total = Amount {
            messages: 3089,
            bytes: 40 << 20,
        };
        let mut rest = Rest {
            total,
            ..Rest::default()
        };
        assert_eq!(
            amounts_text(Amount::default(), total),
            "0/3,089 messages, 0 B/40.0 MiB"
        );
        assert_eq!(
            amounts_text(
                Amount {
                    messages: 7,
                    bytes: 0
                },
                Amount::default()
            ),
            "7 messages"
        );
        assert_eq!(pace_text(Duration::ZERO, Amount::default(), 0, &rest), "");
        rest.pace.note(Duration::ZERO, Amount::default());
        rest.total.messages = 2;
        rest.folder = "Work/\x1b[2J".to_owned();
        let done = Amount {
            messages: 1,
            bytes: 20 << 20,
        };
        let half = pace_text(Duration::from_secs(4), done, 1, &rest);
        assert_eq!(half, "5.0 MiB/s, 4 s left, 1 failed, Work/\\u{1b}[2J");
    }

    #[test]
    fn a_comparison_is_measured_by_what_it_reads() {
        let counters = Counters::new();
        let headers = Amount {
            messages: 3000,
            bytes: 0,
        };
        assert_eq!(
            plan_text(Work::Compare, headers),
            "comparing 3,000 messages"
        );
        counters.begin(Work::Compare, headers);
        counters.add(
            "INBOX",
            Amount {
                messages: 2000,
                bytes: 0,
            },
        );
        assert_eq!(
            (counters.amounts().as_str(), counters.position()),
            ("2,000/3,000 messages", 2000)
        );
        let rest = lock(&counters.rest);
        let text = pace_text(
            counters.now() + Duration::from_secs(4),
            counters.done(),
            0,
            &rest,
        );
        assert!(
            text.contains(" messages/s, ") && text.ends_with(" left, INBOX"),
            "{text}"
        );
        drop(rest);
        let contents = Amount {
            messages: 3000,
            bytes: 4 << 20,
        };
        assert_eq!(
            plan_text(Work::Compare, contents),
            "comparing 3,000 messages in full (4.0 MiB to read)"
        );
        counters.begin(Work::Compare, contents);
        counters.add(
            "INBOX",
            Amount {
                messages: 1,
                bytes: 1 << 20,
            },
        );
        assert_eq!(
            (counters.amounts().as_str(), counters.position()),
            ("1/3,000 messages, 1.0 MiB/4.0 MiB", 1 << 20)
        );
    }

    #[test]
    fn sent_bytes_count_before_confirmation() {
        let counters = Counters::new();
        counters.begin(
            Work::Copy,
            Amount {
                messages: 4,
                bytes: 40 << 20,
            },
        );
        counters.send(10 << 20, true);
        counters.send(2 << 20, false);
        assert_eq!(counters.amounts(), "0/4 messages, 12.0 MiB/40.0 MiB");
        assert_eq!(counters.position(), 12 << 20);
        let rest = lock(&counters.rest);
        let text = pace_text(
            counters.now() + Duration::from_secs(12),
            counters.sent(rest.total),
            0,
            &rest,
        );
        assert!(
            text.contains("MiB/s, 2") && text.ends_with(" s left"),
            "{text}"
        );
        drop(rest);
        counters.settle(10 << 20);
        counters.add(
            "INBOX",
            Amount {
                messages: 1,
                bytes: 10 << 20,
            },
        );
        assert_eq!(counters.amounts(), "1/4 messages, 12.0 MiB/40.0 MiB");
        // The other one is refused before its end.
        counters.send(0, true);
        counters.settle(2 << 20);
        assert_eq!(counters.amounts(), "1/4 messages, 10.0 MiB/40.0 MiB");
        assert_eq!(
            counters.sent(Amount {
                messages: 4,
                bytes: 40 << 20
            }),
            counters.done()
        );
    }

    #[test]
    fn what_was_sent_before_the_plan_was_complete_counts() {
        let counters = Counters::new();
        let (one, all) = (
            Amount {
                messages: 1,
                bytes: 1 << 20,
            },
            Amount {
                messages: 4,
                bytes: 4 << 20,
            },
        );
        counters.send(one.bytes, true);
        counters.send(one.bytes, true);
        counters.settle(one.bytes);
        counters.add("INBOX", one);
        counters.begin(Work::Copy, all);
        assert_eq!(counters.amounts(), "1/4 messages, 2.0 MiB/4.0 MiB");
    }

    #[test]
    fn sent_bytes_never_exceed_the_total() {
        let counters = Counters::new();
        let total = Amount {
            messages: 1,
            bytes: 100,
        };
        counters.begin(Work::Copy, total);
        counters.send(150, true);
        assert_eq!(counters.sent(total), total);
    }

    #[test]
    fn long_names_show_their_end() {
        assert_eq!(shortened("INBOX"), "INBOX");
        let long = shortened(&format!("{}/2024", "a".repeat(200)));
        assert_eq!(long.chars().count(), FOLDER);
        assert!(long.starts_with('…') && long.ends_with("a/2024"));
    }
}
