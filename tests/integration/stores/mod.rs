//! Mail in directories.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

mod maildir;
mod mbox;

use crate::lab::servers::{Account, Dovecot, Personality};
use std::path::PathBuf;

/// A directory for a tree and a state.
struct Ground {
    root: tempfile::TempDir,
    /// `maildir` or `mbox`.
    kind: &'static str,
}

impl Ground {
    fn new(kind: &'static str) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            kind,
        }
    }

    fn tree(&self) -> PathBuf {
        self.root.path().join("backup/ann")
    }

    fn address(&self) -> String {
        format!("{}:{}", self.kind, self.tree().display())
    }

    fn state(&self) -> String {
        self.root.path().join("state").display().to_string()
    }
}

fn account(name: &str) -> Account {
    Dovecot::shared().account(name, Personality::Plain)
}
