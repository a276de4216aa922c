//! Why a connection to a store can't be used any more, and what that means for the run.

use crate::mail::Side;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The kind of failure: decides whether to retry, and the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection could be made, or TLS could not be set up.
    Unreachable,
    /// The server's certificate isn't trusted. Never retried.
    Untrusted,
    /// The server refused the login. Never retried: repeated failures lock accounts.
    Authentication,
    /// The server doesn't allow one more connection.
    TooManyConnections,
    /// The connection broke or fell silent.
    Lost,
    /// The connection brought next to nothing for so long that only few retries are worth the time.
    Stalled,
    /// The server said what no server may say.
    Protocol,
    /// The server refused something that the whole run needs.
    Refused,
    /// The account is full.
    Full,
    /// The provider's limit, or the user's own for a day, is reached. The account can be used again
    /// later.
    LimitReached,
    /// Another run is using the same two mailboxes.
    Locked,
    /// Both addresses are one mailbox.
    SameMailbox,
    /// The user asked to stop.
    Interrupted,
    /// The command refers to something that doesn't exist.
    Usage,
    /// Something on this machine failed: a file, the disk.
    Local,
}

impl ErrorKind {
    /// Reports whether a new connection, after a pause, may help.
    pub fn is_worth_retrying(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Lost
                | Self::Stalled
                | Self::Protocol
                | Self::TooManyConnections
        )
    }
}

/// A failure of a whole connection: what was tried, on what, the server's own words, and what to do
/// next.
#[derive(Clone, Debug)]
pub struct Error {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// What was tried and what came back, as a lower-case fragment. May contain a server's text,
    /// raw.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// When the account may be used again; `None`: after the usual pause.
    pub when: Option<When>,
    /// The account that the connection belonged to, if any.
    pub account: Option<AccountName>,
    /// Whether one folder was the cause, which the next connection skips.
    pub is_over_folder: bool,
}

/// When an account may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At least so long after the failure.
    After(Duration),
    /// At this time.
    At(SystemTime),
}

/// Which of the two mailboxes, and its name for users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    /// Its side.
    pub side: Side,
    /// Such as `ann@imap.example.org`.
    pub name: String,
}

impl Error {
    /// Makes an error without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            when: None,
            account: None,
            is_over_folder: false,
        }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns how long to wait at least before the account is used again.
    pub fn least_wait(&self) -> Duration {
        match self.when {
            Some(When::After(time)) => time,
            Some(When::At(_)) | None => Duration::ZERO,
        }
    }

    /// Returns when the account may be used again, if that is known.
    pub fn again(&self) -> Option<SystemTime> {
        match self.when {
            Some(When::At(time)) => Some(time),
            Some(When::After(_)) | None => None,
        }
    }

    /// Adds the account, unless it already has one.
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
