//! What a connection is waiting for: tells the user where an error happened.

use std::fmt;

/// What is being done when a wait times out. Reads as the end of "… while mailferry …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TCP connection is being made.
    Connecting,
    /// TLS is being set up.
    TlsHandshake,
    /// The server speaks first (RFC 3501 section 7.1).
    Greeting,
    /// The login is in progress.
    Login,
    /// A command's reply is expected.
    Reply,
    /// A message's bytes are expected.
    Body,
    /// A message is being sent.
    Sending,
}

impl Phase {
    /// Reports whether the connection isn't usable yet.
    pub(super) fn is_opening(self) -> bool {
        matches!(self, Self::Connecting | Self::TlsHandshake | Self::Greeting)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "was connecting",
            Self::TlsHandshake => "was setting up TLS",
            Self::Greeting => "waited for the greeting",
            Self::Login => "was logging in",
            Self::Reply => "waited for a reply",
            Self::Body => "was reading a message",
            Self::Sending => "was sending a message",
        })
    }
}

/// The direction of the bytes that did not arrive or were not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the server.
    In,
    /// To the server.
    Out,
}
