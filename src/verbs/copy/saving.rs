//! The plan of a copy as [`Planned`]: everything by UIDVALIDITY and UID, to be carried out by
//! another run.

use super::removals::Doomed;
use super::{Copy, PlanUse};
use crate::folders::{Pair, TargetFolder};
use crate::mail::{MailboxName, Message};
use crate::plan::planned::{
    Flagged, Planned, PlannedDeletion, PlannedFlags, PlannedFolder, Take, by_flags, writable,
};
use crate::verbs::Deleting;
use crate::verbs::copy::needs::{Needs, SideState};
use crate::verbs::opening::Names;

impl Copy<'_> {
    /// What is to be done. Folders that could not be compared are not in it.
    pub(super) fn planned(&self, names: &Names<'_>) -> Planned {
        let pairs = names.pairs.iter().enumerate();
        let folders = pairs
            .filter_map(|(index, pair)| self.planned_folder(index, pair, names))
            .collect();
        let deletions = self.doomed.iter().map(planned_deletion).collect();
        let empties_source = matches!(self.options.deleting, Deleting::Source(_));
        Planned {
            folders,
            deletions,
            empties_source,
        }
    }

    fn planned_folder(
        &self,
        index: usize,
        pair: &Pair,
        names: &Names<'_>,
    ) -> Option<PlannedFolder> {
        let needs = self
            .folders
            .needs(index)
            .filter(|_| !self.is_idle_view(index, names.pairs))?;
        let rename = self.renames.iter().find(|rename| rename.pair == index);
        let target = rename.map_or_else(|| name_on_target(pair, names), |rename| rename.to.clone());
        let flags = |message: &Message| (message.uid(), needs.flags.get(message.flags()));
        let takes = self
            .elsewhere
            .jobs
            .iter()
            .filter(|job| job.pair == index)
            .map(|job| Take {
                uid: job.message.uid(),
                from: job.from.mailbox.clone(),
                uid_validity: job.from.uid_validity,
                held: job.from.uid,
                leave: job.leave,
            });
        Some(PlannedFolder {
            from: pair.from.to_string(),
            to: pair.to.to_string(),
            source: names.source.mailboxes[pair.source].name.clone(),
            source_counters: needs.is_seen.then_some(needs.source.counters),
            target,
            target_counters: needs.target.as_ref().map(|target| target.side.counters),
            create: matches!(pair.target, TargetFolder::New { .. }),
            renamed_from: rename.map(|rename| rename.from.clone()),
            subscribe: pair.subscribe,
            messages: by_flags(needs.missing.iter().map(flags)),
            takes: takes.collect(),
            flag_changes: flag_changes(needs),
        })
    }

    /// A plan names messages by their UIDs: where these do not last, the folder can't be in one.
    pub(super) fn refuse_unnumbered(&mut self, names: &Names<'_>) {
        if !matches!(self.options.plan, PlanUse::Keep) {
            return;
        }
        for (index, pair) in names.pairs.iter().enumerate() {
            let deletes = self.doomed_in(index) > 0;
            let Some(needs) = self.folders.needs(index) else {
                continue;
            };
            if needs.missing.is_empty() && needs.flag_changes.is_empty() && !deletes {
                continue;
            }
            let lasts = |side: &SideState| {
                side.counters.uid_validity.is_some() || side.counters.count() == 0
            };
            let side = match &needs.target {
                _ if !lasts(&needs.source) => "source",
                Some(target) if !lasts(&target.side) => "target",
                _ => continue,
            };
            let reason = format!(
                "the {side} has no persistent UIDs for it, so it can't be in a plan; copy it without one"
            );
            self.refuse(index, pair, &reason);
            self.doomed.retain(|doomed| !doomed.pairs.contains(&index));
        }
        let folders = &self.folders;
        self.elsewhere
            .jobs
            .retain(|job| !folders[job.pair].is_refused);
    }
}

/// The raw name that a pair's folder has on the target, or is to have.
pub(super) fn name_on_target(pair: &Pair, names: &Names<'_>) -> MailboxName {
    match &pair.target {
        TargetFolder::New { name, .. } => name.clone(),
        TargetFolder::Existing(index) => names.target.mailboxes[*index].name.clone(),
    }
}

fn planned_deletion(doomed: &Doomed) -> PlannedDeletion {
    let within = |group: &Flagged| Flagged {
        flags: group.flags.clone(),
        uids: group.uids.in_common(&doomed.uids),
    };
    PlannedDeletion {
        folder: doomed.folder.clone(),
        mailbox: doomed.mailbox.clone(),
        uid_validity: doomed.uid_validity,
        whole: doomed.whole,
        messages: doomed
            .flags
            .iter()
            .map(within)
            .filter(|group| !group.uids.is_empty())
            .collect(),
    }
}

fn flag_changes(needs: &Needs) -> Vec<PlannedFlags> {
    let mut changes: Vec<PlannedFlags> = (needs.flag_changes.iter())
        .map(|(edit, flags, uids)| PlannedFlags {
            edit,
            flags: writable(flags),
            uids: uids.clone(),
        })
        .collect();
    // The same file for the same plan.
    changes.sort_by_cached_key(|change| (change.flags.to_string(), change.uids.to_string()));
    changes
}
