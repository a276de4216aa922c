//! What a verb is asked to do, after the command line has been read and checked.

use super::same_mailbox::Kinship;
use crate::mail::{Both, Uid};
use crate::plan::DeletionLimit;
use crate::plan::merge::Policy;
use crate::plan::planned::Planned;
use jiff::civil::Date;
use std::path::PathBuf;
use std::sync::Arc;

/// Which messages take part. Everything, unless limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Only messages whose INTERNALDATE, in its own zone, is on this day or later.
    pub since: Option<Date>,
    /// Only messages whose INTERNALDATE, in its own zone, is before this day.
    pub before: Option<Date>,
    /// Only messages of at least this many bytes, by RFC822.SIZE.
    pub min_size: Option<u64>,
    /// Only messages of at most this many bytes, by RFC822.SIZE.
    pub max_size: Option<u64>,
    /// Only messages that this IMAP SEARCH program finds on the source (RFC 3501 section 6.4.4);
    /// printable ASCII.
    pub search: Option<String>,
}

/// What happens to the flags of messages that the target has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlagPolicy {
    /// The source's changes since the last run are applied. Where no last run is known, as `Union`.
    #[default]
    Follow,
    /// What is set on the source is set on the target; nothing is taken away.
    Union,
    /// They are left alone.
    Ignore,
}

/// What is deleted at the end of a copy, once everything that was to be copied is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deleting {
    /// Nothing.
    #[default]
    Nothing,
    /// Messages and folders of the target that the source does not have (`--delete`), unless they
    /// are more than this.
    Mirror(DeletionLimit),
    /// Messages of the source that are proven to be on the target (`--move`), unless they are more
    /// than this.
    Source(Option<DeletionLimit>),
}

/// What a copy has to do with a saved plan.
#[derive(Clone, Debug, Default)]
pub enum PlanUse {
    /// Nothing.
    #[default]
    Nothing,
    /// A dry run's plan is wanted, to be carried out later.
    Keep,
    /// This plan is carried out and nothing else; where it no longer holds, the folder is left
    /// alone and named.
    Only(Arc<Planned>),
}

/// How `copy` works.
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// Which messages.
    pub filter: MessageFilter,
    /// What happens to flags of messages that are there already.
    pub flags: FlagPolicy,
    /// How many lanes, each with one connection to either side; `None`: as many as the servers bear
    /// well.
    pub jobs: Option<usize>,
    /// Bytes a second to deliver, all lanes together; `None`: no limit.
    pub limit_rate: Option<u64>,
    /// Whether a message is copied whose body has another size than its server says, where it comes
    /// twice alike.
    pub accept_sizes: bool,
    /// What is deleted at the end.
    pub deleting: Deleting,
    /// What a mirror would delete is moved to a folder of this day instead.
    pub keep_deleted: Option<Date>,
    /// Only plan: nothing is written anywhere.
    pub dry_run: bool,
    /// What it has to do with a saved plan.
    pub plan: PlanUse,
    /// Whether the bytes of what both sides have are compared, and copies on the target replaced
    /// that say something else.
    pub repair: bool,
    /// Whether an empty mailbox may be filled anew that earlier runs have filled.
    pub new_target: bool,
    /// What the addresses tell of each other.
    pub kinship: Kinship,
}

/// How `sync` works.
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    /// What may be done on each side, and how conflicts end.
    pub policy: Policy,
    /// How many lanes, both directions together; `None`: as many as the servers bear well.
    pub jobs: Option<usize>,
    /// Bytes a second to deliver, in each direction; `None`: no limit.
    pub limit_rate: Option<u64>,
    /// Whether a message is copied whose body has another size than its server says, where it comes
    /// twice alike.
    pub accept_sizes: bool,
    /// Only plan: nothing is written anywhere.
    pub dry_run: bool,
    /// The directory in which this run keeps what it deletes; `None`: it does not.
    pub undo: Option<PathBuf>,
    /// How many bytes it may take together with the runs beside it: the oldest of them make way,
    /// and what does not fit then is not deleted. `None`: as many as there are.
    pub undo_size: Option<u64>,
    /// A folder and a UID: what is done with that message is explained.
    pub explain: Option<(String, Uid)>,
    /// Whether an empty mailbox may be filled anew that earlier runs have filled.
    pub new_target: bool,
    /// The two mailboxes' identities, by which what is kept is put back.
    pub identities: Both<String>,
    /// What the addresses tell of each other.
    pub kinship: Kinship,
}

/// How `verify` works.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Which messages.
    pub filter: MessageFilter,
    /// Whether the SHA-256 of every message's bytes is compared.
    pub deep: bool,
    /// How many lanes for a deep comparison; `None`: as many as the servers bear well.
    pub jobs: Option<usize>,
    /// What the addresses tell of each other.
    pub kinship: Kinship,
}
