//! What two-way sync records: the folders of both sides, and the pairs of messages that both agreed
//! on, in its own tables beside those of `copy`.
//!
//! The file has its two mailboxes in one order; [`TwoWay`] uses that of the run, which may be the
//! opposite. Invariants: a folder is marked as unfinished on disk before anything is done in it,
//! and one call records all of its changes or none. Unlike `copy`'s tables they aren't a cache:
//! without them a deletion can't be told from a new message, so the next run merges both sides.

use super::pairs::FlagSets;
use super::records::{mod_seq_column, mod_seq_from_column};
use super::{Durability, Fault, FolderId, State};
use crate::mail::{Both, Counters, Flags, MailboxName, Side, Uid, UidNext, UidValidity};
use crate::store::Error;
use rusqlite::{Row, Transaction};
use std::collections::HashSet;

const FOLDERS: &str = "
    SELECT id, subscribed, unfinished,
        first, first_path, first_mailbox_id, first_uid_validity, first_uid_next, first_mod_seq, first_messages,
        second, second_path, second_mailbox_id, second_uid_validity, second_uid_next, second_mod_seq, second_messages
    FROM sync_folders ORDER BY id";

const SAVE: &str = "
    INSERT INTO sync_folders (id, subscribed, unfinished,
        first, first_path, first_mailbox_id, first_uid_validity, first_uid_next, first_mod_seq, first_messages,
        second, second_path, second_mailbox_id, second_uid_validity, second_uid_next, second_mod_seq, second_messages)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    ON CONFLICT (id) DO UPDATE SET subscribed = ?2, unfinished = ?3,
        first = ?4, first_path = ?5, first_mailbox_id = ?6, first_uid_validity = ?7, first_uid_next = ?8,
        first_mod_seq = ?9, first_messages = ?10,
        second = ?11, second_path = ?12, second_mailbox_id = ?13, second_uid_validity = ?14, second_uid_next = ?15,
        second_mod_seq = ?16, second_messages = ?17";

const PAIRS: &str = "
    SELECT first, second, flags, first_lacks, second_lacks, first_key, second_key, first_look, second_look, deleted_on
    FROM sync_pairs WHERE folder = ?1 ORDER BY first, second";

const HIGHEST: &str = "
    SELECT max(CASE WHEN deleted_on IS NOT 1 THEN first END), max(CASE WHEN deleted_on IS NOT 2 THEN second END)
    FROM sync_pairs WHERE folder = ?1";

const ADD: &str = "
    INSERT OR REPLACE INTO sync_pairs (folder, first, second, flags, first_lacks, second_lacks, first_key, second_key,
        first_look, second_look, deleted_on)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

const REFUSED: &str =
    "SELECT side, uid, reason FROM sync_refused WHERE folder = ?1 ORDER BY side, uid";

const FORGET: [&str; 3] = [
    "DELETE FROM sync_pairs WHERE folder = ?1",
    "DELETE FROM sync_refused WHERE folder = ?1",
    "DELETE FROM sync_folders WHERE id = ?1",
];

/// One side of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoWaySide {
    /// Its name as the server lists it.
    pub name: MailboxName,
    /// Its decoded name.
    pub path: String,
    /// MAILBOXID (RFC 8474), if the server has it.
    pub mailbox_id: Option<String>,
    /// Its counters when it was last scanned.
    pub counters: Counters,
}

/// A folder that exists on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoWayFolder {
    /// Its sides, in the order of the run.
    pub sides: Both<TwoWaySide>,
    /// Whether both sides agreed that the user is subscribed to it.
    pub subscribed: bool,
    /// Whether a run began work in it and did not finish.
    pub unfinished: bool,
}

/// Two messages, one per side, that are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoWayPair {
    /// Their UIDs.
    pub uids: Both<Uid>,
    /// The flags that both agreed on.
    pub flags: Flags,
    /// Those of them that each side lacks by agreement.
    pub lacks: Both<Flags>,
    /// Fingerprints of their header keys.
    pub keys: Both<u32>,
    /// Fingerprints of their dates and sizes.
    pub looks: Both<u32>,
    /// The side on which it was deleted, if it could not be deleted on the other.
    pub deleted_on: Option<Side>,
}

/// A message that the other side refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoWayRefused {
    /// The side that has it.
    pub side: Side,
    /// Its UID on that side.
    pub uid: Uid,
    /// The reason, in the other side's own words.
    pub reason: String,
}

/// A change to record.
#[derive(Clone, Debug)]
pub enum TwoWayChange {
    /// The new record of a folder.
    Folder(FolderId, Box<TwoWayFolder>),
    /// A folder and its pairs are forgotten.
    Forget(FolderId),
    /// A pair is new or has changed.
    Pair(FolderId, Box<TwoWayPair>),
    /// The pair with these UIDs is removed.
    Unpair(FolderId, Both<Uid>),
    /// The other side refused a message.
    Refuse(FolderId, Box<TwoWayRefused>),
    /// The refusal is removed: the message is gone, is another one now, or is tried again.
    Unrefuse(FolderId, Side, Uid),
}

