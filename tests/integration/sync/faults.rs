//! Steps through every write of a sync, as `tests/integration/faults/every_write` does for copies:
//! the connection breaks before it, within it, or after it, so its reply is lost, on either side.
//! Further runs finish the work: both sides are equal, nothing is lost or duplicated.
//!
//! `MAILFERRY_STEP=plain/source/7` runs only the steps whose name begins like this. By default
//! every second step is taken; `MAILFERRY_EVERY=1`, as `scripts/crash` sets it, takes all.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::faults::injector::{self, AtWrites};
use crate::lab::client::Client;
use crate::lab::generator::random;
use crate::lab::gmail::{self, Labels};
use crate::lab::mailboxes::{at, message};
use crate::lab::memory::Fake;
use crate::lab::servers::{Account, Dovecot, PASSWORD, Personality};
use mailferry::address::ImapAddress;
use mailferry::event::{Run, Silent, Stop};
use mailferry::folders::{Options, Rules};
use mailferry::imap::Secret;
use mailferry::mail::{Both, Side};
use mailferry::net::{Cut, FaultInjector};
use mailferry::state::{Mailboxes, PairName, State, StateDirectory, TwoWay};
use mailferry::store::imap::{self, AccountRun};
use mailferry::store::{Access, Error};
use mailferry::verbs::{self, Status, SyncOptions, SyncSummary};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// Steps that are taken side by side: they mostly wait.
const SIDE_BY_SIDE: usize = 32;
/// How many runs it takes at most to do what a broken one has left.
const RUNS: usize = 3;

/// What the servers are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Dovecot(Personality),
    /// The first side's folders are labels, and it tells what it calls a message: one in several
    /// folders is sent once, and what is deleted goes to the Trash.
    Labels,
}

/// Two accounts and the state of their sync.
struct Ground {
    sides: [Account; 2],
    /// The side that is no real server.
    fake: Option<Fake>,
    state: tempfile::TempDir,
}

impl Ground {
    /// Both sides in step, and then edits on either that take every command which changes a
    /// mailbox.
    fn new(kind: Kind) -> Self {
        let dovecot = |name: &str, kind| Dovecot::shared().account(name, kind);
        let (sides, fake) = match kind {
            Kind::Dovecot(kind) => ([dovecot("one", kind), dovecot("two", kind)], None),
            Kind::Labels => {
                let (fake, one) = gmail::start(Labels::Others);
                ([one, dovecot("two", Personality::Plain)], Some(fake))
            }
        };
        let ground = Self {
            sides,
            fake,
            state: tempfile::tempdir().unwrap(),
        };
        let mut one = Client::login(&ground.sides[0]);
        one.append(
            &["INBOX"],
            (0..12).map(|number| message(number * 3, "a body")),
        );
        for (folder, first) in [("work", 100), ("going", 200), ("old", 300)] {
            one.create(&[folder]);
            one.append(
                &[folder],
                (first..first + 3).map(|number| message(number * 3, "another body")),
            );
        }
        assert!(is_complete(&ground.sync(&[])));
        one.select(&["INBOX"]);
        let [work, old, older] = ["work", "old", "older"].map(|folder| one.name(&[folder]));
        one.command(&format!("UID MOVE 1:2 {work}"));
        one.store("3", "+FLAGS", "\\Flagged");
        one.expunge("4");
        one.append(
            &["INBOX"],
            (400..402).map(|number| message(number * 3, "news")),
        );
        one.create(&["new"]);
        one.append(
            &["new"],
            (500..502).map(|number| message(number * 3, "more news")),
        );
        // One message in three folders is sent once.
        for folder in ["INBOX", "new", "work"] {
            one.append(&[folder], std::iter::once(message(700 * 3, "everywhere")));
        }
        one.command(&format!("RENAME {old} {older}"));
        one.subscribe(&["new"]);
        let mut two = Client::login(&ground.sides[1]);
        two.append(
            &["INBOX"],
            (600..602).map(|number| message(number * 3, "news there")),
        );
        two.select(&["INBOX"]);
        two.store("3", "+FLAGS", "\\Answered");
        two.expunge("5");
        two.command("DELETE going");
        ground
    }

