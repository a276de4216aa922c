//! Messages that were on their way when a run looked, and arrived only while it sent them itself.
//!
//! A process that is killed, or a connection that breaks, leaves what the server had taken in and
//! not yet stored: no client can see it, and it is stored a moment later. A run that is begun in
//! that moment misses it in its scan and sends it again. So the proof of what was sent looks for
//! messages that nobody here has put there, and takes back its own copy of each that is equal in
//! every byte and in its date. Where nobody else has delivered anything, which the UIDs tell, that
//! costs nothing.

use super::folders::FolderRef;
use super::relocate::Arrived;
use super::scans::{scan_again, scan_each};
use super::sent::Proof;
use crate::event::{Event, Observer, Stop};
use crate::exec::{self, read_contents};
use crate::mail::{
    Flags, InternalDate, MailboxName, Message, Uid, UidNext, UidSet, UidValidity, counted,
};
use crate::plan::FolderTask;
use crate::store::{Answer, Error, FolderScan, ReadStore, ScanDepth, Store};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Gives a server the time to store what a run that died had sent to it: before this run looks, so
/// that it sees it, and again before the proof.
///
/// # Errors
/// The user's request to stop.
pub(crate) fn await_those_of_a_dead_run(died: bool, stop: &Stop) -> Result<(), Error> {
    if died {
        exec::pause(exec::GRACE, stop)
    } else {
        Ok(())
    }
}

/// A message that is there twice: as the copy that was sent now, and as the one that arrived
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Twice {
    /// The message where it comes from.
    pub(crate) source: Uid,
    /// The copy that was sent now.
    pub(crate) ours: Uid,
    /// The one that arrived meanwhile.
    pub(crate) theirs: Message,
    /// Its flags.
    pub(crate) flags: Flags,
}

/// A folder in which somebody else has put something.
struct Folder<'a> {
    mailbox: &'a MailboxName,
    uid_validity: Option<UidValidity>,
    /// By the UID that the copy has: its proof, the message it is a copy of, and its size.
    ours: BTreeMap<Uid, (usize, Uid, u32)>,
    others: UidSet,
}

/// Looks for messages that are there twice, and gives them for each proof. `arrived` has what
/// this run let the side copy or move into its folders.
///
/// # Errors
/// What ends the connection.
pub(crate) fn find(
    store: &mut dyn ReadStore,
    proofs: &[&Proof<'_>],
    arrived: &HashMap<&MailboxName, Arrived>,
) -> Result<Vec<Vec<Twice>>, Error> {
    let folders = folders(proofs, arrived);
    let asked = folders.iter().map(|folder| {
        let others = Some(folder.others.clone());
        (FolderRef::new(folder.mailbox, folder.uid_validity), others)
    });
    let others = scan_again(store, ScanDepth::Identity, asked)?;
    let mut found: Vec<Vec<Twice>> = proofs.iter().map(|_| Vec::new()).collect();
    for (folder, others) in folders.iter().zip(others) {
        if let Some(others) = others {
            folder.find_twice(store, &others, &mut found)?;
        }
    }
    Ok(found)
}

/// Removes the copies that were sent now, which are recorded no more, and tells it. Gives how many
/// messages and bytes were taken back.
///
/// # Errors
/// What ends the connection.
pub(crate) fn take_back(
    store: &mut dyn Store,
    task: &FolderTask,
    twice: &[Twice],
    observer: &dyn Observer,
) -> Result<(u64, u64), Error> {
    let uids = twice.iter().map(|twice| twice.ours).collect();
    let removal = FolderRef::new(&task.target, task.target_uid_validity).removal(uids);
    let done = store.remove(&[removal])?;
    let count = twice.len() as u64;
    observer.observe(&Event::Warning {
        text: &told(&task.to, count, done.first()),
    });
    let bytes = twice
        .iter()
        .map(|twice| u64::from(twice.theirs.size()))
        .sum();
    Ok(if done.first().is_some_and(Result::is_ok) {
        (count, bytes)
    } else {
        (0, 0)
    })
}

/// What is said of messages that were there twice, after their copies were to be taken back.
fn told(folder: &str, count: u64, done: Option<&Answer<()>>) -> String {
    let arrived = format!(
        "{folder}: {} from an earlier run arrived late, while being sent again",
        counted(count, "message")
    );
    match done {
        Some(Ok(())) => format!("{arrived}; the duplicates were removed"),
        Some(Err(refusal)) => format!(
            "{arrived}; the duplicates can't be removed: {}",
            refusal.text
        ),
        None => format!("{arrived}; the duplicates are still there"),
    }
}

fn folders<'a>(
    proofs: &[&'a Proof<'_>],
    arrived: &HashMap<&MailboxName, Arrived>,
) -> Vec<Folder<'a>> {
    let mut by_mailbox: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (at, proof) in proofs.iter().enumerate() {
        by_mailbox
            .entry(proof.task.target.as_bytes())
            .or_default()
            .push(at);
    }
    by_mailbox
        .values()
        .filter_map(|of| {
            let mailbox = &proofs[*of.first()?].task.target;
            Folder::new(proofs, of, arrived.get(mailbox))
        })
        .collect()
}

