//! The command line: parses it, runs a verb of the library, shows the result.
//!
//! One file per command. stdout carries only results ([`output`]), stderr everything else
//! ([`console`]); both show a server's text only after it was made [`harmless`]. Only this part of
//! the program reads the environment.

mod apply;
mod args;
mod browser;
mod chosen;
mod config;
mod console;
mod copy;
mod doctor;
mod exit;
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
mod verify;
mod version;

use args::When;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use config::names::Mailbox;
use console::Console;
use failure::Failure;
use recall::Recollection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use session::Session;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
    if let Command::Doctor(args) = &mut command
        && args.json
    {
        args.output.output = args::Format::Json;
    }
    let typed = command
        .mailboxes()
        .first()
        .map(|mailbox| mailbox.text.clone());
    let opened = if let Command::Apply(args) = &mut command {
        args.open()
    } else {
        Ok(())
    };
    let named = opened.and_then(|()| command.use_accounts(chosen));
    let session = match command.session() {
        Ok(session) => session,
        Err(failure) => {
            Console::new(When::Auto).failure(&failure);
            return failure.code;
        }
    };
    if let Some(recollection) = command.recollection() {
        session.recollect(recollection, allow_weaker);
    }
    let result = named.and_then(|()| match &command {
        Command::Copy(args) => copy::run(args, &session),
        Command::Apply(args) => apply::run(args, &session),
        Command::Sync(args) => sync::run(args, &session),
        Command::Undo(args) => undo::run(args, &session),
        Command::Verify(args) => verify::run(args, &session),
        Command::Folders(args) => folders::run(args, &session),
        Command::Doctor(args) => doctor::run(args, &session),
        Command::Login(args) => login::login(args, typed.as_deref(), &session),
        Command::Logout(args) => login::logout(args, &session),
        Command::Config(args) => config::check::run(args, chosen, &session),
        Command::Man(args) => pages::man(args, &session),
        Command::Completions(args) => Ok(pages::completions(args, &session)),
        // A job can't be a job.
        Command::Run(_) => Err(Failure::usage("a job can't run another job")),
    });
    session.end(result)
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
    /// Sets up streams, and the report if requested.
    fn session(&self) -> Result<Session, Failure> {
        let report = match self {
            Self::Copy(args) => args.report()?,
            Self::Apply(args) => args.report()?,
            Self::Sync(args) => args.report()?,
            Self::Verify(args) => args.report()?,
            _ => None,
        };
        Session::new(
            self.name(),
            self.output().unwrap_or(&args::OutputArgs::default()),
            report,
        )
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Copy(_) => "copy",
            Self::Apply(_) => "apply",
            Self::Sync(_) => "sync",
            Self::Undo(_) => "undo",
            Self::Verify(_) => "verify",
            Self::Folders(_) => "folders",
            Self::Doctor(_) => "doctor",
            Self::Run(_) => "run",
            Self::Login(_) => "login",
            Self::Logout(_) => "logout",
            Self::Config(_) => "config",
            Self::Man(_) => "man",
            Self::Completions(_) => "completions",
        }
    }

    fn output(&self) -> Option<&args::OutputArgs> {
        Some(match self {
            Self::Copy(args) => &args.output,
            Self::Apply(args) => &args.output,
            Self::Sync(args) => &args.output,
            Self::Undo(args) => &args.output,
            Self::Verify(args) => &args.output,
            Self::Folders(args) => &args.output,
            Self::Doctor(args) => &args.output,
            Self::Run(_)
            | Self::Login(_)
            | Self::Logout(_)
            | Self::Config(_)
            | Self::Man(_)
            | Self::Completions(_) => {
                return None;
            }
        })
    }

    /// Returns where earlier logins are remembered, and whether to save this one; `None` if it
    /// doesn't log in.
    fn recollection(&self) -> Option<Recollection> {
        let (directory, writes) = match self {
            Self::Copy(args) => args.recollects(),
            Self::Apply(args) => args.recollects(),
            Self::Sync(args) => args.recollects(),
            Self::Undo(args) => (args.state.directory().ok(), true),
            Self::Doctor(args) => (args.state.kept_in(), false),
            Self::Verify(_) | Self::Folders(_) => (state::usual_directory(), false),
            Self::Run(_)
            | Self::Login(_)
            | Self::Logout(_)
            | Self::Config(_)
            | Self::Man(_)
            | Self::Completions(_) => {
                return None;
            }
        };
        Some(Recollection { directory, writes })
    }

    /// Returns the mailboxes that it is about.
    fn mailboxes(&mut self) -> Vec<Mailbox<'_>> {
        let mailbox = |text, password| Mailbox { text, password };
        match self {
            Self::Copy(args) => vec![
                mailbox(&mut args.source, &mut args.source_password.configured),
                mailbox(&mut args.target, &mut args.target_password.configured),
            ],
            Self::Apply(args) => args.mailboxes(),
            Self::Sync(args) => vec![
                mailbox(&mut args.first, &mut args.first_password.configured),
                mailbox(&mut args.second, &mut args.second_password.configured),
            ],
            Self::Undo(args) => args.mailboxes(),
            Self::Verify(args) => vec![
                mailbox(&mut args.source, &mut args.source_password.configured),
                mailbox(&mut args.target, &mut args.target_password.configured),
            ],
            Self::Folders(args) => vec![mailbox(&mut args.mailbox, &mut args.password.configured)],
            Self::Doctor(args) => {
                let first = mailbox(&mut args.mailbox, &mut args.source_password.configured);
                let second = args
                    .target
                    .as_mut()
                    .map(|text| mailbox(text, &mut args.target_password.configured));
                std::iter::once(first).chain(second).collect()
            }
            Self::Login(args) => {
                let configured = &mut args.configured;
                args.mailbox
                    .as_mut()
                    .map(|text| mailbox(text, configured))
                    .into_iter()
                    .collect()
            }
            Self::Logout(args) => vec![mailbox(&mut args.mailbox, &mut args.configured)],
            Self::Run(_) | Self::Config(_) | Self::Man(_) | Self::Completions(_) => Vec::new(),
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
    fn help_is_broken_into_lines_once() {
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
    fn passwords_in_addresses_are_seen() {
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
