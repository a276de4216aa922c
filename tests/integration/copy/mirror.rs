//! `--delete`, and messages that the target has in another folder: moved messages are moved,
//! deleted ones deleted, and in doubt nothing is deleted.

use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::{each, messages};
use crate::lab::pair::{Pair, letter, letters, snapshot};
use crate::lab::proxy::{Answer, Meanwhile, Plan, Proxy};
use crate::lab::run::{Run, copy, run, verify};
use crate::lab::servers::Personality;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Servers that differ in how they let messages be moved and deleted.
const KINDS: [Personality; 3] = [
    Personality::Plain,
    Personality::NoLiteral,
    Personality::Poor,
];

/// Moves a message as a mail program does.
fn move_message(client: &mut Client, from: &str, uid: u32, to: &str) {
    client.select(&[from]);
    client.command(&format!("UID COPY {uid} {to}"));
    client.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"));
    client.command("EXPUNGE");
}

#[test]
fn a_moved_message_that_could_not_be_copied_stays_where_it_was() {
    each(KINDS, |kind| {
        let ground = Pair::new("unsent", kind);
        let is_on = Arc::new(AtomicBool::new(false));
        let full = (1..=20).fold(Plan::default(), |plan, nth| {
            plan.answer(Answer::instead("APPEND", nth, "NO [NOPERM] not here"))
        });
        let proxy = Proxy::start(ground.target.port, full.only_while(&is_on));
        let target = ground.target.by_port(proxy.port);
        let mut client = Client::login(&ground.source);
        client.create(&["Archive"]);
        // Without a Message-ID it is not known to be the one that the target has.
        let text = "Subject: bare\r\nFrom: ann@example.org\r\n\r\nhello\r\n";
        client.append(
            &["INBOX"],
            letters("mail", 5).chain([NewMessage {
                bytes: text.into(),
                ..letter("")
            }]),
        );
        copy(&ground.source, &target, &[])
            .ended(0)
            .counts(&[("copied", 6)]);
        move_message(&mut client, "INBOX", 6, "Archive");
        move_message(&mut client, "INBOX", 1, "Archive");
        client.select(&["INBOX"]);
        client.expunge("2");
        is_on.store(true, Ordering::Relaxed);
        let run = copy(&ground.source, &target, &["--delete"]).ended(3);
        is_on.store(false, Ordering::Relaxed);
        let run = run.counts(&[
            ("copied_server_side", 1),
            ("not_deleted", 1),
            ("deleted", 1),
        ]);
        assert!(
            run.texts("folder_failed", "folder")
                .contains(&"INBOX".to_owned()),
            "{run:?}"
        );
        assert_eq!(snapshot(&ground.target).count(), 5, "{run:?}");
        copy(&ground.source, &target, &["--delete"]).ended(0);
        ground.assert_equal();
    });
}

/// Somebody else makes a folder on the target, with mail in it, after a mirror has listed it:
/// nothing is sent there, so what was moved into it on the source stays where it is on the target
/// until the next run.
#[test]
fn what_moved_into_a_folder_that_somebody_else_makes_meanwhile_stays_where_it_was() {
    each(KINDS, |kind| {
        let ground = Pair::new("made", kind);
        let mut client = Client::login(&ground.source);
        let text = "Subject: bare\r\nFrom: ann@example.org\r\n\r\nhello\r\n";
        client.append(
            &["INBOX"],
            letters("mail", 5).chain([NewMessage {
                bytes: text.into(),
                ..letter("")
            }]),
        );
        copy(&ground.source, &ground.target, &[])
            .ended(0)
            .counts(&[("copied", 6)]);
        client.create(&["Archive"]);
        move_message(&mut client, "INBOX", 6, "Archive");
        move_message(&mut client, "INBOX", 1, "Archive");
        let own = ground.target.clone();
        let make = move || {
            let mut client = Client::login(&own);
            client.create(&["Archive"]);
            client.append(&["Archive"], letters("other", 1));
        };
        let proxy = Proxy::start(
            ground.target.port,
            Plan::default().meanwhile(Meanwhile::before("CREATE", make)),
        );
        let run = copy(
            &ground.source,
            &ground.target.by_port(proxy.port),
            &["--delete"],
        )
        .ended(3);
        assert!(run.says("has mail in it"), "{run:?}");
        assert_eq!(
            snapshot(&ground.target).folder(&["INBOX"]).len(),
            6,
            "{run:?}"
        );
        copy(&ground.source, &ground.target, &["--delete"]).ended(0);
        ground.assert_equal();
    });
}

