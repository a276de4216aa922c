//! What one side deleted is deleted on the other, after everything else. Only named UIDs are
//! removed, of a folder whose UIDVALIDITY held; a pair is forgotten when its message is gone.

use super::memory::changed;
use super::strays::Departed;
use super::{Sync, Work};
use crate::engine::scans::scan_each;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::Event;
use crate::mail::{Both, Message, Side, Uid, UidSet, counted};
use crate::plan::elsewhere::Sameness;
use crate::plan::merge::{Former, PairState};
use crate::state::TwoWayChange;
use crate::store::{Error, Removal, ScanDepth};
use crate::verbs::removing::{Removed, remove};
use std::collections::HashSet;

/// Messages of one folder that go.
pub(super) struct Doomed {
    pub(super) work: usize,
    /// Their pairs, as indices into the base, and their UIDs.
    pub(super) messages: Vec<(u32, Uid)>,
    pub(super) removal: Removal,
}

impl Sync<'_> {
    pub(super) fn delete_messages(
        &mut self,
        way: &mut Way<'_>,
        sent: &Both<Sent>,
    ) -> Result<(), Error> {
        for side in Side::BOTH {
            let unsent = unsent(sent, side);
            let mut doomed = Vec::new();
            for at in 0..self.works.len() {
                doomed.extend(self.doomed(at, side, &unsent));
            }
            if !doomed.is_empty() {
                self.spare_others(way, side, &mut doomed)?;
                self.keep_first(way, side, &mut doomed)?;
                self.remove(way, side, &doomed)?;
            }
        }
        Ok(())
    }

    /// What goes in one folder. A message that may be on its way to another folder stays until it
    /// has come there.
    fn doomed(&mut self, at: usize, side: Side, unsent: &HashSet<Sameness>) -> Option<Doomed> {
        let work = &mut self.works[at];
        if work.rests() || work.merge.deletions[side].is_empty() {
            return None;
        }
        let mailbox = work.raw[side].clone()?;
        let mut messages = Vec::new();
        let mut is_held = false;
        for deletion in &work.merge.deletions[side] {
            let Some(message) = work.message(side, deletion.index) else {
                continue;
            };
            if Sameness::of(message).is_some_and(|same| unsent.contains(&same)) {
                is_held = true;
            } else {
                messages.push((deletion.pair, message.uid()));
            }
        }
        work.open |= is_held;
        let uids = messages.iter().map(|(_, uid)| *uid).collect();
        let removal = Removal {
            mailbox,
            uid_validity: work.state[side].counters.uid_validity,
            uids,
        };
        (!messages.is_empty()).then_some(Doomed {
            work: at,
            messages,
            removal,
        })
    }

    /// Takes off what is to go the UIDs that stand for other messages by now: a server that has
    /// lost its list of UIDs may give them out again, in the same generation.
    fn spare_others(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        doomed: &mut [Doomed],
    ) -> Result<(), Error> {
        let scans = way.repeatable(|link| {
            let asked = doomed
                .iter()
                .map(|one| (&one.removal.mailbox, Some(one.removal.uids.clone())));
            scan_each(link.side(side), ScanDepth::Identity, asked)
        })?;
        for (one, scan) in doomed.iter_mut().zip(scans) {
            // The removal itself leaves a folder alone that can't be opened or has other UIDs.
            let Some(scan) = scan
                .ok()
                .filter(|scan| scan.uid_validity == one.removal.uid_validity)
            else {
                continue;
            };
            let work = &self.works[one.work];
            let is_other = |(pair, uid): &(u32, Uid)| {
                scan.message(*uid)
                    .is_some_and(|now| work.is_other(side, *pair, now))
            };
            let before = one.messages.len();
            one.messages.retain(|doomed| !is_other(doomed));
            let spared = before - one.messages.len();
            if spared > 0 {
                one.removal.uids = one.messages.iter().map(|(_, uid)| *uid).collect();
                self.works[one.work].open = true;
                let (name, word) = (self.works[one.work].name(side), side.ordinal());
                self.warn(&format!(
                    "{name}: not deleted on the {word}: {}, as those UIDs now belong to other messages; the \
                     next run rechecks the folder",
                    counted(spared as u64, "message")
                ));
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
        let results = way.repeatable(|link| remove(link.side(side), &removals))?;
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

/// What was to come to a side and did not.
fn unsent(sent: &Both<Sent>, side: Side) -> HashSet<Sameness> {
    let mut unsent = HashSet::new();
    for (_, task, fates) in sent[side].each() {
        let open = task
            .messages
            .iter()
            .zip(fates)
            .filter(|(_, fate)| !fate.is_copied());
        unsent.extend(open.filter_map(|(message, _): (&Message, _)| Sameness::of(message)));
    }
    unsent
}
