//! Lanes that begin with the first folders while others are still read: where nothing that is read
//! later could change what they send, and only there.

use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::each;
use crate::lab::pair::{Pair, letter, snapshot};
use crate::lab::proxy::{At, Direction, How, Meanwhile, Plan, Proxy};
use crate::lab::run::{Run, Running, copy};
use crate::lab::servers::Personality;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// So many in each folder that the lanes are given them.
const MANY: usize = 1_100;
const FOLDERS: [&str; 3] = ["INBOX", "Two", "Three"];

/// A message that looks like none with another number.
fn message(number: usize) -> NewMessage {
    let at = format!(
        "{:02}:{:02}:{:02}",
        number / 3_600,
        number / 60 % 60,
        number % 60
    );
    NewMessage {
        date: Some(format!("02-Feb-2024 {at} +0000")),
        ..letter(&format!("number {number}"))
    }
}

/// Two accounts: the source has folders with messages of their own and one that all have.
fn pair(name: &str) -> Pair {
    let pair = Pair::new(name, Personality::Plain);
    let mut client = Client::login(&pair.source);
    for (at, folder) in FOLDERS.iter().enumerate() {
        if *folder != "INBOX" {
            client.create(&[folder]);
        }
        let own: Vec<NewMessage> = (at * MANY..(at + 1) * MANY).map(message).collect();
        client.append(&[folder], own.into_iter());
        client.append(&[folder], [message(9_999)].into_iter());
    }
    pair
}

/// Copies, and keeps the second folder of the source from being read until something is appended to
/// the target, or that takes too long. Gives whether it was appended before, and whether a
/// connection to the source was cut.
fn copy_and_watch(
    pair: &Pair,
    options: &[&str],
    patience: Duration,
    plan: Plan,
) -> (Run, bool, bool) {
    let has_appended = Arc::new(AtomicBool::new(false));
    let was_early = Arc::new(AtomicBool::new(false));
    let (seen, early) = (Arc::clone(&has_appended), Arc::clone(&was_early));
    let wait = move || {
        let end = Instant::now() + patience;
        while !seen.load(Ordering::SeqCst) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        early.store(seen.load(Ordering::SeqCst), Ordering::SeqCst);
    };
    let before_the_second = Meanwhile::before("EXAMINE", wait).after("UID FETCH");
    let append = Meanwhile::before("APPEND", move || has_appended.store(true, Ordering::SeqCst));
    let from = Proxy::start(pair.source.port, plan.meanwhile(before_the_second));
    let to = Proxy::start(pair.target.port, Plan::default().meanwhile(append));
    let run = copy(
        &pair.source.by_port(from.port).plain_address(),
        &pair.target.by_port(to.port).plain_address(),
        &[&pair.state_options()[..], options].concat(),
    );
    let was_cut = from.traffic().iter().any(|traffic| traffic.cut);
    (run, was_early.load(Ordering::SeqCst), was_cut)
}

/// As long as a test waits for what must come, and for what must not.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn the_first_folder_is_sent_before_the_second_is_read() {
    let pair = pair("early");
    let (run, was_early, _) = copy_and_watch(&pair, &[], LONG, Plan::default());
    let run = run.ended(0);
    assert!(was_early, "nothing was sent before everything was read");
    let all = (FOLDERS.len() * (MANY + 1)) as u64;
    run.counts(&[
        ("copied", all),
        // One message is in all folders: it is sent once.
        ("copied_server_side", FOLDERS.len() as u64 - 1),
        ("folders_created", FOLDERS.len() as u64 - 1),
        ("already_there", 0),
        ("failed", 0),
    ]);
    pair.assert_equal();
    // All of it is recorded, and the folders are in step.
    let again = pair.copy(&["-vv"]).ended(0);
    again.counts(&[("copied", 0), ("already_there", all)]);
}

#[test]
fn a_plan_that_breaks_off_is_made_again_and_nothing_is_doubled() {
    let pair = pair("earlybreak");
    // The first folder's scan is some 100 kB, and the second's is cut.
    let plan = Plan::default()
        .cut(Direction::Down, At::Bytes(140_000), How::Fin)
        .only_first(1);
    let (run, was_early, was_cut) = copy_and_watch(&pair, &[], LONG, plan);
    let run = run.ended(0);
    assert!(was_cut, "nothing broke");
    assert!(was_early, "nothing was sent before everything was read");
    let all = (FOLDERS.len() * (MANY + 1)) as u64;
    run.counts(&[("copied", all), ("already_there", 0), ("failed", 0)]);
    pair.assert_equal();
    pair.copy(&[]).ended(0).counts(&[("copied", 0)]);
}

/// What is read later may change what is sent, or there is one connection for both.
#[test]
fn nothing_is_sent_early_where_that_could_be_wrong() {
    let forbidding: [&[&str]; 5] = [
        &["-j", "1"],
        &["--delete"],
        &["--move", "--max-delete", "100%"],
        &["--since", "2020-01-01"],
        &["--repair"],
    ];
    each(forbidding.into_iter().enumerate(), |(at, options)| {
        let pair = pair(&format!("notearly{at}"));
        let (run, was_early, _) = copy_and_watch(&pair, options, SHORT, Plan::default());
        assert!(!was_early, "{options:?}");
        run.ended(0);
    });
}

/// What the target has in another folder it copies itself.
#[test]
fn nothing_is_sent_early_where_the_target_has_mail() {
    let pair = pair("notearlymail");
    let mut client = Client::login(&pair.target);
    client.create(&["Two"]);
    client.append(&["Two"], [message(7)].into_iter());
    let (run, was_early, _) = copy_and_watch(&pair, &[], SHORT, Plan::default());
    assert!(!was_early);
    run.ended(0)
        .counts(&[("copied_server_side", FOLDERS.len() as u64)]);
}

/// Starts a copy of so many bytes a second, and waits until the first message is across.
fn begun(pair: &Pair, rate: &str) -> Running {
    let (source, target) = (pair.source.plain_address(), pair.target.plain_address());
    let options = ["--output", "json", "-vv", "--limit-rate", rate];
    let arguments = [
        &["copy", &source, &target][..],
        &pair.state_options(),
        &options,
    ];
    let run = Running::interruptible(&arguments.concat());
    run.wait_for_line_with("message_copied");
    run
}

/// A copy that ended early is resumed: everything is there once, and in step.
fn resumes(pair: &Pair) {
    pair.copy(&[]).ended(0);
    pair.assert_equal();
    pair.copy(&[]).ended(0).counts(&[("copied", 0)]);
}

#[test]
fn killed_while_folders_are_read_or_sent_it_loses_and_doubles_nothing() {
    let killed = AtomicUsize::new(0);
    each(0..8_u64, |at| {
        let pair = pair(&format!("earlykill{at}"));
        let run = begun(&pair, "300k");
        std::thread::sleep(Duration::from_millis(at * 60));
        killed.fetch_add(usize::from(run.kill()), Ordering::SeqCst);
        resumes(&pair);
    });
    let killed = killed.into_inner();
    assert!(killed > 4, "only {killed} runs were killed at work");
}

#[test]
fn interrupted_while_folders_are_read_or_sent_it_says_what_is_there() {
    let pair = pair("earlystop");
    let run = begun(&pair, "300k");
    run.interrupt();
    let run = run.end().ended(130);
    assert_eq!(run.summary()["status"], "interrupted");
    assert_eq!(
        run.count("copied") + run.count("copied_server_side"),
        snapshot(&pair.target).count() as u64
    );
    resumes(&pair);
}
