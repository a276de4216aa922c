//! Accounts' names where addresses stand: each becomes the account's address, with its way to a password.

use super::{Config, is_name};
use crate::cli::Command;
use crate::cli::failure::Failure;
use crate::cli::password::Configured;
use std::path::Path;

/// A mailbox of a command line.
pub(crate) struct Mailbox<'a> {
    /// What was typed.
    pub(crate) text: &'a mut String,
    /// Where the account's way to a password goes.
    pub(crate) password: &'a mut Configured,
}

impl Command {
    /// Puts accounts in the places of their names. The config file is read only if there is a name, or if `--config` chose
    /// one.
    ///
    /// # Errors
    /// A name that no account has, or a config file that is wrong.
    pub(crate) fn use_accounts(&mut self, chosen: Option<&Path>) -> Result<(), Failure> {
        // `config check` reads the file itself, and says all that is wrong with it.
        if matches!(self, Self::Config(_)) {
            return Ok(());
        }
        let mut mailboxes = self.mailboxes();
        let has_names = mailboxes.iter().any(|mailbox| is_name(mailbox.text));
        if !has_names && chosen.is_none() {
            return Ok(());
        }
        let Some(config) = Config::load(chosen)? else { return Ok(()) };
        for mailbox in mailboxes.iter_mut().filter(|mailbox| is_name(mailbox.text)) {
            let account = config.account(mailbox.text)?;
            *mailbox.password = Configured { account: Some(mailbox.text.clone()), ..account.password.clone() };
            mailbox.text.clone_from(&account.address);
        }
        Ok(())
    }
}
