//! The command line: parses it, runs a verb of the library, shows the result.
//!
//! One file per command, which implements [`verb::Verb`]; `Command` lists them. stdout carries only
//! results ([`output`]), stderr everything else ([`console`]); both show a server's text only after
//! it was made [`harmless`]. Only this part of the program reads the environment.

mod apply;
mod args;
mod browser;
mod chosen;
mod config;
mod console;
mod copy;
mod doctor;
mod exit;
mod failed;
mod failure;
mod folder_list;
mod folders;
mod harmless;
mod heading;
mod json;
mod left_out;
mod log;
mod log_file;
mod login;
mod metrics;
mod netrc;
mod observers;
mod output;
mod pace;
mod pages;
mod password;
mod places;
mod plan_file;
mod progress;
mod recall;
mod report;
mod run;
#[cfg(test)]
mod samples;
mod session;
mod signals;
mod state;
mod sync;
mod table;
mod text;
mod tokens;
mod undo;
mod units;
mod values;
mod verb;
mod verify;
mod version;

use args::When;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use config::names::use_accounts;
use console::Console;
use failure::Failure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use session::Session;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use verb::Verb;

/// Copy, sync, back up and verify IMAP mailboxes. Fast, exact, safe to re-run.
#[derive(Parser)]
#[command(name = "mailferry", version, long_version = version::long(), after_help = after_help())]
struct Cli {
    /// Config file with accounts and jobs [default: $XDG_CONFIG_HOME/mailferry/config.toml, else
    /// ~/.config/mailferry/config.toml]. Example: --config ./mail.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Run")]
    config: Option<PathBuf>,
    /// Accept a weaker login method than last time; it becomes the new baseline
    #[arg(long, global = true, help_heading = "Passwords")]
    allow_weaker_auth: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Copy(copy::CopyArgs),
    Apply(apply::ApplyArgs),
    Sync(sync::SyncArgs),
    Undo(undo::UndoArgs),
    Verify(verify::VerifyArgs),
    Folders(folders::FoldersArgs),
    Doctor(doctor::DoctorArgs),
    Run(run::RunArgs),
    Login(login::LoginArgs),
    Logout(login::LogoutArgs),
    Config(config::check::ConfigArgs),
    Man(pages::ManArgs),
    Completions(pages::CompletionsArgs),
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry folders imaps://ann@old.example.org
    mailferry copy --dry-run imaps://ann@old.example.org imaps://ann@new.example.org
    mailferry copy imaps://ann@old.example.org imaps://ann@new.example.org
    mailferry verify imaps://ann@old.example.org imaps://ann@new.example.org
    mailferry sync imaps://ann@one.example.org imaps://ann@two.example.org
    mailferry doctor imaps://ann@old.example.org
    mailferry login --client-id ID imaps://ann%40example.org@outlook.office365.com

A mailbox is imaps://USER@HOST[:993] (TLS) or imap://USER@HOST[:143] (STARTTLS), a directory (maildir:PATH, mbox:PATH), \
or the name of an account in the config file (docs/usage.md). Write %40 for an @ in USER.

Passwords come from a file, a command, the environment (MAILFERRY_SOURCE_PASSWORD, MAILFERRY_TARGET_PASSWORD), \
~/.netrc, or a prompt; see `mailferry copy --help`. For OAuth 2.0 see `mailferry login --help`.

{}",
        exit::HELP
    )
}

/// Runs the program. Returns its exit code.
pub(crate) fn run() -> u8 {
    leave_no_core();
    signals::outlive_size_limit();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &arguments),
    };
    let chosen = cli.config.as_deref();
    let allow_weaker = cli.allow_weaker_auth;
    let command = match cli.command {
        Command::Run(args) => match run::job(&args, chosen) {
            Ok(command) => command,
            Err(run::Refused::Usage(error, arguments)) => return refuse(&error, &arguments),
            Err(run::Refused::Failure(failure)) => {
                Console::new(When::Auto).failure(&failure);
                return failure.code;
            }
        },
        command => command,
    };
    execute(command, chosen, allow_weaker)
}

fn execute(mut command: Command, chosen: Option<&Path>, allow_weaker: bool) -> u8 {
    let verb = command.verb();
    let prepared = verb.prepare(chosen);
    let named = prepared.and_then(|()| use_accounts(verb, chosen));
    let session = match open_session(verb) {
        Ok(session) => session,
        Err(failure) => {
            Console::new(When::Auto).failure(&failure);
            return failure.code;
        }
    };
    if let Some(recollection) = verb.recollection() {
        session.recollect(recollection, allow_weaker);
    }
    session.end(named.and_then(|()| verb.run(&session)))
}

/// Sets up streams, and the report if requested.
fn open_session(verb: &dyn Verb) -> Result<Session, Failure> {
    let report = verb.report()?;
    Session::new(
        verb.name(),
        verb.output().unwrap_or(&args::OutputArgs::default()),
        report,
    )
}

