//! Lets only one run write to a mail directory at a time: it numbers messages, and two runs would
//! assign the same numbers.
//!
//! The lock is the operating system's, so it ends with the process that holds it, however that
//! ends.

use super::dir::Dir;
use super::said::stopped;
use crate::store::{Error, ErrorKind};
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};

/// The locked file.
const NAME: &[u8] = b"mailferry-lock";
/// The longest note about a holder that is read.
const MAX_NOTE: u64 = 200;

/// The lock of a mail directory, held until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct TreeLock {
    _file: File,
}

impl TreeLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] with the holder's note, or the file can't be created.
    pub(in crate::store) fn take(dir: &Dir) -> Result<Self, Error> {
        let path = dir.path_of(NAME);
        let failed = |error: io::Error| stopped("lock", &path, &error);
        let mut file = match dir.new_file(NAME) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                dir.file_for_writing(NAME)
            }
            made => made,
        }
        .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let mut note = String::new();
                // An unreadable note doesn't matter: the lock is taken all the same.
                let _ = (&mut file).take(MAX_NOTE).read_to_string(&mut note);
                let holder = if note.is_empty() {
                    "another run"
                } else {
                    note.trim()
                };
                let message = format!("{holder} is writing to {}", dir.path().display());
                return Err(Error::new(ErrorKind::Locked, message)
                    .with_hint("wait for it to finish, then run again"));
            }
        }
        let holder = format!("process {}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_the_first_is() {
        let root = tempfile::tempdir().unwrap();
        let dir = Dir::open(root.path()).unwrap();
        let first = TreeLock::take(&dir).unwrap();
        let error = TreeLock::take(&dir).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Locked);
        assert!(
            error.message.contains(&std::process::id().to_string()),
            "{error}"
        );
        drop(first);
        TreeLock::take(&dir).unwrap();
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("mailferry-lock")).unwrap();
        let error = TreeLock::take(&Dir::open(root.path()).unwrap()).unwrap_err();
        assert!(error.message.contains("symbolic link"), "{error}");
    }
}
