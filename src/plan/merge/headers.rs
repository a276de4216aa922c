//! Which headers a scan has to request before a folder can be merged: those of messages that the
//! base doesn't account for.

use super::Folder;
use super::trust::doubts;
use crate::mail::{Both, HeaderKey, Side};

/// Returns the messages whose header keys are unknown but needed, as indices into each side's view:
/// those in no pair of the base, those that look different from the message that had their UID, and
/// all of them if the base is void. Scanning the folder again with these headers gives the same
/// merge as if they had been known from the start.
pub fn headers_wanted(folder: &Folder<'_>) -> Both<Vec<u32>> {
    let known = Both::of(|side| accounted_for(folder, side));
    Both::of(|side| {
        let messages = (0..).zip(folder.views[side].messages());
        let wanted = messages
            .zip(&known[side])
            .filter(|((_, message), known)| !**known && message.key() == HeaderKey::Unknown);
        wanted.map(|((index, _), _)| index).collect()
    })
}

/// Reports which messages on `side` are certain to be those in the base.
fn accounted_for(folder: &Folder<'_>, side: Side) -> Vec<bool> {
    let view = folder.views[side];
    let mut known = vec![false; view.messages().len()];
    let Some(base) = folder.base.filter(|_| doubts(folder).all(Option::is_none)) else {
        return known;
    };
    for pair in base.pairs().iter().filter(|pair| pair.is_on(side)) {
        let Some(index) = view.find(pair.uids[side]) else {
            continue;
        };
        let alike = view
            .at(index)
            .is_some_and(|found| !pair.prints.differ_in_looks(side, found));
        if let Some(known) = known.get_mut(index as usize) {
            *known = alike;
        }
    }
    known
}
