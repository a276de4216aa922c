//! The lines that are neither events nor the summary, with their fields in the order in which they
//! are printed.

use crate::cli::failure::Failure;
use mailferry::verbs::FolderRow;
use serde::Serialize;

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// A folder of a listing.
    Folder(&'a FolderRow),
    /// A run whose deletions can be undone.
    UndoRun {
        run: &'a str,
        messages: u64,
        folders: &'a [KeptFolder],
    },
    /// The run ended early.
    Error(&'a Failure),
}

/// How many of a folder's messages a run has saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KeptFolder {
    pub(crate) side: &'static str,
    pub(crate) folder: String,
    pub(crate) messages: u64,
}
