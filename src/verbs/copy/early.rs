//! Lanes that begin with the first folders while others are still read.
//!
//! A message is sent early only if nothing that is found later can change whether it is sent, or
//! where it goes: in a first copy into a target without mail, with nothing renamed, deleted, moved
//! or held against a saved plan, and only the first of several messages that look alike. All others
//! wait for the plan. A folder's intent is recorded before its first message is handed over.

use super::needs::TargetState;
use super::prepare::Preparing;
use super::{Copy, CopySummary};
use crate::engine::sent::Sent;
use crate::exec::{Link, Running, Tally};
use crate::folders::TargetFolder;
use crate::mail::{MailboxName, Message, SpecialUse, UidSet};
use crate::plan::FolderTask;
use crate::plan::elsewhere::Looks;
use crate::store::{Error, ReadStore};
use crate::verbs::opening::Names;
use crate::verbs::{Deleting, Headway};
use std::collections::HashSet;
use std::sync::Arc;

/// Lanes that begin while folders are read, and what they were given.
pub(super) struct Early<'e> {
    start: Box<dyn Fn() -> Running<'e> + 'e>,
    /// How much the folders that are handed over must have together.
    headway: Headway,
    /// `None`: they have not begun.
    running: Option<Running<'e>>,
    given: Sent,
    /// What the messages of all folders look like that were read.
    seen: HashSet<Looks>,
    waiting: Vec<Waiting>,
    /// Whether nothing more is handed over before the plan is complete.
    is_over: bool,
}

/// A folder that was read and whose messages may be handed over.
struct Waiting {
    pair: usize,
    messages: u64,
    bytes: u64,
    /// Its messages that look like one in a folder that was read before: one of them may be copied
    /// by the target.
    alike: UidSet,
}

impl<'e> Early<'e> {
    /// Lanes that are started as soon as there is something for them.
    pub(super) fn new(headway: Headway, start: impl Fn() -> Running<'e> + 'e) -> Self {
        Self {
            start: Box::new(start),
            headway,
            running: None,
            given: Sent::default(),
            seen: HashSet::new(),
            waiting: Vec::new(),
            is_over: false,
        }
    }

    /// Reports whether lanes have begun.
    pub(super) fn has_begun(&self) -> bool {
        self.running.is_some()
    }

    /// Ends the handing over: what waits is sent with the rest of the plan.
    pub(super) fn end(&mut self) {
        (self.seen, self.waiting, self.is_over) = (HashSet::new(), Vec::new(), true);
    }

    /// Notes what a folder lacks. Drafts look like one another and are all sent.
    fn note(&mut self, pair: usize, missing: &[Message], are_drafts: bool) {
        let looks = |message: &Message| Looks::of(message).filter(|_| !are_drafts);
        let is_alike =
            |message: &&Message| looks(message).is_some_and(|of| self.seen.contains(&of));
        let alike: UidSet = missing.iter().filter(is_alike).map(Message::uid).collect();
        self.seen.extend(missing.iter().filter_map(looks));
        self.waiting.push(Waiting {
            pair,
            messages: missing.len() as u64,
            bytes: missing
                .iter()
                .map(|message| u64::from(message.size()))
                .sum(),
            alike,
        });
    }

    /// Takes the folders that wait, if there are enough of them.
    fn take_many(&mut self) -> Vec<Waiting> {
        let messages: u64 = self.waiting.iter().map(|folder| folder.messages).sum();
        let bytes: u64 = self.waiting.iter().map(|folder| folder.bytes).sum();
        if messages < self.headway.messages && bytes < self.headway.bytes {
            return Vec::new();
        }
        std::mem::take(&mut self.waiting)
    }

    /// Gives the lanes what they may begin with.
    fn give(&mut self, given: Sent) {
        let running = self.running.get_or_insert_with(&self.start);
        running.add(&given.tasks);
        self.given.add(given);
    }

    /// Gives the lanes the rest of the plan and the connections that made it, and waits until
    /// everything is done. Returns all that they were given.
    pub(super) fn finish(self, rest: Sent, link: Option<Link>) -> (Sent, Tally) {
        let mut given = self.given;
        let Some(running) = self.running else {
            let link = link.map_or_else(Tally::default, |link| Tally {
                link: Some(link),
                ..Tally::default()
            });
            return (given, link);
        };
        running.add(&rest.tasks);
        given.add(rest);
        let mut tally = running.finish(link);
        given.fates = std::mem::take(&mut tally.fates);
        (given, tally)
    }
}

