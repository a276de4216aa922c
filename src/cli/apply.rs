//! `mailferry apply FILE`

use super::args::{
    OutputArgs, ReportArgs, SourcePasswordArgs, SpeedArgs, TargetPasswordArgs, WaitArgs,
    folder_rules,
};
use super::chosen::Choice;
use super::copy::{OneWay, today};
use super::failed::FailedArgs;
use super::failure::Failure;
use super::json::Summary;
use super::recall::Recollection;
use super::report::{About, Report};
use super::session::Session;
use super::state::{StateArgs, identity};
use super::verb::{Mailbox, Verb};
use super::{exit, password, places, plan_file};
use clap::Args;
use mailferry::address::Address;
use mailferry::plan::planned::Planned;
use mailferry::verbs::{CopyOptions, PlanHead, PlanMailbox, PlanUse};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Apply a plan saved by `copy --dry-run --save-plan`, and nothing else
///
/// The plan holds both mailboxes and the options; passwords are found as for a copy. A folder that
/// has changed since on either side (UIDVALIDITY, missing messages, flags) is skipped and reported;
/// the rest is applied, and the exit code is 3. New messages are left alone. An interrupted plan
/// resumes.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct ApplyArgs {
    /// Plan file to apply
    plan: PathBuf,
    /// Check whether the plan still holds, and show what would happen without changing anything
    #[arg(long, help_heading = "Run")]
    dry_run: bool,
    /// Also copy messages whose size differs from what their server reports, if two downloads are
    /// identical: for a server that miscounts. By default they are reported as failed and not
    /// copied. Not needed for Exchange, whose sizes are known to be estimates
    #[arg(long, help_heading = "Run")]
    accept_size_mismatch: bool,
    /// Refill TARGET if earlier runs filled it and it is now missing or empty. By default such a
    /// directory is refused, as its disk may not be mounted
    #[arg(long, help_heading = "Run")]
    new_target: bool,
    #[command(flatten)]
    limits: WaitArgs,
    #[command(flatten)]
    failed: FailedArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    source_password: SourcePasswordArgs,
    #[command(flatten)]
    target_password: TargetPasswordArgs,
    #[command(flatten)]
    speed: SpeedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    report: ReportArgs,
    #[arg(skip)]
    opened: Option<Box<Opened>>,
}

/// A loaded plan, and its mailboxes as a user would type them.
struct Opened {
    head: PlanHead,
    planned: Arc<Planned>,
    source: String,
    target: String,
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry copy --dry-run --save-plan move.plan imaps://ann@old.example.org imaps://ann@new.example.org
    mailferry apply --dry-run move.plan
    mailferry apply --report done.html move.plan

{}",
        exit::HELP
    )
}

impl Verb for ApplyArgs {
    fn name(&self) -> &'static str {
        "apply"
    }

    /// Reads the plan, which names the mailboxes.
    fn prepare(&mut self, _config: Option<&Path>) -> Result<(), Failure> {
        let (head, planned) = plan_file::load(&self.plan)?;
        let typed = |mailbox: &PlanMailbox| {
            mailbox
                .account
                .clone()
                .unwrap_or_else(|| mailbox.address.clone())
        };
        let (source, target) = (typed(&head.source), typed(&head.target));
        self.opened = Some(Box::new(Opened {
            head,
            planned: Arc::new(planned),
            source,
            target,
        }));
        Ok(())
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        let Some(Opened { source, target, .. }) = self.opened.as_deref_mut() else {
            return Some(Vec::new());
        };
        Some(vec![
            Mailbox::new(source, &mut self.source_password.configured),
            Mailbox::new(target, &mut self.target_password.configured),
        ])
    }

    fn report(&self) -> Result<Option<Report>, Failure> {
        let empties_source = self
            .opened
            .as_deref()
            .is_some_and(|opened| opened.planned.empties_source);
        self.report.begin(About {
            command: "apply",
            dry_run: self.dry_run,
            empties_source,
        })
    }

    fn output(&self) -> Option<&OutputArgs> {
        Some(&self.output)
    }

    fn recollection(&self) -> Option<Recollection> {
        let Opened { head, .. } = self.opened.as_deref()?;
        let state = self.state.or_saved(head.state.as_deref(), head.no_state);
        Some(Recollection {
            directory: state.kept_in(),
            writes: !self.dry_run,
        })
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &ApplyArgs, session: &Session) -> Result<u8, Failure> {
    let Some(Opened {
        head,
        planned,
        source,
        target,
    }) = args.opened.as_deref()
    else {
        return Err(Failure::local("the plan was not read"));
    };
    let addresses = Session::addresses(source, target)?;
    let [source, target] = &addresses;
    check_same(source, &head.source)?;
    check_same(target, &head.target)?;
    let passwords = [
        args.source_password.options(),
        args.target_password.options(),
    ];
    password::check_stdin(passwords, false)?;
    let rules = folder_rules(&head.folders)?;
    places::check_copy(&addresses, &head.folders)?;
    let options = CopyOptions {
        jobs: args
            .speed
            .jobs
            .lanes([source.connections(), target.connections()]),
        limit_rate: args.speed.limit_rate,
        accept_sizes: args.accept_size_mismatch,
        wait: args.limits.wait,
        fix_refused: args.failed.fix_refused,
        dry_run: args.dry_run,
        keep_deleted: head.keep_deleted.then(today),
        plan: PlanUse::Only(Arc::clone(planned)),
        kinship: places::kinship(&addresses),
        new_target: args.new_target,
        ..head.options()
    };
    session.note_options(Choice::of_copy(&head.folders, &options));
    let state = args.state.or_saved(head.state.as_deref(), head.no_state);
    let run = OneWay {
        addresses: &addresses,
        passwords,
        rules: &rules,
        options: &options,
        state: &state,
        failed: &args.failed,
        tell_work: false,
        summarise: Summary::apply,
    };
    run.go(session, None)
}

/// Checks that an account's name still means the same mailbox.
fn check_same(address: &Address, saved: &PlanMailbox) -> Result<(), Failure> {
    let now = identity(address);
    if now == saved.identity {
        return Ok(());
    }
    let name = saved.account.as_deref().unwrap_or(&saved.address);
    let text = format!(
        "the plan was made for {}, but {name} is now {now}",
        saved.identity
    );
    Err(Failure::usage(text).with_hint("make a new plan"))
}
