//! A directory that earlier runs have filled, and that is not there any more or is empty: most
//! likely its disk is not mounted.

use super::{Ground, account, snapshot};
use crate::lab::client::Client;
use crate::lab::pair::letters;
use crate::lab::run::{copy, sync};
use crate::lab::servers::Account;
use std::path::Path;

fn filled(name: &str) -> Account {
    let account = account(name);
    let mut client = Client::login(&account);
    client.create(&["Work"]);
    client.append(&["INBOX"], letters("mail", 3));
    client.append(&["Work"], letters("work", 2));
    account
}

/// As it is where the disk is not mounted: gone, or an empty directory.
fn unmount(place: &Path, is_empty: bool) {
    std::fs::rename(place, place.with_extension("away")).unwrap();
    if is_empty {
        std::fs::create_dir(place).unwrap();
    }
}

fn mount(place: &Path, is_empty: bool) {
    if is_empty {
        // Fails where something was written to it.
        std::fs::remove_dir(place).unwrap();
    }
    assert!(!place.exists(), "it was made");
    std::fs::rename(place.with_extension("away"), place).unwrap();
}

#[test]
fn a_backup_that_is_not_mounted_is_refused_until_it_is_meant() {
    let source = filled("unmounted");
    for kind in ["maildir", "mbox"] {
        for is_empty in [false, true] {
            let ground = Ground::new("maildir");
            let place = ground.root.path().join("place");
            let (target, state) = (format!("{kind}:{}", place.display()), ground.state());
            let options = ["--state", state.as_str()];
            copy(&source, &target, &options)
                .ended(0)
                .counts(&[("copied", 5)]);
            unmount(&place, is_empty);
            for more in [&[][..], &["--dry-run"], &["--delete", "--keep-deleted"]] {
                let said = copy(&source, &target, &[&options[..], more].concat()).ended(1);
                assert!(
                    said.says("--new-target") && said.says("5 messages"),
                    "{}",
                    said.stderr
                );
            }
            mount(&place, is_empty);
            copy(&source, &target, &options)
                .ended(0)
                .counts(&[("copied", 0), ("already_there", 5)]);
            // A new disk.
            unmount(&place, is_empty);
            copy(
                &source,
                &target,
                &[&options[..], &["--new-target"]].concat(),
            )
            .ended(0)
            .counts(&[("copied", 5)]);
            copy(&source, &target, &options)
                .ended(0)
                .counts(&[("copied", 0), ("already_there", 5)]);
        }
    }
}

#[test]
fn a_side_of_a_sync_that_is_not_mounted_deletes_nothing_on_the_other() {
    for kind in ["maildir", "mbox"] {
        for (is_empty, is_first) in [(false, true), (true, true), (false, false), (true, false)] {
            let server = filled("unsynced");
            let before = snapshot(&server).content();
            let ground = Ground::new("maildir");
            let place = ground.root.path().join("place");
            let (local, state) = (format!("{kind}:{}", place.display()), ground.state());
            let go = |more: &[&str]| {
                let options = [&["--state", &state][..], more].concat();
                if is_first {
                    sync(&local, &server, &options)
                } else {
                    sync(&server, &local, &options)
                }
            };
            go(&[]).ended(0);
            unmount(&place, is_empty);
            for more in [&[][..], &["--dry-run"]] {
                let said = go(more).ended(1);
                assert!(said.says("--new-target"), "{}", said.stderr);
            }
            assert_eq!(snapshot(&server).content(), before);
            mount(&place, is_empty);
            go(&[]).ended(0).counts(&[("copied", 0), ("deleted", 0)]);
            unmount(&place, is_empty);
            go(&["--new-target", "--dry-run"])
                .ended(0)
                .counts(&[("copied", 5), ("deleted", 0)]);
            go(&["--new-target"])
                .ended(0)
                .counts(&[("copied", 5), ("deleted", 0)]);
            assert_eq!(snapshot(&server).content(), before);
            go(&[]).ended(0).counts(&[("copied", 0), ("deleted", 0)]);
        }
    }
}

#[test]
fn an_account_that_is_empty_now_is_filled_again_and_it_is_said() {
    let (source, target) = (filled("refill"), account("refilled"));
    let ground = Ground::new("maildir");
    let state = ground.state();
    copy(&source, &target, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 5)]);
    // Everything in it was deleted: it is the same account.
    let mut client = Client::login(&target);
    for folder in ["INBOX", "Work"] {
        client.select(&[folder]);
        client.expunge("1:*");
    }
    let said = copy(&source, &target, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 5)]);
    assert!(!said.says("is now empty"), "{}", said.stderr);
    drop(client);
    let (fresh, kept) = (account("refillfresh"), tempfile::tempdir().unwrap());
    Client::login(&fresh).create(&["Other"]);
    fresh.copy_home(kept.path());
    target.restore_home(kept.path());
    let said = copy(&source, &target, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 5)]);
    assert!(said.says("is now empty"), "{}", said.stderr);
}
