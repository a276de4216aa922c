//! The conditions after a damaged run, and after the clean one that follows.

use super::cells::Verb;
use super::ground::{ALIVE, DELETED, LETTERS, MOVED};
use crate::lab::run::Run;
use std::collections::{BTreeMap, BTreeSet};

/// The folder of what was kept.
const KEPT: &str = "Vanished";

/// The messages of each folder by their names, with their flags.
pub(crate) type Content = BTreeMap<String, Vec<(String, Vec<String>)>>;

/// What a run of the same kind without damage finds and leaves.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) before: [Content; 2],
    pub(crate) after: [Content; 2],
    /// After one more run.
    pub(crate) at_rest: [Content; 2],
}

fn names(content: &Content) -> BTreeSet<&str> {
    content
        .values()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Where each message is.
fn places(content: &Content) -> Vec<(&str, &str)> {
    content
        .iter()
        .flat_map(|(folder, all)| all.iter().map(|(name, _)| (folder.as_str(), name.as_str())))
        .collect()
}

fn without_flags(sides: &[Content; 2]) -> [Vec<(&str, &str)>; 2] {
    sides.each_ref().map(places)
}

/// Leaves out what was kept although it was moved. A run that copied it to its new folder and could
/// not look into the old one leaves it there, and for the next run it has vanished from there.
/// Nothing tells that run that the source did not have it in both folders and delete it in one, so
/// it keeps it: one copy too many, never one too few.
fn without_twice_kept(now: &[Content; 2], wanted: &[Content; 2]) -> [Content; 2] {
    let mut now = now.clone();
    let place = format!("{KEPT}/INBOX");
    if let Some(kept) = now[1]
        .get_mut(&place)
        .filter(|_| !wanted[1].contains_key(&place))
    {
        kept.retain(|(name, _)| name != MOVED);
        if kept.is_empty() {
            now[1].remove(&place);
        }
    }
    now
}

impl Reference {
    /// Fails unless the run without damage did what is asked of it, as far as that can be said in a
    /// few words.
    pub(crate) fn assert_sane(&self, verb: Verb) {
        let [first, second] = &self.at_rest;
        let all = names(second);
        assert!(
            ALIVE.iter().all(|name| all.contains(name)),
            "{verb:?}: {self:#?}"
        );
        match verb {
            Verb::Copy => assert_eq!(&self.before[0], first),
            Verb::Move => assert!(first.is_empty(), "{first:?}"),
            Verb::Delete | Verb::Sync | Verb::Apply => {
                assert_eq!(first, second, "{verb:?}");
                assert!(!all.contains(DELETED), "{verb:?}: {second:?}");
            }
            Verb::KeepDeleted => {
                let kept = second
                    .get("Vanished/Work")
                    .unwrap_or_else(|| panic!("nothing kept: {second:?}"));
                assert!(kept.iter().any(|(name, _)| name == DELETED), "{kept:?}");
            }
            Verb::Undo => {
                assert_eq!(first, second, "{verb:?}");
                assert!(all.contains(DELETED), "{second:?}");
            }
        }
    }

    /// What is wrong after the damaged run with this exit code.
    pub(crate) fn fault_after(
        &self,
        now: &[Content; 2],
        run: &Run,
        hides_flags: bool,
    ) -> Option<String> {
        let fault = (0..2).find_map(|side| self.fault_on(side, now));
        if fault.is_some() {
            return fault;
        }
        match run.code {
            Some(0) => self.is_reached(now, &self.after, hides_flags),
            Some(3) => self.unnamed(now, run, hides_flags),
            // Stopped, not let in, no connection: each is said.
            Some(1 | 5 | 6) => None,
            other => Some(format!("exit code {other:?}")),
        }
    }

    /// A folder that is not as it should be, and that the run does not name.
    fn unnamed(&self, now: &[Content; 2], run: &Run, hides_flags: bool) -> Option<String> {
        // What such a line would have named is unknown.
        if run.stderr.contains("a line of the listing") {
            return None;
        }
        let is_named = |folder: &str| {
            // A folder that can't be read hides those below it.
            folder.split('/').any(|level| run.stderr.contains(level))
        };
        let (now, wanted) = (&without_twice_kept(now, &self.after), &self.after);
        let differs = |side: usize, folder: &str| {
            let mut both =
                [now, wanted].map(|all| all[side].get(folder).cloned().unwrap_or_default());
            for messages in &mut both {
                // What did not get into a folder that is named is still where it was.
                messages.retain(|(name, _)| name != MOVED || !is_named("Work"));
                messages
                    .iter_mut()
                    .filter(|_| hides_flags)
                    .for_each(|(_, flags)| flags.clear());
            }
            both[0] != both[1]
        };
        (0..2).find_map(|side| {
            let folders: BTreeSet<&String> = now[side].keys().chain(wanted[side].keys()).collect();
            let unnamed = folders
                .into_iter()
                .find(|folder| differs(side, folder) && !is_named(folder))?;
            Some(format!(
                "{unnamed} is not as it should be on side {side} and not named: {now:#?}"
            ))
        })
    }

    /// What is wrong once a clean run has followed.
    pub(crate) fn fault_at_rest(&self, now: &[Content; 2], hides_flags: bool) -> Option<String> {
        self.is_reached(now, &self.at_rest, hides_flags)
    }

    fn is_reached(
        &self,
        now: &[Content; 2],
        wanted: &[Content; 2],
        hides_flags: bool,
    ) -> Option<String> {
        let now = &without_twice_kept(now, wanted);
        let is_so = if hides_flags {
            without_flags(now) == without_flags(wanted)
        } else {
            now == wanted
        };
        (!is_so).then(|| format!("there is {now:#?}\nand there should be {wanted:#?}"))
    }

    /// Messages on a side that are damaged, doubled or missing.
    fn fault_on(&self, side: usize, now: &[Content; 2]) -> Option<String> {
        let here = &now[side];
        let (before, after) = (
            &self.before[side],
            &[&self.after[side], &self.at_rest[side]],
        );
        let known: BTreeSet<_> = places(before)
            .into_iter()
            .chain(after.iter().flat_map(|all| places(all)))
            .collect();
        let mut seen = BTreeSet::new();
        for place in places(here) {
            let what = if !LETTERS.contains(&place.1) {
                "damaged"
            } else if !seen.insert(place) {
                "doubled"
            } else if !known.contains(&place) && !place.0.starts_with(KEPT) {
                "where nobody put it"
            } else {
                continue;
            };
            return Some(format!("on side {side} {place:?} is {what}: {here:#?}"));
        }
        let elsewhere = names(&now[1 - side]);
        let held = names(here);
        let stays = |name: &&&str| after.iter().all(|all| names(all).contains(**name));
        // What the run takes away from this side because it is on the other must be there, and what
        // nobody deleted is on the side where it was.
        let missing = names(before).into_iter().find(|name| {
            let is_alive = ALIVE.contains(name);
            let is_here = held.contains(name);
            !is_here && (stays(&name) || is_alive && !elsewhere.contains(name))
        });
        missing.map(|name| format!("on side {side} {name} is missing: {now:#?}"))
    }
}
