//! Folders that are renamed on the source are renamed on the target, with everything in them.

use crate::lab::client::Client;
use crate::lab::mailboxes::each;
use crate::lab::pair::{Pair, letters, snapshot};
use crate::lab::servers::{Cyrus, Dovecot, Personality};

/// The same mail, folders and subscriptions.
#[track_caller]
fn assert_same(ground: &Pair) {
    ground.assert_equal();
    assert_eq!(
        snapshot(&ground.target).subscribed,
        snapshot(&ground.source).subscribed
    );
}

fn fill(client: &mut Client, folders: &[&str]) {
    for folder in folders {
        let levels: Vec<&str> = folder.split('/').collect();
        client.create(&levels);
        client.subscribe(&levels);
        client.append(&levels, letters(folder, 4));
    }
}

#[test]
fn a_renamed_folder_is_renamed_with_all_below_it() {
    each(
        [
            Personality::Plain,
            Personality::NoQresync,
            Personality::Poor,
        ],
        |kind| {
            let ground = Pair::new("tree", kind);
            let mut client = Client::login(&ground.source);
            fill(
                &mut client,
                &["Work", "Work/2023", "Work/2023/Old", "Other"],
            );
            ground.copy(&[]).ended(0).counts(&[("copied", 16)]);
            client.command("RENAME Work Office");
            for (from, to) in [
                ("Work", "Office"),
                ("Work/2023", "Office/2023"),
                ("Work/2023/Old", "Office/2023/Old"),
            ] {
                client.command(&format!("UNSUBSCRIBE {from}"));
                client.command(&format!("SUBSCRIBE {to}"));
            }
            // And something has happened in it.
            client.append(&["Office", "2023"], letters("new", 2));
            client.select(&["Office"]);
            client.store("1", "+FLAGS", "\\Flagged");
            let expected = [
                ("folders_renamed", 3),
                ("folders_created", 0),
                ("copied", 2),
                ("already_there", 16),
            ];
            let dry = ground.copy(&["--dry-run"]).ended(0).counts(&expected);
            assert_eq!(
                dry.texts("folder_renamed", "to"),
                ["Office", "Office/2023", "Office/2023/Old"]
            );
            assert!(
                snapshot(&ground.target)
                    .folders
                    .contains_key(&vec!["Work".to_owned()]),
                "a dry run renames nothing"
            );
            ground
                .copy(&["--delete"])
                .ended(0)
                .counts(&expected)
                .counts(&[("flags_updated", 1), ("deleted", 0)]);
            assert_same(&ground);
            let again = [
                ("folders_renamed", 0),
                ("folders_created", 0),
                ("copied", 0),
                ("deleted", 0),
            ];
            ground.copy(&["--delete"]).ended(0).counts(&again);
            assert_same(&ground);
        },
    );
}

#[test]
fn a_folder_that_only_looks_like_the_old_one_is_a_new_one() {
    let ground = Pair::new("looks", Personality::Plain);
    let mut client = Client::login(&ground.source);
    fill(&mut client, &["Old"]);
    ground.copy(&[]).ended(0);
    // Made anew with other mail: Dovecot may give it the same UIDVALIDITY within a second.
    client.command("DELETE Old");
    client.command("UNSUBSCRIBE Old");
    client.create(&["New"]);
    client.subscribe(&["New"]);
    client.append(&["New"], letters("other", 4));
    ground.copy(&[]).ended(0).counts(&[
        ("folders_renamed", 0),
        ("folders_created", 1),
        ("copied", 4),
    ]);
    assert_eq!(snapshot(&ground.target).count(), 8);
}

#[test]
fn without_a_state_a_renamed_folders_mail_is_moved_and_not_sent() {
    let ground = Pair::new("stateless", Personality::Plain);
    let mut client = Client::login(&ground.source);
    fill(&mut client, &["Work"]);
    ground.copy_without_state(&[]).ended(0);
    client.command("RENAME Work Office");
    client.command("UNSUBSCRIBE Work");
    client.command("SUBSCRIBE Office");
    let run = ground.copy_without_state(&["--delete"]).ended(0);
    run.counts(&[
        ("copied_server_side", 4),
        ("bytes_copied", 0),
        ("folders_deleted", 1),
        ("deleted", 0),
    ]);
    assert_same(&ground);
}

#[test]
fn a_folder_of_the_targets_own_below_keeps_the_tree_where_it_is() {
    let ground = Pair::new("own", Personality::Plain);
    let mut client = Client::login(&ground.source);
    fill(&mut client, &["Work"]);
    ground.copy(&[]).ended(0);
    let mut owner = Client::login(&ground.target);
    owner.create(&["Work", "Mine"]);
    owner.append(&["Work", "Mine"], letters("mine", 2));
    client.command("RENAME Work Office");
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("folders_renamed", 0), ("folders_created", 1)]);
    let there = snapshot(&ground.target);
    assert_eq!(there.folder(&["Work", "Mine"]).len(), 2);
    assert_eq!(
        (
            there.folder(&["Work"]).len(),
            there.folder(&["Office"]).len()
        ),
        (4, 4)
    );
}

#[test]
fn cyrus_tells_which_folder_it_is_by_mailboxid() {
    let cyrus = Cyrus::shared();
    let ground = Pair::of(
        cyrus.account(),
        Dovecot::shared().account("fromcyrus", Personality::Plain),
    );
    let mut client = Client::login(&ground.source);
    fill(&mut client, &["Work", "Work/Deep"]);
    ground.copy(&[]).ended(0).counts(&[("copied", 8)]);
    let (from, to) = (client.name(&["Work"]), client.name(&["Office"]));
    client.command(&format!("RENAME {from} {to}"));
    let expected = [
        ("folders_renamed", 2),
        ("copied", 0),
        ("folders_deleted", 0),
        ("deleted", 0),
    ];
    ground.copy(&["--delete"]).ended(0).counts(&expected);
    ground.assert_equal();
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("folders_renamed", 0), ("copied", 0)]);
}
