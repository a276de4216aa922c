//! A message that was in two folders and was deleted from one on the first side, from the other on
//! the second (row 9). Each side still has it, and carrying out both deletions would lose it. This
//! happens, for example, if folders are renamed back and forth on both sides, and a message is
//! known by its old and its new folder.

use super::actions::{Deletion, Dropped, FolderMerge, Incoming, Left};
use super::{At, Folder, Policy, Row, Trace};
use crate::mail::Side;
use std::collections::{HashMap, HashSet};

/// Keeps one of the two: the copy on the side that wins stays and comes back to the other side. If
/// nothing may be copied there, both stay.
pub(super) fn keep_one_place(folders: &[Folder<'_>], merges: &mut [FolderMerge], policy: &Policy) {
    let winner = policy.prefer.winner();
    let loser = winner.other();
    let mut doomed = Doomed::of(folders, merges, loser);
    if doomed.by_trace.is_empty() {
        return;
    }
    for (at, folder) in folders.iter().enumerate() {
        let deletions = merges
            .get_mut(at)
            .map(|merge| std::mem::take(&mut merge.deletions[winner]))
            .unwrap_or_default();
        for deletion in deletions {
            let twin = doomed.take(folder, deletion.pair);
            let closed = folder.closed(loser, policy.new_mail);
            if let (Some((twin_at, index)), Some(row)) = (twin, closed) {
                take_back(&mut merges[twin_at], loser, index, row);
            }
            let merge = &mut merges[at];
            match (twin, closed) {
                (None, _) => merge.deletions[winner].push(deletion),
                (Some(_), Some(row)) => merge.left[winner].push(Left {
                    index: deletion.index,
                    row,
                }),
                (Some(_), None) => come_back(merge, loser, &deletion),
            }
        }
    }
}

/// What a side should lose, keyed by what identifies it on either side: servers may show one
/// message with different dates.
struct Doomed {
    by_trace: HashMap<Trace, Vec<At>>,
    taken: HashSet<At>,
}

impl Doomed {
    fn of(folders: &[Folder<'_>], merges: &[FolderMerge], side: Side) -> Self {
        let mut by_trace: HashMap<Trace, Vec<At>> = HashMap::new();
        for (at, (folder, merge)) in folders.iter().zip(merges).enumerate() {
            for deletion in &merge.deletions[side] {
                for trace in traces(folder, deletion.pair) {
                    by_trace
                        .entry(trace)
                        .or_default()
                        .push((at, deletion.index));
                }
            }
        }
        Self {
            by_trace,
            taken: HashSet::new(),
        }
    }

    /// Takes one that is the same as this pair's message and not taken yet.
    fn take(&mut self, folder: &Folder<'_>, pair: u32) -> Option<At> {
        traces(folder, pair).find_map(|trace| {
            let alike = self.by_trace.get_mut(&trace)?;
            while let Some(at) = alike.pop() {
                if self.taken.insert(at) {
                    return Some(at);
                }
            }
            None
        })
    }
}

fn traces(folder: &Folder<'_>, pair: u32) -> impl Iterator<Item = Trace> {
    let prints = folder
        .base
        .and_then(|base| base.pairs().get(pair as usize))
        .map(|pair| pair.prints);
    let [first, second] = Side::BOTH.map(|side| prints.and_then(|prints| prints.trace(side)));
    first.into_iter().chain(second.filter(|_| first != second))
}

/// Copies a message to `to`, which lost it and which the other side should have lost.
fn come_back(merge: &mut FolderMerge, to: Side, deletion: &Deletion) {
    let row = Row::MovedApart;
    let place = merge.incoming[to].partition_point(|incoming| incoming.from < deletion.index);
    merge.incoming[to].insert(
        place,
        Incoming {
            from: deletion.index,
            row,
        },
    );
    merge
        .pending
        .retain(|pending| pending.pair != deletion.pair);
    merge.dropped.push(Dropped {
        pair: deletion.pair,
        row,
    });
}

fn take_back(merge: &mut FolderMerge, side: Side, index: u32, row: Row) {
    merge.deletions[side].retain(|deletion| deletion.index != index);
    merge.left[side].push(Left { index, row });
}
