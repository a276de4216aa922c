//! Why something is done with a message, or nothing is: what both sides agreed on, what each shows,
//! and the row of the case table that decides.

use super::{Sync, Work};
use crate::event::Event;
use crate::mail::{Both, Flags, Message, Side, Uid};
use crate::plan::merge::{BasePair, PairState, Row};

impl Sync<'_> {
    /// Tells of the messages with this UID, on the first side and on the second.
    pub(super) fn explain(&self) {
        let Some((folder, uid)) = &self.options.explain else {
            return;
        };
        let mut lines = Vec::new();
        for (at, work) in self
            .works
            .iter()
            .enumerate()
            .filter(|(_, work)| work.is_called(folder))
        {
            for side in Side::BOTH {
                lines.extend(self.explained(at, work, side, *uid));
            }
        }
        if lines.is_empty() {
            lines.push(format!(
                "{folder}: no message with UID {uid} on either side or in the saved state"
            ));
        }
        for text in &lines {
            self.observer.observe(&Event::Explained { text });
        }
    }

    fn explained(&self, at: usize, work: &Work, side: Side, uid: Uid) -> Vec<String> {
        let Some(found) = work.look_up(side, uid) else {
            return Vec::new();
        };
        let name = work.name(side);
        let mut lines = vec![
            format!("{name} UID {uid} on the {}:", side.ordinal()),
            found.saved_line(),
        ];
        lines.extend(Side::BOTH.map(|here| work.shown_line(here, &found)));
        let mut rows = work.decisions(found.pair.as_ref().map(|pair| pair.number), &found.indices);
        rows.extend(self.moves_of(at, &found));
        if let Some((row, side)) = work.refused() {
            rows.push((
                format!("the folder is skipped because of the {}", side.ordinal()),
                row,
            ));
        }
        if rows.is_empty() {
            lines.push("  nothing to do: both sides match the saved state".to_owned());
        }
        let line = |(what, row): (String, Row)| {
            let number = row
                .number()
                .map(|number| format!(" (row {number})"))
                .unwrap_or_default();
            format!("  {what}{number}: {}", row.sentence())
        };
        lines.extend(rows.into_iter().map(line));
        lines
    }

    /// The moves of a message in this folder, from it or to it.
    fn moves_of(&self, folder: usize, found: &Found) -> Vec<(String, Row)> {
        let mut rows = Vec::new();
        for moved in &self.moves {
            let from = moved.from == folder && found.indices[moved.side] == Some(moved.index);
            let to = moved.to == folder && found.indices[moved.side.other()] == Some(moved.partner);
            if from || to {
                rows.push((
                    format!("will be moved on the {}", moved.side.ordinal()),
                    moved.row,
                ));
            }
        }
        rows
    }
}

/// What is known of a message.
struct Found {
    pair: Option<SavedPair>,
    /// Where it stands in each side's view.
    indices: Both<Option<u32>>,
}

/// A pair of the saved state, and its place there.
struct SavedPair {
    number: u32,
    uids: Both<Uid>,
    flags: Flags,
}

impl Found {
    fn saved_line(&self) -> String {
        match &self.pair {
            Some(SavedPair { uids, flags, .. }) => format!(
                "  saved state: UID {} on the first, UID {} on the second, flags: {flags}",
                uids.first, uids.second
            ),
            None => "  saved state: not synced yet".to_owned(),
        }
    }
}

impl Work {
    /// Whether it has this name on either side.
    pub(super) fn is_called(&self, name: &str) -> bool {
        Side::BOTH
            .into_iter()
            .any(|side| self.pair.names[side].to_string() == name)
    }

    /// What is known of the message with this UID, in the saved state and on both sides. `None`:
    /// nothing.
    fn look_up(&self, side: Side, uid: Uid) -> Option<Found> {
        let pair = self.saved_pair(side, uid);
        let uid_on = |here: Side| {
            if here == side {
                Some(uid)
            } else {
                pair.as_ref().map(|pair| pair.uids[here])
            }
        };
        let indices = Both::of(|here| {
            let at = self.views[here]
                .messages()
                .binary_search_by_key(&uid_on(here)?, Message::uid)
                .ok()?;
            u32::try_from(at).ok()
        });
        (pair.is_some() || indices[side].is_some()).then_some(Found { pair, indices })
    }

    fn saved_pair(&self, side: Side, uid: Uid) -> Option<SavedPair> {
        let base = self.base.as_ref()?;
        let is_it = |pair: &BasePair| {
            pair.uids()[side] == uid && pair.state() != PairState::DeletedOn(side)
        };
        let (number, pair) = (0_u32..).zip(base.pairs()).find(|(_, pair)| is_it(pair))?;
        Some(SavedPair {
            number,
            uids: pair.uids(),
            flags: base.flags(pair).flags,
        })
    }

    /// What one side shows of a message.
    fn shown_line(&self, here: Side, found: &Found) -> String {
        let shown = found.indices[here].and_then(|at| self.message(here, at));
        let text = shown.map_or_else(
            || "not there".to_owned(),
            |message| {
                format!(
                    "UID {}, flags: {}",
                    message.uid(),
                    self.views[here].flags(message)
                )
            },
        );
        format!("  {}: {text}", here.ordinal())
    }

    /// What was decided of a pair, or of messages of which there is none yet.
    fn decisions(&self, pair: Option<u32>, indices: &Both<Option<u32>>) -> Vec<(String, Row)> {
        let merge = &self.merge;
        let mut found = Vec::new();
        for side in Side::BOTH {
            let (here, there) = (indices[side], indices[side.other()]);
            let incoming = merge.incoming[side]
                .iter()
                .filter(|incoming| Some(incoming.from) == there);
            found.extend(incoming.map(|incoming| {
                (
                    format!("will be copied to the {}", side.ordinal()),
                    incoming.row,
                )
            }));
            let deletions = merge.deletions[side]
                .iter()
                .filter(|deletion| Some(deletion.index) == here);
            found.extend(deletions.map(|deletion| {
                (
                    format!("will be deleted on the {}", side.ordinal()),
                    deletion.row,
                )
            }));
            let left = merge.left[side]
                .iter()
                .filter(|left| Some(left.index) == here);
            found.extend(left.map(|left| ("left alone".to_owned(), left.row)));
        }
        let is_pair = |of: u32| Some(of) == pair;
        let agreed = merge
            .agreements
            .iter()
            .filter(|agreement| is_pair(agreement.pair));
        found.extend(agreed.map(|agreement| {
            let flags = merge.flags.get(agreement.flags).agreed.flags;
            (
                format!("both sides get the flags: {flags}"),
                Row::FlagsChanged,
            )
        }));
        let joined = merge.joined.iter().filter(|joined| {
            Side::BOTH
                .into_iter()
                .any(|side| Some(joined.messages[side]) == indices[side])
        });
        found.extend(joined.map(|joined| {
            (
                "will be paired with the one on the other side".to_owned(),
                joined.row,
            )
        }));
        let pending = merge.pending.iter().filter(|pending| is_pair(pending.pair));
        found.extend(pending.map(|pending| ("deletion pending".to_owned(), pending.row)));
        let dropped = merge.dropped.iter().filter(|dropped| is_pair(dropped.pair));
        found.extend(
            dropped.map(|dropped| ("removed from the saved state".to_owned(), dropped.row)),
        );
        found
    }
}
