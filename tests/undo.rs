//! What two-way sync lists and deletes, and `mailferry undo` brings back: each message has its subject, sender and date.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod lab;

use lab::client::{Client, NewMessage};
use lab::mailboxes::{empty, filled};
use lab::run::{Run, run};
use lab::servers::{Account, Personality};
use tempfile::TempDir;

/// A letter with this name.
fn letter(name: &str) -> NewMessage {
    NewMessage::of(format!(
        "From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\nSubject: =?utf-8?Q?M=C3=A4rz_{name}=1B?=\r\n\
         Date: Mon, 3 Mar 2025 10:20:30 +0130\r\nMessage-ID: <{name}@undo.example>\r\n\r\nbody\r\n"
    ))
}

/// Two accounts in step: letters a to d in INBOX, and e to g in Work.
struct Ground {
    sides: [Account; 2],
    state: TempDir,
}

impl Ground {
    fn new(name: &str) -> Self {
        let first = filled(&format!("{name}one"), ["a", "b", "c", "d"].map(letter).to_vec());
        let mut client = Client::login(&first);
        client.create(&["Work"]);
        client.append(&["Work"], ["e", "f", "g"].map(letter).into_iter());
        let second = empty(&format!("{name}two"), Personality::Plain);
        let ground = Self { sides: [first, second], state: tempfile::tempdir().unwrap() };
        ground.sync(&["--output", "json"]).ended(0);
        ground
    }

    fn command(&self, command: &str, words: &[&str], options: &[&str]) -> Run {
        let ends = self.sides.each_ref().map(Account::plain_address);
        let state = ["--state", self.state.path().to_str().unwrap()];
        run(&[&[command], words, &[&ends[0], &ends[1]], &state, options].concat())
    }

    fn sync(&self, options: &[&str]) -> Run {
        self.command("sync", &[], options)
    }

    /// Deletes messages on a side.
    fn expunge(&self, side: usize, folder: &str, uids: &str) {
        let mut client = Client::login(&self.sides[side]);
        client.select(&[folder]);
        client.expunge(uids);
    }
}

const A: &str = "\"März a\\u{1b}\" from Jörg <j@example.org>, 2025-03-03";

#[test]
fn a_rehearsed_sync_names_the_messages_of_each_change() {
    let ground = Ground::new("listed");
    ground.expunge(0, "INBOX", "1");
    let mut second = Client::login(&ground.sides[1]);
    second.append(&["INBOX"], [letter("new")].into_iter());
    let dry = ground.sync(&["--dry-run", "--output", "json"]).ended(0);
    assert_eq!(dry.texts("change", "subject"), ["März a\u{1b}", "März new\u{1b}"], "{dry:?}");
    assert_eq!(dry.texts("change", "date"), ["2025-03-03T10:20:30+01:30"; 2]);
    let brief = ground.sync(&["--dry-run"]).ended(0);
    assert!(brief.says(&format!("to delete on the second: INBOX: 1 message (UID 1)\n  UID 1 {A}")), "{brief:?}");
    let full = ground.sync(&["--dry-run", "-v"]).ended(0);
    assert!(full.says(&format!("delete INBOX UID 1 {A}: It was deleted")), "{full:?}");
    assert!(full.says("copy INBOX UID 5 \"März new"), "{full:?}");
    full.assert_harmless();
    // A conflict is told by the run that settles it, too.
    second.select(&["INBOX"]);
    second.store("1", "+FLAGS", "\\Flagged");
    let settled = ground.sync(&["--output", "json"]).ended(0);
    assert_eq!(settled.texts("change", "from"), ["Jörg <j@example.org>"], "{settled:?}");
}
