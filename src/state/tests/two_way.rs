//! The two-way part: what goes in comes out, in either order of the mailboxes, and `copy` is not
//! touched by it.

use super::*;
use crate::mail::{Both, Counters, ModSeq, Side, UidNext};

fn side(name: &str, uid_next: u32) -> TwoWaySide {
    TwoWaySide {
        name: name.into(),
        path: name.to_owned(),
        mailbox_id: Some(format!("id of {name}")),
        counters: Counters {
            uid_validity: Some(UidValidity(7)),
            uid_next: UidNext::new(uid_next),
            mod_seq: Some(ModSeq(u64::MAX)),
            messages: Some(3),
        },
    }
}

fn folder(unfinished: bool) -> TwoWayFolder {
    TwoWayFolder {
        sides: Both::new(side("one", 10), side("two", 20)),
        subscribed: true,
        unfinished,
    }
}

fn two(first: u32, second: u32, deleted_on: Option<Side>) -> TwoWayPair {
    let flags = |names: &[&str]| Flags::from_names(names.iter().copied());
    TwoWayPair {
        uids: Both::new(uid(first), uid(second)),
        flags: flags(&["\\Seen", "work"]),
        lacks: Both::new(flags(&[]), flags(&["work"])),
        keys: Both::new(1, u32::MAX),
        looks: Both::new(0, 5),
        deleted_on,
    }
}

#[test]
fn what_is_recorded_reads_back_in_either_order() {
    let place = Place::new();
    let state = place.open();
    let straight = TwoWay::new(&state, false);
    let id = straight.create(&folder(true)).unwrap();
    let pairs = [two(1, 11, None), two(2, 9, Some(Side::Second))];
    let add = |pair: &TwoWayPair| TwoWayChange::Pair(id, Box::new(pair.clone()));
    straight
        .record(&pairs.iter().map(add).collect::<Vec<_>>(), true)
        .unwrap();
    // The row is changed, and its pairs stay.
    straight
        .record(&[TwoWayChange::Folder(id, Box::new(folder(false)))], false)
        .unwrap();
    assert_eq!(straight.folders().unwrap(), [(id, folder(false))]);
    assert_eq!(straight.pairs(id).unwrap(), pairs);
    assert_eq!(
        straight.highest(id).unwrap(),
        Both::new(Uid::new(2), Uid::new(11))
    );
    straight
        .record(&[add(&two(3, 30, Some(Side::Second)))], false)
        .unwrap();
    assert_eq!(
        straight.highest(id).unwrap(),
        Both::new(Uid::new(3), Uid::new(11))
    );
    straight
        .record(
            &[TwoWayChange::Unpair(id, Both::new(uid(3), uid(30)))],
            false,
        )
        .unwrap();
    let turned = TwoWay::new(&state, true);
    assert_eq!(
        turned.folders().unwrap()[0].1.sides,
        Both::new(side("two", 20), side("one", 10))
    );
    let seen = &turned.pairs(id).unwrap()[1];
    assert_eq!(
        (seen.uids, seen.deleted_on),
        (Both::new(uid(9), uid(2)), Some(Side::First))
    );
    assert_eq!(
        (&seen.lacks.first, seen.keys, seen.looks),
        (
            &pairs[1].lacks.second,
            Both::new(u32::MAX, 1),
            Both::new(5, 0)
        )
    );
    turned
        .record(
            &[TwoWayChange::Unpair(id, Both::new(uid(9), uid(2)))],
            false,
        )
        .unwrap();
    assert_eq!(straight.pairs(id).unwrap(), pairs[..1]);
    turned.record(&[TwoWayChange::Forget(id)], false).unwrap();
    assert_eq!(
        (
            straight.folders().unwrap().len(),
            straight.pairs(id).unwrap().len()
        ),
        (0, 0)
    );
}

#[test]
fn refusals_belong_to_a_side_and_end_with_their_folder() {
    let place = Place::new();
    let state = place.open();
    let (straight, turned) = (TwoWay::new(&state, false), TwoWay::new(&state, true));
    let id = straight.create(&folder(true)).unwrap();
    let refused = |side, number, reason: &str| TwoWayRefused {
        side,
        uid: uid(number),
        reason: reason.to_owned(),
    };
    let refuse = |refused| TwoWayChange::Refuse(id, Box::new(refused));
    let changes = [
        refuse(refused(Side::First, 7, "large")),
        refuse(refused(Side::Second, 7, "a virus")),
        refuse(refused(Side::First, 7, "too large")),
    ];
    straight.record(&changes, true).unwrap();
    assert_eq!(
        straight.refused(id).unwrap(),
        [
            refused(Side::First, 7, "too large"),
            refused(Side::Second, 7, "a virus")
        ]
    );
    assert_eq!(
        turned.refused(id).unwrap(),
        [
            refused(Side::Second, 7, "too large"),
            refused(Side::First, 7, "a virus")
        ]
    );
    turned
        .record(&[TwoWayChange::Unrefuse(id, Side::First, uid(7))], false)
        .unwrap();
    assert_eq!(
        straight.refused(id).unwrap(),
        [refused(Side::First, 7, "too large")]
    );
    straight.record(&[TwoWayChange::Forget(id)], false).unwrap();
    assert_eq!(straight.refused(id).unwrap(), []);
}

#[test]
fn copy_and_sync_do_not_disturb_each_other() {
    let place = Place::new();
    let state = place.open();
    let inbox = Folder::new("INBOX");
    let copied = state.begin(&inbox.start()).unwrap();
    state.add_pairs(copied, &[pair(1, 2, &[])]).unwrap();
    let two_way = TwoWay::new(&state, false);
    let id = two_way.create(&folder(false)).unwrap();
    two_way
        .record(&[TwoWayChange::Pair(id, Box::new(two(5, 6, None)))], false)
        .unwrap();
    state.forget(copied).unwrap();
    assert_eq!(two_way.pairs(id).unwrap(), [two(5, 6, None)]);
    state.begin(&inbox.start()).unwrap();
    two_way.record(&[TwoWayChange::Forget(id)], false).unwrap();
    assert_eq!(state.folders().unwrap().len(), 1);
}

#[test]
fn changes_on_disk_survive_a_kill() {
    let place = Place::new();
    let state = place.open();
    let id = TwoWay::new(&state, false).create(&folder(true)).unwrap();
    TwoWay::new(&state, false)
        .record(&[TwoWayChange::Pair(id, Box::new(two(5, 6, None)))], true)
        .unwrap();
    let killed = place.killed();
    let state = killed.open();
    assert_eq!(
        TwoWay::new(&state, false).folders().unwrap(),
        [(id, folder(true))]
    );
    assert_eq!(
        TwoWay::new(&state, false).pairs(id).unwrap(),
        [two(5, 6, None)]
    );
}
