//! Steps through every write of the protocol: the connection breaks before it, within it or after
//! it, so its reply is lost, on either side, with and without the state; and sometimes again while
//! the first break is being repaired. Each time the same run continues, or a second one does, and
//! in the end nothing is missing, damaged or duplicated.
//!
//! The copies run in this process, using the library, whose fault injector ([`injector`]) counts
//! the writes of one side over all its connections. [`scenarios`] has the kinds of runs; a new way
//! of writing needs a line there. `MAILFERRY_STEP=rerun/target/7` runs only the steps whose name
//! begins like this, and prints the traffic. By default every second step is taken, which reaches
//! each write; `MAILFERRY_EVERY=1`, as `scripts/crash` sets it, takes all.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod ground;
mod scenarios;

use crate::faults::injector::AtWrites;
use crate::lab::generator::random;
use ground::Ground;
use mailferry::mail::Side;
use mailferry::net::Cut;
use mailferry::verbs::{CopySummary, Status};
use scenarios::{SCENARIOS, Scenario};
use std::fmt;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// Steps that are taken side by side: they mostly wait, for pauses before a new connection and for
/// lost replies.
const SIDE_BY_SIDE: usize = 32;

/// One fault in one scenario.
#[derive(Clone, Copy)]
struct Step {
    scenario: &'static Scenario,
    side: Side,
    write: u64,
    cut: Cut,
    /// So many writes later, in what is done about the first break, there is a second one.
    again: Option<u64>,
    with_state: bool,
}

/// The step's name, by which it can be run alone.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.with_state { "state" } else { "no-state" };
        write!(
            f,
            "{}/{}/{}/{:?}",
            self.scenario.name,
            self.side.name(),
            self.write,
            self.cut
        )?;
        self.again.map_or(Ok(()), |again| write!(f, "+{again}"))?;
        write!(f, "/{state}")
    }
}

/// How a step ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    SameRun,
    SecondRun,
    /// The run made fewer writes this time, so nothing broke.
    Untouched,
}

fn is_complete(result: &Result<CopySummary, mailferry::store::Error>) -> bool {
    result
        .as_ref()
        .is_ok_and(|summary| matches!(summary.status, Status::Complete))
}

/// Takes a step from scratch, with accounts and a state of its own.
fn take(step: Step) -> End {
    let ground = Ground::new(step.scenario, step.with_state);
    (step.scenario.prepare)(&ground);
    let again = step.again.map(|again| (step.write + again, Cut::After));
    let faults = AtWrites::new([(step.write, step.cut)].into_iter().chain(again));
    let broken = ground.copy(&[(step.side, &faults)]);
    let end = match (faults.has_struck(), is_complete(&broken)) {
        (false, true) => End::Untouched,
        (true, true) => End::SameRun,
        (true, false) => End::SecondRun,
        (false, false) => panic!("nothing broke, and yet: {broken:?}"),
    };
    if end == End::SecondRun {
        (step.scenario.meanwhile)(&ground);
        let second = ground.copy(&[]);
        assert!(
            is_complete(&second),
            "the second run: {second:?}\nafter {broken:?}"
        );
    }
    (step.scenario.then)(&ground);
    let last = ground.copy(&[]);
    let Ok(summary) = last.as_ref().map(|summary| {
        (
            summary.copied + summary.kept,
            summary.flags_updated,
            summary.folders_created,
        )
    }) else {
        panic!("the last run: {last:?}");
    };
    assert!(
        is_complete(&last) && summary == (0, 0, 0),
        "the last run had work to do: {last:?}\nafter {broken:?}"
    );
    end
}

/// How often each side writes in a run without faults.
fn writes(scenario: &'static Scenario, with_state: bool) -> [(Side, u64); 2] {
    let ground = Ground::new(scenario, with_state);
    (scenario.prepare)(&ground);
    let [source, target] = [AtWrites::new([]), AtWrites::new([])];
    let run = ground.copy(&[(Side::SOURCE, &source), (Side::TARGET, &target)]);
    assert!(is_complete(&run), "without a fault: {run:?}");
    (scenario.then)(&ground);
    [
        (Side::SOURCE, source.writes()),
        (Side::TARGET, target.writes()),
    ]
}

fn steps(scenario: &'static Scenario) -> Vec<Step> {
    let mut steps = Vec::new();
    for with_state in if scenario.stateless {
        &[true, false][..]
    } else {
        &[true]
    } {
        let with_state = *with_state;
        for (side, count) in writes(scenario, with_state) {
            assert!(
                count >= 4,
                "{}: {count} writes to the {}",
                scenario.name,
                side.name()
            );
            let step = |write, cut, again| Step {
                scenario,
                side,
                write,
                cut,
                again,
                with_state,
            };
            for write in 1..=count {
                steps.extend(
                    [Cut::Before, Cut::Within, Cut::After].map(|cut| step(write, cut, None)),
                );
            }
            if side == Side::TARGET && with_state {
                // The places differ, so that all that is done after a break is broken too.
                steps.extend(
                    (1..=count).map(|write| step(write, Cut::After, Some(1 + write * 7 % 11))),
                );
            }
        }
    }
    steps
}

#[test]
fn a_fault_at_any_write_neither_damages_nor_loses_nor_doubles() {
    let only = std::env::var("MAILFERRY_STEP").ok();
    let every = if only.is_some() {
        1
    } else {
        random::number("MAILFERRY_EVERY", 2) as usize
    };
    let mut steps: Vec<Step> = SCENARIOS.iter().flat_map(steps).step_by(every).collect();
    steps.retain(|step| {
        only.as_ref()
            .is_none_or(|only| step.to_string().starts_with(only))
    });
    let all = steps.len();
    let (queue, ends, failed) = (
        Mutex::new(steps.into_iter()),
        Mutex::new(Vec::new()),
        Mutex::new(Vec::new()),
    );
    let work = || {
        while let Some(step) = { queue.lock().unwrap().next() } {
            match catch_unwind(AssertUnwindSafe(|| take(step))) {
                Ok(end) => ends.lock().unwrap().push(end),
                Err(_) => failed.lock().unwrap().push(step.to_string()),
            }
        }
    };
    std::thread::scope(|scope| (0..SIDE_BY_SIDE).for_each(|_| drop(scope.spawn(work))));
    let (ends, failed) = (ends.into_inner().unwrap(), failed.into_inner().unwrap());
    let of = |wanted: End| ends.iter().filter(|end| **end == wanted).count();
    let (same, second, untouched) = (of(End::SameRun), of(End::SecondRun), of(End::Untouched));
    let text = format!(
        "crash: every write: {all} faults, the same run went on after {same}, a second one after {second}, \
         {untouched} were not reached\n"
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(
        failed.is_empty(),
        "{} of {all} steps failed: {}",
        failed.len(),
        failed.join(" ")
    );
    assert!(
        untouched * 50 <= all && (only.is_some() || same > second),
        "{text}"
    );
}
