//! The types that a state records and returns.

use crate::mail::{Counters, Flags, MailboxName, ModSeq, Uid, UidNext, UidValidity};

/// The two mailboxes of a pair, by the identities of their addresses, which contain no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailboxes<'a> {
    /// Where mail comes from.
    pub source: &'a str,
    /// Where it goes.
    pub target: &'a str,
}

/// One side's folder when both were in sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT: no message had this UID or a higher one.
    pub uid_next: UidNext,
    /// Its number of messages.
    pub messages: u32,
    /// HIGHESTMODSEQ (RFC 7162); `None` if the server doesn't have it.
    pub mod_seq: Option<ModSeq>,
}

impl Checkpoint {
    /// Returns the checkpoint for these counters; `None` if one is missing.
    pub fn of(counters: Counters) -> Option<Self> {
        let Counters {
            uid_validity,
            uid_next,
            mod_seq,
            messages,
        } = counters;
        Some(Self {
            uid_validity: uid_validity?,
            uid_next: uid_next?,
            messages: messages?,
            mod_seq,
        })
    }

    /// Returns it as a server would report it.
    pub fn counters(&self) -> Counters {
        let Self {
            uid_validity,
            uid_next,
            messages,
            mod_seq,
        } = *self;
        Counters {
            uid_validity: Some(uid_validity),
            uid_next: Some(uid_next),
            mod_seq,
            messages: Some(messages),
        }
    }
}

/// Returns a mod-sequence as a column holds it, whose integers are signed.
pub(super) fn mod_seq_column(mod_seq: Option<ModSeq>) -> Option<i64> {
    mod_seq.map(|mod_seq| mod_seq.0.cast_signed())
}

/// Returns the mod-sequence that a column holds.
pub(super) fn mod_seq_from_column(value: Option<i64>) -> Option<ModSeq> {
    value.map(|value| ModSeq(value.cast_unsigned()))
}

/// Identifies a folder in one state, until it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FolderId(pub(super) i64);

#[cfg(test)]
impl FolderId {
    /// Returns an ID that no state has assigned.
    pub(crate) fn for_test() -> Self {
        Self(0)
    }
}

/// A folder into which mail is about to be copied.
#[derive(Clone, Copy, Debug)]
pub struct FolderStart<'a> {
    /// Its name on the source.
    pub source: &'a MailboxName,
    /// Its name on the target.
    pub target: &'a MailboxName,
    /// The source's UIDVALIDITY; `None` if the server didn't report it.
    pub source_uid_validity: Option<UidValidity>,
    /// The target's UIDVALIDITY; `None` if the server didn't report it.
    pub target_uid_validity: Option<UidValidity>,
    /// The target's UIDNEXT before anything is sent; `None` if the server didn't report it.
    pub target_uid_next: Option<UidNext>,
    /// The source's MAILBOXID (RFC 8474), which a folder keeps when it is renamed; `None` if the
    /// server didn't report it.
    pub source_mailbox_id: Option<&'a str>,
    /// The same of the target.
    pub target_mailbox_id: Option<&'a str>,
}

/// A folder that is in sync on both sides.
#[derive(Clone, Debug)]
pub struct FolderInStep {
    /// The folder.
    pub id: FolderId,
    /// The source now.
    pub source: Checkpoint,
    /// The target now.
    pub target: Checkpoint,
}

/// The record of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRecord {
    /// Its ID in this state.
    pub id: FolderId,
    /// Its name on the source.
    pub source: MailboxName,
    /// Its name on the target.
    pub target: MailboxName,
    /// The source's UIDVALIDITY that its pairs belong to.
    pub source_uid_validity: Option<UidValidity>,
    /// The target's UIDVALIDITY that its pairs belong to.
    pub target_uid_validity: Option<UidValidity>,
    /// The source's and the target's folder when they were last in sync; `None` while there is an
    /// intent.
    pub checkpoint: Option<(Checkpoint, Checkpoint)>,
    /// A copy was begun and not finished: messages on the target from this UID on may be copies of
    /// source messages, if both are in no pair. `None` while there is a checkpoint.
    pub intent: Option<UidNext>,
    /// How many pairs are recorded.
    pub pairs: u64,
    /// The source's MAILBOXID (RFC 8474); `None` if the server didn't report it.
    pub source_mailbox_id: Option<String>,
    /// The same of the target.
    pub target_mailbox_id: Option<String>,
}

/// A message on the source and its copy on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairRecord {
    /// Its UID on the source.
    pub source: Uid,
    /// Its copy's UID on the target.
    pub target: Uid,
    /// The flags that both sides last agreed on: later changes are relative to them. Keywords that
    /// can't be written to any server aren't recorded.
    pub flags: Flags,
}
