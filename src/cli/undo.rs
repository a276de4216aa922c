//! `mailferry undo RUN FIRST SECOND`, `mailferry undo --list FIRST SECOND`

use super::args::{OutputArgs, SourcePasswordArgs, TargetPasswordArgs};
use super::config::names::Mailbox;
use super::failure::Failure;
use super::json::{Line, Summary};
use super::session::{Purpose, Session};
use super::state::{TwoWayStateArgs, identity};
use super::{exit, harmless, password, places, units};
use clap::Args;
use mailferry::address::Address;
use mailferry::event::Side;
use mailferry::state::PairName;
use mailferry::verbs::{self, KeptMessage, Kinship, UndoSummary};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Put back what a sync has deleted
///
/// What sync deletes on a side because the other did is kept first, for 30 days. It goes back into the folder where it was,
/// with its flags and its date; the next sync brings it to the other side too. What is there already is not doubled.
#[derive(Args)]
#[command(
    after_help = after_help(),
    override_usage = "mailferry undo [OPTIONS] RUN FIRST SECOND\n       mailferry undo [OPTIONS] --list FIRST SECOND"
)]
pub(crate) struct UndoArgs {
    /// The run, as --list shows it, and both mailboxes as sync was given them: RUN FIRST SECOND, or with --list FIRST SECOND
    #[arg(required = true, num_args = 2..=3, value_name = "RUN FIRST SECOND")]
    words: Vec<String>,
    /// Show the runs that have deleted something, the oldest first
    #[arg(long, help_heading = "Run")]
    list: bool,
    #[command(flatten)]
    pub(crate) state: TwoWayStateArgs,
    #[command(flatten)]
    first_password: SourcePasswordArgs,
    #[command(flatten)]
    second_password: TargetPasswordArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl UndoArgs {
    /// The two mailboxes that it is about.
    pub(crate) fn mailboxes(&mut self) -> Vec<Mailbox<'_>> {
        let Some((second, rest)) = self.words.split_last_mut() else { return Vec::new() };
        let Some(first) = rest.last_mut() else { return Vec::new() };
        vec![
            Mailbox { text: first, password: &mut self.first_password.configured },
            Mailbox { text: second, password: &mut self.second_password.configured },
        ]
    }
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry undo --list imaps://ann@one.example.org imaps://ann@two.example.org
    mailferry undo 20260131T080000Z-4711 imaps://ann@one.example.org imaps://ann@two.example.org

{}",
        exit::HELP
    )
}

/// The directory in which the runs of two mailboxes keep what they delete.
pub(crate) struct UndoStore(PathBuf);

impl UndoStore {
    /// That of two mailboxes, whichever is first.
    pub(crate) fn of(state: &Path, first: &Address, second: &Address) -> Self {
        let mut identities = [identity(first), identity(second)];
        identities.sort();
        Self(state.join("undo").join(PairName::new(&identities[0], &identities[1]).to_string()))
    }

