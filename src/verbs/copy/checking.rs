//! Looks at what the target made of the flags and dates that it may not keep: flags that the folder
//! does not list, dates before 1970 or after 2038. What it lacks of flags is set once more by
//! STORE; what it lacks then is said.
//!
//! Where a folder lists what it keeps and all dates are usual, as is mostly so, nothing is asked.

use super::Copy;
use crate::engine::flagging::{FlagChanges, FlagWork, change_flags_on};
use crate::engine::folders::FolderRef;
use crate::engine::kept::{LostDates, told_flags};
use crate::engine::scans::scan_again;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::Fate;
use crate::mail::{Flags, Message, Side, Uid, UidSet};
use crate::plan::FolderTask;
use crate::store::{Error, FlagEdit, FolderScan, ScanDepth};
use std::collections::BTreeMap;

/// What is looked at in one folder.
struct Look<'a> {
    task: &'a FolderTask,
    /// Messages with dates that not every server keeps, and their copies.
    dates: Vec<(Message, Uid)>,
    /// Doubtful flags by their set's index, and the copies that were sent with them.
    flags: BTreeMap<u32, (Flags, UidSet)>,
}

impl<'a> Look<'a> {
    /// What has to be looked at; `None`: nothing.
    fn new(task: &'a FolderTask, fates: &[Fate]) -> Option<Self> {
        let mut look = Self {
            task,
            dates: Vec::new(),
            flags: BTreeMap::new(),
        };
        let mut doubts: BTreeMap<u32, Flags> = BTreeMap::new();
        for (message, fate) in task.messages.iter().zip(fates) {
            let Some(uid) = fate.uid() else { continue };
            if LostDates::is_in_doubt(message) {
                look.dates.push((*message, uid));
            }
            let doubted = doubts.entry(message.flags()).or_insert_with(|| {
                let tried = task
                    .permanent_flags
                    .split(&task.flags.get(message.flags()))
                    .0;
                task.permanent_flags.doubts(&tried)
            });
            if !doubted.is_empty() {
                let doubted = &*doubted;
                let entry = look.flags.entry(message.flags());
                entry
                    .or_insert_with(|| (doubted.clone(), UidSet::default()))
                    .1
                    .insert(uid);
            }
        }
        (!look.dates.is_empty() || !look.flags.is_empty()).then_some(look)
    }

    /// The copies that are looked at: those with odd dates, and one of each set of flags.
    fn uids(&self) -> UidSet {
        let dates = self.dates.iter().map(|(_, uid)| *uid);
        dates
            .chain(
                self.flags
                    .values()
                    .filter_map(|(_, uids)| uids.iter().next()),
            )
            .collect()
    }

    /// The doubtful flags that the one that is looked at lacks, with all messages that were sent
    /// with them.
    fn lacking(&self, scan: &FolderScan) -> Vec<(Flags, UidSet)> {
        let lacks = |(doubted, uids): &(Flags, UidSet)| {
            let shown = scan.message(uids.iter().next()?)?;
            let lacks = doubted.minus(&scan.flags.get(shown.flags()));
            (!lacks.is_empty()).then(|| (lacks, uids.clone()))
        };
        self.flags.values().filter_map(lacks).collect()
    }
}

impl Copy<'_> {
    /// Sees to the flags and dates that the target may have lost of what was sent.
    pub(super) fn check_kept(&mut self, way: &mut Way<'_>, sent: &Sent) -> Result<(), Error> {
        let looks: Vec<Look<'_>> = sent
            .each()
            .filter_map(|(_, task, fates)| Look::new(task, fates))
            .collect();
        if looks.is_empty() {
            return Ok(());
        }
        let scans = look_at(way, &looks)?;
        let mut works = Vec::new();
        for (of, (look, scan)) in looks.iter().zip(&scans).enumerate() {
            let Some(scan) = scan else { continue };
            let mut lost = LostDates::default();
            for (message, uid) in &look.dates {
                scan.message(*uid)
                    .into_iter()
                    .for_each(|copy| lost.compare(message, copy));
            }
            self.tell(lost.told(&look.task.to, "target", "source"));
            let mut changes = FlagChanges::default();
            for (flags, uids) in look.lacking(scan) {
                changes.add_all(FlagEdit::Add, flags, &uids);
            }
            if !changes.is_empty() {
                works.push(FlagWork::new(of, &look.task.target, changes));
            }
        }
        if works.is_empty() {
            return Ok(());
        }
        // What the folders have afterwards says more than a refusal.
        change_flags_on(way, Side::TARGET, works)?;
        let again: Vec<Look<'_>> = looks
            .into_iter()
            .filter(|look| !look.flags.is_empty())
            .collect();
        let scans = look_at(way, &again)?;
        for (look, scan) in again.iter().zip(&scans) {
            let lacking = scan
                .as_ref()
                .map(|scan| look.lacking(scan))
                .unwrap_or_default();
            let flags = lacking
                .iter()
                .fold(Flags::default(), |all, (flags, _)| all.union(flags));
            self.tell((!flags.is_empty()).then(|| told_flags(&look.task.to, "target", &flags)));
        }
        Ok(())
    }

    fn tell(&self, warning: Option<String>) {
        if let Some(text) = warning {
            self.observer.observe(&Event::Warning { text: &text });
        }
    }
}

/// Scans what is to be looked at. `None`: the folder can't be read, or its UIDs mean something else
/// now.
fn look_at(way: &mut Way<'_>, looks: &[Look<'_>]) -> Result<Vec<Option<FolderScan>>, Error> {
    way.repeatable(|link| {
        let asked = looks
            .iter()
            .map(|Look { task, .. }| FolderRef::new(&task.target, task.target_uid_validity));
        let uids = looks.iter().map(|look| Some(look.uids()));
        scan_again(link.target.as_mut(), ScanDepth::Attributes, asked.zip(uids))
    })
}