    /// Syncs as another process would, with faults on these sides.
    fn sync(&self, faults: &[(Side, &Arc<AtWrites>)]) -> Result<SyncSummary, Error> {
        let addresses = self
            .sides
            .each_ref()
            .map(|side| ImapAddress::parse(&at(side)).unwrap());
        let identities = addresses.each_ref().map(ImapAddress::identity);
        let directory = StateDirectory::open(self.state.path()).unwrap();
        let pair = PairName::new(&identities[0], &identities[1]);
        let lock = injector::lock(&directory, &pair);
        let mailboxes = Mailboxes {
            source: &identities[0],
            target: &identities[1],
        };
        let state = State::open(&directory, &pair, &lock, &mailboxes).unwrap();
        let stop = Arc::new(Stop::new());
        let account = |at: usize, side: Side| {
            let secret = Secret::fixed(PASSWORD.into());
            let run = AccountRun {
                observer: Arc::new(Silent),
                trace: false,
                stop: Arc::clone(&stop),
            };
            let account =
                imap::Account::new(&addresses[at], secret, side, Access::ReadWrite, run).unwrap();
            match faults.iter().find(|(of, _)| *of == side) {
                Some((_, faults)) => {
                    account.with_faults(Arc::<AtWrites>::clone(faults) as Arc<dyn FaultInjector>)
                }
                None => account,
            }
        };
        let (one, two) = (account(0, Side::SOURCE), account(1, Side::TARGET));
        // One lane, so that both directions write in the same order each time.
        let undo = Some(self.state.path().join("undo/run"));
        let options = SyncOptions {
            jobs: Some(1),
            undo,
            ..SyncOptions::default()
        };
        // What leaves its last label stays in All Mail, which would be named each time.
        let exclude = self.fake.iter().map(|_| gmail::ALL.to_owned()).collect();
        let rules = Rules::new(&Options {
            exclude,
            ..Options::default()
        })
        .unwrap();
        let run = Run {
            stop: &stop,
            observer: &Silent,
        };
        verbs::sync(
            Both::new(&one, &two),
            &rules,
            &options,
            Some(TwoWay::new(&state, false)),
            run,
        )
    }

    /// Both sides hold what was left of everything, once.
    fn assert_right(&self) {
        let [mut one, mut two] = self
            .sides
            .each_ref()
            .map(|side| Client::login(side).snapshot());
        if self.fake.is_some() {
            // What was deleted on the other side is in the Trash, which both have in common; All
            // Mail has no counterpart.
            let counts = [
                one.folder(&["[Gmail]", "Trash"]).len(),
                two.folder(&["Trash"]).len(),
            ];
            assert_eq!(counts, [4, 4], "the Trash");
            one.folders.retain(|levels, _| levels[0] != "[Gmail]");
            let own = ["Sent Mail", "Trash"];
            two.folders
                .retain(|levels, _| !own.contains(&levels[0].as_str()));
        }
        assert_eq!(one.content(), two.content(), "the sides differ");
        assert_eq!(one.subscribed, two.subscribed);
        let counts: BTreeMap<String, usize> = one
            .folders
            .iter()
            .map(|(levels, messages)| (levels.join("/"), messages.len()))
            .collect();
        let expected = [("INBOX", 13), ("new", 3), ("older", 3), ("work", 6)];
        assert_eq!(
            counts,
            expected
                .map(|(name, count)| (name.to_owned(), count))
                .into()
        );
        let flagged = |flag: &str| {
            one.folder(&["INBOX"])
                .iter()
                .filter(|mail| mail.flags.contains(flag))
                .count()
        };
        assert_eq!((flagged("\\Flagged"), flagged("\\Answered")), (1, 1));
    }
}

fn is_complete(result: &Result<SyncSummary, Error>) -> bool {
    result
        .as_ref()
        .is_ok_and(|summary| matches!(summary.status, Status::Complete))
}

