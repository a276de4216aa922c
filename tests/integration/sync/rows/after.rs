//! *The run after*: what one run holds back, for whatever reason, the next run that may do it does.
//!
//! Each hold meets each kind of change, on both sides and both ways round: after the run without
//! the hold both sides are equal, nothing is lost or duplicated, and one more run finds nothing to
//! do.

use super::{Ground, edit};
use crate::lab::letters::BEFORE;
use crate::lab::mailboxes::each;
use crate::lab::servers::Personality;
use std::collections::BTreeMap;

/// What holds something back, the exit code of a run with it, and whether the summary counts what
/// waits.
struct Hold {
    options: &'static [&'static str],
    code: i32,
    is_counted: bool,
    /// Messages that are in two folders at the end: what was moved to different folders on the two
    /// sides, out of a folder that was left out meanwhile, is new mail in both places.
    twice: &'static str,
}

const fn by_options(options: &'static [&'static str]) -> Hold {
    Hold {
        options,
        code: 0,
        is_counted: true,
        twice: "",
    }
}

const HOLDS: [Hold; 11] = [
    by_options(&["--new", "none"]),
    by_options(&["--new", "first-to-second"]),
    by_options(&["--flags", "none"]),
    by_options(&["--flags", "second-to-first"]),
    by_options(&["--deletions", "none"]),
    by_options(&["--deletions", "first-to-second"]),
    by_options(&["--only", "first-to-second"]),
    by_options(&["--only", "second-to-first"]),
    Hold {
        options: &["--max-delete", "0"],
        code: 9,
        is_counted: true,
        twice: "",
    },
    Hold {
        options: &["--keep-size", "1"],
        code: 3,
        is_counted: false,
        twice: "",
    },
    Hold {
        options: &["--exclude", "INBOX"],
        code: 0,
        is_counted: false,
        twice: "k",
    },
];

/// What is changed on each side. The letters n to z are new.
const HERE: &[&str] = &[
    "add INBOX o",
    "flag INBOX a \\Flagged",
    "unflag INBOX e \\Seen",
    "expunge INBOX b",
    "move INBOX c Archive",
    "move INBOX k Archive",
    "create New",
    "add New p",
    "rename Old Renamed",
    "subscribe New",
];
const THERE: &[&str] = &[
    "add INBOX q",
    "flag INBOX d \\Flagged",
    "unflag INBOX f \\Seen",
    "expunge INBOX g",
    "move INBOX h Archive",
    "move INBOX k Apart",
    "create Other",
    "add Other r",
    "drop Gone",
];

/// What nobody has deleted. Where `k` is in the end depends on which side is the first.
fn lasting() -> impl Iterator<Item = char> {
    "acdefhijklmopqr".chars()
}

#[track_caller]
fn assert_run_after(ground: &Ground, hold: &Hold, name: &str) {
    let edits = |side: usize, edits: &[&str]| {
        let mut client = ground.client(side);
        edits.iter().for_each(|text| edit(&mut client, text));
    };
    edits(0, BEFORE);
    ground.run(&[]).ended(0);
    ground.assert_at_rest(&format!("{name}, before"));
    edits(0, HERE);
    edits(1, THERE);
    // Twice: what is held back is not forgotten by a run that finds nothing new.
    for nth in ["held", "held again"] {
        let held = ground.run(hold.options);
        assert!(held.code == Some(hold.code), "{name}, {nth}: {held:?}");
        assert!(
            !hold.is_counted || held.count("held_back") > 0,
            "{name}, {nth}: {}",
            held.stdout
        );
        assert_nothing_lost(ground, &format!("{name}, {nth}"));
    }
    let free = ground.run(&[]);
    assert!(
        free.code == Some(0) && free.count("held_back") == 0,
        "{name}: {free:?}"
    );
    for side in [0, 1] {
        let shown = ground.shown(side);
        let count = counted(&shown);
        let expected: BTreeMap<char, usize> = lasting()
            .map(|name| (name, 1 + usize::from(hold.twice.contains(name))))
            .collect();
        assert_eq!(
            count, expected,
            "{name}: side {side}: {shown:?}\n{}\n{}",
            free.stdout, free.stderr
        );
        let inbox = shown["INBOX"].join(" ");
        assert_eq!(
            inbox, "aF dF e f i j l o q",
            "{name}: side {side}\n{}",
            free.stdout
        );
        let folders: Vec<&str> = shown.keys().map(String::as_str).collect();
        assert_eq!(
            folders,
            ["Apart", "Archive", "INBOX", "New", "Other", "Renamed"],
            "{name}: side {side}"
        );
    }
    ground.assert_at_rest(name);
}

fn counted(shown: &BTreeMap<String, Vec<String>>) -> BTreeMap<char, usize> {
    let mut count = BTreeMap::new();
    for message in shown.values().flatten() {
        *count.entry(message.chars().next().unwrap()).or_default() += 1;
    }
    count
}

/// What nobody has deleted is on one side at least.
#[track_caller]
fn assert_nothing_lost(ground: &Ground, name: &str) {
    let [here, there] = [0, 1].map(|side| counted(&ground.shown(side)));
    for letter in lasting() {
        assert!(
            here.contains_key(&letter) || there.contains_key(&letter),
            "{name}: {letter} is lost"
        );
    }
}

fn check_holds(kind: Personality, turned: bool) {
    for some in HOLDS.chunks(4) {
        each(some, |hold| {
            let name = format!("{:?} ({kind:?}, turned {turned})", hold.options);
            assert_run_after(&Ground::new("after", kind, turned), hold, &name);
        });
    }
}

#[test]
fn what_is_held_back_is_done_by_the_run_after() {
    check_holds(Personality::Plain, false);
}

#[test]
fn what_is_held_back_is_done_by_the_run_after_the_other_way_round() {
    check_holds(Personality::Plain, true);
}

#[test]
fn what_is_held_back_is_done_by_the_run_after_without_qresync() {
    check_holds(Personality::NoQresync, false);
}

/// The advice for a folder that was deleted and created again and is empty is right: it is followed
/// here.
#[test]
fn what_is_advised_for_a_folder_that_was_created_again_works() {
    each([false, true], |turned| {
        let ground = Ground::new("again", Personality::Plain, turned);
        let edits = |edits: &[&str]| {
            edits
                .iter()
                .for_each(|text| edit(&mut ground.client(0), text));
        };
        edits(&["create Work", "add Work abc", "add INBOX d"]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 4), ("in_both", 4), ("already_there", 0)]);
        edits(&["drop Work", "create Work"]);
        for _ in 0..2 {
            let run = ground
                .run(&[])
                .ended(3)
                .counts(&[("deleted", 0), ("copied", 0)]);
            assert!(run.says("--max-delete 100%"), "{run:?}");
        }
        ground.run(&["--max-delete", "100%"]).ended(0).counts(&[
            ("deleted", 3),
            ("copied", 0),
            ("in_both", 1),
        ]);
        ground.assert_at_rest("after the advice");
    });
}
