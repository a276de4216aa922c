//! A backup and its restore, as a user makes them.

use super::{Ground, account, files, messages, snapshot};
use crate::lab::client::{Client, NewMessage};
use crate::lab::generator;
use crate::lab::run::{copy, folders, run, verify};
use crate::lab::servers::Dovecot;
use crate::lab::{mailboxes, names};

#[test]
fn three_thousand_messages_go_into_a_tree_and_come_back_exactly() {
    let (source, restored) = (account("backupfrom"), account("backupto"));
    Client::login(&source).fill(&generator::mailbox(21, 3000));
    let before = snapshot(&source);
    let ground = Ground::new("maildir");
    let (tree, state) = (ground.address(), ground.state());

    // A dry run makes nothing, not even the directory.
    let foreseen = [("copied", 3000), ("folders_created", 17)];
    copy(&source, &tree, &["--dry-run", "--state", &state])
        .ended(0)
        .counts(&foreseen);
    assert!(
        !ground.root.path().join("backup").exists() && !ground.root.path().join("state").exists()
    );

    copy(&source, &tree, &["--state", &state])
        .ended(0)
        .counts(&foreseen)
        .counts(&[("failed", 0), ("folders_failed", 0)]);
    assert_eq!(messages(&ground.tree()).len(), 3000);
    let again = [
        ("copied", 0),
        ("already_there", 3000),
        ("flags_updated", 0),
        ("folders_created", 0),
    ];
    let second = copy(&source, &tree, &["--state", &state])
        .ended(0)
        .counts(&again);
    assert!(
        second.count("source.round_trips") <= 6,
        "folders in step were opened: {}",
        second.summary()
    );
    copy(&source, &tree, &["--no-state"])
        .ended(0)
        .counts(&again);
    verify(&source, &tree, &["--deep"]).ended(0).counts(&[
        ("missing", 0),
        ("extra", 0),
        ("flags_differ", 0),
    ]);
    mailboxes::assert_folders(&folders(&tree, &[]).ended(0), &before);

    // The way back, which leaves the tree as it is.
    let kept = files(&ground.tree());
    copy(&tree, &restored, &["--state", &state])
        .ended(0)
        .counts(&foreseen);
    let after = snapshot(&restored);
    assert_eq!(after.content(), before.content());
    assert_eq!(after.subscribed, before.subscribed);
    copy(&tree, &restored, &["--state", &state])
        .ended(0)
        .counts(&again);
    copy(&tree, &restored, &["--no-state"])
        .ended(0)
        .counts(&again);
    assert_eq!(files(&ground.tree()), kept);

    // Another Dovecot that is pointed at the tree serves the same.
    let pointed = account("pointed");
    Dovecot::shared().take_over(&pointed, &ground.tree());
    let served = snapshot(&pointed);
    assert_eq!(served.content(), before.content());
    assert_eq!(served.subscribed, before.subscribed);

    // And from tree to tree.
    let second = format!("maildir:{}", ground.root.path().join("second").display());
    copy(&tree, &second, &["--state", &state])
        .ended(0)
        .counts(&foreseen);
    copy(&tree, &second, &["--state", &state])
        .ended(0)
        .counts(&again);
    verify(&tree, &second, &["--deep"]).ended(0);
    verify(&second, &source, &["--deep"]).ended(0);
}

