//! Restores the messages saved by a run, or reports what would be restored: folder by folder, each
//! message once.

use super::KeptMessage;
use crate::event::{Event, Observer, Restored, Run};
use crate::folders::{FolderName, TargetFolder, place};
use crate::identity;
use crate::mail::{
    Flags, HeaderKey, Heading, InternalDate, Listing, MailboxName, PermanentFlags, Side, Uid,
};
use crate::store::{
    Body, Connector, Delivery, Error, ErrorKind, FolderScan, NewFolder, ScanDepth, ScanRequest,
    Store,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::AddAssign;
use std::path::Path;

/// The number of bytes read from a saved message to find its header.
const HEAD: u64 = 256 << 10;

/// The messages to restore, all from one mailbox.
#[derive(Clone, Copy, Debug)]
pub struct Restoring<'a> {
    /// The run's directory.
    pub run: &'a Path,
    /// The messages.
    pub messages: &'a [KeptMessage],
    /// The side that they were on.
    pub side: Side,
    /// Only report what would be restored.
    pub dry_run: bool,
}

/// The result of `undo`, or of its dry run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct UndoSummary {
    /// Messages restored.
    pub restored: u64,
    /// Messages that still exist.
    pub already_there: u64,
    /// Messages that failed, each reported in an event.
    pub failed: u64,
}

/// Returns the headings of these messages.
///
/// # Errors
/// A file that can't be read.
pub fn kept_headings(run: &Path, messages: &[KeptMessage]) -> Result<Vec<Heading>, Error> {
    messages
        .iter()
        .map(|message| Ok(identity::heading(&Kept::open(run, message)?.head)))
        .collect()
}

/// Restores messages of one mailbox to their folders. Each is reported in an event.
///
/// # Errors
/// No connection, a refused login, or files that can't be read. A message that the server refuses
/// is reported in an event.
pub fn undo(
    account: &dyn Connector,
    restoring: Restoring<'_>,
    run: Run<'_>,
) -> Result<UndoSummary, Error> {
    let observer = run.observer;
    let mut store = account.connect()?;
    let listing = store.list()?;
    let mut folders: BTreeMap<&str, Vec<&KeptMessage>> = BTreeMap::new();
    for message in restoring.messages {
        folders.entry(&message.folder).or_default().push(message);
    }
    let mut undo = Undo {
        store: store.as_mut(),
        listing,
        restoring,
        observer,
        summary: UndoSummary::default(),
    };
    for (folder, messages) in folders {
        if run.stop.is_requested() {
            break;
        }
        match undo.open(folder)? {
            Some(opened) => undo.put_back(&opened, &messages)?,
            None => undo.summary.failed += messages.len() as u64,
        }
    }
    let summary = undo.summary;
    store.close();
    Ok(summary)
}

struct Undo<'a> {
    store: &'a mut dyn Store,
    listing: Listing,
    restoring: Restoring<'a>,
    observer: &'a dyn Observer,
    summary: UndoSummary,
}

/// A folder with its contents.
struct Opened {
    /// `None` if it is gone and would be created.
    mailbox: Option<MailboxName>,
    scan: FolderScan,
}

impl AddAssign for UndoSummary {
    fn add_assign(&mut self, other: Self) {
        self.restored += other.restored;
        self.already_there += other.already_there;
        self.failed += other.failed;
    }
}

