//! Random edits on both sides of a sync, on two real servers: after a run both sides are equal, a
//! further run does nothing, and no message is missing unless it was deleted.
//!
//! `MAILFERRY_SEED` chooses the series, `MAILFERRY_ROUNDS` the number of rounds of edits per pair
//! of mailboxes, `MAILFERRY_KILLS` the number of killed runs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use crate::lab::client::{Client, NewMessage, Snapshot};
use crate::lab::generator::random::{self, Random};
use crate::lab::mailboxes::each;
use crate::lab::run::{Run, Running, sync};
use crate::lab::servers::{Account, Dovecot, Personality};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const FOLDERS: [&str; 5] = ["Work", "Work/Old", "Lists", "Trips", "Notes"];
const FLAGS: [&str; 5] = ["\\Seen", "\\Flagged", "\\Answered", "work", "later"];

/// Kinds of edits of messages and new folders, and with them those of whole folders.
const MESSAGE_KINDS: u64 = 10;
const ALL_KINDS: u64 = 12;

struct Ground {
    sides: [Account; 2],
    state: tempfile::TempDir,
    random: Random,
    letters: u64,
    /// The subjects of messages that nobody has deleted.
    alive: BTreeSet<[u8; 32]>,
    /// The numbers of all letters.
    names: BTreeMap<[u8; 32], u64>,
    log: Vec<String>,
}