#[test]
fn a_tree_that_dovecot_wrote_is_read_as_dovecot_serves_it() {
    let (source, target) = (account("writtenby"), account("readinto"));
    let mut client = Client::login(&source);
    client.fill(&generator::mailbox(22, 800));
    for name in [
        &["Ünïcode & more"][..],
        &["a", "b", "c d"],
        &["&amp"],
        &["=41"],
    ] {
        client.create(name);
        client.append(
            name,
            std::iter::once(NewMessage::of(format!("Subject: {name:?}\r\n\r\nx\r\n"))),
        );
    }
    let before = snapshot(&source);
    let ground = Ground::new("maildir");
    let maildir = Dovecot::shared().maildir(&source);
    let tree = format!("maildir:{}", maildir.display());
    let kept = files(&maildir);
    copy(&tree, &target, &["--state", &ground.state()])
        .ended(0)
        .counts(&[("copied", 804), ("failed", 0)]);
    let after = snapshot(&target);
    assert_eq!(after.content(), before.content());
    assert_eq!(after.subscribed, before.subscribed);
    let second = copy(&tree, &target, &["--state", &ground.state()])
        .ended(0)
        .counts(&[("copied", 0), ("flags_updated", 0)]);
    assert!(
        second.count("target.round_trips") <= 6,
        "Dovecot's own numbers serve: {}",
        second.summary()
    );
    verify(&tree, &source, &["--deep"]).ended(0);
    let own = |path: &std::path::Path| !path.to_string_lossy().contains("dovecot");
    let of = |all: std::collections::BTreeMap<std::path::PathBuf, _>| -> Vec<_> {
        all.into_iter().filter(|(path, _)| own(path)).collect()
    };
    assert_eq!(of(files(&maildir)), of(kept), "the source was written to");
}

#[test]
fn changes_of_flags_reach_the_tree_and_dovecot_sees_them() {
    let source = account("flagsfrom");
    let mut client = Client::login(&source);
    client.append(&["INBOX"], mailboxes::messages(12).into_iter());
    let ground = Ground::new("maildir");
    let (tree, state) = (ground.address(), ground.state());
    copy(&source, &tree, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 12)]);
    client.select(&["INBOX"]);
    client.store("1:4", "+FLAGS", "\\Flagged $Label1 New");
    client.store("1:12", "-FLAGS", "\\Seen");
    let run = copy(&source, &tree, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 12)]);
    assert!(run.count("flags_updated") >= 4, "{}", run.summary());
    copy(&source, &tree, &["--state", &state])
        .ended(0)
        .counts(&[("flags_updated", 0)]);
    let pointed = account("flagsat");
    Dovecot::shared().take_over(&pointed, &ground.tree());
    assert_eq!(snapshot(&pointed).content(), snapshot(&source).content());
}

#[test]
fn a_restore_fills_up_what_is_there_and_a_loss_in_the_tree_is_noticed() {
    let (source, target) = (account("partfrom"), account("partto"));
    Client::login(&source).append(&["INBOX"], mailboxes::messages(30).into_iter());
    Client::login(&target).append(&["INBOX"], mailboxes::messages(10).into_iter());
    let ground = Ground::new("maildir");
    let tree = ground.address();
    copy(&source, &tree, &[]).ended(0).counts(&[("copied", 30)]);
    copy(&tree, &target, &[])
        .ended(0)
        .counts(&[("copied", 20), ("already_there", 10)]);
    assert_eq!(snapshot(&target).content(), snapshot(&source).content());
    // A file that is lost or damaged is told, and comes again.
    let files = messages(&ground.tree());
    std::fs::remove_file(&files[3]).unwrap();
    verify(&source, &tree, &[])
        .ended(4)
        .counts(&[("missing", 1)]);
    copy(&source, &tree, &[]).ended(0).counts(&[("copied", 1)]);
    let bytes = std::fs::read_to_string(&files[5]).unwrap();
    std::fs::write(&files[5], bytes.replace("this is body", "that is body")).unwrap();
    verify(&source, &tree, &["--deep"]).ended(4);
}

