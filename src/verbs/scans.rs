//! Scans of several folders for a look at some of their messages, in one flight.

use crate::mail::{MailboxName, UidSet};
use crate::store::{Error, FolderScan, Refusal, ScanDepth, ScanRequest, Store};

/// Scans folders for reading: each whole, or only these messages. The results are in the order of the requests.
///
/// # Errors
/// What ends the connection.
pub(super) fn scan_each<'m>(
    store: &mut dyn Store,
    depth: ScanDepth,
    asked: impl IntoIterator<Item = (&'m MailboxName, Option<UidSet>)>,
) -> Result<Vec<Result<FolderScan, Refusal>>, Error> {
    let request = |(mailbox, uids)| ScanRequest { mailbox, depth, uids, search: None, for_writing: false };
    let requests: Vec<ScanRequest<'_>> = asked.into_iter().map(request).collect();
    let mut scans = Vec::with_capacity(requests.len());
    store.scan(&requests, &mut |_, scan| scans.push(scan))?;
    Ok(scans)
}
