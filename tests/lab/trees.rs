//! Mail in directories, and what can happen to a directory.

use super::run::copy;
use super::servers::Account;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Where the folder Work and those below it may be.
const PLACES: [&str; 3] = ["Work", "Work.sbd", ".Work"];

/// A tree on the disk with the mail of an account.
pub struct Tree {
    root: tempfile::TempDir,
    kind: &'static str,
    /// The places that were damaged.
    damaged: Mutex<Vec<&'static str>>,
}

impl Tree {
    /// A tree with what the account holds.
    pub fn of(kind: &'static str, account: &Account) -> Self {
        let tree = Self {
            root: tempfile::tempdir().unwrap(),
            kind,
            damaged: Mutex::default(),
        };
        copy(account, &tree.address(), &[]).ended(0);
        tree
    }

    /// A place in the tree.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("tree").join(name)
    }

    /// Its address as mailferry takes it.
    pub fn address(&self) -> String {
        format!("{}:{}", self.kind, self.path("").display())
    }

    /// A place for the state of runs with it.
    pub fn state(&self) -> String {
        self.root.path().join("state").display().to_string()
    }

    /// A place that is about to be damaged.
    fn damage(&self, name: &'static str) -> PathBuf {
        self.damaged.lock().unwrap().push(name);
        self.path(name)
    }

    /// Moves something out of the tree.
    fn take_away(&self, name: &'static str) -> PathBuf {
        let away = self.root.path().join("away");
        std::fs::rename(self.damage(name), &away).unwrap();
        away
    }

    /// Removes a directory and what is in it.
    fn remove(&self, name: &'static str) {
        std::fs::remove_dir_all(self.damage(name)).unwrap();
    }

    /// Keeps a copy of the folder Work and of what is below it, with which [`Self::mend`] ends any
    /// damage.
    pub fn save(&self) {
        std::fs::create_dir_all(self.saved()).unwrap();
        for name in PLACES.iter().filter(|name| self.path(name).exists()) {
            copy_all(&self.path(name), &self.saved());
        }
    }

    /// Ends the damage. What was delivered meanwhile stays.
    pub fn mend(&self) {
        for name in self.damaged.lock().unwrap().drain(..) {
            let (place, saved) = (self.path(name), self.saved().join(name));
            let is = |kind: fn(&std::fs::FileType) -> bool| {
                let file_type = place.symlink_metadata().map(|data| data.file_type());
                file_type.is_ok_and(|file_type| kind(&file_type))
            };
            if saved.is_dir() && is(std::fs::FileType::is_dir) {
                copy_all(&saved.join("."), &place);
            } else if saved.is_file() && is(std::fs::FileType::is_file) {
                let (mut bytes, now) = (
                    std::fs::read(saved).unwrap(),
                    std::fs::read(&place).unwrap(),
                );
                bytes.extend_from_slice(now.get(bytes.len()..).unwrap_or_default());
                std::fs::write(place, bytes).unwrap();
            } else {
                assert!(
                    Command::new("rm")
                        .arg("-rf")
                        .arg(&place)
                        .status()
                        .unwrap()
                        .success()
                );
                copy_all(&saved, &place);
            }
        }
    }

    fn saved(&self) -> PathBuf {
        self.root.path().join("saved")
    }

    fn pipe(&self, name: &str) {
        assert!(
            Command::new("mkfifo")
                .arg(self.path(name))
                .status()
                .unwrap()
                .success()
        );
    }
}

/// Copies a file or a directory with all that is in it.
fn copy_all(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(to)
            .status()
            .unwrap()
            .success()
    );
}

/// What is done to a tree's folder Work, which has Work/Sub below it, and how that is named.
pub type Damage = (&'static str, &'static str, fn(&Tree));

/// All kinds of damage.
pub const DAMAGES: [Damage; 14] = [
    ("mbox", "a link to the folder's file", |tree| {
        symlink(tree.take_away("Work"), tree.path("Work")).unwrap();
    }),
    ("mbox", "a link to nothing", |tree| {
        tree.take_away("Work");
        symlink("/nonexistent/x", tree.path("Work")).unwrap();
    }),
    ("mbox", "a pipe", |tree| {
        tree.take_away("Work");
        tree.pipe("Work");
    }),
    ("mbox", "a directory", |tree| {
        tree.take_away("Work");
        std::fs::create_dir(tree.path("Work")).unwrap();
    }),
    ("mbox", "a damaged head", |tree| {
        let bytes = std::fs::read(tree.path("Work")).unwrap();
        std::fs::write(tree.damage("Work"), [b"\0\0\0", &bytes[3..]].concat()).unwrap();
    }),
    ("mbox", "a link to the directory below", |tree| {
        symlink(tree.take_away("Work.sbd"), tree.path("Work.sbd")).unwrap();
    }),
    ("mbox", "a pipe for the directory below", |tree| {
        tree.take_away("Work.sbd");
        tree.pipe("Work.sbd");
    }),
    ("maildir", "a link to the folder", |tree| {
        symlink(tree.take_away(".Work"), tree.path(".Work")).unwrap();
    }),
    ("maildir", "a link to nothing", |tree| {
        tree.take_away(".Work");
        symlink("/nonexistent/x", tree.path(".Work")).unwrap();
    }),
    ("maildir", "a pipe", |tree| {
        tree.take_away(".Work");
        tree.pipe(".Work");
    }),
    ("maildir", "a file", |tree| {
        tree.take_away(".Work");
        std::fs::write(tree.path(".Work"), "x").unwrap();
    }),
    ("maildir", "no cur and no new", |tree| {
        for inner in [".Work/cur", ".Work/new"] {
            tree.remove(inner);
        }
    }),
    ("maildir", "no cur", |tree| tree.remove(".Work/cur")),
    ("maildir", "a link for cur", |tree| {
        symlink(tree.take_away(".Work/cur"), tree.path(".Work/cur")).unwrap();
    }),
];
