//! Events as lines on stderr or in the file given by `--log-file`: failures and warnings always,
//! the rest depending on `-v`.
//!
//! Uses `tracing`: [`Log`] makes a record of each event of the library, with its level, and
//! [`Lines`], the program's subscriber, passes the requested ones to the console. The others aren't
//! even formatted. Records of other crates are ignored: their text was neither made harmless nor
//! redacted.

use super::console::Console;
use super::harmless;
use super::heading;
use super::units;
use mailferry::event::{Direction, EntryRights, Event, Observer, RightsAction};
use mailferry::mail::{Both, Side};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber, debug, error, info, trace, warn};

/// The verbosity (`-vv`) from which every message is shown; from `-v` on, servers and folders are.
pub(crate) const MESSAGES: u8 = 2;
/// The verbosity (`-vvv`) from which the protocol is shown.
pub(crate) const PROTOCOL: u8 = 3;

/// The target of this program's records.
const OURS: &str = "mailferry";
/// The target of records about broken connections: always shown, except with `-q`.
const RETRYING: &str = "mailferry/retrying";

/// Makes records of events.
pub(crate) struct Log {
    quiet: bool,
    /// What the command calls each side.
    names: Both<&'static str>,
    /// Whether the source's and the target's server have been shown: every lane connects, but one
    /// line is enough.
    named: [AtomicBool; 2],
}

impl Log {
    pub(crate) fn new(quiet: bool, names: Both<&'static str>) -> Self {
        Self {
            quiet,
            names,
            named: Default::default(),
        }
    }

    fn is_first(&self, side: Side) -> bool {
        let [source, target] = &self.named;
        let named = if side == Side::SOURCE { source } else { target };
        !named.swap(true, Ordering::Relaxed)
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let text = harmless::text;
        match event {
            Event::Warning { text } => warn!(target: OURS, "{text}"),
            Event::MessageFailed {
                folder,
                uid,
                heading,
                reason,
                ..
            } => {
                let id = heading.and_then(|heading| heading.message_id.as_deref());
                let id = id.map(|id| format!(" {}", text(id))).unwrap_or_default();
                let about = heading::after_uid(*heading);
                error!(target: OURS, "{} UID {uid}{id}{about}: {}", text(folder), text(reason));
            }
            Event::FolderFailed { folder, reason } => {
                error!(target: OURS, "{}: {}", text(folder), text(reason));
            }
            Event::Retrying { side, wait, reason } if !self.quiet => warn!(
                target: RETRYING,
                "{}: {}; trying again in {}",
                self.names[*side],
                text(reason),
                units::duration(*wait)
            ),
            Event::Waiting {
                side,
                until,
                reason,
            } => warn!(
                target: RETRYING,
                "{}: {}; waiting until {}",
                self.names[*side],
                text(reason),
                units::clock_time(until)
            ),
            Event::Connected {
                side,
                server,
                provider,
                is_compressed,
            } if self.is_first(*side) => {
                let kind = match provider {
                    Some(name) if !server.to_lowercase().contains(&name.to_lowercase()) => {
                        format!(" (treated as {name})")
                    }
                    _ => String::new(),
                };
                let compressed = if *is_compressed { ", compressed" } else { "" };
                info!(target: OURS, "{}: connected to {}{kind}{compressed}", self.names[*side], text(server));
            }
            Event::Listed { side, folders } => {
                info!(target: OURS, "{}: {}", self.names[*side], units::counted(*folders as u64, "folder"));
            }
            Event::MessageFixed {
                folder,
                uid,
                fixed,
                reason,
            } => {
                let fixed = fixed.join(", ");
                info!(target: OURS, "{} UID {uid}: copied after correcting {fixed}; it had been refused: {}", text(folder), text(reason));
            }
            Event::FolderCreated { folder } => info!(target: OURS, "created {}", text(folder)),
            Event::FolderRenamed { from, to } => {
                info!(target: OURS, "renamed {} to {}", text(from), text(to));
            }
            Event::FolderDeleted { folder } => info!(target: OURS, "deleted {}", text(folder)),
            Event::Rights(entry) => observe_rights(entry),
            Event::Trace {
                side,
                connection,
                direction,
                line,
            } => {
                let arrow = if *direction == Direction::Sent {
                    '>'
                } else {
                    '<'
                };
                trace!(target: OURS, "{} {connection} {arrow} {}", self.names[*side], harmless::trace(line.trim_ascii_end()));
            }
            event => observe_message(event, self.names),
        }
    }
}

