//! `--move`: deletes on the source what is proven to be on the target, at the end of a copy.
//!
//! Proven is what this run has sent and the target has confirmed with its size, what an earlier run has recorded, and what
//! has the same SHA-256 on both sides. Everything else stays, and is counted.

use super::Copy;
use super::deletion::removal;
use super::needs::There;
use crate::event::Event;
use crate::exec::read_contents;
use crate::mail::{MailboxName, Uid, UidSet, counted};
use crate::store::{Error, Removal};
use crate::verbs::removing::remove;
use crate::verbs::way::Way;
use std::collections::HashMap;

impl Copy<'_> {
    /// Deletes on the source what is proven to be on the target. `unproven` are messages that were copied, but of which
    /// the target's word is not what was sent.
    pub(super) fn empty_source(&mut self, way: &mut Way<'_>, copied: &HashMap<usize, UidSet>) -> Result<(), Error> {
        let mut doomed = std::mem::take(&mut self.doomed);
        for folder in &mut doomed {
            let Some(pair) = folder.pairs.first().copied() else { continue };
            let mut proven = self.prove_there(way, pair, &folder.mailbox)?;
            proven.add(copied.get(&pair).unwrap_or(&UidSet::default()));
            let unproven = folder.uids.iter().filter(|uid| !proven.contains(*uid)).count();
            if unproven > 0 {
                let text = format!(
                    "{}: left on the source: {}, not proven to be on the target",
                    folder.folder,
                    counted(unproven as u64, "message")
                );
                self.observer.observe(&Event::Warning { text: &text });
            }
            folder.uids = folder.uids.iter().filter(|uid| proven.contains(*uid)).collect();
        }
        doomed.retain(|doomed| !doomed.uids.is_empty());
        let removals: Vec<Removal> = doomed.iter().map(removal).collect();
        let results = way.repeatable(|link| remove(link.source.as_mut(), &removals))?;
        for (doomed, removed) in doomed.into_iter().zip(results) {
            let gone = self.take_removed(&doomed, removed);
            self.memory.emptied(&doomed.pairs, &gone);
        }
        Ok(())
    }

    /// Which of the messages that both sides had already are the same: known by an earlier run, or by their content.
    fn prove_there(&self, way: &mut Way<'_>, pair: usize, source: &MailboxName) -> Result<UidSet, Error> {
        let Some(needs) = &self.folders[pair] else { return Ok(UidSet::default()) };
        let (known, to_read): (Vec<There>, Vec<There>) = needs.there.iter().partition(|there| there.is_known);
        let mut proven: UidSet = known.iter().map(|there| there.source).collect();
        let Some(target) = needs.target.as_ref().filter(|_| !to_read.is_empty()) else { return Ok(proven) };
        let contents = way.repeatable(|link| {
            let uids = to_read.iter().map(|there| there.source).collect();
            let on_source = read_contents(link.source.as_mut(), source, needs.source.uid_validity, &uids, &mut |_| {})?;
            let uids = to_read.iter().map(|there| there.target).collect();
            let validity = target.side.uid_validity;
            let on_target = read_contents(link.target.as_mut(), &target.name, validity, &uids, &mut |_| {})?;
            Ok((on_source, on_target))
        })?;
        let is_same = |there: &&There| {
            let (from, to) = (contents.0.get(&there.source), contents.1.get(&there.target));
            from.zip(to).is_some_and(|(from, to)| from.raw == to.raw)
        };
        to_read.iter().filter(is_same).for_each(|there| proven.insert(there.source));
        Ok(proven)
    }
}

/// The messages of a pair that the copy has brought to the target, by their UIDs on the source.
pub(super) fn note_copied(copied: &mut HashMap<usize, UidSet>, pair: usize, uids: impl IntoIterator<Item = Uid>) {
    let of_pair = copied.entry(pair).or_default();
    uids.into_iter().for_each(|uid| of_pair.insert(uid));
}
