//! Folders that were renamed on the source since the last run: they are renamed on the target,
//! instead of being copied anew.
//!
//! A folder that is gone and one that is new are the same if the server says so (MAILBOXID, RFC
//! 8474), or if they have the same UIDVALIDITY, UIDs that go on from there, and the newest recorded
//! messages are still in it. Where more than one could be meant, or where the target has folders
//! below that would go along without having to, nothing is renamed.

use super::Copy;
use crate::engine::scans::scan_each;
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::Link;
use crate::folders::{TargetFolder, Unmatched};
use crate::mail::{HeaderKey, ListedMailbox, Listing, MailboxName, Message, Uid, UidSet};
use crate::state::{FolderId, FolderRecord, PairRecord};
use crate::store::{Error, FolderScan, ReadStore, ScanDepth};
use crate::verbs::opening::{Names, Opened};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many of the newest recorded messages are looked at to see whether a folder is the same.
const PROBES: usize = 3;

/// A folder to rename on the target.
#[derive(Clone, Debug)]
pub(super) struct Rename {
    /// The pair whose source folder has the new name.
    pub(super) pair: usize,
    record: FolderId,
    source: MailboxName,
    target_index: usize,
    pub(super) from: MailboxName,
    pub(super) to: MailboxName,
    /// The decoded names on the target, for people.
    from_shown: String,
    to_shown: String,
    /// Whether it goes along with a folder above it.
    implied: bool,
    /// Whether the user is subscribed to its old name on the target.
    subscribed: bool,
}

/// A folder of the source that is new.
struct New {
    pair: usize,
    source_index: usize,
    source: MailboxName,
    /// What it is to be called on the target.
    to: MailboxName,
}

/// A folder of the source that is gone, and what the target has of it.
struct Gone {
    record: FolderRecord,
    target_index: usize,
    shown: String,
    /// The newest of its recorded messages.
    newest: Vec<PairRecord>,
}

impl Rename {
    fn new(new: &New, gone: &Gone, opened: &Opened) -> Self {
        Self {
            pair: new.pair,
            record: gone.record.id,
            source: new.source.clone(),
            target_index: gone.target_index,
            from: gone.record.target.clone(),
            to: new.to.clone(),
            from_shown: gone.shown.clone(),
            to_shown: opened.pairing.pairs[new.pair].to.to_string(),
            implied: false,
            subscribed: opened.target_listing.mailboxes[gone.target_index].subscribed,
        }
    }
}

