//! `verify` for users: the differences, folder by folder, and the verdict.

use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::heading;
use crate::cli::left_out;
use crate::cli::table::{Align, Table};
use crate::cli::units;
use mailferry::event::{Difference, DifferenceKind, Event, Headings, Observer};
use mailferry::locks::lock;
use mailferry::verbs::{Status, VerifySummary};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The maximum number of differences of one kind listed per folder; the rest is counted.
const LISTED: usize = 20;

/// The kinds in the order in which they are listed, with their names.
const KINDS: [(DifferenceKind, &str); 5] = [
    (DifferenceKind::Missing, "missing on the target"),
    (DifferenceKind::Extra, "only on the target"),
    (DifferenceKind::Changed, "different content"),
    (DifferenceKind::Flags, "different flags"),
    (DifferenceKind::Date, "different date"),
];

/// Collects differences, only a few of each kind per folder.
#[derive(Default)]
pub(crate) struct Differences(Mutex<BTreeMap<String, [Found; KINDS.len()]>>);

#[derive(Default)]
struct Found {
    listed: Vec<String>,
    more: u64,
    /// How many messages differ in this way.
    messages: u64,
}

impl Observer for Differences {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Difference(difference) = event {
            let mut folders = lock(&self.0);
            let folder = folders.entry(difference.folder.clone()).or_default();
            for ((kind, _), found) in KINDS.iter().zip(folder) {
                if *kind == difference.kind {
                    found.add(difference);
                }
            }
        }
    }

    fn headings(&self) -> Headings {
        Headings::Pressing
    }
}

impl Found {
    fn add(&mut self, difference: &Difference) {
        self.messages += difference.messages;
        if self.listed.len() == LISTED {
            self.more += 1;
            return;
        }
        let detail = harmless::text(&difference.detail);
        let about = heading::after_uid(difference.heading.as_ref());
        self.listed.push(match difference.uid {
            Some(uid) if detail.is_empty() => format!("UID {uid}{about}"),
            Some(uid) => format!("UID {uid}{about}: {detail}"),
            None if detail.is_empty() => "the whole folder".to_owned(),
            None => detail,
        });
    }
}

impl Differences {
    /// Returns the differences, and the verdict as the last line.
    pub(crate) fn lines(&self, summary: &VerifySummary, paint: Paint) -> Vec<String> {
        let folders = lock(&self.0);
        let mut lines = by_folder(&folders, paint);
        for (folder, kinds) in folders.iter() {
            lines.push(paint.bold(&harmless::text(folder)));
            for ((_, name), found) in KINDS
                .iter()
                .zip(kinds)
                .filter(|(_, found)| !found.listed.is_empty())
            {
                lines.push(format!(
                    "  {name}: {}",
                    units::count(found.listed.len() as u64 + found.more)
                ));
                lines.extend(found.listed.iter().map(|text| format!("    {text}")));
                if found.more > 0 {
                    lines.push(format!("    and {} more", units::count(found.more)));
                }
            }
        }
        lines.extend(left_out::lines(&summary.left_out));
        lines.push(verdict(summary, paint));
        lines
    }
}

/// Returns the number of differences per folder, if more than one folder has any.
fn by_folder(folders: &BTreeMap<String, [Found; KINDS.len()]>, paint: Paint) -> Vec<String> {
    if folders.len() < 2 {
        return Vec::new();
    }
    let right = Align::Right;
    let mut table = Table::new([Align::Left, right, right, right, right, right]);
    table.row(["FOLDER", "MISSING", "EXTRA", "CONTENT", "FLAGS", "DATE"]);
    let row = |name: String, counts: [u64; KINDS.len()]| {
        let [missing, extra, content, flags, date] = counts.map(units::count);
        [name, missing, extra, content, flags, date]
    };
    let mut sums = [0; KINDS.len()];
    for (folder, kinds) in folders {
        let counts = kinds.each_ref().map(|found| found.messages);
        sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        table.row(row(harmless::text(folder), counts));
    }
    table.row(row(units::counted(folders.len() as u64, "folder"), sums));
    let mut lines = table.lines();
    for at in [0, folders.len() + 1] {
        lines[at] = paint.bold(&lines[at]);
    }
    lines.push(String::new());
    lines
}

