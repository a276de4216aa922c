//! A state that is only read, for a dry run: a copy in a directory of its own, so nothing is
//! written beside the original, not even the files that SQLite needs for reading.

use super::file::StateFile;
use super::{Mailboxes, PairLock, PairName, State, StateDirectory};
use crate::store::{Error, ErrorKind};
use std::fs::File;
use std::io;
use std::path::Path;

/// A copy of a state, deleted when dropped.
#[derive(Debug)]
pub struct StateCopy {
    /// The state when it was copied.
    pub state: State,
    // Declared after the state, so that its files are closed before they are deleted.
    _lock: PairLock,
    _directory: tempfile::TempDir,
}

impl StateCopy {
    /// Copies the state of a pair from the directory `from`; `None` if there is none.
    ///
    /// # Errors
    /// Another run is using it, it can't be read, or as [`State::open`].
    pub fn make(
        from: &Path,
        pair: &PairName,
        mailboxes: &Mailboxes<'_>,
    ) -> Result<Option<Self>, Error> {
        let name = |ending| from.join(pair.file_name(ending));
        let failed = |error: io::Error| {
            let text = format!("cannot copy the state {}: {error}", name("db").display());
            Error::new(ErrorKind::Local, text)
        };
        if !name("db").try_exists().map_err(failed)? {
            return Ok(None);
        }
        // Held while the files are copied, so no run writes to them.
        let lock = File::open(name("lock")).ok();
        if lock
            .as_ref()
            .is_some_and(|file| file.try_lock_shared().is_err())
        {
            return Err(Error::new(
                ErrorKind::Locked,
                "another run is using these mailboxes",
            ));
        }
        let directory = tempfile::tempdir().map_err(failed)?;
        for ending in ["db", "db-wal"] {
            match std::fs::copy(name(ending), directory.path().join(pair.file_name(ending))) {
                Err(error) if ending == "db-wal" && error.kind() == io::ErrorKind::NotFound => {}
                copied => drop(copied.map_err(failed)?),
            }
        }
        drop(lock);
        let place = StateDirectory::open(directory.path())?;
        let lock = PairLock::take(&place, pair, "a dry run")?;
        let file = StateFile::copied(place.file(pair, "db"), name("db"));
        let state = State::open_file(file, &lock, mailboxes)?;
        Ok(Some(Self {
            state,
            _lock: lock,
            _directory: directory,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::FolderStart;
    use std::collections::BTreeMap;

    const MAILBOXES: Mailboxes<'static> = Mailboxes {
        source: "a",
        target: "b",
    };

    fn files(of: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
        let entry = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name(), std::fs::read(entry.path()).unwrap())
        };
        std::fs::read_dir(of).unwrap().map(entry).collect()
    }

    #[test]
    fn a_state_is_read_without_a_trace() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state");
        let pair = PairName::new("a", "b");
        assert!(StateCopy::make(&path, &pair, &MAILBOXES).unwrap().is_none());
        assert!(!path.exists(), "nothing is made for a dry run");
        let directory = StateDirectory::open(&path).unwrap();
        let lock = PairLock::take(&directory, &pair, "a run").unwrap();
        let state = State::open(&directory, &pair, &lock, &MAILBOXES).unwrap();
        let name = "INBOX".into();
        let start = FolderStart {
            source: &name,
            target: &name,
            source_uid_validity: None,
            target_uid_validity: None,
            target_uid_next: None,
            source_mailbox_id: None,
            target_mailbox_id: None,
        };
        state.begin(&start).unwrap();
        let busy = StateCopy::make(&path, &pair, &MAILBOXES).unwrap_err();
        assert_eq!(busy.kind, ErrorKind::Locked);
        drop((state, lock));
        let before = files(&path);
        let copy = StateCopy::make(&path, &pair, &MAILBOXES).unwrap().unwrap();
        assert_eq!(copy.state.folders().unwrap().len(), 1);
        copy.state
            .forget(copy.state.folders().unwrap()[0].id)
            .unwrap();
        drop(copy);
        assert!(files(&path) == before, "the state was touched");
    }
}
