//! The lines after the head: each is about the last folder before it, or about deletions.

use crate::mail::{Counters, Flags, MailboxName, Uid, UidNext, UidSet, UidValidity};
use crate::plan::planned::{Flagged, Planned, PlannedDeletion, PlannedFlags, PlannedFolder, Take};
use crate::store::FlagEdit;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};
use std::io;

/// The maximum length of a line's set of UIDs.
const SET_BYTES: usize = 8_000;

/// The characters of a folder's raw name that are percent-encoded: all but printable ASCII, and `%`
/// itself.
const RAW: &AsciiSet = &CONTROLS.add(b'%');

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Item {
    /// A folder on the source. The lines up to the next folder belong to it.
    Folder(Folder),
    /// Messages to copy, by their UIDs on the source.
    Copy { flags: Vec<String>, uids: String },
    /// One of them that is copied server-side.
    Take {
        uid: u32,
        from: String,
        uid_validity: Option<u32>,
        held: u32,
        leave: bool,
    },
    /// Flags to change, by UIDs on the target.
    Flags {
        edit: Edit,
        flags: Vec<String>,
        uids: String,
    },
    /// A folder with deletions: on the target by `--delete`, on the source by `--move`.
    Deletion {
        folder: String,
        mailbox: String,
        uid_validity: Option<u32>,
        whole: bool,
    },
    /// Messages to delete in the last folder before.
    Delete { flags: Vec<String>, uids: String },
    /// The end.
    End { lines: u64, sha256: String },
}

/// A folder on the source, and its folder on the target.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    from: String,
    to: String,
    source: Place,
    target: Place,
    create: bool,
    renamed_from: Option<String>,
    subscribe: bool,
}

/// A folder on one side, by its raw name, with its counters.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    name: String,
    /// Whether it was opened: only then do the other fields mean anything.
    seen: bool,
    uid_validity: Option<u32>,
    uid_next: Option<u32>,
    messages: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Edit {
    Add,
    Remove,
}

/// Passes each line of a plan to `give`.
pub(super) fn each(
    planned: &Planned,
    give: &mut dyn FnMut(&Item) -> io::Result<()>,
) -> io::Result<()> {
    for folder in &planned.folders {
        give(&Item::Folder(Folder::of(folder)))?;
        for group in &folder.messages {
            for uids in sets(&group.uids) {
                give(&Item::Copy {
                    flags: names(&group.flags),
                    uids,
                })?;
            }
        }
        for take in &folder.takes {
            give(&Item::of_take(take))?;
        }
        for change in &folder.flag_changes {
            let edit = if change.edit == FlagEdit::Add {
                Edit::Add
            } else {
                Edit::Remove
            };
            for uids in sets(&change.uids) {
                give(&Item::Flags {
                    edit,
                    flags: names(&change.flags),
                    uids,
                })?;
            }
        }
    }
    for deletion in &planned.deletions {
        give(&Item::of_deletion(deletion))?;
        for group in &deletion.messages {
            for uids in sets(&group.uids) {
                give(&Item::Delete {
                    flags: names(&group.flags),
                    uids,
                })?;
            }
        }
    }
    Ok(())
}

impl Item {
    fn of_take(take: &Take) -> Self {
        Self::Take {
            uid: take.uid.get(),
            from: raw(&take.from),
            uid_validity: take.uid_validity.map(|validity| validity.0),
            held: take.held.get(),
            leave: take.leave,
        }
    }

    fn of_deletion(deletion: &PlannedDeletion) -> Self {
        Self::Deletion {
            folder: deletion.folder.clone(),
            mailbox: raw(&deletion.mailbox),
            uid_validity: deletion.uid_validity.map(|validity| validity.0),
            whole: deletion.whole,
        }
    }
}

impl Folder {
    fn of(folder: &PlannedFolder) -> Self {
        Self {
            from: folder.from.clone(),
            to: folder.to.clone(),
            source: Place::new(&folder.source, folder.source_counters),
            target: Place::new(&folder.target, folder.target_counters),
            create: folder.create,
            renamed_from: folder.renamed_from.as_ref().map(raw),
            subscribe: folder.subscribe,
        }
    }

