//! Two accounts and a state directory, for tests of reruns.

use super::client::{Client, NewMessage, Snapshot};
use super::run::{Run, copy};
use super::servers::{Account, Dovecot, Personality};

/// Two accounts and what runs between them leave.
pub struct Pair {
    pub source: Account,
    pub target: Account,
    pub state: tempfile::TempDir,
}

impl Pair {
    /// Two new Dovecot accounts of one kind.
    pub fn new(name: &str, kind: Personality) -> Self {
        Self::of_kinds(name, [kind, kind])
    }

    /// Two new Dovecot accounts.
    pub fn of_kinds(name: &str, [source, target]: [Personality; 2]) -> Self {
        let dovecot = Dovecot::shared();
        Self::of(
            dovecot.account(&format!("{name}from"), source),
            dovecot.account(&format!("{name}to"), target),
        )
    }

    /// These accounts.
    pub fn of(source: Account, target: Account) -> Self {
        Self {
            source,
            target,
            state: tempfile::tempdir().unwrap(),
        }
    }

    /// `--state` and its directory.
    pub fn state_options(&self) -> [&str; 2] {
        ["--state", self.state.path().to_str().unwrap()]
    }

    /// A run that finds what the last one left.
    #[track_caller]
    pub fn copy(&self, options: &[&str]) -> Run {
        copy(
            &self.source,
            &self.target,
            &[&self.state_options()[..], options].concat(),
        )
    }

    /// A run that knows of no other.
    #[track_caller]
    pub fn copy_without_state(&self, options: &[&str]) -> Run {
        copy(&self.source, &self.target, options)
    }

    /// Both sides hold the same messages, with flags and dates, in the same folders.
    #[track_caller]
    pub fn assert_equal(&self) {
        assert_eq!(
            snapshot(&self.target).content(),
            snapshot(&self.source).content()
        );
    }
}

/// What an account holds.
pub fn snapshot(account: &Account) -> Snapshot {
    Client::login(account).snapshot()
}

/// A small message that is like no other of another subject.
pub fn letter(subject: &str) -> NewMessage {
    let id = subject.replace([' ', '/'], ".");
    let text = format!(
        "Message-ID: <{id}@pair>\r\nSubject: {subject}\r\nFrom: ann@example.org\r\n\r\nhello\r\n"
    );
    NewMessage {
        date: Some("05-Feb-2024 03:04:05 +0130".to_owned()),
        ..NewMessage::of(text)
    }
}

/// So many of them.
pub fn letters(word: &str, count: usize) -> impl ExactSizeIterator<Item = NewMessage> {
    let word = word.to_owned();
    (0..count).map(move |number| letter(&format!("{word} {number}")))
}
