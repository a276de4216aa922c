//! Copies from and to a server whose folders are labels (Gmail's kind): a message in several of
//! them is removed only from those that it is deleted from, and is transferred once.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::gmail::{self, ALL, Labels, TRASH};
use crate::lab::mailboxes::empty;
use crate::lab::memory::Fake;
use crate::lab::pair::{Pair, letter, letters, snapshot};
use crate::lab::run::Run;
use crate::lab::servers::{Account, Personality};
use sha2::{Digest as _, Sha256};

fn start() -> (Fake, Account) {
    gmail::start(Labels::Others)
}

/// Puts letters into a folder that there is, or is not yet.
fn fill(account: &Account, folder: &str, subjects: &[&str]) {
    let mut client = Client::login(account);
    if folder != "INBOX" {
        client.create(&[folder]);
    }
    client.append(
        &[folder],
        subjects
            .iter()
            .map(|subject| letter(subject))
            .collect::<Vec<_>>()
            .into_iter(),
    );
}

fn expunge(account: &Account, folder: &str, subject: &str) {
    let mut client = Client::login(account);
    let wanted: [u8; 32] = Sha256::digest(letter(subject).bytes).into();
    let held = client.snapshot();
    let uid = held
        .folder(&[folder])
        .iter()
        .find(|message| message.sha256 == wanted)
        .unwrap()
        .uid;
    client.select(&[folder]);
    client.expunge(&uid.to_string());
}

/// How many of these subjects a folder holds, each once at most.
#[track_caller]
fn assert_holds(fake: &Fake, folder: &str, subjects: &[&str]) {
    let mut held: Vec<Vec<u8>> = fake.contents()[folder].clone();
    let mut wanted: Vec<Vec<u8>> = subjects
        .iter()
        .map(|subject| letter(subject).bytes)
        .collect();
    held.sort();
    wanted.sort();
    let shown = |all: &[Vec<u8>]| {
        all.iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&held), shown(&wanted), "{folder}");
}

/// A mirror takes away the label of what the source no longer has in that folder; what it has in
/// none goes to the Trash, once.
#[test]
fn a_mirror_takes_labels_away_and_no_message() {
    for with_state in [true, false] {
        let (fake, target) = start();
        let ground = Pair::of(empty("mirror", Personality::Plain), target);
        let go = |options: &[&str]| {
            if with_state {
                ground.copy(options)
            } else {
                ground.copy_without_state(options)
            }
        };
        fill(&ground.source, "INBOX", &["one", "two", "three"]);
        fill(&ground.source, "Work", &["one", "two"]);
        go(&[]).ended(0).counts(&[("copied", 5)]);
        assert_holds(&fake, ALL, &["one", "two", "three"]);
        expunge(&ground.source, "INBOX", "one");
        expunge(&ground.source, "INBOX", "two");
        expunge(&ground.source, "Work", "two");
        expunge(&ground.source, "INBOX", "three");
        fill(&ground.source, "INBOX", &["four"]);
        go(&["--delete"])
            .ended(0)
            .counts(&[("deleted", 4), ("copied", 1)]);
        assert_holds(&fake, "INBOX", &["four"]);
        assert_holds(&fake, "Work", &["one"]);
        assert_holds(&fake, ALL, &["one", "four"]);
        assert_holds(&fake, TRASH, &["two", "three"]);
        go(&[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 2)]);
    }
}

/// A move empties the folders that it has copied, and leaves the message in those that it has not.
#[test]
fn a_move_empties_what_it_has_copied_and_nothing_else() {
    let (fake, source) = start();
    let ground = Pair::of(source, empty("move", Personality::Plain));
    fill(&ground.source, "INBOX", &["one", "two"]);
    fill(&ground.source, "Work", &["one"]);
    ground
        .copy(&["--move", "--folder", "INBOX"])
        .ended(0)
        .counts(&[("copied", 2), ("deleted", 2)]);
    assert_holds(&fake, "INBOX", &[]);
    assert_holds(&fake, "Work", &["one"]);
    assert_holds(&fake, TRASH, &["two"]);
    ground
        .copy(&["--move", "--folder", "Work"])
        .ended(0)
        .counts(&[("copied", 1), ("deleted", 1)]);
    assert_holds(&fake, "Work", &[]);
    assert_holds(&fake, TRASH, &["one", "two"]);
    let there = snapshot(&ground.target);
    assert_eq!(
        (
            there.folder(&["INBOX"]).len(),
            there.folder(&["Work"]).len()
        ),
        (2, 1)
    );
}

/// A message under five labels is fetched once and sent once.
#[test]
fn one_message_under_many_labels_costs_one_transfer() {
    let (_fake, source) = start();
    let ground = Pair::of(source, empty("many", Personality::Plain));
    let bytes = put_large_into_five(&ground.source);
    Client::login(&ground.source).append(&["INBOX"], letters("small", 3));
    let small: usize = letters("small", 3).map(|letter| letter.bytes.len()).sum();
    let run = ground.copy(&[]).ended(0);
    let run = run.counts(&[
        ("copied", 8),
        ("copied_server_side", 4),
        ("bytes_copied", (bytes + small) as u64),
    ]);
    assert_one_transfer(&run, bytes);
    let there = snapshot(&ground.target);
    assert_eq!(
        FIVE.map(|folder| there.folder(&[folder]).len()),
        [4, 1, 1, 1, 1]
    );
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 8)]);
}

/// Messages that have all in common but their bodies are not one.
#[test]
fn messages_that_only_look_the_same_are_all_sent() {
    let (fake, source) = start();
    let ground = Pair::of(source, empty("alike", Personality::Plain));
    let letter = |body: &str| {
        let mut letter = letter("alike");
        letter.bytes.extend_from_slice(body.as_bytes());
        letter
    };
    let mut client = Client::login(&ground.source);
    client.create(&["Work"]);
    client.append(&["INBOX"], [letter("this")].into_iter());
    client.append(&["Work"], [letter("that")].into_iter());
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 2), ("copied_server_side", 0)]);
    assert_eq!(fake.contents()[ALL].len(), 2);
    let [here, there] = [&ground.source, &ground.target].map(snapshot);
    for folder in ["INBOX", "Work"] {
        assert_eq!(
            here.folder(&[folder])[0].sha256,
            there.folder(&[folder])[0].sha256,
            "{folder}"
        );
    }
}

const FIVE: [&str; 5] = ["INBOX", "One", "Two", "Three", "Four"];

/// Puts one large message into five folders. Gives its size.
fn put_large_into_five(account: &Account) -> usize {
    let mut large = letter("large");
    large.bytes.extend_from_slice(
        "a line of some length, so that it shows\r\n"
            .repeat(2_000)
            .as_bytes(),
    );
    let mut client = Client::login(account);
    for folder in FIVE {
        if folder != "INBOX" {
            client.create(&[folder]);
        }
        client.append(&[folder], std::iter::once(large.clone()));
    }
    large.bytes.len()
}

#[track_caller]
fn assert_one_transfer(run: &Run, bytes: usize) {
    for field in ["source.received", "target.sent"] {
        let count = run.count(field) as usize;
        assert!(
            (bytes..bytes * 3 / 2).contains(&count),
            "{field}: {count} of {bytes}"
        );
    }
}
