//! Flags are changed flag by flag: what one side has set or taken away, on the other. A message
//! whose flags somebody else has changed since the scan is left alone, and merged by the next run.

use super::Sync;
use super::memory::pair_record;
use crate::engine::flagging::{FlagChanges, FlagOutcome, FlagWork, change_flags};
use crate::engine::kept::told_flags;
use crate::engine::scans::scan_each;
use crate::engine::way::Way;
use crate::mail::{Both, Flags, Message, Side, Uid, UidSet};
use crate::plan::merge::{FlagMerge, PairState, Prints};
use crate::state::TwoWayChange;
use crate::store::{Error, FlagEdit, FolderScan, ScanDepth};
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
        let outcomes = change_flags(way, &Both::of(|side| self.flag_works(&flagged, side)))?;
        let unchanged = Both::of(|side| self.unchanged(side, &outcomes[side]));
        let lost = self.lost_flags(way, &flagged)?;
        let mut changes = Vec::new();
        for flagged in flagged {
            let of = Both::of(|side| (flagged.work, flagged.messages[side].uid()));
            if Side::BOTH
                .iter()
                .any(|side| unchanged[*side].contains(&of[*side]))
            {
                self.works[flagged.work].open = true;
            } else {
                changes.extend(self.note_changed(flagged, &lost));
            }
        }
        self.memory.write(&changes, false)
    }

    /// Counts a pair whose flags were changed. Returns its new record.
    fn note_changed(&mut self, mut flagged: Flagged, lost: &Both<Lost>) -> Option<TwoWayChange> {
        let uids = flagged.messages.map(|message| message.uid());
        let FlagMerge {
            add,
            remove,
            agreed,
            ..
        } = &mut flagged.outcome;
        for side in Side::BOTH {
            if let Some(lost) = lost[side].get(&(flagged.work, uids[side])) {
                add[side] = add[side].minus(lost);
                agreed.lacks[side] = agreed.lacks[side].union(lost);
            }
            if !add[side].is_empty() || !remove[side].is_empty() {
                self.way(side).flags_updated += 1;
            }
        }
        let id = self.works[flagged.work].record?;
        let record = pair_record(uids, agreed, flagged.prints, PairState::Settled);
        Some(TwoWayChange::Pair(id, Box::new(record)))
    }

    /// Takes off the marks that a killed run has left. Where that is refused, the next run sees
    /// them again.
    pub(super) fn take_marks_off(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        let mark = Flags::from_names([Flags::MARK]);
        let work = |of: usize, side: Side| {
            let work = &self.works[of];
            let mut changes = FlagChanges::default();
            changes.add_all(FlagEdit::Remove, mark.clone(), &work.marked[side]);
            let mailbox = work.raw[side].as_ref().filter(|_| !changes.is_empty())?;
            Some(FlagWork::new(of, mailbox, changes))
        };
        let all = 0..self.works.len();
        let works = Both::of(|side| all.clone().filter_map(|of| work(of, side)).collect());
        change_flags(way, &works).map(|_| ())
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

    /// Returns what is to be changed in each folder of a side.
    fn flag_works(&self, flagged: &[Flagged], side: Side) -> Vec<FlagWork<'_>> {
        let mut changes: BTreeMap<usize, FlagChanges> = BTreeMap::new();
        for Flagged {
            work,
            messages,
            outcome,
            ..
        } in flagged
        {
            let (uid, changes) = (messages[side].uid(), changes.entry(*work).or_default());
            changes.add(FlagEdit::Add, outcome.add[side].clone(), uid);
            changes.add(FlagEdit::Remove, outcome.remove[side].clone(), uid);
        }
        let work = |(of, changes): (usize, FlagChanges)| {
            let folder = self.works[of]
                .folder_on(side)
                .filter(|_| !changes.is_empty())?;
            Some(FlagWork::conditional(of, folder, changes))
        };
        changes.into_iter().filter_map(work).collect()
    }

    /// Names the folders of a side that refused changes. Returns the messages that were not
    /// changed, or not in all that was to be changed.
    pub(super) fn unchanged(
        &mut self,
        side: Side,
        outcomes: &[FlagOutcome],
    ) -> HashSet<(usize, Uid)> {
        let mut unchanged = HashSet::new();
        for outcome in outcomes {
            let name = self.works[outcome.of].name(side);
            for refused in &outcome.refused {
                self.fail_folder(&name, &refused.told(side.ordinal()));
            }
            unchanged.extend(outcome.unchanged().iter().map(|uid| (outcome.of, uid)));
        }
        unchanged
    }
}
