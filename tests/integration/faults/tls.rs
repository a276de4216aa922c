//! No secret is sent before TLS is established and trusted, and none is ever shown.

use crate::lab::mailboxes::{assert_equal, at, empty, filled, messages};
use crate::lab::run::{Run, copy, folders};
use crate::lab::scripted::{Scripted, Step, expect, send};
use crate::lab::secrets::is_in;
use crate::lab::servers::{Account, PASSWORD, Personality};
use std::time::{Duration, Instant};

/// The password of all accounts here.
fn is_secret_in(text: &str) -> bool {
    is_in(text.as_bytes(), PASSWORD)
}

fn shown(run: &Run) -> String {
    run.events()
        .iter()
        .map(ToString::to_string)
        .collect::<String>()
        + &run.stderr
}

/// A source that is reached in this way; the target is a real one.
#[track_caller]
fn refuses(address: &str, words: &str) -> Run {
    let target = empty("dst", Personality::Plain);
    let run = copy(address, &at(&target), &["-vvv"]).ended(6);
    assert!(shown(&run).contains(words), "{run:?}");
    assert!(!is_secret_in(&shown(&run)));
    run
}

#[test]
fn starttls_that_is_tampered_with_ends_before_any_secret() {
    let offer = || send("* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] ready");
    let table: Vec<(&str, Vec<Step>)> = vec![
        // Bytes that an attacker puts behind the server's OK would count as having come through
        // TLS.
        (
            "OK to STARTTLS and TLS",
            vec![
                offer(),
                expect("STARTTLS"),
                send("{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN"),
                Step::Pause(Duration::from_millis(200)),
            ],
        ),
        (
            "refuses STARTTLS",
            vec![offer(), expect("STARTTLS"), send("{tag} NO not today")],
        ),
        (
            "refuses STARTTLS",
            vec![
                send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"),
                expect("STARTTLS"),
                send("{tag} BAD what"),
            ],
        ),
        (
            "PREAUTH",
            vec![send("* PREAUTH [CAPABILITY IMAP4rev1] welcome back")],
        ),
        (
            "plain text",
            vec![
                offer(),
                expect("STARTTLS"),
                send("{tag} OK go"),
                Step::Pause(Duration::from_millis(300)),
                send("* OK still here, in plain text"),
            ],
        ),
    ];
    for (words, steps) in table {
        let server = Scripted::script(vec![steps]);
        refuses(
            &format!("imap://ann@127.0.0.1:{}?timeout=20", server.port),
            words,
        );
        let lines = server.lines().join("\n");
        assert!(
            !is_secret_in(&lines) && !lines.contains("AUTHENTICATE") && !lines.contains("LOGIN"),
            "{lines}"
        );
    }
}

#[test]
fn a_server_without_plain_login_before_tls_gets_nothing() {
    // tls=none is the user's own choice, and LOGINDISABLED the server's.
    let server = Scripted::script(vec![vec![send(
        "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready",
    )]]);
    refuses(
        &format!("imap://ann@127.0.0.1:{}?tls=none&timeout=20", server.port),
        "LOGINDISABLED",
    );
    assert!(!is_secret_in(&server.lines().join("\n")));
}

fn at_host(account: &Account, host: &str, start_tls: bool, ca: bool) -> String {
    let (scheme, port) = if start_tls {
        ("imap", account.port)
    } else {
        ("imaps", account.tls_port)
    };
    let ca = if ca {
        format!("&ca={}", account.ca.display())
    } else {
        String::new()
    };
    format!("{scheme}://{}@{host}:{port}?timeout=20{ca}", account.user)
}

#[test]
fn certificates_that_must_not_be_trusted_are_refused_with_the_check_that_failed() {
    let source = empty("src", Personality::Plain);
    for start_tls in [false, true] {
        for (host, ca, words) in [
            ("127.0.0.4", true, "mismatch"),
            ("127.0.0.5", true, "self"),
            ("127.0.0.6", true, "expired"),
            // Without `ca=`, the lab's own authority is nobody.
            ("localhost", false, "certificate"),
        ] {
            let run = refuses(&at_host(&source, host, start_tls, ca), words);
            assert!(run.says("is not trusted"), "{host}: {run:?}");
        }
    }
}

