//! What is saved on this machine about a pair of mailboxes, in a directory private to the user: the
//! lock of a run, and what earlier runs have brought into sync.
//!
//! Files are named by a hash of the two mailboxes' identities, which contain no secret. For `copy`
//! the state is a cache: without it a run takes longer and does the same; [`two_way`] says what
//! `sync` loses with it. It is one SQLite file per pair, described in `docs/state-format.md`; only
//! this module knows SQL. Invariants:
//!
//! - The intent to copy into a folder is on disk before [`State::begin_all`] returns, so before the
//!   first APPEND.
//! - A folder has either an intent or a checkpoint, never both: it is being copied, or it was in
//!   sync.
//! - Records of UIDs whose UIDVALIDITY has changed, or was never known, are never returned.
//! - A file that is damaged, has a newer version, or belongs to other mailboxes is refused and left
//!   as it is.

mod account_file;
mod budgets;
mod directory;
mod file;
mod folders;
mod lock;
mod mechanisms;
mod pairs;
mod peek;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod two_way;
mod views;

pub use budgets::Budgets;
pub use directory::{PairName, StateDirectory};
pub use lock::PairLock;
pub use mechanisms::Mechanisms;
pub use peek::StateCopy;
pub use records::{
    Checkpoint, FolderId, FolderInStep, FolderRecord, FolderStart, Mailboxes, PairRecord,
};
pub use two_way::{TwoWay, TwoWayChange, TwoWayFolder, TwoWayPair, TwoWayRefused, TwoWaySide};
pub use views::SeenView;

use crate::locks::lock;
use crate::store::{Error, ErrorKind};
use file::StateFile;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::{Mutex, MutexGuard};

/// The state of a pair of mailboxes. Shared by all lanes: each call is one transaction, and they
/// take turns.
#[derive(Debug)]
pub struct State {
    connection: Mutex<Connection>,
    file: StateFile,
    follows_a_death: bool,
}

/// What a power cut may lose of a finished transaction. A killed process never loses any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    /// It may be lost, but nothing that was written before: the next run then compares more.
    Cheap,
    /// It is on disk, along with everything that was written before it.
    OnDisk,
}

impl State {
    /// The version of the format that this program writes. It reads all earlier ones.
    pub const FORMAT: u32 = schema::VERSION;

    /// Opens the state of a pair; creates it if missing (mode 0600). `lock` is the lock of this
    /// pair; hold it for as long as the state is open.
    ///
    /// # Errors
    /// [`ErrorKind::Local`], naming the file: it is damaged, has a newer version or belongs to
    /// other mailboxes or another user, can be read by others, isn't a regular file, or the disk
    /// fails. The file is left as it is.
    pub fn open(
        directory: &StateDirectory,
        pair: &PairName,
        lock: &PairLock,
        mailboxes: &Mailboxes<'_>,
    ) -> Result<Self, Error> {
        let file = StateFile::new(directory.file(pair, "db"));
        if !lock.holds(directory, pair) {
            return Err(file.refused("the lock that is held is another pair's", file::WITHOUT));
        }
        Self::open_file(file, lock, mailboxes)
    }

    fn open_file(
        file: StateFile,
        lock: &PairLock,
        mailboxes: &Mailboxes<'_>,
    ) -> Result<Self, Error> {
        let mut connection = file.connect()?;
        schema::prepare(&mut connection, &file, mailboxes)?;
        Ok(Self {
            connection: Mutex::new(connection),
            file,
            follows_a_death: lock.follows_a_death(),
        })
    }

    /// Reports whether the last run of this pair was killed, or died otherwise: a server may be
    /// storing only now what it had sent.
    pub fn follows_a_death(&self) -> bool {
        self.follows_a_death
    }

    /// Takes the lock of the opposite direction into account: a copy in that direction may have
    /// died, too.
    pub fn heed(&mut self, way_back: &PairLock) {
        self.follows_a_death |= way_back.follows_a_death();
    }

    /// Makes all changes of `work`, or none.
    fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let mut connection = self.connection();
        let result = match durability {
            Durability::Cheap => transact(&mut connection, work),
            Durability::OnDisk => {
                let result =
                    synchronous(&connection, "FULL").and_then(|()| transact(&mut connection, work));
                synchronous(&connection, "NORMAL").and(result)
            }
        };
        result.map_err(|fault| self.error(fault))
    }

    /// Reads in one transaction.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Error> {
        work(&self.connection()).map_err(|fault| self.error(fault))
    }

    /// Returns the connection. If a lane panicked, its transaction was rolled back, so it can still
    /// be used.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        lock(&self.connection)
    }

    fn error(&self, fault: Fault) -> Error {
        match fault {
            Fault::Sql(error) => self.file.failed(&error),
            Fault::Damaged(what) => self.file.damaged(&what),
            Fault::Forgotten => Error::new(
                ErrorKind::Local,
                format!(
                    "the state {} no longer has the folder that was to be recorded",
                    self.file
                ),
            )
            .with_hint(file::WITHOUT),
        }
    }
}

/// Why a transaction failed.
enum Fault {
    Sql(rusqlite::Error),
    /// The file has content that was never written like this.
    Damaged(String),
    /// There is no such folder.
    Forgotten,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// Sets SQLite's `synchronous`, which is impossible within a transaction.
fn synchronous(connection: &Connection, how: &str) -> Result<(), Fault> {
    Ok(connection.pragma_update(None, "synchronous", how)?)
}
