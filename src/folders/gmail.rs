//! Gmail's own folders, which are below `[Gmail]`.
//!
//! Invariant: a mailbox that isn't Gmail never gets a `[Gmail]`: the folders below it go to where
//! their roles say, else under their own names, to the top.

use super::labels::GmailLabels;
use super::name::FolderName;
use super::roster::{Folder, Roster};
use super::rules::Rules;
use crate::mail::{Listing, SpecialUse};
use std::collections::HashSet;

/// The name of the level above Gmail's own folders; the second is that of German and British users.
const TOPS: [&str; 2] = ["[Gmail]", "[Google Mail]"];

/// Returns the levels below `[Gmail]`, if a name has any.
pub(super) fn own_name(name: &FolderName) -> Option<&[String]> {
    match name.levels() {
        [top, rest @ ..] if TOPS.contains(&top.as_str()) && !rest.is_empty() => Some(rest),
        _ => None,
    }
}

/// Returns the levels of a folder's label: without `[Gmail]`.
pub fn label(name: &FolderName) -> &[String] {
    own_name(name).unwrap_or(name.levels())
}

/// Returns the name of a folder of Gmail's own in a mailbox that isn't Gmail. `attempt` counts the
/// names that other folders have already.
pub(super) fn name_elsewhere(name: &FolderName, attempt: usize) -> Option<FolderName> {
    let rest = own_name(name)?;
    let top = match attempt {
        0 => return FolderName::new(rest.to_vec()),
        1 => "Gmail".to_owned(),
        more => format!("Gmail {more}"),
    };
    FolderName::parse(&top).map(|top| top.join(rest))
}

/// Returns the names that Gmail may have for a folder that is called so elsewhere.
pub(super) fn origins(name: &FolderName) -> impl Iterator<Item = FolderName> + '_ {
    TOPS.iter()
        .filter_map(|top| FolderName::parse(top))
        .map(|top| top.join(name.levels()))
}

/// Pairs each of Gmail's own folders with its name on another side that isn't Gmail, for two-way
/// sync. Views have none there, and neither has a folder whose names another one has.
pub(super) fn exchanged(
    (gmail, roster): (&Listing, &Roster),
    (other, other_roster): (&Listing, &Roster),
) -> Vec<(FolderName, FolderName)> {
    if !gmail.are_labels || other.are_labels {
        return Vec::new();
    }
    let keys = |roster: &Roster| -> HashSet<String> {
        roster
            .folders
            .iter()
            .map(|folder| folder.name.key())
            .collect()
    };
    let (taken, taken_there) = (keys(roster), keys(other_roster));
    let is_view = |folder: &&Folder| {
        let mailbox = gmail.mailboxes.get(folder.index);
        mailbox.is_none_or(|mailbox| {
            !mailbox.selectable || mailbox.special_use.is_some_and(SpecialUse::is_view)
        })
    };
    let own = roster.folders.iter().filter(|folder| !is_view(folder));
    let named = own.filter_map(|folder| {
        let name = name_elsewhere(&folder.name, 0)?;
        let is_free = !taken.contains(&name.key()) && !taken_there.contains(&folder.name.key());
        is_free.then(|| (folder.name.clone(), name))
    });
    named.collect()
}

/// Returns what the user should know of a source's labels.
pub(super) fn warnings(source: &Listing, rules: &Rules) -> Vec<String> {
    if source.are_labels {
        let shows_all = source
            .mailboxes
            .iter()
            .any(|mailbox| mailbox.selectable && mailbox.special_use == Some(SpecialUse::All));
        let text = "the source's All Mail is hidden, so archived mail can't be copied: in Gmail's settings, under \
                    Labels, select \"Show in IMAP\" for All Mail";
        return if shows_all {
            Vec::new()
        } else {
            vec![text.to_owned()]
        };
    }
    let given = [
        (
            rules.gmail_labels != GmailLabels::default(),
            "--gmail-labels",
        ),
        (rules.gmail_archive.is_some(), "--gmail-archive"),
    ];
    let without_effect = given.iter().filter(|(is_given, _)| *is_given);
    without_effect
        .map(|(_, option)| format!("{option} has no effect: the source isn't Gmail"))
        .collect()
}
