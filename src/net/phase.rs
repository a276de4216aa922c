//! What a connection is waiting for: the part of an error that tells a user where it happened.

use std::fmt;

/// What is being done when a wait runs out. Reads as the end of "… while mailferry …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TCP connection is being made.
    Connecting,
    /// TLS is being set up.
    TlsHandshake,
    /// The server speaks first (RFC 3501 section 7.1).
    Greeting,
    /// The login is under way.
    Login,
    /// A command's reply is due.
    Reply,
    /// A message's bytes are due.
    Body,
    /// A message is being sent.
    Sending,
}

impl Phase {
    /// Whether the connection is not of any use yet.
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

/// Which way the bytes go that did not come or were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the server.
    In,
    /// To the server.
    Out,
}
