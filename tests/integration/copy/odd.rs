//! Odd messages are copied unchanged, or reported with the server's reason, and never prevent
//! others from being copied.

use super::{commands, count_commands, letter, plain_accounts, snapshot};
use crate::lab::client::Client;
use crate::lab::proxy::{Answer, Plan, Proxy};
use crate::lab::run::{Run, copy, verify};
use crate::lab::servers::{Account, Cyrus, Dovecot, Personality};
use std::os::unix::fs::{MetadataExt as _, chown};

const FOLDER: &str = "Odd";

/// Name and bytes of each odd message, as its file in the source's Maildir has them.
fn odd_messages() -> Vec<(&'static str, Vec<u8>)> {
    let with_body = |body: &[u8]| {
        [
            b"From: a@example.org\r\nSubject: odd\r\nMessage-ID: <odd@example.org>\r\n\r\n",
            body,
        ]
        .concat()
    };
    let many: String = (0..10_000)
        .map(|n| format!("X-Header-{n}: value {n}\r\n"))
        .collect();
    vec![
        (
            "no header",
            b"no header at all, only text\r\nin two lines\r\n".to_vec(),
        ),
        (
            "empty line first",
            b"\r\nan empty header and a body\r\n".to_vec(),
        ),
        ("nothing", Vec::new()),
        (
            "only a header",
            b"From: a@example.org\r\nSubject: only a header\r\nMessage-ID: <h@example.org>\r\n"
                .to_vec(),
        ),
        (
            "header cut off",
            b"From: a@example.org\r\nSubject: cut o".to_vec(),
        ),
        (
            "8-bit header",
            b"From: M\xfcller <m@example.org>\r\nSubject: gr\xfc\xdfe \xff\xfe\r\n\r\nhello\r\n"
                .to_vec(),
        ),
        ("NUL", with_body(b"a NUL \0 in a line\r\n")),
        ("bare LF", with_body(b"one\ntwo\n\nthree\r\n")),
        ("bare CR", with_body(b"one\rtwo\r\rthree\r\n")),
        ("no line end", with_body(b"the last line has no end")),
        (
            "long line",
            with_body(&[b"x".repeat(1 << 20), b"\r\n".to_vec()].concat()),
        ),
        ("many headers", format!("{many}\r\nbody\r\n").into_bytes()),
    ]
}

