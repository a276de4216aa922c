//! Servers that want less load, end sessions, or bear few connections: the run goes on, as they say.

use crate::lab::fake::{Fake, content, honest, is_for_bodies};
use crate::lab::mailboxes::message;
use crate::lab::run::{End, Run, copy};
use crate::lab::scripted::{Command, Reply, Scripted};
use std::collections::BTreeSet;

fn bytes(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| message(number, &format!("body {number}").repeat(2_000)).bytes)
        .collect()
}

fn address(server: &Scripted) -> End {
    End::plain(server.port, "&timeout=20")
}

fn count(server: &Scripted, command: &str) -> usize {
    let is_it = |line: &&String| line.split(' ').nth(1) == Some(command);
    server.lines().iter().filter(is_it).count()
}

/// Copies between these two; everything arrives, once.
#[track_caller]
fn assert_all_arrives(
    from: impl FnMut(&Command, &mut Fake) -> Option<Reply> + Send + 'static,
    to: impl FnMut(&Command, &mut Fake) -> Option<Reply> + Send + 'static,
    options: &[&str],
) -> (Run, Scripted) {
    let (source, there) = Fake::of(bytes(40)).serve(from);
    let (target, got) = Fake::of([]).serve(to);
    let run = copy(address(&source), address(&target), options).ended(0);
    assert_eq!(run.count("copied"), 40);
    assert!(content(&got) == content(&there), "other messages arrived");
    (run, source)
}

/// Refuses this command so many times, with this status.
fn refusing(
    times: usize,
    name: &'static str,
    status: &'static str,
) -> impl FnMut(&Command, &mut Fake) -> Option<Reply> + Send {
    let mut left = times;
    move |command, _| {
        let is_it = command.name == name && (name == "APPEND" || is_for_bodies(&command.arguments));
        if !is_it || left == 0 {
            return None;
        }
        left -= 1;
        Some(Reply::status(status))
    }
}

const SOON: &str = "BAD Request is throttled. Suggested Backoff Time: 20 milliseconds";

