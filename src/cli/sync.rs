//! `mailferry sync FIRST SECOND`

use super::args::{
    JobArgs, OutputArgs, ReportArgs, SourcePasswordArgs, TargetPasswordArgs, TwoWayFolderArgs,
    WaitArgs, folder_rules,
};
use super::chosen::Choice;
use super::failed::FailedArgs;
use super::failure::Failure;
use super::json::Summary;
use super::recall::Recollection;
use super::report::{About, Report};
use super::session::{Purpose, Session};
use super::state::{TwoWayStateArgs, identity};
use super::text::{self, ChangeList, Detail};
use super::undo::UndoStore;
use super::verb::{Mailbox, Verb};
use super::{exit, password, places, values};
use clap::{Args, ValueEnum};
use mailferry::address::Address;
use mailferry::event::Run;
use mailferry::mail::{Both, Side, Uid};
use mailferry::plan::DeletionLimit;
use mailferry::plan::merge::{Policy, Prefer};
use mailferry::verbs::{self, Kinship, SyncOptions};
use std::path::PathBuf;
use std::sync::Arc;

/// Two-way sync: keep two mailboxes identical
///
/// New mail, flags, deletions, moves and folder changes on either side are carried to the other.
/// The first run merges both and deletes nothing. An address is imaps://USER@HOST (TLS) or
/// imap://USER@HOST (STARTTLS), with %40 for an @ in USER. Never put a password in an address.
/// FIRST uses the source's options and variables, SECOND the target's.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct SyncArgs {
    /// One mailbox. Example: imaps://ann%40example.org@imap.example.org
    pub(crate) first: String,
    /// The other mailbox
    pub(crate) second: String,
    #[command(flatten)]
    folders: TwoWayFolderArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    pub(crate) first_password: SourcePasswordArgs,
    #[command(flatten)]
    pub(crate) second_password: TargetPasswordArgs,
    #[command(flatten)]
    jobs: JobArgs,
    /// Limit upload speed to BYTES per second in each direction. Example: --limit-rate 1M
    #[arg(long, value_name = "BYTES", value_parser = values::rate, help_heading = "Speed")]
    limit_rate: Option<u64>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// How the sync works.
#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// Only a `copy` plan can be saved: with two mailboxes in use, the base of the merge would have
    /// changed by then
    #[arg(long, hide = true, value_name = "FILE", value_parser = no_plan)]
    save_plan: Option<String>,
    /// Rights are only copied: changes to them on two sides can't be told apart
    #[arg(long, hide = true)]
    acl: bool,
    /// Who wins a conflict. By default a deletion beats a flag change, and FIRST's folder and name
    /// beat SECOND's. `keep` restores what was deleted on one side and changed on the other
    #[arg(long, value_enum, value_name = "WHO")]
    prefer: Option<Who>,
    /// Sync in one direction only (sets --new, --flags and --deletions)
    #[arg(long, value_enum, value_name = "WAY", conflicts_with_all = ["new", "flags", "deletions"])]
    only: Option<OneWay>,
    /// Direction for new mail and new folders
    #[arg(long, value_enum, value_name = "WAY", default_value_t)]
    new: AnyWay,
    /// Direction for flag changes
    #[arg(long, value_enum, value_name = "WAY", default_value_t)]
    flags: AnyWay,
    /// Direction for deletions and moves
    #[arg(long, value_enum, value_name = "WAY", default_value_t)]
    deletions: AnyWay,
    /// If more messages than this number, or this share of a folder or of all, would be deleted on
    /// a side, delete nothing there and exit with 9. By default at most 20 messages or 20 %,
    /// whichever is more. Example: --max-delete 500, --max-delete 50%
    #[arg(long, value_name = "N|N%", default_value_t)]
    max_delete: DeletionLimit,
    /// Days to keep deleted messages for `mailferry undo`; 0 disables
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    keep_deleted: u16,
    /// Space for deleted messages of these two mailboxes. When it is full, the oldest runs can no
    /// longer be undone; what still doesn't fit is not deleted
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = values::size)]
    keep_size: u64,
    /// Retry messages that a server permanently refused in an earlier run (too large, a virus); by
    /// default they are only reported
    #[arg(long)]
    retry_refused: bool,
    /// Also copy messages whose size differs from what their server reports, if two downloads are
    /// identical: for a server that miscounts. By default they are reported as failed and not
    /// copied. Not needed for Exchange, whose sizes are known to be estimates
    #[arg(long)]
    accept_size_mismatch: bool,
    /// Refill a side that earlier runs filled and that is now missing or empty from the other side.
    /// By default nothing is done, as its disk may not be mounted
    #[arg(long)]
    new_target: bool,
    #[command(flatten)]
    limits: WaitArgs,
    #[command(flatten)]
    failed: FailedArgs,
    #[command(flatten)]
    state: TwoWayStateArgs,
    /// Show what would happen in each folder without changing anything; with -v also each change,
    /// where it comes from and why
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: explain what will happen to one message (given by its UID on either side),
    /// and why. Example: --explain INBOX/4711
    #[arg(long, value_name = "FOLDER/UID", requires = "dry_run", value_parser = folder_and_uid)]
    explain: Option<(String, Uid)>,
    /// With --dry-run: exit with 4 if there is work to do
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Who {
    First,
    Second,
    Keep,
}

