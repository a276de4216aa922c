//! Messages are recognised without a state, whatever servers do to their headers; and two that
//! differ stay two.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, NewMessage};
use crate::lab::memory::{self, Fake, Manner};
use crate::lab::run::{End, Run, copy, sync, verify};
use crate::lab::servers::{Account, Courier, Cyrus, Dovecot, Personality};

fn dated(bytes: impl Into<Vec<u8>>) -> NewMessage {
    NewMessage {
        date: Some("05-Feb-2024 03:04:05 +0130".to_owned()),
        ..NewMessage::of(bytes)
    }
}

/// A Dovecot account with these messages in its INBOX, all of one date.
fn dovecot(name: &str, messages: &[Vec<u8>]) -> Account {
    let account = Dovecot::shared().account(name, Personality::Plain);
    Client::login(&account).append(&["INBOX"], messages.iter().cloned().map(dated));
    account
}

/// How many messages the account's INBOX holds.
fn held(account: &Account) -> usize {
    Client::login(account).snapshot().folder(&["INBOX"]).len()
}

/// A sync that begins without a state.
fn sync_anew(first: impl Into<End>, second: impl Into<End>) -> Run {
    let state = tempfile::tempdir().unwrap();
    sync(first, second, &["--state", state.path().to_str().unwrap()])
}

/// Messages with raw 8-bit bytes in their headers, two of which differ in these bytes alone.
fn eight_bit() -> Vec<Vec<u8>> {
    let of = |from: &[u8], subject: &[u8]| {
        let parts: [&[u8]; 5] = [
            b"Message-ID: <8bit@x>\r\nFrom: ",
            from,
            b" <a@x>\r\nSubject: ",
            subject,
            b"\r\n\r\nb\xf6dy\r\n",
        ];
        parts.concat()
    };
    vec![
        of(b"Ann", b"plain"),
        of(b"M\xfcller", b"Gr\xc3\xbc\xc3\x9fe"),
        of(b"Ann", b"\xe4"),
        of(b"Ann", b"\xf6"),
        b"Subject: \xff\r\n\r\nno id\r\n".to_vec(),
    ]
}

#[test]
fn a_server_that_writes_x_for_8_bit_bytes_gets_each_message_once() {
    let source = dovecot("munged", &eight_bit());
    let cyrus = Cyrus::munging().account();
    copy(&source, &cyrus, &[]).ended(0).counts(&[("copied", 5)]);
    let stored = |account: &Account| Client::login(account).snapshot().content();
    assert_ne!(
        stored(&cyrus),
        stored(&source),
        "this Cyrus keeps 8-bit bytes"
    );
    copy(&source, &cyrus, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 5)]);
    // With a state, too, and it is believed: nothing is compared anew.
    let state = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let run = copy(
            &source,
            &cyrus,
            &["--state", state.path().to_str().unwrap()],
        )
        .ended(0);
        assert!(!run.says("other messages now"), "{run:?}");
        run.counts(&[("copied", 0), ("already_there", 5)]);
    }
    // And back, to where they came from.
    copy(&cyrus, &source, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 5)]);
    let run = verify(&source, &cyrus, &[]).ended(4).counts(&[
        ("missing", 0),
        ("extra", 0),
        ("changed", 4),
    ]);
    assert!(
        run.texts("difference", "detail")
            .iter()
            .all(|detail| detail.contains("8-bit")),
        "{run:?}"
    );
}

#[test]
fn a_sync_that_lost_its_state_does_not_double_what_a_server_munged() {
    let first = dovecot("mungedsync", &eight_bit());
    let cyrus = Cyrus::munging().account();
    sync_anew(&first, &cyrus).ended(0).counts(&[("copied", 5)]);
    for _ in 0..2 {
        sync_anew(&first, &cyrus).ended(0).counts(&[("copied", 0)]);
        sync_anew(&cyrus, &first).ended(0).counts(&[("copied", 0)]);
    }
    assert_eq!((held(&first), held(&cyrus)), (5, 5));
}

