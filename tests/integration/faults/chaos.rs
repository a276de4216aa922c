//! Everything that can go wrong, at once and in turn: connections are cut, stall and are slow,
//! replies are garbled, servers refuse, say goodbye and restart, disks are full, and the program is
//! killed, over a copy, a sync or a backup. After a few runs that nothing disturbs, both sides are
//! as they would be without all that, with nothing lost and nothing twice.
//!
//! Each seed is one mailbox with its own faults; `MAILFERRY_SEED` is the first and
//! `MAILFERRY_CHAOS` their number. `scripts/chaos` sets them.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, Content};
use crate::lab::generator::random::{self, Random};
use crate::lab::mailboxes::{assert_nothing_beyond, message, messages};
use crate::lab::proxy::twist::{Damage, Kind, Twist};
use crate::lab::proxy::{Answer, At, Direction, How, Plan, Proxy};
use crate::lab::run::{Run, Running, mailferry, run, verify};
use crate::lab::servers::{Account, Dovecot, Personality};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// Seeds at a time: they mostly wait.
const SIDE_BY_SIDE: usize = 12;
/// How long a side may be silent, in seconds.
const TIMEOUT: u32 = 4;
/// How long the line and the server have for what a run that ended ill had sent. What arrives even
/// later, while the next run is killed in its turn, is beyond any client's knowledge; `kills.rs`
/// and `late.rs` begin again at once.
const DIGESTION: Duration = Duration::from_millis(1500);
/// How many runs that nothing disturbs a mailbox may need.
const CALM_RUNS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Copy,
    Sync,
    /// A copy to a Maildir on this machine.
    Backup,
}

/// What happens to the program itself.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lives,
    /// It is killed after so many milliseconds.
    Killed(u64),
    /// It can't write any file beyond so many blocks of 512 bytes.
    DiskFull(u64),
}

/// One mailbox, and what lies between it and the program.
struct Ground<'d> {
    dovecot: &'d Restarting,
    verb: Verb,
    source: Account,
    /// Of a backup, unused.
    target: Account,
    proxies: [Proxy; 2],
    root: tempfile::TempDir,
    /// What both sides hold in the end.
    expected: Content,
}

/// A server that is restarted now and then, but not while a test looks at it.
struct Restarting {
    dovecot: Dovecot,
    looking: RwLock<()>,
}

impl Restarting {
    fn new() -> Self {
        Self {
            dovecot: Dovecot::alone(),
            looking: RwLock::default(),
        }
    }

    /// Keeps it up as long as this lives.
    fn stay_up(&self) -> RwLockReadGuard<'_, ()> {
        self.looking.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Restarts it again and again until the work is over. Returns how often.
    fn keep_restarting(&self, is_over: &AtomicBool) -> usize {
        let mut times = 0;
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(700));
            let _looking = self.looking.write().unwrap_or_else(PoisonError::into_inner);
            self.dovecot.restart();
            times += 1;
        }
        times
    }
}

impl<'d> Ground<'d> {
    fn new(dovecot: &'d Restarting, random: &mut Random) -> Self {
        let _up = dovecot.stay_up();
        let verb = random.of(&[Verb::Copy, Verb::Sync, Verb::Backup]);
        let kinds = [
            Personality::Plain,
            Personality::NoMulti,
            Personality::NoLiteral,
            Personality::NoQresync,
            Personality::Poor,
            Personality::Sdbox,
            Personality::Mdbox,
        ];
        let kinds = [random.of(&kinds), random.of(&kinds)];
        let account = |name, side: usize| dovecot.dovecot.account(name, kinds[side]);
        let (source, target) = (account("chaosone", 0), account("chaostwo", 1));
        fill(&source);
        let root = tempfile::tempdir().unwrap();
        let expected = if verb == Verb::Sync {
            let reference = [account("referenceone", 0), account("referencetwo", 1)];
            fill(&reference[0]);
            let state = root.path().join("reference");
            let options = ["--state", state.to_str().unwrap()];
            let addresses = reference.each_ref().map(Account::plain_address);
            let arguments = [&["sync", &addresses[0], &addresses[1]][..], &options].concat();
            run(&arguments).ended(0);
            edit(&reference);
            run(&arguments).ended(0);
            content(&reference[1])
        } else {
            content(&source)
        };
        let proxies = [&source, &target].map(|account| Proxy::start(account.port, Plan::default()));
        let ground = Self {
            dovecot,
            verb,
            source,
            target,
            proxies,
            root,
            expected,
        };
        if verb == Verb::Sync {
            ground.calm_run().ended(0);
            edit(&[ground.source.clone(), ground.target.clone()]);
        }
        ground
    }

    fn maildir(&self) -> String {
        format!("maildir:{}", self.root.path().join("backup").display())
    }

