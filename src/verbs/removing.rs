//! Messages that are removed, and what is left of them where a server refuses: by its words, or by
//! doing nothing.

use crate::engine::scans::scan_each;
use crate::mail::{Message, UidSet};
use crate::store::{Answer, Error, FolderScan, Removal, ScanDepth, Store};

/// What became of a removal.
pub(super) struct Removed {
    /// The messages that are gone.
    pub(super) gone: UidSet,
    /// The messages that are still there, and why; `None`: all are gone.
    pub(super) left: Option<(UidSet, String)>,
}

/// Removes messages, and looks for those of a folder that refused some.
///
/// # Errors
/// What ends the connection.
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

/// Which messages of a removal a look into its folder has found. What can't be looked at counts as
/// there.
fn still_there(removal: &Removal, scan: Answer<FolderScan>) -> UidSet {
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
