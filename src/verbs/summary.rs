//! What came of a verb. Field names are those of the JSON summary; sizes are bytes, times seconds.

use crate::mail::SpecialUse;
use crate::store::{Error, Quota, Traffic};

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Status {
    /// Everything that was to be done is done.
    Complete,
    /// It went through, but more was to be deleted than the limit allows, so nothing was.
    Braked,
    /// It went through, but some messages or folders failed; each was named in an event.
    Partial,
    /// It was asked to stop and did; a second run goes on from there.
    Interrupted,
    /// It had to stop early.
    Stopped(Error),
}

/// What `copy` did, or in a dry run would do.
#[derive(Clone, Debug)]
pub struct CopySummary {
    /// How it ended.
    pub status: Status,
    /// Folders that took part.
    pub folders: u64,
    /// Folders created on the target.
    pub folders_created: u64,
    /// Folders renamed on the target, as they were on the source.
    pub folders_renamed: u64,
    /// Folders deleted on the target.
    pub folders_deleted: u64,
    /// Messages copied and confirmed.
    pub copied: u64,
    /// Of these, messages that the target copied itself from another of its folders.
    pub copied_server_side: u64,
    /// Messages that the target had already.
    pub already_there: u64,
    /// Messages whose flags were changed on the target.
    pub flags_updated: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// Messages that failed.
    pub failed: u64,
    /// Folders that failed.
    pub folders_failed: u64,
    /// Messages left out by a filter, and folders' messages that are views of others.
    pub skipped: u64,
    /// Bytes of the messages copied.
    pub bytes_copied: u64,
    /// How long it took.
    pub seconds: f64,
    /// What went over the source's connections.
    pub source_traffic: Traffic,
    /// What went over the target's connections.
    pub target_traffic: Traffic,
}

impl CopySummary {
    /// Nothing done yet.
    pub(super) fn empty() -> Self {
        Self {
            status: Status::Complete,
            folders: 0,
            folders_created: 0,
            folders_renamed: 0,
            folders_deleted: 0,
            copied: 0,
            copied_server_side: 0,
            already_there: 0,
            flags_updated: 0,
            deleted: 0,
            failed: 0,
            folders_failed: 0,
            skipped: 0,
            bytes_copied: 0,
            seconds: 0.0,
            source_traffic: Traffic::default(),
            target_traffic: Traffic::default(),
        }
    }
}

/// What `verify` found.
#[derive(Clone, Debug)]
pub struct VerifySummary {
    /// How it ended. `Complete` also when the sides differ.
    pub status: Status,
    /// Folders compared.
    pub folders: u64,
    /// Messages that were compared as pairs.
    pub compared: u64,
    /// Messages on the source only.
    pub missing: u64,
    /// Messages on the target only.
    pub extra: u64,
    /// Pairs with different content.
    pub changed: u64,
    /// Pairs with different flags.
    pub flags_differ: u64,
    /// Pairs with different INTERNALDATE.
    pub dates_differ: u64,
    /// Folders or messages that could not be compared; each was named in an event.
    pub failed: u64,
    /// Bytes whose SHA-256 was compared, both sides together (`--deep`).
    pub bytes_compared: u64,
    /// How long it took.
    pub seconds: f64,
}

impl VerifySummary {
    /// Nothing compared yet.
    pub(super) fn empty() -> Self {
        Self {
            status: Status::Complete,
            folders: 0,
            compared: 0,
            missing: 0,
            extra: 0,
            changed: 0,
            flags_differ: 0,
            dates_differ: 0,
            failed: 0,
            bytes_compared: 0,
            seconds: 0.0,
        }
    }

    /// Whether both sides hold the same.
    pub fn is_equal(&self) -> bool {
        self.missing + self.extra + self.changed + self.flags_differ + self.dates_differ + self.failed == 0
    }
}

/// One folder as `folders` shows it.
#[derive(Clone, Debug)]
pub struct FolderRow {
    /// Decoded name, `/` between levels.
    pub name: String,
    /// What it is for, by the server's word or by its name.
    pub role: Option<SpecialUse>,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// Whether the user is subscribed to it.
    pub subscribed: bool,
    /// Messages in it; `None` where it could not be asked.
    pub messages: Option<u64>,
    /// Messages without `\Seen`.
    pub unread: Option<u64>,
    /// Bytes of all its messages.
    pub bytes: Option<u64>,
}

/// What `folders` found.
#[derive(Clone, Debug)]
pub struct FolderListing {
    /// The folders, in the server's order.
    pub folders: Vec<FolderRow>,
    /// How much of the account is used.
    pub quota: Option<Quota>,
    /// How long it took.
    pub seconds: f64,
}
