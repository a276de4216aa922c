//! UIDs that a side told for what was sent to it, and that stand for other messages by the time of the proof: a server that loses
//! its list of UIDs numbers its messages again, in the same generation. Were they believed, a pair would join two different
//! messages, and a deletion of one would delete the other.

use super::proof::find;
use super::sides::{number, store, word};
use super::{Sync, Work};
use crate::exec::Fate;
use crate::mail::{HeaderKey, InternalDate, Message, Uid, UidSet};
use crate::plan::FolderTask;
use crate::plan::merge::Side;
use crate::state::TwoWayChange;
use crate::store::{Error, FolderScan, ScanDepth};
use crate::verbs::scans::scan_each;
use crate::verbs::way::Way;
use std::collections::HashSet;

/// What was sent to one folder, and how its side shows it now.
pub(super) struct Proof<'a> {
    pub(super) work: usize,
    pub(super) task: &'a FolderTask,
    pub(super) fates: Vec<Fate>,
    pub(super) scan: FolderScan,
}

impl Sync<'_> {
    /// Takes back the UIDs that stand for other messages now, and forgets their pairs. Their folders' scans then show the headers
    /// of all that is new, by which the proof finds the messages again.
    pub(super) fn doubt_uids(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        proofs: &mut [Proof<'_>],
        changes: &mut Vec<TwoWayChange>,
    ) -> Result<(), Error> {
        // Most copies look like what was sent. Where one doesn't, its header tells whether the side rewrote it.
        let suspects: Vec<(usize, UidSet)> =
            (0..).zip(&*proofs).map(|(at, proof)| (at, proof.unlike())).filter(|(_, uids)| !uids.is_empty()).collect();
        if suspects.is_empty() {
            return Ok(());
        }
        let headers = way.repeatable(|link| {
            let asked = suspects.iter().map(|(at, uids)| (&proofs[*at].task.target, Some(uids.clone())));
            scan_each(store(link, side), ScanDepth::Identity, asked)
        })?;
        let is_other =
            |(at, headers): &(usize, FolderScan)| headers.messages.iter().any(|found| proofs[*at].is_other(found));
        let doubtful: Vec<usize> = suspects
            .iter()
            .zip(headers)
            .filter_map(|((at, _), headers)| Some((*at, headers.ok()?)))
            .filter(is_other)
            .map(|(at, _)| at)
            .collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        let scans = way.repeatable(|link| {
            let new = |at: &usize| proofs[*at].task.target_uid_next.and_then(Uid::new).map(UidSet::from_uid);
            let asked = doubtful.iter().map(|at| (&proofs[*at].task.target, new(at)));
            scan_each(store(link, side), ScanDepth::Identity, asked)
        })?;
        for (at, scan) in doubtful.into_iter().zip(scans) {
            let proof = &mut proofs[at];
            let Some(scan) = scan.ok().filter(|scan| scan.uid_validity == proof.task.target_uid_validity) else {
                continue;
            };
            if proof.has_changed_places(&scan) {
                // Gaps between the UIDs say nothing of what has left: the numbering leaves some itself.
                proof.scan = FolderScan { uid_next: None, ..scan };
                self.take_back_uids(side, proof, changes);
            }
        }
        Ok(())
    }

    fn take_back_uids(&mut self, side: Side, proof: &mut Proof<'_>, changes: &mut Vec<TwoWayChange>) {
        let Work { open, record, .. } = &mut self.works[proof.work];
        *open = true;
        for (message, fate) in proof.task.messages.iter().zip(&mut proof.fates) {
            let Fate::Copied { uid: told @ Some(_), .. } = fate else { continue };
            let Some(uid) = told.filter(|uid| find(&proof.scan, *uid).is_none_or(|now| now.key() != message.key()))
            else {
                continue;
            };
            *told = None;
            let mut uids = [message.uid(); 2];
            uids[number(side)] = uid;
            changes.extend(record.map(|id| TwoWayChange::Unpair(id, uids)));
        }
        self.warn(&format!(
            "{}: the {} has given other UIDs to messages since they were sent; the next run compares the folder again",
            proof.task.to,
            word(side)
        ));
    }
}

impl Proof<'_> {
    /// What was sent, with the UID that was told for it, and the bytes that were sent.
    fn told(&self) -> impl Iterator<Item = (&Message, Uid, u32)> {
        self.task.messages.iter().zip(&self.fates).filter_map(|(message, fate)| match fate {
            Fate::Copied { uid: Some(uid), bytes } => Some((message, *uid, *bytes)),
            _ => None,
        })
    }

    /// The UIDs under which there is a message of another size than was sent, or of another date.
    fn unlike(&self) -> UidSet {
        let is_unlike = |(message, uid, bytes): &(&Message, Uid, u32)| {
            find(&self.scan, *uid).is_some_and(|now| {
                let seconds = |of: &Message| of.date().map(InternalDate::seconds);
                let has_date = message.date().is_some_and(InternalDate::is_kept_everywhere);
                *bytes != u32::MAX && now.size() != *bytes || has_date && seconds(now) != seconds(message)
            })
        };
        self.told().filter(is_unlike).map(|(_, uid, _)| uid).collect()
    }

    /// Whether this message has another header than the one that was sent and got its UID.
    fn is_other(&self, now: &Message) -> bool {
        let sent = self.told().find(|(_, uid, _)| *uid == now.uid());
        sent.is_some_and(|(message, ..)| message.key() != HeaderKey::Unknown && message.key() != now.key())
    }

    /// Whether a message that was sent is under another UID than was told for it, or has that of another one that was sent. A
    /// side that only rewrites headers shows neither.
    fn has_changed_places(&self, scan: &FolderScan) -> bool {
        let with_id = |message: &Message| match message.key() {
            HeaderKey::WithId(key) => Some(key),
            _ => None,
        };
        let is_in_place = |message: &Message, uid| find(scan, uid).is_some_and(|now| now.key() == message.key());
        let astray: HashSet<[u8; 16]> = self
            .told()
            .filter(|(message, uid, _)| find(scan, *uid).is_some() && !is_in_place(message, *uid))
            .filter_map(|(message, ..)| with_id(message))
            .collect();
        let in_place: HashSet<Uid> =
            self.told().filter(|(message, uid, _)| is_in_place(message, *uid)).map(|(_, uid, _)| uid).collect();
        let others = scan.messages.iter().filter(|message| !in_place.contains(&message.uid()));
        others.filter_map(with_id).any(|key| astray.contains(&key))
    }
}
