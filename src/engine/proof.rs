//! A side's own word on what was sent to it: that it has each message, with as many bytes as were
//! delivered.
//!
//! An OK to an APPEND says that a server has taken a message. Some drop it all the same, rewrite
//! it, or put it where another one is. All folders are asked in one flight.

use super::departures;
use super::renumbered::{self, Corrected};
use super::sent::{Proof, Sent};
use super::way::Way;
use crate::exec::Fate;
use crate::mail::{Message, Side, Uid, UidNext, UidSet};
use crate::plan::FolderTask;
use crate::plan::elsewhere::Sameness;
use crate::store::{Error, ScanDepth, ScanRequest};
use std::borrow::Cow;
use std::collections::HashMap;

/// How closely a side is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closeness {
    /// For sizes: where no UIDs were told, one message of the right size is as good as another.
    Sizes,
    /// For all attributes: where no UIDs were told, headers tell which message is which.
    Attributes,
}

/// What a side says of all that was sent to it.
#[derive(Default)]
pub(crate) struct Answer<'a> {
    pub(crate) proofs: Vec<Proof<'a>>,
    /// Folders that it says nothing of: they refuse, or are others by now.
    pub(crate) silent: Vec<(usize, &'a FolderTask)>,
    /// Messages that have other UIDs than were told.
    pub(crate) corrected: Vec<Corrected>,
}

/// What a side says of one message that it took.
pub(crate) struct Word<'a> {
    /// The message where it comes from.
    pub(crate) message: &'a Message,
    pub(crate) says: Says<'a>,
}

/// What it says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Says<'a> {
    /// It is there, as long as it was sent.
    There(&'a Message),
    /// It is there with another size than was sent: so many bytes.
    Resized(&'a Message, u32),
    /// It was put where another message is.
    Second,
    /// It was there under this UID and is gone.
    Left(Uid),
    /// It never was there under the UID that was told.
    Lost(Uid),
    /// Nobody told where it is, and it can't be found.
    Untold,
}

/// Asks a side what it holds of what was sent to it.
///
/// # Errors
/// What ends the connections.
pub(crate) fn ask<'a>(
    way: &mut Way<'_>,
    side: Side,
    sent: &'a Sent,
    how: Closeness,
) -> Result<Answer<'a>, Error> {
    let tasks: Vec<_> = sent
        .each()
        .filter(|(.., fates)| fates.iter().any(Fate::is_copied))
        .collect();
    let mut answer = Answer::default();
    if tasks.is_empty() {
        return Ok(answer);
    }
    let asked: Vec<_> = tasks
        .iter()
        .map(|(_, task, fates)| asked_for(task, fates, how))
        .collect();
    let put: Vec<_> = tasks
        .iter()
        .map(|(_, task, fates)| departures::put(task, fates))
        .collect();
    let scans = way.repeatable(|link| {
        let mut requests: Vec<ScanRequest<'_>> = Vec::new();
        for ((_, task, _), (depth, uids)) in tasks.iter().zip(&asked) {
            requests.push(ScanRequest {
                uids: uids.clone(),
                ..ScanRequest::new(&task.target, *depth)
            });
        }
        departures::scan(link.side(side), &requests, &put)
    })?;
    for ((of, task, fates), scan) in tasks.into_iter().zip(scans) {
        match scan.filter(|scan| scan.uid_validity == task.target_uid_validity) {
            Some(scan) => answer.proofs.push(Proof {
                of,
                task,
                fates: Cow::Borrowed(fates),
                scan,
            }),
            None => answer.silent.push((of, task)),
        }
    }
    answer.corrected = renumbered::correct(way, side, &mut answer.proofs)?;
    Ok(answer)
}

/// What of a folder is asked for: the messages whose UIDs were told, or else all that are new.
fn asked_for(task: &FolderTask, fates: &[Fate], how: Closeness) -> (ScanDepth, Option<UidSet>) {
    let uids: UidSet = fates.iter().filter_map(Fate::uid).collect();
    let are_all_told = uids.len() == fates.iter().filter(|fate| fate.is_copied()).count() as u64;
    let depth = match how {
        Closeness::Sizes => ScanDepth::Sizes,
        Closeness::Attributes if are_all_told => ScanDepth::Attributes,
        Closeness::Attributes => ScanDepth::Identity,
    };
    let new = || task.target_uid_next.map(UidNext::and_above);
    (depth, if are_all_told { Some(uids) } else { new() })
}

