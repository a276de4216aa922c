//! The undo store: before `sync` deletes a message on one side, it saves a copy, which `undo`
//! restores.
//!
//! One directory per run: the messages byte for byte in `cur`, and `index`, with one JSON object
//! per line: folder, flags and INTERNALDATE of each. Invariants: a message and its line are on disk
//! before it is deleted; what has no [`room`] isn't deleted; a message is restored to its folder
//! once, however often `undo` runs.

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

/// A saved message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptMessage {
    /// The identity of the mailbox that it was in.
    pub mailbox: String,
    /// The folder there, decoded.
    pub folder: String,
    /// Its UID there.
    pub uid: u32,
    /// Its flags, separated by spaces.
    pub flags: String,
    /// Its INTERNALDATE; `None` if the server's was invalid.
    pub date: Option<String>,
    /// The file with its bytes, below the run's directory.
    pub file: String,
}

/// The directory of one run, created with the first message.
#[derive(Debug)]
pub(super) struct UndoRun {
    count: u32,
    room: Room,
    path: PathBuf,
}

impl UndoRun {
    /// Returns the directory of a run. `most` is the maximum size of all runs together, in bytes.
    pub(super) fn new(path: PathBuf, most: Option<u64>) -> Self {
        Self {
            count: 0,
            room: Room::of(&path, most),
            path,
        }
    }

    /// Reports whether a message of so many bytes fits; the oldest runs may be removed for it, and
    /// are then in `dropped`.
    pub(super) fn has_room(
        &mut self,
        bytes: u64,
        dropped: &mut Vec<DroppedRun>,
    ) -> Result<bool, Error> {
        self.room
            .take(bytes, dropped)
            .map_err(|error| self.failed(&error))
    }

    /// Creates a file for the next message. Returns it with its name in the index.
    pub(super) fn next_file(&mut self) -> Result<(File, String), Error> {
        let made = self.new_file();
        made.map_err(|error| self.failed(&error))
    }

    /// Creates the next file that isn't there: with `--wait`, one run is made in rounds.
    fn new_file(&mut self) -> io::Result<(File, String)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.path.join("cur"))?;
        loop {
            self.count += 1;
            let name = format!("cur/{}.eml", self.count);
            let mut options = OpenOptions::new();
            let options = options.write(true).create_new(true).mode(0o600);
            match options.open(self.path.join(&name)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                file => return Ok((file?, name)),
            }
        }
    }

    /// Writes lines of the index. They are on disk when this returns, along with the files.
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

/// Returns the messages saved by a run.
///
/// # Errors
/// The directory can't be read, or isn't one of the undo store.
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
        // Only file names made by this program are opened.
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
