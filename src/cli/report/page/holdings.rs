//! The contents of a mailbox: by year and by folder, the largest messages, duplicates.

use super::Section;
use super::chart::{Chart, Unit};
use super::table::{Cell, Table};
use crate::cli::report::facts::{Facts, Holdings};
use crate::cli::units;
use mailferry::event::{FolderHoldings, NamedMessage, YearSum};
use mailferry::mail::InternalDate;

/// The maximum number of years drawn: the latest ones; earlier years become one.
const YEARS: usize = 40;

/// Returns the sections about one side.
pub(super) fn sections(held: &Holdings, facts: &Facts) -> Vec<Section> {
    let is_first = held.side == facts.sides[0].name;
    let id = |ids: [&'static str; 2]| if is_first { ids[0] } else { ids[1] };
    let messages: u64 = held.folders.iter().map(|folder| folder.messages).sum();
    if messages == 0 {
        return Vec::new();
    }
    let mut sections = vec![
        by_year(id(["years", "years-target"]), held),
        by_folder(id(["sizes", "sizes-target"]), held),
        largest(id(["largest", "largest-target"]), held),
    ];
    sections.push(duplicates(id(["duplicates", "duplicates-target"]), held));
    sections.into_iter().flatten().collect()
}

/// Returns the name of the side in texts.
fn mailbox(held: &Holdings) -> String {
    match held.side {
        "first" | "second" => format!("{} mailbox", held.side),
        side => side.to_owned(),
    }
}

fn by_year(id: &'static str, held: &Holdings) -> Option<Section> {
    let years = drawn(&held.years);
    if years.is_empty() {
        return None;
    }
    let chart = |title: &str, of: fn(&YearSum) -> u64, unit: Unit| {
        let values: Vec<(String, u64)> = years
            .iter()
            .map(|(name, sum)| (name.clone(), of(sum)))
            .collect();
        Chart::bars(title, &values, unit)
    };
    let messages = chart("Messages by year", |sum| sum.messages, units::count);
    let bytes = Chart {
        is_second: true,
        ..chart("Bytes by year", |sum| sum.bytes, units::bytes)
    };
    let mut table = Table::new(
        "Messages and bytes by year",
        &[("Year", true), ("Messages", true), ("Bytes", true)],
    );
    table.folded = true;
    table.rows = (held.years.iter())
        .map(|sum| {
            let number = sum.year.map_or(0, |year| u64::try_from(year).unwrap_or(0));
            let text = sum
                .year
                .map_or_else(|| "no date".to_owned(), |year| year.to_string());
            let year = Cell {
                text,
                number: Some(number),
                ..Cell::default()
            };
            vec![year, Cell::count(sum.messages), Cell::bytes(sum.bytes)]
        })
        .collect();
    let mut notes = vec!["By the date on which each message arrived in its mailbox.".to_owned()];
    notes.extend(unread(held));
    let title = format!("By year, on the {}", mailbox(held));
    Some(Section {
        id,
        title,
        notes,
        charts: vec![messages, bytes],
        tables: vec![table],
        ..Section::default()
    })
}

/// Returns a note about what the sums lack.
fn unread(held: &Holdings) -> Option<String> {
    let unread: u64 = held.folders.iter().map(|folder| folder.unread).sum();
    (unread > 0).then(|| {
        let (are, have) = if unread == 1 { ("is", "has") } else { ("are", "have") };
        format!(
            "{} {are} known from an earlier run and {have} not been read again, so year and size are missing here.",
            units::counted(unread, "message")
        )
    })
}

/// Returns the years to draw, including empty ones in between, as far as there is room.
fn drawn(years: &[YearSum]) -> Vec<(String, YearSum)> {
    let dated: Vec<(i16, YearSum)> = years
        .iter()
        .filter_map(|sum| Some((sum.year?, *sum)))
        .collect();
    let (Some((first, _)), Some((last, _))) = (dated.first(), dated.last()) else {
        return Vec::new();
    };
    let named = |(year, sum): &(i16, YearSum)| (year.to_string(), *sum);
    if usize::from(last.abs_diff(*first)) < YEARS {
        let sum = |year: i16| {
            let found = dated.iter().find(|(one, _)| *one == year);
            found.map_or(
                YearSum {
                    year: Some(year),
                    ..YearSum::default()
                },
                |(_, sum)| *sum,
            )
        };
        return (*first..=*last)
            .map(|year| (year.to_string(), sum(year)))
            .collect();
    }
    let early = dated.len().saturating_sub(YEARS);
    let before = dated[..early]
        .iter()
        .fold(YearSum::default(), |all, (_, sum)| YearSum {
            messages: all.messages + sum.messages,
            bytes: all.bytes + sum.bytes,
            ..all
        });
    let earlier = (early > 0).then(|| ("earlier".to_owned(), before));
    earlier
        .into_iter()
        .chain(dated[early..].iter().map(named))
        .collect()
}

fn by_folder(id: &'static str, held: &Holdings) -> Option<Section> {
    let most = |of: fn(&FolderHoldings) -> u64| held.folders.iter().map(of).max().unwrap_or(0);
    let (messages, bytes) = (most(|folder| folder.messages), most(|folder| folder.bytes));
    let columns = [
        ("Folder", false),
        ("Messages", true),
        ("Bytes", true),
        ("Not read", true),
    ];
    let mut table = Table::new("Messages and bytes by folder", &columns);
    let mut folders: Vec<_> = held.folders.iter().collect();
    folders.sort_by_key(|folder| std::cmp::Reverse((folder.bytes, folder.messages)));
    table.rows = (folders.iter())
        .map(|folder| {
            vec![
                Cell::text(&folder.folder),
                Cell::count(folder.messages).of(messages),
                Cell::bytes(folder.bytes).of(bytes),
                Cell::count(folder.unread),
            ]
        })
        .collect();
    let title = format!("By folder, on the {}", mailbox(held));
    let tables = vec![
        table
            .without_idle_columns(&["Messages", "Bytes"])
            .with_sums("folder"),
    ];
    Some(Section {
        id,
        title,
        notes: unread(held).into_iter().collect(),
        tables,
        ..Section::default()
    })
}

fn largest(id: &'static str, held: &Holdings) -> Option<Section> {
    let columns = [
        ("Subject", false),
        ("Folder", false),
        ("UID", true),
        ("Arrived", false),
        ("Size", true),
    ];
    let mut table = Table::new("The largest messages", &columns);
    let most = held.largest.iter().map(|message| message.bytes).max()?;
    table.rows = (held.largest.iter())
        .map(|message| {
            let [subject, folder, uid, arrived] = message_cells(message);
            vec![
                subject,
                folder,
                uid,
                arrived,
                Cell::bytes(message.bytes).of(most),
            ]
        })
        .collect();
    let title = format!("Largest messages on the {}", mailbox(held));
    Some(Section {
        id,
        title,
        tables: vec![table],
        ..Section::default()
    })
}

fn duplicates(id: &'static str, held: &Holdings) -> Option<Section> {
    let surplus: u64 = held.folders.iter().map(|folder| folder.surplus).sum();
    let unkeyed: u64 = held.folders.iter().map(|folder| folder.unkeyed).sum();
    let columns = [
        ("Subject", false),
        ("Folder", false),
        ("First UID", true),
        ("Arrived", false),
        ("Size", true),
        ("There", true),
    ];
    let mut table = Table::new(
        "Messages that appear more than once in one folder",
        &columns,
    );
    table.rows = (held.duplicates.listed.iter())
        .map(|message| {
            let [subject, folder, uid, arrived] = message_cells(message);
            let times = Cell {
                text: format!("{} times", units::count(message.count)),
                ..Cell::count(message.count)
            };
            vec![
                subject,
                folder,
                uid,
                arrived,
                Cell::bytes(message.bytes),
                times,
            ]
        })
        .collect();
    let mut notes = vec![match surplus {
        0 => "No duplicates in any folder, by identifying header, date and size.".to_owned(),
        n => format!(
            "{}: same header, date and size in one folder. A copy preserves them.",
            units::counted(n, "duplicate")
        ),
    }];
    if unkeyed > 0 {
        notes.push(format!(
            "Not checked: {}, whose headers have not been read.",
            units::counted(unkeyed, "message")
        ));
    }
    let tables = if surplus > 0 {
        vec![table.with_more(held.duplicates.more, "message")]
    } else {
        Vec::new()
    };
    let count = (surplus > 0).then(|| units::count(surplus));
    let title = format!("Duplicates on the {}", mailbox(held));
    Some(Section {
        id,
        title,
        count,
        notes,
        tables,
        ..Section::default()
    })
}

fn message_cells(message: &NamedMessage) -> [Cell; 4] {
    let subject = message
        .subject
        .as_deref()
        .map_or_else(
            || Cell {
                text: "no subject".to_owned(),
                is_dim: true,
                ..Cell::default()
            },
            Cell::text,
        )
        .with_note(message.from.as_deref().unwrap_or_default());
    let uid = Cell {
        text: message.uid.to_string(),
        number: Some(u64::from(message.uid.get())),
        ..Cell::default()
    };
    let day = message
        .date
        .and_then(InternalDate::day)
        .map(|day| day.to_string());
    [
        subject,
        Cell::text(&message.folder),
        uid,
        day.as_deref().map_or_else(Cell::unknown, Cell::day),
    ]
}
