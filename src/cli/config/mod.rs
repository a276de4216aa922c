//! The config file: accounts and jobs by name, in TOML.
//!
//! ```text
//! account   an account's keys: an address and where its password comes from
//! job       a job's keys: a command line                check   `mailferry config check`
//! names     account names in place of addresses         nearest suggestions for unknown words
//! ```
//!
//! Invariants: an unknown key is an error, as a silently ignored setting would seem to work; a file
//! that others can write to is refused, since it decides where mail goes, as is one with a password
//! command that others can read; no message repeats a password command.

mod account;
pub(crate) mod check;
mod job;
pub(crate) mod names;
mod nearest;

pub(crate) use job::Job;

use super::failure::Failure;
use account::{Account, Reading};
use nearest::did_you_mean;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The tables allowed in a config file.
const TABLES: [&str; 2] = ["account", "job"];

/// A loaded config file.
pub(crate) struct Config {
    path: PathBuf,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) jobs: BTreeMap<String, Job>,
}

impl Config {
    /// Reads the file given by `--config`, otherwise the default one; `None` if there is none.
    ///
    /// # Errors
    /// The file given by `--config` can't be read, others have access, or it is invalid: the first
    /// problem.
    pub(crate) fn load(chosen: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(path) = chosen.map(Path::to_owned).or_else(usual_path) else {
            return Ok(None);
        };
        match fs::read_to_string(&path) {
            Err(error) if chosen.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::usage(format!(
                "could not read {}: {error}",
                path.display()
            ))),
            Ok(text) => {
                let (config, problems) = Self::read(&path, &text);
                if problems.is_empty() {
                    Ok(Some(config))
                } else {
                    Err(first_of(&path, &problems))
                }
            }
        }
    }

    /// Parses a config file: as much as can be understood, and all problems.
    fn read(path: &Path, text: &str) -> (Self, Vec<String>) {
        let mut config = Self {
            path: path.to_owned(),
            accounts: BTreeMap::new(),
            jobs: BTreeMap::new(),
        };
        let root: Table = match toml::from_str(text) {
            Ok(root) => root,
            Err(error) => return (config, vec![syntax(text, &error)]),
        };
        let mut problems: Vec<String> = (root.keys().filter(|key| !TABLES.contains(&key.as_str())))
            .map(|key| format!("unknown table [{key}]{}", did_you_mean(key, TABLES)))
            .collect();
        for (name, table) in tables(&root, "account", &mut problems) {
            let mut reading = Reading::new(format!("account.{name}"));
            config
                .accounts
                .insert(name.clone(), Account::read(table, &mut reading));
            problems.extend(reading.problems);
        }
        for (name, table) in tables(&root, "job", &mut problems) {
            match Job::read(name, table) {
                Ok(job) => drop(config.jobs.insert(name.clone(), job)),
                Err(wrong) => problems.extend(wrong),
            }
        }
        problems.extend(config.access().err());
        (config, problems)
    }

    /// Checks that others can't write to the file, or read a password command in it.
    fn access(&self) -> Result<(), String> {
        // A file whose metadata can't be read was read a moment ago, or doesn't exist, as in tests.
        let Ok(about) = fs::metadata(&self.path) else {
            return Ok(());
        };
        let mode = if about.is_file() {
            about.permissions().mode()
        } else {
            0
        };
        let has_commands = self
            .accounts
            .values()
            .any(|account| account.password.command.is_some())
            || self.jobs.values().any(Job::has_password_command);
        if mode & 0o022 != 0 {
            return Err(
                "this file is writable by others, and it decides where mail goes; run `chmod 600` on it".to_owned()
            );
        }
        if has_commands && mode & 0o077 != 0 {
            return Err(
                "this file is readable by others, and it contains password commands; run `chmod 600` on it".to_owned()
            );
        }
        Ok(())
    }

    /// Returns the account with this name.
    ///
    /// # Errors
    /// It doesn't exist; suggests a similar name.
    pub(crate) fn account(&self, name: &str) -> Result<&Account, Failure> {
        self.accounts
            .get(name)
            .ok_or_else(|| self.unknown("account", name, self.accounts.keys()))
    }

    /// Returns the job with this name.
    ///
    /// # Errors
    /// It doesn't exist; suggests a similar name.
    pub(crate) fn job(&self, name: &str) -> Result<&Job, Failure> {
        self.jobs
            .get(name)
            .ok_or_else(|| self.unknown("job", name, self.jobs.keys()))
    }

    fn unknown<'a>(
        &self,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'a String>,
    ) -> Failure {
        let known: Vec<&str> = known.map(String::as_str).collect();
        let hint = if known.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        };
        let meant = did_you_mean(name, known);
        Failure::usage(format!(
            "{} has no {what} {name}{meant}",
            self.path.display()
        ))
        .with_hint(hint)
    }
}

