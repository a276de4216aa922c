//! `--keep-deleted`: what vanished from the source is moved to a folder of the day on the target,
//! by the target itself, where a mirror would delete it.
//!
//! What it keeps true: a message leaves its folder only for the folder of the day, or as the newest
//! such folder holds the same bytes already: where there is no MOVE, a run that died in between has
//! copied it and not removed it. What could not be moved stays where it is, and a connection that
//! breaks is no reason to copy twice.

use super::Copy;
use super::removals::Doomed;
use crate::engine::folders::FolderRef;
use crate::engine::scans::scan_each;
use crate::engine::way::{Way, is_broken};
use crate::event::Event;
use crate::folders::{FolderName, KeptFolder, TargetFolder, kept_folders, kept_name, place};
use crate::mail::{Heading, InternalDate, MailboxName, Message, Uid, UidSet, UidValidity, counted};
use crate::store::{Error, NewFolder, Relocation, ScanDepth};
use crate::verbs::opening::Names;
use jiff::civil::Date;
use std::collections::{HashMap, HashSet};

/// How many connections may break before the rest is left to the next run.
const ROUNDS: usize = 5;

/// Size and date in seconds: messages of which these differ are not the same.
type Looks = (u32, Option<i64>);

/// What leaves one folder.
struct Leaving {
    /// Whose messages: an index into what is doomed.
    of: usize,
    /// The folder's decoded name.
    folder: String,
    mailbox: MailboxName,
    uid_validity: Option<UidValidity>,
    /// What is not known to be kept yet.
    left: UidSet,
    /// What these look like, once they were seen.
    looks: HashMap<Uid, Looks>,
    /// The folder of the day, and after it the newest of a day before.
    shelves: Vec<Shelf>,
    /// Why the rest stays where it is.
    refusal: Option<String>,
}

/// A folder in which vanished messages are kept.
struct Shelf {
    mailbox: MailboxName,
    /// Its decoded name.
    shown: String,
    /// What this run knows to be kept there.
    kept: HashMap<Looks, usize>,
}

