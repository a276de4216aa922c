//! Row 33: servers that change messages, so size and hash differ on each side.

use super::{Ground, assert_idle, bare_manner};
use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::each;
use crate::lab::memory::{self, Manner};
use crate::lab::servers::{Courier, Dovecot, Personality};

/// Messages of which Courier changes all but the first.
const TEXTS: [&[u8]; 4] = [
    b"Message-ID: <plain@rewriting>\r\nSubject: plain\r\n\r\nx\r\n",
    b"Message-ID: <cr@rewriting>\r\nSubject: bare cr\r\n\r\na\rb\r\n",
    b"Message-ID: <end@rewriting>\r\nSubject: no end\r\n\r\nlast line",
    b"Message-ID: <both@rewriting>\r\nSubject: both\r\n\r\na\rb\r\nlast line",
];

/// Some of the letters, by their numbers.
fn letters(numbers: impl Iterator<Item = usize>) -> Vec<NewMessage> {
    let date = |number: usize| Some(format!("{:02}-Feb-2024 03:04:05 +0130", 1 + number));
    numbers
        .map(|number| NewMessage {
            date: date(number),
            ..NewMessage::of(TEXTS[number])
        })
        .collect()
}

/// A ground of which one side changes what it gets.
struct Rewriting {
    ground: Ground,
    /// That side.
    there: usize,
    /// The other one, which changes nothing.
    here: usize,
}

impl Rewriting {
    fn with_courier(there: usize, turned: bool) -> Option<Self> {
        let courier = Courier::shared()?.account();
        let dovecot = Dovecot::shared().account("rewriting", Personality::Plain);
        let sides = if there == 0 {
            [courier, dovecot]
        } else {
            [dovecot, courier]
        };
        Some(Self {
            ground: Ground::of(sides, turned),
            there,
            here: 1 - there,
        })
    }

    fn with_header(there: usize, turned: bool) -> Self {
        let manner = Manner {
            rewrites: Some(memory::with_a_header),
            ..bare_manner()
        };
        Self {
            ground: Ground::with("rewriting", manner, there == 0, turned),
            there,
            here: 1 - there,
        }
    }

    /// The messages of both sides, in the order in which they came.
    fn both(&self) -> [Vec<crate::lab::client::StoredMessage>; 2] {
        [self.here, self.there].map(|side| {
            self.ground
                .client(side)
                .snapshot()
                .folder(&["INBOX"])
                .to_vec()
        })
    }

    #[track_caller]
    fn assert_at_rest(&self, case: &str) {
        let [here, there] = self.both();
        assert_eq!(here.len(), there.len(), "{case}");
        for (here, there) in here.iter().zip(&there) {
            assert_eq!(
                (&here.flags, here.seconds),
                (&there.flags, there.seconds),
                "{case}"
            );
        }
        assert_idle(&self.ground.run(&[]).ended(0), case);
    }

    /// Something is done with a message of one side, by its place.
    fn change(&self, side: usize, place: usize, change: impl FnOnce(&mut Client, &str)) {
        let mut client = self.ground.client(side);
        let uid = client.snapshot().folder(&["INBOX"])[place].uid.to_string();
        client.select(&["INBOX"]);
        change(&mut client, &uid);
        client.try_command("UNSELECT");
    }

    /// Flags and deletions cross, nothing is sent again, and nothing is doubled, with the state or
    /// without it.
    fn holds(mut self) {
        let (here, there) = (self.here, self.there);
        let flag = |flag: &'static str| {
            move |client: &mut Client, uid: &str| client.store(uid, "+FLAGS", flag)
        };
        self.ground
            .client(here)
            .append(&["INBOX"], letters(0..4).into_iter());
        self.ground.run(&[]).ended(0).counts(&[("copied", 4)]);
        let [sent, kept] = self.both();
        let changed = sent
            .iter()
            .zip(&kept)
            .filter(|(sent, kept)| sent.sha256 != kept.sha256)
            .count();
        assert!(changed >= 2, "what is there to be shown? {changed}");
        self.assert_at_rest("first");

        self.change(there, 1, flag("\\Flagged"));
        self.change(here, 2, flag("\\Answered"));
        self.ground.run(&[]).ended(0).counts(&[
            ("copied", 0),
            ("deleted", 0),
            ("flags_updated", 2),
        ]);
        self.assert_at_rest("flags");

        self.ground.state = tempfile::tempdir().unwrap();
        self.ground.run(&[]).ended(0).counts(&[
            ("copied", 0),
            ("deleted", 0),
            ("flags_updated", 0),
        ]);
        self.assert_at_rest("state lost");

        self.change(there, 1, Client::expunge);
        self.ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 1)]);
        self.assert_at_rest("deleted there");
        self.change(here, 1, Client::expunge);
        self.ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 1)]);
        self.assert_at_rest("deleted here");
        assert_eq!(self.both().map(|messages| messages.len()), [2, 2]);

        self.ground.state = tempfile::tempdir().unwrap();
        self.ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
        self.assert_at_rest("state lost again");
    }
}

#[test]
fn what_courier_rewrites_stays_a_pair() {
    let ways = [(0, false), (0, true), (1, false), (1, true)];
    each(
        ways.into_iter()
            .filter_map(|(there, turned)| Rewriting::with_courier(there, turned)),
        Rewriting::holds,
    );
}

#[test]
fn what_gets_a_header_of_the_servers_own_stays_a_pair() {
    let ways = [(0, false), (0, true), (1, false), (1, true)];
    each(ways, |(there, turned)| {
        Rewriting::with_header(there, turned).holds();
    });
}
