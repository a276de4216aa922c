//! What a dry run would delete, folder by folder, with the UIDs.

use crate::cli::harmless;
use crate::cli::units;
use mailferry::mail::{Uid, UidSet};

/// Deletions in the order in which they were told.
#[derive(Default)]
pub(super) struct Deletions(Vec<Deletion>);

struct Deletion {
    side: &'static str,
    folder: String,
    messages: UidSet,
    /// Whether the folder itself goes.
    whole: bool,
}

impl Deletions {
    /// Adds a message.
    pub(super) fn add(&mut self, side: &'static str, folder: &str, uid: Uid) {
        self.of(side, folder).messages.insert(uid);
    }

    /// Adds a folder.
    pub(super) fn add_folder(&mut self, side: &'static str, folder: &str) {
        self.of(side, folder).whole = true;
    }

    /// A line for each folder.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Deletion::line)
    }

    fn of(&mut self, side: &'static str, folder: &str) -> &mut Deletion {
        let is_it = |found: &Deletion| (found.side, found.folder.as_str()) == (side, folder);
        let at = self.0.iter().position(is_it).unwrap_or_else(|| {
            let folder = folder.to_owned();
            self.0.push(Deletion { side, folder, messages: UidSet::default(), whole: false });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl Deletion {
    fn line(&self) -> String {
        let uids = &self.messages;
        let messages = (!uids.is_empty()).then(|| format!("{} (UID {uids})", units::counted(uids.len(), "message")));
        let whole = self.whole.then(|| "the folder".to_owned());
        let what: Vec<String> = messages.into_iter().chain(whole).collect();
        format!("to delete on the {}: {}: {}", self.side, harmless::text(&self.folder), what.join(" and "))
    }
}
