//! `undo` for people: what would be put back, and what was.

use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::heading;
use crate::cli::units;
use mailferry::event::{Event, Observer, Restored, Side};
use mailferry::verbs::UndoSummary;
use std::sync::{Mutex, PoisonError};

/// Collects what would be put back.
#[derive(Default)]
pub(crate) struct Restorations(Mutex<Vec<String>>);

impl Observer for Restorations {
    fn observe(&self, event: &Event<'_>) {
        let line = match event {
            Event::MessageRestored(restored) => line(restored),
            Event::FolderCreated { folder } => format!("to create: {}", harmless::text(folder)),
            _ => return,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// `to put back on the first: INBOX/11 "Invoice" from Ann <ann@example.org>, 2026-03-26`
fn line(restored: &Restored<'_>) -> String {
    let side = if restored.side == Side::Source { "first" } else { "second" };
    let what = if restored.is_there { "there already" } else { "to put back" };
    let about = heading::after_uid(restored.heading);
    format!("{what} on the {side}: {}/{}{about}", harmless::text(restored.folder), restored.uid)
}

impl Restorations {
    /// A line for each message.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The last line.
pub(crate) fn verdict(total: &UndoSummary, dry_run: bool, paint: Paint) -> String {
    let UndoSummary { restored, already_there, failed } = *total;
    let were = |n: u64| if n == 1 { "was" } else { "were" };
    if restored + failed == 0 && already_there > 0 {
        let all = match already_there {
            1 => "the message is".to_owned(),
            n => format!("all {} messages are", units::count(n)),
        };
        return paint.green(&format!(
            "nothing to put back: {all} there already, by an earlier undo or otherwise; the next sync brings to the other \
             side what is missing there"
        ));
    }
    let messages = units::counted(restored, "message");
    let mut text = match (dry_run, restored) {
        (true, _) => format!("dry run: nothing was written; {messages} to put back"),
        (false, _) => format!("put back {messages}"),
    };
    if already_there > 0 {
        text.push_str(&format!(", {} {} there already", units::count(already_there), were(already_there)));
    }
    if failed > 0 {
        text.push_str(&format!(", {} failed", units::count(failed)));
        return paint.yellow(&text);
    }
    paint.green(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::When;

    #[test]
    fn the_last_line_says_what_is_there() {
        let paint = Paint::new(When::Never, false);
        let said = |restored, already_there, failed, dry_run| {
            verdict(&UndoSummary { restored, already_there, failed }, dry_run, paint)
        };
        assert_eq!(said(1, 0, 0, false), "put back 1 message");
        assert_eq!(said(3, 1, 2, false), "put back 3 messages, 1 was there already, 2 failed");
        assert_eq!(said(3, 0, 0, true), "dry run: nothing was written; 3 messages to put back");
        assert!(said(0, 6, 0, false).starts_with("nothing to put back: all 6 messages are there already"));
    }
}
