//! The one queue that all lanes take from.

use crate::locks::lock;
use crate::plan::Piece;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

/// Pieces of work, the next one first.
pub(super) struct Queue(Mutex<VecDeque<Piece>>);

impl Queue {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        Self(Mutex::new(pieces.into()))
    }

    /// Takes the next piece.
    pub(super) fn take(&self) -> Option<Piece> {
        self.pieces().pop_front()
    }

    /// Puts work back, to be done before the rest.
    pub(super) fn give_back(
        &self,
        pieces: impl IntoIterator<Item = Piece, IntoIter: DoubleEndedIterator>,
    ) {
        let mut queue = self.pieces();
        for piece in pieces.into_iter().rev() {
            if !piece.messages.is_empty() {
                queue.push_front(piece);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pieces().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces().is_empty()
    }

    fn pieces(&self) -> MutexGuard<'_, VecDeque<Piece>> {
        // A lane that panicked held no half-done change: the queue is consistent.
        lock(&self.0)
    }
}
