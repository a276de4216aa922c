//! The records of folders: intents and checkpoints.

use super::records::{mod_seq_column, mod_seq_from_column};
use super::{
    Checkpoint, Durability, Fault, FolderId, FolderInStep, FolderRecord, FolderStart, State,
};
use crate::mail::{MailboxName, Uid, UidNext, UidSet, UidValidity};
use crate::store::Error;
use rusqlite::{OptionalExtension as _, Row, Transaction};

const FOLDERS: &str = "
    SELECT id, source, target, source_uid_validity, target_uid_validity, pairs, intent,
           source_uid_next, source_messages, source_mod_seq, target_uid_next, target_messages, target_mod_seq,
           source_mailbox_id, target_mailbox_id
    FROM folders ORDER BY id";

const KNOWN: &str = "
    SELECT id, source_uid_validity, target_uid_validity, coalesce(intent, target_uid_next)
    FROM folders WHERE source = ?1 AND target = ?2";

const CREATE: &str = "
    INSERT INTO folders (source, target, source_uid_validity, target_uid_validity, source_mailbox_id,
        target_mailbox_id, pairs, intent)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 1)";

const BEGIN: &str = "
    UPDATE folders SET source_uid_validity = ?2, target_uid_validity = ?3, intent = ?4,
        source_mailbox_id = ?5, target_mailbox_id = ?6,
        source_uid_next = NULL, source_messages = NULL, source_mod_seq = NULL,
        target_uid_next = NULL, target_messages = NULL, target_mod_seq = NULL
    WHERE id = ?1";

const VOID: &str = "
    UPDATE folders SET pairs = 0, intent = 1,
        source_uid_next = NULL, source_messages = NULL, source_mod_seq = NULL,
        target_uid_next = NULL, target_messages = NULL, target_mod_seq = NULL
    WHERE id = ?1";

const CHECKPOINT: &str = "
    UPDATE folders SET intent = NULL,
        source_uid_next = ?4, source_messages = ?5, source_mod_seq = ?6,
        target_uid_next = ?7, target_messages = ?8, target_mod_seq = ?9
    WHERE id = ?1 AND source_uid_validity = ?2 AND target_uid_validity = ?3";

