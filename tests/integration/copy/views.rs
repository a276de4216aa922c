//! Mail that only a view on the source has: archived mail in Gmail's All Mail is copied, once.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::gmail::{self, ALL, Labels, TRASH};
use crate::lab::mailboxes::empty;
use crate::lab::memory::{Fake, Manner};
use crate::lab::pair::{Pair, letter, letters, snapshot};
use crate::lab::run::{Run, mailferry, sync, verify};
use crate::lab::servers::{Account, Dovecot, PASSWORD, Personality};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

fn fill(account: &Account, folder: &str, subjects: &[&str]) {
    let mut client = Client::login(account);
    let is_there = client
        .snapshot()
        .folders
        .keys()
        .any(|levels| levels.join("/") == folder);
    if !is_there {
        client.create(&folder.split('/').collect::<Vec<_>>());
    }
    let levels: Vec<&str> = folder.split('/').collect();
    client.append(
        &levels,
        subjects
            .iter()
            .map(|subject| letter(subject))
            .collect::<Vec<_>>()
            .into_iter(),
    );
}

/// How many messages each folder of an account holds, those that hold any.
fn held(account: &Account) -> BTreeMap<String, usize> {
    let all = snapshot(account).folders;
    let count = |(levels, messages): (&Vec<String>, &Vec<crate::lab::client::StoredMessage>)| {
        (levels.join("/"), messages.len())
    };
    all.iter()
        .map(count)
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

/// A Gmail with two archived messages, and others in folders.
fn archive() -> (Fake, Account) {
    let (fake, account) = gmail::start(Labels::Others);
    fill(&account, "INBOX", &["one", "two"]);
    fill(&account, "Work", &["one", "three"]);
    fill(&account, ALL, &["old", "older"]);
    fill(&account, TRASH, &["gone"]);
    (fake, account)
}

fn only_in_views(run: &Run) -> Vec<(String, String, u64)> {
    let summary = run.summary();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let views = summary["only_in_views"].as_array().unwrap().iter();
    views
        .map(|view| {
            (
                text(&view["view"]),
                text(&view["folder"]),
                view["messages"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn archived_mail_comes_along_once_and_only_once() {
    for with_state in [true, false] {
        let (_fake, source) = archive();
        let ground = Pair::of(source, empty("archived", Personality::Plain));
        let go = |options: &[&str]| {
            if with_state {
                ground.copy(options)
            } else {
                ground.copy_without_state(options)
            }
        };
        let dry = go(&["--dry-run"]).ended(0).counts(&[("copied", 7)]);
        assert_eq!(
            only_in_views(&dry),
            [(ALL.to_owned(), "Archive".to_owned(), 2)]
        );
        verify(&ground.source, &ground.target, &[]).ended(4);
        let run = go(&[]).ended(0);
        assert_eq!(run.count("copied"), 7, "{run:?}");
        assert_eq!(
            only_in_views(&run),
            [(ALL.to_owned(), "Archive".to_owned(), 2)]
        );
        let there = counts(&[("Archive", 2), ("INBOX", 2), ("Work", 2), ("Trash", 1)]);
        assert_eq!(held(&ground.target), there);
        verify(&ground.source, &ground.target, &[]).ended(0);
        go(&[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 7)]);
        go(&["--delete"])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
        assert_eq!(held(&ground.target), there);
        // More is archived, by taking away the only label of a message that the target has.
        fill(&ground.source, ALL, &["oldest"]);
        go(&["--delete"])
            .ended(0)
            .counts(&[("copied", 1), ("deleted", 0)]);
        assert_eq!(held(&ground.target)["Archive"], 3);
    }
}

#[test]
fn a_mirror_follows_what_is_archived_and_what_comes_back() {
    let (_fake, source) = archive();
    let ground = Pair::of(source, empty("follows", Personality::Plain));
    ground.copy(&["--delete"]).ended(0);
    let mut client = Client::login(&ground.source);
    client.select(&["INBOX"]);
    client.expunge("2");
    client.select(&["[Gmail]", "All Mail"]);
    let old = snapshot(&ground.source);
    let old = old.folder(&["[Gmail]", "All Mail"]);
    let sha256: [u8; 32] = Sha256::digest(letter("old").bytes).into();
    let wanted = old
        .iter()
        .find(|message| message.sha256 == sha256)
        .unwrap()
        .uid;
    client.command(&format!("UID COPY {wanted} INBOX"));
    drop(client);
    ground.copy(&["--delete"]).ended(0);
    let there = held(&ground.target);
    assert_eq!((there["INBOX"], there["Archive"]), (2, 2), "{there:?}");
    verify(&ground.source, &ground.target, &[]).ended(0);
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 0)]);
}

#[test]
fn what_the_user_leaves_out_does_not_come_in_by_all_mail() {
    let (_fake, source) = archive();
    let ground = Pair::of(source, empty("leftout", Personality::Plain));
    ground.copy_without_state(&["--exclude", "Work"]).ended(0);
    assert_eq!(
        held(&ground.target),
        counts(&[("Archive", 2), ("INBOX", 2), ("Trash", 1)])
    );
    let other = Pair::of(
        ground.source.clone(),
        empty("inboxonly", Personality::Plain),
    );
    other.copy_without_state(&["--folder", "INBOX"]).ended(0);
    assert_eq!(held(&other.target), counts(&[("INBOX", 2)]));
    let other = Pair::of(ground.source.clone(), empty("noall", Personality::Plain));
    other.copy_without_state(&["--exclude", ALL]).ended(0);
    assert_eq!(
        held(&other.target),
        counts(&[("INBOX", 2), ("Trash", 1), ("Work", 2)])
    );
    let other = Pair::of(
        ground.source.clone(),
        empty("wholeview", Personality::Plain),
    );
    other.copy_without_state(&["--folder", ALL]).ended(0);
    assert_eq!(held(&other.target), counts(&[("All Mail", 5)]));
}

#[test]
fn another_gmail_keeps_archived_mail_in_its_all_mail() {
    let (_fake, source) = archive();
    let (_other, target) = gmail::start(Labels::Others);
    let ground = Pair::of(source, target);
    ground.copy(&[]).ended(0);
    let there = held(&ground.target);
    assert_eq!(there[ALL], 5, "{there:?}");
    assert!(!there.contains_key("Archive"), "{there:?}");
    verify(&ground.source, &ground.target, &[]).ended(0);
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 0)]);
    assert_eq!(held(&ground.target), there);
}

