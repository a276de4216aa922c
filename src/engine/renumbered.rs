//! Messages that are there under other UIDs than their side told when it took them. UW takes the
//! UID of a message that brings an `X-UID` of its own, and counts on from there; a server that
//! loses its list of UIDs numbers its messages again, in the same generation. Such a message has
//! not failed, and a pair by the told UID would join two different messages.
//!
//! Looked for only where a told UID is nobody's or another message's: among what has come since the
//! run began to send, and in the whole folder where its UIDs were given out anew.

use super::scans::scan_each;
use super::sent::Proof;
use super::way::Way;
use crate::exec::Fate;
use crate::mail::{HeaderKey, InternalDate, Message, Side, Uid, UidNext, UidSet, counted};
use crate::plan::views::{Look, look};
use crate::store::{Error, FolderScan, ScanDepth};
use std::collections::{HashMap, HashSet};

/// What was corrected of one folder.
pub(crate) struct Corrected {
    /// Which of the proofs.
    pub(crate) at: usize,
    /// The messages where they come from, with the UIDs that were told for them and are not theirs.
    pub(crate) mistaken: Vec<(Uid, Uid)>,
    /// How many of them were found.
    pub(crate) found: u64,
}

impl Corrected {
    /// What is said of it.
    pub(crate) fn told(&self, folder: &str, side: &str) -> String {
        let count = self.mistaken.len() as u64;
        let all = if self.found == count {
            "all".to_owned()
        } else {
            self.found.to_string()
        };
        format!(
            "{folder}: the {side} gave {} different UIDs than it reported; {all} of them were found by their headers",
            counted(count, "delivered message")
        )
    }
}

