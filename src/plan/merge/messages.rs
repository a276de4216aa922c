//! Merges the messages in one folder: what each side gets, loses and leaves alone.
//!
//! For a pair in the base, if its UIDs still belong to the same mail:
//!
//! | first | second | what is done | row |
//! |---|---|---|---|
//! | there | there | flags are merged | 1, 2, 4, 7 |
//! | gone | gone | the pair is dropped | 6 |
//! | gone | there | deleted on the second | – |
//! | gone | there, flags changed | deleted on the second, listed; `--prefer` may restore it | 5 |
//! | folder gone | there | deleted on the second | 13 |
//! | folder gone | there, flags changed, or the folder is kept | restored on the first | 14 |
//! | gone | hidden, or not shown by the server | left alone, and the pair stays | 22 |
//! | deleted before | there, could not be deleted | retried, never copied back | 34 |
//!
//! For all other messages, which are matched by header, date, size and content:
//!
//! | first | second | what is done | row |
//! |---|---|---|---|
//! | there | there, the same | paired, flags joined, nothing sent | 3, 16, 20, 21, 23–26, 30 |
//! | there | – | copied to the second | – |
//! | there, refused by the second before | – | left alone | 32 |
//!
//! If the base is void ([`trust`](super::trust)), all messages are of the second kind, so nothing
//! is deleted. Time O(n log n); memory: two bytes per message and the result, and another 40 bytes
//! for each unpaired message.

use super::actions::{
    Agreement, Deletion, Dropped, FolderMerge, Incoming, Joined, Learned, Left, Pending, Vanished,
};
use super::flags::{FlagState, merge_flags};
use super::trust::{Doubts, Trust, doubts, trust};
use super::view::Presence;
use super::{BaseFolder, BasePair, Extent, Folder, PairState, Policy, Row};
use crate::mail::{Both, Message, Side, Uid};
use crate::plan::{Matching, Settled, Tie, join_folders};

/// Merges the messages in one folder. If there are [`FolderMerge::ties`], [`FolderMerge::settle`]
/// continues.
pub fn merge_messages(folder: &Folder<'_>, policy: &Policy) -> FolderMerge {
    let mut merger = Merger::new(folder, policy, FolderMerge::default());
    match trust(folder, merger.doubts, policy) {
        Trust::Refused(refusal) => merger.merge.refuse(refusal.row, refusal.side),
        Trust::Holds => {
            merger.go_through_pairs();
            merger.join([Row::FoundOnBoth, Row::NewMail]);
        }
        Trust::Void(row) => {
            merger.give_up_pairs(row);
            merger.join([row, row]);
        }
    }
    merger.merge
}

impl FolderMerge {
    /// Continues with what content has decided, for all ties at once. The folder and the policy
    /// must be the same as before.
    pub fn settle(&mut self, folder: &Folder<'_>, policy: &Policy, settled: Vec<Settled>) {
        let rows = self.rows.unwrap_or([Row::FoundOnBoth, Row::NewMail]);
        self.ties.clear();
        let mut merger = Merger::new(folder, policy, std::mem::take(self));
        for Settled {
            pairs,
            missing,
            extra,
            doubtful,
            ..
        } in settled
        {
            merger.take_up(pairs, missing, extra, rows);
            merger.leave(Side::First, doubtful.source, Row::Undecided);
            merger.leave(Side::Second, doubtful.target, Row::Undecided);
        }
        *self = merger.merge;
        for side in Side::BOTH {
            self.incoming[side].sort_unstable_by_key(|incoming| incoming.from);
        }
    }
}

/// One folder while it is being merged.
struct Merger<'a> {
    folder: &'a Folder<'a>,
    policy: &'a Policy,
    doubts: Doubts,
    /// Whether everything new on a side is in its view; computed only if a view is capped.
    shows_all_new: Both<bool>,
    merge: FolderMerge,
    /// The messages that the base accounts for.
    taken: Both<Vec<bool>>,
}

impl<'a> Merger<'a> {
    fn new(folder: &'a Folder<'a>, policy: &'a Policy, merge: FolderMerge) -> Self {
        let taken = Both::of(|side| vec![false; folder.views[side].messages().len()]);
        let is_capped = |side: Side| folder.views[side].extent() == Extent::Capped;
        let shows_all_new = Both::of(|side| is_capped(side) && shows_all_new(folder, side));
        Self {
            folder,
            policy,
            doubts: doubts(folder),
            shows_all_new,
            merge,
            taken,
        }
    }
}

