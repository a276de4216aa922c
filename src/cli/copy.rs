//! `mailferry copy SOURCE TARGET`

use super::args::{
    FolderArgs, MessageArgs, OutputArgs, PasswordOptions, ReportArgs, SourcePasswordArgs, SpeedArgs,
    TargetPasswordArgs, folder_rules,
};
use super::chosen::Choice;
use super::failure::Failure;
use super::json::Summary;
use super::report::{About, Report};
use super::session::{Purpose, Session};
use super::state::StateArgs;
use super::text::{self, PlanTable};
use super::{exit, password, places, plan_file};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use mailferry::address::Address;
use mailferry::event::Side;
use mailferry::folders::Rules;
use mailferry::plan::DeletionLimit;
use mailferry::verbs::{self, CopyOptions, CopySummary, Deleting, FlagPolicy, Kinship, PlanHead, PlanUse, Status};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Make TARGET hold everything that SOURCE holds; safe to run again
///
/// Copies folders, messages, flags, dates and subscriptions. Nothing is written to SOURCE and nothing is deleted, unless
/// --delete or --move asks for it. A second run sends only what is missing. An address is imaps://USER@HOST (TLS) or
/// imap://USER@HOST (STARTTLS), with %40 for an @ in USER, or a directory: maildir:PATH, mbox:PATH. A password never belongs
/// into it.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct CopyArgs {
    /// Where the mail is. Example: imaps://ann%40example.org@imap.example.org
    pub(crate) source: String,
    /// Where it shall be
    pub(crate) target: String,
    #[command(flatten)]
    folders: FolderArgs,
    #[command(flatten)]
    messages: MessageArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    pub(crate) source_password: SourcePasswordArgs,
    #[command(flatten)]
    pub(crate) target_password: TargetPasswordArgs,
    #[command(flatten)]
    speed: SpeedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// How the run goes.
#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// What happens to the flags of messages that the target has already
    #[arg(long, value_enum, value_name = "POLICY", default_value_t)]
    flags: Flags,
    /// Make TARGET a mirror: delete what SOURCE does not have, messages and folders, at the end, where everything else went
    /// well. Look first: --dry-run --delete lists each one
    #[arg(long, conflicts_with_all = ["move_", "since", "before", "min_size", "max_size", "search"])]
    delete: bool,
    /// Empty SOURCE: delete there what is proven to be on TARGET. Example: --move --before 2020-01-01
    #[arg(long = "move")]
    move_: bool,
    /// A mirror that loses nothing: as --delete (which may stand beside it), but what SOURCE does not have any more is moved
    /// on TARGET to a folder of the day, such as Vanished/2026-11-25/Work. No copy deletes or takes along these folders
    /// unless --folder names them
    #[arg(long, conflicts_with_all = ["move_", "since", "before", "min_size", "max_size", "search"])]
    keep_deleted: bool,
    /// With --delete, --keep-deleted or --move: if more messages would be deleted or kept than this number or share of a
    /// folder or of all, take away nothing and exit with 9; without it, --delete and --keep-deleted stop at more than 20
    /// messages that are more than 20 %.
    /// Example: --max-delete 500, --max-delete 50%
    #[arg(long, value_name = "N|N%")]
    max_delete: Option<DeletionLimit>,
    /// Copy messages, too, that have another size than their server says, if they come twice alike: for a server that counts
    /// wrongly. Without it they are named as failed and not copied; Exchange's estimates are known and need no option
    #[arg(long)]
    accept_size_mismatch: bool,
    /// Compare the bytes of every message that both sides have (SHA-256), and replace what is damaged on TARGET: SOURCE's is taken
    /// as good, sent and compared, and only then the damaged one is deleted, or with --keep-deleted kept. All mail is read from
    /// both sides
    #[arg(long, conflicts_with_all = ["move_", "save_plan"])]
    repair: bool,
    /// Fill TARGET anew although earlier runs have filled it and it is gone or empty now: without this, a directory of which the
    /// disk may not be mounted is refused
    #[arg(long)]
    new_target: bool,
    #[command(flatten)]
    state: StateArgs,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit with 4 if there is work to do
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// With --dry-run: keep the plan in this file; `mailferry apply FILE` carries it out and nothing else
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    save_plan: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Flags {
    /// Apply the source's changes since the last run; where no last run is known, as union
    #[default]
    Follow,
    /// Set on the target what is set on the source; take nothing away
    Union,
    /// Leave them alone
    Ignore,
}