fn verdict(summary: &VerifySummary, paint: Paint) -> String {
    let compared = format!(
        "{} in {} compared in {}",
        units::counted(summary.compared, "message"),
        units::counted(summary.folders, "folder"),
        units::seconds(summary.seconds)
    );
    let deep = match summary.bytes_compared {
        0 => String::new(),
        n => format!(", {} by SHA-256", units::bytes(n)),
    };
    let found = summary.differences;
    let counts = [
        (found.missing, "missing"),
        (found.extra, "extra"),
        (found.changed, "changed"),
        (found.flags_differ, "with different flags"),
        (found.dates_differ, "with a different date"),
        (summary.fixed, "fixed for one side (--fix-refused)"),
        (summary.failed, "not compared"),
    ];
    let counts: Vec<_> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", units::count(*n)))
        .collect();
    let word = match (&summary.status, summary.is_equal()) {
        (Status::Interrupted, _) => paint.yellow("interrupted"),
        (Status::Stopped(_), _) => paint.red("stopped early"),
        (_, true) => paint.done("equal", &left_out::but(&summary.left_out)),
        (_, false) if crate::cli::exit::of_verify(summary) == crate::cli::exit::PARTIAL => {
            paint.yellow("no difference found, but not everything could be compared")
        }
        (_, false) => paint.red("different"),
    };
    if counts.is_empty() {
        return format!("{word}: {compared}{deep}");
    }
    format!("{word}: {}; {compared}{deep}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::When;
    use crate::cli::samples::verify_summary;
    use mailferry::event;
    use mailferry::mail::Uid;

    fn plain() -> Paint {
        Paint::new(When::Never, false)
    }

    #[test]
    fn equal_mailboxes_have_one_line() {
        assert_eq!(
            Differences::default().lines(&verify_summary(), plain()),
            ["equal: 3,101 messages in 18 folders compared in 0.75 s"]
        );
    }

    #[test]
    fn twenty_of_each_kind_are_listed() {
        let found = Differences::default();
        for n in 1..=25 {
            let uid = Uid::new(n);
            found.observe(&Event::Difference(&Difference {
                kind: DifferenceKind::Missing,
                folder: "Work".to_owned(),
                uid,
                messages: 1,
                detail: "<a@b>\n".to_owned(),
                heading: None,
            }));
        }
        let whole = Difference {
            kind: DifferenceKind::Extra,
            folder: "Old".to_owned(),
            uid: None,
            messages: 1,
            detail: String::new(),
            heading: None,
        };
        found.observe(&Event::Difference(&whole));
        let differences = event::Differences {
            missing: 25,
            extra: 1,
            ..Default::default()
        };
        let summary = VerifySummary {
            differences,
            bytes_compared: 2048,
            ..verify_summary()
        };
        let lines = found.lines(&summary, plain());
        let table = [
            "FOLDER     MISSING  EXTRA  CONTENT  FLAGS  DATE",
            "Old              0      1        0      0     0",
            "Work            25      0        0      0     0",
            "2 folders       25      1        0      0     0",
            "",
        ];
        assert_eq!(lines[..5], table);
        assert_eq!(
            lines[5..9],
            [
                "Old",
                "  only on the target: 1",
                "    the whole folder",
                "Work"
            ]
        );
        assert_eq!(
            lines[9..11],
            ["  missing on the target: 25", "    UID 1: <a@b>\\u{a}"]
        );
        assert_eq!(lines[lines.len() - 2], "    and 5 more");
        assert_eq!(
            lines[lines.len() - 1],
            "different: 25 missing, 1 extra; 3,101 messages in 18 folders compared in 0.75 s, 2.0 KiB by SHA-256"
        );
    }

    #[test]
    fn failures_to_compare_are_not_differences() {
        let summary = VerifySummary {
            status: Status::Partial,
            failed: 1,
            ..verify_summary()
        };
        let lines = Differences::default().lines(&summary, plain());
        assert!(lines[0].starts_with(
            "no difference found, but not everything could be compared: 1 not compared;"
        ));
    }
}
