//! Breaks one side's connections at chosen writes of a whole run.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use mailferry::net::{Cut, FaultInjector};
use mailferry::state::{PairLock, PairName, StateDirectory};
use mailferry::store::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts the writes of one side over all of its connections, and cuts at some of them.
#[derive(Debug)]
pub(crate) struct AtWrites {
    /// Numbers from 1, ascending.
    cuts: Vec<(u64, Cut)>,
    seen: AtomicU64,
}

impl AtWrites {
    pub(crate) fn new(cuts: impl IntoIterator<Item = (u64, Cut)>) -> Arc<Self> {
        Arc::new(Self {
            cuts: cuts.into_iter().collect(),
            seen: AtomicU64::new(0),
        })
    }

    /// How many writes there were.
    pub(crate) fn writes(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// Whether the first write to cut at was reached.
    pub(crate) fn has_struck(&self) -> bool {
        self.cuts
            .first()
            .is_some_and(|(number, _)| self.writes() >= *number)
    }
}

impl FaultInjector for AtWrites {
    fn at_write(&self, _bytes: &[u8]) -> Option<Cut> {
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        self.cuts
            .iter()
            .find(|(at, _)| *at == number)
            .map(|(_, cut)| *cut)
    }
}

/// Locks the pair for a run in this process. A program that another test is just starting holds all
/// our files for a moment.
pub(crate) fn lock(directory: &StateDirectory, pair: &PairName) -> PairLock {
    for _ in 0..1_000 {
        match PairLock::take(directory, pair, "a test") {
            Err(error) if error.kind == ErrorKind::Locked => {
                std::thread::sleep(Duration::from_millis(10));
            }
            taken => return taken.unwrap(),
        }
    }
    panic!("another run has the lock for ten seconds");
}
