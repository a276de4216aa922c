//! Where secrets come from in tests, and that none is shown.

use super::run::Run;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A secret as it may stand in a text: as itself, and in base64 at each of the three offsets, without the characters at
/// the ends, which depend on what stands beside it.
pub fn forms(secret: &str) -> [String; 4] {
    let encoded = |padding: &str, skip: usize| {
        let all = STANDARD.encode(format!("{padding}{secret}"));
        all[skip..all.trim_end_matches('=').len() - 1].to_owned()
    };
    [secret.to_owned(), encoded("", 0), encoded("x", 2), encoded("xx", 3)]
}

/// Whether a text has a secret in it, in one form or another.
pub fn is_in(text: &[u8], secret: &str) -> bool {
    forms(secret).iter().any(|form| text.windows(form.len()).any(|window| window == form.as_bytes()))
}

/// Neither a secret nor its base64, at whatever offset, was shown.
#[track_caller]
pub fn assert_hidden(run: &Run, secret: &str) {
    let shown = format!("{}{}", run.stdout, run.stderr);
    assert!(!is_in(shown.as_bytes(), secret), "{secret} is shown: {shown}");
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