/// Records a change to others' rights, or that there is none.
fn observe_rights(entry: &EntryRights<'_>) {
    let text = harmless::text;
    let (folder, rights) = (text(entry.folder), entry.rights);
    let to = text(entry.to.unwrap_or(entry.identifier));
    match entry.action {
        RightsAction::Grant => info!(target: OURS, "{folder}: granted {rights} to {to}"),
        RightsAction::Remove => info!(target: OURS, "{folder}: removed {rights} from {to}"),
        RightsAction::Fail => error!(
            target: OURS,
            "{folder}: rights {rights} of {} not copied: {}",
            text(entry.identifier),
            text(entry.reason)
        ),
        RightsAction::Keep | RightsAction::Leave => {}
    }
}

/// Records what was done with one message.
fn observe_message(event: &Event<'_>, names: Both<&str>) {
    let text = harmless::text;
    match event {
        Event::MessageDeleted {
            side, folder, uid, ..
        } => {
            debug!(target: OURS, "{}: deleted {} UID {uid}", names[*side], text(folder));
        }
        Event::MessageRestored(restored) if !restored.is_there => {
            let about = heading::after_uid(restored.heading);
            debug!(target: OURS, "restored {} UID {}{about}", text(restored.folder), restored.uid);
        }
        Event::MessageRepaired { folder, uid } => {
            debug!(target: OURS, "target: replaced the damaged copy of {} UID {uid}", text(folder));
        }
        Event::MessageKept {
            folder, uid, to, ..
        } => {
            debug!(target: OURS, "target: moved {} UID {uid} to {}", text(folder), text(to));
        }
        Event::MessageCopied {
            to,
            folder,
            uid,
            bytes: 0,
            ..
        } => {
            let to = names[*to];
            debug!(target: OURS, "copied {} UID {uid} server-side from another folder on the {to}", text(folder));
        }
        Event::MessageCopied {
            folder, uid, bytes, ..
        } => {
            debug!(target: OURS, "copied {} UID {uid}, {}", text(folder), units::bytes(*bytes));
        }
        _ => {}
    }
}

/// The subscriber: passes records on for display.
pub(crate) struct Lines<F> {
    most: LevelFilter,
    show: F,
}

impl<F: Fn(Kind, &str) + Send + Sync + 'static> Lines<F> {
    /// Passes what this verbosity includes to `show`.
    pub(crate) fn new(verbosity: u8, show: F) -> Self {
        let most = match verbosity {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            MESSAGES => LevelFilter::DEBUG,
            PROTOCOL.. => LevelFilter::TRACE,
        };
        Self { most, show }
    }

    /// Receives the records of all threads from now on.
    pub(crate) fn install(self) {
        // A process is one run, so there was no other subscriber.
        let _ = tracing::subscriber::set_global_default(self);
    }
}

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Failed,
    Warning,
    Plain,
}

/// Shows lines on the console, which has the log.
pub(crate) fn to_console(console: Arc<Console>) -> impl Fn(Kind, &str) + Send + Sync + 'static {
    move |kind, text| match kind {
        Kind::Failed => console.failed(text),
        Kind::Warning => console.warning(text),
        Kind::Plain => console.log(text),
    }
}

