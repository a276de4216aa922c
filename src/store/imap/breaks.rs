//! Folders that break every connection over which they are read.
//!
//! A server that crashes on one damaged folder must not keep the others from being copied. So an
//! account remembers during which folder its connections broke, and after a few breaks it skips
//! that folder.

use crate::locks::lock;
use crate::mail::MailboxName;
use crate::store::{Error, ErrorKind, Refusal, RefusalMeaning};
use std::collections::HashMap;
use std::sync::Mutex;

/// A folder is skipped after this many broken connections, or half as many stalled ones.
const LIMIT: u32 = 3;
/// A server that breaks on more folders than this is itself broken.
const MOST_LEFT_OUT: usize = 5;

/// How connections to one account broke, by the folder being read.
#[derive(Debug, Default)]
pub(super) struct Breaks(Mutex<HashMap<MailboxName, Breaking>>);

#[derive(Debug, Default)]
struct Breaking {
    weight: u32,
    /// How the last connection ended.
    reason: String,
}

impl Breaks {
    /// Notes that a connection ended with `error` while this folder was being read; the error then
    /// names the folder.
    pub(super) fn note(&self, mailbox: &MailboxName, mut error: Error) -> Error {
        let weight = match error.kind {
            ErrorKind::Lost => 1,
            // It took long enough.
            ErrorKind::Stalled => 2,
            _ => return error,
        };
        let mut folders = lock(&self.0);
        let left_out = folders
            .values()
            .filter(|folder| folder.weight >= LIMIT)
            .count();
        let folder = folders.entry(mailbox.clone()).or_default();
        folder.weight += weight;
        folder.reason.clone_from(&error.message);
        error.is_over_folder = folder.weight >= LIMIT && left_out < MOST_LEFT_OUT;
        error.message = format!("{} ({mailbox} was being read)", error.message);
        error
    }

    /// Returns why a folder isn't read again.
    pub(super) fn refusal(&self, mailbox: &MailboxName) -> Option<Refusal> {
        let folders = lock(&self.0);
        let folder = folders
            .get(mailbox)
            .filter(|folder| folder.weight >= LIMIT)?;
        let text = format!(
            "skipped: each connection broke while this folder was read ({}); ask whoever runs the server to check it, \
             and run again",
            folder.reason
        );
        Some(Refusal {
            meaning: RefusalMeaning::Transient,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::new(text)
    }

    #[test]
    fn a_folder_is_left_out_once_it_has_broken_three_connections_or_stalled_two() {
        for (kind, borne) in [(ErrorKind::Lost, 2), (ErrorKind::Stalled, 1)] {
            let breaks = Breaks::default();
            for _ in 0..borne {
                assert!(
                    !breaks
                        .note(&name("Bad"), Error::new(kind, "gone"))
                        .is_over_folder
                );
                assert!(breaks.refusal(&name("Bad")).is_none());
            }
            let error = breaks.note(&name("Bad"), Error::new(kind, "gone"));
            assert!(
                error.is_over_folder && error.message.contains("Bad"),
                "{error:?}"
            );
            assert!(breaks.refusal(&name("Bad")).unwrap().text.contains("gone"));
            assert!(breaks.refusal(&name("Good")).is_none());
        }
    }

    #[test]
    fn a_server_that_breaks_over_every_folder_is_not_read_on() {
        let breaks = Breaks::default();
        let over = (0..10).map(|nth| {
            let stalled = || Error::new(ErrorKind::Stalled, "gone");
            breaks.note(&name(&nth.to_string()), stalled());
            breaks
                .note(&name(&nth.to_string()), stalled())
                .is_over_folder
        });
        assert_eq!(
            over.filter(|is_over_folder| *is_over_folder).count(),
            MOST_LEFT_OUT
        );
    }
}
