//! What of a folder is no longer as a saved plan has it.
//!
//! What the plan itself explains is no change: messages that it copies and that are there already,
//! flags that are set, messages that it deletes or moves and that are gone. So a plan whose first
//! run was cut short goes on where it stopped.
//!
//! Messages that arrived since keep nothing of the plan from being done: they are not in it and
//! stay as they are. They are told apart by their UIDs, which are at or above the UIDNEXT that the
//! plan saw.

use super::needs::Needs;
use crate::mail::{Counters, Flags, MailboxName, Side, Uid, UidNext, UidSet, counted};
use crate::plan::planned::{Planned, PlannedFolder, contains, contains_as, writable};
use crate::store::{FlagEdit, FolderScan};
use crate::verbs::compare::Compared;
use std::collections::HashSet;

/// What a folder has that its plan does not, as fragments for people.
pub(super) struct Found {
    /// What has changed. Where this is empty, the plan holds.
    pub(super) changes: Vec<String>,
    /// What has arrived.
    pub(super) news: Vec<String>,
}

/// A folder as it is now.
#[derive(Clone, Copy)]
pub(super) struct Present<'a> {
    /// The target's folder that it goes to.
    pub(super) target: &'a MailboxName,
    /// Whether other folders go there, too.
    pub(super) is_shared: bool,
    pub(super) compared: &'a Compared,
    pub(super) needs: &'a Needs,
}

/// Compares a folder with its plan.
pub(super) fn of_folder(planned: &Planned, folder: &PlannedFolder, present: Present<'_>) -> Found {
    let Present {
        target,
        is_shared,
        compared,
        needs,
    } = present;
    let mut changes = Changes {
        planned,
        folder,
        compared,
        needs,
        found: Vec::new(),
        news: Vec::new(),
    };
    if *target != folder.target && Some(target) != folder.renamed_from.as_ref() {
        changes.found.push(format!(
            "it would now go to {target}, not {}",
            folder.target
        ));
    } else {
        changes.of_source();
        changes.of_messages();
        changes.of_target(is_shared);
        changes.of_flags();
        changes.of_deletions();
    }
    Found {
        changes: changes.found,
        news: changes.news,
    }
}

/// Whether the plan has this change of flags for a message of the target. The target may keep fewer
/// flags than were planned.
pub(super) fn is_planned_edit(
    folder: &PlannedFolder,
    edit: FlagEdit,
    flags: &Flags,
    uid: Uid,
) -> bool {
    let covers = |planned: &&crate::plan::planned::PlannedFlags| {
        planned.edit == edit
            && planned.uids.contains(uid)
            && writable(flags).minus(&planned.flags).is_empty()
    };
    folder.flag_changes.iter().find(covers).is_some()
}

struct Changes<'a> {
    planned: &'a Planned,
    folder: &'a PlannedFolder,
    compared: &'a Compared,
    needs: &'a Needs,
    found: Vec<String>,
    news: Vec<String>,
}

