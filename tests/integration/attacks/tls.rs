//! Attacks before the login: whoever injects data before TLS, strips what a server offers or
//! presents another certificate gets no byte of a secret. The rows T1 to T18 are those of
//! docs/security.md, which also lists tests in other files.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::certificates::{Authority, Wish};
use crate::lab::fake::Fake;
use crate::lab::mailboxes::{each, message};
use crate::lab::run::{End, Run, folders};
use crate::lab::scripted::{Reply, Scripted, Step, expect, send};
use crate::lab::secrets::{assert_hidden, is_in};
use crate::lab::servers::AnyMechanism;
use crate::lab::tls_front;
use openssl::hash::MessageDigest;
use openssl::ssl::SslVersion;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

/// No word of English and no part of any other text here.
const SECRET: &str = "Zq7/secret+word";

/// Plays the steps to a run of `folders` and fails if a byte of the secret, or a login, went out or
/// was shown.
#[track_caller]
fn attack(steps: Vec<Step>, more: &str) -> Run {
    let server = Scripted::script(vec![steps]);
    let address = format!("imap://ann@127.0.0.1:{}?timeout=2{more}", server.port);
    let run = folders(End::new(address, SECRET), &["-vvv"]);
    assert_nothing_given(&run, &server);
    run
}

#[track_caller]
fn assert_nothing_given(run: &Run, server: &Scripted) {
    let lines = server.lines().join("\n");
    assert!(!is_in(lines.as_bytes(), SECRET), "{lines}");
    let is_login = |line: &str| {
        ["LOGIN", "AUTHENTICATE"].contains(&line.split(' ').nth(1).unwrap_or_default())
    };
    assert!(!lines.lines().any(is_login), "{lines}");
    assert_hidden(run, SECRET);
}

/// T2, T3, T4.
#[test]
fn nothing_but_the_ok_to_starttls_begins_tls() {
    let offer = || send("* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready");
    let asked = |answer: &str| {
        vec![
            offer(),
            expect("STARTTLS$"),
            send(answer),
            Step::Pause(Duration::from_millis(100)),
        ]
    };
    each(
        [
            // T2: another answer, or one to another command.
            ("asked for more", asked("+ go ahead")),
            ("sent nothing for 2 s", asked("{tag} MAYBE fine")),
            ("sent nothing for 2 s", asked("{tag}")),
            ("command that was never sent", asked("other OK begin TLS")),
            // T3: an answer that was there before the command. Whoever guesses tags has 40 bits to
            // guess.
            (
                "command that was never sent",
                vec![
                    Step::Raw(b"* OK ready\r\nA1 OK go\r\na001 OK go\r\n1 OK go\r\n".to_vec()),
                    Step::Expect("STARTTLS".to_owned()),
                ],
            ),
            // T4: more behind the OK, in one piece with it.
            (
                "OK to STARTTLS and TLS",
                asked("{tag} OK go\r\n* OK [ALERT] all is well"),
            ),
            (
                "OK to STARTTLS and TLS",
                asked("{tag} OK go\r\n{tag} OK go"),
            ),
            (
                "OK to STARTTLS and TLS",
                asked("{tag} OK go\r\n* PREAUTH [CAPABILITY IMAP4rev1] welcome"),
            ),
            ("OK to STARTTLS and TLS", asked("{tag} OK go\r\n* ")),
        ],
        |(words, steps)| {
            let run = attack(steps, "").ended(6);
            assert!(run.says(words), "{words}: {run:?}");
        },
    );
}

/// T1: what is not offered is asked for all the same, and without it nothing goes on.
#[test]
fn starttls_is_asked_for_whatever_is_offered() {
    for greeting in [
        "* OK ready",
        "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready",
    ] {
        let run = attack(
            vec![
                send(greeting),
                expect("STARTTLS$"),
                send("{tag} BAD unknown command"),
            ],
            "",
        )
        .ended(6);
        assert!(run.says("refuses STARTTLS"), "{run:?}");
    }
}

/// T5 and T6: a connection that is said to be logged in may be in anybody's mailbox.
#[test]
fn preauth_is_refused_with_and_without_tls() {
    let said = "PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome back";
    assert!(
        attack(vec![send(&format!("* {said}"))], "")
            .ended(6)
            .says("PREAUTH")
    );
    let ca = AnyMechanism::shared().account("preauth").ca;
    let server = Scripted::serve(said, |_| Reply::ok());
    let port = tls_front::start(ca.parent().unwrap(), server.port);
    let address = format!(
        "imaps://ann@localhost:{port}?timeout=20&ca={}",
        ca.display()
    );
    let run = folders(End::new(address, SECRET), &["-vvv"]).ended(6);
    assert!(run.says("already logged in"), "{run:?}");
    assert_eq!(server.lines(), [""; 0]);
}