#[test]
fn messages_that_differ_in_8_bit_bytes_only_stay_two() {
    let [.., a, o, _] = &eight_bit()[..] else {
        panic!("as many as there are")
    };
    let source = dovecot("umlauts", &[a.clone(), o.clone()]);
    // A server that keeps the bytes has one of them.
    let target = dovecot("umlautsto", std::slice::from_ref(a));
    copy(&source, &target, &[])
        .ended(0)
        .counts(&[("copied", 1), ("already_there", 1)]);
    let content = |account: &Account| Client::login(account).snapshot().content();
    assert_eq!(content(&target), content(&source));
    // One that does not has one of them, and can't say which: it gets another one, which looks the
    // same.
    let cyrus = Cyrus::munging().account();
    Client::login(&cyrus).append(&["INBOX"], std::iter::once(dated(a.clone())));
    copy(&source, &cyrus, &[])
        .ended(0)
        .counts(&[("copied", 1), ("already_there", 1)]);
    copy(&source, &cyrus, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 2)]);
}

/// Messages with blanks before a colon, as of old (RFC 5322 section 4.5).
fn obsolete() -> Vec<Vec<u8>> {
    vec![
        b"Message-ID  : <old@x>\r\nSubject\t: a\r\nFrom : a@x\r\n\r\nx\r\n".to_vec(),
        b"Message-ID  : <old@x>\r\nSubject\t: b\r\nFrom : a@x\r\n\r\nx\r\n".to_vec(),
        b"Date : Tue, 2 Jan 2024 10:00:00 +0100\r\nSubject: b\r\n\r\nx\r\n".to_vec(),
        b"Subject : the only one\r\n\r\nx\r\n".to_vec(),
    ]
}

#[test]
fn fields_with_blanks_before_the_colon_are_the_same_whether_a_server_lists_them_or_not() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let source = dovecot("obsolete", &obsolete());
    copy(&source, &courier, &[])
        .ended(0)
        .counts(&[("copied", 4)]);
    for _ in 0..2 {
        copy(&source, &courier, &[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 4)]);
        copy(&courier, &source, &[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 4)]);
        sync_anew(&source, &courier)
            .ended(0)
            .counts(&[("copied", 0)]);
    }
    verify(&source, &courier, &[])
        .ended(0)
        .counts(&[("compared", 4)]);
}

#[test]
fn a_huge_header_line_gives_the_same_key_everywhere() {
    let huge = |name: &str, length: usize| {
        let line = "x".repeat(length);
        format!("Message-ID: <{name}@x>\r\n{name}: {line}\r\nFrom: a@x\r\n\r\nx\r\n").into_bytes()
    };
    // Dovecot itself ends when it is asked for a subject of 20 MB.
    let source = dovecot(
        "huge",
        &[
            huge("Subject", 300_000),
            huge("To", 70_000),
            huge("X-Huge", 2 << 20),
        ],
    );
    let root = tempfile::tempdir().unwrap();
    for kind in ["maildir", "mbox"] {
        let directory = format!("{kind}:{}", root.path().join(kind).display());
        copy(&source, &directory, &[])
            .ended(0)
            .counts(&[("copied", 3)]);
        copy(&source, &directory, &[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 3)]);
        copy(&directory, &source, &[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 3)]);
    }
}

#[test]
fn a_draft_is_known_again_on_a_server_that_adds_fields_and_a_revision_is_another_draft() {
    let draft =
        |body: &str| format!("Message-ID: <draft@x>\r\nSubject: a\r\n\r\n{body}\r\n").into_bytes();
    let drafts = [("Drafts", "\\Drafts")];
    let xlist = Manner {
        xlist: true,
        after: "IMAP4rev1 XLIST".to_owned(),
        ..Manner::default()
    };
    let source = Fake::start(xlist.clone(), &drafts);
    let adding = Fake::start(
        Manner {
            rewrites: Some(memory::with_a_header),
            ..xlist
        },
        &drafts,
    );
    let [from, to] = [&source, &adding].map(|fake| End::plain(fake.server.port, ""));
    source.put("Drafts", &draft("first"));
    copy(from.clone(), to.clone(), &[])
        .ended(0)
        .counts(&[("copied", 1)]);
    copy(from.clone(), to.clone(), &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 1)]);
    sync_anew(from.clone(), to.clone())
        .ended(0)
        .counts(&[("copied", 0)]);
    // Saved again, with the same Message-ID, at the same size and in the same second.
    source.put("Drafts", &draft("other"));
    copy(from.clone(), to.clone(), &[])
        .ended(0)
        .counts(&[("copied", 1), ("already_there", 1)]);
    copy(from, to, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 2)]);
    assert_eq!(adding.boxes()["Drafts"].messages.len(), 2);
}