#[test]
fn a_message_that_moved_is_moved_on_the_target_without_being_sent() {
    each(KINDS, |kind| {
        for with_state in [true, false] {
            let ground = Pair::new("moved", kind);
            let mut client = Client::login(&ground.source);
            client.create(&["Archive"]);
            client.append(&["INBOX"], letters("mail", 5));
            let go = |options: &[&str]| {
                if with_state {
                    ground.copy(options)
                } else {
                    ground.copy_without_state(options)
                }
            };
            go(&[]).ended(0).counts(&[("copied", 5)]);
            let sent = |run: &Run| run.count("target.sent");
            move_message(&mut client, "INBOX", 2, "Archive");
            client.select(&["Archive"]);
            client.store("1", "+FLAGS", "\\Flagged");
            let run = go(&["--delete"]).ended(0);
            let run = run.counts(&[
                ("copied", 1),
                ("copied_server_side", 1),
                ("bytes_copied", 0),
                ("deleted", 0),
            ]);
            assert!(sent(&run) < 3_000, "{} bytes were sent", sent(&run));
            ground.assert_equal();
            go(&["--delete"]).ended(0).counts(&[
                ("copied", 0),
                ("deleted", 0),
                ("already_there", 5),
            ]);
        }
    });
}

#[test]
fn without_delete_it_is_copied_and_stays_where_it_was() {
    each(KINDS, |kind| {
        let ground = Pair::new("copied", kind);
        let mut client = Client::login(&ground.source);
        client.create(&["Archive"]);
        client.append(&["INBOX"], letters("mail", 3));
        ground.copy(&[]).ended(0);
        move_message(&mut client, "INBOX", 1, "Archive");
        ground.copy(&[]).ended(0).counts(&[
            ("copied", 1),
            ("copied_server_side", 1),
            ("bytes_copied", 0),
        ]);
        let there = snapshot(&ground.target);
        assert_eq!(
            (
                there.folder(&["INBOX"]).len(),
                there.folder(&["Archive"]).len()
            ),
            (3, 1)
        );
        ground.copy(&[]).ended(0).counts(&[("copied", 0)]);
    });
}

#[test]
fn one_message_in_several_folders_is_sent_once() {
    each(KINDS, |kind| {
        let ground = Pair::new("labels", kind);
        let mut client = Client::login(&ground.source);
        let body = "a line of some length, so that it shows\r\n".repeat(500);
        let mut large = letter("label");
        large.bytes.extend_from_slice(body.as_bytes());
        let bytes = large.bytes.len() as u64;
        // The last one has not the flag of the first: it is sent, as a run that ends before a flag
        // is taken away leaves it.
        for (folder, flags) in [
            ("1", "\\Seen"),
            ("2", "\\Seen \\Flagged"),
            ("3", "\\Seen $Work"),
            ("4", ""),
        ] {
            client.create(&[folder]);
            let flags = flags.split_whitespace().map(str::to_owned).collect();
            client.append(
                &[folder],
                std::iter::once(NewMessage {
                    flags,
                    ..large.clone()
                }),
            );
        }
        let run = ground.copy(&[]).ended(0);
        run.counts(&[
            ("copied", 4),
            ("copied_server_side", 2),
            ("bytes_copied", 2 * bytes),
        ]);
        ground.assert_equal();
        ground
            .copy(&[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 4)]);
    });
}

#[test]
fn what_lost_a_flag_on_its_way_to_another_folder_is_sent() {
    for with_state in [true, false] {
        let ground = Pair::new("unflagged", Personality::Plain);
        let mut client = Client::login(&ground.source);
        client.create(&["Archive"]);
        client.append(&["INBOX"], letters("mail", 3));
        client.select(&["INBOX"]);
        client.store("1", "+FLAGS", "\\Flagged");
        let go = |options: &[&str]| {
            if with_state {
                ground.copy(options)
            } else {
                ground.copy_without_state(options)
            }
        };
        go(&[]).ended(0).counts(&[("copied", 3)]);
        client.store("1", "-FLAGS", "\\Flagged");
        move_message(&mut client, "INBOX", 1, "Archive");
        go(&["--delete"]).ended(0).counts(&[
            ("copied", 1),
            ("copied_server_side", 0),
            ("deleted", 1),
        ]);
        ground.assert_equal();
        go(&["--delete"])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0), ("already_there", 3)]);
    }
}

