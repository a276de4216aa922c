//! Values that several tests of the command line share.

use mailferry::event::{
    Change, Check, Contradiction, Difference, DifferenceKind, Differences, EntryRights, Event,
    Finding, FolderHoldings, FolderPlanned, Holdings, NamedMessage, Observer, Restored,
    RightsAction, SyncPlanned, SyncStep, Verdict, YearSum,
};
use mailferry::mail::{Both, Heading, InternalDate, Rights, Side, Uid};
use mailferry::store::Traffic;
use mailferry::verbs::{
    CopySummary, LeftOut, LeftOutFolder, OnlyInView, Status, SyncSummary, SyncWay, VerifySummary,
};

/// Returns numbers from `n + 1` on.
fn traffic(n: u64) -> Both<Traffic> {
    let from = |n: u64| Traffic {
        sent: n + 1,
        received: n + 2,
        round_trips: n + 3,
    };
    Both::new(from(n), from(n + 3))
}

/// Returns the summary of a successful copy.
pub(crate) fn copy_summary() -> CopySummary {
    CopySummary {
        folders: 18,
        folders_created: 17,
        copied: 3089,
        already_there: 12,
        bytes_copied: 40_200_000,
        seconds: 1.9,
        traffic: traffic(0),
        ..CopySummary::default()
    }
}

/// Returns the summary of a comparison without differences.
pub(crate) fn verify_summary() -> VerifySummary {
    VerifySummary {
        folders: 18,
        compared: 3101,
        seconds: 0.75,
        ..VerifySummary::default()
    }
}

/// Returns the summary of a successful sync.
pub(crate) fn sync_summary() -> SyncSummary {
    let to_first = SyncWay {
        copied: 2,
        bytes_copied: 900,
        flags_updated: 1,
        ..SyncWay::default()
    };
    let to_second = SyncWay {
        copied: 3,
        bytes_copied: 100,
        moved: 4,
        deleted: 1,
        conflicts: 1,
        ..SyncWay::default()
    };
    SyncSummary {
        folders: 18,
        to: Both::new(to_first, to_second),
        already_there: 3089,
        seconds: 0.4,
        traffic: traffic(0),
        ..SyncSummary::default()
    }
}

/// Returns a heading.
fn heading() -> Heading {
    Heading {
        message_id: Some("<a@example.org>".to_owned()),
        subject: Some("Größe\u{202e}".to_owned()),
        from: Some("Ann <ann@example.org>".to_owned()),
        date: InternalDate::parse("03-Mar-2025 10:20:30 +0130"),
    }
}