/// The base.
impl Merger<'_> {
    fn go_through_pairs(&mut self) {
        let Some(base) = self.folder.base else { return };
        for (pair, record) in (0..).zip(base.pairs()) {
            let seen = Both::of(|side| self.presence(record, side));
            for side in Side::BOTH {
                if let Presence::Here(index) = seen[side] {
                    self.account_for(side, index);
                }
            }
            match record.state {
                PairState::DeletedOn(side) => {
                    self.try_deletion_again(pair, side, seen[side.other()]);
                }
                PairState::Settled => self.merge_pair(base, pair, record, seen),
            }
        }
        for side in Side::BOTH {
            self.leave_refused(base, side);
        }
    }

    fn presence(&self, record: &BasePair, side: Side) -> Presence {
        if record.is_on(side) {
            self.folder.views[side].presence(record.uids[side])
        } else {
            Presence::Gone
        }
    }

    /// Notes that the base knows this message.
    fn account_for(&mut self, side: Side, index: u32) {
        if let Some(taken) = self.taken[side].get_mut(index as usize) {
            *taken = true;
        }
    }

    fn merge_pair(
        &mut self,
        base: &BaseFolder,
        pair: u32,
        record: &BasePair,
        seen: Both<Presence>,
    ) {
        use Presence::{Gone, Here, Unseen};
        match (seen.first, seen.second) {
            (Here(first), Here(second)) => self.agree(base, pair, record, Both::new(first, second)),
            (Gone, Gone) => {
                self.merge.vanished.push(Vanished { pair, here: None });
                self.merge.dropped.push(Dropped {
                    pair,
                    row: Row::DeletedOnBoth,
                });
            }
            (Gone, Here(index)) => self.delete(base, pair, record, Side::Second, index),
            (Here(index), Gone) => self.delete(base, pair, record, Side::First, index),
            (Here(index), Unseen) => {
                self.leave(Side::First, vec![index], self.why_unseen(Side::Second));
            }
            (Unseen, Here(index)) => {
                self.leave(Side::Second, vec![index], self.why_unseen(Side::First));
            }
            (Unseen, Gone) => self.remember_unseen(pair, Side::Second),
            (Gone, Unseen) => self.remember_unseen(pair, Side::First),
            (Unseen, Unseen) => {}
        }
    }

    /// Records a message that is gone with its folder while the other side's can't be seen: if the
    /// folder comes back, its UID will belong to another message.
    fn remember_unseen(&mut self, pair: u32, gone: Side) {
        if self.folder.views[gone].extent() == Extent::Absent {
            let row = self.why_unseen(gone.other());
            self.merge.pending.push(Pending {
                pair,
                deleted_on: gone,
                row,
            });
        }
    }

    fn why_unseen(&self, side: Side) -> Row {
        if self.folder.views[side].extent() == Extent::Capped {
            Row::Capped
        } else {
            Row::Hidden
        }
    }

    /// Merges the flags of a pair that exists on both sides: rows 1, 2, 4 and 7.
    fn agree(&mut self, base: &BaseFolder, pair: u32, record: &BasePair, messages: Both<u32>) {
        let flags = self.flag_outcome(Some((base, record)), messages);
        self.merge.on_both += 1;
        self.merge.flags_waiting += u64::from(self.merge.flags.waits(flags));
        let shown = Both::of(|side| self.folder.views[side].at(messages[side]));
        let prints = record.prints.learned(shown);
        if prints != record.prints {
            self.merge.learned.push(Learned { pair, prints });
        }
        if !self.merge.flags.stays(flags) {
            self.merge.agreements.push(Agreement {
                pair,
                messages,
                flags,
            });
        }
    }

    /// Decides about the message at `index` on side `here` that is gone from the other side: rows
    /// 5, 13, 14 and 34.
    fn delete(&mut self, base: &BaseFolder, pair: u32, record: &BasePair, here: Side, index: u32) {
        let gone = here.other();
        self.merge.vanished.push(Vanished {
            pair,
            here: Some((here, index)),
        });
        let agreed = base.flags(record);
        let changed = agreed.held(here, &self.folder.views[here].flags_at(index)) != agreed.flags;
        let (row, back) = match (
            self.folder.comes_back,
            self.folder.views[gone].extent(),
            changed,
        ) {
            (Some(row), Extent::Absent, _) => (row, true),
            (None, Extent::Absent, true) => (Row::FolderDeletedAndChanged, true),
            (None, Extent::Absent, false) => (Row::FolderDeleted, false),
            (_, _, true) => (Row::DeletedAndChanged, self.policy.prefer.brings_back(gone)),
            (_, _, false) => (Row::Deleted, false),
        };
        if !back {
            self.delete_or_remember(pair, here, index, row);
        } else if let Some(closed) = self.folder.closed(gone, self.policy.new_mail) {
            self.leave(here, vec![index], closed);
        } else {
            self.merge.incoming[gone].push(Incoming { from: index, row });
            self.merge.dropped.push(Dropped { pair, row });
        }
    }

    fn delete_or_remember(&mut self, pair: u32, here: Side, index: u32, row: Row) {
        match self.folder.closed(here, self.policy.deletions) {
            Some(row) => self.merge.pending.push(Pending {
                pair,
                deleted_on: here.other(),
                row,
            }),
            None => {
                // If its folder comes back there, the pair's UID will belong to another message.
                if self.folder.views[here.other()].extent() == Extent::Absent {
                    self.merge.pending.push(Pending {
                        pair,
                        deleted_on: here.other(),
                        row,
                    });
                }
                let keep_first = self.policy.keep_deleted;
                self.merge.deletions[here].push(Deletion {
                    index,
                    pair,
                    row,
                    keep_first,
                });
            }
        }
    }

    /// Retries a deletion: it was deleted on `deleted_on` before, and the other side did not let it
    /// go (row 34).
    fn try_deletion_again(&mut self, pair: u32, deleted_on: Side, seen: Presence) {
        match seen {
            Presence::Here(index) => match self
                .folder
                .closed(deleted_on.other(), self.policy.deletions)
            {
                Some(row) => self.leave(deleted_on.other(), vec![index], row),
                None => self.delete_or_remember(pair, deleted_on.other(), index, Row::Deleted),
            },
            Presence::Gone => self.merge.dropped.push(Dropped {
                pair,
                row: Row::DeletedOnBoth,
            }),
            Presence::Unseen => {}
        }
    }

    /// Leaves messages alone that the other side refused: they aren't retried automatically, and
    /// don't count as missing there (row 32).
    fn leave_refused(&mut self, base: &BaseFolder, side: Side) {
        if self.policy.retry_refused {
            return;
        }
        let refused = base.refused(side);
        let found: Vec<_> = refused
            .iter()
            .filter_map(|uid| self.folder.views[side].find(uid))
            .collect();
        for index in &found {
            self.account_for(side, *index);
        }
        self.leave(side, found, Row::Refused);
    }

    /// Drops the pairs of a void base. What it says about one side alone still holds if that side's
    /// UIDs do.
    fn give_up_pairs(&mut self, row: Row) {
        let Some(base) = self.folder.base else { return };
        let holds = self.doubts.map(|doubt| doubt.is_none());
        for (pair, record) in (0..).zip(base.pairs()) {
            let waiting = match record.state {
                PairState::DeletedOn(side) if holds[side.other()] => Some(side.other()),
                PairState::DeletedOn(_) | PairState::Settled => None,
            };
            match waiting.map(|side| (side, self.folder.views[side].presence(record.uids[side]))) {
                Some((side, Presence::Here(index))) => {
                    self.account_for(side, index);
                    self.leave(side, vec![index], row);
                }
                Some((_, Presence::Unseen)) => {}
                Some((_, Presence::Gone)) | None => self.merge.dropped.push(Dropped { pair, row }),
            }
        }
        for side in Side::BOTH.into_iter().filter(|side| holds[*side]) {
            self.leave_refused(base, side);
        }
    }
}

