//! Deletions of a dry run, by folder, with the UIDs.

use crate::cli::harmless;
use crate::cli::heading;
use crate::cli::units;
use mailferry::mail::{Heading, Uid, UidSet};

/// The maximum number of messages listed per folder; the rest is counted.
pub(super) const LISTED: usize = 20;

/// Writes a message on its own line.
pub(super) fn line(uid: Uid, heading: Option<&Heading>) -> String {
    format!("  UID {uid}{}", heading::after_uid(heading))
}

/// Lists the given messages, out of a total.
pub(super) fn listed(known: &[String], of: u64) -> Vec<String> {
    let more = of.saturating_sub(known.len() as u64);
    let rest =
        (more > 0 && !known.is_empty()).then(|| format!("  and {} more", units::count(more)));
    known.iter().cloned().chain(rest).collect()
}

/// Deletions in the order in which they were reported.
#[derive(Default)]
pub(super) struct Deletions(Vec<Deletion>);

struct Deletion {
    side: &'static str,
    folder: String,
    messages: UidSet,
    /// Headings of some of them, by UID.
    known: Vec<String>,
    /// Whether the folder itself is deleted.
    whole: bool,
}

impl Deletions {
    /// Adds a message.
    pub(super) fn add(
        &mut self,
        side: &'static str,
        folder: &str,
        uid: Uid,
        heading: Option<&Heading>,
    ) {
        let deletion = self.of(side, folder);
        deletion.messages.insert(uid);
        if heading.is_some() && deletion.known.len() < LISTED {
            deletion.known.push(line(uid, heading));
        }
    }

    /// Adds a folder.
    pub(super) fn add_folder(&mut self, side: &'static str, folder: &str) {
        self.of(side, folder).whole = true;
    }

    /// Yields a line for each folder, followed by one for each of the first messages.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|deletion| {
            [
                vec![deletion.line()],
                listed(&deletion.known, deletion.messages.len()),
            ]
            .concat()
        })
    }

    fn of(&mut self, side: &'static str, folder: &str) -> &mut Deletion {
        let is_it = |found: &Deletion| (found.side, found.folder.as_str()) == (side, folder);
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            let folder = folder.to_owned();
            self.0.push(Deletion {
                side,
                folder,
                messages: UidSet::default(),
                known: Vec::new(),
                whole: false,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl Deletion {
    fn line(&self) -> String {
        let uids = &self.messages;
        let messages = (!uids.is_empty())
            .then(|| format!("{} (UID {uids})", units::counted(uids.len(), "message")));
        let whole = self.whole.then(|| "the folder".to_owned());
        let what: Vec<String> = messages.into_iter().chain(whole).collect();
        format!(
            "would delete on the {}: {}: {}",
            self.side,
            harmless::text(&self.folder),
            what.join(" and ")
        )
    }
}
