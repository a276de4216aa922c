//! Messages that a side took and that are not where they were put.
//!
//! An OK says that a message was stored, and UIDNEXT says which UIDs were given out. A UID that was
//! given out and is gone is that of a message that was moved or deleted since, by a rule or by a
//! reader. That is a change like any other: no reason to send the message again, and no failure.

use crate::exec::Fate;
use crate::mail::{Message, Uid, UidNext, UidSet};
use crate::plan::FolderTask;
use crate::store::{Error, FolderScan, ReadStore, ScanRequest};

/// What was put into a folder: its UIDNEXT before, and how many messages it was.
pub(crate) fn put(task: &FolderTask, fates: &[Fate]) -> (UidNext, usize) {
    (
        task.target_uid_next.unwrap_or(UidNext::LAST),
        fates.iter().filter(|fate| fate.is_copied()).count(),
    )
}

/// Scans folders for what was put there: `put` has that for each request ([`put`]). Where fewer are
/// there and opening the folder tells no UIDNEXT (RFC 3501 lets a server leave it out), STATUS is
/// asked for it.
///
/// # Errors
/// What ends the connection.
pub(crate) fn scan(
    store: &mut dyn ReadStore,
    requests: &[ScanRequest<'_>],
    put: &[(UidNext, usize)],
) -> Result<Vec<Option<FolderScan>>, Error> {
    let mut scans: Vec<Option<FolderScan>> = Vec::new();
    store.scan(requests, &mut |_, scan| scans.push(scan.ok()))?;
    let is_short = |(scan, (first, count)): (&Option<FolderScan>, &(UidNext, usize))| {
        let new = |scan: &FolderScan| {
            scan.messages
                .iter()
                .filter(|message| !first.has_assigned(message.uid()))
                .count()
        };
        scan.as_ref()
            .is_some_and(|scan| scan.uid_next.is_none() && new(scan) < *count)
    };
    let short: Vec<usize> = (0..)
        .zip(scans.iter().zip(put))
        .filter(|(_, of)| is_short(*of))
        .map(|(at, _)| at)
        .collect();
    if short.is_empty() {
        return Ok(scans);
    }
    // First the counter, then what is there: what comes in between the two is no gap.
    let listing = store.list()?;
    let again: Vec<ScanRequest<'_>> = short.iter().map(|at| requests[*at].clone()).collect();
    store.scan(&again, &mut |nth, scan| {
        let status = listing
            .mailboxes
            .iter()
            .find(|mailbox| mailbox.name == *again[nth].mailbox);
        let status = status.and_then(|mailbox| mailbox.status.as_ref());
        scans[short[nth]] = scan.ok().map(|scan| {
            let uid_next = status
                .filter(|status| status.counters.uid_validity == scan.uid_validity)
                .and_then(|status| status.counters.uid_next);
            FolderScan {
                uid_next: scan.uid_next.or(uid_next),
                ..scan
            }
        });
    })?;
    Ok(scans)
}

/// Whether the message that got this UID is gone. `scan` was asked for it and does not show it.
pub(crate) fn has_left(scan: &FolderScan, uid: Uid) -> bool {
    scan.uid_next.is_some_and(|next| next.has_assigned(uid))
}

/// The UIDs of `count` messages that were put into a folder since its UIDNEXT was `first`, without
/// the side's word on where, and that are gone; which one is which makes no difference then. `scan`
/// shows all messages from `first` on, and `accounted` are those of them that are known, with UIDs
/// of others that are gone. `None`: it can't be told.
pub(crate) fn left_from(
    scan: &FolderScan,
    first: UidNext,
    accounted: &UidSet,
    count: usize,
) -> Option<Vec<Uid>> {
    let is_known =
        |message: &Message| first.has_assigned(message.uid()) || accounted.contains(message.uid());
    // One that is there and not known may be one of them that looks otherwise now.
    (scan.unlisted == 0 && scan.messages.iter().all(is_known)).then_some(())?;
    let gone = accounted.missing_between(first, scan.uid_next?);
    (gone.len() >= count as u64).then(|| gone.iter().take(count).collect())
}

/// What is said of messages that have left.
pub(crate) fn told(folder: &str, side: &str, count: u64) -> String {
    format!(
        "{folder}: {count} of the delivered messages have since been moved or deleted on the {side} by another program"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::HeaderKey;

    fn scan(uid_next: Option<u32>, uids: &[u32]) -> FolderScan {
        let message =
            |uid: &u32| Message::new(Uid::new(*uid).unwrap(), 1, None, 0, HeaderKey::Unknown);
        FolderScan {
            uid_next: uid_next.and_then(UidNext::new),
            messages: uids.iter().map(message).collect(),
            ..FolderScan::default()
        }
    }

    #[test]
    fn only_a_uid_that_was_given_out_has_left() {
        let uid = Uid::new(7).unwrap();
        for (uid_next, expected) in [(Some(8), true), (Some(7), false), (None, false)] {
            assert_eq!(has_left(&scan(uid_next, &[]), uid), expected);
        }
    }

    #[test]
    fn as_many_must_be_gone_as_are_missed_and_nothing_unknown_there() {
        let known: UidSet = [5].into_iter().filter_map(Uid::new).collect();
        let left = |uid_next, uids: &[u32], count| {
            let put = UidNext::new(5).unwrap();
            let left = left_from(&scan(uid_next, uids), put, &known, count)?;
            Some(left.into_iter().map(Uid::get).collect::<Vec<_>>())
        };
        assert_eq!(left(Some(8), &[2, 5], 2), Some(vec![6, 7]));
        assert_eq!(left(Some(8), &[2, 5], 1), Some(vec![6]));
        assert_eq!(left(Some(8), &[2, 5], 3), None);
        assert_eq!(
            left(Some(8), &[2, 5, 6], 1),
            None,
            "6 may be the missed one, rewritten"
        );
        assert_eq!(left(None, &[2, 5], 1), None);
    }
}
