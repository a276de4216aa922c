//! A listing with decoded names and roles, on which the rest of this module works and which
//! `folders` prints.
//!
//! Invariants: no two of a roster's own folders have the same name, and every selectable mailbox in
//! the listing is either there or reported as unreadable.

use super::name::FolderName;
use super::roles::{self, Candidate};
use super::style::{self, Escapes, Reading};
use crate::mail::{ListedMailbox, Listing, MailboxName, SpecialUse};
use std::collections::HashMap;

/// More levels than anyone uses. Work grows with the square of the depth, and a server may send any
/// name.
const MAX_LEVELS: usize = 100;

/// One folder in a roster.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its index in the listing.
    pub index: usize,
    /// Its decoded name.
    pub name: FolderName,
    /// Its role, from the server or by its name.
    pub role: Option<SpecialUse>,
    /// Whether it belongs to another user's or a shared namespace (RFC 2342).
    pub foreign: bool,
    /// What was unusual about its name, as fragments for users.
    pub notes: Vec<String>,
}

/// A mailbox without a usable name, or with one that reads like another's.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its index in the listing.
    pub index: usize,
    /// The name that it would have, if any.
    pub name: Option<FolderName>,
    /// Why it has none, as a fragment for users.
    pub reason: String,
}

/// All folders in a mailbox by their decoded names.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// The folders, in the listing's order.
    pub folders: Vec<Folder>,
    /// Mailboxes that don't take part because their names are unusable.
    pub unreadable: Vec<Unreadable>,
}

impl Roster {
    /// Decodes a listing's names and determines its roles.
    pub fn read(listing: &Listing) -> Self {
        let mut roster = Self::default();
        let mut entries = Vec::new();
        for index in distinct(listing) {
            if holds_what_no_name_may(listing, index) {
                roster.give_up(
                    index,
                    "its name contains a line break or a NUL, which isn't allowed".to_owned(),
                );
                continue;
            }
            match Entry::read(index, listing) {
                Some(entry) if entry.reading.name.levels().len() <= MAX_LEVELS => {
                    entries.push(entry);
                }
                Some(_) => roster.give_up(index, format!("it has more than {MAX_LEVELS} levels")),
                None => roster.give_up(index, "it has no name".to_owned()),
            }
        }
        for entry in settle(entries, listing, &mut roster.unreadable) {
            roster.folders.push(entry.into_folder());
        }
        roster.folders.sort_by_key(|folder| folder.index);
        roster.assign_roles(listing);
        roster
    }

    fn give_up(&mut self, index: usize, reason: String) {
        self.unreadable.push(Unreadable {
            index,
            name: None,
            reason,
        });
    }

    fn assign_roles(&mut self, listing: &Listing) {
        let takes_role = |folder: &&mut Folder| {
            !folder.foreign
                && listing
                    .mailboxes
                    .get(folder.index)
                    .is_some_and(|mailbox| mailbox.selectable)
        };
        let mut owners: Vec<&mut Folder> = self.folders.iter_mut().filter(takes_role).collect();
        let candidates: Vec<_> = owners
            .iter()
            .map(|folder| Candidate {
                name: &folder.name,
                special_use: listing
                    .mailboxes
                    .get(folder.index)
                    .and_then(|mailbox| mailbox.special_use),
            })
            .collect();
        let roles = roles::assign(&candidates);
        for (folder, role) in owners.iter_mut().zip(roles) {
            folder.role = role;
        }
    }
}

/// Reports whether a raw name contains what no name may: a line end or NUL (RFC 3501 section 9
/// `CHAR8`, RFC 5198). The server can't be asked for such a name, or means another folder.
fn holds_what_no_name_may(listing: &Listing, index: usize) -> bool {
    let name = listing
        .mailboxes
        .get(index)
        .map(|mailbox| mailbox.name.as_bytes());
    name.is_some_and(|name| {
        name.iter()
            .any(|byte| matches!(byte, b'\0' | b'\r' | b'\n'))
    })
}