#[test]
fn a_mirror_in_a_tree_loses_what_the_source_lost_and_nothing_else() {
    for (round, with_state) in [true, false].into_iter().enumerate() {
        let source = account(&format!("mirrored{round}"));
        let mut client = Client::login(&source);
        let mut all = mailboxes::messages(42);
        client.create(&["Old"]);
        client.append(&["Old"], all.split_off(40).into_iter());
        client.append(&["INBOX"], all.into_iter());
        let ground = Ground::new("maildir");
        let (tree, state) = (ground.address(), ground.state());
        let memory = if with_state {
            vec!["--state", &state]
        } else {
            vec!["--no-state"]
        };
        let mirror =
            |more: &[&str]| copy(&source, &tree, &[&memory[..], &["--delete"], more].concat());
        mirror(&[])
            .ended(0)
            .counts(&[("copied", 42), ("deleted", 0)]);

        client.select(&["INBOX"]);
        client.expunge("3,5");
        client.command("DELETE Old");
        let before = files(&ground.tree());
        let gone = [("copied", 0), ("deleted", 4), ("folders_deleted", 1)];
        mirror(&["--dry-run"]).ended(0).counts(&gone);
        assert_eq!(files(&ground.tree()), before, "a dry run wrote to the tree");
        mirror(&[]).ended(0).counts(&gone);
        mirror(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0), ("already_there", 38)]);
        let left = messages(&ground.tree());
        assert_eq!(left.len(), 38);
        assert!(
            left.iter().all(|path| before.contains_key(path)),
            "a message that stays was written anew"
        );

        // What looks like an accident of the source stops at the brake.
        client.expunge("6:40");
        mirror(&[]).ended(9).counts(&[("deleted", 0)]);
        assert_eq!(messages(&ground.tree()), left);
        mirror(&["--max-delete", "35"])
            .ended(0)
            .counts(&[("deleted", 35)]);
        let pointed = account(&format!("mirrorat{round}"));
        Dovecot::shared().take_over(&pointed, &ground.tree());
        assert_eq!(snapshot(&pointed).content(), snapshot(&source).content());
    }
}

#[test]
fn what_can_not_be_is_said_with_its_path_and_the_next_step() {
    let ground = Ground::new("maildir");
    let tree = ground.address();
    let source = account("sayings");
    Client::login(&source).append(&["INBOX"], mailboxes::messages(1).into_iter());
    let address = source.plain_address();
    for (arguments, code, words) in [
        (
            &["folders", &tree][..],
            1,
            &["no such directory", "backup/ann", "mounted"][..],
        ),
        (
            &["copy", &tree, &address],
            1,
            &["no such directory", "backup/ann"],
        ),
        (
            &["verify", &address, &tree],
            1,
            &["no such directory", "backup/ann"],
        ),
        (&["copy", &tree, &tree], 2, &["the same directory"]),
        (
            &["copy", &address, "maildir:"],
            2,
            &["needs the path", "maildir:PATH"],
        ),
        (
            &["copy", &address, &tree, "--target-password-command", "true"],
            2,
            &["needs no password"],
        ),
        (
            &["copy", &tree, &address, "--search", "SEEN"],
            2,
            &["--search", "IMAP server"],
        ),
        (&["folders", "maildir:/etc"], 1, &["/etc is not a Maildir"]),
        (
            &["copy", &address, "maildir:/etc"],
            1,
            &["/etc is not a Maildir", "empty directory"],
        ),
    ] {
        let run = run(arguments).ended(code);
        assert!(
            words.iter().all(|word| run.stderr.contains(word)),
            "{arguments:?}: {}",
            run.stderr
        );
    }
    assert!(!ground.root.path().join("backup").exists());
}

#[test]
fn names_that_a_directory_can_not_hold_are_escaped_and_come_back() {
    let dovecot = Dovecot::shared();
    let source = dovecot.account("escaped", super::Personality::Mdbox);
    let restored = dovecot.account("unescaped", super::Personality::Mdbox);
    let mut client = Client::login(&source);
    let odd = [&["a.b"][..], &["v1.2", "x.y"], &["..."], &["Œuvre"]];
    for name in odd {
        client.create(name);
        client.append(
            name,
            std::iter::once(NewMessage::of(format!(
                "Subject: {}\r\n\r\nx\r\n",
                names::encode(name[0])
            ))),
        );
    }
    let ground = Ground::new("maildir");
    copy(&source, &ground.address(), &[])
        .ended(0)
        .counts(&[("copied", odd.len() as u64)]);
    assert!(ground.tree().join(".a=2Eb/cur").is_dir());
    copy(&source, &ground.address(), &[])
        .ended(0)
        .counts(&[("copied", 0), ("folders_created", 0)]);
    copy(&ground.address(), &restored, &[])
        .ended(0)
        .counts(&[("copied", odd.len() as u64)]);
    assert_eq!(snapshot(&restored).content(), snapshot(&source).content());
}
