//! Only one run per pair of mailboxes at a time: two at once could send the same messages.
//!
//! The lock is the operating system's, so it ends with its process, however that ends.

use super::{PairName, StateDirectory};
use crate::store::{Error, ErrorKind};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The maximum length of a note about the holder, in bytes.
const MAX_NOTE: u64 = 200;

/// The lock of a pair, held until it is dropped.
#[derive(Debug)]
pub struct PairLock {
    path: PathBuf,
    file: File,
    follows_a_death: bool,
}

impl PairLock {
    /// Takes the lock. `holder` tells other runs who has it, in one line, such as a process and a
    /// time.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] with the holder's note, or the file can't be created.
    pub fn take(directory: &StateDirectory, pair: &PairName, holder: &str) -> Result<Self, Error> {
        let path = directory.file(pair, "lock");
        let failed = |error: io::Error| refused(&path, &error);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => return Err(taken(&mut file)),
        }
        // A holder removes its note when it ends normally. The note of one that died is replaced.
        let follows_a_death = file.metadata().map_err(failed)?.len() > 0;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(failed)?;
        Ok(Self {
            path,
            file,
            follows_a_death,
        })
    }

    /// Reports whether its last holder was killed, or died otherwise, before it was done.
    pub(super) fn follows_a_death(&self) -> bool {
        self.follows_a_death
    }

    /// Reports whether it is the lock of this pair in this directory.
    pub(super) fn holds(&self, directory: &StateDirectory, pair: &PairName) -> bool {
        self.path == directory.file(pair, "lock")
    }
}

impl Drop for PairLock {
    fn drop(&mut self) {
        // A note that remains only makes the next run wait for a moment.
        self.file.set_len(0).ok();
    }
}

fn refused(path: &Path, error: &io::Error) -> Error {
    let is_full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let hint = if is_full {
        "free some space on that disk, or keep the state elsewhere with --state DIR"
    } else {
        "check the permissions of that directory, or use another one with --state DIR"
    };
    Error::new(
        ErrorKind::Local,
        format!("cannot lock {}: {error}", path.display()),
    )
    .with_hint(hint)
}

fn taken(file: &mut File) -> Error {
    let mut note = Vec::new();
    let holder = match file.take(MAX_NOTE).read_to_end(&mut note) {
        Ok(count) if count > 0 => String::from_utf8_lossy(&note).into_owned(),
        _ => "another process".to_owned(),
    };
    Error::new(
        ErrorKind::Locked,
        format!("another run ({holder}) is using these mailboxes"),
    )
    .with_hint("wait for it to finish; a stale lock is cleared automatically")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_locked_once_and_free_again_afterwards() {
        let root = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(&root.path().join("state")).unwrap();
        let pair = PairName::new("a", "b");
        let lock = PairLock::take(&directory, &pair, "process 42").unwrap();
        let error = PairLock::take(&directory, &pair, "process 43").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Locked);
        assert!(error.message.contains("process 42"), "{error}");
        PairLock::take(&directory, &PairName::new("b", "a"), "process 43").unwrap();
        drop(lock);
        let lock = PairLock::take(&directory, &pair, "process 44").unwrap();
        assert!(!lock.follows_a_death());
    }

    #[test]
    fn a_lock_that_cannot_be_taken_has_a_hint() {
        let hint = |error: rustix::io::Errno| refused(Path::new("/x"), &error.into()).hint.unwrap();
        assert!(hint(rustix::io::Errno::NOSPC).contains("free some space"));
        assert!(hint(rustix::io::Errno::DQUOT).contains("free some space"));
        assert!(hint(rustix::io::Errno::ACCESS).contains("permissions of that directory"));
    }

    #[test]
    fn a_lock_reports_whether_its_last_holder_died() {
        let root = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(&root.path().join("state")).unwrap();
        let pair = PairName::new("a", "b");
        let lock = PairLock::take(&directory, &pair, "process 42").unwrap();
        assert!(!lock.follows_a_death());
        // This is what a killed process leaves.
        std::fs::copy(directory.file(&pair, "lock"), root.path().join("note")).unwrap();
        drop(lock);
        std::fs::copy(root.path().join("note"), directory.file(&pair, "lock")).unwrap();
        assert!(
            PairLock::take(&directory, &pair, "process 43")
                .unwrap()
                .follows_a_death()
        );
        assert!(
            !PairLock::take(&directory, &pair, "process 44")
                .unwrap()
                .follows_a_death()
        );
    }
}
