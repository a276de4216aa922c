//! What a server means by a refusal, a goodbye, or an OK that complains.
//!
//! OK, NO and BAD alone say little: Microsoft 365 throttles with BAD, Gmail says OVERQUOTA for a
//! bandwidth limit, and Courier says NO to a syntax error. What is known is in one [`table`]: by
//! the code, the words, the server and the command, it gives the class, what else it concerns, and
//! whether to wait. Nothing else in the program looks at a server's words to decide what to do.

mod table;

use super::response::{Code, Completion};
use std::time::Duration;

/// What was requested when the server said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// LOGIN or AUTHENTICATE.
    Login,
    /// Reading: SELECT, EXAMINE, FETCH, SEARCH, STATUS, LIST and the like.
    Read,
    /// Delivering a message.
    Append,
    /// Creating, subscribing, copying, moving or changing flags.
    Change,
    /// Nothing: it is a BYE.
    Nothing,
}

impl Asked {
    /// Returns what a command with this name requests.
    pub(super) fn by(command: &str) -> Self {
        let command = command.strip_prefix("UID ").unwrap_or(command);
        match command.split(' ').next().unwrap_or_default() {
            "LOGIN" | "AUTHENTICATE" => Self::Login,
            "APPEND" => Self::Append,
            "CREATE" | "DELETE" | "RENAME" | "SUBSCRIBE" | "UNSUBSCRIBE" | "STORE" | "COPY"
            | "MOVE" | "EXPUNGE" | "CLOSE" => Self::Change,
            _ => Self::Read,
        }
    }
}

/// What a server said.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// OK, NO or BAD; `None`: BYE.
    pub completion: Option<Completion>,
    /// The code in brackets, if any.
    pub code: Option<&'a Code>,
    /// Its text, raw.
    pub text: &'a str,
    /// What it answers.
    pub to: Asked,
    /// The provider or kind of server, by its name in the table of providers; empty if unknown.
    pub server: &'a str,
}

/// What it means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing in particular: the command succeeded.
    Fine,
    /// It succeeded, and the server wants less load.
    Slow,
    /// It was not done, and will be later: the server wants less load.
    Throttled,
    /// The provider's limit for a day is used up.
    Spent,
    /// There are too many connections to the account.
    Crowded,
    /// The login was accepted, and yet there is no mailbox behind it: a wrong password, missing
    /// rights, or too many connections.
    Unconnected,
    /// The session's token has expired: a new session with a new token works.
    Expired,
    /// Temporary: worth a retry.
    Passing,
    /// The account is full.
    Full,
    /// The folder doesn't exist.
    NoFolder,
    /// A folder of that name exists already.
    Exists,
    /// A flag was refused: the message may be accepted without.
    Flags,
    /// The date was refused: the message may be accepted without.
    Date,
    /// The message contains NUL: it may be accepted as a binary literal.
    Nul,
    /// The login was refused.
    Login,
    /// It will never be accepted as it is.
    Refused,
}

/// What else is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only what was requested of this message.
    Message,
    /// The folder.
    Folder,
    /// The connection: it is of no use any more, another one may be.
    Connection,
    /// The account: no connection can do better now.
    Account,
}

/// How long to wait before the same is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all, or there is nothing to try again.
    Nothing,
    /// A moment, longer each time.
    Growing,
    /// As long as the server says in its text, otherwise as [`Wait::Growing`].
    AsTold,
    /// At least so long.
    Least(Duration),
}

/// The meaning of what a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What it means for the next step.
    pub class: Class,
    /// What else it concerns.
    pub scope: Scope,
    /// How long to wait.
    pub wait: Wait,
    /// What the user can do, where the words reveal that.
    pub advice: Option<&'static str>,
}

impl Meaning {
    /// Returns how long to wait at least, as far as this or the text says.
    pub fn least_wait(&self, text: &str) -> Option<Duration> {
        match self.wait {
            Wait::Least(time) => Some(time),
            Wait::AsTold => told_wait(text),
            Wait::Nothing | Wait::Growing => None,
        }
    }
}

/// Looks up what a server means.
pub fn meaning(said: &Said<'_>) -> Meaning {
    let text = said.text.to_ascii_lowercase();
    let row = table::ROWS.iter().find(|row| row.fits(said, &text));
    row.map_or_else(|| otherwise(said), |row| row.meaning)
}

/// Returns the meaning of what is in no row.
fn otherwise(said: &Said<'_>) -> Meaning {
    let (class, scope, wait) = match (said.completion, said.to) {
        (Some(Completion::Ok), _) => (Class::Fine, Scope::Message, Wait::Nothing),
        (None, _) => (Class::Passing, Scope::Connection, Wait::Growing),
        (_, Asked::Login) => (Class::Login, Scope::Account, Wait::Nothing),
        // What a server can't read now it may read later; the caller limits how often it asks.
        (Some(Completion::No), Asked::Read) => (Class::Passing, Scope::Message, Wait::Growing),
        _ => (Class::Refused, Scope::Message, Wait::Nothing),
    };
    Meaning {
        class,
        scope,
        wait,
        advice: None,
    }
}

/// Parses `Suggested Backoff Time: 299961 milliseconds`, as written by Exchange and Microsoft 365.
/// No RFC has it: it is part of the human-readable `text` of a reply (RFC 3501 section 7.1).
fn told_wait(text: &str) -> Option<Duration> {
    let (_, rest) = text.split_once("Suggested Backoff Time: ")?;
    let (number, unit) = rest.split_once(' ')?;
    unit.starts_with("milliseconds").then_some(())?;
    Some(Duration::from_millis(number.parse().ok()?))
}

#[cfg(test)]
mod tests;
