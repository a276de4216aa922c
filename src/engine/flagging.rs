//! Changes messages' flags on both sides, and reports what was changed and what was not.
//!
//! Guarantees: a message that someone else has changed since it was read keeps its flags. If a
//! message has two changes, the second is requested only once the first has been made, since
//! UNCHANGEDSINCE (RFC 7162, section 3.1.3) counts our own change as someone else's.

use super::folders::FolderRef;
use super::way::Way;
use crate::mail::{Both, Flags, MailboxName, ModSeq, Side, Uid, UidSet};
use crate::store::{Answer, Error, FlagChange, FlagEdit};
use std::collections::HashMap;

/// Changes of flags in one folder, with the messages that each is for: one STORE serves many.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlagChanges(HashMap<(FlagEdit, Flags), UidSet>);

impl FlagChanges {
    /// Adds a change for one message, unless it has no flags.
    pub(crate) fn add(&mut self, edit: FlagEdit, flags: Flags, uid: Uid) {
        if !flags.is_empty() {
            self.0.entry((edit, flags)).or_default().insert(uid);
        }
    }

    /// Adds a change for several messages, unless there are none.
    pub(crate) fn add_all(&mut self, edit: FlagEdit, flags: Flags, uids: &UidSet) {
        if !uids.is_empty() && !flags.is_empty() {
            self.0.entry((edit, flags)).or_default().add(uids);
        }
    }

    /// Returns each change with its messages.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FlagEdit, &Flags, &UidSet)> {
        self.0
            .iter()
            .map(|((edit, flags), uids)| (*edit, flags, uids))
    }

    /// Keeps each change only for the messages that `holds` accepts. Reports whether any was
    /// dropped.
    pub(crate) fn retain(&mut self, holds: impl Fn(FlagEdit, &Flags, Uid) -> bool) -> bool {
        let mut has_dropped = false;
        for ((edit, flags), uids) in &mut self.0 {
            let before = uids.len();
            *uids = uids
                .iter()
                .filter(|uid| holds(*edit, flags, *uid))
                .collect();
            has_dropped |= uids.len() < before;
        }
        self.0.retain(|_, uids| !uids.is_empty());
        has_dropped
    }

    /// Reports whether nothing is to be changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the messages with changes.
    pub(crate) fn messages(&self) -> UidSet {
        let mut all = UidSet::default();
        self.0.values().for_each(|uids| all.add(uids));
        all
    }

    /// Splits the changes into each message's first, and any further ones: flags are added before
    /// others are removed.
    fn in_two_steps(&self) -> [Vec<(FlagEdit, &Flags, UidSet)>; 2] {
        let mut sorted: Vec<_> = self.iter().collect();
        sorted
            .sort_by_cached_key(|(edit, flags, _)| (*edit == FlagEdit::Remove, flags.to_string()));
        let (mut first, mut further) = (Vec::new(), Vec::new());
        let mut seen = UidSet::default();
        for (edit, flags, uids) in sorted {
            first.push((edit, flags, uids.minus(&seen)));
            further.push((edit, flags, uids.in_common(&seen)));
            seen.add(uids);
        }
        [first, further]
    }
}

/// What is to be changed in one folder.
pub(crate) struct FlagWork<'a> {
    /// The caller's number for the folder.
    of: usize,
    mailbox: &'a MailboxName,
    /// The folder's HIGHESTMODSEQ when its messages were read; `None` changes them in any case.
    unchanged_since: Option<ModSeq>,
    changes: FlagChanges,
}

impl<'a> FlagWork<'a> {
    /// Changes flags in any case.
    pub(crate) fn new(of: usize, mailbox: &'a MailboxName, changes: FlagChanges) -> Self {
        Self {
            of,
            mailbox,
            unchanged_since: None,
            changes,
        }
    }

    /// Changes only flags that no one else has changed since the folder was read.
    pub(crate) fn conditional(of: usize, folder: FolderRef<'a>, changes: FlagChanges) -> Self {
        Self {
            unchanged_since: folder.counters.mod_seq,
            ..Self::new(of, folder.mailbox, changes)
        }
    }

    /// Counts the messages with changes.
    pub(crate) fn messages(&self) -> u64 {
        self.changes.messages().len()
    }

    /// Returns the changes to request in one step, given the results of the step before.
    fn requests(&self, is_first: bool, before: &FlagOutcome) -> Vec<FlagChange> {
        let mut requests = Vec::new();
        let mut add = |edit, flags: &Flags, uids: UidSet, unchanged_since| {
            if !uids.is_empty() {
                requests.push(FlagChange {
                    mailbox: self.mailbox.clone(),
                    uids,
                    edit,
                    flags: flags.clone(),
                    unchanged_since,
                });
            }
        };
        let [first, further] = self.changes.in_two_steps();
        if is_first {
            for (edit, flags, uids) in first {
                add(edit, flags, uids, self.unchanged_since);
            }
            return requests;
        }
        let refused = before.refused_messages();
        for (edit, flags, uids) in further {
            let uids = uids.minus(&before.left_alone);
            add(edit, flags, uids.minus(&refused), None);
            add(edit, flags, uids.in_common(&refused), self.unchanged_since);
        }
        requests
    }
}

/// What was not changed in one folder.
#[derive(Clone, Debug)]
pub(crate) struct FlagOutcome {
    /// The caller's number for the folder.
    pub(crate) of: usize,
    /// Messages that someone else has changed since they were read.
    pub(crate) left_alone: UidSet,
    pub(crate) refused: Vec<RefusedFlags>,
}