/// Gives messages that were sent to this side the UIDs under which they are there. One that is not
/// found, in a folder where others have the told UIDs, has none.
///
/// # Errors
/// What ends the connections.
pub(crate) fn correct(
    way: &mut Way<'_>,
    to: Side,
    proofs: &mut [Proof<'_>],
) -> Result<Vec<Corrected>, Error> {
    let doubtful = doubtful(way, to, proofs)?;
    if doubtful.is_empty() {
        return Ok(Vec::new());
    }
    let scans = way.repeatable(|link| {
        let asked = doubtful
            .iter()
            .map(|(at, scope)| (&proofs[*at].task.target, proofs[*at].within(*scope)));
        scan_each(link.side(to), ScanDepth::Identity, asked)
    })?;
    let wanted: Vec<(&Proof<'_>, UidSet)> = doubtful
        .iter()
        .map(|(at, _)| (&proofs[*at], proofs[*at].sent()))
        .collect();
    let sent = with_keys(way, to, &wanted)?;
    let mut all = Vec::new();
    for (((at, _), scan), sent) in doubtful.into_iter().zip(scans).zip(sent) {
        let proof = &mut proofs[at];
        let is_whole = |scan: &FolderScan| {
            scan.uid_validity == proof.task.target_uid_validity && scan.unlisted == 0
        };
        if let Some(scan) = scan.ok().filter(is_whole)
            && let Some((mistaken, found)) = proof.correct(scan, &sent)
        {
            all.push(Corrected {
                at,
                mistaken,
                found,
            });
        }
    }
    Ok(all)
}

/// Where messages may be that are not under the UIDs that were told for them.
#[derive(Clone, Copy)]
enum Scope {
    /// Among what is new in the folder.
    New,
    /// Anywhere, as the folder's UIDs were given out anew.
    Whole,
}

/// Returns the folders in which the UIDs that the server reported can't all be right: one belongs to
/// another message, is beyond UIDNEXT, or belongs to no message while some have no reported UID.
fn doubtful(
    way: &mut Way<'_>,
    to: Side,
    proofs: &[Proof<'_>],
) -> Result<Vec<(usize, Scope)>, Error> {
    let (anew, others): (Vec<usize>, Vec<usize>) =
        (0..proofs.len()).partition(|at| proofs[*at].counts_anew());
    let mut doubtful: Vec<(usize, Scope)> = anew.into_iter().map(|at| (at, Scope::Whole)).collect();
    let absent: Vec<usize> = others
        .iter()
        .copied()
        .filter(|at| proofs[*at].lacks_some())
        .collect();
    let with_strangers = with_strangers(way, to, proofs, absent)?;
    doubtful.extend(with_strangers.into_iter().map(|at| (at, Scope::New)));
    for at in with_other_headers(way, to, proofs, others)? {
        doubtful.retain(|(of, _)| *of != at);
        doubtful.push((at, Scope::Whole));
    }
    Ok(doubtful)
}

/// Returns those of these folders that show new messages whose UIDs were not reported.
fn with_strangers(
    way: &mut Way<'_>,
    to: Side,
    proofs: &[Proof<'_>],
    folders: Vec<usize>,
) -> Result<Vec<usize>, Error> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let scans = way.repeatable(|link| {
        let asked = folders
            .iter()
            .map(|at| (&proofs[*at].task.target, proofs[*at].within(Scope::New)));
        scan_each(link.side(to), ScanDepth::Sizes, asked)
    })?;
    let has_strangers = |(at, scan): &(usize, FolderScan)| {
        let told: UidSet = proofs[*at].told().map(|(_, uid, _)| uid).collect();
        scan.messages
            .iter()
            .any(|message| !told.contains(message.uid()))
    };
    let scans = folders
        .into_iter()
        .zip(scans)
        .filter_map(|(at, scan)| Some((at, scan.ok()?)));
    Ok(scans.filter(has_strangers).map(|(at, _)| at).collect())
}

/// Of these folders, those in which a told UID has a message of another header. Most copies look
/// like what was sent; where one doesn't, its header tells whether the side rewrote it.
fn with_other_headers(
    way: &mut Way<'_>,
    to: Side,
    proofs: &[Proof<'_>],
    folders: Vec<usize>,
) -> Result<Vec<usize>, Error> {
    let unlike = folders.into_iter().map(|at| (at, proofs[at].unlike()));
    let unlike: Vec<(usize, Vec<(Uid, Uid)>)> =
        unlike.filter(|(_, unlike)| !unlike.is_empty()).collect();
    if unlike.is_empty() {
        return Ok(Vec::new());
    }
    let headers = way.repeatable(|link| {
        let uids = |unlike: &[(Uid, Uid)]| unlike.iter().map(|(_, told)| *told).collect();
        let asked = unlike
            .iter()
            .map(|(at, unlike)| (&proofs[*at].task.target, Some(uids(unlike))));
        scan_each(link.side(to), ScanDepth::Identity, asked)
    })?;
    let wanted: Vec<(&Proof<'_>, UidSet)> = unlike
        .iter()
        .map(|(at, unlike)| {
            (
                &proofs[*at],
                unlike.iter().map(|(source, _)| *source).collect(),
            )
        })
        .collect();
    let sent = with_keys(way, to, &wanted)?;
    let mut found = Vec::new();
    for (((at, unlike), headers), sent) in unlike.into_iter().zip(headers).zip(sent) {
        let Ok(headers) = headers else { continue };
        let is_other = |(source, told): &(Uid, Uid)| {
            let (Some(sent), Some(now)) = (sent.get(source), headers.message(*told)) else {
                return false;
            };
            sent.key() != HeaderKey::Unknown && now.key() != sent.key()
        };
        if unlike.iter().any(is_other) {
            found.push(at);
        }
    }
    Ok(found)
}

/// Messages where they come from, by their UIDs; their headers are asked for where they were not
/// read.
fn with_keys(
    way: &mut Way<'_>,
    to: Side,
    wanted: &[(&Proof<'_>, UidSet)],
) -> Result<Vec<HashMap<Uid, Message>>, Error> {
    let mut all: Vec<HashMap<Uid, Message>> = Vec::new();
    let mut unread: Vec<(usize, UidSet)> = Vec::new();
    for (nth, (proof, uids)) in wanted.iter().enumerate() {
        let messages = proof
            .task
            .messages
            .iter()
            .filter(|message| uids.contains(message.uid()));
        let messages: HashMap<Uid, Message> =
            messages.map(|message| (message.uid(), *message)).collect();
        let without: UidSet = proof
            .task
            .messages
            .iter()
            .map(Message::uid)
            .filter(|uid| lacks_key(messages.get(uid)))
            .collect();
        if !without.is_empty() {
            unread.push((nth, without));
        }
        all.push(messages);
    }
    if unread.is_empty() {
        return Ok(all);
    }
    let scans = way.repeatable(|link| {
        let asked = unread
            .iter()
            .map(|(nth, uids)| (&wanted[*nth].0.task.source, Some(uids.clone())));
        scan_each(link.side(to.other()), ScanDepth::Identity, asked)
    })?;
    for ((nth, uids), scan) in unread.into_iter().zip(scans) {
        let validity = wanted[nth].0.task.source_uid_validity;
        let Some(scan) = scan.ok().filter(|scan| scan.uid_validity == validity) else {
            continue;
        };
        let read = scan
            .messages
            .into_iter()
            .filter(|message| uids.contains(message.uid()));
        all[nth].extend(read.map(|message| (message.uid(), message)));
    }
    Ok(all)
}

fn lacks_key(message: Option<&Message>) -> bool {
    message.is_some_and(|message| message.key() == HeaderKey::Unknown)
}

impl Proof<'_> {
    /// What was sent, with the UID that was told for it, and the bytes that were sent.
    fn told(&self) -> impl Iterator<Item = (&Message, Uid, u32)> {
        self.task
            .messages
            .iter()
            .zip(self.fates.iter())
            .filter_map(|(message, fate)| match fate {
                Fate::Copied {
                    uid: Some(uid),
                    bytes,
                } => Some((message, *uid, *bytes)),
                _ => None,
            })
    }

    /// The messages of which a UID was told, where they come from.
    fn sent(&self) -> UidSet {
        self.told().map(|(message, ..)| message.uid()).collect()
    }

    /// The UIDs of so much of the folder; `None`: all, also where it is not known what is new.
    fn within(&self, scope: Scope) -> Option<UidSet> {
        match scope {
            Scope::New => self.task.target_uid_next.map(UidNext::and_above),
            Scope::Whole => None,
        }
    }

    /// Whether the folder's next UID is one that was told already, so that it has lost its list of
    /// them.
    fn counts_anew(&self) -> bool {
        self.told().any(|(_, uid, _)| {
            self.scan
                .uid_next
                .is_some_and(|next| !next.has_assigned(uid))
        })
    }

    fn lacks_some(&self) -> bool {
        self.told()
            .any(|(_, uid, _)| self.scan.message(uid).is_none())
    }

    /// The messages, with the UIDs told for them, under which there is one of another size than was
    /// sent, or of another date.
    fn unlike(&self) -> Vec<(Uid, Uid)> {
        let is_unlike = |(message, uid, bytes): &(&Message, Uid, u32)| {
            self.scan.message(*uid).is_some_and(|now| {
                let seconds = |of: &Message| of.date().map(InternalDate::seconds);
                let has_date = now.date().is_some()
                    && message.date().is_some_and(InternalDate::is_kept_everywhere);
                *bytes != u32::MAX && now.size() != *bytes
                    || has_date && seconds(now) != seconds(message)
            })
        };
        self.told()
            .filter(is_unlike)
            .map(|(message, uid, _)| (message.uid(), uid))
            .collect()
    }

    /// Takes the UIDs by which `scan` shows the messages. `None`: none of them is under another one
    /// than was told, as where a side only rewrites headers.
    fn correct(
        &mut self,
        mut scan: FolderScan,
        sent: &HashMap<Uid, Message>,
    ) -> Option<(Vec<(Uid, Uid)>, u64)> {
        let (mut astray, mut in_place) = (Vec::new(), HashSet::new());
        for (position, (message, fate)) in
            self.task.messages.iter().zip(self.fates.iter()).enumerate()
        {
            let Some(told) = fate.uid() else { continue };
            let message = sent.get(&message.uid()).unwrap_or(message);
            match scan.message(told) {
                Some(now) if now.key() == message.key() && now.key() != HeaderKey::Unknown => {
                    in_place.insert(told);
                }
                now => astray.push((position, *message, told, now.is_some())),
            }
        }
        let mut others = Others::new(&scan, &in_place);
        let mut found: HashMap<usize, Uid> = HashMap::new();
        for take in [Others::take_alike, Others::take_of_key] {
            for (position, message, ..) in &astray {
                if !found.contains_key(position)
                    && let Some(uid) = take(&mut others, message)
                {
                    found.insert(*position, uid);
                }
            }
        }
        if found.is_empty() {
            return None;
        }
        // Where UIDs have gone to other messages, gaps between them say nothing of what has left.
        let have_moved_on = self.counts_anew() || astray.iter().any(|(.., is_taken)| *is_taken);
        let mut mistaken = Vec::new();
        for (position, message, told, _) in astray {
            let now = found.get(&position).copied();
            if (now.is_some() || have_moved_on)
                && let Some(Fate::Copied { uid, .. }) = self.fates.to_mut().get_mut(position)
            {
                *uid = now;
                mistaken.push((message.uid(), told));
            }
        }
        // What was there before is nobody's business here.
        let theirs: UidSet = self.fates.iter().filter_map(Fate::uid).collect();
        let first = self.task.target_uid_next.unwrap_or(UidNext::FIRST);
        scan.messages
            .retain(|message| !first.has_assigned(message.uid()) || theirs.contains(message.uid()));
        self.scan = FolderScan {
            uid_next: scan.uid_next.filter(|_| !have_moved_on),
            ..scan
        };
        Some((mistaken, found.len() as u64))
    }
}

/// Messages that are not at their reported UIDs. Each may be one that was sent.
struct Others {
    by_look: HashMap<Look, Vec<Uid>>,
    by_key: HashMap<[u8; 16], Vec<Uid>>,
    taken: HashSet<Uid>,
}

impl Others {
    fn new(scan: &FolderScan, in_place: &HashSet<Uid>) -> Self {
        let mut others = Self {
            by_look: HashMap::new(),
            by_key: HashMap::new(),
            taken: HashSet::new(),
        };
        // The last first, as they are taken from the end.
        for message in scan
            .messages
            .iter()
            .rev()
            .filter(|message| !in_place.contains(&message.uid()))
        {
            if message.key() != HeaderKey::Unknown {
                others
                    .by_look
                    .entry(look(message))
                    .or_default()
                    .push(message.uid());
            }
            if let HeaderKey::WithId(key) = message.key() {
                others.by_key.entry(key).or_default().push(message.uid());
            }
        }
        others
    }

    /// One of the same header, size and date.
    fn take_alike(&mut self, message: &Message) -> Option<Uid> {
        let uids = self.by_look.get_mut(&look(message))?;
        take(uids, &mut self.taken)
    }

    /// One of the same header with a Message-ID: a server may have changed its size, or keep no
    /// dates.
    fn take_of_key(&mut self, message: &Message) -> Option<Uid> {
        let HeaderKey::WithId(key) = message.key() else {
            return None;
        };
        take(self.by_key.get_mut(&key)?, &mut self.taken)
    }
}

fn take(uids: &mut Vec<Uid>, taken: &mut HashSet<Uid>) -> Option<Uid> {
    while let Some(uid) = uids.pop() {
        if taken.insert(uid) {
            return Some(uid);
        }
    }
    None
}
