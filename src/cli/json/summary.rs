//! The last line's fields, in the order in which they are printed.

use crate::cli::chosen::Choice;
use crate::cli::failure::kind_name;
use crate::cli::left_out::LeftOut;
use mailferry::store::{Quota, Traffic};
use mailferry::verbs::{
    CopySummary, DoctorSummary, FolderListing, Status, SyncSummary, SyncWay, UndoSummary, VerifySummary,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The last line, with what the run was about.
#[derive(Serialize)]
pub(crate) struct Summarised {
    #[serde(flatten)]
    pub(super) summary: Summary,
    pub(super) mailboxes: Mailboxes,
    pub(super) options: Choice,
}

/// The mailboxes of a run, by what its command calls them. Their addresses have no secrets.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Mailboxes(pub(crate) BTreeMap<&'static str, String>);

/// What came of the verb.
#[derive(Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(crate) enum Summary {
    /// Of `copy`.
    Copy(Copied),
    /// Of `apply`: a copy by a saved plan.
    Apply(Copied),
    /// Of `sync`.
    Sync {
        dry_run: bool,
        status: &'static str,
        folders: u64,
        #[serde(flatten)]
        total: Way,
        already_there: u64,
        in_both: u64,
        held_back: u64,
        skipped: u64,
        seconds: f64,
        folders_failed: u64,
        to_first: Way,
        to_second: Way,
        first: Amounts,
        second: Amounts,
        left_out: Vec<LeftOut>,
    },
    /// Of `undo`.
    Undo {
        dry_run: bool,
        status: &'static str,
        runs: u64,
        restored: u64,
        already_there: u64,
        failed: u64,
        seconds: f64,
    },
    /// Of `verify`.
    Verify {
        status: &'static str,
        equal: bool,
        folders: u64,
        compared: u64,
        missing: u64,
        extra: u64,
        changed: u64,
        flags_differ: u64,
        dates_differ: u64,
        failed: u64,
        bytes_compared: u64,
        seconds: f64,
        left_out: Vec<LeftOut>,
    },
    /// Of `folders`.
    Folders { folders: u64, messages: u64, bytes: u64, quota: Option<Allowance>, seconds: f64, failed: u64 },
    /// Of `doctor`.
    Doctor {
        status: &'static str,
        kind: Option<&'static str>,
        ok: u64,
        warnings: u64,
        failed: u64,
        skipped: u64,
        seconds: f64,
    },
}

/// What only a view of the source has.
#[derive(Serialize)]
struct OnlyInView {
    view: String,
    folder: String,
    messages: u64,
}

impl OnlyInView {
    fn new(of: &mailferry::verbs::OnlyInView) -> Self {
        Self { view: of.view.clone(), folder: of.folder.clone(), messages: of.messages }
    }
}

/// What `copy` did.
#[derive(Serialize)]
pub(crate) struct Copied {
    dry_run: bool,
    status: &'static str,
    folders: u64,
    folders_created: u64,
    copied: u64,
    copied_server_side: u64,
    already_there: u64,
    flags_updated: u64,
    deleted: u64,
    failed: u64,
    skipped: u64,
    bytes_copied: u64,
    seconds: f64,
    folders_failed: u64,
    folders_renamed: u64,
    folders_deleted: u64,
    kept: u64,
    repaired: u64,
    not_deleted: u64,
    only_in_views: Vec<OnlyInView>,
    source: Amounts,
    target: Amounts,
    left_out: Vec<LeftOut>,
}

impl Copied {
    fn new(summary: &CopySummary, dry_run: bool) -> Self {
        Self {
            dry_run,
            status: status(&summary.status),
            folders: summary.folders,
            folders_created: summary.folders_created,
            copied: summary.copied,
            copied_server_side: summary.copied_server_side,
            already_there: summary.already_there,
            flags_updated: summary.flags_updated,
            deleted: summary.deleted,
            failed: summary.failed,
            skipped: summary.skipped,
            bytes_copied: summary.bytes_copied,
            seconds: milliseconds(summary.seconds),
            folders_failed: summary.folders_failed,
            folders_renamed: summary.folders_renamed,
            folders_deleted: summary.folders_deleted,
            kept: summary.kept,
            repaired: summary.repaired,
            not_deleted: summary.not_deleted,
            only_in_views: summary.only_in_views.iter().map(OnlyInView::new).collect(),
            source: summary.traffic.first.into(),
            target: summary.traffic.second.into(),
            left_out: LeftOut::all(&summary.left_out),
        }
    }
}

impl Summary {
    /// Of `copy`.
    pub(crate) fn copy(summary: &CopySummary, dry_run: bool) -> Self {
        Self::Copy(Copied::new(summary, dry_run))
    }