#[derive(Clone, Copy)]
struct Step {
    kind: Kind,
    side: Side,
    write: u64,
    cut: Cut,
}

impl Step {
    fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Dovecot(kind) => format!("{kind:?}"),
            Kind::Labels => "labels".to_owned(),
        };
        format!("{kind}/{}/{}/{:?}", self.side.name(), self.write, self.cut).to_lowercase()
    }
}

/// Whether the fault struck.
fn take(step: Step) -> bool {
    let ground = Ground::new(step.kind);
    let faults = AtWrites::new([(step.write, step.cut)]);
    let broken = ground.sync(&[(step.side, &faults)]);
    let mut last = ground.sync(&[]);
    for _ in 1..RUNS {
        if last.as_ref().is_ok_and(is_idle) && is_complete(&last) {
            break;
        }
        last = ground.sync(&[]);
    }
    assert!(is_complete(&last), "{last:?}\nafter {broken:?}");
    ground.assert_right();
    let last = ground.sync(&[]);
    assert!(
        is_complete(&last) && last.as_ref().is_ok_and(is_idle),
        "work to do: {last:?}\nafter {broken:?}"
    );
    faults.has_struck()
}

fn is_idle(summary: &SyncSummary) -> bool {
    summary.total().is_idle()
}

/// How often each side writes in a run without faults.
fn steps(kind: Kind) -> Vec<Step> {
    let ground = Ground::new(kind);
    let [source, target] = [AtWrites::new([]), AtWrites::new([])];
    let run = ground.sync(&[(Side::SOURCE, &source), (Side::TARGET, &target)]);
    assert!(is_complete(&run), "without a fault: {run:?}");
    let shared = run
        .as_ref()
        .map(|summary| summary.total().copied_server_side)
        .unwrap_or_default();
    assert_eq!(
        shared,
        if matches!(kind, Kind::Labels) { 2 } else { 0 },
        "{kind:?}"
    );
    ground.sync(&[]).unwrap();
    ground.assert_right();
    let mut steps = Vec::new();
    for (side, count) in [
        (Side::SOURCE, source.writes()),
        (Side::TARGET, target.writes()),
    ] {
        assert!(count >= 8, "{count} writes to the {}", side.name());
        for write in 1..=count {
            steps.extend([Cut::Before, Cut::Within, Cut::After].map(|cut| Step {
                kind,
                side,
                write,
                cut,
            }));
        }
    }
    steps
}

#[test]
fn a_fault_at_any_write_of_a_sync_neither_loses_nor_doubles() {
    let only = std::env::var("MAILFERRY_STEP").ok();
    let kinds = [
        Kind::Dovecot(Personality::Plain),
        Kind::Dovecot(Personality::Poor),
        Kind::Labels,
    ];
    let every = if only.is_some() {
        1
    } else {
        random::number("MAILFERRY_EVERY", 2) as usize
    };
    let mut steps: Vec<Step> = kinds.into_iter().flat_map(steps).step_by(every).collect();
    steps.retain(|step| {
        only.as_ref()
            .is_none_or(|only| step.name().starts_with(only))
    });
    let all = steps.len();
    let (queue, struck, failed) = (
        Mutex::new(steps.into_iter()),
        Mutex::new(0),
        Mutex::new(Vec::new()),
    );
    let work = || {
        while let Some(step) = { queue.lock().unwrap().next() } {
            match catch_unwind(AssertUnwindSafe(|| take(step))) {
                Ok(has_struck) => *struck.lock().unwrap() += usize::from(has_struck),
                Err(_) => failed.lock().unwrap().push(step.name()),
            }
        }
    };
    std::thread::scope(|scope| (0..SIDE_BY_SIDE).for_each(|_| drop(scope.spawn(work))));
    let (struck, failed) = (struck.into_inner().unwrap(), failed.into_inner().unwrap());
    let text = format!("crash: every write of a sync: {struck} of {all} faults struck\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(
        failed.is_empty(),
        "{} of {all} steps failed: {}",
        failed.len(),
        failed.join(" ")
    );
    assert!(struck * 10 >= all * 9, "{text}");
}
