//! What mailboxes hold: sums by folder and year, the largest messages, messages that are there more
//! than once.

use crate::mail::{InternalDate, Side, Uid};
use serde::Serialize;

/// What the folders of one side hold that take part, as they were when the plan was made.
#[derive(Debug)]
pub struct Holdings<'a> {
    /// Which side.
    pub side: Side,
    /// Each folder.
    pub folders: &'a [FolderHoldings],
    /// The largest messages, the largest first: some dozens at most.
    pub largest: &'a [NamedMessage],
    /// The first of those that one folder has more than once, the largest waste of space first: a
    /// hundred at most.
    pub duplicates: &'a [NamedMessage],
    /// How many more such messages there are than those named.
    pub more_duplicates: u64,
}

/// What one folder holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FolderHoldings {
    /// Its name.
    pub folder: String,
    /// Its messages that take part.
    pub messages: u64,
    /// The bytes of those whose size was read.
    pub bytes: u64,
    /// Messages whose date and size weren't read, because an earlier run recorded them.
    pub unread: u64,
    /// Messages whose header was not read, so that duplicates among them are not known.
    pub unkeyed: u64,
    /// Messages beyond the first of their kind: the same identifying header, date and size.
    pub surplus: u64,
    /// Those that were read, by the year of INTERNALDATE in its own zone, ascending.
    pub years: Vec<YearSum>,
}

/// Messages of one year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct YearSum {
    /// The year; `None` where the date can't be read.
    pub year: Option<i16>,
    /// How many.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A message that is named to people.
#[derive(Clone, Debug, Serialize)]
pub struct NamedMessage {
    /// Its folder.
    pub folder: String,
    /// Its UID there.
    pub uid: Uid,
    /// Its size.
    pub bytes: u64,
    /// When it arrived.
    pub date: Option<InternalDate>,
    /// Its subject, as far as it could be read.
    pub subject: Option<String>,
    /// Who sent it, as far as it could be read.
    pub from: Option<String>,
    /// How many of the same the folder has, itself included; 1 where that is not what it is named
    /// for.
    pub count: u64,
}
