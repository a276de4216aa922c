//! Others are at work in both mailboxes during runs: they deliver, move, mark, delete, rename
//! folders and remove the files that assign UIDs. A seed determines each round. A record has
//! everything that was done to each message; two runs after the last change, nothing is missing
//! unless it was deleted, and nothing is duplicated.
//!
//! `MAILFERRY_SEED` is the first round's seed, `MAILFERRY_ROUNDS` the number of rounds, by default
//! twenty: `scripts/churn` runs any number.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at the first surprise"
)]

mod oracle;
mod record;
mod round;
mod sides;

use crate::lab::generator::random;
use round::{Outcome, Round};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

/// How many rounds there are at a time: they mostly wait.
const AT_A_TIME: usize = 6;

#[test]
fn whatever_others_do_meanwhile_nothing_is_lost_doubled_or_brought_back() {
    let (first, rounds) = (
        random::number("MAILFERRY_SEED", 1),
        random::number("MAILFERRY_ROUNDS", 20),
    );
    let next = AtomicU64::new(first);
    let begun = Instant::now();
    let outcomes: Vec<(u64, Outcome)> = std::thread::scope(|scope| {
        let work = || {
            let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            seeds
                .take_while(|seed| *seed < first + rounds)
                .map(|seed| (seed, Round::of_seed(seed).run()))
                .collect()
        };
        let workers: Vec<ScopedJoinHandle<'_, Vec<_>>> =
            (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    let faults: Vec<String> = (outcomes.iter())
        .filter_map(|(seed, outcome)| {
            Some(format!(
                "\nMAILFERRY_SEED={seed}: {}",
                outcome.fault.as_ref()?
            ))
        })
        .collect();
    println!(
        "churn: {rounds} rounds, {} faults, {:.0} seconds",
        faults.len(),
        begun.elapsed().as_secs_f64()
    );
    print_counts(&outcomes);
    assert!(
        faults.is_empty(),
        "{} of {rounds} rounds:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// Prints how many rounds there were of each kind, and what was done in them.
fn print_counts(outcomes: &[(u64, Outcome)]) {
    let mut counts: [BTreeMap<String, u64>; 3] = Default::default();
    for (
        _,
        Outcome {
            verb,
            kinds,
            record,
            ..
        },
    ) in outcomes
    {
        *counts[0].entry(format!("{verb:?}")).or_default() += 1;
        for kind in kinds {
            *counts[1]
                .entry(kind.map_or("Maildir".to_owned(), |kind| format!("{kind:?}")))
                .or_default() += 1;
        }
        for (what, count) in record.counts() {
            *counts[2].entry(what.to_owned()).or_default() += count;
        }
    }
    println!(
        "verbs {:?}, sides {:?}, others {:?}",
        counts[0], counts[1], counts[2]
    );
}
