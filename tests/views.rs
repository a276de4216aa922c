//! Mail that is in a view of the source and in no folder: archived mail in Gmail's All Mail comes along, once.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod lab;

use lab::client::Client;
use lab::gmail::{self, ALL, Labels, TRASH};
use lab::mailboxes::empty;
use lab::memory::{Fake, Manner};
use lab::pair::{Pair, letter, snapshot};
use lab::run::{Run, sync, verify};
use lab::servers::{Account, PASSWORD, Personality};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn fill(account: &Account, folder: &str, subjects: &[&str]) {
    let mut client = Client::login(account);
    let is_there = client.snapshot().folders.keys().any(|levels| levels.join("/") == folder);
    if !is_there {
        client.create(&folder.split('/').collect::<Vec<_>>());
    }
    let levels: Vec<&str> = folder.split('/').collect();
    client.append(&levels, subjects.iter().map(|subject| letter(subject)).collect::<Vec<_>>().into_iter());
}

/// How many messages each folder of an account holds, those that hold any.
fn held(account: &Account) -> BTreeMap<String, usize> {
    let all = snapshot(account).folders;
    let count =
        |(levels, messages): (&Vec<String>, &Vec<lab::client::StoredMessage>)| (levels.join("/"), messages.len());
    all.iter().map(count).filter(|(_, count)| *count > 0).collect()
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
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
    views.map(|view| (text(&view["view"]), text(&view["folder"]), view["messages"].as_u64().unwrap())).collect()
}

