//! `mailferry undo RUN FIRST SECOND`, `mailferry undo --list FIRST SECOND`

mod selected;

use super::args::{OutputArgs, SourcePasswordArgs, TargetPasswordArgs};
use super::chosen::Choice;
use super::failure::Failure;
use super::json::{KeptFolder, Line, Summary};
use super::recall::Recollection;
use super::session::{Purpose, Session};
use super::state::{TwoWayStateArgs, identity};
use super::text::{self, Restorations};
use super::verb::{Mailbox, Verb};
use super::{exit, harmless, password, places, units};
use clap::Args;
use mailferry::address::Address;
use mailferry::event::Run;
use mailferry::mail::Side;
use mailferry::state::PairName;
use mailferry::verbs::{self, KeptMessage, Kinship, Restoring, UndoSummary};
use selected::Wanted;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Restore messages deleted by a sync
///
/// Before sync deletes a message on a side, it keeps a copy for 30 days. Undo puts it back into its
/// folder, with its flags and date; the next sync carries it to the other side too. Messages that
/// still exist aren't duplicated.
#[derive(Args)]
#[command(
    after_help = after_help(),
    override_usage = "mailferry undo [OPTIONS] RUN FIRST SECOND\n       mailferry undo [OPTIONS] --list FIRST SECOND"
)]
pub(crate) struct UndoArgs {
    /// Run ID from --list, then the two mailboxes as given to sync: RUN FIRST SECOND, or with
    /// --list FIRST SECOND
    #[arg(required = true, num_args = 2..=3, value_name = "RUN FIRST SECOND")]
    words: Vec<String>,
    /// List runs that deleted messages, oldest first, with the folders
    #[arg(long, help_heading = "Run")]
    list: bool,
    /// Only messages from folders matching GLOB (names as in --list); repeatable. Example: --folder
    /// Work
    #[arg(
        long,
        value_name = "GLOB",
        help_heading = "Messages",
        conflicts_with = "list"
    )]
    folder: Vec<String>,
    /// Only this message: its folder and UID as shown by --dry-run, or its Message-ID; repeatable.
    /// Example: --message INBOX/11, --message '<4711@example.org>'
    #[arg(long, value_name = "FOLDER/UID|<ID>", help_heading = "Messages", conflicts_with = "list", value_parser = Wanted::parse)]
    message: Vec<Wanted>,
    /// List what would be restored, with subject, sender and date, without changing anything
    #[arg(long, help_heading = "Run", conflicts_with = "list")]
    dry_run: bool,
    #[command(flatten)]
    state: TwoWayStateArgs,
    #[command(flatten)]
    first_password: SourcePasswordArgs,
    #[command(flatten)]
    second_password: TargetPasswordArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl UndoArgs {
    /// Returns the options that select messages.
    fn choice(&self) -> Choice {
        let mut choice = Choice::default();
        choice.value(
            "--folder",
            (!self.folder.is_empty()).then(|| self.folder.join(", ")),
        );
        self.message
            .iter()
            .for_each(|wanted| choice.value("--message", Some(wanted)));
        choice
    }
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry undo --list imaps://ann@one.example.org imaps://ann@two.example.org
    mailferry undo --dry-run 20260131T080000Z-4711 imaps://ann@one.example.org imaps://ann@two.example.org
    mailferry undo 20260131T080000Z-4711 imaps://ann@one.example.org imaps://ann@two.example.org
  Only one message, or one folder:
    mailferry undo --message INBOX/11 20260131T080000Z-4711 FIRST SECOND
    mailferry undo --folder Work 20260131T080000Z-4711 FIRST SECOND

{}",
        exit::HELP
    )
}

/// The directory in which runs of two mailboxes save what they delete.
pub(crate) struct UndoStore(PathBuf);

impl UndoStore {
    /// Returns that of two mailboxes, in either order.
    pub(crate) fn of(state: &Path, first: &Address, second: &Address) -> Self {
        let mut identities = [identity(first), identity(second)];
        identities.sort();
        Self(
            state
                .join("undo")
                .join(PairName::new(&identities[0], &identities[1]).to_string()),
        )
    }

