//! Several folders looked at in one flight: some of their messages, or how they are when they are new.

use crate::mail::{MailboxName, Uid, UidSet, counted};
use crate::store::{
    Error, FolderScan, NewFolder, Prepared, ReadStore, Refusal, RefusalMeaning, ScanDepth, ScanRequest,
};

/// Scans folders for reading: each whole, or only these messages. The results are in the order of the requests.
///
/// # Errors
/// What ends the connection.
pub(super) fn scan_each<'m>(
    store: &mut dyn ReadStore,
    depth: ScanDepth,
    asked: impl IntoIterator<Item = (&'m MailboxName, Option<UidSet>)>,
) -> Result<Vec<Result<FolderScan, Refusal>>, Error> {
    let request = |(mailbox, uids)| ScanRequest { mailbox, depth, uids, search: None, for_writing: false };
    let requests: Vec<ScanRequest<'_>> = asked.into_iter().map(request).collect();
    let mut scans = Vec::with_capacity(requests.len());
    store.scan(&requests, &mut |_, scan| scans.push(scan))?;
    Ok(scans)
}

/// Reads all attributes and headers of messages that were listed before. Those that are lacking in the result are gone. Where one is
/// still there and can't be read, the refusal names it: it must not be taken for gone.
///
/// # Errors
/// What ends the connection.
pub(super) fn read_listed(
    store: &mut dyn ReadStore,
    mailbox: &MailboxName,
    uids: &UidSet,
    side: &str,
) -> Result<Result<FolderScan, Refusal>, Error> {
    let found = scan_each(store, ScanDepth::Identity, [(mailbox, Some(uids.clone()))])?.pop();
    let Some(Ok(found)) = found else { return Ok(found.unwrap_or_else(|| Ok(FolderScan::default()))) };
    let lacking: UidSet = uids.iter().filter(|uid| !lists(&found, *uid)).collect();
    if lacking.is_empty() {
        return Ok(Ok(found));
    }
    let unread = match scan_each(store, ScanDepth::Sizes, [(mailbox, None)])?.pop() {
        Some(Ok(now)) if now.unlisted == 0 => lacking.iter().filter(|uid| lists(&now, *uid)).collect(),
        _ => lacking,
    };
    if unread.is_empty() {
        return Ok(Ok(found));
    }
    let text = format!("skipped: could not read UID {unread} on the {side}; run again");
    Ok(Err(Refusal { meaning: RefusalMeaning::Transient, text }))
}

/// What is said of a folder that has more messages than it lists.
pub(super) fn more_than_listed(scan: &FolderScan, whose: &str) -> Option<String> {
    (scan.unlisted > 0).then(|| format!("{whose} reports {} more than it lists", counted(scan.unlisted, "message")))
}

fn lists(scan: &FolderScan, uid: Uid) -> bool {
    scan.message(uid).is_some()
}

/// How created folders are, in their order; those that were not opened in passing are opened now. `None`: it was not created, or
/// can't be opened.
///
/// # Errors
/// What ends the connection.
pub(super) fn open_prepared(
    store: &mut dyn ReadStore,
    prepared: &[Result<Prepared, Refusal>],
) -> Result<Vec<Option<FolderScan>>, Error> {
    let mut opened: Vec<Option<FolderScan>> =
        prepared.iter().map(|folder| folder.as_ref().ok()?.opened.clone()).collect();
    let unopened: Vec<(usize, &MailboxName)> = (prepared.iter().enumerate())
        .filter_map(|(at, folder)| Some((at, folder.as_ref().ok().filter(|folder| folder.opened.is_none())?)))
        .map(|(at, folder)| (at, &folder.name))
        .collect();
    let depth = ScanDepth::Attributes;
    let request = |mailbox| ScanRequest { mailbox, depth, uids: None, search: None, for_writing: true };
    let requests: Vec<ScanRequest<'_>> = unopened.iter().map(|(_, mailbox)| request(mailbox)).collect();
    store.scan(&requests, &mut |nth, scan| opened[unopened[nth].0] = scan.ok())?;
    Ok(opened)
}

/// What is said of a folder that was created under another name than was planned, as its side refused that one.
pub(super) fn other_name(planned: &NewFolder, created: &MailboxName, shown: &str, side: &str) -> Option<String> {
    if *created == planned.name {
        return None;
    }
    let flattened = planned.flattened.iter().find(|flattened| flattened.name == *created);
    Some(match flattened {
        Some(flattened) => format!(
            "{shown}: the {side} can't have subfolders in {}, so it was created next to it, as {created}",
            flattened.parent
        ),
        None => format!("{shown}: the {side} refused the name {}, so it was created as {created}", planned.name),
    })
}
