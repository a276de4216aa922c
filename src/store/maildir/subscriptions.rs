//! Subscriptions: Dovecot's `subscriptions` in the tree's root, otherwise Courier's
//! `courierimapsubscribed`. Only Dovecot's is written.
//!
//! Dovecot's has one folder per line: since version 2.2 (first `V`, TAB, `2` and an empty line)
//! with levels separated by TABs, before that with the directory's name. Courier's has `INBOX.`
//! before every name.

use crate::mail::MailboxName;
use crate::store::disk::{Dir, MAX_SETTINGS};
use std::collections::BTreeSet;
use std::io::{self, Write as _};

const DOVECOTS: &[u8] = b"subscriptions";
const COURIERS: &[u8] = b"courierimapsubscribed";
const HEAD: &[u8] = b"V\t2\n\n";

/// The subscriptions in a tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subscriptions {
    names: BTreeSet<MailboxName>,
    /// Whether the file is in the old form, which is kept.
    is_old: bool,
}

impl Subscriptions {
    /// Reads them.
    pub(super) fn read(root: &Dir) -> io::Result<Self> {
        if let Some(text) = root.contents(DOVECOTS, MAX_SETTINGS)? {
            return Ok(Self::parse(&text));
        }
        let couriers = root.contents(COURIERS, MAX_SETTINGS)?.unwrap_or_default();
        let names = lines(&couriers)
            .map(|line| MailboxName::new(line.strip_prefix(b"INBOX.").unwrap_or(line)))
            .collect();
        Ok(Self {
            names,
            is_old: false,
        })
    }

    /// Parses the file.
    ///
    /// ```abnf
    /// subscriptions = "V" HTAB "2" LF LF *( level *( HTAB level ) LF ) / *( name LF )
    /// ```
    fn parse(text: &[u8]) -> Self {
        let (is_old, body) = match text.strip_prefix(HEAD) {
            Some(body) => (false, body),
            None => (!text.is_empty(), text),
        };
        let dots = |line: &[u8]| {
            line.iter()
                .map(|byte| {
                    if *byte == b'\t' && !is_old {
                        b'.'
                    } else {
                        *byte
                    }
                })
                .collect::<Vec<_>>()
        };
        Self {
            names: lines(body)
                .map(|line| MailboxName::new(dots(line)))
                .collect(),
            is_old,
        }
    }

    /// Reports whether they include a folder.
    pub(super) fn has(&self, mailbox: &MailboxName) -> bool {
        self.names.contains(mailbox)
            || mailbox.is_inbox() && self.names.iter().any(MailboxName::is_inbox)
    }

    /// Adds a folder. False: it was already there.
    pub(super) fn add(&mut self, mailbox: &MailboxName) -> bool {
        !self.has(mailbox) && self.names.insert(mailbox.clone())
    }

    /// Removes a folder. False: it was not there.
    pub(super) fn remove(&mut self, mailbox: &MailboxName) -> bool {
        self.names.remove(mailbox)
    }

    /// Writes the whole file.
    pub(super) fn write(&self, root: &Dir) -> io::Result<()> {
        root.replace(DOVECOTS, |file| {
            if !self.is_old {
                file.write_all(HEAD)?;
            }
            for name in &self.names {
                let tabs = |byte: &u8| {
                    if *byte == b'.' && !self.is_old {
                        b'\t'
                    } else {
                        *byte
                    }
                };
                let mut line: Vec<u8> = name.as_bytes().iter().map(tabs).collect();
                line.push(b'\n');
                file.write_all(&line)?;
            }
            Ok(())
        })
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(subscriptions: &Subscriptions) -> Vec<String> {
        subscriptions
            .names
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn each_form_is_read_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let dir = Dir::open(root.path()).unwrap();
        let path = root.path().join("subscriptions");
        std::fs::write(
            root.path().join("courierimapsubscribed"),
            "INBOX\nINBOX.A.B\n",
        )
        .unwrap();
        assert_eq!(names(&Subscriptions::read(&dir).unwrap()), ["A.B", "INBOX"]);
        for text in ["V\t2\n\nA\tB c\nINBOX\n", "A.B c\nINBOX\n"] {
            std::fs::write(&path, text).unwrap();
            let mut subscriptions = Subscriptions::read(&dir).unwrap();
            assert_eq!(names(&subscriptions), ["A.B c", "INBOX"]);
            assert!(subscriptions.has(&"inbox".into()) && !subscriptions.add(&"A.B c".into()));
            assert!(subscriptions.add(&"X".into()) && subscriptions.remove(&"X".into()));
            subscriptions.write(&dir).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
