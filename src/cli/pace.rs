//! The speed of a run and its remaining time, by the last seconds rather than since the beginning:
//! folders differ, and servers slow down.

use std::collections::VecDeque;
use std::time::Duration;

/// The time over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(20);

/// The minimum time between two samples.
const STEP: Duration = Duration::from_millis(500);

/// What a message costs in addition to its bytes, in bytes: commands, acknowledgements, the
/// server's own work.
const MESSAGE_COST: u64 = 8 * 1024;

/// An amount of work, done or left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Messages.
    pub(crate) messages: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

impl Amount {
    /// Returns the length of a bar: bytes, or messages if there are none.
    pub(crate) fn length(self) -> u64 {
        if self.bytes > 0 {
            self.bytes
        } else {
            self.messages
        }
    }

    fn work(self) -> u64 {
        self.bytes
            .saturating_add(self.messages.saturating_mul(MESSAGE_COST))
    }
}

/// Samples of the work done over time. Times are since any fixed instant.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    samples: VecDeque<(Duration, Amount)>,
}

impl Pace {
    /// Notes the work done by now. Of samples close together only the first is kept.
    pub(crate) fn note(&mut self, now: Duration, done: Amount) {
        if self
            .samples
            .back()
            .is_some_and(|(then, _)| now.saturating_sub(*then) < STEP)
        {
            return;
        }
        self.samples.push_back((now, done));
        while self
            .samples
            .get(1)
            .is_some_and(|(then, _)| now.saturating_sub(*then) >= WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Returns messages per second; `None` during the first second.
    pub(crate) fn messages_per_second(&self, now: Duration, done: Amount) -> Option<f64> {
        self.per_second(now, |amount| amount.messages, done)
    }

    /// Returns bytes per second; `None` during the first second.
    pub(crate) fn bytes_per_second(&self, now: Duration, done: Amount) -> Option<f64> {
        self.per_second(now, |amount| amount.bytes, done)
    }

    fn per_second(&self, now: Duration, of: fn(Amount) -> u64, done: Amount) -> Option<f64> {
        let (then, before) = self.samples.front()?;
        let seconds = now.saturating_sub(*then).as_secs_f64();
        (seconds >= 1.0).then(|| of(done).saturating_sub(of(*before)) as f64 / seconds)
    }

    /// Returns how long the rest will take; `None` while nothing moves, and when there is nothing
    /// left but to wait for the server's answer.
    pub(crate) fn time_left(&self, now: Duration, done: Amount, total: Amount) -> Option<Duration> {
        let (then, before) = self.samples.front()?;
        let seconds = now.saturating_sub(*then).as_secs_f64();
        let moved = done.work().saturating_sub(before.work()) as f64;
        let rest = total.work().saturating_sub(done.work()) as f64;
        if seconds < 1.0 || moved <= 0.0 || rest <= 0.0 {
            return None;
        }
        Duration::try_from_secs_f64(rest * seconds / moved).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn bytes(bytes: u64) -> Amount {
        Amount { messages: 0, bytes }
    }

    #[test]
    fn there_is_no_rate_during_the_first_second() {
        let mut pace = Pace::default();
        assert_eq!(pace.bytes_per_second(at(5.0), bytes(10)), None);
        pace.note(at(0.0), bytes(0));
        assert_eq!(pace.bytes_per_second(at(0.9), bytes(10)), None);
        assert_eq!(pace.time_left(at(9.0), bytes(0), bytes(10)), None);
    }

    #[test]
    fn rate_and_rest_follow_the_last_seconds() {
        let mut pace = Pace::default();
        for second in 0..=100_u32 {
            // 1000 bytes per second for 70 s, then 100.
            let done =
                u64::from(second.min(70)) * 1000 + u64::from(second.saturating_sub(70)) * 100;
            pace.note(at(f64::from(second)), bytes(done));
        }
        let done = bytes(73_000);
        assert_eq!(pace.bytes_per_second(at(100.0), done), Some(100.0));
        assert_eq!(
            pace.time_left(at(100.0), done, bytes(74_000)),
            Some(at(10.0))
        );
        assert!(pace.samples.len() <= 42);
    }

    #[test]
    fn small_messages_take_their_time_too() {
        let mut pace = Pace::default();
        pace.note(at(0.0), Amount::default());
        let done = Amount {
            messages: 10,
            bytes: 0,
        };
        let total = Amount {
            messages: 30,
            bytes: 0,
        };
        assert_eq!(pace.time_left(at(2.0), done, total), Some(at(4.0)));
        assert_eq!(pace.time_left(at(6.0), total, total), None);
    }
}