/// What the base doesn't account for.
impl Merger<'_> {
    fn join(&mut self, [same, alone]: [Row; 2]) {
        let rest = Both::of(|side| {
            (0_u32..)
                .zip(&self.taken[side])
                .filter(|(_, taken)| !**taken)
                .map(|(index, _)| index)
                .collect::<Vec<_>>()
        });
        let messages = Both::of(|side| {
            rest[side]
                .iter()
                .filter_map(|index| self.folder.views[side].at(*index).copied())
                .collect()
        });
        let Both { first, second }: Both<Vec<_>> = messages;
        let Matching {
            pairs,
            missing,
            extra,
            ties,
        } = join_folders(&first, &second, &self.folder.rules);
        // Nothing in common: the folder was recreated with other mail (row 15).
        let other_mail = same == Row::NewUids && pairs.is_empty() && ties.is_empty();
        let rows = if other_mail {
            [Row::Recreated; 2]
        } else {
            [same, alone]
        };
        let back = |side: Side, found: Vec<u32>| -> Vec<u32> {
            found
                .iter()
                .filter_map(|at| rest[side].get(*at as usize).copied())
                .collect()
        };
        let pairs = pairs.iter().filter_map(|(first, second)| {
            Some((
                *rest.first.get(*first as usize)?,
                *rest.second.get(*second as usize)?,
            ))
        });
        self.take_up(
            pairs.collect(),
            back(Side::First, missing),
            back(Side::Second, extra),
            rows,
        );
        let tie = |tie: Tie| Tie {
            source: back(Side::First, tie.source),
            target: back(Side::Second, tie.target),
        };
        self.merge.ties = ties.into_iter().map(tie).collect();
        self.merge.rows = Some(rows);
    }

    fn take_up(
        &mut self,
        pairs: Vec<(u32, u32)>,
        on_first: Vec<u32>,
        on_second: Vec<u32>,
        [same, alone]: [Row; 2],
    ) {
        for (first, second) in pairs {
            let messages = Both::new(first, second);
            let flags = self.flag_outcome(None, messages);
            self.merge.joined.push(Joined {
                messages,
                flags,
                row: same,
            });
        }
        for (from, messages) in [(Side::First, on_first), (Side::Second, on_second)] {
            for index in messages {
                self.copy(from, index, alone);
            }
        }
    }

    /// Copies a message that the other side doesn't have.
    fn copy(&mut self, from: Side, index: u32, row: Row) {
        let to = from.other();
        let row = match (self.folder.views[to].extent(), self.folder.base) {
            (Extent::Absent, Some(_)) => self
                .folder
                .comes_back
                .unwrap_or(Row::FolderDeletedAndChanged),
            (Extent::Absent, None) => Row::NewFolder,
            _ => row,
        };
        let hindrance = self
            .folder
            .closed(to, self.policy.new_mail)
            .or_else(|| self.may_be_unseen(from, index));
        match hindrance {
            Some(row) => self.leave(from, vec![index], row),
            None => self.merge.incoming[to].push(Incoming { from: index, row }),
        }
    }

    /// Returns why a message may exist unseen on a side that shows only part of its folder. It
    /// doesn't if it arrived after the last run and everything that has arrived there since is
    /// shown.
    fn may_be_unseen(&self, from: Side, index: u32) -> Option<Row> {
        if self.folder.views[from.other()].extent() != Extent::Capped {
            return None;
        }
        let base = self
            .folder
            .base
            .filter(|base| self.doubts.all(Option::is_none) && !base.is_unfinished());
        let known_until = base.and_then(|base| base.mark(from).uid_next);
        let message = self.folder.views[from].at(index);
        let is_new = known_until
            .zip(message)
            .is_some_and(|(next, message)| !next.has_assigned(message.uid()));
        if is_new && self.shows_all_new[from.other()] {
            None
        } else {
            Some(Row::Capped)
        }
    }
}

