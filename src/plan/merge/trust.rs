//! Whether the base still describes the mail that exists now: only then does a missing message mean
//! a deletion (rule 2).
//!
//! | observation | consequence | row |
//! |---|---|---|
//! | the same UIDVALIDITY, no counter went back, each UID is the same message | the base holds | |
//! | no base | merged by content | 20 |
//! | the state is older than the mailboxes | merged by content | 21 |
//! | another UIDVALIDITY | merged by content | 15, 16 |
//! | UIDNEXT or HIGHESTMODSEQ went back, or a UID is another message | merged by content, missing mail restored | 19 |
//! | a higher UIDVALIDITY, and no mail at all | refused; with `--max-delete 100%` emptied on the other side | 17 |
//! | any other of these but the first two, and no mail at all | refused | 17 |
//! | not every message could be read | refused | |

use super::{BaseFolder, Extent, Folder, Policy, Prefer, Refusal, Row};
use crate::mail::{Both, Side};
use crate::plan::DeletionLimit;

/// What the base is worth in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Its UIDs still belong to the same messages.
    Holds,
    /// On at least one side they don't, for this reason. Nothing is deleted.
    Void(Row),
    /// The folder is left unchanged.
    Refused(Refusal),
}

/// Why each side's UIDs are no longer those in the base; `None`: they are.
pub(super) type Doubts = Both<Option<Row>>;

pub(super) fn trust(folder: &Folder<'_>, doubts: Doubts, policy: &Policy) -> Trust {
    if let Some(side) = Side::BOTH
        .into_iter()
        .find(|side| folder.views[*side].extent() == Extent::Incomplete)
    {
        return Trust::Refused(Refusal {
            row: Row::Incomplete,
            side,
        });
    }
    let Some(row) = doubts.first.max(doubts.second) else {
        return Trust::Holds;
    };
    let is_lost = |side: &Side| doubts[*side].is_some() && has_lost_all(folder, *side);
    match Side::BOTH.into_iter().find(is_lost) {
        Some(_) if policy.prefer == Prefer::Keep => Trust::Void(row),
        Some(side) if !is_newer(folder, side) => Trust::Refused(Refusal {
            row: Row::LostAll,
            side,
        }),
        Some(side) if !is_meant(side, policy) => Trust::Refused(Refusal {
            row: Row::Emptied,
            side,
        }),
        // None of its mail exists, and the other side's UIDs still belong to the same messages.
        Some(side) if doubts[side.other()].is_none() => Trust::Holds,
        _ => Trust::Void(row),
    }
}

/// Reports whether a side's folder was created after the one in the base: UIDVALIDITY rises each
/// time (RFC 3501 section 2.3.1.1). If it fell, the server was restored.
fn is_newer(folder: &Folder<'_>, side: Side) -> bool {
    let then = folder.base.and_then(|base| base.mark(side).uid_validity);
    let now = folder.views[side].mark().uid_validity;
    then.zip(now).is_some_and(|(then, now)| now.0 > then.0)
}

/// Reports whether the user wants a folder that `side` shows empty to be emptied on the other side:
/// `--max-delete 100%`.
fn is_meant(side: Side, policy: &Policy) -> bool {
    policy.limits[side.other()].allows_emptying(DeletionLimit::SMALL + 1)
}

/// Returns what is wrong with each side. Without a base, or with one that is too old, everything
/// is.
pub(super) fn doubts(folder: &Folder<'_>) -> Doubts {
    match folder.base {
        None => Both::new(Some(Row::FirstRun), Some(Row::FirstRun)),
        Some(base) if base.is_stale() => Both::new(Some(Row::StaleState), Some(Row::StaleState)),
        Some(base) => Both::of(|side| doubt(folder, base, side)),
    }
}

fn doubt(folder: &Folder<'_>, base: &BaseFolder, side: Side) -> Option<Row> {
    let view = folder.views[side];
    if view.extent() == Extent::Absent {
        return None;
    }
    let (then, now) = (base.mark(side), view.mark());
    if then.uid_validity.is_none() || then.uid_validity != now.uid_validity {
        return Some(Row::NewUids);
    }
    let went_back = now
        .uid_next
        .is_some_and(|next| next < base.least_uid_next(side))
        || now
            .mod_seq
            .zip(then.mod_seq)
            .is_some_and(|(now, then)| now < then);
    (went_back || reuses_uids(folder, base, side)).then_some(Row::Restored)
}

fn reuses_uids(folder: &Folder<'_>, base: &BaseFolder, side: Side) -> bool {
    base.pairs()
        .iter()
        .filter(|pair| pair.is_on(side))
        .any(|pair| {
            let view = folder.views[side];
            view.find(pair.uids[side])
                .and_then(|index| view.at(index))
                .is_some_and(|found| pair.prints.contradict(side, found))
        })
}

/// Reports whether a folder that had mail shows none, while the other side still has some.
fn has_lost_all(folder: &Folder<'_>, side: Side) -> bool {
    let had_mail = folder
        .base
        .is_some_and(|base| !base.is_stale() && base.pairs().iter().any(|pair| pair.is_on(side)));
    folder.views[side].count() == 0 && had_mail && folder.views[side.other()].count() > 0
}
