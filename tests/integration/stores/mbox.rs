//! Directories of mbox files on either side of copy and verify, with a real Dovecot on the other,
//! which also reads what was written.

use super::{Ground, account};
use crate::lab::client::{Client, NewMessage, StoredMessage};
use crate::lab::pair::snapshot;
use crate::lab::run::{Running, copy, folders, run, verify};
use crate::lab::servers::{Dovecot, Personality};
use crate::lab::wire::Value;
use crate::lab::{generator, mailboxes};
use std::time::Duration;

#[test]
fn a_backup_in_mbox_files_comes_back_exactly() {
    let (source, restored) = (account("mboxfrom"), account("mboxto"));
    Client::login(&source).fill(&generator::mailbox(31, 1200));
    let before = snapshot(&source);
    let ground = Ground::new("mbox");
    let (mbox, state) = (ground.address(), ground.state());
    copy(&source, &mbox, &["--dry-run"])
        .ended(0)
        .counts(&[("copied", 1200)]);
    assert!(!ground.root.path().join("backup").exists());
    copy(&source, &mbox, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 1200), ("failed", 0), ("folders_created", 17)]);
    let again = [
        ("copied", 0),
        ("already_there", 1200),
        ("flags_updated", 0),
        ("folders_created", 0),
    ];
    let second = copy(&source, &mbox, &["--state", &state])
        .ended(0)
        .counts(&again);
    assert!(
        second.count("source.round_trips") <= 6,
        "folders in step were opened: {}",
        second.summary()
    );
    copy(&source, &mbox, &["--no-state"])
        .ended(0)
        .counts(&again);
    verify(&source, &mbox, &["--deep"]).ended(0).counts(&[
        ("missing", 0),
        ("extra", 0),
        ("flags_differ", 0),
    ]);
    mailboxes::assert_folders(&folders(&mbox, &[]).ended(0), &before);
    copy(&mbox, &restored, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 1200)]);
    let after = snapshot(&restored);
    assert_eq!(after.content(), before.content());
    assert_eq!(after.subscribed, before.subscribed);
    copy(&mbox, &restored, &["--state", &state])
        .ended(0)
        .counts(&again);
    // And into a Maildir, and from it.
    let maildir = format!("maildir:{}", ground.root.path().join("tree").display());
    copy(&mbox, &maildir, &[])
        .ended(0)
        .counts(&[("copied", 1200)]);
    verify(&maildir, &mbox, &["--deep"]).ended(0);
}

#[test]
fn dovecot_reads_what_is_written() {
    let source = account("writes");
    let mut client = Client::login(&source);
    client.append(&["INBOX"], mailboxes::messages(25).into_iter());
    let head = "Subject: tricky\r\nFrom: ann@example.org\r\n\r\n";
    let body =
        "\r\nFrom here on\r\n>From there\r\n\r\nFrom ann Thu Feb  1 01:34:05 2024\r\nend\r\n";
    let flags = ["\\Seen", "\\Flagged", "\\Answered", "$Label1"]
        .map(str::to_owned)
        .to_vec();
    let bytes = format!("{head}{body}").into_bytes();
    client.append(
        &["INBOX"],
        std::iter::once(NewMessage {
            flags,
            date: None,
            bytes,
        }),
    );
    let ground = Ground::new("mbox");
    copy(&source, &ground.address(), &[])
        .ended(0)
        .counts(&[("copied", 26)]);
    let reader = Dovecot::shared().account("reads", Personality::Mbox);
    // The one file alone: to Dovecot what mailferry keeps beside it would be a folder too.
    let files = ground.root.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::copy(ground.tree().join("INBOX"), files.join("INBOX")).unwrap();
    Dovecot::shared().take_over_mbox(&reader, &files);
    // Dovecot takes keywords only from files that list them in an X-IMAPbase of its own.
    let is_own = |flag: &&String| flag.starts_with('\\');
    let flags = |message: &StoredMessage| {
        message
            .flags
            .iter()
            .filter(is_own)
            .cloned()
            .collect::<Vec<_>>()
    };
    let flags = |account| {
        snapshot(account)
            .folder(&["INBOX"])
            .iter()
            .map(flags)
            .collect::<Vec<_>>()
    };
    assert_eq!(flags(&reader), flags(&source));
    let text = std::fs::read_to_string(files.join("INBOX")).unwrap();
    assert_eq!(text.matches("\nX-Keywords: $Label1\n").count(), 1);
    // All of a message but the line of mailferry's own in its head.
    let parts = "BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT MESSAGE-ID)] BODY.PEEK[TEXT]";
    let fetched = |account| {
        let mut client = Client::login(account);
        client.select(&["INBOX"]);
        client.command(&format!("FETCH 1:* ({parts})"))
    };
    let (written, mut read) = (fetched(&source), fetched(&reader));
    assert_eq!((written.len(), read.len()), (26, 26));
    // It leaves the `>` that keeps a line from being taken for a separator.
    let last = format!("{:?}", read.pop().unwrap());
    assert!(
        last.contains(&format!(
            "{:?}",
            Value::Text(body.replace("From ", ">From ").into())
        )),
        "{last}"
    );
    assert_eq!(read, written[..25]);
    verify(&source, &ground.address(), &["--deep"]).ended(0);
}

