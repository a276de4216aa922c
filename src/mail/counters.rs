//! A folder's counters, as its server reports them.
//!
//! A missing counter stays missing: nothing here guesses one, so that equal counters are a reason to
//! believe that a folder is unchanged.

use super::{ModSeq, Uid, UidNext, UidValidity};

/// A folder's counters, now or earlier (RFC 3501 sections 2.3.1.1 and 6.3.10, RFC 7162). `None`:
/// the server did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// UIDVALIDITY: the generation of its UIDs.
    pub uid_validity: Option<UidValidity>,
    /// UIDNEXT: no message has, or ever had, this UID or a higher one.
    pub uid_next: Option<UidNext>,
    /// HIGHESTMODSEQ: grows with each change.
    pub mod_seq: Option<ModSeq>,
    /// MESSAGES or EXISTS: the number of messages.
    pub messages: Option<u32>,
}

impl Counters {
    /// Returns the number of messages, or 0 if the server did not say.
    pub fn count(&self) -> u64 {
        self.messages.map_or(0, u64::from)
    }

    /// Returns the counters after a run has itself written messages up to this UID.
    #[must_use]
    pub fn with_written(mut self, highest: Option<Uid>) -> Self {
        let after = highest.map_or(UidNext::FIRST, UidNext::after);
        self.uid_next = self.uid_next.map(|next| next.max(after));
        self
    }
}
