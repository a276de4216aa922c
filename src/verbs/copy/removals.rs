//! `--delete` and `--move`: what is deleted at the end of a copy, and what keeps it from being
//! deleted.
//!
//! What it keeps true: only what is named in the plan is deleted; nothing of a folder whose
//! comparison was uncertain, in which a message failed, or whose UIDVALIDITY has changed; a folder
//! only once it is seen to be empty; and nothing at all where the brake says so.

use super::Copy;
use super::needs::Needs;
use crate::engine::deleting::{told_braked, told_departures};
use crate::engine::scans::scan_each;
use crate::event::Event;
use crate::exec::Link;
use crate::folders::Pair;
use crate::mail::{MailboxName, Side, SpecialUse, UidSet, UidValidity};
use crate::plan::planned::Flagged;
use crate::plan::{DeletionLimit, Deletions};
use crate::store::{Error, ScanDepth};
use crate::verbs::Deleting;
use crate::verbs::opening::Names;
use crate::verbs::unlisted::are_denied;
use std::collections::{BTreeMap, HashSet};

/// Messages of one folder that are to be deleted.
#[derive(Clone, Debug)]
pub(super) struct Doomed {
    /// The folder's decoded name, for people.
    pub(super) folder: String,
    pub(super) mailbox: MailboxName,
    pub(super) uid_validity: Option<UidValidity>,
    pub(super) uids: UidSet,
    /// Messages with their flags, these among them, where a plan names them.
    pub(super) flags: Vec<Flagged>,
    /// How many messages the folder holds.
    pub(super) of: u64,
    /// The pairs that the folder belongs to: none where nothing is paired with it.
    pub(super) pairs: Vec<usize>,
    /// Whether the folder itself is to go.
    pub(super) whole: bool,
    /// Whether the user is subscribed to the folder.
    pub(super) subscribed: bool,
}

