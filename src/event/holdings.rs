//! The contents of mailboxes: sums by folder and year, the largest messages, duplicates.

use crate::mail::{InternalDate, Side, Uid};
use serde::Serialize;

/// The contents of the folders of one side that take part, when the plan was made.
#[derive(Debug)]
pub struct Holdings<'a> {
    /// Which side.
    pub side: Side,
    /// The folders.
    pub folders: &'a [FolderHoldings],
    /// The largest messages, largest first: a few dozen at most.
    pub largest: &'a [NamedMessage],
    /// Messages that one folder has more than once, the largest waste of space first: a hundred at
    /// most.
    pub duplicates: &'a [NamedMessage],
    /// How many more such messages there are than those listed.
    pub more_duplicates: u64,
}

/// The contents of one folder.
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
    /// Messages whose header was not read, so duplicates among them are unknown.
    pub unkeyed: u64,
    /// Duplicates: messages beyond the first with the same identifying header, date and size.
    pub surplus: u64,
    /// The messages whose date was read, by the year of INTERNALDATE in its own zone, ascending.
    pub years: Vec<YearSum>,
}

/// Messages of one year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct YearSum {
    /// The year; `None` if the date can't be read.
    pub year: Option<i16>,
    /// How many.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A message, with what people recognise it by.
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
    /// How many of the same the folder has, including this one; 1 if it isn't listed as a
    /// duplicate.
    pub count: u64,
}
