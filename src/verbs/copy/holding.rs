//! A copy that carries out a saved plan and nothing else.
//!
//! It plans anew by the saved options, and keeps of the new plan what is in the saved one too. What
//! it keeps true: nothing is done that the saved plan does not name; a folder in which a message of
//! before has changed or is gone, on either side, is left alone whole and named with what has
//! changed. What an earlier run of the same plan has done already is no change, and neither are
//! messages that arrived since: they are named as not in the plan, and stay.

use super::needs::Needs;
use super::saving::name_on_target;
use super::{Copy, PlanUse};
use crate::event::Event;
use crate::folders::Pair;
use crate::mail::{MailboxName, Side, Uid, UidSet, counted};
use crate::plan::planned::{
    Flagged, Planned, PlannedFolder, Take, by_flags, contains_as, writable,
};
use crate::store::FolderScan;
use crate::verbs::compare::Compared;
use crate::verbs::copy::changes::{self, Present};
use crate::verbs::opening::{Names, Opened};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

impl Copy<'_> {
    /// The plan that is to be carried out, if it is a saved one.
    fn saved(&self) -> Option<Arc<Planned>> {
        match &self.options.plan {
            PlanUse::Only(planned) => Some(Arc::clone(planned)),
            PlanUse::Nothing | PlanUse::Keep => None,
        }
    }

    /// Leaves out the folders that the plan does not have, and names those that it has and the
    /// source does not.
    pub(super) fn limit_to_plan(&mut self, opened: &mut Opened) {
        let Some(planned) = self.saved() else { return };
        let listing = &opened.source_listing;
        let source = |pair: &Pair| &listing.mailboxes[pair.source].name;
        let pairs = &mut opened.pairing.pairs;
        for folder in planned
            .folders
            .iter()
            .filter(|folder| planned.has_work(folder))
        {
            if !pairs.iter().any(|pair| *source(pair) == folder.source) {
                self.tell_changed(
                    &folder.from,
                    "no longer on the source, or no longer selected",
                );
            }
        }
        let before = pairs.len();
        pairs.retain(|pair| planned.folder(source(pair)).is_some());
        self.unplanned += (before - pairs.len()) as u64;
        for pair in pairs.iter_mut() {
            pair.subscribe &= planned
                .folder(source(pair))
                .is_some_and(|folder| folder.subscribe);
        }
        let is_touched = |name: &MailboxName| {
            planned.deletion(Side::TARGET, name).is_some()
                || planned.folders.iter().any(|folder| {
                    folder.renamed_from.as_ref() == Some(name)
                        || folder.takes.iter().any(|take| take.from == *name)
                })
        };
        let target = &opened.target_listing;
        opened
            .pairing
            .unmatched_target
            .retain(|folder| is_touched(&target.mailboxes[folder.target].name));
    }

    /// Whether the plan has work in a folder, so that it is looked into whatever the state says.
    pub(super) fn is_held(&self, pair: &Pair, names: &Names<'_>) -> bool {
        self.saved().is_some_and(|planned| {
            let folder = planned.folder(&names.source.mailboxes[pair.source].name);
            folder.is_some_and(|folder| planned.has_work(folder))
        })
    }

    /// Whether a folder may be renamed on the target.
    pub(super) fn may_rename(
        &self,
        source: &MailboxName,
        from: &MailboxName,
        to: &MailboxName,
    ) -> bool {
        self.saved().is_none_or(|planned| {
            let folder = planned.folder(source);
            folder.is_some_and(|folder| {
                folder.renamed_from.as_ref() == Some(from) && folder.target == *to
            })
        })
    }

    /// Keeps of a folder's needs what the plan has.
    ///
    /// # Errors
    /// What has changed since the plan was made.
    pub(super) fn hold(
        &mut self,
        index: usize,
        names: &Names<'_>,
        compared: &Compared,
        needs: &mut Needs,
    ) -> Result<(), String> {
        let Some(planned) = self.saved() else {
            return Ok(());
        };
        let pair = &names.pairs[index];
        let Some(folder) = planned.folder(&names.source.mailboxes[pair.source].name) else {
            return Ok(());
        };
        if planned.has_work(folder) {
            let name = name_on_target(pair, names);
            let is_shared = names
                .pairs
                .iter()
                .filter(|other| other.target == pair.target)
                .count()
                > 1;
            let present = Present {
                target: &name,
                is_shared,
                compared,
                needs,
            };
            let found = changes::of_folder(&planned, folder, present);
            if !found.changes.is_empty() {
                let all = [found.changes, found.news].concat();
                return Err(all.join("; "));
            }
            self.tell_news(&pair.from.to_string(), &found.news);
        }
        self.leave_the_rest(folder, needs);
        Ok(())
    }

    /// Names what arrived in a folder since the plan was made.
    fn tell_news(&self, folder: &str, news: &[String]) {
        for what in news {
            let text = format!("{folder}: {what}; not in the plan, left alone");
            self.observer.observe(&Event::Warning { text: &text });
        }
    }

    /// Takes what the plan does not have off a folder's needs.
    fn leave_the_rest(&mut self, folder: &PlannedFolder, needs: &mut Needs) {
        let before = needs.missing.len();
        needs.missing.retain(|message| folder.copies(message.uid()));
        let has_dropped = needs
            .flag_changes
            .retain(|edit, flags, uid| changes::is_planned_edit(folder, edit, flags, uid));
        if has_dropped || needs.missing.len() < before {
            needs.news.unfinished = true;
            self.unplanned += 1;
        }
    }

    /// Leaves a folder alone, since the plan does not hold for it or can't have it.
    pub(super) fn refuse(&mut self, index: usize, pair: &Pair, reason: &str) {
        self.folders[index].is_refused = true;
        self.folders[index].needs = None;
        match self.options.plan {
            PlanUse::Only(_) => {
                self.folders[index].has_failed = true;
                self.tell_changed(&pair.from.to_string(), reason);
            }
            PlanUse::Nothing | PlanUse::Keep => self.fail_folder(index, pair, reason),
        }
    }

    fn tell_changed(&mut self, folder: &str, reason: &str) {
        self.summary.folders_failed += 1;
        let reason = format!("skipped, changed since the plan was made: {reason}");
        self.observer.observe(&Event::FolderFailed {
            folder,
            reason: &reason,
        });
    }

    /// A folder is renamed with all that is below it or not at all: one that is refused holds its
    /// tree back.
    pub(super) fn hold_renames(&mut self, names: &Names<'_>) {
        if self.saved().is_none() {
            return;
        }
        let is_tree = |a: &MailboxName, b: &MailboxName| {
            a.as_bytes().starts_with(b.as_bytes()) || b.as_bytes().starts_with(a.as_bytes())
        };
        loop {
            let refused =
                |at: usize| self.folders[at].is_refused || self.folders.needs(at).is_none();
            let held: Vec<&MailboxName> = self
                .renames
                .iter()
                .filter(|rename| refused(rename.pair))
                .map(|rename| &rename.from)
                .collect();
            let next = self.renames.iter().find(|rename| {
                !refused(rename.pair) && held.iter().any(|name| is_tree(&rename.from, name))
            });
            let Some(pair) = next.map(|rename| rename.pair) else {
                break;
            };
            self.refuse(
                pair,
                &names.pairs[pair],
                "a folder that would be renamed together with it has changed",
            );
        }
        let kept = std::mem::take(&mut self.renames);
        self.renames = kept
            .into_iter()
            .filter(|rename| self.folders.needs(rename.pair).is_some())
            .collect();
    }

    /// A message leaves a folder of the target only if the plan says so; else it is copied from
    /// there.
    pub(super) fn hold_moves(&mut self) {
        let Some(planned) = self.saved() else { return };
        let refused: HashSet<&MailboxName> = (planned.folders.iter())
            .filter(|folder| !self.is_kept_whole(folder))
            .map(|folder| &folder.target)
            .collect();
        let takes = |uid: Uid, from: &MailboxName| {
            let takes = planned.folders.iter().flat_map(|folder| &folder.takes);
            takes
                .filter(|take| take.leave)
                .any(|take| take.held == uid && take.from == *from)
        };
        for job in &mut self.elsewhere.jobs {
            job.leave &=
                takes(job.from.uid, &job.from.mailbox) && !refused.contains(&job.from.mailbox);
        }
        self.tell_unmoved(&planned);
    }

    /// Names the folders with messages that were to move on the target and are copied instead, as
    /// they could not be read now.
    fn tell_unmoved(&mut self, planned: &Planned) {
        let is_moved = |take: &Take| {
            let mut jobs = self.elsewhere.jobs.iter();
            jobs.any(|job| job.from.uid == take.held && job.from.mailbox == take.from)
        };
        let is_there = |take: &Take| {
            let of = |needs: &&Needs| {
                needs
                    .target
                    .as_ref()
                    .is_some_and(|target| target.name == take.from)
            };
            let mut extras = self
                .folders
                .all_needs()
                .filter(of)
                .filter_map(|needs| needs.extra.as_ref());
            extras.any(|extra| extra.contains(take.held))
        };
        let mut unmoved: BTreeMap<&MailboxName, u64> = BTreeMap::new();
        let kept = planned
            .folders
            .iter()
            .filter(|folder| self.is_kept_whole(folder));
        for take in kept
            .flat_map(|folder| &folder.takes)
            .filter(|take| take.leave)
        {
            if !is_moved(take) && is_there(take) {
                *unmoved.entry(&take.from).or_default() += 1;
            }
        }
        for (from, count) in unmoved {
            let folder = planned.folders.iter().find(|folder| folder.target == *from);
            let folder = folder.map_or_else(|| from.to_string(), |folder| folder.from.clone());
            let reason = format!(
                "still there: {} that the plan moves to another folder; run again",
                counted(count, "message")
            );
            self.summary.folders_failed += 1;
            self.observer.observe(&Event::FolderFailed {
                folder: &folder,
                reason: &reason,
            });
        }
    }

    /// Whether a planned folder was compared and not refused.
    fn is_kept_whole(&self, folder: &PlannedFolder) -> bool {
        let mut targets = self
            .folders
            .all_needs()
            .filter_map(|needs| needs.target.as_ref());
        targets.any(|target| target.name == folder.target) || folder.create
    }

    /// The flags of a scan's messages, where a plan names them.
    pub(super) fn flags_of(&self, scan: &FolderScan) -> Vec<Flagged> {
        if matches!(self.options.plan, PlanUse::Nothing) {
            return Vec::new();
        }
        by_flags(
            scan.messages
                .iter()
                .map(|message| (message.uid(), scan.flags.get(message.flags()))),
        )
    }

    /// Deletes nothing that the plan does not name, and says of what it names and is not deleted
    /// why.
    pub(super) fn hold_deletions(&mut self, names: &Names<'_>) {
        let Some(planned) = self.saved() else { return };
        let side = if planned.empties_source {
            Side::SOURCE
        } else {
            Side::TARGET
        };
        let mut kept = Vec::new();
        for mut doomed in std::mem::take(&mut self.doomed) {
            let deletion = planned.deletion(side, &doomed.mailbox);
            let Some(deletion) =
                deletion.filter(|planned| planned.uid_validity == doomed.uid_validity)
            else {
                continue;
            };
            let flagged = |group: &Flagged| -> Vec<Uid> {
                let is_planned = |uid: &Uid| {
                    doomed.uids.contains(*uid)
                        && contains_as(&deletion.messages, *uid, &writable(&group.flags))
                };
                group.uids.iter().filter(is_planned).collect()
            };
            let uids: UidSet = doomed.flags.iter().flat_map(flagged).collect();
            let others = doomed.uids.len() - uids.len();
            if doomed.pairs.is_empty() && others > 0 {
                let reason = format!("{others} of its messages are new or have different flags");
                self.tell_changed(&doomed.folder, &reason);
                continue;
            }
            (doomed.uids, doomed.whole) = (uids, doomed.whole && deletion.whole);
            kept.push(doomed);
        }
        self.doomed = kept;
        self.tell_undeleted(&planned, names);
    }

    /// Names the folders without a counterpart that were to go and were not even looked into.
    fn tell_undeleted(&mut self, planned: &Planned, names: &Names<'_>) {
        for folder in &names.pairing.unmatched_target {
            let name = &names.target.mailboxes[folder.target].name;
            let was_seen = self.unmatched_generations.contains_key(&folder.target);
            let generation = self
                .unmatched_generations
                .get(&folder.target)
                .copied()
                .flatten();
            match planned.deletion(Side::TARGET, name) {
                Some(_) if !was_seen => {
                    let reason =
                        "it could not be read, or a folder on the source is unaccounted for";
                    self.tell_changed(&folder.name.to_string(), reason);
                }
                Some(deletion) if deletion.uid_validity != generation => {
                    self.tell_changed(
                        &folder.name.to_string(),
                        "it was recreated (UIDVALIDITY changed)",
                    );
                }
                _ => {}
            }
        }
    }

    /// Says that there is more to do than the plan has.
    pub(super) fn tell_unplanned(&self) {
        if self.unplanned > 0 {
            let text = format!(
                "left alone: {} with work that isn't in the plan, or new since it was made",
                counted(self.unplanned, "folder")
            );
            self.observer.observe(&Event::Warning { text: &text });
        }
    }
}