/// Reports whether every UID that a side has assigned since the last run is shown or in the base.
fn shows_all_new(folder: &Folder<'_>, side: Side) -> bool {
    let Some(base) = folder.base else {
        return false;
    };
    let view = folder.views[side];
    let (Some(then), Some(now)) = (base.mark(side).uid_next, view.mark().uid_next) else {
        return false;
    };
    let shown = view
        .messages()
        .iter()
        .filter(|message| !then.has_assigned(message.uid()))
        .count();
    let is_unseen = |uid: &Uid| !then.has_assigned(*uid) && view.find(*uid).is_none();
    let written = base
        .pairs()
        .iter()
        .filter(|pair| pair.is_on(side) && is_unseen(&pair.uids[side]))
        .count();
    (shown + written) as u64 == u64::from(now.get().saturating_sub(then.get()))
}

/// Permissions and flags.
impl Merger<'_> {
    fn leave(&mut self, side: Side, indices: Vec<u32>, row: Row) {
        self.merge.left[side].extend(indices.into_iter().map(|index| Left { index, row }));
    }

    /// Returns the outcome for the flags of two messages.
    fn flag_outcome(&mut self, base: Option<(&BaseFolder, &BasePair)>, messages: Both<u32>) -> u32 {
        let views = self.folder.views;
        let [agreed, lacks_first, lacks_second] =
            base.map_or([u32::MAX; 3], |(_, pair)| pair.flag_sets());
        let set = |side: Side| {
            views[side]
                .at(messages[side])
                .map_or(u32::MAX, Message::flags)
        };
        let sets = [
            agreed,
            lacks_first,
            lacks_second,
            set(Side::First),
            set(Side::Second),
        ];
        let open = Both::of(|side| self.folder.closed(side, self.policy.flags).is_none());
        self.merge.flags.number(sets, || {
            let now = Both::of(|side| views[side].flags_at(messages[side]));
            let sides = Both::of(|side| FlagState {
                now: &now[side],
                permanent: views[side].permanent(),
                open: open[side],
            });
            merge_flags(
                base.map(|(folder, pair)| folder.flags(pair)).as_ref(),
                sides,
                self.policy.prefer,
            )
        })
    }
}
