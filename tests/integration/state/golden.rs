//! States of every released version open and have their original contents
//! (`tests/golden/state-v*.db`).
//!
//! A new version gets its own golden file, written by `MAILFERRY_WRITE_GOLDEN=1 scripts/test
//! state::golden`; an existing one is never overwritten.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::faults::injector;
use mailferry::mail::{
    Both, Counters, Flags, MailboxName, ModSeq, Side, Uid, UidNext, UidSet, UidValidity,
};
use mailferry::state::{
    Checkpoint, FolderId, FolderInStep, FolderStart, Mailboxes, PairName, PairRecord, State,
    StateDirectory, TwoWay, TwoWayChange, TwoWayFolder, TwoWayPair, TwoWayRefused, TwoWaySide,
};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const MAILBOXES: Mailboxes<'static> = Mailboxes {
    source: "alice@imap.one.example:993",
    target: "alice@imap.two.example:993",
};

fn golden(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/state-v{format}.db"))
}

fn open(root: &Path) -> State {
    let directory = StateDirectory::open(root).unwrap();
    let pair = PairName::new(MAILBOXES.source, MAILBOXES.target);
    let lock = injector::lock(&directory, &pair);
    State::open(&directory, &pair, &lock, &MAILBOXES).unwrap()
}

/// The one state in a directory.
fn file_in(root: &Path) -> PathBuf {
    let mut paths = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .find(|path| path.extension().is_some_and(|ending| ending == "db"))
        .unwrap()
}

fn start(name: &MailboxName) -> FolderStart<'_> {
    FolderStart {
        source: name,
        target: name,
        source_uid_validity: Some(UidValidity(1_700_000_001)),
        target_uid_validity: Some(UidValidity(u32::MAX)),
        target_uid_next: UidNext::new(77),
        source_mailbox_id: Some("F6352ae03"),
        target_mailbox_id: None,
    }
}

fn pairs() -> Vec<PairRecord> {
    let sets: [&[&str]; 4] = [
        &[],
        &["\\Seen"],
        &["\\Seen", "\\Flagged", "$Forwarded"],
        &["work"],
    ];
    let uids = [(1, 10), (2, 12), (40, 11), (u32::MAX, 9), (41, 13)];
    let mut pairs: Vec<_> = uids
        .into_iter()
        .zip(sets.into_iter().cycle())
        .map(|((source, target), names)| PairRecord {
            source: Uid::new(source).unwrap(),
            target: Uid::new(target).unwrap(),
            flags: Flags::from_names(names.iter().copied()),
        })
        .collect();
    pairs.sort_by_key(|pair| pair.source);
    pairs
}

fn in_step(id: FolderId) -> FolderInStep {
    let side = |uid_validity, uid_next, mod_seq| Checkpoint {
        uid_validity: UidValidity(uid_validity),
        uid_next: UidNext::new(uid_next).unwrap(),
        messages: 5,
        mod_seq,
    };
    FolderInStep {
        id,
        source: side(1_700_000_001, u32::MAX, Some(ModSeq(1 << 62))),
        target: side(u32::MAX, 82, None),
    }
}

/// One folder in step, one whose copy is unfinished, one that was begun with a server that tells no
/// UIDVALIDITY.
fn fill(state: &State) {
    let names = [
        "INBOX".into(),
        MailboxName::new(*b"Entw\xfcrfe/\0"),
        "Sent".into(),
    ];
    let ids = state
        .begin_all(&[start(&names[0]), start(&names[1])])
        .unwrap();
    for id in &ids {
        state.add_pairs(*id, &pairs()).unwrap();
        assert!(state.checkpoint(&in_step(*id)).unwrap());
    }
    state.begin(&start(&names[1])).unwrap();
    state
        .begin(&FolderStart {
            source_uid_validity: None,
            ..start(&names[2])
        })
        .unwrap();
    state.keep(ids[1], &kept()).unwrap();
    let two_way = TwoWay::new(state, false);
    let id = two_way.create(&two_way_folder()).unwrap();
    two_way
        .record(&[TwoWayChange::Pair(id, Box::new(two_way_pair()))], true)
        .unwrap();
    two_way
        .record(
            &[TwoWayChange::Refuse(id, Box::new(two_way_refused()))],
            true,
        )
        .unwrap();
}

