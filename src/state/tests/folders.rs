//! Intents, checkpoints, generations.

use super::*;

#[test]
fn a_folder_is_begun_and_brought_into_sync() {
    let place = Place::new();
    let state = place.open();
    let name = MailboxName::new(*b"Caf\xe9/\0&AOk-");
    let folder = Folder {
        name: name.clone(),
        ..Folder::new("")
    };
    let id = state.begin(&folder.start()).unwrap();
    let begun = only(&state);
    let validity = (begun.source_uid_validity, begun.target_uid_validity);
    assert_eq!((begun.id, &begun.source, &begun.target), (id, &name, &name));
    assert_eq!(validity, (Some(UidValidity(10)), Some(UidValidity(20))));
    assert_eq!(
        (begun.checkpoint, begun.intent, begun.pairs),
        (None, UidNext::new(1), 0)
    );

    let step = in_step(id, 503);
    assert!(state.checkpoint(&step).unwrap());
    drop(state);
    let record = only(&place.open());
    assert_eq!(
        (record.id, record.checkpoint, record.intent),
        (id, Some((step.source, step.target)), None)
    );
}

#[test]
fn many_folders_share_a_transaction_and_keep_their_order() {
    let state = Place::new().open();
    let folders: Vec<_> = ["INBOX", "Sent", "Archive"]
        .into_iter()
        .map(Folder::new)
        .collect();
    let starts: Vec<_> = folders.iter().map(Folder::start).collect();
    let ids = state.begin_all(&starts).unwrap();
    assert_eq!(state.begin_all(&starts).unwrap(), ids);
    let records = state.folders().unwrap();
    assert_eq!(
        records.iter().map(|record| record.id).collect::<Vec<_>>(),
        ids
    );
    assert_eq!(
        records
            .iter()
            .map(|record| &record.source)
            .collect::<Vec<_>>(),
        [&"INBOX".into(), &"Sent".into(), &"Archive".into()]
    );
    let steps: Vec<_> = ids.iter().map(|id| in_step(*id, 9)).collect();
    assert_eq!(state.checkpoint_all(&steps).unwrap(), [true, true, true]);
    assert!(
        state
            .folders()
            .unwrap()
            .iter()
            .all(|record| record.intent.is_none())
    );
}

#[test]
fn one_source_folder_can_have_several_targets_over_the_years() {
    let state = Place::new().open();
    let (folder, other) = (Folder::new("Old"), Folder::new("New"));
    let first = state.begin(&folder.start()).unwrap();
    let second = state
        .begin(&FolderStart {
            target: &other.name,
            ..folder.start()
        })
        .unwrap();
    assert_ne!(first, second);
}

/// From which target UID on the next run looks, over what is known and what the target says.
#[test]
fn an_intent_covers_everything_not_accounted_for() {
    struct Case {
        about: &'static str,
        checkpoint: Option<u32>,
        then: &'static [Option<u32>],
        intent: u32,
    }
    let cases = [
        Case {
            about: "a new folder",
            checkpoint: None,
            then: &[],
            intent: 1,
        },
        Case {
            about: "begun again",
            checkpoint: None,
            then: &[Some(600)],
            intent: 1,
        },
        Case {
            about: "was in step",
            checkpoint: Some(500),
            then: &[Some(500)],
            intent: 500,
        },
        Case {
            about: "others added mail since",
            checkpoint: Some(500),
            then: &[Some(510)],
            intent: 500,
        },
        Case {
            about: "an intent still open",
            checkpoint: Some(500),
            then: &[Some(510), Some(520)],
            intent: 500,
        },
        Case {
            about: "the target went back",
            checkpoint: Some(500),
            then: &[Some(400)],
            intent: 400,
        },
        Case {
            about: "it went back in between",
            checkpoint: Some(500),
            then: &[Some(400), Some(520)],
            intent: 400,
        },
        Case {
            about: "no UIDNEXT is told",
            checkpoint: Some(500),
            then: &[None],
            intent: 1,
        },
        Case {
            about: "an UIDNEXT that can't be",
            checkpoint: Some(500),
            then: &[Some(0)],
            intent: 1,
        },
    ];
    for case in cases {
        let state = Place::new().open();
        let mut folder = Folder::new("INBOX");
        let id = state.begin(&folder.start()).unwrap();
        if let Some(uid_next) = case.checkpoint {
            assert!(state.checkpoint(&in_step(id, uid_next)).unwrap());
        }
        for uid_next in case.then {
            folder.uid_next = uid_next.and_then(UidNext::new);
            state.begin(&folder.start()).unwrap();
        }
        let record = only(&state);
        assert_eq!(
            (record.intent, record.checkpoint),
            (UidNext::new(case.intent), None),
            "{}",
            case.about
        );
    }
}

