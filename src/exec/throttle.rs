//! `--limit-rate`: bytes per second, all lanes together.

use crate::locks::lock;
use std::io::Read;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Releases bytes at a steady rate. Idle time isn't made up for later.
pub(super) struct Throttle {
    bytes_per_second: u64,
    /// When the bytes released so far will have been paid for.
    paid_until: Mutex<Instant>,
}

impl Throttle {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            paid_until: Mutex::new(Instant::now()),
        }
    }

    /// Waits until `bytes` may be sent.
    pub(super) fn take(&self, bytes: u64) {
        let start = {
            let mut paid_until = lock(&self.paid_until);
            let start = (*paid_until).max(Instant::now());
            *paid_until =
                start + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
            start
        };
        std::thread::sleep(start.saturating_duration_since(Instant::now()));
    }
}

/// A reader limited by a throttle.
pub(super) struct Throttled<'a> {
    pub(super) throttle: &'a Throttle,
    pub(super) from: &'a mut dyn Read,
}

impl Read for Throttled<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.throttle.take(count as u64);
        Ok(count)
    }
}
