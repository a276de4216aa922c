//! A message that a side lacks in several folders is sent into one of them; that side copies it
//! into the others itself.
//!
//! What it keeps true: only what the side that has it calls by one name (EMAILID, X-GM-MSGID) is
//! taken for one message, as two may have all else in common and differ in their bodies. It is
//! copied only from where the side has acknowledged it by UID, and counts as copied only when it is
//! known where it is, by COPYUID or by having been found there; anything else is sent. Messages
//! that are to have other flags are sent too: so nothing is to be changed after a copy, and a run
//! that ends at any moment leaves messages as they are to be, which the next run pairs by their
//! headers.

use super::Sync;
use crate::engine::folders::FolderRef;
use crate::engine::relocate::{self, Errand};
use crate::engine::sent::Sent;
use crate::engine::twins;
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::{Fate, Link};
use crate::mail::{Counters, Flags, MailboxName, Message, Side, Uid, UidNext, UidSet, UidValidity};
use crate::plan::FolderTask;
use crate::plan::elsewhere::{self, Looks, Sameness, Wanted};
use crate::store::Error;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A message by its folder's work and its UID on the side that has it.
type Original = twins::Place;

/// What one folder gets from others.
pub(super) struct Postponed {
    work: usize,
    task: FolderTask,
    /// For each of the task's messages, the same one in another folder, which is sent.
    first: Vec<Original>,
}

/// Where a side has put what was sent.
struct Place {
    mailbox: MailboxName,
    uid_validity: Option<UidValidity>,
    uid: Uid,
    bytes: u32,
}

/// One message that a side is to copy.
struct Wish<'p> {
    /// Which of the postponed, and which of its messages.
    of: usize,
    position: usize,
    from: &'p Place,
}

impl Wish<'_> {
    fn errand<'w>(&'w self, task: &'w FolderTask) -> Errand<'w> {
        Errand {
            from: &self.from.mailbox,
            from_uid_validity: self.from.uid_validity,
            uid: self.from.uid,
            to: FolderRef {
                mailbox: &task.target,
                counters: Counters {
                    uid_validity: task.target_uid_validity,
                    uid_next: task.target_uid_next,
                    ..Counters::default()
                },
            },
            leave: false,
            same: task.messages.get(self.position).and_then(Sameness::of),
        }
    }
}

/// By a folder's work, which of the messages that it is to get another folder gets, too: that one's
/// is sent.
pub(super) type Originals = HashMap<usize, HashMap<Uid, Original>>;

/// Takes off what other folders get too.
pub(super) fn postpone(sent: &mut Sent, originals: &Originals) -> Vec<Postponed> {
    let mut postponed = Vec::new();
    let mut now = Sent::default();
    for (work, task) in sent.of.drain(..).zip(sent.tasks.drain(..)) {
        let mut task = Arc::unwrap_or_clone(task);
        if let Some(originals) = originals.get(&work) {
            let (later, rest): (Vec<Message>, Vec<Message>) = std::mem::take(&mut task.messages)
                .into_iter()
                .partition(|of| originals.contains_key(&of.uid()));
            let first = later
                .iter()
                .filter_map(|message| originals.get(&message.uid()).copied())
                .collect();
            let later = FolderTask {
                messages: later,
                ..task.without_messages()
            };
            postponed.push(Postponed {
                work,
                task: later,
                first,
            });
            task.messages = rest;
        }
        now.plan(work, task);
    }
    *sent = now;
    postponed
}

/// What was sent, by where it came from.
fn places(sent: &Sent) -> HashMap<Original, Place> {
    let mut places = HashMap::new();
    for (work, task, fates) in sent.each() {
        for (message, fate) in task.messages.iter().zip(fates) {
            if let Fate::Copied {
                uid: Some(uid),
                bytes,
            } = *fate
            {
                let (mailbox, uid_validity) = (task.target.clone(), task.target_uid_validity);
                places.insert(
                    (work, message.uid()),
                    Place {
                        mailbox,
                        uid_validity,
                        uid,
                        bytes,
                    },
                );
            }
        }
    }
    places
}

