//! What is told: in a dry run each change with the side that it comes from and why; conflicts,
//! refusals and brakes always.

use super::conflicts::contradiction;
use super::{Sync, Work};
use crate::engine::deleting::{told_braked, told_departures};
use crate::event::{Change, Event, Headings, Place};
use crate::exec::Link;
use crate::folders::FolderName;
use crate::mail::{Both, MailboxName, Message, Side, Uid};
use crate::plan::merge::{Fate, FlagMerge, Left, Move, Row};
use crate::state::TwoWayRefused;
use crate::verbs::headings::Wanted;

/// So many changes of a dry run wait until the headings of their messages are read together.
const MOST_UNTOLD: usize = 10_000;

/// A change that is still to be told.
pub(super) struct Untold {
    action: &'static str,
    side: Side,
    folder: Box<str>,
    /// The folder's work, and the UID.
    message: Option<(usize, Uid)>,
    detail: Box<str>,
    row: Row,
}

impl Untold {
    /// A change of a folder.
    fn new(action: &'static str, side: Side, folder: &str, row: Row) -> Self {
        Self {
            action,
            side,
            folder: folder.into(),
            message: None,
            detail: "".into(),
            row,
        }
    }

    /// The same of a message in this folder's work, if it is known which.
    fn of(self, at: usize, uid: Option<Uid>) -> Self {
        Self {
            message: uid.map(|uid| (at, uid)),
            ..self
        }
    }

    fn with(self, detail: &str) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    /// Where the message is: of one that is copied, on the other side.
    fn place<'w>(&self, works: &'w [Work]) -> Option<(Side, &'w MailboxName, Uid)> {
        let (at, uid) = self.message?;
        let side = if self.action == "copy" {
            self.side.other()
        } else {
            self.side
        };
        Some((side, works.get(at)?.raw[side].as_ref()?, uid))
    }
}

