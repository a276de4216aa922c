//! The undo store: what `sync` deletes on a side because the other did is kept first, and `undo`
//! puts it back.
//!
//! One directory for each run: the messages byte for byte in `cur`, and `index`, a JSON object a
//! line that says of each where it was, with which flags and which INTERNALDATE. What it keeps
//! true: a message is on the disk, and so is its line, before it is deleted; what has no [`room`]
//! is not deleted; what is put back goes into the folder where it was, once, however often it is
//! asked for.

mod restore;
mod room;

pub use restore::{Restoring, UndoSummary, kept_headings, undo};
pub(super) use room::DroppedRun;

use crate::store::{Error, ErrorKind};
use room::Room;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
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
        Self {
            count: 0,
            room: Room::of(&path, most),
            path,
        }
    }

    /// Whether a message of so many bytes has room; the oldest runs make way for it, and stand in
    /// `dropped` then.
    pub(super) fn has_room(
        &mut self,
        bytes: u64,
        dropped: &mut Vec<DroppedRun>,
    ) -> Result<bool, Error> {
        self.room
            .take(bytes, dropped)
            .map_err(|error| self.failed(&error))
    }

    /// A file for the next message, and its name in the index.
    pub(super) fn next_file(&mut self) -> Result<(File, String), Error> {
        let made = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(self.path.join("cur"))?;
            let name = format!("cur/{}.eml", self.count + 1);
            let mut options = OpenOptions::new();
            Ok((
                options
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(self.path.join(&name))?,
                name,
            ))
        };
        let made = made().map_err(|error| self.failed(&error))?;
        self.count += 1;
        Ok(made)
    }

    /// Writes lines of the index. On the disk when it returns, with the files.
    pub(super) fn note(&self, messages: &[KeptMessage]) -> Result<(), Error> {
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let mut index = options
                .append(true)
                .create(true)
                .mode(0o600)
                .open(self.path.join("index"))?;
            let mut lines = String::new();
            for message in messages {
                lines.push_str(&serde_json::to_string(message)?);
                lines.push('\n');
            }
            index.write_all(lines.as_bytes())?;
            index.sync_all()?;
            for directory in [self.path.join("cur"), self.path.clone()]
                .iter()
                .map(PathBuf::as_path)
            {
                File::open(directory)?.sync_all()?;
            }
            self.path
                .parent()
                .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        if messages.is_empty() {
            Ok(())
        } else {
            write().map_err(|error| self.failed(&error))
        }
    }

    pub(super) fn failed(&self, error: &io::Error) -> Error {
        Error::new(ErrorKind::Local, format!("cannot keep messages in {}: {error}", self.path.display()))
            .with_hint("free some space, or disable undo with --keep-deleted 0; what could not be kept is not deleted")
    }
}

/// What a run has kept.
///
/// # Errors
/// The directory can't be read, or is none of the undo store's.
pub fn kept_messages(run: &Path) -> Result<Vec<KeptMessage>, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::Local,
            format!(
                "cannot read the undo store's run {}: {error}",
                run.display()
            ),
        )
        .with_hint("list the runs with `mailferry undo --list FIRST SECOND`")
    };
    let index = File::open(run.join("index")).map_err(|error| failed(&error))?;
    let mut messages: Vec<KeptMessage> = Vec::new();
    for line in BufReader::new(index).lines() {
        let line = line.map_err(|error| failed(&error))?;
        let message: KeptMessage = serde_json::from_str(&line).map_err(|error| failed(&error))?;
        // Only what this program has named is opened.
        let number = message
            .file
            .strip_prefix("cur/")
            .and_then(|name| name.strip_suffix(".eml"));
        if !number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(failed(&"it names a file that is not its own"));
        }
        messages.push(message);
    }
    Ok(messages)
}
