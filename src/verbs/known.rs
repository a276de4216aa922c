//! The records of earlier runs about a folder: which of its messages are already on the target, and
//! the flags that both sides last agreed on. The servers decide whether a record still holds.

use crate::engine::scans::seems_capped;
use crate::mail::{Flags, MailboxName, Message, Side, Uid, UidNext, UidSet, UidValidity};
use crate::state::{Checkpoint, FolderId, FolderRecord, PairRecord};
use crate::store::{Baseline, FolderScan, KnownDepth, ScanDepth};
use std::collections::HashMap;

/// The record of one pair of folders.
pub(super) struct Known {
    record: FolderRecord,
    /// By ascending UID on the source.
    pairs: Vec<PairRecord>,
}

/// What the run needs to know about recorded messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asking {
    /// Dates and sizes, for a filter.
    pub(super) attributes: bool,
    /// All flags on the target, not only those changed since.
    pub(super) target_flags: bool,
}

/// A pair from an earlier run that still exists on both sides, by its positions in both scans.
pub(super) struct KnownPair {
    pub(super) source: u32,
    pub(super) target: u32,
    /// The flags that both sides last agreed on.
    pub(super) base: Flags,
}

/// The part of a record that holds for two scans.
#[derive(Default)]
pub(super) struct Recognised {
    pub(super) pairs: Vec<KnownPair>,
    /// Pairs that no longer hold, because one of the messages is gone; by UID on the source.
    pub(super) stale: UidSet,
}

impl Known {
    pub(super) fn new(record: FolderRecord, pairs: Vec<PairRecord>) -> Self {
        Self { record, pairs }
    }

    /// Returns what to request from one side's folder; `None`: everything, as the two sides were
    /// not in sync.
    pub(super) fn depth(&self, side: Side, asking: Asking) -> Option<ScanDepth> {
        let (source, target) = self.record.checkpoint.as_ref()?;
        let was = match side {
            Side::SOURCE => source,
            Side::TARGET => target,
        };
        // Nothing is known about a message that was in no pair.
        let all_paired = self.record.pairs == u64::from(was.messages);
        let wants_flags = side == Side::TARGET && asking.target_flags;
        let known = match was.mod_seq.filter(|_| all_paired && !wants_flags) {
            _ if asking.attributes => KnownDepth::Attributes,
            Some(mod_seq) => KnownDepth::Changes(mod_seq),
            None => KnownDepth::Flags,
        };
        let top = |of| {
            self.pairs
                .iter()
                .max_by_key(|pair| uid_on(of, pair))
                .map(|pair| uid_on(side, pair))
        };
        let probe = [top(Side::SOURCE), top(Side::TARGET)];
        Some(ScanDepth::Since(Baseline {
            uid_next: was.uid_next,
            known,
            probe,
        }))
    }

    /// Fills in unlisted messages as they were recorded. `None` if that contradicts the server's
    /// number of messages.
    pub(super) fn fill_in(&self, side: Side, scan: FolderScan) -> Option<FolderScan> {
        let next = self
            .record
            .checkpoint
            .as_ref()
            .map_or(UidNext::FIRST, |(source, target)| match side {
                Side::SOURCE => source.uid_next,
                Side::TARGET => target.uid_next,
            });
        let known = self
            .pairs
            .iter()
            .map(|pair| (uid_on(side, pair), pair.flags.clone()));
        scan.filled_in(known, |uid| next.has_assigned(uid))
    }

    /// Returns the recorded pairs to check for still being the same messages: the one with the
    /// highest UID on each side. A server restored from a backup assigns the UIDs given out since
    /// the backup again, lowest first: so if the highest is still the same, all are.
    pub(super) fn to_probe(
        &self,
        recognised: &Recognised,
        source: &FolderScan,
        target: &FolderScan,
    ) -> Vec<(u32, u32)> {
        let highest =
            |uid: &dyn Fn(&KnownPair) -> Uid| recognised.pairs.iter().max_by_key(|pair| uid(pair));
        let on_source = highest(&|pair| source.messages[pair.source as usize].uid());
        let on_target = highest(&|pair| target.messages[pair.target as usize].uid());
        let mut pairs: Vec<_> = on_source
            .into_iter()
            .chain(on_target)
            .map(|pair| (pair.source, pair.target))
            .collect();
        pairs.dedup();
        pairs
    }

