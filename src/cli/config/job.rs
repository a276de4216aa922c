//! `[job.NAME]`: a command with its arguments and options, by their names on the command line.

use super::account::Reading;
use super::nearest::did_you_mean;
use crate::cli::Cli;
use clap::{Arg, ArgAction, Command, CommandFactory as _};
use toml::{Table, Value};

/// Commands that can't be jobs.
pub(crate) const NO_JOBS: [&str; 6] = ["run", "config", "login", "logout", "man", "completions"];

/// A job: a command line whose names are known to be valid.
pub(crate) struct Job {
    command: String,
    options: Vec<String>,
    positionals: Vec<String>,
}

impl Job {
    /// Parses a job.
    ///
    /// # Errors
    /// All problems in it.
    pub(super) fn read(name: &str, table: &Table) -> Result<Self, Vec<String>> {
        let mut reading = Reading::new(format!("job.{name}"));
        let job = read(table, &mut reading);
        match job {
            Some(job) if reading.problems.is_empty() => Ok(job),
            _ => Err(reading.problems),
        }
    }

    /// Returns the command line, without the program's name.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let command = std::iter::once(self.command.clone());
        let end = std::iter::once("--".to_owned());
        command
            .chain(self.options.iter().cloned())
            .chain(end)
            .chain(self.positionals.iter().cloned())
            .collect()
    }

    /// Returns the command line with further options after the file's.
    pub(crate) fn arguments_with(&self, more: &[String]) -> Vec<String> {
        let mut arguments = self.arguments();
        let at = 1 + self.options.len();
        arguments.splice(at..at, more.iter().cloned());
        arguments
    }

    /// Returns the command line for display, without anything that a password command could reveal.
    pub(crate) fn shown(&self) -> String {
        let shown = |argument: &String| match argument.split_once("-password-command=") {
            Some((side, _)) => format!("{side}-password-command=…"),
            None => argument.clone(),
        };
        self.arguments()
            .iter()
            .filter(|argument| *argument != "--")
            .map(shown)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Returns the account names and addresses in it.
    pub(crate) fn mailboxes(&self) -> &[String] {
        &self.positionals
    }

    pub(super) fn has_password_command(&self) -> bool {
        self.options
            .iter()
            .any(|option| option.contains("-password-command="))
    }
}

fn read(table: &Table, reading: &mut Reading) -> Option<Job> {
    let root = Cli::command();
    let verbs = || {
        root.get_subcommands()
            .filter(|command| !NO_JOBS.contains(&command.get_name()))
    };
    let Some(Value::String(name)) = table.get("command") else {
        let names: Vec<&str> = verbs().map(Command::get_name).collect();
        reading.problem(format!("command is missing: one of {}", names.join(", ")));
        return None;
    };
    let Some(command) = verbs().find(|command| command.get_name() == name) else {
        reading.problem(format!(
            "unknown command {name}{}",
            did_you_mean(name, verbs().map(Command::get_name))
        ));
        return None;
    };
    let positionals = positionals(command, table, reading);
    let mut job = Job {
        command: name.clone(),
        options: Vec::new(),
        positionals,
    };
    let is_positional = |key: &str| {
        command
            .get_positionals()
            .any(|argument| argument.get_id() == key)
    };
    for (key, value) in table
        .iter()
        .filter(|(key, _)| *key != "command" && !is_positional(key))
    {
        match command
            .get_opts()
            .chain(flags(command))
            .find(|argument| argument.get_long() == Some(key))
        {
            Some(argument) => option(argument, key, value, &mut job.options, reading),
            None => {
                let known = command.get_arguments().filter_map(Arg::get_long);
                let known = known.chain(
                    command
                        .get_positionals()
                        .map(|argument| argument.get_id().as_str()),
                );
                reading.problem(format!("unknown key {key}{}", did_you_mean(key, known)));
            }
        }
    }
    Some(job)
}

/// Returns the mailboxes that a command takes.
fn positionals(command: &Command, table: &Table, reading: &mut Reading) -> Vec<String> {
    let mut positionals = Vec::new();
    for positional in command.get_positionals() {
        match table.get(positional.get_id().as_str()) {
            Some(Value::String(text)) => positionals.push(text.clone()),
            Some(_) => reading.problem(format!(
                "{} must be an account name or an address",
                positional.get_id()
            )),
            None if positional.is_required_set() => {
                reading.problem(format!("{} is missing", positional.get_id()));
            }
            None => {}
        }
    }
    positionals
}

/// Yields options without a value; `get_opts` has the others.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|argument| !argument.get_action().takes_values())
}

/// Adds one option, as often as its value requires.
fn option(
    argument: &Arg,
    key: &str,
    value: &Value,
    options: &mut Vec<String>,
    reading: &mut Reading,
) {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Datetime(date) => Some(date.to_string()),
        _ => None,
    };
    match (argument.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => options.push(format!("--{key}")),
        (ArgAction::SetTrue, Value::Boolean(false)) => {}
        (ArgAction::SetTrue, _) => reading.problem(format!("{key} must be true or false")),
        (ArgAction::Count, Value::Integer(times @ 0..=9)) => {
            options.extend((0..*times).map(|_| format!("--{key}")));
        }
        (ArgAction::Count, _) => reading.problem(format!("{key} must be a number from 0 to 9")),
        (ArgAction::Append, Value::Array(values)) => {
            let texts: Option<Vec<String>> = values.iter().map(scalar).collect();
            match texts {
                Some(texts) => options.extend(texts.iter().map(|text| format!("--{key}={text}"))),
                None => reading.problem(format!("{key} must be a list of strings")),
            }
        }
        (_, value) => match scalar(value) {
            Some(text) => options.push(format!("--{key}={text}")),
            None => reading.problem(format!("{key} takes one value")),
        },
    }
}
