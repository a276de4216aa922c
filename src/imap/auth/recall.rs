//! How the last run logged in. A man in the middle can remove mechanisms from a server's list, so a
//! stronger one that has disappeared is suspicious (RFC 4422 section 6.1.1 calls that a downgrade).

use crate::address::Mechanism;
use crate::locks::lock;
use std::sync::Mutex;

/// Saves the mechanism of a login for the next run.
type Keep = Box<dyn Fn(Mechanism) + Send + Sync>;

/// The mechanism of the last login, and where this one's is saved. By default nothing is
/// remembered.
#[derive(Default)]
pub struct Recall {
    last: Mutex<Option<Mechanism>>,
    keep: Option<Keep>,
}

impl Recall {
    /// Starts from what the last run saved; `keep` gets this run's mechanism, once, if it differs.
    pub fn new(last: Option<Mechanism>, keep: Option<Keep>) -> Self {
        Self {
            last: Mutex::new(last),
            keep,
        }
    }

    pub(super) fn last(&self) -> Option<Mechanism> {
        *lock(&self.last)
    }

    pub(super) fn keep(&self, used: Mechanism) {
        let mut last = lock(&self.last);
        if *last != Some(used) {
            *last = Some(used);
            if let Some(keep) = &self.keep {
                keep(used);
            }
        }
    }
}
