//! Keeps a copy from working on one mailbox as if it were two: before anything is written where the
//! listings raise a suspicion, and before anything is deleted in any case that the servers' own ids
//! do not settle.

use super::Copy;
use super::removals::Doomed;
use crate::engine::scans::scan_each;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::Fate;
use crate::folders::{Pair, TargetFolder};
use crate::mail::{ListedMailbox, Message, Uid, UidNext, counted};
use crate::store::{Error, ScanDepth};
use crate::verbs::Deleting;
use crate::verbs::opening::{Names, Opened};
use crate::verbs::same_mailbox::{self, Kinship, Trial, Verdict};
use std::collections::HashSet;

/// A folder in which something is to be deleted, by its place among these and its pair, with a
/// message of the target.
type Marked = (usize, usize, Uid);

impl Copy<'_> {
    /// Refuses a run in which a folder would go into itself, or in which a folder of the source's
    /// would be deleted as one that only the target has. A dry run says what it sees.
    pub(super) fn check_apart(&self, opened: &mut Opened) -> Result<(), Error> {
        if self.options.kinship == Kinship::Apart {
            return Ok(());
        }
        let (link, names) = opened.link_and_names();
        let folders = self.folders_to_tell_apart(&names);
        if self.options.kinship == Kinship::OneAccount {
            let same = folders
                .iter()
                .filter(|(source, target)| same_mailbox::is_one_name(&source.name, &target.name));
            let same: Vec<String> = same.map(|(source, _)| source.name.to_string()).collect();
            same_mailbox::refuse(&same)?;
        }
        same_mailbox::check(link, &folders, self.options.dry_run, self.observer)
    }

    /// Each folder of the source beside that of the target which must be another one. Nothing is
    /// done in one that is in step.
    fn folders_to_tell_apart<'n>(
        &self,
        names: &Names<'n>,
    ) -> Vec<(&'n ListedMailbox, &'n ListedMailbox)> {
        let source = |pair: &Pair| &names.source.mailboxes[pair.source];
        let existing = |pair: &Pair| match pair.target {
            TargetFolder::Existing(index) => names.target.mailboxes.get(index),
            TargetFolder::New { .. } => None,
        };
        let is_open = |pair: &&Pair| {
            self.memory
                .in_step(pair, names, self.options.deleting)
                .is_none()
        };
        let paired = names
            .pairs
            .iter()
            .filter(is_open)
            .filter_map(|pair| Some((source(pair), existing(pair)?)));
        let mut folders: Vec<_> = paired.collect();
        if !matches!(self.options.deleting, Deleting::Mirror(_)) {
            return folders;
        }
        for unmatched in &names.pairing.unmatched_target {
            let target = &names.target.mailboxes[unmatched.target];
            let alike = names
                .pairs
                .iter()
                .map(source)
                .filter(|source| same_mailbox::is_like(source, target));
            folders.extend(alike.map(|source| (source, target)));
        }
        folders
    }

    /// Shows of each folder in which something is to be deleted that it is another one than the
    /// folder that it is paired with. Where that can't be shown, nothing is deleted in it.
    ///
    /// # Errors
    /// That two folders are one; nothing was deleted then. Else what ends a connection.
    pub(super) fn prove_apart(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        sent: &Sent,
    ) -> Result<(), Error> {
        if self.options.kinship == Kinship::Apart {
            return Ok(());
        }
        let open: Vec<(usize, usize)> = (self.doomed.iter().enumerate())
            .filter(|(_, doomed)| !doomed.uids.is_empty())
            .filter_map(|(at, doomed)| Some((at, *doomed.pairs.first()?)))
            .filter(|(_, pair)| !self.has_own_ids(*pair) && !self.has_own_generations(*pair))
            .collect();
        let (tried, mut unknown) = self.messages_to_mark(way, &open, sent)?;
        let trial = |(_, pair, uid): &Marked| {
            let needs = self.folders.needs(*pair)?;
            let depth = same_mailbox::changes_since(
                needs.source.counters.uid_next,
                needs.source.counters.mod_seq,
            );
            let source = &names.source.mailboxes[names.pairs[*pair].source].name;
            Some(Trial::new(
                source,
                depth,
                &needs.target.as_ref()?.name,
                *uid,
            ))
        };
        let trials: Vec<Trial<'_>> = tried.iter().filter_map(trial).collect();
        let verdicts = way.repeatable(|link| same_mailbox::judge(link, &trials))?;
        let with = |wanted: Verdict| {
            let found = tried
                .iter()
                .zip(&verdicts)
                .filter(move |(_, verdict)| **verdict == wanted);
            found.map(|((at, ..), _)| *at).collect::<HashSet<usize>>()
        };
        let one = with(Verdict::One);
        unknown.extend(with(Verdict::Unknown));
        if !one.is_empty() {
            let mut folders: Vec<String> = one
                .iter()
                .map(|at| self.doomed[*at].folder.clone())
                .collect();
            folders.sort();
            self.doomed.clear();
            return same_mailbox::refuse(&folders);
        }
        self.spare_unproven(&unknown);
        Ok(())
    }

    /// Whether both folders of a pair have ids of their own, which differ.
    fn has_own_ids(&self, pair: usize) -> bool {
        let Some(needs) = self.folders.needs(pair) else {
            return false;
        };
        let target = needs
            .target
            .as_ref()
            .and_then(|target| target.side.mailbox_id.as_deref());
        same_mailbox::has_equal_ids(needs.source.mailbox_id.as_deref(), target) == Some(false)
    }

    /// Whether both folders of a pair on two servers have UIDVALIDITYs that differ, which one
    /// folder never shows.
    fn has_own_generations(&self, pair: usize) -> bool {
        let Some(needs) = self.folders.needs(pair) else {
            return false;
        };
        let target = needs
            .target
            .as_ref()
            .and_then(|target| target.side.counters.uid_validity);
        let differ = needs
            .source
            .counters
            .uid_validity
            .zip(target)
            .is_some_and(|(source, target)| source != target);
        self.options.kinship == Kinship::Unknown && differ
    }

    /// A message of the target for each of these folders, by its place among what is to be deleted
    /// and its pair; and those that have none.
    fn messages_to_mark(
        &self,
        way: &mut Way<'_>,
        open: &[(usize, usize)],
        sent: &Sent,
    ) -> Result<(Vec<Marked>, HashSet<usize>), Error> {
        let mut tried = Vec::new();
        let mut blind = Vec::new();
        for (at, pair) in open {
            match self.message_to_mark(&self.doomed[*at], *pair, sent) {
                Some(uid) => tried.push((*at, *pair, uid)),
                None => blind.push((*at, *pair)),
            }
        }
        // Of a target that did not tell where it put what was sent, what is new is asked for.
        let new = |(_, pair): &(usize, usize)| {
            let target = self.folders.target(*pair)?;
            Some((
                &target.name,
                target.side.counters.uid_next.map(UidNext::and_above),
            ))
        };
        let mut unknown: HashSet<usize> = blind
            .iter()
            .filter(|one| new(one).is_none())
            .map(|(at, _)| *at)
            .collect();
        blind.retain(|one| new(one).is_some());
        if !blind.is_empty() {
            let scans = way.repeatable(|link| {
                scan_each(
                    link.target.as_mut(),
                    ScanDepth::Sizes,
                    blind.iter().filter_map(new),
                )
            })?;
            for ((at, pair), scan) in blind.into_iter().zip(scans) {
                match scan
                    .ok()
                    .and_then(|scan| scan.messages.first().map(Message::uid))
                {
                    Some(uid) => tried.push((at, pair, uid)),
                    None => drop(unknown.insert(at)),
                }
            }
        }
        Ok((tried, unknown))
    }

    /// A message of the target's folder: one that is deleted, one that was there, or one that was
    /// sent.
    fn message_to_mark(&self, doomed: &Doomed, pair: usize, sent: &Sent) -> Option<Uid> {
        if matches!(self.options.deleting, Deleting::Mirror(_)) {
            return doomed.uids.iter().next();
        }
        let there = self
            .folders
            .needs(pair)?
            .there
            .last()
            .map(|there| there.target);
        let of_pair = || sent.each().filter(|(of, ..)| *of == pair);
        there.or_else(|| of_pair().flat_map(|(.., fates)| fates).find_map(Fate::uid))
    }

    /// Deletes nothing in these folders, and says so.
    fn spare_unproven(&mut self, folders: &HashSet<usize>) {
        let mut at = 0;
        let mut spared = Vec::new();
        self.doomed.retain(|doomed| {
            let is_proven = !folders.contains(&at);
            at += 1;
            if !is_proven {
                spared.push(doomed.clone());
            }
            is_proven
        });
        for doomed in spared {
            // A folder that could not be made has been named as failed.
            if doomed
                .pairs
                .iter()
                .all(|pair| self.folders[*pair].has_failed && self.folders.target(*pair).is_none())
            {
                continue;
            }
            let reason = format!(
                "not deleted: {}: the target keeps no flag that could prove that both sides are different mailboxes; \
                 check the addresses, and delete them in a mail client",
                counted(doomed.uids.len(), "message")
            );
            self.summary.folders_failed += 1;
            doomed
                .pairs
                .iter()
                .for_each(|pair| self.folders[*pair].has_failed = true);
            self.observer.observe(&Event::FolderFailed {
                folder: &doomed.folder,
                reason: &reason,
            });
        }
    }
}
