//! Account names in place of addresses: each is replaced by the account's address and its password
//! settings.

use super::{Config, is_name};
use crate::cli::Command;
use crate::cli::failure::Failure;
use crate::cli::password::Configured;
use std::path::Path;

/// A mailbox on a command line.
pub(crate) struct Mailbox<'a> {
    /// What was typed.
    pub(crate) text: &'a mut String,
    /// Receives the account's password settings.
    pub(crate) password: &'a mut Configured,
}

impl Command {
    /// Replaces account names by accounts. Reads the config file only if there is a name, or
    /// `--config` was given.
    ///
    /// # Errors
    /// A name that no account has, or an invalid config file.
    pub(crate) fn use_accounts(&mut self, chosen: Option<&Path>) -> Result<(), Failure> {
        // `config check` reads the file itself, and reports all problems.
        if matches!(self, Self::Config(_)) {
            return Ok(());
        }
        let mut mailboxes = self.mailboxes();
        let has_names = mailboxes.iter().any(|mailbox| is_name(mailbox.text));
        if !has_names && chosen.is_none() {
            return Ok(());
        }
        let Some(config) = Config::load(chosen)? else {
            return Ok(());
        };
        for mailbox in mailboxes.iter_mut().filter(|mailbox| is_name(mailbox.text)) {
            let account = config.account(mailbox.text)?;
            *mailbox.password = Configured {
                account: Some(mailbox.text.clone()),
                ..account.password.clone()
            };
            mailbox.text.clone_from(&account.address);
        }
        Ok(())
    }
}
