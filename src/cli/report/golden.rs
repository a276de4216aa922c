//! The JSON of a report with every field set, and with all optional ones absent: what scripts rely
//! on, byte for byte.

use super::facts::{Step, Throughput};
use super::*;
use crate::cli::json::{Mailboxes, Summarised, Summary};
use crate::cli::samples;
use mailferry::verbs::Status;

/// Returns a report with everything that it can contain.
fn report(command: &'static str, filled: bool) -> String {
    let directory = tempfile::tempdir().unwrap();
    let destination = Destination::new(directory.path().join("x.json")).unwrap();
    let about = About {
        command,
        dry_run: filled,
        empties_source: filled && command == "copy",
    };
    let report = Report::begin(&destination, about).unwrap();
    samples::tell_events(report.collector().as_ref(), filled);
    let mut options = Choice::default();
    if filled {
        report.note_address(Side::SOURCE, &Address::parse("maildir:/x\u{202e}").unwrap());
        report.note_failure(&Failure::local("why").with_hint("what to do"));
        options.flag("--delete", true);
        options.value("--since", Some("2024-01-31"));
        report.note_options(&options);
    }
    let summary = samples::full_copy_summary(Status::Braked);
    let line = Summarised::new(
        Summary::copy(&summary, filled),
        Mailboxes::default(),
        options,
    );
    let line = serde_json::to_value(line).unwrap();
    let facts = report.facts(filled.then_some(&line), 3);
    // These differ in every run.
    let throughput = Throughput {
        seconds: 0.125,
        steps: vec![Step {
            messages: 1,
            bytes: 2,
        }],
    };
    let started = "2026-11-28T23:42:45+01:00".to_owned();
    json(&Facts {
        version: "1.2.3",
        started,
        seconds: 4.5,
        throughput,
        ..facts
    })
    .unwrap()
}

#[test]
fn reports_never_change() {
    let found = report("copy", true) + &report("sync", false);
    for (nth, (line, expected)) in found
        .lines()
        .zip(include_str!("golden.txt").lines())
        .enumerate()
    {
        assert_eq!(line, expected, "line {}", nth + 1);
    }
    assert_eq!(found, include_str!("golden.txt"));
}
