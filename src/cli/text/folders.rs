//! `folders` for users: a table with totals, and the quota.

use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::table::{Align, Table};
use crate::cli::units;
use mailferry::mail::SpecialUse;
use mailferry::store::Quota;
use mailferry::verbs::{FolderListing, FolderRow};

/// Lists the folders, their totals, and the quota.
pub(crate) fn listing(listing: &FolderListing, paint: Paint) -> Vec<String> {
    let mut table = Table::new([
        Align::Left,
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
    ]);
    table.row(["FOLDER", "ROLE", "MESSAGES", "UNREAD", "BYTES"]);
    for row in &listing.folders {
        table.row([
            harmless::text(&row.name).as_str(),
            row.role.map_or("", SpecialUse::name),
            &cell(row, row.messages, units::count),
            &cell(row, row.unread, units::count),
            &cell(row, row.bytes, units::bytes),
        ]);
    }
    let sum =
        |of: fn(&FolderRow) -> Option<u64>| listing.folders.iter().filter_map(of).sum::<u64>();
    table.row([
        units::counted(listing.folders.len() as u64, "folder").as_str(),
        "",
        &units::count(sum(|row| row.messages)),
        &units::count(sum(|row| row.unread)),
        &units::bytes(sum(|row| row.bytes)),
    ]);
    let mut lines = table.lines();
    if let Some(line) = lines.first_mut() {
        *line = paint.bold(line);
    }
    if let Some(line) = lines.last_mut() {
        *line = paint.bold(line);
    }
    lines.extend(listing.quota.map(quota));
    lines
}

/// Writes `-` for a folder that can't hold messages, `?` if the server did not say.
fn cell(row: &FolderRow, value: Option<u64>, text: fn(u64) -> String) -> String {
    match value {
        Some(n) => text(n),
        None if row.selectable => "?".to_owned(),
        None => "-".to_owned(),
    }
}

fn quota(quota: Quota) -> String {
    let used = format!(
        "quota: {} of {} used",
        units::bytes(quota.used),
        units::bytes(quota.limit)
    );
    if quota.limit == 0 {
        return used;
    }
    format!(
        "{used} ({:.0} %)",
        quota.used as f64 * 100.0 / quota.limit as f64
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::When;

    fn row(name: &str, role: Option<SpecialUse>, selectable: bool, n: Option<u64>) -> FolderRow {
        let bytes = n.map(|n| n * 1024);
        FolderRow {
            name: name.to_owned(),
            role,
            selectable,
            subscribed: true,
            messages: n,
            unread: n,
            bytes,
        }
    }

    #[test]
    fn a_listing_is_a_table_with_sums() {
        let folders = vec![
            row("INBOX", None, true, Some(1200)),
            row("Entwürfe", Some(SpecialUse::Drafts), true, Some(3)),
            row("a\r\nb", None, true, None),
            row("Parent", None, false, None),
        ];
        let quota = Some(Quota {
            used: 3 << 20,
            limit: 12 << 20,
        });
        let expected = [
            "FOLDER        ROLE    MESSAGES  UNREAD    BYTES",
            "INBOX                    1,200   1,200  1.2 MiB",
            "Entwürfe      drafts         3       3  3.0 KiB",
            "a\\u{d}\\u{a}b                 ?       ?        ?",
            "Parent                       -       -        -",
            "4 folders                1,203   1,203  1.2 MiB",
            "quota: 3.0 MiB of 12.0 MiB used (25 %)",
        ];
        let listing_ = FolderListing {
            folders,
            quota,
            failed: 0,
            seconds: 0.1,
        };
        assert_eq!(listing(&listing_, Paint::new(When::Never, false)), expected);
    }

    #[test]
    fn a_quota_of_zero_is_not_divided_by() {
        assert_eq!(quota(Quota { used: 0, limit: 0 }), "quota: 0 B of 0 B used");
    }
}
