//! One copy that is killed again and again, at random moments, and restarted at once: it makes
//! progress, nothing is ever damaged or duplicated, and in the end the target equals the source.
//!
//! Half of the kills come at a random time after the start, the others shortly after something was
//! done. The series is the same for the same `MAILFERRY_SEED`; `MAILFERRY_COPIES` is the number of
//! copies of each kind, each of which is killed `MAILFERRY_KILLS` times. `scripts/crash` sets them
//! and prints the result.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, Content, NewMessage};
use crate::lab::generator::random::{self, Random};
use crate::lab::mailboxes::{assert_equal, assert_nothing_beyond, at, each, message};
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{Run, Running, verify};
use crate::lab::servers::{Account, Dovecot, Personality};
use std::io::Write as _;
use std::time::Duration;

/// What the target is, and whether the runs keep a state.
#[derive(Clone, Copy, Debug)]
struct Kind {
    target: Personality,
    with_state: bool,
}

/// Bytes a second: a run that is killed gets no further than a few small folders.
const RATE: &str = "200k";
/// How long after its start a run is killed at the latest, where the time alone decides.
const LATEST: u64 = 250;
/// How often the target is looked at between kills.
const LOOK_EVERY: u64 = 10;

/// Many small folders, each of which is a batch: about ten messages, some equal, some without
/// Message-ID. The last is a large one that is streamed.
fn fill(account: &Account, folders: u64, random: &mut Random) {
    let mut client = Client::login(account);
    for folder in 0..folders {
        let name = [format!("folder {folder}")];
        client.create(&name);
        let mut messages: Vec<NewMessage> = Vec::new();
        for number in 0..1 + random.below(18) {
            let body =
                "a line of a body, as there are many\r\n".repeat(1 + random.below(200) as usize);
            let body = if number == 17 { body.repeat(40) } else { body };
            messages.push(message((folder * 100 + number) as usize, &body));
            if random.below(8) == 0 {
                messages.extend(messages.last().cloned());
            }
        }
        client.append(&name, messages.into_iter());
    }
}

/// One copy between two accounts, however often it is begun.
struct Copy {
    source: Account,
    target: Account,
    state: Option<tempfile::TempDir>,
    content: Content,
}

impl Copy {
    fn new(kind: Kind, folders: u64, random: &mut Random) -> Self {
        let dovecot = Dovecot::shared();
        let source = dovecot.account("killedfrom", Personality::Plain);
        fill(&source, folders, random);
        let content = Client::login(&source).snapshot().content();
        let state = kind.with_state.then(|| tempfile::tempdir().unwrap());
        Self {
            source,
            target: dovecot.account("killedto", kind.target),
            state,
            content,
        }
    }

    fn messages(&self) -> u64 {
        self.content.values().map(Vec::len).sum::<usize>() as u64
    }

    fn start(&self, options: &[&str]) -> Running {
        let (source, target) = (at(&self.source), at(&self.target));
        let state = self
            .state
            .as_ref()
            .map(|directory| directory.path().to_str().unwrap());
        let state = state.map_or(vec!["--no-state"], |directory| vec!["--state", directory]);
        Running::start(
            &[
                &["copy", &source, &target, "--output", "json", "-vv"],
                &state[..],
                options,
            ]
            .concat(),
        )
    }

    fn end(&self) -> Run {
        self.start(&[]).end().ended(0)
    }

    /// Starts a run and kills it; whether it was at work then.
    fn kill(&self, random: &mut Random) -> bool {
        let lanes = random.of(&["1", "2", "3"]);
        let run = self.start(&["--limit-rate", RATE, "-j", lanes]);
        let has_ended = match random.below(4) {
            0 => run.has_ended_before("message_copied", 1 + random.below(6) as usize),
            1 => run.has_ended_before("event", 1 + random.below(30) as usize),
            _ => {
                std::thread::sleep(Duration::from_millis(random.below(LATEST)));
                false
            }
        };
        std::thread::sleep(Duration::from_micros(random.below(40_000)));
        run.kill() && !has_ended
    }

    /// How many messages are there, which must be the source's.
    fn look(&self) -> u64 {
        let there = Client::login(&self.target).snapshot().content();
        assert_nothing_beyond(&self.content, &there);
        there.values().map(Vec::len).sum::<usize>() as u64
    }
}

