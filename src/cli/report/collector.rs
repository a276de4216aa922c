//! Collects from events what a report needs. Its memory grows with folders, never with messages.

use super::facts::{
    Capped, Change, Folder, FolderChange, Holdings, Planned, SideFacts, Throughput, Told,
};
use super::throughput::Meter;
use mailferry::event::{
    self, Difference, DifferenceKind, Event, Failure, FolderPlanned, Observer, RightsAction,
    SyncPlanned, SyncStep, YearSum,
};
use mailferry::locks::lock;
use mailferry::mail::{Both, Heading, Side, Uid};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// What was reported so far.
#[derive(Debug)]
pub(crate) struct Collected {
    started: Instant,
    pub(crate) sides: Both<SideFacts>,
    pub(crate) told: Told,
    /// The index of each folder, by its name on either side.
    places: Both<HashMap<String, usize>>,
    meter: Meter,
}

/// An observer of a whole run.
pub(crate) struct Collector {
    collected: Mutex<Collected>,
    /// Whether deletions are planned on the source (`--move`).
    empties_source: bool,
}

impl Collector {
    /// Returns an empty collector. `names` are those of the sides in the command.
    pub(crate) fn new(names: [&'static str; 2], empties_source: bool) -> Self {
        let collected = Collected {
            started: Instant::now(),
            sides: Both::new(names[0], names[1]).map(|name| SideFacts {
                name,
                address: None,
                server: None,
            }),
            told: Told::default(),
            places: Both::default(),
            meter: Meter::default(),
        };
        Self {
            collected: Mutex::new(collected),
            empties_source,
        }
    }

    /// Returns what was reported so far.
    pub(crate) fn collected(&self) -> MutexGuard<'_, Collected> {
        lock(&self.collected)
    }
}

impl Observer for Collector {
    fn observe(&self, event: &Event<'_>) {
        // There are thousands of these, and none matters to a report.
        if matches!(
            event,
            Event::Trace { .. } | Event::Sent { .. } | Event::Settled { .. }
        ) {
            return;
        }
        let mut collected = self.collected();
        match event {
            Event::FolderPlanned(plan) => collected.plan(plan, self.empties_source),
            event => collected.take(event),
        }
    }

    fn headings(&self) -> event::Headings {
        event::Headings::Everything
    }

    fn wants_holdings(&self) -> bool {
        true
    }
}

impl Collected {
    /// Returns the throughput over time.
    pub(crate) fn throughput(&self) -> Throughput {
        self.meter.throughput()
    }