fn two_way_folder() -> TwoWayFolder {
    let side = |name: MailboxName, path: &str, mailbox_id: Option<&str>| TwoWaySide {
        name,
        path: path.to_owned(),
        mailbox_id: mailbox_id.map(str::to_owned),
        counters: Counters {
            uid_validity: Some(UidValidity(1_700_000_001)),
            uid_next: UidNext::new(77),
            mod_seq: Some(ModSeq(1 << 63)),
            messages: Some(5),
        },
    };
    let sides = Both::new(
        side("Sent".into(), "Sent", None),
        side(MailboxName::new(*b"Entw\xfcrfe"), "Sent/x", Some("F1")),
    );
    TwoWayFolder {
        sides,
        subscribed: true,
        unfinished: true,
    }
}

fn two_way_pair() -> TwoWayPair {
    let flags = |names: &[&str]| Flags::from_names(names.iter().copied());
    TwoWayPair {
        uids: Both::new(Uid::new(u32::MAX).unwrap(), Uid::new(3).unwrap()),
        flags: flags(&["\\Seen", "work"]),
        lacks: Both::new(flags(&[]), flags(&["work"])),
        keys: Both::new(u32::MAX, 1),
        looks: Both::new(0, 9),
        deleted_on: Some(Side::Second),
    }
}

fn two_way_refused() -> TwoWayRefused {
    TwoWayRefused {
        side: Side::Second,
        uid: Uid::new(u32::MAX).unwrap(),
        reason: "it is too large".to_owned(),
    }
}

fn kept() -> UidSet {
    [7, 8, 9, u32::MAX]
        .into_iter()
        .filter_map(Uid::new)
        .collect()
}

fn check(state: &State, format: u32) {
    let folders = state.folders().unwrap();
    let [done, open, untold] = folders.as_slice() else {
        panic!("{folders:?}")
    };
    assert_eq!(
        (&done.source, &done.target),
        (&"INBOX".into(), &"INBOX".into())
    );
    assert_eq!(open.source, MailboxName::new(*b"Entw\xfcrfe/\0"));
    assert_eq!(untold.target, "Sent".into());
    assert_eq!(
        [done.intent, open.intent, untold.intent],
        [None, UidNext::new(77), UidNext::new(1)]
    );
    let step = in_step(done.id);
    assert_eq!(done.checkpoint, Some((step.source, step.target)));
    assert_eq!((&open.checkpoint, &untold.checkpoint), (&None, &None));
    assert_eq!(untold.source_uid_validity, None);
    for folder in [done, open] {
        assert_eq!(folder.target_uid_validity, Some(UidValidity(u32::MAX)));
        assert_eq!(
            (folder.pairs, state.pairs(folder.id).unwrap()),
            (5, pairs())
        );
    }
    assert_eq!(state.pairs(untold.id).unwrap(), []);
    // What later formats added is empty in a state of an earlier one.
    assert_eq!(
        state.kept(open.id).unwrap(),
        if format >= 2 {
            kept()
        } else {
            UidSet::default()
        }
    );
    let two_way = TwoWay::new(state, false);
    let folders = two_way.folders().unwrap();
    assert_eq!(folders.len(), usize::from(format >= 3));
    for (id, folder) in folders {
        assert_eq!(
            (folder, two_way.pairs(id).unwrap()),
            (two_way_folder(), vec![two_way_pair()])
        );
        let refused = if format >= 4 {
            vec![two_way_refused()]
        } else {
            Vec::new()
        };
        assert_eq!(two_way.refused(id).unwrap(), refused);
    }
    assert_eq!(
        open.source_mailbox_id,
        (format >= 2).then(|| "F6352ae03".to_owned())
    );
}

#[test]
fn what_is_written_today_reads_back() {
    let root = tempfile::tempdir().unwrap();
    fill(&open(root.path()));
    check(&open(root.path()), State::FORMAT);
    let golden = golden(State::FORMAT);
    if std::env::var_os("MAILFERRY_WRITE_GOLDEN").is_some() && !golden.exists() {
        std::fs::copy(file_in(root.path()), golden).unwrap();
    }
}

#[test]
fn every_format_opens_and_can_be_worked_with() {
    for format in 1..=State::FORMAT {
        let root = tempfile::tempdir().unwrap();
        drop(open(root.path()));
        let file = file_in(root.path());
        std::fs::copy(golden(format), &file).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let state = open(root.path());
        check(&state, format);
        let name = "INBOX".into();
        let id = state.begin(&start(&name)).unwrap();
        state.add_pairs(id, &pairs()[..2]).unwrap();
        assert_eq!(state.pairs(id).unwrap(), pairs());
    }
}
