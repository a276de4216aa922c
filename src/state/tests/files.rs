//! Which files are taken and which are refused.

use super::*;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

/// Creates a closed state with a folder and pairs.
fn filled() -> Place {
    let place = Place::new();
    let state = place.open();
    let id = state.begin(&Folder::new("INBOX").start()).unwrap();
    let pairs: Vec<_> = (1..=1000).map(|n| pair(n, n, &["\\Seen"])).collect();
    state.add_pairs(id, &pairs).unwrap();
    place
}

#[test]
fn all_files_are_private_and_a_closed_state_is_one_file() {
    let place = Place::new();
    let state = place.open();
    state.begin(&Folder::new("INBOX").start()).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(place.root.path().join("state")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{entry:?}");
        names.push(
            entry
                .path()
                .extension()
                .unwrap()
                .to_owned()
                .into_string()
                .unwrap(),
        );
    }
    names.sort();
    assert_eq!(names, ["db", "db-wal", "lock"]);
    assert_eq!(
        std::fs::metadata(place.root.path().join("state"))
            .unwrap()
            .mode()
            & 0o777,
        0o700
    );
    drop(state);
    assert!(!exists(&place.path(), "db-wal"));
}

#[test]
fn a_state_needs_the_lock_of_its_own_pair() {
    let place = Place::new();
    let other = PairLock::take(&place.directory, &PairName::new("x", "y"), "a test").unwrap();
    let error = State::open(&place.directory, &place.pair, &other, &MAILBOXES).unwrap_err();
    assert!(error.message.contains("lock"), "{error}");
    assert!(!place.path().exists());
}

#[test]
fn a_death_in_either_direction_is_detected() {
    let place = Place::new();
    let back = PairName::new(MAILBOXES.target, MAILBOXES.source);
    let mut state = place.open();
    state.heed(&PairLock::take(&place.directory, &back, "a test").unwrap());
    assert!(!state.follows_a_death());
    // What a process that is killed leaves behind.
    std::fs::write(place.directory.file(&back, "lock"), "process 42").unwrap();
    state.heed(&PairLock::take(&place.directory, &back, "a test").unwrap());
    assert!(state.follows_a_death());
}

#[test]
fn other_mailboxes_are_refused() {
    let place = filled();
    for (source, target) in [
        (MAILBOXES.target, MAILBOXES.source),
        (MAILBOXES.source, "alice@three.example"),
    ] {
        let error = place.open_for(&Mailboxes { source, target }).unwrap_err();
        assert!(
            error
                .message
                .contains("other mailboxes, alice@one.example and alice@two.example"),
            "{error}"
        );
    }
    place.open();
}

#[test]
fn a_newer_version_is_refused() {
    let place = filled();
    place.tamper(&format!("PRAGMA user_version = {}", State::FORMAT + 1));
    let error = place.refusal();
    assert!(
        error
            .message
            .contains(&format!("format {}", State::FORMAT + 1)),
        "{error}"
    );
    assert!(error.hint.unwrap().contains("newer mailferry"));
}

#[test]
fn files_that_are_not_states_are_refused() {
    type Spoil = fn(&Place);
    let cases: [(&str, Spoil, &str); 8] = [
        (
            "garbage",
            |place| std::fs::write(place.path(), [b'x'; 5000]).unwrap(),
            "damaged",
        ),
        (
            "a short text",
            |place| std::fs::write(place.path(), "hello").unwrap(),
            "damaged",
        ),
        ("cut in its first page", |place| cut(place, 1000), "damaged"),
        (
            "cut after some pages",
            |place| cut(place, 3 * 4096),
            "damaged",
        ),
        (
            "a page in the middle is lost",
            |place| overwrite(place, 6 * 4096, &[0xa5; 4096]),
            "damaged",
        ),
        (
            "another program's",
            |place| place.tamper("PRAGMA application_id = 7"),
            "not a mailferry state file",
        ),
        (
            "no version",
            |place| place.tamper("PRAGMA user_version = 0"),
            "damaged",
        ),
        (
            "no mailboxes",
            |place| place.tamper("DELETE FROM mailboxes"),
            "damaged",
        ),
    ];
    for (about, spoil, reason) in cases {
        let place = filled();
        spoil(&place);
        let error = place.refusal();
        assert!(error.message.contains(reason), "{about}: {error}");
    }
    let place = Place::new();
    std::fs::write(place.path(), "").unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    place.tamper("CREATE TABLE folders (id INTEGER)");
    assert!(
        place
            .refusal()
            .message
            .contains("not a mailferry state file")
    );
}

