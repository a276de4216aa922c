//! Failures, and the differences that `verify` finds.

use crate::mail::{Heading, MailboxName, Side, Uid, UidValidity};
use serde::{Serialize, Serializer};

/// The folder that a message is in, as its store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The side.
    pub side: Side,
    /// The folder there.
    pub mailbox: &'a MailboxName,
    /// The UIDVALIDITY of its UIDs.
    pub uid_validity: Option<UidValidity>,
}

/// A message or a folder that failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The folder.
    pub folder: String,
    /// The message's UID there; `None`: the whole folder.
    pub uid: Option<Uid>,
    /// The message's Message-ID, if it was read.
    pub message_id: Option<String>,
    /// The reason, with the server's own words.
    pub reason: String,
    /// The message's subject, sender and date; `None` for a folder, or if they were not read.
    #[serde(flatten, serialize_with = "Heading::as_members")]
    pub heading: Option<Heading>,
}

impl Failure {
    /// Returns what an event reports about one.
    pub fn new(folder: &str, uid: Option<Uid>, heading: Option<&Heading>, reason: &str) -> Self {
        let message_id = heading.and_then(|heading| heading.message_id.clone());
        Self {
            folder: folder.to_owned(),
            uid,
            message_id,
            reason: reason.to_owned(),
            heading: heading.cloned(),
        }
    }
}

/// How a message or a folder differs between the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// On the source only.
    Missing,
    /// On the target only.
    Extra,
    /// On both sides with different content.
    Changed,
    /// Equal except for flags.
    Flags,
    /// Equal except for INTERNALDATE.
    Date,
}

impl DifferenceKind {
    /// Returns the name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Changed => "changed",
            Self::Flags => "flags_differ",
            Self::Date => "dates_differ",
        }
    }
}

impl Serialize for DifferenceKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// A difference that `verify` found.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// The source's folder, or the target's for an extra message.
    pub folder: String,
    /// The UID on the source (on the target for an extra message); `None` for a whole folder.
    pub uid: Option<Uid>,
    /// How many messages differ: more than one for a whole folder.
    #[serde(skip)]
    pub messages: u64,
    /// A description of the difference.
    pub detail: String,
    /// The message's subject, sender and date; `None` for a folder, or if they were not read.
    #[serde(flatten, serialize_with = "Heading::as_members")]
    pub heading: Option<Heading>,
}

/// How many messages differ in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
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
}

impl Differences {
    /// Adds messages that differ in this way.
    pub fn count(&mut self, kind: DifferenceKind, messages: u64) {
        *match kind {
            DifferenceKind::Missing => &mut self.missing,
            DifferenceKind::Extra => &mut self.extra,
            DifferenceKind::Changed => &mut self.changed,
            DifferenceKind::Flags => &mut self.flags_differ,
            DifferenceKind::Date => &mut self.dates_differ,
        } += messages;
    }

    /// Returns the number of all kinds together.
    pub fn total(&self) -> u64 {
        self.missing + self.extra + self.changed + self.flags_differ + self.dates_differ
    }
}
