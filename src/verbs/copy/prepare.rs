//! What is done on the target before messages go there: folders, subscriptions, flags of what it
//! has already.

use super::needs::TargetState;
use super::{Copy, opening};
use crate::engine::folders::{Made, open_made, other_name};
use crate::event::Event;
use crate::exec::Link;
use crate::folders::{Pair, TargetFolder};
use crate::locks::{lock, unlocked, wait};
use crate::mail::{MailboxName, UidSet};
use crate::store::{Error, FlagChange, NewFolder, Prepared, Refusal, Store};
use crate::verbs::PlanUse;
use crate::verbs::compare::Learnt;
use std::collections::HashMap;
use std::sync::{Condvar, Mutex};

/// What is done on the target while the source is read: new folders are made, and those that are
/// empty are opened.
#[derive(Default)]
pub(super) struct Preparing {
    new: Vec<NewFolder>,
    /// Each with the pairs that it is in.
    empty: Vec<(NewFolder, Vec<usize>)>,
    done: Mutex<Done>,
    ended: Condvar,
}

/// What came of it so far.
#[derive(Default)]
struct Done {
    /// The new folders first.
    prepared: AllPrepared,
    has_ended: bool,
}

/// Notes the end, however it comes.
struct Ending<'p>(&'p Preparing);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        lock(&self.0.done).has_ended = true;
        self.0.ended.notify_all();
    }
}

/// What became of each of some folders.
type AllPrepared = Vec<Result<Prepared, Refusal>>;

impl Preparing {
    /// Does it. Gives what there is to know of the empty folders, by their pairs.
    pub(super) fn carry_out(&self, target: &mut dyn Store) -> Result<Learnt, Error> {
        let _ending = Ending(self);
        let folders: Vec<NewFolder> = self
            .new
            .iter()
            .chain(self.empty.iter().map(|(folder, _)| folder))
            .cloned()
            .collect();
        if folders.is_empty() {
            return Ok(Learnt::new());
        }
        let done = target.prepare(&folders)?;
        let found = self.found_empty(&done);
        lock(&self.done).prepared = done;
        Ok(found)
    }

    /// Waits until it has ended.
    pub(super) fn await_end(&self) {
        let mut done = lock(&self.done);
        while !done.has_ended {
            done = wait(&self.ended, done);
        }
    }

    /// A new folder that was made and opened and is empty, with how it was planned.
    pub(super) fn made(&self, name: &MailboxName) -> Option<(&NewFolder, Prepared)> {
        let at = self.new.iter().position(|folder| folder.name == *name)?;
        let done = lock(&self.done);
        let prepared = done.prepared.get(at)?.as_ref().ok()?;
        let is_empty = prepared
            .opened
            .as_ref()
            .is_some_and(|scan| scan.exists == 0);
        is_empty.then(|| (&self.new[at], prepared.clone()))
    }

    /// What there is to know of the empty folders, by their pairs; not of one that has a message by
    /// now.
    fn found_empty(&self, prepared: &[Result<Prepared, Refusal>]) -> Learnt {
        let mut found = Learnt::new();
        for (folder, (_, pairs)) in prepared.iter().skip(self.new.len()).zip(&self.empty) {
            let opened = folder
                .as_ref()
                .ok()
                .and_then(|folder| folder.opened.as_ref());
            let Some(scan) = opened.filter(|scan| scan.exists == 0) else {
                continue;
            };
            found.extend(pairs.iter().map(|pair| (*pair, scan.clone())));
        }
        found
    }
}

