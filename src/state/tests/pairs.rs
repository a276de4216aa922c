//! Pairs and their flags.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn begun(state: &State, name: &str) -> FolderId {
    state.begin(&Folder::new(name).start()).unwrap()
}

#[test]
fn pairs_are_returned_by_ascending_source_uid() {
    let place = Place::new();
    let state = place.open();
    let (id, other) = (begun(&state, "INBOX"), begun(&state, "Other"));
    let (low, high) = (
        pair(1, 77, &[]),
        pair(u32::MAX, 5, &["\\Seen", "$Label1", "zebra"]),
    );
    state.add_pairs(id, &[high.clone(), low.clone()]).unwrap();
    state.add_pairs(other, &[pair(9, 9, &["\\Seen"])]).unwrap();
    drop(state);
    let state = place.open();
    assert_eq!(state.pairs(id).unwrap(), [low, high]);
    assert_eq!(
        state
            .folders()
            .unwrap()
            .iter()
            .map(|record| record.pairs)
            .collect::<Vec<_>>(),
        [2, 1]
    );
}

#[test]
fn a_pair_replaces_one_with_the_same_source_uid() {
    let state = Place::new().open();
    let id = begun(&state, "INBOX");
    state
        .add_pairs(id, &[pair(1, 2, &[]), pair(3, 4, &[])])
        .unwrap();
    let newer = pair(1, 9, &["\\Flagged"]);
    state
        .add_pairs(id, &[newer.clone(), pair(5, 6, &[])])
        .unwrap();
    assert_eq!(
        state.pairs(id).unwrap(),
        [newer, pair(3, 4, &[]), pair(5, 6, &[])]
    );
    assert_eq!(only(&state).pairs, 3);
}

#[test]
fn flags_change_only_if_there_is_a_pair() {
    let state = Place::new().open();
    let id = begun(&state, "INBOX");
    state
        .add_pairs(id, &[pair(1, 2, &["\\Seen", "a"]), pair(3, 4, &[])])
        .unwrap();
    state
        .set_flags(
            id,
            &[
                (uid(1), Flags::default()),
                (uid(2), Flags::from_names(["x"])),
            ],
        )
        .unwrap();
    assert_eq!(state.pairs(id).unwrap(), [pair(1, 2, &[]), pair(3, 4, &[])]);
}

#[test]
fn a_set_of_flags_is_stored_once_whatever_its_order_and_case() {
    let place = Place::new();
    let state = place.open();
    let id = begun(&state, "INBOX");
    for (uid, names) in [(1, ["b", "\\Seen", "A"]), (2, ["\\SEEN", "a", "B"])] {
        state.add_pairs(id, &[pair(uid, uid, &names)]).unwrap();
    }
    assert_eq!(
        state.pairs(id).unwrap(),
        [
            pair(1, 1, &["\\Seen", "a", "b"]),
            pair(2, 2, &["\\Seen", "a", "b"])
        ]
    );
    drop(state);
    let connection = Connection::open(place.path()).unwrap();
    let names = connection.query_row(
        "SELECT group_concat(names, '|') FROM flag_sets",
        [],
        |row| row.get(0),
    );
    assert_eq!(names, Ok("\\Seen A b".to_owned()));
}

#[test]
fn a_set_added_by_a_failed_transaction_is_not_used() {
    let state = Place::new().open();
    let gone = begun(&state, "Gone");
    let id = begun(&state, "INBOX");
    state.forget(gone).unwrap();
    state.add_pairs(gone, &[pair(1, 2, &["new"])]).unwrap_err();
    state
        .set_flags(gone, &[(uid(1), Flags::from_names(["newer"]))])
        .unwrap();
    state
        .add_pairs(id, &[pair(1, 2, &["new"]), pair(2, 3, &["newer"])])
        .unwrap();
    assert_eq!(
        state.pairs(id).unwrap(),
        [pair(1, 2, &["new"]), pair(2, 3, &["newer"])]
    );
}

