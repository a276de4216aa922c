//! Detects that a mailbox filled by earlier runs is gone: missing, or empty and not the same one.
//! So nothing is written below an empty mount point, and nothing is deleted on one side because the
//! other side's disk is missing.

use crate::mail::{Listing, MailboxName, Side, UidValidity, counted};
use crate::store::{Connector, Error, ErrorKind};

/// What earlier runs left in a mailbox.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The number of messages.
    pub(super) messages: u64,
    /// The folders, with their UIDVALIDITY.
    pub(super) folders: Vec<(MailboxName, Option<UidValidity>)>,
}

impl Held {
    /// Refuses a directory that no longer exists, or is empty, before anything is created in it.
    ///
    /// # Errors
    /// It is gone.
    pub(super) fn check_place(&self, side: Side, connector: &dyn Connector) -> Result<(), Error> {
        let Some(path) = connector.directory().filter(|_| self.messages > 0) else {
            return Ok(());
        };
        // A new file system has its own `lost+found`.
        let is_idle = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.file_name() == "lost+found")
        };
        let has_something = match std::fs::read_dir(path) {
            Ok(mut entries) => !entries.all(is_idle),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.refusal(side, "is now missing"));
            }
            // Opening it reports why it can't be read.
            Err(_) => true,
        };
        if has_something {
            Ok(())
        } else {
            Err(self.refusal(side, EMPTY))
        }
    }

    /// Reports whether a mailbox is empty and has none of the folders that earlier runs have seen.
    pub(super) fn is_gone(&self, listing: &Listing) -> bool {
        let is_empty = |at: &crate::mail::ListedMailbox| !at.selectable || at.is_empty();
        let is_known = |at: &crate::mail::ListedMailbox| {
            let validity = at
                .status
                .as_ref()
                .and_then(|status| status.counters.uid_validity);
            // One without a known UIDVALIDITY may be the same.
            self.folders
                .iter()
                .any(|(name, was)| *name == at.name && (was.is_none() || *was == validity))
        };
        self.messages > 0
            && listing
                .mailboxes
                .iter()
                .all(|at| is_empty(at) && !is_known(at))
    }

    /// Returns the error that ends a run.
    pub(super) fn refusal(&self, side: Side, what: &str) -> Error {
        let text = format!(
            "the {} held {} after the last run and {what}",
            side.name(),
            counted(self.messages, "message")
        );
        Error::new(ErrorKind::Local, text).with_hint(
            "check the address, and that the disk is mounted; to refill it from scratch, rerun with --new-target",
        )
    }

    /// Returns the warning for an empty mailbox on a server that is filled again.
    pub(super) fn warning(&self) -> String {
        format!(
            "the target held {} after the last run and is now empty: copying everything again",
            counted(self.messages, "message")
        )
    }
}

/// Returns how to describe an empty mailbox.
pub(super) const EMPTY: &str = "is now empty, and not the same mailbox as before";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Counters, FolderStatus, ListedMailbox, NameStyle};

    fn listing(folders: &[(&str, u32, u32)]) -> Listing {
        let mailbox = |(name, validity, messages): &(&str, u32, u32)| ListedMailbox {
            status: Some(FolderStatus {
                counters: Counters {
                    uid_validity: Some(UidValidity(*validity)),
                    messages: Some(*messages),
                    ..Counters::default()
                },
                ..FolderStatus::default()
            }),
            ..ListedMailbox::new((*name).into(), Some('/'))
        };
        let style = NameStyle {
            prefix: Vec::new(),
            separator: Some('/'),
            utf8: false,
        };
        let mailboxes = folders.iter().map(mailbox).collect();
        Listing {
            mailboxes,
            style,
            foreign_prefixes: Vec::new(),
            gaps: Default::default(),
            are_labels: false,
            merges_equal: false,
        }
    }

    #[test]
    fn only_an_empty_mailbox_of_another_generation_is_gone() {
        let held = Held {
            messages: 3,
            folders: vec![("INBOX".into(), Some(UidValidity(7)))],
        };
        assert!(held.is_gone(&listing(&[])) && held.is_gone(&listing(&[("INBOX", 8, 0)])));
        assert!(
            !held.is_gone(&listing(&[("INBOX", 8, 1)])),
            "it holds something"
        );
        assert!(
            !held.is_gone(&listing(&[("INBOX", 7, 0)])),
            "everything in it was deleted"
        );
        assert!(!Held::default().is_gone(&listing(&[])), "nothing is known");
    }
}