impl Sync<'_> {
    /// Finds what each side is to get in several folders, by what the other one calls it.
    pub(super) fn find_originals(&mut self, link: &mut Link) -> Result<(), Error> {
        for to in Side::BOTH {
            let alike = self.find_alike(to);
            let folder = |work: usize| {
                let work = self.works.get(work)?;
                Some((
                    work.raw[to.other()].as_ref()?,
                    work.state[to.other()].counters.uid_validity,
                ))
            };
            let are_same = twins::are_same(link.side(to.other()), &alike, &folder)?;
            let mut originals = Originals::new();
            for (((work, uid), original), _) in alike
                .into_iter()
                .zip(are_same)
                .filter(|(_, same)| *same == Some(true))
            {
                originals.entry(work).or_default().insert(uid, original);
            }
            self.originals[to] = originals;
        }
        Ok(())
    }

    /// What looks as if it were in several folders, each with the first of its kind. Of equal
    /// messages in one folder one is among them and the others are sent.
    fn find_alike(&self, to: Side) -> Vec<(Original, Original)> {
        let folders: Vec<(usize, Vec<&Message>)> = (self.works.iter().enumerate())
            .filter(|(_, work)| !work.rests() && !work.drafts)
            .map(|(at, work)| (at, work.incoming(to).collect()))
            .collect();
        let message = |wanted: &Wanted| folders[wanted.folder as usize].1[wanted.position as usize];
        let wanted = (0..).zip(&folders).flat_map(|(folder, (_, messages))| {
            let wanted = move |(position, message): (u32, &&Message)| {
                Some(Wanted {
                    looks: Looks::of(message)?,
                    folder,
                    position,
                })
            };
            (0..).zip(messages).filter_map(wanted)
        });
        let candidates = elsewhere::candidates(&[], wanted.collect()).wanted;
        let place = |wanted: &Wanted| (folders[wanted.folder as usize].0, message(wanted).uid());
        let mut alike = Vec::new();
        let mut first: HashMap<(Sameness, Flags), Original> = HashMap::new();
        let mut seen = HashSet::new();
        for wanted in &candidates {
            let Some(same) = Sameness::of(message(wanted)) else {
                continue;
            };
            let (work, uid) = place(wanted);
            let key = (
                same,
                self.works[work].views[to.other()].flags(message(wanted)),
            );
            let first = *first.entry(key.clone()).or_insert((work, uid));
            if first.0 != work && seen.insert((work, key)) {
                alike.push(((work, uid), first));
            }
        }
        alike
    }

    /// Whether a message that a side is to get in this folder is sent into another one.
    pub(super) fn is_shared(&self, work: usize, to: Side, uid: Uid) -> bool {
        self.originals[to]
            .get(&work)
            .is_some_and(|of| of.contains_key(&uid))
    }

    /// Lets a side copy what was postponed from what was sent to it. Gives what it has copied, with
    /// where it is, and what has to be sent after all.
    pub(super) fn share(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        sent: &Sent,
        postponed: Vec<Postponed>,
    ) -> Result<(Sent, Sent), Error> {
        let places = places(sent);
        let mut wishes = Vec::new();
        for (of, postponed) in postponed.iter().enumerate() {
            let from = postponed.first.iter().enumerate();
            wishes.extend(from.filter_map(|(position, first)| {
                Some(Wish {
                    of,
                    position,
                    from: places.get(first)?,
                })
            }));
        }
        let uids = self.ask_for_copies(way, side, sent, &postponed, &wishes)?;
        let copied = wishes
            .iter()
            .filter(|wish| uids.contains_key(&(wish.of, wish.position)));
        let bytes: HashMap<(usize, usize), u32> = copied
            .map(|wish| ((wish.of, wish.position), wish.from.bytes))
            .collect();
        let (mut done, mut rest) = (Sent::default(), Sent::default());
        for (of, Postponed { work, task, .. }) in postponed.into_iter().enumerate() {
            let mut mine = task.without_messages();
            let mut left = task.without_messages();
            let mut fates = Vec::new();
            for (position, message) in task.messages.into_iter().enumerate() {
                match (uids.get(&(of, position)), bytes.get(&(of, position))) {
                    (Some(uid), Some(bytes)) => {
                        mine.messages.push(message);
                        fates.push(Fate::Copied {
                            uid: Some(*uid),
                            bytes: *bytes,
                        });
                    }
                    _ => left.messages.push(message),
                }
            }
            // What is sent now comes after what is there: a lost reply must not be looked for among
            // that.
            let there = sent.placed_in(work).iter().max();
            let copied = fates.iter().filter_map(Fate::uid);
            let last = copied.chain(there).max();
            let next = last.map_or(UidNext::FIRST, UidNext::after);
            left.target_uid_next = left.target_uid_next.map(|before| before.max(next));
            self.note_shared(side, &mine, &fates);
            done.put(work, mine, fates);
            rest.plan(work, left);
        }
        Ok((done, rest))
    }

    /// Asks the side for all copies. Gives where they are, by which of the postponed they are and
    /// which of its messages.
    fn ask_for_copies(
        &self,
        way: &mut Way<'_>,
        side: Side,
        sent: &Sent,
        postponed: &[Postponed],
        wishes: &[Wish<'_>],
    ) -> Result<HashMap<(usize, usize), Uid>, Error> {
        let errands: Vec<Errand<'_>> = wishes
            .iter()
            .map(|wish| wish.errand(&postponed[wish.of].task))
            .collect();
        let sent: HashMap<&MailboxName, UidSet> = postponed
            .iter()
            .map(|of| (&of.task.target, sent.placed_in(of.work)))
            .collect();
        let was_sent =
            |mailbox: &MailboxName, uid| sent.get(mailbox).is_some_and(|sent| sent.contains(uid));
        let outcomes = relocate::relocate(way, side, &errands, &was_sent)?;
        for (first, refusal) in outcomes.refusals {
            let (to, word) = (&postponed[wishes[first].of].task.to, side.ordinal());
            let text = format!(
                "{to}: the {word} did not copy all messages server-side, so they are sent: {}",
                refusal.text
            );
            self.warn(&text);
        }
        let placed = wishes.iter().zip(&outcomes.each);
        Ok(placed
            .filter_map(|(wish, outcome)| Some(((wish.of, wish.position), outcome.placed?)))
            .collect())
    }

    /// Counts and tells what a side has copied.
    fn note_shared(&mut self, side: Side, task: &FolderTask, fates: &[Fate]) {
        let way = self.way(side);
        way.copied += fates.len() as u64;
        way.copied_server_side += fates.len() as u64;
        for uid in fates.iter().filter_map(Fate::uid) {
            self.observer.observe(&Event::MessageCopied {
                to: side,
                place: None,
                folder: &task.to,
                uid,
                bytes: 0,
            });
        }
    }
}
