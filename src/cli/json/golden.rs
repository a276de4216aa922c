//! Each line with every field set, and with all optional ones absent: what scripts rely on, byte
//! for byte.

use super::*;
use crate::cli::args::When;
use crate::cli::chosen::Choice;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::metrics;
use crate::cli::samples;
use mailferry::event::{Direction, Holdings, Stop};
use mailferry::locks::lock;
use mailferry::mail::{Side, SpecialUse};
use mailferry::store::{self, Error, ErrorKind, Quota};
use mailferry::verbs::{DoctorSummary, FolderListing, FolderRow, Status, UndoSummary};
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

/// A stream that keeps everything written to it.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns what `print` writes.
fn printed(print: impl FnOnce(Arc<Output>)) -> String {
    let kept = Kept::default();
    let console = Arc::new(Console::new(When::Never));
    print(Arc::new(Output::to(
        Box::new(kept.clone()),
        console,
        Arc::new(Stop::new()),
    )));
    let bytes = lock(&kept.0).clone();
    String::from_utf8(bytes).unwrap()
}

/// Compares line by line, which makes a difference readable.
fn compare(found: &str, golden: &str) {
    for (nth, (line, expected)) in found.lines().zip(golden.lines()).enumerate() {
        assert_eq!(line, expected, "line {}", nth + 1);
    }
    assert_eq!(found, golden);
}

#[test]
fn event_lines_never_change() {
    let found = printed(|output| {
        let events = Events::new(output, true);
        samples::tell_events(&events, true);
        samples::tell_events(&events, false);
    });
    compare(&found, include_str!("golden/events.jsonl"));
}

/// Asserts that serde skips progress events, and no others.
struct Agreeing;

impl Observer for Agreeing {
    fn observe(&self, event: &Event<'_>) {
        assert_eq!(
            serde_json::to_string(event).is_err(),
            event.is_progress(),
            "{event:?}"
        );
    }
}

#[test]
fn progress_events_have_no_line() {
    samples::tell_events(&Agreeing, true);
    let (side, wait, direction) = (Side::SOURCE, Duration::ZERO, Direction::Sent);
    let progress = [
        Event::Connected {
            side,
            server: "",
            provider: None,
            is_compressed: false,
        },
        Event::Listed { side, folders: 1 },
        Event::FolderPaired {
            from: "",
            to: "",
            reason: "",
        },
        Event::Holdings(Holdings {
            side,
            folders: &[],
            largest: &[],
            duplicates: &[],
            more_duplicates: 0,
        }),
        Event::Sent {
            bytes: 1,
            ended: true,
        },
        Event::Settled { bytes: 1 },
        Event::ToCompare {
            folders: 1,
            messages: 1,
            bytes: 1,
        },
        Event::Compared {
            folder: "",
            messages: 1,
            bytes: 1,
        },
        Event::Retrying {
            side,
            wait,
            reason: "",
        },
        Event::Trace {
            side,
            connection: 1,
            direction,
            line: b"",
        },
    ];
    for event in &progress {
        assert!(event.is_progress(), "{event:?}");
        Agreeing.observe(event);
    }
}

fn rows() -> [FolderRow; 2] {
    let filled = FolderRow {
        name: "Gesendet".to_owned(),
        role: Some(SpecialUse::Sent),
        selectable: true,
        subscribed: false,
        messages: Some(1),
        unread: Some(2),
        bytes: Some(3),
    };
    let empty = FolderRow {
        role: None,
        selectable: false,
        messages: None,
        unread: None,
        bytes: None,
        ..filled.clone()
    };
    [filled, empty]
}

#[test]
fn other_lines_never_change() {
    let found = printed(|output| {
        for row in &rows() {
            print(&output, &Line::Folder(row));
        }
        let folders = [KeptFolder {
            side: "second",
            folder: "Work".to_owned(),
            messages: 4,
        }];
        print(
            &output,
            &Line::UndoRun {
                run: "20260131T080000Z-4711",
                messages: 5,
                folders: &folders,
            },
        );
        print(
            &output,
            &Line::UndoRun {
                run: "20260131T080000Z-4712",
                messages: 0,
                folders: &[],
            },
        );
        print(
            &output,
            &Line::Error(&Failure::usage("no").with_hint("yes")),
        );
        print(&output, &Line::Error(&Failure::local("no")));
    });
    compare(&found, include_str!("golden/lines.jsonl"));
}

/// Makes a line for each command, and a second one for those with optional fields, without them.
fn each_summary(take: &mut dyn FnMut(&Summarised<Summary<'_>>)) {
    let mut options = Choice::default();
    options.flag("--delete", true);
    options.value("--since", Some("2024-01-31"));
    let address = "imaps://ann@example.org".to_owned();
    let mailboxes = Mailboxes([("source", address), ("target", "maildir:/x".to_owned())].into());
    let stopped = Status::Stopped(Error {
        when: Some(store::When::At(std::time::UNIX_EPOCH)),
        ..Error::new(ErrorKind::LimitReached, "no more today")
    });
    let copy = samples::full_copy_summary(stopped);
    let apply = samples::full_copy_summary(Status::Braked);
    let sync = samples::full_sync_summary(Status::Partial);
    let verify = samples::full_verify_summary(Status::Interrupted);
    let undo = [
        UndoSummary {
            restored: 401,
            already_there: 402,
            failed: 403,
        },
        UndoSummary::default(),
    ];
    let ill = DoctorSummary {
        good: 501,
        doubtful: 502,
        failed: 503,
        skipped: 504,
        failure: Some(ErrorKind::Stalled),
        seconds: 505.25,
    };
    let doctor = [ill, DoctorSummary::default()];
    let (quota, seconds) = (
        Some(Quota {
            used: 601,
            limit: 602,
        }),
        604.123_456,
    );
    let listing = FolderListing {
        folders: rows().into(),
        quota,
        failed: 603,
        seconds,
    };
    let unknown = FolderListing {
        folders: Vec::new(),
        quota: None,
        failed: 0,
        seconds: 0.0,
    };
    let filled = [
        Summary::copy(&copy, true),
        Summary::apply(&apply, false),
        Summary::sync(&sync, true),
        Summary::undo(400, true, &undo[0], 404.5),
        Summary::undo(0, false, &undo[1], 0.0),
        Summary::verify(&verify),
        Summary::doctor(&doctor[0]),
        Summary::doctor(&doctor[1]),
        Summary::folders(&listing),
        Summary::folders(&unknown),
    ];
    for summary in filled {
        take(&Summarised::new(
            summary,
            mailboxes.clone(),
            options.clone(),
        ));
    }
    let (copy, sync, verify) = (
        samples::copy_summary(),
        samples::sync_summary(),
        samples::verify_summary(),
    );
    for summary in [
        Summary::copy(&copy, false),
        Summary::sync(&sync, false),
        Summary::verify(&verify),
    ] {
        take(&Summarised::new(
            summary,
            Mailboxes::default(),
            Choice::default(),
        ));
    }
}

#[test]
fn summary_lines_never_change() {
    let found = printed(|output| each_summary(&mut |line| print(&output, line)));
    compare(&found, include_str!("golden/summaries.jsonl"));
}

#[test]
fn metrics_never_change() {
    let mut found = String::new();
    each_summary(&mut |line| {
        let summary = serde_json::to_value(line).unwrap();
        found.push_str(&metrics::text("nightly", Some(&summary), 0, 100, None));
    });
    compare(&found, include_str!("golden/metrics.prom"));
}
