//! The contents of a mailbox: its folders and messages, read once for several checks.

use crate::engine::scans::scan_each;
use crate::folders::{FolderName, Roster};
use crate::mail::{HeaderKey, Listing, Message, SpecialUse};
use crate::store::{Answer, Error, FolderScan, ReadStore, ScanDepth};
use std::collections::HashMap;

/// With more messages than this, headers are not requested, as that would take too long.
const MAX_HEADERS: u64 = 100_000;

/// A mailbox's folders and messages. Views of other folders are left out.
pub(super) struct Survey {
    pub(super) listing: Listing,
    pub(super) roster: Roster,
    pub(super) folders: Vec<Surveyed>,
    /// Whether headers were read, so messages can be told apart.
    pub(super) has_keys: bool,
}

/// One folder.
pub(super) struct Surveyed {
    /// Its index in the listing.
    pub(super) index: usize,
    pub(super) name: FolderName,
    pub(super) scan: Answer<FolderScan>,
}

impl Survey {
    /// Reads it, opening folders read-only.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub(super) fn make(store: &mut dyn ReadStore, listing: Listing) -> Result<Self, Error> {
        let roster = Roster::read(&listing);
        let is_place = |index: &usize| {
            let mailbox = &listing.mailboxes[*index];
            mailbox.selectable && !mailbox.special_use.is_some_and(SpecialUse::is_view)
        };
        let own: Vec<_> = (roster
            .folders
            .iter()
            .filter(|folder| !folder.foreign && is_place(&folder.index)))
        .map(|folder| (folder.index, folder.name.clone()))
        .collect();
        let counted = |index: usize| {
            listing.mailboxes[index]
                .status
                .as_ref()
                .and_then(|status| status.counters.messages)
        };
        let total: u64 = own
            .iter()
            .filter_map(|(index, _)| counted(*index))
            .map(u64::from)
            .sum();
        let has_keys = total <= MAX_HEADERS;
        let depth = if has_keys {
            ScanDepth::Identity
        } else {
            ScanDepth::Attributes
        };
        let asked = own
            .iter()
            .map(|(index, _)| (&listing.mailboxes[*index].name, None));
        let scans = scan_each(store, depth, asked)?;
        let surveyed = |((index, name), scan)| Surveyed { index, name, scan };
        let folders = own.into_iter().zip(scans).map(surveyed).collect();
        Ok(Self {
            listing,
            roster,
            folders,
            has_keys,
        })
    }

    /// Returns all messages, each with its folder.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&Surveyed, &Message)> {
        self.folders.iter().flat_map(|folder| {
            let messages = folder
                .scan
                .as_ref()
                .map_or(&[][..], |scan| &scan.messages[..]);
            messages.iter().map(move |message| (folder, message))
        })
    }

    /// Returns the size of all messages.
    pub(super) fn bytes(&self) -> u64 {
        self.messages()
            .map(|(_, message)| u64::from(message.size()))
            .sum()
    }

    /// Returns the size of the messages that another mailbox lacks; if messages can't be told
    /// apart, of as many as it has fewer.
    pub(super) fn bytes_beyond(&self, other: &Self) -> u64 {
        if !(self.has_keys && other.has_keys) {
            return self.bytes().saturating_sub(other.bytes());
        }
        let mut there: HashMap<HeaderKey, u64> = HashMap::new();
        for (_, message) in other.messages() {
            *there.entry(message.key()).or_default() += 1;
        }
        let is_missing = |message: &Message| match there.get_mut(&message.key()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        let mut is_missing = is_missing;
        self.messages()
            .filter(|(_, message)| is_missing(message))
            .map(|(_, message)| u64::from(message.size()))
            .sum()
    }
}