impl Copy<'_> {
    /// Moves what is doomed to the folders of the day. Gives the folders from which all of it is
    /// gone.
    pub(super) fn keep(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        day: Date,
        doomed: Vec<Doomed>,
    ) -> Result<Vec<Doomed>, Error> {
        let mut leavings = leavings(way, names, day, &doomed)?;
        let mut rounds = 1;
        while let Err(error) = self.keep_once(way, &mut leavings) {
            if !is_broken(&error) || rounds == ROUNDS || way.context.stop.is_requested() {
                return Err(error);
            }
            rounds += 1;
            way.end();
            crate::exec::grace();
        }
        let mut full = HashSet::new();
        for leaving in leavings.iter().filter(|leaving| !leaving.left.is_empty()) {
            full.insert(leaving.of);
            let reason = leaving
                .refusal
                .as_deref()
                .unwrap_or("the target did not say why");
            let (left, to) = (
                counted(leaving.left.len(), "message"),
                &leaving.shelves[0].shown,
            );
            let reason = format!("{left} not moved to {to}: {reason}");
            self.note_not_deleted(&leaving.folder, &leaving.left, &reason);
        }
        let emptied = doomed
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !full.contains(at));
        Ok(emptied.map(|(_, doomed)| doomed).collect())
    }

    /// Tells each message that is kept, or would be.
    pub(super) fn tell_kept<'h>(
        &mut self,
        folder: &str,
        to: &str,
        kept: &UidSet,
        heading: &dyn Fn(Uid) -> Option<&'h Heading>,
    ) {
        for uid in kept.iter() {
            self.observer.observe(&Event::MessageKept {
                folder,
                uid,
                to,
                heading: heading(uid),
            });
        }
        self.summary.kept += kept.len();
    }

    /// May be done again, whatever it did before it failed.
    fn keep_once(&mut self, way: &mut Way<'_>, leavings: &mut [Leaving]) -> Result<(), Error> {
        self.see_what_is_left(way, leavings)?;
        self.end_what_was_begun(way, leavings)?;
        self.move_the_rest(way, leavings)
    }

    fn see_what_is_left(
        &mut self,
        way: &mut Way<'_>,
        leavings: &mut [Leaving],
    ) -> Result<(), Error> {
        let asked = open(leavings).map(|leaving| (&leaving.mailbox, Some(leaving.left.clone())));
        let scans = scan_each(way.link()?.target.as_mut(), ScanDepth::Attributes, asked)?;
        for (leaving, scan) in open_mut(leavings).zip(scans) {
            let scan = match scan {
                Ok(scan) if scan.uid_validity == leaving.uid_validity => scan,
                Ok(_) => {
                    leaving.refusal = Some(
                        "the folder was recreated during the run (UIDVALIDITY changed)".to_owned(),
                    );
                    continue;
                }
                Err(refusal) => {
                    leaving.refusal = Some(refusal.text);
                    continue;
                }
            };
            let there: UidSet = scan.messages.iter().map(Message::uid).collect();
            if leaving.looks.is_empty() {
                // What is gone before anything was asked for was taken by somebody else.
                leaving.looks = scan
                    .messages
                    .iter()
                    .map(|message| (message.uid(), looks(message)))
                    .collect();
                leaving.left = there;
            } else {
                let gone = leaving.left.minus(&there);
                self.note_kept(leaving, 0, &gone);
            }
        }
        Ok(())
    }

    /// Removes what is kept already, byte for byte, and still where it was.
    fn end_what_was_begun(
        &mut self,
        way: &mut Way<'_>,
        leavings: &mut [Leaving],
    ) -> Result<(), Error> {
        let shelves = open(leavings)
            .flat_map(|leaving| leaving.shelves.iter().map(|shelf| (&shelf.mailbox, None)));
        let mut scans =
            scan_each(way.link()?.target.as_mut(), ScanDepth::Attributes, shelves)?.into_iter();
        for leaving in open_mut(leavings) {
            let of_leaving: Vec<_> = scans.by_ref().take(leaving.shelves.len()).collect();
            for (at, scan) in of_leaving.into_iter().enumerate() {
                // One that can't be read, or is not there any more, holds nothing.
                let Ok(scan) = scan else { continue };
                let alike = leaving.alike(at, &scan.messages);
                if alike.is_empty() {
                    continue;
                }
                let kept = same_bytes(way, leaving, at, scan.uid_validity, &alike)?;
                let removal = leaving.source().removal(kept.clone());
                let target = &mut way.link()?.target;
                match target.remove(&[removal])?.pop() {
                    Some(Err(refusal)) => leaving.refusal = Some(refusal.text),
                    _ => self.note_kept(leaving, at, &kept),
                }
            }
        }
        Ok(())
    }

    fn move_the_rest(&mut self, way: &mut Way<'_>, leavings: &mut [Leaving]) -> Result<(), Error> {
        let relocations: Vec<Relocation> = open(leavings).map(Leaving::relocation).collect();
        let results = way.link()?.target.relocate(&relocations)?;
        for (leaving, result) in open_mut(leavings).zip(results) {
            let moved = result.uids().minus(&result.left_behind);
            self.note_kept(leaving, 0, &moved);
            leaving.refusal = result.refusal.map(|refusal| refusal.text);
        }
        Ok(())
    }

    fn note_kept(&mut self, leaving: &mut Leaving, shelf: usize, kept: &UidSet) {
        let Leaving {
            folder,
            mailbox,
            left,
            looks,
            shelves,
            ..
        } = leaving;
        let shelf = &mut shelves[shelf];
        for looks in kept.iter().filter_map(|uid| looks.get(&uid)) {
            *shelf.kept.entry(*looks).or_default() += 1;
        }
        *left = left.minus(kept);
        self.memory.removed(mailbox, kept.len());
        self.tell_kept(folder, &shelf.shown, kept, &|_| None);
    }
}

impl Shelf {
    fn new(mailbox: MailboxName, name: &FolderName) -> Self {
        Self {
            mailbox,
            shown: name.to_string(),
            kept: HashMap::new(),
        }
    }
}

impl Leaving {
    fn source(&self) -> FolderRef<'_> {
        FolderRef::new(&self.mailbox, self.uid_validity)
    }

    fn relocation(&self) -> Relocation {
        let (uids, to) = (self.left.clone(), self.shelves[0].mailbox.clone());
        Relocation {
            from: self.mailbox.clone(),
            uid_validity: self.uid_validity,
            uids,
            to,
            leave: true,
        }
    }

    /// Messages of a shelf that look like some that are left, and of which this run does not know
    /// that they are others.
    fn alike(&self, shelf: usize, messages: &[Message]) -> HashMap<Uid, Looks> {
        let wanted: HashSet<Looks> = self
            .left
            .iter()
            .filter_map(|uid| self.looks.get(&uid).copied())
            .collect();
        let mut known = self.shelves[shelf].kept.clone();
        let mut is_known = |looks: &Looks| match known.get_mut(looks) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        let alike = messages
            .iter()
            .map(|message| (message.uid(), looks(message)));
        alike
            .filter(|(_, looks)| wanted.contains(looks) && !is_known(looks))
            .collect()
    }
}

/// The day's folder for a folder of the target.
pub(super) fn name_of_day(day: Date, folder: &str) -> Option<FolderName> {
    Some(kept_name(day, &FolderName::parse(folder)?))
}

fn open(leavings: &[Leaving]) -> impl Iterator<Item = &Leaving> {
    leavings
        .iter()
        .filter(|leaving| !leaving.left.is_empty() && leaving.refusal.is_none())
}