#[test]
fn changes_of_flags_reach_the_files() {
    let source = account("mboxflags");
    let mut client = Client::login(&source);
    client.append(&["INBOX"], mailboxes::messages(12).into_iter());
    let ground = Ground::new("mbox");
    let (mbox, state) = (ground.address(), ground.state());
    copy(&source, &mbox, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 12)]);
    client.select(&["INBOX"]);
    client.store("1:4", "+FLAGS", "\\Flagged $Label1");
    client.store("1:12", "-FLAGS", "\\Seen");
    copy(&source, &mbox, &["--state", &state])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 12)]);
    copy(&source, &mbox, &["--state", &state])
        .ended(0)
        .counts(&[("flags_updated", 0)]);
    verify(&source, &mbox, &["--deep"])
        .ended(0)
        .counts(&[("flags_differ", 0)]);
}

#[test]
fn killed_again_and_again_it_ends_equal() {
    let source = account("mboxkilled");
    Client::login(&source).fill(&generator::mailbox(32, 500));
    let ground = Ground::new("mbox");
    let (address, mbox, state) = (source.plain_address(), ground.address(), ground.state());
    let mut grown = 0;
    let mut size = 0;
    for kill in 0..20 {
        let run = Running::start(&[
            "copy",
            &address,
            &mbox,
            "--limit-rate",
            "2M",
            "--output",
            "json",
            "--state",
            &state,
        ]);
        run.wait_for_line_with("\"planned\"");
        std::thread::sleep(Duration::from_millis(kill * 7919 % 500));
        run.kill();
        // What is there at any moment are whole messages of the source: none differs, none is more.
        if ground.tree().join("INBOX").exists() {
            let seen = verify(&source, &mbox, &[]);
            assert_eq!(
                (seen.count("extra"), seen.count("changed")),
                (0, 0),
                "{}",
                seen.stdout
            );
        }
        let sizes = |path: &std::path::Path| -> u64 {
            let entries = std::fs::read_dir(path).into_iter().flatten();
            entries
                .map(|entry| entry.unwrap().metadata().unwrap().len())
                .sum()
        };
        let now = sizes(&ground.tree());
        grown += usize::from(now > size);
        size = now;
    }
    assert!(grown >= 2, "no run was killed while it wrote");
    copy(&source, &mbox, &["--state", &state]).ended(0);
    verify(&source, &mbox, &["--deep"])
        .ended(0)
        .counts(&[("missing", 0), ("extra", 0)]);
}

#[test]
fn what_is_no_directory_of_mbox_files_is_said() {
    let ground = Ground::new("mbox");
    std::fs::create_dir_all(ground.tree()).unwrap();
    std::fs::write(ground.tree().join("notes.txt"), "mine").unwrap();
    let said = run(&["folders", &ground.address()]).ended(1);
    assert!(
        said.says("holds no mbox file") && said.says("backup/ann"),
        "{}",
        said.stderr
    );
    let said = run(&["folders", "mbox:/nowhere/at/all"]).ended(1);
    assert!(
        said.says("no such directory: /nowhere/at/all"),
        "{}",
        said.stderr
    );
}
