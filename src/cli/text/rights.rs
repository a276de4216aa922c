//! Others' rights to folders, for users: one line for each entry.

use crate::cli::harmless;
use mailferry::event::{EntryRights, RightsAction};

/// Writes what is done, beginning with a verb: `grant lrs on Work to robert (bob on the source)`.
pub(crate) fn line(entry: &EntryRights<'_>) -> String {
    let text = harmless::text;
    let (folder, theirs, rights) = (
        text(entry.folder),
        text(entry.identifier),
        entry.rights.to_string(),
    );
    let there = entry.to.map_or_else(|| theirs.clone(), text);
    let source = if there == theirs {
        String::new()
    } else {
        format!(" ({theirs} on the source)")
    };
    let reason = text(entry.reason);
    match entry.action {
        RightsAction::Grant => format!("grant {rights} on {folder} to {there}{source}"),
        RightsAction::Remove => format!("remove {rights} on {folder} from {there}{source}"),
        RightsAction::Keep => format!("keep {rights} on {folder} for {there}{source}"),
        RightsAction::Leave => format!("not copy {rights} on {folder} for {theirs}: {reason}"),
        RightsAction::Fail => format!("fail to copy {rights} on {folder} for {theirs}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailferry::mail::Rights;

    #[test]
    fn a_line_says_what_happens_to_whom() {
        let mut entry = EntryRights {
            folder: "Team",
            identifier: "$staff",
            to: Some("group:staff"),
            action: RightsAction::Grant,
            rights: Rights::parse("slr").unwrap(),
            reason: "",
        };
        assert_eq!(
            line(&entry),
            "grant lrs on Team to group:staff ($staff on the source)"
        );
        entry.to = None;
        entry.action = RightsAction::Fail;
        entry.reason = "no\x1b";
        assert_eq!(
            line(&entry),
            "fail to copy lrs on Team for $staff: no\\u{1b}"
        );
        entry.action = RightsAction::Remove;
        assert_eq!(line(&entry), "remove lrs on Team from $staff");
    }
}
