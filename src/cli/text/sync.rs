//! `sync` for users: each change of a dry run, conflicts, and the summary.

use super::deletions::Deletions;
use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::heading;
use crate::cli::left_out;
use crate::cli::table::{Align, Table};
use crate::cli::units;
use mailferry::event::{Change, Contradiction, Event, Headings, Observer, SyncPlanned, SyncStep};
use mailferry::locks::lock;
use mailferry::mail::{Both, Side};
use mailferry::verbs::{Status, SyncSummary, SyncWay};
use std::sync::Mutex;

/// How much of a plan to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing: it is carried out, and only conflicts are shown.
    Conflicts,
    /// A table of the folders, and the changes without a column in it.
    Folders,
    /// The table, then each change.
    Changes,
}

/// Collects the plan.
pub(crate) struct ChangeList {
    detail: Detail,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    folders: Vec<[String; 7]>,
    /// The totals of the numeric columns: to the first, to the second, bytes, on both.
    sums: [u64; 4],
    deleted: Deletions,
    /// Subscriptions to change, on each side.
    subscriptions: Both<u64>,
    lines: Vec<String>,
}

impl Observer for ChangeList {
    fn observe(&self, event: &Event<'_>) {
        let mut found = lock(&self.found);
        match event {
            Event::SyncPlanned(plan) if self.detail != Detail::Conflicts => {
                let (first, second) = (plan.to.first, plan.to.second);
                let of_folder = [
                    first.copy,
                    second.copy,
                    first.bytes + second.bytes,
                    plan.already_there,
                ];
                found
                    .sums
                    .iter_mut()
                    .zip(of_folder)
                    .for_each(|(sum, n)| *sum += n);
                found.folders.push(folder(plan));
            }
            Event::Change(change) => found.take(change, self.detail),
            Event::Explained { text } => found.lines.push(harmless::text(text)),
            _ => {}
        }
    }

    fn headings(&self) -> Headings {
        if self.detail == Detail::Changes {
            Headings::Everything
        } else {
            Headings::Pressing
        }
    }
}

impl ChangeList {
    /// Returns an empty list.
    pub(crate) fn new(detail: Detail) -> Self {
        Self {
            detail,
            found: Mutex::default(),
        }
    }

    /// Returns the table, the deletions, and the changes in their order.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let found = lock(&self.found);
        let mut lines = found.table(paint);
        lines.extend(found.deleted.lines());
        for side in Side::BOTH
            .into_iter()
            .filter(|side| found.subscriptions[*side] > 0)
        {
            let count = units::counted(found.subscriptions[side], "subscription");
            lines.push(format!("would change on the {}: {count}", side.ordinal()));
        }
        lines.extend(found.lines.iter().cloned());
        if self.detail == Detail::Folders && !found.folders.is_empty() {
            lines.push("rerun with -v to see each change and why".to_owned());
        }
        lines
    }
}

impl Found {
    fn take(&mut self, change: &Change<'_>, detail: Detail) {
        let side = change.to.ordinal();
        if detail != Detail::Folders || change.conflict {
            self.lines.push(line(change));
            return;
        }
        match (change.action, change.uid) {
            ("delete", Some(uid)) => self.deleted.add(side, change.folder, uid, change.heading),
            ("delete_folder", _) => self.deleted.add_folder(side, change.folder),
            ("subscribe" | "unsubscribe", _) => self.subscriptions[change.to] += 1,
            ("rename_folder", _) => self.lines.push(line(change)),
            // The table counts them.
            _ => {}
        }
    }

    fn table(&self, paint: Paint) -> Vec<String> {
        if self.folders.is_empty() {
            return Vec::new();
        }
        let mut columns = [Align::Right; 7];
        [columns[0], columns[1], columns[6]] = [Align::Left; 3];
        let mut table = Table::new(columns);
        table.row([
            "FIRST",
            "SECOND",
            "TO FIRST",
            "TO SECOND",
            "BYTES",
            "ON BOTH",
            "NOTES",
        ]);
        for folder in &self.folders {
            table.row(folder.each_ref().map(String::as_str));
        }
        if self.folders.len() > 1 {
            let [first, second, bytes, both] = self.sums;
            let all = units::counted(self.folders.len() as u64, "folder");
            let [first, second, both] = [first, second, both].map(units::count);
            table.row([
                all,
                String::new(),
                first,
                second,
                units::bytes(bytes),
                both,
                String::new(),
            ]);
        }
        let mut lines = table.lines();
        if let Some(head) = lines.first_mut() {
            *head = paint.bold(head);
        }
        if let Some(sums) = lines.last_mut().filter(|_| self.folders.len() > 1) {
            *sums = paint.bold(sums);
        }
        lines
    }
}

