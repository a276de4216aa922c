//! Folders that a side has, or may have, and did not list. What was not listed is not absent: it is
//! named and counted, and a folder is believed to be gone only when the side denies it by name.

use crate::event::{Event, Observer};
use crate::mail::{Listing, MailboxName, Unread};
use crate::store::{Error, ReadStore};

/// Names each gap of a side's listing; `side` is how people call it, such as `source`. Returns how
/// many count as failed folders.
pub(super) fn tell_gaps(listing: &Listing, side: &str, observer: &dyn Observer) -> u64 {
    let mut told = 0;
    for gap in listing.gaps.iter() {
        let folder = gap.what.to_string();
        if gap.what == Unread::Subscriptions {
            // Some servers have none: a warning, as nothing is done for it and no mail is missed.
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

/// Asks a side for folders that it does not show, each by the names that it may have there. Returns
/// for each folder whether all of its names are denied; a folder without a name to ask for counts
/// as denied.
///
/// # Errors
/// What ends the connection.
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

/// Why a folder counts as failed that a side neither shows nor denies.
pub(super) fn undenied(side: &str) -> String {
    format!(
        "the {side} doesn't list it, but doesn't deny it either when asked for it by name: nothing is deleted because \
         of that listing; run again"
    )
}
