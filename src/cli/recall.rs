//! How accounts logged in earlier: read wherever there may be a state, written only by runs that
//! save a state.

use super::console::Console;
use super::failure::Failure;
use mailferry::address::ImapAddress;
use mailferry::state::{Budgets, Mechanisms};
use mailferry::store::budget::{Book, Notebook};
use mailferry::store::imap::Recall;
use std::path::PathBuf;
use std::sync::Arc;

/// Where logins are remembered, and whether this run may write there.
pub(crate) struct Recollection {
    /// The state directory; `None`: nothing is remembered.
    pub(crate) directory: Option<PathBuf>,
    /// Whether this run saves its login.
    pub(crate) writes: bool,
}

impl Recollection {
    /// Returns what is known about one account. With `allow_weaker` that doesn't count, but this
    /// run's login is remembered.
    ///
    /// # Errors
    /// A file that can't be trusted.
    pub(crate) fn of(
        &self,
        address: &ImapAddress,
        allow_weaker: bool,
        console: &Arc<Console>,
    ) -> Result<Recall, Failure> {
        let Some(directory) = &self.directory else {
            return Ok(Recall::default());
        };
        let mechanisms = Mechanisms::below(directory);
        let identity = address.identity();
        let last = if allow_weaker {
            None
        } else {
            mechanisms.last(&identity)?
        };
        if !self.writes {
            return Ok(Recall::new(last, None));
        }
        let console = Arc::clone(console);
        let keep = move |used| {
            if let Err(error) = mechanisms.keep(&identity, used) {
                console.warning(&format!(
                    "couldn't save the login method for the next run: {error}"
                ));
            }
        };
        Ok(Recall::new(last, Some(Box::new(keep))))
    }

    /// Returns where this run counts what an account moves today.
    ///
    /// # Errors
    /// A file that can't be trusted.
    pub(crate) fn book(
        &self,
        address: &ImapAddress,
        console: &Arc<Console>,
    ) -> Result<Box<dyn Book>, Failure> {
        let Some(directory) = &self.directory else {
            return Ok(Box::<Notebook>::default());
        };
        let (budgets, identity) = (Budgets::below(directory), address.identity());
        if !self.writes {
            return Ok(Box::new(Notebook::new(budgets.look(&identity)?)));
        }
        let console = Arc::clone(console);
        let warn = move |error: &mailferry::store::Error| {
            console.warning(&format!(
                "couldn't save what the account has moved today, for the next run: {error}"
            ));
        };
        Ok(Box::new(budgets.book(&identity, Box::new(warn))?))
    }
}
