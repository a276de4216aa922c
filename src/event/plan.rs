//! The plan for one folder, and the changes of two-way sync.

use crate::mail::{Both, Heading, Side, Uid};
use serde::{Serialize, Serializer};

/// A change that two-way sync makes on one side because of the other.
#[derive(Debug, Serialize)]
pub struct Change<'a> {
    /// The kind: `copy`, `move`, `flags`, `delete`, `create_folder`, `rename_folder`,
    /// `delete_folder`, `subscribe` or `unsubscribe`.
    pub action: &'static str,
    /// The side that is changed; the change comes from the other.
    #[serde(serialize_with = "Side::as_ordinal")]
    pub to: Side,
    /// The folder there.
    pub folder: &'a str,
    /// The UID of the message: for a copy, where it comes from; otherwise on the side that is
    /// changed.
    pub uid: Option<Uid>,
    /// More about it: the flags, the other folder.
    pub detail: &'a str,
    /// The reason, as a sentence.
    pub reason: &'static str,
    /// Whether the two sides made conflicting changes.
    pub conflict: bool,
    /// What each side did, if there was a conflict.
    #[serde(flatten, serialize_with = "Contradiction::as_members")]
    pub contradiction: Option<Contradiction>,
    /// The message's subject, sender and date; `None` for a folder, or if they were not read.
    #[serde(flatten, serialize_with = "Heading::as_members")]
    pub heading: Option<&'a Heading>,
}

/// A message that `undo` restores.
#[derive(Debug, Serialize)]
pub struct Restored<'a> {
    /// The side that it was on.
    #[serde(serialize_with = "Side::as_ordinal")]
    pub side: Side,
    /// The folder there.
    pub folder: &'a str,
    /// The UID that it had when it was deleted.
    pub uid: u32,
    /// Whether it still exists, so nothing is done.
    #[serde(rename = "already_there")]
    pub is_there: bool,
    /// Its subject, sender and date.
    #[serde(flatten, serialize_with = "Heading::as_members")]
    pub heading: Option<&'a Heading>,
}

/// Conflicting changes of two sides, and how the conflict was resolved: clauses without a subject
/// and without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What the first side did.
    pub first: &'static str,
    /// What the second side did.
    pub second: &'static str,
    /// How it was resolved.
    pub settled: &'static str,
}

impl Contradiction {
    /// Serializes what each side did and how it was resolved, each as null if there was no
    /// conflict.
    fn as_members<S: Serializer>(both: &Option<Self>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([
            ("first_did", both.map(|both| both.first)),
            ("second_did", both.map(|both| both.second)),
            ("settled", both.map(|both| both.settled)),
        ])
    }
}

/// The plan of a copy for one folder.
#[derive(Debug, Default, Serialize)]
pub struct FolderPlanned<'a> {
    /// The source's folder.
    pub from: &'a str,
    /// The target's folder.
    pub to: &'a str,
    /// Why it has this name there; empty if the names are the same.
    pub reason: &'a str,
    /// Whether it will be created.
    pub create: bool,
    /// Selected messages in the source's folder.
    pub messages: u64,
    /// Messages to copy.
    pub copy: u64,
    /// Bytes to send.
    pub bytes: u64,
    /// Messages that the target already has.
    pub already_there: u64,
    /// Messages whose flags will be changed on the target.
    pub flags: u64,
    /// Of the messages to copy, those that the target copies from another of its folders: they
    /// aren't sent.
    pub server_side: u64,
    /// Messages that will be deleted: by `--delete` on the target, by `--move` on the source.
    pub delete: u64,
    /// Messages that will be moved from it to a dated folder on the target, by `--keep-deleted`.
    pub keep: u64,
}

/// The plan of two-way sync for one folder.
#[derive(Debug, Default, Serialize)]
pub struct SyncPlanned<'a> {
    /// The folder's name on the first side.
    pub first: &'a str,
    /// Its name on the second side.
    pub second: &'a str,
    /// Messages that both sides have.
    pub already_there: u64,
    /// The steps on each side.
    #[serde(flatten, serialize_with = "Both::as_ways")]
    pub to: Both<SyncStep>,
}

/// The plan of two-way sync for a folder of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncStep {
    /// Whether it is created.
    pub create: bool,
    /// Messages that it gets from the other side.
    pub copy: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that are moved into it from other folders on that side.
    pub moved: u64,
    /// Messages whose flags are changed.
    pub flags: u64,
    /// Messages that are deleted.
    pub delete: u64,
}