    fn command(&self) -> Command {
        let behind = |account: &Account, side: usize| {
            let account = account.by_port(self.proxies[side].port);
            format!("{}&timeout={TIMEOUT}", account.plain_address())
        };
        let state = self.root.path().join("state").display().to_string();
        let (first, second) = (behind(&self.source, 0), behind(&self.target, 1));
        let (verb, second) = match self.verb {
            Verb::Copy => ("copy", second),
            Verb::Sync => ("sync", second),
            Verb::Backup => ("copy", self.maildir()),
        };
        mailferry(&[verb, &first, &second, "--output", "json", "--state", &state])
    }

    /// A run under a fate; none where it was killed.
    fn run(&self, fate: Fate) -> Option<Run> {
        match fate {
            Fate::Lives => Some(Running::of(&mut self.command()).end()),
            Fate::Killed(after) => {
                let run = Running::of(&mut self.command());
                std::thread::sleep(Duration::from_millis(after));
                run.kill();
                None
            }
            Fate::DiskFull(blocks) => {
                Some(Running::of(&mut with_little_room(&self.command(), blocks)).end())
            }
        }
    }

    fn calm_run(&self) -> Run {
        self.proxies
            .iter()
            .for_each(|proxy| proxy.change(Plan::default()));
        Running::of(&mut self.command()).end()
    }

    /// Disturbs a few runs, lets some end in peace, and looks at both sides. Returns how many were
    /// disturbed, and how many of them did not end well.
    fn endure(&self, random: &mut Random) -> [usize; 2] {
        let (mut disturbed, mut ended_ill) = (0, 0);
        for _ in 0..1 + random.below(4) {
            for proxy in &self.proxies {
                proxy.change(plan(random));
            }
            let fate = fate(random);
            let run = self.run(fate);
            disturbed += 1;
            if run.as_ref().is_none_or(|run| run.code != Some(0)) {
                ended_ill += 1;
                std::thread::sleep(DIGESTION);
            }
            if let Some(run) = &run {
                assert!(run.code != Some(101), "{fate:?}: {}", run.stderr);
            }
            let _up = self.dovecot.stay_up();
            if self.verb == Verb::Copy {
                assert_nothing_beyond(&self.expected, &content(&self.target));
            }
        }
        let _up = self.dovecot.stay_up();
        let mut runs = Vec::new();
        while runs.last().is_none_or(|run: &Run| run.code != Some(0)) {
            assert!(runs.len() < CALM_RUNS, "it is still not done: {runs:?}");
            runs.push(self.calm_run());
        }
        self.assert_as_expected();
        self.calm_run()
            .ended(0)
            .counts(&[("copied", 0), ("failed", 0)]);
        self.assert_as_expected();
        [disturbed, ended_ill]
    }

    fn assert_as_expected(&self) {
        let shown = |content: &Content| {
            let folders = content.iter();
            let counts = folders.map(|(folder, messages)| (folder.join("/"), messages.len()));
            format!("{:?}", counts.collect::<Vec<_>>())
        };
        let mut sides = vec![content(&self.source)];
        if self.verb == Verb::Backup {
            verify(&self.source, &self.maildir(), &["--deep"]).ended(0);
            let files = messages_in(&self.root.path().join("backup"));
            let there: usize = self.expected.values().map(Vec::len).sum();
            assert_eq!(files, there, "messages in the Maildir");
        } else {
            sides.push(content(&self.target));
        }
        for side in sides {
            assert!(
                side == self.expected,
                "{} is there, and {} was expected",
                shown(&side),
                shown(&self.expected)
            );
        }
    }
}

fn content(account: &Account) -> Content {
    let mut content = Client::login(account).snapshot().content();
    content.retain(|_, messages| !messages.is_empty());
    content
}

/// Counts the messages in all folders of a Maildir.
fn messages_in(directory: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let is_folder = directory
        .file_name()
        .is_some_and(|name| name == "cur" || name == "new");
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => messages_in(&entry.path()),
            false => usize::from(is_folder),
        })
        .sum()
}

fn fill(account: &Account) {
    let mut client = Client::login(account);
    client.append(&["INBOX"], messages(20).into_iter());
    for (folder, count) in [("one", 12), ("two", 5)] {
        client.create(&[folder]);
        client.append(&[folder], messages(count).into_iter());
    }
    let large = message(
        500,
        &"a line of a body, as there are many\r\n".repeat(3_000),
    );
    client.append(&["two"], [large].into_iter());
}

/// What people do in both mailboxes of a sync: new mail, flags, deletions, a move and a folder.
fn edit([first, second]: &[Account; 2]) {
    let mut client = Client::login(first);
    let new = |numbers: std::ops::Range<usize>| numbers.map(|number| message(number, "new\r\n"));
    client.append(&["one"], new(600..604).collect::<Vec<_>>().into_iter());
    client.select(&["INBOX"]);
    client.store("1", "+FLAGS", "\\Flagged");
    client.command("UID COPY 3 two");
    client.expunge("3");
    let mut client = Client::login(second);
    client.append(&["INBOX"], new(700..703).collect::<Vec<_>>().into_iter());
    client.create(&["three"]);
    client.append(&["three"], new(800..802).collect::<Vec<_>>().into_iter());
    client.select(&["one"]);
    client.store("2", "+FLAGS", "\\Answered");
    client.expunge("5");
}