/// T7: capabilities, names and folders that were told before TLS are told by nobody.
#[test]
fn what_was_said_before_tls_is_forgotten() {
    let injected = "* CAPABILITY IMAP4rev1 LITERAL+ MULTIAPPEND NAMESPACE ID COMPRESS=DEFLATE AUTH=PLAIN\r\n\
                    * LIST () \"/\" evil\r\n* LSUB () \"/\" evil\r\n* STATUS INBOX (MESSAGES 99)\r\n* 99 EXISTS\r\n\
                    * ID (\"name\" \"evil\")\r\n* NAMESPACE ((\"evil.\" \".\")) NIL NIL\r\n* SEARCH 1 2\r\n* FLAGS (evil)\r\n\
                    * 1 FETCH (UID 1 FLAGS (evil))\r\n* 1 EXPUNGE\r\n* OK [UIDVALIDITY 66] evil\r\n";
    let ca = AnyMechanism::shared().account("forgotten").ca;
    let (server, _) = Fake::of([message(1, "one").bytes]).serve(|command, _| {
        (command.name == "CAPABILITY").then(|| Reply::ok().line("* CAPABILITY IMAP4rev1"))
    });
    let port = tls_front::start_tls(ca.parent().unwrap(), server.port, injected);
    let address = format!("imap://ann@localhost:{port}?timeout=20&ca={}", ca.display());
    let run = folders(End::new(address, SECRET), &["-v"]).ended(0);
    assert_eq!(run.texts("folder", "name"), ["INBOX"]);
    run.counts(&[("messages", 1)]);
    let lines = server.lines();
    assert!(
        lines[0].ends_with(" CAPABILITY") && lines[1].contains(" LOGIN "),
        "asked anew: {lines:?}"
    );
    for word in [" ID ", "NAMESPACE", "COMPRESS", "AUTHENTICATE", "evil"] {
        assert!(
            !lines.iter().any(|line| line.contains(word)),
            "{word}: {lines:?}"
        );
    }
}

/// T8: nobody goes where a server sends him.
#[test]
fn a_referral_is_named_and_never_followed() {
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    evil.set_nonblocking(true).unwrap();
    let url = format!(
        "imap://;AUTH=*@127.0.0.1:{}/",
        evil.local_addr().unwrap().port()
    );
    let greeting = || send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR LOGIN-REFERRALS] ready");
    let login = || expect("AUTHENTICATE PLAIN ");
    let refusal = format!("[REFERRAL {url}] elsewhere");
    let cases = [
        (6, "&tls=none", vec![send(&format!("* BYE {refusal}"))]),
        (6, "", vec![send(&format!("* BYE {refusal}"))]),
        (
            5,
            "&tls=none",
            vec![greeting(), login(), send(&format!("{{tag}} NO {refusal}"))],
        ),
    ];
    for (code, more, steps) in cases {
        let server = Scripted::script(vec![steps]);
        let address = format!("imap://ann@127.0.0.1:{}?timeout=2{more}", server.port);
        let run = folders(End::new(address, SECRET), &[]).ended(code);
        assert!(
            run.says(&format!("refers to {url}, which mailferry doesn't follow")),
            "{run:?}"
        );
    }
    // A folder that is said to be elsewhere is one that can't be read.
    let (server, _) = Fake::of([message(1, "one").bytes]).serve(move |command, _| {
        (command.name == "EXAMINE").then(|| Reply::status(&format!("NO {refusal}")))
    });
    let run = folders(
        End::new(
            format!("imap://ann@127.0.0.1:{}?tls=none", server.port),
            SECRET,
        ),
        &[],
    );
    assert!(run.says(&format!("refers to {url}")), "{run:?}");
    assert!(evil.accept().is_err(), "somebody came");
}

/// T9: what anybody may have written is not shown as the server's word, and can't move the
/// terminal.
#[test]
fn words_from_before_tls_are_marked_and_harmless() {
    let alert = "[ALERT] \x1b[2Jcall +49 30 123\x07";
    let refused = vec![
        send("* OK [ALERT] call now"),
        expect("STARTTLS"),
        send(&format!("{{tag}} NO {alert}")),
    ];
    for (code, steps) in [(6, refused), (6, vec![send(&format!("* BYE {alert}"))])] {
        let run = attack(steps, "").ended(code);
        assert!(
            run.says("says (unauthenticated): ") && !run.says("\x1b") && !run.says("\x07"),
            "{run:?}"
        );
        assert!(run.stderr.contains(r"\u{1b}[2Jcall +49"), "{run:?}");
    }
}