    /// Returns why the record can no longer be trusted, if the servers contradict it.
    pub(super) fn doubt(&self, source: &FolderScan, target: &FolderScan) -> Option<String> {
        let changed = |name: &str, was: Option<UidValidity>, is: Option<UidValidity>| match is {
            // Such as a read-only Maildir that no program has numbered.
            None => Some(format!("the {name} has no persistent UIDs")),
            Some(_) if was == is => None,
            Some(_) => Some(format!(
                "the {name} folder was recreated (UIDVALIDITY changed)"
            )),
        };
        let restored = |name: &str, checkpoint: &Checkpoint, scan: &FolderScan| {
            let uids_fell = scan.uid_next.is_some_and(|now| now < checkpoint.uid_next);
            let changes_fell = scan
                .highest_mod_seq
                .zip(checkpoint.mod_seq)
                .is_some_and(|(now, before)| now < before);
            (uids_fell || changes_fell).then(|| {
                format!("the {name} server seems to have been restored from a backup (its counters went down)")
            })
        };
        changed(
            "source",
            self.record.source_uid_validity,
            source.uid_validity,
        )
        .or_else(|| {
            changed(
                "target",
                self.record.target_uid_validity,
                target.uid_validity,
            )
        })
        .or_else(|| {
            let (was_source, was_target) = self.record.checkpoint.as_ref()?;
            restored("source", was_source, source)
                .or_else(|| restored("target", was_target, target))
        })
        .or_else(|| {
            let (was_source, was_target) = self.record.checkpoint.as_ref()?;
            let capped = |name, was: &Checkpoint, is: &FolderScan| {
                seems_capped(was.messages, is.exists).then(|| {
                    format!(
                        "the {name} seems to show only its newest {} messages",
                        is.exists
                    )
                })
            };
            capped("source", was_source, source).or_else(|| capped("target", was_target, target))
        })
    }

