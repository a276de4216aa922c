//! A message in several folders on one side, under one ID (EMAILID, X-GM-MSGID), is sent to the
//! other side once, which copies it to its other folders.

use super::Ground;
use super::{assert_idle, bare_manner, bare_of};
use crate::lab::client::{Client, NewMessage, Snapshot};
use crate::lab::gmail::{self, Labels};
use crate::lab::mailboxes::each;
use crate::lab::run::Run;
use crate::lab::servers::{Account, Cyrus, Dovecot, Personality};

const FIVE: [&str; 5] = ["INBOX", "One", "Two", "Three", "Four"];

/// A message that is large enough to be noticed, with a letter in its body.
fn large(body: char) -> NewMessage {
    let head = "Message-ID: <large@sharing>\r\nSubject: large\r\nFrom: ann@example.org\r\n\r\n";
    let text = format!(
        "{head}{}",
        format!("{body} line of some length, so that it shows\r\n").repeat(2_000)
    );
    NewMessage {
        date: Some("05-Feb-2024 03:04:05 +0130".to_owned()),
        ..NewMessage::of(text)
    }
}

/// Puts messages into folders, which are made.
fn fill(account: &Account, messages: impl IntoIterator<Item = (&'static str, NewMessage)>) {
    let mut client = Client::login(account);
    for (folder, message) in messages {
        if folder != "INBOX" {
            let name = client.name(&[folder]);
            client.try_command(&format!("CREATE {name}"));
        }
        client.append(&[folder], std::iter::once(message));
    }
}

/// A ground of these two, by which messages go from `here` to there.
fn ground(here: &str, there: &str, turned: bool) -> Ground {
    let side = |kind: &str| match kind {
        "gmail" => {
            let (fake, account) = gmail::start(Labels::Others);
            (Some(fake), account)
        }
        "bare" => {
            let (fake, account) = bare_of(bare_manner());
            (Some(fake), account)
        }
        "cyrus" => (None, Cyrus::shared().account()),
        _ => (
            None,
            Dovecot::shared().account("sharing", Personality::Plain),
        ),
    };
    let ((one, here), (two, there)) = (side(here), side(there));
    Ground {
        bare: one.into_iter().chain(two).collect(),
        ..Ground::of([here, there], turned)
    }
}

fn field(ground: &Ground, side: usize, field: &str) -> String {
    format!(
        "{}.{field}",
        if ground.turned == (side == 0) {
            "second"
        } else {
            "first"
        }
    )
}

/// What a message must have in common on both sides.
type Shown = ([u8; 32], Vec<String>, i64);

/// What the five folders hold.
fn held(snapshot: &Snapshot) -> [Vec<Shown>; 5] {
    FIVE.map(|folder| {
        let shown = |message: &crate::lab::client::StoredMessage| {
            (
                message.sha256,
                message.flags.iter().cloned().collect(),
                message.seconds,
            )
        };
        let mut shown: Vec<_> = snapshot.folder(&[folder]).iter().map(shown).collect();
        shown.sort();
        shown
    })
}

#[track_caller]
fn assert_same(ground: &Ground, case: &str) {
    let [here, there] = ground.snapshots();
    assert_eq!(held(&here), held(&there), "{case}");
    assert_idle(&ground.run(&[]).ended(0), case);
}

#[track_caller]
fn assert_one_transfer(ground: &Ground, run: &Run, bytes: u64) {
    for field in [field(ground, 0, "received"), field(ground, 1, "sent")] {
        let count = run.count(&field);
        assert!(
            (bytes..bytes * 3 / 2).contains(&count),
            "{field}: {count} of {bytes}: {}",
            run.stdout
        );
    }
}

#[test]
fn a_message_in_five_folders_costs_one_transfer() {
    let kinds = [("cyrus", "real"), ("gmail", "real"), ("gmail", "gmail")];
    each(
        kinds
            .into_iter()
            .flat_map(|kinds| [(kinds, false), (kinds, true)]),
        |((here, there), turned)| {
            let case = format!("{here} to {there}, turned {turned}");
            let ground = ground(here, there, turned);
            fill(&ground.sides[0], FIVE.map(|folder| (folder, large('a'))));
            let bytes = large('a').bytes.len() as u64;
            let counts = [
                ("copied", 5),
                ("copied_server_side", 4),
                ("bytes_copied", bytes),
                ("deleted", 0),
            ];
            let run = ground.run(&["--dry-run"]).ended(0).counts(&counts);
            assert_eq!(
                run.named("change")
                    .iter()
                    .filter(|change| change["action"] == "copy")
                    .count(),
                5
            );
            let run = ground.run(&[]).ended(0).counts(&counts);
            assert_one_transfer(&ground, &run, bytes);
            assert_same(&ground, &case);
            // Each of them is a pair of its own.
            let mut client = ground.client(1);
            client.select(&["Two"]);
            client.expunge("1");
            client.try_command("UNSELECT");
            ground
                .run(&[])
                .ended(0)
                .counts(&[("deleted", 1), ("copied", 0)]);
            assert_same(&ground, &case);
            assert_eq!(
                held(&ground.snapshots()[0]).map(|folder| folder.len()),
                [1, 1, 0, 1, 1],
                "{case}"
            );
        },
    );
}

/// A side that does not tell where messages are gets each of them, and so does any side from one
/// that has no names for them.
#[test]
fn where_too_little_is_told_each_is_sent() {
    let kinds = [("cyrus", "bare"), ("real", "real")];
    each(
        kinds
            .into_iter()
            .flat_map(|kinds| [(kinds, false), (kinds, true)]),
        |((here, there), turned)| {
            let ground = ground(here, there, turned);
            fill(&ground.sides[0], FIVE.map(|folder| (folder, large('a'))));
            ground
                .run(&[])
                .ended(0)
                .counts(&[("copied", 5), ("copied_server_side", 0)]);
            assert_same(&ground, here);
        },
    );
}

/// Messages that have all in common but their bodies are not one.
#[test]
fn messages_that_only_look_the_same_are_all_sent() {
    let kinds = [("cyrus", "real"), ("gmail", "real"), ("real", "real")];
    each(
        kinds
            .into_iter()
            .flat_map(|kinds| [(kinds, false), (kinds, true)]),
        |((here, there), turned)| {
            let ground = ground(here, there, turned);
            let letters = FIVE
                .iter()
                .zip('a'..)
                .map(|(folder, body)| (*folder, large(body)));
            fill(&ground.sides[0], letters);
            ground
                .run(&[])
                .ended(0)
                .counts(&[("copied", 5), ("copied_server_side", 0)]);
            assert_same(&ground, here);
        },
    );
}

/// Messages that are to have other flags, or another date, are sent themselves; equal ones of one
/// folder are as many as they were.
#[test]
fn flags_dates_and_equal_copies_are_as_they_were() {
    each([false, true], |turned| {
        let ground = ground("cyrus", "real", turned);
        let flagged = NewMessage {
            flags: vec!["\\Flagged".to_owned()],
            ..large('a')
        };
        let dated = NewMessage {
            date: Some("06-Feb-2024 03:04:05 +0130".to_owned()),
            ..large('a')
        };
        let messages = [
            ("INBOX", large('a')),
            ("INBOX", large('a')),
            ("One", large('a')),
            ("One", large('a')),
            ("Two", flagged.clone()),
            ("Three", flagged),
            ("Three", large('a')),
            ("Four", dated),
        ];
        fill(&ground.sides[0], messages);
        let bytes = 5 * large('a').bytes.len() as u64;
        ground.run(&[]).ended(0).counts(&[
            ("copied", 8),
            ("copied_server_side", 3),
            ("bytes_copied", bytes),
        ]);
        assert_same(&ground, "cyrus");
    });
}
