//! Messages that the target refuses for what is wrong with them, corrected and sent once more
//! (`--fix-refused`).
//!
//! A refusal adds what it names to what is corrected, so each message is sent at most once more for
//! each fault. What it is corrected for is decided from the source's bytes, which arrive again.

use super::Shared;
use super::ledger::Stage;
use crate::event::Event;
use crate::fixing::{self, Faults, Fixed, MOST_BYTES};
use crate::locks::lock;
use crate::mail::{Heading, Uid};
use crate::plan::Treatment;
use crate::store::{Body, Refusal, RefusalMeaning};
use std::collections::HashSet;
use std::io::Read as _;

impl Shared<'_> {
    /// Returns what is to be corrected after this refusal, along with what was before; `None`:
    /// there is nothing more to try.
    pub(super) fn to_fix(
        &self,
        token: u32,
        refusal: &Refusal,
        treatment: Treatment,
    ) -> Option<Faults> {
        let is_for_good = matches!(
            refusal.meaning,
            RefusalMeaning::Permanent | RefusalMeaning::Nul
        );
        if !self.context.fix_refused || !is_for_good {
            return None;
        }
        let all = treatment.fix.union(fixing::named_in(&refusal.text));
        if all == treatment.fix {
            return None;
        }
        lock(&self.target_refusals).insert(token, refusal.text.clone());
        Some(all)
    }

    /// Corrects a message. `None`: it can't be, and has failed, or it did not arrive as a whole and
    /// is waiting again.
    pub(super) fn fix(&self, token: u32, faults: Faults, body: Body<'_>) -> Option<Vec<u8>> {
        let (task, position) = self.ledger.locate(token);
        let size = body.size();
        if size > MOST_BYTES {
            self.cannot_fix(token, None, "it is too large");
            return None;
        }
        let original = match body {
            Body::Whole(bytes) => bytes.to_vec(),
            Body::Stream { from, .. } => {
                let mut bytes = Vec::new();
                let read = from.take(size).read_to_end(&mut bytes);
                if read.is_err() || bytes.len() as u64 != size {
                    // The reader reports its own error, and the message is requested again.
                    self.ledger.set(token, Stage::Waiting);
                    return None;
                }
                bytes
            }
        };
        let date = self.ledger.task(task).messages[position].date();
        match fixing::fix(&original, faults, date) {
            Ok(Fixed { bytes, faults }) => {
                lock(&self.fixed).insert(token, faults);
                Some(bytes)
            }
            Err(why) => {
                let heading = crate::identity::heading(&original);
                self.cannot_fix(token, Some(&heading), why);
                None
            }
        }
    }

    fn cannot_fix(&self, token: u32, heading: Option<&Heading>, why: &str) {
        let refusal = lock(&self.target_refusals).remove(&token);
        let text = refusal.unwrap_or_default();
        let reason = format!(
            "the {} refused it: {text}; it can't be fixed: {why}",
            self.writer()
        );
        self.fail_for_good(token, heading, &reason, &text);
    }

    /// Names a message as failed, and keeps in mind that the target refuses it for good.
    pub(super) fn fail_for_good(
        &self,
        token: u32,
        heading: Option<&Heading>,
        reason: &str,
        said: &str,
    ) {
        let (task, position) = self.ledger.locate(token);
        self.fail(task, position, heading, reason);
        if let Some(journal) = self.context.journal {
            journal.refused(task, self.ledger.task(task).messages[position].uid(), said);
        }
    }

    /// Reports what was corrected in a message that the target has taken now.
    pub(super) fn tell_fixed(&self, token: u32) {
        let Some(faults) = lock(&self.fixed).get(&token).copied() else {
            return;
        };
        let (task, position) = self.ledger.locate(token);
        let folder = self.ledger.task(task);
        let refusal = lock(&self.target_refusals).remove(&token);
        self.context.observer.observe(&Event::MessageFixed {
            folder: &folder.from,
            uid: folder.messages[position].uid(),
            fixed: &faults.names(),
            reason: &refusal.unwrap_or_default(),
        });
    }

    /// Returns the messages that the target has as corrected copies.
    pub(super) fn fixed(&self) -> HashSet<(usize, Uid)> {
        let fixed = lock(&self.fixed);
        let taken = fixed
            .keys()
            .filter(|token| self.ledger.stage(**token) == Stage::Copied);
        let place = |token: &u32| {
            let (task, position) = self.ledger.locate(*token);
            (task, self.ledger.task(task).messages[position].uid())
        };
        taken.map(place).collect()
    }
}
