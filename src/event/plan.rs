//! What is planned for one folder, and what two-way sync does because of the other side.

use crate::mail::{Heading, Side, Uid};

/// What two-way sync does on one side.
#[derive(Debug)]
pub struct Change<'a> {
    /// What is done: `copy`, `move`, `flags`, `delete`, `create_folder`, `rename_folder`, `delete_folder`, `subscribe`
    /// or `unsubscribe`.
    pub action: &'static str,
    /// The side on which it is done; the other is where it comes from.
    pub to: Side,
    /// The folder there.
    pub folder: &'a str,
    /// The message: its UID where it comes from for a copy, else its UID on the side on which it is done.
    pub uid: Option<Uid>,
    /// More about it: the flags, the other folder.
    pub detail: &'a str,
    /// Why, as a sentence.
    pub reason: &'static str,
    /// Whether the two sides contradicted each other.
    pub conflict: bool,
    /// What each side did, where they contradicted each other.
    pub contradiction: Option<Contradiction>,
    /// What people know the message by; `None`: it is about a folder, or that was not read.
    pub heading: Option<&'a Heading>,
}

/// A message that `undo` puts back.
#[derive(Debug)]
pub struct Restored<'a> {
    /// The side that it was on.
    pub side: Side,
    /// The folder there.
    pub folder: &'a str,
    /// The UID that it had when it was deleted.
    pub uid: u32,
    /// Whether it is there already, so that nothing is done.
    pub is_there: bool,
    /// What people know it by.
    pub heading: Option<&'a Heading>,
}

/// What two sides did that contradict each other, and how that ends. Clauses without their subject and without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// What was done on the first side.
    pub first: &'static str,
    /// What was done on the second side.
    pub second: &'static str,
    /// How it was settled.
    pub settled: &'static str,
}

/// What one folder needs.
#[derive(Debug)]
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
    /// Of these, messages that the target takes from another of its folders.
    pub server_side: u64,
    /// The bytes of the others.
    pub bytes: u64,
    /// Messages that the target has already.
    pub already_there: u64,
    /// Messages whose flags will be changed on the target.
    pub flags: u64,
    /// Messages that will be deleted in it, by `--delete` on the target, by `--move` on the source.
    pub delete: u64,
    /// Messages that will be moved from it to a folder of the day on the target, by `--keep-deleted`.
    pub keep: u64,
}

/// What two-way sync does in one folder.
#[derive(Debug)]
pub struct SyncPlanned<'a> {
    /// The folder's name on the first side.
    pub first: &'a str,
    /// Its name on the second side.
    pub second: &'a str,
    /// Messages that both sides have.
    pub already_there: u64,
    /// What is done on the first side.
    pub to_first: SyncStep,
    /// What is done on the second side.
    pub to_second: SyncStep,
}

/// What two-way sync does in a folder of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