/// Drops mailboxes with equal raw names, keeping the selectable one, if any. INBOX is
/// case-insensitive.
fn distinct(listing: &Listing) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    let mut places: HashMap<MailboxName, usize> = HashMap::new();
    for (index, mailbox) in listing.mailboxes.iter().enumerate() {
        let raw = if mailbox.name.is_inbox() {
            MailboxName::from("INBOX")
        } else {
            mailbox.name.clone()
        };
        match places.get(&raw).and_then(|&place| kept.get_mut(place)) {
            None => {
                places.insert(raw, kept.len());
                kept.push(index);
            }
            Some(other)
                if mailbox.selectable
                    && !listing.mailboxes.get(*other).is_some_and(|m| m.selectable) =>
            {
                *other = index;
            }
            Some(_) => {}
        }
    }
    kept
}

/// A mailbox about to become a [`Folder`].
struct Entry {
    index: usize,
    reading: Reading,
    foreign: bool,
    selectable: bool,
    /// Whether plain escaping of the name gives the raw name again.
    faithful: bool,
}

impl Entry {
    fn read(index: usize, listing: &Listing) -> Option<Self> {
        let mailbox = listing.mailboxes.get(index)?;
        let style = &listing.style;
        let foreign = is_foreign(mailbox, listing);
        let reading = if foreign {
            style::read_foreign(&mailbox.name, mailbox.separator, style.utf8)?
        } else {
            style::read(&mailbox.name, mailbox.separator, style, Escapes::Undone)?
        };
        let faithful = style::encode(&reading.name, style, style::ALL_PLAIN) == mailbox.name;
        Some(Self {
            index,
            reading,
            foreign,
            selectable: mailbox.selectable,
            faithful,
        })
    }

    fn into_folder(self) -> Folder {
        let mut notes = Vec::new();
        if self.reading.malformed {
            notes
                .push("its name is not valid in IMAP's encoding and is taken literally".to_owned());
        }
        if self.reading.unescaped {
            notes.push("unescaped: `=XX` in its name stands for a character".to_owned());
        }
        Folder {
            index: self.index,
            name: self.reading.name,
            role: None,
            foreign: self.foreign,
            notes,
        }
    }
}

/// Leaves each name to one folder: of several own folders that read the same, the most faithful
/// spelling gets it, another keeps its escapes undecoded, and any that still read the same are
/// unreadable (or ignored, if only a parent).
fn settle(
    mut entries: Vec<Entry>,
    listing: &Listing,
    unreadable: &mut Vec<Unreadable>,
) -> Vec<Entry> {
    entries.sort_by_key(|entry| {
        (
            entry.foreign,
            !entry.selectable,
            !entry.faithful,
            entry.index,
        )
    });
    let mut settled: HashMap<FolderName, Entry> = HashMap::with_capacity(entries.len());
    let mut foreign = Vec::new();
    for mut entry in entries {
        if entry.foreign {
            foreign.push(entry);
            continue;
        }
        if settled.contains_key(&entry.reading.name) {
            let literal = listing.mailboxes.get(entry.index).and_then(|mailbox| {
                style::read(
                    &mailbox.name,
                    mailbox.separator,
                    &listing.style,
                    Escapes::Kept,
                )
            });
            if let Some(literal) = literal {
                entry.reading = literal;
            }
        }
        if !settled.contains_key(&entry.reading.name) {
            settled.insert(entry.reading.name.clone(), entry);
        } else if entry.selectable {
            let reason = format!(
                "its name reads the same as that of another folder, {}",
                entry.reading.name
            );
            unreadable.push(Unreadable {
                index: entry.index,
                name: Some(entry.reading.name),
                reason,
            });
        }
    }
    settled.into_values().chain(foreign).collect()
}

/// Reports whether the longest prefix that a raw name begins with is another user's. Cyrus's shared
/// namespace may have the empty one.
fn is_foreign(mailbox: &ListedMailbox, listing: &Listing) -> bool {
    if mailbox.name.is_inbox() {
        return false;
    }
    is_foreign_name(&mailbox.name, mailbox.separator, listing)
}

