//! Refuses to sync a mailbox with itself, whatever the two addresses are.

use super::Sync;
use crate::exec::Link;
use crate::mail::{Both, ListedMailbox, Side};
use crate::store::Error;
use crate::verbs::same_mailbox::{self, Kinship};
use std::collections::HashSet;

impl Sync<'_> {
    /// Compares the folders of both sides that look the same. A dry run only warns.
    ///
    /// # Errors
    /// Some are one mailbox, or a connection ends.
    pub(super) fn check_apart(&self, link: &mut Link) -> Result<(), Error> {
        if self.options.kinship == Kinship::Apart {
            return Ok(());
        }
        let taking_part = |side: Side| -> Vec<&ListedMailbox> {
            let names: HashSet<_> = self.listed.folders[side]
                .iter()
                .map(|folder| &folder.raw)
                .collect();
            self.listed.listings[side]
                .mailboxes
                .iter()
                .filter(|mailbox| names.contains(&mailbox.name))
                .collect()
        };
        let sides = Both::of(taking_part);
        let mut folders = Vec::new();
        for first in &sides.first {
            let alike = sides
                .second
                .iter()
                .filter(|second| same_mailbox::is_like(first, second));
            folders.extend(alike.map(|second| (*first, *second)));
        }
        same_mailbox::check(link, &folders, self.options.dry_run, self.observer)?;
        if self.options.dry_run || self.options.kinship != Kinship::ServerAndDirectory {
            return Ok(());
        }
        // Folders that were told apart once stay apart, so only new ones are checked.
        folders.retain(|(first, second)| self.is_new_and_equal(first, second));
        let possible = same_mailbox::possible(link, &folders)?;
        same_mailbox::refuse(&same_mailbox::proven(link, &possible)?)
    }

    /// Whether nothing is known of two folders, and they hold as many messages.
    fn is_new_and_equal(&self, first: &ListedMailbox, second: &ListedMailbox) -> bool {
        let count = |folder: &ListedMailbox| {
            folder
                .status
                .as_ref()
                .and_then(|status| status.counters.messages)
        };
        let is_known =
            |side: Side, folder: &ListedMailbox| self.memory.name_of(side, &folder.name).is_some();
        let has_equal_count =
            count(first).is_some_and(|messages| messages > 0) && count(first) == count(second);
        has_equal_count && !is_known(Side::First, first) && !is_known(Side::Second, second)
    }
}