/// What messages are told apart by where no UIDs were told.
#[derive(PartialEq, Eq, Hash)]
enum Look {
    Size(u32),
    Header(Sameness),
}

impl Closeness {
    fn look(self, message: &Message, size: u32) -> Option<Look> {
        match self {
            Self::Sizes => Some(Look::Size(size)),
            Self::Attributes => Sameness::of(message).map(Look::Header),
        }
    }
}

impl Proof<'_> {
    /// Gives the side's word on each message that it took. `taken` are the folder's messages that
    /// stand for others already; those that stand for these are added.
    pub(crate) fn words(&self, how: Closeness, taken: &mut UidSet) -> Vec<Word<'_>> {
        let mut loose = self.loose(how);
        let mut missed = 0;
        let mut words = Vec::new();
        for (message, fate) in self.task.messages.iter().zip(self.fates.iter()) {
            let Fate::Copied { uid: told, bytes } = *fate else {
                continue;
            };
            let says = match told {
                Some(uid) if how == Closeness::Attributes && taken.contains(uid) => Says::Second,
                Some(uid) => self.word_on(uid, bytes),
                None => {
                    let found = how
                        .look(message, bytes)
                        .and_then(|look| loose.get_mut(&look)?.pop());
                    found.map_or(Says::Untold, |uid| self.word_on(uid, bytes))
                }
            };
            missed += usize::from(matches!(says, Says::Untold));
            told.or(says.uid())
                .into_iter()
                .for_each(|uid| taken.insert(uid));
            words.push(Word { message, says });
        }
        // Of those that nobody told of, any may be any that is gone.
        let first = self.task.target_uid_next.unwrap_or(UidNext::LAST);
        let mut gone = departures::left_from(&self.scan, first, taken, missed)
            .into_iter()
            .flatten();
        for word in words
            .iter_mut()
            .filter(|word| matches!(word.says, Says::Untold))
        {
            if let Some(uid) = gone.next() {
                word.says = Says::Left(uid);
                taken.insert(uid);
            }
        }
        words
    }

    fn word_on(&self, uid: Uid, bytes: u32) -> Says<'_> {
        match self.scan.message(uid) {
            Some(copy) if copy.size() == bytes || bytes == u32::MAX => Says::There(copy),
            Some(copy) => Says::Resized(copy, bytes),
            None if departures::has_left(&self.scan, uid) => Says::Left(uid),
            None => Says::Lost(uid),
        }
    }

    /// New messages whose UIDs were not told, the first one last.
    fn loose(&self, how: Closeness) -> HashMap<Look, Vec<Uid>> {
        let placed: UidSet = self.fates.iter().filter_map(Fate::uid).collect();
        let mut loose: HashMap<Look, Vec<Uid>> = HashMap::new();
        for message in self
            .scan
            .messages
            .iter()
            .rev()
            .filter(|message| !placed.contains(message.uid()))
        {
            if let Some(look) = how.look(message, message.size()) {
                loose.entry(look).or_default().push(message.uid());
            }
        }
        loose
    }
}

impl Says<'_> {
    /// The message's UID, where it is there.
    fn uid(self) -> Option<Uid> {
        match self {
            Self::There(copy) | Self::Resized(copy, _) => Some(copy.uid()),
            _ => None,
        }
    }
}

/// The warning that a side stored messages with other sizes than they were sent with; `None`: it
/// stored none so.
pub(crate) fn told_resized(
    task: &FolderTask,
    words: &[Word<'_>],
    side: &str,
    origin: &str,
) -> Option<String> {
    let resized = |word: &Word<'_>| match word.says {
        Says::Resized(copy, sent) => Some((word.message.uid(), sent, copy.size())),
        _ => None,
    };
    let count = words.iter().filter_map(resized).count();
    let (uid, sent, stored) = words.iter().find_map(resized)?;
    Some(format!(
        "{}: the {side} stored {count} of the messages with a different size than sent, such as UID {uid} on the {origin}: \
         {sent} bytes became {stored}; compare their content with verify --deep",
        task.to,
    ))
}
