//! The real binary, run between two accounts, and what it said as JSON.

use super::client::Snapshot;
use super::ferry::{PROGRAM, run_as_it_is};
use super::servers::Account;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// What a run said and how it ended.
#[derive(Debug)]
pub struct Ferry {
    pub code: i32,
    /// The lines of stdout, the summary last.
    pub lines: Vec<Value>,
    pub stderr: String,
}

/// One side of a run: an address and its password.
#[derive(Clone, Debug)]
pub struct End {
    pub address: String,
    pub password: String,
}

impl End {
    pub fn new(address: impl Into<String>, password: &str) -> Self {
        Self { address: address.into(), password: password.to_owned() }
    }

    /// A port of a server that speaks plainly and takes any password.
    pub fn plain(port: u16, more: &str) -> Self {
        Self::new(format!("imap://ann@127.0.0.1:{port}?tls=none{more}"), "secret")
    }
}

impl From<&Account> for End {
    fn from(account: &Account) -> Self {
        Self::new(account.address(), &account.password)
    }
}

/// Runs `mailferry COMMAND ENDS... --output json MORE...`.
pub fn ferry(command: &str, ends: &[End], more: &[&str]) -> Ferry {
    let mut process = Command::new(PROGRAM.unwrap());
    process.env_clear().env("HOME", "/nonexistent");
    for (end, side) in ends.iter().zip(["SOURCE", "TARGET"]) {
        process.env(format!("MAILFERRY_{side}_PASSWORD"), &end.password);
    }
    process.arg(command).args(ends.iter().map(|end| &end.address)).args(["--output", "json"]).args(more);
    process.args(super::run::without_state(&[command]));
    let run = run_as_it_is(process);
    Ferry { code: run.code.expect("an exit code"), lines: run.events, stderr: run.stderr }
}

/// `mailferry copy`.
pub fn copy(from: impl Into<End>, to: impl Into<End>) -> Ferry {
    ferry("copy", &[from.into(), to.into()], &[])
}

/// `mailferry verify`.
pub fn verify(from: impl Into<End>, to: impl Into<End>) -> Ferry {
    ferry("verify", &[from.into(), to.into()], &[])
}

impl Ferry {
    /// The same run; it must have ended with this exit code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        let said: Vec<_> = self.lines.iter().filter(|line| line["event"] != "folder_planned").collect();
        assert_eq!(self.code, code, "{}\n{said:#?}", self.stderr);
        self
    }

    /// The last line.
    pub fn summary(&self) -> &Value {
        self.lines.last().unwrap_or_else(|| panic!("nothing on stdout; stderr: {}", self.stderr))
    }

    /// A number of the summary.
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        self.summary()[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {}", self.summary()))
    }

    /// The events of a kind.
    pub fn events(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["event"] == kind)
    }

    /// One member of the events of a kind, sorted.
    pub fn texts(&self, kind: &str, member: &str) -> Vec<String> {
        let mut texts: Vec<_> =
            self.events(kind).map(|event| event[member].as_str().unwrap_or_default().to_owned()).collect();
        texts.sort();
        texts
    }

    /// The reason in the plan of a source's folder.
    #[track_caller]
    pub fn reason(&self, from: &str) -> &str {
        let planned = self.events("folder_planned").find(|event| event["from"] == from);
        planned.unwrap_or_else(|| panic!("{from} is not in the plan"))["reason"].as_str().unwrap()
    }
}

/// `mailferry folders` shows what the account has: messages, unread, bytes.
#[track_caller]
pub fn assert_folders(shown: &Ferry, snapshot: &Snapshot) {
    let numbers = |row: &Value| ["messages", "unread", "bytes"].map(|name| row[name].as_u64());
    let shown: BTreeMap<String, _> = (shown.events("folder").filter(|row| row["selectable"] == true))
        .map(|row| (row["name"].as_str().unwrap().to_owned(), numbers(row)))
        .collect();
    let expected = snapshot.folders.iter().map(|(levels, messages)| {
        let unread = messages.iter().filter(|message| !message.flags.contains("\\Seen")).count();
        let bytes: usize = messages.iter().map(|message| message.size).sum();
        (levels.join("/"), [messages.len(), unread, bytes].map(|number| Some(number as u64)))
    });
    assert_eq!(shown, expected.collect());
}
