//! `mailferry verify` on real Dovecots: every kind of difference is reported and counted, and
//! nothing else.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, NewMessage};
use crate::lab::generator;
use crate::lab::pair::snapshot;
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{Run, copy, verify};
use crate::lab::servers::{Account, Dovecot, PASSWORD, Personality};
use mailferry::address::ImapAddress;
use mailferry::event::{self, Event, Observer, Silent, Stop};
use mailferry::folders::{self, Rules};
use mailferry::mail::{Both, Side};
use mailferry::store::Access;
use mailferry::store::imap::{self, AccountRun};
use mailferry::verbs::{self, VerifyOptions};
use std::sync::{Arc, Mutex};

const DATE: &str = "07-Jul-2020 07:07:07 +0200";

fn letter(name: &str, body: &str, date: &str) -> NewMessage {
    let header = format!(
        "From: ann@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\nX-Score: 1\r\n\r\n"
    );
    NewMessage {
        flags: Vec::new(),
        date: Some(date.to_owned()),
        bytes: format!("{header}{body}\r\n").into_bytes(),
    }
}

/// Two accounts with the same three messages in the same folder.
fn twins(name: &str) -> [Account; 2] {
    ["from", "to"].map(|side| {
        let account = Dovecot::shared().account(&format!("{name}{side}"), Personality::Plain);
        let mut client = Client::login(&account);
        client.create(&["Box"]);
        client.append(
            &["Box"],
            ["one", "two", "three"]
                .iter()
                .map(|name| letter(name, "body", DATE)),
        );
        account
    })
}

/// The differences as kind, folder and UID on the source.
fn differences(run: &Run) -> Vec<(String, String, Option<u64>)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let of = |event: &serde_json::Value| {
        (
            text(&event["kind"]),
            text(&event["folder"]),
            event["uid"].as_u64(),
        )
    };
    run.named("difference").iter().map(of).collect()
}

/// Replaces the message of this UID on the account by another one.
fn replace(account: &Account, uid: &str, by: NewMessage) {
    let mut client = Client::login(account);
    client.select(&["Box"]);
    client.expunge(uid);
    client.append(&["Box"], [by].into_iter());
}

/// What was done to the target, the difference it makes with its UID, whether `--deep` alone sees
/// it, and the doing.
type Case = (&'static str, &'static str, u64, bool, fn(&Account));

const CASES: [Case; 9] = [
    ("a flag set", "flags_differ", 2, false, |target| {
        let mut client = Client::login(target);
        client.select(&["Box"]);
        client.store("2", "+FLAGS", "\\Flagged");
    }),
    ("a keyword set", "flags_differ", 3, false, |target| {
        let mut client = Client::login(target);
        client.select(&["Box"]);
        client.store("3", "+FLAGS", "$Label1");
    }),
    ("a message deleted", "missing", 1, false, |target| {
        let mut client = Client::login(target);
        client.select(&["Box"]);
        client.expunge("1");
    }),
    ("a message more", "extra", 4, false, |target| {
        Client::login(target).append(&["Box"], [letter("four", "body", DATE)].into_iter());
    }),
    ("an equal message more", "extra", 4, false, |target| {
        Client::login(target).append(&["Box"], [letter("three", "body", DATE)].into_iter());
    }),
    ("another date", "dates_differ", 2, false, |target| {
        replace(
            target,
            "2",
            letter("two", "body", "07-Jul-2020 07:07:08 +0200"),
        );
    }),
    ("bytes more", "changed", 2, false, |target| {
        replace(target, "2", letter("two", "body and more", DATE));
    }),
    ("a byte changed", "changed", 3, true, |target| {
        replace(target, "3", letter("three", "bodx", DATE));
    }),
    ("a header field changed", "changed", 1, true, |target| {
        let mut message = letter("one", "body", DATE);
        let changed = String::from_utf8(message.bytes)
            .unwrap()
            .replace("X-Score: 1", "X-Score: 2");
        message.bytes = changed.into_bytes();
        replace(target, "1", message);
    }),
];

#[test]
fn each_kind_of_difference_is_named_and_counted() {
    for (name, kind, uid, only_deep, change) in CASES {
        let [source, target] = twins("kinds");
        verify(&source, &target, &["--deep"])
            .ended(0)
            .counts(&[("compared", 3)]);
        change(&target);
        for options in [&[][..], &["--deep"]] {
            let run = verify(&source, &target, options);
            if only_deep && options.is_empty() {
                assert!(run.summary()["equal"] == true, "{name}: {run:?}");
                continue;
            }
            assert_eq!(
                differences(&run),
                [(kind.to_owned(), "Box".to_owned(), Some(uid))],
                "{name}: {run:?}"
            );
            let run = run.ended(4);
            assert!(run.summary()["equal"] == false && run.summary()["status"] == "complete");
            for counted in [
                "missing",
                "extra",
                "changed",
                "flags_differ",
                "dates_differ",
                "failed",
            ] {
                assert_eq!(
                    run.count(counted),
                    u64::from(counted == kind),
                    "{name}: {counted}"
                );
            }
        }
    }
}

