//! The lines' fields, in the order in which they are printed.

use super::summary::{Mailboxes, Step, Summarised, Summary};
use crate::cli::chosen::Choice;
use crate::cli::failure::Failure;
use crate::cli::heading::Shown;
use mailferry::event::Event;
use mailferry::verbs::FolderRow;
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
        #[serde(flatten)]
        heading: Shown,
    },
    /// A line of an explanation.
    Explained { text: &'a str },
    /// A message was deleted.
    MessageDeleted {
        side: &'static str,
        folder: &'a str,
        uid: u32,
        #[serde(flatten)]
        heading: Shown,
    },
    /// A message that vanished from the source was kept on the target.
    MessageKept {
        folder: &'a str,
        uid: u32,
        to: &'a str,
        #[serde(flatten)]
        heading: Shown,
    },
    /// A damaged copy on the target was replaced.
    MessageRepaired { folder: &'a str, uid: u32 },
    /// A message was copied (`-vv`).
    MessageCopied { folder: &'a str, uid: u32, bytes: u64 },
    /// A message failed.
    MessageFailed {
        folder: &'a str,
        uid: u32,
        message_id: Option<&'a str>,
        reason: &'a str,
        #[serde(flatten)]
        heading: Shown,
    },
    /// A folder failed.
    FolderFailed { folder: &'a str, reason: &'a str },
    /// Two sides differ.
    Difference {
        kind: &'static str,
        folder: &'a str,
        uid: Option<u32>,
        detail: &'a str,
        #[serde(flatten)]
        heading: Shown,
    },
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
    UndoRun { run: &'a str, messages: u64, folders: Vec<KeptFolder> },
    /// A message was put back, is there already, or would be put back.
    MessageRestored {
        side: &'static str,
        folder: &'a str,
        uid: u32,
        already_there: bool,
        #[serde(flatten)]
        heading: Shown,
    },
    /// The run ended early.
    Error { kind: &'static str, reason: &'a str, hint: Option<&'a str> },
    /// What came of it all.
    Summary(Box<Summarised>),
}

/// What a run has kept of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KeptFolder {
    pub(crate) side: &'static str,
    pub(crate) folder: String,
    pub(crate) messages: u64,
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
                to: change.to.ordinal(),
                folder: change.folder,
                uid: change.uid.map(mailferry::mail::Uid::get),
                detail: change.detail,
                reason: change.reason,
                conflict: change.conflict,
                first_did: change.contradiction.map(|both| both.first),
                second_did: change.contradiction.map(|both| both.second),
                settled: change.contradiction.map(|both| both.settled),
                heading: Shown::of(change.heading),
            },
            Event::Explained { text } => Self::Explained { text },
            Event::MessageDeleted { side, folder, uid, heading } => {
                Self::MessageDeleted { side: side.name(), folder, uid: uid.get(), heading: Shown::of(heading) }
            }
            Event::MessageRepaired { folder, uid } => Self::MessageRepaired { folder, uid: uid.get() },
            Event::MessageKept { folder, uid, to, heading } => {
                Self::MessageKept { folder, uid: uid.get(), to, heading: Shown::of(heading) }
            }
            Event::MessageCopied { folder, uid, bytes, .. } => Self::MessageCopied { folder, uid: uid.get(), bytes },
            Event::MessageFailed { folder, uid, heading, reason } => Self::MessageFailed {
                folder,
                uid: uid.get(),
                message_id: heading.and_then(|heading| heading.message_id.as_deref()),
                reason,
                heading: Shown::of(heading),
            },
            Event::FolderFailed { folder, reason } => Self::FolderFailed { folder, reason },
            Event::Difference(ref found) => Self::Difference {
                kind: found.kind.name(),
                folder: found.folder,
                uid: found.uid.map(mailferry::mail::Uid::get),
                detail: found.detail,
                heading: Shown::of(found.heading),
            },
            Event::MessageRestored(ref restored) => Self::MessageRestored {
                side: restored.side.ordinal(),
                folder: restored.folder,
                uid: restored.uid,
                already_there: restored.is_there,
                heading: Shown::of(restored.heading),
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

    /// The last line.
    pub(crate) fn of_summary(summary: Summary, mailboxes: Mailboxes, options: Choice) -> Self {
        Self::Summary(Box::new(Summarised { summary, mailboxes, options }))
    }

    /// The line of an error that ended the run.
    pub(crate) fn of_failure(failure: &'a Failure) -> Self {
        Self::Error { kind: failure.kind, reason: &failure.message, hint: failure.hint.as_deref() }
    }
}
