//! The tables, and the upgrade of a file from version to version. `docs/state-format.md` describes
//! each column.

use super::Mailboxes;
use super::file::{StateFile, WITHOUT};
use crate::store::Error;
use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as a state (SQLite's `application_id`): "MFst".
const APPLICATION: u32 = 0x4d46_7374;

/// Upgrades each version to the next; the first starts from an empty file. A released step never
/// changes; new ones are appended.
const MIGRATIONS: [&str; 4] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

/// The version after the last migration (SQLite's `user_version`).
#[expect(
    clippy::cast_possible_truncation,
    reason = "the number of migrations is small"
)]
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

const VERSION_1: &str = "
CREATE TABLE mailboxes (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,
    target TEXT NOT NULL
) STRICT;
CREATE TABLE folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source BLOB NOT NULL,
    target BLOB NOT NULL,
    source_uid_validity INTEGER,
    target_uid_validity INTEGER,
    pairs INTEGER NOT NULL CHECK (pairs >= 0),
    intent INTEGER,
    source_uid_next INTEGER,
    source_messages INTEGER,
    source_mod_seq INTEGER,
    target_uid_next INTEGER,
    target_messages INTEGER,
    target_mod_seq INTEGER,
    UNIQUE (source, target),
    CHECK ((intent IS NULL) = (source_uid_next IS NOT NULL)),
    CHECK ((intent IS NULL) = (source_messages IS NOT NULL)),
    CHECK ((intent IS NULL) = (target_uid_next IS NOT NULL)),
    CHECK ((intent IS NULL) = (target_messages IS NOT NULL))
) STRICT;
CREATE TABLE flag_sets (
    id INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE COLLATE NOCASE
) STRICT;
CREATE TABLE pairs (
    folder INTEGER NOT NULL REFERENCES folders (id),
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    flags INTEGER NOT NULL REFERENCES flag_sets (id),
    PRIMARY KEY (folder, source)
) STRICT, WITHOUT ROWID;
";

const VERSION_2: &str = "
ALTER TABLE folders ADD COLUMN source_mailbox_id TEXT;
ALTER TABLE folders ADD COLUMN target_mailbox_id TEXT;
CREATE TABLE kept (
    folder INTEGER NOT NULL REFERENCES folders (id),
    target INTEGER NOT NULL,
    PRIMARY KEY (folder, target)
) STRICT, WITHOUT ROWID;
";

const VERSION_3: &str = "
CREATE TABLE sync_folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscribed INTEGER NOT NULL CHECK (subscribed IN (0, 1)),
    unfinished INTEGER NOT NULL CHECK (unfinished IN (0, 1)),
    first BLOB NOT NULL,
    first_path TEXT NOT NULL,
    first_mailbox_id TEXT,
    first_uid_validity INTEGER,
    first_uid_next INTEGER,
    first_mod_seq INTEGER,
    first_messages INTEGER,
    second BLOB NOT NULL,
    second_path TEXT NOT NULL,
    second_mailbox_id TEXT,
    second_uid_validity INTEGER,
    second_uid_next INTEGER,
    second_mod_seq INTEGER,
    second_messages INTEGER
) STRICT;
CREATE TABLE sync_pairs (
    folder INTEGER NOT NULL REFERENCES sync_folders (id),
    first INTEGER NOT NULL,
    second INTEGER NOT NULL,
    flags INTEGER NOT NULL REFERENCES flag_sets (id),
    first_lacks INTEGER NOT NULL REFERENCES flag_sets (id),
    second_lacks INTEGER NOT NULL REFERENCES flag_sets (id),
    first_key INTEGER NOT NULL,
    second_key INTEGER NOT NULL,
    first_look INTEGER NOT NULL,
    second_look INTEGER NOT NULL,
    deleted_on INTEGER CHECK (deleted_on IN (1, 2)),
    PRIMARY KEY (folder, first, second)
) STRICT, WITHOUT ROWID;
";

const VERSION_4: &str = "
CREATE TABLE sync_refused (
    folder INTEGER NOT NULL REFERENCES sync_folders (id),
    side INTEGER NOT NULL CHECK (side IN (1, 2)),
    uid INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (folder, side, uid)
) STRICT, WITHOUT ROWID;
";

/// The settings of a connection once the file is known to be a state. One process at a time has the
/// file, so no shared memory is needed, which network file systems lack.
const SETTINGS: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
";

/// The settings that make a damaged file harmless until it is recognised as damaged.
const GUARDS: &str = "
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA locking_mode = EXCLUSIVE;
";

/// Checks that the file is a state of these mailboxes, or an empty file, and upgrades it to
/// [`VERSION`]. Nothing is written to a refused file.
pub(super) fn prepare(
    connection: &mut Connection,
    file: &StateFile,
    mailboxes: &Mailboxes<'_>,
) -> Result<(), Error> {
    let failed = |error: rusqlite::Error| file.failed(&error);
    connection.execute_batch(GUARDS).map_err(failed)?;
    let version = version(connection, file)?;
    if version > 0 {
        check_mailboxes(connection, file, mailboxes)?;
        check_structure(connection, file)?;
    }
    connection.execute_batch(SETTINGS).map_err(failed)?;
    migrate(connection, version, mailboxes).map_err(failed)
}

/// Returns the version of a usable file; 0 for an empty one, which a crash before the first
/// transaction leaves.
fn version(connection: &Connection, file: &StateFile) -> Result<u32, Error> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u32>(0));
    let failed = |error: rusqlite::Error| file.failed(&error);
    let things = number("SELECT count(*) FROM sqlite_schema").map_err(failed)?;
    let application = number("PRAGMA application_id").map_err(failed)?;
    let version = number("PRAGMA user_version").map_err(failed)?;
    match (application, version) {
        (0, 0) if things == 0 => Ok(0),
        (APPLICATION, 1..=VERSION) => Ok(version),
        (APPLICATION, 0) => Err(file.damaged("it has no version")),
        (APPLICATION, _) => Err(file.refused(
            &format!("it has format {version}; this mailferry reads formats up to {VERSION}"),
            "use the newer mailferry that wrote it, or copy without it (--no-state): slower, but \
                 never creates duplicates",
        )),
        _ => Err(file.refused("it is not a mailferry state file", WITHOUT)),
    }
}

fn check_mailboxes(
    connection: &Connection,
    file: &StateFile,
    mailboxes: &Mailboxes<'_>,
) -> Result<(), Error> {
    let of = connection.query_row("SELECT source, target FROM mailboxes", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    let (source, target) = of.map_err(|error| file.failed(&error))?;
    if (source.as_str(), target.as_str()) == (mailboxes.source, mailboxes.target) {
        return Ok(());
    }
    let reason = format!("it belongs to other mailboxes, {source} and {target}");
    Err(file.refused(&reason, WITHOUT))
}

fn check_structure(connection: &Connection, file: &StateFile) -> Result<(), Error> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found.map_err(|error| file.failed(&error))?.as_str() {
        "ok" => Ok(()),
        what => Err(file.damaged(what)),
    }
}

fn migrate(
    connection: &mut Connection,
    version: u32,
    mailboxes: &Mailboxes<'_>,
) -> Result<(), rusqlite::Error> {
    if version == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(version as usize) {
        transaction.execute_batch(migration)?;
    }
    if version == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.execute(
            "INSERT INTO mailboxes (id, source, target) VALUES (1, ?1, ?2)",
            (mailboxes.source, mailboxes.target),
        )?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
