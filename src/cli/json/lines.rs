//! The lines that are no events, with their fields in the order in which they are printed.

use super::summary::{Mailboxes, Summarised, Summary};
use crate::cli::chosen::Choice;
use crate::cli::failure::Failure;
use mailferry::verbs::FolderRow;
use serde::Serialize;

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// A folder of a listing.
    Folder(&'a FolderRow),
    /// A run whose deletions `undo` can take back.
    UndoRun {
        run: &'a str,
        messages: u64,
        folders: &'a [KeptFolder],
    },
    /// The run ended early.
    Error(&'a Failure),
    /// What came of it all.
    Summary(Summarised<'a>),
}

/// What a run has kept of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KeptFolder {
    pub(crate) side: &'static str,
    pub(crate) folder: String,
    pub(crate) messages: u64,
}

impl<'a> Line<'a> {
    /// The last line.
    pub(crate) fn of_summary(summary: Summary<'a>, mailboxes: Mailboxes, options: Choice) -> Self {
        Self::Summary(Summarised {
            summary,
            mailboxes,
            options,
        })
    }
}
