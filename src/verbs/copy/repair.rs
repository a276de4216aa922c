//! `--repair`: replaces copies on the target that say something else than the source's messages.
//!
//! Which of two unlike messages is the damaged one can't be told: the source's is taken as good.
//! What it keeps true: the good one is on the target and was read there before the damaged one
//! goes; a damaged one has a keyword from before anything is sent on, so that a run that dies in
//! between is ended by the next one, and nothing is sent twice. What the target stores otherwise
//! than it was sent replaces nothing, and is taken back.

use super::Copy;
use super::damage::{Damaged, ToCheck, ended_earlier, is_equal, take_equal};
use super::needs::TargetState;
use super::removals::Doomed;
use crate::engine::deleting::{Removed, remove};
use crate::engine::flagging::{FlagChanges, FlagWork, change_flags_on};
use crate::engine::scans::scan_each;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::{Event, Place};
use crate::exec::{Contents, Link};
use crate::mail::{Flags, Message, Side, Uid, UidNext, UidSet};
use crate::store::{Error, FlagEdit, ScanDepth};
use crate::verbs::deep::{DeepFolder, Unlike};
use crate::verbs::opening::Names;
use std::collections::HashMap;

impl Copy<'_> {
    /// Reads what both sides have, and puts what is damaged on the target among what is missing
    /// there.
    pub(super) fn find_damaged(&mut self, link: &mut Link, names: &Names<'_>) -> Result<(), Error> {
        for (index, pair) in names.pairs.iter().enumerate() {
            let Some(needs) = self.folders.needs_mut(index) else {
                continue;
            };
            let Some((check, target)) = needs.to_check.take().zip(needs.target.clone()) else {
                continue;
            };
            let source = (
                &names.source.mailboxes[pair.source].name,
                needs.source.counters.uid_validity,
            );
            let uids = check
                .pairs
                .iter()
                .map(|(source, target)| (source.uid(), target.uid()))
                .collect();
            let folder = DeepFolder::of_pairs(
                &pair.from.to_string(),
                source,
                (&target.name, target.side.counters.uid_validity),
                uids,
            );
            let contrast = folder.contrast(link, self.observer)?;
            let place = Place {
                side: Side::SOURCE,
                mailbox: folder.source(),
                uid_validity: needs.source.counters.uid_validity,
            };
            for uid in &contrast.unread {
                let reason = "its content could not be read on both sides, so it was not compared";
                let folder = &pair.from.to_string();
                self.observer.observe(&Event::MessageFailed {
                    place: Some(place),
                    folder,
                    uid: *uid,
                    heading: None,
                    reason,
                });
                self.summary.failed += 1;
                self.folders[index].has_failed = true;
            }
            self.note_damaged(link, index, &check, (&target, &contrast.damaged))?;
        }
        Ok(())
    }

    fn note_damaged(
        &mut self,
        link: &mut Link,
        index: usize,
        check: &ToCheck,
        (target, damaged): (&TargetState, &[Unlike]),
    ) -> Result<(), Error> {
        let mut there = read(link, target, &check.sent_before(damaged))?;
        let found: Vec<Damaged> = damaged
            .iter()
            .filter_map(|unlike| check.damaged(unlike, &mut there))
            .collect();
        let ended = ended_earlier(check, &found);
        let uids: UidSet = found.iter().map(Damaged::uid).collect();
        let in_use: UidSet = found
            .iter()
            .filter_map(|one| one.sent_before)
            .chain(ended.iter())
            .collect();
        let work = &mut self.folders[index];
        let Some(needs) = &mut work.needs else {
            return Ok(());
        };
        needs.already_there -= uids.len();
        needs
            .news
            .matched
            .retain(|(source, ..)| !uids.contains(*source));
        needs.news.unfinished |= !found.is_empty();
        needs.extra = needs.extra.take().map(|extra| extra.minus(&in_use));
        needs.missing.extend(
            found
                .iter()
                .filter(|one| one.sent_before.is_none())
                .map(|one| one.message),
        );
        needs.missing.sort_by_key(Message::uid);
        self.summary.already_there = self.summary.already_there.saturating_sub(uids.len());
        (work.damaged, work.ended_repairs) = (found, ended);
        Ok(())
    }

    /// Tells of a message whose damaged copy was replaced, or would be.
    pub(super) fn tell_repaired(&mut self, pair: &crate::folders::Pair, uid: Uid) {
        self.observer.observe(&Event::MessageRepaired {
            folder: &pair.from.to_string(),
            uid,
        });
        self.summary.repaired += 1;
    }

    /// Adds a keyword to the damaged copies, where the target keeps one.
    pub(super) fn mark_damaged(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        let mark = Flags::from_names([Flags::DAMAGED]);
        let mut works = Vec::new();
        for (of, work) in self.folders.iter().enumerate() {
            let Some(target) = self.folders.target(of) else {
                continue;
            };
            if !target.permanent_flags.keeps(&mark) {
                continue;
            }
            let mut changes = FlagChanges::default();
            for damaged in &work.damaged {
                changes.add(FlagEdit::Add, mark.clone(), damaged.target);
            }
            works.push(FlagWork::new(of, &target.name, changes));
        }
        // A copy that stays without a keyword is deleted all the same.
        change_flags_on(way, Side::TARGET, works).map(|_| ())
    }

    /// Deletes the damaged copies of which the good ones are on the target now.
    pub(super) fn replace_damaged(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        sent: &Sent,
    ) -> Result<(), Error> {
        for index in 0..names.pairs.len() {
            let mut damaged = std::mem::take(&mut self.folders[index].damaged);
            if !damaged.is_empty() {
                damaged.sort_by_key(Damaged::uid);
                self.replace_in(way, names, index, (damaged, sent))?;
            }
        }
        for index in 0..names.pairs.len() {
            let ended = std::mem::take(&mut self.folders[index].ended_repairs);
            if !ended.is_empty() {
                self.take_away(way, names, index, &ended)?;
            }
        }
        Ok(())
    }

    fn replace_in(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        index: usize,
        (damaged, sent): (Vec<Damaged>, &Sent),
    ) -> Result<(), Error> {
        let Some(target) = self.folders.target(index).cloned() else {
            return Ok(());
        };
        let placed = placed(&damaged, sent, index);
        let mut uids: UidSet = placed.values().copied().flatten().collect();
        if placed.values().any(Option::is_none) {
            // Of a target that does not tell where it put what was sent, all that is new is read.
            uids.add(&new_messages(way, &target)?);
        }
        let mut there = way.repeatable(|link| read(link, &target, &uids))?;
        let mut replaced = UidSet::default();
        let mut useless = UidSet::default();
        let mut changes = FlagChanges::default();
        for one in &damaged {
            let uid = one.uid();
            let Some(placed) = placed.get(&uid).copied() else {
                continue;
            };
            let good = match placed {
                Some(at) => there
                    .remove(&at)
                    .filter(|keys| is_equal(keys, &one.content))
                    .map(|_| at),
                None => take_equal(&mut there, &one.content),
            };
            match good {
                Some(at) => {
                    replaced.insert(one.target);
                    self.memory.pair(index, &[(uid, at, one.flags.clone())]);
                    self.add_flags_as_before(index, one, at, &mut changes);
                    self.tell_repaired(&names.pairs[index], uid);
                }
                None => {
                    placed.into_iter().for_each(|at| useless.insert(at));
                    self.fail_repair(names, index, uid);
                }
            }
        }
        let works = vec![FlagWork::new(index, &target.name, changes)];
        change_flags_on(way, Side::TARGET, works)?;
        if !useless.is_empty() {
            self.remove_from(way, &target, &useless)?;
        }
        if replaced.is_empty() {
            Ok(())
        } else {
            self.take_away(way, names, index, &replaced)
        }
    }

    /// Adds the changes that give a new copy the flags that the damaged one had.
    fn add_flags_as_before(&self, pair: usize, one: &Damaged, at: Uid, changes: &mut FlagChanges) {
        let (Some(needs), Some(target)) = (self.folders.needs(pair), self.folders.target(pair))
        else {
            return;
        };
        let sent = target
            .permanent_flags
            .split(&needs.flags.get(one.message.flags()))
            .0;
        changes.add(FlagEdit::Add, one.flags.minus(&sent), at);
        changes.add(FlagEdit::Remove, sent.minus(&one.flags), at);
    }

    /// Returns the folder of a pair on the source.
    fn place<'n>(&self, names: &'n Names<'_>, index: usize) -> Option<Place<'n>> {
        Some(Place {
            side: Side::SOURCE,
            mailbox: &names.source.mailboxes[names.pairs[index].source].name,
            uid_validity: self.folders.needs(index)?.source.counters.uid_validity,
        })
    }

    fn fail_repair(&mut self, names: &Names<'_>, index: usize, uid: Uid) {
        let pair = &names.pairs[index];
        let reason = "its copy on the target is damaged, and the target alters what it stores: the damaged \
                      copy stays";
        self.observer.observe(&Event::MessageFailed {
            place: self.place(names, index),
            folder: &pair.from.to_string(),
            uid,
            heading: None,
            reason,
        });
        self.summary.failed += 1;
        self.summary.copied = self.summary.copied.saturating_sub(1);
        self.folders[index].has_failed = true;
        self.memory.unpair(index, &UidSet::from_iter([uid]));
    }

    /// Deletes messages of a pair's folder on the target, or moves them to the folder of the day.
    fn take_away(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        index: usize,
        uids: &UidSet,
    ) -> Result<(), Error> {
        let Some(target) = self.folders.target(index).cloned() else {
            return Ok(());
        };
        let Some(day) = self.options.keep_deleted else {
            return self.remove_from(way, &target, uids);
        };
        let doomed = Doomed {
            folder: names.pairs[index].to.to_string(),
            mailbox: target.name.clone(),
            uid_validity: target.side.counters.uid_validity,
            uids: uids.clone(),
            flags: Vec::new(),
            of: target.side.counters.count(),
            pairs: vec![index],
            whole: false,
            subscribed: false,
        };
        self.keep(way, names, day, vec![doomed]).map(|_| ())
    }

    fn remove_from(
        &mut self,
        way: &mut Way<'_>,
        target: &TargetState,
        uids: &UidSet,
    ) -> Result<(), Error> {
        let removal = target.folder().removal(uids.clone());
        for Removed { gone, left } in remove(way, Side::TARGET, &[removal])? {
            self.memory.removed(&target.name, gone.len());
            if let Some((left, why)) = left {
                let (name, count) = (&target.name, left.len());
                let text = format!("{name}: {count} damaged messages could not be deleted: {why}");
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        Ok(())
    }
}

/// Returns the UIDs of the good copies on the target, by those of the messages on the source; `None`
/// for a copy whose UID the target did not tell.
fn placed(damaged: &[Damaged], sent: &Sent, pair: usize) -> HashMap<Uid, Option<Uid>> {
    let of_pair = sent.each().filter(|(of, ..)| *of == pair);
    let fates = of_pair.flat_map(|(_, task, fates)| task.messages.iter().zip(fates));
    let mut placed: HashMap<Uid, Option<Uid>> = fates
        .filter(|(_, fate)| fate.is_copied())
        .map(|(message, fate)| (message.uid(), fate.uid()))
        .collect();
    let before = damaged
        .iter()
        .filter_map(|one| Some((one.uid(), Some(one.sent_before?))));
    placed.extend(before);
    placed.retain(|uid, _| damaged.binary_search_by_key(uid, Damaged::uid).is_ok());
    placed
}

fn read(link: &mut Link, target: &TargetState, uids: &UidSet) -> Result<Contents, Error> {
    if uids.is_empty() {
        return Ok(Contents::new());
    }
    target.folder().contents(link.target.as_mut(), uids)
}

fn new_messages(way: &mut Way<'_>, target: &TargetState) -> Result<UidSet, Error> {
    let from = target.side.counters.uid_next.map(UidNext::and_above);
    let scans = way.repeatable(|link| {
        scan_each(
            link.target.as_mut(),
            ScanDepth::Sizes,
            [(&target.name, from.clone())],
        )
    })?;
    let scans = scans.into_iter().filter_map(Result::ok);
    Ok(scans
        .flat_map(|scan| scan.messages)
        .map(|message| message.uid())
        .collect())
}
