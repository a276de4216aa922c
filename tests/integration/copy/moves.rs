//! `--move`: deletes on the source what is verified to be on the target, and nothing else.

use crate::lab::client::{Client, NewMessage};
use crate::lab::fake::{Fake, is_for_bodies};
use crate::lab::mailboxes::{each, messages};
use crate::lab::pair::{Pair, snapshot};
use crate::lab::run::{End, copy};
use crate::lab::servers::{Dovecot, Personality};

const BOTH: [Personality; 2] = [Personality::Plain, Personality::Plain];

#[test]
fn everything_moves_and_the_folders_stay() {
    each(
        [
            BOTH,
            [Personality::Poor, Personality::Plain],
            [Personality::Plain, Personality::Poor],
        ],
        |kinds| {
            for with_state in [true, false] {
                let ground = Pair::of_kinds("all", kinds);
                let mut client = Client::login(&ground.source);
                client.create(&["box"]);
                client.append(&["INBOX"], messages(40).into_iter());
                client.append(&["box"], messages(30).into_iter());
                let before = snapshot(&ground.source).content();
                let go = |options: &[&str]| {
                    if with_state {
                        ground.copy(options)
                    } else {
                        ground.copy_without_state(options)
                    }
                };
                // A part of it is there already.
                go(&["--folder", "box"]).ended(0).counts(&[("copied", 30)]);
                let dry = go(&["--move", "--dry-run"])
                    .ended(0)
                    .counts(&[("deleted", 70)]);
                assert_eq!(dry.named("message_deleted").len(), 70);
                assert_eq!(
                    snapshot(&ground.source).content(),
                    before,
                    "a dry run deletes nothing"
                );
                go(&["--move"]).ended(0).counts(&[("deleted", 70)]);
                assert_eq!(snapshot(&ground.target).content(), before);
                let left = snapshot(&ground.source);
                assert_eq!((left.count(), left.folders.len()), (0, 2));
                go(&["--move"])
                    .ended(0)
                    .counts(&[("copied", 0), ("deleted", 0)]);
                assert_eq!(snapshot(&ground.target).content(), before);
                client.append(&["box"], messages(3).into_iter());
                go(&["--move"]).ended(0).counts(&[("deleted", 3)]);
            }
        },
    );
}

#[test]
fn only_what_a_filter_takes_moves() {
    let ground = Pair::of_kinds("old", BOTH);
    let mut client = Client::login(&ground.source);
    let dated = |day: u32| NewMessage {
        date: Some(format!("{day:02}-Feb-2024 12:00:00 +0000")),
        ..NewMessage::of(format!(
            "Message-ID: <{day}@move>\r\nSubject: {day}\r\n\r\nx\r\n"
        ))
    };
    client.append(&["INBOX"], (1..=20).map(dated));
    ground
        .copy(&["--move", "--before", "2024-02-11"])
        .ended(0)
        .counts(&[("copied", 10), ("deleted", 10)]);
    assert_eq!(
        (
            snapshot(&ground.source).count(),
            snapshot(&ground.target).count()
        ),
        (10, 10)
    );
    ground
        .copy(&["--move", "--max-delete", "5"])
        .ended(9)
        .counts(&[("copied", 10), ("deleted", 0)]);
    assert_eq!(snapshot(&ground.source).count(), 10);
    ground
        .copy(&["--move", "--max-delete", "10"])
        .ended(0)
        .counts(&[("deleted", 10)]);
}

#[test]
fn what_the_target_rewrites_or_refuses_stays_on_the_source() {
    // Dovecot stores a bare LF as CRLF, so the size that it tells is not the size that was sent.
    let ground = Pair::of_kinds("odd", [Personality::Sdbox, Personality::Tiny]);
    let mut client = Client::login(&ground.source);
    let too_large = NewMessage::of(format!(
        "Message-ID: <large@move>\r\n\r\n{}",
        "x\r\n".repeat(40_000)
    ));
    let plain = NewMessage::of("Message-ID: <plain@move>\r\n\r\nx\r\n");
    client.append(&["INBOX"], [plain, too_large].into_iter());
    let run = ground.copy(&["--move", "-j1"]);
    assert!(matches!(run.code, Some(3 | 8)), "{run:?}");
    let left = snapshot(&ground.source);
    assert!(
        left.folder(&["INBOX"])
            .iter()
            .any(|message| message.size > 100_000),
        "what was refused is still there"
    );
}

#[test]
fn the_same_header_with_another_body_is_no_proof() {
    let ground = Pair::of_kinds("body", BOTH);
    let text = |body: &str| NewMessage {
        date: Some("05-Feb-2024 03:04:05 +0130".to_owned()),
        ..NewMessage::of(format!(
            "Message-ID: <same@move>\r\nSubject: same\r\n\r\n{body}\r\n"
        ))
    };
    Client::login(&ground.source)
        .append(&["INBOX"], [text("ours"), text("true")].into_iter().take(1));
    Client::login(&ground.target).append(&["INBOX"], std::iter::once(text("mine")));
    let run = ground.copy(&["--move"]).ended(0).counts(&[("deleted", 0)]);
    assert!(run.says("not verified"), "{}", run.stderr);
    assert_eq!(snapshot(&ground.source).count(), 1);
}

/// A server that loses its list of UIDs gives them to other messages in the same generation.
#[test]
fn what_has_taken_the_uid_of_a_message_that_was_sent_stays() {
    let target = Dovecot::shared().account("taken", Personality::Plain);
    let text = |number: usize| {
        format!(
            "Message-ID: <{number}@taken>\r\n\r\n{}\r\n",
            "x".repeat(number)
        )
        .into_bytes()
    };
    let mut is_sent = false;
    let (source, _) = Fake::of((1..=3).map(text)).serve(move |command, folder| {
        is_sent |= is_for_bodies(&command.arguments);
        if is_sent && command.name == "EXAMINE" {
            folder.messages[0].1 = text(9);
        }
        None
    });
    let run = copy(End::plain(source.port, ""), &target, &["--move", "-j1"]);
    let removed: Vec<String> = source
        .lines()
        .into_iter()
        .filter(|line| line.contains("UID EXPUNGE"))
        .collect();
    assert!(
        removed.len() == 1 && removed[0].contains("UID EXPUNGE 2:3"),
        "{removed:?} {run:?}"
    );
    assert!(
        run.says("1 message kept on the source: not verified on the target"),
        "{run:?}"
    );
}
