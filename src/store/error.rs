//! Why a connection to a store is of no further use, and what that means for the run.

use crate::mail::Side;
use std::fmt;

/// What kind of failure: decides whether to try again, and the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection could be made, or TLS could not be set up.
    Unreachable,
    /// The server's certificate is not trusted. Never tried again.
    Untrusted,
    /// The server refused the login. Never tried again: repeated failures lock accounts.
    Authentication,
    /// The server has no room for one more connection.
    TooManyConnections,
    /// The connection broke or fell silent.
    Lost,
    /// The connection brought next to nothing for so long that few tries are worth their time.
    Stalled,
    /// The server said what no server may say.
    Protocol,
    /// The server refused something that the whole run needs.
    Refused,
    /// The account is full or a provider's limit is reached.
    Full,
    /// Another run is at work on the same two mailboxes.
    Locked,
    /// Both addresses lead to one mailbox.
    SameMailbox,
    /// The user asked to stop.
    Interrupted,
    /// The command asks for what is not there.
    Usage,
    /// Something on this machine failed: a file, the disk.
    Local,
}

impl ErrorKind {
    /// Whether a new connection, after a pause, may do better.
    pub fn is_worth_retrying(self) -> bool {
        matches!(self, Self::Unreachable | Self::Lost | Self::Stalled | Self::Protocol | Self::TooManyConnections)
    }
}

/// A failure of a whole connection: what was tried, on what, the server's own words, and what to do next.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind.
    pub kind: ErrorKind,
    /// What was tried and what came back, as a lower-case fragment. May hold a server's words, raw.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// Whose connection it was; `None`: nobody's.
    pub account: Option<AccountName>,
    /// Whether one folder was the cause, which the next connection leaves out.
    pub is_over_folder: bool,
}

/// Which of the two mailboxes, and how its user knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    /// Which of the two.
    pub side: Side,
    /// Such as `ann@imap.example.org`.
    pub name: String,
}

impl Error {
    /// A failure without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, account: None, is_over_folder: false }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, of this account, unless it is another's already.
    #[must_use]
    pub fn of(self, account: &AccountName) -> Self {
        let account = self.account.or_else(|| Some(account.clone()));
        Self { account, ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(account) = &self.account {
            write!(f, "{} ({}): ", account.side.name(), account.name)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
