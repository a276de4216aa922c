//! Mail in directories, and what can happen to a directory.

use super::run::copy;
use super::servers::Account;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

/// Where the folder Work and those below it may be.
const PLACES: [&str; 3] = ["Work", "Work.sbd", ".Work"];

/// A tree on the disk with the mail of an account.
pub struct Tree {
    root: tempfile::TempDir,
    kind: &'static str,
}

impl Tree {
    /// A tree with what the account holds.
    pub fn of(kind: &'static str, account: &Account) -> Self {
        let tree = Self { root: tempfile::tempdir().unwrap(), kind };
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

    /// Moves something out of the tree.
    fn take_away(&self, name: &str) -> PathBuf {
        let away = self.root.path().join("away");
        std::fs::rename(self.path(name), &away).unwrap();
        away
    }

    /// Keeps a copy of the folder Work and of what is below it, with which [`Self::mend`] ends any damage.
    pub fn save(&self) {
        std::fs::create_dir_all(self.saved()).unwrap();
        for name in PLACES {
            let place = self.path(name);
            if place.exists() {
                assert!(Command::new("cp").arg("-a").arg(&place).arg(self.saved()).status().unwrap().success());
            }
        }
    }

    /// Puts the copy in the place of what is there now.
    pub fn mend(&self) {
        for name in PLACES {
            let (place, saved) = (self.path(name), self.saved().join(name));
            if saved.exists() {
                assert!(Command::new("rm").arg("-rf").arg(&place).status().unwrap().success());
                std::fs::rename(saved, place).unwrap();
            }
        }
    }

    fn saved(&self) -> PathBuf {
        self.root.path().join("saved")
    }

    fn pipe(&self, name: &str) {
        assert!(Command::new("mkfifo").arg(self.path(name)).status().unwrap().success());
    }
}

/// What is done to a tree's folder Work, which has Work/Sub below it, and how that is named.
pub type Damage = (&'static str, &'static str, fn(&Tree));

/// All kinds of damage.
pub const DAMAGES: [Damage; 14] = [
    ("mbox", "a link to the folder's file", |tree| symlink(tree.take_away("Work"), tree.path("Work")).unwrap()),
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
        std::fs::write(tree.path("Work"), [b"\0\0\0", &bytes[3..]].concat()).unwrap();
    }),
    ("mbox", "a link to the directory below", |tree| {
        symlink(tree.take_away("Work.sbd"), tree.path("Work.sbd")).unwrap();
    }),
    ("mbox", "a pipe for the directory below", |tree| {
        tree.take_away("Work.sbd");
        tree.pipe("Work.sbd");
    }),
    ("maildir", "a link to the folder", |tree| symlink(tree.take_away(".Work"), tree.path(".Work")).unwrap()),
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
        for inner in ["cur", "new"] {
            std::fs::remove_dir_all(tree.path(".Work").join(inner)).unwrap();
        }
    }),
    ("maildir", "no cur", |tree| std::fs::remove_dir_all(tree.path(".Work/cur")).unwrap()),
    ("maildir", "a link for cur", |tree| symlink(tree.take_away(".Work/cur"), tree.path(".Work/cur")).unwrap()),
];