#[test]
fn pairs_of_another_generation_are_void() {
    // What the record has, what is begun with then, and whether the pairs stay.
    let cases = [
        ((Some(10), Some(20)), (Some(10), Some(20)), true),
        ((Some(10), Some(20)), (Some(11), Some(20)), false),
        ((Some(10), Some(20)), (Some(10), Some(21)), false),
        ((Some(10), Some(20)), (None, Some(20)), false),
        ((Some(10), Some(20)), (Some(10), None), false),
        ((None, Some(20)), (None, Some(20)), false),
        ((Some(10), None), (Some(10), None), false),
        ((None, None), (Some(10), Some(20)), false),
    ];
    for (before, after, stay) in cases {
        let state = Place::new().open();
        let (mut folder, other) = (Folder::new("INBOX"), Folder::new("Other"));
        folder.validity = before;
        let id = state.begin(&folder.start()).unwrap();
        let bystander = state.begin(&other.start()).unwrap();
        state.add_pairs(id, &[pair(1, 2, &[])]).unwrap();
        state.add_pairs(bystander, &[pair(1, 2, &[])]).unwrap();
        state.checkpoint(&in_step(id, 500)).unwrap();

        folder.validity = after;
        assert_eq!(state.begin(&folder.start()).unwrap(), id);
        let record = state.folders().unwrap().remove(0);
        assert_eq!(record.pairs, u64::from(stay), "{before:?} {after:?}");
        assert_eq!(
            state.pairs(id).unwrap().len(),
            usize::from(stay),
            "{before:?} {after:?}"
        );
        assert_eq!(
            record.intent,
            UidNext::new(if stay { 500 } else { 1 }),
            "{before:?} {after:?}"
        );
        assert_eq!(record.source_uid_validity, after.0.map(UidValidity));
        assert_eq!(record.target_uid_validity, after.1.map(UidValidity));
        assert_eq!(
            state.pairs(bystander).unwrap().len(),
            1,
            "{before:?} {after:?}"
        );
    }
}

#[test]
fn a_checkpoint_of_another_generation_is_rejected() {
    let state = Place::new().open();
    let mut folder = Folder::new("INBOX");
    let id = state.begin(&folder.start()).unwrap();
    let mut step = in_step(id, 500);
    step.target.uid_validity = UidValidity(21);
    assert!(!state.checkpoint(&step).unwrap());
    assert_eq!(only(&state).intent, UidNext::new(1));
    folder.validity = (None, Some(20));
    state.begin(&folder.start()).unwrap();
    assert!(!state.checkpoint(&in_step(id, 500)).unwrap());
    assert_eq!(only(&state).checkpoint, None);
}

#[test]
fn a_forgotten_folder_is_gone_and_its_id_is_never_reused() {
    let state = Place::new().open();
    let folder = Folder::new("INBOX");
    let id = state.begin(&folder.start()).unwrap();
    state.add_pairs(id, &[pair(1, 2, &["\\Seen"])]).unwrap();
    state.forget(id).unwrap();
    assert_eq!(state.folders().unwrap(), []);
    assert_eq!(state.pairs(id).unwrap(), []);
    for error in [
        state.add_pairs(id, &[pair(1, 2, &[])]).unwrap_err(),
        state
            .remove_pairs(id, &UidSet::from_uid(uid(1)))
            .unwrap_err(),
        state.checkpoint(&in_step(id, 9)).unwrap_err(),
    ] {
        assert!(error.message.contains("no longer"), "{error}");
    }
    let again = state.begin(&folder.start()).unwrap();
    assert_ne!(again, id);
    assert_eq!(state.pairs(again).unwrap(), []);
}

#[test]
fn a_renamed_folder_keeps_its_pairs() {
    let state = Place::new().open();
    let (old, new) = (Folder::new("Old"), Folder::new("New"));
    let id = state.begin(&old.start()).unwrap();
    state.add_pairs(id, &[pair(1, 2, &[])]).unwrap();
    // What stood under the new name is of a folder that is gone.
    state.begin(&new.start()).unwrap();
    state.rename(id, &new.name, &new.name).unwrap();
    let record = only(&state);
    assert_eq!(
        (record.id, &record.source, &record.target),
        (id, &new.name, &new.name)
    );
    assert_eq!(state.pairs(id).unwrap().len(), 1);
    state.rename(id, &new.name, &new.name).unwrap();
    assert_eq!(state.begin(&new.start()).unwrap(), id);
}

#[test]
fn kept_messages_stay_kept_until_the_target_is_recreated() {
    let state = Place::new().open();
    let folder = Folder::new("INBOX");
    let id = state.begin(&folder.start()).unwrap();
    let uids: UidSet = [3, 4, 9].into_iter().filter_map(Uid::new).collect();
    state.keep(id, &uids).unwrap();
    state.keep(id, &uids).unwrap();
    assert_eq!(state.kept(id).unwrap(), uids);
    let other_source = FolderStart {
        source_uid_validity: Some(UidValidity(11)),
        ..folder.start()
    };
    state.begin(&other_source).unwrap();
    assert_eq!(
        state.kept(id).unwrap(),
        uids,
        "the source's generation is not theirs"
    );
    state
        .begin(&FolderStart {
            target_uid_validity: Some(UidValidity(21)),
            ..other_source
        })
        .unwrap();
    assert!(state.kept(id).unwrap().is_empty());
}