/// Returns the tables `[KIND.NAME]`.
fn tables<'a>(
    root: &'a Table,
    kind: &str,
    problems: &mut Vec<String>,
) -> Vec<(&'a String, &'a Table)> {
    let Some(value) = root.get(kind) else {
        return Vec::new();
    };
    let Value::Table(table) = value else {
        problems.push(format!("{kind} must contain tables, such as [{kind}.NAME]"));
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(one) if is_name(name) => found.push((name, one)),
            Value::Table(_) => {
                problems.push(format!(
                    "[{kind}.{name}]: names may contain letters, digits, `-` and `_`, and must begin with a letter"
                ));
            }
            _ => problems.push(format!(
                "{kind}.{name} must be a table: write [{kind}.NAME] above it"
            )),
        }
    }
    found
}

/// Reports whether a word can be the name of an account or a job: it must not look like an address,
/// an option or a path.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Describes a TOML error without the line itself, which may contain a password command.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before
        .map(|before| format!("line {}: ", before.matches('\n').count() + 1))
        .unwrap_or_default();
    format!("{place}{}", error.message())
}

fn first_of(path: &Path, problems: &[String]) -> Failure {
    let first = problems.first().map_or("invalid", String::as_str);
    let failure = Failure::usage(format!("{}: {first}", path.display()));
    match problems.len() {
        0 | 1 => failure,
        more => {
            let rest = super::units::counted(more as u64 - 1, "more problem");
            failure.with_hint(format!(
                "{rest}; list all with `mailferry --config {} config check`",
                path.display()
            ))
        }
    }
}

