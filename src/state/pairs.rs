//! The records of pairs: a message on the source and its copy on the target.

use super::{Durability, Fault, FolderId, PairRecord, State};
use crate::mail::{Flags, Uid, UidSet};
use crate::store::Error;
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use std::collections::HashMap;

const ADD: &str = "
    INSERT INTO pairs (folder, source, target, flags) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (folder, source) DO NOTHING";

const REPLACE: &str = "UPDATE pairs SET target = ?3, flags = ?4 WHERE folder = ?1 AND source = ?2";

const COUNT: &str = "UPDATE folders SET pairs = pairs + ?2 WHERE id = ?1";

impl State {
    /// Adds pairs to a folder that was begun. A pair replaces an earlier one with the same source
    /// UID.
    ///
    /// # Errors
    /// The file is damaged, the disk fails or is full, or the folder was forgotten; then none is
    /// added.
    pub fn add_pairs(&self, folder: FolderId, pairs: &[PairRecord]) -> Result<(), Error> {
        self.write(Durability::Cheap, |transaction| {
            count(transaction, folder, 0)?;
            let mut sets = FlagSets::default();
            let mut add = transaction.prepare_cached(ADD)?;
            let mut replace = transaction.prepare_cached(REPLACE)?;
            let mut added = 0;
            for pair in pairs {
                let row = (
                    folder.0,
                    pair.source.get(),
                    pair.target.get(),
                    sets.id(transaction, &pair.flags)?,
                );
                match add.execute(row)? {
                    0 => replace.execute(row)?,
                    new => {
                        added += new;
                        new
                    }
                };
            }
            count(
                transaction,
                folder,
                i64::try_from(added).unwrap_or(i64::MAX),
            )
        })
    }

    /// Returns the pairs of a folder, by ascending source UID. Equal flags share their memory.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn pairs(&self, folder: FolderId) -> Result<Vec<PairRecord>, Error> {
        self.read(|connection| {
            let expected = expected(connection, folder)?;
            let mut sets = FlagSets::default();
            let mut statement = connection.prepare_cached(
                "SELECT source, target, flags FROM pairs WHERE folder = ?1 ORDER BY source",
            )?;
            let mut rows = statement.query([folder.0])?;
            let mut pairs = Vec::new();
            while let Some(row) = rows.next()? {
                let flags = sets.flags(connection, row.get(2)?)?;
                pairs.push(PairRecord {
                    source: uid(row.get(0)?)?,
                    target: uid(row.get(1)?)?,
                    flags,
                });
            }
            if pairs.len() as u64 == expected {
                return Ok(pairs);
            }
            Err(Fault::Damaged(format!(
                "a folder has {} pairs where {expected} were recorded",
                pairs.len()
            )))
        })
    }

    /// Deletes the pairs with these source UIDs, if they exist.
    ///
    /// # Errors
    /// The file is damaged, the disk fails or is full, or the folder was forgotten; then none is
    /// deleted.
    pub fn remove_pairs(&self, folder: FolderId, source_uids: &UidSet) -> Result<(), Error> {
        self.write(Durability::Cheap, |transaction| {
            let mut remove = transaction.prepare_cached(
                "DELETE FROM pairs WHERE folder = ?1 AND source BETWEEN ?2 AND ?3",
            )?;
            let mut removed = 0;
            for (first, last) in source_uids.ranges() {
                removed += remove.execute((folder.0, first, last))?;
            }
            count(
                transaction,
                folder,
                -i64::try_from(removed).unwrap_or(i64::MAX),
            )
        })
    }

    /// Records flags that both sides now agree on, by source UID. A UID without a pair is ignored.
    ///
    /// # Errors
    /// The file is damaged, the disk fails or is full; then no change is recorded.
    pub fn set_flags(&self, folder: FolderId, changes: &[(Uid, Flags)]) -> Result<(), Error> {
        self.write(Durability::Cheap, |transaction| {
            let mut sets = FlagSets::default();
            let mut set = transaction
                .prepare_cached("UPDATE pairs SET flags = ?3 WHERE folder = ?1 AND source = ?2")?;
            for (source, flags) in changes {
                set.execute((folder.0, source.get(), sets.id(transaction, flags)?))?;
            }
            Ok(())
        })
    }
}

/// Changes the number of a folder's pairs.
fn count(transaction: &Transaction<'_>, folder: FolderId, more: i64) -> Result<(), Fault> {
    match transaction
        .prepare_cached(COUNT)?
        .execute((folder.0, more))?
    {
        0 => Err(Fault::Forgotten),
        _ => Ok(()),
    }
}

/// Returns how many pairs a folder must have: none for one that was forgotten.
fn expected(connection: &Connection, folder: FolderId) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached("SELECT pairs FROM folders WHERE id = ?1")?;
    let pairs = statement
        .query_row([folder.0], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(pairs.unwrap_or(0).cast_unsigned())
}

fn uid(value: u32) -> Result<Uid, Fault> {
    Uid::new(value).ok_or_else(|| Fault::Damaged("a pair has the UID 0".to_owned()))
}

/// The sets of flags used by one transaction: there are many pairs, but few sets. They aren't kept
/// any longer, because a set added by a failed transaction doesn't exist.
#[derive(Default)]
pub(super) struct FlagSets {
    ids: HashMap<Flags, i64>,
    flags: HashMap<i64, Flags>,
}

impl FlagSets {
    /// Returns the number of a set; adds it if it is new.
    pub(super) fn id(
        &mut self,
        transaction: &Transaction<'_>,
        flags: &Flags,
    ) -> Result<i64, Fault> {
        if let Some(id) = self.ids.get(flags) {
            return Ok(*id);
        }
        let names = flags.names().collect::<Vec<_>>().join(" ");
        let known = transaction
            .prepare_cached("SELECT id FROM flag_sets WHERE names = ?1")?
            .query_row([&names], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                transaction
                    .prepare_cached("INSERT INTO flag_sets (names) VALUES (?1)")?
                    .execute([&names])?;
                transaction.last_insert_rowid()
            }
        };
        self.ids.insert(flags.clone(), id);
        Ok(id)
    }

    /// Returns the set with this number.
    pub(super) fn flags(&mut self, connection: &Connection, id: i64) -> Result<Flags, Fault> {
        if let Some(flags) = self.flags.get(&id) {
            return Ok(flags.clone());
        }
        let names = connection
            .prepare_cached("SELECT names FROM flag_sets WHERE id = ?1")?
            .query_row([id], |row| row.get::<_, String>(0))
            .optional()?
            .ok_or_else(|| Fault::Damaged(format!("the set of flags {id} is not there")))?;
        let flags = Flags::from_names(names.split(' '));
        self.flags.insert(id, flags.clone());
        Ok(flags)
    }
}
