//! Equal messages of one folder, of which a target that knows a message by its content keeps one
//! (Gmail, Proton).
//!
//! Invariant: a message counts as merged only if it has the same bytes as another message of its
//! folder that is there, or is sent.

use super::{Compared, Comparison, uids};
use crate::exec::{Link, read_contents};
use crate::mail::HeaderKey;
use crate::store::{AsReadStore, Error};
use std::collections::{HashMap, HashSet};

/// How merged messages are counted in a summary's `left_out`.
const EQUAL: &str = "equal";

/// Returns the messages that look like another one in their folder, in groups with a missing one.
/// What is there already comes before what is missing.
pub(super) fn alike(compared: &Compared) -> Vec<Vec<u32>> {
    let mut is_missing = vec![false; compared.source.messages.len()];
    for at in &compared.matching.missing {
        is_missing[*at as usize] = true;
    }
    let mut groups: HashMap<(HeaderKey, u32), Vec<u32>> = HashMap::new();
    for (at, message) in (0..).zip(&compared.source.messages) {
        if let key @ (HeaderKey::WithId(_) | HeaderKey::WithoutId(_)) = message.key() {
            groups.entry((key, message.size())).or_default().push(at);
        }
    }
    let has_missing = |group: &Vec<u32>| group.iter().any(|at| is_missing[*at as usize]);
    let mut alike: Vec<Vec<u32>> = groups
        .into_values()
        .filter(|group| group.len() > 1 && has_missing(group))
        .collect();
    for group in &mut alike {
        group.sort_unstable_by_key(|at| (is_missing[*at as usize], *at));
    }
    alike
}

impl<C: AsReadStore> Comparison<'_, C> {
    /// Takes messages off those that are missing that have the same bytes as another one in their
    /// folder.
    pub(super) fn leave_merged(
        &self,
        link: &mut Link<C>,
        index: usize,
        compared: &mut Compared,
    ) -> Result<(), Error> {
        let alike = alike(compared);
        if alike.is_empty() {
            return Ok(());
        }
        let source = &compared.source;
        let contents = read_contents(
            link.source.reading(),
            &self.pairs[index].source,
            source.uid_validity,
            &uids(source, &alike.concat()),
            &mut |_| {},
        )?;
        let mut equal: HashSet<u32> = HashSet::new();
        for group in alike {
            let mut seen: HashSet<[u8; 32]> = HashSet::new();
            for at in group {
                let read = contents.get(&source.messages[at as usize].uid());
                if read.is_some_and(|keys| !seen.insert(keys.raw)) {
                    equal.insert(at);
                }
            }
        }
        let missing = &mut compared.matching.missing;
        let before = missing.len();
        missing.retain(|at| !equal.contains(at));
        let merged = (before - missing.len()) as u64;
        compared.filtered_out.add(EQUAL, merged);
        Ok(())
    }
}