impl Changes<'_> {
    fn of_source(&mut self) {
        let Some(was) = self.folder.source_counters else {
            return;
        };
        let is = self.needs.source.counters;
        if self.is_another("source", was, is) {
            return;
        }
        let since = self
            .source_next()
            .map_or(0, |next| after(&self.compared.source, next));
        if was.uid_next != is.uid_next {
            let news = format!(
                "{} on the source, {}",
                new(since),
                moved_on("UIDNEXT", was.uid_next, is.uid_next)
            );
            if !has_grown(was.uid_next, is.uid_next) {
                self.found.push(news);
                return;
            }
            self.news.push(news);
        }
        let leaving = self.planned.leaving(Side::SOURCE, &self.folder.source);
        let already = absent(&leaving, &self.compared.source);
        self.count(
            "source",
            was.count(),
            (is.count() + already).saturating_sub(since),
        );
    }

    /// The first UID that the source had not given out when the plan was made.
    fn source_next(&self) -> Option<UidNext> {
        self.folder
            .source_counters
            .and_then(|counters| counters.uid_next)
    }

    /// The first UID that the target had not given out then; a folder that was to be created had
    /// given out none.
    fn target_next(&self) -> Option<UidNext> {
        match self.folder.target_counters {
            Some(counters) => counters.uid_next,
            None => self.folder.create.then_some(UidNext::FIRST),
        }
    }

    /// Whether it is another folder of the same name by now, which says all.
    fn is_another(&mut self, side: &str, was: Counters, is: Counters) -> bool {
        let is_another = was.uid_validity.is_some() && was.uid_validity != is.uid_validity;
        if is_another {
            let (was, is) = (was.uid_validity, is.uid_validity);
            self.found.push(format!(
                "on the {side}, {}",
                moved_on("UIDVALIDITY", was, is)
            ));
        }
        is_another
    }

    fn count(&mut self, side: &str, was: u64, is: u64) {
        if was > is {
            self.found.push(format!(
                "{} gone from the {side}",
                messages(was - is, "is", "are")
            ));
        } else if is > was {
            self.found.push(format!(
                "the {side} shows {} more under UIDs that it had assigned before",
                is - was
            ));
        }
    }

    /// The messages to copy: each is still to be copied, with the same flags, or is there already.
    fn of_messages(&mut self) {
        let (mut more, mut reflagged) = (0, 0);
        for message in &self.needs.missing {
            let flags = writable(&self.needs.flags.get(message.flags()));
            if !self.folder.copies(message.uid()) {
                more += u64::from(!is_new(message.uid(), self.source_next()));
            } else if !contains_as(&self.folder.messages, message.uid(), &flags) {
                reflagged += 1;
            }
        }
        let gone = self.gone(false);
        // New ones were told with the counters.
        if more > 0 && self.found.is_empty() {
            self.found.push(format!(
                "{} new on the source or gone from the target",
                messages(more, "is", "are")
            ));
        }
        if reflagged > 0 {
            self.found.push(format!(
                "{} different flags on the source",
                messages(reflagged, "has", "have")
            ));
        }
        if gone > 0 && self.found.is_empty() {
            self.found.push(format!(
                "{} to be copied and gone from the source",
                messages(gone, "was", "were")
            ));
        }
    }

    /// How many of the messages to copy are gone from the source: by the plan itself, after they
    /// were copied, or not.
    fn gone(&self, by_plan: bool) -> u64 {
        let leaving = self.planned.leaving(Side::SOURCE, &self.folder.source);
        let uids = self
            .folder
            .messages
            .iter()
            .flat_map(|group| group.uids.iter());
        let of_kind = uids.filter(|uid| leaving.contains(*uid) == by_plan);
        of_kind
            .filter(|uid| self.compared.source.message(*uid).is_none())
            .count() as u64
    }

    fn of_target(&mut self, is_shared: bool) {
        // One that was to be created is expected empty.
        let was = self
            .folder
            .target_counters
            .or_else(|| self.folder.create.then(Counters::default));
        let (was, is) = match (was, &self.needs.target) {
            (Some(was), Some(target)) => (was, target.side.counters),
            (None, Some(_)) => return,
            (_, None) if self.folder.create => return,
            (_, None) => {
                self.found
                    .push("it no longer exists on the target".to_owned());
                return;
            }
        };
        if self.is_another("target", was, is) {
            return;
        }
        if is_shared {
            if was.uid_next != is.uid_next {
                self.found.push(format!(
                    "new messages on the target, {}",
                    moved_on("UIDNEXT", was.uid_next, is.uid_next)
                ));
            }
            return;
        }
        let Some(target) = &self.compared.target else {
            return;
        };
        let next = was.uid_next.unwrap_or(UidNext::FIRST);
        // What has left the source by the plan had arrived before, and has no counterpart any more.
        let since =
            after(target, next).saturating_sub(self.arrived(target, next) + self.gone(true));
        if since > 0 {
            self.news.push(format!(
                "{} on the target, {}",
                new(since),
                moved_on("UIDNEXT", was.uid_next, is.uid_next)
            ));
        }
        let before = target
            .messages
            .iter()
            .filter(|message| next.has_assigned(message.uid()))
            .count() as u64;
        let leaving = self.planned.leaving(Side::TARGET, &self.folder.target);
        self.count("target", was.count(), before + absent(&leaving, target));
    }

    /// How many of the target's messages from this UID on are what the plan was to bring there.
    fn arrived(&self, target: &FolderScan, next: UidNext) -> u64 {
        let known = self
            .compared
            .recognised
            .pairs
            .iter()
            .map(|pair| (pair.source, pair.target));
        let pairs = self.compared.matching.pairs.iter().copied().chain(known);
        let is_planned = |(source, at): &(u32, u32)| {
            !next.has_assigned(target.messages[*at as usize].uid())
                && self
                    .folder
                    .copies(self.compared.source.messages[*source as usize].uid())
        };
        pairs.filter(is_planned).count() as u64
    }

    /// The flags to change: each is still to be changed, or is as it is to be.
    fn of_flags(&mut self) {
        let mut changed: HashSet<Uid> = HashSet::new();
        for (edit, flags, uids) in self.needs.flag_changes.iter() {
            // A message that arrived since is not in the plan, whatever flags it is to have.
            let is_known = |uid: &Uid| !is_new(*uid, self.target_next());
            let is_unplanned = |uid: &Uid| !is_planned_edit(self.folder, edit, flags, *uid);
            changed.extend(uids.iter().filter(|uid| is_known(uid) && is_unplanned(uid)));
        }
        for planned in &self.folder.flag_changes {
            let is_open = |uid: &Uid| {
                let now = self.needs.flag_changes.iter();
                now.filter(|(edit, ..)| *edit == planned.edit)
                    .any(|(.., uids)| uids.contains(*uid))
            };
            let is_undone =
                |uid: &Uid| !is_open(uid) && !self.is_done(planned.edit, &planned.flags, *uid);
            changed.extend(planned.uids.iter().filter(is_undone));
        }
        if !changed.is_empty() {
            let count = changed.len() as u64;
            self.found.push(format!(
                "the flags of {count} {} changed",
                if count == 1 {
                    "message have"
                } else {
                    "messages have"
                }
            ));
        }
    }

    /// Whether a message of the target has flags as they were to become, as far as the folder keeps
    /// them.
    fn is_done(&self, edit: FlagEdit, flags: &Flags, uid: Uid) -> bool {
        let (Some(target), Some(state)) = (&self.compared.target, &self.needs.target) else {
            return false;
        };
        // Gone ones were told with the counters.
        let Some(message) = target.message(uid) else {
            return true;
        };
        let now = target.flags.get(message.flags());
        match edit {
            FlagEdit::Add => state.permanent_flags.split(flags).0.minus(&now).is_empty(),
            FlagEdit::Remove => now.minus(flags) == now,
        }
    }

    /// The messages to delete: each is still to be deleted and has the same flags, or is gone.
    fn of_deletions(&mut self) {
        let source = self
            .planned
            .deletion(Side::SOURCE, &self.folder.source)
            .map(|of| (of, Some(&self.compared.source)));
        let target = self.planned.deletion(Side::TARGET, &self.folder.target);
        let target = target.map(|of| (of, self.compared.target.as_ref()));
        let Some((deletion, Some(scan))) = source.or(target) else {
            return;
        };
        let (mut reflagged, mut wanted) = (0, 0);
        for group in &deletion.messages {
            for uid in group.uids.iter().filter(|uid| scan.message(*uid).is_some()) {
                if !contains(&self.needs.doomed_flags, uid) {
                    wanted += 1;
                } else if !contains_as(&self.needs.doomed_flags, uid, &group.flags) {
                    reflagged += 1;
                }
            }
        }
        if reflagged > 0 {
            self.found.push(format!(
                "{} to be deleted and {} different flags",
                messages(reflagged, "is", "are"),
                if reflagged == 1 { "has" } else { "have" }
            ));
        }
        if wanted > 0 {
            self.found.push(format!(
                "{} to be deleted but now on the source",
                messages(wanted, "was", "were")
            ));
        }
    }
}

