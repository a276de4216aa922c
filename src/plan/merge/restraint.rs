//! Nothing is deleted in bulk without being asked for: emptied folders (row 17) and the brake (row 18).
//!
//! Both are decided when all folders are merged and moves are found, as a moved message is not a deleted one.

use super::actions::{FolderMerge, Left};
use super::{Both, Extent, Folder, Policy, Row, Side};
use crate::plan::{Deletions, Verdict};

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
            merges.iter_mut().for_each(|merge| take_back(merge, side));
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
fn take_back(merge: &mut FolderMerge, side: Side) {
    let deletions = std::mem::take(&mut merge.deletions[side]);
    merge.left[side].extend(deletions.iter().map(|deletion| Left { index: deletion.index, row: Row::TooMany }));
}
