//! The undo store: what `sync` deletes on a side because the other did is kept first, and `undo` puts it back.
//!
//! One directory for each run: the messages byte for byte in `cur`, and `index`, a JSON object a line that says of each where
//! it was, with which flags and which INTERNALDATE. What it keeps true: a message is on the disk, and so is its line,
//! before it is deleted; what has no [`room`] is not deleted; what is put back goes into the folder where it was, once, however often it is asked for.

mod room;

pub(super) use room::DroppedRun;

use crate::event::{Event, Observer, Side, Stop};
use crate::folders::{FolderName, TargetFolder, place};
use crate::identity::header_key;
use crate::mail::{Flags, HeaderKey, InternalDate, MailboxName, Uid};
use crate::store::{Body, Connector, Delivery, Error, ErrorKind, FolderScan, NewFolder, ScanDepth, ScanRequest, Store};
use room::Room;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A kept message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptMessage {
    /// The identity of the mailbox that it was in.
    pub mailbox: String,
    /// The folder there, as it is shown.
    pub folder: String,
    /// Its UID there.
    pub uid: u32,
    /// Its flags, separated by blanks.
    pub flags: String,
    /// Its INTERNALDATE; `None` where the server's was no date.
    pub date: Option<String>,
    /// Its bytes, below the run's directory.
    pub file: String,
}

/// The directory of one run, made when the first message is kept.
#[derive(Debug)]
pub(super) struct UndoRun {
    count: u32,
    room: Room,
    path: PathBuf,
}

impl UndoRun {
    /// `most` is how many bytes it may take together with the runs beside it.
    pub(super) fn new(path: PathBuf, most: Option<u64>) -> Self {
        Self { count: 0, room: Room::of(&path, most), path }
    }

    /// Whether a message of so many bytes has room; the oldest runs make way for it, and stand in `dropped` then.
    pub(super) fn has_room(&mut self, bytes: u64, dropped: &mut Vec<DroppedRun>) -> Result<bool, Error> {
        self.room.take(bytes, dropped).map_err(|error| self.failed(&error))
    }

    /// A file for the next message, and its name in the index.
    pub(super) fn next_file(&mut self) -> Result<(File, String), Error> {
        let made = || {
            DirBuilder::new().recursive(true).mode(0o700).create(self.path.join("cur"))?;
            let name = format!("cur/{}.eml", self.count + 1);
            let mut options = OpenOptions::new();
            Ok((options.write(true).create(true).truncate(true).mode(0o600).open(self.path.join(&name))?, name))
        };
        let made = made().map_err(|error| self.failed(&error))?;
        self.count += 1;
        Ok(made)
    }

    /// Writes lines of the index. On the disk when it returns, with the files.
    pub(super) fn note(&self, messages: &[KeptMessage]) -> Result<(), Error> {
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let mut index = options.append(true).create(true).mode(0o600).open(self.path.join("index"))?;
            let mut lines = String::new();
            for message in messages {
                lines.push_str(&serde_json::to_string(message)?);
                lines.push('\n');
            }
            index.write_all(lines.as_bytes())?;
            index.sync_all()?;
            for directory in [self.path.join("cur"), self.path.clone()].iter().map(PathBuf::as_path) {
                File::open(directory)?.sync_all()?;
            }
            self.path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        if messages.is_empty() { Ok(()) } else { write().map_err(|error| self.failed(&error)) }
    }

    pub(super) fn failed(&self, error: &io::Error) -> Error {
        Error::new(ErrorKind::Local, format!("cannot keep messages in {}: {error}", self.path.display()))
            .with_hint("make room, or let nothing be kept by --keep-deleted 0; what could not be kept is not deleted")
    }
}

/// What a run has kept.
///
/// # Errors
/// The directory can't be read, or is none of the undo store's.
pub fn kept_messages(run: &Path) -> Result<Vec<KeptMessage>, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Local, format!("cannot read the undo store's run {}: {error}", run.display()))
            .with_hint("`mailferry undo --list FIRST SECOND` shows the runs")
    };
    let index = File::open(run.join("index")).map_err(|error| failed(&error))?;
    let mut messages: Vec<KeptMessage> = Vec::new();
    for line in BufReader::new(index).lines() {
        let line = line.map_err(|error| failed(&error))?;
        let message: KeptMessage = serde_json::from_str(&line).map_err(|error| failed(&error))?;
        // Only what this program has named is opened.
        let number = message.file.strip_prefix("cur/").and_then(|name| name.strip_suffix(".eml"));
        if !number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(failed(&"it names a file that is not its own"));
        }
        messages.push(message);
    }
    Ok(messages)
}

/// What came of putting messages back.
#[derive(Clone, Copy, Debug, Default)]
pub struct UndoSummary {
    /// Messages put back.
    pub restored: u64,
    /// Messages that were there already.
    pub already_there: u64,
    /// Messages that failed, each named in an event.
    pub failed: u64,
}

