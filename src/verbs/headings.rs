//! The headings of messages that are listed to people: read for these alone, folder after folder in
//! one flight.
//!
//! A list is of use without them too, so what a server does not tell is left out and ends nothing.

use crate::engine::scans::scan_each;
use crate::mail::{Heading, MailboxName, Uid, UidSet};
use crate::store::{ReadStore, ScanDepth};
use std::collections::HashMap;

/// How many messages of one folder have their headings read for a list.
const MOST: u64 = 1000;

/// Messages of one side that are to be listed.
#[derive(Default)]
pub(super) struct Wanted {
    folders: Vec<(MailboxName, UidSet)>,
    places: HashMap<MailboxName, usize>,
}

impl Wanted {
    /// Adds a message, if its folder does not have its share already.
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

    /// Whether there is nothing to read.
    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// Reads the headings, as far as the server tells them.
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
    /// That of a message, if it was read.
    pub(super) fn get(&self, mailbox: &MailboxName, uid: Uid) -> Option<&Heading> {
        self.0.get(mailbox)?.get(&uid)
    }
}
