//! Several folders looked at in one flight.

use super::folders::FolderRef;
use crate::mail::{MailboxName, Uid, UidSet, counted};
use crate::store::{
    Answer, Error, FolderScan, ReadStore, Refusal, RefusalMeaning, ScanDepth, ScanRequest,
};

/// Scans folders for reading: each whole, or only these messages. The results are in the order of
/// the requests.
///
/// # Errors
/// What ends the connection.
pub(crate) fn scan_each<'m>(
    store: &mut dyn ReadStore,
    depth: ScanDepth,
    asked: impl IntoIterator<Item = (&'m MailboxName, Option<UidSet>)>,
) -> Result<Vec<Answer<FolderScan>>, Error> {
    let request = |(mailbox, uids)| ScanRequest {
        uids,
        ..ScanRequest::new(mailbox, depth)
    };
    let requests: Vec<ScanRequest<'_>> = asked.into_iter().map(request).collect();
    let mut scans = Vec::with_capacity(requests.len());
    store.scan(&requests, &mut |_, scan| scans.push(scan))?;
    Ok(scans)
}

/// Scans folders that were read before. A folder that can't be read, or was recreated
/// (UIDVALIDITY), has no scan. The results are in the order of the requests.
///
/// # Errors
/// A failure that ends the connection.
pub(crate) fn scan_again<'m>(
    store: &mut dyn ReadStore,
    depth: ScanDepth,
    asked: impl IntoIterator<Item = (FolderRef<'m>, Option<UidSet>)>,
) -> Result<Vec<Option<FolderScan>>, Error> {
    let (folders, uids): (Vec<FolderRef<'m>>, Vec<Option<UidSet>>) = asked.into_iter().unzip();
    let mailboxes = folders.iter().map(|folder| folder.mailbox);
    let scans = scan_each(store, depth, mailboxes.zip(uids))?;
    let same = |(folder, scan): (&FolderRef<'_>, Result<FolderScan, _>)| {
        scan.ok()
            .filter(|scan| scan.uid_validity == folder.counters.uid_validity)
    };
    Ok(folders.iter().zip(scans).map(same).collect())
}

/// Reads all attributes and headers of messages that were listed before. Those that are lacking in
/// the result are gone. Where one is still there and can't be read, the refusal names it: it must
/// not be taken for gone.
///
/// # Errors
/// What ends the connection.
pub(crate) fn read_listed(
    store: &mut dyn ReadStore,
    mailbox: &MailboxName,
    uids: &UidSet,
    side: &str,
) -> Result<Answer<FolderScan>, Error> {
    let found = scan_each(store, ScanDepth::Identity, [(mailbox, Some(uids.clone()))])?.pop();
    let Some(Ok(found)) = found else {
        return Ok(found.unwrap_or_else(|| Ok(FolderScan::default())));
    };
    let lacking: UidSet = uids.iter().filter(|uid| !lists(&found, *uid)).collect();
    if lacking.is_empty() {
        return Ok(Ok(found));
    }
    let unread = match scan_each(store, ScanDepth::Sizes, [(mailbox, None)])?.pop() {
        Some(Ok(now)) if now.unlisted == 0 => {
            lacking.iter().filter(|uid| lists(&now, *uid)).collect()
        }
        _ => lacking,
    };
    if unread.is_empty() {
        return Ok(Ok(found));
    }
    let text = format!("skipped: could not read UID {unread} on the {side}; run again");
    Ok(Err(Refusal {
        meaning: RefusalMeaning::Transient,
        text,
    }))
}

/// Reports whether a folder that had `before` messages seems to show only its newest ones now:
/// Gmail's users may limit it to one of these numbers, so the others need not be gone.
pub(crate) fn seems_capped(before: u32, now: u32) -> bool {
    [1_000, 2_000, 5_000, 10_000].contains(&now) && before > now
}

/// What is said of a folder that has more messages than it lists.
pub(crate) fn more_than_listed(scan: &FolderScan, whose: &str) -> Option<String> {
    (scan.unlisted > 0).then(|| {
        format!(
            "{whose} reports {} more than it lists",
            counted(scan.unlisted, "message")
        )
    })
}

fn lists(scan: &FolderScan, uid: Uid) -> bool {
    scan.message(uid).is_some()
}

#[cfg(test)]
mod tests {
    use super::seems_capped;

    #[test]
    fn a_folder_that_is_capped_now_proves_nothing() {
        assert!(seems_capped(5_000, 1_000));
        assert!(!seems_capped(5_000, 999) && !seems_capped(5_000, 5_000));
    }
}
