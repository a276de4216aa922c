//! The throughput over time, in a limited number of steps however long a run takes: when there are
//! too many, each two become one.

use super::facts::{Step, Throughput};
use std::time::Duration;

/// The initial length of a step.
const FIRST: Duration = Duration::from_millis(125);
/// The maximum number of steps.
const STEPS: usize = 120;

/// Collects the steps.
#[derive(Debug)]
pub(crate) struct Meter {
    length: Duration,
    steps: Vec<Step>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            length: FIRST,
            steps: Vec::new(),
        }
    }
}

impl Meter {
    /// Adds an amount, at this time since the beginning.
    pub(crate) fn note(&mut self, at: Duration, messages: u64, bytes: u64) {
        while self.place(at) >= STEPS {
            self.halve();
        }
        let place = self.place(at);
        if self.steps.len() <= place {
            self.steps.resize(place + 1, Step::default());
        }
        self.steps[place].messages += messages;
        self.steps[place].bytes += bytes;
    }

    /// Returns the steps until now.
    pub(crate) fn throughput(&self) -> Throughput {
        Throughput {
            seconds: self.length.as_secs_f64(),
            steps: self.steps.clone(),
        }
    }

    fn place(&self, at: Duration) -> usize {
        usize::try_from(at.as_millis() / self.length.as_millis()).unwrap_or(usize::MAX)
    }

    fn halve(&mut self) {
        self.length *= 2;
        let sum = |two: &[Step]| {
            two.iter().fold(Step::default(), |sum, step| Step {
                messages: sum.messages + step.messages,
                bytes: sum.bytes + step.bytes,
            })
        };
        self.steps = self.steps.chunks(2).map(sum).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_takes_no_more_steps_than_a_minute() {
        let mut meter = Meter::default();
        for hour in 0..24 * 7 {
            meter.note(Duration::from_secs(hour * 3600), 2, 10);
        }
        let found = meter.throughput();
        assert!(
            found.steps.len() <= STEPS && found.steps.len() > STEPS / 2 - 1,
            "{}",
            found.steps.len()
        );
        assert_eq!(
            found.steps.iter().map(|step| step.messages).sum::<u64>(),
            24 * 7 * 2
        );
        assert_eq!(
            found.steps[0].bytes,
            (found.seconds / 3600.0).ceil() as u64 * 10
        );
    }

    #[test]
    fn idle_steps_are_visible() {
        let mut meter = Meter::default();
        meter.note(Duration::from_millis(10), 1, 5);
        meter.note(Duration::from_millis(400), 1, 7);
        let steps: Vec<_> = meter
            .throughput()
            .steps
            .iter()
            .map(|step| step.bytes)
            .collect();
        assert_eq!(steps, [5, 0, 0, 7]);
    }
}