impl<F: Fn(Kind, &str) + Send + Sync + 'static> Subscriber for Lines<F> {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        *about.level() <= self.most && [OURS, RETRYING].contains(&about.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn event(&self, record: &tracing::Event<'_>) {
        let about = record.metadata();
        let mut message = Message(String::new());
        record.record(&mut message);
        let kind = match *about.level() {
            Level::ERROR => Kind::Failed,
            Level::WARN if about.target() == OURS => Kind::Warning,
            _ => Kind::Plain,
        };
        (self.show)(kind, &message.0);
    }

    // Nothing here uses spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A record's text.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailferry::mail::{Heading, Uid};
    use mailferry::provider::Provider;
    use std::sync::Mutex;
    use std::time::Duration;

    /// Returns the lines for some events.
    fn lines(verbosity: u8, log: &Log, events: &[Event<'_>]) -> Vec<(Kind, String)> {
        let shown: Arc<Mutex<Vec<(Kind, String)>>> = Arc::default();
        let to = Arc::clone(&shown);
        let lines = Lines::new(verbosity, move |kind, text: &str| {
            to.lock().unwrap().push((kind, text.to_owned()));
        });
        tracing::subscriber::with_default(lines, || {
            events.iter().for_each(|event| log.observe(event));
        });
        Arc::into_inner(shown).unwrap().into_inner().unwrap()
    }

    fn loud() -> Log {
        Log::new(false, Side::PARTS)
    }

    fn connected(side: Side, server: &str, is_compressed: bool) -> Event<'_> {
        Event::Connected {
            side,
            server,
            provider: Provider::of_server(server).map(|provider| provider.name),
            is_compressed,
        }
    }

    #[test]
    fn each_v_shows_more() {
        let uid = Uid::new(7).unwrap();
        let trace = Event::Trace {
            side: Side::TARGET,
            connection: 2,
            direction: Direction::Sent,
            line: b"A1 NOOP\x07\r\n",
        };
        let table = [
            (
                connected(Side::SOURCE, "Dovecot", false),
                1,
                "source: connected to Dovecot",
            ),
            (
                connected(Side::TARGET, "Cyrus", true),
                1,
                "target: connected to Cyrus, compressed",
            ),
            (
                connected(Side::SOURCE, "Gimap ready", false),
                1,
                "source: connected to Gimap ready (treated as Gmail)",
            ),
            (
                Event::Listed {
                    side: Side::TARGET,
                    folders: 1,
                },
                1,
                "target: 1 folder",
            ),
            (
                Event::FolderCreated { folder: "a\nb" },
                1,
                "created a\\u{a}b",
            ),
            (
                Event::MessageCopied {
                    to: Side::TARGET,
                    place: None,
                    folder: "INBOX",
                    uid,
                    bytes: 2048,
                },
                2,
                "copied INBOX UID 7, 2.0 KiB",
            ),
            (trace, 3, "target 2 > A1 NOOP\\u{7}"),
        ];
        for (event, least, text) in table {
            let event = [event];
            assert_eq!(
                lines(least, &loud(), &event),
                [(Kind::Plain, text.to_owned())]
            );
            assert_eq!(lines(least - 1, &loud(), &event), [], "{text}");
        }
    }

    #[test]
    fn a_server_is_shown_once_per_side() {
        let events =
            [Side::SOURCE, Side::SOURCE, Side::TARGET].map(|side| connected(side, "x", false));
        assert_eq!(lines(3, &loud(), &events).len(), 2);
    }

    #[test]
    fn a_sync_has_no_source_and_no_target() {
        let log = Log::new(false, Side::ORDINALS);
        let moved = Event::MessageCopied {
            to: Side::First,
            place: None,
            folder: "A",
            uid: Uid::new(7).unwrap(),
            bytes: 0,
        };
        let shown = lines(2, &log, &[connected(Side::Second, "Dovecot", false), moved]);
        let texts: Vec<&str> = shown.iter().map(|(_, text)| text.as_str()).collect();
        let copied = "copied A UID 7 server-side from another folder on the first";
        assert_eq!(texts, ["second: connected to Dovecot", copied]);
    }

    #[test]
    fn retries_are_shown_unless_quiet() {
        let wait = Duration::from_secs(2);
        let event = [Event::Retrying {
            side: Side::SOURCE,
            wait,
            reason: "the connection broke",
        }];
        let text = "source: the connection broke; trying again in 2 s".to_owned();
        assert_eq!(lines(0, &loud(), &event), [(Kind::Plain, text)]);
        assert_eq!(lines(0, &Log::new(true, Side::PARTS), &event), []);
    }

    #[test]
    fn failures_name_the_message() {
        let uid = Uid::new(7).unwrap();
        let (message_id, subject) = (Some("<a@b\x1b>".to_owned()), Some("s".to_owned()));
        let heading = Heading {
            message_id,
            subject,
            ..Heading::default()
        };
        let event = Event::MessageFailed {
            place: None,
            folder: "INBOX",
            uid,
            heading: Some(&heading),
            reason: "too large",
        };
        let warning = Event::Warning { text: "odd" };
        let expected = [
            (
                Kind::Failed,
                "INBOX UID 7 <a@b\\u{1b}> \"s\": too large".to_owned(),
            ),
            (Kind::Warning, "odd".to_owned()),
        ];
        assert_eq!(
            lines(0, &Log::new(true, Side::PARTS), &[event, warning]),
            expected
        );
    }

    #[test]
    fn records_of_other_crates_are_not_shown() {
        let shown: Arc<Mutex<Vec<String>>> = Arc::default();
        let to = Arc::clone(&shown);
        let lines = Lines::new(3, move |_, text: &str| {
            to.lock().unwrap().push(text.to_owned());
        });
        tracing::subscriber::with_default(lines, || {
            error!(target: "another", "a secret");
            info!(target: OURS, "ours");
        });
        assert_eq!(*shown.lock().unwrap(), ["ours"]);
    }
}
