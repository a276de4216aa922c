//! Prevents unintended mass deletions: emptied folders (row 17) and the deletion limit (row 18).
//! Nor is anything deleted that may have been moved to a folder that could not be read.
//!
//! These checks come after all folders are merged and moves are found, as a moved message isn't a
//! deleted one.

use super::actions::{FolderMerge, Left, Pending};
use super::{BaseFolder, BasePair, Extent, Folder, PairState, Policy, Row, Trace, trace};
use crate::mail::{Both, Side};
use crate::plan::{Deletions, Verdict};
use std::collections::HashSet;

/// Takes back the deletions of messages that are missing on a side with unreadable folders
/// (`hides`): a message may have been moved to one of them. Returns how many each folder keeps
/// because of that on each side.
pub fn hold_departures(merges: &mut [FolderMerge], hides: Both<bool>) -> Both<Vec<u64>> {
    Both::of(|side| {
        let held = merges.iter_mut().filter(|_| hides[side.other()]);
        held.map(|merge| take_back(merge, side, Row::PerhapsMoved))
            .collect()
    })
}

/// Removes everything about messages with these traces from a folder's actions, so that the next
/// run decides about them, with their pairs as they are in the base. If a side's folder is gone, so
/// are the UIDs in its pairs: if it comes back, they belong to other messages. Returns whether
/// there was anything.
pub fn leave_alone(folder: &Folder<'_>, merge: &mut FolderMerge, traces: &HashSet<Trace>) -> bool {
    let is_of = |side: Side, index: u32| {
        folder.views[side]
            .at(index)
            .and_then(trace)
            .is_some_and(|trace| traces.contains(&trace))
    };
    let pair = |pair: u32| folder.base.and_then(|base| base.pairs().get(pair as usize));
    let is_pair_of = |at: u32| {
        let prints = pair(at).map(BasePair::prints);
        let of_side = |side| {
            prints
                .and_then(|prints| prints.trace(side))
                .is_some_and(|trace| traces.contains(&trace))
        };
        Side::BOTH.into_iter().any(of_side)
    };
    let count = |merge: &FolderMerge| {
        let of_sides =
            Side::BOTH.map(|side| merge.incoming[side].len() + merge.deletions[side].len());
        of_sides.iter().sum::<usize>()
            + merge.vanished.len()
            + merge.dropped.len()
            + merge.pending.len()
    };
    let before = count(merge);
    for side in Side::BOTH {
        merge.incoming[side].retain(|incoming| !is_of(side.other(), incoming.from));
        merge.deletions[side].retain(|deletion| !is_pair_of(deletion.pair));
    }
    merge.vanished.retain(|vanished| !is_pair_of(vanished.pair));
    merge.dropped.retain(|dropped| !is_pair_of(dropped.pair));
    merge.pending.retain(|pending| !is_pair_of(pending.pair));
    let was_any = count(merge) < before;
    let pairs = folder.base.map(BaseFolder::pairs).unwrap_or_default();
    for gone in Side::BOTH
        .into_iter()
        .filter(|side| folder.views[*side].extent() == Extent::Absent)
    {
        let stays =
            |(at, pair): &(u32, &BasePair)| pair.state() == PairState::Settled && is_pair_of(*at);
        let remembered = (0..).zip(pairs).filter(stays);
        let row = Row::FolderDeleted;
        merge.pending.extend(remembered.map(|(pair, _)| Pending {
            pair,
            deleted_on: gone,
            row,
        }));
    }
    was_any
}

/// Refuses folders that no longer show any mail, then counts each side's deletions and, if there
/// are too many, takes them all back. The verdict's folder indices are those of both lists.
pub fn hold_back(
    folders: &[Folder<'_>],
    merges: &mut [FolderMerge],
    policy: &Policy,
) -> Both<Verdict> {
    for (folder, merge) in folders.iter().zip(merges.iter_mut()) {
        if let Some(side) = Side::BOTH
            .into_iter()
            .find(|side| is_emptied(folder, merge, *side, policy))
        {
            merge.refuse(Row::Emptied, side);
        }
    }
    Both::of(|side| {
        let counts: Vec<_> = folders
            .iter()
            .zip(merges.iter())
            .map(|(folder, merge)| count(folder, merge, side))
            .collect();
        let verdict = policy.limits[side].verdict(&counts);
        if verdict.stops() {
            for merge in merges.iter_mut() {
                take_back(merge, side, Row::TooMany);
            }
        }
        verdict
    })
}

/// Reports whether `side` shows no message, so that enough would be deleted on the other side for
/// it to be a mistake.
fn is_emptied(folder: &Folder<'_>, merge: &FolderMerge, side: Side, policy: &Policy) -> bool {
    let (view, gone) = (
        folder.views[side],
        merge.deletions[side.other()].len() as u64,
    );
    view.extent() != Extent::Absent
        && view.count() == 0
        && !policy.limits[side.other()].allows_emptying(gone)
}

fn count(folder: &Folder<'_>, merge: &FolderMerge, side: Side) -> Deletions {
    Deletions {
        deleted: merge.deletions[side].len() as u64,
        of: folder.views[side].count(),
    }
}

/// Takes back a side's deletions. The pairs stay in the base, so the next run finds the same
/// deletions.
fn take_back(merge: &mut FolderMerge, side: Side, row: Row) -> u64 {
    let deletions = std::mem::take(&mut merge.deletions[side]);
    merge.left[side].extend(deletions.iter().map(|deletion| Left {
        index: deletion.index,
        row,
    }));
    deletions.len() as u64
}

#[cfg(test)]
mod tests {
    use super::super::Deletion;
    use super::*;

    #[test]
    fn what_may_have_been_moved_out_of_sight_is_held_back() {
        for side in Side::BOTH {
            let mut merges = [FolderMerge::default(), FolderMerge::default()];
            merges[1].deletions[side].push(Deletion {
                index: 3,
                pair: 0,
                row: Row::Deleted,
                keep_first: false,
            });
            let hides = |hiding: Side| Both::of(|at| at == hiding);
            let held = hold_departures(&mut merges, hides(side));
            assert!(
                held[side].is_empty() && merges[1].deletions[side].len() == 1,
                "it is gone from the other side"
            );
            let held = hold_departures(&mut merges, hides(side.other()));
            assert_eq!(held[side], [0, 1]);
            assert!(merges[1].deletions[side].is_empty());
            assert_eq!(
                merges[1].left[side],
                [Left {
                    index: 3,
                    row: Row::PerhapsMoved
                }]
            );
            assert_eq!(merges[1].held_back(), 1);
        }
    }
}
