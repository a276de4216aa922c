//! What a run that is killed leaves to the next, at each step of the order: intent, APPEND, pair,
//! checkpoint.

use super::*;

#[test]
fn each_step_is_visible_to_the_next_run_once_it_returns() {
    let place = Place::new();
    let state = place.open();
    let folder = Folder::new("INBOX");
    assert_eq!(place.killed().open().folders().unwrap(), []);

    let id = state.begin(&folder.start()).unwrap();
    let next = place.killed().open();
    assert_eq!(
        (only(&next).intent, only(&next).pairs),
        (UidNext::new(1), 0)
    );

    state.add_pairs(id, &[pair(1, 500, &["\\Seen"])]).unwrap();
    let next = place.killed().open();
    assert_eq!(
        (only(&next).intent, only(&next).pairs),
        (UidNext::new(1), 1)
    );
    assert_eq!(next.pairs(id).unwrap(), [pair(1, 500, &["\\Seen"])]);

    state.checkpoint(&in_step(id, 501)).unwrap();
    let next = only(&place.killed().open());
    assert_eq!((next.intent, next.pairs), (None, 1));
    assert_eq!(
        next.checkpoint.map(|(_, target)| target.uid_next),
        UidNext::new(501)
    );

    state.begin(&folder.start()).unwrap();
    let next = only(&place.killed().open());
    assert_eq!(
        (next.intent, next.checkpoint, next.pairs),
        (UidNext::new(500), None, 1)
    );
}

/// A log that is cut anywhere gives the state as it was after one of its transactions, never half
/// of one.
#[test]
fn a_log_cut_anywhere_has_whole_transactions_in_order() {
    let place = Place::new();
    let state = place.open();
    let id = state.begin(&Folder::new("INBOX").start()).unwrap();
    for batch in 0..4 {
        let pairs: Vec<_> = (1..=10)
            .map(|n| pair(batch * 10 + n, n, &["\\Seen"]))
            .collect();
        state.add_pairs(id, &pairs).unwrap();
    }
    let log = place.path().with_extension("db-wal");
    let length = std::fs::metadata(&log).unwrap().len();
    let mut seen = Vec::new();
    for cut in (0..=length).step_by(1031).chain([length]) {
        let killed = place.killed();
        let log = std::fs::OpenOptions::new()
            .write(true)
            .open(killed.path().with_extension("db-wal"))
            .unwrap();
        log.set_len(cut).unwrap();
        let state = killed.open();
        match state.folders().unwrap().as_slice() {
            [] => seen.push(None),
            [record] => {
                assert_eq!(
                    (record.intent, state.pairs(id).unwrap().len() as u64),
                    (UidNext::new(1), record.pairs)
                );
                seen.push(Some(record.pairs));
            }
            more => panic!("{more:?}"),
        }
    }
    assert!(seen.is_sorted());
    seen.dedup();
    assert_eq!(
        seen,
        [None, Some(0), Some(10), Some(20), Some(30), Some(40)]
    );
}

#[test]
fn a_lane_that_panics_leaves_nothing_half_done() {
    let state = Place::new().open();
    let id = state.begin(&Folder::new("INBOX").start()).unwrap();
    let lane = std::panic::AssertUnwindSafe(|| {
        state.write(Durability::OnDisk, |transaction| -> Result<(), Fault> {
            transaction.execute("DELETE FROM folders", [])?;
            panic!("on purpose");
        })
    });
    assert!(std::panic::catch_unwind(lane).is_err());
    state.add_pairs(id, &[pair(1, 2, &[])]).unwrap();
    assert_eq!(only(&state).pairs, 1);
}

/// What `PRAGMA synchronous` says within each transaction that changes a folder or a pair.
const WATCH: &str = "
CREATE TEMP TABLE levels (what TEXT, level INTEGER);
CREATE TEMP TRIGGER created AFTER INSERT ON main.folders
    BEGIN INSERT INTO levels SELECT 'intent', synchronous FROM pragma_synchronous; END;
CREATE TEMP TRIGGER changed AFTER UPDATE OF intent ON main.folders
    BEGIN INSERT INTO levels SELECT iif(new.intent IS NULL, 'checkpoint', 'intent'), synchronous
        FROM pragma_synchronous; END;
CREATE TEMP TRIGGER paired AFTER INSERT ON main.pairs
    BEGIN INSERT INTO levels SELECT 'pair', synchronous FROM pragma_synchronous; END;
";

#[test]
fn only_the_intent_waits_for_the_disk() {
    let state = Place::new().open();
    state
        .read(|connection| Ok(connection.execute_batch(WATCH)?))
        .unwrap();
    let folder = Folder::new("INBOX");
    let id = state.begin(&folder.start()).unwrap();
    state.add_pairs(id, &[pair(1, 2, &[])]).unwrap();
    state.checkpoint(&in_step(id, 9)).unwrap();
    state.begin_all(&[folder.start()]).unwrap();
    state
        .write(Durability::OnDisk, |_| Err::<(), _>(Fault::Forgotten))
        .unwrap_err();
    state.add_pairs(id, &[pair(2, 3, &[])]).unwrap();

    let levels = state.read(|connection| {
        let mut statement = connection.prepare("SELECT what, level FROM levels ORDER BY rowid")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i32>(1)?))
        })?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    });
    let (normal, full) = (1, 2);
    let expected = [
        ("intent", full),
        ("pair", normal),
        ("checkpoint", normal),
        ("intent", full),
        ("pair", normal),
    ];
    assert_eq!(
        levels.unwrap(),
        expected.map(|(what, level)| (what.to_owned(), level))
    );
}
