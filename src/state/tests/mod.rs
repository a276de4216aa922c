//! The state as its users see it: what goes in comes out, also after a crash, and no wrong file is
//! taken for a right one.

mod crash;
mod files;
mod folders;
mod pairs;
mod two_way;

use super::*;
use crate::mail::{Flags, MailboxName, ModSeq, Uid, UidNext, UidSet, UidValidity};
use std::path::{Path, PathBuf};

/// A directory with one pair of mailboxes.
struct Place {
    root: tempfile::TempDir,
    directory: StateDirectory,
    pair: PairName,
}

const MAILBOXES: Mailboxes<'static> = Mailboxes {
    source: "alice@one.example",
    target: "alice@two.example",
};

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(&root.path().join("state")).unwrap();
        Self {
            root,
            directory,
            pair: PairName::new(MAILBOXES.source, MAILBOXES.target),
        }
    }

    fn lock(&self) -> PairLock {
        PairLock::take(&self.directory, &self.pair, "a test").unwrap()
    }

    fn open_for(&self, mailboxes: &Mailboxes<'_>) -> Result<State, Error> {
        State::open(&self.directory, &self.pair, &self.lock(), mailboxes)
    }

    fn open(&self) -> State {
        self.open_for(&MAILBOXES).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.directory.file(&self.pair, "db")
    }

    /// Returns a copy of all files, as a process killed now would leave them.
    fn killed(&self) -> Self {
        let copy = Self::new();
        for entry in std::fs::read_dir(self.root.path().join("state")).unwrap() {
            let from = entry.unwrap().path();
            std::fs::copy(
                &from,
                copy.root
                    .path()
                    .join("state")
                    .join(from.file_name().unwrap()),
            )
            .unwrap();
        }
        copy
    }

    /// Does this to the file behind the program's back.
    fn tamper(&self, sql: &str) {
        Connection::open(self.path())
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    /// Returns why the file is refused; checks that it is unchanged afterwards.
    fn refusal(&self) -> Error {
        let before = std::fs::read(self.path()).unwrap();
        let error = self.open_for(&MAILBOXES).unwrap_err();
        assert!(
            std::fs::read(self.path()).unwrap() == before,
            "the file was changed: {error}"
        );
        assert_eq!(error.kind, ErrorKind::Local);
        assert!(
            error.message.contains(&self.path().display().to_string()),
            "{error}"
        );
        assert!(error.hint.is_some(), "{error}");
        error
    }
}

fn exists(path: &Path, ending: &str) -> bool {
    path.with_extension(ending).exists()
}

fn uid(value: u32) -> Uid {
    Uid::new(value).unwrap()
}

fn pair(source: u32, target: u32, flags: &[&str]) -> PairRecord {
    PairRecord {
        source: uid(source),
        target: uid(target),
        flags: Flags::from_names(flags.iter().copied()),
    }
}

/// A folder of this name on both sides with these UIDVALIDITYs, whose target's UIDNEXT is 500.
struct Folder {
    name: MailboxName,
    validity: (Option<u32>, Option<u32>),
    uid_next: Option<UidNext>,
}

impl Folder {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            validity: (Some(10), Some(20)),
            uid_next: UidNext::new(500),
        }
    }

    fn start(&self) -> FolderStart<'_> {
        FolderStart {
            source: &self.name,
            target: &self.name,
            source_uid_validity: self.validity.0.map(UidValidity),
            target_uid_validity: self.validity.1.map(UidValidity),
            target_uid_next: self.uid_next,
            source_mailbox_id: None,
            target_mailbox_id: None,
        }
    }
}

/// Returns the checkpoint of a folder of [`Folder::new`].
fn in_step(id: FolderId, target_uid_next: u32) -> FolderInStep {
    let side = |uid_validity, uid_next, mod_seq| Checkpoint {
        uid_validity: UidValidity(uid_validity),
        uid_next: UidNext::new(uid_next).unwrap(),
        messages: 3,
        mod_seq,
    };
    FolderInStep {
        id,
        source: side(10, 44, Some(ModSeq(u64::MAX))),
        target: side(20, target_uid_next, None),
    }
}

fn only(state: &State) -> FolderRecord {
    let mut folders = state.folders().unwrap();
    assert_eq!(folders.len(), 1);
    folders.remove(0)
}
