//! How the last run logged in. Whoever stands between can take mechanisms out of a server's list, so one that protected more
//! and is gone now is not gone by itself (RFC 4422 section 6.1.1 calls that a downgrade).

use crate::address::Mechanism;
use crate::locks::lock;
use std::sync::Mutex;

/// Keeps the mechanism of a login for the next run.
type Keep = Box<dyn Fn(Mechanism) + Send + Sync>;

/// The mechanism of the last login, and where that of this one goes. The default remembers nothing.
#[derive(Default)]
pub struct Recall {
    last: Mutex<Option<Mechanism>>,
    keep: Option<Keep>,
}

impl Recall {
    /// What the last run has left; `keep` is told, once, what this one uses, if that is another.
    pub fn new(last: Option<Mechanism>, keep: Option<Keep>) -> Self {
        Self { last: Mutex::new(last), keep }
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