impl Ground {
    fn new(kinds: [Personality; 2], seed: u64) -> Self {
        let account = |kind| Dovecot::shared().account("random", kind);
        Self {
            sides: kinds.map(account),
            state: tempfile::tempdir().unwrap(),
            random: Random::new(seed),
            letters: seed * 1_000_000,
            alive: BTreeSet::new(),
            names: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    fn options(&self) -> [&str; 4] {
        [
            "--state",
            self.state.path().to_str().unwrap(),
            "--max-delete",
            "100%",
        ]
    }

    fn sync(&self) -> Run {
        sync(&self.sides[0], &self.sides[1], &self.options())
    }

    fn snapshots(&self) -> [Snapshot; 2] {
        [0, 1].map(|side| Client::login(&self.sides[side]).snapshot())
    }

    fn letter(&mut self) -> NewMessage {
        self.letters += 1;
        let number = self.letters;
        // Some have no Message-ID.
        let id = if number.is_multiple_of(7) {
            String::new()
        } else {
            format!("Message-ID: <{number}@random>\r\n")
        };
        let body = "a line of a body\r\n".repeat(1 + self.random.below(60) as usize);
        let date = format!(
            "{:02}-Mar-2024 10:{:02}:05 +0000",
            1 + number % 28,
            number % 60
        );
        let text = format!(
            "{id}Subject: letter {number}\r\nFrom: ann@example.org\r\n\r\n{number}\r\n{body}"
        );
        self.names.insert(sha(text.as_bytes()), number);
        NewMessage {
            date: Some(date),
            ..NewMessage::of(text)
        }
    }

    /// One edit on a side: of messages only, or of folders too.
    fn edit(&mut self, side: usize, kinds: u64) {
        let mut client = Client::login(&self.sides[side]);
        let snapshot = client.snapshot();
        let names: Vec<Vec<String>> = snapshot.folders.keys().cloned().collect();
        let folder = names[self.random.below(names.len() as u64) as usize].clone();
        let mails = snapshot.folders[&folder].clone();
        let what = self.random.below(kinds);
        self.log.push(format!("side {side}: {what} in {folder:?}"));
        match what {
            0..=3 => {
                let count = 1 + self.random.below(4);
                let letters: Vec<NewMessage> = (0..count).map(|_| self.letter()).collect();
                self.alive
                    .extend(letters.iter().map(|letter| sha(&letter.bytes)));
                client.append(&folder, letters.into_iter());
            }
            4..=5 if !mails.is_empty() => {
                let mail = &mails[self.random.below(mails.len() as u64) as usize];
                client.select(&folder);
                let how = self.random.of(&["+FLAGS", "-FLAGS"]);
                let flag = self.random.of(&FLAGS);
                client.store(&mail.uid.to_string(), how, flag);
            }
            6..=7 if !mails.is_empty() => {
                let mail = &mails[self.random.below(mails.len() as u64) as usize];
                self.alive.remove(&mail.sha256);
                client.select(&folder);
                client.expunge(&mail.uid.to_string());
            }
            8 if !mails.is_empty() => {
                let mail = &mails[self.random.below(mails.len() as u64) as usize];
                let to = names[self.random.below(names.len() as u64) as usize].clone();
                if to != folder {
                    client.select(&folder);
                    let to = client.name(&to);
                    client.command(&format!("UID MOVE {} {to}", mail.uid));
                }
            }
            9 => {
                let name: Vec<&str> = self.random.of(&FOLDERS).split('/').collect();
                let name = client.name(&name);
                // It may be there.
                client.try_command(&format!("CREATE {name}"));
            }
            10 if folder != ["INBOX"] => {
                let from = client.name(&folder);
                let to: Vec<&str> = self.random.of(&FOLDERS).split('/').collect();
                let to = client.name(&to);
                // The name may be taken, or below itself.
                client.try_command(&format!("RENAME {from} {to}"));
            }
            11 if folder != ["INBOX"] && self.random.below(3) == 0 => {
                for mail in &mails {
                    self.alive.remove(&mail.sha256);
                }
                let name = client.name(&folder);
                client.try_command(&format!("DELETE {name}"));
            }
            _ => {}
        }
    }

    fn edits(&mut self, kinds: u64) {
        for side in [0, 1] {
            for _ in 0..self.random.below(6) {
                self.edit(side, kinds);
            }
        }
        // Dovecot sees by the seconds of a directory's time that its list of folders has changed.
        std::thread::sleep(Duration::from_millis(1_100));
    }

    /// What a side holds, by the numbers of letters.
    fn shown(&self, snapshot: &Snapshot) -> Vec<String> {
        let letter = |mail: &crate::lab::client::StoredMessage| {
            let number = self.names.get(&mail.sha256).copied().unwrap_or_default() % 1_000_000;
            let flags: Vec<&str> = mail.flags.iter().map(String::as_str).collect();
            format!("{number}{}", flags.concat())
        };
        let folder = |(levels, mails): (&Vec<String>, &Vec<crate::lab::client::StoredMessage>)| {
            let mut letters: Vec<String> = mails.iter().map(letter).collect();
            letters.sort();
            format!("{}: {}", levels.join("/"), letters.join(" "))
        };
        snapshot.folders.iter().map(folder).collect()
    }

    /// Both sides are equal, nothing is doubled, and what nobody deleted is there.
    fn look(&self, round: &str) {
        let [first, second] = self.snapshots();
        if first.content() != second.content() {
            let shown = [&first, &second].map(|side| self.shown(side));
            panic!("{round}: the sides differ\n{shown:#?}\n{:#?}", self.log);
        }
        // A message may come to stand in two folders (what it was moved to on either side, where
        // nothing tells that it is one message), never twice in one.
        for (levels, mails) in &first.folders {
            let distinct: BTreeSet<_> = mails.iter().map(|mail| mail.sha256).collect();
            if distinct.len() != mails.len() {
                panic!(
                    "{round}: a message is doubled in {levels:?}\n{:#?}\n{:#?}",
                    self.shown(&first),
                    self.log
                );
            }
        }
        let distinct: BTreeSet<_> = first
            .folders
            .values()
            .flatten()
            .map(|mail| mail.sha256)
            .collect();
        let lost = self.alive.difference(&distinct).count();
        assert_eq!(lost, 0, "{round}: messages are lost\n{:#?}", self.log);
    }
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

fn assert_idle(run: &Run, ground: &Ground, round: &str) {
    for field in [
        "copied",
        "moved",
        "flags_updated",
        "deleted",
        "folders_created",
        "folders_renamed",
        "folders_deleted",
    ] {
        assert_eq!(
            run.count(field),
            0,
            "{round}: a second run has {field}: {}\n{:#?}",
            run.stdout,
            ground.log
        );
    }
}

#[test]
fn whatever_is_done_on_both_sides_they_become_equal_and_stay_so() {
    let rounds = random::number("MAILFERRY_ROUNDS", 12);
    let seed = random::number("MAILFERRY_SEED", 1);
    let kinds = [
        [Personality::Plain, Personality::Plain],
        [Personality::Plain, Personality::Dot],
        [Personality::NoQresync, Personality::Sdbox],
        [Personality::Poor, Personality::Plain],
    ];
    each(kinds.into_iter().enumerate(), |(at, kinds)| {
        let seed = seed * 10 + at as u64;
        let mut ground = Ground::new(kinds, seed);
        for round in 0..rounds {
            ground.log.push(format!("round {round}"));
            ground.edits(ALL_KINDS);
            let name = format!("{kinds:?}, seed {seed}, round {round}");
            let mut run = ground.sync();
            if run.says("is suddenly empty") {
                // A folder that was deleted and made anew, empty, is refused until somebody says
                // what is meant.
                run = sync(
                    &ground.sides[0],
                    &ground.sides[1],
                    &[&ground.options()[..], &["--prefer", "keep"]].concat(),
                );
            }
            assert!(run.code == Some(0), "{name}: {run:?}\n{:#?}", ground.log);
            ground.look(&name);
            assert_idle(&ground.sync(), &ground, &name);
        }
    });
}

/// Runs that are killed at random times, with edits between them; `tests/integration/sync/kills.rs`
/// kills one sync a hundred times.
#[test]
fn a_sync_that_is_killed_again_and_again_ends_whole() {
    let kills = random::number("MAILFERRY_KILLS", 16);
    let seed = random::number("MAILFERRY_SEED", 1);
    let mut ground = Ground::new([Personality::Plain, Personality::Plain], 77 + seed);
    let mut hits = 0;
    for kill in 0..kills {
        // A folder that a killed run's server is still at work on must not be renamed by somebody
        // else: Dovecot leaves half a folder then. `tests/integration/sync/faults.rs` breaks
        // renames.
        ground.edits(MESSAGE_KINDS);
        for side in [0, 1] {
            let letters: Vec<NewMessage> = (0..15).map(|_| ground.letter()).collect();
            ground
                .alive
                .extend(letters.iter().map(|letter| sha(&letter.bytes)));
            Client::login(&ground.sides[side]).append(&["INBOX"], letters.into_iter());
        }
        let addresses = ground.sides.each_ref().map(Account::plain_address);
        let arguments = [
            "sync",
            &addresses[0],
            &addresses[1],
            "--limit-rate",
            "60k",
            "--output",
            "json",
        ];
        let run = Running::start(&[&arguments[..], &ground.options()[..]].concat());
        std::thread::sleep(Duration::from_millis(30 + ground.random.below(350)));
        hits += u64::from(run.kill());
        // What the server was doing for the killed run ends, so that edits do not run into a
        // half-made rename of its own.
        std::thread::sleep(Duration::from_millis(300));
        if kill % 8 == 7 {
            let name = format!("after {kill} kills");
            let run = ground.sync();
            assert!(run.code == Some(0), "{name}: {run:?}");
            // What a killed run had sent may have arrived after the first look.
            let run = ground.sync();
            assert!(run.code == Some(0), "{name}: {run:?}");
            ground.look(&name);
            assert_idle(&ground.sync(), &ground, &name);
        }
    }
    assert!(
        hits * 2 > kills,
        "only {hits} of {kills} runs were at work when they were killed"
    );
}