impl Copy<'_> {
    /// Reads the folders of the target that nothing is paired with: what is in them is extra too.
    pub(super) fn scan_unmatched(
        &mut self,
        link: &mut Link,
        names: &Names<'_>,
    ) -> Result<(), Error> {
        let unmatched = &names.pairing.unmatched_target;
        if !matches!(self.options.deleting, Deleting::Mirror(_)) || unmatched.is_empty() {
            return Ok(());
        }
        if !self.may_delete_folders(names) || !self.are_denied(link, names)? {
            let text = format!(
                "not deleting anything in folders that only the target has ({}): not all folders on the source are \
                 known",
                unmatched
                    .iter()
                    .map(|folder| folder.name.to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            self.observer.observe(&Event::Warning { text: &text });
            return Ok(());
        }
        let asked = unmatched
            .iter()
            .map(|folder| (&names.target.mailboxes[folder.target].name, None));
        let scans = scan_each(link.target.as_mut(), ScanDepth::Attributes, asked)?;
        for (nth, (folder, scan)) in unmatched.iter().zip(scans).enumerate() {
            // One that can't be read whole is left alone.
            let Some(scan) = scan.ok().filter(|scan| scan.unlisted == 0) else {
                continue;
            };
            let uids: UidSet = scan
                .messages
                .iter()
                .map(crate::mail::Message::uid)
                .collect();
            self.note_held(names.pairs.len() + nth, &scan, &uids);
            self.unmatched_generations
                .insert(folder.target, scan.uid_validity);
            self.doomed.push(Doomed {
                folder: folder.name.to_string(),
                mailbox: names.target.mailboxes[folder.target].name.clone(),
                uid_validity: scan.uid_validity,
                of: uids.len(),
                flags: self.flags_of(&scan),
                uids,
                pairs: Vec::new(),
                whole: folder.role.is_none() && !folder.name.is_inbox(),
                subscribed: names.target.mailboxes[folder.target].subscribed,
            });
        }
        Ok(())
    }

    /// Whether a folder that nothing is paired with is certain to have none on the source.
    fn may_delete_folders(&self, names: &Names<'_>) -> bool {
        // A folder of the source that could not take part may be the one that is missed.
        self.summary.folders_failed == 0
            && names.pairing.skipped.iter().all(|skipped| !skipped.failed)
            && !names.source.mailboxes.is_empty()
    }

    /// Asks the source for what it does not list, and the target has; whether it denies all of it.
    fn are_denied(&mut self, link: &mut Link, names: &Names<'_>) -> Result<bool, Error> {
        let is_listed = |name: &MailboxName| {
            names
                .source
                .mailboxes
                .iter()
                .any(|mailbox| mailbox.selectable && mailbox.name == *name)
        };
        let unmatched = &names.pairing.unmatched_target;
        let asked: Vec<Vec<MailboxName>> = (unmatched.iter())
            .map(|folder| {
                let target = &names.target.mailboxes[folder.target].name;
                match self
                    .memory
                    .records()
                    .find(|record| record.target == *target)
                {
                    Some(record) => Some(record.source.clone())
                        .into_iter()
                        .filter(|name| !is_listed(name))
                        .collect(),
                    None => folder.origins.clone(),
                }
            })
            .collect();
        let denied = are_denied(link.source.as_mut(), &asked)?;
        for (folder, _) in unmatched
            .iter()
            .zip(&denied)
            .filter(|(_, denied)| !**denied)
        {
            self.note_undenied(folder.name.to_string());
        }
        Ok(denied.iter().all(|denied| *denied))
    }

    /// Decides what is to be deleted, and whether that is too much.
    pub(super) fn plan_deletions(&mut self, names: &Names<'_>) {
        match self.options.deleting {
            Deleting::Nothing => {}
            Deleting::Mirror(limit) => {
                self.doom_extras(names);
                self.hold_departures(names);
                self.hold_deletions(names);
                self.brake(limit);
            }
            Deleting::Source(limit) => {
                self.doom_sources(names);
                self.hold_deletions(names);
                if let Some(limit) = limit {
                    self.brake(limit);
                }
            }
        }
        self.doomed
            .retain(|doomed| doomed.whole || !doomed.uids.is_empty());
    }

    /// What only the target has, less what moves to another of its folders.
    fn doom_extras(&mut self, names: &Names<'_>) {
        let mut by_target: BTreeMap<&[u8], Doomed> = BTreeMap::new();
        let mut uncertain: HashSet<&[u8]> = HashSet::new();
        for (index, pair) in names.pairs.iter().enumerate() {
            let Some(folder) = names.existing(pair) else {
                continue;
            };
            let key = folder.name.as_bytes();
            let needs = self.folders.needs(index);
            // All Mail shows what is in other folders: nothing in it is extra.
            if pair.view && folder.special_use.is_some_and(SpecialUse::is_view) {
                continue;
            }
            let Some((needs, extra)) = needs.and_then(|needs| Some((needs, needs.extra.as_ref()?)))
            else {
                uncertain.insert(key);
                continue;
            };
            let doomed = by_target.entry(key).or_insert_with(|| Doomed {
                folder: pair.to.to_string(),
                mailbox: folder.name.clone(),
                uid_validity: needs
                    .target
                    .as_ref()
                    .and_then(|target| target.side.counters.uid_validity),
                uids: extra.clone(),
                flags: needs.doomed_flags.clone(),
                of: needs.on_target,
                pairs: Vec::new(),
                whole: false,
                subscribed: false,
            });
            // Where several folders are mapped to one, only what is in none of them is extra.
            doomed.uids = doomed.uids.in_common(extra);
            doomed.of = doomed.of.max(needs.on_target);
            doomed.pairs.push(index);
        }
        by_target.retain(|key, _| !uncertain.contains(key));
        self.doomed.extend(by_target.into_values());
        let leaving = self.elsewhere.leaving();
        for doomed in &mut self.doomed {
            if let Some(leaving) = leaving.get(&doomed.mailbox) {
                doomed.uids = doomed.uids.minus(leaving);
            }
        }
        // Parents come after what is below them.
        self.doomed
            .sort_by_key(|doomed| std::cmp::Reverse(doomed.mailbox.as_bytes().len()));
    }

    /// Deletes nothing where folders of the source were not compared whole: what its other folders
    /// lack may have been moved there, and would be on the source and not on the target any more.
    fn hold_departures(&mut self, names: &Names<'_>) {
        let hiding = self.hiding(names);
        if hiding.is_empty() {
            return;
        }
        for doomed in std::mem::take(&mut self.doomed)
            .iter()
            .filter(|doomed| !doomed.uids.is_empty())
        {
            let (folder, count) = (&doomed.folder, doomed.uids.len());
            let text = told_departures(folder, Side::TARGET, Side::PARTS, count, &hiding);
            self.observer.observe(&Event::Warning { text: &text });
            self.summary.not_deleted += doomed.uids.len();
        }
    }

    /// The folders to which messages may have been moved that are missing in others: they were not
    /// compared whole, and nothing shows that no mail has come into them.
    fn hiding(&self, names: &Names<'_>) -> Vec<String> {
        let is_hiding = |(index, pair): &(usize, &Pair)| {
            let is_unread = self.folders[*index].has_failed && !self.folders[*index].is_refused;
            is_unread && !self.memory.has_no_news(pair, names)
        };
        let unread = names
            .pairs
            .iter()
            .enumerate()
            .filter(is_hiding)
            .map(|(_, pair)| pair.from.to_string());
        let unmatched = names
            .pairing
            .unmatched_target
            .iter()
            .filter(|_| names.source.gaps.hide_folders());
        let unlisted = unmatched
            .map(|folder| folder.name.to_string())
            .chain(self.undenied.iter().cloned());
        unread.chain(unlisted).collect()
    }

    /// What the source has and the target has too, or will have.
    fn doom_sources(&mut self, names: &Names<'_>) {
        // What only a view has stays: to delete it there may delete it from more than is shown.
        for (index, pair) in names
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| !pair.view)
        {
            let Some(needs) = self.folders.needs(index) else {
                continue;
            };
            let there = needs.there.iter().map(|there| there.source);
            let missing = needs.missing.iter().map(crate::mail::Message::uid);
            self.doomed.push(Doomed {
                folder: pair.from.to_string(),
                mailbox: names.source.mailboxes[pair.source].name.clone(),
                uid_validity: needs.source.counters.uid_validity,
                uids: there.chain(missing).collect(),
                flags: needs.doomed_flags.clone(),
                of: needs.source.counters.count(),
                pairs: vec![index],
                whole: false,
                subscribed: false,
            });
        }
    }

    /// Deletes nothing at all where it would be too much.
    fn brake(&mut self, limit: DeletionLimit) {
        let counts: Vec<Deletions> = self
            .doomed
            .iter()
            .map(|doomed| Deletions {
                deleted: doomed.uids.len(),
                of: doomed.of,
            })
            .collect();
        let counted: u64 = counts.iter().map(|count| count.of).sum();
        let all: u64 = match self.options.deleting {
            Deleting::Mirror(_) => self.folders.all_needs().map(|needs| needs.on_target).sum(),
            _ => 0,
        };
        // Folders from which nothing is deleted count towards the account.
        let rest = Deletions {
            deleted: 0,
            of: all.saturating_sub(counted),
        };
        let verdict = limit.verdict(&[&counts[..], &[rest]].concat());
        if !verdict.stops() {
            return;
        }
        let folders: Vec<String> = (verdict.folders.iter())
            .filter_map(|folder| self.doomed.get(*folder))
            .map(|doomed| {
                format!(
                    "{} of {} in {}",
                    doomed.uids.len(),
                    doomed.of,
                    doomed.folder
                )
            })
            .collect();
        let folders = if folders.is_empty() {
            String::new()
        } else {
            format!(" ({})", folders.join(", "))
        };
        let side = if matches!(self.options.deleting, Deleting::Mirror(_)) {
            "target"
        } else {
            "source"
        };
        let text = told_braked(side, &verdict, limit, &folders);
        self.observer.observe(&Event::Warning { text: &text });
        self.braked = true;
        self.doomed.clear();
    }

    /// How many messages are deleted in the folders of a pair.
    pub(super) fn doomed_in(&self, pair: usize) -> u64 {
        let of_pair = self
            .doomed
            .iter()
            .filter(|doomed| doomed.pairs.first() == Some(&pair));
        of_pair.map(|doomed| doomed.uids.len()).sum()
    }
}

impl Needs {
    /// Less what is never to be deleted.
    pub(super) fn spare(&mut self, kept: &UidSet) {
        if let Some(extra) = &mut self.extra {
            *extra = extra.minus(kept);
        }
    }
}