    /// Returns the name of a side.
    pub(crate) fn name(&self, side: Side) -> &'static str {
        self.sides[side].name
    }

    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Connected { side, server, .. } => {
                self.sides[*side].server = Some((*server).to_owned());
            }
            Event::SyncPlanned(plan) => self.plan_sync(plan),
            Event::FolderPaired { from, to, reason } => {
                self.folder(Some(from), Some(to)).reason = (*reason).to_owned();
            }
            Event::FolderCreated { folder } => self.change_folder("create", folder, None),
            Event::FolderRenamed { from, to } => self.change_folder("rename", from, Some(to)),
            Event::FolderDeleted { folder } => self.change_folder("delete", folder, None),
            Event::Change(change) => self.change(change),
            Event::MessageCopied {
                to, folder, bytes, ..
            } => self.copied(*to, folder, *bytes),
            Event::MessageDeleted { side, folder, .. } => {
                self.named(*side, folder).done.deleted += 1;
            }
            Event::MessageKept { folder, .. } => self.named(Side::TARGET, folder).done.kept += 1,
            Event::MessageFailed {
                folder,
                uid,
                heading,
                reason,
                ..
            } => {
                self.fail(folder, Some(*uid), *heading, reason);
            }
            Event::FolderFailed { folder, reason } => self.fail(folder, None, None, reason),
            Event::Compared {
                messages, bytes, ..
            } => self.meter.note(self.started.elapsed(), *messages, *bytes),
            Event::Difference(found) => self.differ(found),
            Event::Holdings(holdings) => self.hold(holdings),
            Event::Rights(entry) if entry.action == RightsAction::Fail => {
                self.told.warnings.add(|| {
                    format!(
                        "{}: rights {} of {} not copied: {}",
                        entry.folder, entry.rights, entry.identifier, entry.reason
                    )
                });
            }
            Event::Warning { text } => self.told.warnings.add(|| (*text).to_owned()),
            Event::Retrying { .. } => self.told.reconnections += 1,
            _ => {}
        }
    }

    /// Returns the folder with these names; adds it if it is new.
    fn folder(&mut self, from: Option<&str>, to: Option<&str>) -> &mut Folder {
        let place = from.map_or_else(
            || to.and_then(|to| self.places.second.get(to)),
            |from| self.places.first.get(from),
        );
        let place = place.copied().unwrap_or_else(|| {
            let place = self.told.folders.len();
            self.told.folders.push(Folder::default());
            place
        });
        for (side, name) in Side::BOTH.into_iter().zip([from, to]) {
            if let Some(name) = name {
                // If two folders go to one, what is reported of that one belongs to the first.
                self.places[side].entry(name.to_owned()).or_insert(place);
            }
        }
        let folder = &mut self.told.folders[place];
        folder.from = from.map(str::to_owned).or(folder.from.take());
        folder.to = to.map(str::to_owned).or(folder.to.take());
        folder
    }

    /// Returns the folder with this name on a side.
    fn named(&mut self, side: Side, name: &str) -> &mut Folder {
        match (self.places[side].get(name).copied(), side) {
            (Some(place), _) => &mut self.told.folders[place],
            (None, Side::SOURCE) => self.folder(Some(name), None),
            (None, Side::TARGET) => self.folder(None, Some(name)),
        }
    }

    fn plan(&mut self, plan: &FolderPlanned<'_>, empties_source: bool) {
        let (source, target) = (self.name(Side::SOURCE), self.name(Side::TARGET));
        let folder = self.folder(Some(plan.from), Some(plan.to));
        plan.reason.clone_into(&mut folder.reason);
        (folder.messages, folder.already_there) = (Some(plan.messages), Some(plan.already_there));
        let on_target = Planned {
            on: target,
            create: plan.create,
            copy: plan.copy,
            server_side: plan.server_side,
            bytes: plan.bytes,
            flags: plan.flags,
            delete: if empties_source { 0 } else { plan.delete },
            keep: plan.keep,
            ..Planned::default()
        };
        folder.planned = vec![on_target];
        if empties_source {
            folder.planned.push(Planned {
                on: source,
                delete: plan.delete,
                ..Planned::default()
            });
        }
    }

    fn plan_sync(&mut self, plan: &SyncPlanned<'_>) {
        let planned = Side::BOTH.map(|side| {
            let SyncStep {
                create,
                copy,
                bytes,
                moved,
                flags,
                delete,
            } = plan.to[side];
            Planned {
                on: self.name(side),
                create,
                copy,
                bytes,
                moved,
                flags,
                delete,
                ..Planned::default()
            }
        });
        let folder = self.folder(Some(plan.first), Some(plan.second));
        folder.already_there = Some(plan.already_there);
        folder.planned = planned.into();
    }

    fn copied(&mut self, to: Side, name: &str, bytes: u64) {
        self.meter.note(self.started.elapsed(), 1, bytes);
        // What a side moved itself is reported with that side's folder name by two-way sync, with
        // the source's by a copy.
        let is_known = |side: Side| self.places[side].contains_key(name);
        let side = if bytes == 0 && is_known(to) && self.sides.first.name == "first" {
            to
        } else {
            to.other()
        };
        let done = &mut self.named(side, name).done;
        done.copied += 1;
        done.bytes += bytes;
        done.server_side += u64::from(bytes == 0);
    }

    fn change_folder(&mut self, action: &'static str, folder: &str, to: Option<&str>) {
        let to = to.map(str::to_owned);
        self.told.folder_changes.add(|| FolderChange {
            action,
            folder: folder.to_owned(),
            to,
        });
    }

    fn change(&mut self, change: &event::Change<'_>) {
        let to = self.name(change.to);
        let list = if change.conflict {
            &mut self.told.conflicts
        } else {
            &mut self.told.changes
        };
        list.add(|| Change {
            action: change.action,
            to,
            folder: change.folder.to_owned(),
            uid: change.uid,
            detail: change.detail.to_owned(),
            reason: change.reason,
            first_did: change.contradiction.map(|both| both.first),
            second_did: change.contradiction.map(|both| both.second),
            settled: change.contradiction.map(|both| both.settled),
            heading: change.heading.cloned(),
        });
    }

    fn fail(&mut self, folder: &str, uid: Option<Uid>, heading: Option<&Heading>, reason: &str) {
        let side = if self.places.first.contains_key(folder) {
            Side::SOURCE
        } else {
            Side::TARGET
        };
        let known = self.places[side].contains_key(folder);
        let entry = if known {
            self.named(side, folder)
        } else {
            self.named(Side::SOURCE, folder)
        };
        match uid {
            Some(_) => entry.failed += 1,
            None => entry.error = Some(reason.to_owned()),
        }
        self.told
            .failures
            .add(|| Failure::new(folder, uid, heading, reason));
    }

    fn differ(&mut self, found: &Difference) {
        let side = if found.kind == DifferenceKind::Extra {
            Side::TARGET
        } else {
            Side::SOURCE
        };
        self.named(side, &found.folder)
            .differences
            .count(found.kind, found.messages);
        self.told.differences.add(|| found.clone());
    }

    fn hold(&mut self, told: &event::Holdings<'_>) {
        let side = self.name(told.side);
        let mut years: BTreeMap<Option<i16>, YearSum> = BTreeMap::new();
        for one in told.folders.iter().flat_map(|folder| &folder.years) {
            let sum = years.entry(one.year).or_insert(YearSum {
                year: one.year,
                ..YearSum::default()
            });
            sum.messages += one.messages;
            sum.bytes += one.bytes;
        }
        // A new plan replaces the old one.
        self.told.holdings.retain(|before| before.side != side);
        self.told.holdings.push(Holdings {
            side,
            folders: told.folders.to_vec(),
            years: years.into_values().collect(),
            largest: told.largest.to_vec(),
            duplicates: Capped {
                listed: told.duplicates.to_vec(),
                more: told.more_duplicates,
            },
        });
        if told.side == Side::SOURCE && self.sides.first.name == "source" {
            for folder in told.folders {
                self.named(Side::SOURCE, &folder.folder).messages = Some(folder.messages);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(collector: &Collector, to: Side, folder: &str, bytes: u64) {
        let uid = Uid::new(1).unwrap();
        collector.observe(&Event::MessageCopied {
            to,
            place: None,
            folder,
            uid,
            bytes,
        });
    }

    /// Returns what was done in each folder: its name on the first side, copied, of these
    /// server-side, deleted.
    fn done(collector: &Collector) -> Vec<(String, u64, u64, u64)> {
        let of = |folder: &Folder| {
            let name = folder.from.clone().unwrap_or_default();
            (
                name,
                folder.done.copied,
                folder.done.server_side,
                folder.done.deleted,
            )
        };
        collector.collected().told.folders.iter().map(of).collect()
    }

    #[test]
    fn a_sync_counts_by_the_source_sides_folder_names() {
        let collector = Collector::new(["first", "second"], false);
        // Each name belongs to a different folder on the other side.
        for (first, second) in [("A", "B"), ("B", "A")] {
            collector.observe(&Event::SyncPlanned(SyncPlanned {
                first,
                second,
                ..SyncPlanned::default()
            }));
        }
        copied(&collector, Side::TARGET, "A", 10);
        copied(&collector, Side::SOURCE, "A", 10);
        copied(&collector, Side::SOURCE, "A", 10);
        // Moved on the second side, into its A.
        copied(&collector, Side::TARGET, "A", 0);
        let uid = Uid::new(1).unwrap();
        collector.observe(&Event::MessageDeleted {
            side: Side::TARGET,
            folder: "B",
            uid,
            heading: None,
        });
        assert_eq!(
            done(&collector),
            [("A".to_owned(), 1, 0, 1), ("B".to_owned(), 3, 1, 0)]
        );
    }

    #[test]
    fn a_copy_counts_by_the_sources_names() {
        let collector = Collector::new(["source", "target"], false);
        for from in ["A", "B"] {
            collector.observe(&Event::FolderPaired {
                from,
                to: "B",
                reason: "",
            });
        }
        copied(&collector, Side::TARGET, "B", 10);
        copied(&collector, Side::TARGET, "B", 0);
        assert_eq!(
            done(&collector),
            [("A".to_owned(), 0, 0, 0), ("B".to_owned(), 2, 1, 0)]
        );
    }

    #[test]
    fn a_failure_of_an_unknown_folder_has_a_place() {
        let collector = Collector::new(["source", "target"], false);
        collector.observe(&Event::FolderFailed {
            folder: "unknown",
            reason: "gone",
        });
        let collected = collector.collected();
        assert_eq!(collected.told.folders[0].error.as_deref(), Some("gone"));
        assert_eq!(collected.told.failures.listed[0].uid, None);
    }
}
