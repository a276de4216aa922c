//! Runs that end early, and folders that change between two runs: nothing is lost or duplicated.

use super::{accounts, letter, plain_accounts, snapshot};
use crate::lab::client::Client;
use crate::lab::generator;
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{Run, Running, copy, mailferry, verify};
use crate::lab::servers::{Account, Personality};
use rustix::process::Signal;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A copy of so many bytes a second with an event for each message, to a target that is far away.
fn slow_copy(source: &Account, target: &Account, rate: &str) -> Running {
    let proxy = Proxy::start(target.port, Plan::round_trip(Duration::from_millis(20)));
    let (source, target) = (
        source.plain_address(),
        target.by_port(proxy.port).plain_address(),
    );
    Running::interruptible(&[
        "copy",
        &source,
        &target,
        "--output",
        "json",
        "-vv",
        "-j2",
        "--limit-rate",
        rate,
    ])
}

/// A second run, after which the target holds what the source holds.
fn completes(source: &Account, target: &Account) {
    let there = snapshot(target).count() as u64;
    let all = snapshot(source).count() as u64;
    assert!(there < all, "the first run was not interrupted");
    copy(source, target, &[])
        .ended(0)
        .counts(&[("copied", all - there), ("already_there", there)]);
    assert_eq!(snapshot(target).content(), snapshot(source).content());
    verify(source, target, &[]).ended(0);
}

#[test]
fn one_ctrl_c_ends_gently_and_the_next_run_goes_on() {
    let [source, target] = plain_accounts("gentle");
    Client::login(&source).fill(&generator::mailbox(5, 400));
    let run = slow_copy(&source, &target, "1M");
    run.wait_for_line_with("message_copied");
    run.interrupt();
    let run = run.end().ended(130);
    assert_eq!(run.summary()["status"], "interrupted");
    // What was sent was acknowledged: the numbers are those of the target.
    assert_eq!(run.count("copied"), snapshot(&target).count() as u64);
    assert_eq!(
        run.named("message_copied").len() as u64,
        run.count("copied")
    );
    assert!(
        run.stderr.contains("rerun the same command to resume"),
        "it is not said how to go on: {}",
        run.stderr
    );
    completes(&source, &target);
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_the_next_run_goes_on() {
    let [source, target] = plain_accounts("atonce");
    Client::login(&source).fill(&generator::mailbox(6, 400));
    // At this rate the message under way alone takes longer than the test waits.
    let run = slow_copy(&source, &target, "20k");
    run.wait_for_line_with("\"planned\"");
    run.interrupt();
    std::thread::sleep(Duration::from_millis(700));
    run.interrupt();
    let asked = Instant::now();
    run.end().ended(130);
    assert!(
        asked.elapsed() < Duration::from_secs(30),
        "it took {:?} to end",
        asked.elapsed()
    );
    completes(&source, &target);
}

#[test]
fn signals_that_come_together_end_gently() {
    let [source, target] = plain_accounts("together");
    Client::login(&source).append(&["INBOX"], (0..2000).map(letter));
    // As `timeout` does it, which tells the process and then its group, and a terminal that hangs
    // up.
    for signals in [[Signal::TERM, Signal::TERM], [Signal::HUP, Signal::TERM]] {
        let run = slow_copy(&source, &target, "100k");
        run.wait_for_line_with("message_copied");
        run.signal(signals[0]);
        std::thread::sleep(Duration::from_millis(60));
        run.signal(signals[1]);
        let run = run.end().ended(130);
        assert_eq!(run.summary()["status"], "interrupted", "{signals:?}");
    }
    completes(&source, &target);
}

#[test]
fn timeout_gets_a_summary() {
    let [source, target] = plain_accounts("timeout");
    Client::login(&source).fill(&generator::mailbox(8, 400));
    let (source, target) = (source.plain_address(), target.plain_address());
    let copy = mailferry(&[
        "copy",
        &source,
        &target,
        "--output",
        "json",
        "-j2",
        "--limit-rate",
        "200k",
    ]);
    let mut command = Command::new("timeout");
    command
        .arg("1.5")
        .arg(copy.get_program())
        .args(copy.get_args())
        .env_clear();
    command.envs(
        copy.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let run = Run::of(command.stdin(Stdio::null()).process_group(0)).ended(124);
    assert_eq!(run.summary()["status"], "interrupted");
}

#[test]
fn an_interrupt_that_was_ignored_from_the_beginning_stays_ignored() {
    let [source, target] = plain_accounts("ignored");
    Client::login(&source).fill(&generator::mailbox(9, 60));
    let (from, to) = (source.plain_address(), target.plain_address());
    let copy = mailferry(&[
        "copy",
        &from,
        &to,
        "--output",
        "json",
        "-vv",
        "-j1",
        "--limit-rate",
        "400k",
    ]);
    // As a shell without job control starts what stands before `&`.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' INT; exec \"$@\"", "sh"])
        .arg(copy.get_program())
        .args(copy.get_args())
        .env_clear();
    command.envs(
        copy.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let run = Running::of(command.stdin(Stdio::null()));
    run.wait_for_line_with("message_copied");
    run.interrupt();
    run.end().ended(0);
}

#[test]
fn a_folder_that_was_made_anew_between_two_runs_is_compared_anew() {
    let [source, target] = plain_accounts("anew");
    let mut client = Client::login(&source);
    let folder = ["Lists"];
    client.create(&folder);
    client.append(&folder, (0..5).map(letter));
    copy(&source, &target, &[])
        .ended(0)
        .counts(&[("copied", 5)]);
    // The same UIDs, now of other mail, but for two messages that are there again.
    client.command(&format!("DELETE {}", client.name(&folder)));
    client.create(&folder);
    client.append(&folder, (3..9).map(letter));
    copy(&source, &target, &[])
        .ended(0)
        .counts(&[("copied", 4), ("already_there", 2)]);
    copy(&source, &target, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 6)]);
    let mut held: Vec<_> = snapshot(&target)
        .folder(&folder)
        .iter()
        .map(|message| message.sha256)
        .collect();
    held.sort_unstable();
    held.dedup();
    assert_eq!(held.len(), 9);
    assert_eq!(snapshot(&target).count(), 9);
}

#[test]
fn a_full_target_ends_the_run_and_what_was_copied_is_whole() {
    let [source, target] = accounts("full", [Personality::Plain, Personality::Tiny]);
    Client::login(&source).fill(&generator::mailbox(7, 60));
    let run = copy(&source, &target, &[]).ended(8);
    assert_eq!(run.summary()["status"], "stopped");
    let error = &run.named("error")[0];
    assert_eq!(error["kind"], "full");
    assert!(error["hint"].as_str().unwrap().contains("quota"), "{error}");
    assert!(run.stderr.contains("quota"), "{}", run.stderr);
    let (from, to) = (snapshot(&source).content(), snapshot(&target).content());
    assert_eq!(snapshot(&target).count() as u64, run.count("copied"));
    for (levels, messages) in &to {
        let mut left = from[levels].clone();
        for message in messages {
            let at = left.iter().position(|other| other == message);
            left.remove(
                at.unwrap_or_else(|| panic!("{levels:?}: a message that the source does not have")),
            );
        }
    }
}
