//! Account names in place of addresses: each is replaced by the account's address and its password
//! settings.

use super::{Config, is_name};
use crate::cli::failure::Failure;
use crate::cli::password::Configured;
use crate::cli::verb::Verb;
use std::path::Path;

/// Replaces account names by accounts. Reads the config file only if there is a name, or `--config`
/// was given.
///
/// # Errors
/// A name that no account has, or an invalid config file.
pub(crate) fn use_accounts(verb: &mut dyn Verb, chosen: Option<&Path>) -> Result<(), Failure> {
    let Some(mut mailboxes) = verb.mailboxes() else {
        return Ok(());
    };
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