/// The part of a state that belongs to two-way sync, with the sides in the order of the run.
#[derive(Clone, Copy, Debug)]
pub struct TwoWay<'a> {
    pub(super) state: &'a State,
    exchanged: bool,
}

impl<'a> TwoWay<'a> {
    /// Returns the two-way part of `state`; `exchanged` if the file's first mailbox is the run's
    /// second.
    pub fn new(state: &'a State, exchanged: bool) -> Self {
        Self { state, exchanged }
    }

    /// Reports whether the last run of this pair died ([`State::follows_a_death`]).
    pub fn follows_a_death(&self) -> bool {
        self.state.follows_a_death()
    }

    /// Returns all folders.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn folders(&self) -> Result<Vec<(FolderId, TwoWayFolder)>, Error> {
        self.state.read(|connection| {
            let mut statement = connection.prepare_cached(FOLDERS)?;
            let mut rows = statement.query([])?;
            let mut folders = Vec::new();
            while let Some(row) = rows.next()? {
                let sides = self.turn(Both::new(side(row, 3)?, side(row, 10)?));
                let folder = TwoWayFolder {
                    sides,
                    subscribed: row.get(1)?,
                    unfinished: row.get(2)?,
                };
                folders.push((FolderId(row.get(0)?), folder));
            }
            Ok(folders)
        })
    }

    /// Returns the pairs of a folder.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn pairs(&self, folder: FolderId) -> Result<Vec<TwoWayPair>, Error> {
        self.pairs_by(folder, |_| true)
    }

    /// Returns the pairs of a folder that have one of these keys on either side.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn pairs_with_keys(
        &self,
        folder: FolderId,
        keys: &HashSet<u32>,
    ) -> Result<Vec<TwoWayPair>, Error> {
        self.pairs_by(folder, |of| of.any(|key| keys.contains(key)))
    }

    fn pairs_by(
        &self,
        folder: FolderId,
        is_wanted: impl Fn(Both<u32>) -> bool,
    ) -> Result<Vec<TwoWayPair>, Error> {
        self.state.read(|connection| {
            let mut sets = FlagSets::default();
            let mut statement = connection.prepare_cached(PAIRS)?;
            let mut rows = statement.query([folder.0])?;
            let mut pairs = Vec::new();
            while let Some(row) = rows.next()? {
                let keys = Both::new(row.get(5)?, row.get(6)?);
                if !is_wanted(keys) {
                    continue;
                }
                let lacks = Both::new(
                    sets.flags(connection, row.get(3)?)?,
                    sets.flags(connection, row.get(4)?)?,
                );
                let deleted_on = row
                    .get::<_, Option<u32>>(9)?
                    .map(|number| self.side(number))
                    .transpose()?;
                pairs.push(TwoWayPair {
                    uids: self.turn(Both::new(uid(row.get(0)?)?, uid(row.get(1)?)?)),
                    flags: sets.flags(connection, row.get(2)?)?,
                    lacks: self.turn(lacks),
                    keys: self.turn(keys),
                    looks: self.turn(Both::new(row.get(7)?, row.get(8)?)),
                    deleted_on,
                });
            }
            Ok(pairs)
        })
    }

    /// Returns the messages of a folder that the other side refused for good.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn refused(&self, folder: FolderId) -> Result<Vec<TwoWayRefused>, Error> {
        self.state.read(|connection| {
            let mut statement = connection.prepare_cached(REFUSED)?;
            let mut rows = statement.query([folder.0])?;
            let mut refused = Vec::new();
            while let Some(row) = rows.next()? {
                let side = self.side(row.get(0)?)?;
                refused.push(TwoWayRefused {
                    side,
                    uid: uid(row.get(1)?)?,
                    reason: row.get(2)?,
                });
            }
            Ok(refused)
        })
    }

    /// Returns the highest UID on each side among the pairs whose messages should exist.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn highest(&self, folder: FolderId) -> Result<Both<Option<Uid>>, Error> {
        self.state.read(|connection| {
            let highest: Both<Option<u32>> = connection
                .prepare_cached(HIGHEST)?
                .query_row([folder.0], |row| Ok(Both::new(row.get(0)?, row.get(1)?)))?;
            Ok(self.turn(highest).map(|uid| uid.and_then(Uid::new)))
        })
    }

    /// Adds a folder and returns its ID. It is on disk when this returns.
    ///
    /// # Errors
    /// The disk fails or is full.
    pub fn create(&self, folder: &TwoWayFolder) -> Result<FolderId, Error> {
        self.state.write(Durability::OnDisk, |transaction| {
            self.save(transaction, None, folder)?;
            Ok(FolderId(transaction.last_insert_rowid()))
        })
    }

    /// Records all changes or none. With `on_disk`, they are on disk when this returns, along with
    /// everything before them.
    ///
    /// # Errors
    /// The disk fails or is full; then nothing is recorded.
    pub fn record(&self, changes: &[TwoWayChange], on_disk: bool) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let durability = if on_disk {
            Durability::OnDisk
        } else {
            Durability::Cheap
        };
        self.state.write(durability, |transaction| {
            let mut sets = FlagSets::default();
            changes
                .iter()
                .try_for_each(|change| self.change(transaction, &mut sets, change))
        })
    }

    fn change(
        &self,
        transaction: &Transaction<'_>,
        sets: &mut FlagSets,
        change: &TwoWayChange,
    ) -> Result<(), Fault> {
        match change {
            TwoWayChange::Folder(id, folder) => self.save(transaction, Some(*id), folder)?,
            TwoWayChange::Forget(id) => {
                for sql in FORGET {
                    transaction.prepare_cached(sql)?.execute([id.0])?;
                }
            }
            TwoWayChange::Pair(id, pair) => {
                let Both { first, second } = self.turn(pair.uids);
                let lacks = self.turn(pair.lacks.as_ref());
                let lacks = [
                    sets.id(transaction, lacks.first)?,
                    sets.id(transaction, lacks.second)?,
                ];
                let (keys, looks) = (self.turn(pair.keys), self.turn(pair.looks));
                let deleted_on = pair.deleted_on.map(|side| self.number(side));
                let flags = sets.id(transaction, &pair.flags)?;
                transaction.prepare_cached(ADD)?.execute((
                    id.0,
                    first.get(),
                    second.get(),
                    flags,
                    lacks[0],
                    lacks[1],
                    keys.first,
                    keys.second,
                    looks.first,
                    looks.second,
                    deleted_on,
                ))?;
            }
            TwoWayChange::Unpair(id, uids) => {
                let Both { first, second } = self.turn(*uids);
                transaction
                    .prepare_cached(
                        "DELETE FROM sync_pairs WHERE folder = ?1 AND first = ?2 AND second = ?3",
                    )?
                    .execute((id.0, first.get(), second.get()))?;
            }
            TwoWayChange::Refuse(id, refused) => {
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO sync_refused (folder, side, uid, reason) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute((id.0, self.number(refused.side), refused.uid.get(), &refused.reason))?;
            }
            TwoWayChange::Unrefuse(id, side, uid) => {
                transaction
                    .prepare_cached(
                        "DELETE FROM sync_refused WHERE folder = ?1 AND side = ?2 AND uid = ?3",
                    )?
                    .execute((id.0, self.number(*side), uid.get()))?;
            }
        }
        Ok(())
    }

    fn save(
        &self,
        transaction: &Transaction<'_>,
        id: Option<FolderId>,
        folder: &TwoWayFolder,
    ) -> Result<(), Fault> {
        let Both { first, second } = self.turn(folder.sides.as_ref());
        let validity = |side: &TwoWaySide| side.counters.uid_validity.map(|validity| validity.0);
        transaction
            .prepare_cached(SAVE)?
            .execute(rusqlite::params![
                id.map(|id| id.0),
                folder.subscribed,
                folder.unfinished,
                first.name.as_bytes(),
                first.path,
                first.mailbox_id,
                validity(first),
                first.counters.uid_next.map(UidNext::get),
                mod_seq_column(first.counters.mod_seq),
                first.counters.messages,
                second.name.as_bytes(),
                second.path,
                second.mailbox_id,
                validity(second),
                second.counters.uid_next.map(UidNext::get),
                mod_seq_column(second.counters.mod_seq),
                second.counters.messages,
            ])?;
        Ok(())
    }

    /// Converts from the order of the file to that of the run, or back.
    fn turn<T>(&self, both: Both<T>) -> Both<T> {
        if self.exchanged { both.turned() } else { both }
    }

    /// Returns the side in the order of the file for one in the order of the run, or vice versa.
    pub(super) fn place(&self, side: Side) -> Side {
        if self.exchanged { side.other() } else { side }
    }

    /// Returns how the file writes a side: 1 or 2.
    fn number(&self, side: Side) -> u32 {
        match self.place(side) {
            Side::First => 1,
            Side::Second => 2,
        }
    }

    fn side(&self, number: u32) -> Result<Side, Fault> {
        match number {
            1 => Ok(self.place(Side::First)),
            2 => Ok(self.place(Side::Second)),
            _ => Err(Fault::Damaged(format!("a record names side {number}"))),
        }
    }
}

/// Reads one side from the seven columns that begin at `at`.
fn side(row: &Row<'_>, at: usize) -> Result<TwoWaySide, rusqlite::Error> {
    Ok(TwoWaySide {
        name: MailboxName::new(row.get::<_, Vec<u8>>(at)?),
        path: row.get(at + 1)?,
        mailbox_id: row.get(at + 2)?,
        counters: Counters {
            uid_validity: row.get::<_, Option<u32>>(at + 3)?.map(UidValidity),
            uid_next: row.get::<_, Option<u32>>(at + 4)?.and_then(UidNext::new),
            mod_seq: mod_seq_from_column(row.get(at + 5)?),
            messages: row.get(at + 6)?,
        },
    })
}

fn uid(value: u32) -> Result<Uid, Fault> {
    Uid::new(value).ok_or_else(|| Fault::Damaged("a pair has the UID 0".to_owned()))
}
