//! `mailferry man` and `mailferry completions`: generated from the same text as `--help`.

use super::failure::Failure;
use super::session::Session;
use super::verb::Verb;
use super::{Cli, exit};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::path::PathBuf;

/// Generate man pages
///
/// Without DIR, prints the mailferry page to stdout; with it, writes that page and one per command
/// there.
#[derive(Args)]
#[command(after_help = man_help())]
pub(crate) struct ManArgs {
    /// Directory for the pages. Example: ~/.local/share/man/man1
    dir: Option<PathBuf>,
}

/// Generate shell completions
#[derive(Args)]
#[command(after_help = completions_help())]
pub(crate) struct CompletionsArgs {
    /// Shell to generate them for
    shell: Shell,
}

fn man_help() -> String {
    format!(
        "\
Examples:
    mailferry man | man -l -
    mailferry man ~/.local/share/man/man1

{}",
        exit::HELP
    )
}

fn completions_help() -> String {
    format!(
        "\
Examples:
    mailferry completions bash > ~/.local/share/bash-completion/completions/mailferry
    mailferry completions zsh > ~/.zfunc/_mailferry
    mailferry completions fish > ~/.config/fish/completions/mailferry.fish

{}",
        exit::HELP
    )
}

impl Verb for ManArgs {
    fn name(&self) -> &'static str {
        "man"
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        man(self, session)
    }
}

impl Verb for CompletionsArgs {
    fn name(&self) -> &'static str {
        "completions"
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        Ok(completions(self, session))
    }
}

fn man(args: &ManArgs, session: &Session) -> Result<u8, Failure> {
    let Some(directory) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::local(format!("could not generate the page: {error}")))?;
        return Ok(print(&page, session));
    };
    let failed = |error| {
        Failure::local(format!(
            "could not write to {}: {error}",
            directory.display()
        ))
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?;
    Ok(exit::DONE)
}

fn completions(args: &CompletionsArgs, session: &Session) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mailferry", &mut script);
    print(&script, session)
}

fn print(text: &[u8], session: &Session) -> u8 {
    let (output, _) = session.lines();
    output.line(String::from_utf8_lossy(text).trim_end());
    exit::DONE
}
