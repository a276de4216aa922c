//! Daily limits: what a run does at the end of what an account may move in a day.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::fake::{Fake, Shared, content, honest, is_for_bodies};
use crate::lab::mailboxes::message;
use crate::lab::run::{End, Run, copy, run, sync};
use crate::lab::scripted::{Reply, Scripted};
use crate::lab::servers::PASSWORD;
use mailferry::address::ImapAddress;
use mailferry::event::{Event, Observer, Run as Running, Silent, Stop};
use mailferry::folders::{Options, Rules};
use mailferry::imap::Secret;
use mailferry::mail::{Both, Side};
use mailferry::state::{Mailboxes, PairLock, PairName, State, StateDirectory};
use mailferry::store::budget::{Book, Budget, Clock, Notebook, Page};
use mailferry::store::imap::{self, AccountRun};
use mailferry::store::{Access, ErrorKind};
use mailferry::verbs::{self, CopyOptions, Status};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: u64 = 5_000_000;
const DAY: u64 = 86_400;

/// A message of about this many kilobytes.
fn large(number: usize, kilobytes: usize) -> Vec<u8> {
    let line = format!("{}\r\n", "x".repeat(98));
    message(number, &line.repeat(kilobytes * 10)).bytes
}

/// What takes four days of 5 MB.
fn four_days() -> Vec<Vec<u8>> {
    (0..56).map(|number| large(number, 300)).collect()
}

fn address(server: &Scripted, more: &str) -> String {
    format!("imap://ann@127.0.0.1:{}?tls=none{more}", server.port)
}

/// How often each message's body was requested.
fn requests(server: &Scripted, folder: &Shared) -> BTreeMap<u32, usize> {
    let folder = folder.lock().unwrap();
    let mut requests = BTreeMap::new();
    for line in server.lines().iter().filter(|line| is_for_bodies(line)) {
        let set = line.split(' ').nth(3).unwrap();
        for (_, uid, _) in folder.named(set) {
            *requests.entry(uid).or_default() += 1;
        }
    }
    requests
}

fn logins(server: &Scripted) -> usize {
    let is_login = |line: &&String| line.contains(" LOGIN ");
    server.lines().iter().filter(is_login).count()
}

/// Makes what all accounts have moved yesterday's.
fn pass_a_day(state: &Path) {
    for entry in std::fs::read_dir(state.join("budgets")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let day = text.lines().nth(1).unwrap().split(' ').nth(1).unwrap();
        let before = format!("{:020}", day.parse::<u64>().unwrap() - 1);
        std::fs::write(&path, text.replacen(day, &before, 1)).unwrap();
    }
}

/// By cron: one run each day until all is done. Returns the runs.
fn day_by_day(state: &Path, one: impl Fn(&[&str]) -> Run) -> Vec<Run> {
    let options = ["--state", state.to_str().unwrap()];
    let mut runs: Vec<Run> = Vec::new();
    while runs.last().is_none_or(|run| run.code == Some(8)) {
        assert!(runs.len() < 9, "{:?}", runs.last());
        if !runs.is_empty() {
            pass_a_day(state);
        }
        runs.push(one(&options));
    }
    runs
}

/// The ends at a limit say when to run again.
#[track_caller]
fn assert_says_when(run: &Run) {
    let error = &run.named("error")[0];
    assert_eq!(error["kind"], "limit_reached", "{run:?}");
    let again = error["run_again"].as_str().unwrap();
    assert!(again.ends_with("T00:00:00Z"), "{again}");
    assert!(error["hint"].as_str().unwrap().contains(again), "{error}");
}

