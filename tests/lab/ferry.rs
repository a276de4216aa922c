//! Runs the program with a hard deadline, and prepares and compares mailboxes for tests of faults.

use super::client::{Client, NewMessage};
use super::servers::{Account, Dovecot, Personality};
use serde_json::Value;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No run of these tests takes this long: one that does hangs.
const DEADLINE: Duration = Duration::from_secs(100);

/// The program; the lab's examples, which have none, compile this file too.
pub const PROGRAM: Option<&str> = option_env!("CARGO_BIN_EXE_mailferry");

/// What a run did.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    /// The JSON lines of stdout.
    pub events: Vec<Value>,
    pub stderr: String,
}

impl Run {
    /// The events of this name.
    pub fn all(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }

    /// A number of the summary.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        let summary = self.events.last().unwrap_or_else(|| panic!("no summary: {}", self.stderr));
        summary[name].as_u64().unwrap_or_else(|| panic!("no {name} in {summary}"))
    }

    /// Whether something was said anywhere.
    pub fn says(&self, text: &str) -> bool {
        self.stderr.contains(text) || self.events.iter().any(|event| event.to_string().contains(text))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{:#?}\n{}", self.events, self.stderr);
        self
    }
}

/// Runs `mailferry copy` with JSON output.
#[track_caller]
pub fn copy(source: &str, target: &str, options: &[&str]) -> Run {
    let mut command = Command::new(PROGRAM.unwrap());
    let arguments = [&["copy", source, target, "--output", "json"], options].concat();
    command.args(&arguments).args(super::run::without_state(&arguments));
    run(command)
}

/// Runs a prepared command with the lab's password for both sides.
#[track_caller]
pub fn run(mut command: Command) -> Run {
    command.env_clear().env("HOME", "/nonexistent");
    command.env("MAILFERRY_SOURCE_PASSWORD", "secret").env("MAILFERRY_TARGET_PASSWORD", "secret");
    run_as_it_is(command)
}

/// Runs a prepared command.
#[track_caller]
pub fn run_as_it_is(mut command: Command) -> Run {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let end = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("mailferry hangs: {}\n{}", stdout.join().unwrap(), stderr.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let events = stdout.join().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Run { code: status.code(), events, stderr: stderr.join().unwrap() }
}

fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// Tries all cases side by side: they mostly wait.
pub fn each<T: Send>(cases: impl IntoIterator<Item = T>, attempt: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| attempt(case));
        }
    });
}

/// A message of this number and body: each third without Message-ID, with flags and a date.
pub fn message(number: usize, body: &str) -> NewMessage {
    let id = if number % 3 == 2 { String::new() } else { format!("Message-ID: <{number}@lab.example>\r\n") };
    let bytes = format!("{id}From: Ann <ann@lab.example>\r\nSubject: number {number}\r\n\r\n{body}\r\n");
    NewMessage {
        flags: if number.is_multiple_of(2) { vec!["\\Seen".to_owned()] } else { Vec::new() },
        date: Some(format!("{:02}-Feb-2024 03:04:{:02} +0130", number % 28 + 1, number % 60)),
        bytes: bytes.into_bytes(),
    }
}

/// So many messages, every seventh the same as the one before it.
pub fn messages(count: usize) -> Vec<NewMessage> {
    let number = |at: usize| if at % 7 == 6 { at - 1 } else { at };
    (0..count).map(|at| message(number(at), &format!("this is body {}", number(at)).repeat(20))).collect()
}

/// A new Dovecot account with these messages in INBOX.
pub fn filled(name: &str, messages: Vec<NewMessage>) -> Account {
    let account = empty(name, Personality::Plain);
    Client::login(&account).append(&["INBOX"], messages.into_iter());
    account
}

/// A new Dovecot account with nothing in it.
pub fn empty(name: &str, personality: Personality) -> Account {
    Dovecot::shared().account(name, personality)
}

/// The account's address by a proxy's or another port, with a timeout that ends a stall before the deadline.
pub fn by(account: &Account, port: u16) -> String {
    format!("{}&timeout=20", account.by_port(port).plain_address())
}

/// The account's own address.
pub fn at(account: &Account) -> String {
    by(account, account.port)
}

/// Fails unless the target holds what the source holds and nothing else.
#[track_caller]
pub fn assert_equal(source: &Account, target: &Account) {
    let (source, target) = (Client::login(source).snapshot(), Client::login(target).snapshot());
    for (levels, messages) in source.content() {
        let other = target.content().remove(&levels).unwrap_or_default();
        assert_eq!(messages.len(), other.len(), "{levels:?}: messages on the source and on the target");
        assert!(messages == other, "{levels:?}: other messages than on the source");
    }
    assert_eq!(source.count(), target.count(), "the target has more folders with messages");
}

/// Fails if the target holds a message that the source does not hold, or more often than the source.
#[track_caller]
pub fn assert_no_damage(source: &Account, target: &Account) {
    let (source, target) = (Client::login(source).snapshot(), Client::login(target).snapshot());
    let mut content = source.content();
    for (levels, messages) in target.content() {
        let mut known = content.remove(&levels).unwrap_or_default();
        for message in messages {
            let at = known.iter().position(|other| *other == message);
            let at = at
                .unwrap_or_else(|| panic!("{levels:?}: a message that the source has not, or less often: {message:?}"));
            known.remove(at);
        }
    }
}