#[test]
fn a_hundred_thousand_pairs_are_stored_in_batches_and_returned() {
    let place = Place::new();
    let state = place.open();
    let id = begun(&state, "INBOX");
    let sets: [&[&str]; 4] = [
        &[],
        &["\\Seen"],
        &["\\Seen", "\\Answered"],
        &["\\Seen", "$Forwarded", "work"],
    ];
    let pairs: Vec<_> = (1..=100_000)
        .map(|n| pair(n, 200_000 + n, sets[n as usize % 4]))
        .collect();
    for batch in pairs.chunks(250) {
        state.add_pairs(id, batch).unwrap();
    }
    drop(state);
    let state = place.open();
    assert_eq!(only(&state).pairs, 100_000);
    assert!(state.pairs(id).unwrap() == pairs);
    state
        .remove_pairs(id, &UidSet::parse("1:50000,99999:4294967295").unwrap())
        .unwrap();
    assert_eq!(only(&state).pairs, 49_998);
    assert!(state.pairs(id).unwrap() == pairs[50_000..99_998]);
}

#[test]
fn lanes_write_at_the_same_time() {
    let state = Place::new().open();
    let folders: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|name| begun(&state, name))
        .collect();
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let (state, folders) = (&state, &folders);
            scope.spawn(move || {
                for n in 0..25 {
                    let uid = 1 + lane * 1000 + n;
                    state
                        .add_pairs(folders[lane as usize % 2], &[pair(uid, uid, &["\\Seen"])])
                        .unwrap();
                }
            });
        }
    });
    for (record, id) in state.folders().unwrap().iter().zip(folders) {
        assert_eq!(record.pairs, 100);
        assert_eq!(state.pairs(id).unwrap().len(), 100);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<(u32, u32, usize)>),
    Remove(Vec<u32>),
    SetFlags(Vec<(u32, usize)>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let add = prop::collection::vec((1u32..30, 1u32..99, 0usize..4), 0..8);
    prop_oneof![
        4 => add.prop_map(Step::Add),
        2 => prop::collection::vec(1u32..30, 0..8).prop_map(Step::Remove),
        2 => prop::collection::vec((1u32..30, 0usize..4), 0..8).prop_map(Step::SetFlags),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..crate::properties::config() })]

    #[test]
    fn it_behaves_like_a_map(steps in prop::collection::vec(step(), 1..20)) {
        let sets = [vec![], vec!["\\Seen"], vec!["k"], vec!["\\Draft", "k", "l"]].map(Flags::from_names);
        let place = Place::new();
        let mut state = place.open();
        let id = begun(&state, "INBOX");
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Add(list) => {
                    let record = |(source, target, set): (u32, u32, usize)|
                        PairRecord { source: uid(source), target: uid(target), flags: sets[set].clone() };
                    let records: Vec<_> = list.into_iter().map(record).collect();
                    state.add_pairs(id, &records).unwrap();
                    model.extend(records.into_iter().map(|record| (record.source, record)));
                }
                Step::Remove(uids) => {
                    let uids: UidSet = uids.into_iter().filter_map(Uid::new).collect();
                    state.remove_pairs(id, &uids).unwrap();
                    model.retain(|source, _| !uids.contains(*source));
                }
                Step::SetFlags(list) => {
                    let changes: Vec<_> = list.into_iter().map(|(at, set)| (uid(at), sets[set].clone())).collect();
                    state.set_flags(id, &changes).unwrap();
                    for (source, flags) in changes {
                        model.entry(source).and_modify(|record: &mut PairRecord| record.flags = flags);
                    }
                }
                Step::Reopen => {
                    drop(state);
                    state = place.open();
                }
            }
            prop_assert_eq!(only(&state).pairs, model.len() as u64);
            prop_assert_eq!(state.pairs(id).unwrap(), model.values().cloned().collect::<Vec<_>>());
        }
    }
}