#[test]
fn by_cron_a_mailbox_takes_as_many_days_as_its_limit_says() {
    for (key, counted) in [
        ("daily-read", "source.received"),
        ("daily-write", "target.sent"),
    ] {
        let (source, there) = Fake::of(four_days()).serve(honest);
        let (target, got) = Fake::of([]).serve(honest);
        let state = tempfile::tempdir().unwrap();
        let limit = format!("&{key}=5MB");
        let ends = if key == "daily-read" {
            [address(&source, &limit), address(&target, "")]
        } else {
            [address(&source, ""), address(&target, &limit)]
        };
        let runs = day_by_day(state.path(), |options| copy(&ends[0], &ends[1], options));
        let codes: Vec<_> = runs.iter().map(|run| run.code.unwrap()).collect();
        assert_eq!(codes, [8, 8, 8, 0], "{key}");
        for run in &runs {
            let moved = run.count(counted);
            assert!(moved <= LIMIT, "{key}: {moved}");
        }
        for run in &runs[..3] {
            assert_says_when(run);
            let summary = run.summary();
            assert_eq!(summary["status"], "stopped");
            assert_eq!(summary["ended"]["kind"], "limit_reached");
            assert!(summary["ended"]["run_again"].is_string());
            assert!(run.count(counted) > LIMIT * 9 / 10, "the day is used");
        }
        assert_eq!(runs[3].summary()["ended"], serde_json::Value::Null);
        let copied: u64 = runs.iter().map(|run| run.count("copied")).sum();
        assert_eq!(copied, 56);
        assert!(content(&got) == content(&there), "{key}");
        let requests = requests(&source, &there);
        assert!(requests.values().all(|count| *count == 1), "{requests:?}");
    }
}

#[test]
fn a_day_that_is_used_up_begins_nothing_and_no_dry_run_minds() {
    let (source, _) = Fake::of((0..10).map(|number| large(number, 300))).serve(honest);
    let (target, got) = Fake::of([]).serve(honest);
    let state = tempfile::tempdir().unwrap();
    let ends = [address(&source, "&daily-read=1MB"), address(&target, "")];
    let state_options = ["--state", state.path().to_str().unwrap()];
    copy(&ends[0], &ends[1], &state_options).ended(8);
    let after_first = content(&got).len();
    assert_eq!(after_first, 3);
    // Little is left: enough to look, not for a message.
    let run = copy(&ends[0], &ends[1], &state_options).ended(8);
    assert_says_when(&run);
    assert_eq!(content(&got).len(), after_first);
    let dry = [&state_options[..], &["--dry-run"]].concat();
    assert_eq!(copy(&ends[0], &ends[1], &dry).ended(0).count("copied"), 7);
    // Another pair with the same account shares what is left.
    let (other, got) = Fake::of([]).serve(honest);
    copy(&ends[0], &address(&other, ""), &state_options).ended(8);
    assert_eq!(content(&got).len(), 0);
    // A limit that the user lifts is none.
    let lifted = address(&source, "&daily-read=none&daily-write=none");
    copy(&lifted, &address(&other, ""), &state_options).ended(0);
    assert_eq!(content(&got).len(), 10);
}

#[test]
fn a_message_larger_than_the_limit_is_sent_on_a_day_of_its_own() {
    let messages = vec![large(1, 100), large(2, 3_000), large(3, 100)];
    let (source, there) = Fake::of(messages).serve(honest);
    let (target, got) = Fake::of([]).serve(honest);
    let state = tempfile::tempdir().unwrap();
    let ends = [
        address(&source, "&daily-read=1MB"),
        address(&target, "&daily-write=1MB"),
    ];
    let runs = day_by_day(state.path(), |options| copy(&ends[0], &ends[1], options));
    let copied: Vec<_> = runs.iter().map(|run| run.count("copied")).collect();
    assert_eq!(copied.iter().sum::<u64>(), 3, "{copied:?}");
    assert!(copied.len() <= 3, "{copied:?}");
    assert!(content(&got) == content(&there));
}

#[test]
fn sync_and_apply_end_at_a_limit_too() {
    let (first, there) = Fake::of((0..10).map(|number| large(number, 300))).serve(honest);
    let (second, got) = Fake::of([]).serve(honest);
    let state = tempfile::tempdir().unwrap();
    let ends = [address(&first, "&daily-read=2MB"), address(&second, "")];
    let runs = day_by_day(state.path(), |options| sync(&ends[0], &ends[1], options));
    assert_eq!(runs.len(), 2);
    assert_says_when(&runs[0]);
    assert!(content(&got) == content(&there));

    let (target, got) = Fake::of([]).serve(honest);
    let (state, end) = (tempfile::tempdir().unwrap(), address(&target, ""));
    let plan = state.path().join("plan").to_str().unwrap().to_owned();
    let save = ["--dry-run", "--save-plan", &plan];
    copy(&ends[0], &end, &save).ended(0);
    let runs = day_by_day(state.path(), |options| {
        let apply = [&["apply", &plan, "--output", "json"], options].concat();
        run(&apply)
    });
    assert_eq!(runs.len(), 2);
    assert!(content(&got) == content(&there));
}

