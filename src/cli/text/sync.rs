//! `sync` for people: each change of a dry run, conflicts, and the summary.

use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::table::{Align, Table};
use crate::cli::units;
use mailferry::event::{Change, Contradiction, Event, Observer, Side};
use mailferry::verbs::{Status, SyncSummary, SyncWay};
use std::sync::{Mutex, PoisonError};

/// Collects changes as lines.
#[derive(Default)]
pub(crate) struct ChangeList(Mutex<Vec<String>>);

impl Observer for ChangeList {
    fn observe(&self, event: &Event<'_>) {
        let line = match event {
            Event::Change(change) => line(change),
            Event::Explained { text } => harmless::text(text),
            _ => return,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl ChangeList {
    /// The changes in their order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn line(change: &Change<'_>) -> String {
    let [from, to] = match change.to {
        Side::Source => ["second", "first"],
        Side::Target => ["first", "second"],
    };
    let uid = change.uid.map(|uid| format!(" UID {uid}")).unwrap_or_default();
    let detail = if change.detail.is_empty() { String::new() } else { format!(" {}", harmless::text(change.detail)) };
    let why = match change.contradiction {
        None => format!(": {}", change.reason),
        Some(both) => {
            let Contradiction { first, second, settled } = both;
            format!(" (conflict): the first {first}, the second {second}; {settled}")
        }
    };
    let action = change.action.replace('_', " ");
    let folder = harmless::text(change.folder);
    format!("{from} → {to}: {action} {folder}{uid}{detail}{why}")
}

/// A row of the summary: its name and its number on a side.
type Row = (&'static str, fn(&SyncWay) -> u64);

/// What was done, or in a dry run would be.
pub(crate) fn summary(summary: &SyncSummary, dry_run: bool, paint: Paint) -> Vec<String> {
    let mut table = Table::new([Align::Left, Align::Right, Align::Right]);
    table.row(["", "FIRST", "SECOND"]);
    let rows: [Row; 10] = [
        ("copied to", |way| way.copied),
        ("of these there", |way| way.copied_server_side),
        ("moved", |way| way.moved),
        ("flags changed", |way| way.flags_updated),
        ("deleted", |way| way.deleted),
        ("folders created", |way| way.folders_created),
        ("folders renamed", |way| way.folders_renamed),
        ("folders deleted", |way| way.folders_deleted),
        ("conflicts", |way| way.conflicts),
        ("failed", |way| way.failed),
    ];
    for (nth, (label, of)) in rows.into_iter().enumerate() {
        let (first, second) = (of(&summary.to_first), of(&summary.to_second));
        if nth == 0 || first + second > 0 {
            table.row([label, &units::count(first), &units::count(second)]);
        }
    }
    let mut lines = vec![headline(summary, dry_run, paint)];
    lines.extend(table.lines().into_iter().map(|line| format!("  {line}")));
    if summary.held_back > 0 {
        lines.push(format!(
            "  {} held back: by --max-delete, by the options that let changes through one way only, or by a side that permits \
             none; the next run that may make them does",
            units::counted(summary.held_back, "change")
        ));
    }
    let folders = units::counted(summary.folders, "folder");
    lines.push(format!(
        "  {} in both, {folders}, {}",
        units::counted(summary.in_both(), "message"),
        units::seconds(summary.seconds)
    ));
    lines
}

fn headline(summary: &SyncSummary, dry_run: bool, paint: Paint) -> String {
    match (&summary.status, dry_run) {
        (Status::Complete, false) if summary.held_back > 0 => paint.yellow("done, but not everything may be done now"),
        (Status::Complete, false) if summary.total().is_idle() => paint.green("nothing to do"),
        (Status::Complete, false) => paint.green("done"),
        (Status::Complete, true) => paint.green("dry run: nothing was written"),
        (Status::Braked, false) => paint.yellow("finished, but not everything was deleted: it would be too much"),
        (Status::Braked, true) => paint.yellow("dry run: nothing was written; too much would be deleted"),
        (Status::Partial, false) => paint.yellow("finished, but not everything could be done"),
        (Status::Partial, true) => paint.yellow("dry run: nothing was written; not everything could be planned"),
        (Status::Interrupted, _) => paint.yellow("interrupted"),
        (Status::Stopped(_), _) => paint.red("stopped early"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailferry::mail::Uid;

    #[test]
    fn a_change_says_where_it_comes_from_and_why() {
        let change = Change {
            action: "rename_folder",
            to: Side::Source,
            folder: "a\x1b",
            uid: Uid::new(7),
            detail: "b",
            reason: "Why not.",
            conflict: false,
            contradiction: None,
        };
        assert_eq!(line(&change), "second → first: rename folder a\\u{1b} UID 7 b: Why not.");
        let contradiction = Some(Contradiction { first: "did this", second: "did that", settled: "so be it" });
        let change = Change { conflict: true, contradiction, to: Side::Target, ..change };
        let told = "(conflict): the first did this, the second did that; so be it";
        assert_eq!(line(&change), format!("first → second: rename folder a\\u{{1b}} UID 7 b {told}"));
    }
}
