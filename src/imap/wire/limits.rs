//! How much a server may send before the connection is given up: every length that it controls has its bound here.

/// Bounds on one response. What is beyond them ends the connection, before memory is taken for it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one line, its end included. The longest honest line is a SEARCH of a million UIDs: 8 MB.
    pub line: usize,
    /// Bytes of a literal that is kept in the frame; a larger one is streamed past it. Most messages are smaller, and
    /// a header that does not fit is no header that a scan can use.
    pub inline_literal: u64,
    /// Bytes of a literal that may be announced at all. No server stores a message of a terabyte; the number guards
    /// sums of sizes against overflow.
    pub literal: u64,
    /// Bytes of a whole frame without its streamed literals: some lines and many small literals.
    pub frame: usize,
    /// Literals in one frame. An ENVELOPE may have two for each of a thousand addresses.
    pub literals: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 16 << 20, inline_literal: 64 << 10, literal: 1 << 40, frame: 32 << 20, literals: 1 << 16 }
    }
}

/// A bound that a server broke. The connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A line without an end.
    #[error("the server sent a line of more than {0} bytes")]
    LineTooLong(usize),
    /// A response without an end.
    #[error("the server sent a response of more than {0} bytes")]
    FrameTooLong(usize),
    /// A response of nothing but literals.
    #[error("the server sent more than {0} literals in one response")]
    TooManyLiterals(usize),
    /// `{-1}`, `{99999999999999999999}`: what follows can't be told apart from responses.
    #[error("the server announced a literal of an impossible size")]
    ImpossibleLiteral,
}
