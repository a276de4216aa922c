//! What happens, as it happens: one typed stream that feeds the progress bar, the JSON lines and
//! the reports.
//!
//! The library tells an [`Observer`] and never prints. Texts that come from a server are raw here:
//! whoever shows them makes them harmless first.
//!
//! An event that is a result is a JSON line as it stands: its fields are the line's, in their order
//! (docs/json.md). What is progress only has no line.

mod finding;
mod holdings;
mod plan;
mod trouble;

pub use finding::{Check, Finding, Verdict};
pub use holdings::{FolderHoldings, Holdings, NamedMessage, YearSum};
pub use plan::{Change, Contradiction, FolderPlanned, Restored, SyncPlanned, SyncStep};
pub use trouble::{Difference, DifferenceKind, Differences, Failure};

use crate::mail::{Heading, Side, Uid};
use serde::{Serialize, Serializer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Which way a line of the protocol went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From mailferry to the server.
    Sent,
    /// From the server to mailferry.
    Received,
}

/// One thing that happened. Folder names are decoded, with `/` between levels.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A connection is up and logged in. `server` is what it calls itself (ID, else its greeting).
    #[serde(skip)]
    Connected {
        /// Which mailbox.
        side: Side,
        /// What the server calls itself.
        server: &'a str,
        /// The provider or kind of server that it is treated as, if it is a known one.
        provider: Option<&'static str>,
        /// Whether what goes over it is compressed.
        is_compressed: bool,
    },
    /// A side's folders are known.
    #[serde(skip)]
    Listed {
        /// Which mailbox.
        side: Side,
        /// How many folders there are.
        folders: usize,
    },
    /// What one folder needs, known before anything is written.
    FolderPlanned(FolderPlanned<'a>),
    /// What two-way sync does in one folder, known before anything is written.
    SyncPlanned(SyncPlanned<'a>),
    /// Which two folders `verify` compares.
    #[serde(skip)]
    FolderPaired {
        /// The source's folder.
        from: &'a str,
        /// The target's.
        to: &'a str,
        /// Why the names differ; empty where they do not.
        reason: &'a str,
    },
    /// What a side's folders hold, for those who ask for it ([`Observer::wants_holdings`]).
    #[serde(skip)]
    Holdings(Holdings<'a>),
    /// The whole plan is known: what progress is measured against.
    Planned {
        /// Folders that take part.
        folders: u64,
        /// Messages to copy.
        messages: u64,
        /// Their bytes, as the source's RFC822.SIZE has them.
        bytes: u64,
    },
    /// A folder was created on the target.
    FolderCreated {
        /// Its name.
        folder: &'a str,
    },
    /// A folder was renamed on the target, or in a dry run would be.
    FolderRenamed {
        /// Its name until now.
        from: &'a str,
        /// Its name from now on.
        to: &'a str,
    },
    /// A folder was deleted on the target, or in a dry run would be.
    FolderDeleted {
        /// Its name.
        folder: &'a str,
    },
    /// Something that two-way sync does on a side because of the other: told in a dry run, and of
    /// conflicts always.
    Change(Change<'a>),
    /// A line of why two-way sync does with a message what it does (`--explain`).
    Explained {
        /// The line.
        text: &'a str,
    },
    /// A message was deleted, or in a dry run would be.
    MessageDeleted {
        /// On which side.
        side: Side,
        /// The folder there.
        folder: &'a str,
        /// Its UID there.
        uid: Uid,
        /// What people know it by; `None`: that was not read.
        #[serde(flatten, serialize_with = "Heading::as_members")]
        heading: Option<&'a Heading>,
    },
    /// A message that vanished from the source was moved on the target (`--keep-deleted`), or in a
    /// dry run would be.
    MessageKept {
        /// The folder where it was.
        folder: &'a str,
        /// Its UID there.
        uid: Uid,
        /// The folder of the day.
        to: &'a str,
        /// What people know it by; `None`: that was not read.
        #[serde(flatten, serialize_with = "Heading::as_members")]
        heading: Option<&'a Heading>,
    },
    /// A damaged copy on the target was replaced by what the source has (`--repair`), or in a dry
    /// run would be.
    MessageRepaired {
        /// The source's folder.
        folder: &'a str,
        /// The message's UID there.
        uid: Uid,
    },
    /// A message that a sync had deleted was put back (`undo`), was there already, or in a dry run
    /// would be put back.
    MessageRestored(Restored<'a>),
    /// Bytes of a message went to the target, which has not confirmed it yet.
    #[serde(skip)]
    Sent {
        /// How many.
        bytes: u64,
        /// Whether they are the last of their message.
        ended: bool,
    },
    /// A message is no longer on its way, nor are its bytes: it was confirmed, refused, or lost
    /// with its connection.
    #[serde(skip)]
    Settled {
        /// The bytes of it that were sent.
        bytes: u64,
    },
    /// The target has confirmed a message.
    MessageCopied {
        /// The side that has it now.
        #[serde(skip)]
        to: Side,
        /// The folder where it comes from on the other side; where `bytes` is 0 in two-way sync,
        /// where it is on this one.
        folder: &'a str,
        /// The source's UID.
        uid: Uid,
        /// Bytes delivered; 0 where the target took it from another of its folders.
        bytes: u64,
    },
    /// A message could not be copied; the run goes on.
    #[serde(serialize_with = "message_failed")]
    MessageFailed {
        /// The source's folder.
        folder: &'a str,
        /// The source's UID.
        uid: Uid,
        /// What people know it by; `None`: that was not read.
        heading: Option<&'a Heading>,
        /// Why, with the server's own words.
        reason: &'a str,
    },
    /// A folder could not be copied or compared; the run goes on.
    FolderFailed {
        /// Its name.
        folder: &'a str,
        /// Why, with the server's own words.
        reason: &'a str,
    },
    /// What `verify` looks at next, where that is known before: first the folders, then for
    /// `--deep` the contents. What was compared before counts no more.
    #[serde(skip)]
    ToCompare {
        /// Folders that take part.
        folders: u64,
        /// Messages of the source.
        messages: u64,
        /// Bytes to read of both sides together; 0 where no contents are read.
        bytes: u64,
    },
    /// `verify` has looked at more: a whole folder, or with `--deep` a message of one side.
    #[serde(skip)]
    Compared {
        /// The source's folder.
        folder: &'a str,
        /// Messages of the source that are done with this.
        messages: u64,
        /// Bytes of their contents that were read.
        bytes: u64,
    },
    /// Two sides of a compared message or folder differ (`verify`).
    Difference(&'a Difference),
    /// `doctor` has made a check.
    #[serde(rename = "finding")]
    Found(&'a Finding),
    /// Something that the user should know and that stops nothing.
    Warning {
        /// What.
        text: &'a str,
    },
    /// A connection was lost or refused and will be made anew.
    #[serde(skip)]
    Retrying {
        /// Which mailbox.
        side: Side,
        /// How long until the next try.
        wait: Duration,
        /// Why.
        reason: &'a str,
    },
    /// A line of the protocol, with secrets struck out.
    #[serde(skip)]
    Trace {
        /// Which mailbox.
        side: Side,
        /// Which of its connections, from 1.
        connection: u32,
        /// Which way.
        direction: Direction,
        /// The line without its end; a literal's bytes are not in it.
        line: &'a [u8],
    },
}

impl Event<'_> {
    /// Reports whether it is progress and no result: it is never a line of JSON, and serde skips
    /// it.
    pub fn is_progress(&self) -> bool {
        matches!(
            self,
            Self::Connected { .. }
                | Self::Listed { .. }
                | Self::FolderPaired { .. }
                | Self::Holdings(_)
                | Self::Sent { .. }
                | Self::Settled { .. }
                | Self::ToCompare { .. }
                | Self::Compared { .. }
                | Self::Retrying { .. }
                | Self::Trace { .. }
        )
    }
}

/// Serializes a message that failed: of what people know it by, the Message-ID stands before the
/// reason.
fn message_failed<S: Serializer>(
    folder: &str,
    uid: &Uid,
    heading: &Option<&Heading>,
    reason: &str,
    to: S,
) -> Result<S::Ok, S::Error> {
    Failure::new(folder, Some(*uid), *heading, reason).serialize(to)
}

/// Of which messages the headings are worth reading, as an observer lists them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Headings {
    /// Of none.
    #[default]
    Nothing,
    /// Of those that are deleted, that differ, or that two sides contradict each other about.
    Pressing,
    /// Of all that something is done with.
    Everything,
}

/// Is told what happens, from many threads at once.
pub trait Observer: Sync {
    /// Takes one event. Must be quick: lanes wait for it.
    fn observe(&self, event: &Event<'_>);

    /// Of which messages it shows what people know them by. For the others nothing is read.
    fn headings(&self) -> Headings {
        Headings::Nothing
    }

    /// Whether it is worth the reading of headers, and of some headings, to be told
    /// [`Event::Holdings`].
    fn wants_holdings(&self) -> bool {
        false
    }
}

/// An observer that does nothing.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: &Event<'_>) {}
}

/// What a run is told by its user, and tells of itself.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The user's request to end.
    pub stop: &'a Stop,
    /// Is told what happens.
    pub observer: &'a dyn Observer,
}

/// A request to end gently: what is under way is finished and acknowledged, nothing new is begun.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// No request yet.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Asks every lane to end. May be called from a signal's thread.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