fn open_mut(leavings: &mut [Leaving]) -> impl Iterator<Item = &mut Leaving> {
    leavings
        .iter_mut()
        .filter(|leaving| !leaving.left.is_empty() && leaving.refusal.is_none())
}

/// Returns what is to leave, and where it goes. Creates the folders of the day that are missing.
fn leavings(
    way: &mut Way<'_>,
    names: &Names<'_>,
    day: Date,
    doomed: &[Doomed],
) -> Result<Vec<Leaving>, Error> {
    let held = kept_folders(names.target);
    let mut leavings = Vec::new();
    let mut new: Vec<(usize, NewFolder)> = Vec::new();
    for (of, doomed) in doomed.iter().enumerate() {
        if doomed.uids.is_empty() {
            continue;
        }
        if let Some((leaving, to_make)) = leaving(names, (day, &held), of, doomed) {
            new.extend(to_make.map(|folder| (leavings.len(), folder)));
            leavings.push(leaving);
        }
    }
    if new.is_empty() {
        return Ok(leavings);
    }
    let asked: Vec<NewFolder> = new.iter().map(|(_, folder)| folder.clone()).collect();
    let created = way.repeatable(|link| link.target.create(&asked))?;
    for ((at, _), created) in new.into_iter().zip(created) {
        match created {
            Ok(name) => leavings[at].shelves[0].mailbox = name,
            Err(refusal) => leavings[at].refusal = Some(refusal.text),
        }
    }
    Ok(leavings)
}

/// Returns what is to leave one folder, and the folder of the day if it has to be created.
fn leaving(
    names: &Names<'_>,
    (day, held): (Date, &[KeptFolder]),
    of: usize,
    doomed: &Doomed,
) -> Option<(Leaving, Option<NewFolder>)> {
    let folder = FolderName::parse(&doomed.folder)?;
    let name = kept_name(day, &folder);
    let (shelf, to_make, refusal) = match shelf_of_day(names, &name) {
        Ok((shelf, to_make)) => (shelf, to_make, None),
        Err(reason) => {
            let shelf = Shelf::new(doomed.mailbox.clone(), &name);
            (shelf, None, Some(reason))
        }
    };
    let mut shelves = vec![shelf];
    let before = held
        .iter()
        .filter(|held| held.of.key() == folder.key() && held.day != day);
    shelves.extend(before.max_by_key(|held| held.day).map(|before| {
        let mailbox = &names.target.mailboxes[before.index].name;
        Shelf::new(mailbox.clone(), &kept_name(before.day, &folder))
    }));
    let leaving = Leaving {
        of,
        folder: doomed.folder.clone(),
        mailbox: doomed.mailbox.clone(),
        uid_validity: doomed.uid_validity,
        left: doomed.uids.clone(),
        looks: HashMap::new(),
        shelves,
        refusal,
    };
    Some((leaving, to_make))
}

/// Gives the folder of the day with this name, and what is to be made for it.
fn shelf_of_day(
    names: &Names<'_>,
    name: &FolderName,
) -> Result<(Shelf, Option<NewFolder>), String> {
    Ok(match place(names.target, name)? {
        TargetFolder::Existing(index) => (
            Shelf::new(names.target.mailboxes[index].name.clone(), name),
            None,
        ),
        TargetFolder::New {
            name: mailbox,
            fallbacks,
            flattened,
        } => {
            let folder = NewFolder {
                flattened,
                ..NewFolder::new(mailbox.clone(), fallbacks)
            };
            (Shelf::new(mailbox, name), Some(folder))
        }
    })
}

/// Which of the messages that are left have the same bytes as one of these on a shelf, each as one
/// of its own.
fn same_bytes(
    way: &mut Way<'_>,
    leaving: &Leaving,
    shelf: usize,
    uid_validity: Option<UidValidity>,
    on_shelf: &HashMap<Uid, Looks>,
) -> Result<UidSet, Error> {
    let target = way.link()?.target.as_mut();
    let uids = on_shelf.keys().copied().collect();
    let there = FolderRef::new(&leaving.shelves[shelf].mailbox, uid_validity);
    let there = there.contents(target, &uids)?;
    let wanted: HashSet<&Looks> = on_shelf.values().collect();
    let is_alike = |uid: &Uid| {
        leaving
            .looks
            .get(uid)
            .is_some_and(|looks| wanted.contains(looks))
    };
    let uids = leaving.left.iter().filter(is_alike).collect();
    let here = leaving.source().contents(target, &uids)?;
    let mut copies: HashMap<[u8; 32], usize> = HashMap::new();
    for keys in there.values() {
        *copies.entry(keys.raw).or_default() += 1;
    }
    let mut is_kept = |uid: &Uid| match here.get(uid).and_then(|keys| copies.get_mut(&keys.raw)) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    Ok(leaving.left.iter().filter(&mut is_kept).collect())
}

fn looks(message: &Message) -> Looks {
    (message.size(), message.date().map(InternalDate::seconds))
}
