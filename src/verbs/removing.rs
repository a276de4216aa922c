//! Removes messages, and finds out which remain if a server refuses, or silently does nothing.

use crate::engine::scans::scan_each;
use crate::mail::{Message, UidSet};
use crate::store::{Error, FolderScan, Refusal, Removal, ScanDepth, Store};

/// The result of a removal.
pub(super) struct Removed {
    /// The messages that are gone.
    pub(super) gone: UidSet,
    /// The messages that still exist, and why; `None` if all are gone.
    pub(super) left: Option<(UidSet, String)>,
}

/// Removes messages, and looks for the remaining ones in a folder that refused some.
///
/// # Errors
/// A failure that ends the connection.
pub(super) fn remove(store: &mut dyn Store, removals: &[Removal]) -> Result<Vec<Removed>, Error> {
    let results = store.remove(removals)?;
    let refused = removals
        .iter()
        .zip(&results)
        .filter(|(_, result)| result.is_err());
    let asked = refused.map(|(removal, _)| (&removal.mailbox, Some(removal.uids.clone())));
    let mut scans = scan_each(store, ScanDepth::Sizes, asked)?.into_iter();
    let mut removed = Vec::with_capacity(removals.len());
    for (removal, result) in removals.iter().zip(results) {
        let left = match result {
            Ok(()) => UidSet::default(),
            Err(_) => scans
                .next()
                .map_or_else(|| removal.uids.clone(), |scan| still_there(removal, scan)),
        };
        let why = result
            .err()
            .map(|refusal| refusal.text)
            .filter(|_| !left.is_empty());
        removed.push(Removed {
            gone: removal.uids.minus(&left),
            left: why.map(|why| (left, why)),
        });
    }
    Ok(removed)
}

/// Returns which messages of a removal still exist in their folder. If it can't be read, all of
/// them count as existing.
fn still_there(removal: &Removal, scan: Result<FolderScan, Refusal>) -> UidSet {
    let held = |scan: &FolderScan| scan.uid_validity == removal.uid_validity && scan.unlisted == 0;
    match scan.ok().filter(held) {
        Some(scan) => scan
            .messages
            .iter()
            .map(Message::uid)
            .filter(|uid| removal.uids.contains(*uid))
            .collect(),
        None => removal.uids.clone(),
    }
}
