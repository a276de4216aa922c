//! `mailferry verify SOURCE TARGET`

use super::args::{
    FolderArgs, JobArgs, MessageArgs, OutputArgs, ReportArgs, SourcePasswordArgs,
    TargetPasswordArgs, folder_rules,
};
use super::chosen::Choice;
use super::failure::Failure;
use super::json::Summary;
use super::recall::Recollection;
use super::report::{About, Report};
use super::session::{Purpose, Session};
use super::text::Differences;
use super::verb::{Mailbox, Verb};
use super::{exit, password, places, state};
use clap::Args;
use mailferry::address::Address;
use mailferry::event::Run;
use mailferry::mail::{Both, Side};
use mailferry::verbs::{self, VerifyOptions};
use std::sync::Arc;

/// Compare two mailboxes without writing to either
///
/// Compares folders, messages, flags and dates; with --deep, every message's bytes too. Pass the
/// same folder options as for copy, so that the same folders are paired.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct VerifyArgs {
    /// Mailbox to compare. Example: imaps://ann%40example.org@imap.example.org
    pub(crate) source: String,
    /// Mailbox to compare it with
    pub(crate) target: String,
    #[command(flatten)]
    folders: FolderArgs,
    #[command(flatten)]
    messages: MessageArgs,
    /// Compare every message byte for byte (SHA-256); downloads both mailboxes in full
    #[arg(long, help_heading = "Run")]
    deep: bool,
    #[command(flatten)]
    pub(crate) source_password: SourcePasswordArgs,
    #[command(flatten)]
    pub(crate) target_password: TargetPasswordArgs,
    #[command(flatten)]
    jobs: JobArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    report: ReportArgs,
}

fn after_help() -> String {
    format!(
        "\
Examples:
  After a copy:
    mailferry verify imaps://ann@old.example.org imaps://ann@new.example.org
  With an HTML report of the differences and of what both sides hold:
    mailferry verify --report proof.html SOURCE TARGET
  One folder, byte for byte, as JSON:
    mailferry verify --deep --folder INBOX --output json SOURCE TARGET

{}",
        exit::HELP
    )
}

impl VerifyArgs {
    fn options(&self, addresses: &[Address; 2]) -> Result<VerifyOptions, Failure> {
        let [source, target] = addresses;
        Ok(VerifyOptions {
            filter: self.messages.filter()?,
            deep: self.deep,
            jobs: self
                .jobs
                .lanes([source.connections(), target.connections()]),
            kinship: places::kinship(addresses),
        })
    }
}

impl Verb for VerifyArgs {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        Some(vec![
            Mailbox::new(&mut self.source, &mut self.source_password.configured),
            Mailbox::new(&mut self.target, &mut self.target_password.configured),
        ])
    }

    fn report(&self) -> Result<Option<Report>, Failure> {
        self.report.begin(About {
            command: "verify",
            dry_run: false,
            empties_source: false,
        })
    }

    fn output(&self) -> Option<&OutputArgs> {
        Some(&self.output)
    }

    fn recollection(&self) -> Option<Recollection> {
        Some(Recollection {
            directory: state::usual_directory(),
            writes: false,
        })
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &VerifyArgs, session: &Session) -> Result<u8, Failure> {
    let addresses = Session::addresses(&args.source, &args.target)?;
    let [source, target] = &addresses;
    let (source_password, target_password) = (
        args.source_password.options(),
        args.target_password.options(),
    );
    password::check_stdin(
        [source_password, target_password],
        args.folders.reads_stdin(),
    )?;
    let folders = args.folders.options()?;
    let rules = folder_rules(&folders)?;
    args.messages.check_search(&[source, target])?;
    let options = args.options(&addresses)?;
    let mut choice = Choice::of_folders(&folders);
    choice.messages(&options.filter);
    choice.flag("--deep", options.deep);
    session.note_options(choice);
    let source_password = session.password(Side::SOURCE, source, source_password)?;
    let target_password = session.password(Side::TARGET, target, target_password)?;

    let differences = Arc::new(Differences::default());
    session.watch_signals()?;
    let observers = session.observers(Some(Arc::<Differences>::clone(&differences) as _));
    let source = session.account(
        Side::SOURCE,
        source,
        source_password,
        Purpose::Read,
        &observers,
    )?;
    let target = session.account(
        Side::TARGET,
        target,
        target_password,
        Purpose::Read,
        &observers,
    )?;
    let run = Run {
        stop: session.stop(),
        observer: observers.as_ref(),
    };
    let summary = verbs::verify(
        Both::new(source.as_ref(), target.as_ref()),
        &rules,
        &options,
        run,
    )?;

    session.results(&summary.status, Summary::verify(&summary), |paint| {
        differences.lines(&summary, paint)
    });
    Ok(exit::of_verify(&summary))
}
