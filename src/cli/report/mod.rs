//! `--report`: what a run did or would do, as a page for people or as JSON, written when it ends,
//! however it ends.
//!
//! A run's events are collected by [`collector`], what ended it is told to [`Report`], and
//! [`facts`] are both together: the JSON as they stand, the page ([`page`]) made of them. The file
//! is replaced as a whole, and is its owner's alone, as subjects and names are nobody else's
//! business.

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

/// The form of the JSON.
const FORM: u32 = 1;

/// Where a report goes, and in which form.
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
    /// Reads the option's value.
    ///
    /// # Errors
    /// A name that says neither form.
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

/// Which run a report is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// The command's name.
    pub(crate) command: &'static str,
    /// Whether it only shows what it would do.
    pub(crate) dry_run: bool,
    /// Whether it deletes on the source (`--move`).
    pub(crate) empties_source: bool,
}

/// The report of a run that is under way.
pub(crate) struct Report {
    destination: Destination,
    about: About,
    started: (Timestamp, Instant),
    collector: Arc<Collector>,
    error: Mutex<Option<Failure>>,
    options: Mutex<Choice>,
}

impl Report {
    /// Begins one.
    ///
    /// # Errors
    /// That the file can't be written, which is better known now than when the run has ended.
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
        // Not kept until the end: a run that is killed would leave it behind.
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

    /// Who is to be told of events.
    pub(crate) fn collector(&self) -> Arc<Collector> {
        Arc::clone(&self.collector)
    }

    /// Where a side is.
    pub(crate) fn note_address(&self, side: Side, address: &Address) {
        self.collector.collected().sides[side].address = Some(address.to_string());
    }

    /// Which options it has.
    pub(crate) fn note_options(&self, options: &Choice) {
        lock(&self.options).clone_from(options);
    }

    /// What ends the run early.
    pub(crate) fn note_failure(&self, failure: &Failure) {
        lock(&self.error).get_or_insert_with(|| failure.clone());
    }

    /// Writes it.
    ///
    /// # Errors
    /// That it could not be written.
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

/// The summary's own fields: in a report it is no event.
fn without_event(summary: &Value) -> Value {
    let mut summary = summary.clone();
    if let Value::Object(fields) = &mut summary {
        fields.remove("event");
    }
    summary
}

/// Indented JSON in which nothing moves a terminal: what could is written as `\u` escapes.
fn json(facts: &Facts) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(facts)?;
    let mut shown = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // Outside of strings there are no harmful characters but line ends, within them there are
        // none of these.
        if c != '\n' && harmless::is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A String takes everything.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown.push('\n');
    Ok(shown)
}

/// A file beside the report's, for its owner only.
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
    use crate::cli::json::{Line, Mailboxes, Summary};
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
    fn the_name_says_the_form() {
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
    fn what_cannot_be_written_is_said_before() {
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
        let summary = serde_json::to_value(Line::of_summary(
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