#[test]
fn what_the_source_no_longer_has_is_deleted_and_folders_with_it() {
    each(KINDS, |kind| {
        let ground = Pair::new("gone", kind);
        let mut client = Client::login(&ground.source);
        for folder in ["Old", "Old/Deep", "Kept"] {
            client.create(&folder.split('/').collect::<Vec<_>>());
        }
        client.append(&["INBOX"], messages(10).into_iter());
        client.append(&["Old"], letters("old", 3));
        client.append(&["Old", "Deep"], letters("deep", 3));
        client.append(&["Kept"], letters("kept", 3));
        ground.copy(&[]).ended(0).counts(&[("copied", 19)]);
        client.select(&["INBOX"]);
        client.expunge("2:3");
        client.command("DELETE Old/Deep");
        client.command("DELETE Old");
        let dry = ground.copy(&["--delete", "--dry-run"]).ended(0);
        let dry = dry.counts(&[("deleted", 8), ("folders_deleted", 2), ("copied", 0)]);
        assert_eq!(dry.named("message_deleted").len(), 8);
        assert_eq!(dry.texts("folder_deleted", "folder"), ["Old", "Old/Deep"]);
        assert_eq!(
            snapshot(&ground.target).count(),
            19,
            "a dry run deletes nothing"
        );
        let run = ground
            .copy(&["--delete", "-vv"])
            .ended(0)
            .counts(&[("deleted", 8), ("folders_deleted", 2)]);
        assert_eq!(run.named("message_deleted").len(), 8);
        ground.assert_equal();
        assert!(
            !snapshot(&ground.target)
                .folders
                .contains_key(&vec!["Old".to_owned()])
        );
        verify(&ground.source, &ground.target, &["--deep"]).ended(0);
        let again = ground
            .copy(&["--delete"])
            .ended(0)
            .counts(&[("deleted", 0), ("already_there", 11)]);
        assert!(again.named("warning").is_empty(), "{}", again.stdout);
    });
}

#[test]
fn the_brake_stops_every_deletion_and_says_how_to_go_on() {
    let ground = Pair::new("brake", Personality::Plain);
    let mut client = Client::login(&ground.source);
    client.append(&["INBOX"], letters("mail", 100));
    client.create(&["Few"]);
    client.append(&["Few"], letters("few", 4));
    ground.copy(&[]).ended(0);
    client.select(&["INBOX"]);
    client.expunge("1:30");
    client.select(&["Few"]);
    client.expunge("1");
    client.append(&["INBOX"], std::iter::once(letter("new")));
    for dry in [&["--delete", "--dry-run"][..], &["--delete"]] {
        let run = ground
            .copy(dry)
            .ended(9)
            .counts(&[("deleted", 0), ("copied", 1)]);
        assert!(
            run.says("--max-delete 31") && run.says("30 of 1"),
            "{}",
            run.stderr
        );
        assert_eq!(run.summary()["status"], "braked");
    }
    assert_eq!(snapshot(&ground.target).count(), 105);
    ground.copy(&["--delete", "--max-delete", "30"]).ended(9);
    ground
        .copy(&["--delete", "--max-delete", "31"])
        .ended(0)
        .counts(&[("deleted", 31)]);
    ground.assert_equal();
}

#[test]
fn an_emptied_source_empties_nothing_by_itself() {
    let ground = Pair::new("emptied", Personality::Plain);
    let mut client = Client::login(&ground.source);
    client.create(&["box"]);
    client.append(&["box"], letters("mail", 25));
    ground.copy(&[]).ended(0);
    client.select(&["box"]);
    client.expunge("1:*");
    ground.copy(&["--delete"]).ended(9);
    client.command("DELETE box");
    ground.copy(&["--delete"]).ended(9);
    assert_eq!(snapshot(&ground.target).count(), 25);
    ground
        .copy(&["--delete", "--max-delete", "100%"])
        .ended(0)
        .counts(&[("deleted", 25), ("folders_deleted", 1)]);
    ground.assert_equal();
}

#[test]
fn a_folder_that_was_made_anew_loses_nothing_on_the_target_then_or_later() {
    let ground = Pair::new("anew", Personality::Plain);
    let mut client = Client::login(&ground.source);
    client.create(&["box"]);
    client.append(&["box"], letters("old", 4));
    ground.copy(&["--delete"]).ended(0);
    client.command("DELETE box");
    client.create(&["box"]);
    client.append(&["box"], letters("old", 2));
    client.append(&["box"], letters("new", 2));
    let run = ground.copy(&["--delete"]).ended(0).counts(&[
        ("copied", 2),
        ("deleted", 0),
        ("already_there", 2),
    ]);
    assert!(run.says("UIDVALIDITY"), "{}", run.stderr);
    for _ in 0..2 {
        ground
            .copy(&["--delete"])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
        assert_eq!(snapshot(&ground.target).folder(&["box"]).len(), 6);
    }
    // What came and went since is mirrored all the same.
    client.append(&["box"], std::iter::once(letter("later")));
    ground.copy(&["--delete"]).ended(0).counts(&[("copied", 1)]);
    client.select(&["box"]);
    client.expunge("5");
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("deleted", 1)]);
    assert_eq!(snapshot(&ground.target).folder(&["box"]).len(), 6);
}