/// T10.
#[test]
fn a_greeting_that_is_none_gets_nothing() {
    let greetings = [
        "",
        "HELLO",
        "* HELLO",
        "* 1 EXISTS",
        "* NO no",
        "* BAD bad",
        "A1 OK hello",
        "220 ready ESMTP",
        "+ OK",
    ];
    each(
        greetings
            .into_iter()
            .flat_map(|greeting| [(greeting, ""), (greeting, "&tls=none")]),
        |(greeting, more)| {
            let run = attack(vec![send(greeting)], more).ended(if more.is_empty() { 6 } else { 1 });
            assert!(
                run.says("didn't speak IMAP") || run.says("does not speak IMAP"),
                "{greeting}: {run:?}"
            );
        },
    );
    // The protocol's predecessor, and a server that says nothing of itself.
    for capability in ["IMAP4 AUTH=PLAIN", "IMAP2", ""] {
        let steps = vec![
            send("* OK ready"),
            expect("CAPABILITY$"),
            send(&format!("* CAPABILITY {capability}\r\n{{tag}} OK done")),
        ];
        let run = attack(steps, "&tls=none").ended(1);
        assert!(
            run.says("neither IMAP4rev1 nor IMAP4rev2"),
            "{capability}: {run:?}"
        );
    }
}

/// A server behind a certificate of an authority that the client trusts, and the address for it.
fn behind(
    authority: &Authority,
    wish: &Wish,
    newest: SslVersion,
    host: &str,
) -> (Scripted, String, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let ca: PathBuf = authority.file(directory.path());
    let server = Scripted::serve("OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready", |_| {
        Reply::ok()
    });
    let port = tls_front::start_with(authority.acceptor(wish, newest), server.port);
    (
        server,
        format!("imaps://ann@{host}:{port}?timeout=20&ca={}", ca.display()),
        directory,
    )
}

/// T11: each check of a certificate that an authority has signed by mistake. `faults_tls` has those
/// that none has signed.
#[test]
fn a_certificate_must_hold_in_each_point_and_can_be_pinned() {
    let authority = Authority::new();
    let usual = Wish::default;
    let cases = [
        (
            "127.0.0.1",
            "mismatch",
            Wish {
                names: Some("127.0.0.2"),
                ..usual()
            },
        ),
        ("127.0.0.1", "mismatch", usual()),
        (
            "localhost",
            "mismatch",
            Wish {
                names: Some("localhost.evil.example"),
                ..usual()
            },
        ),
        (
            "localhost",
            "no subject alternative name",
            Wish {
                names: None,
                ..usual()
            },
        ),
        (
            "localhost",
            "too weak",
            Wish {
                bits: 1024,
                ..usual()
            },
        ),
        (
            "localhost",
            "too weak",
            Wish {
                digest: MessageDigest::sha1(),
                ..usual()
            },
        ),
    ];
    for (host, words, wish) in cases {
        let (server, address, _ca) = behind(&authority, &wish, SslVersion::TLS1_3, host);
        let run = folders(End::new(address.as_str(), SECRET), &["-vvv"]).ended(6);
        assert!(
            run.says("is not trusted") && run.says(words),
            "{host}: {run:?}"
        );
        assert!(
            run.says("its fingerprint is sha256:") && run.says("pin=sha256:"),
            "{host}: {run:?}"
        );
        assert_nothing_given(&run, &server);
    }
    let (_server, address, _ca) = behind(&authority, &usual(), SslVersion::TLS1_3, "localhost");
    let run = folders(End::new(address.as_str(), SECRET), &["-vvv"]);
    assert!(
        run.says("AUTHENTICATE PLAIN"),
        "the certificate that is good is taken: {run:?}"
    );
}

/// T12: there is no option for less.
#[test]
fn old_tls_and_its_ciphers_are_refused() {
    let authority = Authority::new();
    for newest in [SslVersion::TLS1, SslVersion::TLS1_1] {
        let (server, address, _ca) = behind(&authority, &Wish::default(), newest, "localhost");
        let run = folders(End::new(address.as_str(), SECRET), &["-vvv"]).ended(6);
        assert!(run.says("TLS 1.2"), "{run:?}");
        assert_nothing_given(&run, &server);
    }
}
