//! Decides on which side subscriptions to folders change.

use super::{Merger, SubscriptionChange};
use crate::folders::FolderName;
use crate::mail::{Both, Side};

impl Merger<'_> {
    pub(super) fn subscribe(&mut self) {
        for pair in &self.merge.pairs {
            let known = pair.base.and_then(|folder| self.known.get(folder));
            let base = known.map(|known| known.subscribed);
            let now = Both::of(|side| {
                self.folders[side]
                    .get(pair.seen[side]?)
                    .map(|folder| folder.subscribed)
            });
            if pair.deleted_on().is_some() || !now.any(Option::is_some) {
                continue;
            }
            // A renamed folder keeps its subscription, which a client, or a run that was cut short,
            // may not have renewed under the new name.
            let meant = Both::of(|side| {
                let seen = self.folders[side].get(pair.seen[side]?)?;
                let is_renamed = known.is_some_and(|known| known.name.key() != seen.name.key());
                now[side].map(|is| is || is_renamed && base == Some(true))
            });
            let wanted = merge_subscription(base, meant);
            for side in Side::BOTH {
                let old = pair.seen[side]
                    .and_then(|number| self.folders[side].get(number))
                    .map(|folder| &folder.name);
                let renamed = old.filter(|old| old.key() != pair.names[side].key());
                let changes = &mut self.merge.subscriptions[side];
                let mut change = |name: &FolderName, subscribed| {
                    changes.push(SubscriptionChange {
                        name: name.clone(),
                        subscribed,
                    });
                };
                if let Some(old) = renamed.filter(|_| now[side] == Some(true)) {
                    change(old, false);
                }
                // Subscriptions belong to names: a folder that gets another name has to be
                // subscribed to again.
                let has = now[side] == Some(true) && renamed.is_none();
                if has != wanted {
                    change(&pair.names[side], wanted);
                }
            }
        }
    }
}

/// Decides by what has changed since both agreed; without a base, subscribed if either side is.
fn merge_subscription(base: Option<bool>, now: Both<Option<bool>>) -> bool {
    match (base, now.first, now.second) {
        (_, Some(first), Some(second)) if first == second => first,
        (Some(base), Some(_), Some(_)) => !base,
        (_, first, second) => first == Some(true) || second == Some(true),
    }
}