#[test]
fn archived_mail_comes_along_once_and_only_once() {
    for with_state in [true, false] {
        let (_fake, source) = archive();
        let ground = Pair::of(source, empty("archived", Personality::Plain));
        let go = |options: &[&str]| if with_state { ground.copy(options) } else { ground.copy_without_state(options) };
        let dry = go(&["--dry-run"]).ended(0).counts(&[("copied", 7)]);
        assert_eq!(only_in_views(&dry), [(ALL.to_owned(), "Archive".to_owned(), 2)]);
        verify(&ground.source, &ground.target, &[]).ended(4);
        let run = go(&[]).ended(0);
        assert_eq!(run.count("copied"), 7, "{run:?}");
        assert_eq!(only_in_views(&run), [(ALL.to_owned(), "Archive".to_owned(), 2)]);
        let there = counts(&[("Archive", 2), ("INBOX", 2), ("Work", 2), (TRASH, 1)]);
        assert_eq!(held(&ground.target), there);
        verify(&ground.source, &ground.target, &[]).ended(0);
        go(&[]).ended(0).counts(&[("copied", 0), ("already_there", 7)]);
        go(&["--delete"]).ended(0).counts(&[("copied", 0), ("deleted", 0)]);
        assert_eq!(held(&ground.target), there);
        // More is archived, by taking away the only label of a message that the target has.
        fill(&ground.source, ALL, &["oldest"]);
        go(&["--delete"]).ended(0).counts(&[("copied", 1), ("deleted", 0)]);
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
    let wanted = old.iter().find(|message| message.sha256 == sha256).unwrap().uid;
    client.command(&format!("UID COPY {wanted} INBOX"));
    drop(client);
    ground.copy(&["--delete"]).ended(0);
    let there = held(&ground.target);
    assert_eq!((there["INBOX"], there["Archive"]), (2, 2), "{there:?}");
    verify(&ground.source, &ground.target, &[]).ended(0);
    ground.copy(&["--delete"]).ended(0).counts(&[("copied", 0), ("deleted", 0)]);
}

#[test]
fn what_the_user_leaves_out_does_not_come_in_by_all_mail() {
    let (_fake, source) = archive();
    let ground = Pair::of(source, empty("leftout", Personality::Plain));
    ground.copy_without_state(&["--exclude", "Work"]).ended(0);
    assert_eq!(held(&ground.target), counts(&[("Archive", 2), ("INBOX", 2), (TRASH, 1)]));
    let other = Pair::of(ground.source.clone(), empty("inboxonly", Personality::Plain));
    other.copy_without_state(&["--folder", "INBOX"]).ended(0);
    assert_eq!(held(&other.target), counts(&[("INBOX", 2)]));
    let other = Pair::of(ground.source.clone(), empty("noall", Personality::Plain));
    other.copy_without_state(&["--exclude", ALL]).ended(0);
    assert_eq!(held(&other.target), counts(&[("INBOX", 2), (TRASH, 1), ("Work", 2)]));
    let other = Pair::of(ground.source.clone(), empty("wholeview", Personality::Plain));
    other.copy_without_state(&["--folder", ALL]).ended(0);
    assert_eq!(held(&other.target), counts(&[(ALL, 5)]));
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
    ground.copy(&["--delete"]).ended(0).counts(&[("copied", 0), ("deleted", 0)]);
    assert_eq!(held(&ground.target), there);
}

#[test]
fn a_move_copies_archived_mail_and_leaves_it() {
    let (_fake, source) = archive();
    let ground = Pair::of(source, empty("moved", Personality::Plain));
    let run = ground.copy(&["--move"]).ended(0);
    assert!(run.says("2 messages that are in no other folder are copied and stay"), "{}", run.stderr);
    assert_eq!(held(&ground.target)["Archive"], 2);
    assert!(held(&ground.source)[ALL] >= 2);
}

/// Views of a server without names for messages: what a folder has is known by its header, and counted.
#[test]
fn views_are_told_apart_by_headers_where_the_server_names_no_messages() {
    let manner =
        Manner { after: "IMAP4rev1 XLIST UIDPLUS".to_owned(), xlist: true, own_validities: true, ..Manner::default() };
    let fake = Fake::start(manner, &[("All", "\\AllMail"), ("Starred", "\\Starred"), ("Work", "")]);
    let (user, password) = ("ann".to_owned(), PASSWORD.to_owned());
    let source = Account { port: fake.server.port, tls_port: 0, user, password, ca: PathBuf::new() };
    for (folder, subjects) in [
        ("INBOX", &["one", "two"][..]),
        ("Work", &["two", "three"]),
        ("All", &["one", "two", "two", "three", "four"]),
        ("Starred", &["one", "four", "five"]),
    ] {
        subjects.iter().for_each(|subject| fake.put(folder, &letter(subject).bytes));
    }
    let ground = Pair::of(source, empty("byheader", Personality::Plain));
    let run = ground.copy(&[]).ended(0);
    assert_eq!(
        only_in_views(&run),
        [("All".to_owned(), "Archive".to_owned(), 1), ("Starred".to_owned(), "Starred".to_owned(), 1)]
    );
    assert_eq!(held(&ground.target), counts(&[("Archive", 1), ("INBOX", 2), ("Starred", 1), ("Work", 2)]));
    ground.copy(&[]).ended(0).counts(&[("copied", 0)]);
    verify(&ground.source, &ground.target, &[]).ended(0);
}

/// A sync has no folder for what only a view has, and never leaves it behind without a word.
#[test]
fn a_sync_names_what_only_a_view_has() {
    for exchanged in [false, true] {
        let (fake, gmail) = archive();
        let other = empty("viewsync", Personality::Plain);
        let sides = if exchanged { [&other, &gmail] } else { [&gmail, &other] };
        let state = tempfile::tempdir().unwrap();
        let go =
            |more: &[&str]| sync(sides[0], sides[1], &[&["--state", state.path().to_str().unwrap()], more].concat());
        let looked = |fake: &Fake| fake.lines_of("EXAMINE").iter().filter(|line| line.contains("All Mail")).count();
        for nth in 0..3 {
            let before = looked(&fake);
            let run = go(&[]).ended(3).counts(&[("folders_failed", 1)]);
            let failed = run.named("folder_failed");
            assert_eq!(failed[0]["folder"], ALL, "{}", run.stdout);
            assert!(run.says("2 messages on the") && run.says("--exclude"), "{}", run.stderr);
            assert_eq!(looked(&fake) > before, nth == 0, "run {nth}: nothing has changed that a view rests on");
        }
        let there = counts(&[("INBOX", 2), ("Work", 2), (TRASH, 1)]);
        assert_eq!(held(&other), there);
        go(&["--exclude", ALL]).ended(0);
        go(&["--dry-run"]).ended(3);
        // What the text says works: a copy brings it into a folder, and then it is at home.
        Pair::of(gmail.clone(), other.clone()).copy_without_state(&[]).ended(0).counts(&[("copied", 2)]);
        go(&[]).ended(0);
        go(&[]).ended(0).counts(&[("to_first.copied", 0), ("to_second.copied", 0)]);
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