impl FlagOutcome {
    fn new(of: usize) -> Self {
        Self {
            of,
            left_alone: UidSet::default(),
            refused: Vec::new(),
        }
    }

    /// Returns the messages for which a change was refused.
    fn refused_messages(&self) -> UidSet {
        let mut all = UidSet::default();
        self.refused
            .iter()
            .for_each(|refused| all.add(&refused.uids));
        all
    }

    /// Returns the messages with a change that was not made.
    pub(crate) fn unchanged(&self) -> UidSet {
        let mut all = self.refused_messages();
        all.add(&self.left_alone);
        all
    }

    fn take(&mut self, change: &FlagChange, result: Answer<UidSet>) {
        match result {
            Ok(left_alone) => self.left_alone.add(&left_alone),
            Err(refusal) => self.refused.push(RefusedFlags {
                flags: change.flags.clone(),
                uids: change.uids.clone(),
                text: refusal.text,
            }),
        }
    }
}

/// A change that a server refused.
#[derive(Clone, Debug)]
pub(crate) struct RefusedFlags {
    flags: Flags,
    uids: UidSet,
    text: String,
}

impl RefusedFlags {
    /// Returns the message that a side refused it.
    pub(crate) fn told(&self, side: &str) -> String {
        format!("the {side} did not change {}: {}", self.flags, self.text)
    }
}

/// Changes flags on both sides at the same time. Returns the outcome for each folder, in the order
/// of `works`.
///
/// # Errors
/// A failure that ends the connections.
pub(crate) fn change_flags(
    way: &mut Way<'_>,
    works: &Both<Vec<FlagWork<'_>>>,
) -> Result<Both<Vec<FlagOutcome>>, Error> {
    let nothing_yet = |work: &FlagWork<'_>| FlagOutcome::new(work.of);
    let mut outcomes: Both<Vec<FlagOutcome>> =
        Both::of(|side| works[side].iter().map(nothing_yet).collect());
    for is_first in [true, false] {
        let mut of: Both<Vec<usize>> = Both::default();
        let mut requests: Both<Vec<FlagChange>> = Both::default();
        for side in Side::BOTH {
            for (at, work) in works[side].iter().enumerate() {
                let of_work = work.requests(is_first, &outcomes[side][at]);
                of[side].extend(of_work.iter().map(|_| at));
                requests[side].extend(of_work);
            }
        }
        if requests.all(Vec::is_empty) {
            continue;
        }
        let results = way.repeatable(|link| {
            link.on_both(|side, store| match requests[side].as_slice() {
                [] => Ok(Vec::new()),
                some => store.change_flags(some),
            })
        })?;
        for (side, results) in results.each() {
            for ((at, change), result) in of[side].iter().zip(&requests[side]).zip(results) {
                outcomes[side][*at].take(change, result);
            }
        }
    }
    Ok(outcomes)
}

/// Changes flags on one side. Returns the outcome for each folder, in the order of `works`.
///
/// # Errors
/// A failure that ends the connections.
pub(crate) fn change_flags_on(
    way: &mut Way<'_>,
    side: Side,
    works: Vec<FlagWork<'_>>,
) -> Result<Vec<FlagOutcome>, Error> {
    let mut both: Both<Vec<FlagWork<'_>>> = Both::default();
    both[side] = works;
    let mut outcomes = change_flags(way, &both)?;
    Ok(std::mem::take(&mut outcomes[side]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(all: &[u32]) -> UidSet {
        all.iter().copied().filter_map(Uid::new).collect()
    }

    fn shown(requests: &[FlagChange]) -> Vec<(FlagEdit, String, String, Option<ModSeq>)> {
        requests
            .iter()
            .map(|change| {
                let (flags, uids) = (change.flags.to_string(), change.uids.to_string());
                (change.edit, flags, uids, change.unchanged_since)
            })
            .collect()
    }

    #[test]
    fn the_second_change_of_a_message_waits_for_the_first() {
        let mailbox = "INBOX".into();
        let mut changes = FlagChanges::default();
        let flag = |name| Flags::from_names([name]);
        changes.add_all(FlagEdit::Remove, flag("\\Flagged"), &uids(&[1, 2, 3, 9]));
        changes.add_all(FlagEdit::Add, flag("\\Seen"), &uids(&[1, 2, 3]));
        let work = FlagWork {
            unchanged_since: Some(ModSeq(7)),
            ..FlagWork::new(0, &mailbox, changes)
        };
        let mut outcome = FlagOutcome::new(0);
        let first = work.requests(true, &outcome);
        let expected =
            |edit, flags: &str, uids: &str, since| (edit, flags.to_owned(), uids.to_owned(), since);
        assert_eq!(
            shown(&first),
            [
                expected(FlagEdit::Add, "(\\Seen)", "1:3", Some(ModSeq(7))),
                expected(FlagEdit::Remove, "(\\Flagged)", "9", Some(ModSeq(7))),
            ]
        );
        // Someone else has changed message 1, and the change of message 3 is refused.
        outcome.left_alone = uids(&[1]);
        outcome.refused.push(RefusedFlags {
            flags: flag("\\Seen"),
            uids: uids(&[3]),
            text: String::new(),
        });
        assert_eq!(
            shown(&work.requests(false, &outcome)),
            [
                expected(FlagEdit::Remove, "(\\Flagged)", "2", None),
                expected(FlagEdit::Remove, "(\\Flagged)", "3", Some(ModSeq(7))),
            ]
        );
    }
}
