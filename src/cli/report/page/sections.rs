//! The sections of the page, the most urgent first.

use super::chart::Chart;
use super::headline;
use super::holdings;
use super::table::{Cell, Table};
use super::{Section, shown};
use crate::cli::left_out;
use crate::cli::report::facts::{Change, Facts, Folder, Planned};
use crate::cli::units;
use mailferry::mail::{Heading, InternalDate, Uid};

/// Returns all sections that aren't empty.
pub(super) fn all(facts: &Facts) -> Vec<Section> {
    let mut sections = vec![
        failures(facts),
        left_out(facts),
        conflicts(facts),
        differences(facts),
        folders(facts),
    ];
    sections.extend([folder_changes(facts), changes(facts), throughput(facts)]);
    sections.extend(
        facts
            .told
            .holdings
            .iter()
            .flat_map(|held| holdings::sections(held, facts))
            .map(Some),
    );
    sections.push(warnings(facts));
    sections.into_iter().flatten().collect()
}

fn counted(id: &'static str, title: &str, count: u64, table: Table) -> Option<Section> {
    (count > 0).then(|| Section {
        id,
        title: title.to_owned(),
        count: Some(units::count(count)),
        tables: vec![table],
        ..Section::default()
    })
}

fn uid(uid: Option<Uid>) -> Cell {
    uid.map_or_else(Cell::unknown, |uid| Cell {
        is_dim: false,
        text: uid.to_string(),
        ..Cell::count(uid.get().into())
    })
}

/// Returns the cell for a message: its subject, below it sender and date.
fn about(heading: Option<&Heading>) -> Cell {
    let Some(Heading {
        subject,
        from,
        date,
        ..
    }) = heading
    else {
        return Cell::unknown();
    };
    let day = date.and_then(InternalDate::day).map(|day| day.to_string());
    let note = from
        .iter()
        .chain(&day)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match subject {
        Some(subject) => Cell::text(subject).with_note(&note),
        None if note.is_empty() => Cell::unknown(),
        None => Cell {
            text: "no subject".to_owned(),
            is_dim: true,
            ..Cell::default()
        }
        .with_note(&note),
    }
}

fn failures(facts: &Facts) -> Option<Section> {
    let columns = [
        ("Folder", false),
        ("UID", true),
        ("Message", false),
        ("Message-ID", false),
        ("Reason", false),
    ];
    let mut table = Table::new("What failed, and why", &columns);
    table.rows = (facts.told.failures.listed.iter())
        .map(|failure| {
            let id = failure
                .message_id
                .as_deref()
                .map_or_else(Cell::unknown, Cell::text);
            vec![
                Cell::text(&failure.folder),
                uid(failure.uid),
                about(failure.heading.as_ref()),
                id,
                Cell::text(&failure.reason),
            ]
        })
        .collect();
    let table = table.with_more(facts.told.failures.more, "failure");
    counted("failures", "Failures", facts.told.failures.count(), table)
}

/// Returns what the user's options left out, folder by folder.
fn left_out(facts: &Facts) -> Option<Section> {
    let mut table = Table::new(
        "What was left out, and why",
        &[("By", false), ("Folder", false), ("Messages", true)],
    );
    let all = headline::left_out(facts);
    for found in &all {
        let by = match left_out::why(found) {
            Some(why) => Cell::text("no option").with_note(why),
            None => Cell::text(&found.by),
        };
        let row = |folder: Cell, messages: Option<u64>| vec![by.clone(), folder, known(messages)];
        table.rows.extend(
            found
                .folders
                .iter()
                .map(|folder| row(Cell::text(&folder.folder), folder.messages)),
        );
        let single = found.single_messages();
        if single > 0 {
            let anywhere = Cell {
                text: "in the selected folders".to_owned(),
                is_dim: true,
                ..Cell::default()
            };
            table.rows.push(row(anywhere, Some(single)));
        }
    }
    let rows = table.rows.len() as u64;
    let section = counted("left-out", "Left out", rows, table.with_sums(""))?;
    let messages = all.iter().map(|found| found.messages).sum();
    Some(Section {
        count: Some(units::counted(messages, "message")),
        ..section
    })
}

