//! COMPRESS=DEFLATE (RFC 4978): the same mail in fewer bytes, only after TLS and login, and within
//! the same limits.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::client::Client;
use crate::lab::generator::mailbox;
use crate::lab::mailboxes::each;
use crate::lab::run::{End, Run, copy, doctor, folders, verify};
use crate::lab::scripted::{Scripted, Step, expect, send};
use crate::lab::secrets::assert_hidden;
use crate::lab::servers::{Account, AnyMechanism, Cyrus, Dovecot, Personality};
use crate::lab::tls_front;
use flate2::{Compress, Compression, FlushCompress};
use std::time::Duration;

/// How often it was asked for.
fn asked(run: &Run) -> usize {
    run.stderr
        .lines()
        .filter(|line| line.contains(" > ") && line.ends_with(" COMPRESS DEFLATE"))
        .count()
}

fn with(account: &Account, more: &str) -> End {
    End::new(format!("{}{more}", account.address()), &account.password)
}

#[test]
fn mail_crosses_compressed_connections_either_way_and_unchanged() {
    let source = Dovecot::shared().account("tocompressed", Personality::Plain);
    let (cyrus, last) = (
        Cyrus::shared().account(),
        Dovecot::shared().account("fromcompressed", Personality::Dot),
    );
    Client::login(&source).fill(&mailbox(77, 300));
    // Large enough to be streamed, and to fill many records.
    let large = "QUJD x y z 0123456789\r\n".repeat(200_000);
    let large = format!("Message-ID: <large@x>\r\nSubject: large\r\n\r\n{large}").into_bytes();
    Client::login(&source).append(
        &["INBOX"],
        [crate::lab::client::NewMessage::of(large)].into_iter(),
    );

    let there = copy(with(&source, ""), with(&cyrus, "&compress=on"), &["-vvv"])
        .ended(0)
        .counts(&[("copied", 301)]);
    assert!(asked(&there) > 0, "Cyrus offers it");
    let back = copy(with(&cyrus, "&compress=on"), with(&last, ""), &["-vvv"])
        .ended(0)
        .counts(&[("copied", 301)]);
    assert!(asked(&back) > 0);
    copy(with(&cyrus, "&compress=on"), with(&last, ""), &[])
        .ended(0)
        .counts(&[("copied", 0)]);
    verify(with(&cyrus, "&compress=on"), with(&last, ""), &["--deep"])
        .ended(0)
        .counts(&[("compared", 301)]);
    assert_eq!(
        Client::login(&last).snapshot().content(),
        Client::login(&source).snapshot().content()
    );
}

#[test]
fn it_is_one_round_trip_and_left_out_where_it_does_not_help() {
    let account = Cyrus::shared().account();
    let run = |more: &str| folders(with(&account, more), &["-vvv"]).ended(0);
    let is_told = |run: &Run| {
        run.stderr
            .lines()
            .any(|line| line.contains("connected to") && line.ends_with(", compressed"))
    };
    let on = run("&compress=on");
    assert_eq!(asked(&on), 1);
    assert!(is_told(&on), "{}", on.stderr);
    for more in ["", "&compress=auto", "&compress=off"] {
        let run = run(more);
        assert_eq!(asked(&run), 0, "{more}: a server on this machine");
        assert!(!is_told(&run), "{}", run.stderr);
    }
    for (more, words) in [
        ("&compress=on", ", compressed;"),
        (
            "",
            "compression available but unused (compress=on enables it)",
        ),
    ] {
        assert!(
            doctor(&[with(&account, more)], &["--idle", "0"])
                .ended(0)
                .says(words),
            "{more}"
        );
    }
    // T17: never in the clear, whatever is offered, and TLS comes before it.
    let plain = End::new(
        format!("{}&compress=on", account.plain_address()),
        &account.password,
    );
    assert_eq!(asked(&folders(plain, &["-vvv"]).ended(0)), 0);
    let start_tls = format!(
        "imap://{}@localhost:{}?compress=on&ca={}",
        account.user,
        account.port,
        account.ca.display()
    );
    let run = folders(End::new(start_tls, &account.password), &["-vvv"]).ended(0);
    let line = |words: &str| {
        run.stderr
            .lines()
            .position(|line| line.contains(" > ") && line.contains(words))
            .unwrap()
    };
    assert!(
        line("STARTTLS") < line("AUTHENTICATE") && line("AUTHENTICATE") < line("COMPRESS"),
        "{}",
        run.stderr
    );
}

/// A server behind TLS that takes the login, offers compression and answers so; then it sends these
/// bytes.
fn after(answer: &str, more: &[u8]) -> (Run, Vec<String>) {
    let ca = AnyMechanism::shared().account("zip").ca;
    let server = Scripted::script(vec![vec![
        send("* OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE SASL-IR AUTH=PLAIN] ready"),
        expect("AUTHENTICATE PLAIN"),
        send("{tag} OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] in"),
        expect("COMPRESS DEFLATE$"),
        send(answer),
        Step::Raw(more.to_vec()),
        Step::Pause(Duration::from_millis(200)),
    ]]);
    let port = tls_front::start(ca.parent().unwrap(), server.port);
    let address = format!(
        "imaps://ann@localhost:{port}?timeout=3&compress=on&ca={}",
        ca.display()
    );
    let run = folders(End::new(address, "hunter2"), &["-vvv"]);
    assert_hidden(&run, "hunter2");
    (run, server.lines())
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 100);
    Compress::new(Compression::best(), false)
        .compress_vec(bytes, &mut out, FlushCompress::Sync)
        .unwrap();
    out
}

/// T16: what swells, what never becomes anything, and what is no compressed stream.
#[test]
fn bombs_and_nonsense_end_the_connection() {
    let line = [b"* OK ".as_slice(), &vec![b' '; 20 << 20]].concat();
    let remarks = b"* OK still at work\r\n".repeat(140_000);
    let cases = [
        ("a line of more than 16777216 bytes", deflated(&line)),
        ("more than 131072 remarks", deflated(&remarks)),
        (
            "empty compressed data",
            [0, 0, 0, 0xff, 0xff].repeat(300_000),
        ),
        ("not compressed data", b"* LIST () \"/\" INBOX\r\n".to_vec()),
        ("not compressed data", vec![0xff; 50]),
    ];
    each(cases, |(words, bytes)| {
        let (run, _) = after("{tag} OK go", &bytes);
        assert!(run.ended(1).says(words), "{words}");
    });
}

#[test]
fn a_server_that_refuses_goes_on_without() {
    each(
        ["{tag} NO [COMPRESSIONACTIVE] no", "{tag} BAD what"],
        |answer| {
            let (run, lines) = after(answer, b"* BYE enough\r\n");
            assert!(run.ended(1).says("enough"));
            assert!(
                lines.last().is_some_and(|line| line.contains("COMPRESS")),
                "{lines:?}"
            );
        },
    );
}
