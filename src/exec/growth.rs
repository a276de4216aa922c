//! How many lanes work at a time: first as many as the servers are known to handle, then one more
//! as long as that makes the copy faster, and one fewer if a server refuses or drops a connection.

use crate::locks::{lock, wait};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a number of lanes is measured before it is judged.
const PERIOD: Duration = Duration::from_secs(1);
/// Another lane is worth its connections if it makes the copy faster by this factor.
const GAIN: f64 = 1.1;
/// How long until another lane is tried again: networks and servers have better and worse hours.
const REST: Duration = Duration::from_secs(300);
/// What a message counts in addition to its bytes, since each costs a server some work, however
/// short.
const MESSAGE_BYTES: u64 = 4 << 10;

/// How many lanes there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes {
    /// How many to start with.
    pub first: usize,
    /// The maximum.
    pub most: usize,
}

impl Lanes {
    /// Fixes the number.
    pub fn fixed(lanes: usize) -> Self {
        Self {
            first: lanes,
            most: lanes,
        }
    }

    /// Halves the numbers for two copies in parallel.
    pub fn halves(self) -> [Self; 2] {
        let half = Self {
            first: self.first / 2,
            most: self.most / 2,
        };
        [
            half,
            Self {
                first: self.first - half.first,
                most: self.most - half.most,
            },
        ]
    }

    /// Limits the numbers to at most this many, and at least one.
    pub fn up_to(self, most: usize) -> Self {
        Self {
            first: self.first.min(most).max(1),
            most: self.most.min(most).max(1),
        }
    }
}

/// Starts and stops lanes.
pub(super) struct Growth {
    begun: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    lanes: Lanes,
    /// Lanes with a lower number may work.
    allowed: usize,
    /// Lanes currently working.
    active: usize,
    /// Whether the first lane has started, which never waits.
    has_begun: bool,
    /// Whether no more lanes may start.
    is_over: bool,
    judged: Judged,
    /// When the current measuring period began, and what was delivered in it.
    since: Duration,
    delivered: u64,
}

/// What is known about the number of lanes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Judged {
    /// With one lane fewer, this much was delivered per second.
    Compare(f64),
    /// A lane was started and has no connections yet: the present rate means nothing.
    Connecting(f64),
    /// More lanes don't help, for now.
    Until(Duration),
}

impl Growth {
    pub(super) fn new(lanes: Lanes) -> Self {
        Self {
            begun: Instant::now(),
            state: Mutex::new(State::new(lanes)),
            changed: Condvar::new(),
        }
    }