fn conflicts(facts: &Facts) -> Option<Section> {
    let columns = [
        ("Folder", false),
        ("UID", true),
        ("Message", false),
        ("First", false),
        ("Second", false),
        ("Resolved", false),
    ];
    let mut table = Table::new("Conflicting changes and how they were resolved", &columns);
    let clause = |text: Option<&str>| text.map_or_else(Cell::unknown, Cell::text);
    let row = |conflict: &Change| {
        let settled =
            Cell::text(conflict.settled.unwrap_or(conflict.reason)).with_note(&conflict.detail);
        let did = [conflict.first_did, conflict.second_did].map(clause);
        let which = vec![
            Cell::text(&conflict.folder),
            uid(conflict.uid),
            about(conflict.heading.as_ref()),
        ];
        [which, did.into(), vec![settled]].concat()
    };
    table.rows = facts.told.conflicts.listed.iter().map(row).collect();
    let table = table.with_more(facts.told.conflicts.more, "conflict");
    counted(
        "conflicts",
        "Conflicts",
        facts.told.conflicts.count(),
        table,
    )
}

fn changes(facts: &Facts) -> Option<Section> {
    let columns = [
        ("Change", false),
        ("On", false),
        ("Folder", false),
        ("UID", true),
        ("Message", false),
        ("Why", false),
    ];
    let mut table = Table::new("Planned changes", &columns);
    let row = |change: &Change| {
        let action = Cell::text(&change.action.replace('_', " ")).with_note(&change.detail);
        let which = [
            Cell::text(&change.folder),
            uid(change.uid),
            about(change.heading.as_ref()),
        ];
        [
            vec![action, Cell::text(change.to)],
            which.into(),
            vec![Cell::text(change.reason)],
        ]
        .concat()
    };
    table.rows = facts.told.changes.listed.iter().map(row).collect();
    let table = table.with_more(facts.told.changes.more, "change");
    counted("changes", "Changes", facts.told.changes.count(), table)
}

fn differences(facts: &Facts) -> Option<Section> {
    let columns = [
        ("Difference", false),
        ("Folder", false),
        ("UID", true),
        ("Message", false),
        ("What differs", false),
    ];
    let mut table = Table::new("Differences between the two sides", &columns);
    table.rows = (facts.told.differences.listed.iter())
        .map(|found| {
            let kind = Cell::text(&found.kind.name().replace('_', " "));
            vec![
                kind,
                Cell::text(&found.folder),
                uid(found.uid),
                about(found.heading.as_ref()),
                Cell::text(&found.detail),
            ]
        })
        .collect();
    let table = table.with_more(facts.told.differences.more, "difference");
    let section = counted(
        "differences",
        "Differences",
        facts.told.differences.count(),
        table,
    )?;
    // The numbers per folder come before the entries.
    let tables = differing_folders(facts)
        .into_iter()
        .chain(section.tables)
        .collect();
    Some(Section { tables, ..section })
}

/// Returns the folders with differences, if there is more than one.
fn differing_folders(facts: &Facts) -> Option<Table> {
    let columns = [
        ("Folder", false),
        ("Only on source", true),
        ("Only on target", true),
        ("Different content", true),
        ("Different flags", true),
        ("Different dates", true),
    ];
    let mut table = Table::new("Differences by folder", &columns);
    table.rows = (facts.told.folders.iter())
        .filter_map(|folder| {
            let found = &folder.differences;
            let counts = [
                found.missing,
                found.extra,
                found.changed,
                found.flags_differ,
                found.dates_differ,
            ];
            let name = folder
                .from
                .as_deref()
                .or(folder.to.as_deref())
                .unwrap_or_default();
            let cells = || {
                std::iter::once(Cell::text(name))
                    .chain(counts.map(Cell::count))
                    .collect()
            };
            counts.iter().any(|n| *n > 0).then(cells)
        })
        .collect();
    (table.rows.len() > 1).then(|| table.without_idle_columns(&[]).with_sums("folder"))
}

fn folder_changes(facts: &Facts) -> Option<Section> {
    let mut table = Table::new(
        "Folders that were renamed or deleted",
        &[("Change", false), ("Folder", false)],
    );
    if facts.dry_run {
        table.caption = "Folders that would be renamed or deleted".to_owned();
    }
    // New folders are marked in the list of folders.
    table.rows = (facts.told.folder_changes.listed.iter())
        .filter(|change| change.action != "create")
        .map(|change| {
            let to = change
                .to
                .as_deref()
                .map(|to| format!("becomes {to}"))
                .unwrap_or_default();
            vec![
                Cell::text(change.action),
                Cell::text(&change.folder).with_note(&to),
            ]
        })
        .collect();
    let table = table.with_more(facts.told.folder_changes.more, "folder");
    counted(
        "folder-changes",
        "Folders renamed and deleted",
        table.rows.len() as u64 + facts.told.folder_changes.more,
        table,
    )
}

