//! `copy` for users: a dry run's table, and the summary.

use super::deletions::{self, Deletions};
use super::rights;
use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::left_out;
use crate::cli::table::{Align, Table};
use crate::cli::units;
use mailferry::event::{Event, FolderPlanned, Headings, Observer};
use mailferry::locks::lock;
use mailferry::mail::{Heading, Uid, UidSet};
use mailferry::verbs::{CopySummary, OnlyInView, Status};
use std::sync::Mutex;

/// Collects a dry run's plan.
#[derive(Default)]
pub(crate) struct PlanTable(Mutex<Found>);

#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    deleted: Deletions,
    kept: Vec<Kept>,
    /// Others' rights to folders, one line for each entry.
    rights: Vec<String>,
}

/// The messages of a folder that would be moved to Vanished.
struct Kept {
    folder: String,
    /// The dated folder.
    to: String,
    uids: UidSet,
    /// Headings of some of them.
    known: Vec<String>,
}

impl Found {
    fn keep(&mut self, folder: &str, to: &str, uid: Uid, heading: Option<&Heading>) {
        let at = self.kept.iter().position(|kept| kept.folder == folder);
        let at = at.unwrap_or_else(|| {
            let (folder, to) = (folder.to_owned(), to.to_owned());
            self.kept.push(Kept {
                folder,
                to,
                uids: UidSet::default(),
                known: Vec::new(),
            });
            self.kept.len() - 1
        });
        let kept = &mut self.kept[at];
        kept.uids.insert(uid);
        if heading.is_some() && kept.known.len() < deletions::LISTED {
            kept.known.push(deletions::line(uid, heading));
        }
    }
}

struct Row {
    from: String,
    to: String,
    copy: u64,
    bytes: u64,
    there: u64,
    notes: String,
}

impl Observer for PlanTable {
    fn observe(&self, event: &Event<'_>) {
        let mut found = lock(&self.0);
        match event {
            Event::FolderPlanned(plan) => found.rows.push(Row::new(plan)),
            Event::MessageDeleted {
                side,
                folder,
                uid,
                heading,
            } => {
                found.deleted.add(side.name(), folder, *uid, *heading);
            }
            Event::MessageKept {
                folder,
                uid,
                to,
                heading,
            } => found.keep(folder, to, *uid, *heading),
            Event::FolderDeleted { folder } => found.deleted.add_folder("target", folder),
            Event::Rights(entry) => found.rights.push(format!("would {}", rights::line(entry))),
            _ => {}
        }
    }

    fn headings(&self) -> Headings {
        Headings::Pressing
    }
}

impl Row {
    fn new(plan: &FolderPlanned<'_>) -> Self {
        let flags =
            (plan.flags > 0).then(|| format!("flags of {}", units::counted(plan.flags, "message")));
        let server_side = (plan.server_side > 0).then(|| {
            format!(
                "{} to copy server-side",
                units::counted(plan.server_side, "message")
            )
        });
        let delete = (plan.delete > 0)
            .then(|| format!("{} to delete", units::counted(plan.delete, "message")));
        let keep = (plan.keep > 0).then(|| {
            format!(
                "{} to move to Vanished",
                units::counted(plan.keep, "message")
            )
        });
        let notes = [
            plan.create.then(|| "new".to_owned()),
            (!plan.reason.is_empty()).then(|| harmless::text(plan.reason)),
            flags,
            server_side,
            delete,
            keep,
        ];
        Self {
            from: harmless::text(plan.from),
            to: harmless::text(plan.to),
            copy: plan.copy,
            bytes: plan.bytes,
            there: plan.already_there,
            notes: notes.into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    }
}

impl PlanTable {
    /// Returns rows of `FROM → TO`, what would be copied, and why a name differs; no lines if there
    /// are no folders.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let found = lock(&self.0);
        if found.rows.is_empty() {
            return Vec::new();
        }
        let mut table = Table::new([
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Right,
            Align::Left,
        ]);
        table.row(["FROM", "", "TO", "TO COPY", "BYTES", "THERE", "NOTES"]);
        for row in &found.rows {
            table.row([
                row.from.as_str(),
                "→",
                row.to.as_str(),
                &units::count(row.copy),
                &units::bytes(row.bytes),
                &units::count(row.there),
                &row.notes,
            ]);
        }
        if found.rows.len() > 1 {
            let sum = |of: fn(&Row) -> u64| found.rows.iter().map(of).sum::<u64>();
            table.row([
                units::counted(found.rows.len() as u64, "folder").as_str(),
                "",
                "",
                &units::count(sum(|row| row.copy)),
                &units::bytes(sum(|row| row.bytes)),
                &units::count(sum(|row| row.there)),
                "",
            ]);
        }
        let mut lines = table.lines();
        if let Some(head) = lines.first_mut() {
            *head = paint.bold(head);
        }
        if let Some(sums) = lines.last_mut().filter(|_| found.rows.len() > 1) {
            *sums = paint.bold(sums);
        }
        for Kept {
            folder,
            to,
            uids,
            known,
        } in &found.kept
        {
            let count = units::counted(uids.len(), "message");
            lines.push(format!(
                "would move to {}: {count} from {} (UID {uids})",
                harmless::text(to),
                harmless::text(folder)
            ));
            lines.extend(deletions::listed(known, uids.len()));
        }
        lines.extend(found.deleted.lines());
        lines.extend(found.rights.iter().cloned());
        lines
    }
}