#[test]
fn a_move_copies_archived_mail_and_leaves_it() {
    let (_fake, source) = archive();
    let ground = Pair::of(source, empty("moved", Personality::Plain));
    let run = ground.copy(&["--move"]).ended(0);
    assert!(
        run.says("copied and left on the source: 2 messages in no other folder"),
        "{}",
        run.stderr
    );
    assert_eq!(held(&ground.target)["Archive"], 2);
    assert!(held(&ground.source)[ALL] >= 2);
}

/// Views of a server without names for messages: what a folder has is known by its header, and
/// counted.
#[test]
fn views_are_told_apart_by_headers_where_the_server_names_no_messages() {
    let manner = Manner {
        after: "IMAP4rev1 XLIST UIDPLUS".to_owned(),
        xlist: true,
        own_validities: true,
        ..Manner::default()
    };
    let fake = Fake::start(
        manner,
        &[("All", "\\AllMail"), ("Starred", "\\Starred"), ("Work", "")],
    );
    let (user, password) = ("ann".to_owned(), PASSWORD.to_owned());
    let source = Account {
        port: fake.server.port,
        tls_port: 0,
        user,
        password,
        ca: PathBuf::new(),
    };
    for (folder, subjects) in [
        ("INBOX", &["one", "two"][..]),
        ("Work", &["two", "three"]),
        ("All", &["one", "two", "two", "three", "four"]),
        ("Starred", &["one", "four", "five"]),
    ] {
        subjects
            .iter()
            .for_each(|subject| fake.put(folder, &letter(subject).bytes));
    }
    let ground = Pair::of(source, empty("byheader", Personality::Plain));
    let run = ground.copy(&[]).ended(0);
    assert_eq!(
        only_in_views(&run),
        [
            ("All".to_owned(), "Archive".to_owned(), 1),
            ("Starred".to_owned(), "Starred".to_owned(), 1)
        ]
    );
    assert_eq!(
        held(&ground.target),
        counts(&[("Archive", 1), ("INBOX", 2), ("Starred", 1), ("Work", 2)])
    );
    ground.copy(&[]).ended(0).counts(&[("copied", 0)]);
    verify(&ground.source, &ground.target, &[]).ended(0);
}

