//! What options left out of a run, in words.

use super::harmless;
use super::units;
use mailferry::verbs::{LeftOut, LeftOutFolder};

/// The maximum number of folders listed per option in a text; the rest is counted.
const NAMED: usize = 10;

/// The reason, if it isn't an option.
pub(crate) fn why(left_out: &LeftOut) -> Option<&'static str> {
    match left_out.by.as_str() {
        "shared" => Some(
            "shared, or owned by other users; use --folder with their first level to include them",
        ),
        "kept" => Some("moved there by --keep-deleted; use --folder 'Vanished/**' to include them"),
        "equal" => Some("equal to another message in the same folder; Gmail keeps one of them"),
        "labels" => Some("in another folder too, and copied from there (--gmail-labels)"),
        "chats" => Some("chats, not mail; use --folder with the full name to include them"),
        _ => None,
    }
}

/// Writes `left out by --exclude: Junk (312 messages)`.
fn line(left_out: &LeftOut) -> String {
    let folder = |found: &LeftOutFolder| match found.messages {
        Some(messages) => format!(
            "{} ({})",
            harmless::text(&found.folder),
            units::counted(messages, "message")
        ),
        None => harmless::text(&found.folder),
    };
    let mut parts: Vec<String> = left_out.folders.iter().take(NAMED).map(folder).collect();
    let more: Vec<&LeftOutFolder> = left_out.folders.iter().skip(NAMED).collect();
    if !more.is_empty() {
        let messages = more.iter().filter_map(|found| found.messages).sum();
        let folders = units::counted(more.len() as u64, "more folder");
        parts.push(format!(
            "and {folders} ({})",
            units::counted(messages, "message")
        ));
    }
    if left_out.single_messages() > 0 {
        parts.push(units::counted(left_out.single_messages(), "message"));
    }
    let parts = parts.join(", ");
    match why(left_out) {
        Some(why) => format!("left out: {parts}: {why}"),
        None => format!("left out by {}: {parts}", left_out.by),
    }
}

/// Writes `1 folder`, `1 folder and 20 messages`.
fn amount(left_out: &LeftOut) -> String {
    let counts = [
        (left_out.folders.len() as u64, "folder"),
        (left_out.single_messages(), "message"),
    ];
    let counts = counts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, noun)| units::counted(n, noun));
    counts.collect::<Vec<_>>().join(" and ")
}

/// Returns a line for each option.
pub(crate) fn lines(all: &[LeftOut]) -> Vec<String> {
    all.iter().map(line).collect()
}

/// Returns the end of the `done` line: `, but 1 folder was left out by --exclude`; empty if the
/// user's options left nothing out.
pub(crate) fn but(all: &[LeftOut]) -> String {
    clause(all, "was", "were").map_or_else(String::new, |clause| format!(", but {clause}"))
}

/// Returns the same for a dry run: `; 1 folder is left out by --exclude`.
pub(crate) fn planned(all: &[LeftOut]) -> String {
    clause(all, "is", "are").map_or_else(String::new, |clause| format!("; {clause}"))
}

fn clause(all: &[LeftOut], one: &str, many: &str) -> Option<String> {
    let chosen: Vec<&LeftOut> = all
        .iter()
        .filter(|found| found.is_chosen() && !amount(found).is_empty())
        .collect();
    let (first, rest) = chosen.split_first()?;
    let is_one = first.folders.len() as u64 + first.single_messages() == 1;
    let verb = if is_one { one } else { many };
    let mut text = format!("{} {verb} left out by {}", amount(first), first.by);
    for (nth, found) in rest.iter().enumerate() {
        let joint = if nth + 1 == rest.len() { " and" } else { "," };
        text.push_str(&format!("{joint} {} by {}", amount(found), found.by));
    }
    Some(text)
}

/// Returns how many messages of selected folders were left out.
pub(crate) fn single_messages(all: &[LeftOut]) -> u64 {
    all.iter().map(LeftOut::single_messages).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(by: &str, folders: &[(&str, Option<u64>)], messages: u64) -> LeftOut {
        let folder = |(folder, messages): &(&str, Option<u64>)| LeftOutFolder {
            folder: (*folder).to_owned(),
            messages: *messages,
        };
        LeftOut {
            by: by.to_owned(),
            folders: folders.iter().map(folder).collect(),
            messages,
        }
    }

    #[test]
    fn left_out_folders_and_messages_are_listed_and_counted() {
        let junk = left(
            "--exclude",
            &[("Junk\x1b", Some(1312)), ("All", None)],
            1312,
        );
        let old = left("--since", &[], 1);
        let all = [junk, old, left("shared", &[("Shared/x", Some(2))], 2)];
        assert_eq!(
            lines(&all),
            [
                "left out by --exclude: Junk\\u{1b} (1,312 messages), All",
                "left out by --since: 1 message",
                "left out: Shared/x (2 messages): shared, or owned by other users; use --folder with their first level \
                 to include them"
            ]
        );
        assert_eq!(
            but(&all),
            ", but 2 folders were left out by --exclude and 1 message by --since"
        );
        assert_eq!(planned(&all[1..]), "; 1 message is left out by --since");
        assert_eq!((but(&all[2..]), but(&[])), (String::new(), String::new()));
        assert_eq!(single_messages(&all), 1);
    }

    #[test]
    fn many_folders_are_counted() {
        let names: Vec<String> = (0..12).map(|n| format!("F{n}")).collect();
        let folders: Vec<(&str, Option<u64>)> =
            names.iter().map(|name| (name.as_str(), Some(1))).collect();
        let line = lines(&[left("--folder", &folders, 12)]).remove(0);
        assert!(
            line.ends_with("F9 (1 message), and 2 more folders (2 messages)"),
            "{line}"
        );
    }
}
