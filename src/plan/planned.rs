//! The work of a copy that was planned and not carried out: what a saved plan holds, folder by folder.
//!
//! It names everything by UIDVALIDITY and UID, never by what a message looks like. Messages with equal flags share a set, so a
//! plan's memory grows with the gaps between UIDs and not with the messages.

use crate::mail::{Counters, Flags, MailboxName, Side, Uid, UidSet, UidValidity};
use crate::store::FlagEdit;
use std::collections::HashMap;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// The folders that took part, with what there is to do in them.
    pub folders: Vec<PlannedFolder>,
    /// What is deleted at the end.
    pub deletions: Vec<PlannedDeletion>,
    /// Whether that is on the source (`--move`); else on the target (`--delete`).
    pub empties_source: bool,
}

/// One of the source's folders and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFolder {
    /// Its decoded name on the source, for people.
    pub from: String,
    /// Its decoded name on the target.
    pub to: String,
    /// The folder on the source.
    pub source: MailboxName,
    /// How it looked there; `None` where it was not opened, as nothing had changed since the last run.
    pub source_counters: Option<Counters>,
    /// The folder on the target, under the name that it is to have.
    pub target: MailboxName,
    /// How it looked there; `None` where it is to be created, or was not opened.
    pub target_counters: Option<Counters>,
    /// Whether it is to be created.
    pub create: bool,
    /// The name under which the target has it, if it is to be renamed.
    pub renamed_from: Option<MailboxName>,
    /// Whether it is to be subscribed to.
    pub subscribe: bool,
    /// Messages to copy, by their flags on the source.
    pub messages: Vec<Flagged>,
    /// Those of them that the target takes from another of its folders.
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

/// A message that the target takes from another of its folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Its UID on the source.
    pub uid: Uid,
    /// Where the target has it.
    pub from: MailboxName,
    /// The generation of that folder's UIDs.
    pub uid_validity: Option<UidValidity>,
    /// Its UID there.
    pub held: Uid,
    /// Whether it leaves that folder.
    pub leave: bool,
}

/// Flags to change on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFlags {
    /// What is done.
    pub edit: FlagEdit,
    /// With which flags.
    pub flags: Flags,
    /// Of which messages, by their UIDs on the target.
    pub uids: UidSet,
}

/// Messages of a folder that are deleted, and perhaps the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDeletion {
    /// The folder's decoded name, for people.
    pub folder: String,
    /// The folder.
    pub mailbox: MailboxName,
    /// The generation of its UIDs.
    pub uid_validity: Option<UidValidity>,
    /// Whether the folder goes too, once it is empty.
    pub whole: bool,
    /// The messages, by their flags.
    pub messages: Vec<Flagged>,
}

impl Planned {
    /// The work of one of the source's folders.
    pub fn folder(&self, source: &MailboxName) -> Option<&PlannedFolder> {
        self.folders.iter().find(|folder| folder.source == *source)
    }

    /// What is deleted in a folder of a side; one that the plan renames may have either name.
    pub fn deletion(&self, side: Side, mailbox: &MailboxName) -> Option<&PlannedDeletion> {
        let is_side = self.empties_source == (side == Side::SOURCE);
        let of = |name: &MailboxName| self.deletions.iter().find(|deletion| is_side && deletion.mailbox == *name);
        of(mailbox).or_else(|| of(self.renamed_to(mailbox)?))
    }

    /// The name that a folder of the target has before the plan renames it to this one.
    fn renamed_to(&self, mailbox: &MailboxName) -> Option<&MailboxName> {
        self.folders.iter().filter(|folder| folder.target == *mailbox).find_map(|folder| folder.renamed_from.as_ref())
    }

    /// Whether there is anything to do in one of the source's folders, its deletions on either side among it.
    pub fn has_work(&self, folder: &PlannedFolder) -> bool {
        let deletes = |side, name| self.deletion(side, name).is_some_and(|deletion| !deletion.messages.is_empty());
        folder.create
            || folder.renamed_from.is_some()
            || folder.subscribe
            || !folder.messages.is_empty()
            || !folder.flag_changes.is_empty()
            || deletes(Side::TARGET, &folder.target)
            || deletes(Side::SOURCE, &folder.source)
    }

    /// The messages of a folder that the plan takes away from it: deleted, or on the target moved elsewhere.
    pub fn leaving(&self, side: Side, mailbox: &MailboxName) -> UidSet {
        let mut leaving = UidSet::default();
        for group in self.deletion(side, mailbox).into_iter().flat_map(|deletion| &deletion.messages) {
            leaving.add(&group.uids);
        }
        let takes = self.folders.iter().flat_map(|folder| &folder.takes).filter(|_| side == Side::TARGET);
        let before = self.renamed_to(mailbox);
        let is_from = |take: &&Take| take.leave && (take.from == *mailbox || Some(&take.from) == before);
        takes.filter(is_from).for_each(|take| leaving.insert(take.held));
        leaving
    }
}

impl PlannedFolder {
    /// Whether a message of the source is to be copied.
    pub fn copies(&self, uid: Uid) -> bool {
        contains(&self.messages, uid)
    }
}

/// Whether a message is among these.
pub fn contains(groups: &[Flagged], uid: Uid) -> bool {
    groups.iter().any(|group| group.uids.contains(uid))
}

/// Whether a message is among these, with these flags.
pub fn contains_as(groups: &[Flagged], uid: Uid, flags: &Flags) -> bool {
    groups.iter().any(|group| group.uids.contains(uid) && group.flags == *flags)
}

/// The flags as a plan names them: without what can't be written at all.
pub fn writable(flags: &Flags) -> Flags {
    Flags::from_names(flags.names())
}

/// Puts messages with equal flags together.
pub fn by_flags(messages: impl IntoIterator<Item = (Uid, Flags)>) -> Vec<Flagged> {
    let mut groups: HashMap<Flags, UidSet> = HashMap::new();
    for (uid, flags) in messages {
        groups.entry(writable(&flags)).or_default().insert(uid);
    }
    let mut groups: Vec<Flagged> = groups.into_iter().map(|(flags, uids)| Flagged { flags, uids }).collect();
    // The same file for the same plan.
    groups.sort_by_cached_key(|group| group.flags.to_string());
    groups
}
