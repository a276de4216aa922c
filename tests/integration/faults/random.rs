//! Connections cut at random places: after a few runs at most, the target equals the source, with
//! nothing duplicated.
//!
//! The series is the same each time; `MAILFERRY_CUTS=1000` makes it longer and `MAILFERRY_SEED`
//! another one.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, Content, NewMessage};
use crate::lab::generator::random::{self, Random};
use crate::lab::mailboxes::{
    assert_equal, assert_nothing_beyond, at, by, empty, filled, message, messages,
};
use crate::lab::proxy::{At, Direction, How, Plan, Proxy};
use crate::lab::run::{copy, run};
use crate::lab::servers::{Account, Personality};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Threads that cut side by side.
const SIDE_BY_SIDE: usize = 12;

/// An account of 150 messages in three folders: small ones, equal ones, some without Message-ID,
/// one large.
fn source() -> Account {
    let source = filled("src", messages(80));
    let mut client = Client::login(&source);
    for (folder, count) in [("one", 50), ("two", 18)] {
        client.create(&[folder]);
        client.append(&[folder], messages(count).into_iter());
    }
    let large = |number: usize| {
        message(
            number,
            &"a line of a body, as there are many\r\n".repeat(4_000),
        )
    };
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

/// One connection's end, or the ends of several, in one copy.
#[derive(Clone, Copy, Debug)]
struct Blow {
    personality: Personality,
    /// Source up, source down, target up, target down.
    place: usize,
    bytes: u64,
    how: How,
    connections: usize,
    lanes: &'static str,
    with_state: bool,
    /// Whether it is `apply` that is cut, of a plan that was saved before.
    by_plan: bool,
}

impl Blow {
    fn new(mut random: Random, lengths: &[(Personality, [u64; 4])]) -> Self {
        let (personality, lengths) = random.of(lengths);
        let place = random.below(4) as usize;
        Self {
            personality,
            place,
            bytes: random.below(lengths[place]),
            how: random.of(&[How::Fin, How::Rst]),
            connections: random.of(&[1, 1, 2, 3]),
            lanes: random.of(&["1", "3"]),
            with_state: random.of(&[true, false]),
            by_plan: random.below(3) == 0,
        }
    }

    /// What the proxies on both sides do.
    fn plans(self) -> [Plan; 2] {
        let direction = [Direction::Up, Direction::Down][self.place % 2];
        let plan = Plan::default()
            .cut(direction, At::Bytes(self.bytes), self.how)
            .only_first(self.connections);
        // The dry run that saves the plan takes the first one.
        let plan = plan.spare(usize::from(self.by_plan));
        if self.place < 2 {
            [plan, Plan::default()]
        } else {
            [Plan::default(), plan]
        }
    }

    /// Copies until it is done, with a new target; how many connections were cut.
    fn strike(self, source: &Account, content: &Content) -> usize {
        let target = empty("cut", self.personality);
        let [source_plan, target_plan] = self.plans();
        let (from, to) = (
            Proxy::start(source.port, source_plan),
            Proxy::start(target.port, target_plan),
        );
        let directory = tempfile::tempdir().unwrap();
        let with_state = ["--state", directory.path().to_str().unwrap()];
        let state = if self.with_state {
            &with_state[..]
        } else {
            &["--no-state"]
        };
        let options = [&["-j", self.lanes], state].concat();
        let (from_address, to_address) = (by(source, from.port), by(&target, to.port));
        let saved = directory.path().join("a.plan").display().to_string();
        if self.by_plan {
            copy(
                &from_address,
                &to_address,
                &[&options[..], &["--dry-run", "--save-plan", &saved]].concat(),
            )
            .ended(0);
        }
        let go = || match self.by_plan {
            true => run(&["apply", &saved, "--output", "json", "-j", self.lanes]),
            false => copy(&from_address, &to_address, &options),
        };
        let mut broken = 0;
        let mut copied = || loop {
            let run = go();
            assert_nothing_beyond(content, &Client::login(&target).snapshot().content());
            if run.code == Some(0) {
                return run.count("copied");
            }
            broken += 1;
            assert!(broken < 4, "not done after {broken} runs: {run:?}");
        };
        copied();
        assert_equal(source, &target);
        assert_eq!(copied(), 0);
        assert_eq!(
            copy(&at(source), &at(&target), &[])
                .ended(0)
                .count("copied"),
            0
        );
        from.traffic()
            .iter()
            .chain(&to.traffic())
            .filter(|connection| connection.cut)
            .count()
    }
}

#[test]
fn cuts_anywhere_neither_damage_nor_lose_nor_double() {
    let (count, seed) = (
        random::number("MAILFERRY_CUTS", 200),
        random::number("MAILFERRY_SEED", 1),
    );
    let source = source();
    let content = Client::login(&source).snapshot().content();
    let kinds = [
        Personality::Plain,
        Personality::NoMulti,
        Personality::NoLiteral,
    ];
    let lengths = kinds.map(|personality| (personality, lengths(&source, personality)));
    let (next, cuts, failed) = (
        AtomicU64::new(0),
        AtomicUsize::new(0),
        Mutex::new(Vec::new()),
    );
    let work = || loop {
        // More tries than cuts: with several lanes a connection may end before its cut.
        let number = next.fetch_add(1, Ordering::Relaxed);
        if cuts.load(Ordering::Relaxed) as u64 >= count {
            return;
        }
        let blow = Blow::new(Random::new(Random::mix(seed, number)), &lengths);
        match catch_unwind(AssertUnwindSafe(|| blow.strike(&source, &content))) {
            Ok(struck) => drop(cuts.fetch_add(struck, Ordering::Relaxed)),
            Err(_) => failed
                .lock()
                .unwrap()
                .push(format!("seed {seed}, number {number}: {blow:?}")),
        }
        assert!(number < 10 * count, "the cuts do not strike");
    };
    std::thread::scope(|scope| (0..SIDE_BY_SIDE).for_each(|_| drop(scope.spawn(work))));
    let (failed, copies, cuts) = (
        failed.into_inner().unwrap(),
        next.into_inner(),
        cuts.into_inner(),
    );
    let text = format!(
        "crash: cuts, seed {seed}: {cuts} connections cut in {copies} copies, {} failed\n",
        failed.len()
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
