//! Cuts at places that nobody chose: after at most a few runs the target equals the source, with nothing doubled.
//!
//! The series is the same each time; `MAILFERRY_CUTS=1000` makes it longer and `MAILFERRY_SEED` another one.

mod lab;

use lab::client::{Client, NewMessage};
use lab::generator::random::{self, Random};
use lab::mailboxes::{assert_equal, assert_no_damage, at, by, empty, filled, message, messages};
use lab::proxy::{At, Direction, How, Plan, Proxy};
use lab::run::copy;
use lab::servers::{Account, Personality};
use std::io::Write as _;

/// Threads that cut side by side.
const SIDE_BY_SIDE: usize = 3;

/// An account of 150 messages in three folders: small ones, equal ones, some without Message-ID, one large.
fn source() -> Account {
    let source = filled("src", messages(80));
    let mut client = Client::login(&source);
    for (folder, count) in [("one", 50), ("two", 18)] {
        client.create(&[folder]);
        client.append(&[folder], messages(count).into_iter());
    }
    let large = |number: usize| message(number, &"a line of a body, as there are many\r\n".repeat(4_000));
    let odd = NewMessage::of("no header, only this\r\n");
    client.append(&["one"], [large(500), odd.clone()].into_iter());
    assert_eq!(client.snapshot().count(), 150);
    source
}

/// Bytes that go over a connection to either side, up and down, in a run without cuts.
fn lengths(source: &Account, personality: Personality) -> [u64; 4] {
    let target = empty("dst", personality);
    let from = Proxy::start(source.port, Plan::default());
    let to = Proxy::start(target.port, Plan::default());
    copy(&by(source, from.port), &by(&target, to.port), &["-j", "1"]).ended(0);
    let (from, to) = (&from.traffic()[0], &to.traffic()[0]);
    [from.bytes_up, from.bytes_down, to.bytes_up, to.bytes_down]
}

/// Told where a cut's test fails.
struct Story(String);

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(writeln!(std::io::stderr(), "{}", self.0));
        }
    }
}

fn cut_once(source: &Account, seed: u64, number: u64, lengths: &[(Personality, [u64; 4])]) {
    let mut random = Random::new(Random::mix(seed, number));
    let (personality, lengths) = random.of(lengths);
    let target = empty("cut", personality);
    let place = random.below(4) as usize;
    let direction = [Direction::Up, Direction::Down][place % 2];
    let how = random.of(&[How::Fin, How::Rst]);
    let connections = random.of(&[1, 1, 2, 3]);
    let lanes = random.of(&["1", "3"]);
    let bytes = random.below(lengths[place]);
    let plan = Plan::default().cut(direction, At::Bytes(bytes), how).only_first(connections);
    let story = format!(
        "seed {seed}, cut {number}: {personality:?} place {place} {how:?} after {bytes}, {connections} connections, -j {lanes}"
    );
    let story = Story(story);
    let (source_plan, target_plan) = if place < 2 { (plan, Plan::default()) } else { (Plan::default(), plan) };
    let from = Proxy::start(source.port, source_plan);
    let to = Proxy::start(target.port, target_plan);
    for run in 1.. {
        let result = copy(&by(source, from.port), &by(&target, to.port), &["-j", lanes]);
        assert_no_damage(source, &target);
        if result.code == Some(0) {
            break;
        }
        assert!(run < 4, "not done after {run} runs: {result:?}");
    }
    assert_equal(source, &target);
    assert_eq!(copy(&at(source), &at(&target), &[]).ended(0).count("copied"), 0);
    drop(story);
}

#[test]
fn cuts_anywhere_neither_damage_nor_lose_nor_double() {
    let (count, seed) = (random::number("MAILFERRY_CUTS", 200), random::number("MAILFERRY_SEED", 1));
    let source = source();
    let kinds = [Personality::Plain, Personality::NoMulti, Personality::NoLiteral];
    let lengths = kinds.map(|personality| (personality, lengths(&source, personality)));
    let (source, lengths) = (&source, &lengths);
    std::thread::scope(|scope| {
        for first in 0..SIDE_BY_SIDE {
            scope.spawn(move || {
                (first as u64..count).step_by(SIDE_BY_SIDE).for_each(|cut| cut_once(source, seed, cut, lengths));
            });
        }
    });
}
