//! Flags and dates that a server may not keep: they are tried, the result is checked, and losses
//! are reported.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, NewMessage};
use crate::lab::memory::{Fake, Manner};
use crate::lab::run::{End, Run, copy, sync, verify};
use crate::lab::servers::{Courier, Cyrus, Dovecot, Personality};
use std::collections::BTreeSet;

fn flags(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A server with everything that holds three messages, of which two have flags.
fn flagged() -> Fake {
    let fake = Fake::start(Manner::default(), &[]);
    let all = [
        flags(&["\\Seen", "\\Flagged", "work"]),
        flags(&["\\Answered"]),
        flags(&[]),
    ];
    for (number, flags) in all.into_iter().enumerate() {
        let bytes = format!("Message-ID: <{number}@x>\r\nSubject: {number}\r\n\r\nx\r\n");
        let date = format!("0{}-Feb-2024 03:04:05 +0000", number + 1);
        fake.boxes()
            .get_mut("INBOX")
            .unwrap()
            .add(flags, date, bytes.into_bytes());
    }
    fake
}

fn end(fake: &Fake) -> End {
    End::plain(fake.server.port, "")
}

/// The flags of each message in INBOX, in the order of their Message-IDs.
fn shown(fake: &Fake) -> Vec<BTreeSet<String>> {
    let mut messages = fake.boxes()["INBOX"].messages.clone();
    messages.sort_by(|one, other| one.bytes.cmp(&other.bytes));
    messages.into_iter().map(|message| message.flags).collect()
}

fn poor(lists: &'static str) -> Manner {
    Manner {
        after: "IMAP4rev1 UIDPLUS".to_owned(),
        lists: Some(lists),
        own_validities: true,
        ..Manner::default()
    }
}

fn warnings(run: &Run) -> String {
    run.texts("warning", "text").join("\n")
}

#[test]
fn flags_that_a_server_keeps_and_does_not_list_cross() {
    for lists in ["", "\\*"] {
        for manner in [
            poor(lists),
            Manner {
                after: "IMAP4rev1".to_owned(),
                ..poor(lists)
            },
        ] {
            let source = flagged();
            let target = Fake::start(manner.clone(), &[]);
            let run = copy(end(&source), end(&target), &[]).ended(0);
            assert_eq!(warnings(&run), "", "{lists}");
            assert_eq!(shown(&target), shown(&source), "{lists}");
            copy(end(&source), end(&target), &[])
                .ended(0)
                .counts(&[("copied", 0), ("flags_updated", 0)]);
            let state = tempfile::tempdir().unwrap();
            let target = Fake::start(manner, &[]);
            sync(
                end(&source),
                end(&target),
                &["--state", state.path().to_str().unwrap()],
            )
            .ended(0);
            assert_eq!(shown(&target), shown(&source), "{lists}");
        }
    }
}

#[test]
fn flags_that_only_store_sets_are_set() {
    let source = flagged();
    let target = Fake::start(
        Manner {
            only_store: true,
            ..poor("")
        },
        &[],
    );
    let run = copy(end(&source), end(&target), &[]).ended(0);
    assert_eq!(
        (shown(&target), warnings(&run)),
        (shown(&source), String::new())
    );
}

#[test]
fn a_flag_that_a_server_forgets_is_said_once_and_is_no_change() {
    let source = flagged();
    let manner = Manner {
        forgets: &["\\Flagged"],
        ..poor("\\*")
    };
    let target = Fake::start(manner.clone(), &[]);
    let run = copy(end(&source), end(&target), &[]).ended(0);
    assert_eq!(
        warnings(&run),
        "INBOX: the target keeps no (\\Flagged) here"
    );
    assert_eq!(shown(&target)[0], flags(&["\\Seen", "work"]));

    let target = Fake::start(manner, &[]);
    let state = tempfile::tempdir().unwrap();
    let again = || {
        sync(
            end(&source),
            end(&target),
            &["--state", state.path().to_str().unwrap()],
        )
        .ended(0)
    };
    let idle = [("copied", 0), ("flags_updated", 0), ("deleted", 0)];
    let before = shown(&source);
    again().counts(&[("copied", 3)]);
    again().counts(&idle);
    assert_eq!(shown(&source), before);
    // And one that is set later.
    source.boxes().get_mut("INBOX").unwrap().messages[2].flags = flags(&["\\Flagged", "\\Seen"]);
    let run = again();
    assert!(
        warnings(&run).contains("the second keeps no (\\Flagged) here"),
        "{run:?}"
    );
    assert_eq!(shown(&target)[2], flags(&["\\Seen"]));
    again().counts(&idle);
    assert_eq!(shown(&source)[2], flags(&["\\Flagged", "\\Seen"]));
}

const DATES: [&str; 6] = [
    "05-Jul-1950 10:00:00 +0000",
    "31-Dec-1969 23:00:00 +0000",
    "01-Jan-1970 12:00:00 +0000",
    "05-Feb-2024 03:04:05 +0130",
    "20-Jan-2038 00:00:00 +0000",
    "31-Dec-2099 00:00:00 +0000",
];

#[test]
fn dates_beyond_1970_and_2038_are_kept_where_they_can_be_and_named_where_not() {
    let source = Fake::start(Manner::default(), &[]);
    for (number, date) in DATES.into_iter().enumerate() {
        let bytes =
            format!("Message-ID: <{number}@x>\r\nSubject: {number}\r\n\r\nx\r\n").into_bytes();
        source
            .boxes()
            .get_mut("INBOX")
            .unwrap()
            .add(BTreeSet::new(), date.to_owned(), bytes);
    }
    let root = tempfile::tempdir().unwrap();
    let directory = |kind: &str| End::from(&format!("{kind}:{}", root.path().join(kind).display()));
    let dovecot = Dovecot::shared().account("dates", Personality::Plain);
    let cyrus = Cyrus::shared().account();
    let mut targets = vec![
        ("maildir", directory("maildir"), 0),
        ("mbox", directory("mbox"), 0),
        ("Dovecot", End::tls(&dovecot), 4),
        ("Cyrus", End::tls(&cyrus), 2),
    ];
    if let Some(courier) = Courier::shared() {
        targets.push(("Courier", End::tls(&courier.account()), 2));
    }
    for (name, target, lost) in targets {
        let run = copy(end(&source), target.clone(), &[])
            .ended(0)
            .counts(&[("copied", 6), ("failed", 0)]);
        let warned = warnings(&run);
        let words =
            format!("did not preserve the dates of {lost} messages, such as UID 1 on the source");
        assert_eq!(warned.contains(&words), lost > 0, "{name}: {warned}");
        copy(end(&source), target.clone(), &[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 6)]);
        let code = if lost > 0 { 4 } else { 0 };
        verify(end(&source), target, &[]).ended(code).counts(&[
            ("dates_differ", lost),
            ("missing", 0),
            ("extra", 0),
        ]);
    }
}

#[test]
fn a_keyword_with_control_characters_is_named_harmlessly() {
    let source = Dovecot::shared().account("keyword", Personality::Plain);
    Client::login(&source).append(
        &["INBOX"],
        std::iter::once(NewMessage::of("Subject: a\r\n\r\nx\r\n")),
    );
    let odd = flagged();
    odd.boxes().get_mut("INBOX").unwrap().messages[1].flags = flags(&["a\u{7}b"]);
    let run = copy(end(&odd), &source, &[]).ended(0);
    assert!(
        warnings(&run).contains("keeps no (a\\u{7}b) here"),
        "{run:?}"
    );
    run.assert_harmless();
}