/// Prevents core files, which would contain the passwords. A limit of one byte is too small for
/// any, and the only one at which the kernel doesn't pass a core to another program either
/// (core(5)).
fn leave_no_core() {
    let most = getrlimit(Resource::Core)
        .maximum
        .map_or(1, |most| most.min(1));
    // If that can't be set, nothing else depends on it.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(most),
            maximum: Some(most),
        },
    );
}

/// Parses a job's command, with further options after its own; of two values for one option the
/// last one counts.
fn job_command(job: &config::Job, more: &[String]) -> Result<Command, clap::Error> {
    let arguments = std::iter::once("mailferry".to_owned()).chain(job.arguments_with(more));
    let parser = Cli::command().mut_subcommands(|command| command.args_override_self(true));
    let cli = Cli::from_arg_matches(&parser.try_get_matches_from(arguments)?)?;
    let misplaced = |option: &str| {
        Err(Cli::command().error(
            ErrorKind::ArgumentConflict,
            format!("{option} must come before the job name"),
        ))
    };
    match (cli.config, cli.allow_weaker_auth) {
        (None, false) => Ok(cli.command),
        (Some(_), _) => misplaced("--config"),
        (None, true) => misplaced("--allow-weaker-auth"),
    }
}

impl Command {
    fn verb(&mut self) -> &mut dyn Verb {
        match self {
            Self::Copy(args) => args,
            Self::Apply(args) => args,
            Self::Sync(args) => args,
            Self::Undo(args) => args,
            Self::Verify(args) => args,
            Self::Folders(args) => args,
            Self::Doctor(args) => args,
            Self::Run(args) => args,
            Self::Login(args) => args,
            Self::Logout(args) => args,
            Self::Config(args) => args,
            Self::Man(args) => args,
            Self::Completions(args) => args,
        }
    }
}

/// Shows help, the version, or what is wrong with the command line. Errors repeat arguments, so
/// they are shown only if no argument could contain a password.
fn refuse(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !is_answer
        && arguments
            .iter()
            .any(|argument| may_hold_password(&argument.to_string_lossy()))
    {
        let failure = Failure::usage("invalid command line, and one of its arguments seems to contain a password")
            .with_hint("write addresses as imaps://USER@HOST; see `mailferry copy --help` for ways to pass passwords");
        Console::new(When::Auto).failure(&failure);
        return exit::USAGE;
    }
    // If the stream can't be written to, the command line is no different.
    let _ = error.print();
    if is_answer { exit::DONE } else { exit::USAGE }
}

/// Reports whether it contains something like `SCHEME://USER:PASSWORD@`, with or without a scheme.
fn may_hold_password(argument: &str) -> bool {
    let after_scheme = argument
        .split_once("://")
        .map_or(argument, |(_, rest)| rest);
    after_scheme
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_is_wrapped_once() {
        let help = Cli::command().term_width(80).render_long_help().to_string();
        for begin in ["A mailbox is", "Passwords come"] {
            let text = &help[help.find(begin).unwrap()..];
            let lines: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
            let (_, full) = lines.split_last().unwrap();
            assert!(full.iter().all(|line| line.len() > 50), "{lines:#?}");
        }
    }

    #[test]
    fn the_usage_of_undo_names_each_word_once() {
        let mut command = Cli::command();
        let usage = command
            .find_subcommand_mut("undo")
            .unwrap()
            .render_usage()
            .to_string();
        assert_eq!(usage.matches("RUN").count(), 1, "{usage}");
        assert!(
            usage.contains("undo [OPTIONS] --list FIRST SECOND"),
            "{usage}"
        );
    }

    #[test]
    fn every_option_has_help_and_a_heading() {
        for command in Cli::command().get_subcommands() {
            for argument in command
                .get_arguments()
                .filter(|argument| !argument.is_positional())
            {
                let name = format!("{} --{}", command.get_name(), argument.get_id());
                assert!(argument.get_help().is_some(), "{name}");
                assert!(argument.get_help_heading().is_some(), "{name}");
            }
            assert!(
                command
                    .get_after_help()
                    .unwrap()
                    .to_string()
                    .contains("Exit codes")
            );
        }
    }

    #[test]
    fn passwords_in_addresses_are_detected() {
        let table = [
            ("imaps://ann:s3cret@imap.example.org", true),
            ("--x=imap://ann:p@ss@host", true),
            ("imaps://ann%40example.org@imap.example.org:993", false),
            ("imaps://ann@[::1]:993", false),
            ("ann:s3cret@imap.example.org", true),
            ("--since", false),
            ("", false),
        ];
        for (argument, holds) in table {
            assert_eq!(may_hold_password(argument), holds, "{argument}");
        }
    }
}
