//! The page as text: a server's text never becomes markup, and the policy allows only what is in
//! the page.

use super::*;
use crate::cli::chosen::Choice;
use crate::cli::failure::Failure;
use crate::cli::json::{Mailboxes, Summarised, Summary};
use crate::cli::report::{About, Destination, Report};
use crate::cli::samples::{copy_summary, sync_summary, verify_summary};
use mailferry::address::{Address, Form, LocalAddress};
use mailferry::event::{
    Change, Contradiction, Difference, DifferenceKind, Event, FolderHoldings, FolderPlanned,
    Holdings, NamedMessage, Observer as _, SyncPlanned, SyncStep, YearSum,
};
use mailferry::mail::{Both, Heading, InternalDate, Side, Uid};
use proptest::prelude::*;
use std::collections::HashSet;

/// Texts that others might try to get into a page.
const HOSTILE: [&str; 8] = [
    "<script>owned()</script>",
    "\"><img src=x onerror=owned()>",
    "' onmouseover='owned()",
    "</title></style></script><b>",
    "<!-- ]]> -->",
    "&lt;b&gt; &#60;",
    "a\u{202e}txt.exe\u{2066}",
    "one\r\ntwo\u{0}\u{1b}[2J",
];

/// Returns a report with this text in every field.
fn facts(command: &'static str, text: &str) -> Facts {
    let directory = tempfile::tempdir().unwrap();
    let destination = Destination::new(directory.path().join("x.html")).unwrap();
    let report = Report::begin(
        &destination,
        About {
            command,
            dry_run: false,
            empties_source: false,
        },
    )
    .unwrap();
    let address = Address::Local(LocalAddress {
        form: Form::Maildir,
        path: format!("/{text}").into(),
    });
    report.note_address(Side::SOURCE, &address);
    tell(&report, text);
    report.note_failure(&Failure::local(text).with_hint(text));
    let value = |summary: Summary<'_>| {
        serde_json::to_value(Summarised::new(
            summary,
            Mailboxes::default(),
            Choice::default(),
        ))
        .unwrap()
    };
    let summary = match command {
        "sync" => value(Summary::sync(&sync_summary(), false)),
        "verify" => value(Summary::verify(&verify_summary())),
        _ => value(Summary::copy(&copy_summary(), false)),
    };
    report.facts(Some(&summary), 3)
}

/// Reports every event that has a text.
fn tell(report: &Report, text: &str) {
    let collector = report.collector();
    let uid = Uid::new(7).unwrap();
    let words = || Some(text.to_owned());
    let sent = InternalDate::new(1_700_000_000, 60);
    let heading = Heading {
        message_id: words(),
        subject: words(),
        from: words(),
        date: sent,
    };
    let tell = |event: Event<'_>| collector.observe(&event);
    tell(Event::Connected {
        side: Side::TARGET,
        server: text,
        provider: None,
        is_compressed: false,
    });
    let counts = (9, 2, 1, 300);
    tell(Event::FolderPlanned(FolderPlanned {
        from: text,
        to: text,
        reason: text,
        create: true,
        messages: counts.0,
        copy: counts.1,
        server_side: counts.2,
        bytes: counts.3,
        already_there: 7,
        flags: 1,
        delete: 1,
        keep: 1,
    }));
    let to = Both::of(|_| SyncStep {
        copy: 3,
        ..SyncStep::default()
    });
    tell(Event::SyncPlanned(SyncPlanned {
        first: text,
        second: text,
        already_there: 1,
        to,
    }));
    tell(Event::FolderPaired {
        from: text,
        to: text,
        reason: text,
    });
    tell(Event::FolderRenamed {
        from: text,
        to: text,
    });
    for conflict in [true, false] {
        let (action, reason) = ("copy", "a reason");
        tell(Event::Change(Change {
            action,
            to: Side::TARGET,
            folder: text,
            uid: Some(uid),
            detail: text,
            reason,
            conflict,
            contradiction: conflict.then_some(Contradiction {
                first: "was deleted",
                second: "was flagged",
                settled: "the deletion wins",
            }),
            heading: Some(&heading),
        }));
    }
    tell(Event::MessageCopied {
        to: Side::TARGET,
        place: None,
        folder: text,
        uid,
        bytes: 300,
    });
    tell(Event::MessageFailed {
        place: None,
        folder: text,
        uid,
        heading: Some(&heading),
        reason: text,
    });
    tell(Event::FolderFailed {
        folder: text,
        reason: text,
    });
    tell(Event::Difference(&Difference {
        kind: DifferenceKind::Flags,
        folder: text.to_owned(),
        uid: Some(uid),
        messages: 1,
        detail: text.to_owned(),
        heading: Some(heading.clone()),
    }));
    tell(Event::Warning { text });
    let date = InternalDate::new(1_700_000_000, 60);
    let message = NamedMessage {
        folder: text.to_owned(),
        uid,
        bytes: 10,
        date,
        subject: words(),
        from: words(),
        count: 1,
    };
    let years = vec![YearSum {
        year: Some(2023),
        messages: 2,
        bytes: 20,
    }];
    let folder = FolderHoldings {
        folder: text.to_owned(),
        messages: 3,
        bytes: 20,
        unread: 1,
        surplus: 1,
        years,
        unkeyed: 1,
    };
    tell(Event::Holdings(Holdings {
        side: Side::SOURCE,
        folders: &[folder],
        largest: std::slice::from_ref(&message),
        duplicates: &[NamedMessage {
            count: 2,
            ..message.clone()
        }],
        more_duplicates: 0,
    }));
}

