//! Runs that end before their time, and folders that change between two runs: nothing is lost and nothing is doubled.

use super::lab::client::Client;
use super::lab::generator;
use super::lab::proxy::{Plan, Proxy};
use super::lab::run::{Running, copy, verify};
use super::lab::servers::{Account, Personality};
use super::{accounts, letter, plain_accounts, snapshot};
use std::time::{Duration, Instant};

/// A copy of so many bytes a second with an event for each message, to a target that is far away.
fn slow_copy(source: &Account, target: &Account, rate: &str) -> Running {
    let proxy = Proxy::start(target.port, Plan::round_trip(Duration::from_millis(20)));
    let (source, target) = (source.plain_address(), target.by_port(proxy.port).plain_address());
    Running::interruptible(&["copy", &source, &target, "--output", "json", "-vv", "-j2", "--limit-rate", rate])
}

/// A second run, after which the target holds what the source holds.
fn completes(source: &Account, target: &Account) {
    let there = snapshot(target).count() as u64;
    let all = snapshot(source).count() as u64;
    assert!(there < all, "the first run was not interrupted");
    copy(source, target, &[]).ended(0).counts(&[("copied", all - there), ("already_there", there)]);
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
    assert_eq!(run.named("message_copied").len() as u64, run.count("copied"));
    assert!(run.stderr.contains("again"), "it is not said how to go on: {}", run.stderr);
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
    std::thread::sleep(Duration::from_millis(200));
    run.interrupt();
    let asked = Instant::now();
    run.end().ended(130);
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?} to end", asked.elapsed());
    completes(&source, &target);
}

#[test]
fn a_folder_that_was_made_anew_between_two_runs_is_compared_anew() {
    let [source, target] = plain_accounts("anew");
    let mut client = Client::login(&source);
    let folder = ["Lists"];
    client.create(&folder);
    client.append(&folder, (0..5).map(letter));
    copy(&source, &target, &[]).ended(0).counts(&[("copied", 5)]);
    // The same UIDs, now of other mail, but for two messages that are there again.
    client.command(&format!("DELETE {}", client.name(&folder)));
    client.create(&folder);
    client.append(&folder, (3..9).map(letter));
    copy(&source, &target, &[]).ended(0).counts(&[("copied", 4), ("already_there", 2)]);
    copy(&source, &target, &[]).ended(0).counts(&[("copied", 0), ("already_there", 6)]);
    let mut held: Vec<_> = snapshot(&target).folder(&folder).iter().map(|message| message.sha256).collect();
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
            left.remove(at.unwrap_or_else(|| panic!("{levels:?}: a message that the source does not have")));
        }
    }
}