#[test]
fn a_time_zone_alone_is_no_difference() {
    let [source, target] = twins("zone");
    replace(
        &target,
        "2",
        letter("two", "body", "07-Jul-2020 05:07:07 +0000"),
    );
    verify(&source, &target, &["--deep"])
        .ended(0)
        .counts(&[("dates_differ", 0)]);
}

#[test]
fn folders_of_one_side_alone_are_named() {
    let [source, target] = twins("folders");
    Client::login(&source).create(&["Empty here"]);
    let mut client = Client::login(&target);
    client.create(&["Empty there"]);
    client.create(&["Only there"]);
    client.append(
        &["Only there"],
        ["x", "y"].iter().map(|name| letter(name, "body", DATE)),
    );
    let run = verify(&source, &target, &[])
        .ended(4)
        .counts(&[("missing", 1), ("extra", 2)]);
    let mut differences = differences(&run);
    differences.sort();
    let expected = [("extra", "Only there"), ("missing", "Empty here")];
    assert_eq!(
        differences,
        expected.map(|(kind, folder)| (kind.to_owned(), folder.to_owned(), None))
    );
    // Chosen folders are compared as if there were no others.
    verify(&source, &target, &["--folder", "Box"])
        .ended(0)
        .counts(&[("compared", 3)]);
}

#[test]
fn nothing_is_written_on_either_side() {
    let [source, target] =
        ["from", "to"].map(|side| Dovecot::shared().account(side, Personality::Plain));
    Client::login(&source).fill(&generator::mailbox(11, 100));
    copy(&source, &target, &[]).ended(0);
    let before = [snapshot(&source), snapshot(&target)];
    let proxies = [&source, &target].map(|account| Proxy::start(account.port, Plan::default()));
    let [by_source, by_target] = [
        source.by_port(proxies[0].port),
        target.by_port(proxies[1].port),
    ];
    verify(&by_source, &by_target, &["--deep"])
        .ended(0)
        .counts(&[("compared", 100)]);
    assert_eq!([snapshot(&source), snapshot(&target)], before);
    let reading = [
        "AUTHENTICATE",
        "LOGIN",
        "CAPABILITY",
        "ID",
        "NAMESPACE",
        "LIST",
        "LSUB",
        "STATUS",
        "EXAMINE",
        "UNSELECT",
        "NOOP",
        "LOGOUT",
    ];
    for command in proxies
        .iter()
        .flat_map(Proxy::traffic)
        .flat_map(|traffic| traffic.commands)
    {
        let (_, command) = command.split_once(' ').unwrap();
        let verb = command.split(' ').next().unwrap();
        let reads = reading.contains(&verb)
            || command.starts_with("UID FETCH") && !command.contains(" BODY[");
        assert!(reads, "{command}");
    }
}

#[test]
fn filters_choose_on_both_sides() {
    let [source, target] = twins("filters");
    let mut client = Client::login(&source);
    client.append(
        &["Box"],
        [letter("old", "body", "01-Jan-2001 00:00:00 +0000")].into_iter(),
    );
    let mut client = Client::login(&target);
    client.append(
        &["Box"],
        [letter("large", &"x".repeat(5_000), DATE)].into_iter(),
    );
    verify(&source, &target, &[])
        .ended(4)
        .counts(&[("missing", 1), ("extra", 1)]);
    let options = ["--since", "2020-01-01", "--max-size", "1k"];
    verify(&source, &target, &options)
        .ended(0)
        .counts(&[("compared", 3)]);
}

/// How many messages and bytes there are to compare, and were compared, in each part of a
/// comparison.
#[derive(Default)]
struct Parts(Mutex<Vec<[(u64, u64); 2]>>);

impl Observer for Parts {
    fn observe(&self, event: &Event<'_>) {
        let mut parts = self.0.lock().unwrap();
        match event {
            Event::ToCompare {
                messages, bytes, ..
            } => parts.push([(*messages, *bytes), (0, 0)]),
            Event::Compared {
                messages, bytes, ..
            } => {
                let [_, done] = parts.last_mut().unwrap();
                *done = (done.0 + messages, done.1 + bytes);
            }
            _ => {}
        }
    }
}

