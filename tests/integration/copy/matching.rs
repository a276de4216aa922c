//! Which message is which, without any state: each case is a folder, and one run copies what each
//! of them lacks.

use super::{plain_accounts, snapshot};
use crate::lab::client::{Client, NewMessage};
use crate::lab::run::{copy, verify};
use crate::lab::servers::Account;
use std::collections::BTreeMap;

const NOON: &str = "03-May-2022 12:00:00 +0000";
const LATEST: &str = "05-May-2022 12:00:00 +0000";
const LATER: &str = "04-May-2022 12:00:00 +0000";

/// A message with this header, body and INTERNALDATE.
fn message(header: &str, body: &str, date: &str) -> NewMessage {
    let bytes = format!("{header}\r\n{body}\r\n").into_bytes();
    NewMessage {
        flags: Vec::new(),
        date: Some(date.to_owned()),
        bytes,
    }
}

fn with_id(id: &str, body: &str, date: &str) -> NewMessage {
    let header =
        format!("From: ann@example.org\r\nSubject: s\r\nMessage-ID: <{id}@example.org>\r\n");
    message(&header, body, date)
}

fn without_id(body: &str, date: &str) -> NewMessage {
    message("From: ann@example.org\r\nSubject: no id\r\n", body, date)
}

fn bare(text: &str) -> NewMessage {
    NewMessage {
        flags: Vec::new(),
        date: Some(NOON.to_owned()),
        bytes: text.as_bytes().to_vec(),
    }
}

/// A folder, what it holds on the source and on the target, and how many messages are to be copied.
struct Case(&'static str, Vec<NewMessage>, Vec<NewMessage>, u64);

fn cases() -> Vec<Case> {
    let all = |count: usize| {
        (0..count)
            .map(|n| with_id(&format!("n{n}"), &format!("body {n}"), NOON))
            .collect::<Vec<_>>()
    };
    vec![
        Case(
            "two under one id",
            vec![with_id("a", "one", NOON), with_id("a", "another", LATER)],
            vec![],
            2,
        ),
        Case(
            "two under one id, one there",
            vec![with_id("a", "one", NOON), with_id("a", "another", LATER)],
            vec![with_id("a", "one", NOON)],
            1,
        ),
        Case(
            "two under one id that look alike, one there",
            vec![with_id("a", "one", NOON), with_id("a", "two", NOON)],
            vec![with_id("a", "two", NOON)],
            1,
        ),
        Case(
            "without id",
            vec![
                without_id("x", NOON),
                without_id("yy", NOON),
                without_id("y", LATER),
            ],
            vec![],
            3,
        ),
        Case(
            "without id, other body of the same size and date",
            vec![without_id("x", NOON), without_id("y", NOON)],
            vec![without_id("y", NOON)],
            1,
        ),
        Case(
            "equals",
            vec![with_id("e", "same", NOON), with_id("e", "same", NOON)],
            vec![],
            2,
        ),
        Case(
            "equals, one there",
            vec![with_id("e", "same", NOON), with_id("e", "same", NOON)],
            vec![with_id("e", "same", NOON)],
            1,
        ),
        Case(
            "equals, both there",
            vec![without_id("same", NOON), without_id("same", NOON)],
            vec![without_id("same", NOON), without_id("same", NOON)],
            0,
        ),
        Case(
            "equals, more there",
            vec![with_id("e", "same", NOON)],
            vec![with_id("e", "same", NOON), with_id("e", "same", NOON)],
            0,
        ),
        Case(
            "Drafts",
            vec![
                without_id("Dear all", NOON),
                without_id("Dear Bob", NOON),
                without_id("Dear Bob, hello", LATER),
            ],
            vec![
                without_id("Dear Bob", NOON),
                without_id("Dear Eve, hello", LATEST),
            ],
            2,
        ),
        Case(
            "delivered there too, at another time",
            vec![with_id("d", "mail", NOON), with_id("e", "more mail", NOON)],
            vec![with_id("d", "mail", LATER)],
            1,
        ),
        Case(
            "no header",
            vec![
                bare("just text\r\n"),
                bare("some text\r\n"),
                bare("much longer text without a header\r\n"),
            ],
            vec![bare("some text\r\n")],
            2,
        ),
        Case("one date", all(5), all(2), 3),
        Case(
            "others there",
            vec![with_id("mine", "mine", NOON)],
            vec![
                with_id("theirs", "mine", NOON),
                with_id("another", "mine", NOON),
            ],
            1,
        ),
        Case(
            "all there, in another order",
            all(4),
            all(4).into_iter().rev().collect(),
            0,
        ),
    ]
}

fn fill(account: &Account, folder: &str, messages: &[NewMessage]) {
    let mut client = Client::login(account);
    client.create(&[folder]);
    client.append(&[folder], messages.iter().cloned());
}

/// How often each content is in a folder.
fn contents(account: &Account, folder: &str) -> BTreeMap<[u8; 32], usize> {
    let mut counts = BTreeMap::new();
    for message in snapshot(account).folder(&[folder]) {
        *counts.entry(message.sha256).or_default() += 1;
    }
    counts
}

#[test]
fn what_is_there_is_known_and_what_is_not_is_copied() {
    let [source, target] = plain_accounts("matching");
    for Case(folder, on_source, on_target, _) in &cases() {
        fill(&source, folder, on_source);
        fill(&target, folder, on_target);
    }
    let run = copy(&source, &target, &["--no-roles"]).ended(0);
    let planned: BTreeMap<String, u64> = run
        .named("folder_planned")
        .iter()
        .map(|plan| {
            (
                plan["from"].as_str().unwrap().to_owned(),
                plan["copy"].as_u64().unwrap(),
            )
        })
        .collect();
    let mut total = 0;
    for Case(folder, _, on_target, expected) in &cases() {
        assert_eq!(planned[*folder], *expected, "{folder}");
        total += expected;
        let (on_source, now) = (contents(&source, folder), contents(&target, folder));
        for (content, count) in &on_source {
            assert!(
                now.get(content).is_some_and(|there| there >= count),
                "{folder}: a message is missing"
            );
        }
        assert_eq!(
            now.values().sum::<usize>() as u64,
            on_target.len() as u64 + expected,
            "{folder}"
        );
    }
    assert_eq!(run.count("copied"), total);
    copy(&source, &target, &["--no-roles"])
        .ended(0)
        .counts(&[("copied", 0), ("flags_updated", 0)]);
    // What else is on the target are a draft, an equal, two others; and one has another date.
    let counts = [
        ("missing", 0),
        ("extra", 4),
        ("changed", 0),
        ("dates_differ", 1),
    ];
    verify(&source, &target, &["--no-roles"])
        .ended(4)
        .counts(&counts);
    verify(&source, &target, &["--no-roles", "--deep"])
        .ended(4)
        .counts(&counts);
}