fn kill_one_copy(kind: Kind, kills: u64, seed: u64) {
    let mut random = Random::new(seed);
    let copy = Copy::new(kind, 20 + kills, &mut random);
    let all = copy.messages();
    let (mut hits, mut seen) = (0, vec![0]);
    for kill in 1..=kills {
        hits += u64::from(copy.kill(&mut random));
        if kill % LOOK_EVERY == 0 {
            seen.push(copy.look());
        }
    }
    let there = copy.look();
    let last = copy.end();
    assert_equal(&copy.source, &copy.target);
    let rest = last.count("copied");
    copy.end()
        .counts(&[("copied", 0), ("flags_updated", 0), ("already_there", all)]);
    verify(&copy.source, &copy.target, &["--deep"]).ended(0);
    let Kind { target, with_state } = kind;
    let text = format!(
        "crash: kills, {target:?}, {}, seed {seed}: {hits} of {kills} runs killed at work, {} of {all} messages by them, \
         {rest} by the last run\n",
        if with_state { "state" } else { "no state" },
        all - rest
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    // Of what was under way at the last kill some may have arrived after it was looked at.
    assert!(rest <= all - there, "{text}");
    assert!(
        hits * 10 >= kills * 9 && rest > 0,
        "the copy was over too early: {text}"
    );
    let steps = seen.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(
        steps * 2 >= seen.len() - 1,
        "the runs did not get on: {seen:?}, {text}"
    );
}

/// The first target is of the usual kind, further ones of others.
fn kill_copies(with_state: bool) {
    let targets = [
        Personality::Plain,
        Personality::NoMulti,
        Personality::Mdbox,
        Personality::NoLiteral,
        Personality::Poor,
    ];
    let (seed, copies) = (
        random::number("MAILFERRY_SEED", 1),
        random::number("MAILFERRY_COPIES", 1),
    );
    for (copy, target) in (0..copies).zip(targets.into_iter().cycle()) {
        kill_one_copy(
            Kind { target, with_state },
            random::number("MAILFERRY_KILLS", 100),
            seed + copy,
        );
    }
}

#[test]
fn a_copy_with_the_state_that_is_killed_a_hundred_times_ends_whole() {
    kill_copies(true);
}

#[test]
fn a_copy_without_the_state_that_is_killed_a_hundred_times_ends_whole() {
    kill_copies(false);
}

/// A run that sends ahead as fast as it can over a slow line leaves much that is written and not
/// sent. With the process it is gone: else it would arrive while the next run is at work already,
/// which would send the same again.
#[test]
fn what_a_killed_run_has_not_sent_yet_never_arrives() {
    let line = Plan {
        rate: Some(300_000),
        ..Plan::round_trip(Duration::from_millis(60))
    };
    let tries = |(with_state, seed)| {
        let mut random = Random::new(seed);
        let mut copy = Copy::new(
            Kind {
                target: Personality::Plain,
                with_state,
            },
            60,
            &mut random,
        );
        let proxy = Proxy::start(copy.target.port, line.clone());
        let direct = copy.target.clone();
        copy.target = copy.target.by_port(proxy.port);
        for _ in 0..6 {
            let run = copy.start(&["-j", "2"]);
            std::thread::sleep(Duration::from_millis(500 + random.below(800)));
            assert!(run.kill(), "the copy was over too early");
        }
        copy.end();
        copy.end().counts(&[("copied", 0)]);
        copy.target = direct;
        copy.look();
        assert_equal(&copy.source, &copy.target);
    };
    each([(true, 1), (false, 2), (true, 3), (false, 4)], tries);
}

/// A server that has taken in all that a run sent, and stores it only after the run was killed and
/// the next one has looked. Gives whether anything was late, and not stored before that look.
fn begin_again_before_what_was_sent_is_stored(
    command: &str,
    options: &[&str],
    again: &[&str],
) -> bool {
    const ALL: u64 = 100;
    let dovecot = Dovecot::shared();
    let (source, target) = (
        dovecot.account("latefrom", Personality::Plain),
        dovecot.account("lateto", Personality::Plain),
    );
    let mut client = Client::login(&source);
    let body = "a line of a body, as there are many\r\n".repeat(60);
    client.create(&["Late"]);
    client.append(
        &["Late"],
        (0..ALL as usize).map(|number| message(number, &body)),
    );
    client.append(
        &["INBOX"],
        [
            message(1, "this one is in two folders\r\n"),
            message(1000, "and this one is not\r\n"),
        ]
        .into_iter(),
    );
    // Another folder's message is there already and has nothing to do with it.
    Client::login(&target).append(&["INBOX"], [message(2000, "mine\r\n")].into_iter());
    let slow = Proxy::start(
        target.port,
        Plan::default()
            .late("APPEND", Duration::from_millis(1800))
            .only_first(1),
    );
    let (from, to) = (at(&source), at(&target.by_port(slow.port)));
    let start = |more: &[&str]| {
        Running::start(
            &[
                &[command, &from, &to, "--output", "json", "-j", "1"],
                options,
                more,
            ]
            .concat(),
        )
    };
    let killed = start(&[]);
    let has_sent = || {
        slow.traffic()
            .iter()
            .any(|traffic| traffic.commands.iter().any(|line| line.contains("APPEND")))
    };
    while !has_sent() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert!(killed.kill(), "it ended before its mail was stored");
    let second = start(again).end().ended(0);
    let arrived = "the duplicates were removed";
    let is_late = second.stderr.contains(arrived) || second.count("copied") < ALL;
    let there = Client::login(&target).snapshot().content();
    let doubled: Vec<_> = there
        .iter()
        .map(|(folder, messages)| (folder, messages.len()))
        .collect();
    assert_eq!(
        there.values().map(Vec::len).sum::<usize>() as u64,
        ALL + 3,
        "{doubled:?}\n{}",
        second.stderr
    );
    start(&[])
        .end()
        .ended(0)
        .counts(&[("copied", 0), ("failed", 0)]);
    assert_eq!(Client::login(&target).snapshot().content(), there);
    if command == "sync" {
        assert_equal(&source, &target);
    }
    is_late
}

#[test]
fn what_a_killed_run_had_sent_and_is_stored_only_now_is_not_doubled() {
    let (state, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (state, other) = (
        state.path().to_str().unwrap(),
        other.path().to_str().unwrap(),
    );
    each(
        [
            ("copy", vec!["--state", state], vec![]),
            // Without the state the run does not know that another one died before it: it must
            // still be at work.
            ("copy", vec!["--no-state"], vec!["--limit-rate", "80k"]),
            ("sync", vec!["--state", other], vec![]),
        ],
        |(command, options, again)| {
            // On a busy machine the next run may look too late.
            let mut tries = 0..3;
            let is_late = |_| begin_again_before_what_was_sent_is_stored(command, &options, &again);
            assert!(
                tries.any(is_late),
                "{command} {options:?}: nothing was late"
            );
        },
    );
}
