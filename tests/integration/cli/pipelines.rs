//! mailferry in pipelines: its JSON matches docs/json.schema.json and docs/json.md, and it reads
//! lists of folders.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first surprise, in its helpers too"
)]

use crate::lab::client::Client;
use crate::lab::fake;
use crate::lab::mailboxes::{empty, filled, message, messages};
use crate::lab::memory::{Fake, Manner};
use crate::lab::run::{End, Run, copy, doctor, folders, mailferry, run, sync, verify};
use crate::lab::schema::Schema;
use crate::lab::scripted::Reply;
use crate::lab::servers::{Account, Cyrus, Personality};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;

/// The kind of a line, as [`Schema::kinds`] names it.
fn kind(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    if text("event") == "summary" {
        format!("summary {}", text("command"))
    } else {
        text("event").to_owned()
    }
}

/// Runs of every command, in which as much as possible happens.
fn runs() -> Vec<Run> {
    let (source, target) = (
        filled("schemasrc", messages(6)),
        empty("schemadst", Personality::Plain),
    );
    let mut client = Client::login(&source);
    for folder in ["Old", "Sent", "Lists"] {
        client.create(&[folder]);
        client.append(&[folder], messages(2).into_iter());
    }
    let (state, plans) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let state = ["--state", state.path().to_str().unwrap()];
    let with = |more: &[&'static str]| [&state[..], more].concat();
    let both = || (End::tls(&source), End::tls(&target));
    let first = copy(both().0, both().1, &with(&["-vv"])).ended(0);
    let mut there = Client::login(&target);
    there.create(&["Extra"]);
    there.append(&["INBOX"], messages(9).into_iter().skip(8));
    there.append(&["Extra"], messages(1).into_iter());
    let differ = verify(both().0, both().1, &["--exclude", "nonsense"]).ended(4);
    // A folder and its messages go from the source, another one has a new name.
    client.command("RENAME Old New");
    client.command("DELETE Lists");
    client.select(&["INBOX"]);
    client.store("1", "+FLAGS", "\\Flagged");
    client.store("2", "+FLAGS", "\\Deleted");
    client.expunge("2");
    let mirror = with(&["--delete", "--max-delete", "100%"]);
    let dry = copy(both().0, both().1, &[&mirror[..], &["--dry-run"]].concat()).ended(0);
    let plan = plans.path().join("a.plan").display().to_string();
    let save = [&mirror[..], &["--dry-run", "--save-plan", &plan]].concat();
    copy(both().0, both().1, &save).ended(0);
    client.append(&["Sent"], messages(1).into_iter());
    client.append(&["INBOX"], messages(1).into_iter());
    let applied = run(&["apply", &plan, "--output", "json"]).ended(0);
    let mirrored = copy(both().0, both().1, &mirror).ended(0);
    client.select(&["New"]);
    client.store("1", "+FLAGS", "\\Deleted");
    client.expunge("1");
    let kept = copy(both().0, both().1, &with(&["--keep-deleted"])).ended(0);
    let [repaired, damaged] = damaged_tree(&source);
    let strict = Fake::start(Manner::default(), &[]);
    let holds_nul = Fake::start(Manner::default(), &[]);
    holds_nul.put("INBOX", b"Subject: nul\r\n\r\n\0\r\n");
    let refused = copy(
        End::plain(holds_nul.server.port, ""),
        End::plain(strict.server.port, ""),
        &[],
    );
    let fixed = copy(
        End::plain(holds_nul.server.port, ""),
        End::plain(strict.server.port, ""),
        &["--fix-refused"],
    )
    .ended(0);
    let shared = Cyrus::shared().account();
    Client::login(&shared).command("SETACL INBOX bob lrs");
    let granting = copy(&shared, &Cyrus::shared().account(), &["--acl", "--dry-run"]).ended(0);
    let two_way = two_way_runs();
    let one_way = vec![
        granting,
        first,
        differ,
        dry,
        applied,
        mirrored,
        kept,
        fixed,
        refused,
        paused(),
        repaired,
        damaged,
        verify(both().0, both().1, &["--deep"]).ended(0),
        folders(both().0, &[]).ended(0),
        folders(&empty("schemaquota", Personality::Tiny), &[]).ended(0),
        doctor(&[both().0, both().1], &["--idle", "0"]).ended(0),
        doctor(&[End::new(source.address(), "wrong")], &[]).ended(5),
        folders(End::new(source.address(), "wrong"), &[]).ended(5),
    ];
    one_way.into_iter().chain(two_way).collect()
}

/// A copy from a server that asks for a pause.
fn paused() -> Run {
    let mut has_asked = false;
    let mail = [message(1, "body").bytes];
    let (server, _) = fake::Fake::of(mail).serve(move |command, _| {
        let asks = !has_asked && fake::is_for_bodies(&command.arguments);
        has_asked |= asks;
        let status = "BAD Request is throttled. Suggested Backoff Time: 2100 milliseconds";
        asks.then(|| Reply::status(status))
    });
    let target = empty("schemapause", Personality::Plain);
    copy(End::plain(server.port, ""), &target, &[]).ended(0)
}

/// The same of the two-way commands.
fn two_way_runs() -> Vec<Run> {
    let (first, second) = (
        filled("schemaone", messages(6)),
        empty("schematwo", Personality::Plain),
    );
    let state = tempfile::tempdir().unwrap();
    let state = ["--state", state.path().to_str().unwrap()];
    let go = |more: &[&str]| sync(&first, &second, &[&state[..], more].concat()).ended(0);
    let joined = go(&[]);
    let mut client = Client::login(&first);
    client.select(&["INBOX"]);
    client.expunge("2");
    let explained = go(&["--dry-run", "--explain", "INBOX/2"]);
    let deleted = go(&[]);
    let ends = [first.plain_address(), second.plain_address()];
    let undo = |words: &[&str]| {
        run(&[
            &["undo", "--output", "json"],
            &state[..],
            words,
            &[&ends[0], &ends[1]],
        ]
        .concat())
        .ended(0)
    };
    let listed = undo(&["--list"]);
    let name = listed.texts("undo_run", "run");
    let undone = undo(&[&name[0]]);
    vec![joined, explained, deleted, listed, undone]
}

#[test]
fn every_line_is_as_the_schema_says() {
    let schema = Schema::of_output();
    let mut seen = BTreeSet::new();
    for line in runs().iter().flat_map(Run::events) {
        assert_eq!(schema.fault(&line), None, "{line}");
        seen.insert(kind(&line));
    }
    let unseen: Vec<String> = schema
        .kinds()
        .into_iter()
        .filter(|kind| !seen.contains(kind))
        .collect();
    assert_eq!(
        unseen,
        Vec::<String>::new(),
        "what the schema knows and no run printed"
    );
}

#[test]
fn the_schema_refuses_what_is_not_so() {
    let schema = Schema::of_output();
    let good = json!({"event": "message_copied", "folder": "INBOX", "uid": 1, "bytes": 0});
    assert_eq!(schema.fault(&good), None);
    for (member, value) in [
        ("uid", json!(0)),
        ("uid", json!("1")),
        ("bytes", json!(1.5)),
        ("event", json!("x")),
        ("more", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(schema.fault(&bad).is_some(), "{bad}");
    }
    let mut lacks = good;
    lacks.as_object_mut().unwrap().remove("folder");
    assert!(schema.fault(&lacks).is_some());
}

#[test]
fn everything_in_the_schema_is_described_for_people() {
    let (schema, text) = (Schema::of_output(), include_str!("../../../docs/json.md"));
    for word in schema.fields().iter().chain(&schema.kinds()) {
        let word = word.strip_prefix("summary ").unwrap_or(word);
        let is_there = [
            format!("`{word}`"),
            format!("\"{word}\""),
            format!("### {word}"),
        ];
        assert!(
            is_there.iter().any(|form| text.contains(form)),
            "docs/json.md does not have {word}"
        );
    }
}

/// A source with folders that look like patterns, and how many messages each has.
fn odd_names() -> Account {
    let source = filled("listsrc", messages(3));
    let mut client = Client::login(&source);
    for (folder, count) in [("Work", 1), ("Work [old]", 2), ("W", 1)] {
        client.create(&[folder]);
        client.append(&[folder], messages(count).into_iter());
    }
    source
}

#[test]
fn a_list_of_folders_comes_from_a_file_or_from_stdin() {
    let source = odd_names();
    let target = empty("listdst", Personality::Plain);
    // As with `mailferry folders --output json | jq -r 'select(.name | startswith("Work")) |
    // .name'`.
    let listed = folders(&source, &[]).ended(0).texts("folder", "name");
    let wanted: Vec<String> = listed
        .into_iter()
        .filter(|name| name.starts_with("Work"))
        .collect();
    assert_eq!(wanted, ["Work", "Work [old]"]);
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("list");
    std::fs::write(&list, wanted.join("\n")).unwrap();
    let list = list.to_str().unwrap();
    let planned = copy(&source, &target, &["--dry-run", "--folders-from", list]).ended(0);
    assert_eq!(planned.texts("folder_planned", "from"), wanted);
    let addresses = [source.plain_address(), target.plain_address()];
    let arguments = [
        "copy",
        &addresses[0],
        &addresses[1],
        "--output",
        "json",
        "--folders-from",
        "-",
    ];
    let run = Run::of(mailferry(&arguments).stdin(File::open(list).unwrap())).ended(0);
    assert_eq!(run.count("copied"), 3);
    verify(&source, &target, &["--folders-from", list])
        .ended(0)
        .counts(&[("compared", 3)]);
    // Both ways of choosing add up; what is excluded stays out.
    let planned = copy(
        &source,
        &target,
        &[
            "--dry-run",
            "--folders-from",
            list,
            "--folder",
            "W",
            "--exclude",
            "Work",
        ],
    );
    assert_eq!(
        planned.ended(0).texts("folder_planned", "from"),
        ["W", "Work [old]"]
    );
}

/// A copy that repairs a damaged file, and a listing of a tree in which something stands in a
/// folder's place.
fn damaged_tree(source: &Account) -> [Run; 2] {
    let root = tempfile::tempdir().unwrap();
    let tree = root.path().join("tree");
    let address = format!("maildir:{}", tree.display());
    copy(End::tls(source), &address, &[]).ended(0);
    let file = std::fs::read_dir(tree.join("cur"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let repaired = copy(End::tls(source), &address, &["--repair"]).ended(0);
    std::os::unix::fs::symlink("nowhere", tree.join(".Gone")).unwrap();
    [repaired, folders(&address, &[]).ended(3)]
}

#[test]
fn a_list_that_says_nothing_selects_nothing_by_mistake() {
    let source = odd_names();
    let target = empty("listnone", Personality::Plain);
    copy(&source, &target, &["--folders-from", "/dev/null"]).ended(2);
    let run = copy(
        &source,
        &target,
        &["--folders-from", "-", "--source-password-file", "-"],
    )
    .ended(2);
    assert!(run.says("a password and a list of folders"), "{run:?}");
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("list");
    std::fs::write(&list, "Wrok\n").unwrap();
    let run = copy(
        &source,
        &target,
        &["--folders-from", list.to_str().unwrap()],
    )
    .ended(2);
    assert!(run.says("no such folder on the source: Wrok"), "{run:?}");
}
