//! One two-way sync with work in both directions that is killed again and again, at random moments,
//! and restarted at once: it makes progress, nothing is ever lost or duplicated, and in the end
//! both sides are as they should be.
//!
//! `MAILFERRY_SEED` chooses the series, `MAILFERRY_KILLS` how many runs are killed.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, Levels, NewMessage, Snapshot, StoredMessage};
use crate::lab::generator::random::{self, Random};
use crate::lab::mailboxes::{at, message};
use crate::lab::run::Running;
use crate::lab::servers::{Account, Dovecot, Personality};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::Duration;

/// Bytes a second in each direction: a run that is killed gets no further than a few small folders.
const RATE: &str = "200k";
/// How long after its start a run is killed at the latest, where the time alone decides.
const LATEST: u64 = 200;
/// How often both sides are looked at between kills.
const LOOK_EVERY: u64 = 20;
/// Messages of INBOX that both sides have at first.
const COMMON: usize = 240;

/// What a folder should hold: each message's bytes, by their hash, and its flags.
type Expected = BTreeMap<Levels, BTreeMap<[u8; 32], BTreeSet<String>>>;

/// One sync between two accounts, however often it is begun.
struct Sync {
    sides: [Account; 2],
    state: tempfile::TempDir,
    expected: Expected,
}

impl Sync {
    /// Both in step, and then much to do on either side: new folders, moves and flags on one,
    /// deletions on the other.
    fn new(folders: u64, random: &mut Random) -> Self {
        let sides = ["one", "two"].map(|name| Dovecot::shared().account(name, Personality::Plain));
        let mut sync = Self {
            sides,
            state: tempfile::tempdir().unwrap(),
            expected: Expected::new(),
        };
        let [mut one, mut two] = sync.clients();
        one.append(
            &["INBOX"],
            (0..COMMON).map(|number| NewMessage {
                flags: Vec::new(),
                ..message(number, "common")
            }),
        );
        one.create(&["Archive"]);
        sync.start(&[]).end().ended(0);
        for (client, name, first) in [(&mut one, "here", 10_000), (&mut two, "there", 20_000)] {
            for folder in 0..folders {
                fill(
                    client,
                    &format!("{name} {folder}"),
                    first + folder as usize * 100,
                    random,
                );
            }
        }
        one.select(&["INBOX"]);
        one.command("UID MOVE 1:60 Archive");
        one.store("101:160", "+FLAGS", "\\Flagged");
        two.select(&["INBOX"]);
        two.expunge("61:100");
        two.store("141:200", "+FLAGS", "work");
        sync.expected = expected(&one.snapshot(), &two.snapshot());
        sync
    }

    fn clients(&self) -> [Client; 2] {
        self.sides.each_ref().map(Client::login)
    }

    fn start(&self, options: &[&str]) -> Running {
        let [one, two] = self.sides.each_ref().map(at);
        let state = [
            "--state",
            self.state.path().to_str().unwrap(),
            "--max-delete",
            "100%",
        ];
        Running::start(
            &[
                &["sync", &one, &two, "--output", "json", "-vv"],
                &state[..],
                options,
            ]
            .concat(),
        )
    }

    /// Starts a run and kills it; whether it was at work then.
    fn kill(&self, random: &mut Random) -> bool {
        let lanes = random.of(&["1", "2", "4"]);
        let run = self.start(&["--limit-rate", RATE, "-j", lanes]);
        let has_ended = match random.below(4) {
            0 => run.has_ended_before("message_copied", 1 + random.below(4) as usize),
            1 => run.has_ended_before("event", 1 + random.below(12) as usize),
            _ => {
                std::thread::sleep(Duration::from_millis(random.below(LATEST)));
                false
            }
        };
        std::thread::sleep(Duration::from_micros(random.below(40_000)));
        run.kill() && !has_ended
    }

