//! Carries out what was decided, step by step: folders, the intent, moves, flags, copies in both
//! directions, their proof, deletions, folders that go, and at last the checkpoint.

use super::memory::{changed, pair_record};
use super::{Sync, Work};
use crate::engine::way::{self, Way};
use crate::exec::{Context, Link};
use crate::mail::{Both, Message, Side};
use crate::plan::merge::{PairState, Prints, Row};
use crate::state::{TwoWayChange, TwoWayFolder, TwoWayRefused, TwoWaySide};
use crate::store::Error;
use crate::verbs::Status;

impl Sync<'_> {
    pub(super) fn carry_out(&mut self, link: Link, context: &Context<'_>) {
        let (traffic, failure) = way::carry_out(context, link, |way| self.steps(way));
        self.summary.traffic += traffic;
        if let Some(error) = failure {
            self.summary.status = Status::Stopped(error);
        }
    }

    fn steps(&mut self, way: &mut Way<'_>) -> Result<(), Error> {
        self.tell_conflicts();
        if !self.untold.is_empty() {
            self.tell_all(way.link()?);
        }
        self.rename_folders(way)?;
        self.create_folders(way)?;
        self.subscribe(way)?;
        self.begin_folders()?;
        self.move_messages(way)?;
        self.change_flags(way)?;
        self.take_marks_off(way)?;
        if way.context.stop.is_requested() {
            return Ok(());
        }
        let sent = self.copy(way)?;
        if way.context.stop.is_requested() {
            return Ok(());
        }
        let unproven = self.prove(way, &sent)?;
        self.delete_messages(way, &sent, &unproven)?;
        self.look_for_strays(way)?;
        self.delete_folders(way)?;
        self.end_folders()
    }

    /// Records, on the disk, that something is about to be done in folders, and what is known of
    /// them already.
    fn begin_folders(&mut self) -> Result<(), Error> {
        let moving: Vec<usize> = self
            .moves
            .iter()
            .flat_map(|moved| [moved.from, moved.to])
            .collect();
        let mut changes = Vec::new();
        for (at, subscribed) in self.subscribed().into_iter().enumerate() {
            let work = &self.works[at];
            if work.rests() || !work.is_on_both() && work.record.is_none() {
                continue;
            }
            let is_void = work.base.as_ref().is_some_and(|base| {
                !base.pairs().is_empty() && work.merge.dropped.len() == base.pairs().len()
            });
            let is_idle = work.merge.is_quiet()
                && !work.merge.changes_base()
                && !moving.contains(&at)
                && !is_void;
            if work.is_on_both() && (!is_idle || work.record.is_none()) {
                let folder = work.folder_record(subscribed, true);
                match (work.record, self.memory.two_way) {
                    (Some(id), _) => changes.push(TwoWayChange::Folder(id, Box::new(folder))),
                    (None, Some(state)) => self.works[at].record = Some(state.create(&folder)?),
                    (None, None) => {}
                }
            }
            self.works[at].record_base(&mut changes);
            self.works[at].record_refused(&mut changes);
        }
        self.memory.write(&changes, true)
    }

    /// Records how folders stood, where all was done in them.
    fn end_folders(&mut self) -> Result<(), Error> {
        let mut changes = Vec::new();
        for (at, subscribed) in self.subscribed().into_iter().enumerate() {
            let work = &self.works[at];
            let Some(id) = work.record else { continue };
            if work.raw.all(Option::is_none) && work.pair.seen.all(Option::is_none) {
                changes.push(TwoWayChange::Forget(id));
            } else if work.is_on_both()
                && !work.open
                && !work.unread
                && work.merge.refused.is_none()
            {
                let folder = if work.in_step {
                    work.stored.clone().map(|stored| TwoWayFolder {
                        subscribed,
                        ..stored
                    })
                } else {
                    Some(work.concluded(subscribed))
                };
                let is_new = |folder: &TwoWayFolder| {
                    work.stored.as_ref() != Some(folder) || work.was_begun()
                };
                if let Some(folder) = folder.filter(is_new) {
                    changes.push(TwoWayChange::Folder(id, Box::new(folder)));
                }
            }
        }
        self.memory.write(&changes, false)
    }
}

impl Work {
    /// Whether it may be recorded as unfinished.
    fn was_begun(&self) -> bool {
        !self.in_step
    }

