//! Folders are renamed, made and subscribed to, each side for itself, before anything is done with
//! messages; those that were deleted on one side are deleted on the other as the last of all, the
//! innermost first and only when they are empty.

use super::{SideState, Sync, Work};
use crate::engine::deleting::{Deletion, Emptied, delete_empty};
use crate::engine::folders::{
    Made, Subscriptions, open_made, other_name, subscribe, told_unsubscribed,
};
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::Link;
use crate::folders::{FolderName, TargetFolder, place, place_all};
use crate::mail::{Both, Counters, ListedMailbox, Listing, MailboxName, Side, SpecialUse, UidNext};
use crate::plan::merge::{Fate, Rename};
use crate::state::TwoWayChange;
use crate::store::{Error, NewFolder};
use std::collections::{HashMap, HashSet};

/// The raw names of the folders that a side has now, by what both sides call them.
type RawNames<'a> = HashMap<String, &'a MailboxName>;

impl Sync<'_> {
    pub(super) fn rename_folders(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        for side in Side::BOTH {
            for rename in self.folders.renames[side].clone() {
                self.rename_folder(way.link()?, side, &rename)?;
            }
        }
        Ok(())
    }

    fn rename_folder(&mut self, link: &mut Link, side: Side, rename: &Rename) -> Result<(), Error> {
        let from = self.current(side, &rename.from);
        let to = place(
            &self.listed.listings[side],
            &self.listed.local(side, &rename.to),
        );
        let outcome = match (from, to) {
            (Some(from), Ok(TargetFolder::New { name: to, .. })) => {
                let results = link.side(side).rename(&[(from.clone(), to.clone())])?;
                match results.into_iter().next() {
                    Some(Err(refusal)) => Err(refusal.text),
                    _ => Ok((from, to)),
                }
            }
            (None, _) => Err("it no longer exists".to_owned()),
            (_, Ok(TargetFolder::Existing(_))) => Err(format!("{} already exists", rename.to)),
            (_, Err(reason)) => Err(reason),
        };
        match outcome {
            Ok((from, to)) => {
                self.note_renamed(side, rename, &from, &to);
                self.way(side).folders_renamed += 1;
                let (from, to) = (rename.from.to_string(), rename.to.to_string());
                self.observer.observe(&Event::FolderRenamed {
                    from: &from,
                    to: &to,
                });
            }
            Err(reason) => {
                let text = format!(
                    "the {} did not rename it to {}: {reason}",
                    side.ordinal(),
                    rename.to
                );
                self.fail_folder(&rename.from.to_string(), &text);
                for work in &mut self.works {
                    if work.pair.names[side].below(&rename.to).is_some() {
                        (work.misnamed, work.open) = (true, true);
                    }
                }
            }
        }
        Ok(())
    }

    /// The raw name of a folder that a side has under this name at the moment.
    fn current(&self, side: Side, name: &FolderName) -> Option<MailboxName> {
        let at = self.listed.seen[side]
            .iter()
            .position(|seen| seen.name.key() == name.key())?;
        self.listed.folders[side]
            .get(at)
            .map(|folder| folder.raw.clone())
    }

    fn note_renamed(&mut self, side: Side, rename: &Rename, from: &MailboxName, to: &MailboxName) {
        let moved = |raw: &MailboxName, separator: Option<char>| {
            let rest = raw.as_bytes().strip_prefix(from.as_bytes())?;
            let is_below = rest.is_empty()
                || separator.is_some_and(|sign| rest.first() == Some(&(sign as u8)));
            is_below.then(|| MailboxName::new([to.as_bytes(), rest].concat()))
        };
        for (seen, folder) in self.listed.seen[side]
            .iter_mut()
            .zip(&mut self.listed.folders[side])
        {
            if let Some(raw) = moved(&folder.raw, folder.separator) {
                if let Some(below) = seen.name.below(&rename.from) {
                    seen.name = rename.to.join(below);
                }
                folder.raw = raw;
            }
        }
        for mailbox in &mut self.listed.listings[side].mailboxes {
            if let Some(raw) = moved(&mailbox.name, mailbox.separator) {
                mailbox.name = raw;
            }
        }
        for work in &mut self.works {
            if let Some(at) = work.pair.seen[side] {
                work.raw[side] = self.listed.folders[side]
                    .get(at)
                    .map(|folder| folder.raw.clone());
            }
        }
    }

    /// Makes the folders that a side lacks, and opens them once to learn how they stand: on both
    /// sides at the same time.
    pub(super) fn create_folders(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        let wanted = Both::new(
            self.folders_to_make(Side::First),
            self.folders_to_make(Side::Second),
        );
        if wanted.all(Vec::is_empty) {
            return Ok(());
        }
        let made = way.repeatable(|link| {
            link.on_both(|side, store| {
                let folders: Vec<NewFolder> = wanted[side]
                    .iter()
                    .map(|(_, folder)| folder.clone())
                    .collect();
                let prepared = if folders.is_empty() {
                    Vec::new()
                } else {
                    store.prepare(&folders)?
                };
                open_made(store, prepared, side.ordinal())
            })
        })?;
        for (side, made) in made.each() {
            for ((at, folder), made) in wanted[side].iter().zip(made) {
                match made {
                    Ok(made) => self.take_made(side, *at, folder, made),
                    Err(reason) => {
                        self.works[*at].unread = true;
                        self.fail_folder(&self.works[*at].name(side), &reason);
                    }
                }
            }
        }
        Ok(())
    }

    /// What a side lacks, and whose folder it is; parents come first.
    fn folders_to_make(&mut self, side: Side) -> Vec<(usize, NewFolder)> {
        let mut wanted: Vec<usize> = (0..self.works.len())
            .filter(|at| self.is_wanted(*at, side))
            .collect();
        wanted.sort_by_key(|at| &self.works[*at].pair.names[side]);
        let names = wanted
            .iter()
            .map(|at| self.listed.local(side, &self.works[*at].pair.names[side]));
        let places = place_all(&self.listed.listings[side], &names.collect::<Vec<_>>());
        let subscriptions = self.folders.subscriptions[side]
            .iter()
            .filter(|change| change.subscribed);
        let subscribed: HashSet<String> = subscriptions.map(|change| change.name.key()).collect();
        let mut folders = Vec::new();
        for (at, place) in wanted.into_iter().zip(places) {
            let subscribe = subscribed.contains(&self.works[at].pair.names[side].key());
            let folder = place.and_then(|place| {
                let folder = self.new_folder((at, side), place.folder)?;
                if folders
                    .iter()
                    .any(|(_, other): &(usize, NewFolder)| other.name == folder.name)
                {
                    return Err(format!(
                        "another folder would also be named {} there",
                        folder.name
                    ));
                }
                Ok((folder, place.note))
            });
            let name = self.works[at].name(side);
            match folder {
                Ok((folder, note)) => {
                    if let Some(note) = note {
                        self.warn(&format!(
                            "{name}: named {} on the {}: {note}",
                            folder.name,
                            side.ordinal()
                        ));
                    }
                    folders.push((
                        at,
                        NewFolder {
                            subscribe,
                            ..folder
                        },
                    ));
                }
                Err(reason) => {
                    self.works[at].unread = true;
                    self.fail_folder(
                        &name,
                        &format!("can't be created on the {}: {reason}", side.ordinal()),
                    );
                }
            }
        }
        folders
    }

    fn new_folder(
        &self,
        (at, side): (usize, Side),
        place: TargetFolder,
    ) -> Result<NewFolder, String> {
        match place {
            TargetFolder::New {
                name,
                fallbacks,
                flattened,
            } => {
                let role = self.role(at, side);
                Ok(NewFolder {
                    flattened,
                    role,
                    ..NewFolder::new(name, fallbacks)
                })
            }
            // One that holds no mail has the name, such as a parent that is only a level.
            TargetFolder::Existing(index) => {
                let name = self.listed.listings[side].mailboxes[index].name.clone();
                if self
                    .works
                    .iter()
                    .any(|work| work.raw[side].as_ref() == Some(&name))
                {
                    return Err(format!(
                        "its name there is already used by another folder, {name}"
                    ));
                }
                Ok(NewFolder::new(name, Vec::new()))
            }
        }
    }

    /// Whether a side is to get this folder.
    pub(super) fn is_wanted(&self, at: usize, side: Side) -> bool {
        let work = &self.works[at];
        if work.unread || work.merge.refused.is_some() || work.pair.seen[side].is_some() {
            return false;
        }
        work.new[side].is_some()
            && work.pair.seen[side.other()].is_some()
            && work.pair.deleted_on().is_none()
            || work.fate(at, &self.moves) == Some(Fate::ComesBack(side))
    }

    /// What a new folder is for: what the other side's is for, where this side has no folder for
    /// that.
    fn role(&self, at: usize, side: Side) -> Option<SpecialUse> {
        let there = self.works[at].pair.seen[side.other()]?;
        let role = self.listed.folders[side.other()].get(there)?.role?;
        let is_free = self.listed.folders[side]
            .iter()
            .all(|folder| folder.role != Some(role));
        (is_free && !role.is_view()).then_some(role)
    }

    fn take_made(&mut self, side: Side, at: usize, planned: &NewFolder, made: Made) {
        let name = self.works[at].name(side);
        if let Some(text) = other_name(planned, &made.name, &name, side.ordinal()) {
            self.warn(&text);
        }
        let Made {
            name: raw,
            scan,
            is_subscribed,
        } = made;
        note_created(&mut self.listed.listings[side], &raw);
        let uid_next = scan.uid_next.or(Some(UidNext::FIRST));
        let counters = Counters {
            uid_next,
            ..scan.counters()
        };
        let permanent = scan.permanent_flags;
        let work = &mut self.works[at];
        work.state[side] = SideState {
            counters,
            mailbox_id: scan.mailbox_id,
            permanent,
        };
        work.raw[side] = Some(raw.clone());
        if is_subscribed {
            self.subscribed[side].insert(raw);
        }
        self.way(side).folders_created += 1;
        self.observer
            .observe(&Event::FolderCreated { folder: &name });
    }

    /// Subscribes to folders that were not subscribed to when they were made, and ends
    /// subscriptions.
    pub(super) fn subscribe(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        let raw_names = Both::of(|side| self.raw_names(side));
        let changes = Both::of(|side| Subscriptions {
            end: self.subscriptions_to_end(side, &raw_names[side]),
            make: self.subscriptions_to_make(side, &raw_names[side]),
        });
        for side in Side::BOTH {
            self.way(side).subscriptions +=
                (self.subscribed[side].len() + changes[side].end.len()) as u64;
        }
        let results = subscribe(way, &changes)?;
        for side in Side::BOTH {
            for ((name, _), result) in changes[side].make.iter().zip(&results[side]) {
                match result {
                    Ok(()) => self.way(side).subscriptions += 1,
                    Err(refusal) => {
                        self.warn(&told_unsubscribed(name, side.ordinal(), refusal));
                        self.not_subscribed.insert(name.key());
                    }
                }
            }
        }
        Ok(())
    }

    fn subscriptions_to_make(
        &self,
        side: Side,
        raw_names: &RawNames<'_>,
    ) -> Vec<(FolderName, MailboxName)> {
        let wanted = self.folders.subscriptions[side]
            .iter()
            .filter(|change| change.subscribed);
        wanted
            .filter_map(|change| {
                Some((
                    change.name.clone(),
                    (*raw_names.get(&change.name.key())?).clone(),
                ))
            })
            .filter(|(_, raw)| !self.subscribed[side].contains(raw))
            .collect()
    }

    fn subscriptions_to_end(&self, side: Side, raw_names: &RawNames<'_>) -> Vec<MailboxName> {
        let ended = self.folders.subscriptions[side]
            .iter()
            .filter(|change| !change.subscribed);
        ended
            .filter_map(|change| match raw_names.get(&change.name.key()) {
                Some(raw) => Some((*raw).clone()),
                // A name that no folder has any more.
                None => match place(
                    &self.listed.listings[side],
                    &self.listed.local(side, &change.name),
                ) {
                    Ok(TargetFolder::New { name, .. }) => Some(name),
                    _ => None,
                },
            })
            .collect()
    }

    fn raw_names(&self, side: Side) -> RawNames<'_> {
        self.works
            .iter()
            .filter_map(|work| Some((work.pair.names[side].key(), work.raw[side].as_ref()?)))
            .collect()
    }

    /// Whether the user is subscribed to each folder now, by what was seen and changed.
    pub(super) fn subscribed(&self) -> Vec<bool> {
        let changes = Both::of(|side| {
            let changes = self.folders.subscriptions[side].iter();
            changes
                .map(|change| (change.name.key(), change.subscribed))
                .collect::<HashMap<_, _>>()
        });
        let is_subscribed = |work: &Work| {
            // What a side refused is still to be done: the other side's subscription then counts as
            // new.
            let is_refused =
                |side: Side| self.not_subscribed.contains(&work.pair.names[side].key());
            Side::BOTH.into_iter().all(|side| {
                if is_refused(side) {
                    return false;
                }
                let seen = work.pair.seen[side].and_then(|at| self.listed.seen[side].get(at));
                let change = changes[side].get(&work.pair.names[side].key()).copied();
                change.unwrap_or_else(|| seen.is_some_and(|seen| seen.subscribed))
            })
        };
        self.works.iter().map(is_subscribed).collect()
    }

    /// Deletes the folders that were deleted on the other side, if they are empty now.
    pub(super) fn delete_folders(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        for side in Side::BOTH {
            let is_doomed = |at: &usize| {
                let work = &self.works[*at];
                !work.open && work.fate(*at, &self.moves) == Some(Fate::Deleted(side))
            };
            let all = (0..self.works.len()).filter(is_doomed);
            let (doomed, folders): (Vec<usize>, Vec<Emptied<'_>>) = all
                .filter_map(|at| Some((at, self.emptied(at, side)?)))
                .unzip();
            let results = delete_empty(way, side, &folders)?;
            let mut changes = Vec::new();
            for (at, result) in doomed.into_iter().zip(results) {
                let name = self.works[at].name(side);
                match result {
                    Deletion::Done => {
                        self.way(side).folders_deleted += 1;
                        let event = Event::FolderDeleted { folder: &name };
                        self.observer.observe(&event);
                        self.works[at].raw[side] = None;
                        changes.extend(self.works[at].record.map(TwoWayChange::Forget));
                    }
                    Deletion::NotEmpty => {}
                    Deletion::Refused(why) => {
                        let text = format!("the {} did not delete it: {why}", side.ordinal());
                        self.fail_folder(&name, &text);
                    }
                }
            }
            self.memory.write(&changes, false)?;
        }
        Ok(())
    }

    /// Returns a side's folder as one to be deleted, if it exists.
    fn emptied(&self, at: usize, side: Side) -> Option<Emptied<'_>> {
        let work = &self.works[at];
        let mailbox = work.raw[side].as_ref()?;
        let mut listed = self.listed.listings[side].mailboxes.iter();
        Some(Emptied {
            mailbox,
            uid_validity: work.state[side].counters.uid_validity,
            is_subscribed: listed.any(|listed| listed.subscribed && listed.name == *mailbox),
        })
    }
}

/// A listing with a folder that was made, so that what comes below it finds it.
fn note_created(listing: &mut Listing, raw: &MailboxName) {
    if let Some(known) = listing
        .mailboxes
        .iter_mut()
        .find(|mailbox| mailbox.name == *raw)
    {
        known.selectable = true;
        return;
    }
    listing
        .mailboxes
        .push(ListedMailbox::new(raw.clone(), listing.style.separator));
}