fn folders(facts: &Facts) -> Option<Section> {
    let table = match facts.command {
        "sync" => sync_folders(facts),
        "verify" => verify_folders(facts),
        _ => copy_folders(facts),
    };
    let renamed =
        facts.told.folders.iter().filter(|folder| {
            folder.from.is_some() && folder.from != folder.to && folder.to.is_some()
        });
    let note = match renamed.count() as u64 {
        0 => "All folders keep their names, apart from how each server writes them.".to_owned(),
        n => format!(
            "{} a different name on the other side.",
            if n == 1 {
                "1 folder has".to_owned()
            } else {
                format!("{} folders have", units::count(n))
            }
        ),
    };
    let table = table.with_sums("folder");
    let section = counted(
        "folders",
        "Folder by folder",
        facts.told.folders.len() as u64,
        table,
    )?;
    Some(Section {
        notes: vec![note],
        ..section
    })
}

/// Returns the cell for a folder: its name, and its name on the other side.
fn names(folder: &Folder) -> [Cell; 2] {
    let name = |name: &Option<String>| name.as_deref().map_or_else(Cell::unknown, Cell::text);
    let is_made = folder.planned.iter().any(|planned| planned.create);
    let tag = if is_made { "new" } else { "" };
    let from = match &folder.error {
        Some(error) => Cell {
            note: shown(error),
            is_bad: true,
            ..name(&folder.from)
        },
        None => name(&folder.from),
    };
    [
        from,
        Cell {
            tag,
            ..name(&folder.to).with_note(&folder.reason)
        },
    ]
}

fn known(n: Option<u64>) -> Cell {
    n.map_or_else(Cell::unknown, Cell::count)
}

fn sum(folder: &Folder, of: impl Fn(&Planned) -> u64) -> u64 {
    folder.planned.iter().map(of).sum()
}