impl Sync<'_> {
    /// Says which folders are left alone, and which messages could not be told apart.
    pub(super) fn tell_refused(&mut self) {
        let mut refused: Vec<(String, String)> = Vec::new();
        for work in &self.works {
            if let Some((row, side)) = work.refused() {
                refused.push((
                    work.name(side),
                    format!(
                        "skipped because of the {}: {}",
                        side.ordinal(),
                        row.sentence()
                    ),
                ));
            }
        }
        let is_told = |name: &FolderName| self.listed.undenied.contains(&name.key());
        let is_left = |row: Row| matches!(row, Row::Emptied | Row::Unlisted);
        for left in self
            .folders
            .left
            .iter()
            .filter(|left| is_left(left.row) && !is_told(&left.name))
        {
            refused.push((
                left.name.to_string(),
                format!("skipped: {}", left.row.sentence()),
            ));
        }
        for (name, reason) in refused {
            self.fail_folder(&name, &reason);
        }
        for at in 0..self.works.len() {
            self.count(at);
        }
        let held: u64 = self.works.iter().map(|work| work.merge.held_back()).sum();
        let folders = self
            .folders
            .left
            .iter()
            .filter(|left| left.row == Row::OneWay)
            .count();
        self.summary.held_back = held + folders as u64;
    }

    fn count(&mut self, at: usize) {
        let work = &self.works[at];
        let there = work.already_there();
        let mut failed = Vec::new();
        for side in Side::BOTH {
            for left in &work.merge.left[side] {
                if let Some((message, reason)) = work
                    .message(side, left.index)
                    .zip(work.why_failed(side, left))
                {
                    failed.push((side, work.name(side), message.uid(), reason));
                }
            }
        }
        self.summary.already_there += there;
        self.summary.failed += failed.len() as u64;
        for (side, folder, uid, reason) in failed {
            let work = &self.works[at];
            let uid_validity = work.state[side].counters.uid_validity;
            let place = work.raw[side].as_ref().map(|mailbox| Place {
                side,
                mailbox,
                uid_validity,
            });
            self.observer.observe(&Event::MessageFailed {
                place,
                folder: &folder,
                uid,
                heading: None,
                reason: &reason,
            });
        }
    }

    /// Says on which side more would be deleted than is allowed.
    pub(super) fn tell_brakes(&self) {
        for side in Side::BOTH {
            let verdict = &self.verdicts[side];
            if !verdict.stops() {
                continue;
            }
            let names: Vec<String> = verdict
                .folders
                .iter()
                .map(|at| self.works[*at].name(side))
                .collect();
            let names = if names.is_empty() {
                String::new()
            } else {
                format!(" (too many in {})", names.join(", "))
            };
            let limit = self.options.policy.limits[side];
            self.warn(&told_braked(side.ordinal(), verdict, limit, &names));
        }
    }

    /// Says which messages stay because they may have been moved to folders that could not be read,
    /// by the side that keeps them.
    pub(super) fn tell_held_departures(&self, held: &Both<Vec<u64>>, hiding: &Both<Vec<String>>) {
        for side in Side::BOTH {
            for (work, count) in self
                .works
                .iter()
                .zip(&held[side])
                .filter(|(_, count)| **count > 0)
            {
                let (folder, unread) = (work.name(side), &hiding[side.other()]);
                self.warn(&told_departures(
                    &folder,
                    side,
                    Side::ORDINALS,
                    *count,
                    unread,
                ));
            }
        }
    }

    /// A dry run: each change, and the numbers.
    pub(super) fn foresee(&mut self, link: &mut Link) {
        for side in Side::BOTH {
            self.foresee_folders(side);
        }
        for at in 0..self.works.len() {
            if self.works[at].rests() {
                continue;
            }
            for side in Side::BOTH {
                self.foresee_messages(at, side);
            }
            self.foresee_flags(at);
            if self.untold.len() > MOST_UNTOLD {
                self.tell_all(link);
            }
        }
        for moved in self.moves.clone() {
            self.way(moved.side).moved += 1;
            self.tell_move(&moved);
            self.count_flags(&moved.flags);
        }
        self.tell_all(link);
    }

    fn foresee_folders(&mut self, side: Side) {
        for rename in self.folders.renames[side].clone() {
            self.way(side).folders_renamed += 1;
            let (from, to) = (rename.from.to_string(), rename.to.to_string());
            self.tell(Untold::new("rename_folder", side, &from, rename.row).with(&to));
        }
        for at in 0..self.works.len() {
            let name = self.works[at].name(side);
            if self.is_wanted(at, side) {
                let row = self.works[at].new[side].unwrap_or(Row::FolderDeletedAndChanged);
                self.way(side).folders_created += 1;
                self.tell(Untold::new("create_folder", side, &name, row));
            }
            if self.works[at].fate(at, &self.moves) == Some(Fate::Deleted(side)) {
                self.way(side).folders_deleted += 1;
                self.tell(Untold::new(
                    "delete_folder",
                    side,
                    &name,
                    Row::FolderDeleted,
                ));
            }
        }
        for change in self.folders.subscriptions[side].clone() {
            let action = if change.subscribed {
                "subscribe"
            } else {
                "unsubscribe"
            };
            self.way(side).subscriptions += 1;
            self.tell(Untold::new(
                action,
                side,
                &change.name.to_string(),
                Row::Subscription,
            ));
        }
    }

    fn foresee_messages(&mut self, at: usize, side: Side) {
        let work = &self.works[at];
        let name = work.name(side);
        let incoming: Vec<(Uid, u32, bool, Row)> = work.merge.incoming[side]
            .iter()
            .filter_map(|incoming| {
                let message = work.message(side.other(), incoming.from)?;
                Some((
                    message.uid(),
                    message.size(),
                    self.is_shared(at, side, message.uid()),
                    incoming.row,
                ))
            })
            .collect();
        let deletions: Vec<(Uid, Row)> = work.merge.deletions[side]
            .iter()
            .filter_map(|deletion| Some((work.message(side, deletion.index)?.uid(), deletion.row)))
            .collect();
        for (uid, size, is_shared, row) in incoming {
            let way = self.way(side);
            way.copied += 1;
            way.copied_server_side += u64::from(is_shared);
            way.bytes_copied += if is_shared { 0 } else { u64::from(size) };
            self.tell(Untold::new("copy", side, &name, row).of(at, Some(uid)));
        }
        for (uid, row) in deletions {
            self.way(side).deleted += 1;
            self.tell(Untold::new("delete", side, &name, row).of(at, Some(uid)));
        }
    }

    fn foresee_flags(&mut self, at: usize) {
        let work = &self.works[at];
        let agreements = work
            .merge
            .agreements
            .iter()
            .map(|found| (found.messages, found.flags, Row::FlagsChanged));
        let joined = work
            .merge
            .joined
            .iter()
            .map(|found| (found.messages, found.flags, Row::FlagsJoined));
        let found: Vec<(Both<Option<Uid>>, FlagMerge, Row)> = agreements
            .chain(joined)
            .map(|(messages, flags, row)| {
                let uids = Both::of(|side| work.message(side, messages[side]).map(Message::uid));
                (uids, work.merge.flags.get(flags), row)
            })
            .collect();
        for (uids, flags, row) in found {
            for side in Side::BOTH {
                let name = self.works[at].name(side);
                let (add, remove) = (&flags.add[side], &flags.remove[side]);
                let signed = |sign: &str, flags: &crate::mail::Flags| {
                    flags
                        .names()
                        .map(|name| format!("{sign}{name}"))
                        .collect::<Vec<_>>()
                };
                let detail = [signed("+", add), signed("-", remove)].concat().join(" ");
                if !detail.is_empty() {
                    self.tell(
                        Untold::new("flags", side, &name, row)
                            .of(at, uids[side])
                            .with(&detail),
                    );
                }
            }
            self.count_flags(&flags);
        }
    }

    fn count_flags(&mut self, flags: &FlagMerge) {
        for side in Side::BOTH {
            if !flags.add[side].is_empty() || !flags.remove[side].is_empty() {
                self.way(side).flags_updated += 1;
            }
        }
    }

    /// Before anything is done: what the two sides contradict each other about.
    pub(super) fn tell_conflicts(&mut self) {
        for side in Side::BOTH {
            for rename in self.folders.renames[side]
                .clone()
                .iter()
                .filter(|rename| rename.row.is_conflict())
            {
                let (from, to) = (rename.from.to_string(), rename.to.to_string());
                self.tell(Untold::new("rename_folder", side, &from, rename.row).with(&to));
            }
        }
        for at in 0..self.works.len() {
            for side in Side::BOTH {
                let work = &self.works[at];
                if work.rests() {
                    continue;
                }
                let name = work.name(side);
                for (action, uid, row) in work.conflicts(side) {
                    self.tell(Untold::new(action, side, &name, row).of(at, Some(uid)));
                }
            }
        }
        for moved in self
            .moves
            .clone()
            .iter()
            .filter(|moved| moved.row.is_conflict())
        {
            self.tell_move(moved);
        }
    }

    fn tell_move(&mut self, moved: &Move) {
        let Move {
            side,
            from,
            index,
            to,
            row,
            ..
        } = *moved;
        let uid = self.works[from].message(side, index).map(Message::uid);
        let (name, to) = (self.works[from].name(side), self.works[to].name(side));
        self.tell(
            Untold::new("move", side, &name, row)
                .of(from, uid)
                .with(&to),
        );
    }

    /// Notes a change that is to be told.
    fn tell(&mut self, change: Untold) {
        self.way(change.side).conflicts += u64::from(change.row.is_conflict());
        self.untold.push(change);
    }

    /// Tells what was noted, with what people know the messages by that somebody lists.
    pub(super) fn tell_all(&mut self, link: &mut Link) {
        let untold = std::mem::take(&mut self.untold);
        let listed = self.observer.headings();
        let mut wanted: Both<Wanted> = Both::default();
        for one in &untold {
            let is_pressing = one.row.is_conflict() || one.action == "delete";
            let least = if is_pressing {
                Headings::Pressing
            } else {
                Headings::Everything
            };
            if let Some((side, mailbox, uid)) = one.place(&self.works).filter(|_| listed >= least) {
                wanted[side].add(mailbox, uid);
            }
        }
        let Both { first, second } = wanted;
        let headings = Both::new(
            first.read(link.side(Side::First)),
            second.read(link.side(Side::Second)),
        );
        for one in &untold {
            let heading = one
                .place(&self.works)
                .and_then(|(side, mailbox, uid)| headings[side].get(mailbox, uid));
            let Untold {
                action, side, row, ..
            } = *one;
            self.observer.observe(&Event::Change(Change {
                action,
                to: side,
                folder: &one.folder,
                uid: one.message.map(|(_, uid)| uid),
                detail: &one.detail,
                reason: row.sentence(),
                conflict: row.is_conflict(),
                contradiction: contradiction(row, action, side),
                heading,
            }));
        }
    }
}