fn folder(plan: &SyncPlanned<'_>) -> [String; 7] {
    let (first, second) = (plan.to.first, plan.to.second);
    let notes = notes("first", first)
        .into_iter()
        .chain(notes("second", second));
    [
        harmless::text(plan.first),
        harmless::text(plan.second),
        units::count(first.copy),
        units::count(second.copy),
        units::bytes(first.bytes + second.bytes),
        units::count(plan.already_there),
        notes.collect::<Vec<_>>().join(", "),
    ]
}

/// Returns the changes without a column.
fn notes(side: &str, step: SyncStep) -> Vec<String> {
    let counted = [
        (step.moved, "to move in"),
        (step.flags, "to flag"),
        (step.delete, "to delete"),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let new = step.create.then(|| format!("new on the {side}"));
    new.into_iter()
        .chain(counted.map(|(count, what)| format!("{} {what} on the {side}", units::count(count))))
        .collect()
}

fn line(change: &Change<'_>) -> String {
    let (from, to) = (change.to.other().ordinal(), change.to.ordinal());
    let about = heading::after_uid(change.heading);
    let uid = change
        .uid
        .map(|uid| format!(" UID {uid}{about}"))
        .unwrap_or_default();
    let detail = if change.detail.is_empty() {
        String::new()
    } else {
        format!(" {}", harmless::text(change.detail))
    };
    let why = match change.contradiction {
        None => format!(": {}", change.reason),
        Some(both) => {
            let Contradiction {
                first,
                second,
                settled,
            } = both;
            format!(" (conflict): the first {first}, the second {second}; {settled}")
        }
    };
    let action = change.action.replace('_', " ");
    let folder = harmless::text(change.folder);
    format!("{from} → {to}: {action} {folder}{uid}{detail}{why}")
}

/// A row of the summary: its name, and its number on one side.
type Row = (&'static str, fn(&SyncWay) -> u64);

/// Returns the lines of the summary.
pub(crate) fn summary(summary: &SyncSummary, dry_run: bool, paint: Paint) -> Vec<String> {
    let mut table = Table::new([Align::Left, Align::Right, Align::Right]);
    table.row(["", "FIRST", "SECOND"]);
    let rows: [Row; 11] = [
        ("copied to", |way| way.copied),
        ("fixed", |way| way.fixed),
        ("server-side", |way| way.copied_server_side),
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
        let (first, second) = (of(&summary.to.first), of(&summary.to.second));
        if nth == 0 || first + second > 0 {
            table.row([label, &units::count(first), &units::count(second)]);
        }
    }
    let mut lines = vec![headline(summary, dry_run, paint)];
    lines.extend(table.lines().into_iter().map(|line| format!("  {line}")));
    if summary.held_back > 0 {
        lines.push(format!(
            "  {} pending: blocked by --max-delete, by --only, --new, --flags or --deletions, or by a side that is \
             read-only for them; made by the next run that is allowed to",
            units::counted(summary.held_back, "change")
        ));
    }
    let folders = units::counted(summary.folders, "folder");
    lines.push(format!(
        "  {} in sync, {folders}, {}",
        units::counted(summary.in_both(), "message"),
        units::seconds(summary.seconds)
    ));
    lines.extend(
        left_out::lines(&summary.left_out)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
    lines
}

fn headline(summary: &SyncSummary, dry_run: bool, paint: Paint) -> String {
    let (but, planned) = (
        left_out::but(&summary.left_out),
        left_out::planned(&summary.left_out),
    );
    match (&summary.status, dry_run) {
        (Status::Complete, false) if summary.held_back > 0 => {
            paint.yellow("done, but some changes are pending")
        }
        (Status::Complete, false) if summary.total().is_idle() => paint.done("nothing to do", &but),
        (Status::Complete, false) => paint.done("done", &but),
        (Status::Complete, true) => paint.done("dry run: nothing was changed", &planned),
        (Status::Braked, false) => {
            paint.yellow("finished, but not everything was deleted: --max-delete limit exceeded")
        }
        (Status::Braked, true) => {
            paint.yellow("dry run: nothing was changed; deletions would be blocked by --max-delete")
        }
        (Status::Partial, false) => paint.yellow("finished, but not everything could be synced"),
        (Status::Partial, true) => {
            paint.yellow("dry run: nothing was changed; not everything could be planned")
        }
        (Status::Interrupted, _) => paint.yellow("interrupted"),
        (Status::Stopped(_), _) => paint.red("stopped early"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailferry::mail::{Heading, Uid};

    #[test]
    fn a_dry_run_is_a_table_and_lists_changes_only_on_request() {
        let paint = Paint::new(crate::cli::args::When::Never, false);
        let shown = |detail| {
            let list = ChangeList::new(detail);
            let to_second = SyncStep {
                create: true,
                copy: 1000,
                bytes: 2048,
                delete: 1,
                ..SyncStep::default()
            };
            list.observe(&Event::SyncPlanned(SyncPlanned {
                first: "Work\x1b",
                second: "Work",
                already_there: 3,
                to: Both::new(
                    SyncStep {
                        flags: 2,
                        ..SyncStep::default()
                    },
                    to_second,
                ),
            }));
            for (action, uid) in [
                ("create_folder", None),
                ("copy", Uid::new(4)),
                ("delete", Uid::new(7)),
            ] {
                let (folder, reason) = ("Work", "Nothing is recorded of this folder yet.");
                let to = Side::TARGET;
                let (detail, conflict, contradiction) = ("", false, None);
                list.observe(&Event::Change(Change {
                    action,
                    to,
                    folder,
                    uid,
                    detail,
                    reason,
                    conflict,
                    contradiction,
                    heading: None,
                }));
            }
            list.lines(paint)
        };
        let table = [
            "FIRST       SECOND  TO FIRST  TO SECOND    BYTES  ON BOTH  NOTES",
            "Work\\u{1b}  Work           0      1,000  2.0 KiB        3  2 to flag on the first, new on the second, 1 to delete \
             on the second",
        ];
        let brief = shown(Detail::Folders);
        assert_eq!(brief[..2], table);
        let rest = [
            "would delete on the second: Work: 1 message (UID 7)",
            "rerun with -v to see each change and why",
        ];
        assert_eq!(brief[2..], rest);
        let full = shown(Detail::Changes);
        assert_eq!(full[..2], table);
        assert_eq!(full.len(), 5);
        assert_eq!(
            full[3],
            "first → second: copy Work UID 4: Nothing is recorded of this folder yet."
        );
        assert_eq!(shown(Detail::Conflicts).len(), 3);
    }

    #[test]
    fn a_change_shows_its_origin_and_reason() {
        let change = Change {
            action: "rename_folder",
            to: Side::SOURCE,
            folder: "a\x1b",
            uid: Uid::new(7),
            detail: "b",
            reason: "Why not.",
            conflict: false,
            contradiction: None,
            heading: None,
        };
        assert_eq!(
            line(&change),
            "second → first: rename folder a\\u{1b} UID 7 b: Why not."
        );
        let heading = Heading {
            subject: Some("s".to_owned()),
            ..Heading::default()
        };
        let known = line(&Change {
            heading: Some(&heading),
            ..change
        });
        assert_eq!(
            known,
            "second → first: rename folder a\\u{1b} UID 7 \"s\" b: Why not."
        );
        let contradiction = Some(Contradiction {
            first: "did this",
            second: "did that",
            settled: "so be it",
        });
        let change = Change {
            action: "rename_folder",
            to: Side::TARGET,
            folder: "a\x1b",
            uid: Uid::new(7),
            detail: "b",
            reason: "Why not.",
            conflict: true,
            contradiction,
            heading: None,
        };
        let told = "(conflict): the first did this, the second did that; so be it";
        assert_eq!(
            line(&change),
            format!("first → second: rename folder a\\u{{1b}} UID 7 b {told}")
        );
    }
}
