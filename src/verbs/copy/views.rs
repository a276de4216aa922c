//! What a copy brings from views: messages that are in no folder of their own.
//!
//! A view is looked through when its counters or those of any folder have changed since the last
//! run; else it is not opened.

use super::Copy;
use super::needs::Needs;
use crate::event::Event;
use crate::exec::Link;
use crate::folders::{Pair, TargetFolder};
use crate::mail::counted;
use crate::state::SeenView;
use crate::store::Error;
use crate::verbs::Deleting;
use crate::verbs::opening::Names;
use crate::verbs::views::{checkpoint, look_through, print_of_homes};
use crate::verbs::{OnlyInView, compare};

impl Copy<'_> {
    /// Looks through the views that have changed. Gives the pairs that are to be compared, limited
    /// to what only they have.
    pub(super) fn views_to_compare(
        &mut self,
        link: &mut Link,
        names: &Names<'_>,
        compared: &mut [compare::Pair],
    ) -> Result<Vec<usize>, Error> {
        let print = print_of_homes(names);
        let all: Vec<usize> = (0..names.pairs.len())
            .filter(|index| names.pairs[*index].view)
            .collect();
        let quiet = |index: &usize| self.quiet_view(*index, names, print?);
        let known: Vec<Option<u64>> = all.iter().map(quiet).collect();
        if known.iter().all(Option::is_some) {
            for (index, messages) in all.iter().zip(known) {
                let messages = messages.unwrap_or_default();
                self.folders[*index].needs = Some(Needs::in_step(messages));
                self.summary.already_there += messages;
                self.note_only_in_view(&names.pairs[*index], messages);
            }
            return Ok(Vec::new());
        }
        let mut open = Vec::new();
        for outcome in look_through(link.source.as_mut(), names)? {
            let looked = match outcome {
                Ok(looked) => looked,
                Err((index, reason)) => {
                    self.fail_folder(index, &names.pairs[index], &reason);
                    continue;
                }
            };
            let pair = &names.pairs[looked.pair];
            let messages = looked.only.len();
            if let Some((print, then)) = print.zip(checkpoint(&looked.scan)) {
                let view = names.source.mailboxes[pair.source].name.clone();
                self.memory.note_view(SeenView {
                    view,
                    then,
                    print,
                    messages,
                });
            }
            self.note_only_in_view(pair, messages);
            let is_new = matches!(pair.target, TargetFolder::New { .. });
            let has_extras = !is_new && matches!(self.options.deleting, Deleting::Mirror(_));
            if messages == 0 && !has_extras {
                self.folders[looked.pair].needs = Some(Needs::in_step(0));
                continue;
            }
            compared[looked.pair].only = Some(looked.only);
            // What is to be read is listed, whatever is known of it.
            if !self.options.repair {
                compared[looked.pair].known = self.memory.known(pair, names);
            }
            open.push(looked.pair);
        }
        Ok(open)
    }

    /// How many messages a view brings that is as it was in the last run, and so is all else that
    /// it rests on.
    fn quiet_view(&self, index: usize, names: &Names<'_>, print: u64) -> Option<u64> {
        let pair = &names.pairs[index];
        if self.is_held(pair, names) || self.options.repair {
            return None;
        }
        let source = &names.source.mailboxes[pair.source];
        let messages = self
            .memory
            .seen_view(&source.name, source.counters()?, print)?;
        let mirrors = matches!(self.options.deleting, Deleting::Mirror(_));
        if messages == 0 {
            return (!mirrors || names.existing(pair).is_none()).then_some(0);
        }
        let is_shared = names
            .pairs
            .iter()
            .filter(|other| other.target == pair.target)
            .count()
            > 1;
        // What only a view has is never deleted there.
        let deleting = if mirrors {
            self.options.deleting
        } else {
            Deleting::Nothing
        };
        if mirrors && is_shared {
            None
        } else {
            self.memory.in_step(pair, names, deleting)
        }
    }

    fn note_only_in_view(&mut self, pair: &Pair, messages: u64) {
        if messages > 0 {
            let (view, folder) = (pair.from.to_string(), pair.to.to_string());
            self.summary.only_in_views.push(OnlyInView {
                view,
                folder,
                messages,
            });
        }
    }

    /// Says that a move leaves what only a view has.
    pub(super) fn tell_left_in_views(&self, names: &Names<'_>) {
        for (pair, needs) in self.folders.compared() {
            let pair = &names.pairs[pair];
            if !pair.view {
                continue;
            }
            let count = needs.missing.len() as u64 + needs.already_there;
            if count > 0 {
                let text = format!(
                    "{}: copied and left on the source: {} in no other folder; --move deletes nothing from a view",
                    pair.from,
                    counted(count, "message")
                );
                self.observer.observe(&Event::Warning { text: &text });
            }
        }
    }
}
