//! The one queue that all lanes take from. Pieces are added while the lanes run, until it is
//! closed.

use super::Link;
use crate::locks::lock;
use crate::plan::Piece;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a lane that waits for work looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Pieces of work, and whether more may come.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// What was put back, the next one first.
    again: VecDeque<Piece>,
    /// What no lane has taken, each with its bytes, the largest first.
    fresh: VecDeque<(u64, Piece)>,
    is_open: bool,
    /// The connections of whoever closed the queue, for the first lane.
    link: Option<Link>,
}

impl State {
    fn len(&self) -> usize {
        self.again.len() + self.fresh.len()
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                again: VecDeque::new(),
                fresh: VecDeque::new(),
                is_open: true,
                link: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// Adds pieces with their bytes. The largest come first, so that no lane is left with a long
    /// piece at the end.
    pub(super) fn add(&self, pieces: impl IntoIterator<Item = (u64, Piece)>) {
        let mut state = self.state();
        state.fresh.extend(pieces);
        let fresh = state.fresh.make_contiguous();
        fresh.sort_by_key(|(bytes, _)| Reverse(*bytes));
        self.changed.notify_all();
    }

    /// Ends the adding. The link is for the first lane.
    pub(super) fn close(&self, link: Option<Link>) {
        let mut state = self.state();
        state.is_open = false;
        state.link = link;
        self.changed.notify_all();
    }

    /// Takes the next piece.
    pub(super) fn take(&self) -> Option<Piece> {
        let mut state = self.state();
        let again = state.again.pop_front();
        again.or_else(|| state.fresh.pop_front().map(|(_, piece)| piece))
    }

    /// Puts work back, to be done before the rest.
    pub(super) fn give_back(
        &self,
        pieces: impl IntoIterator<Item = Piece, IntoIter: DoubleEndedIterator>,
    ) {
        let mut state = self.state();
        for piece in pieces.into_iter().rev() {
            if !piece.messages.is_empty() {
                state.again.push_front(piece);
            }
        }
        self.changed.notify_all();
    }

    /// Waits until there is a piece, or can be none any more, or it is time to stop. Returns
    /// whether there is a piece.
    pub(super) fn await_piece(&self, is_to_stop: impl Fn() -> bool) -> bool {
        let state = self.await_change(|state| {
            let is_over = state.len() > 0 || !state.is_open;
            is_over || is_to_stop()
        });
        state.len() > 0
    }

    /// Waits until the queue is closed, or it is time to stop. Returns the connections that were
    /// left for the first lane.
    pub(super) fn await_link(&self, is_to_stop: impl Fn() -> bool) -> Option<Link> {
        self.await_change(|state| !state.is_open || is_to_stop())
            .link
            .take()
    }

    /// Takes the connections that no lane has taken.
    pub(super) fn take_link(&self) -> Option<Link> {
        self.state().link.take()
    }

    pub(super) fn len(&self) -> usize {
        self.state().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().is_open
    }

    /// Reports whether there is no piece and there will be none, unless one is put back.
    pub(super) fn is_done(&self) -> bool {
        let state = self.state();
        state.len() == 0 && !state.is_open
    }

    fn await_change(&self, is_over: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while !is_over(&state) {
            // A request to stop wakes nobody.
            let woken = self.changed.wait_timeout(state, LOOK);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A lane that panicked held no half-done change: the queue is consistent.
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Treatment;

    fn piece(task: usize) -> Piece {
        Piece {
            task,
            messages: 0..1,
            treatment: Treatment::default(),
            attempts: 0,
        }
    }

    fn taken(queue: &Queue) -> Vec<usize> {
        std::iter::from_fn(|| queue.take().map(|piece| piece.task)).collect()
    }

    #[test]
    fn what_was_put_back_comes_first_and_then_the_largest() {
        let queue = Queue::new();
        queue.add([(5, piece(0)), (9, piece(1)), (5, piece(2))]);
        queue.add([(7, piece(3)), (9, piece(4))]);
        queue.give_back([piece(5), piece(6)]);
        assert_eq!(queue.len(), 7);
        assert_eq!(taken(&queue), [5, 6, 1, 4, 3, 0, 2]);
    }

    #[test]
    fn a_lane_waits_while_more_may_come() {
        let queue = Queue::new();
        let (never, at_once) = (|| false, || true);
        assert!(!queue.await_piece(at_once), "a request to stop ends it");
        assert!(queue.await_link(at_once).is_none());
        std::thread::scope(|scope| {
            let lane = scope.spawn(|| queue.await_piece(never));
            queue.add([(1, piece(0))]);
            assert!(lane.join().unwrap());
            assert_eq!(taken(&queue), [0]);
            assert!(!queue.is_done(), "it is open");
            let lane = scope.spawn(|| queue.await_piece(never));
            queue.give_back([piece(1)]);
            assert!(lane.join().unwrap());
            assert_eq!(taken(&queue), [1]);
            let lane = scope.spawn(|| queue.await_piece(never));
            let first = scope.spawn(|| queue.await_link(never).is_none());
            queue.close(None);
            assert!(!lane.join().unwrap() && first.join().unwrap());
        });
        assert!(queue.is_done());
        queue.give_back([piece(2)]);
        assert!(queue.await_piece(never) && !queue.is_done());
    }
}