impl From<Flags> for FlagPolicy {
    fn from(flags: Flags) -> Self {
        match flags {
            Flags::Follow => Self::Follow,
            Flags::Union => Self::Union,
            Flags::Ignore => Self::Ignore,
        }
    }
}

fn after_help() -> String {
    format!(
        "\
Examples:
  Look first, then copy; both ask for the passwords:
    mailferry copy --dry-run imaps://ann@old.example.org imaps://ann@new.example.org
    mailferry copy imaps://ann@old.example.org imaps://ann@new.example.org
  In a script, with passwords from files and results for a program:
    mailferry copy --source-password-file old.pw --target-password-file new.pw \\
        --output json imaps://ann@old.example.org imaps://ann@new.example.org
  The plan as a page for a browser, and what came of the run as data:
    mailferry copy --dry-run --report plan.html SOURCE TARGET
    mailferry copy --report done.json SOURCE TARGET
  A backup into a directory, which is made if it is not there, and the way back:
    mailferry copy imaps://ann@imap.example.org maildir:/backup/ann
    mailferry copy maildir:/backup/ann imaps://ann@imap.example.org
  Only this year's mail, without Trash, below one folder:
    mailferry copy --since 2026-01-01 --exclude Trash --into 'Old server' SOURCE TARGET
  A mirror, each night; what it would delete is listed first:
    mailferry copy --delete --dry-run SOURCE TARGET
    mailferry copy --delete SOURCE TARGET
  A backup, each night, that keeps what is deleted on the server in a folder of the day:
    mailferry copy --delete --keep-deleted imaps://ann@imap.example.org maildir:/backup/ann
  A plan to look at, and to carry out later exactly as it is:
    mailferry copy --dry-run --save-plan move.plan SOURCE TARGET
    mailferry apply move.plan

{}",
        exit::HELP
    )
}

impl RunArgs {
    fn deleting(&self) -> Result<Deleting, Failure> {
        match (self.delete || self.keep_deleted, self.move_, self.max_delete) {
            (true, _, limit) => Ok(Deleting::Mirror(limit.unwrap_or_default())),
            (_, true, limit) => Ok(Deleting::Source(limit)),
            (_, _, None) => Ok(Deleting::Nothing),
            (_, _, Some(_)) => {
                Err(Failure::usage("--max-delete limits --delete, --keep-deleted or --move, and none is given"))
            }
        }
    }
}

impl CopyArgs {
    /// What it may know of earlier logins, and whether it leaves something.
    pub(crate) fn recollects(&self) -> (Option<PathBuf>, bool) {
        (self.run.state.kept_in(), !self.run.dry_run)
    }

    fn options(&self, allowed: [Option<usize>; 2]) -> Result<CopyOptions, Failure> {
        Ok(CopyOptions {
            filter: self.messages.filter()?,
            flags: self.run.flags.into(),
            jobs: self.speed.jobs.lanes(allowed),
            limit_rate: self.speed.limit_rate,
            accept_sizes: self.run.accept_size_mismatch,
            deleting: self.run.deleting()?,
            keep_deleted: self.run.keep_deleted.then(today),
            dry_run: self.run.dry_run,
            plan: if self.run.save_plan.is_some() { PlanUse::Keep } else { PlanUse::Nothing },
            kinship: Kinship::default(),
            new_target: self.run.new_target,
            repair: self.run.repair,
        })
    }
}

impl CopyArgs {
    /// Begins the report that was asked for.
    ///
    /// # Errors
    /// That its file can't be written.
    pub(crate) fn report(&self) -> Result<Option<Report>, Failure> {
        let RunArgs { dry_run, move_, .. } = self.run;
        self.report.begin(About { command: "copy", dry_run, empties_source: move_ })
    }
}

