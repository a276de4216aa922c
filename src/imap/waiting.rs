//! Commands that have no reply yet.

use super::{BYTES_AHEAD, COMMANDS_AHEAD, Ticket};
use std::collections::VecDeque;

/// A command without a reply yet.
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    pub(super) tag: String,
    /// Whether somebody waits for the reply; else it is dropped.
    pub(super) attended: bool,
    /// How long the command is, without a message that it may carry.
    pub(super) bytes: usize,
}

/// Whether the server takes in one more command behind these while nobody reads its replies.
pub(super) fn has_room(waiting: &VecDeque<Waiting>) -> bool {
    bytes(waiting) < BYTES_AHEAD && waiting.len() < COMMANDS_AHEAD
}

/// Whether so few are left that others are to follow: they go out together.
pub(super) fn is_half_answered(waiting: &VecDeque<Waiting>) -> bool {
    bytes(waiting) <= BYTES_AHEAD / 2 && waiting.len() <= COMMANDS_AHEAD / 2
}

/// There are a few hundred at most.
fn bytes(waiting: &VecDeque<Waiting>) -> usize {
    waiting.iter().map(|waiting| waiting.bytes).sum()
}