    /// Returns a folder without any planned work.
    fn planned(self) -> PlannedFolder {
        PlannedFolder {
            from: self.from,
            to: self.to,
            source_counters: self.source.counters(),
            source: name(&self.source.name),
            target_counters: self.target.counters(),
            target: name(&self.target.name),
            create: self.create,
            renamed_from: self.renamed_from.as_deref().map(name),
            subscribe: self.subscribe,
            messages: Vec::new(),
            takes: Vec::new(),
            flag_changes: Vec::new(),
        }
    }
}

impl Place {
    fn new(name: &MailboxName, counters: Option<Counters>) -> Self {
        let of = counters.unwrap_or_default();
        Self {
            name: raw(name),
            seen: counters.is_some(),
            uid_validity: of.uid_validity.map(|validity| validity.0),
            uid_next: of.uid_next.map(UidNext::get),
            messages: of.messages.unwrap_or(0),
        }
    }

    fn counters(&self) -> Option<Counters> {
        let uid_validity = self.uid_validity.map(UidValidity);
        let counters = Counters {
            uid_validity,
            uid_next: self.uid_next.and_then(UidNext::new),
            mod_seq: None,
            messages: Some(self.messages),
        };
        self.seen.then_some(counters)
    }
}

/// A plan that is read line by line.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) planned: Planned,
}

impl Reading {
    /// Takes the next line.
    pub(super) fn take(&mut self, item: Item) -> Result<(), &'static str> {
        match item {
            Item::Folder(folder) => self.planned.folders.push(folder.planned()),
            Item::Copy { flags, uids } => add(&mut self.folder()?.messages, &flags, &uids)?,
            Item::Take {
                uid,
                from,
                uid_validity,
                held,
                leave,
            } => {
                let (uid, held) = Uid::new(uid).zip(Uid::new(held)).ok_or("a UID is zero")?;
                let uid_validity = uid_validity.map(UidValidity);
                self.folder()?.takes.push(Take {
                    uid,
                    from: name(&from),
                    uid_validity,
                    held,
                    leave,
                });
            }
            Item::Flags { edit, flags, uids } => {
                let edit = if matches!(edit, Edit::Add) {
                    FlagEdit::Add
                } else {
                    FlagEdit::Remove
                };
                let change = PlannedFlags {
                    edit,
                    flags: read_flags(&flags),
                    uids: set(&uids)?,
                };
                self.folder()?.flag_changes.push(change);
            }
            Item::Deletion {
                folder,
                mailbox,
                uid_validity,
                whole,
            } => self.planned.deletions.push(PlannedDeletion {
                folder,
                mailbox: name(&mailbox),
                uid_validity: uid_validity.map(UidValidity),
                whole,
                messages: Vec::new(),
            }),
            Item::Delete { flags, uids } => {
                let deletion = self
                    .planned
                    .deletions
                    .last_mut()
                    .ok_or("no folder before it")?;
                add(&mut deletion.messages, &flags, &uids)?;
            }
            Item::End { .. } => return Err("an end in the middle"),
        }
        Ok(())
    }

    fn folder(&mut self) -> Result<&mut PlannedFolder, &'static str> {
        self.planned.folders.last_mut().ok_or("no folder before it")
    }
}

/// Adds messages to those with the same flags: a long set is split into several lines.
fn add(groups: &mut Vec<Flagged>, flags: &[String], uids: &str) -> Result<(), &'static str> {
    let (flags, uids) = (read_flags(flags), set(uids)?);
    match groups.last_mut().filter(|group| group.flags == flags) {
        Some(group) => group.uids.add(&uids),
        None => groups.push(Flagged { flags, uids }),
    }
    Ok(())
}

/// Splits a set of UIDs into sets of limited length. The highest possible UID is written as a
/// number, not as `*`.
fn sets(uids: &UidSet) -> Vec<String> {
    let mut sets = uids.sequence_sets(SET_BYTES);
    sets.iter_mut()
        .for_each(|set| *set = set.replace('*', &u32::MAX.to_string()));
    sets
}

fn set(text: &str) -> Result<UidSet, &'static str> {
    UidSet::parse(text).ok_or("not a set of UIDs")
}

fn names(flags: &Flags) -> Vec<String> {
    flags.names().map(str::to_owned).collect()
}

fn read_flags(names: &[String]) -> Flags {
    Flags::from_names(names.iter().map(String::as_str))
}

fn raw(name: &MailboxName) -> String {
    percent_encode(name.as_bytes(), RAW).to_string()
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(percent_decode_str(text).collect::<Vec<u8>>())
}