fn fate(random: &mut Random) -> Fate {
    match random.below(5) {
        0 | 1 => Fate::Killed(20 + random.below(900)),
        2 => Fate::DiskFull(random.below(600)),
        _ => Fate::Lives,
    }
}

/// What one side's line and server do in a run: nothing, or up to three things at once.
fn plan(random: &mut Random) -> Plan {
    let mut plan = Plan {
        only_first: Some(1 + random.below(3) as usize),
        ..Plan::default()
    };
    for _ in 0..random.below(4) {
        plan = match random.below(5) {
            0 => plan.cut(
                random.of(&[Direction::Up, Direction::Down]),
                At::Bytes(random.below(40_000)),
                random.of(&[How::Fin, How::Rst]),
            ),
            1 => Plan {
                rate: Some(100_000 + random.below(200_000)),
                ..plan
            },
            2 => plan.answer(Answer::instead(
                random.pick(&[
                    "UID FETCH",
                    "UID STORE",
                    "UID COPY",
                    "UID MOVE",
                    "UID EXPUNGE",
                    "APPEND",
                    "CREATE",
                    "SELECT",
                    "EXAMINE",
                    "LIST",
                    "STATUS",
                    "ENABLE",
                ]),
                1 + random.below(3) as usize,
                random.pick(&[
                    "NO [UNAVAILABLE] Try again later",
                    "NO [SERVERBUG] Internal error occurred",
                    "NO System Error (Failure)",
                    "BAD Request is throttled. Suggested Backoff Time: 300 milliseconds",
                    "BAD Command Argument Error. 11",
                ]),
            )),
            3 => plan.answer(Answer {
                command: random
                    .pick(&["UID FETCH", "APPEND", "SELECT", "EXAMINE"])
                    .to_owned(),
                nth: 1 + random.below(3) as usize,
                reply: "* BYE Session expired, please login again.\r\n{tag} NO gone".to_owned(),
                carried_out: false,
            }),
            _ => plan.twist(twist(random)),
        };
    }
    plan
}

fn twist(random: &mut Random) -> Twist {
    let kind = random.of(&[
        Kind::Untagged("LIST"),
        Kind::Untagged("STATUS"),
        Kind::Untagged("EXISTS"),
        Kind::Untagged("FETCH"),
        Kind::Untagged("FETCH"),
        Kind::Untagged("VANISHED"),
        Kind::Code("UIDVALIDITY"),
        Kind::Code("UIDNEXT"),
        Kind::Code("APPENDUID"),
        Kind::Code("COPYUID"),
        Kind::Tagged,
    ]);
    let damage = random.of(&[
        Damage::Garbled,
        Damage::Dropped,
        Damage::Doubled,
        Damage::Late(Duration::from_millis(500)),
        Damage::Cut,
    ]);
    Twist::new(kind, 1 + random.below(20) as usize, damage)
}

/// The same command, which gets an error when it makes a file larger than this.
fn with_little_room(command: &Command, blocks: u64) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"",
            "sh",
        ])
        .arg(blocks.to_string())
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    limited
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_or_doubled() {
    let (count, first) = (
        random::number("MAILFERRY_CHAOS", 100),
        random::number("MAILFERRY_SEED", 1),
    );
    let dovecot = Restarting::new();
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let (runs, ill) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_over = AtomicBool::new(false);
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return;
        }
        let seed = first + number;
        let mut random = Random::new(Random::mix(seed, 0));
        let endured = catch_unwind(AssertUnwindSafe(|| {
            Ground::new(&dovecot, &mut random).endure(&mut random)
        }));
        match endured {
            Ok([disturbed, ended_ill]) => {
                runs.fetch_add(disturbed, Ordering::Relaxed);
                ill.fetch_add(ended_ill, Ordering::Relaxed);
            }
            Err(_) => failed.lock().unwrap().push(seed),
        }
    };
    let restarts = std::thread::scope(|scope| {
        let restarting = scope.spawn(|| dovecot.keep_restarting(&is_over));
        let workers: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| drop(worker.join()));
        is_over.store(true, Ordering::Relaxed);
        restarting.join().unwrap()
    });
    let failed = failed.into_inner().unwrap();
    let (runs, ill) = (runs.into_inner(), ill.into_inner());
    let text = format!(
        "crash: chaos, {count} seeds from {first}: {runs} runs disturbed, of which {ill} did not end well, \
         {restarts} restarts, {} failed\n",
        failed.len()
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(failed.is_empty(), "seeds {failed:?}");
    assert!(3 * ill > runs, "only {ill} of {runs} runs were hit");
}
