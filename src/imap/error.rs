//! Failures that end a connection to an IMAP server.

use super::NoSecret;
use super::meaning::Meaning;
use super::response::Code;
use super::wire::{ForbiddenByte, FrameError, Violation};
use crate::address::Mechanism;
use crate::net;

/// Why a connection can't be used any more, or was never made. Server texts are raw.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TCP or TLS.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// The server closed the connection without saying why.
    #[error("the server closed the connection")]
    Closed,
    /// The server closed the connection in the middle of a response.
    #[error("the server closed the connection in the middle of a response")]
    Truncated,
    /// The server said goodbye.
    #[error("the server ended the session: {text}")]
    Bye {
        /// Its text.
        text: String,
        /// Its code, if any.
        code: Option<Code>,
    },
    /// The server refuses a command, and would refuse every other one on this connection.
    #[error("the server refuses to go on: {text}")]
    Useless {
        /// Its text.
        text: String,
        /// Its code, if any.
        code: Option<Code>,
        /// What it means by that.
        meaning: Meaning,
    },
    /// The server sent a goodbye in place of a greeting.
    #[error("the server turned the connection away: {text}")]
    TurnedAway {
        /// Its text.
        text: String,
        /// Its code, if any.
        code: Option<Code>,
    },
    /// The server said what no server may say, or more than is allowed.
    #[error("the server does not speak IMAP as it should: {0}")]
    Protocol(String),
    /// The server refused the login.
    #[error("the server refused the login by {way}: {text}")]
    Login {
        /// Its text.
        text: String,
        /// Its code, if any.
        code: Option<Code>,
        /// The mechanism that was used.
        way: &'static str,
        /// The mechanisms that the server offers.
        offered: String,
    },
    /// No mechanism fits both the server's offer and the user's credentials.
    #[error("{text}")]
    NoMechanism {
        /// Why, and what the server offers.
        text: String,
        /// What the user can do.
        hint: String,
    },
    /// No token can be obtained.
    #[error("could not get an access token: {0}")]
    Secret(#[from] NoSecret),
    /// The stronger mechanism of the last login is no longer offered.
    #[error(
        "the server no longer offers {before}; {now} is weaker and this may be an attack, so nothing was sent"
    )]
    Downgrade {
        /// The mechanism of the last login.
        before: Mechanism,
        /// What would be used now.
        now: &'static str,
    },
    /// The login can't be attempted.
    #[error("{0}")]
    NoLogin(String),
    /// A command that can't be written.
    #[error(transparent)]
    Command(#[from] ForbiddenByte),
}

impl From<FrameError<net::Error>> for Error {
    fn from(error: FrameError<net::Error>) -> Self {
        match error {
            FrameError::Source(error) => Self::Net(error),
            FrameError::Closed => Self::Closed,
            FrameError::Truncated => Self::Truncated,
            FrameError::Violation(violation) => violation.into(),
        }
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Protocol(violation.to_string())
    }
}