/// From `second` to an empty third mailbox and back to both others: nothing is sent twice.
fn goes_on_and_back(name: &str, second: &End, third: &End, first: &End) {
    let run = copy(second.clone(), third.clone(), &[]);
    let (copied, failed) = (run.count("copied"), run.count("failed"));
    let run = run.ended(if failed > 0 { 3 } else { 0 });
    assert!(failed < 5, "{name}: {:?}", run.named("message_failed"));
    for (from, to) in [
        (second, third),
        (third, second),
        (third, second),
        (third, first),
        (second, third),
    ] {
        let run = copy(from.clone(), to.clone(), &[]);
        let counts = (run.count("copied"), run.count("already_there"));
        assert_eq!(
            counts,
            (0, copied),
            "{name}: {} to {}: {}",
            from.address,
            to.address,
            run.stdout
        );
    }
}

/// Whatever a server makes of odd mail, nothing is sent twice, there or back, and what it does not
/// take is named.
fn odd_mail_goes_there_and_back(name: &str, there: &End) {
    let source = Fake::start(Manner::default(), &[]);
    let mut odd = crate::lab::generator::odd::odd();
    // Courier drops bare CRs, which are all of this message's line ends.
    odd.retain(|(shape, _)| name != "Courier" || shape != "CR only");
    for (_, NewMessage { flags, date, bytes }) in odd.clone() {
        let flags = flags.into_iter().collect();
        source
            .boxes()
            .get_mut("INBOX")
            .unwrap()
            .add(flags, date.unwrap(), bytes);
    }
    let here = End::plain(source.server.port, "");
    let all = odd.len() as u64;
    let run = copy(here.clone(), there.clone(), &[]);
    let (taken, named) = (
        run.count("copied"),
        run.named("message_failed").len() as u64,
    );
    assert_eq!(
        (run.count("failed"), taken + named),
        (named, all),
        "{name}: {}",
        run.stdout
    );
    let run = run.ended(if named > 0 { 3 } else { 0 });
    let refused: Vec<String> = (run.named("message_failed").iter())
        .map(|event| {
            format!(
                "{}: {}",
                odd[event["uid"].as_u64().unwrap() as usize - 1].0,
                event["reason"]
            )
        })
        .collect();
    let run = copy(here.clone(), there.clone(), &[]);
    let counts = (run.count("copied"), run.count("failed"));
    let again = run.named("message_failed");
    let name_of =
        |event: &serde_json::Value| odd[event["uid"].as_u64().unwrap() as usize - 1].0.clone();
    let again: Vec<String> = again.iter().map(name_of).collect();
    assert_eq!(
        counts,
        (0, named),
        "{name}: {refused:?} {again:?} {}",
        run.stdout
    );
    for _ in 0..2 {
        let back = copy(there.clone(), here.clone(), &[]).ended(0);
        assert_eq!(
            (back.count("copied"), back.count("already_there")),
            (0, taken),
            "{name}: {}",
            back.stdout
        );
    }
    assert_eq!(source.boxes()["INBOX"].messages.len(), odd.len(), "{name}");
    let root = tempfile::tempdir().unwrap();
    let third = match there.address.starts_with("maildir") {
        true => End::tls(&Dovecot::shared().account("third", Personality::Plain)),
        false => End::from(&format!("maildir:{}", root.path().join("third").display())),
    };
    goes_on_and_back(name, there, &third, &here);
    assert!(named < 20, "{name}: {refused:#?}");
}

#[test]
fn odd_mail_crosses_once_to_dovecot() {
    for personality in [Personality::Plain, Personality::Mdbox] {
        let account = Dovecot::shared().account("odd", personality);
        odd_mail_goes_there_and_back("Dovecot", &End::tls(&account));
    }
}

#[test]
fn odd_mail_crosses_once_to_cyrus() {
    odd_mail_goes_there_and_back("Cyrus", &End::tls(&Cyrus::shared().account()));
    odd_mail_goes_there_and_back("munging Cyrus", &End::tls(&Cyrus::munging().account()));
}

#[test]
fn odd_mail_crosses_once_to_courier() {
    let Some(courier) = Courier::shared() else {
        return;
    };
    odd_mail_goes_there_and_back("Courier", &End::tls(&courier.account()));
}

#[test]
fn odd_mail_crosses_once_to_directories() {
    let root = tempfile::tempdir().unwrap();
    for kind in ["maildir", "mbox"] {
        let address = format!("{kind}:{}", root.path().join(kind).display());
        odd_mail_goes_there_and_back(kind, &End::from(&address));
    }
}
