//! Folders that a side has, or may have, but did not list. Such a folder isn't absent: it is
//! reported and counted, and counts as gone only if the side denies it by name.

use crate::event::{Event, Observer};
use crate::mail::{Listing, MailboxName, Unread};
use crate::store::{Error, ReadStore};

/// Reports each gap in a side's listing; `side` is its name in texts, such as `source`. Returns how
/// many count as failed folders.
pub(super) fn tell_gaps(listing: &Listing, side: &str, observer: &dyn Observer) -> u64 {
    let mut told = 0;
    for gap in listing.gaps.iter() {
        let folder = gap.what.to_string();
        if gap.what == Unread::Subscriptions {
            // Some servers have none, so this is only a warning: nothing depends on it and no mail
            // is missed.
            let text = format!(
                "{folder} on the {side} are unknown and left alone: {}",
                gap.why
            );
            observer.observe(&Event::Warning { text: &text });
            continue;
        }
        let reason = format!("it could not be read on the {side}: {}", gap.why);
        observer.observe(&Event::FolderFailed {
            folder: &folder,
            reason: &reason,
        });
        told += 1;
    }
    told
}

/// Asks a side for folders that it doesn't show, by all names that each may have there. Returns for
/// each folder whether all of its names are denied; a folder without a possible name counts as
/// denied.
///
/// # Errors
/// A failure that ends the connection.
pub(super) fn are_denied(
    store: &mut dyn ReadStore,
    folders: &[Vec<MailboxName>],
) -> Result<Vec<bool>, Error> {
    let names: Vec<MailboxName> = folders.iter().flatten().cloned().collect();
    if names.is_empty() {
        return Ok(vec![true; folders.len()]);
    }
    let mut gone = store.are_gone(&names)?.into_iter();
    let denied = folders
        .iter()
        .map(|names| gone.by_ref().take(names.len()).filter(|gone| !gone).count() == 0);
    Ok(denied.collect())
}

/// Returns why a folder that a side neither shows nor denies counts as failed.
pub(super) fn undenied(side: &str) -> String {
    format!(
        "the {side} doesn't list it, but doesn't deny it either when asked for it by name: nothing is deleted because \
         of that listing; run again"
    )
}
