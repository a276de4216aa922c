//! `--move`: deletes on the source what is proven to be on the target, at the end of a copy.
//!
//! Proven is what this run has sent and the target has confirmed with its size, what an earlier run
//! has recorded, and what has the same SHA-256 on both sides. Everything else stays, and is
//! counted.
//!
//! All are looked at once more first: a server that loses its list of UIDs gives them to other
//! messages, in the same generation. What was sent must look as it did then, and what was recorded
//! must look the same on both sides.

use super::Copy;
use super::deletion::removal;
use super::needs::There;
use super::removals::Doomed;
use crate::engine::deleting::remove;
use crate::engine::folders::FolderRef;
use crate::engine::scans::scan_each;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::Event;
use crate::mail::{InternalDate, MailboxName, Message, Side, Uid, UidSet, counted};
use crate::store::{Error, FolderScan, Removal, ScanDepth};
use std::collections::HashMap;

impl Copy<'_> {
    /// Deletes on the source what is proven to be on the target. `unproven` are messages that were
    /// copied, but of which the target's word is not what was sent.
    pub(super) fn empty_source(
        &mut self,
        way: &mut Way<'_>,
        sent: &Sent,
        copied: &HashMap<usize, UidSet>,
    ) -> Result<(), Error> {
        let mut doomed = std::mem::take(&mut self.doomed);
        let now = self.look_again(way, &doomed)?;
        for (folder, now) in doomed.iter_mut().zip(&now) {
            let Some(pair) = folder.pairs.first().copied() else {
                continue;
            };
            let mut proven = self.prove_there(way, pair, &folder.mailbox, now)?;
            let copied = copied.get(&pair).into_iter().flat_map(UidSet::iter);
            copied
                .filter(|uid| now.is_as_sent(sent, pair, *uid))
                .for_each(|uid| proven.insert(uid));
            let unproven = folder.uids.minus(&proven).len();
            if unproven > 0 {
                let text = format!(
                    "{}: {} kept on the source: not verified on the target",
                    folder.folder,
                    counted(unproven, "message")
                );
                self.observer.observe(&Event::Warning { text: &text });
            }
            folder.uids = folder.uids.in_common(&proven);
        }
        doomed.retain(|doomed| !doomed.uids.is_empty());
        let removals: Vec<Removal> = doomed.iter().map(removal).collect();
        let results = remove(way, Side::SOURCE, &removals)?;
        for (doomed, removed) in doomed.into_iter().zip(results) {
            let gone = self.take_removed(&doomed, removed);
            self.memory.emptied(&doomed.pairs, &gone);
        }
        Ok(())
    }

    /// Looks once more at what is to leave each folder, and at what the target has of it since an
    /// earlier run.
    fn look_again(&self, way: &mut Way<'_>, doomed: &[Doomed]) -> Result<Vec<Now>, Error> {
        let of_pair = |folder: &Doomed| self.folders.needs(*folder.pairs.first()?);
        let known = |folder: &Doomed| -> Option<(&MailboxName, UidSet)> {
            let needs = of_pair(folder)?;
            let known: UidSet = needs
                .there
                .iter()
                .filter(|there| there.is_known)
                .map(|there| there.target)
                .collect();
            needs
                .target
                .as_ref()
                .map(|target| (&target.name, known))
                .filter(|(_, known)| !known.is_empty())
        };
        way.repeatable(|link| {
            let asked = doomed
                .iter()
                .map(|folder| (&folder.mailbox, Some(folder.uids.clone())));
            let source = scan_each(link.source.as_mut(), ScanDepth::Attributes, asked)?;
            let known: Vec<_> = doomed.iter().map(known).collect();
            let asked = known
                .iter()
                .flatten()
                .map(|(mailbox, uids)| (*mailbox, Some(uids.clone())));
            let mut target =
                scan_each(link.target.as_mut(), ScanDepth::Attributes, asked)?.into_iter();
            let target = known.iter().map(|known| {
                known
                    .as_ref()
                    .and_then(|_| target.next()?.ok())
                    .unwrap_or_default()
            });
            let source = source.into_iter().map(Result::unwrap_or_default);
            Ok(source
                .zip(target)
                .map(|(source, target)| Now { source, target })
                .collect())
        })
    }

    /// Which of the messages that both sides had already are the same: known by an earlier run, or
    /// by their content.
    fn prove_there(
        &self,
        way: &mut Way<'_>,
        pair: usize,
        source: &MailboxName,
        now: &Now,
    ) -> Result<UidSet, Error> {
        let Some(needs) = self.folders.needs(pair) else {
            return Ok(UidSet::default());
        };
        let (known, to_read): (Vec<There>, Vec<There>) = needs
            .there
            .iter()
            .partition(|there| there.is_known && now.looks_the_same(there));
        let mut proven: UidSet = known.iter().map(|there| there.source).collect();
        let Some(target) = needs.target.as_ref().filter(|_| !to_read.is_empty()) else {
            return Ok(proven);
        };
        let contents = way.repeatable(|link| {
            let uids = to_read.iter().map(|there| there.source).collect();
            let source = FolderRef::new(source, needs.source.counters.uid_validity);
            let on_source = source.contents(link.source.as_mut(), &uids)?;
            let uids = to_read.iter().map(|there| there.target).collect();
            let on_target = target.folder().contents(link.target.as_mut(), &uids)?;
            Ok((on_source, on_target))
        })?;
        let is_same = |there: &&There| {
            let (from, to) = (contents.0.get(&there.source), contents.1.get(&there.target));
            from.zip(to).is_some_and(|(from, to)| from.raw == to.raw)
        };
        to_read
            .iter()
            .filter(is_same)
            .for_each(|there| proven.insert(there.source));
        Ok(proven)
    }
}

/// How the messages that are to leave a folder look by now, and their counterparts.
struct Now {
    source: FolderScan,
    target: FolderScan,
}

impl Now {
    /// Whether a message of the source is the one that was sent, or has gone by itself.
    fn is_as_sent(&self, sent: &Sent, pair: usize, uid: Uid) -> bool {
        let sent = sent
            .each()
            .find(|(of, ..)| *of == pair)
            .and_then(|(_, task, _)| task.messages.get(task.position(uid)?));
        let looks = |message: &Message| (message.size(), message.date());
        sent.zip(self.source.message(uid))
            .is_none_or(|(sent, now)| looks(sent) == looks(now))
    }

    /// Whether both sides' messages have one size and one date.
    fn looks_the_same(&self, there: &There) -> bool {
        let looks = |message: &Message| (message.size(), message.date().map(InternalDate::seconds));
        let (source, target) = (
            self.source.message(there.source),
            self.target.message(there.target),
        );
        source
            .zip(target)
            .is_some_and(|(source, target)| looks(source) == looks(target))
    }
}

/// The messages of a pair that the copy has brought to the target, by their UIDs on the source.
pub(super) fn note_copied(
    copied: &mut HashMap<usize, UidSet>,
    pair: usize,
    uids: impl IntoIterator<Item = Uid>,
) {
    let of_pair = copied.entry(pair).or_default();
    uids.into_iter().for_each(|uid| of_pair.insert(uid));
}
