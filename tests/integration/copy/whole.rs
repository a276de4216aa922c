//! Whole mailboxes: every message byte for byte, with its flags and its date to the second, exactly
//! once.

use super::{commands, count_commands, overheard, plain_accounts, snapshot};
use crate::lab::client::Client;
use crate::lab::generator::{self, Mailbox};
use crate::lab::run::{copy, verify};
use crate::lab::servers::{Account, Dovecot, Personality};
use sha2::{Digest as _, Sha256};

/// What writes to a mailbox.
const WRITING: [&str; 14] = [
    "SELECT",
    "APPEND",
    "CREATE",
    "DELETE",
    "RENAME",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "STORE",
    "UID STORE",
    "COPY",
    "UID COPY",
    "UID MOVE",
    "EXPUNGE",
    "CLOSE",
];

/// `\Recent` messages of every folder of the generator: who opens a folder with SELECT takes the
/// mark away.
fn recent(account: &Account, mailbox: &Mailbox) -> Vec<String> {
    let mut client = Client::login(account);
    let mut of = |levels: &[&str]| {
        let replies = client.command(&format!("STATUS {} (RECENT)", client.name(levels)));
        format!("{levels:?} {:?}", replies.last().unwrap().last().unwrap())
    };
    mailbox
        .folders
        .iter()
        .map(|folder| of(&folder.levels))
        .collect()
}

/// Removes the generator's message of that folder and number from the account, once.
fn remove(account: &Account, mailbox: &Mailbox, folder: &[&str], number: usize) {
    let made = mailbox
        .folders
        .iter()
        .find(|made| made.levels == folder)
        .unwrap();
    let wanted: [u8; 32] = Sha256::digest(made.messages().nth(number).unwrap().bytes).into();
    let found = snapshot(account)
        .folder(folder)
        .iter()
        .find(|message| message.sha256 == wanted)
        .unwrap()
        .uid;
    let mut client = Client::login(account);
    client.select(folder);
    client.store(&found.to_string(), "+FLAGS.SILENT", "\\Deleted");
    client.command(&format!("UID EXPUNGE {found}"));
}

#[test]
fn three_thousand_messages_cross_exactly_and_only_once() {
    let [source, target] = plain_accounts("whole");
    let mailbox = generator::mailbox(1, 3000);
    Client::login(&source).fill(&mailbox);
    let (before, recent_before) = (snapshot(&source), recent(&source, &mailbox));

    // The first run copies everything.
    let ((source_wire, by_source), (_, by_target)) = (overheard(&source), overheard(&target));
    copy(&by_source, &by_target, &[]).ended(0).counts(&[
        ("copied", 3000),
        ("already_there", 0),
        ("folders", 18),
        ("folders_created", 17),
        ("failed", 0),
        ("folders_failed", 0),
        ("skipped", 0),
    ]);
    let after = snapshot(&target);
    assert_eq!(after.content(), before.content());
    assert_eq!(after.subscribed, before.subscribed);

    // The source is as it was, and nothing was sent to it that could have changed it.
    assert_eq!(snapshot(&source), before);
    assert_eq!(recent(&source, &mailbox), recent_before);
    let said = commands(&source_wire);
    assert_eq!(count_commands(&said, &WRITING), 0);
    let bodies = said.iter().filter(|command| command.contains("BODY["));
    assert_eq!(bodies.count(), 0, "a body was fetched without PEEK");

    // The second run finds everything there, by headers alone, and writes nothing.
    let ((source_wire, by_source), (target_wire, by_target)) =
        (overheard(&source), overheard(&target));
    let counts = [
        ("copied", 0),
        ("already_there", 3000),
        ("folders_created", 0),
        ("flags_updated", 0),
    ];
    copy(&by_source, &by_target, &[]).ended(0).counts(&counts);
    let written: Vec<_> = WRITING
        .into_iter()
        .filter(|verb| *verb != "SELECT")
        .collect();
    assert_eq!(count_commands(&commands(&target_wire), &written), 0);
    assert!(
        !commands(&source_wire)
            .iter()
            .any(|command| command.contains("BODY.PEEK[]"))
    );

    // The third copies what was deleted on the target.
    let removed: [(&[&str], usize); 10] = [
        // Without a Message-ID.
        (&["INBOX"], 42),
        // One with the Message-ID of another.
        (&["INBOX"], 60),
        // One of a pair of equals.
        (&["INBOX"], 96),
        (&["Sent"], 0),
        (&["Sent"], 300),
        (&["Drafts"], 1),
        (&["Archive", "2024", "Quarter 1"], 5),
        (&["Projects", "Say \"hello\""], 3),
        (&["项目", "会议记录"], 0),
        (&["Клиенты"], 7),
    ];
    for (folder, number) in removed {
        remove(&target, &mailbox, folder, number);
    }
    assert_eq!(snapshot(&target).count(), 2990);
    verify(&source, &target, &[]).ended(4).counts(&[
        ("missing", 10),
        ("extra", 0),
        ("changed", 0),
        ("compared", 2990),
    ]);
    copy(&source, &target, &[])
        .ended(0)
        .counts(&[("copied", 10), ("already_there", 2990)]);
    assert_eq!(snapshot(&target).content(), before.content());
    for options in [&[][..], &["--deep"]] {
        let run = verify(&source, &target, options)
            .ended(0)
            .counts(&[("compared", 3000), ("failed", 0)]);
        assert!(run.summary()["equal"] == true, "{run:?}");
    }
}

#[test]
fn another_separator_and_prefix_and_back_give_the_same_tree() {
    let dovecot = Dovecot::shared();
    let first = dovecot.account("there", Personality::Plain);
    let dotted = dovecot.account("dotted", Personality::Dot);
    let last = dovecot.account("back", Personality::Plain);
    Client::login(&first).fill(&generator::mailbox(2, 300));
    let before = snapshot(&first);
    for (source, target) in [(&first, &dotted), (&dotted, &last)] {
        copy(source, target, &[])
            .ended(0)
            .counts(&[("copied", 300), ("folders_created", 17)]);
        let after = snapshot(target);
        assert_eq!(after.content(), before.content());
        assert_eq!(after.subscribed, before.subscribed);
        verify(source, target, &["--deep"]).ended(0);
        copy(source, target, &[])
            .ended(0)
            .counts(&[("copied", 0), ("folders_created", 0)]);
    }
    verify(&first, &last, &[]).ended(0);
}

#[test]
fn a_name_with_the_targets_separator_comes_back_as_it_was() {
    let dovecot = Dovecot::shared();
    let first = dovecot.account("there", Personality::Mdbox);
    let dotted = dovecot.account("dotted", Personality::Dot);
    let last = dovecot.account("back", Personality::Mdbox);
    let mut client = Client::login(&first);
    for levels in [&["v1.2 & v1.3"][..], &["v1.2 & v1.3", "notes.txt"]] {
        client.create(levels);
        client.append(levels, (0..3).map(super::letter));
    }
    for (source, target) in [(&first, &dotted), (&dotted, &last)] {
        copy(source, target, &[])
            .ended(0)
            .counts(&[("copied", 6), ("folders_created", 2)]);
        verify(source, target, &["--deep"]).ended(0);
        copy(source, target, &[])
            .ended(0)
            .counts(&[("copied", 0), ("folders_created", 0)]);
    }
    assert_eq!(snapshot(&last).content(), snapshot(&first).content());
}
