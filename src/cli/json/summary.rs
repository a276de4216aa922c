//! The last line: the result of the command, with its mailboxes and options.

use crate::cli::chosen::Choice;
use crate::cli::failure::{Failure, kind_name};
use mailferry::verbs::{
    CopySummary, DoctorSummary, FolderListing, Status, SyncSummary, SyncWay, UndoSummary,
    VerifySummary, milliseconds,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The last line. `S` is the result of the command.
#[derive(Serialize)]
#[serde(tag = "event", rename = "summary")]
pub(crate) struct Summarised<S: Serialize> {
    #[serde(flatten)]
    summary: S,
    mailboxes: Mailboxes,
    options: Choice,
}

impl<S: Serialize> Summarised<S> {
    /// Returns the last line.
    pub(crate) fn new(summary: S, mailboxes: Mailboxes, options: Choice) -> Self {
        Self {
            summary,
            mailboxes,
            options,
        }
    }
}

/// The mailboxes of a run, by their names in its command. Their addresses contain no secrets.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Mailboxes(pub(crate) BTreeMap<&'static str, String>);

/// The result of a command. The flattened fields come from the library. A new command can define
/// its own struct beside its arguments instead.
#[derive(Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(crate) enum Summary<'a> {
    /// Of `copy`.
    Copy {
        dry_run: bool,
        #[serde(flatten)]
        done: &'a CopySummary,
        ended: Option<Ended>,
    },
    /// Of `apply`: a copy by a saved plan.
    Apply {
        dry_run: bool,
        #[serde(flatten)]
        done: &'a CopySummary,
        ended: Option<Ended>,
    },
    /// Of `sync`.
    Sync {
        dry_run: bool,
        status: &'a Status,
        folders: u64,
        #[serde(flatten)]
        total: SyncWay,
        already_there: u64,
        in_both: u64,
        #[serde(flatten)]
        done: &'a SyncSummary,
        ended: Option<Ended>,
    },
    /// Of `undo`.
    Undo {
        dry_run: bool,
        status: Status,
        runs: u64,
        #[serde(flatten)]
        done: &'a UndoSummary,
        #[serde(serialize_with = "milliseconds")]
        seconds: f64,
    },
    /// Of `verify`.
    Verify {
        status: &'a Status,
        equal: bool,
        #[serde(flatten)]
        found: &'a VerifySummary,
    },
    /// Of `folders`. Unknown numbers count as 0.
    Folders {
        folders: u64,
        messages: u64,
        bytes: u64,
        #[serde(flatten)]
        found: &'a FolderListing,
    },
    /// Of `doctor`.
    Doctor {
        status: &'static str,
        kind: Option<&'static str>,
        #[serde(flatten)]
        found: &'a DoctorSummary,
    },
}

/// Why a run ended early.
#[derive(Serialize)]
pub(crate) struct Ended {
    kind: &'static str,
    reason: String,
    /// When the same command is worth running again, if anyone said so.
    run_again: Option<String>,
}

impl Ended {
    fn by(status: &Status) -> Option<Self> {
        let Status::Stopped(error) = status else {
            return None;
        };
        let failure = Failure::from(error);
        Some(Self {
            kind: failure.kind,
            reason: failure.message,
            run_again: failure.run_again,
        })
    }
}

impl Summary<'_> {
    /// Returns the summary of `copy`.
    pub(crate) fn copy(summary: &CopySummary, dry_run: bool) -> Summary<'_> {
        Summary::Copy {
            dry_run,
            done: summary,
            ended: Ended::by(&summary.status),
        }
    }

    /// Returns the summary of `apply`.
    pub(crate) fn apply(summary: &CopySummary, dry_run: bool) -> Summary<'_> {
        Summary::Apply {
            dry_run,
            done: summary,
            ended: Ended::by(&summary.status),
        }
    }

    /// Returns the summary of `sync`.
    pub(crate) fn sync(summary: &SyncSummary, dry_run: bool) -> Summary<'_> {
        let total = summary.total();
        Summary::Sync {
            dry_run,
            status: &summary.status,
            folders: summary.folders,
            total: SyncWay {
                failed: total.failed + summary.failed,
                ..total
            },
            already_there: summary.already_there,
            in_both: summary.in_both(),
            done: summary,
            ended: Ended::by(&summary.status),
        }
    }

    /// Returns the summary of `undo`, for so many runs.
    pub(crate) fn undo(
        runs: usize,
        dry_run: bool,
        summary: &UndoSummary,
        seconds: f64,
    ) -> Summary<'_> {
        let status = if summary.failed > 0 {
            Status::Partial
        } else {
            Status::Complete
        };
        Summary::Undo {
            dry_run,
            status,
            runs: runs as u64,
            done: summary,
            seconds,
        }
    }

    /// Returns the summary of `verify`.
    pub(crate) fn verify(summary: &VerifySummary) -> Summary<'_> {
        let equal = summary.is_equal() && matches!(summary.status, Status::Complete);
        Summary::Verify {
            status: &summary.status,
            equal,
            found: summary,
        }
    }

    /// Returns the summary of `folders`.
    pub(crate) fn folders(listing: &FolderListing) -> Summary<'_> {
        Summary::Folders {
            folders: listing.folders.len() as u64,
            messages: listing.folders.iter().filter_map(|row| row.messages).sum(),
            bytes: listing.folders.iter().filter_map(|row| row.bytes).sum(),
            found: listing,
        }
    }

    /// Returns the summary of `doctor`.
    pub(crate) fn doctor(summary: &DoctorSummary) -> Summary<'_> {
        let status = match (summary.failed, summary.doubtful) {
            (0, 0) => "healthy",
            (0, _) => "usable",
            _ => "failed",
        };
        Summary::Doctor {
            status,
            kind: summary.failure.map(kind_name),
            found: summary,
        }
    }
}