    /// Returns a unique directory for a new run.
    pub(crate) fn new_run(&self) -> PathBuf {
        self.0.join(format!(
            "{}-{}",
            jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"),
            std::process::id()
        ))
    }

    /// Deletes runs older than so many days. What can't be deleted stays.
    pub(crate) fn expire(&self, days: u16) {
        let limit = SystemTime::now().checked_sub(Duration::from_secs(u64::from(days) * 86_400));
        for run in self.runs() {
            let path = self.0.join(&run);
            let is_old = std::fs::metadata(&path)
                .and_then(|about| about.modified())
                .is_ok_and(|time| days > 0 && limit.is_some_and(|limit| time < limit));
            if is_old {
                // The next run tries again.
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }

    /// Returns the runs that have saved messages, oldest first.
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

impl Verb for UndoArgs {
    fn name(&self) -> &'static str {
        "undo"
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        let [.., first, second] = &mut self.words[..] else {
            return Some(Vec::new());
        };
        Some(vec![
            Mailbox::new(first, &mut self.first_password.configured),
            Mailbox::new(second, &mut self.second_password.configured),
        ])
    }

    fn output(&self) -> Option<&OutputArgs> {
        Some(&self.output)
    }

    fn recollection(&self) -> Option<Recollection> {
        Some(Recollection {
            directory: self.state.directory().ok(),
            writes: true,
        })
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &UndoArgs, session: &Session) -> Result<u8, Failure> {
    let (run, first, second) = match (args.list, &args.words[..]) {
        (true, [first, second]) => (None, first, second),
        (false, [run, first, second]) => (Some(run), first, second),
        (true, _) => return Err(Failure::usage("--list takes only FIRST and SECOND")),
        (false, _) => {
            return Err(Failure::usage(
                "missing run ID: expected RUN FIRST SECOND; list runs with --list FIRST SECOND",
            ));
        }
    };
    let first = Session::address(Side::SOURCE, first)?;
    let second = Session::address(Side::TARGET, second)?;
    let addresses = [first, second];
    places::check(&addresses)?;
    if places::kinship(&addresses) == Kinship::OneAccount {
        let failure = Failure::usage("FIRST and SECOND are the same mailbox");
        return Err(failure.with_hint("pass both mailboxes as you passed them to sync"));
    }
    for (side, address) in Side::BOTH.into_iter().zip(&addresses) {
        session.note_mailbox(side, &address.to_string());
    }
    let store = UndoStore::of(&args.state.directory()?, &addresses[0], &addresses[1]);
    match run {
        None => list(&store, session, &addresses),
        Some(run) => put_back(args, session, &store, run, &addresses),
    }
}

/// Returns the number of saved messages per folder.
fn kept_folders(messages: &[KeptMessage], addresses: &[Address; 2]) -> Vec<KeptFolder> {
    let mut counts: BTreeMap<(&'static str, &str), u64> = BTreeMap::new();
    let first = identity(&addresses[0]);
    for message in messages {
        let side = if message.mailbox == first {
            "first"
        } else {
            "second"
        };
        *counts.entry((side, message.folder.as_str())).or_insert(0) += 1;
    }
    let kept = |((side, folder), messages): ((&'static str, &str), u64)| KeptFolder {
        side,
        folder: folder.to_owned(),
        messages,
    };
    counts.into_iter().map(kept).collect()
}

fn list(store: &UndoStore, session: &Session, addresses: &[Address; 2]) -> Result<u8, Failure> {
    let started = Instant::now();
    let runs = store.runs();
    let mut found = Vec::new();
    for run in &runs {
        let messages = verbs::kept_messages(&store.0.join(run))?;
        found.push((
            run.as_str(),
            messages.len() as u64,
            kept_folders(&messages, addresses),
        ));
    }
    let line = |(run, messages, folders): &(&'_ str, u64, Vec<KeptFolder>)| {
        let folder = |kept: &KeptFolder| {
            format!(
                "{} ({} on the {})",
                harmless::text(&kept.folder),
                units::count(kept.messages),
                kept.side
            )
        };
        let folders: Vec<String> = folders.iter().map(folder).collect();
        format!(
            "{}  {}: {}",
            harmless::text(run),
            units::counted(*messages, "message"),
            folders.join(", ")
        )
    };
    let lines: Vec<Line<'_>> = (found.iter())
        .map(|(run, messages, folders)| Line::UndoRun {
            run,
            messages: *messages,
            folders,
        })
        .collect();
    let summary = UndoSummary::default();
    session.print(&lines, Summary::undo(runs.len(), false, &summary, started.elapsed().as_secs_f64()), |_| {
        if found.is_empty() {
            vec!["nothing to undo: no run deleted anything, or what it kept has expired (--keep-deleted)".to_owned()]
        } else {
            found.iter().map(line).collect()
        }
    });
    Ok(exit::DONE)
}

/// Returns the run's messages that are to be restored.
fn chosen(args: &UndoArgs, store: &UndoStore, run: &str) -> Result<Vec<KeptMessage>, Failure> {
    if !store.runs().iter().any(|known| known == run) {
        let failure = Failure::usage(format!("no run {}", harmless::text(run)));
        return Err(failure.with_hint("list the runs with `mailferry undo --list FIRST SECOND`"));
    }
    let path = store.0.join(run);
    let messages = selected::of_folders(verbs::kept_messages(&path)?, &args.folder)?;
    selected::named(&path, messages, &args.message)
}

/// Returns the messages that were in this mailbox.
fn of_mailbox(messages: &[KeptMessage], address: &Address) -> Vec<KeptMessage> {
    let identity = identity(address);
    messages
        .iter()
        .filter(|message| message.mailbox == identity)
        .cloned()
        .collect()
}

fn put_back(
    args: &UndoArgs,
    session: &Session,
    store: &UndoStore,
    run: &str,
    addresses: &[Address; 2],
) -> Result<u8, Failure> {
    let started = Instant::now();
    let messages = chosen(args, store, run)?;
    session.note_options(args.choice());
    let passwords = [
        args.first_password.options(),
        args.second_password.options(),
    ];
    password::check_stdin(passwords, false)?;
    session.watch_signals()?;
    let restorations = Arc::new(Restorations::default());
    let observers = session.observers(
        args.dry_run
            .then(|| Arc::<Restorations>::clone(&restorations) as _),
    );
    let purpose = if args.dry_run {
        Purpose::Rehearse
    } else {
        Purpose::Write
    };
    let mut total = UndoSummary::default();
    for ((address, options), side) in addresses.iter().zip(passwords).zip(Side::BOTH) {
        let of_side = of_mailbox(&messages, address);
        if of_side.is_empty() {
            continue;
        }
        let secret = session.password(side, address, options)?;
        let account = session.account(side, address, secret, purpose, &observers)?;
        let restoring = Restoring {
            run: &store.0.join(run),
            messages: &of_side,
            side,
            dry_run: args.dry_run,
        };
        let run = Run {
            stop: session.stop(),
            observer: observers.as_ref(),
        };
        total += verbs::undo(account.as_ref(), restoring, run)?;
    }
    session.print(
        &[],
        Summary::undo(1, args.dry_run, &total, started.elapsed().as_secs_f64()),
        |paint| {
            [
                restorations.lines(),
                vec![text::undo_verdict(&total, args.dry_run, paint)],
            ]
            .concat()
        },
    );
    Ok(exit_code(session, &total))
}

fn exit_code(session: &Session, total: &UndoSummary) -> u8 {
    match (session.stop().is_requested(), total.failed) {
        (true, _) => exit::INTERRUPTED,
        (false, 0) => exit::DONE,
        (false, _) => exit::PARTIAL,
    }
}
