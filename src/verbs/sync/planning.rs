//! What is planned for each folder, and what both mailboxes hold: told once, before anything is
//! done.

use super::{Sync, Work};
use crate::event::{Event, SyncPlanned, SyncStep};
use crate::exec::Link;
use crate::mail::{Both, Message, Side};
use crate::store::Error;
use crate::verbs::holdings::Survey;
use crate::verbs::room::{self, Coming};

impl Sync<'_> {
    pub(super) fn tell_folders(&self) {
        let mut works: Vec<(usize, &Work)> = self
            .works
            .iter()
            .enumerate()
            .filter(|(_, work)| work.raw.any(Option::is_some))
            .collect();
        // INBOX first, then as people look names up.
        works.sort_by_cached_key(|(_, work)| {
            let name = work.name(Side::First);
            (
                !name.eq_ignore_ascii_case("inbox"),
                name.to_lowercase(),
                name,
            )
        });
        for (at, work) in works {
            self.observer.observe(&Event::SyncPlanned(SyncPlanned {
                first: &work.name(Side::First),
                second: &work.name(Side::Second),
                already_there: work.already_there(),
                to: Both::of(|side| self.step(at, side)),
            }));
        }
    }

    /// Warns if a side has too little room for what is to be sent to it.
    pub(super) fn check_room(&self, link: &mut Link) -> Result<(), Error> {
        for side in Side::BOTH {
            let coming = self.works.iter().enumerate().map(|(at, work)| {
                let step = self.step(at, side);
                Coming {
                    mailbox: work.raw[side].clone(),
                    messages: step.copy,
                    bytes: step.bytes,
                }
            });
            let (dry_run, store) = (self.options.dry_run, link.side(side));
            room::check(store, side.ordinal(), coming, dry_run, self.observer)?;
        }
        Ok(())
    }

    /// What is done in a folder of one side.
    fn step(&self, at: usize, side: Side) -> SyncStep {
        let work = &self.works[at];
        if work.rests() {
            return SyncStep::default();
        }
        let sent = work
            .incoming(side)
            .filter(|message| !self.is_shared(at, side, message.uid()));
        let sizes = sent.map(Message::size);
        let flags = work.merge.agreements.iter().map(|found| found.flags);
        let changes = flags
            .chain(work.merge.joined.iter().map(|found| found.flags))
            .filter(|flags| {
                let merge = work.merge.flags.get(*flags);
                !merge.add[side].is_empty() || !merge.remove[side].is_empty()
            });
        let moved = self
            .moves
            .iter()
            .filter(|moved| moved.side == side && moved.to == at);
        SyncStep {
            create: self.is_wanted(at, side),
            copy: work.merge.incoming[side].len() as u64,
            bytes: sizes.map(u64::from).sum(),
            moved: moved.count() as u64,
            flags: changes.count() as u64,
            delete: work.merge.deletions[side].len() as u64,
        }
    }

    pub(super) fn tell_holdings(&self, link: &mut Link) -> Result<(), Error> {
        for side in Side::BOTH {
            let mut survey = Survey::new(side, self.observer);
            for work in self.works.iter().filter(|work| !work.unread) {
                let Some(mailbox) = &work.raw[side] else {
                    continue;
                };
                if work.in_step {
                    survey.add_unopened(&work.name(side), work.state[side].counters.count());
                } else {
                    survey.add(&work.name(side), mailbox, work.views[side].messages());
                }
            }
            survey.tell(link.side(side), self.observer)?;
        }
        Ok(())
    }
}

impl Work {
    /// How many messages both sides have.
    pub(super) fn already_there(&self) -> u64 {
        if self.in_step {
            return self.state.first.counters.count();
        }
        self.merge.on_both + self.merge.joined.len() as u64
    }
}