/// Reports one event of each kind that is a result, every number different; optional fields are set
/// if `filled`.
pub(crate) fn tell_events(observer: &dyn Observer, filled: bool) {
    let text = |text: &'static str| if filled { text } else { "" };
    let heading = filled.then(heading);
    let heading = heading.as_ref();
    let (some_uid, uid) = (Uid::new(7).filter(|_| filled), Uid::new(8).unwrap());
    let tell = |event: Event<'_>| observer.observe(&event);
    tell(Event::Connected {
        side: Side::TARGET,
        server: "Dovecot",
        provider: None,
        is_compressed: filled,
    });
    tell(Event::FolderPlanned(FolderPlanned {
        from: "Gesendet",
        to: "Sent",
        reason: text("same role"),
        create: filled,
        messages: 21,
        copy: 22,
        server_side: 23,
        bytes: 24,
        already_there: 25,
        flags: 26,
        delete: 27,
        keep: 28,
    }));
    tell(Event::SyncPlanned(SyncPlanned {
        first: "Work",
        second: "Arbeit",
        already_there: 30,
        to: Both::new(
            SyncStep {
                create: filled,
                copy: 31,
                bytes: 32,
                moved: 33,
                flags: 34,
                delete: 35,
            },
            SyncStep {
                create: false,
                copy: 41,
                bytes: 42,
                moved: 43,
                flags: 44,
                delete: 45,
            },
        ),
    }));
    tell(Event::Planned {
        folders: 51,
        messages: 52,
        bytes: 53,
    });
    tell(Event::FolderPaired {
        from: "A",
        to: "B",
        reason: text("--map"),
    });
    tell(Event::FolderCreated { folder: "New" });
    tell(Event::FolderRenamed {
        from: "Old",
        to: "New",
    });
    tell(Event::FolderDeleted { folder: "Old" });
    tell(Event::Rights(EntryRights {
        folder: "Team",
        identifier: "$staff",
        to: filled.then_some("group:staff"),
        action: if filled {
            RightsAction::Grant
        } else {
            RightsAction::Fail
        },
        rights: Rights::parse("slr").unwrap(),
        reason: text("no such group"),
    }));
    tell_changes(observer, heading, some_uid);
    tell(Event::Explained { text: "Why." });
    tell(Event::MessageDeleted {
        side: Side::TARGET,
        folder: "Sent",
        uid,
        heading,
    });
    tell(Event::MessageKept {
        folder: "Sent",
        uid,
        to: "Vanished/2026-11-25/Sent",
        heading,
    });
    tell(Event::Waiting {
        side: Side::SOURCE,
        until: "2026-12-01T00:00:00Z",
        reason: "the limit of 2500 MB read from this account per day is reached",
    });
    tell(Event::MessageRepaired {
        folder: "Gesendet",
        uid,
    });
    tell(Event::MessageRestored(Restored {
        side: Side::First,
        folder: "Work",
        uid: 9,
        is_there: filled,
        heading,
    }));
    tell(Event::MessageCopied {
        to: Side::TARGET,
        place: None,
        folder: "Gesendet",
        uid,
        bytes: if filled { 61 } else { 0 },
    });
    tell(Event::MessageFailed {
        place: None,
        folder: "Gesendet",
        uid,
        heading,
        reason: "NO \"too\nlarge\"",
    });
    tell(Event::MessageFixed {
        folder: "Gesendet",
        uid,
        fixed: if filled { &["nul", "line_ends"] } else { &[] },
        reason: "NO bare newlines",
    });
    tell(Event::FolderFailed {
        folder: "Gone",
        reason: "no such folder",
    });
    tell(Event::Difference(&Difference {
        kind: if filled {
            DifferenceKind::Flags
        } else {
            DifferenceKind::Missing
        },
        folder: "Gesendet".to_owned(),
        uid: some_uid,
        messages: 62,
        detail: text("\\Seen on the source, none on the target").to_owned(),
        heading: heading.cloned(),
    }));
    tell(Event::Found(&Finding {
        side: Side::TARGET,
        check: Check::Login,
        verdict: if filled {
            Verdict::Doubtful
        } else {
            Verdict::Good
        },
        tried: "logged in as ann".to_owned(),
        result: "NO \u{1b}[31m".to_owned(),
        meaning: "wrong".to_owned(),
        advice: filled.then(|| "check it".to_owned()),
    }));
    tell(Event::Warning { text: "Careful" });
    tell_holdings(observer, heading);
}

fn tell_changes(observer: &dyn Observer, heading: Option<&Heading>, uid: Option<Uid>) {
    for conflict in [true, false] {
        let both = Contradiction {
            first: "was deleted",
            second: "was flagged",
            settled: "the deletion wins",
        };
        observer.observe(&Event::Change(Change {
            action: if conflict { "delete" } else { "rename_folder" },
            to: if conflict { Side::First } else { Side::Second },
            folder: "Work",
            uid,
            detail: if heading.is_some() { "+\\Flagged" } else { "" },
            reason: "A reason.",
            conflict,
            contradiction: conflict.then_some(both),
            heading,
        }));
    }
}

