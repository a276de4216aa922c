//! `undo` for users: what would be restored, and what was.

use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::heading;
use crate::cli::units;
use mailferry::event::{Event, Observer, Restored};
use mailferry::locks::lock;
use mailferry::verbs::UndoSummary;
use std::sync::Mutex;

/// Collects what would be restored.
#[derive(Default)]
pub(crate) struct Restorations(Mutex<Vec<String>>);

impl Observer for Restorations {
    fn observe(&self, event: &Event<'_>) {
        let line = match event {
            Event::MessageRestored(restored) => line(restored),
            Event::FolderCreated { folder } => format!("would create: {}", harmless::text(folder)),
            _ => return,
        };
        lock(&self.0).push(line);
    }
}

/// Writes `would restore on the first: INBOX/11 "Invoice" from Ann <ann@example.org>, 2026-03-26`.
fn line(restored: &Restored<'_>) -> String {
    let side = restored.side.ordinal();
    let what = if restored.is_there {
        "still exists"
    } else {
        "would restore"
    };
    let about = heading::after_uid(restored.heading);
    format!(
        "{what} on the {side}: {}/{}{about}",
        harmless::text(restored.folder),
        restored.uid
    )
}

impl Restorations {
    /// Returns a line for each message.
    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

/// Writes the last line.
pub(crate) fn verdict(total: &UndoSummary, dry_run: bool, paint: Paint) -> String {
    let UndoSummary {
        restored,
        already_there,
        failed,
    } = *total;
    let exist = |n: u64| {
        if n == 1 {
            "still exists"
        } else {
            "still exist"
        }
    };
    if restored + failed == 0 && already_there > 0 {
        let all = match already_there {
            1 => "the message still exists".to_owned(),
            n => format!("all {} messages still exist", units::count(n)),
        };
        return paint.green(&format!(
            "nothing to restore: {all}, perhaps after an earlier undo; the next sync copies to the other side what it \
             lacks"
        ));
    }
    let messages = units::counted(restored, "message");
    let mut text = match (dry_run, restored) {
        (true, _) => format!("dry run: nothing was changed; {messages} to restore"),
        (false, _) => format!("restored {messages}"),
    };
    if already_there > 0 {
        text.push_str(&format!(
            ", {} {}",
            units::count(already_there),
            exist(already_there)
        ));
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
    fn the_last_line_counts_messages_that_still_exist() {
        let paint = Paint::new(When::Never, false);
        let said = |restored, already_there, failed, dry_run| {
            verdict(
                &UndoSummary {
                    restored,
                    already_there,
                    failed,
                },
                dry_run,
                paint,
            )
        };
        assert_eq!(said(1, 0, 0, false), "restored 1 message");
        assert_eq!(
            said(3, 1, 2, false),
            "restored 3 messages, 1 still exists, 2 failed"
        );
        assert_eq!(
            said(3, 0, 0, true),
            "dry run: nothing was changed; 3 messages to restore"
        );
        assert!(said(0, 6, 0, false).starts_with("nothing to restore: all 6 messages still exist"));
    }
}