#[derive(Clone, Copy, ValueEnum)]
enum OneWay {
    FirstToSecond,
    SecondToFirst,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum AnyWay {
    #[default]
    Both,
    FirstToSecond,
    SecondToFirst,
    None,
}

impl AnyWay {
    /// Returns whether each side may be changed.
    fn open(self) -> Both<bool> {
        let (first, second) = match self {
            Self::Both => (true, true),
            Self::FirstToSecond => (false, true),
            Self::SecondToFirst => (true, false),
            Self::None => (false, false),
        };
        Both::new(first, second)
    }
}

impl RunArgs {
    /// Returns where this run saves what it deletes, if it does. Deletes runs that are too old.
    fn undo_run(&self, first: &Address, second: &Address) -> Result<Option<PathBuf>, Failure> {
        if self.dry_run {
            return Ok(None);
        }
        let store = UndoStore::of(&self.state.directory()?, first, second);
        store.expire(self.keep_deleted);
        Ok((self.keep_deleted > 0).then(|| store.new_run()))
    }

    /// Adds the options that determine what is done.
    fn choice(&self, mut choice: Choice) -> Choice {
        choice.value("--prefer", self.prefer.as_ref().map(typed));
        choice.value("--only", self.only.as_ref().map(typed));
        for (option, way) in [
            ("--new", &self.new),
            ("--flags", &self.flags),
            ("--deletions", &self.deletions),
        ] {
            choice.value(
                option,
                Some(way)
                    .filter(|way| !matches!(way, AnyWay::Both))
                    .map(typed),
            );
        }
        choice.value(
            "--max-delete",
            Some(self.max_delete).filter(|limit| *limit != DeletionLimit::default()),
        );
        choice.value(
            "--keep-deleted",
            Some(self.keep_deleted).filter(|days| *days != 30),
        );
        choice.flag("--retry-refused", self.retry_refused);
        choice.flag("--accept-size-mismatch", self.accept_size_mismatch);
        choice.flag("--fix-refused", self.failed.fix_refused);
        choice.flag("--new-target", self.new_target);
        choice.flag("--wait", self.limits.wait);
        choice
    }

    fn policy(&self) -> Policy {
        let [new, flags, deletions] = match self.only {
            Some(OneWay::FirstToSecond) => [AnyWay::FirstToSecond; 3],
            Some(OneWay::SecondToFirst) => [AnyWay::SecondToFirst; 3],
            None => [self.new, self.flags, self.deletions],
        };
        Policy {
            prefer: match self.prefer {
                None => Prefer::Default,
                Some(Who::First) => Prefer::First,
                Some(Who::Second) => Prefer::Second,
                Some(Who::Keep) => Prefer::Keep,
            },
            new_mail: new.open(),
            flags: flags.open(),
            deletions: deletions.open(),
            limits: Both::new(self.max_delete, self.max_delete),
            keep_deleted: self.keep_deleted > 0,
            // What was refused before may be accepted once it is corrected.
            retry_refused: self.retry_refused || self.failed.fix_refused,
            ..Policy::default()
        }
    }
}

/// Returns a value as typed.
fn typed(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn folder_and_uid(text: &str) -> Result<(String, Uid), String> {
    let parts = text
        .rsplit_once('/')
        .filter(|(folder, _)| !folder.is_empty());
    let found =
        parts.and_then(|(folder, uid)| Some((folder.to_owned(), Uid::new(uid.parse().ok()?)?)));
    found.ok_or_else(|| "expected FOLDER/UID, such as INBOX/4711".to_owned())
}

fn after_help() -> String {
    format!(
        "\
Examples:
  Preview, then sync; both prompt for passwords:
    mailferry sync --dry-run imaps://ann@one.example.org imaps://ann@two.example.org
    mailferry sync imaps://ann@one.example.org imaps://ann@two.example.org
  Save the preview, and the result, as HTML pages:
    mailferry sync --dry-run --report plan.html FIRST SECOND
    mailferry sync --report done.html FIRST SECOND
  Sync in one direction, and keep what only the other side has:
    mailferry sync --only first-to-second FIRST SECOND

{}",
        exit::HELP
    )
}

fn no_plan(_path: &str) -> Result<String, &'static str> {
    Err("only a copy's plan can be saved; `sync --dry-run` shows what a sync would do")
}

impl SyncArgs {
    /// Returns the two mailboxes, which must be different.
    fn addresses(&self) -> Result<[Address; 2], Failure> {
        let first = Session::address(Side::SOURCE, &self.first)?;
        let second = Session::address(Side::TARGET, &self.second)?;
        let addresses = [first, second];
        places::check(&addresses)?;
        if places::kinship(&addresses) == Kinship::OneAccount {
            let failure = Failure::usage("FIRST and SECOND are the same mailbox");
            return Err(failure.with_hint("pass two different mailboxes"));
        }
        Ok(addresses)
    }

