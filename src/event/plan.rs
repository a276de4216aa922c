//! What is planned for one folder, and what two-way sync does because of the other side.

use crate::mail::{Both, Heading, Side, Uid};
use serde::{Serialize, Serializer};

/// What two-way sync does on one side.
#[derive(Debug, Serialize)]
pub struct Change<'a> {
    /// What is done: `copy`, `move`, `flags`, `delete`, `create_folder`, `rename_folder`,
    /// `delete_folder`, `subscribe` or `unsubscribe`.
    pub action: &'static str,
    /// The side on which it is done; the other is where it comes from.
    #[serde(serialize_with = "Side::as_ordinal")]
    pub to: Side,
    /// The folder there.
    pub folder: &'a str,
    /// The message: its UID where it comes from for a copy, else its UID on the side on which it is
    /// done.
    pub uid: Option<Uid>,
    /// More about it: the flags, the other folder.
    pub detail: &'a str,
    /// Why, as a sentence.
    pub reason: &'static str,
    /// Whether the two sides contradicted each other.
    pub conflict: bool,
    /// What each side did, where they contradicted each other.
    #[serde(flatten, serialize_with = "Contradiction::as_members")]
    pub contradiction: Option<Contradiction>,
    /// What people know the message by; `None`: it is about a folder, or that was not read.
    #[serde(flatten, serialize_with = "Heading::as_members")]
    pub heading: Option<&'a Heading>,
}

/// A message that `undo` puts back.
#[derive(Debug, Serialize)]
pub struct Restored<'a> {
    /// The side that it was on.
    #[serde(serialize_with = "Side::as_ordinal")]
    pub side: Side,
    /// The folder there.
    pub folder: &'a str,
    /// The UID that it had when it was deleted.
    pub uid: u32,
    /// Whether it is there already, so that nothing is done.
    #[serde(rename = "already_there")]
    pub is_there: bool,
    /// What people know it by.
    #[serde(flatten, serialize_with = "Heading::as_members")]
    pub heading: Option<&'a Heading>,
}

/// What two sides did that contradict each other, and how that ends. Clauses without their subject
/// and without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What was done on the first side.
    pub first: &'static str,
    /// What was done on the second side.
    pub second: &'static str,
    /// How it was settled.
    pub settled: &'static str,
}

impl Contradiction {
    /// Serializes what each side did and how it was settled; each is null where nothing
    /// contradicted.
    fn as_members<S: Serializer>(both: &Option<Self>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([
            ("first_did", both.map(|both| both.first)),
            ("second_did", both.map(|both| both.second)),
            ("settled", both.map(|both| both.settled)),
        ])
    }
}

/// What one folder needs.
#[derive(Debug, Default, Serialize)]
pub struct FolderPlanned<'a> {
    /// The source's folder.
    pub from: &'a str,
    /// The target's folder.
    pub to: &'a str,
    /// Why it has this name there; empty where the names are the same.
    pub reason: &'a str,
    /// Whether it will be created.
    pub create: bool,
    /// Messages in the source's folder that were selected.
    pub messages: u64,
    /// Messages to copy.
    pub copy: u64,
    /// Bytes to send for them.
    pub bytes: u64,
    /// Messages that the target has already.
    pub already_there: u64,
    /// Messages whose flags will be changed on the target.
    pub flags: u64,
    /// Of the messages to copy, those that the target takes from another of its folders: they are
    /// not sent.
    pub server_side: u64,
    /// Messages that will be deleted in it, by `--delete` on the target, by `--move` on the source.
    pub delete: u64,
    /// Messages that will be moved from it to a folder of the day on the target, by
    /// `--keep-deleted`.
    pub keep: u64,
}

/// What two-way sync does in one folder.
#[derive(Debug, Default, Serialize)]
pub struct SyncPlanned<'a> {
    /// The folder's name on the first side.
    pub first: &'a str,
    /// Its name on the second side.
    pub second: &'a str,
    /// Messages that both sides have.
    pub already_there: u64,
    /// What is done on each side.
    #[serde(flatten, serialize_with = "Both::as_ways")]
    pub to: Both<SyncStep>,
}

/// What two-way sync does in a folder of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SyncStep {
    /// Whether it is created.
    pub create: bool,
    /// Messages that it gets from the other side.
    pub copy: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that are moved into it from other folders of the side.
    pub moved: u64,
    /// Messages whose flags are changed.
    pub flags: u64,
    /// Messages that are deleted.
    pub delete: u64,
}