impl Copy<'_> {
    /// Reports whether messages may be sent before all folders are read.
    pub(super) fn may_begin_early(&self, names: &Names<'_>) -> bool {
        let mut on_target = names.target.mailboxes.iter();
        self.prepares_ahead()
            && matches!(self.options.deleting, Deleting::Nothing)
            && !self.options.repair
            && on_target.all(|folder| folder.is_empty() || !folder.selectable)
    }

    /// Reports whether the target is certain to have room for everything on the source: what
    /// doesn't fit is to be known, and said, before anything is sent.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub(super) fn has_room_for_all(
        target: &mut dyn ReadStore,
        names: &Names<'_>,
    ) -> Result<bool, Error> {
        let statuses = || {
            let sources = names.pairs.iter().map(|pair| pair.source);
            sources.map(|at| names.source.mailboxes[at].status.as_ref())
        };
        let messages = statuses()
            .map(|status| status?.counters.messages.map(u64::from))
            .sum::<Option<u64>>();
        let bytes = statuses().map(|status| status?.size).sum::<Option<u64>>();
        let fits = |needed: Option<u64>, free: Option<u64>| {
            free.is_none_or(|free| needed.is_some_and(|needed| needed <= free))
        };
        let rooms = target.room(&[MailboxName::from("INBOX")])?;
        Ok(rooms
            .iter()
            .all(|room| fits(messages, room.messages) && fits(bytes, room.bytes)))
    }

    /// Hands a folder that was just compared to the lanes, with those that wait, if that may be and
    /// is worth it.
    pub(super) fn hand_over(
        &mut self,
        early: &mut Early<'_>,
        names: &Names<'_>,
        preparing: &Preparing,
        pair: usize,
    ) {
        let Some(needs) = self.folders.needs(pair) else {
            return;
        };
        // Others put mail there since it was listed: it may be what is to be sent.
        early.is_over |= needs.on_target > 0;
        let are_drafts = names.pairs[pair].role == Some(SpecialUse::Drafts);
        early.note(pair, &needs.missing, are_drafts);
        if early.is_over {
            return;
        }
        let mut ready = early.take_many();
        if !ready.is_empty() {
            preparing.await_end();
        }
        ready.retain(|folder| self.has_target(names, preparing, folder.pair));
        let pairs: Vec<usize> = ready.iter().map(|folder| folder.pair).collect();
        self.memory.begin_some(names, &self.folders, &pairs);
        let mut given = Sent::default();
        for folder in ready {
            if let Some(task) = self.begin_with(names, &folder) {
                given.plan(folder.pair, task);
            }
        }
        if !given.tasks.is_empty() {
            self.memory.add_tasks(&given.of);
            early.give(given);
        }
    }

    /// Notes how a pair's folder on the target stands, if it was just made. Returns whether mail
    /// can be sent to it.
    fn has_target(&mut self, names: &Names<'_>, preparing: &Preparing, pair: usize) -> bool {
        let as_paired = &names.pairs[pair];
        if let TargetFolder::New { name, .. } = &as_paired.target
            && let Some((planned, made)) = preparing.made(name)
            && let Some(scan) = &made.opened
        {
            self.tell_made(planned, &made.name, as_paired);
            if let Some(needs) = self.folders.needs_mut(pair) {
                needs.target = Some(TargetState::new(made.name.clone(), scan));
            }
        }
        self.folders.target(pair).is_some()
    }

    /// Takes what lanes may begin with off what a folder lacks.
    fn begin_with(&mut self, names: &Names<'_>, folder: &Waiting) -> Option<Arc<FolderTask>> {
        let needs = self.folders.needs_mut(folder.pair)?;
        let is_alike = |message: &Message| folder.alike.contains(message.uid());
        let (alike, others): (Vec<Message>, Vec<Message>) = std::mem::take(&mut needs.missing)
            .into_iter()
            .partition(is_alike);
        needs.missing = others;
        let task = self.task(names, folder.pair).map(Arc::new);
        let needs = self.folders.needs_mut(folder.pair)?;
        needs.missing.extend(alike);
        needs.sending.clone_from(&task);
        task
    }

    /// Adds up what a copy sent that broke off while it was planned. What it has sent is there
    /// already for this one.
    pub(super) fn take_over(&mut self, before: &CopySummary) {
        let summary = &mut self.summary;
        summary.copied += before.copied;
        summary.bytes_copied += before.bytes_copied;
        summary.skipped += before.skipped;
        summary.folders_created += before.folders_created;
        summary.traffic += before.traffic;
        summary.already_there = summary.already_there.saturating_sub(before.copied);
    }
}
