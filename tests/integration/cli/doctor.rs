//! `mailferry doctor`: each problem is found by its check, with its exit code and advice.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first surprise, in its helpers too"
)]

use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::{empty, filled, message, messages};
use crate::lab::run::{End, Run, copy, doctor, run};
use crate::lab::scripted::{Reply, Scripted};
use crate::lab::servers::{Account, Cyrus, PASSWORD, Personality};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// Doctor of one mailbox, which leaves no connection idle for long.
#[track_caller]
fn doctor_of(end: impl Into<End>) -> Run {
    doctor(&[end.into()], &["--idle", "0"])
}

/// The findings that are neither good nor skipped: check, verdict.
#[track_caller]
fn troubles(run: &Run) -> Vec<(String, String)> {
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    (run.named("finding").iter())
        .map(|finding| (text(finding, "check"), text(finding, "verdict")))
        .filter(|(_, verdict)| !["ok", "skipped"].contains(&verdict.as_str()))
        .collect()
}

/// The run ended by this check, the last that was made, with these words and advice.
#[track_caller]
fn stopped_by(run: Run, code: i32, check: &str, words: &str, advice: &str) {
    let run = run.ended(code);
    let findings = run.named("finding");
    let last = findings.last().unwrap();
    assert!(
        last["check"] == check && last["verdict"] == "failed",
        "{last}"
    );
    assert!(
        ["result", "meaning"]
            .iter()
            .any(|member| last[member].as_str().unwrap().contains(words)),
        "{words}: {last}"
    );
    assert!(
        last["advice"].as_str().unwrap().contains(advice),
        "{advice}: {last}"
    );
    assert!(
        run.summary()["status"] == "failed" && run.count("failed") == 1,
        "{run:?}"
    );
    assert!(!run.says(PASSWORD), "{run:?}");
}

/// A port where each client is treated so, in a thread of its own.
fn serve(treat: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let treat = treat.clone();
            std::thread::spawn(move || treat(client.unwrap()));
        }
    });
    port
}

/// A port that leads to another one, late, and only as long as the client is not silent for too
/// long.
fn detour(to: u16, delay: Duration, patience: Option<Duration>) -> u16 {
    serve(move |mut client| {
        std::thread::sleep(delay);
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut replies, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut replies, &mut back));
        client.set_read_timeout(patience).unwrap();
        let mut buffer = [0; 4096];
        while let Ok(count) = client.read(&mut buffer) {
            if count == 0 || server.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        drop((
            client.shutdown(Shutdown::Both),
            server.shutdown(Shutdown::Both),
        ));
    })
}

fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn over_tls(account: &Account, host: &str, port: u16) -> String {
    format!(
        "imaps://{}@{host}:{port}?timeout=20&ca={}",
        account.user,
        account.ca.display()
    )
}

#[test]
fn a_healthy_dovecot_and_a_healthy_cyrus_pass_all_checks() {
    let dovecot = filled("well", vec![message(1, "a"), message(2, "b")]);
    let cyrus = Cyrus::shared().account();
    Client::login(&cyrus).append(&["INBOX"], vec![message(3, "c")].into_iter());
    for account in [dovecot, cyrus] {
        let run = doctor_of(End::tls(&account)).ended(0);
        assert_eq!(troubles(&run), [], "{run:?}");
        let checks: Vec<u64> = run
            .named("finding")
            .iter()
            .map(|finding| finding["number"].as_u64().unwrap())
            .collect();
        assert_eq!(checks, (1..=13).collect::<Vec<u64>>());
        assert!(
            run.summary()["status"] == "healthy" && run.count("skipped") == 1,
            "{run:?}"
        );
        // STARTTLS on the other port.
        let address = format!(
            "imap://{}@localhost:{}?ca={}",
            account.user,
            account.port,
            account.ca.display()
        );
        assert_eq!(troubles(&doctor_of(address.as_str()).ended(0)), []);
    }
}

#[test]
fn certificates_that_are_not_trusted_are_explained() {
    let account = empty("cert", Personality::Plain);
    for (host, words, advice) in [
        (
            "127.0.0.4",
            "made for wrong.example, not for 127.0.0.4",
            "confirms this fingerprint",
        ),
        ("127.0.0.5", "self-signed", "pin="),
        ("127.0.0.6", "days ago", "renew"),
    ] {
        stopped_by(
            doctor_of(over_tls(&account, host, account.tls_port).as_str()),
            6,
            "certificate",
            words,
            advice,
        );
        let start_tls = over_tls(&account, host, account.port).replace("imaps:", "imap:");
        stopped_by(
            doctor_of(start_tls.as_str()),
            6,
            "certificate",
            words,
            advice,
        );
    }
    let unknown = format!("imaps://{}@localhost:{}", account.user, account.tls_port);
    stopped_by(
        doctor_of(unknown.as_str()),
        6,
        "certificate",
        "signed by mailferry test authority",
        "ca=FILE",
    );
}

