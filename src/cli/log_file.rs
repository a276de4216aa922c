//! `--log-file`: the output of stderr and of `-v` in a file, each line with its time.
//!
//! If the log can't be written any more (a full disk), it is given up after one warning: copying
//! matters more.

use mailferry::locks::lock;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

/// An open log; `None` once it was given up.
pub(crate) struct LogFile(Mutex<Option<File>>);

impl LogFile {
    /// Opens a file for appending; a new one is private to the user, since it contains names of
    /// folders and messages.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self(Mutex::new(Some(file))))
    }

    /// Writes a line, which is already harmless. Returns the error if that made it give up.
    pub(crate) fn line(&self, text: &str) -> Option<io::Error> {
        let now = jiff::Timestamp::now().strftime("%FT%TZ");
        let mut held = lock(&self.0);
        let file = held.as_mut()?;
        // In one write, so that two runs sharing a log don't mix lines.
        let error = file.write_all(format!("{now} {text}\n").as_bytes()).err()?;
        *held = None;
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_time_and_are_appended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for text in ["one", "two"] {
            assert!(LogFile::open(&path).unwrap().line(text).is_none());
        }
        let written = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<(&str, &str)> = written
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .collect();
        assert_eq!(
            lines.iter().map(|(_, text)| *text).collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert!(
            lines
                .iter()
                .all(|(time, _)| time.parse::<jiff::Timestamp>().is_ok())
        );
    }

    #[test]
    fn a_failing_log_warns_once() {
        let full = LogFile::open(Path::new("/dev/full")).unwrap();
        assert!(full.line("x").is_some());
        assert!(full.line("x").is_none());
    }
}
