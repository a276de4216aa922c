//! The contents of a saved plan: the work of a copy that was planned but not carried out, by
//! folder.
//!
//! It refers to everything by UIDVALIDITY and UID, never by a message's looks. Messages with equal
//! flags share a set, so a plan's memory grows with the gaps between UIDs, not with the messages.

use crate::mail::{Counters, Flags, MailboxName, Side, Uid, UidSet, UidValidity};
use crate::store::FlagEdit;
use std::collections::HashMap;

/// A whole plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The folders that took part, with the work in them.
    pub folders: Vec<PlannedFolder>,
    /// What is deleted at the end.
    pub deletions: Vec<PlannedDeletion>,
    /// Whether that is on the source (`--move`) rather than on the target (`--delete`).
    pub empties_source: bool,
}

/// One of the source's folders and the work that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFolder {
    /// Its decoded name on the source, for users.
    pub from: String,
    /// Its decoded name on the target.
    pub to: String,
    /// The folder on the source.
    pub source: MailboxName,
    /// Its counters there; `None` if it was not opened, as nothing had changed since the last run.
    pub source_counters: Option<Counters>,
    /// The folder on the target, under its future name.
    pub target: MailboxName,
    /// Its counters there; `None` if it is to be created, or was not opened.
    pub target_counters: Option<Counters>,
    /// Whether it is to be created.
    pub create: bool,
    /// Its present name on the target, if it is to be renamed.
    pub renamed_from: Option<MailboxName>,
    /// Whether it is to be subscribed to.
    pub subscribe: bool,
    /// Messages to copy, grouped by their flags on the source.
    pub messages: Vec<Flagged>,
    /// Those of them that the target copies from another of its folders.
    pub takes: Vec<Take>,
    /// Flags to change on the target.
    pub flag_changes: Vec<PlannedFlags>,
}

/// Messages with the same flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flagged {
    /// The flags.
    pub flags: Flags,
    /// The messages.
    pub uids: UidSet,
}

/// A message that the target copies from another of its folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Its UID on the source.
    pub uid: Uid,
    /// The folder on the target that has it.
    pub from: MailboxName,
    /// That folder's UIDVALIDITY.
    pub uid_validity: Option<UidValidity>,
    /// Its UID there.
    pub held: Uid,
    /// Whether it is moved from that folder.
    pub leave: bool,
}

/// Flags to change on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFlags {
    /// Whether they are added or removed.
    pub edit: FlagEdit,
    /// The flags.
    pub flags: Flags,
    /// The messages, by their UIDs on the target.
    pub uids: UidSet,
}

/// Messages to delete in a folder, and perhaps the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDeletion {
    /// The folder's decoded name, for users.
    pub folder: String,
    /// The folder.
    pub mailbox: MailboxName,
    /// Its UIDVALIDITY.
    pub uid_validity: Option<UidValidity>,
    /// Whether the folder is deleted too, once it is empty.
    pub whole: bool,
    /// The messages, grouped by flags.
    pub messages: Vec<Flagged>,
}

impl Planned {
    /// Returns the work in one of the source's folders.
    pub fn folder(&self, source: &MailboxName) -> Option<&PlannedFolder> {
        self.folders.iter().find(|folder| folder.source == *source)
    }

    /// Returns the deletions in a folder on a side; one that the plan renames may have either name.
    pub fn deletion(&self, side: Side, mailbox: &MailboxName) -> Option<&PlannedDeletion> {
        let is_side = self.empties_source == (side == Side::SOURCE);
        let of = |name: &MailboxName| {
            self.deletions
                .iter()
                .find(|deletion| is_side && deletion.mailbox == *name)
        };
        of(mailbox).or_else(|| of(self.renamed_to(mailbox)?))
    }

    /// Returns the name that a folder on the target has before the plan renames it to this one.
    fn renamed_to(&self, mailbox: &MailboxName) -> Option<&MailboxName> {
        self.folders
            .iter()
            .filter(|folder| folder.target == *mailbox)
            .find_map(|folder| folder.renamed_from.as_ref())
    }

    /// Reports whether there is any work in one of the source's folders, including deletions on
    /// either side.
    pub fn has_work(&self, folder: &PlannedFolder) -> bool {
        let deletes = |side, name| {
            self.deletion(side, name)
                .is_some_and(|deletion| !deletion.messages.is_empty())
        };
        folder.create
            || folder.renamed_from.is_some()
            || folder.subscribe
            || !folder.messages.is_empty()
            || !folder.flag_changes.is_empty()
            || deletes(Side::TARGET, &folder.target)
            || deletes(Side::SOURCE, &folder.source)
    }

    /// Returns the messages that the plan removes from a folder: deleted, or on the target moved
    /// elsewhere.
    pub fn leaving(&self, side: Side, mailbox: &MailboxName) -> UidSet {
        let mut leaving = UidSet::default();
        for group in self
            .deletion(side, mailbox)
            .into_iter()
            .flat_map(|deletion| &deletion.messages)
        {
            leaving.add(&group.uids);
        }
        let takes = self
            .folders
            .iter()
            .flat_map(|folder| &folder.takes)
            .filter(|_| side == Side::TARGET);
        let before = self.renamed_to(mailbox);
        let is_from =
            |take: &&Take| take.leave && (take.from == *mailbox || Some(&take.from) == before);
        takes
            .filter(is_from)
            .for_each(|take| leaving.insert(take.held));
        leaving
    }
}

impl PlannedFolder {
    /// Reports whether a message on the source is to be copied.
    pub fn copies(&self, uid: Uid) -> bool {
        contains(&self.messages, uid)
    }
}

/// Reports whether a message is among these.
pub fn contains(groups: &[Flagged], uid: Uid) -> bool {
    groups.iter().any(|group| group.uids.contains(uid))
}

/// Reports whether a message is among these, with these flags.
pub fn contains_as(groups: &[Flagged], uid: Uid, flags: &Flags) -> bool {
    groups
        .iter()
        .any(|group| group.uids.contains(uid) && group.flags == *flags)
}

/// Returns the flags as written in a plan: without any that can't be written.
pub fn writable(flags: &Flags) -> Flags {
    Flags::from_names(flags.names())
}

/// Groups messages with equal flags.
pub fn by_flags(messages: impl IntoIterator<Item = (Uid, Flags)>) -> Vec<Flagged> {
    let mut groups: HashMap<Flags, UidSet> = HashMap::new();
    for (uid, flags) in messages {
        groups.entry(writable(&flags)).or_default().insert(uid);
    }
    let mut groups: Vec<Flagged> = groups
        .into_iter()
        .map(|(flags, uids)| Flagged { flags, uids })
        .collect();
    // Write the same file for the same plan.
    groups.sort_by_cached_key(|group| group.flags.to_string());
    groups
}