/// Returns a table of the plan for each folder, and, except in a dry run, of what was done.
fn work_table(facts: &Facts, columns: &[(&'static str, bool)]) -> Table {
    let caption = if facts.dry_run {
        "Planned work by folder"
    } else {
        "Results by folder"
    };
    Table::new(caption, columns)
}

fn copy_folders(facts: &Facts) -> Table {
    let columns = [
        ("From", false),
        ("To", false),
        ("Messages", true),
        ("Already there", true),
        ("To copy", true),
        ("Server-side", true),
        ("To send", true),
        ("Flags", true),
        ("To delete", true),
        ("To Vanished", true),
        ("Copied", true),
        ("Sent", true),
        ("Deleted", true),
        ("Moved to Vanished", true),
        ("Failed", true),
    ];
    let mut table = work_table(facts, &columns);
    table.rows = (facts.told.folders.iter())
        .map(|folder| {
            let [from, to] = names(folder);
            let done = |n: u64| if facts.dry_run { 0 } else { n };
            vec![
                from,
                to,
                known(folder.messages),
                known(folder.already_there),
                Cell::count(sum(folder, |planned| planned.copy)),
                Cell::count(sum(folder, |planned| planned.server_side)),
                Cell::bytes(sum(folder, |planned| planned.bytes)),
                Cell::count(sum(folder, |planned| planned.flags)),
                Cell::count(sum(folder, |planned| planned.delete)),
                Cell::count(sum(folder, |planned| planned.keep)),
                Cell::count(done(folder.done.copied)),
                Cell::bytes(done(folder.done.bytes)),
                Cell::count(done(folder.done.deleted)),
                Cell::count(done(folder.done.kept)),
                Cell::bad(folder.failed),
            ]
        })
        .collect();
    let is_done = |folder: &Folder| folder.done.copied == sum(folder, |planned| planned.copy);
    let table = match (facts.dry_run, facts.told.folders.iter().all(is_done)) {
        (true, _) => table.without_idle_columns(&["Messages", "To copy"]),
        // If everything went as planned, the plan adds nothing.
        (false, true) => table
            .without(&["To copy", "To send", "To delete", "To Vanished"])
            .without_idle_columns(&["Messages", "Copied"]),
        (false, false) => table.without_idle_columns(&["Messages", "Copied"]),
    };
    with_one_name(table, facts)
}

/// Shows folder names once, if all are the same on both sides.
fn with_one_name(mut table: Table, facts: &Facts) -> Table {
    if facts.told.folders.iter().any(|folder| {
        folder.from != folder.to || folder.error.is_some() || !folder.reason.is_empty()
    }) {
        return table;
    }
    table.columns.remove(0);
    table.columns[0].title = "Folder";
    table.rows.iter_mut().for_each(|row| drop(row.remove(0)));
    table
}

fn sync_folders(facts: &Facts) -> Table {
    let columns = [
        ("First", false),
        ("Second", false),
        ("On both", true),
        ("To first", true),
        ("To second", true),
        ("Bytes", true),
        ("Moved", true),
        ("Flags", true),
        ("To delete", true),
        ("Copied", true),
        ("Deleted", true),
        ("Failed", true),
    ];
    let mut table = work_table(facts, &columns);
    table.rows = (facts.told.folders.iter())
        .map(|folder| {
            let [from, to] = names(folder);
            let copies = |on: &str| {
                sum(
                    folder,
                    |planned| if planned.on == on { planned.copy } else { 0 },
                )
            };
            let done = |n: u64| if facts.dry_run { 0 } else { n };
            vec![
                from,
                to,
                known(folder.already_there),
                Cell::count(copies("first")),
                Cell::count(copies("second")),
                Cell::bytes(sum(folder, |planned| planned.bytes)),
                Cell::count(sum(folder, |planned| planned.moved)),
                Cell::count(sum(folder, |planned| planned.flags)),
                Cell::count(sum(folder, |planned| planned.delete)),
                Cell::count(done(folder.done.copied)),
                Cell::count(done(folder.done.deleted)),
                Cell::bad(folder.failed),
            ]
        })
        .collect();
    with_one_name(
        table.without_idle_columns(&["On both", "To first", "To second"]),
        facts,
    )
}

fn verify_folders(facts: &Facts) -> Table {
    let columns = [
        ("Source", false),
        ("Target", false),
        ("Messages", true),
        ("Only on source", true),
        ("Only on target", true),
        ("Different content", true),
        ("Different flags", true),
        ("Different dates", true),
        ("Failed", true),
    ];
    let mut table = Table::new("Results by folder", &columns);
    table.rows = (facts.told.folders.iter())
        .map(|folder| {
            let [from, to] = names(folder);
            let found = &folder.differences;
            vec![
                from,
                to,
                known(folder.messages),
                Cell::bad(found.missing),
                Cell::bad(found.extra),
                Cell::bad(found.changed),
                Cell::bad(found.flags_differ),
                Cell::bad(found.dates_differ),
                Cell::bad(folder.failed),
            ]
        })
        .collect();
    with_one_name(table.without_idle_columns(&["Messages"]), facts)
}

fn throughput(facts: &Facts) -> Option<Section> {
    let found = &facts.throughput;
    let curve =
        |title: &str, values: Vec<u64>, unit| Chart::curve(title, found.seconds, &values, unit);
    let bytes: Vec<u64> = found.steps.iter().map(|step| step.bytes).collect();
    let messages: Vec<u64> = found.steps.iter().map(|step| step.messages).collect();
    if facts.dry_run || messages.iter().all(|n| *n == 0) {
        return None;
    }
    let mut charts = vec![curve(
        "Messages per second",
        messages,
        units::count as fn(u64) -> String,
    )];
    if bytes.iter().any(|n| *n > 0) {
        let chart = curve("Bytes per second", bytes, units::bytes);
        charts.insert(
            0,
            Chart {
                is_second: true,
                ..chart
            },
        );
    }
    let mut notes = vec!["Since the start of the run, including planning.".to_owned()];
    if facts.told.reconnections > 0 {
        notes.push(format!(
            "Reconnected {}.",
            units::counted(facts.told.reconnections, "time")
        ));
    }
    let title = "Throughput over time".to_owned();
    Some(Section {
        id: "throughput",
        title,
        notes,
        charts,
        ..Section::default()
    })
}

fn warnings(facts: &Facts) -> Option<Section> {
    let mut table = Table::new("Notes", &[("Warning", false)]);
    table.rows = facts
        .told
        .warnings
        .listed
        .iter()
        .map(|text| vec![Cell::text(text)])
        .collect();
    let table = table.with_more(facts.told.warnings.more, "warning");
    counted("warnings", "Warnings", facts.told.warnings.count(), table)
}