/// Returns the lines of the summary.
pub(crate) fn summary(summary: &CopySummary, dry_run: bool, paint: Paint) -> Vec<String> {
    let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
    let (copied, detail) = copied(summary, dry_run);
    table.row([if dry_run { "to copy" } else { "copied" }, &copied, &detail]);
    table.row(["already there", &units::count(summary.already_there), ""]);
    table.row([
        "folders",
        &units::count(summary.folders),
        &folders_detail(summary, dry_run),
    ]);
    for (label, count, detail) in further_counts(summary, dry_run)
        .into_iter()
        .filter(|(_, count, _)| *count > 0)
    {
        table.row([label, &units::count(count), detail]);
    }
    let mut lines = vec![headline(summary, dry_run, paint)];
    lines.extend(
        table
            .lines()
            .into_iter()
            .chain(only_in_views(summary, dry_run))
            .chain(left_out::lines(&summary.left_out))
            .map(|line| format!("  {line}")),
    );
    lines
}

/// Writes `412 messages only in [Gmail]/All Mail: copied to Archive` for each view.
fn only_in_views(summary: &CopySummary, dry_run: bool) -> Vec<String> {
    let line = |only: &OnlyInView| {
        let (view, folder) = (harmless::text(&only.view), harmless::text(&only.folder));
        let done = if dry_run {
            "to be copied to"
        } else {
            "copied to"
        };
        let messages = units::counted(only.messages, "message");
        format!("{messages} only in {view}: {done} {folder}")
    };
    summary.only_in_views.iter().map(line).collect()
}

/// Writes how many messages were copied, their bytes and the time.
fn copied(summary: &CopySummary, dry_run: bool) -> (String, String) {
    let (count, bytes) = (
        units::count(summary.copied),
        units::bytes(summary.bytes_copied),
    );
    let took = units::seconds(summary.seconds);
    let detail = if dry_run {
        bytes
    } else if summary.copied == 0 {
        // A rate without bytes is meaningless.
        format!("in {took}")
    } else {
        let rate =
            units::rate(summary.bytes_copied, summary.seconds).map(|rate| format!(" ({rate})"));
        format!("{bytes} in {took}{}", rate.unwrap_or_default())
    };
    (count, detail)
}

/// Returns the counts that are shown if they aren't zero, each with its explanation.
fn further_counts(summary: &CopySummary, dry_run: bool) -> [(&'static str, u64, &'static str); 12] {
    let either = |to_do, done| if dry_run { to_do } else { done };
    let single = left_out::single_messages(&summary.left_out);
    [
        (
            "server-side",
            summary.copied_server_side,
            "of these, copied by the target from its other folders",
        ),
        (
            either("flags to change", "flags changed"),
            summary.flags_updated,
            "",
        ),
        (either("to delete", "deleted"), summary.deleted, ""),
        (
            either("to move", "moved"),
            summary.kept,
            "to dated folders under Vanished on the target",
        ),
        (
            "not deleted",
            summary.not_deleted,
            "still there; the next run retries them",
        ),
        (
            either("to repair", "repaired"),
            summary.repaired,
            "damaged on the target; the source is taken as good",
        ),
        (
            either("rights to change", "rights changed"),
            summary.rights_changed,
            "of others, to folders on the target",
        ),
        ("rights failed", summary.rights_failed, "listed above"),
        (
            "gone",
            summary.skipped.saturating_sub(single),
            "from the source before they could be copied",
        ),
        (
            "fixed",
            summary.fixed,
            "copied only once they were corrected; the originals stay on the source",
        ),
        (
            "failed",
            summary.failed,
            "listed above; the next run retries them",
        ),
        ("failed folders", summary.folders_failed, ""),
    ]
}

fn folders_detail(summary: &CopySummary, dry_run: bool) -> String {
    let of = |count, done, to_do| {
        format!(
            "{} {}",
            units::count(count),
            if dry_run { to_do } else { done }
        )
    };
    let mut parts = vec![of(summary.folders_created, "created", "to create")];
    if summary.folders_renamed > 0 {
        parts.push(of(summary.folders_renamed, "renamed", "to rename"));
    }
    if summary.folders_deleted > 0 {
        parts.push(of(summary.folders_deleted, "deleted", "to delete"));
    }
    parts.join(", ")
}