#[test]
fn a_source_that_was_restored_from_a_backup_takes_nothing_away() {
    let ground = Pair::new("restored", Personality::Plain);
    let mut client = Client::login(&ground.source);
    client.append(&["INBOX"], letters("mail", 5));
    let backup = tempfile::tempdir().unwrap();
    ground.source.copy_home(backup.path());
    client.append(&["INBOX"], letters("later", 3));
    ground.copy(&["--delete"]).ended(0).counts(&[("copied", 8)]);
    drop(client);
    ground.source.restore_home(backup.path());
    let run = ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("deleted", 0), ("copied", 0)]);
    assert!(run.says("restored from a backup"), "{}", run.stderr);
    // New mail takes the UIDs of the mail that was lost.
    Client::login(&ground.source).append(&["INBOX"], letters("other", 2));
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("deleted", 0), ("copied", 2)]);
    let there = snapshot(&ground.target);
    assert_eq!(
        there.folder(&["INBOX"]).len(),
        10,
        "the mail that only the target has is still there"
    );
    for message in snapshot(&ground.source).folder(&["INBOX"]) {
        assert!(
            there
                .folder(&["INBOX"])
                .iter()
                .any(|other| other.sha256 == message.sha256)
        );
    }
}

#[test]
fn without_uid_expunge_nothing_else_that_is_marked_goes() {
    let ground = Pair::new("marked", Personality::Poor);
    let mut client = Client::login(&ground.source);
    client.append(&["INBOX"], letters("mail", 5));
    ground.copy(&[]).ended(0);
    client.select(&["INBOX"]);
    client.expunge("1");
    // Somebody has marked another message on the target, and may change their mind.
    let mut other = Client::login(&ground.target);
    other.select(&["INBOX"]);
    other.store("3", "+FLAGS", "\\Deleted");
    let run = ground
        .copy(&["--delete"])
        .ended(3)
        .counts(&[("deleted", 0), ("not_deleted", 1)]);
    assert!(run.says("UIDPLUS"), "{}", run.stderr);
    assert_eq!(snapshot(&ground.target).count(), 5);
    other.store("3", "-FLAGS", "\\Deleted");
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("deleted", 1)]);
    ground.assert_equal();
}

#[test]
fn folders_joined_by_map_are_one_to_a_mirror() {
    let ground = Pair::new("joined", Personality::Plain);
    let mut client = Client::login(&ground.source);
    for folder in ["a", "b"] {
        client.create(&[folder]);
        client.append(&[folder], letters(folder, 3));
    }
    let options = ["--map", "b=a", "--delete"];
    ground
        .copy(&options)
        .ended(0)
        .counts(&[("copied", 6), ("deleted", 0)]);
    ground
        .copy(&options)
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 0)]);
    client.select(&["b"]);
    client.expunge("2");
    ground
        .copy(&options)
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 1)]);
    ground.copy_without_state(&options).ended(0).counts(&[
        ("copied", 0),
        ("deleted", 0),
        ("already_there", 5),
    ]);
    assert_eq!(snapshot(&ground.target).folder(&["a"]).len(), 5);
}

#[test]
fn a_mirror_of_selected_folders_leaves_the_others_alone() {
    let ground = Pair::new("selected", Personality::Plain);
    let mut client = Client::login(&ground.source);
    client.create(&["a"]);
    client.append(&["a"], letters("a", 3));
    let mut other = Client::login(&ground.target);
    for folder in ["a", "b", "Sent"] {
        other.create(&[folder]);
        other.append(&[folder], letters("theirs", 2));
    }
    ground
        .copy(&["--delete", "--folder", "a"])
        .ended(0)
        .counts(&[("copied", 3), ("deleted", 2)]);
    let there = snapshot(&ground.target);
    assert_eq!(
        (there.folder(&["b"]).len(), there.folder(&["Sent"]).len()),
        (2, 2)
    );
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("deleted", 4), ("folders_deleted", 1)]);
    let there = snapshot(&ground.target);
    assert!(
        there.folders.contains_key(&vec!["Sent".to_owned()]),
        "a folder with a role stays"
    );
    assert!(!there.folders.contains_key(&vec!["b".to_owned()]));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let (from, to) = ("imaps://a@localhost:1", "imaps://b@localhost:1");
    for options in [
        &["--delete", "--move"][..],
        &["--delete", "--since", "2024-01-01"],
        &["--delete", "--search", "SEEN"],
        &["--max-delete", "5"],
        &["--delete", "--max-delete", "many"],
    ] {
        let ended = run(&[&["copy", from, to], options].concat());
        assert_eq!(ended.code, Some(2), "{options:?}: {}", ended.stderr);
    }
}