impl Copy<'_> {
    /// Finds folders that were renamed, and pairs them with what the target has of them.
    pub(super) fn find_renames(&mut self, opened: &mut Opened) -> Result<(), Error> {
        if opened.source_listing.gaps.hide_folders() {
            // What is missing may only not be shown.
            return Ok(());
        }
        let new = self.new_folders(opened);
        let gone = if new.is_empty() {
            Vec::new()
        } else {
            self.gone_folders(opened)
        };
        let may_be = |new: &New, gone: &Gone| {
            may_be(
                &gone.record,
                &opened.source_listing.mailboxes[new.source_index],
            )
        };
        let doubtful: Vec<(usize, usize)> = (new.iter().enumerate())
            .flat_map(|(at, new)| {
                gone.iter()
                    .enumerate()
                    .filter(|(_, gone)| may_be(new, gone))
                    .map(move |(of, _)| (at, of))
            })
            .collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        let same = verify(&mut opened.link, &new, &gone, doubtful)?;
        // Each may be one other and no more.
        let times = |of: fn(&(usize, usize)) -> usize, at: usize| {
            same.iter().filter(|pair| of(pair) == at).count()
        };
        let unique = same
            .iter()
            .filter(|(at, of)| times(|pair| pair.0, *at) == 1 && times(|pair| pair.1, *of) == 1);
        let mut renames: Vec<Rename> = unique
            .map(|(at, of)| Rename::new(&new[*at], &gone[*of], opened))
            .collect();
        renames.retain(|rename| self.may_rename(&rename.source, &rename.from, &rename.to));
        keep_whole_trees(&mut renames, &opened.target_listing);
        for rename in &renames {
            let pair = &mut opened.pairing.pairs[rename.pair];
            pair.target = TargetFolder::Existing(rename.target_index);
            pair.reasons.push(format!(
                "renamed on the source: {} on the target becomes {}",
                rename.from_shown, pair.to
            ));
            opened
                .pairing
                .unmatched_target
                .retain(|unmatched| unmatched.target != rename.target_index);
            self.memory
                .rename(rename.record, &rename.source, &rename.from);
        }
        self.renames = renames;
        Ok(())
    }

    /// Folders of the source that no run has seen and that the target does not have.
    fn new_folders(&self, opened: &Opened) -> Vec<New> {
        let mut new = Vec::new();
        for (index, pair) in opened
            .pairing
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| !pair.view)
        {
            let TargetFolder::New { name: to, .. } = &pair.target else {
                continue;
            };
            let source = &opened.source_listing.mailboxes[pair.source].name;
            if !self.memory.records().any(|record| record.source == *source) {
                new.push(New {
                    pair: index,
                    source_index: pair.source,
                    source: source.clone(),
                    to: to.clone(),
                });
            }
        }
        new
    }

    /// What is known of folders that the source has no more, and the target has.
    fn gone_folders(&self, opened: &Opened) -> Vec<Gone> {
        let listed: HashSet<&MailboxName> = opened
            .source_listing
            .mailboxes
            .iter()
            .map(|mailbox| &mailbox.name)
            .collect();
        let unmatched: HashMap<&MailboxName, &Unmatched> = (opened.pairing.unmatched_target.iter())
            .filter_map(|folder| {
                Some((
                    &opened.target_listing.mailboxes.get(folder.target)?.name,
                    folder,
                ))
            })
            .collect();
        let gone = self
            .memory
            .records()
            .filter(|record| !listed.contains(&record.source));
        gone.filter_map(|record| {
            let folder = unmatched.get(&record.target)?;
            let mut newest = self.memory.pairs(record.id);
            newest.sort_by_key(|pair| std::cmp::Reverse(pair.source));
            newest.truncate(PROBES);
            Some(Gone {
                record: record.clone(),
                target_index: folder.target,
                shown: folder.name.to_string(),
                newest,
            })
        })
        .collect()
    }

    /// Tells what is renamed, or would be.
    pub(super) fn tell_renamed(&mut self, rename: &Rename) {
        self.summary.folders_renamed += 1;
        self.observer.observe(&Event::FolderRenamed {
            from: &rename.from_shown,
            to: &rename.to_shown,
        });
    }

    /// Renames folders on the target; from then on the plan has their new names.
    pub(super) fn rename_folders(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
    ) -> Result<(), Error> {
        let renames = std::mem::take(&mut self.renames);
        let explicit: Vec<&Rename> = renames.iter().filter(|rename| !rename.implied).collect();
        let asked: Vec<_> = explicit
            .iter()
            .map(|rename| (rename.from.clone(), rename.to.clone()))
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        // First, so that no run that breaks leaves a subscription to what is no more.
        let subscribed = renames
            .iter()
            .filter(|rename| rename.subscribed)
            .map(|rename| rename.from.clone());
        let target = &mut way.link()?.target;
        target.unsubscribe(&subscribed.collect::<Vec<_>>())?;
        let results = target.rename(&asked)?;
        let refused: Vec<(&MailboxName, &str)> = (explicit.iter().zip(&results))
            .filter_map(|(rename, result)| {
                Some((&rename.from, result.as_ref().err()?.text.as_str()))
            })
            .collect();
        let mut subscribe = Vec::new();
        for rename in &renames {
            let above = |(from, _): &&(&MailboxName, &str)| {
                rename.from.as_bytes().starts_with(from.as_bytes())
            };
            if let Some((_, reason)) = refused.iter().find(above) {
                self.folders[rename.pair].needs = None;
                subscribe.extend(rename.subscribed.then(|| rename.from.clone()));
                let reason = format!(
                    "the target did not rename it to {}: {reason}",
                    rename.to_shown
                );
                self.fail_folder(rename.pair, &names.pairs[rename.pair], &reason);
                continue;
            }
            self.apply(rename);
            self.memory
                .renamed(rename.record, &rename.source, &rename.to);
            self.tell_renamed(rename);
            if names.pairs[rename.pair].subscribe {
                subscribe.push(rename.to.clone());
            }
        }
        // What is refused here is told when subscriptions are seen to.
        way.link()?.target.subscribe(&subscribe)?;
        Ok(())
    }

    /// Puts a folder's new name in the place of its old one.
    fn apply(&mut self, rename: &Rename) {
        let fix = |name: &mut MailboxName| {
            if *name == rename.from {
                *name = rename.to.clone();
            }
        };
        let targets = self
            .folders
            .iter_mut()
            .filter_map(|work| work.needs.as_mut()?.target.as_mut());
        targets.for_each(|target| fix(&mut target.name));
        self.doomed
            .iter_mut()
            .for_each(|doomed| fix(&mut doomed.mailbox));
        self.elsewhere
            .jobs
            .iter_mut()
            .for_each(|job| fix(&mut job.from.mailbox));
        self.renamed.insert(rename.from.clone(), rename.to.clone());
    }
}