/// A sync has no folder for what only a view has, and never leaves it behind without a word.
#[test]
fn a_sync_names_what_only_a_view_has() {
    for exchanged in [false, true] {
        let (fake, gmail) = archive();
        let other = empty("viewsync", Personality::Plain);
        let sides = if exchanged {
            [&other, &gmail]
        } else {
            [&gmail, &other]
        };
        let state = tempfile::tempdir().unwrap();
        let go = |more: &[&str]| {
            sync(
                sides[0],
                sides[1],
                &[&["--state", state.path().to_str().unwrap()], more].concat(),
            )
        };
        let looked = |fake: &Fake| {
            fake.lines_of("EXAMINE")
                .iter()
                .filter(|line| line.contains("All Mail"))
                .count()
        };
        for nth in 0..3 {
            let before = looked(&fake);
            let run = go(&[]).ended(3).counts(&[("folders_failed", 1)]);
            let failed = run.named("folder_failed");
            assert_eq!(failed[0]["folder"], ALL, "{}", run.stdout);
            assert!(
                run.says("2 messages on the") && run.says("--exclude"),
                "{}",
                run.stderr
            );
            assert_eq!(
                looked(&fake) > before,
                nth == 0,
                "run {nth}: nothing has changed that a view rests on"
            );
        }
        let there = counts(&[("INBOX", 2), ("Work", 2), ("Trash", 1)]);
        assert_eq!(held(&other), there);
        go(&["--exclude", ALL]).ended(0);
        go(&["--dry-run"]).ended(3);
        // What the text says works: a copy brings it into a folder. The next run finds that folder
        // on one side only, and carries it.
        Pair::of(gmail.clone(), other.clone())
            .copy_without_state(&[])
            .ended(0)
            .counts(&[("copied", 2)]);
        go(&[]).ended(3);
        go(&[])
            .ended(0)
            .counts(&[("to_first.copied", 0), ("to_second.copied", 0)]);
        assert_eq!(held(&other)["Archive"], 2);
        // The last label of a message is taken away.
        fake.boxes().get_mut("Archive").unwrap().messages.pop();
        let run = go(&[]).ended(3);
        assert!(run.says("1 message on the"), "{}", run.stderr);
    }
}

#[test]
fn a_sync_says_nothing_of_a_view_that_shows_what_folders_have() {
    let (_fake, gmail) = gmail::start(Labels::Others);
    fill(&gmail, "INBOX", &["one", "two"]);
    fill(&gmail, "Work", &["one", "three"]);
    let other = empty("quietview", Personality::Plain);
    let state = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        sync(&gmail, &other, &["--state", state.path().to_str().unwrap()]).ended(0);
    }
}

/// Dovecot's virtual folders: all mail, and what is flagged. `None`, said on stderr, where this
/// Dovecot has none.
fn with_virtual_folders(name: &str) -> Option<Account> {
    let account = empty(name, Personality::Virtual);
    Dovecot::make_views(
        &account,
        &[("All", "*\nhidden/*", "all"), ("Flagged", "*", "flagged")],
    );
    let mut client = Client::login(&account);
    let is_there = client
        .snapshot()
        .folders
        .keys()
        .any(|levels| levels.join("/") == "virtual/All");
    if !is_there {
        std::io::stderr()
            .write_all(b"SKIPPED: this Dovecot has no virtual folders\n")
            .unwrap();
        return None;
    }
    client.append(&["INBOX"], letters("inbox", 3));
    client.create(&["Work"]);
    client.append(&["Work"], letters("work", 2));
    client.select(&["Work"]);
    client.command("STORE 1 +FLAGS (\\Flagged)");
    Some(account)
}

#[test]
fn virtual_folders_of_dovecot_double_nothing() {
    let Some(source) = with_virtual_folders("virtual") else {
        return;
    };
    let ground = Pair::of(source, empty("ofvirtual", Personality::Plain));
    let run = ground.copy(&[]).ended(0).counts(&[("copied", 5)]);
    assert_eq!(only_in_views(&run), []);
    let there = counts(&[("INBOX", 3), ("Work", 2)]);
    assert_eq!(held(&ground.target), there);
    for options in [&[][..], &["--delete"], &["--repair"]] {
        ground
            .copy(options)
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
        ground
            .copy_without_state(options)
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
    }
    verify(&ground.source, &ground.target, &[])
        .ended(0)
        .counts(&[("compared", 5)]);
    let state = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let options = ["--state", state.path().to_str().unwrap()];
        let run = sync(&ground.source, &ground.target, &options).ended(0);
        run.counts(&[
            ("to_first.copied", 0),
            ("to_second.copied", 0),
            ("folders_failed", 0),
        ]);
    }
    assert_eq!(held(&ground.target), there);
}

