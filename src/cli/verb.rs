//! What the program asks of a command: one implementation per command, beside its arguments.

use super::args::OutputArgs;
use super::failure::Failure;
use super::password::Configured;
use super::recall::Recollection;
use super::report::Report;
use super::session::Session;
use std::path::Path;

/// A mailbox on a command line.
pub(crate) struct Mailbox<'a> {
    /// What was typed.
    pub(crate) text: &'a mut String,
    /// Receives the account's password settings.
    pub(crate) password: &'a mut Configured,
}

impl<'a> Mailbox<'a> {
    pub(crate) fn new(text: &'a mut String, password: &'a mut Configured) -> Self {
        Self { text, password }
    }
}

/// A command with its arguments. The methods are called in this order, each once.
pub(crate) trait Verb {
    /// Returns its name, as in `mailferry NAME`.
    fn name(&self) -> &'static str;

    /// Reads what the other methods need. `config` is the file given by `--config`.
    ///
    /// # Errors
    /// Why it can't run.
    fn prepare(&mut self, _config: Option<&Path>) -> Result<(), Failure> {
        Ok(())
    }

    /// Returns the mailboxes that it uses, to replace account names by addresses. `None` if it
    /// needs no valid config file even with `--config`.
    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        Some(Vec::new())
    }

    /// Starts the report, if requested.
    ///
    /// # Errors
    /// Its file can't be written.
    fn report(&self) -> Result<Option<Report>, Failure> {
        Ok(None)
    }

    /// Returns the options for output, if it has them.
    fn output(&self) -> Option<&OutputArgs> {
        None
    }

    /// Returns where earlier logins are remembered, and whether to save this one; `None` if it
    /// doesn't log in.
    fn recollection(&self) -> Option<Recollection> {
        None
    }

    /// Runs it. Returns the exit code.
    ///
    /// # Errors
    /// Why it could not run, or stopped early.
    fn run(&self, session: &Session) -> Result<u8, Failure>;
}
