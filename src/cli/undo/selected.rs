//! Selects a run's messages to restore: those of some folders, or single ones.

use crate::cli::args::folder_rules;
use crate::cli::failure::Failure;
use crate::cli::harmless;
use crate::cli::heading;
use crate::cli::units;
use mailferry::folders::{FolderName, Options as FolderOptions};
use mailferry::mail::Heading;
use mailferry::verbs::{self, KeptMessage};
use std::collections::BTreeMap;
use std::path::Path;

/// A message as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// `INBOX/11`
    Place(String, u32),
    /// `<4711@example.org>`
    Id(String),
}

impl Wanted {
    /// Parses the option's value.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 2 && text.starts_with('<') && text.ends_with('>') {
            return Ok(Self::Id(text.to_owned()));
        }
        let parts = text
            .rsplit_once('/')
            .filter(|(folder, _)| !folder.is_empty());
        let place = parts
            .and_then(|(folder, uid)| Some((folder, uid.parse().ok().filter(|uid| *uid > 0)?)));
        let (folder, uid) = place.ok_or_else(|| {
            "expected FOLDER/UID, such as INBOX/11, or a Message-ID in < >".to_owned()
        })?;
        Ok(Self::Place(folder.to_owned(), uid))
    }

    fn is(&self, message: &KeptMessage, heading: &Heading) -> bool {
        match self {
            Self::Place(folder, uid) => message.folder == *folder && message.uid == *uid,
            Self::Id(id) => heading.message_id.as_deref() == Some(id),
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Place(folder, uid) => write!(f, "{}/{uid}", harmless::text(folder)),
            Self::Id(id) => f.write_str(&harmless::text(id)),
        }
    }
}

/// Returns the messages in these folders; all if none is given.
///
/// # Errors
/// An invalid pattern, or one that matches no folder of the run.
pub(super) fn of_folders(
    messages: Vec<KeptMessage>,
    globs: &[String],
) -> Result<Vec<KeptMessage>, Failure> {
    if globs.is_empty() {
        return Ok(messages);
    }
    let rules = folder_rules(&FolderOptions {
        include: globs.to_vec(),
        ..FolderOptions::default()
    })?;
    let counts = by_folder(&messages);
    let names: Vec<FolderName> = counts
        .keys()
        .filter_map(|folder| FolderName::parse(folder))
        .collect();
    let names: Vec<&FolderName> = names.iter().collect();
    let has = || {
        let counts = counts
            .iter()
            .map(|(folder, count)| format!("{} ({count})", harmless::text(folder)));
        format!(
            "it has messages from {}",
            counts.collect::<Vec<_>>().join(", ")
        )
    };
    let unknown = |text: String| Failure::usage(harmless::text(&text)).with_hint(has());
    rules
        .check_names(&names, "in the run")
        .map_err(|error| unknown(error.to_string()))?;
    let is_meant = |message: &KeptMessage| {
        FolderName::parse(&message.folder).is_some_and(|name| rules.keeps_out(&name).is_none())
    };
    let chosen: Vec<KeptMessage> = messages
        .iter()
        .filter(|message| is_meant(message))
        .cloned()
        .collect();
    if chosen.is_empty() {
        return Err(unknown("--folder matches no folder in the run".to_owned()));
    }
    Ok(chosen)
}

/// Returns the given messages; all if none is given.
///
/// # Errors
/// One that the run has not saved, or that may be one of several.
pub(super) fn named(
    run: &Path,
    messages: Vec<KeptMessage>,
    wanted: &[Wanted],
) -> Result<Vec<KeptMessage>, Failure> {
    if wanted.is_empty() {
        return Ok(messages);
    }
    let headings = verbs::kept_headings(run, &messages)?;
    let mut chosen: Vec<usize> = Vec::new();
    for one in wanted {
        let found: Vec<usize> = (0..messages.len())
            .filter(|at| one.is(&messages[*at], &headings[*at]))
            .collect();
        match (found[..].len(), one) {
            (0, _) => {
                return Err(Failure::usage(format!("the run has no message {one}"))
                    .with_hint("list its messages with --dry-run and without --message"));
            }
            // Equal messages in one folder are one to the user; if they are in several, each folder
            // had it.
            (1, _) | (_, Wanted::Id(_)) => {}
            (count, Wanted::Place(..)) => {
                let ids = found.iter().map(|at| {
                    let id = headings[*at]
                        .message_id
                        .as_deref()
                        .unwrap_or("no Message-ID");
                    format!(
                        "{}{}",
                        harmless::text(id),
                        heading::after_uid(Some(&headings[*at]))
                    )
                });
                let hint = format!(
                    "select one by its Message-ID: {}",
                    ids.collect::<Vec<_>>().join("; ")
                );
                return Err(Failure::usage(format!(
                    "{one} may be one of {}: the run has deleted on both sides",
                    units::counted(count as u64, "message")
                ))
                .with_hint(hint));
            }
        }
        chosen.extend(found);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen.into_iter().map(|at| messages[at].clone()).collect())
}

/// Returns how many messages each folder has.
pub(super) fn by_folder(messages: &[KeptMessage]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    messages
        .iter()
        .for_each(|message| *counts.entry(message.folder.clone()).or_insert(0) += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_given_by_folder_and_uid_or_message_id() {
        assert_eq!(
            Wanted::parse("Work/2024/11"),
            Ok(Wanted::Place("Work/2024".to_owned(), 11))
        );
        assert_eq!(
            Wanted::parse("<a/1@b>"),
            Ok(Wanted::Id("<a/1@b>".to_owned()))
        );
        for text in ["", "INBOX", "INBOX/", "/3", "INBOX/0", "INBOX/x", "<>"] {
            assert!(Wanted::parse(text).is_err(), "{text}");
        }
    }
}
