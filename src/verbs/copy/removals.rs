//! `--delete` and `--move`: what is deleted at the end of a copy, and what keeps it from being deleted.
//!
//! What it keeps true: only what is named in the plan is deleted; nothing of a folder whose comparison was uncertain, in
//! which a message failed, or whose UIDVALIDITY has changed; a folder only once it is seen to be empty; and nothing at
//! all where the brake says so.

use super::needs::Needs;
use super::relocate::Leftover;
use super::{Copy, needs::There};
use crate::event::{Event, Side};
use crate::exec::{Link, read_contents};
use crate::mail::{MailboxName, Uid, UidSet, UidValidity};
use crate::plan::Deletions;
use crate::store::{Error, FolderScan, Refusal, Removal, ScanDepth, ScanRequest, Store};
use crate::verbs::Deleting;
use crate::verbs::opening::Names;
use crate::verbs::way::Way;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Messages of one folder that are to be deleted.
#[derive(Clone, Debug)]
pub(super) struct Doomed {
    /// The folder's decoded name, for people.
    pub(super) folder: String,
    pub(super) mailbox: MailboxName,
    pub(super) uid_validity: Option<UidValidity>,
    pub(super) uids: UidSet,
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
    pub(super) fn scan_unmatched(&mut self, link: &mut Link, names: &Names<'_>) -> Result<(), Error> {
        if !matches!(self.options.deleting, Deleting::Mirror(_)) || !self.may_delete_folders(names) {
            return Ok(());
        }
        let unmatched = &names.pairing.unmatched_target;
        let request = |folder: &crate::folders::Unmatched| ScanRequest {
            mailbox: &names.target.mailboxes[folder.target].name,
            depth: ScanDepth::Attributes,
            uids: None,
            search: None,
            for_writing: false,
        };
        let requests: Vec<_> = unmatched.iter().map(request).collect();
        let mut scans: Vec<Option<FolderScan>> = Vec::new();
        link.target.scan(&requests, &mut |_, scan| scans.push(scan.ok().filter(|scan| scan.unlisted == 0)))?;
        for (nth, (folder, scan)) in unmatched.iter().zip(scans).enumerate() {
            // One that can't be read whole is left alone.
            let Some(scan) = scan else { continue };
            let uids: UidSet = scan.messages.iter().map(crate::mail::Message::uid).collect();
            self.note_held(names.pairs.len() + nth, &scan, &uids);
            self.unmatched_generations.insert(folder.target, scan.uid_validity);
            self.doomed.push(Doomed {
                folder: folder.name.to_string(),
                mailbox: names.target.mailboxes[folder.target].name.clone(),
                uid_validity: scan.uid_validity,
                of: uids.len(),
                uids,
                pairs: Vec::new(),
                whole: !folder.has_role && !folder.name.is_inbox(),
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

    /// Decides what is to be deleted, and whether that is too much.
    pub(super) fn plan_deletions(&mut self, names: &Names<'_>) {
        match self.options.deleting {
            Deleting::Nothing => {}
            Deleting::Mirror(limit) => {
                self.doom_extras(names);
                self.brake(limit, names);
            }
            Deleting::Source(limit) => {
                self.doom_sources(names);
                if let Some(limit) = limit {
                    self.brake(limit, names);
                }
            }
        }
        self.doomed.retain(|doomed| doomed.whole || !doomed.uids.is_empty());
    }

    /// What only the target has, less what moves to another of its folders.
    fn doom_extras(&mut self, names: &Names<'_>) {
        let mut by_target: BTreeMap<&[u8], Doomed> = BTreeMap::new();
        let mut uncertain: HashSet<&[u8]> = HashSet::new();
        for (index, pair) in names.pairs.iter().enumerate() {
            let Some(folder) = names.existing(pair) else { continue };
            let key = folder.name.as_bytes();
            let needs = self.folders[index].as_ref();
            let Some((needs, extra)) = needs.and_then(|needs| Some((needs, needs.extra.as_ref()?))) else {
                uncertain.insert(key);
                continue;
            };
            let doomed = by_target.entry(key).or_insert_with(|| Doomed {
                folder: pair.to.to_string(),
                mailbox: folder.name.clone(),
                uid_validity: needs.target.as_ref().and_then(|target| target.side.uid_validity),
                uids: extra.clone(),
                of: needs.on_target,
                pairs: Vec::new(),
                whole: false,
                subscribed: false,
            });
            // Where several folders are mapped to one, only what is in none of them is extra.
            doomed.uids = doomed.uids.iter().filter(|uid| extra.contains(*uid)).collect();
            doomed.of = doomed.of.max(needs.on_target);
            doomed.pairs.push(index);
        }
        by_target.retain(|key, _| !uncertain.contains(key));
        self.doomed.extend(by_target.into_values());
        let leaving = self.elsewhere.leaving();
        for doomed in &mut self.doomed {
            if let Some(leaving) = leaving.get(&doomed.mailbox) {
                doomed.uids = doomed.uids.iter().filter(|uid| !leaving.contains(*uid)).collect();
            }
        }
        // Parents come after what is below them.
        self.doomed.sort_by_key(|doomed| std::cmp::Reverse(doomed.mailbox.as_bytes().len()));
    }

    /// What the source has and the target has too, or will have.
    fn doom_sources(&mut self, names: &Names<'_>) {
        for (index, pair) in names.pairs.iter().enumerate() {
            let Some(needs) = &self.folders[index] else { continue };
            let there = needs.there.iter().map(|there| there.source);
            let missing = needs.missing.iter().map(crate::mail::Message::uid);
            self.doomed.push(Doomed {
                folder: pair.from.to_string(),
                mailbox: names.source.mailboxes[pair.source].name.clone(),
                uid_validity: needs.source.uid_validity,
                uids: there.chain(missing).collect(),
                of: u64::from(needs.source.messages),
                pairs: vec![index],
                whole: false,
                subscribed: false,
            });
        }
    }

    /// Deletes nothing at all where it would be too much.
    fn brake(&mut self, limit: crate::plan::DeletionLimit, names: &Names<'_>) {
        let counts: Vec<Deletions> =
            self.doomed.iter().map(|doomed| Deletions { deleted: doomed.uids.len(), of: doomed.of }).collect();
        let counted: u64 = counts.iter().map(|count| count.of).sum();
        let all: u64 = match self.options.deleting {
            Deleting::Mirror(_) => self.folders.iter().flatten().map(|needs| needs.on_target).sum(),
            _ => 0,
        };
        // Folders from which nothing is deleted count towards the account.
        let rest = Deletions { deleted: 0, of: all.saturating_sub(counted) };
        let verdict = limit.verdict(&[&counts[..], &[rest]].concat());
        if !verdict.stops() {
            return;
        }
        let folders: Vec<String> = (verdict.folders.iter())
            .filter_map(|folder| self.doomed.get(*folder))
            .map(|doomed| format!("{} of {} in {}", doomed.uids.len(), doomed.of, doomed.folder))
            .collect();
        let folders = if folders.is_empty() { String::new() } else { format!(" ({})", folders.join(", ")) };
        let side = if matches!(self.options.deleting, Deleting::Mirror(_)) { "target" } else { "source" };
        let text = format!(
            "nothing is deleted on the {side}: it would be {}{folders}, and the limit is {limit}; if that is meant, give \
             --max-delete {} or more",
            verdict.account, verdict.account.deleted
        );
        self.observer.observe(&Event::Warning { text: &text });
        self.braked = true;
        self.doomed.clear();
        let _ = names;
    }

    /// How many messages are deleted in the folders of a pair.
    pub(super) fn doomed_in(&self, pair: usize) -> u64 {
        let of_pair = self.doomed.iter().filter(|doomed| doomed.pairs.first() == Some(&pair));
        of_pair.map(|doomed| doomed.uids.len()).sum()
    }

    /// Tells each message and folder that is deleted, or would be.
    pub(super) fn tell_deleted(&mut self, doomed: &Doomed) {
        let side = if matches!(self.options.deleting, Deleting::Source(_)) { Side::Source } else { Side::Target };
        for uid in doomed.uids.iter() {
            self.observer.observe(&Event::MessageDeleted { side, folder: &doomed.folder, uid });
        }
        self.summary.deleted += doomed.uids.len();
    }

    /// Removes what should have left a folder by a move and did not: what was sent instead must be known to be there.
    pub(super) fn clear_leftovers(&mut self, way: &mut Way<'_>, copied: &HashMap<usize, UidSet>) -> Result<(), Error> {
        let is_there = |leftover: &Leftover| {
            let uid = leftover.job.message.uid();
            !leftover.is_sent || copied.get(&leftover.job.pair).is_some_and(|uids| uids.contains(uid))
        };
        let mut folders: BTreeMap<Vec<u8>, Removal> = BTreeMap::new();
        for leftover in std::mem::take(&mut self.leftovers).into_iter().filter(is_there) {
            let from = leftover.job.from;
            let removal = folders.entry(from.mailbox.as_bytes().to_vec()).or_insert_with(|| Removal {
                mailbox: from.mailbox.clone(),
                uid_validity: from.uid_validity,
                uids: UidSet::default(),
            });
            removal.uids.insert(from.uid);
            if leftover.is_sent {
                self.memory.removed(&from.mailbox, 1);
            }
        }
        let removals: Vec<Removal> = folders.into_values().collect();
        if removals.is_empty() {
            return Ok(());
        }
        let results = way.repeatable(|link| link.target.remove(&removals))?;
        for (removal, result) in removals.iter().zip(results) {
            if let Err(refusal) = result {
                let count = removal.uids.len();
                let text =
                    format!("{}: {count} messages that moved are still there too: {}", removal.mailbox, refusal.text);
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        Ok(())
    }

    /// Deletes on the target what the source does not have.
    pub(super) fn mirror(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        let mut doomed = std::mem::take(&mut self.doomed);
        doomed.retain(|doomed| doomed.pairs.iter().all(|pair| !self.has_failed.contains(pair)));
        let removals: Vec<Removal> = doomed.iter().map(removal).collect();
        let results = way.repeatable(|link| link.target.remove(&removals))?;
        let mut emptied = Vec::new();
        for (doomed, result) in doomed.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.tell_deleted(&doomed);
                    self.memory.removed(&doomed.mailbox, doomed.uids.len());
                    if doomed.whole {
                        emptied.push(doomed);
                    }
                }
                Err(refusal) => self.warn_of_refusal(&doomed, &refusal),
            }
        }
        self.delete_folders(way, emptied)
    }

    fn warn_of_refusal(&self, doomed: &Doomed, refusal: &Refusal) {
        let count = doomed.uids.len();
        let text = format!("{}: {count} messages could not be deleted: {}", doomed.folder, refusal.text);
        self.observer.observe(&Event::Warning { text: &text });
    }

    /// Deletes folders that are empty now: what has come in meanwhile stays, and its folder with it.
    fn delete_folders(&mut self, way: &mut Way<'_>, emptied: Vec<Doomed>) -> Result<(), Error> {
        if emptied.is_empty() {
            return Ok(());
        }
        let exists = way.repeatable(|link| count_again(link.target.as_mut(), &emptied))?;
        let (empty, full): (Vec<_>, Vec<_>) =
            emptied.into_iter().zip(exists).partition(|(_, exists)| *exists == Some(0));
        for (doomed, _) in full {
            let text = format!("{}: it is not deleted, as mail has come into it meanwhile", doomed.folder);
            self.observer.observe(&Event::Warning { text: &text });
        }
        let names: Vec<MailboxName> = empty.iter().map(|(doomed, _)| doomed.mailbox.clone()).collect();
        let subscribed = |is_deleted: &dyn Fn(usize) -> bool| -> Vec<MailboxName> {
            let of = empty.iter().enumerate().filter(|(at, (doomed, _))| doomed.subscribed && !is_deleted(*at));
            of.map(|(_, (doomed, _))| doomed.mailbox.clone()).collect()
        };
        // First, so that no run that breaks leaves a subscription to what is no more.
        let target = &mut way.link()?.target;
        target.unsubscribe(&subscribed(&|_| false))?;
        let results = target.delete(&names)?;
        target.subscribe(&subscribed(&|at| results[at].is_ok()))?;
        for ((doomed, _), result) in empty.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.summary.folders_deleted += 1;
                    self.observer.observe(&Event::FolderDeleted { folder: &doomed.folder });
                    self.memory.forget_target(&doomed.mailbox);
                }
                Err(refusal) => {
                    let text = format!("{}: the target did not delete it: {}", doomed.folder, refusal.text);
                    self.observer.observe(&Event::Warning { text: &text });
                }
            }
        }
        Ok(())
    }

