//! Directories of mbox files on either side of copy and verify, with a real Dovecot on the other, and read by another
//! program's reader.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod lab;

use lab::client::{Client, NewMessage, Snapshot};
use lab::run::{Running, copy, folders, run, verify};
use lab::servers::{Account, Dovecot, Personality};
use lab::{generator, mailboxes};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

struct Ground {
    root: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("backup/ann")
    }

    fn address(&self) -> String {
        format!("mbox:{}", self.path().display())
    }

    fn state(&self) -> String {
        self.root.path().join("state").display().to_string()
    }
}

fn account(name: &str) -> Account {
    Dovecot::shared().account(name, Personality::Plain)
}

fn snapshot(account: &Account) -> Snapshot {
    Client::login(account).snapshot()
}

#[test]
fn a_backup_in_mbox_files_comes_back_exactly() {
    let (source, restored) = (account("mboxfrom"), account("mboxto"));
    Client::login(&source).fill(&generator::mailbox(31, 1200));
    let before = snapshot(&source);
    let ground = Ground::new();
    let (mbox, state) = (ground.address(), ground.state());
    copy(&source, &mbox, &["--dry-run"]).ended(0).counts(&[("copied", 1200)]);
    assert!(!ground.root.path().join("backup").exists());
    copy(&source, &mbox, &["--state", &state]).ended(0).counts(&[
        ("copied", 1200),
        ("failed", 0),
        ("folders_created", 17),
    ]);
    let again = [("copied", 0), ("already_there", 1200), ("flags_updated", 0), ("folders_created", 0)];
    let second = copy(&source, &mbox, &["--state", &state]).ended(0).counts(&again);
    assert!(second.count("source.round_trips") <= 6, "folders in step were opened: {}", second.summary());
    copy(&source, &mbox, &["--no-state"]).ended(0).counts(&again);
    verify(&source, &mbox, &["--deep"]).ended(0).counts(&[("missing", 0), ("extra", 0), ("flags_differ", 0)]);
    mailboxes::assert_folders(&folders(&mbox, &[]).ended(0), &before);
    copy(&mbox, &restored, &["--state", &state]).ended(0).counts(&[("copied", 1200)]);
    let after = snapshot(&restored);
    assert_eq!(after.content(), before.content());
    assert_eq!(after.subscribed, before.subscribed);
    copy(&mbox, &restored, &["--state", &state]).ended(0).counts(&again);
    // And into a Maildir, and from it.
    let maildir = format!("maildir:{}", ground.root.path().join("tree").display());
    copy(&mbox, &maildir, &[]).ended(0).counts(&[("copied", 1200)]);
    verify(&maildir, &mbox, &["--deep"]).ended(0);
}

#[test]
fn pythons_mailbox_reads_what_is_written() {
    let source = account("python");
    let mut client = Client::login(&source);
    client.append(&["INBOX"], mailboxes::messages(25).into_iter());
    let tricky = "Subject: tricky\r\n\r\nFrom here on\r\n>From there\r\n\r\nFrom ann Thu Feb  1 01:34:05 2024\r\nend";
    let flags = ["\\Seen", "\\Flagged", "\\Answered", "$Label1"].map(str::to_owned).to_vec();
    client.append(&["INBOX"], std::iter::once(NewMessage { flags, date: None, bytes: tricky.into() }));
    let ground = Ground::new();
    copy(&source, &ground.address(), &[]).ended(0).counts(&[("copied", 26)]);
    let script = "import mailbox, sys\nbox = mailbox.mbox(sys.argv[1], create=False)\n\
                  for m in box: print(m['Subject'], ''.join(sorted(m.get_flags())), m['X-Keywords'] or '-', len(m.get_payload().splitlines()))";
    let read = Command::new("python3").args(["-c", script]).arg(ground.path().join("INBOX")).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let text = String::from_utf8(read.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 26);
    assert!(lines[0].starts_with("number 0 OR - 1"), "{}", lines[0]);
    assert!(lines[1].starts_with("number 1 O - 1"), "{}", lines[1]);
    assert_eq!(lines[25], "tricky AFOR $Label1 5");
    verify(&source, &ground.address(), &["--deep"]).ended(0);
}

#[test]
fn changes_of_flags_reach_the_files() {
    let source = account("mboxflags");
    let mut client = Client::login(&source);
    client.append(&["INBOX"], mailboxes::messages(12).into_iter());
    let ground = Ground::new();
    let (mbox, state) = (ground.address(), ground.state());
    copy(&source, &mbox, &["--state", &state]).ended(0).counts(&[("copied", 12)]);
    client.select(&["INBOX"]);
    client.store("1:4", "+FLAGS", "\\Flagged $Label1");
    client.store("1:12", "-FLAGS", "\\Seen");
    copy(&source, &mbox, &["--state", &state]).ended(0).counts(&[("copied", 0), ("already_there", 12)]);
    copy(&source, &mbox, &["--state", &state]).ended(0).counts(&[("flags_updated", 0)]);
    verify(&source, &mbox, &["--deep"]).ended(0).counts(&[("flags_differ", 0)]);
}

#[test]
fn killed_again_and_again_it_ends_equal() {
    let source = account("mboxkilled");
    Client::login(&source).fill(&generator::mailbox(32, 500));
    let ground = Ground::new();
    let (address, mbox, state) = (source.plain_address(), ground.address(), ground.state());
    let mut grown = 0;
    let mut size = 0;
    for kill in 0..20 {
        let run =
            Running::start(&["copy", &address, &mbox, "--limit-rate", "2M", "--output", "json", "--state", &state]);
        run.wait_for_line_with("\"planned\"");
        std::thread::sleep(Duration::from_millis(kill * 7919 % 500));
        run.kill();
        // What is there at any moment are whole messages of the source: none differs, none is more.
        if ground.path().join("INBOX").exists() {
            let seen = verify(&source, &mbox, &[]);
            assert_eq!((seen.count("extra"), seen.count("changed")), (0, 0), "{}", seen.stdout);
        }
        let sizes = |path: &std::path::Path| -> u64 {
            let entries = std::fs::read_dir(path).into_iter().flatten();
            entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
        };
        let now = sizes(&ground.path());
        grown += usize::from(now > size);
        size = now;
    }
    assert!(grown >= 2, "no run was killed while it wrote");
    copy(&source, &mbox, &["--state", &state]).ended(0);
    verify(&source, &mbox, &["--deep"]).ended(0).counts(&[("missing", 0), ("extra", 0)]);
}

#[test]
fn what_is_no_directory_of_mbox_files_is_said() {
    let ground = Ground::new();
    std::fs::create_dir_all(ground.path()).unwrap();
    std::fs::write(ground.path().join("notes.txt"), "mine").unwrap();
    let said = run(&["folders", &ground.address()]).ended(1);
    assert!(said.says("holds no mbox file") && said.says("backup/ann"), "{}", said.stderr);
    let said = run(&["folders", "mbox:/nowhere/at/all"]).ended(1);
    assert!(said.says("there is no directory /nowhere/at/all"), "{}", said.stderr);
}
