//! What options leave out of a run: folders by name, messages by number.

use super::MessageFilter;
use crate::folders::{LeavesOut, Pairing};
use crate::mail::{InternalDate, Listing, Message};
use serde::{Deserialize, Serialize};

/// What one option left out, or what needs an option to take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The option, such as `--exclude`; without one, `shared` (other users' folders), `kept` (moved
    /// there by `--keep-deleted`), `chats` (Gmail's), `labels` (messages that another folder of
    /// Gmail's has too, with `--gmail-labels`) or `equal` (messages equal to another one in their
    /// folder, of which Gmail keeps one).
    pub by: String,
    /// Folders that were left out.
    pub folders: Vec<LeftOutFolder>,
    /// Messages: in these folders, as far as known, or in selected folders.
    pub messages: u64,
}

/// A folder that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutFolder {
    /// Its name.
    pub folder: String,
    /// Its number of messages; `None` if the listing has none, and for a view, which shows the
    /// messages of other folders.
    pub messages: Option<u64>,
}

impl LeftOut {
    /// Reports whether one of the user's options was the reason.
    pub fn is_chosen(&self) -> bool {
        self.by.starts_with("--")
    }

    /// Messages in selected folders.
    pub fn single_messages(&self) -> u64 {
        self.messages.saturating_sub(
            self.folders
                .iter()
                .filter_map(|folder| folder.messages)
                .sum(),
        )
    }
}

/// Sums up what was left out.
pub(super) trait LeaveOut {
    /// Adds a folder.
    fn add_folder(&mut self, by: LeavesOut, folder: String, messages: Option<u64>);

    /// Adds messages in a selected folder.
    fn add_messages(&mut self, by: &'static str, messages: u64);
}

impl LeaveOut for Vec<LeftOut> {
    fn add_folder(&mut self, by: LeavesOut, folder: String, messages: Option<u64>) {
        let entry = of(self, by.name());
        if let Some(known) = entry
            .folders
            .iter_mut()
            .find(|known| known.folder == folder)
        {
            // Both sides of a sync have it, so the larger number counts.
            let more = messages
                .unwrap_or(0)
                .saturating_sub(known.messages.unwrap_or(0));
            known.messages = known.messages.max(messages);
            entry.messages += more;
            return;
        }
        entry.messages += messages.unwrap_or(0);
        entry.folders.push(LeftOutFolder { folder, messages });
    }

    fn add_messages(&mut self, by: &'static str, messages: u64) {
        if messages > 0 {
            of(self, by).messages += messages;
        }
    }
}

fn of<'a>(all: &'a mut Vec<LeftOut>, by: &str) -> &'a mut LeftOut {
    let at = all.iter().position(|one| one.by == by).unwrap_or_else(|| {
        all.push(LeftOut {
            by: by.to_owned(),
            folders: Vec::new(),
            messages: 0,
        });
        all.len() - 1
    });
    &mut all[at]
}

/// Returns the source's folders that were left out.
pub(super) fn folders_of(pairing: &Pairing, source: &Listing) -> Vec<LeftOut> {
    let mut found = Vec::new();
    for skipped in &pairing.skipped {
        let (Some(by), Some(mailbox)) = (skipped.by, source.mailboxes.get(skipped.source)) else {
            continue;
        };
        let is_view = mailbox
            .special_use
            .is_some_and(crate::mail::SpecialUse::is_view);
        let messages = mailbox
            .status
            .as_ref()
            .filter(|_| !is_view)
            .and_then(|status| status.counters.messages);
        found.add_folder(by, skipped.name.clone(), messages.map(u64::from));
    }
    found
}

/// The number of messages in a folder that each option left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FilteredOut(Vec<(&'static str, u64)>);

impl FilteredOut {
    pub(super) fn add(&mut self, by: &'static str, messages: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == by) {
            Some((_, sum)) => *sum += messages,
            None if messages > 0 => self.0.push((by, messages)),
            None => {}
        }
    }

    /// Returns the total.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|(_, messages)| messages).sum()
    }

    /// Adds them to what a run left out.
    pub(super) fn add_to(&self, all: &mut Vec<LeftOut>) {
        self.0
            .iter()
            .for_each(|(by, messages)| all.add_messages(by, *messages));
    }
}

impl MessageFilter {
    /// Returns the first option that leaves a message out by its date and size; `None` if it is
    /// selected. A message without a readable date passes.
    pub(super) fn refuses(&self, message: &Message) -> Option<&'static str> {
        let size = u64::from(message.size());
        let day = message.date().and_then(InternalDate::day);
        if day.is_some_and(|day| self.since.is_some_and(|since| day < since)) {
            return Some("--since");
        }
        if day.is_some_and(|day| self.before.is_some_and(|before| day >= before)) {
            return Some("--before");
        }
        if self.min_size.is_some_and(|min| size < min) {
            return Some("--min-size");
        }
        self.max_size
            .is_some_and(|max| size > max)
            .then_some("--max-size")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_sides_have_is_left_out_once() {
        let mut all = Vec::new();
        all.add_folder(LeavesOut::Exclude, "Junk".to_owned(), Some(3));
        all.add_folder(LeavesOut::Exclude, "Junk".to_owned(), Some(5));
        all.add_folder(LeavesOut::Exclude, "Old".to_owned(), None);
        all.add_folder(LeavesOut::Folder, "Trash".to_owned(), Some(1));
        all.add_messages("--since", 7);
        all.add_messages("--before", 0);
        let shown: Vec<_> = all
            .iter()
            .map(|one| (one.by.as_str(), one.folders.len(), one.messages))
            .collect();
        assert_eq!(
            shown,
            [("--exclude", 2, 5), ("--folder", 1, 1), ("--since", 0, 7)]
        );
    }
}