impl Proof<'_> {
    /// By the UID that the copy has: the number of this proof, the message it is a copy of, and its
    /// size.
    fn copies(&self, number: usize) -> impl Iterator<Item = (Uid, (usize, Uid, u32))> {
        self.task
            .messages
            .iter()
            .zip(self.fates.iter())
            .filter_map(move |(message, fate)| {
                let uid = fate.uid()?;
                Some((
                    uid,
                    (
                        number,
                        message.uid(),
                        self.scan.message(uid).map_or(0, Message::size),
                    ),
                ))
            })
    }
}

impl<'a> Folder<'a> {
    /// The folder that these proofs are of; `None` where all that is new is known to be ours, or
    /// that can't be told.
    fn new(proofs: &[&'a Proof<'_>], of: &[usize], arrived: Option<&Arrived>) -> Option<Self> {
        // Ranges, as there may be a million of them and nearly always nobody else's.
        let mut placed = UidSet::default();
        let mut copies = 0;
        let (mut first, mut end) = (UidNext::LAST, UidNext::FIRST);
        for proof in of.iter().map(|at| proofs[*at]) {
            first = first.min(proof.task.target_uid_next?);
            end = end.max(proof.scan.uid_next?);
            for fate in proof.fates.iter().filter(|fate| fate.is_copied()) {
                placed.insert(fate.uid()?);
                copies += 1;
            }
        }
        // Every copy of ours must be there; otherwise one of them could be mistaken for someone
        // else's.
        if placed.len() != copies {
            return None;
        }
        if let Some(arrived) = arrived {
            placed.add(&arrived.uids);
            first = first.min(arrived.since?);
        }
        let others = placed.missing_between(first, end);
        if others.is_empty() {
            return None;
        }
        let ours = of.iter().flat_map(|at| proofs[*at].copies(*at)).collect();
        let task = proofs[*of.first()?].task;
        Some(Self {
            mailbox: &task.target,
            uid_validity: task.target_uid_validity,
            ours,
            others,
        })
    }

    fn find_twice(
        &self,
        store: &mut dyn ReadStore,
        others: &FolderScan,
        found: &mut [Vec<Twice>],
    ) -> Result<(), Error> {
        let sizes: HashSet<u32> = others.messages.iter().map(Message::size).collect();
        let like: UidSet = self
            .ours
            .iter()
            .filter(|(.., (.., size))| sizes.contains(size))
            .map(|(uid, _)| *uid)
            .collect();
        if like.is_empty() {
            return Ok(());
        }
        let ours = scan_each(store, ScanDepth::Identity, [(self.mailbox, Some(like))])?.pop();
        let Some(ours) = ours
            .and_then(Result::ok)
            .filter(|ours| ours.uid_validity == self.uid_validity)
        else {
            return Ok(());
        };
        let alike = |one: &Message| (one.key(), one.size(), one.date());
        let (here, there): (HashSet<_>, HashSet<_>) = (
            ours.messages.iter().map(alike).collect(),
            others.messages.iter().map(alike).collect(),
        );
        let all = ours.messages.iter().chain(&others.messages);
        let to_read =
            all.filter(|message| here.contains(&alike(message)) && there.contains(&alike(message)));
        let uids: UidSet = to_read.map(Message::uid).collect();
        let contents = read_contents(store, self.mailbox, self.uid_validity, &uids, &mut |_| {})?;
        let content = |message: &Message| Some((contents.get(&message.uid())?.raw, message.date()));
        let mut copies: HashMap<([u8; 32], Option<InternalDate>), Vec<Uid>> = HashMap::new();
        for message in ours.messages.iter().rev() {
            if let Some(content) = content(message) {
                copies.entry(content).or_default().push(message.uid());
            }
        }
        for theirs in &others.messages {
            let equal = content(theirs).and_then(|content| copies.get_mut(&content)?.pop());
            let Some((ours, (proof, source, _))) =
                equal.and_then(|uid| self.ours.get_key_value(&uid))
            else {
                continue;
            };
            let flags = others.flags.get(theirs.flags());
            found[*proof].push(Twice {
                source: *source,
                ours: *ours,
                theirs: *theirs,
                flags,
            });
        }
        Ok(())
    }
}
