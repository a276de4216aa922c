//! What came of a verb. Field names and their order are those of the JSON summary; sizes are bytes,
//! times seconds.

use super::left_out::LeftOut;
use crate::event::{Differences, Stop};
use crate::mail::{Both, SpecialUse};
use crate::store::{Error, Quota, Traffic};
use serde::{Serialize, Serializer};

/// How a run ended.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was to be done is done.
    #[default]
    Complete,
    /// It went through, but more was to be deleted than the limit allows, so nothing was.
    Braked,
    /// It went through, but some messages or folders failed; each was named in an event.
    Partial,
    /// It was asked to stop and did; a second run goes on from there.
    Interrupted,
    /// It had to stop early.
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

/// Messages that are in no folder of the source but a view, such as archived mail in All Mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnlyInView {
    /// The view.
    pub view: String,
    /// The folder of the target that has them, or gets them.
    pub folder: String,
    /// How many there are.
    pub messages: u64,
}

/// What `copy` did, or in a dry run would do.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CopySummary {
    /// How it ended.
    pub status: Status,
    /// Folders that took part.
    pub folders: u64,
    /// Folders created on the target.
    pub folders_created: u64,
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
    /// Messages of folders that took part that an option left out, or that were gone before they
    /// could be copied.
    pub skipped: u64,
    /// Bytes of the messages copied.
    pub bytes_copied: u64,
    /// How long it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// Folders that failed.
    pub folders_failed: u64,
    /// Folders renamed on the target, as they were on the source.
    pub folders_renamed: u64,
    /// Folders deleted on the target.
    pub folders_deleted: u64,
    /// Messages that were moved to a folder of the day on the target, as they vanished from the
    /// source.
    pub kept: u64,
    /// Messages of which the target's copy was damaged and replaced; they count as copied too.
    pub repaired: u64,
    /// Messages that were to be deleted, or moved to a folder of the day, and are still there.
    pub not_deleted: u64,
    /// What only views of the source have, which takes part.
    pub only_in_views: Vec<OnlyInView>,
    /// What went over the connections.
    #[serde(flatten, serialize_with = "Both::as_one_way")]
    pub traffic: Both<Traffic>,
    /// What options left out.
    pub left_out: Vec<LeftOut>,
}

/// What `sync` did on one side, or in a dry run would do.
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
    /// Of these, messages that the side has copied itself from another of its folders.
    pub copied_server_side: u64,
    /// Messages moved between folders by the side itself.
    pub moved: u64,
    /// Messages whose flags were changed.
    pub flags_updated: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// Of what was done here, what the two sides contradicted each other about.
    pub conflicts: u64,
    /// Messages that it did not take.
    pub failed: u64,
    /// Bytes of the messages that were sent to it.
    pub bytes_copied: u64,
    /// Subscriptions made or ended.
    #[serde(skip)]
    pub subscriptions: u64,
}

impl SyncWay {
    /// Whether nothing was to be done.
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
        }
    }
}

/// What `sync` did, or in a dry run would do.
///
/// In JSON, sums of both sides stand among the fields: those that are skipped here are written
/// together with them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SyncSummary {
    /// How it ended.
    #[serde(skip)]
    pub status: Status,
    /// Folders that took part.
    #[serde(skip)]
    pub folders: u64,
    /// Messages that were on both sides already.
    #[serde(skip)]
    pub already_there: u64,
    /// Messages that failed on no side in particular.
    #[serde(skip)]
    pub failed: u64,
    /// Changes that are not made now, as the options or the brake forbid them, or a side permits
    /// none. The next run that may make them does.
    pub held_back: u64,
    /// Messages that went before they could be copied.
    pub skipped: u64,
    /// How long it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// Folders that failed or were refused.
    pub folders_failed: u64,
    /// What was done on each side.
    #[serde(flatten, serialize_with = "Both::as_ways")]
    pub to: Both<SyncWay>,
    /// What went over the connections.
    #[serde(flatten)]
    pub traffic: Both<Traffic>,
    /// What options left out.
    pub left_out: Vec<LeftOut>,
}

impl SyncSummary {
    /// How many messages both sides hold in common now.
    pub fn in_both(&self) -> u64 {
        let total = self.total();
        self.already_there + total.copied + total.moved
    }

    /// What was done on both sides together.
    pub fn total(&self) -> SyncWay {
        self.to.first + self.to.second
    }
}

/// What `verify` found.
///
/// In JSON, whether all is equal stands after the status, which is skipped here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VerifySummary {
    /// How it ended. `Complete` also when the sides differ.
    #[serde(skip)]
    pub status: Status,
    /// Folders compared.
    pub folders: u64,
    /// Messages that were compared as pairs.
    pub compared: u64,
    /// How many messages differ.
    #[serde(flatten)]
    pub differences: Differences,
    /// Folders or messages that could not be compared; each was named in an event.
    pub failed: u64,
    /// Bytes whose SHA-256 was compared, both sides together (`--deep`).
    pub bytes_compared: u64,
    /// How long it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// What options left out of the source.
    pub left_out: Vec<LeftOut>,
}

impl VerifySummary {
    /// Whether both sides hold the same.
    pub fn is_equal(&self) -> bool {
        self.differences.total() + self.failed == 0
    }
}

/// One folder as `folders` shows it.
#[derive(Clone, Debug, Default, Serialize)]
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
#[derive(Clone, Debug, Default, Serialize)]
pub struct FolderListing {
    /// The folders, in the server's order. In JSON, each has a line of its own.
    #[serde(skip)]
    pub folders: Vec<FolderRow>,
    /// How much of the account is used.
    pub quota: Option<Quota>,
    /// How long it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
    /// Folders that could not be listed or looked into; each was named in an event.
    pub failed: u64,
}
