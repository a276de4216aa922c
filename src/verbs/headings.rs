//! The headings of listed messages (subject, sender, date): read only for these, all folders in one
//! flight.
//!
//! A list is useful without them, so a missing heading is omitted and never an error.

use crate::engine::scans::scan_each;
use crate::mail::{Heading, MailboxName, Uid, UidSet};
use crate::store::{ReadStore, ScanDepth};
use std::collections::HashMap;

/// The maximum number of headings per folder.
const MOST: u64 = 1000;

/// Messages on one side to be listed.
#[derive(Default)]
pub(super) struct Wanted {
    folders: Vec<(MailboxName, UidSet)>,
    places: HashMap<MailboxName, usize>,
}

impl Wanted {
    /// Adds a message, unless its folder has reached the maximum.
    pub(super) fn add(&mut self, mailbox: &MailboxName, uid: Uid) {
        let at = self.places.get(mailbox).copied().unwrap_or_else(|| {
            self.folders.push((mailbox.clone(), UidSet::default()));
            self.places.insert(mailbox.clone(), self.folders.len() - 1);
            self.folders.len() - 1
        });
        let uids = &mut self.folders[at].1;
        if uids.len() < MOST {
            uids.insert(uid);
        }
    }

    /// Reports whether there is nothing to read.
    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// Reads the headings, as far as the server returns them.
    pub(super) fn read(self, store: &mut dyn ReadStore) -> Headings {
        let mut found = HashMap::new();
        if self.folders.is_empty() {
            return Headings(found);
        }
        let asked = self
            .folders
            .iter()
            .map(|(mailbox, uids)| (mailbox, Some(uids.clone())));
        let scans = scan_each(store, ScanDepth::Headings, asked).unwrap_or_default();
        for ((mailbox, _), scan) in self.folders.into_iter().zip(scans) {
            let Ok(scan) = scan else { continue };
            let mut of_folder: HashMap<Uid, Heading> = scan.headings.iter().cloned().collect();
            for (uid, heading) in &mut of_folder {
                heading.date = heading.date.or_else(|| scan.message(*uid)?.date());
            }
            found.insert(mailbox, of_folder);
        }
        Headings(found)
    }
}

/// Headings by folder and UID.
#[derive(Default)]
pub(super) struct Headings(HashMap<MailboxName, HashMap<Uid, Heading>>);

impl Headings {
    /// Returns the heading of a message, if it was read.
    pub(super) fn get(&self, mailbox: &MailboxName, uid: Uid) -> Option<&Heading> {
        self.0.get(mailbox)?.get(&uid)
    }
}
