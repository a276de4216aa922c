//! `mailferry config check`: validates the config file.

use super::{Config, is_name, usual_path};
use crate::cli::failure::Failure;
use crate::cli::password::check_private;
use crate::cli::session::Session;
use crate::cli::verb::{Mailbox, Verb};
use crate::cli::{exit, harmless, job_command, units};
use clap::{Args, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};

/// Check the config file
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
    /// The file given by `--config`.
    #[arg(skip)]
    chosen: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Validate the config file and list its accounts and jobs
    Check,
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry config check
    mailferry --config ./mail.toml config check

{}",
        exit::HELP
    )
}

impl Verb for ConfigArgs {
    fn name(&self) -> &'static str {
        "config"
    }

    fn prepare(&mut self, config: Option<&Path>) -> Result<(), Failure> {
        self.chosen = config.map(Path::to_owned);
        Ok(())
    }

    /// It reads the file itself, and reports all problems.
    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        None
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &ConfigArgs, session: &Session) -> Result<u8, Failure> {
    let Action::Check = args.action;
    let path = args.chosen.clone().or_else(usual_path);
    let path = path.ok_or_else(|| {
        Failure::usage("no home directory found; pass the file with --config FILE")
    })?;
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("could not read {}: {error}", path.display())))?;
    let (config, mut problems) = Config::read(&path, &text);
    problems.extend(deeper(&config));
    if !problems.is_empty() {
        problems.iter().for_each(|problem| session.warn(problem));
        let count = units::counted(problems.len() as u64, "problem");
        return Err(Failure::usage(format!("{}: {count}", path.display())));
    }
    let (output, _) = session.lines();
    describe(&config, &path)
        .iter()
        .for_each(|line| output.line(&harmless::text(line)));
    Ok(exit::DONE)
}

/// Finds problems that only show once everything is loaded: option values, account names, password
/// files.
fn deeper(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, job) in &config.jobs {
        if let Err(error) = job_command(job, &[]) {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            problems.push(format!(
                "job.{name}: {}",
                first.strip_prefix("error: ").unwrap_or(first)
            ));
        }
        for mailbox in job.mailboxes().iter().filter(|mailbox| is_name(mailbox)) {
            problems.extend(
                config
                    .account(mailbox)
                    .err()
                    .map(|failure| format!("job.{name}: {}", failure.message)),
            );
        }
    }
    for (name, account) in &config.accounts {
        let files = account
            .password
            .file
            .iter()
            .chain(&account.password.client.secret_file)
            .map(PathBuf::from);
        for file in files {
            match fs::metadata(&file) {
                Err(error) => problems.push(format!("account.{name}: {}: {error}", file.display())),
                Ok(_) => problems.extend(
                    check_private(&file)
                        .err()
                        .map(|error| format!("account.{name}: {error:#}")),
                ),
            }
        }
    }
    problems
}

fn describe(config: &Config, path: &Path) -> Vec<String> {
    let mut lines = vec![format!("{}: OK", path.display())];
    lines.extend(
        config
            .accounts
            .iter()
            .map(|(name, account)| format!("account {name}: {}", account.address)),
    );
    lines.extend(
        config
            .jobs
            .iter()
            .map(|(name, job)| format!("job {name}: mailferry {}", job.shown())),
    );
    lines
}
