//! The command line: reads it, runs a verb of the library, shows what came of it.
//!
//! One file a command. stdout carries results only ([`output`]), stderr everything else ([`console`]); both show a
//! server's words only after they were made [`harmless`]. Only this part of the program reads the environment.

mod args;
mod console;
mod copy;
mod exit;
mod failure;
mod folders;
mod harmless;
mod json;
mod log;
mod netrc;
mod observers;
mod output;
mod pace;
mod password;
mod progress;
#[cfg(test)]
mod samples;
mod session;
mod signals;
mod state;
mod sync;
mod table;
mod text;
mod undo;
mod units;
mod values;
mod verify;

use args::When;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use console::Console;
use failure::Failure;
use session::Session;
use std::ffi::OsString;

/// Copies, syncs, verifies and lists mailboxes on IMAP servers: fast, safe to run again, byte for byte
#[derive(Parser)]
#[command(name = "mailferry", version, after_help = after_help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Copy(copy::CopyArgs),
    Sync(sync::SyncArgs),
    Undo(undo::UndoArgs),
    Verify(verify::VerifyArgs),
    Folders(folders::FoldersArgs),
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

A mailbox is imaps://USER@HOST[:993] (TLS) or imap://USER@HOST[:143] (STARTTLS), with %40 for an @ in USER.
Passwords come from a file, a command, the environment (MAILFERRY_SOURCE_PASSWORD, MAILFERRY_TARGET_PASSWORD),
~/.netrc, or are asked for; `mailferry copy --help` tells more.

{}",
        exit::HELP
    )
}

/// Runs the program. Gives its exit code.
pub(crate) fn run() -> u8 {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli.command,
        Err(error) => return refuse(&error, &arguments),
    };
    let session = Session::new(command.output());
    let result = match &command {
        Command::Copy(args) => copy::run(args, &session),
        Command::Sync(args) => sync::run(args, &session),
        Command::Undo(args) => undo::run(args, &session),
        Command::Verify(args) => verify::run(args, &session),
        Command::Folders(args) => folders::run(args, &session),
    };
    session.end(result)
}

impl Command {
    fn output(&self) -> &args::OutputArgs {
        match self {
            Self::Copy(args) => &args.output,
            Self::Sync(args) => &args.output,
            Self::Undo(args) => &args.output,
            Self::Verify(args) => &args.output,
            Self::Folders(args) => &args.output,
        }
    }
}

/// Shows help, the version, or what is wrong with the command line. What is wrong repeats arguments, so it is shown
/// only where none of them could hold a password.
fn refuse(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !is_answer && arguments.iter().any(|argument| may_hold_password(&argument.to_string_lossy())) {
        let failure = Failure::usage("the command line is wrong, and an argument of it seems to hold a password")
            .with_hint("write addresses as imaps://USER@HOST; `mailferry copy --help` shows how to give passwords");
        Console::new(When::Auto).failure(&failure);
        return exit::USAGE;
    }
    // A stream that can't be written to changes nothing about the command line.
    let _ = error.print();
    if is_answer { exit::DONE } else { exit::USAGE }
}

/// Whether something like `SCHEME://USER:PASSWORD@` is in it, with or without a scheme.
fn may_hold_password(argument: &str) -> bool {
    let after_scheme = argument.split_once("://").map_or(argument, |(_, rest)| rest);
    after_scheme.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_help_and_a_heading() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
                let name = format!("{} --{}", command.get_name(), argument.get_id());
                assert!(argument.get_help().is_some(), "{name}");
                assert!(argument.get_help_heading().is_some(), "{name}");
            }
            assert!(command.get_after_help().unwrap().to_string().contains("Exit codes"));
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
