//! What earlier runs know of a folder: which of its messages are on the target already, and with which flags both sides
//! last agreed (level 0 of identity). What the servers say now decides whether it still holds.

use crate::mail::{Flags, MailboxName, Message, Uid, UidSet, UidValidity};
use crate::state::{Checkpoint, FolderRecord, PairRecord};
use crate::store::FolderScan;
use std::collections::HashMap;

/// The record of one pair of folders.
pub(super) struct Known {
    record: FolderRecord,
    /// By ascending UID on the source.
    pairs: Vec<PairRecord>,
}

/// A message that was paired by an earlier run and is still on both sides, by the positions in both scans.
pub(super) struct KnownPair {
    pub(super) source: u32,
    pub(super) target: u32,
    /// The flags as both sides last agreed.
    pub(super) base: Flags,
}

/// What of a record holds for two scans.
#[derive(Default)]
pub(super) struct Recognised {
    pub(super) pairs: Vec<KnownPair>,
    /// Records that hold no longer, as one of the messages is gone; by UID on the source.
    pub(super) stale: UidSet,
}

impl Known {
    pub(super) fn new(record: FolderRecord, pairs: Vec<PairRecord>) -> Self {
        Self { record, pairs }
    }

    /// From which UIDs on headers are needed, on the source and on the target: of messages that came after both sides
    /// were last in step.
    pub(super) fn headers_from(&self) -> Option<(Uid, Uid)> {
        let (source, target) = self.record.checkpoint.as_ref()?;
        Some((Uid::new(source.uid_next)?, Uid::new(target.uid_next)?))
    }

    /// Why the record can't be believed any more, as what the servers say now contradicts it.
    pub(super) fn doubt(&self, source: &FolderScan, target: &FolderScan) -> Option<String> {
        let changed = |name: &str, was: Option<UidValidity>, is: Option<UidValidity>| {
            (was.is_none() || was != is).then(|| format!("the {name}'s folder was made anew (its UIDVALIDITY changed)"))
        };
        let restored = |name: &str, checkpoint: &Checkpoint, scan: &FolderScan| {
            let uids_fell = scan.uid_next.is_some_and(|now| now < checkpoint.uid_next);
            let changes_fell = scan.highest_mod_seq.zip(checkpoint.mod_seq).is_some_and(|(now, before)| now < before);
            (uids_fell || changes_fell)
                .then(|| format!("the {name}'s server seems to have been restored from a backup (its counters fell)"))
        };
        changed("source", self.record.source_uid_validity, source.uid_validity)
            .or_else(|| changed("target", self.record.target_uid_validity, target.uid_validity))
            .or_else(|| {
                let (was_source, was_target) = self.record.checkpoint.as_ref()?;
                restored("source", was_source, source).or_else(|| restored("target", was_target, target))
            })
    }

    /// Finds the recorded pairs in two scans that do not contradict the record.
    pub(super) fn recognise(&self, source: &FolderScan, target: &FolderScan) -> Recognised {
        let position = |scan: &FolderScan, uid: Uid| scan.messages.binary_search_by_key(&uid, Message::uid).ok();
        let mut recognised = Recognised::default();
        for pair in &self.pairs {
            match (position(source, pair.source), position(target, pair.target)) {
                (Some(on_source), Some(on_target)) => recognised.pairs.push(KnownPair {
                    source: on_source as u32,
                    target: on_target as u32,
                    base: pair.flags.clone(),
                }),
                _ => recognised.stale.insert(pair.source),
            }
        }
        recognised
    }
}

/// The records of a state, found by the folders' names.
#[derive(Default)]
pub(super) struct Records {
    records: Vec<FolderRecord>,
    by_names: HashMap<MailboxName, Vec<usize>>,
}

impl Records {
    pub(super) fn new(records: Vec<FolderRecord>) -> Self {
        let mut by_names: HashMap<MailboxName, Vec<usize>> = HashMap::new();
        for (at, record) in records.iter().enumerate() {
            by_names.entry(record.source.clone()).or_default().push(at);
        }
        Self { records, by_names }
    }