#[test]
fn a_wrong_password_is_tried_once() {
    let account = empty("pw", Personality::Plain);
    stopped_by(
        doctor_of(End::new(account.address(), "wrong")),
        5,
        "login",
        "refused the login",
        "check the user name",
    );
    let server = Scripted::serve(
        "OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready",
        |command| {
            let is_login = ["LOGIN", "AUTHENTICATE"].contains(&command.name.as_str());
            if is_login {
                Reply::status("NO [AUTHENTICATIONFAILED] no")
            } else {
                Reply::ok()
            }
        },
    );
    stopped_by(
        doctor_of(End::plain(server.port, "&timeout=20")),
        5,
        "login",
        "doesn't accept this user",
        "app password",
    );
    let logins = server
        .lines()
        .iter()
        .filter(|line| line.contains("AUTHENTICATE"))
        .count();
    assert_eq!(logins, 1, "{:?}", server.lines());
}

#[test]
fn a_shut_port_and_a_name_that_does_not_exist() {
    let shut = format!("imaps://ann@127.0.0.1:{}", closed_port());
    stopped_by(
        doctor_of(shut.as_str()),
        6,
        "port",
        "no server on this port",
        "check the port",
    );
    stopped_by(
        doctor_of("imaps://ann@imap.no-such-host.invalid"),
        6,
        "name",
        "no server has this name",
        "spelling",
    );
    let gmail = doctor_of("imaps://ann%40gmail.com@imap.no-such-host.invalid");
    stopped_by(
        gmail,
        6,
        "name",
        "no server has this name",
        "imap.gmail.com",
    );
}

