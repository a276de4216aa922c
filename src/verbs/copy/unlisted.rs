//! Folders of the source that earlier runs have copied and that its listing does not show: deleted,
//! or only not shown.

use super::{Copy, PlanUse};
use crate::event::Event;
use crate::folders::{Roster, Rules};
use crate::mail::{Gaps, ListedMailbox, Listing, MailboxName};
use crate::store::Error;
use crate::verbs::opening::Opened;
use crate::verbs::unlisted::{are_denied, undenied};
use std::collections::HashSet;

impl Copy<'_> {
    /// Asks the source for what earlier runs have copied from it and it does not list. What it does
    /// not deny is named: its mail is not looked at, and the run must not say that all was done.
    ///
    /// # Errors
    /// What ends the connection.
    pub(super) fn ask_for_unlisted(
        &mut self,
        opened: &mut Opened,
        rules: &Rules,
    ) -> Result<(), Error> {
        // A saved plan names by itself what it has and the source does not.
        if opened.source_listing.gaps.hide_folders()
            || matches!(self.options.plan, PlanUse::Only(_))
        {
            return Ok(());
        }
        let missing = self.unlisted(&opened.source_listing, rules);
        let asked: Vec<Vec<MailboxName>> =
            missing.iter().map(|(raw, _)| vec![raw.clone()]).collect();
        let denied = are_denied(opened.link.source.as_mut(), &asked)?;
        for ((_, folder), _) in missing
            .into_iter()
            .zip(denied)
            .filter(|(_, denied)| !denied)
        {
            self.note_undenied(folder);
        }
        Ok(())
    }

    /// Names a folder that the source neither lists nor denies.
    pub(super) fn note_undenied(&mut self, folder: String) {
        self.summary.folders_failed += 1;
        self.observer.observe(&Event::FolderFailed {
            folder: &folder,
            reason: &undenied("source"),
        });
        self.undenied.push(folder);
    }

    /// The folders that earlier runs have copied, that take part, and that the listing does not
    /// show as folders of mail, with their raw names and those for people.
    fn unlisted(&self, listing: &Listing, rules: &Rules) -> Vec<(MailboxName, String)> {
        let shown: HashSet<&MailboxName> = listing
            .mailboxes
            .iter()
            .filter(|mailbox| mailbox.selectable)
            .map(|mailbox| &mailbox.name)
            .collect();
        let missing = self
            .memory
            .records()
            .filter(|record| record.pairs > 0 && !shown.contains(&record.source));
        let as_listed =
            |name: &MailboxName| ListedMailbox::new(name.clone(), listing.style.separator);
        let mailboxes: Vec<ListedMailbox> =
            missing.map(|record| as_listed(&record.source)).collect();
        if mailboxes.is_empty() {
            return Vec::new();
        }
        let listing = Listing {
            mailboxes,
            gaps: Gaps::default(),
            ..listing.clone()
        };
        let taking_part = Roster::read(&listing)
            .folders
            .into_iter()
            .filter(|folder| rules.keeps_out(&folder.name).is_none());
        taking_part
            .filter_map(|folder| {
                Some((
                    listing.mailboxes.get(folder.index)?.name.clone(),
                    folder.name.to_string(),
                ))
            })
            .collect()
    }
}