    /// The record of a folder of the source and the folder of the target that it goes to.
    pub(super) fn get(&self, source: &MailboxName, target: &MailboxName) -> Option<&FolderRecord> {
        self.of_source(source).find(|record| record.target == *target)
    }

    /// The records of a folder of the source.
    pub(super) fn of_source(&self, source: &MailboxName) -> impl Iterator<Item = &FolderRecord> {
        self.by_names.get(source).into_iter().flatten().map(|at| &self.records[*at])
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &FolderRecord> {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{FlagTable, HeaderKey, PermanentFlags};

    fn scan(uid_validity: u32, uid_next: u32, mod_seq: u64, uids: &[u32]) -> FolderScan {
        let message = |uid: &u32| Message::new(Uid::new(*uid).unwrap(), 1, None, 0, HeaderKey::Unknown);
        FolderScan {
            uid_validity: Some(UidValidity(uid_validity)),
            uid_next: Some(uid_next),
            exists: uids.len() as u32,
            highest_mod_seq: Some(mod_seq),
            permanent_flags: PermanentFlags::everything(),
            unlisted: 0,
            messages: uids.iter().map(message).collect(),
            flags: FlagTable::default(),
        }
    }

    fn known(pairs: &[(u32, u32)]) -> Known {
        let checkpoint = Checkpoint { uid_validity: UidValidity(7), uid_next: 10, messages: 3, mod_seq: Some(50) };
        let uid = |value: u32| Uid::new(value).unwrap();
        let pair = |(source, target): &(u32, u32)| PairRecord {
            source: uid(*source),
            target: uid(*target),
            flags: Flags::default(),
        };
        let record = FolderRecord {
            id: crate::state::FolderId::for_test(),
            source: "a".into(),
            target: "b".into(),
            source_uid_validity: Some(UidValidity(7)),
            target_uid_validity: Some(UidValidity(7)),
            checkpoint: Some((checkpoint.clone(), checkpoint)),
            intent: None,
            pairs: pairs.len() as u64,
            source_mailbox_id: None,
            target_mailbox_id: None,
        };
        Known::new(record, pairs.iter().map(pair).collect())
    }

    #[test]
    fn a_server_that_went_back_in_time_is_not_believed() {
        let known = known(&[]);
        let as_before = || scan(7, 10, 50, &[1]);
        assert_eq!(known.doubt(&as_before(), &scan(7, 12, 60, &[1])), None);
        for (source, target, word) in [
            (scan(8, 10, 50, &[]), as_before(), "source's folder was made anew"),
            (as_before(), scan(8, 10, 50, &[]), "target's folder was made anew"),
            (scan(7, 9, 50, &[]), as_before(), "source's server seems to have been restored"),
            (as_before(), scan(7, 10, 49, &[]), "target's server seems to have been restored"),
        ] {
            let doubt = known.doubt(&source, &target).unwrap();
            assert!(doubt.contains(word), "{doubt}");
        }
        let untold = FolderScan { uid_validity: None, ..as_before() };
        assert!(known.doubt(&untold, &as_before()).is_some(), "without UIDVALIDITY nothing can be believed");
    }

    #[test]
    fn a_record_holds_while_both_messages_are_there() {
        let recognised =
            known(&[(1, 4), (2, 5), (3, 6)]).recognise(&scan(7, 10, 50, &[1, 2, 9]), &scan(7, 10, 50, &[4, 6]));
        let pairs: Vec<_> = recognised.pairs.iter().map(|pair| (pair.source, pair.target)).collect();
        assert_eq!(pairs, [(0, 0)]);
        assert_eq!(recognised.stale.to_string(), "2:3");
    }

    #[test]
    fn headers_are_needed_of_what_came_since() {
        let from = known(&[]).headers_from().map(|(source, target)| (source.get(), target.get()));
        assert_eq!(from, Some((10, 10)));
    }
}