/// Writes messages into the account's Maildir as a delivery agent does that looks at nothing.
fn deliver(account: &Account, messages: &[(&str, Vec<u8>)]) {
    // The server has a home for every user beside its certificates.
    let home = account
        .ca
        .ancestors()
        .nth(2)
        .unwrap()
        .join("home")
        .join(&account.user);
    let cur = home.join("Maildir").join(format!(".{FOLDER}")).join("cur");
    let owner = std::fs::metadata(&cur).unwrap();
    for (number, (_, bytes)) in messages.iter().enumerate() {
        let file = cur.join(format!("{}.M{number}P1.odd:2,S", 1_600_000_000 + number));
        std::fs::write(&file, bytes).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

/// An account with odd messages among ordinary ones.
fn source(messages: &[(&str, Vec<u8>)]) -> Account {
    let account = Dovecot::shared().account("odd", Personality::Plain);
    let mut client = Client::login(&account);
    client.create(&[FOLDER]);
    deliver(&account, messages);
    client.append(&[FOLDER], (0..20).map(letter));
    account
}

/// Everything has crossed but what was named; a second run tries only that again.
fn all_crossed_but_the_named(source: &Account, target: &Account, run: &Run) {
    let failed = run.named("message_failed");
    let uids: Vec<u64> = failed
        .iter()
        .map(|event| event["uid"].as_u64().unwrap())
        .collect();
    for event in &failed {
        assert_eq!(event["folder"], FOLDER);
        assert!(
            event["reason"].as_str().unwrap().contains("refused it: "),
            "{event}"
        );
    }
    let on_source = snapshot(source);
    let plain = |message: &crate::lab::client::StoredMessage| {
        (
            message.sha256,
            message.size,
            message.flags.clone(),
            message.seconds,
        )
    };
    let mut expected: Vec<_> = on_source
        .folder(&[FOLDER])
        .iter()
        .filter(|message| !uids.contains(&u64::from(message.uid)))
        .map(plain)
        .collect();
    let mut crossed: Vec<_> = snapshot(target)
        .folder(&[FOLDER])
        .iter()
        .map(plain)
        .collect();
    expected.sort();
    crossed.sort();
    assert_eq!(crossed, expected);
    assert_eq!(run.count("copied"), expected.len() as u64);
    let code = if uids.is_empty() { 0 } else { 3 };
    let counts = [
        ("copied", 0),
        ("already_there", expected.len() as u64),
        ("failed", uids.len() as u64),
    ];
    copy(source, target, &[]).ended(code).counts(&counts);
}

#[test]
fn odd_messages_cross_or_are_named() {
    let messages = odd_messages();
    let source = source(&messages);
    let kinds = [
        Personality::Plain,
        Personality::Mdbox,
        Personality::NoMulti,
        Personality::NoLiteral,
        Personality::Poor,
    ];
    for kind in kinds {
        let target = Dovecot::shared().account("oddto", kind);
        let run = copy(&source, &target, &[])
            .ended(3)
            .counts(&[("failed", 1)]);
        // Dovecot takes everything but this.
        let failed = &run.named("message_failed")[0];
        assert!(
            failed["reason"].as_str().unwrap().contains("zero byte"),
            "{failed}"
        );
        all_crossed_but_the_named(&source, &target, &run);
        verify(&source, &target, &["--deep"]).ended(4).counts(&[
            ("missing", 1),
            ("changed", 0),
            ("compared", 31),
        ]);
    }
}

#[test]
fn what_cyrus_refuses_for_its_header_is_named() {
    let source = source(&odd_messages());
    let target = Cyrus::shared().account();
    let run = copy(&source, &target, &[])
        .ended(3)
        .counts(&[("failed", 3), ("copied", 29)]);
    let reasons: Vec<_> = run
        .named("message_failed")
        .iter()
        .map(|event| event["reason"].to_string())
        .collect();
    for (words, count) in [
        ("Zero-length message literal", 1),
        ("Message contains invalid header", 2),
    ] {
        assert_eq!(
            reasons
                .iter()
                .filter(|reason| reason.contains(words))
                .count(),
            count,
            "{reasons:?}"
        );
    }
    all_crossed_but_the_named(&source, &target, &run);
}

#[test]
fn a_refused_batch_is_sent_again_in_parts() {
    let [source, target] = plain_accounts("parts");
    Client::login(&source).append(&["INBOX"], (0..20).map(letter));
    // The batch of all and one of its halves.
    let plan = Plan::default()
        .answer(Answer::instead("APPEND", 1, "NO it does not say why"))
        .answer(Answer::instead("APPEND", 2, "NO it does not say why"));
    let proxy = Proxy::start(target.port, plan);
    copy(&source, &target.by_port(proxy.port), &[])
        .ended(0)
        .counts(&[("copied", 20), ("failed", 0)]);
    assert_eq!(count_commands(&commands(&proxy), &["APPEND"]), 5);
    assert_eq!(snapshot(&target).content(), snapshot(&source).content());
}

#[test]
fn a_message_of_sixty_megabytes_crosses() {
    let line = [b"y".repeat(998), b"\r\n".to_vec()].concat();
    let huge = [
        b"Subject: huge\r\nMessage-ID: <huge@example.org>\r\n\r\n".to_vec(),
        line.repeat(60_000),
    ]
    .concat();
    let source = source(&[("huge", huge)]);
    for target in [Personality::Plain, Personality::Poor] {
        let target = Dovecot::shared().account("huge", target);
        let run = copy(&source, &target, &[])
            .ended(0)
            .counts(&[("copied", 21), ("failed", 0)]);
        all_crossed_but_the_named(&source, &target, &run);
    }
}

#[test]
fn a_large_message_that_is_refused_is_named_with_its_message_id() {
    let line = [b"y".repeat(998), b"\r\n".to_vec()].concat();
    let large = [
        b"Subject: large\r\nMessage-ID: <large@example.org>\r\n\r\n".to_vec(),
        line.repeat(9_000),
    ]
    .concat();
    let source = source(&[("large", large)]);
    let target = Dovecot::shared().account("large", Personality::Poor);
    // Whatever is asked before its bytes are sent, the answer is no: the others are of the folder
    // INBOX here.
    let refuse = |nth| Answer::instead("APPEND \"Large\"", nth, "NO [LIMIT] too large");
    let plan = (1..=20).fold(Plan::default(), |plan, nth| plan.answer(refuse(nth)));
    let proxy = Proxy::start(target.port, plan);
    let map = ["--map", "Odd=Large", "--min-size", "1M"];
    let run = copy(&source, &target.by_port(proxy.port), &map)
        .ended(3)
        .counts(&[("failed", 1), ("skipped", 20)]);
    let failed = &run.named("message_failed")[0];
    assert_eq!(failed["message_id"], "<large@example.org>", "{failed}");
    assert!(
        failed["reason"].as_str().unwrap().contains("too large"),
        "{failed}"
    );
}
