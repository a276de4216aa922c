//! `mailferry copy SOURCE TARGET`

use super::args::{
    FolderArgs, MessageArgs, OutputArgs, PasswordOptions, ReportArgs, SourcePasswordArgs,
    SpeedArgs, TargetPasswordArgs, WaitArgs, folder_rules,
};
use super::chosen::Choice;
use super::failed::FailedArgs;
use super::failure::Failure;
use super::json::Summary;
use super::recall::Recollection;
use super::report::{About, Report};
use super::session::{Purpose, Session};
use super::state::{StateArgs, identity};
use super::text::{self, PlanTable};
use super::verb::{Mailbox, Verb};
use super::{exit, password, places, plan_file};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use mailferry::address::Address;
use mailferry::event::Run;
use mailferry::folders::{self, Rules};
use mailferry::mail::{Both, Side};
use mailferry::plan::DeletionLimit;
use mailferry::plan::planned::Planned;
use mailferry::plan::rights::AclMap;
use mailferry::verbs::{
    self, CopyOptions, CopySummary, Deleting, FlagPolicy, Headway, Kinship, PlanHead, PlanMailbox,
    PlanUse, Status,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Copy everything from SOURCE to TARGET; safe to re-run
///
/// Copies folders, messages, flags, dates and subscriptions. Writes nothing to SOURCE and deletes
/// nothing, unless --delete or --move asks for it. A second run sends only what is missing. An
/// address is imaps://USER@HOST (TLS) or imap://USER@HOST (STARTTLS), with %40 for an @ in USER, or
/// a directory: maildir:PATH, mbox:PATH. Never put a password in an address.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct CopyArgs {
    /// Mailbox to copy from. Example: imaps://ann%40example.org@imap.example.org
    pub(crate) source: String,
    /// Mailbox to copy to
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

/// How the copy works.
#[derive(Args)]
#[command(next_help_heading = "Run")]
struct RunArgs {
    /// How to update flags of messages already on the target
    #[arg(long, value_enum, value_name = "POLICY", default_value_t)]
    flags: Flags,
    /// Make TARGET a mirror: once everything is copied, delete messages and folders that SOURCE
    /// doesn't have. Preview with --dry-run --delete, which lists each one
    #[arg(long, conflicts_with_all = ["move_", "since", "before", "min_size", "max_size", "search"])]
    delete: bool,
    /// Move: delete from SOURCE every message verified to be on TARGET. Example: --move --before
    /// 2020-01-01
    #[arg(long = "move")]
    move_: bool,
    /// Like --delete, but move messages that SOURCE no longer has to a dated folder on TARGET (such
    /// as Vanished/2026-11-25/Work) instead of deleting them. Later copies skip these folders
    /// unless --folder selects them
    #[arg(long, conflicts_with_all = ["move_", "since", "before", "min_size", "max_size", "search"])]
    keep_deleted: bool,
    /// With --delete, --keep-deleted or --move: if more messages than this number, or this share of
    /// a folder or of all, would be deleted or moved to Vanished, remove nothing and exit with 9
    /// [default for --delete and --keep-deleted: 20 messages or 20 %, whichever is more]. Example:
    /// --max-delete 500, --max-delete 50%
    #[arg(long, value_name = "N|N%")]
    max_delete: Option<DeletionLimit>,
    /// Also copy messages whose size differs from what their server reports, if two downloads are
    /// identical: for a server that miscounts. By default they are reported as failed and not
    /// copied. Not needed for Exchange, whose sizes are known to be estimates
    #[arg(long)]
    accept_size_mismatch: bool,
    /// Compare every message on both sides byte for byte (SHA-256) and replace damaged copies on
    /// TARGET. SOURCE is taken as good: its message is sent and compared first, then the damaged
    /// one is deleted (or, with --keep-deleted, moved to Vanished). Downloads both mailboxes in
    /// full
    #[arg(long, conflicts_with_all = ["move_", "save_plan"])]
    repair: bool,
    /// Give others the same rights to the folders on TARGET that they have on SOURCE (ACL, RFC
    /// 4314). Rights are added; with --delete, those that SOURCE doesn't grant are removed. Yours
    /// and the owner's are left alone. Preview with --dry-run, which lists each entry
    #[arg(long, conflicts_with = "save_plan")]
    acl: bool,
    /// With --acl: the user or group OLD is NEW on TARGET; repeatable. A domain can become another,
    /// and an empty NEW leaves OLD out. `anyone` gets rights only by this. Example: --acl-map
    /// bob=robert --acl-map @old.example=@new.example --acl-map anyone=anyone
    #[arg(long, value_name = "OLD=NEW", requires = "acl")]
    acl_map: Vec<String>,
    /// Refill TARGET if earlier runs filled it and it is now missing or empty. By default such a
    /// directory is refused, as its disk may not be mounted
    #[arg(long)]
    new_target: bool,
    #[command(flatten)]
    limits: WaitArgs,
    #[command(flatten)]
    failed: FailedArgs,
    #[command(flatten)]
    state: StateArgs,
    /// Show what would happen without changing anything
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: exit with 4 if there is work to do
    #[arg(long, requires = "dry_run")]
    exit_code: bool,
    /// With --dry-run: save the plan to FILE, to be run later with `mailferry apply FILE`
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    save_plan: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Flags {
    /// Carry over changes since the last run; on the first run, same as union
    #[default]
    Follow,
    /// Set on the target every flag set on the source; clear nothing
    Union,
    /// Leave flags alone
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
  Preview, then copy; both prompt for passwords:
    mailferry copy --dry-run imaps://ann@old.example.org imaps://ann@new.example.org
    mailferry copy imaps://ann@old.example.org imaps://ann@new.example.org
  In a script, with passwords from files and JSON output:
    mailferry copy --source-password-file old.pw --target-password-file new.pw \\
        --output json imaps://ann@old.example.org imaps://ann@new.example.org
  Save the plan as an HTML page, and the result as JSON:
    mailferry copy --dry-run --report plan.html SOURCE TARGET
    mailferry copy --report done.json SOURCE TARGET
  Back up to a directory (created if missing), and restore:
    mailferry copy imaps://ann@imap.example.org maildir:/backup/ann
    mailferry copy maildir:/backup/ann imaps://ann@imap.example.org
  From Gmail, each message in one folder, with its other labels as keywords:
    mailferry copy --gmail-labels keywords imaps://ann%40gmail.com@imap.gmail.com TARGET
  Only this year's mail, without Trash, under one folder:
    mailferry copy --since 2026-01-01 --exclude Trash --into 'Old server' SOURCE TARGET
  A nightly mirror; list what it would delete first:
    mailferry copy --delete --dry-run SOURCE TARGET
    mailferry copy --delete SOURCE TARGET
  A nightly backup that keeps deleted mail in dated folders:
    mailferry copy --delete --keep-deleted imaps://ann@imap.example.org maildir:/backup/ann
  With the rights of others to shared folders, some of whom have new names:
    mailferry copy --acl --acl-map bob=robert --acl-map @old.example=@new.example SOURCE TARGET
  Save a plan, review it, then run exactly that:
    mailferry copy --dry-run --save-plan move.plan SOURCE TARGET
    mailferry apply move.plan

{}",
        exit::HELP
    )
}

impl RunArgs {
    fn deleting(&self) -> Result<Deleting, Failure> {
        match (
            self.delete || self.keep_deleted,
            self.move_,
            self.max_delete,
        ) {
            (true, _, limit) => Ok(Deleting::Mirror(limit.unwrap_or_default())),
            (_, true, limit) => Ok(Deleting::Source(limit)),
            (_, _, None) => Ok(Deleting::Nothing),
            (_, _, Some(_)) => Err(Failure::usage(
                "--max-delete needs --delete, --keep-deleted or --move",
            )),
        }
    }
}

impl RunArgs {
    fn acl(&self) -> Result<Option<AclMap>, Failure> {
        let map = self.acl.then(|| AclMap::new(&self.acl_map)).transpose();
        map.map_err(|error| Failure::usage(error.to_string()))
    }

    /// Refuses to empty folders whose messages are only copied from another one.
    fn check_labels(&self, folders: &folders::Options) -> Result<(), Failure> {
        if self.move_ && folders.gmail_labels.are_in_one_folder() {
            let text = format!(
                "--gmail-labels {} can't be combined with --move: a message would leave only one of its folders",
                folders.gmail_labels.name()
            );
            return Err(Failure::usage(text));
        }
        Ok(())
    }
}

impl CopyArgs {
    fn options(&self, allowed: [Option<usize>; 2]) -> Result<CopyOptions, Failure> {
        Ok(CopyOptions {
            filter: self.messages.filter()?,
            flags: self.run.flags.into(),
            jobs: self.speed.jobs.lanes(allowed),
            limit_rate: self.speed.limit_rate,
            headway: Headway::default(),
            accept_sizes: self.run.accept_size_mismatch,
            fix_refused: self.run.failed.fix_refused,
            deleting: self.run.deleting()?,
            keep_deleted: self.run.keep_deleted.then(today),
            wait: self.run.limits.wait,
            acl: self.run.acl()?,
            dry_run: self.run.dry_run,
            plan: if self.run.save_plan.is_some() {
                PlanUse::Keep
            } else {
                PlanUse::Nothing
            },
            kinship: Kinship::default(),
            new_target: self.run.new_target,
            repair: self.run.repair,
        })
    }
}

impl Verb for CopyArgs {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        Some(vec![
            Mailbox::new(&mut self.source, &mut self.source_password.configured),
            Mailbox::new(&mut self.target, &mut self.target_password.configured),
        ])
    }

    fn report(&self) -> Result<Option<Report>, Failure> {
        self.report.begin(About {
            command: "copy",
            dry_run: self.run.dry_run,
            empties_source: self.run.move_,
        })
    }

    fn output(&self) -> Option<&OutputArgs> {
        Some(&self.output)
    }

    fn recollection(&self) -> Option<Recollection> {
        Some(Recollection {
            directory: self.run.state.kept_in(),
            writes: !self.run.dry_run,
        })
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &CopyArgs, session: &Session) -> Result<u8, Failure> {
    let addresses = Session::addresses(&args.source, &args.target)?;
    let [source, target] = &addresses;
    let passwords = [
        args.source_password.options(),
        args.target_password.options(),
    ];
    password::check_stdin(passwords, args.folders.reads_stdin())?;
    let folders = args.folders.options()?;
    let rules = folder_rules(&folders)?;
    places::check_copy(&addresses, &folders)?;
    args.run.check_labels(&folders)?;
    args.messages.check_search(&[source])?;
    let options = CopyOptions {
        kinship: places::kinship(&addresses),
        ..args.options([source.connections(), target.connections()])?
    };
    session.note_options(Choice::of_copy(&folders, &options));
    let run = OneWay {
        addresses: &addresses,
        passwords,
        rules: &rules,
        options: &options,
        state: &args.run.state,
        failed: &args.run.failed,
        tell_work: args.run.exit_code,
        summarise: Summary::copy,
    };
    let texts = [&args.source, &args.target];
    let save = args
        .run
        .save_plan
        .as_deref()
        .map(|path| (path, run.plan_head(texts, folders)));
    run.go(session, save)
}

/// Returns the local date, which names the folder for mail that the source no longer has.
pub(crate) fn today() -> Date {
    jiff::ZonedDateTime::now().date()
}

/// A copy with a parsed command line, for `copy` and `apply`.
pub(crate) struct OneWay<'a> {
    pub(crate) addresses: &'a [Address; 2],
    pub(crate) passwords: [PasswordOptions<'a>; 2],
    pub(crate) rules: &'a Rules,
    pub(crate) options: &'a CopyOptions,
    pub(crate) state: &'a StateArgs,
    pub(crate) failed: &'a FailedArgs,
    /// Whether the exit code shows that there is work to do.
    pub(crate) tell_work: bool,
    /// Makes the JSON summary; its second argument is whether it was a dry run.
    pub(crate) summarise: fn(&CopySummary, bool) -> Summary,
}

impl OneWay<'_> {
    /// Runs it, saves its plan if requested, and shows the result. Returns the exit code.
    pub(crate) fn go(
        &self,
        session: &Session,
        save: Option<(&Path, PlanHead)>,
    ) -> Result<u8, Failure> {
        let dry_run = self.options.dry_run;
        let table = Arc::new(PlanTable::default());
        let (summary, planned, kept) = self.copy(session, &table)?;
        let is_whole = !matches!(summary.status, Status::Interrupted | Status::Stopped(_));
        let saved = save
            .filter(|_| is_whole)
            .map(|(path, head)| plan_file::save(path, &head, &planned))
            .transpose()?;
        session.results(
            &summary.status,
            (self.summarise)(&summary, dry_run),
            |paint| {
                let mut lines = table.lines(paint);
                lines.extend(text::copy_summary(&summary, dry_run, paint));
                lines.extend(saved.clone());
                lines.extend(kept.clone());
                lines
            },
        );
        Ok(exit::of_copy(&summary, self.tell_work))
    }

    /// Copies. A dry run fills the table. The last result says which failed messages were saved.
    fn copy(
        &self,
        session: &Session,
        table: &Arc<PlanTable>,
    ) -> Result<(CopySummary, Planned, Option<String>), Failure> {
        let ([source, target], options) = (self.addresses, self.options);
        let failed = self.failed.open(self.addresses, options.dry_run)?;
        let source_password = session.password(Side::SOURCE, source, self.passwords[0])?;
        let target_password = session.password(Side::TARGET, target, self.passwords[1])?;

        // A dry run writes nothing and takes no lock: it reads a copy.
        let peeked = if options.dry_run {
            self.state.look(source, target, session)
        } else {
            None
        };
        let kept = if options.dry_run {
            None
        } else {
            self.state.open(source, target, session)?
        };

        session.watch_signals()?;
        let table = options.dry_run.then(|| Arc::<PlanTable>::clone(table) as _);
        let observers = failed.watching(session.observers(table));
        let purposes = purposes(options);
        let source = session.account(
            Side::SOURCE,
            source,
            source_password,
            purposes[Side::SOURCE],
            &observers,
        )?;
        let target = session.account(
            Side::TARGET,
            target,
            target_password,
            purposes[Side::TARGET],
            &observers,
        )?;
        let connectors = Both::new(source.as_ref(), target.as_ref());
        let run = Run {
            stop: session.stop(),
            observer: observers.as_ref(),
        };
        let state = kept
            .as_ref()
            .map(|kept| &kept.state)
            .or(peeked.as_ref().map(|peeked| &peeked.state));
        let (summary, planned) = verbs::copy(connectors, self.rules, options, state, run)?;
        Ok((summary, planned, failed.save(connectors, run)))
    }

    /// Returns the head of its plan. `texts` are the addresses as typed, or those of accounts.
    fn plan_head(&self, texts: [&String; 2], folders: folders::Options) -> PlanHead {
        let mailbox = |at: usize| PlanMailbox {
            address: match &self.addresses[at] {
                Address::Imap(_) => texts[at].clone(),
                // By its full path, as the plan may be applied from anywhere.
                directory => identity(directory),
            },
            account: self.passwords[at]
                .configured
                .and_then(|configured| configured.account.clone()),
            identity: identity(&self.addresses[at]),
        };
        let options = self.options;
        let (state, no_state) = self.state.chosen();
        PlanHead {
            made: jiff::Timestamp::now()
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string(),
            by: env!("CARGO_PKG_VERSION").to_owned(),
            source: mailbox(0),
            target: mailbox(1),
            folders,
            filter: options.filter.clone(),
            flags: options.flags,
            deleting: options.deleting,
            keep_deleted: options.keep_deleted.is_some(),
            state,
            no_state,
        }
    }
}

/// Returns what a copy may do with each side.
fn purposes(options: &CopyOptions) -> Both<Purpose> {
    match options.deleting {
        _ if options.dry_run => Both::new(Purpose::Read, Purpose::Rehearse),
        Deleting::Source(_) => Both::new(Purpose::Empty, Purpose::Write),
        _ => Both::new(Purpose::Read, Purpose::Write),
    }
}