    fn options(&self, addresses: &[Address; 2]) -> Result<SyncOptions, Failure> {
        let [first, second] = addresses;
        Ok(SyncOptions {
            policy: self.run.policy(),
            jobs: self.jobs.lanes([first.connections(), second.connections()]),
            limit_rate: self.limit_rate,
            accept_sizes: self.run.accept_size_mismatch,
            wait: self.run.limits.wait,
            fix_refused: self.run.failed.fix_refused,
            dry_run: self.run.dry_run,
            undo: self.run.undo_run(first, second)?,
            undo_size: Some(self.run.keep_size),
            explain: self.run.explain.clone(),
            identities: Both::new(identity(first), identity(second)),
            kinship: places::kinship(addresses),
            new_target: self.run.new_target,
        })
    }

    /// Returns how many of the changes are shown.
    fn detail(&self) -> Detail {
        match (self.run.dry_run, self.output.verbose) {
            (false, _) => Detail::Conflicts,
            (true, 0) => Detail::Folders,
            (true, _) => Detail::Changes,
        }
    }
}

impl Verb for SyncArgs {
    fn name(&self) -> &'static str {
        "sync"
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        Some(vec![
            Mailbox::new(&mut self.first, &mut self.first_password.configured),
            Mailbox::new(&mut self.second, &mut self.second_password.configured),
        ])
    }

    fn report(&self) -> Result<Option<Report>, Failure> {
        self.report.begin(About {
            command: "sync",
            dry_run: self.run.dry_run,
            empties_source: false,
        })
    }

    fn output(&self) -> Option<&OutputArgs> {
        Some(&self.output)
    }

    fn recollection(&self) -> Option<Recollection> {
        Some(Recollection {
            directory: self.run.state.directory().ok(),
            writes: !self.run.dry_run,
        })
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &SyncArgs, session: &Session) -> Result<u8, Failure> {
    if args.run.acl {
        return Err(Failure::usage("--acl: only `copy` copies rights")
            .with_hint("run `mailferry copy --acl FIRST SECOND`"));
    }
    let addresses = args.addresses()?;
    let folders = args.folders.options();
    let rules = folder_rules(&folders)?;
    let dry_run = args.run.dry_run;
    session.note_options(args.run.choice(Choice::of_folders(&folders)));
    let options = args.options(&addresses)?;
    let failed = args.run.failed.open(&addresses, dry_run)?;
    let [first, second] = addresses;
    let (first_password, second_password) = (
        args.first_password.options(),
        args.second_password.options(),
    );
    password::check_stdin([first_password, second_password], false)?;
    let first_password = session.password(Side::SOURCE, &first, first_password)?;
    let second_password = session.password(Side::TARGET, &second, second_password)?;

    let kept = if dry_run {
        args.run.state.look(&first, &second)?
    } else {
        args.run.state.open(&first, &second)?
    };
    let changes = Arc::new(ChangeList::new(args.detail()));
    session.watch_signals()?;
    let changed = Arc::<ChangeList>::clone(&changes);
    let observers = failed.watching(session.observers(Some(changed as _)));
    let purpose = if dry_run {
        Purpose::Rehearse
    } else {
        Purpose::Write
    };
    let first = session.account(Side::SOURCE, &first, first_password, purpose, &observers)?;
    let second = session.account(Side::TARGET, &second, second_password, purpose, &observers)?;
    let state = kept.two_way();
    let run = Run {
        stop: session.stop(),
        observer: observers.as_ref(),
    };
    let connectors = Both::new(first.as_ref(), second.as_ref());
    let summary = verbs::sync(connectors, &rules, &options, state, run)?;
    let kept_failed = failed.save(connectors, run);

    session.results(&summary.status, Summary::sync(&summary, dry_run), |paint| {
        let mut lines = changes.lines(paint);
        lines.extend(text::sync_summary(&summary, dry_run, paint));
        lines.extend(kept_failed.clone());
        lines
    });
    Ok(exit::of_sync(&summary, args.run.exit_code))
}
