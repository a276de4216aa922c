//! `--limit-rate`: bytes per second, all lanes together.

use super::pause;
use crate::event::Stop;
use crate::locks::lock;
use std::io::Read;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Releases bytes at a steady rate. Idle time isn't made up for later. After a request to stop,
/// bytes are released at once: nothing new is begun, and what is under way must not take hours.
pub(super) struct Throttle<'a> {
    bytes_per_second: u64,
    /// When the bytes released so far will have been paid for.
    paid_until: Mutex<Instant>,
    stop: &'a Stop,
}

impl<'a> Throttle<'a> {
    pub(super) fn new(bytes_per_second: u64, stop: &'a Stop) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            paid_until: Mutex::new(Instant::now()),
            stop,
        }
    }

    /// Waits until `bytes` may be sent, or until the user asks to stop.
    pub(super) fn take(&self, bytes: u64) {
        let start = {
            let mut paid_until = lock(&self.paid_until);
            let start = (*paid_until).max(Instant::now());
            *paid_until =
                start + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
            start
        };
        // The wait fails only if it was ended by the stop.
        let _ = pause(start.saturating_duration_since(Instant::now()), self.stop);
    }
}

/// A reader limited by a throttle.
pub(super) struct Throttled<'a> {
    pub(super) throttle: &'a Throttle<'a>,
    pub(super) from: &'a mut dyn Read,
}

impl Read for Throttled<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.throttle.take(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_stop_no_byte_waits() {
        let stop = Stop::new();
        let throttle = Throttle::new(1, &stop);
        throttle.take(3_600);
        stop.request();
        throttle.take(1);
        assert!(*lock(&throttle.paid_until) > Instant::now());
    }
}