fn headline(summary: &CopySummary, dry_run: bool, paint: Paint) -> String {
    match (&summary.status, dry_run) {
        (Status::Complete, false) => paint.done("done", &left_out::but(&summary.left_out)),
        (Status::Complete, true) => paint.done(
            "dry run: nothing was changed",
            &left_out::planned(&summary.left_out),
        ),
        (Status::Braked, false) => {
            paint.yellow("finished, but nothing was deleted: --max-delete limit exceeded")
        }
        (Status::Braked, true) => {
            paint.yellow("dry run: nothing was changed; deletions would be blocked by --max-delete")
        }
        (Status::Partial, false) => paint.yellow("finished, but not everything could be copied"),
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
    use crate::cli::args::When;
    use crate::cli::samples::copy_summary;

    fn plain() -> Paint {
        Paint::new(When::Never, false)
    }

    #[test]
    fn a_summary_omits_zeros_that_do_not_matter() {
        let expected = [
            "done",
            "  copied         3,089  38.3 MiB in 1.9 s (20.2 MiB/s)",
            "  already there     12",
            "  folders           18  17 created",
        ];
        assert_eq!(summary(&copy_summary(), false, plain()), expected);
        let again = CopySummary {
            copied: 0,
            bytes_copied: 0,
            seconds: 0.31,
            ..copy_summary()
        };
        assert_eq!(
            summary(&again, false, plain())[1],
            "  copied          0  in 0.31 s"
        );
        let partial = CopySummary {
            status: Status::Partial,
            failed: 2,
            ..copy_summary()
        };
        let lines = summary(&partial, false, plain());
        assert_eq!(lines[0], "finished, but not everything could be copied");
        assert_eq!(
            lines[4],
            "  failed             2  listed above; the next run retries them"
        );
    }

    #[test]
    fn left_out_messages_are_mentioned_beside_done() {
        use mailferry::verbs::{LeftOut, LeftOutFolder};
        let junk = LeftOutFolder {
            folder: "Junk".to_owned(),
            messages: Some(312),
        };
        let by_name = LeftOut {
            by: "--exclude".to_owned(),
            folders: vec![junk],
            messages: 312,
        };
        let by_date = LeftOut {
            by: "--since".to_owned(),
            folders: Vec::new(),
            messages: 20,
        };
        let left = CopySummary {
            left_out: vec![by_name, by_date],
            skipped: 21,
            ..copy_summary()
        };
        let lines = summary(&left, false, plain());
        assert_eq!(
            lines[0],
            "done, but 1 folder was left out by --exclude and 20 messages by --since"
        );
        assert_eq!(
            lines[4],
            "  gone               1  from the source before they could be copied"
        );
        assert_eq!(
            lines[5..],
            [
                "  left out by --exclude: Junk (312 messages)",
                "  left out by --since: 20 messages"
            ]
        );
        let dry = summary(&left, true, plain());
        assert_eq!(
            dry[0],
            "dry run: nothing was changed; 1 folder is left out by --exclude and 20 messages by --since"
        );
    }

    #[test]
    fn a_plan_is_a_table() {
        let plan = PlanTable::default();
        assert!(plan.lines(plain()).is_empty());
        let folder = |from, to, reason, create, copy| FolderPlanned {
            from,
            to,
            reason,
            create,
            messages: copy + 3,
            copy,
            bytes: copy * 1024,
            already_there: 3,
            ..FolderPlanned::default()
        };
        plan.observe(&Event::FolderPlanned(folder(
            "INBOX", "INBOX", "", false, 2,
        )));
        plan.observe(&Event::FolderPlanned(folder(
            "Gesendet\x1b",
            "Sent",
            "same role",
            true,
            1000,
        )));
        let expected = [
            "FROM               TO     TO COPY       BYTES  THERE  NOTES",
            "INBOX           →  INBOX        2     2.0 KiB      3",
            "Gesendet\\u{1b}  →  Sent     1,000  1000.0 KiB      3  new, same role",
            "2 folders                   1,002  1002.0 KiB      6",
        ];
        assert_eq!(plan.lines(plain()), expected);
        for uid in [4, 8, 7] {
            let uid = Uid::new(uid).unwrap();
            plan.observe(&Event::MessageDeleted {
                side: mailferry::mail::Side::TARGET,
                folder: "Old",
                uid,
                heading: None,
            });
        }
        plan.observe(&Event::FolderDeleted { folder: "Old" });
        assert_eq!(
            plan.lines(plain())[4],
            "would delete on the target: Old: 3 messages (UID 4,7:8) and the folder"
        );
        let heading = Heading {
            subject: Some("Hi".to_owned()),
            ..Heading::default()
        };
        for n in 1..=22 {
            let (uid, heading) = (Uid::new(n).unwrap(), Some(&heading));
            plan.observe(&Event::MessageKept {
                folder: "Work",
                uid,
                to: "Vanished/2026-11-25/Work",
                heading,
            });
        }
        let lines = plan.lines(plain());
        assert_eq!(lines[5], "  UID 1 \"Hi\"");
        assert_eq!(lines[25], "  and 2 more");
    }
}