/// Returns everything in angle brackets, without the values of attributes that may contain a
/// server's text.
fn tags(page: &str) -> Vec<&str> {
    page.split('<')
        .skip(1)
        .map(|rest| rest.split([' ', '>']).next().unwrap())
        .collect()
}

fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    page.split_once(from)
        .and_then(|(_, rest)| rest.split_once(to))
        .unwrap()
        .0
}

#[test]
fn server_text_is_never_markup() {
    for command in ["copy", "apply", "sync", "verify"] {
        let plain = render(&facts(command, "plain")).unwrap();
        for text in HOSTILE {
            let page = render(&facts(command, text)).unwrap();
            assert_eq!(tags(&page), tags(&plain), "{command}: {text}");
            assert!(
                !page.contains(text) || !text.contains(['<', '"', '\'', '&', '\u{202e}', '\u{1b}']),
                "{command}: {text}"
            );
        }
        assert!(
            tags(&plain).iter().filter(|tag| **tag == "section").count() > 8,
            "{command} tells all that it was told"
        );
    }
}

#[test]
fn hostile_texts_are_shown_literally() {
    let page = render(&facts("copy", HOSTILE[0])).unwrap();
    assert!(
        page.contains("<bdi>&#60;script&#62;owned()&#60;/script&#62;</bdi>"),
        "{page}"
    );
    let page = render(&facts("copy", HOSTILE[6])).unwrap();
    assert!(page.contains("a\\u{202e}txt.exe\\u{2066}"), "{page}");
}

#[test]
fn the_policy_allows_the_style_and_the_script_and_nothing_else() {
    let page = render(&facts("copy", "plain")).unwrap();
    let hash = |text: &str| {
        format!(
            "'sha256-{}'",
            STANDARD.encode(Sha256::digest(text.as_bytes()))
        )
    };
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"").replace("&#39;", "'");
    let style = hash(between(&page, "<style>", "</style>"));
    let script = hash(between(&page, "<script>", "</script>"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
        )
    );
    for outside in [
        "http:",
        "https:",
        "src=",
        "@import",
        "url(",
        " style=",
        "javascript:",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn links_have_targets_and_ids_are_unique() {
    for command in ["copy", "apply", "sync", "verify"] {
        let page = render(&facts(command, "plain")).unwrap();
        let ids: Vec<&str> = page
            .split(" id=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        let all: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(all.len(), ids.len(), "{ids:?}");
        for link in page
            .split("href=\"#")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert!(all.contains(link), "{link}");
        }
    }
}

#[test]
fn an_address_is_shown_without_files_of_this_machine() {
    let mut facts = facts("copy", "plain");
    facts.sides[0].address = Some("imaps://ann@imap.example.org?ca=/home/ann/ca.pem".to_owned());
    let page = render(&facts).unwrap();
    assert!(page.contains("imaps://ann@imap.example.org<") && !page.contains("ca.pem"));
}

#[test]
fn a_day_stays_on_one_line() {
    let page = render(&facts("copy", "plain")).unwrap();
    assert!(page.contains(" whole\"><bdi>2023-11-14</bdi>"), "{page}");
    let rule = STYLE
        .lines()
        .find(|line| line.starts_with(".whole "))
        .unwrap();
    assert!(
        rule.contains("white-space: nowrap") && rule.contains("overflow-wrap: normal"),
        "{rule}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..crate::properties::config() })]
    #[test]
    fn no_text_changes_the_page(text in "[\\PC<>&\"'/=\\r\\n\\x00-\\x1f]{1,40}") {
        let tags_of = |text: &str| tags(&render(&facts("copy", text)).unwrap()).len();
        prop_assert_eq!(tags_of(&text), tags_of("plain"));
    }
}
