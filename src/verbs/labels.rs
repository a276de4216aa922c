//! `--gmail-labels one-folder|keywords`: finds out which messages several of the source's folders
//! show, and in which one of them each takes part.
//!
//! Invariant: a message is left to another folder only if the server gave both the same ID.

use super::compare::{self, Sorted};
use super::opening::Names;
use crate::folders::{GmailLabels, Pair, label, utf7};
use crate::mail::{Flags, SpecialUse, Uid, UidSet};
use crate::store::{ContentId, Error, ReadStore, SomeMessages};
use std::collections::HashMap;

/// Decides for each folder of a source with labels which messages take part there. Does nothing if
/// each label is to become a folder.
///
/// # Errors
/// What ends the connection.
pub(super) fn sort(
    store: &mut dyn ReadStore,
    names: &Names<'_>,
    compared: &mut [compare::Pair],
) -> Result<(), Error> {
    let how = names.pairing.labels;
    if !how.are_in_one_folder() {
        return Ok(());
    }
    let mut pairs: Vec<usize> = (0..names.pairs.len())
        .filter(|index| !names.pairs[*index].view)
        .collect();
    pairs.sort_by_key(|index| rank(&names.pairs[*index]));
    let ids = ids(store, names, &pairs)?;
    let mut home: HashMap<ContentId, (usize, Uid)> = HashMap::new();
    let mut sorted = vec![Sorted::default(); pairs.len()];
    for (at, ids) in ids.into_iter().enumerate() {
        let label = keyword(label(&names.pairs[pairs[at]].from));
        for (uid, id) in ids {
            let (first, there) = *home.entry(id).or_insert((at, uid));
            if first == at {
                continue;
            }
            sorted[at].elsewhere.insert(uid);
            if how == GmailLabels::Keywords {
                let labels = sorted[first].labels.entry(there).or_default();
                *labels = labels.union(&label);
            }
        }
    }
    for (pair, sorted) in pairs.into_iter().zip(sorted) {
        compared[pair].sorted = Some(sorted);
    }
    Ok(())
}

/// Puts INBOX before Gmail's own folders, and these before labels, which keep their order.
fn rank(pair: &Pair) -> u8 {
    match pair.role {
        _ if pair.from.is_inbox() => 0,
        Some(role) if !role.is_view() && role != SpecialUse::Archive => 1,
        _ => 2,
    }
}

/// Returns the server's IDs of all messages in these pairs' folders on the source.
fn ids(
    store: &mut dyn ReadStore,
    names: &Names<'_>,
    pairs: &[usize],
) -> Result<Vec<Vec<(Uid, ContentId)>>, Error> {
    let Some(first) = Uid::new(1) else {
        return Ok(Vec::new());
    };
    let folder = |pair: &usize| {
        let folder = &names.source.mailboxes[names.pairs[*pair].source];
        SomeMessages {
            mailbox: &folder.name,
            uid_validity: folder.counters().and_then(|counters| counters.uid_validity),
            uids: UidSet::from_uid(first),
        }
    };
    let asked: Vec<SomeMessages<'_>> = pairs.iter().map(folder).collect();
    let told = store.content_ids(&asked)?.into_iter().map(|ids| {
        let mut ids: Vec<(Uid, ContentId)> = ids.into_iter().collect();
        ids.sort_unstable_by_key(|(uid, _)| *uid);
        ids
    });
    Ok(told.collect())
}

/// Returns a label as a keyword: its name as the server writes it, with `_` for what a keyword
/// can't have.
fn keyword(levels: &[String]) -> Flags {
    let levels: Vec<String> = levels.iter().map(|level| utf7::encode(level)).collect();
    let allowed = |c: char| {
        if c.is_ascii_graphic() && !"(){%*\"\\]".contains(c) {
            c
        } else {
            '_'
        }
    };
    let text: String = levels.join("/").chars().map(allowed).collect();
    Flags::from_names([text.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::FolderName;

    #[test]
    fn a_label_becomes_a_keyword_that_every_server_can_read() {
        for (label, expected) in [
            ("Work", "Work"),
            ("Work/2024 Q1", "Work/2024_Q1"),
            ("Entwürfe (alt)", "Entw&APw-rfe__alt_"),
            ("[Gmail]/Sent Mail", "Sent_Mail"),
            ("a*b%c\"d\\e]f", "a_b_c_d_e_f"),
        ] {
            let flags = keyword(super::label(&FolderName::parse(label).unwrap()));
            assert_eq!(flags.names().collect::<Vec<_>>(), [expected]);
        }
    }
}