    /// How many messages of the other side's have come to either side. Nothing is doubled, and
    /// nothing is missing on both.
    fn look(&self, when: &str) -> usize {
        let snapshots = self.clients().map(|mut client| client.snapshot());
        let mut there = BTreeSet::new();
        for snapshot in &snapshots {
            for (levels, messages) in &snapshot.folders {
                let distinct: BTreeSet<_> = messages.iter().map(|message| message.sha256).collect();
                assert_eq!(
                    distinct.len(),
                    messages.len(),
                    "{when}: a message is doubled in {levels:?}"
                );
                there.extend(distinct);
            }
        }
        let wanted: BTreeSet<_> = self
            .expected
            .values()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect();
        assert_eq!(
            wanted.difference(&there).count(),
            0,
            "{when}: messages are lost"
        );
        let came = |snapshot: &Snapshot, name: &str| {
            let came = snapshot
                .folders
                .iter()
                .filter(|(levels, _)| levels[0].starts_with(name));
            came.map(|(_, messages)| messages.len()).sum::<usize>()
        };
        came(&snapshots[0], "there") + came(&snapshots[1], "here")
    }

    fn assert_whole(&self) {
        for (side, mut client) in self.clients().into_iter().enumerate() {
            let snapshot = client.snapshot();
            let there: Expected = snapshot
                .folders
                .iter()
                .map(|(levels, found)| (levels.clone(), held(found)))
                .collect();
            assert_eq!(there, self.expected, "side {side}");
            assert_eq!(
                snapshot.count(),
                self.expected.values().map(BTreeMap::len).sum::<usize>(),
                "side {side}"
            );
        }
    }
}

/// A folder of some messages; the first of some is large and is streamed.
fn fill(client: &mut Client, name: &str, first: usize, random: &mut Random) {
    client.create(&[name]);
    let mut messages = Vec::new();
    for number in 0..1 + random.below(18) as usize {
        let body = "a line of a body, as there are many\r\n".repeat(1 + random.below(180) as usize);
        let body = if number == 17 { body.repeat(40) } else { body };
        messages.push(message(first + number, &body));
    }
    client.append(&[name], messages.into_iter());
}

fn held(messages: &[StoredMessage]) -> BTreeMap<[u8; 32], BTreeSet<String>> {
    messages
        .iter()
        .map(|message| (message.sha256, message.flags.clone()))
        .collect()
}

/// What both are to hold: what either has alone, and of INBOX what both still have, with the flags
/// of both.
fn expected(one: &Snapshot, two: &Snapshot) -> Expected {
    let mut expected: Expected = one
        .folders
        .iter()
        .chain(&two.folders)
        .map(|(levels, messages)| (levels.clone(), held(messages)))
        .collect();
    expected.insert(vec!["Archive".to_owned()], held(one.folder(&["Archive"])));
    let there = held(two.folder(&["INBOX"]));
    let both = held(one.folder(&["INBOX"]))
        .into_iter()
        .filter_map(|(sha, flags)| {
            let other = there.get(&sha)?;
            Some((sha, flags.union(other).cloned().collect()))
        });
    expected.insert(vec!["INBOX".to_owned()], both.collect());
    expected
}

#[test]
fn a_sync_that_is_killed_a_hundred_times_ends_whole() {
    let (kills, seed) = (
        random::number("MAILFERRY_KILLS", 100),
        random::number("MAILFERRY_SEED", 1),
    );
    let mut random = Random::new(seed);
    let sync = Sync::new(10 + kills * 6 / 10, &mut random);
    let (mut hits, mut seen) = (0, vec![0]);
    for kill in 1..=kills {
        hits += u64::from(sync.kill(&mut random));
        if kill % LOOK_EVERY == 0 {
            seen.push(sync.look(&format!("after {kill} kills")));
        }
    }
    let last = sync.start(&[]).end().ended(0);
    sync.assert_whole();
    let text = format!(
        "crash: kills of a sync, seed {seed}: {hits} of {kills} runs killed at work, {} messages copied by them, {} by the \
         last run\n",
        seen.last().unwrap(),
        last.count("copied"),
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    let counts = [
        "copied",
        "moved",
        "flags_updated",
        "deleted",
        "folders_created",
        "folders_deleted",
    ]
    .map(|field| (field, 0));
    sync.start(&[]).end().ended(0).counts(&counts);
    assert!(
        hits * 10 >= kills * 9 && last.count("copied") > 0,
        "the sync was over too early: {text}"
    );
    let steps = seen.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(
        steps * 2 >= seen.len() - 1,
        "the runs did not get on: {seen:?}, {text}"
    );
}