#[test]
fn progress_ends_at_what_was_announced() {
    let [source, target] =
        ["progress", "progressto"].map(|name| Dovecot::shared().account(name, Personality::Plain));
    Client::login(&source).fill(&generator::mailbox(12, 60));
    copy(&source, &target, &[]).ended(0);
    for deep in [false, true] {
        let open = |account: &Account, side| {
            let address = ImapAddress::parse(&account.plain_address()).unwrap();
            let run = AccountRun {
                observer: Arc::new(Silent),
                trace: false,
                stop: Arc::new(Stop::new()),
            };
            let secret = imap::Secret::fixed(PASSWORD.into());
            imap::Account::new(&address, secret, side, Access::ReadOnly, run).unwrap()
        };
        let (from, to) = (open(&source, Side::SOURCE), open(&target, Side::TARGET));
        let parts = Parts::default();
        let options = VerifyOptions {
            deep,
            ..VerifyOptions::default()
        };
        let rules = Rules::new(&folders::Options::default()).unwrap();
        let run = event::Run {
            stop: &Stop::new(),
            observer: &parts,
        };
        let summary = verbs::verify(Both::new(&from, &to), &rules, &options, run).unwrap();
        let parts = parts.0.into_inner().unwrap();
        assert_eq!(parts.first(), Some(&[(60, 0); 2]));
        let contents = [(60, summary.bytes_compared); 2];
        assert_eq!(parts.get(1), deep.then_some(&contents));
        assert_eq!(summary.bytes_compared > 0, deep);
    }
    let shown = verify(&source, &target, &["--deep"]).ended(0).stderr;
    assert!(
        shown.contains("comparing 60 messages\n")
            && shown.contains("comparing 60 messages in full ("),
        "{shown}"
    );
}

/// A message that tries to write to the terminal.
fn hostile(number: usize) -> NewMessage {
    let header = format!(
        "From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\nSubject: =?utf-8?Q?M=C3=A4rz_{number}_=1B[2J?=\r\n\
         Date: Mon, 3 Mar 2025 10:20:30 +0130\r\nMessage-ID: <{number}@h.example>\r\n\r\nbody\r\n"
    );
    NewMessage {
        flags: Vec::new(),
        date: Some(DATE.to_owned()),
        bytes: header.into_bytes(),
    }
}

#[test]
fn each_message_that_differs_has_its_subject_sender_and_date() {
    let [source, target] = twins("named");
    Client::login(&source).append(&["Box"], [hostile(1)].into_iter());
    replace(&target, "1", hostile(2));
    let mut client = Client::login(&target);
    client.select(&["Box"]);
    client.store("2", "+FLAGS", "\\Flagged");
    let run = verify(&source, &target, &[]).ended(4);
    let found: Vec<_> = (run.named("difference").iter())
        .map(|one| {
            ["kind", "subject", "from", "date"]
                .map(|name| one[name].as_str().unwrap_or("null").to_owned())
        })
        .collect();
    let sent = ["Jörg <j@example.org>", "2025-03-03T10:20:30+01:30"];
    // Where a message has no Date, when it arrived: Dovecot tells that in UTC.
    let arrived = ["ann@example.org", "2020-07-07T05:07:07+00:00"];
    let expected = [
        ["missing", "one", arrived[0], arrived[1]],
        ["missing", "März 1 \u{1b}[2J", sent[0], sent[1]],
        ["flags_differ", "two", arrived[0], arrived[1]],
        ["extra", "März 2 \u{1b}[2J", sent[0], sent[1]],
    ];
    assert_eq!(found, expected, "{run:?}");
    let people =
        crate::lab::run::run(&["verify", &source.plain_address(), &target.plain_address()])
            .ended(4);
    assert!(
        people
            .says("    UID 4 \"März 1 \\u{1b}[2J\" from Jörg <j@example.org>, 2025-03-03: only on"),
        "{people:?}"
    );
    people.assert_harmless();
    let deep = verify(&source, &target, &["--deep"]).ended(4);
    assert_eq!(
        deep.texts("difference", "subject"),
        run.texts("difference", "subject")
    );
}

#[test]
fn a_rehearsed_deletion_names_its_messages() {
    let [source, target] = twins("doomed");
    Client::login(&target).append(&["Box"], [hostile(1)].into_iter());
    let dry = copy(
        &source,
        &target,
        &["--delete", "--dry-run", "--max-delete", "100%"],
    )
    .ended(0);
    assert_eq!(
        dry.texts("message_deleted", "from"),
        ["Jörg <j@example.org>"]
    );
    let state = tempfile::tempdir().unwrap();
    let (from, to) = (source.plain_address(), target.plain_address());
    let keep = [
        "copy",
        &from,
        &to,
        "--keep-deleted",
        "--dry-run",
        "--max-delete",
        "100%",
    ];
    let people =
        crate::lab::run::run(&[&keep[..], &["--state", state.path().to_str().unwrap()]].concat())
            .ended(0);
    assert!(
        people.says("  UID 4 \"März 1 \\u{1b}[2J\" from Jörg <j@example.org>, 2025-03-03"),
        "{people:?}"
    );
}