fn tell_holdings(observer: &dyn Observer, heading: Option<&Heading>) {
    let (uid, date) = (
        Uid::new(71).unwrap(),
        heading.and_then(|heading| heading.date),
    );
    let heading = heading.cloned().unwrap_or_default();
    let Heading { subject, from, .. } = heading;
    let message = NamedMessage {
        folder: "Gesendet".to_owned(),
        uid,
        bytes: 72,
        date,
        subject,
        from,
        count: 1,
    };
    let year = date.map(|_| 2025);
    let years = vec![YearSum {
        year,
        messages: 73,
        bytes: 74,
    }];
    let folder = FolderHoldings {
        folder: "Gesendet".to_owned(),
        messages: 75,
        bytes: 76,
        unread: 77,
        unkeyed: 78,
        surplus: 79,
        years,
    };
    observer.observe(&Event::Holdings(Holdings {
        side: Side::SOURCE,
        folders: &[folder],
        largest: std::slice::from_ref(&message),
        duplicates: &[NamedMessage {
            count: 80,
            ..message.clone()
        }],
        more_duplicates: 81,
    }));
}

/// Returns what options left out.
fn left_out() -> Vec<LeftOut> {
    let folder = |folder: &str, messages| LeftOutFolder {
        folder: folder.to_owned(),
        messages,
    };
    let folders = vec![folder("Junk", Some(312)), folder("All Mail", None)];
    let by_name = LeftOut {
        by: "--exclude".to_owned(),
        folders,
        messages: 312,
    };
    vec![
        by_name,
        LeftOut {
            by: "--since".to_owned(),
            folders: Vec::new(),
            messages: 20,
        },
    ]
}

/// Returns a summary of `copy`, every number different.
pub(crate) fn full_copy_summary(status: Status) -> CopySummary {
    let only = OnlyInView {
        view: "All Mail".to_owned(),
        folder: "Archive".to_owned(),
        messages: 101,
    };
    CopySummary {
        status,
        folders: 102,
        folders_created: 103,
        folders_renamed: 104,
        folders_deleted: 105,
        copied: 106,
        copied_server_side: 107,
        already_there: 108,
        flags_updated: 109,
        deleted: 110,
        kept: 111,
        repaired: 112,
        fixed: 98,
        not_deleted: 113,
        rights_changed: 125,
        rights_failed: 126,
        only_in_views: vec![only],
        failed: 114,
        folders_failed: 115,
        skipped: 116,
        left_out: left_out(),
        bytes_copied: 117,
        seconds: 118.119_6,
        traffic: traffic(119),
    }
}

/// Returns a summary of `sync`, every number different.
pub(crate) fn full_sync_summary(status: Status) -> SyncSummary {
    let way = |from: u64| SyncWay {
        folders_created: from + 1,
        folders_renamed: from + 2,
        folders_deleted: from + 3,
        copied: from + 4,
        bytes_copied: from + 5,
        copied_server_side: from + 6,
        moved: from + 7,
        flags_updated: from + 8,
        deleted: from + 9,
        subscriptions: from + 10,
        failed: from + 11,
        conflicts: from + 12,
        fixed: from + 13,
    };
    SyncSummary {
        status,
        folders: 201,
        to: Both::new(way(210), way(230)),
        already_there: 202,
        held_back: 203,
        failed: 204,
        folders_failed: 205,
        skipped: 206,
        left_out: left_out(),
        seconds: 207.000_4,
        traffic: traffic(249),
    }
}

/// Returns a summary of `verify`, every number different.
pub(crate) fn full_verify_summary(status: Status) -> VerifySummary {
    VerifySummary {
        status,
        folders: 301,
        compared: 302,
        differences: Differences {
            missing: 303,
            extra: 304,
            changed: 305,
            flags_differ: 306,
            dates_differ: 307,
        },
        fixed: 312,
        failed: 308,
        bytes_compared: 309,
        left_out: left_out(),
        seconds: 310.5,
    }
}
