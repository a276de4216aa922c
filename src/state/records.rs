//! What a state is asked and what it answers.

use crate::mail::{Counters, Flags, MailboxName, ModSeq, Uid, UidNext, UidValidity};

/// The two mailboxes of a pair, by their addresses' identities, which hold no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailboxes<'a> {
    /// Where mail comes from.
    pub source: &'a str,
    /// Where it goes.
    pub target: &'a str,
}

/// What one side's folder looked like when both were in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The generation of its UIDs.
    pub uid_validity: UidValidity,
    /// UIDNEXT: no message had this UID or a higher one.
    pub uid_next: UidNext,
    /// How many messages it had.
    pub messages: u32,
    /// HIGHESTMODSEQ (RFC 7162); `None` where the server has none.
    pub mod_seq: Option<ModSeq>,
}

impl Checkpoint {
    /// From what a server told; `None` where it told too little.
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

    /// As a server would tell it.
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

/// A folder's name in one state, for as long as it is not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FolderId(pub(super) i64);

#[cfg(test)]
impl FolderId {
    /// A name that no state has given.
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
    /// The generation of the source's UIDs; `None` where the server tells none.
    pub source_uid_validity: Option<UidValidity>,
    /// The generation of the target's UIDs; `None` where the server tells none.
    pub target_uid_validity: Option<UidValidity>,
    /// The target's UIDNEXT before anything is sent; `None` where the server tells none.
    pub target_uid_next: Option<UidNext>,
    /// The source's MAILBOXID (RFC 8474), which a folder keeps when it is renamed; `None` where the
    /// server tells none.
    pub source_mailbox_id: Option<&'a str>,
    /// The target's.
    pub target_mailbox_id: Option<&'a str>,
}

/// A folder of which both sides are in step.
#[derive(Clone, Debug)]
pub struct FolderInStep {
    /// Which.
    pub id: FolderId,
    /// How the source looks.
    pub source: Checkpoint,
    /// How the target looks.
    pub target: Checkpoint,
}

/// What is known of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRecord {
    /// Its name in this state.
    pub id: FolderId,
    /// Its name on the source.
    pub source: MailboxName,
    /// Its name on the target.
    pub target: MailboxName,
    /// The generation of the source's UIDs, which its pairs are of.
    pub source_uid_validity: Option<UidValidity>,
    /// The generation of the target's UIDs, which its pairs are of.
    pub target_uid_validity: Option<UidValidity>,
    /// How the source's and the target's folder looked when they were last in step; `None` while
    /// there is an intent.
    pub checkpoint: Option<(Checkpoint, Checkpoint)>,
    /// A copy was begun and not finished: messages of the target from this UID on that are in no
    /// pair may be copies of source messages that are in no pair. `None` while there is a
    /// checkpoint.
    pub intent: Option<UidNext>,
    /// How many pairs are recorded.
    pub pairs: u64,
    /// The source's MAILBOXID (RFC 8474); `None` where the server told none.
    pub source_mailbox_id: Option<String>,
    /// The target's.
    pub target_mailbox_id: Option<String>,
}

/// A message of the source and its copy on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairRecord {
    /// Its UID on the source.
    pub source: Uid,
    /// Its copy's UID on the target.
    pub target: Uid,
    /// The flags as both sides last agreed: the base that later changes are told by. Keywords that
    /// can't be written to any server are not kept.
    pub flags: Flags,
}
