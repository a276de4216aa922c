//! Maildir++ trees on either side of copy and verify, with a real Dovecot on the other: what is
//! backed up is equal to the byte, the flag and the second, and comes back so; whatever is killed,
//! hostile or at work in the tree meanwhile.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod backup;
mod gone;
mod hostile;
mod killed;
mod others;
mod repair;

use super::{Ground, account};
use crate::lab::pair::snapshot;
use crate::lab::servers::{Account, Personality};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The messages of a tree's directories: paths of their files.
fn messages(tree: &Path) -> Vec<PathBuf> {
    in_directories(tree, &["cur", "new"])
}

/// The files in the tree's directories of these names.
fn in_directories(tree: &Path, names: &[&str]) -> Vec<PathBuf> {
    let is_in = |path: &PathBuf| {
        names
            .iter()
            .any(|name| path.parent().unwrap().ends_with(name))
    };
    files(tree).into_keys().filter(is_in).collect()
}

/// Every file of a tree with its size, mtime and mode.
fn files(tree: &Path) -> BTreeMap<PathBuf, (u64, i64, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let mut found = BTreeMap::new();
    let mut open = vec![tree.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let about = std::fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                open.push(path);
            } else {
                found.insert(path, (about.size(), about.mtime(), about.mode()));
            }
        }
    }
    found
}