#[test]
fn a_throttled_server_is_asked_again_however_often_it_says_so() {
    // More often than anything else is tried.
    assert_all_arrives(refusing(9, "UID FETCH", SOON), honest, &["-j", "1"]);
    assert_all_arrives(
        refusing(9, "UID FETCH", "NO [LIMIT] UID FETCH Rate limit hit."),
        honest,
        &["-j", "1"],
    );
    let no = "NO Request is throttled. Suggested Backoff Time: 20 milliseconds";
    assert_all_arrives(honest, refusing(9, "APPEND", no), &["-j", "1"]);
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it_and_the_user_is_told() {
    let status = "BAD Request is throttled. Suggested Backoff Time: 2500 milliseconds";
    let (run, _) = assert_all_arrives(refusing(1, "UID FETCH", status), honest, &["-j", "1"]);
    let waits = run.named("waiting");
    assert_eq!(
        (waits.len(), waits[0]["side"].as_str()),
        (1, Some("source"))
    );
    assert!(waits[0]["until"].as_str().unwrap().ends_with('Z'));
    assert!(
        waits[0]["reason"]
            .as_str()
            .unwrap()
            .contains("asks for a pause")
    );
    assert!(run.stderr.contains("waiting until"), "{}", run.stderr);
    assert!(run.summary()["seconds"].as_f64().unwrap() >= 2.5);
}

#[test]
fn a_throttling_that_never_ends_ends_the_run_with_the_time_to_come_again() {
    let (source, _) = Fake::of(bytes(3)).serve(refusing(1_000, "UID FETCH", SOON));
    let (target, _) = Fake::of([]).serve(honest);
    let run = copy(address(&source), address(&target), &["-j", "1"]).ended(8);
    let error = &run.named("error")[0];
    assert_eq!(error["kind"], "limit_reached");
    assert!(error["run_again"].is_string());
    assert_eq!(run.count("failed"), 0, "no message is to blame");
}

#[test]
fn a_goodbye_in_the_middle_costs_a_connection_and_no_message() {
    for bye in [
        "* BYE Session expired, please login again.",
        "* BYE System Error",
        "* BYE Session invalidated - AccessTokenExpired",
        "* BYE Connection closed. 14",
        "* BYE [LIMIT] UID FETCH Rate limit hit.",
    ] {
        let mut told = 0;
        let from = move |command: &Command, _: &mut Fake| {
            let is_it = command.name == "UID FETCH" && is_for_bodies(&command.arguments);
            told += usize::from(is_it);
            (is_it && told <= 2).then(|| Reply::hang_up().line(bye))
        };
        let (run, source) = assert_all_arrives(from, honest, &["-j", "1"]);
        assert_eq!(run.named("message_failed").len(), 0, "{bye}");
        assert_eq!(count(&source, "LOGIN"), 3, "{bye}");
    }
}

/// Bears so many logins.
fn bearing(
    most: usize,
    status: &'static str,
) -> impl FnMut(&Command, &mut Fake) -> Option<Reply> + Send {
    let mut open = BTreeSet::new();
    move |command, _| {
        if command.name != "LOGIN" {
            return None;
        }
        if open.len() >= most {
            return Some(Reply::status(status));
        }
        open.insert(command.connection);
        None
    }
}

#[test]
fn a_server_that_bears_few_connections_is_not_asked_for_more() {
    for status in [
        "NO [ALERT] Too many simultaneous connections. (Failure)",
        "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=2)",
        // What Gmail may say of one too many, as well as of a wrong password.
        "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
    ] {
        let (source, there) = Fake::of(bytes(256)).serve(bearing(2, status));
        // A target that is asked before each message gets small pieces, which keep four lanes busy.
        let (target, got) = Fake::of([]).serve(|command, _| {
            let plain = "* CAPABILITY IMAP4rev1 UIDPLUS";
            (command.name == "CAPABILITY").then(|| Reply::ok().line(plain))
        });
        let run = copy(address(&source), address(&target), &["-j", "4"]).ended(0);
        assert_eq!(run.count("copied"), 256);
        assert!(content(&got) == content(&there));
        let logins = count(&source, "LOGIN");
        assert!((3..=4).contains(&logins), "{status}: {logins} logins");
    }
}

#[test]
fn a_refused_login_is_never_repeated() {
    let refusal = "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)";
    let (source, _) = Fake::of(bytes(3)).serve(bearing(0, refusal));
    let (target, _) = Fake::of([]).serve(honest);
    copy(address(&source), address(&target), &["-j", "4", "--wait"]).ended(5);
    assert_eq!(count(&source, "LOGIN"), 1);

    // The password is changed while the run goes on.
    let mut logins = bearing(1, refusal);
    let (source, _) = Fake::of(bytes(40)).serve(move |command, folder| {
        let is_for_bodies = command.name == "UID FETCH" && is_for_bodies(&command.arguments);
        if is_for_bodies {
            return Some(Reply::hang_up());
        }
        logins(command, folder)
    });
    let (target, _) = Fake::of([]).serve(honest);
    copy(address(&source), address(&target), &["-j", "1", "--wait"]).ended(5);
    assert_eq!(count(&source, "LOGIN"), 2);
}

#[test]
fn a_login_without_a_mailbox_behind_it_is_no_login() {
    for first in ["LIST", "CAPABILITY"] {
        let mut is_in = false;
        let (source, _) = Fake::of(bytes(3)).serve(move |command, _| {
            is_in |= command.name == "LOGIN";
            let status = "BAD User is authenticated but not connected.";
            (is_in && command.name == first).then(|| Reply::status(status))
        });
        let (target, _) = Fake::of([]).serve(honest);
        let run = copy(address(&source), address(&target), &[]).ended(5);
        assert!(run.says("opens no mailbox"), "{run:?}");
        assert_eq!(count(&source, "LOGIN"), 1);
    }
}