    /// Deletes on the source what is proven to be on the target. `unproven` are messages that were copied, but of which
    /// the target's word is not what was sent.
    pub(super) fn empty_source(&mut self, way: &mut Way<'_>, copied: &HashMap<usize, UidSet>) -> Result<(), Error> {
        let mut doomed = std::mem::take(&mut self.doomed);
        for folder in &mut doomed {
            let Some(pair) = folder.pairs.first().copied() else { continue };
            let mut proven = self.prove_there(way, pair, &folder.mailbox)?;
            proven.add(copied.get(&pair).unwrap_or(&UidSet::default()));
            let unproven = folder.uids.iter().filter(|uid| !proven.contains(*uid)).count();
            if unproven > 0 {
                let text = format!(
                    "{}: {unproven} messages stay on the source, as they are not proven to be on the target",
                    folder.folder
                );
                self.observer.observe(&Event::Warning { text: &text });
            }
            folder.uids = folder.uids.iter().filter(|uid| proven.contains(*uid)).collect();
        }
        doomed.retain(|doomed| !doomed.uids.is_empty());
        let removals: Vec<Removal> = doomed.iter().map(removal).collect();
        let results = way.repeatable(|link| link.source.remove(&removals))?;
        for (doomed, result) in doomed.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.tell_deleted(&doomed);
                    self.memory.emptied(&doomed.pairs, &doomed.uids);
                }
                Err(refusal) => self.warn_of_refusal(&doomed, &refusal),
            }
        }
        Ok(())
    }

    /// Which of the messages that both sides had already are the same: known by an earlier run, or by their content.
    fn prove_there(&self, way: &mut Way<'_>, pair: usize, source: &MailboxName) -> Result<UidSet, Error> {
        let Some(needs) = &self.folders[pair] else { return Ok(UidSet::default()) };
        let (known, to_read): (Vec<There>, Vec<There>) = needs.there.iter().partition(|there| there.is_known);
        let mut proven: UidSet = known.iter().map(|there| there.source).collect();
        let Some(target) = needs.target.as_ref().filter(|_| !to_read.is_empty()) else { return Ok(proven) };
        let contents = way.repeatable(|link| {
            let uids = to_read.iter().map(|there| there.source).collect();
            let on_source = read_contents(link.source.as_mut(), source, needs.source.uid_validity, &uids, &mut |_| {})?;
            let uids = to_read.iter().map(|there| there.target).collect();
            let validity = target.side.uid_validity;
            let on_target = read_contents(link.target.as_mut(), &target.name, validity, &uids, &mut |_| {})?;
            Ok((on_source, on_target))
        })?;
        let is_same = |there: &&There| {
            let (from, to) = (contents.0.get(&there.source), contents.1.get(&there.target));
            from.zip(to).is_some_and(|(from, to)| from.raw == to.raw)
        };
        to_read.iter().filter(is_same).for_each(|there| proven.insert(there.source));
        Ok(proven)
    }
}

