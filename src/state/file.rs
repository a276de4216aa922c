//! The file of a state: created and opened for its owner alone, and the errors if it can't be used.

use crate::store::{Error, ErrorKind};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for another program that is reading the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// The advice for any file that can't be used.
pub(super) const WITHOUT: &str =
    "move the file away, or copy without it (--no-state): slower, but never creates duplicates";

/// The path of a state's file. It is displayed as the path that the user knows.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// The file that it is a copy of.
    of: Option<PathBuf>,
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, of: None }
    }

    /// Returns a copy; its errors name the original.
    pub(super) fn copied(path: PathBuf, of: PathBuf) -> Self {
        Self { path, of: Some(of) }
    }

    /// Opens it; creates an empty one if missing.
    pub(super) fn connect(&self) -> Result<Connection, Error> {
        self.make()
            .map_err(|error| self.refused(&error.to_string(), WITHOUT))?;
        self.check()?;
        // SQLite's flag refuses a link anywhere in the path, but a link above the directory is up
        // to the user.
        let path = self
            .resolved()
            .map_err(|error| self.refused(&error.to_string(), WITHOUT))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|error| self.failed(&error))?;
        connection
            .busy_timeout(PATIENCE)
            .map_err(|error| self.failed(&error))?;
        Ok(connection)
    }

    fn make(&self) -> io::Result<()> {
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
        {
            // The directory entry must last as long as the intents in the file; SQLite takes care
            // of its other files.
            Ok(_) => self
                .directory()
                .map_or(Ok(()), |directory| File::open(directory)?.sync_all()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let about = std::fs::symlink_metadata(&self.path)
            .map_err(|error| self.refused(&error.to_string(), WITHOUT))?;
        if !about.file_type().is_file() {
            return Err(self.refused("it is not a regular file", WITHOUT));
        }
        if about.uid() != rustix::process::geteuid().as_raw() {
            let reason = format!("it belongs to another user (UID {})", about.uid());
            return Err(self.refused(&reason, WITHOUT));
        }
        if about.mode() & 0o077 != 0 {
            let reason = format!("it is readable by others (mode {:o})", about.mode() & 0o777);
            return Err(self.refused(
                &reason,
                "run `chmod 600` on it, if nobody else can have written to it",
            ));
        }
        Ok(())
    }

    fn directory(&self) -> Option<&Path> {
        self.path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
    }

    fn resolved(&self) -> io::Result<PathBuf> {
        let directory = self.directory().unwrap_or(Path::new(".")).canonicalize()?;
        Ok(self
            .path
            .file_name()
            .map_or_else(|| directory.clone(), |name| directory.join(name)))
    }

    /// Returns the error for a file that can't be used.
    pub(super) fn refused(&self, reason: &str, hint: &str) -> Error {
        Error::new(
            ErrorKind::Local,
            format!("cannot use the state {self}: {reason}"),
        )
        .with_hint(hint)
    }

    /// Returns the error for content that was never written like this.
    pub(super) fn damaged(&self, what: &str) -> Error {
        self.refused(&format!("it is damaged ({what})"), WITHOUT)
    }

    /// Returns the error for a failed request to SQLite.
    pub(super) fn failed(&self, error: &rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                self.damaged(&error.to_string())
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => self.refused(
                "another program has it open",
                "close that program, or copy without the state (--no-state)",
            ),
            Some(ErrorCode::DiskFull) => self.refused(
                "the disk is full",
                "free some space on that disk, or keep the state elsewhere with --state DIR",
            ),
            Some(_) => self.refused(&error.to_string(), WITHOUT),
            // Not SQLite's own error: a value doesn't have the type of its column.
            None => self.damaged(&error.to_string()),
        }
    }
}

impl fmt::Display for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.as_ref().unwrap_or(&self.path).display().fmt(f)
    }
}
