//! `mailferry run JOB`: a command with its options, stored in the config file.

use super::config::Config;
use super::failure::Failure;
use super::session::Session;
use super::verb::Verb;
use super::{Command, exit, job_command};
use clap::Args;
use std::ffi::OsString;
use std::path::Path;

/// Run a job from the config file
///
/// A job is a command with its mailboxes and options: [job.NAME] in the config file. Options after
/// the job name are added to the job's own and override them.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct RunArgs {
    /// Job name
    job: String,
    /// Further options for the command. Example: --dry-run
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTIONS"
    )]
    more: Vec<String>,
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry run nightly
    mailferry run nightly --dry-run -v

{}",
        exit::HELP
    )
}

impl Verb for RunArgs {
    fn name(&self) -> &'static str {
        "run"
    }

    /// A job can't be a job: [`job`] has already replaced the one on the command line.
    fn run(&self, _session: &Session) -> Result<u8, Failure> {
        Err(Failure::usage("a job can't run another job"))
    }
}

/// Why there is no command to run.
pub(crate) enum Refused {
    /// Its command line is wrong.
    Usage(clap::Error, Vec<OsString>),
    /// There is no such job, or no config file.
    Failure(Failure),
}

/// Returns a job's command.
pub(crate) fn job(args: &RunArgs, chosen: Option<&Path>) -> Result<Command, Refused> {
    let config = Config::load(chosen)
        .map_err(Refused::Failure)?
        .ok_or_else(|| {
            let failure = Failure::usage(format!("no job {}: there is no config file", args.job));
            Refused::Failure(failure.with_hint(
                "create ~/.config/mailferry/config.toml, or pass another file with --config FILE",
            ))
        })?;
    let job = config.job(&args.job).map_err(Refused::Failure)?;
    job_command(job, &args.more).map_err(|error| {
        Refused::Usage(
            error,
            job.arguments_with(&args.more)
                .into_iter()
                .map(OsString::from)
                .collect(),
        )
    })
}