#[test]
fn what_only_a_virtual_folder_shows_comes_along() {
    let Some(source) = with_virtual_folders("onlyvirtual") else {
        return;
    };
    let mut client = Client::login(&source);
    client.create(&["hidden", "old"]);
    client.append(&["hidden", "old"], letters("old", 2));
    let ground = Pair::of(source, empty("ofonlyvirtual", Personality::Plain));
    let state = tempfile::tempdir().unwrap();
    let options = ["--state", state.path().to_str().unwrap()];
    let run = sync(&ground.source, &ground.target, &options).ended(3);
    assert!(
        run.says("virtual/All: 2 messages on the first"),
        "{}",
        run.stderr
    );
    verify(&ground.source, &ground.target, &[])
        .ended(4)
        .counts(&[("missing", 2)]);
    let run = ground.copy(&[]).ended(0).counts(&[("copied", 2)]);
    assert_eq!(
        only_in_views(&run),
        [("virtual/All".to_owned(), "Archive".to_owned(), 2)]
    );
    assert_eq!(
        held(&ground.target),
        counts(&[("Archive", 2), ("INBOX", 3), ("Work", 2)])
    );
    verify(&ground.source, &ground.target, &[]).ended(0);
    for options in [&[][..], &["--delete"], &["--repair"]] {
        ground
            .copy(options)
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
        ground
            .copy_without_state(options)
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
    }
}

#[test]
fn a_saved_plan_brings_archived_mail() {
    let (_fake, source) = archive();
    let ground = Pair::of(source, empty("viewplan", Personality::Plain));
    let plan = ground.state.path().join("plan").display().to_string();
    let dry = ground.copy(&["--dry-run", "--save-plan", &plan]).ended(0);
    assert_eq!(
        only_in_views(&dry),
        [(ALL.to_owned(), "Archive".to_owned(), 2)]
    );
    // What is archived after the plan was made is not in it.
    fill(&ground.source, ALL, &["oldest"]);
    let state = ground.state_options();
    let apply = || {
        Run::of(&mut mailferry(
            &[&["apply", &plan, "--output", "json"], &state[..]].concat(),
        ))
    };
    assert_eq!(apply().ended(0).count("copied"), 7);
    assert_eq!(held(&ground.target)["Archive"], 2);
    assert_eq!(apply().ended(0).count("copied"), 0);
    ground.copy(&[]).ended(0).counts(&[("copied", 1)]);
    verify(&ground.source, &ground.target, &[]).ended(0);
}

#[test]
fn a_damaged_copy_of_archived_mail_is_repaired() {
    let (_fake, source) = archive();
    let ground = Pair::of(source, empty("viewrepair", Personality::Plain));
    ground.copy(&[]).ended(0);
    ground
        .copy(&["--repair"])
        .ended(0)
        .counts(&[("copied", 0), ("repaired", 0)]);
    let folder = Dovecot::shared().maildir(&ground.target).join(".Archive");
    let files = ["new", "cur"]
        .iter()
        .flat_map(|part| std::fs::read_dir(folder.join(part)).unwrap());
    let damaged = files.map(|entry| entry.unwrap().path()).next().unwrap();
    let bytes = std::fs::read_to_string(&damaged).unwrap();
    std::fs::write(&damaged, bytes.replace("hello", "jello")).unwrap();
    verify(&ground.source, &ground.target, &["--deep"]).ended(4);
    ground
        .copy(&["--repair"])
        .ended(0)
        .counts(&[("repaired", 1)]);
    assert_eq!(held(&ground.target)["Archive"], 2);
    verify(&ground.source, &ground.target, &["--deep"]).ended(0);
    ground
        .copy(&["--repair"])
        .ended(0)
        .counts(&[("copied", 0), ("repaired", 0)]);
}

#[test]
fn chats_are_left_out_and_counted() {
    let (fake, source) = archive();
    fake.boxes().insert(
        "[Gmail]/Chats".to_owned(),
        crate::lab::memory::Folder::default(),
    );
    ["hi", "hello"]
        .iter()
        .for_each(|subject| fake.put("[Gmail]/Chats", &letter(subject).bytes));
    let ground = Pair::of(source, empty("chats", Personality::Plain));
    let left_out = |run: &Run| -> Vec<(String, u64)> {
        let summary = run.summary();
        let all = summary["left_out"].as_array().unwrap().iter();
        all.map(|one| {
            (
                one["by"].as_str().unwrap().to_owned(),
                one["messages"].as_u64().unwrap(),
            )
        })
        .collect()
    };
    let run = ground
        .copy_without_state(&[])
        .ended(0)
        .counts(&[("copied", 7)]);
    assert_eq!(left_out(&run), [("chats".to_owned(), 2)]);
    verify(&ground.source, &ground.target, &[]).ended(0);
    let state = tempfile::tempdir().unwrap();
    let run = sync(
        &ground.source,
        &ground.target,
        &["--state", state.path().to_str().unwrap(), "--exclude", ALL],
    );
    assert!(left_out(&run.ended(0)).contains(&("chats".to_owned(), 2)));
    assert!(!held(&ground.target).contains_key("[Gmail]/Chats"));
    ground
        .copy_without_state(&["--folder", "[Gmail]/Chats"])
        .ended(0)
        .counts(&[("copied", 2)]);
}