impl State {
    /// Returns all folders, in the order in which they were first begun.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn folders(&self) -> Result<Vec<FolderRecord>, Error> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(FOLDERS)?;
            let records = statement.query_map([], record)?;
            Ok(records.collect::<Result<_, _>>()?)
        })
    }

    /// Records that a folder is about to be copied into; see [`Self::begin_all`].
    ///
    /// # Errors
    /// As [`Self::begin_all`].
    pub fn begin(&self, start: &FolderStart<'_>) -> Result<FolderId, Error> {
        self.write(Durability::OnDisk, |transaction| begin(transaction, start))
    }

    /// Records that folders are about to be copied into. Returns the ID of each. It is on disk when
    /// this returns: only then may messages be sent.
    ///
    /// A folder's checkpoint is cleared. Its pairs stay if the UIDVALIDITY of both sides is known
    /// and matches the record; otherwise they are void and deleted. The intent is the lowest UID on
    /// the target that isn't accounted for: that of an open intent, the UIDNEXT of the cleared
    /// checkpoint, or 1 if no pairs stay, and never above `target_uid_next`. So pairs that are
    /// found by comparing may be added after this, and a crash in between hides none of them from
    /// the next run.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails or is full; then nothing is recorded, and nothing may
    /// be sent.
    pub fn begin_all(&self, starts: &[FolderStart<'_>]) -> Result<Vec<FolderId>, Error> {
        self.write(Durability::OnDisk, |transaction| {
            starts
                .iter()
                .map(|start| begin(transaction, start))
                .collect()
        })
    }

    /// Records that a folder is in sync, which ends its intent; see [`Self::checkpoint_all`].
    ///
    /// # Errors
    /// As [`Self::checkpoint_all`].
    pub fn checkpoint(&self, folder: &FolderInStep) -> Result<bool, Error> {
        self.write(Durability::Cheap, |transaction| {
            checkpoint(transaction, folder)
        })
    }

    /// Records that folders are in sync, which ends their intents. Returns for each whether it was
    /// accepted: not if its UIDVALIDITY differs from that when it was begun, as its pairs belong to
    /// another generation; then the folder stays unfinished. All pairs must have been added before.
    ///
    /// # Errors
    /// The file is damaged, the disk fails or is full, or a folder was forgotten; then none is
    /// recorded.
    pub fn checkpoint_all(&self, folders: &[FolderInStep]) -> Result<Vec<bool>, Error> {
        self.write(Durability::Cheap, |transaction| {
            folders
                .iter()
                .map(|one| checkpoint(transaction, one))
                .collect()
        })
    }

    /// Records new names of a folder, on one side or both. Another record with these names is
    /// deleted.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails or is full.
    pub fn rename(
        &self,
        folder: FolderId,
        source: &MailboxName,
        target: &MailboxName,
    ) -> Result<(), Error> {
        self.write(Durability::OnDisk, |transaction| {
            let names = (source.as_bytes(), target.as_bytes());
            let other = transaction
                .prepare_cached("SELECT id FROM folders WHERE source = ?1 AND target = ?2")?
                .query_row(names, |row| row.get::<_, i64>(0))
                .optional()?;
            if let Some(other) = other.filter(|other| *other != folder.0) {
                delete(transaction, FolderId(other))?;
            }
            let row = (folder.0, names.0, names.1);
            match transaction
                .prepare_cached("UPDATE folders SET source = ?2, target = ?3 WHERE id = ?1")?
                .execute(row)?
            {
                0 => Err(Fault::Forgotten),
                _ => Ok(()),
            }
        })
    }

    /// Records messages on the target that no run may delete although the source doesn't have them:
    /// the source was in doubt when they were found.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails or is full.
    pub fn keep(&self, folder: FolderId, target_uids: &UidSet) -> Result<(), Error> {
        self.write(Durability::OnDisk, |transaction| {
            let mut keep = transaction
                .prepare_cached("INSERT OR IGNORE INTO kept (folder, target) VALUES (?1, ?2)")?;
            for uid in target_uids.iter() {
                keep.execute((folder.0, uid.get()))?;
            }
            Ok(())
        })
    }

    /// Returns the messages on the target recorded by [`Self::keep`].
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn kept(&self, folder: FolderId) -> Result<UidSet, Error> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT target FROM kept WHERE folder = ?1 ORDER BY target")?;
            let uids = statement.query_map([folder.0], |row| row.get::<_, u32>(0))?;
            let mut kept = UidSet::default();
            for uid in uids {
                kept.insert(
                    Uid::new(uid?)
                        .ok_or_else(|| Fault::Damaged("a kept message has the UID 0".to_owned()))?,
                );
            }
            Ok(kept)
        })
    }

    /// Deletes the pairs of a folder and its checkpoint, because they can't be trusted. Messages
    /// recorded by [`Self::keep`] stay.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails or is full.
    pub fn void(&self, folder: FolderId) -> Result<(), Error> {
        self.write(Durability::Cheap, |transaction| {
            transaction
                .prepare_cached("DELETE FROM pairs WHERE folder = ?1")?
                .execute([folder.0])?;
            transaction.prepare_cached(VOID)?.execute([folder.0])?;
            Ok(())
        })
    }

    /// Deletes everything about a folder.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails or is full.
    pub fn forget(&self, folder: FolderId) -> Result<(), Error> {
        self.write(Durability::Cheap, |transaction| delete(transaction, folder))
    }
}

fn delete(transaction: &Transaction<'_>, folder: FolderId) -> Result<(), Fault> {
    for sql in [
        "DELETE FROM pairs WHERE folder = ?1",
        "DELETE FROM kept WHERE folder = ?1",
        "DELETE FROM folders WHERE id = ?1",
    ] {
        transaction.prepare_cached(sql)?.execute([folder.0])?;
    }
    Ok(())
}

