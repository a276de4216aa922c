//! What happens, in lines on stderr or in the file of `--log-file`: failures and warnings always, the rest as `-v` asks.

use super::console::Console;
use super::harmless;
use super::units;
use mailferry::event::{Direction, Event, Observer, Side};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// From here on (`-v`), servers and created folders are named.
const SERVERS: u8 = 1;
/// From here on (`-vv`), every message.
pub(crate) const MESSAGES: u8 = 2;
/// From here on (`-vvv`), the protocol is shown.
pub(crate) const PROTOCOL: u8 = 3;

/// Writes events to the console.
pub(crate) struct Log {
    console: Arc<Console>,
    verbosity: u8,
    quiet: bool,
    /// Whether the source's and the target's server have been named: every lane connects, one line is enough.
    named: [AtomicBool; 2],
}

impl Log {
    /// A log that says as much as was asked for.
    pub(crate) fn new(console: Arc<Console>, verbosity: u8, quiet: bool) -> Self {
        Self { console, verbosity, quiet, named: Default::default() }
    }

    /// The line for an event; `None` where nothing was asked about it.
    fn text(&self, event: &Event<'_>) -> Option<String> {
        let from = |least: u8| self.verbosity >= least;
        Some(match event {
            Event::Connected { side, server } if from(SERVERS) && self.is_first(*side) => {
                format!("{}: connected to {}", side.name(), harmless::text(server))
            }
            Event::Listed { side, folders } if from(SERVERS) => {
                format!("{}: {}", side.name(), units::counted(*folders as u64, "folder"))
            }
            Event::FolderCreated { folder } if from(SERVERS) => format!("created {}", harmless::text(folder)),
            Event::FolderRenamed { from: old, to } if from(SERVERS) => {
                format!("renamed {} to {}", harmless::text(old), harmless::text(to))
            }
            Event::FolderDeleted { folder } if from(SERVERS) => format!("deleted {}", harmless::text(folder)),
            Event::MessageDeleted { side, folder, uid } if from(MESSAGES) => {
                format!("{}: deleted {} UID {uid}", side.name(), harmless::text(folder))
            }
            Event::MessageKept { folder, uid, to } if from(MESSAGES) => {
                format!("target: moved {} UID {uid} to {}", harmless::text(folder), harmless::text(to))
            }
            Event::MessageCopied { folder, uid, bytes: 0, .. } if from(MESSAGES) => {
                format!("copied {} UID {uid} from another folder of the target", harmless::text(folder))
            }
            Event::MessageCopied { folder, uid, bytes, .. } if from(MESSAGES) => {
                format!("copied {} UID {uid}, {}", harmless::text(folder), units::bytes(*bytes))
            }
            Event::Retrying { side, wait, reason } if !self.quiet => {
                format!("{}: {}; trying again in {}", side.name(), harmless::text(reason), units::duration(*wait))
            }
            Event::Trace { side, connection, direction, line } if from(PROTOCOL) => {
                let arrow = if *direction == Direction::Sent { '>' } else { '<' };
                format!("{} {connection} {arrow} {}", side.name(), harmless::trace(line))
            }
            _ => return None,
        })
    }

    fn is_first(&self, side: Side) -> bool {
        let [source, target] = &self.named;
        let named = if side == Side::Source { source } else { target };
        !named.swap(true, Ordering::Relaxed)
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Warning { text } => self.console.warning(text),
            Event::MessageFailed { .. } | Event::FolderFailed { .. } => {
                if let Some(text) = failure(event) {
                    self.console.failed(&text);
                }
            }
            _ => {
                if let Some(text) = self.text(event) {
                    self.console.log(&text);
                }
            }
        }
    }
}

/// The line for what failed.
fn failure(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::MessageFailed { folder, uid, message_id, reason } => {
            let id = message_id.map(|id| format!(" {}", harmless::text(id))).unwrap_or_default();
            format!("{} UID {uid}{id}: {}", harmless::text(folder), harmless::text(reason))
        }
        Event::FolderFailed { folder, reason } => format!("{}: {}", harmless::text(folder), harmless::text(reason)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::When;
    use mailferry::mail::Uid;
    use std::time::Duration;

    fn log(verbosity: u8, quiet: bool) -> Log {
        Log::new(Arc::new(Console::new(When::Never)), verbosity, quiet)
    }

    #[test]
    fn each_v_says_more() {
        let uid = Uid::new(7).unwrap();
        let trace =
            Event::Trace { side: Side::Target, connection: 2, direction: Direction::Sent, line: b"A1 NOOP\x07" };
        let table = [
            (Event::Connected { side: Side::Source, server: "Dovecot" }, 1, "source: connected to Dovecot"),
            (Event::Listed { side: Side::Target, folders: 1 }, 1, "target: 1 folder"),
            (Event::FolderCreated { folder: "a\nb" }, 1, "created a\\u{a}b"),
            (
                Event::MessageCopied { to: Side::Target, folder: "INBOX", uid, bytes: 2048 },
                2,
                "copied INBOX UID 7, 2.0 KiB",
            ),
            (trace, 3, "target 2 > A1 NOOP\\u{7}"),
        ];
        for (event, least, text) in table {
            assert_eq!(log(least, false).text(&event).as_deref(), Some(text));
            assert_eq!(log(least - 1, false).text(&event), None, "{text}");
        }
    }

    #[test]
    fn a_server_is_named_once_for_each_side() {
        let log = log(3, false);
        let connected = |side| Event::Connected { side, server: "x" };
        assert!(log.text(&connected(Side::Source)).is_some());
        assert!(log.text(&connected(Side::Source)).is_none());
        assert!(log.text(&connected(Side::Target)).is_some());
    }

    #[test]
    fn retries_are_told_unless_quiet() {
        let wait = Duration::from_secs(2);
        let event = Event::Retrying { side: Side::Source, wait, reason: "the connection broke" };
        assert_eq!(log(0, false).text(&event).unwrap(), "source: the connection broke; trying again in 2 s");
        assert_eq!(log(0, true).text(&event), None);
    }

    #[test]
    fn failures_name_the_message() {
        let uid = Uid::new(7).unwrap();
        let event = Event::MessageFailed { folder: "INBOX", uid, message_id: Some("<a@b\x1b>"), reason: "too large" };
        assert_eq!(failure(&event).unwrap(), "INBOX UID 7 <a@b\\u{1b}>: too large");
    }
}
