//! The lines' fields, in the order in which they are printed.

use crate::cli::failure::{Failure, kind_name};
use mailferry::event::{Event, Side, SyncStep};
use mailferry::store::{Quota, Traffic};
use mailferry::verbs::{
    CopySummary, DoctorSummary, FolderListing, FolderRow, Status, SyncSummary, SyncWay, UndoSummary, VerifySummary,
};
use serde::Serialize;

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// What one folder needs.
    FolderPlanned {
        from: &'a str,
        to: &'a str,
        reason: &'a str,
        create: bool,
        messages: u64,
        copy: u64,
        bytes: u64,
        already_there: u64,
        flags: u64,
        server_side: u64,
        delete: u64,
        keep: u64,
    },
    /// What `sync` does in one folder.
    SyncPlanned { first: &'a str, second: &'a str, already_there: u64, to_first: Step, to_second: Step },
    /// The whole plan.
    Planned { folders: u64, messages: u64, bytes: u64 },
    /// A folder was created on the target.
    FolderCreated { folder: &'a str },
    /// A folder was renamed on the target.
    FolderRenamed { from: &'a str, to: &'a str },
    /// A folder was deleted on the target.
    FolderDeleted { folder: &'a str },
    /// What `sync` does because of the other side.
    Change {
        action: &'static str,
        to: &'static str,
        folder: &'a str,
        uid: Option<u32>,
        detail: &'a str,
        reason: &'static str,
        conflict: bool,
        first_did: Option<&'static str>,
        second_did: Option<&'static str>,
        settled: Option<&'static str>,
    },
    /// A line of an explanation.
    Explained { text: &'a str },
    /// A message was deleted.
    MessageDeleted { side: &'static str, folder: &'a str, uid: u32 },
    /// A message that vanished from the source was kept on the target.
    MessageKept { folder: &'a str, uid: u32, to: &'a str },
    /// A damaged copy on the target was replaced.
    MessageRepaired { folder: &'a str, uid: u32 },
    /// A message was copied (`-vv`).
    MessageCopied { folder: &'a str, uid: u32, bytes: u64 },
    /// A message failed.
    MessageFailed { folder: &'a str, uid: u32, message_id: Option<&'a str>, reason: &'a str },
    /// A folder failed.
    FolderFailed { folder: &'a str, reason: &'a str },
    /// Two sides differ.
    Difference { kind: &'static str, folder: &'a str, uid: Option<u32>, detail: &'a str },
    /// A check of `doctor`.
    Finding {
        side: &'static str,
        number: u8,
        check: &'static str,
        verdict: &'static str,
        tried: &'a str,
        result: &'a str,
        meaning: &'a str,
        advice: Option<&'a str>,
    },
    /// Something to know.
    Warning { text: &'a str },
    /// A folder of a listing.
    Folder {
        name: &'a str,
        role: Option<&'static str>,
        selectable: bool,
        subscribed: bool,
        messages: Option<u64>,
        unread: Option<u64>,
        bytes: Option<u64>,
    },
    /// A run whose deletions `undo` can take back.
    UndoRun { run: &'a str, messages: u64 },
    /// The run ended early.
    Error { kind: &'static str, reason: &'a str, hint: Option<&'a str> },
    /// What came of it all.
    Summary(Box<Summary>),
}

impl<'a> Line<'a> {
    /// The line of an event; `None` for what is progress and no result.
    pub(crate) fn of_event(event: &Event<'a>) -> Option<Self> {
        Some(match *event {
            Event::FolderPlanned(ref plan) => Self::FolderPlanned {
                from: plan.from,
                to: plan.to,
                reason: plan.reason,
                create: plan.create,
                messages: plan.messages,
                copy: plan.copy,
                bytes: plan.bytes,
                already_there: plan.already_there,
                flags: plan.flags,
                server_side: plan.server_side,
                delete: plan.delete,
                keep: plan.keep,
            },
            Event::Planned { folders, messages, bytes } => Self::Planned { folders, messages, bytes },
            Event::FolderCreated { folder } => Self::FolderCreated { folder },
            Event::FolderRenamed { from, to } => Self::FolderRenamed { from, to },
            Event::FolderDeleted { folder } => Self::FolderDeleted { folder },
            Event::Change(ref change) => Self::Change {
                action: change.action,
                to: if change.to == Side::Source { "first" } else { "second" },
                folder: change.folder,
                uid: change.uid.map(mailferry::mail::Uid::get),
                detail: change.detail,
                reason: change.reason,
                conflict: change.conflict,
                first_did: change.contradiction.map(|both| both.first),
                second_did: change.contradiction.map(|both| both.second),
                settled: change.contradiction.map(|both| both.settled),
            },
            Event::Explained { text } => Self::Explained { text },
            Event::MessageDeleted { side, folder, uid } => {
                Self::MessageDeleted { side: side.name(), folder, uid: uid.get() }
            }
            Event::MessageRepaired { folder, uid } => Self::MessageRepaired { folder, uid: uid.get() },
            Event::MessageKept { folder, uid, to } => Self::MessageKept { folder, uid: uid.get(), to },
            Event::MessageCopied { folder, uid, bytes, .. } => Self::MessageCopied { folder, uid: uid.get(), bytes },
            Event::MessageFailed { folder, uid, message_id, reason } => {
                Self::MessageFailed { folder, uid: uid.get(), message_id, reason }
            }
            Event::FolderFailed { folder, reason } => Self::FolderFailed { folder, reason },
            Event::Difference(ref found) => Self::Difference {
                kind: found.kind.name(),
                folder: found.folder,
                uid: found.uid.map(mailferry::mail::Uid::get),
                detail: found.detail,
            },
            Event::Found(found) => Self::Finding {
                side: found.side.name(),
                number: found.check.number(),
                check: found.check.name(),
                verdict: found.verdict.name(),
                tried: &found.tried,
                result: &found.result,
                meaning: &found.meaning,
                advice: found.advice.as_deref(),
            },
            Event::Warning { text } => Self::Warning { text },
            Event::SyncPlanned(ref plan) => Self::SyncPlanned {
                first: plan.first,
                second: plan.second,
                already_there: plan.already_there,
                to_first: plan.to_first.into(),
                to_second: plan.to_second.into(),
            },
            Event::Connected { .. }
            | Event::FolderPaired { .. }
            | Event::Holdings(_)
            | Event::Listed { .. }
            | Event::ToCompare { .. }
            | Event::Compared { .. }
            | Event::Retrying { .. }
            | Event::Sent { .. }
            | Event::Settled { .. }
            | Event::Trace { .. } => return None,
        })
    }

    /// The line of a folder.
    pub(crate) fn of_row(row: &'a FolderRow) -> Self {
        Self::Folder {
            name: &row.name,
            role: row.role.map(mailferry::mail::SpecialUse::name),
            selectable: row.selectable,
            subscribed: row.subscribed,
            messages: row.messages,
            unread: row.unread,
            bytes: row.bytes,
        }
    }

    /// The line of an error that ended the run.
    pub(crate) fn of_failure(failure: &'a Failure) -> Self {
        Self::Error { kind: failure.kind, reason: &failure.message, hint: failure.hint.as_deref() }
    }
}

/// The last line.
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
    },
    /// Of `undo`.
    Undo { status: &'static str, runs: u64, restored: u64, already_there: u64, failed: u64, seconds: f64 },
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
            source: summary.source_traffic.into(),
            target: summary.target_traffic.into(),
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
            first: summary.first_traffic.into(),
            second: summary.second_traffic.into(),
        }
    }

    /// Of `undo`: how many runs were looked at, and what came of them.
    pub(crate) fn undo(runs: usize, summary: &UndoSummary, seconds: f64) -> Self {
        let UndoSummary { restored, already_there, failed } = *summary;
        let status = if failed > 0 { "partial" } else { "complete" };
        Self::Undo { status, runs: runs as u64, restored, already_there, failed, seconds: milliseconds(seconds) }
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

/// What `sync` does in a folder of a side.
#[derive(Serialize)]
pub(crate) struct Step {
    create: bool,
    copy: u64,
    bytes: u64,
    moved: u64,
    flags: u64,
    delete: u64,
}

impl From<SyncStep> for Step {
    fn from(step: SyncStep) -> Self {
        let SyncStep { create, copy, bytes, moved, flags, delete } = step;
        Self { create, copy, bytes, moved, flags, delete }
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