impl Work {
    /// What is copied to a side and deleted on it because both contradict each other.
    fn conflicts(&self, side: Side) -> Vec<(&'static str, Uid, Row)> {
        let copies = self.merge.incoming[side].iter().filter_map(|incoming| {
            Some((
                "copy",
                self.message(side.other(), incoming.from)?.uid(),
                incoming.row,
            ))
        });
        let deletions = self.merge.deletions[side].iter().filter_map(|deletion| {
            Some((
                "delete",
                self.message(side, deletion.index)?.uid(),
                deletion.row,
            ))
        });
        copies
            .chain(deletions)
            .filter(|(.., row)| row.is_conflict())
            .collect()
    }

    /// Why a message that is left alone counts as failed; `None`: it does not.
    fn why_failed(&self, side: Side, left: &Left) -> Option<String> {
        match left.row {
            Row::Undecided => Some(left.row.sentence().to_owned()),
            Row::Refused => {
                let uid = self.message(side, left.index)?.uid();
                let of_it = |refused: &&TwoWayRefused| refused.uid == uid && refused.side == side;
                let reason = self
                    .refused_before
                    .iter()
                    .find(of_it)
                    .map_or("", |refused| &refused.reason);
                let other = side.other().ordinal();
                Some(format!(
                    "the {other} refused it in an earlier run: {reason}; retry with --retry-refused"
                ))
            }
            _ => None,
        }
    }
}
