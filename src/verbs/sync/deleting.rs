//! What one side deleted is deleted on the other, after everything else. Only named UIDs are
//! removed, of a folder whose UIDVALIDITY held; a pair is forgotten when its message is gone.

use super::memory::changed;
use super::strays::Departed;
use super::{Sync, Work};
use crate::engine::deleting::{Removed, Unsent, look_again, remove};
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::Event;
use crate::mail::{Both, Message, Side, Uid, UidSet, counted};
use crate::plan::merge::{Deletion, Former, PairState};
use crate::state::TwoWayChange;
use crate::store::{Error, Removal, ScanDepth};
use std::collections::HashMap;

/// Sent messages that may not have arrived, by folder and UID on the other side.
pub(super) type Unproven = HashMap<usize, UidSet>;

/// Messages of one folder that go.
pub(super) struct Doomed {
    pub(super) work: usize,
    /// Their pairs, as indices into the base, and their UIDs.
    pub(super) messages: Vec<(u32, Uid)>,
    pub(super) removal: Removal,
}

impl Sync<'_> {
    /// Deletes on each side what was deleted on the other. `unproven` are messages that were sent
    /// to a side and may not be there, by folder and UID on the other side.
    pub(super) fn delete_messages(
        &mut self,
        way: &mut Way<'_>,
        sent: &Both<Sent>,
        unproven: &Both<Unproven>,
    ) -> Result<(), Error> {
        for side in Side::BOTH {
            let all = 0..self.works.len();
            let mut doomed: Vec<Doomed> = all.filter_map(|at| self.doomed(at, side)).collect();
            if !doomed.is_empty() {
                let unsent = self.unsent(side, &sent[side], &unproven[side]);
                self.spare(way, side, &mut doomed, &unsent)?;
                self.keep_first(way, side, &mut doomed)?;
                self.remove(way, side, &doomed)?;
            }
        }
        Ok(())
    }

    /// Returns what is to be deleted in one folder.
    fn doomed(&self, at: usize, side: Side) -> Option<Doomed> {
        let work = &self.works[at];
        if work.rests() {
            return None;
        }
        let deletions = work.merge.deletions[side].iter();
        let message = |deletion: &Deletion| {
            let message = work.message(side, deletion.index)?;
            Some((deletion.pair, message.uid()))
        };
        let messages: Vec<(u32, Uid)> = deletions.filter_map(message).collect();
        let uids = messages.iter().map(|(_, uid)| *uid).collect();
        let removal = work.folder_on(side)?.removal(uids);
        (!messages.is_empty()).then_some(Doomed {
            work: at,
            messages,
            removal,
        })
    }

    /// Returns what was to come to a side and is not known to be there: the message may have been
    /// moved, and its old copy stays until it has arrived.
    fn unsent(&self, side: Side, sent: &Sent, unproven: &Unproven) -> Unsent {
        let mut unsent = Unsent::of(sent, |at, uid, fate| {
            let is_unproven = unproven.get(&at).is_some_and(|uids| uids.contains(uid));
            is_unproven || !fate.is_copied()
        });
        // These have no folder that they could be sent to.
        let unsendable = self
            .works
            .iter()
            .filter(|work| work.rests() || work.raw[side].is_none());
        unsent.add(unsendable.flat_map(|work| work.incoming(side)));
        unsent
    }

    /// Spares messages that may still have to arrive in another folder, and UIDs that belong to
    /// other messages by now: a server that has lost its list of UIDs may assign them again in the
    /// same generation.
    fn spare(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        doomed: &mut [Doomed],
        unsent: &Unsent,
    ) -> Result<(), Error> {
        let removals: Vec<Removal> = doomed.iter().map(|one| one.removal.clone()).collect();
        let scans = look_again(way, side, ScanDepth::Identity, &removals)?;
        for (one, scan) in doomed.iter_mut().zip(scans) {
            let Some(scan) = scan else { continue };
            let work = &self.works[one.work];
            let is_other = |(pair, uid): &(u32, Uid)| {
                scan.message(*uid)
                    .is_some_and(|now| work.is_other(side, *pair, now))
            };
            let all = one.messages.len();
            one.messages.retain(|doomed| !is_other(doomed));
            let others = all - one.messages.len();
            if others > 0 {
                let (name, word) = (work.name(side), side.ordinal());
                self.warn(&format!(
                    "{name}: not deleted on the {word}: {}, as those UIDs now belong to other messages; the \
                     next run rechecks the folder",
                    counted(others as u64, "message")
                ));
            }
            let held = unsent.held(&scan);
            one.messages.retain(|(_, uid)| !held.contains(*uid));
            if one.messages.len() < all {
                one.removal.uids = one.messages.iter().map(|(_, uid)| *uid).collect();
                self.works[one.work].open = true;
            }
        }
        Ok(())
    }

    fn remove(&mut self, way: &mut Way<'_>, side: Side, doomed: &[Doomed]) -> Result<(), Error> {
        let removals: Vec<Removal> = doomed
            .iter()
            .filter(|doomed| !doomed.messages.is_empty())
            .map(|doomed| doomed.removal.clone())
            .collect();
        let results = remove(way, side, &removals)?;
        let mut changes = Vec::new();
        let with_some = doomed.iter().filter(|doomed| !doomed.messages.is_empty());
        for (doomed, Removed { gone, left }) in with_some.zip(results) {
            let at = doomed.work;
            let name = self.works[at].name(side);
            changes.extend(self.conclude_pairs(side, doomed, &gone));
            self.way(side).deleted += gone.len();
            for uid in gone.iter() {
                self.observer.observe(&Event::MessageDeleted {
                    side,
                    folder: &name,
                    uid,
                    heading: None,
                });
            }
            if let Some((left, why)) = left {
                self.works[at].open = true;
                let text = format!(
                    "the {} did not delete {}: {why}",
                    side.ordinal(),
                    counted(left.len(), "message")
                );
                self.fail_folder(&name, &text);
            }
        }
        self.memory.write(&changes, false)
    }

    /// What becomes of the pairs of messages that were to go: those are over that are gone, the
    /// others wait.
    fn conclude_pairs(&mut self, side: Side, doomed: &Doomed, gone: &UidSet) -> Vec<TwoWayChange> {
        let work = &self.works[doomed.work];
        let mut changes = Vec::new();
        for (of, uid) in &doomed.messages {
            let former = Former {
                folder: doomed.work,
                pair: *of,
            };
            self.departed.extend(Side::BOTH.map(|side| Departed {
                side,
                former,
                ours: None,
            }));
            let Some((id, base)) = work.record.zip(work.base.as_ref()) else {
                break;
            };
            let Some(of) = base.pairs().get(*of as usize) else {
                continue;
            };
            changes.push(if gone.contains(*uid) {
                TwoWayChange::Unpair(id, of.uids())
            } else {
                let waiting = PairState::DeletedOn(side.other());
                TwoWayChange::Pair(id, Box::new(changed(base, of, waiting, of.prints())))
            });
        }
        changes
    }
}

impl Work {
    /// Whether a message is another one than this pair's message on a side, as it was shown or is
    /// known from earlier runs.
    fn is_other(&self, side: Side, pair: u32, now: &Message) -> bool {
        let pair = self
            .base
            .as_ref()
            .and_then(|base| base.pairs().get(pair as usize));
        let shown = self.shown(side, now.uid());
        let looks = |message: &Message| (message.size(), message.date());
        let has_changed = shown.is_some_and(|shown| !shown.is_bare() && looks(shown) != looks(now));
        has_changed || pair.is_some_and(|pair| pair.prints().contradict(side, now))
    }
}
