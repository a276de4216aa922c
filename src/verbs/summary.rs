//! The results of the verbs. Field names and their order are those of the JSON summary; sizes are
//! in bytes, times in seconds.

use super::left_out::LeftOut;
use crate::event::{Differences, Stop};
use crate::mail::{Both, SpecialUse};
use crate::store::{Error, Quota, Traffic};
use serde::{Serialize, Serializer};

/// How a run ended.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything is done.
    #[default]
    Complete,
    /// It finished, but deleted nothing, because the limit was exceeded.
    Braked,
    /// It finished, but some messages or folders failed; each was reported in an event.
    Partial,
    /// It was asked to stop and did; the next run resumes.
    Interrupted,
    /// It stopped early because of this error.
    Stopped(#[serde(skip)] Error),
}

impl Status {
    /// Returns the status of a run at its end, if this is what its steps left.
    pub(super) fn concluded(self, stop: &Stop, is_braked: bool, failures: u64) -> Self {
        match self {
            Self::Complete if stop.is_requested() => Self::Interrupted,
            Self::Complete if is_braked => Self::Braked,
            Self::Complete if failures > 0 => Self::Partial,
            status => status,
        }
    }
}

/// Serializes seconds with three decimals.
pub fn milliseconds<S: Serializer>(seconds: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((seconds * 1000.0).round() / 1000.0)
}

/// Messages that only a view on the source has, such as archived mail in All Mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnlyInView {
    /// The view.
    pub view: String,
    /// The folder on the target that has or gets them.
    pub folder: String,
    /// Their number.
    pub messages: u64,
}

/// The result of `copy`, or of its dry run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CopySummary {
    /// Its status.
    pub status: Status,
    /// Folders that took part.
    pub folders: u64,
    /// Folders created on the target.
    pub folders_created: u64,
    /// Messages copied and confirmed.
    pub copied: u64,
    /// Of these, messages copied server-side, from other folders on the target.
    pub copied_server_side: u64,
    /// Messages that the target already had.
    pub already_there: u64,
    /// Messages whose flags were changed on the target.
    pub flags_updated: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// Messages that failed.
    pub failed: u64,
    /// Messages in selected folders that an option left out, or that were deleted before they could
    /// be copied.
    pub skipped: u64,
    /// Bytes of the messages copied.
    pub bytes_copied: u64,
    /// The time it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// Folders that failed.
    pub folders_failed: u64,
    /// Folders renamed on the target, because they were on the source.
    pub folders_renamed: u64,
    /// Folders deleted on the target.
    pub folders_deleted: u64,
    /// Messages moved to a dated folder on the target, because the source no longer has them.
    pub kept: u64,
    /// Messages whose damaged copy on the target was replaced; they count as copied, too.
    pub repaired: u64,
    /// Messages that the target has only as corrected copies; they count as copied, too.
    pub fixed: u64,
    /// Messages that should have been deleted, or moved to a dated folder, but still exist.
    pub not_deleted: u64,
    /// Entries of folders' access control lists that were changed on the target (`--acl`).
    pub rights_changed: u64,
    /// Entries that could not be copied.
    pub rights_failed: u64,
    /// Selected messages that only views on the source have.
    pub only_in_views: Vec<OnlyInView>,
    /// The traffic on both sides.
    #[serde(flatten, serialize_with = "Both::as_one_way")]
    pub traffic: Both<Traffic>,
    /// What options left out.
    pub left_out: Vec<LeftOut>,
}

/// The result of `sync` on one side, or of its dry run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncWay {
    /// Folders created.
    pub folders_created: u64,
    /// Folders renamed.
    pub folders_renamed: u64,
    /// Folders deleted.
    pub folders_deleted: u64,
    /// Messages copied from the other side and confirmed.
    pub copied: u64,
    /// Of these, messages copied server-side, from other folders on this side.
    pub copied_server_side: u64,
    /// Messages moved server-side between folders.
    pub moved: u64,
    /// Messages whose flags were changed.
    pub flags_updated: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// Of these changes, those that resolved a conflict.
    pub conflicts: u64,
    /// Messages that it did not accept.
    pub failed: u64,
    /// Bytes of the messages sent to it.
    pub bytes_copied: u64,
    /// Of the messages copied, those that it has only as corrected copies.
    pub fixed: u64,
    /// Subscriptions added or removed.
    #[serde(skip)]
    pub subscriptions: u64,
}