const OVER: &str = "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)";

#[test]
fn a_server_that_says_its_limit_is_left_alone_for_an_hour() {
    for is_at_login in [false, true] {
        let (source, _) = Fake::of([large(1, 1), large(2, 1)]).serve(move |command, _| {
            let is_refused = if is_at_login {
                command.name == "LOGIN"
            } else {
                is_for_bodies(&command.arguments)
            };
            is_refused.then(|| Reply::status(OVER))
        });
        let (target, _) = Fake::of([]).serve(honest);
        let state = tempfile::tempdir().unwrap();
        let options = ["-j", "1", "--state", state.path().to_str().unwrap()];
        let run = copy(&address(&source, ""), &address(&target, ""), &options).ended(8);
        assert!(
            !run.says("no more mail") && !run.says("refused the login"),
            "{run:?}"
        );
        assert!(run.named("error")[0]["run_again"].is_string());
        assert_eq!(logins(&source), 1);
        let again = copy(&address(&source, ""), &address(&target, ""), &options).ended(8);
        assert!(again.says("because of the provider's limit"));
        assert_eq!(logins(&source), 1, "it was left alone");
        let lifted = address(&source, "&daily-read=none&daily-write=none");
        copy(&lifted, &address(&target, ""), &options).ended(8);
        assert_eq!(logins(&source), 2);
    }
}

#[test]
fn limits_are_checked_before_anything_is_done() {
    let end = || End::new("imap://ann@127.0.0.1:1?tls=none&daily-write=5XB", PASSWORD);
    let run = copy(end(), "maildir:/nowhere", &[]).ended(2);
    assert!(run.says("daily-write"), "{run:?}");
    let help = run_help();
    assert!(help.contains("--wait"));
}

fn run_help() -> String {
    run(&["copy", "--help"]).stdout
}

/// Time that passes only when someone waits.
#[derive(Debug)]
struct Simulated(AtomicU64);

impl Clock for Simulated {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn pass(&self, _time: Duration) {
        // A wait of a day is not to take a day's slices.
        self.0.fetch_add(600, Ordering::SeqCst);
    }
}

/// The most that was moved in each day.
type Days = Arc<Mutex<BTreeMap<u64, [u64; 2]>>>;

/// A book that shows its pages to the test.
struct Shown(Notebook, Days);

impl Book for Shown {
    fn update(&self, change: &mut dyn FnMut(Page) -> Page) -> Page {
        let page = self.0.update(change);
        self.1.lock().unwrap().insert(page.day, page.moved);
        page
    }

    fn look(&self) -> Page {
        self.0.look()
    }
}

/// Keeps until when a run waits.
#[derive(Default)]
struct Waits(Mutex<Vec<String>>, Stop);

impl Observer for Waits {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Waiting { until, .. } = event {
            self.0.lock().unwrap().push((*until).to_owned());
        }
    }
}

fn account(server: &Scripted, side: Side, budget: Option<Budget>) -> (ImapAddress, imap::Account) {
    let address = ImapAddress::parse(&address(server, "")).unwrap();
    let run = AccountRun {
        observer: Arc::new(Silent),
        trace: false,
        stop: Arc::default(),
    };
    let secret = Secret::fixed(PASSWORD.into());
    let access = Access::ReadWrite;
    let account = imap::Account::new(&address, secret, side, access, run).unwrap();
    let account = match budget {
        Some(budget) => account.with_budget(budget),
        None => account,
    };
    (address, account)
}