#[test]
fn a_port_of_something_else_is_named() {
    let http = serve(|mut client| {
        let _ = client.read(&mut [0; 512]);
        drop(client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    });
    let ssh = serve(|mut client| {
        drop(
            client
                .write_all(b"SSH-2.0-OpenSSH_9.2\r\n")
                .and_then(|()| client.read(&mut [0; 512])),
        );
    });
    for (port, words) in [(http, "a web server"), (ssh, "an SSH server")] {
        for scheme in ["imaps", "imap"] {
            let address = format!("{scheme}://ann@127.0.0.1:{port}?timeout=20");
            stopped_by(
                doctor_of(address.as_str()),
                6,
                "protocol",
                words,
                "check the port",
            );
        }
    }
}

#[test]
fn tls_on_the_plain_port_and_the_other_way_round() {
    let account = empty("swapped", Personality::Plain);
    let plain = over_tls(&account, "localhost", account.port);
    let advice = format!("use imap://USER@HOST:{}", account.port);
    stopped_by(
        doctor_of(plain.as_str()),
        6,
        "protocol",
        "speaks plain IMAP",
        &advice,
    );
    let advice = format!("use imaps://USER@HOST:{}", account.tls_port);
    for address in [
        over_tls(&account, "localhost", account.tls_port).replace("imaps:", "imap:"),
        format!(
            "imap://{}@localhost:{}?tls=none&timeout=20",
            account.user, account.tls_port
        ),
    ] {
        stopped_by(
            doctor_of(address.as_str()),
            6,
            "protocol",
            "speaks TLS from the first byte",
            &advice,
        );
    }
}

#[test]
fn a_slow_server_works_and_is_told_of() {
    let account = filled("slow", messages(2));
    let late = account.by_port(detour(account.port, Duration::from_millis(2500), None));
    let run = doctor_of(&late).ended(0);
    assert_eq!(
        troubles(&run),
        [("protocol".to_owned(), "warning".to_owned())]
    );
    assert!(
        run.summary()["status"] == "usable" && run.says("slowly"),
        "{run:?}"
    );
}

#[test]
fn a_server_that_never_speaks_is_not_waited_for_without_end() {
    let port = serve(|mut client| drop(client.read_to_end(&mut Vec::new())));
    stopped_by(
        doctor_of(End::plain(port, "&timeout=1")),
        6,
        "protocol",
        "says nothing",
        "",
    );
}

#[test]
fn connections_that_are_dropped_when_idle_are_found() {
    let account = filled("drops", messages(2));
    let port = detour(account.port, Duration::ZERO, Some(Duration::from_secs(4)));
    let run = doctor(&[End::from(&account.by_port(port))], &["--idle", "10"]).ended(0);
    assert_eq!(
        troubles(&run),
        [("idle".to_owned(), "warning".to_owned())],
        "{run:?}"
    );
}

#[test]
fn a_quota_that_is_too_small_is_found_before_the_copy() {
    let source = filled(
        "much",
        vec![message(1, &"x".repeat(70_000)), message(2, "small")],
    );
    let target = empty("little", Personality::Tiny);
    let ends = || [End::tls(&source), End::tls(&target)];
    let run = doctor(&ends(), &["--idle", "0"]).ended(8);
    assert_eq!(
        troubles(&run),
        [("space".to_owned(), "failed".to_owned())],
        "{run:?}"
    );
    assert!(
        run.says("a copy would stop") && run.says("--max-size"),
        "{run:?}"
    );
    // What is there already need not fit again.
    Client::login(&target).append(&["INBOX"], vec![message(2, "small")].into_iter());
    let fits = filled(
        "fits",
        vec![message(2, "small"), message(3, &"y".repeat(40_000))],
    );
    let run = doctor(&[End::tls(&fits), End::tls(&target)], &["--idle", "0"]).ended(0);
    assert_eq!(troubles(&run), [], "{run:?}");
}

#[test]
fn folders_that_would_collide_are_found() {
    let source = empty("alike", Personality::Plain);
    let target = empty("there", Personality::Plain);
    let mut client = Client::login(&source);
    client.command("CREATE Plans");
    client.command("CREATE plans");
    let run = doctor_of(End::tls(&source)).ended(0);
    assert!(
        troubles(&run).contains(&("folders".to_owned(), "warning".to_owned())),
        "{run:?}"
    );
    assert!(run.says("Plans and plans"), "{run:?}");
    // Two spellings of one name, which is what a copy refuses.
    client.command("CREATE &AOk-");
    client.command("CREATE e&AwE-");
    let run = doctor(&[End::tls(&source), End::tls(&target)], &["--idle", "0"]).ended(1);
    assert!(
        troubles(&run).contains(&("folders".to_owned(), "failed".to_owned())),
        "{run:?}"
    );
    assert!(run.says("--map"), "{run:?}");
    assert_eq!(
        copy(End::tls(&source), End::tls(&target), &[]).code,
        Some(1),
        "as the copy says"
    );
}

#[test]
fn duplicates_and_earlier_runs_are_told_of() {
    let twice = || vec![message(1, "a"), message(1, "a")];
    let (source, target) = (
        filled("twice", twice()),
        empty("twiceto", Personality::Plain),
    );
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let state = state.to_str().unwrap();
    let ends = || [End::tls(&source), End::tls(&target)];
    let run = doctor(&ends(), &["--idle", "0", "--state", state]).ended(0);
    assert_eq!(
        troubles(&run),
        [("duplicates".to_owned(), "warning".to_owned())],
        "{run:?}"
    );
    let of_state = |run: &Run| {
        run.named("finding")
            .into_iter()
            .find(|finding| finding["check"] == "state")
            .unwrap()
    };
    assert_eq!(of_state(&run)["result"], "none");
    assert!(
        !directory.path().join("state").exists(),
        "doctor writes nothing"
    );
    copy(End::tls(&source), End::tls(&target), &["--state", state]).ended(0);
    let run = doctor(&ends(), &["--idle", "0", "--state", state]).ended(0);
    assert!(
        of_state(&run)["result"]
            .as_str()
            .unwrap()
            .starts_with("1 folder known, 0 of them"),
        "{run:?}"
    );
}

#[test]
fn one_side_that_fails_does_not_hide_the_other() {
    let source = empty("good", Personality::Plain);
    let target = End::new(empty("bad", Personality::Plain).address(), "wrong");
    let run = doctor(&[target, End::tls(&source)], &[]).ended(5);
    let sides: Vec<String> = run
        .named("finding")
        .iter()
        .map(|finding| finding["side"].to_string())
        .collect();
    assert_eq!(
        sides.iter().filter(|side| **side == "\"target\"").count(),
        6,
        "{run:?}"
    );
}

#[test]
fn nothing_is_written_and_json_is_the_same_as_output_json() {
    let account = filled(
        "still",
        vec![NewMessage::of("Subject: x\r\n\r\nunseen\r\n")],
    );
    let before = Client::login(&account).snapshot();
    doctor_of(End::tls(&account)).ended(0);
    assert_eq!(
        Client::login(&account).snapshot().content(),
        before.content()
    );
    let run = run(&["doctor", "--json", "--idle", "0", &account.address()]).ended(0);
    assert_eq!(run.summary()["command"], "doctor");
}