impl Copy<'_> {
    /// What can be prepared of these pairs, in the order of their indices.
    pub(super) fn to_prepare(&self, names: &opening::Names<'_>, open: &[usize]) -> Preparing {
        let mut empty: Vec<(NewFolder, Vec<usize>)> = Vec::new();
        let mut place: HashMap<&MailboxName, usize> = HashMap::new();
        for index in open {
            let pair = &names.pairs[*index];
            let Some(folder) = names.existing(pair).filter(|folder| folder.is_empty()) else {
                continue;
            };
            let at = *place.entry(&folder.name).or_insert_with(|| {
                let there = NewFolder {
                    exists: true,
                    ..NewFolder::new(folder.name.clone(), Vec::new())
                };
                empty.push((there, Vec::new()));
                empty.len() - 1
            });
            let (wanted, pairs) = &mut empty[at];
            wanted.subscribe |= pair.subscribe && !folder.subscribed;
            pairs.push(*index);
        }
        Preparing {
            new: self.folders_to_make(names.pairs),
            empty,
            done: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Notes what was prepared.
    pub(super) fn take_prepared(&mut self, preparing: Preparing) {
        let mut prepared = unlocked(preparing.done).prepared;
        let empty = prepared.split_off(preparing.new.len().min(prepared.len()));
        self.note_subscribed(empty);
        self.prepared = (!prepared.is_empty()).then_some(prepared);
    }

    fn note_subscribed(&mut self, prepared: AllPrepared) {
        let subscribed = prepared
            .into_iter()
            .flatten()
            .filter(|folder| folder.is_subscribed);
        self.subscribed.extend(subscribed.map(|folder| folder.name));
    }

    /// What the target lacks, each once, in the order of the pairs.
    pub(super) fn folders_to_make(&self, pairs: &[Pair]) -> Vec<NewFolder> {
        let mut wanted: Vec<NewFolder> = Vec::new();
        let mut place: HashMap<&MailboxName, usize> = HashMap::new();
        // Views come last, as what they need is known last.
        let folders = pairs.iter().enumerate().filter(|(_, pair)| !pair.view);
        let views = pairs
            .iter()
            .enumerate()
            .filter(|(index, pair)| pair.view && !self.is_idle_view(*index, pairs));
        for (index, pair) in folders.chain(views) {
            let TargetFolder::New {
                name,
                fallbacks,
                flattened,
            } = &pair.target
            else {
                continue;
            };
            if self.folders[index].is_refused {
                continue;
            }
            let at = *place.entry(name).or_insert_with(|| {
                let flattened = flattened.clone();
                wanted.push(NewFolder {
                    flattened,
                    ..NewFolder::new(name.clone(), fallbacks.clone())
                });
                wanted.len() - 1
            });
            // Of several that become one, one may have a role, and one may be subscribed to.
            wanted[at].role = wanted[at].role.or(pair.new_role);
            wanted[at].subscribe |= pair.subscribe;
        }
        wanted
    }

    /// Whether the target's new folders can be made before the source has been read: nothing that
    /// is found there changes which they are.
    pub(super) fn prepares_ahead(&self) -> bool {
        !self.options.dry_run
            && matches!(self.options.plan, PlanUse::Nothing)
            && self.renames.is_empty()
    }

    /// Creates what the target lacks, unless that was done ahead, and opens it once, to learn what
    /// it can keep.
    pub(super) fn create_folders(&mut self, link: &mut Link, pairs: &[Pair]) -> Result<(), Error> {
        let wanted = self.folders_to_make(pairs);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut prepared = self.prepared.take().unwrap_or_default();
        if prepared.len() < wanted.len() {
            prepared.extend(link.target.prepare(&wanted[prepared.len()..])?);
        }
        let made = open_made(link.target.as_mut(), prepared, "target")?;
        let mut by_name: HashMap<&MailboxName, Vec<usize>> = HashMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            if let TargetFolder::New { name, .. } = &pair.target
                && !self.folders[index].is_refused
            {
                by_name.entry(name).or_default().push(index);
            }
        }
        for (folder, made) in wanted.iter().zip(made) {
            let of = by_name.remove(&folder.name).unwrap_or_default();
            match made {
                Ok(made) => self.take_made(pairs, &of, folder, made),
                Err(reason) => {
                    for index in of {
                        // What it needs is still needed: what was to come here must not be deleted
                        // elsewhere.
                        self.fail_folder(index, &pairs[index], &reason);
                    }
                }
            }
        }
        Ok(())
    }

    /// A folder was made for these pairs.
    fn take_made(&mut self, pairs: &[Pair], of: &[usize], planned: &NewFolder, made: Made) {
        if let Some(first) = of.first() {
            self.tell_made(planned, &made.name, &pairs[*first]);
        }
        for index in of {
            if let Some(needs) = self.folders.needs_mut(*index) {
                needs.target = Some(TargetState::new(made.name.clone(), &made.scan));
            }
        }
        if made.is_subscribed {
            self.subscribed.insert(made.name);
        }
    }

    /// Says once that a folder was made.
    pub(super) fn tell_made(&mut self, planned: &NewFolder, name: &MailboxName, pair: &Pair) {
        if !self.made.insert(planned.name.clone()) {
            return;
        }
        let shown = pair.to.to_string();
        self.summary.folders_created += 1;
        self.observer
            .observe(&Event::FolderCreated { folder: &shown });
        if let Some(text) = other_name(planned, name, &shown, "target") {
            self.observer.observe(&Event::Warning { text: &text });
        }
    }

    /// Subscribes on the target to what the source is subscribed to.
    pub(super) fn subscribe(
        &mut self,
        link: &mut Link,
        names: &opening::Names<'_>,
    ) -> Result<(), Error> {
        let wanted: Vec<(String, MailboxName)> = names
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| pair.subscribe && !names.is_subscribed_on_target(pair))
            .filter_map(|(index, pair)| {
                Some((
                    pair.to.to_string(),
                    self.folders.target(index)?.name.clone(),
                ))
            })
            .filter(|(_, name)| !self.subscribed.contains(name))
            .collect();
        let mailboxes: Vec<_> = wanted.iter().map(|(_, name)| name.clone()).collect();
        for (result, (folder, _)) in link.target.subscribe(&mailboxes)?.into_iter().zip(&wanted) {
            if let Err(refusal) = result {
                let text = format!(
                    "{folder}: the target did not subscribe to it: {}",
                    refusal.text
                );
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        Ok(())
    }

    /// Changes the flags of messages that the target has already. What somebody else has changed
    /// since the comparison is left to the next run.
    pub(super) fn change_flags(&mut self, link: &mut Link, pairs: &[Pair]) -> Result<(), Error> {
        let mut changes = Vec::new();
        let mut pair_of = Vec::new();
        for (index, needs) in self.folders.compared() {
            let Some(target) = &needs.target else {
                continue;
            };
            // A change of ours makes a message one that was changed: only the first can ask for
            // unchanged ones.
            let mut changed = UidSet::default();
            for ((edit, flags), uids) in &needs.flag_changes {
                let is_first = !uids.iter().any(|uid| changed.contains(uid));
                changed.add(uids);
                pair_of.push(index);
                changes.push(FlagChange {
                    mailbox: target.name.clone(),
                    uids: uids.clone(),
                    edit: *edit,
                    flags: flags.clone(),
                    unchanged_since: target.side.counters.mod_seq.filter(|_| is_first),
                });
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        for ((result, change), index) in link
            .target
            .change_flags(&changes)?
            .into_iter()
            .zip(&changes)
            .zip(pair_of)
        {
            match result {
                Ok(left_alone) => {
                    self.summary.flags_updated += change.uids.len() - left_alone.len();
                    if let Some(needs) = self.folders.needs_mut(index) {
                        needs.news.left_alone.add(&left_alone);
                    }
                }
                Err(refusal) => {
                    let to = &pairs[index].to;
                    let text = format!(
                        "{to}: the target did not change {}: {}",
                        change.flags, refusal.text
                    );
                    self.observer.observe(&Event::Warning { text: &text });
                }
            }
        }
        Ok(())
    }
}