fn cut(place: &Place, length: u64) {
    std::fs::OpenOptions::new()
        .write(true)
        .open(place.path())
        .unwrap()
        .set_len(length)
        .unwrap();
}

fn overwrite(place: &Place, at: usize, bytes: &[u8]) {
    let mut content = std::fs::read(place.path()).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    std::fs::write(place.path(), content).unwrap();
}

/// A file that opens well and can't be right is found out when it is read.
#[test]
fn impossible_records_are_refused_when_read() {
    let cases = [
        ("DELETE FROM pairs WHERE source = 7", "999 pairs where 1000"),
        (
            "PRAGMA foreign_keys = OFF; DELETE FROM flag_sets",
            "set of flags",
        ),
        ("UPDATE pairs SET target = 0 WHERE source = 7", "UID 0"),
        (
            "UPDATE pairs SET target = 4294967296 WHERE source = 7",
            "damaged",
        ),
    ];
    for (sql, reason) in cases {
        let place = filled();
        place.tamper(sql);
        let state = place.open();
        let error = state.pairs(only(&state).id).unwrap_err();
        assert!(
            error.message.contains("damaged") && error.message.contains(reason),
            "{sql}: {error}"
        );
    }
    let place = filled();
    place.tamper("UPDATE folders SET intent = -1");
    assert!(
        place
            .open()
            .folders()
            .unwrap_err()
            .message
            .contains("damaged")
    );
}

#[test]
fn a_file_that_others_can_read_or_that_is_not_regular_is_refused() {
    let place = filled();
    for mode in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(place.refusal().message.contains(&format!("mode {mode:o}")));
    }
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let elsewhere = place.root.path().join("elsewhere");
    std::fs::rename(place.path(), &elsewhere).unwrap();
    symlink(&elsewhere, place.path()).unwrap();
    assert!(place.refusal().message.contains("regular file"));
    std::fs::remove_file(&elsewhere).unwrap();
    let error = place.open_for(&MAILBOXES).unwrap_err();
    assert!(
        error.message.contains("regular file") && !elsewhere.exists(),
        "{error}"
    );
    std::fs::remove_file(place.path()).unwrap();
    std::fs::create_dir(place.path()).unwrap();
    assert!(
        place
            .open_for(&MAILBOXES)
            .unwrap_err()
            .message
            .contains("regular file")
    );
    std::fs::remove_dir(place.path()).unwrap();
    // Opening a pipe would wait for its other end.
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        place.path(),
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    assert!(
        place
            .open_for(&MAILBOXES)
            .unwrap_err()
            .message
            .contains("regular file")
    );
}

/// Only root can give a file away, so only root can test this.
#[test]
fn a_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = filled();
    std::os::unix::fs::chown(place.path(), Some(65_534), None).unwrap();
    assert!(place.refusal().message.contains("another user"));
}

#[test]
fn a_directory_below_a_link_is_accepted() {
    let place = Place::new();
    let link = place.root.path().join("link");
    symlink(place.root.path(), &link).unwrap();
    let directory = StateDirectory::open(&link.join("state")).unwrap();
    let lock = PairLock::take(&directory, &place.pair, "a test").unwrap();
    State::open(&directory, &place.pair, &lock, &MAILBOXES).unwrap();
    assert!(place.path().exists());
}

/// The advice of the refusals: the log that a killed run left is not taken for that of the new
/// file.
#[test]
fn a_state_that_was_moved_away_is_created_again() {
    let running = Place::new();
    let state = running.open();
    state.begin(&Folder::new("INBOX").start()).unwrap();
    let place = running.killed();
    assert!(exists(&place.path(), "db-wal"));
    std::fs::rename(place.path(), place.path().with_extension("old")).unwrap();
    let fresh = place.open();
    assert_eq!(fresh.folders().unwrap(), []);
    fresh.begin(&Folder::new("Sent").start()).unwrap();
    drop(fresh);
    assert_eq!(only(&place.open()).source, "Sent".into());
}

#[test]
fn another_program_reading_the_file_is_reported_as_the_cause() {
    let place = filled();
    let reader = Connection::open(place.path()).unwrap();
    reader
        .execute_batch("BEGIN; SELECT * FROM folders")
        .unwrap();
    let _: i64 = reader
        .query_row("SELECT count(*) FROM pairs", [], |row| row.get(0))
        .unwrap();
    let error = place.open_for(&MAILBOXES).unwrap_err();
    assert!(error.message.contains("another program"), "{error}");
}
