//! Records and reports what lanes found out about messages: confirmed, placed, refused or failed.

use super::Shared;
use super::ledger::Stage;
use crate::event::{Event, Place};
use crate::locks::lock;
use crate::mail::{Heading, Uid, UidValidity};
use crate::plan::FolderTask;
use crate::store::Placed;
use std::collections::BTreeMap;

impl Shared<'_> {
    /// Notes that the target has this message.
    pub(super) fn confirm(&self, token: u32, bytes: u64) {
        let (task, position) = self.ledger.locate(token);
        let folder = self.ledger.task(task);
        self.ledger.set_copied(token, bytes);
        let uid = folder.messages[position].uid();
        self.context.observer.observe(&Event::MessageCopied {
            to: self.context.to,
            place: Some(self.origin(folder)),
            folder: &folder.from,
            uid,
            bytes,
        });
        self.tell_fixed(token);
    }

    /// Returns where a task's messages come from.
    fn origin<'t>(&self, folder: &'t FolderTask) -> Place<'t> {
        Place {
            side: self.context.to.other(),
            mailbox: &folder.source,
            uid_validity: folder.source_uid_validity,
        }
    }

    /// Reports bytes of a message as sent.
    pub(super) fn tell_sent(&self, bytes: u64, ended: bool) {
        self.context.observer.observe(&Event::Sent { bytes, ended });
    }

    /// Notes where the target has put messages; the UIDs are in the order of the deliveries.
    pub(super) fn remember(&self, tokens: &[u32], placed: &Placed) {
        self.place(
            Some(placed.uid_validity),
            tokens.iter().copied().zip(placed.uids.iter()),
        );
    }

    /// Notes where messages are, and tells the journal. Ignores UIDs with another UIDVALIDITY than
    /// the task's.
    pub(super) fn place(
        &self,
        uid_validity: Option<UidValidity>,
        placed: impl Iterator<Item = (u32, Uid)>,
    ) {
        let mut by_task: BTreeMap<usize, Vec<(Uid, Uid)>> = BTreeMap::new();
        for (token, uid) in placed {
            let (task, position) = self.ledger.locate(token);
            let folder = self.ledger.task(task);
            if uid_validity.is_some() && folder.target_uid_validity == uid_validity {
                self.ledger.set_uid(token, uid);
                by_task
                    .entry(task)
                    .or_default()
                    .push((folder.messages[position].uid(), uid));
            }
        }
        let Some(journal) = self.context.journal else {
            return;
        };
        for (task, pairs) in by_task {
            journal.copied(task, self.ledger.task(task), &pairs);
        }
    }

    /// Notes that the source refused this message individually; later it is checked whether it
    /// still exists.
    pub(super) fn refused_by_source(&self, token: u32, reason: &str) {
        self.ledger.set(token, Stage::Unseen);
        lock(&self.source_refusals).insert(token, reason.to_owned());
    }

    /// Reports a message as failed.
    pub(super) fn fail(
        &self,
        task: usize,
        position: usize,
        heading: Option<&Heading>,
        reason: &str,
    ) {
        let folder = self.ledger.task(task);
        self.ledger
            .set(self.ledger.token(task, position), Stage::Failed);
        let uid = folder.messages[position].uid();
        self.context.observer.observe(&Event::MessageFailed {
            place: Some(self.origin(folder)),
            folder: &folder.from,
            uid,
            heading,
            reason,
        });
    }
}
