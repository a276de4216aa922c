//! *The run after* of `copy`: what one run holds back, for whatever reason, the next run that may
//! do it does.
//!
//! Each hold meets each kind of change on the source: after the run without the hold the target has
//! all of it, nothing is there twice, and one more run finds nothing to do.

use super::{accounts, snapshot};
use crate::lab::client::Client;
use crate::lab::letters::{BEFORE, edit, shown};
use crate::lab::mailboxes::each;
use crate::lab::run::{Run, copy};
use crate::lab::servers::{Account, Personality};

/// What leaves something out, and the exit code of a run with it.
struct Hold {
    options: &'static [&'static str],
    code: i32,
}

const fn hold(options: &'static [&'static str]) -> Hold {
    Hold { options, code: 0 }
}

/// What leaves out messages, folders or flags.
const HOLDS: [Hold; 11] = [
    hold(&["--flags", "ignore"]),
    hold(&["--flags", "union"]),
    hold(&["--since", "2024-02-24"]),
    hold(&["--before", "2024-02-10"]),
    hold(&["--min-size", "1M"]),
    hold(&["--max-size", "10"]),
    hold(&["--search", "SUBJECT zz"]),
    hold(&["--exclude", "INBOX"]),
    hold(&["--exclude", "New", "--exclude", "Archive"]),
    hold(&["--folder", "Archive"]),
    hold(&["--no-state"]),
];

/// What stops a mirror from deleting.
const BRAKES: [Hold; 2] = [
    Hold {
        options: &["--max-delete", "0"],
        code: 9,
    },
    hold(&["--dry-run"]),
];

const CHANGES: &[&str] = &[
    "add INBOX o",
    "flag INBOX a \\Flagged",
    "unflag INBOX e \\Seen",
    "expunge INBOX b",
    "move INBOX c Archive",
    "create New",
    "add New p",
    "rename Old Renamed",
    "drop Gone",
];

struct Ground {
    source: Account,
    target: Account,
    state: tempfile::TempDir,
}

impl Ground {
    fn new(kind: Personality) -> Self {
        let [source, target] = accounts("after", [kind, kind]);
        Self {
            source,
            target,
            state: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, base: &[&str], options: &[&str]) -> Run {
        // A run without a state can't be told where one is.
        let state = ["--state", self.state.path().to_str().unwrap()];
        let state = if options.contains(&"--no-state") {
            &[][..]
        } else {
            &state
        };
        copy(&self.source, &self.target, &[state, base, options].concat())
    }

    fn edits(&self, edits: &[&str]) {
        let mut client = Client::login(&self.source);
        edits.iter().for_each(|text| edit(&mut client, text));
    }
}

/// `base` are the options of every run.
fn assert_run_after(ground: &Ground, base: &[&str], hold: &Hold, name: &str) {
    ground.edits(BEFORE);
    ground.run(base, &[]).ended(0);
    // The target's own flag, which no run takes away.
    edit(&mut Client::login(&ground.target), "flag INBOX d \\Flagged");
    ground.edits(CHANGES);
    // A mirror takes no filter of messages: such a run only copies.
    let filters = [
        "--since",
        "--before",
        "--min-size",
        "--max-size",
        "--search",
    ];
    let may_delete = hold.options.iter().all(|option| !filters.contains(option)) || base.is_empty();
    // Twice: what is left out is not forgotten by a run that finds nothing new.
    for nth in ["held", "held again"] {
        let held = ground.run(if may_delete { base } else { &[] }, hold.options);
        assert!(held.code == Some(hold.code), "{name}, {nth}: {held:?}");
    }
    let free = ground.run(base, &[]);
    assert!(free.code == Some(0), "{name}: {free:?}");
    let mut wanted = shown(&snapshot(&ground.source));
    let mut there = shown(&snapshot(&ground.target));
    let inbox = wanted.get_mut("INBOX").unwrap();
    *inbox.iter_mut().find(|message| *message == "d").unwrap() = "dF".to_owned();
    if !base.contains(&"--delete") {
        // What is gone from the source stays on the target.
        there.retain(|folder, _| wanted.contains_key(folder));
        let gone = |message: &String| message == "b" || message == "c";
        there
            .get_mut("INBOX")
            .unwrap()
            .retain(|message| !gone(message));
    }
    assert_eq!(there, wanted, "{name}\n{}\n{}", free.stdout, free.stderr);
    let again = ground.run(base, &[]).ended(0);
    for field in [
        "copied",
        "flags_updated",
        "deleted",
        "folders_created",
        "folders_renamed",
        "folders_deleted",
    ] {
        assert_eq!(again.count(field), 0, "{name}: {field}: {}", again.stdout);
    }
}

fn check(kind: Personality, base: &[&str], holds: &[Hold]) {
    for some in holds.chunks(4) {
        each(some, |hold| {
            let name = format!("{base:?} {:?} ({kind:?})", hold.options);
            assert_run_after(&Ground::new(kind), base, hold, &name);
        });
    }
}

#[test]
fn what_is_left_out_is_copied_by_the_run_after() {
    check(Personality::Plain, &[], &HOLDS);
}

#[test]
fn what_a_mirror_leaves_out_is_mirrored_by_the_run_after() {
    let base = ["--delete", "--max-delete", "100%"];
    check(Personality::Plain, &base, &HOLDS);
    check(Personality::NoQresync, &base, &HOLDS[..2]);
    check(Personality::Poor, &base, &HOLDS[..2]);
}

#[test]
fn what_a_brake_stops_is_deleted_by_the_run_after() {
    check(Personality::Plain, &["--delete"], &BRAKES);
}