/// Puts messages of one mailbox back into the folders where they were.
///
/// # Errors
/// No connection, a refused login, or files that can't be read. A message that the server refuses is named in an event.
pub fn undo(
    account: &dyn Connector,
    run: &Path,
    messages: &[KeptMessage],
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<UndoSummary, Error> {
    let mut store = account.connect()?;
    let mut listing = store.list()?;
    let mut folders: BTreeMap<&str, Vec<&KeptMessage>> = BTreeMap::new();
    for message in messages {
        folders.entry(&message.folder).or_default().push(message);
    }
    let mut summary = UndoSummary::default();
    for (folder, messages) in folders {
        if stop.is_requested() {
            break;
        }
        let opened = open(store.as_mut(), &mut listing, folder, observer)?;
        let Some((mailbox, scan)) = opened else {
            summary.failed += messages.len() as u64;
            continue;
        };
        put_back(store.as_mut(), run, &mailbox, &scan, &messages, &mut summary, observer)?;
    }
    store.close();
    Ok(summary)
}

/// The folder with what it holds, made where it is gone.
fn open(
    store: &mut dyn Store,
    listing: &mut crate::mail::Listing,
    folder: &str,
    observer: &dyn Observer,
) -> Result<Option<(MailboxName, FolderScan)>, Error> {
    let fail = |reason: &str| observer.observe(&Event::FolderFailed { folder, reason });
    let placed = FolderName::parse(folder).ok_or_else(|| "it is no folder's name".to_owned());
    let mailbox = match placed.and_then(|name| place(listing, &name)) {
        Ok(TargetFolder::Existing(index)) => listing.mailboxes[index].name.clone(),
        Ok(TargetFolder::New { name, fallbacks, flattened }) => {
            let new = NewFolder { flattened, ..NewFolder::new(name, fallbacks) };
            match store.create(&[new])?.into_iter().next() {
                Some(Ok(name)) => {
                    *listing = store.list()?;
                    observer.observe(&Event::FolderCreated { folder });
                    name
                }
                Some(Err(refusal)) => {
                    fail(&refusal.text);
                    return Ok(None);
                }
                None => return Ok(None),
            }
        }
        Err(reason) => {
            fail(&reason);
            return Ok(None);
        }
    };
    let request =
        ScanRequest { mailbox: &mailbox, depth: ScanDepth::Identity, uids: None, search: None, for_writing: true };
    let mut found = None;
    store.scan(&[request], &mut |_, scan| found = Some(scan))?;
    match found {
        Some(Ok(scan)) => Ok(Some((mailbox, scan))),
        Some(Err(refusal)) => {
            fail(&refusal.text);
            Ok(None)
        }
        None => Ok(None),
    }
}

fn put_back(
    store: &mut dyn Store,
    run: &Path,
    mailbox: &MailboxName,
    scan: &FolderScan,
    messages: &[&KeptMessage],
    summary: &mut UndoSummary,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let mut there: Vec<(HeaderKey, u32)> =
        scan.messages.iter().map(|message| (message.key(), message.size())).collect();
    for (token, message) in (0_u32..).zip(messages) {
        let path = run.join(&message.file);
        let read = || -> io::Result<(File, u64, HeaderKey)> {
            let mut file = File::open(&path)?;
            let size = file.metadata()?.len();
            let mut head = Vec::new();
            io::Read::by_ref(&mut file).take(256 << 10).read_to_end(&mut head)?;
            let end = head.windows(4).position(|four| four == b"\r\n\r\n").map_or(head.len(), |at| at + 4);
            Ok((File::open(&path)?, size, header_key(&head[..end])))
        };
        let (mut file, size, key) =
            read().map_err(|error| Error::new(ErrorKind::Local, format!("cannot read {}: {error}", path.display())))?;
        let same = |(k, s): &(HeaderKey, u32)| *k == key && u64::from(*s) == size;
        if let Some(at) = there.iter().position(same) {
            there.swap_remove(at);
            summary.already_there += 1;
            continue;
        }
        let flags = scan.permanent_flags.split(&Flags::from_names(message.flags.split(' '))).0;
        let date = message.date.as_deref().and_then(InternalDate::parse);
        let body = Body::Stream { size, from: &mut file };
        store.deliver(
            mailbox,
            Delivery { token, flags: &flags, date, body, careful: true, binary: false, batch: token },
        )?;
    }
    for outcome in store.outcomes(true)? {
        for token in outcome.tokens {
            let (Some(message), Some(uid)) =
                (messages.get(token as usize), messages.get(token as usize).and_then(|message| Uid::new(message.uid)))
            else {
                continue;
            };
            match &outcome.result {
                Ok(_) => {
                    summary.restored += 1;
                    let folder = &message.folder;
                    observer.observe(&Event::MessageCopied { to: Side::Target, folder, uid, bytes: 0 });
                }
                Err(refusal) => {
                    summary.failed += 1;
                    let (folder, reason) = (message.folder.as_str(), refusal.text.as_str());
                    observer.observe(&Event::MessageFailed { folder, uid, heading: None, reason });
                }
            }
        }
    }
    Ok(())
}