    /// A name for a run that no other run has.
    pub(crate) fn new_run(&self) -> PathBuf {
        self.0.join(format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), std::process::id()))
    }

    /// Deletes what is older than so many days. What can't be deleted stays.
    pub(crate) fn expire(&self, days: u16) {
        let limit = SystemTime::now().checked_sub(Duration::from_secs(u64::from(days) * 86_400));
        for run in self.runs() {
            let path = self.0.join(&run);
            let is_old = std::fs::metadata(&path)
                .and_then(|about| about.modified())
                .is_ok_and(|time| days > 0 && limit.is_some_and(|limit| time < limit));
            if is_old {
                // Another try is made by the next run.
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }

    /// The runs that have kept something, the oldest first.
    fn runs(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut runs: Vec<String> = entries
            .filter(|entry| entry.path().join("index").is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        runs.sort();
        runs
    }
}

/// Runs it. Gives the exit code.
pub(crate) fn run(args: &UndoArgs, session: &Session) -> Result<u8, Failure> {
    let (run, first, second) = match (args.list, &args.words[..]) {
        (true, [first, second]) => (None, first, second),
        (false, [run, first, second]) => (Some(run), first, second),
        (true, _) => return Err(Failure::usage("--list takes FIRST and SECOND, and no run")),
        (false, _) => return Err(Failure::usage("say which run: RUN FIRST SECOND; --list FIRST SECOND shows them")),
    };
    let first = Session::address(Side::Source, first)?;
    let second = Session::address(Side::Target, second)?;
    let addresses = [first, second];
    places::check(&addresses)?;
    if places::kinship(&addresses) == Kinship::OneAccount {
        let failure = Failure::usage("FIRST and SECOND are the same mailbox");
        return Err(failure.with_hint("give both mailboxes as sync was given them"));
    }
    let store = UndoStore::of(&args.state.directory()?, &addresses[0], &addresses[1]);
    match run {
        None => list(&store, session),
        Some(run) => put_back(args, session, &store, run, &addresses),
    }
}

fn list(store: &UndoStore, session: &Session) -> Result<u8, Failure> {
    let started = Instant::now();
    let runs = store.runs();
    let mut found = Vec::new();
    for run in &runs {
        found.push((run.as_str(), verbs::kept_messages(&store.0.join(run))?.len() as u64));
    }
    let lines: Vec<Line<'_>> = found.iter().map(|(run, messages)| Line::UndoRun { run, messages: *messages }).collect();
    let summary = UndoSummary::default();
    session.print(
        &lines,
        || Summary::undo(runs.len(), &summary, started.elapsed().as_secs_f64()),
        |_| {
            let line = |(run, messages): &(&str, u64)| {
                format!("{}  {}", harmless::text(run), units::counted(*messages, "message"))
            };
            if found.is_empty() {
                vec!["no run has deleted anything".to_owned()]
            } else {
                found.iter().map(line).collect()
            }
        },
    );
    Ok(exit::DONE)
}

fn put_back(
    args: &UndoArgs,
    session: &Session,
    store: &UndoStore,
    run: &str,
    addresses: &[Address; 2],
) -> Result<u8, Failure> {
    let started = Instant::now();
    if !store.runs().iter().any(|known| known == run) {
        let failure = Failure::usage(format!("there is no run {}", harmless::text(run)));
        return Err(failure.with_hint("`mailferry undo --list FIRST SECOND` shows the runs"));
    }
    let path = store.0.join(run);
    let messages = verbs::kept_messages(&path)?;
    let passwords = [args.first_password.options(), args.second_password.options()];
    password::check_stdin(passwords, false)?;
    session.watch_signals()?;
    let observers = session.observers(None);
    let mut total = UndoSummary::default();
    for ((address, options), side) in addresses.iter().zip(passwords).zip([Side::Source, Side::Target]) {
        let identity = identity(address);
        let of_side: Vec<KeptMessage> =
            messages.iter().filter(|message| message.mailbox == identity).cloned().collect();
        if of_side.is_empty() {
            continue;
        }
        let secret = session.password(side, address, options)?;
        let account = session.account(side, address, secret, Purpose::Write, &observers)?;
        let done = verbs::undo(account.as_ref(), &path, &of_side, session.stop(), observers.as_ref())?;
        total.restored += done.restored;
        total.already_there += done.already_there;
        total.failed += done.failed;
    }
    session.print(
        &[],
        || Summary::undo(1, &total, started.elapsed().as_secs_f64()),
        |_| {
            let there = units::count(total.already_there);
            vec![format!("put back {}, {there} were there already", units::counted(total.restored, "message"))]
        },
    );
    Ok(match (session.stop().is_requested(), total.failed) {
        (true, _) => exit::INTERRUPTED,
        (false, 0) => exit::DONE,
        (false, _) => exit::PARTIAL,
    })
}
