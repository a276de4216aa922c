//! Commands that have no reply yet.

use super::Ticket;

/// A command without a reply yet.
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    pub(super) tag: String,
    /// Whether somebody waits for the reply; else it is dropped.
    pub(super) attended: bool,
    /// How long the command is, without a message that it may carry.
    pub(super) bytes: usize,
}
