//! Breaks one side's connection at one write of a whole run.

use mailferry::net::{Cut, FaultInjector};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the writes of one side over all of its connections, and cuts at one of them.
#[derive(Debug)]
pub(crate) struct AtWrite {
    /// From 1; 0 is never reached.
    write: u64,
    cut: Cut,
    seen: AtomicU64,
}

impl AtWrite {
    pub(crate) fn new(write: u64, cut: Cut) -> Arc<Self> {
        Arc::new(Self { write, cut, seen: AtomicU64::new(0) })
    }

    /// Only counts.
    pub(crate) fn never() -> Arc<Self> {
        Self::new(0, Cut::Before)
    }

    /// How many writes there were.
    pub(crate) fn writes(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// Whether the write to cut at was reached.
    pub(crate) fn has_struck(&self) -> bool {
        self.write > 0 && self.writes() >= self.write
    }
}

impl FaultInjector for AtWrite {
    fn at_write(&self, _bytes: &[u8]) -> Option<Cut> {
        (self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.write).then_some(self.cut)
    }
}
