//! Connections that are made while the target's folders are prepared, so that all lanes begin at the same time.

use super::{Context, Link};
use crate::event::Side;
use crate::store::Error;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What became of a connection to both sides.
type Made = Result<Link, (Side, Error)>;

/// Connections for lanes that have not begun.
pub struct Ahead {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// So many are being made.
    pending: usize,
    made: Vec<Made>,
}

/// One that is being made, until this goes, in whatever way.
struct Pending<'a>(&'a Ahead);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.state().pending -= 1;
        self.0.changed.notify_all();
    }
}

/// Does some work while so many further connections are made, which its copies then use. Gives those that none has used.
pub fn connecting_ahead<T>(
    context: &Context<'_>,
    count: usize,
    work: impl FnOnce(&Context<'_>) -> T,
) -> (T, Vec<Link>) {
    let state = State { pending: count, made: Vec::new() };
    let ahead = Ahead { state: Mutex::new(state), changed: Condvar::new() };
    let done = std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                let _pending = Pending(&ahead);
                let made = context.connect();
                ahead.state().made.push(made);
            });
        }
        work(&Context { ahead: Some(&ahead), ..*context })
    });
    let left = std::mem::take(&mut ahead.state().made);
    (done, left.into_iter().filter_map(Result::ok).collect())
}

impl Ahead {
    /// One of them, waited for where it is being made; `None`: there are no more.
    pub(super) fn take(&self) -> Option<Made> {
        let mut state = self.state();
        loop {
            if let Some(made) = state.made.pop() {
                return Some(made);
            }
            if state.pending == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
