//! Another program works in the same tree: a mail client that marks messages, a server that
//! delivers.

use super::{Ground, account, snapshot};
use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes;
use crate::lab::run::{copy, verify};
use crate::lab::servers::Dovecot;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Marks messages as seen and unseen until it is stopped, by renaming them.
fn mark(tree: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for entry in std::fs::read_dir(tree.join("cur")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let new = name
                .strip_suffix('S')
                .map_or_else(|| format!("{name}S"), str::to_owned);
            // It may have been renamed already.
            let _ = std::fs::rename(tree.join("cur").join(&name), tree.join("cur").join(new));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Does something while somebody marks messages.
fn while_marking(tree: &Path, act: impl FnOnce()) {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| mark(tree, &stop));
        let _stop = Stop(&stop);
        act();
    });
}

fn bodies(account: &super::Account) -> Vec<[u8; 32]> {
    let mut all: Vec<_> = snapshot(account)
        .folder(&["INBOX"])
        .iter()
        .map(|message| message.sha256)
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn messages_that_are_renamed_while_they_are_read_or_written_beside_stay_one_each() {
    let (source, target) = (account("renamedfrom"), account("renamedto"));
    let mut client = Client::login(&source);
    client.append(&["INBOX"], mailboxes::messages(400).into_iter());
    let ground = Ground::new("maildir");
    let (tree, address) = (ground.tree(), ground.address());
    copy(&source, &address, &[])
        .ended(0)
        .counts(&[("copied", 400)]);
    // Read while it is marked.
    while_marking(&tree, || {
        copy(&address, &target, &[])
            .ended(0)
            .counts(&[("copied", 400), ("failed", 0)]);
    });
    assert_eq!(bodies(&target), bodies(&source));
    // Compared and written to while it is marked: what is there is found, what is new is added.
    client.append(
        &["INBOX"],
        (1000..1050).map(|n| mailboxes::message(n, "new")),
    );
    while_marking(&tree, || {
        copy(&source, &address, &["--flags", "ignore"])
            .ended(0)
            .counts(&[("copied", 50), ("already_there", 400)]);
    });
    copy(&source, &address, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 450)]);
    verify(&source, &address, &["--deep"]).counts(&[("missing", 0), ("extra", 0), ("changed", 0)]);
}

#[test]
fn dovecot_may_serve_the_tree_that_is_written_to() {
    let (source, shared) = (account("servedfrom"), account("served"));
    Client::login(&source).append(&["INBOX"], mailboxes::messages(60).into_iter());
    // Dovecot makes the tree, and has it open.
    let mut reader = Client::login(&shared);
    reader.append(
        &["INBOX"],
        std::iter::once(NewMessage::of("Subject: own\r\n\r\nx\r\n")),
    );
    reader.select(&["INBOX"]);
    let tree = format!("maildir:{}", Dovecot::shared().maildir(&shared).display());
    copy(&source, &tree, &[]).ended(0).counts(&[("copied", 60)]);
    reader.command("NOOP");
    reader.store("1:5", "+FLAGS", "\\Flagged $Label1");
    assert_eq!(snapshot(&shared).folder(&["INBOX"]).len(), 61);
    copy(&source, &tree, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 60)]);
    verify(&shared, &tree, &["--deep"]).ended(0);
}