/// Runs it. Gives the exit code.
pub(crate) fn run(args: &CopyArgs, session: &Session) -> Result<u8, Failure> {
    let addresses = Session::addresses(&args.source, &args.target)?;
    let [source, target] = &addresses;
    let passwords = [args.source_password.options(), args.target_password.options()];
    password::check_stdin(passwords, args.folders.reads_stdin())?;
    let folders = args.folders.options()?;
    let rules = folder_rules(&folders)?;
    places::check_copy(&addresses, &folders)?;
    args.messages.check_search(&[source])?;
    let options = CopyOptions {
        kinship: places::kinship(&addresses),
        ..args.options([source.connections(), target.connections()])?
    };
    session.note_options(Choice::of_copy(&folders, &options));
    let save = args.run.save_plan.as_deref().map(|path| {
        let texts = [&args.source, &args.target];
        (path, plan_file::head(&addresses, texts, passwords, folders, &options, &args.run.state))
    });
    let run = OneWay {
        addresses: &addresses,
        passwords,
        rules: &rules,
        options: &options,
        state: &args.run.state,
        tell_work: args.run.exit_code,
    };
    run.go(session, save, Summary::copy)
}

/// The day, where this machine is: the name of the folder that keeps what vanishes now.
pub(crate) fn today() -> Date {
    jiff::ZonedDateTime::now().date()
}

/// A copy whose command line is read, whichever command it was.
pub(crate) struct OneWay<'a> {
    pub(crate) addresses: &'a [Address; 2],
    pub(crate) passwords: [PasswordOptions<'a>; 2],
    pub(crate) rules: &'a Rules,
    pub(crate) options: &'a CopyOptions,
    pub(crate) state: &'a StateArgs,
    /// Whether the exit code says that there is work to do.
    pub(crate) tell_work: bool,
}

impl OneWay<'_> {
    /// Runs it, keeps its plan where that is wanted, and shows what came of it. Gives the exit code.
    pub(crate) fn go(
        &self,
        session: &Session,
        save: Option<(&Path, PlanHead)>,
        summarise: fn(&CopySummary, bool) -> Summary,
    ) -> Result<u8, Failure> {
        let ([source, target], options) = (self.addresses, self.options);
        let source_password = session.password(Side::Source, source, self.passwords[0])?;
        let target_password = session.password(Side::Target, target, self.passwords[1])?;

        // A dry run writes nothing anywhere, and takes nobody's place: it looks at a copy.
        let peeked = if options.dry_run { self.state.look(source, target, session) } else { None };
        let kept = if options.dry_run { None } else { self.state.open(source, target, session)? };

        let table = Arc::new(PlanTable::default());
        session.watch_signals()?;
        let observers = session.observers(options.dry_run.then(|| Arc::<PlanTable>::clone(&table) as _));
        let source_purpose = match options.deleting {
            Deleting::Source(_) if !options.dry_run => Purpose::Empty,
            _ => Purpose::Read,
        };
        let target_purpose = if options.dry_run { Purpose::Rehearse } else { Purpose::Write };
        let source = session.account(Side::Source, source, source_password, source_purpose, &observers)?;
        let target = session.account(Side::Target, target, target_password, target_purpose, &observers)?;
        let (source, target, stop) = (source.as_ref(), target.as_ref(), session.stop());
        let state = kept.as_ref().map(|kept| &kept.state).or(peeked.as_ref().map(|peeked| &peeked.state));
        let (summary, planned) = verbs::copy(source, target, self.rules, options, state, stop, observers.as_ref())?;
        let is_whole = !matches!(summary.status, Status::Interrupted | Status::Stopped(_));
        let saved = save.filter(|_| is_whole).map(|(path, head)| plan_file::save(path, &head, &planned)).transpose()?;
        session.results(
            &summary.status,
            || summarise(&summary, options.dry_run),
            |paint| {
                let mut lines = table.lines(paint);
                lines.extend(text::copy_summary(&summary, options.dry_run, paint));
                lines.extend(saved.clone());
                lines
            },
        );
        Ok(exit::of_copy(&summary, self.tell_work))
    }
}
