//! Nothing is deleted in bulk without being asked for: emptied folders (row 17) and the brake (row 18). Nothing is deleted either
//! that may have been moved to a folder that could not be read.
//!
//! All are decided when all folders are merged and moves are found, as a moved message is not a deleted one.

use super::actions::{FolderMerge, Left, Pending};
use super::{BaseFolder, BasePair, Extent, Folder, PairState, Policy, Row, Trace, trace};
use crate::mail::{Both, Side};
use crate::plan::{Deletions, Verdict};
use std::collections::HashSet;

/// Takes back the deletions of what is missing on a side with folders that could not be read (`hides`): a message may have been
/// moved to one of them. Returns how many each folder keeps for it on each side.
pub fn hold_departures(merges: &mut [FolderMerge], hides: Both<bool>) -> Both<Vec<u64>> {
    Both::of(|side| {
        let held = merges.iter_mut().filter(|_| hides[side.other()]);
        held.map(|merge| take_back(merge, side, Row::PerhapsMoved)).collect()
    })
}

/// Takes out of a folder's actions all that concerns messages of these traces, so that the next run decides on them, with their pairs as
/// they are in the base. Where a side's folder is gone, so are the UIDs that pairs know there: if it comes back, they are those of other
/// messages. Gives whether there was anything.
pub fn leave_alone(folder: &Folder<'_>, merge: &mut FolderMerge, traces: &HashSet<Trace>) -> bool {
    let is_of = |side: Side, index: u32| {
        folder.views[side].at(index).and_then(trace).is_some_and(|trace| traces.contains(&trace))
    };
    let pair = |pair: u32| folder.base.and_then(|base| base.pairs().get(pair as usize));
    let is_pair_of = |at: u32| {
        let prints = pair(at).map(BasePair::prints);
        let of_side = |side| prints.and_then(|prints| prints.trace(side)).is_some_and(|trace| traces.contains(&trace));
        Side::BOTH.into_iter().any(of_side)
    };
    let count = |merge: &FolderMerge| {
        let of_sides = Side::BOTH.map(|side| merge.incoming[side].len() + merge.deletions[side].len());
        of_sides.iter().sum::<usize>() + merge.vanished.len() + merge.dropped.len() + merge.pending.len()
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
    for gone in Side::BOTH.into_iter().filter(|side| folder.views[*side].extent() == Extent::Absent) {
        let stays = |(at, pair): &(u32, &BasePair)| pair.state() == PairState::Settled && is_pair_of(*at);
        let remembered = (0..).zip(pairs).filter(stays);
        let row = Row::FolderDeleted;
        merge.pending.extend(remembered.map(|(pair, _)| Pending { pair, deleted_on: gone, row }));
    }
    was_any
}

/// Refuses folders that show no mail any more, then counts the deletions of each side and, where they are too many, takes
/// all of that side back. Folders are told by their place in the verdict as in both lists.
pub fn hold_back(folders: &[Folder<'_>], merges: &mut [FolderMerge], policy: &Policy) -> Both<Verdict> {
    for (folder, merge) in folders.iter().zip(merges.iter_mut()) {
        if let Some(side) = Side::BOTH.into_iter().find(|side| is_emptied(folder, merge, *side, policy)) {
            merge.refuse(Row::Emptied, side);
        }
    }
    Both::of(|side| {
        let counts: Vec<_> =
            folders.iter().zip(merges.iter()).map(|(folder, merge)| count(folder, merge, side)).collect();
        let verdict = policy.limits[side].verdict(&counts);
        if verdict.stops() {
            for merge in merges.iter_mut() {
                take_back(merge, side, Row::TooMany);
            }
        }
        verdict
    })
}

/// Whether `side` shows no message, and so many would be deleted on the other side for it that it may be a mistake.
fn is_emptied(folder: &Folder<'_>, merge: &FolderMerge, side: Side, policy: &Policy) -> bool {
    let (view, gone) = (folder.views[side], merge.deletions[side.other()].len() as u64);
    view.extent() != Extent::Absent && view.count() == 0 && !policy.limits[side.other()].allows_emptying(gone)
}

fn count(folder: &Folder<'_>, merge: &FolderMerge, side: Side) -> Deletions {
    Deletions { deleted: merge.deletions[side].len() as u64, of: folder.views[side].count() }
}

/// The pairs stay in the base, so the next run finds the same deletions.
fn take_back(merge: &mut FolderMerge, side: Side, row: Row) -> u64 {
    let deletions = std::mem::take(&mut merge.deletions[side]);
    merge.left[side].extend(deletions.iter().map(|deletion| Left { index: deletion.index, row }));
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
            merges[1].deletions[side].push(Deletion { index: 3, pair: 0, row: Row::Deleted, keep_first: false });
            let hides = |hiding: Side| Both::of(|at| at == hiding);
            let held = hold_departures(&mut merges, hides(side));
            assert!(held[side].is_empty() && merges[1].deletions[side].len() == 1, "it is gone from the other side");
            let held = hold_departures(&mut merges, hides(side.other()));
            assert_eq!(held[side], [0, 1]);
            assert!(merges[1].deletions[side].is_empty());
            assert_eq!(merges[1].left[side], [Left { index: 3, row: Row::PerhapsMoved }]);
            assert_eq!(merges[1].held_back(), 1);
        }
    }
}
