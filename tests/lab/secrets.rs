//! Where secrets come from in tests, and that none is shown.

use super::run::Run;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Neither a secret nor its base64, at whatever offset, was shown.
#[track_caller]
pub fn assert_hidden(run: &Run, secret: &str) {
    let shown = format!("{}{}", run.stdout, run.stderr);
    for (padding, skip) in [("", 0), ("x", 2), ("xx", 3)] {
        let all = STANDARD.encode(format!("{padding}{secret}"));
        let core = &all[skip..all.trim_end_matches('=').len() - 1];
        assert!(!shown.contains(core), "{core} is {secret} in base64: {shown}");
    }
    assert!(!shown.contains(secret), "{secret} is shown: {shown}");
}

/// A file of the user's alone in a directory of its own.
pub fn private_file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (directory, path)
}

/// A command that prints these lines, one at each call, and the last one ever after.
pub fn one_by_one(directory: &Path, lines: &[&str]) -> String {
    let path = directory.join("lines");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let path = path.display();
    format!("head -n 1 {path}; if [ $(wc -l < {path}) -gt 1 ]; then sed -i 1d {path}; fi")
}