impl SyncWay {
    /// Reports whether there was nothing to do.
    pub fn is_idle(&self) -> bool {
        *self
            == Self {
                failed: self.failed,
                bytes_copied: self.bytes_copied,
                ..Self::default()
            }
    }
}

impl std::ops::Add for SyncWay {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            folders_created: self.folders_created + other.folders_created,
            folders_renamed: self.folders_renamed + other.folders_renamed,
            folders_deleted: self.folders_deleted + other.folders_deleted,
            copied: self.copied + other.copied,
            bytes_copied: self.bytes_copied + other.bytes_copied,
            copied_server_side: self.copied_server_side + other.copied_server_side,
            moved: self.moved + other.moved,
            flags_updated: self.flags_updated + other.flags_updated,
            deleted: self.deleted + other.deleted,
            subscriptions: self.subscriptions + other.subscriptions,
            failed: self.failed + other.failed,
            conflicts: self.conflicts + other.conflicts,
            fixed: self.fixed + other.fixed,
        }
    }
}

/// The result of `sync`, or of its dry run.
///
/// JSON also has totals of both sides among the fields: those skipped here are written together
/// with them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SyncSummary {
    /// Its status.
    #[serde(skip)]
    pub status: Status,
    /// Folders that took part.
    #[serde(skip)]
    pub folders: u64,
    /// Messages that both sides already had.
    #[serde(skip)]
    pub already_there: u64,
    /// Messages that failed on neither side in particular.
    #[serde(skip)]
    pub failed: u64,
    /// Changes held back, because the options, the deletion limit or a read-only side forbid them.
    /// The next run that may make them does.
    pub held_back: u64,
    /// Messages deleted before they could be copied.
    pub skipped: u64,
    /// The time it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// Folders that failed or were refused.
    pub folders_failed: u64,
    /// The result on each side.
    #[serde(flatten, serialize_with = "Both::as_ways")]
    pub to: Both<SyncWay>,
    /// The traffic on both sides.
    #[serde(flatten)]
    pub traffic: Both<Traffic>,
    /// What options left out.
    pub left_out: Vec<LeftOut>,
}

impl SyncSummary {
    /// Returns how many messages both sides now have in common.
    pub fn in_both(&self) -> u64 {
        let total = self.total();
        self.already_there + total.copied + total.moved
    }

    /// Returns the sum of both sides.
    pub fn total(&self) -> SyncWay {
        self.to.first + self.to.second
    }
}

/// The result of `verify`.
///
/// In JSON, `equal` comes after the status, which is skipped here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VerifySummary {
    /// Its status: `Complete` even if the sides differ.
    #[serde(skip)]
    pub status: Status,
    /// Folders compared.
    pub folders: u64,
    /// Messages that were compared as pairs.
    pub compared: u64,
    /// The number of messages that differ.
    #[serde(flatten)]
    pub differences: Differences,
    /// Messages that one side has as a corrected copy of the other's (`--fix-refused`): no
    /// difference.
    pub fixed: u64,
    /// Folders or messages that could not be compared; each was reported in an event.
    pub failed: u64,
    /// Bytes whose SHA-256 was compared, both sides together (`--deep`).
    pub bytes_compared: u64,
    /// The time it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// What options left out of the source.
    pub left_out: Vec<LeftOut>,
}

impl VerifySummary {
    /// Reports whether both sides are equal.
    pub fn is_equal(&self) -> bool {
        self.differences.total() + self.failed == 0
    }
}

/// One folder as `folders` shows it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FolderRow {
    /// Decoded name, `/` between levels.
    pub name: String,
    /// Its role, according to the server or by its name.
    pub role: Option<SpecialUse>,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// Whether the user is subscribed to it.
    pub subscribed: bool,
    /// Its number of messages; `None` if unknown.
    pub messages: Option<u64>,
    /// Messages without `\Seen`.
    pub unread: Option<u64>,
    /// Bytes of all its messages.
    pub bytes: Option<u64>,
}

/// The result of `folders`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FolderListing {
    /// The folders, in the server's order. In JSON, each has a line of its own.
    #[serde(skip)]
    pub folders: Vec<FolderRow>,
    /// The quota of the account.
    pub quota: Option<Quota>,
    /// The time it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// Folders that could not be listed or opened; each was reported in an event.
    pub failed: u64,
}
