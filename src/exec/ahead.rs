//! Connections that are made while other things are done, so that all lanes start at the same time.

use super::{Link, connect};
use crate::locks::{lock, wait};
use crate::mail::{Both, Side};
use crate::store::{Connector, Error, ErrorKind};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::Scope;

/// The result of connecting to both sides.
type Made = Result<Link, (Side, Error)>;

/// Connections for lanes that have not started.
#[derive(Default)]
pub struct Ahead {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many are being made.
    pending: usize,
    made: Vec<Made>,
}

/// Counts one that is being made, until this is dropped, for whatever reason.
struct Pending<'a>(&'a Ahead);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.state().pending -= 1;
        self.0.changed.notify_all();
    }
}

/// Makes connections in the background.
pub struct Connecting<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    connectors: Both<&'env dyn Connector>,
    ahead: &'env Ahead,
}

/// Does some work, which may request further connections to be made meanwhile. Returns those that
/// were made and not used.
pub fn connecting_ahead<T>(
    connectors: Both<&dyn Connector>,
    work: impl FnOnce(&Connecting<'_, '_>) -> T,
) -> (T, Vec<Link>) {
    let ahead = Ahead::default();
    let done = std::thread::scope(|scope| {
        work(&Connecting {
            scope,
            connectors,
            ahead: &ahead,
        })
    });
    let left = std::mem::take(&mut ahead.state().made);
    (done, left.into_iter().filter_map(Result::ok).collect())
}

impl<'env> Connecting<'_, 'env> {
    /// Starts making connections, so that there are this many in total with earlier requests. Must
    /// be called before lanes take any.
    pub fn begin(&self, count: usize) {
        let (connectors, ahead) = (self.connectors, self.ahead);
        let more = {
            let mut state = ahead.state();
            // A broken one says nothing about the next.
            state.made.retain(|made| {
                made.as_ref().err().is_none_or(|(_, error)| {
                    !matches!(error.kind, ErrorKind::Lost | ErrorKind::Stalled)
                })
            });
            let more = count.saturating_sub(state.pending + state.made.len());
            state.pending += more;
            more
        };
        for _ in 0..more {
            self.scope.spawn(move || {
                let _pending = Pending(ahead);
                let made = connect(connectors);
                ahead.state().made.push(made);
            });
        }
    }

    /// Returns where lanes take them from.
    pub fn ahead(&self) -> &'env Ahead {
        self.ahead
    }
}

impl Ahead {
    /// Takes one, waiting if it is still being made; `None`: there are no more.
    pub(super) fn take(&self) -> Option<Made> {
        let mut state = self.state();
        loop {
            if let Some(made) = state.made.pop() {
                return Some(made);
            }
            if state.pending == 0 {
                return None;
            }
            // A stop ends the attempts to connect, each of which wakes this.
            state = wait(&self.changed, state);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
