//! What is done on the target before messages go there: folders, subscriptions, flags of what it
//! has already.

use super::needs::TargetState;
use super::{Copy, opening};
use crate::engine::flagging::{FlagWork, change_flags_on};
use crate::engine::folders::{
    Made, Subscriptions, open_made, other_name, subscribe, told_unsubscribed,
};
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::Link;
use crate::folders::{Pair, TargetFolder};
use crate::locks::{lock, unlocked, wait};
use crate::mail::{Both, MailboxName, Side};
use crate::store::{Answer, Error, NewFolder, Prepared, Store};
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
type AllPrepared = Vec<Answer<Prepared>>;

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
    fn found_empty(&self, prepared: &[Answer<Prepared>]) -> Learnt {
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
        way: &mut Way<'_>,
        names: &opening::Names<'_>,
    ) -> Result<(), Error> {
        let mut changes: Both<Subscriptions> = Both::default();
        for (index, pair) in names.pairs.iter().enumerate() {
            let is_wanted = pair.subscribe && !names.is_subscribed_on_target(pair);
            let target = self.folders.target(index).filter(|_| is_wanted);
            let name = target.map(|target| target.name.clone());
            let new = name.filter(|name| !self.subscribed.contains(name));
            let make = &mut changes[Side::TARGET].make;
            make.extend(new.map(|name| (pair.to.clone(), name)));
        }
        let results = subscribe(way, &changes)?;
        let made = changes[Side::TARGET].make.iter();
        for ((folder, _), result) in made.zip(&results[Side::TARGET]) {
            if let Err(refusal) = result {
                let text = told_unsubscribed(folder, "target", refusal);
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        Ok(())
    }

    /// Changes the flags of messages that the target has already. Messages that someone else has
    /// changed since the comparison are left to the next run.
    pub(super) fn change_flags(&mut self, way: &mut Way<'_>, pairs: &[Pair]) -> Result<(), Error> {
        let works = self.folders.compared().filter_map(|(of, needs)| {
            let target = needs.target.as_ref()?;
            let changes = needs.flag_changes.clone();
            (!changes.is_empty()).then(|| FlagWork::conditional(of, target.folder(), changes))
        });
        let outcomes = change_flags_on(way, Side::TARGET, works.collect())?;
        for outcome in outcomes {
            for refused in &outcome.refused {
                let text = format!("{}: {}", pairs[outcome.of].to, refused.told("target"));
                self.observer.observe(&Event::Warning { text: &text });
            }
            if let Some(needs) = self.folders.needs_mut(outcome.of) {
                let messages = needs.flag_changes.messages();
                self.summary.flags_updated += messages.minus(&outcome.unchanged()).len();
                needs.news.left_alone.add(&outcome.left_alone);
            }
        }
        Ok(())
    }
}