/// Reports the same for a name that isn't listed.
pub fn is_foreign_name(name: &MailboxName, separator: Option<char>, listing: &Listing) -> bool {
    let raw = name.as_bytes();
    let own = style::own_part(raw, &listing.style).map(|_| listing.style.prefix.len());
    let is_root = |prefix: &[u8]| {
        let end = separator.filter(char::is_ascii).map(|c| c as u8);
        end.is_some_and(|end| prefix.strip_suffix(&[end]) == Some(raw))
    };
    let theirs = |prefix: &&Vec<u8>| raw.starts_with(prefix) || is_root(prefix);
    let foreign = listing
        .foreign_prefixes
        .iter()
        .filter(theirs)
        .map(Vec::len)
        .max();
    foreign > own
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Mailbox, listing};
    use super::*;

    fn names(roster: &Roster) -> Vec<String> {
        roster
            .folders
            .iter()
            .map(|folder| folder.name.to_string())
            .collect()
    }

    #[test]
    fn a_listing_gets_names_and_roles() {
        let listing = listing(
            "INBOX.",
            '.',
            &[
                "INBOX",
                "INBOX.Gesendet",
                "INBOX.Work.a=2Fb",
                "INBOX.INBOX.kid",
            ],
        );
        let roster = Roster::read(&listing);
        assert_eq!(
            names(&roster),
            ["INBOX", "Gesendet", "Work/a=2Fb", "INBOX/kid"]
        );
        let roles: Vec<_> = roster.folders.iter().map(|folder| folder.role).collect();
        assert_eq!(roles, [None, Some(SpecialUse::Sent), None, None]);
        assert_eq!(roster.folders[2].notes.len(), 1);
    }

    #[test]
    fn a_mailbox_listed_twice_is_one() {
        let mut listing = listing("", '/', &["Inbox", "a", "INBOX", "d/", "d", "a"]);
        listing.mailboxes[1].selectable = false;
        listing.mailboxes[3].selectable = false;
        let roster = Roster::read(&listing);
        let found: Vec<_> = roster.folders.iter().map(|folder| folder.index).collect();
        assert_eq!(found, [0, 4, 5]);
        assert!(roster.unreadable.is_empty());
    }

    #[test]
    fn names_that_read_the_same_are_told_apart_or_named() {
        let roster = Roster::read(&listing(
            "",
            '/',
            &["a=25b", "a%b", "R&D", "R&-D", "&AGE-", "a"],
        ));
        assert_eq!(names(&roster), ["a=25b", "a%b", "R&D", "a"]);
        let unreadable: Vec<_> = roster
            .unreadable
            .iter()
            .map(|mailbox| mailbox.index)
            .collect();
        assert_eq!(unreadable, [2, 4]);
        assert_eq!(roster.folders[2].index, 3);
    }

    #[test]
    fn the_longest_prefix_says_whose_a_folder_is() {
        let mut listing = listing(
            "INBOX.",
            '.',
            &[
                "INBOX",
                "INBOX.a",
                "user.bob",
                "user",
                "shared",
                "user.bob.a",
            ],
        );
        listing.foreign_prefixes = vec![b"user.".to_vec(), Vec::new()];
        let foreign = |listing: &Listing| -> Vec<bool> {
            Roster::read(listing)
                .folders
                .iter()
                .map(|folder| folder.foreign)
                .collect()
        };
        assert_eq!(foreign(&listing), [false, false, true, true, true, true]);
        listing.foreign_prefixes.pop();
        assert_eq!(foreign(&listing), [false, false, true, true, false, true]);
    }

    #[test]
    fn only_places_for_mail_have_roles() {
        let mut listing = listing("", '/', &["shared/Sent", "Sent", "Gesendet"]);
        listing.mailboxes[1].selectable = false;
        listing.foreign_prefixes = vec![b"shared/".to_vec()];
        let roles: Vec<_> = Roster::read(&listing)
            .folders
            .iter()
            .map(|folder| folder.role)
            .collect();
        assert_eq!(roles, [None, None, Some(SpecialUse::Sent)]);
    }

    #[test]
    fn a_mailbox_without_a_usable_name_is_told() {
        let deep = "x/".repeat(30_000);
        let mut listing = listing("", '/', &["a", &deep]);
        for name in ["", "a\0b", "INBOX\r\nA1 DELETE x"] {
            listing.mailboxes.push(Mailbox::new(name).listed('/'));
        }
        let reasons: Vec<_> = Roster::read(&listing)
            .unreadable
            .into_iter()
            .map(|one| one.reason)
            .collect();
        let forged = "its name contains a line break or a NUL, which isn't allowed";
        assert_eq!(
            reasons,
            [
                "it has more than 100 levels",
                "it has no name",
                forged,
                forged
            ]
        );
    }
}