#[test]
fn an_untrusted_certificate_can_be_pinned_by_the_fingerprint_that_the_error_names() {
    let source = filled("src", messages(2));
    let fingerprint_in = |run: &Run| {
        let at = run
            .stderr
            .find("sha256:")
            .unwrap_or_else(|| panic!("no fingerprint: {run:?}"));
        run.stderr[at..at + 7 + 64].to_owned()
    };
    for start_tls in [false, true] {
        for host in ["127.0.0.4", "127.0.0.5", "127.0.0.6"] {
            let address = at_host(&source, host, start_tls, false);
            let run = folders(&address, &["-vvv"]).ended(6);
            let pin = fingerprint_in(&run);
            assert!(
                run.says(&format!("pin={pin}")) && !is_secret_in(&shown(&run)),
                "{run:?}"
            );
            folders(format!("{address}&pin={pin}").as_str(), &[])
                .ended(0)
                .counts(&[("messages", 2)]);
            // A pin is of one certificate.
            let other = if host == "127.0.0.4" {
                "127.0.0.5"
            } else {
                "127.0.0.4"
            };
            let elsewhere = format!("{}&pin={pin}", at_host(&source, other, start_tls, false));
            let run = folders(elsewhere.as_str(), &["-vvv"]).ended(6);
            assert!(
                run.says("not the one that `pin=` names") && !run.says(" AUTHENTICATE "),
                "{run:?}"
            );
        }
    }
}

#[test]
fn with_the_authority_named_both_ways_of_tls_work_and_no_secret_is_shown() {
    let source = filled("src", messages(5));
    for start_tls in [false, true] {
        for auth in ["", "&auth=PLAIN", "&auth=LOGIN"] {
            let target = empty("dst", Personality::Plain);
            let by = |account: &Account| at_host(account, "localhost", start_tls, true) + auth;
            let run = copy(&by(&source), &by(&target), &["-vvv"]).ended(0);
            let shown = shown(&run);
            assert!(
                shown.contains(if auth == "&auth=LOGIN" {
                    "LOGIN"
                } else {
                    "AUTHENTICATE PLAIN"
                }),
                "{shown}"
            );
            assert!(!is_secret_in(&shown), "{shown}");
            assert_equal(&source, &target);
        }
    }
}

#[test]
fn a_secret_that_the_server_repeats_or_asks_for_in_steps_is_not_shown() {
    let target = empty("dst", Personality::Plain);
    // Without SASL-IR the secret goes in a line of its own.
    let server = Scripted::script(vec![vec![
        send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"),
        expect("AUTHENTICATE PLAIN$"),
        send("+ "),
        Step::Expect(String::new()),
        send("x NO never"),
    ]]);
    let run = copy(
        &format!("imap://ann@127.0.0.1:{}?tls=none&timeout=5", server.port),
        &at(&target),
        &["-vvv"],
    );
    assert!(matches!(run.code, Some(1 | 5)), "{run:?}");
    assert!(
        is_secret_in(&server.lines().join("\n")),
        "the test sees the secret where it is"
    );
    assert!(!is_secret_in(&shown(&run)), "{run:?}");
}

#[test]
fn tls_on_a_plain_port_and_plain_text_on_a_tls_port_are_told_in_seconds() {
    let account = empty("mixed", Personality::Plain);
    let plain = |more: &str| {
        format!(
            "imap://{}@localhost:{}{more}",
            account.user, account.tls_port
        )
    };
    let advice = format!("write imaps://USER@HOST:{}", account.tls_port);
    let tls = account
        .address()
        .replace(&account.tls_port.to_string(), &account.port.to_string());
    let expected = [
        (
            plain("?tls=none"),
            "speaks TLS from the first byte",
            &advice,
        ),
        (plain(""), "speaks TLS from the first byte", &advice),
        (
            tls,
            "answers in plain text",
            &format!("write imap://USER@HOST:{}", account.port),
        ),
    ];
    for (address, what, advice) in expected {
        let started = Instant::now();
        let run = folders(&address, &[]).ended(6);
        assert!(run.says(what) && run.says(advice), "{run:?}");
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{address} took {:?}",
            started.elapsed()
        );
    }
}