fn begin(transaction: &Transaction<'_>, start: &FolderStart<'_>) -> Result<FolderId, Fault> {
    let names = (start.source.as_bytes(), start.target.as_bytes());
    let ids = (start.source_mailbox_id, start.target_mailbox_id);
    let source = start.source_uid_validity.map(|validity| validity.0);
    let target = start.target_uid_validity.map(|validity| validity.0);
    let known = transaction
        .prepare_cached(KNOWN)?
        .query_row(names, |row| {
            Ok((
                row.get(0)?,
                row.get::<_, Option<u32>>(1)?,
                row.get::<_, Option<u32>>(2)?,
                row.get::<_, u32>(3)?,
            ))
        })
        .optional()?;
    let Some((id, old_source, old_target, accounted_for)) = known else {
        transaction
            .prepare_cached(CREATE)?
            .execute((names.0, names.1, source, target, ids.0, ids.1))?;
        return Ok(FolderId(transaction.last_insert_rowid()));
    };
    let goes_on =
        source.is_some() && target.is_some() && (source, target) == (old_source, old_target);
    let intent = if goes_on {
        accounted_for
            .min(start.target_uid_next.map_or(1, UidNext::get))
            .max(1)
    } else {
        1
    };
    transaction
        .prepare_cached(BEGIN)?
        .execute((id, source, target, intent, ids.0, ids.1))?;
    if !goes_on {
        transaction
            .prepare_cached("DELETE FROM pairs WHERE folder = ?1")?
            .execute([id])?;
        transaction
            .prepare_cached("UPDATE folders SET pairs = 0 WHERE id = ?1")?
            .execute([id])?;
    }
    if target.is_none() || target != old_target {
        transaction
            .prepare_cached("DELETE FROM kept WHERE folder = ?1")?
            .execute([id])?;
    }
    Ok(FolderId(id))
}

fn checkpoint(transaction: &Transaction<'_>, folder: &FolderInStep) -> Result<bool, Fault> {
    let FolderInStep { id, source, target } = folder;
    let taken = transaction.prepare_cached(CHECKPOINT)?.execute((
        id.0,
        source.uid_validity.0,
        target.uid_validity.0,
        source.uid_next.get(),
        source.messages,
        mod_seq_column(source.mod_seq),
        target.uid_next.get(),
        target.messages,
        mod_seq_column(target.mod_seq),
    ))?;
    if taken == 0
        && !transaction
            .prepare_cached("SELECT 1 FROM folders WHERE id = ?1")?
            .exists([id.0])?
    {
        return Err(Fault::Forgotten);
    }
    Ok(taken > 0)
}

fn record(row: &Row<'_>) -> Result<FolderRecord, rusqlite::Error> {
    let source_uid_validity = row.get::<_, Option<u32>>(3)?.map(UidValidity);
    let target_uid_validity = row.get::<_, Option<u32>>(4)?.map(UidValidity);
    let source = side(row, source_uid_validity, 7)?;
    let target = side(row, target_uid_validity, 10)?;
    Ok(FolderRecord {
        id: FolderId(row.get(0)?),
        source: MailboxName::new(row.get::<_, Vec<u8>>(1)?),
        target: MailboxName::new(row.get::<_, Vec<u8>>(2)?),
        source_uid_validity,
        target_uid_validity,
        checkpoint: source.zip(target),
        intent: row.get::<_, Option<u32>>(6)?.and_then(UidNext::new),
        pairs: row.get::<_, i64>(5)?.cast_unsigned(),
        source_mailbox_id: row.get(13)?,
        target_mailbox_id: row.get(14)?,
    })
}

/// Reads one side's checkpoint from the three columns that begin at `first`.
fn side(
    row: &Row<'_>,
    uid_validity: Option<UidValidity>,
    first: usize,
) -> Result<Option<Checkpoint>, rusqlite::Error> {
    let uid_next = row.get::<_, Option<u32>>(first)?.and_then(UidNext::new);
    let messages = row.get::<_, Option<u32>>(first + 1)?;
    let mod_seq = mod_seq_from_column(row.get(first + 2)?);
    Ok((|| {
        Some(Checkpoint {
            uid_validity: uid_validity?,
            uid_next: uid_next?,
            messages: messages?,
            mod_seq,
        })
    })())
}
