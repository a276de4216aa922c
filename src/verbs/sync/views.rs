//! What only a view of a side has (archived mail in All Mail): a sync has no folder for it on the
//! other side, and says so. Which folder it is to come into would be the user's to say, and where a
//! message has left its last folder it was deleted for all that a sync can tell. `copy` brings it
//! along.

use super::listing::Listed;
use super::memory::Memory;
use crate::event::Observer;
use crate::exec::Link;
use crate::folders::{FolderName, Roster, Rules};
use crate::mail::{Both, Counters, Side, SpecialUse, counted};
use crate::state::{Checkpoint, SeenView};
use crate::store::{Error, FolderScan};
use crate::verbs::views::{checkpoint, only_in, print_of};

/// A view of a side.
struct View {
    /// Its place in the listing.
    index: usize,
    name: FolderName,
    /// How many messages it alone has, as far as that is known.
    messages: Option<u64>,
}

impl Listed {
    /// Names each view that has messages which are in no folder. One is looked through again when
    /// its counters, or those of any folder, have changed; one that the user leaves out is none of
    /// the run's business.
    pub(super) fn look_through_views(
        &mut self,
        link: &mut Link,
        (rules, rosters): (&Rules, &Both<Roster>),
        memory: &Memory<'_>,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let mut views: Both<Vec<View>> = Both::default();
        for side in Side::BOTH {
            views[side] = self.views(side, &rosters[side], rules);
            self.recall(side, &mut views[side], memory)?;
        }
        let found = link.on_both(|side, store| {
            let unknown: Vec<usize> = views[side]
                .iter()
                .filter(|view| view.messages.is_none())
                .map(|view| view.index)
                .collect();
            if unknown.is_empty() {
                Ok(Vec::new())
            } else {
                only_in(store, &self.listings[side], &unknown)
            }
        })?;
        for (side, found) in found.each() {
            let print = print_of(&self.listings[side]);
            let mut found = found.into_iter();
            for view in &views[side] {
                let messages = match view.messages.map_or_else(|| found.next(), |_| None) {
                    Some(Ok((scan, only))) => {
                        self.note_view(side, view, (&scan, only.len(), print), memory)?;
                        only.len()
                    }
                    Some(Err(reason)) => {
                        self.fail(&view.name.to_string(), &reason, observer);
                        continue;
                    }
                    None => view.messages.unwrap_or_default(),
                };
                if messages > 0 {
                    let reason = format!(
                        "{} on the {} {} in no other folder, and sync doesn't carry what only a view has: copy it to a \
                         folder with mailferry copy, or skip the view with --exclude and its name",
                        counted(messages, "message"),
                        side.ordinal(),
                        if messages == 1 { "is" } else { "are" },
                    );
                    self.fail(&view.name.to_string(), &reason, observer);
                }
            }
        }
        Ok(())
    }

    /// The views of a side that take part, All Mail first: what that has is no matter of another
    /// view.
    fn views(&self, side: Side, roster: &Roster, rules: &Rules) -> Vec<View> {
        let mailbox = |index: usize| self.listings[side].mailboxes.get(index);
        let role = |index: usize| mailbox(index).and_then(|mailbox| mailbox.special_use);
        let is_view = |index: usize| {
            role(index).is_some_and(SpecialUse::is_view)
                && mailbox(index).is_some_and(|mailbox| mailbox.selectable && !mailbox.is_empty())
        };
        let takes_part = |name: &FolderName| rules.keeps_out(&self.canonical(side, name)).is_none();
        let folders = roster
            .folders
            .iter()
            .filter(|folder| is_view(folder.index) && takes_part(&folder.name));
        let mut views: Vec<View> = folders
            .map(|folder| View {
                index: folder.index,
                name: folder.name.clone(),
                messages: None,
            })
            .collect();
        views.sort_by_key(|view| role(view.index) != Some(SpecialUse::All));
        views
    }

    /// Fills in what an earlier run has found, where nothing has changed since.
    fn recall(&self, side: Side, views: &mut [View], memory: &Memory<'_>) -> Result<(), Error> {
        let (Some(state), Some(print)) = (memory.two_way, print_of(&self.listings[side])) else {
            return Ok(());
        };
        if views.is_empty() {
            return Ok(());
        }
        let seen = state.views(side)?;
        for view in &mut *views {
            let mailbox = &self.listings[side].mailboxes[view.index];
            let is_as_it_was = |seen: &&SeenView| {
                let now = mailbox.counters();
                seen.view == mailbox.name
                    && seen.print == print
                    && now.is_some_and(|now| is_as_it_was(now, &seen.then))
            };
            view.messages = seen.iter().find(is_as_it_was).map(|seen| seen.messages);
        }
        // What one view has is no matter of a later one: all are known, or all are looked through.
        if views.iter().any(|view| view.messages.is_none()) {
            views.iter_mut().for_each(|view| view.messages = None);
        }
        Ok(())
    }

    fn note_view(
        &self,
        side: Side,
        view: &View,
        (scan, messages, print): (&FolderScan, u64, Option<u64>),
        memory: &Memory<'_>,
    ) -> Result<(), Error> {
        let (Some(state), Some(print)) = (memory.two_way, print) else {
            return Ok(());
        };
        let Some(then) = checkpoint(scan) else {
            return Ok(());
        };
        let view = self.listings[side].mailboxes[view.index].name.clone();
        state.note_view(
            side,
            &SeenView {
                view,
                then,
                print,
                messages,
            },
        )
    }
}

/// Whether a view has the messages that it had; their flags are no matter here.
fn is_as_it_was(now: &Counters, then: &Checkpoint) -> bool {
    let but_flags = |counters: Counters| Counters {
        mod_seq: None,
        ..counters
    };
    but_flags(*now) == but_flags(then.counters())
}
