//! `--report` of real runs: the page in a real browser, the JSON compared with its schema and the
//! run's events.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod facts;
mod page;

use crate::lab::client::NewMessage;
use crate::lab::run::Run;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A directory for reports.
struct Reports(tempfile::TempDir);

impl Reports {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A run with a report as JSON, as the run's options name it.
    #[track_caller]
    fn of(&self, run: impl FnOnce(&[&str]) -> Run) -> (Run, Value) {
        let path = self.path("report.json");
        drop(std::fs::remove_file(&path));
        let run = run(&["--report", path.to_str().unwrap()]);
        let report = read(&path);
        assert_eq!(
            report["exit_code"].as_i64(),
            run.code.map(i64::from),
            "{run:?}"
        );
        (run, report)
    }
}

#[track_caller]
fn read(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A message with this subject.
fn with_subject(number: usize, subject: &str, body: &str) -> NewMessage {
    NewMessage {
        flags: Vec::new(),
        date: Some(format!("03-Mar-{} 10:20:30 +0000", 2015 + number % 9)),
        bytes: format!(
            "Message-ID: <{number}@report.example>\r\nSubject: {subject}\r\n\r\n{body}\r\n"
        )
        .into_bytes(),
    }
}
