//! Runs of mailferry: the real binary in a clean environment, with a deadline, its events and
//! summary read from `--output json`.

use super::secrets::Watch;
use super::servers::{Account, PASSWORD};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// How long a run may take: many times what any needs.
const DEADLINE: Duration = Duration::from_secs(120);

/// The sides, as variables of the environment name them.
const SIDES: [&str; 2] = ["SOURCE", "TARGET"];

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The lines of `--output json`.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let line = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
        };
        self.stdout.lines().map(line).collect()
    }

    /// The events of one kind.
    #[track_caller]
    pub fn named(&self, event: &str) -> Vec<Value> {
        self.events()
            .into_iter()
            .filter(|line| line["event"] == event)
            .collect()
    }

    /// One member of the events of a kind, sorted.
    #[track_caller]
    pub fn texts(&self, event: &str, member: &str) -> Vec<String> {
        let text = |event: &Value| event[member].as_str().unwrap_or_default().to_owned();
        let mut texts: Vec<_> = self.named(event).iter().map(text).collect();
        texts.sort();
        texts
    }

    /// The reason in the plan of a source's folder.
    #[track_caller]
    pub fn reason(&self, from: &str) -> String {
        let planned = self
            .named("folder_planned")
            .into_iter()
            .find(|event| event["from"] == from);
        planned.unwrap_or_else(|| panic!("{from} is not in the plan"))["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The summary, which must be the last line.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let last = self
            .events()
            .pop()
            .unwrap_or_else(|| panic!("no output: {self:?}"));
        assert!(last["event"] == "summary", "no summary: {self:?}");
        last
    }

    /// A number of the summary: `copied`, or `target.round_trips`.
    #[track_caller]
    pub fn count(&self, field: &str) -> u64 {
        let summary = self.summary();
        let value = field.split('.').fold(&summary, |value, name| &value[name]);
        value
            .as_u64()
            .unwrap_or_else(|| panic!("no number {field}: {summary}"))
    }

    /// Whether something was said anywhere.
    pub fn says(&self, text: &str) -> bool {
        self.stderr.contains(text) || self.stdout.contains(text)
    }

    /// Neither a terminal nor a log is told to do something.
    #[track_caller]
    pub fn assert_harmless(&self) {
        let is_harmful = |c: char| {
            c != '\n'
                && (c.is_control()
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}'))
        };
        for text in [&self.stdout, &self.stderr] {
            let found = text.chars().position(is_harmful);
            assert!(
                found.is_none(),
                "{:?}",
                text.chars()
                    .skip(found.unwrap_or(0).saturating_sub(60))
                    .take(120)
                    .collect::<String>()
            );
        }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        Running::of(command).end()
    }

    /// The exit code must be this.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert!(
            self.code == Some(code),
            "exit code {:?}, not {code}:\n{}\n{}",
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// The numbers of the summary must be these.
    #[track_caller]
    pub fn counts(self, expected: &[(&str, u64)]) -> Self {
        let got: Vec<_> = expected
            .iter()
            .map(|(field, _)| (*field, self.count(field)))
            .collect();
        assert!(
            got == expected,
            "{got:?}, not {expected:?}:\n{}\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

/// One side of a run: an address and its password.
#[derive(Clone, Debug)]
pub struct End {
    pub address: String,
    pub password: String,
}

impl End {
    /// An address as it is typed.
    pub fn new(address: impl Into<String>, password: &str) -> Self {
        Self {
            address: address.into(),
            password: password.to_owned(),
        }
    }

    /// A port of a server that speaks plainly and knows `ann` by the lab's password.
    pub fn plain(port: u16, more: &str) -> Self {
        Self::new(
            format!("imap://ann@127.0.0.1:{port}?tls=none{more}"),
            PASSWORD,
        )
    }

    /// An account over TLS.
    pub fn tls(account: &Account) -> Self {
        Self::new(account.address(), &account.password)
    }
}

/// An account over a plain connection, which a proxy can read.
impl From<&Account> for End {
    fn from(account: &Account) -> Self {
        Self::new(account.plain_address(), &account.password)
    }
}

/// An address with the lab's password.
impl From<&String> for End {
    fn from(address: &String) -> Self {
        Self::from(address.as_str())
    }
}

/// An address with the lab's password.
impl From<&str> for End {
    fn from(address: &str) -> Self {
        Self::new(address, PASSWORD)
    }
}

/// The binary with these arguments and nothing of the tester's environment but the lab's password
/// for both sides.
///
/// A copy uses no state unless the arguments choose: what the servers say must be enough.
pub fn mailferry(arguments: &[&str]) -> Command {
    // Not by `env!`: the lab is part of the examples too, which have no binary.
    let Some(binary) = option_env!("CARGO_BIN_EXE_mailferry") else {
        panic!("only integration tests run mailferry")
    };
    let is_copy = arguments.first() == Some(&"copy");
    let has_choice = arguments
        .iter()
        .any(|argument| ["--state", "--no-state"].contains(argument));
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .args((is_copy && !has_choice).then_some("--no-state"))
        .stdin(Stdio::null())
        .env_clear()
        .env("HOME", "/nonexistent");
    for side in SIDES {
        command.env(password_variable(side), PASSWORD);
    }
    command
}

fn password_variable(side: &str) -> String {
    format!("MAILFERRY_{side}_PASSWORD")
}

/// Runs it to its end, as typed.
#[track_caller]
pub fn run(arguments: &[&str]) -> Run {
    Running::start(arguments).end()
}

/// `copy --output json`.
#[track_caller]
pub fn copy(source: impl Into<End>, target: impl Into<End>, options: &[&str]) -> Run {
    json("copy", &[source.into(), target.into()], options)
}

/// `sync --output json`.
#[track_caller]
pub fn sync(first: impl Into<End>, second: impl Into<End>, options: &[&str]) -> Run {
    json("sync", &[first.into(), second.into()], options)
}

/// `verify --output json`.
#[track_caller]
pub fn verify(source: impl Into<End>, target: impl Into<End>, options: &[&str]) -> Run {
    json("verify", &[source.into(), target.into()], options)
}

/// `folders --output json`.
#[track_caller]
pub fn folders(end: impl Into<End>, options: &[&str]) -> Run {
    json("folders", &[end.into()], options)
}

/// `doctor --output json` of one mailbox, or of the two of a copy.
#[track_caller]
pub fn doctor(ends: &[End], options: &[&str]) -> Run {
    json("doctor", ends, options)
}

#[track_caller]
fn json(verb: &str, ends: &[End], options: &[&str]) -> Run {
    let addresses: Vec<&str> = ends.iter().map(|end| end.address.as_str()).collect();
    let mut command =
        mailferry(&[&[verb], &addresses[..], &["--output", "json"], options].concat());
    for (end, side) in ends.iter().zip(SIDES) {
        command.env(password_variable(side), &end.password);
    }
    let run = Running::of(&mut command).end();
    // Nothing else stands on stdout, whatever the test looks at.
    run.events();
    run
}

/// A run that is under way.
pub struct Running {
    child: Child,
    stdout: std::thread::JoinHandle<String>,
    stderr: std::thread::JoinHandle<String>,
    lines: std::sync::mpsc::Receiver<String>,
    started: Instant,
    watch: Watch,
}

impl Running {
    /// Starts it, as typed.
    pub fn start(arguments: &[&str]) -> Self {
        Self::of(&mut mailferry(arguments))
    }

    /// Starts it, as typed, so that [`Self::interrupt`] reaches it however the tests were started:
    /// a shell without job control starts background jobs with SIGINT ignored, their children
    /// inherit that, and mailferry leaves it so.
    pub fn interruptible(arguments: &[&str]) -> Self {
        let binary = mailferry(arguments);
        let mut command = Command::new("/usr/bin/env");
        command
            .arg("--default-signal=INT")
            .arg(binary.get_program())
            .args(binary.get_args());
        command.stdin(Stdio::null()).env_clear();
        command.envs(
            binary
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        Self::of(&mut command)
    }

    /// Starts a command.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let stdout = collect(child.stdout.take().unwrap(), Some(sender));
        let stderr = collect(child.stderr.take().unwrap(), None);
        Self {
            child,
            stdout,
            stderr,
            lines,
            started: Instant::now(),
            watch: Watch::over(command),
        }
    }

    /// Waits for a line of stdout that has this in it.
    pub fn wait_for_line_with(&self, text: &str) {
        let left = || DEADLINE.saturating_sub(self.started.elapsed());
        while !self
            .lines
            .recv_timeout(left())
            .unwrap_or_else(|error| panic!("no line with {text}: {error}"))
            .contains(text)
        {}
    }

    /// Waits until so many lines of stdout have this in them; whether the run ended before.
    pub fn has_ended_before(&self, text: &str, lines: usize) -> bool {
        let found = |line: Result<String, RecvTimeoutError>| match line {
            Ok(line) => Some(line.contains(text)),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(error) => panic!("no line with {text}: {error}"),
        };
        let mut left = lines;
        while left > 0 {
            let Some(is_one) = found(
                self.lines
                    .recv_timeout(DEADLINE.saturating_sub(self.started.elapsed())),
            ) else {
                return true;
            };
            left -= usize::from(is_one);
        }
        false
    }

    /// Ends it at once, as a power cut does, and waits until it is gone; whether it was still at
    /// work.
    pub fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        let code = self.child.wait().unwrap().code();
        self.watched(code);
        code.is_none()
    }

    /// Sends it the signal that Ctrl-C sends, if it was started to be [`Self::interruptible`].
    pub fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Run {
        let status = self.wait();
        let run = self.watched(status.and_then(|status| status.code()));
        assert!(
            status.is_some(),
            "a run did not end within {DEADLINE:?}:\n{}\n{}",
            run.stdout,
            run.stderr
        );
        run
    }

    /// What a run that is over has printed; nothing of that, and nothing that it has left, has a
    /// secret in it.
    #[track_caller]
    fn watched(self, code: Option<i32>) -> Run {
        let run = Run {
            code,
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.join().unwrap(),
        };
        self.watch
            .assert_kept(&[("stdout", &run.stdout), ("stderr", &run.stderr)]);
        run
    }

    /// `None` if it had to be ended.
    fn wait(&mut self) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if self.started.elapsed() > DEADLINE {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Reads a stream to its end, and hands its lines on as they come.
fn collect(
    stream: impl std::io::Read + Send + 'static,
    lines: Option<std::sync::mpsc::Sender<String>>,
) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap();
            text.push_str(&line);
            text.push('\n');
            if let Some(lines) = &lines {
                // Nobody may be waiting for lines.
                drop(lines.send(line));
            }
        }
        text
    })
}