    /// Finds the recorded pairs in two scans that don't contradict the record.
    pub(super) fn recognise(&self, source: &FolderScan, target: &FolderScan) -> Recognised {
        let position = |scan: &FolderScan, uid: Uid| {
            scan.messages.binary_search_by_key(&uid, Message::uid).ok()
        };
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

fn uid_on(side: Side, pair: &PairRecord) -> Uid {
    match side {
        Side::SOURCE => pair.source,
        Side::TARGET => pair.target,
    }
}

/// The records of a state, by the names of the folders.
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

    /// Returns the record of a folder on the source and its folder on the target.
    pub(super) fn get(&self, source: &MailboxName, target: &MailboxName) -> Option<&FolderRecord> {
        self.of_source(source)
            .find(|record| record.target == *target)
    }

    /// Returns the records of a folder on the source.
    pub(super) fn of_source(&self, source: &MailboxName) -> impl Iterator<Item = &FolderRecord> {
        self.by_names
            .get(source)
            .into_iter()
            .flatten()
            .map(|at| &self.records[*at])
    }

    /// Assigns a record to other folders.
    pub(super) fn rename(&mut self, folder: FolderId, source: &MailboxName, target: &MailboxName) {
        let mut records = std::mem::take(&mut self.records);
        for record in records.iter_mut().filter(|record| record.id == folder) {
            (record.source, record.target) = (source.clone(), target.clone());
        }
        *self = Self::new(records);
    }

    /// Returns all records.
    pub(super) fn iter(&self) -> impl Iterator<Item = &FolderRecord> {
        self.records.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{FlagTable, HeaderKey, ModSeq, PermanentFlags};
    use crate::store::Unchanged;

    fn scan(uid_validity: u32, uid_next: u32, mod_seq: u64, uids: &[u32]) -> FolderScan {
        let message =
            |uid: &u32| Message::new(Uid::new(*uid).unwrap(), 1, None, 0, HeaderKey::Unknown);
        FolderScan {
            uid_validity: Some(UidValidity(uid_validity)),
            uid_next: UidNext::new(uid_next),
            exists: uids.len() as u32,
            highest_mod_seq: Some(ModSeq(mod_seq)),
            mailbox_id: None,
            permanent_flags: PermanentFlags::everything(),
            unlisted: 0,
            headings: Vec::new(),
            unchanged: None,
            messages: uids.iter().map(message).collect(),
            flags: FlagTable::default(),
        }
    }

    fn known(pairs: &[(u32, u32)]) -> Known {
        let checkpoint = Checkpoint {
            uid_validity: UidValidity(7),
            uid_next: UidNext::new(10).unwrap(),
            messages: 3,
            mod_seq: Some(ModSeq(50)),
        };
        let uid = |value: u32| Uid::new(value).unwrap();
        let pair = |(source, target): &(u32, u32)| PairRecord {
            source: uid(*source),
            target: uid(*target),
            flags: Flags::default(),
        };
        let record = FolderRecord {
            id: FolderId::for_test(),
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
            (
                scan(8, 10, 50, &[]),
                as_before(),
                "source folder was recreated",
            ),
            (
                as_before(),
                scan(8, 10, 50, &[]),
                "target folder was recreated",
            ),
            (
                scan(7, 9, 50, &[]),
                as_before(),
                "source server seems to have been restored",
            ),
            (
                as_before(),
                scan(7, 10, 49, &[]),
                "target server seems to have been restored",
            ),
        ] {
            let doubt = known.doubt(&source, &target).unwrap();
            assert!(doubt.contains(word), "{doubt}");
        }
        let untold = FolderScan {
            uid_validity: None,
            ..as_before()
        };
        let doubt = known.doubt(&untold, &as_before()).unwrap();
        assert!(
            doubt.contains("no persistent UIDs"),
            "without UIDVALIDITY nothing can be believed: {doubt}"
        );
    }

    #[test]
    fn a_record_holds_while_both_messages_are_there() {
        let recognised = known(&[(1, 4), (2, 5), (3, 6)])
            .recognise(&scan(7, 10, 50, &[1, 2, 9]), &scan(7, 10, 50, &[4, 6]));
        let pairs: Vec<_> = recognised
            .pairs
            .iter()
            .map(|pair| (pair.source, pair.target))
            .collect();
        assert_eq!(pairs, [(0, 0)]);
        assert_eq!(recognised.stale.to_string(), "2:3");
    }

    fn uid(value: u32) -> Uid {
        Uid::new(value).unwrap()
    }

    fn baseline(known: &Known, side: Side, asking: Asking) -> Baseline {
        match known.depth(side, asking) {
            Some(ScanDepth::Since(baseline)) => baseline,
            depth => panic!("{depth:?}"),
        }
    }

    #[test]
    fn as_little_is_asked_as_the_record_allows() {
        let all = known(&[(1, 4), (2, 5), (3, 6)]);
        let asked = |asking| Side::BOTH.map(|side| baseline(&all, side, asking).known);
        let changes = KnownDepth::Changes(ModSeq(50));
        assert_eq!(asked(Asking::default()), [changes, changes]);
        let target_flags = Asking {
            target_flags: true,
            ..Asking::default()
        };
        assert_eq!(asked(target_flags), [changes, KnownDepth::Flags]);
        let attributes = Asking {
            attributes: true,
            ..Asking::default()
        };
        assert_eq!(asked(attributes), [KnownDepth::Attributes; 2]);
        let of_target = baseline(&all, Side::TARGET, Asking::default());
        assert_eq!(
            (of_target.uid_next, of_target.probe),
            (UidNext::new(10).unwrap(), [Some(uid(6)); 2])
        );
        // One message was in no pair: it must be listed.
        assert_eq!(
            baseline(&known(&[(1, 4), (2, 5)]), Side::SOURCE, Asking::default()).known,
            KnownDepth::Flags
        );
    }

    #[test]
    fn where_a_line_could_not_be_read_nothing_is_as_it_was() {
        let known = known(&[(1, 4), (2, 5), (3, 6)]);
        let unchanged = Some(Unchanged::AllBut(UidSet::default()));
        let scan = FolderScan {
            exists: 3,
            unchanged,
            unlisted: 1,
            ..scan(7, 10, 60, &[3])
        };
        assert!(known.fill_in(Side::SOURCE, scan).is_none());
    }

    #[test]
    fn what_is_not_listed_is_as_it_was() {
        let known = known(&[(1, 4), (2, 5), (3, 6)]);
        let gone = |uids: &[u32]| Unchanged::AllBut(uids.iter().copied().map(uid).collect());
        let there = |uids: &[u32]| Unchanged::Only(uids.iter().copied().map(uid).collect());
        for (unchanged, exists, complete) in [
            (gone(&[2, 7]), 3, true),
            (there(&[1, 3]), 3, true),
            (gone(&[]), 3, false),
            (there(&[3]), 3, false),
        ] {
            // 3 has changed and 11 is new.
            let scan = FolderScan {
                exists,
                unchanged: Some(unchanged),
                ..scan(7, 12, 60, &[3, 11])
            };
            let filled = known.fill_in(Side::SOURCE, scan);
            assert_eq!(filled.is_some(), complete);
            if let Some(filled) = filled {
                let uids: Vec<_> = filled
                    .messages
                    .iter()
                    .map(|message| message.uid().get())
                    .collect();
                assert_eq!(uids, [1, 3, 11]);
                assert!(filled.messages[0].is_bare() && !filled.messages[1].is_bare());
            }
        }
    }
}
