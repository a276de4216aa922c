//! Messages that look the same in several folders, of which one is sent and copied for the others:
//! what the account that has them says to that. Two mails may have one header, size and date and
//! differ in their bodies.

use crate::mail::{MailboxName, Uid, UidSet, UidValidity};
use crate::store::{ContentId, Error, ReadStore, SomeMessages};
use std::collections::{BTreeMap, HashMap};

/// A message by the number of its folder and its UID there.
pub(crate) type Place = (usize, Uid);

/// Whether the account calls the two of each pair the same; `None` where it does not say what it
/// calls them. Of folders that `folder` does not know nothing is asked, and nothing at all where
/// there are no pairs.
///
/// # Errors
/// What ends the connection.
pub(crate) fn are_same<'m>(
    store: &mut dyn ReadStore,
    pairs: &[(Place, Place)],
    folder: &dyn Fn(usize) -> Option<(&'m MailboxName, Option<UidValidity>)>,
) -> Result<Vec<Option<bool>>, Error> {
    let places: Vec<Place> = pairs
        .iter()
        .flat_map(|(one, other)| [*one, *other])
        .collect();
    let ids = ids(store, &places, folder)?;
    Ok(pairs
        .iter()
        .map(|(one, other)| Some(ids.get(one)? == ids.get(other)?))
        .collect())
}

/// Gives the account's IDs for these messages, as far as it has any. Of folders that `folder` does
/// not know nothing is asked.
///
/// # Errors
/// What ends the connection.
pub(crate) fn ids<'m>(
    store: &mut dyn ReadStore,
    places: &[Place],
    folder: &dyn Fn(usize) -> Option<(&'m MailboxName, Option<UidValidity>)>,
) -> Result<HashMap<Place, ContentId>, Error> {
    let mut wanted: BTreeMap<usize, UidSet> = BTreeMap::new();
    for (at, uid) in places {
        wanted.entry(*at).or_default().insert(*uid);
    }
    let asked = wanted.into_iter().filter_map(|(at, uids)| {
        let (mailbox, uid_validity) = folder(at)?;
        Some((
            at,
            SomeMessages {
                mailbox,
                uid_validity,
                uids,
            },
        ))
    });
    let (numbers, asked): (Vec<usize>, Vec<SomeMessages<'_>>) = asked.unzip();
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let told = store.content_ids(&asked)?;
    let mut ids = HashMap::new();
    for (folder, told) in numbers.into_iter().zip(told) {
        ids.extend(told.into_iter().map(|(uid, id)| ((folder, uid), id)));
    }
    Ok(ids)
}
