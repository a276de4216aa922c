//! What an earlier run has copied and the target's reader, or a rule, has moved to another folder
//! there: it stays where it is.
//!
//! Only the state tells such a message from one that the target lost, which is sent again. It is
//! looked for where a known message is missing, and in all of the target's other folders; a mirror
//! moves it back instead.

use super::Copy;
use crate::engine::folders::FolderRef;
use crate::engine::scans::{scan_again, scan_each};
use crate::event::Event;
use crate::exec::Link;
use crate::mail::{MailboxName, Message, Uid, UidSet, counted};
use crate::plan::elsewhere::{Looks, Sameness};
use crate::store::{Error, ReadStore, ScanDepth};
use crate::verbs::Deleting;
use crate::verbs::opening::Names;
use std::collections::{HashMap, HashSet};

/// A message that is missing where it was copied to: the pair, and its UID on the source.
type Missed = (usize, Uid);

impl Copy<'_> {
    /// Takes what was moved away on the target off what is to be sent.
    pub(super) fn leave_moved_away(
        &mut self,
        link: &mut Link,
        names: &Names<'_>,
    ) -> Result<(), Error> {
        if matches!(self.options.deleting, Deleting::Mirror(_)) {
            return Ok(());
        }
        let missed = self.missed(link.source.as_mut(), names)?;
        if missed.is_empty() {
            return Ok(());
        }
        let mut found = self.unpaired_like(link.target.as_mut(), names, &missed)?;
        let mut moved: HashMap<usize, UidSet> = HashMap::new();
        for ((pair, uid), _, same) in &missed {
            // It may be back where it was put, since that folder was compared.
            if found.get_mut(same).and_then(Vec::pop).is_some() {
                moved.entry(*pair).or_default().insert(*uid);
            }
        }
        for (pair, uids) in moved {
            self.leave(pair, &names.pairs[pair].from.to_string(), &uids);
        }
        Ok(())
    }

    fn leave(&mut self, pair: usize, folder: &str, uids: &UidSet) {
        let Some(needs) = self.folders.needs_mut(pair) else {
            return;
        };
        needs
            .missing
            .retain(|message| !uids.contains(message.uid()));
        needs.already_there += uids.len();
        self.summary.already_there += uids.len();
        // The record is what tells the next run of it.
        needs.news.stale = needs.news.stale.minus(uids);
        let text = format!(
            "{folder}: {} left where another program moved them on the target",
            counted(uids.len(), "message")
        );
        self.observer.observe(&Event::Warning { text: &text });
    }

    /// Messages that an earlier run has copied and that the target does not have where they were
    /// put.
    fn missed(
        &self,
        source: &mut dyn ReadStore,
        names: &Names<'_>,
    ) -> Result<Vec<(Missed, Looks, Sameness)>, Error> {
        let mut asked: Vec<(usize, UidSet)> = Vec::new();
        for (pair, needs) in self
            .folders
            .compared()
            .filter(|(_, needs)| !needs.news.stale.is_empty())
        {
            let known = needs
                .missing
                .iter()
                .map(Message::uid)
                .filter(|uid| needs.news.stale.contains(*uid));
            let known: UidSet = known.collect();
            if !known.is_empty() {
                asked.push((pair, known));
            }
        }
        let name = |pair: usize| &names.source.mailboxes[names.pairs[pair].source].name;
        let requests = asked.iter().map(|(pair, uids)| {
            let needs = self.folders.needs(*pair);
            let validity = needs.and_then(|needs| needs.source.counters.uid_validity);
            (FolderRef::new(name(*pair), validity), Some(uids.clone()))
        });
        let scans = scan_again(source, ScanDepth::Identity, requests)?;
        let mut missed = Vec::new();
        for ((pair, uids), scan) in asked.into_iter().zip(scans) {
            let Some(scan) = scan else { continue };
            let shown = scan
                .messages
                .iter()
                .filter(|message| uids.contains(message.uid()));
            missed.extend(shown.filter_map(|message| {
                Some((
                    (pair, message.uid()),
                    Looks::of(message)?,
                    Sameness::of(message)?,
                ))
            }));
        }
        Ok(missed)
    }

    /// Messages of the target that are the same as these, and the copy of none: the folders in
    /// which they are.
    fn unpaired_like(
        &self,
        target: &mut dyn ReadStore,
        names: &Names<'_>,
        missed: &[(Missed, Looks, Sameness)],
    ) -> Result<HashMap<Sameness, Vec<MailboxName>>, Error> {
        let looks: HashSet<Looks> = missed.iter().map(|(_, looks, _)| *looks).collect();
        let folders: Vec<&MailboxName> = names
            .target
            .mailboxes
            .iter()
            .filter(|folder| folder.status.is_some())
            .map(|folder| &folder.name)
            .collect();
        let scans = scan_each(
            target,
            ScanDepth::Attributes,
            folders.iter().map(|folder| (*folder, None)),
        )?;
        let mut alike: Vec<(&MailboxName, UidSet)> = Vec::new();
        for (folder, scan) in folders.into_iter().zip(scans) {
            let Ok(scan) = scan else { continue };
            let paired = self.paired_in(folder, names);
            let is_alike = |message: &&Message| {
                Looks::of(message).is_some_and(|of| looks.contains(&of))
                    && !paired.contains(message.uid())
            };
            let uids: UidSet = scan
                .messages
                .iter()
                .filter(is_alike)
                .map(Message::uid)
                .collect();
            if !uids.is_empty() {
                alike.push((folder, uids));
            }
        }
        let scans = scan_each(
            target,
            ScanDepth::Identity,
            alike
                .iter()
                .map(|(folder, uids)| (*folder, Some(uids.clone()))),
        )?;
        let mut found: HashMap<Sameness, Vec<MailboxName>> = HashMap::new();
        for ((folder, uids), scan) in alike.into_iter().zip(scans) {
            let messages = scan.map(|scan| scan.messages).unwrap_or_default();
            for same in messages
                .iter()
                .filter(|message| uids.contains(message.uid()))
                .filter_map(Sameness::of)
            {
                found.entry(same).or_default().push(folder.clone());
            }
        }
        Ok(found)
    }

    /// The messages of a target's folder that are copies, as recorded or as seen now.
    fn paired_in(&self, folder: &MailboxName, names: &Names<'_>) -> UidSet {
        let records = self
            .memory
            .records()
            .filter(|record| record.target == *folder);
        let mut paired: Vec<Uid> = records
            .flat_map(|record| self.memory.pairs(record.id))
            .map(|pair| pair.target)
            .collect();
        for (pair, needs) in self.folders.compared() {
            if names
                .existing(&names.pairs[pair])
                .is_some_and(|target| target.name == *folder)
            {
                paired.extend(needs.news.matched.iter().map(|(_, target, _)| *target));
            }
        }
        paired.sort_unstable();
        paired.into_iter().collect()
    }
}