/// Whether a listed folder may be the one that a record is of.
fn may_be(record: &FolderRecord, mailbox: &ListedMailbox) -> bool {
    let Some(status) = &mailbox.status else {
        return false;
    };
    // Opening a folder tells which one it is, on every server that has MAILBOXID.
    if record.source_mailbox_id.is_some() {
        return true;
    }
    let goes_on = record.checkpoint.as_ref().is_some_and(|(source, _)| {
        status
            .counters
            .uid_next
            .is_some_and(|now| now >= source.uid_next)
    });
    record.pairs > 0
        && goes_on
        && status.counters.uid_validity.is_some()
        && status.counters.uid_validity == record.source_uid_validity
}

/// A RENAME takes along what is below a folder: only where all of that is to be renamed likewise,
/// it is done.
fn keep_whole_trees(renames: &mut Vec<Rename>, target: &Listing) {
    let below = |name: &MailboxName, top: &MailboxName| {
        let separator = target.style.separator.map(|separator| separator as u8);
        let rest = name.as_bytes().strip_prefix(top.as_bytes())?;
        (rest.first().copied() == separator && separator.is_some()).then(|| rest.to_vec())
    };
    loop {
        let goes_along = |rename: &Rename, name: &MailboxName| {
            let Some(rest) = below(name, &rename.from) else {
                return true;
            };
            let new = MailboxName::new([rename.to.as_bytes(), &rest].concat());
            renames
                .iter()
                .any(|other| other.from == *name && other.to == new)
        };
        let is_whole = |rename: &Rename| {
            target
                .mailboxes
                .iter()
                .all(|mailbox| goes_along(rename, &mailbox.name))
        };
        let Some(at) = renames.iter().position(|rename| !is_whole(rename)) else {
            break;
        };
        renames.remove(at);
    }
    let tops: Vec<(MailboxName, MailboxName)> = renames
        .iter()
        .map(|rename| (rename.from.clone(), rename.to.clone()))
        .collect();
    for rename in renames.iter_mut() {
        rename.implied = tops.iter().any(|(from, to)| {
            below(&rename.from, from)
                .is_some_and(|rest| rename.to.as_bytes() == [to.as_bytes(), &rest].concat())
        });
    }
}

/// Opens what may be the same, and keeps the pairs that are: by MAILBOXID where both are known,
/// else by the headers of the newest recorded messages.
fn verify(
    link: &mut Link,
    new: &[New],
    gone: &[Gone],
    doubtful: Vec<(usize, usize)>,
) -> Result<Vec<(usize, usize)>, Error> {
    let mut on_source: BTreeMap<usize, UidSet> = BTreeMap::new();
    let mut on_target: BTreeMap<usize, UidSet> = BTreeMap::new();
    for (at, of) in &doubtful {
        for pair in &gone[*of].newest {
            on_source.entry(*at).or_default().insert(pair.source);
            on_target.entry(*of).or_default().insert(pair.target);
        }
    }
    let source = look(link.source.as_mut(), &on_source, |at| &new[at].source)?;
    let target = look(link.target.as_mut(), &on_target, |of| {
        &gone[of].record.target
    })?;
    let is_same = |(at, of): &(usize, usize)| {
        let (record, newest) = (&gone[*of].record, &gone[*of].newest);
        let (Some(here), Some(there)) = (source.get(at), target.get(of)) else {
            return false;
        };
        if let Some((was, is)) = record
            .source_mailbox_id
            .as_ref()
            .zip(here.mailbox_id.as_ref())
        {
            return was == is;
        }
        if here.uid_validity != record.source_uid_validity
            || there.uid_validity != record.target_uid_validity
        {
            return false;
        }
        let both = newest
            .iter()
            .filter_map(|pair| Some((key(here, pair.source)?, key(there, pair.target)?)));
        let equal: Vec<bool> = both.map(|(a, b)| a == b && a != HeaderKey::Empty).collect();
        !equal.is_empty() && equal.iter().all(|equal| *equal)
    };
    Ok(doubtful.into_iter().filter(is_same).collect())
}

/// Reads the headers of some messages of some folders. A folder that refuses gives nothing.
fn look<'n>(
    store: &mut dyn ReadStore,
    wanted: &BTreeMap<usize, UidSet>,
    name: impl Fn(usize) -> &'n MailboxName,
) -> Result<HashMap<usize, FolderScan>, Error> {
    let asked = wanted
        .iter()
        .map(|(at, uids)| (name(*at), Some(uids.clone())));
    let scans = scan_each(store, ScanDepth::Identity, asked)?;
    Ok(wanted
        .keys()
        .copied()
        .zip(scans)
        .filter_map(|(at, scan)| Some((at, scan.ok()?)))
        .collect())
}

fn key(scan: &FolderScan, uid: Uid) -> Option<HeaderKey> {
    scan.message(uid).map(Message::key)
}
