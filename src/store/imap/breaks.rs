//! Folders that break each connection over which they are read.
//!
//! A server that crashes on one damaged folder must not keep the others from being copied. So an account remembers over
//! which folder its connections broke, and after a few of them it leaves that folder out.

use crate::locks::lock;
use crate::mail::MailboxName;
use crate::store::{Error, ErrorKind, Refusal, RefusalMeaning};
use std::collections::HashMap;
use std::sync::Mutex;

/// So many broken connections, or half as many that stalled, and a folder is left out.
const LIMIT: u32 = 3;
/// A server that breaks over more folders than this is broken itself.
const MOST_LEFT_OUT: usize = 5;

/// How connections of one account broke, by the folder that was being read.
#[derive(Debug, Default)]
pub(super) struct Breaks(Mutex<HashMap<MailboxName, Breaking>>);

#[derive(Debug, Default)]
struct Breaking {
    weight: u32,
    /// What the last connection ended with.
    reason: String,
}

impl Breaks {
    /// Remembers that a connection ended with `error` while this folder was read; the error then names the folder.
    pub(super) fn note(&self, mailbox: &MailboxName, mut error: Error) -> Error {
        let weight = match error.kind {
            ErrorKind::Lost => 1,
            // It took long enough.
            ErrorKind::Stalled => 2,
            _ => return error,
        };
        let mut folders = lock(&self.0);
        let left_out = folders.values().filter(|folder| folder.weight >= LIMIT).count();
        let folder = folders.entry(mailbox.clone()).or_default();
        folder.weight += weight;
        folder.reason.clone_from(&error.message);
        error.is_over_folder = folder.weight >= LIMIT && left_out < MOST_LEFT_OUT;
        error.message = format!("{} ({mailbox} was being read)", error.message);
        error
    }

    /// Why a folder is not to be read again.
    pub(super) fn refusal(&self, mailbox: &MailboxName) -> Option<Refusal> {
        let folders = lock(&self.0);
        let folder = folders.get(mailbox).filter(|folder| folder.weight >= LIMIT)?;
        let text = format!(
            "skipped: each connection broke while this folder was read ({}); ask whoever runs the server to check it, \
             and run again",
            folder.reason
        );
        Some(Refusal { meaning: RefusalMeaning::Transient, text })
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
                assert!(!breaks.note(&name("Bad"), Error::new(kind, "gone")).is_over_folder);
                assert!(breaks.refusal(&name("Bad")).is_none());
            }
            let error = breaks.note(&name("Bad"), Error::new(kind, "gone"));
            assert!(error.is_over_folder && error.message.contains("Bad"), "{error:?}");
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
            breaks.note(&name(&nth.to_string()), stalled()).is_over_folder
        });
        assert_eq!(over.filter(|is_over_folder| *is_over_folder).count(), MOST_LEFT_OUT);
    }
}