    /// The record of a folder that is on both sides.
    fn folder_record(&self, subscribed: bool, unfinished: bool) -> TwoWayFolder {
        let side = |side: Side| {
            let state = &self.state[side];
            // A folder that could not be renamed is known by its old names, so that it is renamed
            // by the next run.
            let old = self
                .stored
                .as_ref()
                .map(|stored| &stored.sides[side])
                .filter(|_| self.keeps_name());
            TwoWaySide {
                name: old.map_or_else(
                    || {
                        self.raw[side]
                            .clone()
                            .unwrap_or_else(|| crate::mail::MailboxName::new(Vec::new()))
                    },
                    |old| old.name.clone(),
                ),
                path: old.map_or_else(|| self.pair.names[side].to_string(), |old| old.path.clone()),
                mailbox_id: state.mailbox_id.clone(),
                counters: state.counters,
            }
        };
        TwoWayFolder {
            sides: Both::of(side),
            subscribed,
            unfinished,
        }
    }

    /// The record of a folder in which everything was done that may be done now. Where something is
    /// held back, its marks let the next run find that again: without HIGHESTMODSEQ it looks at all
    /// flags, and what has come since the marks before still counts as new.
    fn concluded(&self, subscribed: bool) -> TwoWayFolder {
        let mut folder = self.folder_record(subscribed, false);
        if self.merge.held_back() > 0 {
            for at in Side::BOTH {
                let side = &mut folder.sides[at];
                side.counters.mod_seq = None;
                let before = self
                    .stored
                    .as_ref()
                    .filter(|stored| !stored.unfinished)
                    .map(|stored| &stored.sides[at]);
                if let Some(before) = before
                    .filter(|before| before.counters.uid_validity == side.counters.uid_validity)
                {
                    side.counters.uid_next = before.counters.uid_next;
                }
            }
        }
        folder
    }

    fn keeps_name(&self) -> bool {
        self.misnamed || self.pair.names.first.key() != self.pair.names.second.key()
    }

    /// What becomes of the base before anything is done: what says nothing any more, what waits,
    /// what is known better, and pairs for which nothing has to be done.
    fn record_base(&self, changes: &mut Vec<TwoWayChange>) {
        let Some(id) = self.record else { return };
        let merge = &self.merge;
        if let Some(base) = &self.base {
            let pair = |at: u32| base.pairs().get(at as usize);
            for dropped in merge
                .dropped
                .iter()
                .filter_map(|dropped| pair(dropped.pair))
            {
                changes.push(TwoWayChange::Unpair(id, dropped.uids()));
            }
            for learned in &merge.learned {
                if let Some(of) = pair(learned.pair) {
                    changes.push(TwoWayChange::Pair(
                        id,
                        Box::new(changed(base, of, of.state(), learned.prints)),
                    ));
                }
            }
            for pending in &merge.pending {
                if let Some(of) = pair(pending.pair) {
                    let state = PairState::DeletedOn(pending.deleted_on);
                    changes.push(TwoWayChange::Pair(
                        id,
                        Box::new(changed(base, of, state, of.prints())),
                    ));
                }
            }
        }
        for joined in &merge.joined {
            let flags = merge.flags.get(joined.flags);
            if flags.is_quiet() {
                let messages = Both::of(|side| self.message(side, joined.messages[side]));
                if let Both {
                    first: Some(first),
                    second: Some(second),
                } = messages
                {
                    let uids = Both::new(first.uid(), second.uid());
                    let prints = Prints::of(Both::new(Some(first), Some(second)));
                    let pair = pair_record(uids, &flags.agreed, prints, PairState::Settled);
                    changes.push(TwoWayChange::Pair(id, Box::new(pair)));
                }
            }
        }
    }

    /// Forgets refusals of messages that are not left alone for them: gone, told apart no more, or
    /// tried again now.
    fn record_refused(&self, changes: &mut Vec<TwoWayChange>) {
        let Some(id) = self.record else { return };
        for TwoWayRefused { side, uid, .. } in &self.refused_before {
            let left = self.merge.left[*side]
                .iter()
                .filter(|left| left.row == Row::Refused);
            if !left
                .filter_map(|left| self.message(*side, left.index))
                .any(|message| message.uid() == *uid)
            {
                changes.push(TwoWayChange::Unrefuse(id, *side, *uid));
            }
        }
    }

    /// A message of a side's view.
    pub(super) fn message(&self, side: Side, index: u32) -> Option<&Message> {
        self.views[side].messages().get(index as usize)
    }
}
