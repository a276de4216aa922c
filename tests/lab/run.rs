//! Runs of mailferry: the real binary in a clean environment, its events and summary read from `--output json`.

use super::servers::Account;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a run may take: many times what any needs.
const DEADLINE: Duration = Duration::from_secs(120);

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
    pub fn events(&self) -> Vec<Value> {
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout.lines().map(line).collect()
    }

    /// The events of one kind.
    pub fn named(&self, event: &str) -> Vec<Value> {
        self.events().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// The summary, which must be the last line.
    pub fn summary(&self) -> Value {
        let last = self.events().pop().unwrap_or_else(|| panic!("no output: {self:?}"));
        assert!(last["event"] == "summary", "no summary: {self:?}");
        last
    }

    /// A number of the summary: `copied`, or `target.round_trips`.
    pub fn count(&self, field: &str) -> u64 {
        let summary = self.summary();
        let value = field.split('.').fold(&summary, |value, name| &value[name]);
        value.as_u64().unwrap_or_else(|| panic!("no number {field}: {summary}"))
    }

    /// The exit code must be this.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert!(self.code == Some(code), "exit code {:?}, not {code}:\n{}\n{}", self.code, self.stdout, self.stderr);
        self
    }

    /// The numbers of the summary must be these.
    #[track_caller]
    pub fn counts(self, expected: &[(&str, u64)]) -> Self {
        let got: Vec<_> = expected.iter().map(|(field, _)| (*field, self.count(field))).collect();
        assert!(got == expected, "{got:?}, not {expected:?}:\n{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// What a copy is told besides: to use no state, unless the test is about that. What the servers say must be enough.
pub fn without_state(arguments: &[&str]) -> &'static [&'static str] {
    let is_copy = arguments.first() == Some(&"copy");
    let has_choice = arguments.iter().any(|argument| ["--state", "--no-state"].contains(argument));
    if is_copy && !has_choice { &["--no-state"] } else { &[] }
}

/// The binary with these arguments and nothing of the tester's environment but the lab's passwords.
pub fn mailferry(arguments: &[&str]) -> Command {
    // Not by `env!`: the lab is part of the examples too, which have no binary.
    let Some(binary) = option_env!("CARGO_BIN_EXE_mailferry") else { panic!("only integration tests run mailferry") };
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .args(without_state(arguments))
        .stdin(Stdio::null())
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("MAILFERRY_SOURCE_PASSWORD", "secret")
        .env("MAILFERRY_TARGET_PASSWORD", "secret");
    command
}

/// Runs it to its end, as typed.
pub fn run(arguments: &[&str]) -> Run {
    Running::start(arguments).end()
}

/// `copy --output json` over plain connections.
pub fn copy(source: &Account, target: &Account, options: &[&str]) -> Run {
    two_sided("copy", source, target, options)
}

/// `verify --output json` over plain connections.
pub fn verify(source: &Account, target: &Account, options: &[&str]) -> Run {
    two_sided("verify", source, target, options)
}

fn two_sided(verb: &str, source: &Account, target: &Account, options: &[&str]) -> Run {
    let (source, target) = (source.plain_address(), target.plain_address());
    run(&[&[verb, &source, &target, "--output", "json"], options].concat())
}

/// A run that is under way.
pub struct Running {
    child: Child,
    stdout: std::thread::JoinHandle<String>,
    stderr: std::thread::JoinHandle<String>,
    lines: std::sync::mpsc::Receiver<String>,
    started: Instant,
}

impl Running {
    /// Starts it.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = mailferry(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let stdout = collect(child.stdout.take().unwrap(), Some(sender));
        let stderr = collect(child.stderr.take().unwrap(), None);
        Self { child, stdout, stderr, lines, started: Instant::now() }
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

    /// Ends it at once, as a power cut does, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it the signal that Ctrl-C sends.
    pub fn interrupt(&self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::INT)
            .unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> Run {
        let status = self.wait();
        Run { code: status.code(), stdout: self.stdout.join().unwrap(), stderr: self.stderr.join().unwrap() }
    }

    fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if self.started.elapsed() > DEADLINE {
                self.child.kill().unwrap();
                panic!("a run did not end within {DEADLINE:?}");
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