/// Returns the file according to the XDG rules.
pub(crate) fn usual_path() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    base.or_else(|| Some(std::env::home_dir()?.join(".config")))
        .map(|base| base.join("mailferry/config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Vec<String>> {
        let (config, problems) = Config::read(Path::new("/nonexistent/config.toml"), text);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    #[test]
    fn accounts_and_jobs_by_name() {
        let config = read(
            "[account.work]\nuser = 'ann@example.org'\nhost = 'imap.example.org'\npassword-command = 'pass show work'\n\
             [account.archive]\naddress = 'imap://ann@localhost:1143?tls=none'\n\
             [job.nightly]\ncommand = 'copy'\nsource = 'work'\ntarget = 'archive'\nexclude = ['Trash', 'Junk']\ndelete = true\n",
        );
        let config = config.unwrap_or_else(|problems| panic!("{problems:?}"));
        let work = config.account("work").unwrap();
        assert_eq!(work.address, "imaps://ann%40example.org@imap.example.org");
        assert_eq!(work.password.command.as_deref(), Some("pass show work"));
        assert_eq!(
            config.account("archive").unwrap().address,
            "imap://ann@localhost:1143?tls=none"
        );
        let line = config.job("nightly").unwrap().arguments();
        assert_eq!(
            line,
            [
                "copy",
                "--delete",
                "--exclude=Trash",
                "--exclude=Junk",
                "--",
                "work",
                "archive"
            ]
        );
        assert!(
            config
                .account("worc")
                .err()
                .unwrap()
                .message
                .contains("did you mean work?")
        );
        assert!(
            config
                .job("x")
                .err()
                .unwrap()
                .hint
                .unwrap()
                .contains("nightly")
        );
    }

    #[test]
    fn problems_have_suggestions_and_no_secrets() {
        let account = "[account.a]\nhost = 'h'\nuser = 'u'\n";
        let table = [
            (
                "[acount.a]\nuser = 'u'".to_owned(),
                "unknown table [acount]; did you mean account?",
            ),
            (
                format!("{account}usr = 'x'"),
                "account.a: unknown key usr; did you mean user?",
            ),
            (
                format!("{account}password = 'hunter2'"),
                "account.a: don't put passwords in this file",
            ),
            (
                format!("{account}client-secret = 'hunter2'"),
                "account.a: don't put the client secret in this file",
            ),
            (
                format!("{account}token-endpoint = 'http://hunter2.example.org'"),
                "account.a: token-endpoint: it must begin",
            ),
            (
                format!("{account}scopes = 'mail'"),
                "account.a: scopes must be a list",
            ),
            (
                format!("{account}client-idd = 'x'"),
                "account.a: unknown key client-idd; did you mean client-id?",
            ),
            (
                format!("{account}provider = 'goggle'"),
                "account.a: `provider=` in the address must be",
            ),
            (
                "[account.a]\naddress = 'mbox:/m'\nclient-id = 'x'".to_owned(),
                "account.a: a directory needs no login",
            ),
            (
                format!("{account}port = 'x'"),
                "account.a: port must be a number",
            ),
            (
                format!("{account}timeout = 0"),
                "account.a: `timeout=` in the address must be",
            ),
            (format!("{account}tls = 'ssl'"), "account.a: tls must be"),
            (
                format!("{account}address = 'imaps://u@h'"),
                "account.a: set either address, or user",
            ),
            (
                "[account.a]\nuser = 'u'".to_owned(),
                "account.a: host is missing",
            ),
            (
                format!("{account}password-file = 'f'\npassword-command = 'echo hunter2'"),
                "both",
            ),
            (
                "[account.a]\naddress = 'maildir:/m'\npassword-command = 'echo hunter2'".to_owned(),
                "account.a: a directory needs no password",
            ),
            ("account = 1".to_owned(), "account must contain tables"),
            ("[account]\na = 1".to_owned(), "account.a must be a table"),
            (
                "[account.'a b']\nuser = 'u'".to_owned(),
                "names may contain letters",
            ),
            ("[account.a\nhunter2 =".to_owned(), "line 1: "),
            (
                "[job.x]\nsource = 'a'".to_owned(),
                "job.x: command is missing",
            ),
            (
                "[job.x]\ncommand = 'coppy'".to_owned(),
                "job.x: unknown command coppy; did you mean copy?",
            ),
            (
                "[job.x]\ncommand = 'run'".to_owned(),
                "job.x: unknown command run",
            ),
            (
                "[job.x]\ncommand = 'copy'\nexlude = 'T'".to_owned(),
                "job.x: unknown key exlude; did you mean exclude?",
            ),
            (
                "[job.x]\ncommand = 'copy'\ndelete = 'yes'".to_owned(),
                "job.x: delete must be true or false",
            ),
            (
                "[job.x]\ncommand = 'copy'\nflags = ['a', 'b']".to_owned(),
                "job.x: flags takes one value",
            ),
            (
                "[job.x]\ncommand = 'copy'\nsource = 'a'".to_owned(),
                "job.x: target is missing",
            ),
        ];
        for (text, expected) in table {
            let problems = read(&text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(
                problems.iter().any(|problem| problem.contains(expected)),
                "{text}: {problems:?}"
            );
            assert!(!problems.concat().contains("hunter2"), "{problems:?}");
        }
    }

    #[test]
    fn all_problems_are_reported() {
        let problems = read("[account.a]\nusr = 'x'\n[job.b]\ncommand = 'copy'\nexlude = 1\n")
            .err()
            .unwrap();
        assert!(problems.len() >= 4, "{problems:?}");
        assert!(
            first_of(Path::new("c"), &problems)
                .hint
                .unwrap()
                .contains("config check")
        );
    }
}
