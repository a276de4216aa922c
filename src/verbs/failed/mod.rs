//! `--failed-dir`: keeps what a run could not copy in a directory, each message with the reason.
//!
//! A run's events say which messages failed; after the run, these are requested once more and
//! written byte for byte as they arrive, in pieces, so that memory doesn't grow with them.
//! Invariants: nothing outside of the directory is written, whatever a server calls its folders; a
//! file is either complete or not there; a message has the same names in every run, and no other
//! message has them; the files of a message that failed earlier are removed once it is copied.

mod name;
mod saving;

use crate::event::{Event, Observer, Place};
use crate::locks::lock;
use crate::mail::{Both, Heading, MailboxName, Side, Uid, UidValidity};
use crate::store::{Error, ErrorKind};
use std::collections::{BTreeMap, HashSet};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A directory for messages that fail, which observes a run to learn which do.
pub struct FailedDir {
    path: PathBuf,
    /// The names of both accounts.
    accounts: Both<String>,
    /// Messages that earlier runs saved: their files without extension, below the directory.
    earlier: HashSet<PathBuf>,
    seen: Mutex<Seen>,
}

/// What was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailedSaved {
    /// Messages saved with their bytes.
    pub messages: u64,
    /// Messages that could not be read: only the reason was saved.
    pub reasons: u64,
}

/// What a run has reported so far.
#[derive(Default)]
struct Seen {
    failed: BTreeMap<Folder, BTreeMap<Uid, Reported>>,
    /// Reasons, each once: thousands of messages can fail for one.
    reasons: HashSet<Arc<str>>,
    /// Files of messages that failed earlier and are copied now, without extension.
    copied: HashSet<PathBuf>,
}

/// A folder with messages that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Folder {
    side: Side,
    mailbox: Vec<u8>,
    uid_validity: Option<u32>,
    /// Its decoded name.
    name: String,
}

impl Folder {
    fn of(place: &Place<'_>, name: &str) -> Self {
        Self {
            side: place.side,
            mailbox: place.mailbox.as_bytes().to_vec(),
            uid_validity: place.uid_validity.map(|validity| validity.0),
            name: name.to_owned(),
        }
    }

    fn mailbox(&self) -> MailboxName {
        MailboxName::new(self.mailbox.clone())
    }

    fn is_under(&self, uid_validity: Option<UidValidity>) -> bool {
        uid_validity.map(|validity| validity.0) == self.uid_validity
    }
}

/// A message that failed.
#[derive(Clone, Debug)]
struct Reported {
    reason: Arc<str>,
    heading: Option<Box<Heading>>,
}

impl FailedDir {
    /// Opens a directory, which is created if it doesn't exist. `accounts` are the names by which
    /// its files tell the accounts apart; they contain no secrets.
    ///
    /// # Errors
    /// It can't be created or written to.
    pub fn open(path: &Path, accounts: Both<String>) -> Result<Self, Error> {
        let failed = |error: &io::Error| {
            let text = format!("cannot keep failed messages in {}: {error}", path.display());
            Error::new(ErrorKind::Local, text)
                .with_hint("give another directory with --failed-dir, or none")
        };
        let open = || {
            if !path.is_dir() {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            }
            // Writing is the only sure test of whether it can be written to.
            saving::check_writable(path)?;
            saving::saved_earlier(path)
        };
        Ok(Self {
            path: path.to_owned(),
            accounts,
            earlier: open().map_err(|error| failed(&error))?,
            seen: Mutex::default(),
        })
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of a message's files without extension. It belongs to both accounts: what
    /// one target refuses, another may have taken.
    fn file(&self, folder: &Folder, uid: Uid) -> String {
        let (from, to) = (
            &self.accounts[folder.side],
            &self.accounts[folder.side.other()],
        );
        name::file(folder, &format!("{from}\n{to}"), uid)
    }

    /// Returns the files of a message below the directory, without extension.
    fn stem(&self, folder: &Folder, uid: Uid) -> PathBuf {
        name::directory(&folder.name).join(self.file(folder, uid))
    }
}

impl Observer for FailedDir {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::MessageFailed {
                place: Some(place),
                folder,
                uid,
                heading,
                reason,
            } => {
                let mut seen = lock(&self.seen);
                let shared = seen.reasons.get(*reason).cloned();
                let reason = shared.unwrap_or_else(|| Arc::from(*reason));
                seen.reasons.insert(Arc::clone(&reason));
                let reported = Reported {
                    reason,
                    heading: heading.map(|heading| Box::new(heading.clone())),
                };
                let of_folder = seen.failed.entry(Folder::of(place, folder)).or_default();
                of_folder.insert(*uid, reported);
            }
            Event::MessageCopied {
                place: Some(place),
                folder,
                uid,
                ..
            } if !self.earlier.is_empty() => {
                let stem = self.stem(&Folder::of(place, folder), *uid);
                if self.earlier.contains(&stem) {
                    lock(&self.seen).copied.insert(stem);
                }
            }
            _ => {}
        }
    }
}