/// Whether a message arrived after a folder's UIDNEXT was this.
fn is_new(uid: Uid, next: Option<UidNext>) -> bool {
    next.is_some_and(|next| !next.has_assigned(uid))
}

/// Whether a folder's UIDNEXT only went up, as arriving mail moves it.
fn has_grown(was: Option<UidNext>, is: Option<UidNext>) -> bool {
    was.zip(is).is_some_and(|(was, is)| is > was)
}

/// How many of these a folder does not have.
fn absent(uids: &UidSet, scan: &FolderScan) -> u64 {
    uids.iter()
        .filter(|uid| scan.message(*uid).is_none())
        .count() as u64
}

/// How many messages have this UID or a higher one.
fn after(scan: &FolderScan, next: UidNext) -> u64 {
    scan.messages
        .iter()
        .filter(|message| !next.has_assigned(message.uid()))
        .count() as u64
}

fn new(count: u64) -> String {
    match count {
        0 => "new messages came and went".to_owned(),
        count => counted(count, "new message"),
    }
}

fn messages(count: u64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 message {one}")
    } else {
        format!("{count} messages {many}")
    }
}

fn moved_on<T: ToString>(counter: &str, was: Option<T>, is: Option<T>) -> String {
    let shown =
        |number: Option<T>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
    format!("{counter} was {} and is now {}", shown(was), shown(is))
}
