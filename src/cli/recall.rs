//! What a run knows of how accounts were logged in to, and what it leaves of that: read wherever a state may be, written
//! only by runs that leave a state.

use super::console::Console;
use super::failure::Failure;
use mailferry::address::ImapAddress;
use mailferry::state::Mechanisms;
use mailferry::store::imap::Recall;
use std::path::PathBuf;
use std::sync::Arc;

/// Where it is kept, and what this run may do there.
pub(crate) struct Recollection {
    /// The directory of states; `None`: nothing is remembered.
    pub(crate) directory: Option<PathBuf>,
    /// Whether this run leaves something.
    pub(crate) writes: bool,
}

impl Recollection {
    /// What is known of one account. With `allow_weaker` that does not count, but what comes of it is remembered.
    ///
    /// # Errors
    /// A file that is not to be believed.
    pub(crate) fn of(
        &self,
        address: &ImapAddress,
        allow_weaker: bool,
        console: &Arc<Console>,
    ) -> Result<Recall, Failure> {
        let Some(directory) = &self.directory else { return Ok(Recall::default()) };
        let mechanisms = Mechanisms::below(directory);
        let identity = address.identity();
        let last = if allow_weaker { None } else { mechanisms.last(&identity)? };
        if !self.writes {
            return Ok(Recall::new(last, None));
        }
        let console = Arc::clone(console);
        let keep = move |used| {
            if let Err(error) = mechanisms.keep(&identity, used) {
                console.warning(&format!("couldn't save the login method for the next run: {error}"));
            }
        };
        Ok(Recall::new(last, Some(Box::new(keep))))
    }
}
