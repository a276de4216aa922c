//! Messages that two-way sync lists and deletes, and `mailferry undo` restores, each with its
//! subject, sender and date.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::{empty, filled};
use crate::lab::run::{Run, run};
use crate::lab::servers::{Account, Personality};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A letter with this name.
fn letter(name: &str) -> NewMessage {
    NewMessage::of(format!(
        "From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\nSubject: =?utf-8?Q?M=C3=A4rz_{name}=1B?=\r\n\
         Date: Mon, 3 Mar 2025 10:20:30 +0130\r\nMessage-ID: <{name}@undo.example>\r\n\r\nbody\r\n"
    ))
}

/// Two accounts in step: letters a to d in INBOX, and e to g in Work.
struct Ground {
    sides: [Account; 2],
    state: TempDir,
}

impl Ground {
    fn new(name: &str) -> Self {
        let first = filled(
            &format!("{name}one"),
            ["a", "b", "c", "d"].map(letter).to_vec(),
        );
        let mut client = Client::login(&first);
        client.create(&["Work"]);
        client.append(&["Work"], ["e", "f", "g"].map(letter).into_iter());
        let second = empty(&format!("{name}two"), Personality::Plain);
        let ground = Self {
            sides: [first, second],
            state: tempfile::tempdir().unwrap(),
        };
        ground.sync(&["--output", "json"]).ended(0);
        ground
    }

    fn command(&self, command: &str, words: &[&str], options: &[&str]) -> Run {
        let ends = self.sides.each_ref().map(Account::plain_address);
        let state = ["--state", self.state.path().to_str().unwrap()];
        run(&[&[command], words, &[&ends[0], &ends[1]], &state, options].concat())
    }

    fn sync(&self, options: &[&str]) -> Run {
        self.command("sync", &[], options)
    }

    /// Deletes messages on a side.
    fn expunge(&self, side: usize, folder: &str, uids: &str) {
        let mut client = Client::login(&self.sides[side]);
        client.select(&[folder]);
        client.expunge(uids);
    }
}

const A: &str = "\"März a\\u{1b}\" from Jörg <j@example.org>, 2025-03-03";

#[test]
fn a_rehearsed_sync_names_the_messages_of_each_change() {
    let ground = Ground::new("listed");
    ground.expunge(0, "INBOX", "1");
    let mut second = Client::login(&ground.sides[1]);
    second.append(&["INBOX"], [letter("new")].into_iter());
    let dry = ground.sync(&["--dry-run", "--output", "json"]).ended(0);
    assert_eq!(
        dry.texts("change", "subject"),
        ["März a\u{1b}", "März new\u{1b}"],
        "{dry:?}"
    );
    assert_eq!(
        dry.texts("change", "date"),
        ["2025-03-03T10:20:30+01:30"; 2]
    );
    let brief = ground.sync(&["--dry-run"]).ended(0);
    assert!(
        brief.says(&format!(
            "would delete on the second: INBOX: 1 message (UID 1)\n  UID 1 {A}"
        )),
        "{brief:?}"
    );
    let full = ground.sync(&["--dry-run", "-v"]).ended(0);
    assert!(
        full.says(&format!("delete INBOX UID 1 {A}: Deleted on one side")),
        "{full:?}"
    );
    assert!(full.says("copy INBOX UID 5 \"März new"), "{full:?}");
    full.assert_harmless();
    // A conflict is told by the run that settles it, too.
    second.select(&["INBOX"]);
    second.store("1", "+FLAGS", "\\Flagged");
    let settled = ground.sync(&["--output", "json"]).ended(0);
    assert_eq!(
        settled.texts("change", "from"),
        ["Jörg <j@example.org>"],
        "{settled:?}"
    );
}

/// The names of the letters in a folder.
fn names(account: &Account, folder: &str) -> Vec<String> {
    let snapshot = Client::login(account).snapshot();
    let messages = snapshot.folder(&[folder]);
    let is = |name: &str, sha256: [u8; 32]| {
        <[u8; 32]>::from(Sha256::digest(&letter(name).bytes)) == sha256
    };
    let name = |sha256| {
        letters("abcdefg")
            .into_iter()
            .find(|name| is(name, sha256))
            .unwrap()
    };
    let mut names: Vec<String> = messages
        .iter()
        .map(|message| name(message.sha256))
        .collect();
    names.sort();
    names
}

