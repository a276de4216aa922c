//! What a copy has to do: all folders are compared, and what each needs is decided and told.

use super::Copy;
use super::damage;
use super::early::Early;
use super::keeping;
use super::needs::{NeedRules, Needs};
use super::prepare::Preparing;
use super::work::Works;
use crate::event::{Event, FolderPlanned};
use crate::exec::Link;
use crate::folders::{Pair, TargetFolder};
use crate::mail::Side;
use crate::store::{Error, Store};
use crate::verbs::compare::{self, Compared, Comparison};
use crate::verbs::holdings::Survey;
use crate::verbs::labels;
use crate::verbs::opening::Names;
use crate::verbs::room::{self, Coming};
use crate::verbs::{Deleting, FlagPolicy, PlanUse, Status};
use std::collections::HashSet;

/// What is looked at while a copy is planned.
struct Planning<'n, 'e> {
    names: &'n Names<'n>,
    /// The pairs as they are compared.
    pairs: Vec<compare::Pair>,
    survey: Survey,
    /// Lanes that begin meanwhile, if they may.
    early: Option<&'n mut Early<'e>>,
}

impl Copy<'_> {
    /// Compares all folders and tells what there is to do. What is certain is handed to the lanes
    /// meanwhile.
    ///
    /// # Errors
    /// What ends the connections.
    pub(super) fn plan(
        &mut self,
        link: &mut Link,
        names: &Names<'_>,
        early: Option<&mut Early<'_>>,
    ) -> Result<(), Error> {
        self.folders = Works::new(names.pairs.len());
        let survey = Survey::new(Side::SOURCE, self.observer);
        let pairs = names.comparison_pairs(survey.is_wanted());
        let mut planning = Planning {
            names,
            pairs,
            survey,
            early,
        };
        labels::sort(link.source.as_mut(), names, &mut planning.pairs)?;
        let open = self.pairs_to_open(&mut planning);
        self.compare_and_prepare(link, &mut planning, open)?;
        let early = planning.early.take();
        // Lanes may begin early only where there is room for everything.
        let has_room = early.is_some();
        early.into_iter().for_each(Early::end);
        // Views come last: what is only there shows once everything else is known.
        if names.pairs.iter().any(|pair| pair.view) {
            let open = self.views_to_compare(link, names, &mut planning.pairs)?;
            self.compare(link, &mut planning, open, &Preparing::default())?;
        }
        let counted =
            (0..names.pairs.len()).filter(|index| !self.is_idle_view(*index, names.pairs));
        self.summary.folders = counted.count() as u64;
        self.decide(link, names)?;
        planning.survey.tell(link.source.as_mut(), self.observer)?;
        self.tell_plan(names.pairs);
        self.tell_unplanned();
        if has_room {
            return Ok(());
        }
        self.check_room(link, names)
    }

    /// Gives the folders that have to be looked into, and notes those that are in step.
    fn pairs_to_open(&mut self, planning: &mut Planning<'_, '_>) -> Vec<usize> {
        let names = planning.names;
        let mut open = Vec::new();
        for (index, pair) in names
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| !pair.view)
        {
            let in_step = self.memory.in_step(pair, names, self.options.deleting);
            let Some(messages) = in_step
                .filter(|_| !self.is_held(pair, names) && !self.options.repair)
                .filter(|_| planning.pairs[index].sorted.is_none())
            else {
                // What is to be read is listed, whatever is known of it.
                if !self.options.repair {
                    planning.pairs[index].known = self.memory.known(pair, names);
                }
                open.push(index);
                continue;
            };
            planning
                .survey
                .add_unopened(&pair.from.to_string(), messages);
            self.summary.already_there += messages;
            self.folders[index].needs = Some(Needs::in_step(messages));
        }
        open
    }

    /// Compares folders while the target's new ones are made, where nothing that is found can
    /// change which those are.
    fn compare_and_prepare(
        &mut self,
        link: &mut Link,
        planning: &mut Planning<'_, '_>,
        open: Vec<usize>,
    ) -> Result<(), Error> {
        let is_ahead = self.prepares_ahead();
        let preparing = if is_ahead {
            self.to_prepare(planning.names, &open)
        } else {
            Preparing::default()
        };
        self.compare(link, planning, open, &preparing)?;
        self.take_prepared(preparing);
        Ok(())
    }

    /// Compares these pairs and notes what each needs. The target is prepared before its folders
    /// are scanned.
    fn compare(
        &mut self,
        link: &mut Link,
        planning: &mut Planning<'_, '_>,
        open: Vec<usize>,
        preparing: &Preparing,
    ) -> Result<(), Error> {
        let Planning {
            names,
            pairs,
            survey,
            early,
        } = planning;
        let first = |target: &mut Box<dyn Store>| preparing.carry_out(target.as_mut());
        let comparison = Comparison {
            first_on_target: &first,
            pairs,
            filter: &self.options.filter,
            filter_target: false,
            for_writing: !self.options.dry_run,
            target_flags: self.options.flags == FlagPolicy::Union,
            target_merges: names.target.merges_equal,
        };
        comparison.run(link, open, &mut |index, result| match result {
            Ok(mut compared) => {
                if self.options.repair && !pairs[index].drafts {
                    damage::pair_damaged(&mut compared);
                }
                let from = names.pairs[index].from.to_string();
                survey.add(&from, &pairs[index].source, &compared.source.messages);
                self.take_compared(index, names, &compared, &pairs[index]);
                if let Some(early) = early {
                    self.hand_over(early, names, preparing, index);
                }
            }
            Err(reason) => self.fail_folder(index, &names.pairs[index], &reason),
        })
    }

    /// Notes what a pair needs that was compared, and says what could not be.
    fn take_compared(
        &mut self,
        index: usize,
        names: &Names<'_>,
        compared: &Compared,
        as_compared: &compare::Pair,
    ) {
        let pair = &names.pairs[index];
        self.summary.skipped += compared.filtered_out.total();
        compared.filtered_out.add_to(&mut self.summary.left_out);
        let doubtful = compared.tell_doubtful(pair, &as_compared.source, self.observer);
        self.summary.failed += doubtful;
        self.folders[index].has_failed |= doubtful > 0;
        if let Some(reason) = compared.unlisted() {
            self.fail_folder(index, pair, &reason);
        }
        if let Some(doubt) = &compared.doubt {
            let text = format!("{}: {doubt}; rechecking all of it", pair.from);
            self.observer.observe(&Event::Warning { text: &text });
        }
        self.note_compared(index, compared);
        let mut needs = Needs::new(compared, as_compared.target.clone(), self.need_rules());
        needs.spare(&self.memory.kept(pair, names));
        // A label that leaves this folder, or comes to it, may change another one.
        needs.news.unfinished |= as_compared.sorted.is_some();
        match self.hold(index, names, compared, &mut needs) {
            Ok(()) => {
                self.summary.already_there += needs.already_there;
                self.folders[index].needs = Some(needs);
            }
            Err(reason) => self.refuse(index, pair, &reason),
        }
    }

    /// Warns if the target has too little room for what is to be sent.
    fn check_room(&self, link: &mut Link, names: &Names<'_>) -> Result<(), Error> {
        let pairs = names.pairs.iter().enumerate();
        let coming = pairs.filter_map(|(index, pair)| {
            let needs = self.folders.needs(index)?;
            if self.is_idle_view(index, names.pairs) {
                return None;
            }
            Some(Coming {
                mailbox: names.existing(pair).map(|folder| folder.name.clone()),
                messages: needs.missing_count().saturating_sub(needs.server_side),
                bytes: needs.bytes_to_send(),
            })
        });
        let whose = Side::PARTS[Side::TARGET];
        let (dry_run, target) = (self.options.dry_run, link.target.as_mut());
        room::check(target, whose, coming, dry_run, self.observer)
    }

    fn need_rules(&self) -> NeedRules {
        NeedRules {
            flags: self.options.flags,
            deleting: self.options.deleting,
            remembers: self.memory.is_kept(),
            read_only: self.options.dry_run,
            names_flags: !matches!(self.options.plan, PlanUse::Nothing),
            repair: self.options.repair,
        }
    }

    /// Decides what no folder can decide alone: what is renamed, moved or copied on the target,
    /// replaced and deleted.
    fn decide(&mut self, link: &mut Link, names: &Names<'_>) -> Result<(), Error> {
        self.hold_renames(names);
        self.scan_unmatched(link, names)?;
        self.leave_moved_away(link, names)?;
        self.look_elsewhere(link, names)?;
        self.hold_moves();
        self.find_damaged(link, names)?;
        self.plan_deletions(names);
        if matches!(self.options.deleting, Deleting::Source(_)) {
            self.tell_left_in_views(names);
        }
        self.refuse_unnumbered(names);
        Ok(())
    }

    fn tell_plan(&self, pairs: &[Pair]) {
        let (mut messages, mut bytes) = (0, 0);
        for (index, needs) in self
            .folders
            .compared()
            .filter(|(index, _)| !self.is_idle_view(*index, pairs))
        {
            let pair = &pairs[index];
            let to_send = needs.bytes_to_send();
            let leaving = self.doomed_in(index);
            let (delete, keep) = if self.options.keep_deleted.is_some() {
                (0, leaving)
            } else {
                (leaving, 0)
            };
            messages += needs.missing_count();
            bytes += to_send;
            self.observer.observe(&Event::FolderPlanned(FolderPlanned {
                from: &pair.from.to_string(),
                to: &pair.to.to_string(),
                reason: &pair.reasons.join("; "),
                create: matches!(pair.target, TargetFolder::New { .. }),
                messages: needs.missing_count() + needs.already_there,
                copy: needs.missing_count(),
                server_side: needs.server_side,
                bytes: to_send,
                already_there: needs.already_there,
                flags: needs.flags_to_change(),
                delete,
                keep,
            }));
        }
        self.observer.observe(&Event::Planned {
            folders: self.summary.folders,
            messages,
            bytes,
        });
    }

    /// A dry run's numbers: what would be done.
    pub(super) fn foresee(&mut self, names: &Names<'_>, mut link: Link) {
        let headings = self.doomed_headings(&mut link);
        if let Err(error) = self.foresee_rights(&mut link, names) {
            self.summary.status = Status::Stopped(error);
        }
        self.close(link);
        let mut created = HashSet::new();
        for (index, pair) in names.pairs.iter().enumerate() {
            let is_idle = self.is_idle_view(index, names.pairs);
            let Some(needs) = self.folders.needs(index).filter(|_| !is_idle) else {
                continue;
            };
            if let TargetFolder::New { name, .. } = &pair.target {
                created.insert(name);
            }
            self.summary.copied += needs.missing.len() as u64;
            self.summary.copied_server_side += needs.server_side;
            self.summary.bytes_copied += needs.bytes_to_send();
            self.summary.flags_updated += needs.flags_to_change();
        }
        self.summary.folders_created = created.len() as u64;
        for (pair, names) in names.pairs.iter().enumerate() {
            for damaged in std::mem::take(&mut self.folders[pair].damaged) {
                self.tell_repaired(names, damaged.uid());
            }
        }
        for rename in std::mem::take(&mut self.renames) {
            self.tell_renamed(&rename);
        }
        for doomed in std::mem::take(&mut self.doomed) {
            match self
                .options
                .keep_deleted
                .and_then(|day| keeping::name_of_day(day, &doomed.folder))
            {
                Some(to) => {
                    let heading = |uid| headings.get(&doomed.mailbox, uid);
                    self.tell_kept(&doomed.folder, &to.to_string(), &doomed.uids, &heading);
                }
                None => self.tell_deleted(&doomed, &headings),
            }
            if doomed.whole {
                self.summary.folders_deleted += 1;
                self.observer.observe(&Event::FolderDeleted {
                    folder: &doomed.folder,
                });
            }
        }
    }
}