    /// Allows lanes to start in another round.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        (state.is_over, state.active, state.has_begun) = (false, 0, false);
    }

    /// Waits until the lane with this number may work. False: there is no more work for it.
    pub(super) fn enter(&self, number: usize) -> bool {
        let mut state = self.state();
        while number >= state.allowed && !state.is_over {
            // The lanes that a stop ends wake those that wait here.
            state = wait(&self.changed, state);
        }
        state.has_begun |= number == 0;
        // The first one starts even if the others have ended: it has to report how the round went.
        let may = number == 0 || !state.is_over;
        state.active += usize::from(may);
        may
    }

    /// Notes that a lane has its connections.
    pub(super) fn connected(&self) {
        let now = self.begun.elapsed();
        self.state().connected(now);
    }

    /// Notes that the lane with this number ends. If it was the last, or no work is left, no other
    /// may start; if it ends although there is work and it isn't surplus, the next one may replace
    /// it.
    pub(super) fn leave(&self, number: usize, is_done: bool) {
        let mut state = self.state();
        state.active = state.active.saturating_sub(1);
        state.is_over |= is_done || state.has_begun && state.active == 0;
        if !is_done && number < state.allowed {
            state.allowed += 1;
            state.lanes.most += 1;
        }
        self.changed.notify_all();
    }

    /// Reports whether the lane with this number is surplus.
    pub(super) fn is_too_many(&self, number: usize) -> bool {
        number >= self.state().allowed
    }

    /// Returns how many lanes may work now.
    pub(super) fn allowed(&self) -> usize {
        self.state().allowed
    }

    /// Notes that a message was passed to the target.
    pub(super) fn delivered(&self, bytes: u64) {
        let now = self.begun.elapsed();
        let mut state = self.state();
        let before = state.allowed;
        state.delivered(now, bytes + MESSAGE_BYTES);
        if state.allowed > before {
            self.changed.notify_all();
        }
    }

    /// Notes that a lane had nothing to do for a while: that says nothing about the servers, so
    /// they are measured from now on.
    pub(super) fn idled(&self) {
        let now = self.begun.elapsed();
        self.state().idled(now);
    }

    /// Notes that a connection broke: one lane fewer for a while.
    pub(super) fn step_back(&self) {
        let now = self.begun.elapsed();
        self.state().step_back(now);
    }

    /// Notes that a server accepts no further connection.
    pub(super) fn refused(&self) {
        let now = self.begun.elapsed();
        let mut state = self.state();
        state.step_back(now);
        state.lanes.most = state.allowed;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn new(lanes: Lanes) -> Self {
        Self {
            lanes,
            allowed: lanes.first.max(1),
            active: 0,
            is_over: false,
            has_begun: false,
            judged: Judged::Connecting(0.0),
            since: Duration::ZERO,
            delivered: 0,
        }
    }

    fn begin_period(&mut self, now: Duration, judged: Judged) {
        (self.judged, self.since, self.delivered) = (judged, now, 0);
    }

    fn connected(&mut self, now: Duration) {
        if let Judged::Connecting(rate) = self.judged {
            self.begin_period(now, Judged::Compare(rate));
        }
    }

    fn idled(&mut self, now: Duration) {
        if let Judged::Compare(_) = self.judged {
            self.begin_period(now, self.judged);
        }
    }

    fn delivered(&mut self, now: Duration, bytes: u64) {
        self.delivered += bytes;
        let watched = now.saturating_sub(self.since);
        match self.judged {
            Judged::Compare(before) if watched >= PERIOD => {
                let rate = self.delivered as f64 / watched.as_secs_f64();
                self.judge(now, before, rate);
            }
            Judged::Until(end) if now >= end => self.begin_period(now, Judged::Compare(0.0)),
            _ => {}
        }
    }

    fn judge(&mut self, now: Duration, before: f64, rate: f64) {
        if rate <= before * GAIN {
            // The last one did not help.
            self.allowed = (self.allowed - 1).max(self.lanes.first.min(self.allowed));
            self.begin_period(now, Judged::Until(now + REST));
        } else if self.allowed < self.lanes.most {
            self.allowed += 1;
            self.begin_period(now, Judged::Connecting(rate));
        } else {
            self.begin_period(now, Judged::Until(now + REST));
        }
    }

    fn step_back(&mut self, now: Duration) {
        self.allowed = (self.allowed - 1).max(1);
        self.begin_period(now, Judged::Until(now + REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delivers the given number of bytes in each second, and returns the lanes allowed after each.
    /// Lanes connect at once.
    fn run(state: &mut State, start: u64, rates: impl IntoIterator<Item = u64>) -> Vec<usize> {
        let mut seen = Vec::new();
        for (second, rate) in rates.into_iter().enumerate() {
            let begin = Duration::from_secs(start + second as u64);
            state.connected(begin);
            for tenth in 1..=10 {
                state.delivered(begin + Duration::from_millis(100 * tenth), rate / 10);
            }
            seen.push(state.allowed);
        }
        seen
    }

    #[test]
    fn lanes_are_added_while_they_help() {
        let mut state = State::new(Lanes { first: 2, most: 8 });
        assert_eq!(
            run(&mut state, 0, [200, 300, 400, 405, 400]),
            [3, 4, 5, 4, 4]
        );
    }

    #[test]
    fn there_are_never_more_than_may_be() {
        let mut state = State::new(Lanes { first: 2, most: 4 });
        assert_eq!(
            run(&mut state, 0, [100, 200, 400, 800, 1_600]),
            [3, 4, 4, 4, 4]
        );
        let mut fixed = State::new(Lanes::fixed(3));
        assert_eq!(run(&mut fixed, 0, [100, 200, 50]), [3, 3, 3]);
    }

    #[test]
    fn after_a_rest_it_is_tried_again() {
        let mut state = State::new(Lanes { first: 1, most: 8 });
        assert_eq!(run(&mut state, 0, [100, 100]), [2, 1]);
        assert_eq!(run(&mut state, 100, [900]), [1]);
        assert_eq!(run(&mut state, 400, [100, 100, 200])[2], 3);
    }

    #[test]
    fn a_lane_that_is_connecting_is_waited_for() {
        let mut state = State::new(Lanes { first: 1, most: 8 });
        state.connected(Duration::ZERO);
        state.delivered(Duration::from_secs(1), 100);
        assert_eq!(state.allowed, 2);
        for second in 2..20 {
            state.delivered(Duration::from_secs(second), 100);
        }
        assert_eq!(
            (state.allowed, state.judged),
            (2, Judged::Connecting(100.0))
        );
    }

    #[test]
    fn a_period_in_which_a_lane_had_nothing_to_do_is_not_judged() {
        let mut state = State::new(Lanes { first: 2, most: 8 });
        assert_eq!(run(&mut state, 0, [200, 300]), [3, 4]);
        state.connected(Duration::from_secs(2));
        state.delivered(Duration::from_millis(2_900), 10);
        state.idled(Duration::from_millis(2_900));
        state.delivered(Duration::from_secs(3), 10);
        assert_eq!(
            (state.allowed, state.judged),
            (4, Judged::Compare(300.0)),
            "too little came for want of work"
        );
        state.delivered(Duration::from_millis(3_900), 500);
        assert_eq!(state.allowed, 5);
    }

    #[test]
    fn what_a_server_refuses_is_not_asked_for_again() {
        let growth = Growth::new(Lanes { first: 4, most: 8 });
        growth.refused();
        assert!(growth.is_too_many(3) && !growth.is_too_many(2));
        assert_eq!(growth.state().lanes.most, 3);
        for _ in 0..9 {
            growth.step_back();
        }
        assert_eq!(growth.allowed(), 1);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let growth = Growth::new(Lanes { first: 1, most: 2 });
        growth.begin();
        assert!(growth.enter(0));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| growth.enter(1));
            growth.leave(0, true);
            assert!(!waiting.join().unwrap());
        });
        growth.begin();
        assert!(growth.enter(0));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| growth.enter(1));
            // Another is working, so this one's end isn't the end of all.
            growth.state().active += 1;
            growth.leave(0, false);
            assert!(
                waiting.join().unwrap(),
                "it takes the place of one that failed"
            );
        });
        growth.begin();
        assert!(growth.enter(0), "another round lets it in again");
    }
}