/// The first has lost a and b, and Work's e and f; so has the second. Gives the run that has
/// deleted them there.
fn lost(ground: &Ground) -> String {
    ground.expunge(0, "INBOX", "1:2");
    ground.expunge(0, "Work", "1:2");
    ground
        .sync(&["--output", "json", "--max-delete", "100%"])
        .ended(0)
        .counts(&[("deleted", 4)]);
    let listed = ground
        .command("undo", &["--list"], &["--output", "json"])
        .ended(0);
    let run = &listed.named("undo_run")[0];
    let folder =
        |folder: &str| serde_json::json!({"side": "second", "folder": folder, "messages": 2});
    assert_eq!(
        run["folders"],
        serde_json::json!([folder("INBOX"), folder("Work")]),
        "{listed:?}"
    );
    run["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_rehearsed_undo_lists_its_messages_and_writes_nothing() {
    let ground = Ground::new("rehearsed");
    let name = lost(&ground);
    let list = ground.command("undo", &["--list"], &[]).ended(0);
    assert!(
        list.says(&format!(
            "{name}  4 messages: INBOX (2 on the second), Work (2 on the second)"
        )),
        "{list:?}"
    );
    let second = &ground.sides[1];
    Client::login(second).append(&["Work"], [letter("f")].into_iter());
    let dry = ground
        .command("undo", &["--dry-run", &name], &["--output", "json"])
        .ended(0);
    assert_eq!(
        dry.texts("message_restored", "subject"),
        ["a", "b", "e", "f"].map(|name| format!("März {name}\u{1b}"))
    );
    let dry = dry.counts(&[("restored", 3), ("already_there", 1)]);
    assert_eq!(dry.summary()["dry_run"], true);
    let people = ground.command("undo", &["--dry-run", &name], &[]).ended(0);
    assert!(
        people.says(&format!("would restore on the second: INBOX/1 {A}")),
        "{people:?}"
    );
    assert!(
        people.says("still exists on the second: Work/2 ")
            && people.says("; 3 messages to restore, 1 still exists")
    );
    people.assert_harmless();
    assert_eq!(
        (names(second, "INBOX"), names(second, "Work")),
        (letters("cd"), letters("fg"))
    );
    // A folder that is gone is not made by it.
    Client::login(second).command("DELETE Work");
    ground
        .command("undo", &["--dry-run", &name], &["--output", "json"])
        .ended(0)
        .counts(&[("restored", 4)]);
    assert!(
        Client::login(second)
            .snapshot()
            .folders
            .keys()
            .all(|folder| !folder.contains(&"Work".to_owned()))
    );
}

fn letters(names: &str) -> Vec<String> {
    names.chars().map(String::from).collect()
}

#[test]
fn one_message_or_one_folder_can_be_put_back() {
    let ground = Ground::new("single");
    let name = lost(&ground);
    let second = &ground.sides[1];
    let undo =
        |words: &[&str]| ground.command("undo", &[words, &[&name]].concat(), &["--output", "json"]);
    undo(&["--message", "INBOX/2"])
        .ended(0)
        .counts(&[("restored", 1)]);
    assert_eq!(
        (names(second, "INBOX"), names(second, "Work")),
        (letters("bcd"), letters("g"))
    );
    undo(&["--message", "<e@undo.example>"])
        .ended(0)
        .counts(&[("restored", 1)]);
    undo(&["--folder", "Work"])
        .ended(0)
        .counts(&[("restored", 1), ("already_there", 1)]);
    assert_eq!(
        (names(second, "INBOX"), names(second, "Work")),
        (letters("bcd"), letters("efg"))
    );

    // What is back, and a run that was undone, are no failures: that is said.
    let back = ground
        .command("undo", &["--message", "INBOX/2", &name], &[])
        .ended(0);
    assert!(
        back.says("nothing to restore: the message still exists"),
        "{back:?}"
    );
    undo(&[])
        .ended(0)
        .counts(&[("restored", 1), ("already_there", 3)]);
    let again = ground.command("undo", &[&name], &[]).ended(0);
    assert!(
        again.says("nothing to restore: all 4 messages still exist"),
        "{again:?}"
    );
}

#[test]
fn what_a_run_has_not_kept_is_named_with_what_to_do() {
    let ground = Ground::new("unknown");
    let name = lost(&ground);
    let refused = |words: &[&str], said: &str, advice: &str| {
        let run = ground.command("undo", words, &[]).ended(2);
        assert!(run.says(said) && run.says(advice), "{words:?}: {run:?}");
    };
    refused(
        &["20200101T000000Z-1"],
        "no run 20200101T000000Z-1",
        "undo --list FIRST SECOND",
    );
    refused(
        &["--message", "INBOX/99", &name],
        "the run has no message INBOX/99",
        "--dry-run",
    );
    refused(
        &["--message", "<x@y>", &name],
        "the run has no message <x@y>",
        "--dry-run",
    );
    refused(&["--message", "INBOX", &name], "such as INBOX/11", "--help");
    refused(
        &["--folder", "Wrok", &name],
        "Wrok (did you mean Work?)",
        "it has messages from INBOX (2), Work (2)",
    );
    // The same place may be two messages: one of each side.
    ground.expunge(0, "INBOX", "3");
    ground.expunge(1, "INBOX", "4");
    ground
        .sync(&["--output", "json", "--max-delete", "100%"])
        .ended(0)
        .counts(&[("deleted", 2)]);
    let listed = ground
        .command("undo", &["--list"], &["--output", "json"])
        .ended(0);
    let runs = listed.texts("undo_run", "run");
    let last = runs.last().unwrap();
    let sides: Vec<_> = listed.named("undo_run").last().unwrap()["folders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kept| kept["side"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(sides, ["first", "second"]);
    ground
        .command(
            "undo",
            &["--message", "<d@undo.example>", last],
            &["--output", "json"],
        )
        .ended(0);
    assert_eq!(names(&ground.sides[0], "INBOX"), ["d"]);
}
