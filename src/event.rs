//! What happens during a run, as one typed stream: it feeds the progress bar, the JSON lines and
//! the reports.
//!
//! The library reports to an [`Observer`] and never prints. Texts from a server are raw here:
//! whoever shows them makes them harmless first.
//!
//! An event that is a result is serialized as a JSON line: its fields are those of the line, in the
//! same order (docs/json.md). An event that is only progress has no line.

mod finding;
mod holdings;
mod plan;
mod rights;
mod trouble;

pub use finding::{Check, Finding, Verdict};
pub use holdings::{FolderHoldings, Holdings, NamedMessage, YearSum};
pub use plan::{Change, Contradiction, FolderPlanned, Restored, SyncPlanned, SyncStep};
pub use rights::{EntryRights, RightsAction};
pub use trouble::{Difference, DifferenceKind, Differences, Failure, Place};

use crate::mail::{Heading, Side, Uid};
use serde::{Serialize, Serializer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The direction of a line of the protocol.
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
    /// A connection is up and logged in.
    #[serde(skip)]
    Connected {
        /// Which mailbox.
        side: Side,
        /// What the server calls itself (ID, otherwise its greeting).
        server: &'a str,
        /// The provider or kind of server that it is treated as, if it is a known one.
        provider: Option<&'static str>,
        /// Whether the connection is compressed.
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
    /// The plan for one folder, before anything is written.
    FolderPlanned(FolderPlanned<'a>),
    /// The plan of two-way sync for one folder, before anything is written.
    SyncPlanned(SyncPlanned<'a>),
    /// `verify` compares these two folders.
    #[serde(skip)]
    FolderPaired {
        /// The source's folder.
        from: &'a str,
        /// The target's.
        to: &'a str,
        /// Why the names differ; empty if they don't.
        reason: &'a str,
    },
    /// The contents of a side's folders, for observers that want them
    /// ([`Observer::wants_holdings`]).
    #[serde(skip)]
    Holdings(Holdings<'a>),
    /// The whole plan is known. Progress is measured against these totals.
    Planned {
        /// Folders that take part.
        folders: u64,
        /// Messages to copy.
        messages: u64,
        /// Their bytes, by the source's RFC822.SIZE.
        bytes: u64,
    },
    /// A folder was created on the target.
    FolderCreated {
        /// Its name.
        folder: &'a str,
    },
    /// A folder was renamed on the target, or would be in a dry run.
    FolderRenamed {
        /// Its old name.
        from: &'a str,
        /// Its new name.
        to: &'a str,
    },
    /// A folder was deleted on the target, or would be in a dry run.
    FolderDeleted {
        /// Its name.
        folder: &'a str,
    },
    /// Someone's rights to a folder on the target were changed or could not be copied (`--acl`); in
    /// a dry run, each entry and what would become of it.
    Rights(EntryRights<'a>),
    /// Two-way sync changes one side because of the other: reported in a dry run, and always for
    /// conflicts.
    Change(Change<'a>),
    /// One line of an explanation of what two-way sync does with a message (`--explain`).
    Explained {
        /// The line.
        text: &'a str,
    },
    /// A message was deleted, or would be in a dry run.
    MessageDeleted {
        /// The side.
        side: Side,
        /// The folder there.
        folder: &'a str,
        /// Its UID there.
        uid: Uid,
        /// Its subject, sender and date; `None` if they were not read.
        #[serde(flatten, serialize_with = "Heading::as_members")]
        heading: Option<&'a Heading>,
    },
    /// A message that the source no longer has was moved on the target (`--keep-deleted`), or would
    /// be in a dry run.
    MessageKept {
        /// The folder that it was in.
        folder: &'a str,
        /// Its UID there.
        uid: Uid,
        /// The dated folder that it is in now.
        to: &'a str,
        /// Its subject, sender and date; `None` if they were not read.
        #[serde(flatten, serialize_with = "Heading::as_members")]
        heading: Option<&'a Heading>,
    },
    /// A damaged copy on the target was replaced by the source's message (`--repair`), or would be
    /// in a dry run.
    MessageRepaired {
        /// The source's folder.
        folder: &'a str,
        /// The message's UID there.
        uid: Uid,
    },
    /// `undo` restored a message that a sync had deleted, found that it still exists, or would
    /// restore it in a dry run.
    MessageRestored(Restored<'a>),
    /// Bytes of a message were sent to the target, which has not confirmed it yet.
    #[serde(skip)]
    Sent {
        /// How many.
        bytes: u64,
        /// Whether they are the last ones of their message.
        ended: bool,
    },
    /// A message is no longer in transit: it was confirmed, refused, or lost with its connection.
    #[serde(skip)]
    Settled {
        /// How many of its bytes were sent.
        bytes: u64,
    },
    /// The target has confirmed a message.
    MessageCopied {
        /// The side that has it now.
        #[serde(skip)]
        to: Side,
        /// Where it comes from, if it was sent.
        #[serde(skip)]
        place: Option<Place<'a>>,
        /// The folder that it comes from on the other side; in two-way sync, if `bytes` is 0, the
        /// one that it comes from on this side.
        folder: &'a str,
        /// The source's UID.
        uid: Uid,
        /// Bytes delivered; 0 if the target copied it from another of its folders.
        bytes: u64,
    },
    /// The target has taken a message that it had refused, after it was corrected
    /// (`--fix-refused`).
    MessageFixed {
        /// The source's folder.
        folder: &'a str,
        /// The source's UID.
        uid: Uid,
        /// What was corrected.
        fixed: &'a [&'static str],
        /// The server's words when it refused it.
        reason: &'a str,
    },
    /// A message could not be copied; the run continues.
    #[serde(serialize_with = "message_failed")]
    MessageFailed {
        /// Where it is, if that is known.
        place: Option<Place<'a>>,
        /// The source's folder.
        folder: &'a str,
        /// The source's UID.
        uid: Uid,
        /// Its subject, sender and date; `None` if they were not read.
        heading: Option<&'a Heading>,
        /// The reason, with the server's own words.
        reason: &'a str,
    },
    /// A folder could not be copied or compared; the run continues.
    FolderFailed {
        /// Its name.
        folder: &'a str,
        /// The reason, with the server's own words.
        reason: &'a str,
    },
    /// The totals of what `verify` compares next, if known in advance: first the folders, then,
    /// with `--deep`, the contents. Progress starts again from 0.
    #[serde(skip)]
    ToCompare {
        /// Folders that take part.
        folders: u64,
        /// Messages of the source.
        messages: u64,
        /// Bytes to read from both sides together; 0 if no contents are read.
        bytes: u64,
    },
    /// `verify` has compared a folder, or, with `--deep`, read a message of one side.
    #[serde(skip)]
    Compared {
        /// The source's folder.
        folder: &'a str,
        /// Messages of the source that are finished.
        messages: u64,
        /// Bytes of their contents that were read.
        bytes: u64,
    },
    /// `verify` found that a message or folder differs.
    Difference(&'a Difference),
    /// `doctor` has made a check.
    #[serde(rename = "finding")]
    Found(&'a Finding),
    /// Something that the user should know, and that doesn't stop the run.
    Warning {
        /// The text.
        text: &'a str,
    },
    /// A connection was lost or refused and will be re-established.
    #[serde(skip)]
    Retrying {
        /// Which mailbox.
        side: Side,
        /// How long until the next try.
        wait: Duration,
        /// The reason.
        reason: &'a str,
    },
    /// Nothing is done until a server or a daily limit allows it again.
    Waiting {
        /// Which mailbox.
        side: Side,
        /// Until when, in UTC as of RFC 3339.
        until: &'a str,
        /// The reason, with the server's own words.
        reason: &'a str,
    },
    /// A line of the protocol, with secrets redacted.
    #[serde(skip)]
    Trace {
        /// Which mailbox.
        side: Side,
        /// Which of its connections, from 1.
        connection: u32,
        /// Its direction.
        direction: Direction,
        /// The line without its end and without the bytes of literals.
        line: &'a [u8],
    },
}

impl Event<'_> {
    /// Reports whether it is only progress: such an event is never a line of JSON, and serde skips
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

/// Serializes a failed message: the Message-ID comes before the reason, subject, sender and date
/// after it.
fn message_failed<S: Serializer>(
    _place: &Option<Place<'_>>,
    folder: &str,
    uid: &Uid,
    heading: &Option<&Heading>,
    reason: &str,
    to: S,
) -> Result<S::Ok, S::Error> {
    Failure::new(folder, Some(*uid), *heading, reason).serialize(to)
}

/// The messages whose headings (subject, sender, date) an observer shows. For any others they need
/// not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Headings {
    /// None.
    #[default]
    Nothing,
    /// Those that are deleted, that differ, or that are in conflict.
    Pressing,
    /// All that are changed in any way.
    Everything,
}

/// Receives events, from many threads at once.
pub trait Observer: Sync {
    /// Takes one event. Must be quick: lanes wait for it.
    fn observe(&self, event: &Event<'_>);

    /// Returns which messages it shows with their headings. For the others, none are read.
    fn headings(&self) -> Headings {
        Headings::Nothing
    }

    /// Reports whether it wants [`Event::Holdings`], which requires reading headers and some
    /// headings.
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

/// What connects a run with its user: the request to stop, and the events.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The user's request to end.
    pub stop: &'a Stop,
    /// Receives the events.
    pub observer: &'a dyn Observer,
}

/// A request to stop cleanly: messages in progress are finished and confirmed, nothing new is
/// started.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Returns a stop that has not been requested.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Requests that every lane stop. May be called from a signal handling thread.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Reports whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
