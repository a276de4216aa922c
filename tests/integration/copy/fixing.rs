//! `--fix-refused`: what a server refuses for what is wrong with it is corrected and sent once, and
//! every later run knows it, with the state and without.

use crate::lab::client::{Client, NewMessage};
use crate::lab::memory::{Fake, Manner};
use crate::lab::pair::snapshot;
use crate::lab::proxy::{Answer, At, Direction, How, Plan, Proxy};
use crate::lab::run::{End, copy, sync, verify};
use crate::lab::scripted::Reply;
use crate::lab::servers::{Cyrus, Dovecot, Personality};

const FIX: &str = "--fix-refused";

/// A server with these messages in INBOX.
fn holding(messages: &[&[u8]]) -> (Fake, End) {
    let fake = Fake::start(Manner::default(), &[]);
    for message in messages {
        fake.put("INBOX", message);
    }
    let end = End::plain(fake.server.port, "");
    (fake, end)
}

/// A server that refuses what this finds wrong, in these words.
fn refusing(is_wrong: impl Fn(&[u8]) -> bool + Send + 'static, words: &'static str) -> (Fake, End) {
    let fake = Fake::start_with(Manner::default(), &[], move |command| {
        let refuses =
            command.name == "APPEND" && command.literals.iter().any(|literal| is_wrong(literal));
        refuses.then(|| Reply::status(words))
    });
    let end = End::plain(fake.server.port, "");
    (fake, end)
}

/// Whether a message has a bare LF.
fn is_bare(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|w| w[1] == b'\n' && w[0] != b'\r')
}

/// Whether its header has 8-bit text.
fn has_eight_bit_header(bytes: &[u8]) -> bool {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    !bytes[..end.unwrap_or(bytes.len())].is_ascii()
}

const BARE: &str = "NO Message contains bare newlines";
const EIGHT_BIT: &str = "NO Message contains non-ASCII characters in headers";

const ODD: [&[u8]; 6] = [
    b"Message-ID: <good@x>\r\nSubject: good\r\n\r\nx\r\n",
    b"Message-ID: <lf@x>\r\nSubject: bare\r\n\r\na\nb\r\n",
    // Two that only their bodies tell apart.
    b"Message-ID: <lf@x>\r\nSubject: bare\r\n\r\nanother\nb\r\n",
    b"just text, no header at all\r\n\r\nx\r\n",
    b"Message-ID: <blank@x>\r\nBad Field: x\r\n\r\nx\r\n",
    // Taken as it is, as a binary literal.
    b"Message-ID: <nul@x>\r\n\r\na\0b\nc\r\n",
];

