//! Flags are changed flag by flag: what one side has set or taken away, on the other. A message
//! whose flags somebody else has changed since the scan is left alone, and merged by the next run.

use super::Sync;
use super::memory::pair_record;
use crate::engine::kept::told_flags;
use crate::engine::scans::scan_each;
use crate::engine::way::Way;
use crate::mail::{Both, Flags, MailboxName, Message, Side, Uid, UidSet};
use crate::plan::merge::{FlagMerge, PairState, Prints};
use crate::state::TwoWayChange;
use crate::store::{Error, FlagChange, FlagEdit, FolderScan, ScanDepth};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a side's messages lack of what was set, by the number of the folder's work and their UID.
type Lost = HashMap<(usize, Uid), Flags>;

/// One pair whose flags change.
struct Flagged {
    work: usize,
    messages: Both<Message>,
    prints: Prints,
    outcome: FlagMerge,
}

impl Sync<'_> {
    pub(super) fn change_flags(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        let flagged = self.flagged();
        if flagged.is_empty() {
            return Ok(());
        }
        let first = self.store_flags(way, &flagged, FlagEdit::Add, &Both::default())?;
        let both = self.store_flags(way, &flagged, FlagEdit::Remove, &first)?;
        let lost = self.lost_flags(way, &flagged)?;
        let mut changes = Vec::new();
        for mut flagged in flagged {
            let uids = flagged.messages.map(|message| message.uid());
            let is_done = Side::BOTH
                .into_iter()
                .all(|side| !both[side].contains(&(flagged.work, uids[side])));
            if !is_done {
                self.works[flagged.work].open = true;
                continue;
            }
            for side in Side::BOTH {
                if let Some(lost) = lost[side].get(&(flagged.work, uids[side])) {
                    let FlagMerge { add, agreed, .. } = &mut flagged.outcome;
                    add[side] = add[side].minus(lost);
                    agreed.lacks[side] = agreed.lacks[side].union(lost);
                }
                let FlagMerge { add, remove, .. } = &flagged.outcome;
                if !add[side].is_empty() || !remove[side].is_empty() {
                    self.way(side).flags_updated += 1;
                }
            }
            if let Some(id) = self.works[flagged.work].record {
                let record = pair_record(
                    uids,
                    &flagged.outcome.agreed,
                    flagged.prints,
                    PairState::Settled,
                );
                changes.push(TwoWayChange::Pair(id, Box::new(record)));
            }
        }
        self.memory.write(&changes, false)
    }

    /// Takes off the marks that a killed run has left. Where that is refused, the next run sees
    /// them again.
    pub(super) fn take_marks_off(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        for side in Side::BOTH {
            let marked = self
                .works
                .iter()
                .filter(|work| !work.marked[side].is_empty());
            let change = |work: &super::Work| {
                Some(FlagChange {
                    mailbox: work.raw[side].clone()?,
                    uids: work.marked[side].clone(),
                    edit: FlagEdit::Remove,
                    flags: Flags::from_names([Flags::MARK]),
                    unchanged_since: None,
                })
            };
            let changes: Vec<FlagChange> = marked.filter_map(change).collect();
            if !changes.is_empty() {
                way.repeatable(|link| link.side(side).change_flags(&changes))?;
            }
        }
        Ok(())
    }

    /// What was set and is not there, of flags that the folder does not list. It is recorded as
    /// lacking: its absence is no change that anybody made.
    fn lost_flags(&mut self, way: &mut Way<'_>, flagged: &[Flagged]) -> Result<Both<Lost>, Error> {
        let asked: Both<BTreeMap<usize, UidSet>> = Both::of(|side| {
            let mut asked: BTreeMap<usize, UidSet> = BTreeMap::new();
            for flagged in flagged
                .iter()
                .filter(|flagged| !self.doubted(side, flagged).is_empty())
            {
                asked
                    .entry(flagged.work)
                    .or_default()
                    .insert(flagged.messages[side].uid());
            }
            asked
        });
        let mut lost: Both<Lost> = Both::default();
        if asked.all(BTreeMap::is_empty) {
            return Ok(lost);
        }
        let works = &self.works;
        let scans = way.repeatable(|link| {
            link.on_both(|side, store| {
                let folders = asked[side].iter().filter_map(|(at, uids)| {
                    Some((works[*at].raw[side].as_ref()?, Some(uids.clone())))
                });
                scan_each(store, ScanDepth::Attributes, folders)
            })
        })?;
        for side in Side::BOTH {
            let shown: HashMap<usize, &FolderScan> =
                (asked[side].keys().copied().zip(&scans[side]))
                    .filter_map(|(at, scan)| Some((at, scan.as_ref().ok()?)))
                    .collect();
            lost[side] = self.lost_on(side, flagged, &shown);
        }
        Ok(lost)
    }

    /// The flags of a pair that were set on a side whose folder may not keep them.
    fn doubted(&self, side: Side, flagged: &Flagged) -> Flags {
        self.works[flagged.work].state[side]
            .permanent
            .doubts(&flagged.outcome.add[side])
    }

    /// What was set on a side and its folders don't show. Warns of it.
    fn lost_on(
        &self,
        side: Side,
        flagged: &[Flagged],
        shown: &HashMap<usize, &FolderScan>,
    ) -> Lost {
        let mut lost = Lost::new();
        let mut told: BTreeMap<usize, Flags> = BTreeMap::new();
        for flagged in flagged {
            let Some(scan) = shown.get(&flagged.work) else {
                continue;
            };
            let uid = flagged.messages[side].uid();
            let Some(message) = scan.message(uid) else {
                continue;
            };
            let lacks = self
                .doubted(side, flagged)
                .minus(&scan.flags.get(message.flags()));
            if !lacks.is_empty() {
                let all = told.entry(flagged.work).or_default();
                *all = all.union(&lacks);
                lost.insert((flagged.work, uid), lacks);
            }
        }
        for (at, flags) in &told {
            self.warn(&told_flags(
                &self.works[*at].name(side),
                side.ordinal(),
                flags,
            ));
        }
        lost
    }

    /// The pairs whose flags change, on a side or in the base.
    fn flagged(&self) -> Vec<Flagged> {
        let mut found = Vec::new();
        for (at, work) in self
            .works
            .iter()
            .enumerate()
            .filter(|(_, work)| !work.rests())
        {
            let messages = |indices: Both<u32>| {
                let Both { first, second } =
                    Both::of(|side| work.message(side, indices[side]).copied());
                Some(Both::new(first?, second?))
            };
            for joined in &work.merge.joined {
                let outcome = work.merge.flags.get(joined.flags);
                if let Some(messages) = messages(joined.messages).filter(|_| !outcome.is_quiet()) {
                    let prints = Prints::of(messages.as_ref().map(Some));
                    found.push(Flagged {
                        work: at,
                        messages,
                        prints,
                        outcome,
                    });
                }
            }
            let Some(base) = &work.base else { continue };
            let learned: HashMap<_, _> = work
                .merge
                .learned
                .iter()
                .map(|learned| (learned.pair, learned.prints))
                .collect();
            for agreement in &work.merge.agreements {
                let Some(pair) = base.pairs().get(agreement.pair as usize) else {
                    continue;
                };
                if let Some(messages) = messages(agreement.messages) {
                    let prints = learned
                        .get(&agreement.pair)
                        .copied()
                        .unwrap_or_else(|| pair.prints());
                    let outcome = work.merge.flags.get(agreement.flags);
                    found.push(Flagged {
                        work: at,
                        messages,
                        prints,
                        outcome,
                    });
                }
            }
        }
        found
    }

    /// Sets or takes away. Gives the messages of which that was not done, with those of `before`.
    fn store_flags(
        &mut self,
        way: &mut Way<'_>,
        flagged: &[Flagged],
        edit: FlagEdit,
        before: &Both<HashSet<(usize, Uid)>>,
    ) -> Result<Both<HashSet<(usize, Uid)>>, Error> {
        let mut undone = before.clone();
        let changes = Both::of(|side| self.flag_changes(flagged, edit, side, &before[side]));
        if changes.all(Vec::is_empty) {
            return Ok(undone);
        }
        let results = way.repeatable(|link| {
            link.on_both(|side, store| {
                let changes: Vec<FlagChange> = changes[side]
                    .iter()
                    .map(|(_, change)| change.clone())
                    .collect();
                if changes.is_empty() {
                    Ok(Vec::new())
                } else {
                    store.change_flags(&changes)
                }
            })
        })?;
        for side in Side::BOTH {
            for ((work, change), result) in changes[side].iter().zip(&results[side]) {
                let left = match result {
                    Ok(left_alone) => left_alone,
                    Err(refusal) => {
                        let (name, flags) = (self.works[*work].name(side), &change.flags);
                        let text = format!(
                            "the {} did not change {flags}: {}",
                            side.ordinal(),
                            refusal.text
                        );
                        self.fail_folder(&name, &text);
                        &change.uids
                    }
                };
                undone[side].extend(left.iter().map(|uid| (*work, uid)));
            }
        }
        Ok(undone)
    }

    fn flag_changes(
        &self,
        flagged: &[Flagged],
        edit: FlagEdit,
        side: Side,
        undone: &HashSet<(usize, Uid)>,
    ) -> Vec<(usize, FlagChange)> {
        let mut changes: BTreeMap<(usize, bool, String), FlagChange> = BTreeMap::new();
        for Flagged {
            work,
            messages,
            outcome,
            ..
        } in flagged
        {
            let uid = messages[side].uid();
            let (flags, other): (&Flags, &Flags) = match edit {
                FlagEdit::Add => (&outcome.add[side], &outcome.remove[side]),
                FlagEdit::Remove => (&outcome.remove[side], &outcome.add[side]),
            };
            let Some(mailbox) = self.works[*work].raw[side].as_ref() else {
                continue;
            };
            if flags.is_empty() || undone.contains(&(*work, uid)) {
                continue;
            }
            // What was set a moment ago is a change of our own.
            let is_ours = edit == FlagEdit::Remove && !other.is_empty();
            let change = changes
                .entry((*work, is_ours, flags.to_string()))
                .or_insert_with(|| FlagChange {
                    mailbox: MailboxName::clone(mailbox),
                    uids: UidSet::default(),
                    edit,
                    flags: flags.clone(),
                    unchanged_since: self.works[*work].state[side]
                        .counters
                        .mod_seq
                        .filter(|_| !is_ours),
                });
            change.uids.insert(uid);
        }
        changes
            .into_iter()
            .map(|((work, ..), change)| (work, change))
            .collect()
    }
}
