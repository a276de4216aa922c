//! Trees that somebody else has made: links, names that lead elsewhere, what can't be read. Each is
//! named, the rest goes.

use super::{Ground, account, messages, snapshot};
use crate::lab::client::Client;
use crate::lab::mailboxes;
use crate::lab::run::{copy, folders};
use std::os::unix::fs::symlink;

#[test]
fn nothing_of_a_hostile_tree_leads_out_of_it_and_nothing_is_lost_without_a_word() {
    let (source, target) = (account("hostilefrom"), account("hostileto"));
    Client::login(&source).append(&["INBOX"], mailboxes::messages(20).into_iter());
    let ground = Ground::new("maildir");
    copy(&source, &ground.address(), &[]).ended(0);
    let tree = ground.tree();
    let outside = ground.root.path().join("outside");
    std::fs::create_dir_all(outside.join("cur")).unwrap();
    std::fs::write(
        outside.join("cur/1.host:2,"),
        "Subject: private\r\n\r\nx\r\n",
    )
    .unwrap();
    symlink(outside.join("cur/1.host:2,"), tree.join("cur/7.host:2,S")).unwrap();
    symlink(&outside, tree.join(".Linked")).unwrap();
    // Whoever opened it would wait for somebody at its other end.
    let pipe = tree.join("cur/8.host:2,S");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for name in [".Ctrl\n\u{1b}[31m", ".Bad&name", ".a..b", "..x"] {
        std::fs::create_dir_all(tree.join(name).join("cur")).unwrap();
        std::fs::create_dir(tree.join(name).join("new")).unwrap();
        std::fs::write(
            tree.join(name).join("cur/1.host:2,S"),
            format!("Subject: {name:?}\r\n\r\nx\r\n"),
        )
        .unwrap();
    }
    let run = copy(ground.address().as_str(), &target, &[]).ended(3);
    assert!(
        !run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'),
        "a name reached the terminal raw"
    );
    let said = format!("{}{}", run.stdout, run.stderr);
    for path in ["cur/7.host:2,S", ".Linked"] {
        assert!(
            said.contains(path) && said.contains("symbolic link"),
            "{path} is not named: {said}"
        );
    }
    assert!(
        said.contains("cur/8.host:2,S"),
        "the pipe is not named: {said}"
    );
    assert_eq!(run.count("failed"), 2);
    let there = snapshot(&target);
    assert_eq!(there.folder(&["INBOX"]).len(), 20);
    assert_eq!(there.count() as u64, run.count("copied"));
    // Every folder has come under some name, or was named as not usable.
    let failed = run.named("folder_failed").len();
    assert!(
        there.folders.len() + failed >= 1 + 1 + 4,
        "{:?} {said}",
        there.folders.keys()
    );
    assert_eq!(there.count() - 20 + failed - 1, 4, "{said}");
    folders(&ground.address(), &[]);
}

#[test]
fn a_link_in_the_target_is_not_written_through() {
    let source = account("linkfrom");
    let mut client = Client::login(&source);
    client.create(&["Work"]);
    client.append(&["Work"], mailboxes::messages(5).into_iter());
    client.append(&["INBOX"], mailboxes::messages(5).into_iter());
    let ground = Ground::new("maildir");
    let outside = ground.root.path().join("outside");
    for inner in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(outside.join(inner)).unwrap();
        std::fs::create_dir_all(ground.tree().join(inner)).unwrap();
    }
    symlink(&outside, ground.tree().join(".Work")).unwrap();
    let run = copy(&source, &ground.address(), &[])
        .ended(3)
        .counts(&[("copied", 5)]);
    assert!(
        run.says("symbolic link") && run.says(".Work"),
        "{}",
        run.stderr
    );
    assert!(messages(&outside).is_empty());
}