#[test]
fn with_wait_each_of_four_days_begins_by_itself() {
    for with_state in [true, false] {
        let (source, there) = Fake::of(four_days()).serve(honest);
        let (target, got) = Fake::of([]).serve(honest);
        let start = 20_788 * DAY + 36_000;
        let clock = Arc::new(Simulated(AtomicU64::new(start)));
        let days = Days::default();
        let book = Box::new(Shown(Notebook::default(), Arc::clone(&days)));
        let budget = Budget::new([Some(LIMIT), None], book, clock);
        let (from, source_account) = account(&source, Side::SOURCE, Some(budget));
        let (to, target_account) = account(&target, Side::TARGET, None);

        let directory = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(directory.path()).unwrap();
        let (from, to) = (from.identity(), to.identity());
        let pair = PairName::new(&from, &to);
        let lock = PairLock::take(&directory, &pair, "a test").unwrap();
        let mailboxes = Mailboxes {
            source: &from,
            target: &to,
        };
        let state = State::open(&directory, &pair, &lock, &mailboxes).unwrap();

        let (waits, stop) = (Waits::default(), Stop::new());
        let options = CopyOptions {
            wait: true,
            ..CopyOptions::default()
        };
        let (summary, _) = verbs::copy(
            Both::new(&source_account, &target_account),
            &Rules::new(&Options::default()).unwrap(),
            &options,
            with_state.then_some(&state),
            Running {
                stop: &stop,
                observer: &waits,
            },
        )
        .unwrap();
        assert!(matches!(summary.status, Status::Complete), "{summary:?}");
        assert_eq!((summary.copied, summary.already_there), (56, 0));
        drop(source_account);
        let days = days.lock().unwrap();
        assert_eq!(
            days.keys().copied().collect::<Vec<_>>(),
            [20_788, 20_789, 20_790, 20_791]
        );
        assert!(days.values().all(|moved| moved[0] <= LIMIT), "{days:?}");
        let expected = ["2026-12-02", "2026-12-03", "2026-12-04"];
        let expected = expected.map(|day| format!("{day}T00:00:00Z"));
        assert_eq!(*waits.0.lock().unwrap(), expected);
        assert!(content(&got) == content(&there));
        let requests = requests(&source, &there);
        assert!(requests.values().all(|count| *count == 1), "{requests:?}");
    }
}

/// Asks to stop as soon as the run waits.
impl Waits {
    fn stop(&self) -> &Stop {
        &self.1
    }
}

struct StopsAtWait<'a>(&'a Waits);

impl Observer for StopsAtWait<'_> {
    fn observe(&self, event: &Event<'_>) {
        if matches!(event, Event::Waiting { .. }) {
            self.0.stop().request();
        }
    }
}

#[test]
fn a_wait_ends_with_a_request_to_stop() {
    let (source, _) = Fake::of((0..4).map(|number| large(number, 300))).serve(honest);
    let (target, got) = Fake::of([]).serve(honest);
    let clock = Arc::new(Simulated(AtomicU64::new(20_788 * DAY)));
    let budget = Budget::new([Some(700_000), None], Box::<Notebook>::default(), clock);
    let (_, source) = account(&source, Side::SOURCE, Some(budget));
    let (_, target) = account(&target, Side::TARGET, None);
    let waits = Waits::default();
    let options = CopyOptions {
        wait: true,
        ..CopyOptions::default()
    };
    let running = Running {
        stop: waits.stop(),
        observer: &StopsAtWait(&waits),
    };
    let rules = Rules::new(&Options::default()).unwrap();
    let connectors = Both::new(&source as _, &target as _);
    let (summary, _) = verbs::copy(connectors, &rules, &options, None, running).unwrap();
    assert!(matches!(summary.status, Status::Interrupted), "{summary:?}");
    assert_eq!((summary.copied, content(&got).len()), (2, 2));
    // Without --wait, it ends there by itself.
    let (stop, options) = (Stop::new(), CopyOptions::default());
    let running = Running {
        stop: &stop,
        observer: &Silent,
    };
    let ended = verbs::copy(connectors, &rules, &options, None, running).unwrap();
    match ended.0.status {
        Status::Stopped(error) => assert_eq!(error.kind, ErrorKind::LimitReached),
        status => panic!("{status:?}"),
    }
}
