//! `--keep-deleted`: what vanished from the source is moved to a folder of the day on the target, by the target itself,
//! where a mirror would delete it.
//!
//! What it keeps true: a message leaves its folder only for the folder of the day; what could not be moved stays where it is. A
//! connection that breaks is no reason to copy twice: what left is kept, and of the rest it is looked whether it has arrived.

use super::Copy;
use super::removals::Doomed;
use crate::event::Event;
use crate::folders::{FolderName, TargetFolder, kept_name, place};
use crate::mail::{MailboxName, Message, Uid, UidSet};
use crate::plan::elsewhere::Sameness;
use crate::store::{Error, FolderScan, NewFolder, Relocation, Removal, ScanDepth};
use crate::verbs::opening::Names;
use crate::verbs::scans::scan_each;
use crate::verbs::way::{Way, is_broken};
use jiff::civil::Date;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How long a server is given to finish what it was doing when its connection broke.
const GRACE: Duration = Duration::from_secs(1);

/// What leaves one folder for the folder of the day.
struct Route {
    /// Whose messages: an index into what is doomed.
    doomed: usize,
    relocation: Relocation,
    /// The decoded name of the folder of the day.
    shown: String,
    /// From which UID on what is there has come now.
    uid_next: Option<u32>,
}

impl Copy<'_> {
    /// Moves what is doomed to the folders of the day. Gives the folders from which all of it is gone, in their order.
    pub(super) fn keep(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        day: Date,
        doomed: &[Doomed],
    ) -> Result<Vec<usize>, Error> {
        let mut routes = self.routes(way, names, day, doomed)?;
        note_next(way, &mut routes)?;
        self.relocate_to_kept(way, &routes)?;
        // What counts is what is seen: where messages are that were to leave.
        let left = still_there(way, &routes)?;
        let mut emptied: Vec<usize> = (0..doomed.len()).filter(|at| doomed[*at].uids.is_empty()).collect();
        for (route, left) in routes.iter().zip(left) {
            let of = &doomed[route.doomed];
            let kept: UidSet = of.uids.iter().filter(|uid| !left.contains(*uid)).collect();
            self.tell_kept(of, &route.shown, &kept);
            self.memory.removed(&of.mailbox, kept.len());
            if left.is_empty() {
                emptied.push(route.doomed);
            } else {
                let text = format!("{}: {} messages could not be moved to {}", of.folder, left.len(), route.shown);
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
        emptied.sort_unstable();
        Ok(emptied)
    }

    /// Tells each message that is kept, or would be.
    pub(super) fn tell_kept(&mut self, doomed: &Doomed, to: &str, kept: &UidSet) {
        for uid in kept.iter() {
            self.observer.observe(&Event::MessageKept { folder: &doomed.folder, uid, to });
        }
        self.summary.kept += kept.len();
    }

    /// Finds the folders of the day and makes those that are not there. A folder that can't be is a warning.
    fn routes(&self, way: &mut Way<'_>, names: &Names<'_>, day: Date, doomed: &[Doomed]) -> Result<Vec<Route>, Error> {
        let mut wanted: Vec<(usize, FolderName, Result<MailboxName, usize>)> = Vec::new();
        let mut new: Vec<NewFolder> = Vec::new();
        for (at, doomed) in doomed.iter().enumerate().filter(|(_, doomed)| !doomed.uids.is_empty()) {
            let Some(name) = name_of_day(day, &doomed.folder) else { continue };
            match place(names.target, &name) {
                Ok(TargetFolder::Existing(index)) => {
                    wanted.push((at, name, Ok(names.target.mailboxes[index].name.clone())));
                }
                Ok(TargetFolder::New { name: raw, fallbacks }) => {
                    wanted.push((at, name, Err(new.len())));
                    new.push(NewFolder { name: raw, fallbacks, role: None });
                }
                Err(reason) => self.warn_no_folder(&name, &reason),
            }
        }
        let created = if new.is_empty() { Vec::new() } else { way.repeatable(|link| link.target.create(&new))? };
        let mut routes = Vec::new();
        for (at, name, to) in wanted {
            let to = match to {
                Ok(to) => to,
                Err(at) => match &created[at] {
                    Ok(to) => to.clone(),
                    Err(refusal) => {
                        self.warn_no_folder(&name, &refusal.text);
                        continue;
                    }
                },
            };
            let Doomed { mailbox, uid_validity, uids, .. } = doomed[at].clone();
            let relocation = Relocation { from: mailbox, uid_validity, uids, to, leave: true };
            routes.push(Route { doomed: at, relocation, shown: name.to_string(), uid_next: None });
        }
        Ok(routes)
    }

    fn warn_no_folder(&self, name: &FolderName, reason: &str) {
        let text = format!("{name} can't be made, so what it was for stays where it is: {reason}");
        self.observer.observe(&Event::Warning { text: &text });
    }

    fn relocate_to_kept(&self, way: &mut Way<'_>, routes: &[Route]) -> Result<(), Error> {
        let relocations: Vec<Relocation> = routes.iter().map(|route| route.relocation.clone()).collect();
        match way.link()?.target.relocate(&relocations) {
            Ok(results) => {
                let behind = results.into_iter().map(|result| result.left_behind);
                remove(way, routes, behind.collect())?;
                Ok(())
            }
            Err(error) if is_broken(&error) && !way.context.stop.is_requested() => {
                way.end();
                std::thread::sleep(GRACE);
                self.relocate_rest(way, routes)
            }
            Err(error) => Err(error),
        }
    }

    /// After a break: removes what has arrived and is still where it was, and moves what has not arrived.
    fn relocate_rest(&self, way: &mut Way<'_>, routes: &[Route]) -> Result<(), Error> {
        let left = still_there(way, routes)?;
        let arrived = arrived(way, routes, &left)?;
        let rest: Vec<Relocation> = (routes.iter().zip(left).zip(&arrived))
            .map(|((route, left), arrived)| {
                let uids = left.iter().filter(|uid| !arrived.contains(*uid)).collect();
                Relocation { uids, ..route.relocation.clone() }
            })
            .filter(|relocation| !relocation.uids.is_empty())
            .collect();
        remove(way, routes, arrived)?;
        way.link()?.target.relocate(&rest)?;
        Ok(())
    }
}

/// The folder of the day for a folder of the target.
pub(super) fn name_of_day(day: Date, folder: &str) -> Option<FolderName> {
    Some(kept_name(day, &FolderName::parse(folder)?))
}

/// Notes from which UID on messages come into the folders of the day.
fn note_next(way: &mut Way<'_>, routes: &mut [Route]) -> Result<(), Error> {
    // Opening tells the number; of the messages nothing need be asked.
    let none = UidSet::from_iter(Uid::new(u32::MAX));
    let scans = way.repeatable(|link| {
        let asked = routes.iter().map(|route| (&route.relocation.to, Some(none.clone())));
        scan_each(link.target.as_mut(), ScanDepth::Sizes, asked)
    })?;
    for (route, scan) in routes.iter_mut().zip(scans) {
        route.uid_next = scan.ok().and_then(|scan| scan.uid_next);
    }
    Ok(())
}

/// Which of the messages that were to leave have not.
fn still_there(way: &mut Way<'_>, routes: &[Route]) -> Result<Vec<UidSet>, Error> {
    let scans = way.repeatable(|link| {
        let asked = routes.iter().map(|route| (&route.relocation.from, Some(route.relocation.uids.clone())));
        scan_each(link.target.as_mut(), ScanDepth::Sizes, asked)
    })?;
    let there = |(route, scan): (&Route, Result<FolderScan, _>)| match scan {
        Ok(scan) if scan.uid_validity == route.relocation.uid_validity => {
            scan.messages.iter().map(Message::uid).collect()
        }
        // Of a folder that can't be seen, or is another one now, nothing is known to have left.
        _ => route.relocation.uids.clone(),
    };
    Ok(routes.iter().zip(scans).map(there).collect())
}

/// Which of these messages have come to the folder of the day all the same: a server without MOVE copies first.
fn arrived(way: &mut Way<'_>, routes: &[Route], left: &[UidSet]) -> Result<Vec<UidSet>, Error> {
    let (here, there) = way.repeatable(|link| {
        let from = routes.iter().zip(left).map(|(route, left)| (&route.relocation.from, Some(left.clone())));
        let here = scan_each(link.target.as_mut(), ScanDepth::Identity, from)?;
        let new = |route: &Route| route.uid_next.and_then(Uid::new).map(UidSet::from_uid);
        let to = routes.iter().map(|route| (&route.relocation.to, new(route)));
        Ok((here, scan_each(link.target.as_mut(), ScanDepth::Identity, to)?))
    })?;
    let twins = |(here, there): (Result<FolderScan, _>, Result<FolderScan, _>)| {
        let mut count: HashMap<Sameness, u32> = HashMap::new();
        for same in there.iter().flat_map(|scan| &scan.messages).filter_map(Sameness::of) {
            *count.entry(same).or_default() += 1;
        }
        let mut take = |message: &&Message| {
            let left = Sameness::of(message).and_then(|same| count.get_mut(&same).filter(|left| **left > 0));
            left.map(|left| *left -= 1).is_some()
        };
        let scan: Result<FolderScan, crate::store::Refusal> = here;
        scan.iter().flat_map(|scan| &scan.messages).filter(&mut take).map(Message::uid).collect()
    };
    Ok(here.into_iter().zip(there).map(twins).collect())
}

/// Removes what is kept elsewhere by now.
fn remove(way: &mut Way<'_>, routes: &[Route], uids: Vec<UidSet>) -> Result<(), Error> {
    let mut removals: BTreeMap<usize, Removal> = BTreeMap::new();
    for (at, (route, uids)) in routes.iter().zip(uids).enumerate().filter(|(_, (_, uids))| !uids.is_empty()) {
        let Relocation { from, uid_validity, .. } = route.relocation.clone();
        removals.insert(at, Removal { mailbox: from, uid_validity, uids });
    }
    let removals: Vec<Removal> = removals.into_values().collect();
    if !removals.is_empty() {
        // What is refused is still seen where it was.
        way.repeatable(|link| link.target.remove(&removals))?;
    }
    Ok(())
}
