//! The error that ended a run early, with its exit code and its name in JSON.

use super::exit;
use mailferry::store::budget::shown_time;
use mailferry::store::{Error, ErrorKind};
use serde::Serialize;

/// What to do after an interruption.
pub(crate) const AGAIN: &str = "rerun the same command to resume";

/// An error that ends the run. Its texts may contain a server's words: they are made harmless when
/// shown.
#[derive(Clone, Debug, thiserror::Error, Serialize)]
#[error("{message}")]
pub(crate) struct Failure {
    /// The exit code.
    #[serde(skip)]
    pub(crate) code: u8,
    /// The name in JSON.
    pub(crate) kind: &'static str,
    /// What was tried and what came back.
    #[serde(rename = "reason")]
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// When the same command is worth running again, if anyone said so: RFC 3339, in UTC.
    pub(crate) run_again: Option<String>,
}

impl Failure {
    /// Returns a failure because of the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: exit::USAGE,
            kind: "usage",
            message: message.into(),
            hint: None,
            run_again: None,
        }
    }

    /// Returns a failure on this machine.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self {
            code: exit::STOPPED,
            kind: kind_name(ErrorKind::Local),
            message: message.into(),
            hint: None,
            run_again: None,
        }
    }

    /// Returns the failure for a closed stdout, which is not reported.
    pub(crate) fn broken_pipe() -> Self {
        Self {
            code: exit::BROKEN_PIPE,
            ..Self::local("stdout was closed")
        }
    }

    /// Adds a hint.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            code: exit::of_error(error.kind),
            kind: kind_name(error.kind),
            message: error.to_string(),
            hint: error
                .hint
                .clone()
                .or_else(|| (error.kind == ErrorKind::Interrupted).then(|| AGAIN.to_owned())),
            run_again: error.again().map(shown_time),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// Returns the name of a kind of failure in JSON.
pub(crate) fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unreachable => "unreachable",
        ErrorKind::Untrusted => "untrusted",
        ErrorKind::Authentication => "authentication",
        ErrorKind::TooManyConnections => "too_many_connections",
        ErrorKind::Lost | ErrorKind::Stalled => "lost",
        ErrorKind::Protocol => "protocol",
        ErrorKind::Refused => "refused",
        ErrorKind::Full => "full",
        ErrorKind::LimitReached => "limit_reached",
        ErrorKind::Locked => "locked",
        ErrorKind::SameMailbox => "same_mailbox",
        ErrorKind::Interrupted => "interrupted",
        ErrorKind::Usage => "usage",
        ErrorKind::Local => "local",
    }
}
