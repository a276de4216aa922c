//! `--report`: what a run did or would do, as an HTML page or as JSON, written at the end, whatever
//! the outcome.
//!
//! [`collector`] collects a run's events, [`Report`] adds its end, and [`facts`] holds both: JSON
//! is serialized from it, and the page ([`page`]) made of it. The file is replaced as a whole, and
//! private to its owner, as it contains subjects and names.

mod collector;
mod facts;
mod page;
mod throughput;

use collector::Collector;
use mailferry::locks::lock;
use mailferry::mail::Side;

use super::chosen::Choice;
use super::exit;
use super::failure::Failure;
use super::harmless;
use facts::Facts;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailferry::address::Address;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tempfile::NamedTempFile;

/// The version of the JSON.
const FORM: u32 = 1;

/// The file and format of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    path: PathBuf,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Page,
    Json,
}

impl Destination {
    /// Parses the option's value.
    ///
    /// # Errors
    /// The name has neither ending.
    pub(crate) fn new(path: PathBuf) -> Result<Self, String> {
        let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        let form = match extension.as_ref().and_then(|extension| extension.to_str()) {
            Some("html" | "htm") => Form::Page,
            Some("json") => Form::Json,
            _ => return Err("a report is either FILE.html or FILE.json".to_owned()),
        };
        Ok(Self { path, form })
    }
}

/// The run that a report is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// The command's name.
    pub(crate) command: &'static str,
    /// Whether it is a dry run.
    pub(crate) dry_run: bool,
    /// Whether it deletes on the source (`--move`).
    pub(crate) empties_source: bool,
}

/// The report of a run in progress.
pub(crate) struct Report {
    destination: Destination,
    about: About,
    started: (Timestamp, Instant),
    collector: Arc<Collector>,
    error: Mutex<Option<Failure>>,
    options: Mutex<Choice>,
}

impl Report {
    /// Starts a report.
    ///
    /// # Errors
    /// The file can't be written, which is better reported now than after the run.
    pub(crate) fn begin(destination: &Destination, about: About) -> Result<Self, Failure> {
        let path = &destination.path;
        let cannot = |why: String| {
            Failure::local(format!(
                "could not write the report {}: {why}",
                path.display()
            ))
        };
        if path.is_dir() {
            return Err(cannot("it is a directory".to_owned()));
        }
        // Deleted again: a killed run would leave it.
        temporary(path)
            .and_then(|mut file| file.write_all(b" "))
            .map_err(|error| cannot(error.to_string()))?;
        let names = if about.command == "sync" {
            ["first", "second"]
        } else {
            ["source", "target"]
        };
        Ok(Self {
            destination: destination.clone(),
            about,
            started: (Timestamp::now(), Instant::now()),
            collector: Arc::new(Collector::new(names, about.empties_source)),
            error: Mutex::default(),
            options: Mutex::default(),
        })
    }

    /// Returns the observer that collects events.
    pub(crate) fn collector(&self) -> Arc<Collector> {
        Arc::clone(&self.collector)
    }

    /// Adds a side's address.
    pub(crate) fn note_address(&self, side: Side, address: &Address) {
        self.collector.collected().sides[side].address = Some(address.to_string());
    }

    /// Adds the options.
    pub(crate) fn note_options(&self, options: &Choice) {
        lock(&self.options).clone_from(options);
    }

    /// Adds the error that ends the run early.
    pub(crate) fn note_failure(&self, failure: &Failure) {
        lock(&self.error).get_or_insert_with(|| failure.clone());
    }