    /// Of `apply`.
    pub(crate) fn apply(summary: &CopySummary, dry_run: bool) -> Self {
        Self::Apply(Copied::new(summary, dry_run))
    }

    /// Of `sync`.
    pub(crate) fn sync(summary: &SyncSummary, dry_run: bool) -> Self {
        let total = SyncWay { failed: summary.total().failed + summary.failed, ..summary.total() };
        Self::Sync {
            dry_run,
            status: status(&summary.status),
            folders: summary.folders,
            total: total.into(),
            already_there: summary.already_there,
            in_both: summary.in_both(),
            held_back: summary.held_back,
            skipped: summary.skipped,
            seconds: milliseconds(summary.seconds),
            folders_failed: summary.folders_failed,
            to_first: summary.to_first.into(),
            to_second: summary.to_second.into(),
            first: summary.traffic.first.into(),
            second: summary.traffic.second.into(),
            left_out: LeftOut::all(&summary.left_out),
        }
    }

    /// Of `undo`: how many runs were looked at, and what came of them.
    pub(crate) fn undo(runs: usize, dry_run: bool, summary: &UndoSummary, seconds: f64) -> Self {
        let UndoSummary { restored, already_there, failed } = *summary;
        let status = if failed > 0 { "partial" } else { "complete" };
        let (runs, seconds) = (runs as u64, milliseconds(seconds));
        Self::Undo { dry_run, status, runs, restored, already_there, failed, seconds }
    }

    /// Of `verify`.
    pub(crate) fn verify(summary: &VerifySummary) -> Self {
        Self::Verify {
            status: status(&summary.status),
            equal: summary.is_equal() && matches!(summary.status, Status::Complete),
            folders: summary.folders,
            compared: summary.compared,
            missing: summary.missing,
            extra: summary.extra,
            changed: summary.changed,
            flags_differ: summary.flags_differ,
            dates_differ: summary.dates_differ,
            failed: summary.failed,
            bytes_compared: summary.bytes_compared,
            seconds: milliseconds(summary.seconds),
            left_out: LeftOut::all(&summary.left_out),
        }
    }

    /// Of `folders`. What could not be asked counts as nothing.
    pub(crate) fn folders(listing: &FolderListing) -> Self {
        Self::Folders {
            folders: listing.folders.len() as u64,
            messages: listing.folders.iter().filter_map(|row| row.messages).sum(),
            bytes: listing.folders.iter().filter_map(|row| row.bytes).sum(),
            quota: listing.quota.map(Allowance::from),
            seconds: milliseconds(listing.seconds),
            failed: listing.failed,
        }
    }
}

impl Summary {
    /// Of `doctor`.
    pub(crate) fn doctor(summary: &DoctorSummary) -> Self {
        Self::Doctor {
            status: match (summary.failed, summary.doubtful) {
                (0, 0) => "healthy",
                (0, _) => "usable",
                _ => "failed",
            },
            kind: summary.failure.map(kind_name),
            ok: summary.good,
            warnings: summary.doubtful,
            failed: summary.failed,
            skipped: summary.skipped,
            seconds: milliseconds(summary.seconds),
        }
    }
}

/// What `sync` did on a side, or on both.
#[derive(Serialize)]
pub(crate) struct Way {
    folders_created: u64,
    folders_renamed: u64,
    folders_deleted: u64,
    copied: u64,
    copied_server_side: u64,
    moved: u64,
    flags_updated: u64,
    deleted: u64,
    conflicts: u64,
    failed: u64,
    bytes_copied: u64,
}

impl From<SyncWay> for Way {
    fn from(way: SyncWay) -> Self {
        Self {
            folders_created: way.folders_created,
            folders_renamed: way.folders_renamed,
            folders_deleted: way.folders_deleted,
            copied: way.copied,
            copied_server_side: way.copied_server_side,
            moved: way.moved,
            flags_updated: way.flags_updated,
            deleted: way.deleted,
            conflicts: way.conflicts,
            failed: way.failed,
            bytes_copied: way.bytes_copied,
        }
    }
}

/// What went over one side's connections.
#[derive(Serialize)]
pub(crate) struct Amounts {
    sent: u64,
    received: u64,
    round_trips: u64,
}

impl From<Traffic> for Amounts {
    fn from(traffic: Traffic) -> Self {
        Self { sent: traffic.sent, received: traffic.received, round_trips: traffic.round_trips }
    }
}

/// The account's quota.
#[derive(Serialize)]
pub(crate) struct Allowance {
    used: u64,
    limit: u64,
}

impl From<Quota> for Allowance {
    fn from(quota: Quota) -> Self {
        Self { used: quota.used, limit: quota.limit }
    }
}

fn status(status: &Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Braked => "braked",
        Status::Partial => "partial",
        Status::Interrupted => "interrupted",
        Status::Stopped(_) => "stopped",
    }
}

/// Seconds with three decimals.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