impl Undo<'_> {
    /// Returns the folder with its contents; creates it if it is gone. `None`: it failed, and was
    /// reported.
    fn open(&mut self, folder: &str) -> Result<Option<Opened>, Error> {
        let name = FolderName::parse(folder).ok_or_else(|| "not a valid folder name".to_owned());
        match name.and_then(|name| place(&self.listing, &name)) {
            Ok(TargetFolder::Existing(index)) => {
                self.scan(folder, self.listing.mailboxes[index].name.clone())
            }
            Ok(TargetFolder::New { .. }) if self.restoring.dry_run => {
                self.observer.observe(&Event::FolderCreated { folder });
                Ok(Some(Opened {
                    mailbox: None,
                    scan: FolderScan::default(),
                }))
            }
            Ok(TargetFolder::New {
                name,
                fallbacks,
                flattened,
            }) => {
                let new = NewFolder {
                    flattened,
                    ..NewFolder::new(name, fallbacks)
                };
                match self.make(folder, new)? {
                    Some(mailbox) => self.scan(folder, mailbox),
                    None => Ok(None),
                }
            }
            Err(reason) => {
                self.fail(folder, &reason);
                Ok(None)
            }
        }
    }

    /// Creates a folder. Returns its name; `None`: it failed, and was reported.
    fn make(&mut self, folder: &str, new: NewFolder) -> Result<Option<MailboxName>, Error> {
        match self.store.create(&[new])?.into_iter().next() {
            Some(Ok(name)) => {
                self.listing = self.store.list()?;
                self.observer.observe(&Event::FolderCreated { folder });
                Ok(Some(name))
            }
            Some(Err(refusal)) => {
                self.fail(folder, &refusal.text);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Reads the contents of a folder. `None`: it failed, and was reported.
    fn scan(&mut self, folder: &str, mailbox: MailboxName) -> Result<Option<Opened>, Error> {
        let for_writing = !self.restoring.dry_run;
        let request = ScanRequest {
            for_writing,
            ..ScanRequest::new(&mailbox, ScanDepth::Identity)
        };
        let mut found = None;
        self.store
            .scan(&[request], &mut |_, scan| found = Some(scan))?;
        match found {
            Some(Ok(scan)) => Ok(Some(Opened {
                mailbox: Some(mailbox),
                scan,
            })),
            Some(Err(refusal)) => {
                self.fail(folder, &refusal.text);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn fail(&self, folder: &str, reason: &str) {
        self.observer
            .observe(&Event::FolderFailed { folder, reason });
    }

    /// Restores messages to a folder that lacks them.
    fn put_back(&mut self, opened: &Opened, messages: &[&KeptMessage]) -> Result<(), Error> {
        let mut there: Vec<(HeaderKey, u32)> = opened
            .scan
            .messages
            .iter()
            .map(|message| (message.key(), message.size()))
            .collect();
        let mailbox = opened.mailbox.as_ref().filter(|_| !self.restoring.dry_run);
        let mut headings: Vec<Heading> = Vec::with_capacity(messages.len());
        for (token, message) in (0_u32..).zip(messages) {
            let kept = Kept::open(self.restoring.run, message)?;
            let heading = identity::heading(&kept.head);
            if kept.is_taken_from(&mut there) {
                self.summary.already_there += 1;
                self.tell(message, true, Some(&heading));
            } else if let Some(mailbox) = mailbox {
                self.deliver(mailbox, &opened.scan.permanent_flags, token, message, kept)?;
            } else {
                self.summary.restored += 1;
                self.tell(message, false, Some(&heading));
            }
            headings.push(heading);
        }
        if self.restoring.dry_run {
            Ok(())
        } else {
            self.take_outcomes(messages, &headings)
        }
    }

    /// Sends a message to a folder, with a number that identifies its outcome.
    fn deliver(
        &mut self,
        mailbox: &MailboxName,
        permanent: &PermanentFlags,
        token: u32,
        message: &KeptMessage,
        mut kept: Kept,
    ) -> Result<(), Error> {
        let flags = permanent
            .split(&Flags::from_names(message.flags.split(' ')))
            .0;
        let date = message.date.as_deref().and_then(InternalDate::parse);
        let body = Body::Stream {
            size: kept.size,
            from: &mut kept.file,
        };
        let delivery = Delivery {
            token,
            flags: &flags,
            date,
            body,
            careful: true,
            binary: false,
            batch: token,
        };
        self.store.deliver(mailbox, delivery)
    }

    /// Takes the outcomes of the messages that were sent, by their numbers.
    fn take_outcomes(
        &mut self,
        messages: &[&KeptMessage],
        headings: &[Heading],
    ) -> Result<(), Error> {
        for outcome in self.store.outcomes(true)? {
            for token in outcome.tokens {
                let at = token as usize;
                let (Some(message), heading) = (messages.get(at), headings.get(at)) else {
                    continue;
                };
                match &outcome.result {
                    Ok(_) => {
                        self.summary.restored += 1;
                        self.tell(message, false, heading);
                    }
                    Err(refusal) => {
                        self.summary.failed += 1;
                        let (folder, reason) = (message.folder.as_str(), refusal.text.as_str());
                        let Some(uid) = Uid::new(message.uid) else {
                            continue;
                        };
                        self.observer.observe(&Event::MessageFailed {
                            place: None,
                            folder,
                            uid,
                            heading,
                            reason,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn tell(&self, message: &KeptMessage, is_there: bool, heading: Option<&Heading>) {
        let (side, folder, uid) = (self.restoring.side, message.folder.as_str(), message.uid);
        self.observer.observe(&Event::MessageRestored(Restored {
            side,
            folder,
            uid,
            is_there,
            heading,
        }));
    }
}

/// Opens a saved message's file.
struct Kept {
    file: File,
    size: u64,
    /// Returns the beginning of its header.
    head: Vec<u8>,
}

impl Kept {
    fn open(run: &Path, message: &KeptMessage) -> Result<Self, Error> {
        let path = run.join(&message.file);
        let read = || -> io::Result<Self> {
            let mut file = File::open(&path)?;
            let size = file.metadata()?.len();
            let mut head = Vec::new();
            io::Read::by_ref(&mut file)
                .take(HEAD)
                .read_to_end(&mut head)?;
            let end = head
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .map_or(head.len(), |at| at + 4);
            head.truncate(end);
            Ok(Self {
                file: File::open(&path)?,
                size,
                head,
            })
        };
        read().map_err(|error| {
            Error::new(
                ErrorKind::Local,
                format!("cannot read {}: {error}", path.display()),
            )
        })
    }

    /// Reports whether one of these messages is the same, by header key and size; if so, takes it.
    fn is_taken_from(&self, there: &mut Vec<(HeaderKey, u32)>) -> bool {
        let key = identity::header_key(&self.head);
        let same = |(k, s): &(HeaderKey, u32)| *k == key && u64::from(*s) == self.size;
        let found = there.iter().position(same);
        found.map(|at| there.swap_remove(at)).is_some()
    }
}