    /// Writes the report.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn write(&self, summary: Option<&Value>, code: u8) -> Result<(), Failure> {
        let facts = self.facts(summary, code);
        let path = &self.destination.path;
        let cannot = |why: String| {
            Failure::local(format!(
                "could not write the report {}: {why}",
                path.display()
            ))
        };
        let text = match self.destination.form {
            Form::Page => page::render(&facts).map_err(|error| cannot(error.to_string()))?,
            Form::Json => json(&facts).map_err(|error| cannot(error.to_string()))?,
        };
        replace(path, &text).map_err(|error| cannot(error.to_string()))
    }

    fn facts(&self, summary: Option<&Value>, code: u8) -> Facts {
        let error = lock(&self.error).take();
        let status = match (summary, &error) {
            (Some(summary), _) => summary["status"].as_str().unwrap_or_default(),
            (
                None,
                Some(Failure {
                    kind: "interrupted",
                    ..
                }),
            ) => "interrupted",
            (None, _) => "stopped",
        };
        let mut collected = self.collector.collected();
        let take = &mut *collected;
        Facts {
            report: FORM,
            version: env!("CARGO_PKG_VERSION"),
            command: self.about.command,
            dry_run: self.about.dry_run,
            started: format!(
                "{:.0}",
                self.started
                    .0
                    .display_with_offset(TimeZone::system().to_offset(self.started.0))
            ),
            seconds: (self.started.1.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            status: status.to_owned(),
            exit_code: code,
            exit_reason: exit::meaning(code, self.about.command),
            error,
            sides: vec![take.sides.first.clone(), take.sides.second.clone()],
            options: lock(&self.options).clone(),
            summary: summary.map(without_event),
            told: std::mem::take(&mut take.told),
            throughput: take.throughput(),
        }
    }
}

/// Returns the summary's own fields: in a report it isn't an event.
fn without_event(summary: &Value) -> Value {
    let mut summary = summary.clone();
    if let Value::Object(fields) = &mut summary {
        fields.remove("event");
    }
    summary
}

/// Returns indented JSON that is harmless on a terminal, using `\u` escapes.
fn json(facts: &Facts) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(facts)?;
    let mut shown = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // Outside of strings, the only harmful characters are line ends; inside, there are no line
        // ends.
        if c != '\n' && harmless::is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String can't fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown.push('\n');
    Ok(shown)
}

/// Creates a file beside the report's, private to its owner.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".mailferry-")
        .tempfile_in(directory)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut file = temporary(path)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::chosen::Choice;
    use crate::cli::json::{Mailboxes, Summarised, Summary};
    use crate::cli::samples::copy_summary;
    use mailferry::event::{Event, Observer as _};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    const ABOUT: About = About {
        command: "copy",
        dry_run: false,
        empties_source: false,
    };

    fn destination(path: &Path) -> Destination {
        Destination::new(path.to_owned()).unwrap()
    }

    #[test]
    fn the_file_name_determines_the_format() {
        for (name, form) in [
            ("a.html", Form::Page),
            ("a.b.HTM", Form::Page),
            ("/x/a.Json", Form::Json),
        ] {
            assert_eq!(destination(Path::new(name)).form, form, "{name}");
        }
        for name in ["a", "a.txt", "html", ".json", ""] {
            let refused = Destination::new(PathBuf::from(name));
            assert!(refused.unwrap_err().contains("FILE.html"), "{name}");
        }
    }

    #[test]
    fn an_unwritable_report_is_refused_before_the_run() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("taken.html")).unwrap();
        for name in ["absent/report.html", "taken.html"] {
            let refused = Report::begin(&destination(&directory.path().join(name)), ABOUT)
                .map(drop)
                .unwrap_err();
            assert_eq!(refused.code, 1, "{name}");
            assert!(refused.message.contains(name), "{}", refused.message);
        }
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }

    #[test]
    fn a_report_replaces_the_last_one_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        let summary = serde_json::to_value(Summarised::new(
            Summary::copy(&copy_summary(), false),
            Mailboxes::default(),
            Choice::default(),
        ))
        .unwrap();
        fs::write(&path, "old").unwrap();
        let report = Report::begin(&destination(&path), ABOUT).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "old",
            "it stays until there is another"
        );
        report.collector().observe(&Event::Warning {
            text: "a\u{202e}b\u{9b}",
        });
        report.note_failure(&Failure::local("first"));
        report.note_failure(&Failure::local("second"));
        report.write(Some(&summary), 3).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(r"a\u202eb\u009b"), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["summary"]["copied"], 3089);
        assert_eq!(
            (&read["status"], &read["error"]["reason"]),
            (&"complete".into(), &"first".into())
        );
        assert_eq!(read["warnings"]["listed"][0], "a\u{202e}b\u{9b}");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_run_without_a_summary_has_a_status() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        for (kind, status) in [
            ("interrupted", "interrupted"),
            ("authentication", "stopped"),
        ] {
            let report = Report::begin(&destination(&path), ABOUT).unwrap();
            report.note_failure(&Failure {
                kind,
                ..Failure::local("x")
            });
            report.write(None, 1).unwrap();
            let read: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(
                (read["status"].as_str(), read["summary"].is_null()),
                (Some(status), true)
            );
        }
    }
}