fn removal(doomed: &Doomed) -> Removal {
    Removal { mailbox: doomed.mailbox.clone(), uid_validity: doomed.uid_validity, uids: doomed.uids.clone() }
}

/// How many messages folders hold now; `None` where that can't be told.
fn count_again(store: &mut dyn Store, folders: &[Doomed]) -> Result<Vec<Option<u32>>, Error> {
    // Opening tells the number; of the messages nothing need be asked.
    let none = UidSet::from_iter(Uid::new(u32::MAX));
    let requests: Vec<ScanRequest<'_>> = (folders.iter())
        .map(|doomed| ScanRequest {
            mailbox: &doomed.mailbox,
            depth: ScanDepth::Sizes,
            uids: Some(none.clone()),
            search: None,
            for_writing: false,
        })
        .collect();
    let mut exists = Vec::new();
    store.scan(&requests, &mut |_, scan| exists.push(scan.ok().map(|scan| scan.exists)))?;
    Ok(exists)
}

/// The messages of a pair that the copy has brought to the target, by their UIDs on the source.
pub(super) fn note_copied(copied: &mut HashMap<usize, UidSet>, pair: usize, uids: impl IntoIterator<Item = Uid>) {
    let of_pair = copied.entry(pair).or_default();
    uids.into_iter().for_each(|uid| of_pair.insert(uid));
}

impl Needs {
    /// Less what is never to be deleted.
    pub(super) fn spare(&mut self, kept: &UidSet) {
        if let Some(extra) = &mut self.extra {
            *extra = extra.iter().filter(|uid| !kept.contains(*uid)).collect();
        }
    }
}
