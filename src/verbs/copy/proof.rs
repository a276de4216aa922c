//! The target's own word on what was sent: that it has each message, with as many bytes as were delivered.
//!
//! An OK to an APPEND says that a server has taken a message. Some drop it all the same, or rewrite it: what is not there is
//! named as failed, what has another size is said and is not proven. Asked in one flight for all folders.

use super::Copy;
use super::carry::Sent;
use crate::event::Event;
use crate::exec::Fate;
use crate::mail::{Message, Uid, UidSet};
use crate::plan::FolderTask;
use crate::store::{Error, ScanDepth};
use crate::verbs::scans::scan_each;
use crate::verbs::way::Way;
use std::collections::HashMap;

/// What the target says of one folder's new messages.
struct Word {
    /// By ascending UID.
    messages: Vec<Message>,
    /// How many of each size are in no pair yet: for messages whose UIDs were not told.
    loose: HashMap<u32, u32>,
}

impl Copy<'_> {
    /// Asks the target what it holds of what was sent. Gives the messages of which it is not proven that it holds them
    /// unchanged, by pair and UID on the source.
    pub(super) fn prove(&mut self, way: &mut Way<'_>, sent: &Sent) -> Result<HashMap<usize, UidSet>, Error> {
        let tasks: Vec<(usize, &FolderTask, &[Fate])> = sent.each().filter(|(.., fates)| has_copies(fates)).collect();
        let uids: Vec<Option<UidSet>> = tasks.iter().map(|(_, task, fates)| asked_for(task, fates)).collect();
        let scans = way.repeatable(|link| {
            let asked = tasks.iter().zip(&uids).map(|((_, task, _), uids)| (&task.target, uids.clone()));
            scan_each(link.target.as_mut(), ScanDepth::Sizes, asked)
        })?;
        let mut unproven = HashMap::new();
        for ((pair, task, fates), scan) in tasks.into_iter().zip(scans) {
            let scan = scan.ok().filter(|scan| scan.uid_validity == task.target_uid_validity);
            let doubtful = match scan {
                Some(scan) => self.compare_word(pair, task, fates, Word::new(scan.messages, fates)),
                None => task.messages.iter().map(Message::uid).collect(),
            };
            unproven.insert(pair, doubtful);
        }
        Ok(unproven)
    }

    fn compare_word(&mut self, pair: usize, task: &FolderTask, fates: &[Fate], mut word: Word) -> UidSet {
        let mut unproven = UidSet::default();
        let mut rewritten: Vec<(Uid, u32, u32)> = Vec::new();
        let mut lost = UidSet::default();
        for (message, fate) in task.messages.iter().zip(fates) {
            let Fate::Copied { uid, bytes } = *fate else { continue };
            match (uid, uid.and_then(|uid| word.size(uid))) {
                (_, Some(size)) if size == bytes || bytes == u32::MAX => continue,
                (_, Some(size)) => rewritten.push((message.uid(), bytes, size)),
                (Some(_), None) => lost.insert(message.uid()),
                (None, None) if word.take_loose(bytes) => continue,
                (None, None) => {}
            }
            unproven.insert(message.uid());
        }
        for uid in lost.iter() {
            let reason = "the target said that it took it, but does not have it";
            self.observer.observe(&Event::MessageFailed { folder: &task.from, uid, message_id: None, reason });
            self.summary.failed += 1;
            self.summary.copied -= 1;
            self.has_failed.insert(pair);
        }
        self.memory.unpair(pair, &lost);
        if let Some((uid, sent, stored)) = rewritten.first() {
            let text = format!(
                "{}: the target stores {} of the messages with another size than they were sent with, such as UID {uid} \
                 of the source: {sent} bytes became {stored}; verify --deep compares what they say",
                task.to,
                rewritten.len(),
            );
            self.observer.observe(&Event::Warning { text: &text });
        }
        unproven
    }
}

impl Word {
    fn new(messages: Vec<Message>, fates: &[Fate]) -> Self {
        let placed: UidSet = fates
            .iter()
            .filter_map(|fate| match fate {
                Fate::Copied { uid, .. } => *uid,
                Fate::Failed | Fate::Vanished | Fate::Open => None,
            })
            .collect();
        let mut loose: HashMap<u32, u32> = HashMap::new();
        for message in messages.iter().filter(|message| !placed.contains(message.uid())) {
            *loose.entry(message.size()).or_default() += 1;
        }
        Self { messages, loose }
    }

    fn size(&self, uid: Uid) -> Option<u32> {
        let at = self.messages.binary_search_by_key(&uid, Message::uid).ok()?;
        Some(self.messages[at].size())
    }

    /// Whether there is a message of this size that stands for no other one.
    fn take_loose(&mut self, size: u32) -> bool {
        match self.loose.get_mut(&size) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

fn has_copies(fates: &[Fate]) -> bool {
    fates.iter().any(|fate| matches!(fate, Fate::Copied { .. }))
}

/// What the target is asked for: the messages whose UIDs it told, or else all that are new.
fn asked_for(task: &FolderTask, fates: &[Fate]) -> Option<UidSet> {
    let copied = || fates.iter().filter(|fate| matches!(fate, Fate::Copied { .. }));
    let placed = |fate: &Fate| match fate {
        Fate::Copied { uid, .. } => *uid,
        Fate::Failed | Fate::Vanished | Fate::Open => None,
    };
    let uids: UidSet = copied().filter_map(placed).collect();
    if uids.len() == copied().count() as u64 {
        return Some(uids);
    }
    task.target_uid_next.and_then(Uid::new).map(UidSet::from_uid)
}