#[test]
fn what_cyrus_refuses_is_taken_once_it_is_corrected_and_known_from_then_on() {
    let (_fake, source) = holding(&ODD);
    let cyrus = Cyrus::shared().account();
    let target = End::tls(&cyrus);
    // A dry run can't tell what will be refused.
    let rehearsal = copy(source.clone(), target.clone(), &[FIX, "--dry-run"]).ended(0);
    rehearsal.counts(&[("copied", 6), ("fixed", 0)]);
    let state = tempfile::tempdir().unwrap();
    let state = ["--state", state.path().to_str().unwrap()];
    let run = copy(
        source.clone(),
        target.clone(),
        &[&state[..], &[FIX]].concat(),
    )
    .ended(0);
    assert!(run.named("message_failed").is_empty(), "{run:?}");
    let events = run.named("message_fixed");
    let mut fixed: Vec<_> = events
        .iter()
        .map(|event| (event["uid"].as_u64().unwrap(), event["fixed"].to_string()))
        .collect();
    fixed.sort_unstable();
    assert_eq!(
        fixed,
        [
            (2, r#"["line_ends"]"#),
            (3, r#"["line_ends"]"#),
            (4, r#"["date","fields"]"#),
            (5, r#"["date","fields"]"#),
        ]
        .map(|(uid, what)| (uid, what.to_owned()))
    );
    run.counts(&[("copied", 6), ("failed", 0), ("fixed", 4)]);

    let before = snapshot(&cyrus).content();
    for options in [
        &state[..],
        &["--no-state"],
        &["--no-state", FIX],
        &["--no-state", "--delete"],
    ] {
        let again = copy(source.clone(), target.clone(), options).ended(0);
        again.counts(&[
            ("copied", 0),
            ("already_there", 6),
            ("failed", 0),
            ("deleted", 0),
        ]);
    }
    assert_eq!(snapshot(&cyrus).content(), before);
    for options in [&[][..], &["--deep"]] {
        let compared = verify(source.clone(), target.clone(), options).ended(0);
        compared.counts(&[
            ("compared", 6),
            ("changed", 0),
            ("missing", 0),
            ("fixed", 4),
        ]);
        let reverse = verify(target.clone(), source.clone(), options).ended(0);
        reverse.counts(&[("compared", 6), ("changed", 0), ("fixed", 4)]);
    }
    let repair = copy(source, target, &["--repair"]).ended(0);
    repair.counts(&[("repaired", 0), ("copied", 0)]);
}

#[test]
fn eight_bit_headers_are_written_for_a_server_that_takes_none() {
    let message =
        "Message-ID: <m@x>\r\nSubject: Gr\u{fc}\u{df}e\r\nFrom: M\u{fc}ller <ann@x>\r\n\r\nx\r\n";
    let (_source, from) = holding(&[message.as_bytes()]);
    let (target, to) = refusing(has_eight_bit_header, EIGHT_BIT);
    copy(from.clone(), to.clone(), &[FIX])
        .ended(0)
        .counts(&[("copied", 1), ("fixed", 1)]);
    let held = target.contents()["INBOX"].clone();
    let text = String::from_utf8(held[0].clone()).unwrap();
    assert!(
        text.contains("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"),
        "{text}"
    );
    assert!(
        text.contains(" <ann@x>\r\n") && text.ends_with("\r\n\r\nx\r\n"),
        "{text}"
    );
    copy(from.clone(), to.clone(), &[FIX])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 1)]);
    verify(from, to, &["--deep"])
        .ended(0)
        .counts(&[("fixed", 1)]);
}

#[test]
fn only_what_is_named_is_corrected_and_only_on_request() {
    let both =
        "Message-ID: <m@x>\r\nSubject: \u{fc}\r\nDate: 1 Feb 2024 03:04:05 +0000\r\n\r\na\nb\r\n";
    let (_source, from) = holding(&[both.as_bytes()]);
    let (target, to) = refusing(is_bare, BARE);
    copy(from.clone(), to.clone(), &[])
        .ended(3)
        .counts(&[("failed", 1), ("fixed", 0)]);
    copy(from, to, &[FIX])
        .ended(0)
        .counts(&[("copied", 1), ("fixed", 1)]);
    let text = String::from_utf8(target.contents()["INBOX"][0].clone()).unwrap();
    assert!(
        text.contains("Subject: \u{fc}\r\n") && text.ends_with("a\r\nb\r\n"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_corrected_is_named_with_both_reasons() {
    let signed: &[u8] =
        b"Message-ID: <s@x>\r\nContent-Type: multipart/signed; boundary=b\r\n\r\na\nb\r\n";
    let (_source, from) = holding(&[signed]);
    let (_target, to) = refusing(is_bare, BARE);
    let run = copy(from, to, &[FIX]).ended(3);
    let run = run.counts(&[("copied", 0), ("failed", 1), ("fixed", 0)]);
    let reason = run.texts("message_failed", "reason").remove(0);
    assert!(
        reason.contains("bare newlines") && reason.contains("signed"),
        "{reason}"
    );

    let (source, from) = holding(&[b"Message-ID: <v@x>\r\n\r\na\nb\r\n"]);
    let (target, to) = refusing(is_bare, "NO Message contains a virus");
    let run = copy(from, to, &[FIX]).ended(3);
    assert!(run.texts("message_failed", "reason")[0].ends_with("a virus"));
    let appends = target.lines_of("APPEND").len();
    assert!(appends <= 2, "{appends} {:?}", source.lines_of("UID"));
}

/// The reply to the corrected message is lost: it is found, by its mark, and not sent again.
#[test]
fn a_corrected_message_whose_reply_is_lost_is_sent_once() {
    let (_source, from) = holding(&[ODD[4]]);
    let (target, _) = refusing(
        |bytes| bytes.windows(4).any(|window| window == b"\nBad"),
        "NO Message contains invalid header",
    );
    // It is refused in passing, and once more with care.
    let lost = Plan::default()
        .answer(Answer::after("APPEND", 3, "* BYE gone"))
        .cut(
            Direction::Down,
            At::After("* BYE gone".to_owned()),
            How::Fin,
        )
        .only_first(1);
    let proxy = Proxy::start(target.server.port, lost);
    let run = copy(from, End::plain(proxy.port, ""), &[FIX, "-j1"]).ended(0);
    run.counts(&[("copied", 1), ("fixed", 1)]);
    assert_eq!(target.contents()["INBOX"].len(), 1);
    assert!(proxy.traffic().len() > 1, "nothing was lost");
}

#[test]
fn a_move_keeps_the_original_of_what_was_corrected() {
    let account = Dovecot::shared().account("fixmove", Personality::Plain);
    let odd = "Message-ID: <o@x>\r\nSubject: \u{fc}\r\n\r\nx\r\n";
    let mut client = Client::login(&account);
    client.append(
        &["INBOX"],
        [odd, "Message-ID: <g@x>\r\nSubject: good\r\n\r\nx\r\n"]
            .map(|text| NewMessage::of(text.as_bytes().to_vec()))
            .into_iter(),
    );
    let (target, to) = refusing(has_eight_bit_header, EIGHT_BIT);
    for (copied, deleted) in [(2, 1), (0, 0)] {
        let run = copy(End::from(&account), to.clone(), &[FIX, "--move"]).ended(0);
        run.counts(&[("copied", copied), ("deleted", deleted)]);
    }
    let left = snapshot(&account);
    assert_eq!(left.folder(&["INBOX"]).len(), 1);
    assert_eq!(left.folder(&["INBOX"])[0].size, odd.len());
    assert_eq!(target.contents()["INBOX"].len(), 2);
}

#[test]
fn a_sync_pairs_a_corrected_message_with_its_original() {
    let (source, first) = holding(&ODD[..3]);
    let (target, second) = refusing(is_bare, BARE);
    let root = tempfile::tempdir().unwrap();
    let state = |name: &str| root.path().join(name).display().to_string();
    let (kept, new) = (state("kept"), state("new"));
    // Refused at first, then corrected.
    let run = sync(first.clone(), second.clone(), &["--state", &kept]).ended(3);
    assert_eq!((run.count("copied"), run.count("failed")), (1, 2));
    let run = sync(first.clone(), second.clone(), &["--state", &kept, FIX]).ended(0);
    run.counts(&[("copied", 2), ("fixed", 2), ("to_second.fixed", 2)]);
    for state in [&kept, &kept, &new] {
        let run = sync(first.clone(), second.clone(), &["--state", state]).ended(0);
        run.counts(&[
            ("copied", 0),
            ("deleted", 0),
            ("failed", 0),
            ("already_there", 3),
        ]);
    }
    assert_eq!(source.contents()["INBOX"].len(), 3);
    assert_eq!(target.contents()["INBOX"].len(), 3);
}
