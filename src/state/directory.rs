//! The state directory, and the names of its files.

use crate::store::{Error, ErrorKind};
use sha2::{Digest as _, Sha256};
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A directory that only its owner can enter.
#[derive(Clone, Debug)]
pub struct StateDirectory(PathBuf);

impl StateDirectory {
    /// Opens the directory; creates it if missing (mode 0700).
    ///
    /// # Errors
    /// It can't be created, isn't a directory, or others may access it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |reason: String| {
            Error::new(
                ErrorKind::Local,
                format!(
                    "cannot use {} for mailferry's state: {reason}",
                    path.display()
                ),
            )
            .with_hint(
                "use another directory with --state DIR, or run without state with --no-state",
            )
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| failed(error.to_string()))?;
        let about = std::fs::symlink_metadata(path).map_err(|error| failed(error.to_string()))?;
        if !about.is_dir() {
            return Err(failed("it is not a directory".to_owned()));
        }
        if about.permissions().mode() & 0o022 != 0 {
            return Err(failed(format!(
                "it is writable by others (mode {:o}); run `chmod 700` on it",
                about.mode() & 0o777
            )));
        }
        Ok(Self(path.to_owned()))
    }

    /// Returns the path of a pair's file with this ending.
    pub(super) fn file(&self, pair: &PairName, ending: &str) -> PathBuf {
        self.0.join(pair.file_name(ending))
    }
}

/// The name of a pair of mailboxes: always the same for the same two in the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairName(String);

impl PairName {
    /// Returns the name for these two identities.
    pub fn new(first: &str, second: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(first.as_bytes());
        hash.update([0]);
        hash.update(second.as_bytes());
        Self(
            hash.finalize()
                .iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// Returns the name of its file with this ending.
    pub(super) fn file_name(&self, ending: &str) -> String {
        format!("{}.{ending}", self.0)
    }
}

impl std::fmt::Display for PairName {
    /// Writes it as in the names of its files.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_pair_matters_and_names_never_run_together() {
        assert_ne!(PairName::new("a", "b"), PairName::new("b", "a"));
        assert_ne!(PairName::new("ab", "c"), PairName::new("a", "bc"));
        assert_eq!(PairName::new("a", "b").0.len(), 32);
    }

    #[test]
    fn the_directory_is_created_for_its_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x/y");
        StateDirectory::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let root = tempfile::tempdir().unwrap();
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = StateDirectory::open(root.path()).unwrap_err();
        assert!(error.message.contains("777"), "{error}");
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(StateDirectory::open(&file).is_err());
    }
}
