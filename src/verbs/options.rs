//! The options of the verbs, parsed and checked.

use super::same_mailbox::Kinship;
use crate::mail::{Both, Uid};
use crate::plan::DeletionLimit;
use crate::plan::merge::Policy;
use crate::plan::planned::Planned;
use crate::plan::rights::AclMap;
use jiff::civil::Date;
use std::path::PathBuf;
use std::sync::Arc;

/// Selects messages; by default all.
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

/// What to do with the flags of messages that the target already has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlagPolicy {
    /// Apply the source's changes since the last run. Without a known last run, as `Union`.
    #[default]
    Follow,
    /// Set on the target every flag set on the source; clear nothing.
    Union,
    /// Leave them alone.
    Ignore,
}

/// What to delete at the end of a copy, once everything is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deleting {
    /// Nothing.
    #[default]
    Nothing,
    /// Messages and folders on the target that the source doesn't have (`--delete`), up to this
    /// limit.
    Mirror(DeletionLimit),
    /// Messages on the source that are verified to be on the target (`--move`), up to this limit.
    Source(Option<DeletionLimit>),
}

/// How a copy uses a saved plan.
#[derive(Clone, Debug, Default)]
pub enum PlanUse {
    /// Nothing.
    #[default]
    Nothing,
    /// Returns a dry run's plan, to be applied later.
    Keep,
    /// Applies this plan and nothing else; a folder that has changed since is skipped and reported.
    Only(Arc<Planned>),
}

/// How much mail has to be ready before lanes begin to send it while other folders are still read:
/// that many messages or bytes. Of small pieces a lane requests many at a time, and none that come
/// one by one.
#[derive(Clone, Copy, Debug)]
pub struct Headway {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Default for Headway {
    fn default() -> Self {
        Self {
            messages: 1_000,
            bytes: 4 << 20,
        }
    }
}

/// The options of `copy`.
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// The messages to process.
    pub filter: MessageFilter,
    /// What to do with the flags of messages that the target already has.
    pub flags: FlagPolicy,
    /// The number of lanes, each with one connection to each side; `None`: as many as the servers
    /// handle well.
    pub jobs: Option<usize>,
    /// Bytes per second to deliver, all lanes together; `None`: no limit.
    pub limit_rate: Option<u64>,
    /// When to begin to send while folders are still read, where nothing forbids it.
    pub headway: Headway,
    /// Whether to copy a message whose size differs from what its server reports, if two downloads
    /// are identical.
    pub accept_sizes: bool,
    /// Whether to correct messages that the target refuses for what is wrong with them.
    pub fix_refused: bool,
    /// What to delete at the end.
    pub deleting: Deleting,
    /// Move what a mirror would delete to a folder with this date instead.
    pub keep_deleted: Option<Date>,
    /// Whether to wait for the next day at a daily limit, and continue.
    pub wait: bool,
    /// Only plan; write nothing anywhere.
    pub dry_run: bool,
    /// How to use a saved plan.
    pub plan: PlanUse,
    /// Whether to copy the rights to folders, and who is who; `None`: no.
    pub acl: Option<AclMap>,
    /// Whether to compare the bytes of all messages on both sides, and replace damaged copies on
    /// the target.
    pub repair: bool,
    /// Whether to refill a mailbox that earlier runs filled and that is now empty.
    pub new_target: bool,
    /// What the addresses reveal about each other.
    pub kinship: Kinship,
}

/// The options of `sync`.
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    /// What may be done on each side, and how conflicts are resolved.
    pub policy: Policy,
    /// The number of lanes, both directions together; `None`: as many as the servers handle well.
    pub jobs: Option<usize>,
    /// Bytes per second to deliver, in each direction; `None`: no limit.
    pub limit_rate: Option<u64>,
    /// Whether to copy a message whose size differs from what its server reports, if two downloads
    /// are identical.
    pub accept_sizes: bool,
    /// Whether to wait for the next day at a daily limit, and continue.
    pub wait: bool,
    /// Whether to correct messages that the target refuses for what is wrong with them.
    pub fix_refused: bool,
    /// Only plan; write nothing anywhere.
    pub dry_run: bool,
    /// The directory in which this run saves what it deletes; `None`: nowhere.
    pub undo: Option<PathBuf>,
    /// The maximum size of this and all earlier runs in the undo store, in bytes: the oldest are
    /// removed if needed, and what still doesn't fit isn't deleted. `None`: no limit.
    pub undo_size: Option<u64>,
    /// A folder and a UID: explain what is done with that message.
    pub explain: Option<(String, Uid)>,
    /// Whether to refill a mailbox that earlier runs filled and that is now empty.
    pub new_target: bool,
    /// The two mailboxes' identities, which `undo` needs.
    pub identities: Both<String>,
    /// What the addresses reveal about each other.
    pub kinship: Kinship,
}

/// The options of `verify`.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The messages to process.
    pub filter: MessageFilter,
    /// Whether to compare the SHA-256 of every message's bytes.
    pub deep: bool,
    /// The number of lanes for a deep comparison; `None`: as many as the servers handle well.
    pub jobs: Option<usize>,
    /// What the addresses reveal about each other.
    pub kinship: Kinship,
}
