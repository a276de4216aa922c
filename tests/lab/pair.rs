//! Two accounts and a state directory, for tests of reruns.

use super::client::{Client, Common, Content, NewMessage, Snapshot};
use super::run::{Run, copy};
use super::servers::{Account, Dovecot, Personality};
use std::collections::{BTreeMap, BTreeSet};

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
        let (source, target) = (snapshot(&self.source), snapshot(&self.target));
        let differences = differences(&source.content(), &target.content());
        assert!(
            differences.is_empty(),
            "the target differs from the source:\n{}",
            differences.join("\n")
        );
    }
}

/// Describes how each folder of the target differs from the source's, with a few of the messages.
fn differences(source: &Content, target: &Content) -> Vec<String> {
    let folders: BTreeSet<_> = source.keys().chain(target.keys()).collect();
    let describe = |folder| match (source.get(folder), target.get(folder)) {
        (Some(source), Some(target)) if source == target => None,
        (Some(source), Some(target)) => {
            let (lacks, has_more) = (surplus(source, target), surplus(target, source));
            let few = |of: &[_]| format!("{} ({:?})", of.len(), &of[..of.len().min(3)]);
            let (lacks, has_more) = (few(&lacks), few(&has_more));
            Some(format!(
                "{folder:?} lacks {lacks}, and has besides {has_more}"
            ))
        }
        (source, _) => {
            let only = if source.is_some() { "source" } else { "target" };
            Some(format!("{folder:?} is only on the {only}"))
        }
    };
    folders.into_iter().filter_map(describe).collect()
}

/// Returns sizes, flags and seconds of the messages that one side has more often than the other.
fn surplus(one: &[Common], other: &[Common]) -> Vec<(usize, Vec<String>, i64)> {
    let mut counts: BTreeMap<&Common, usize> = BTreeMap::new();
    for message in other {
        *counts.entry(message).or_default() += 1;
    }
    let mut is_missing = |message: &Common| match counts.get_mut(message) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    let missing = one.iter().filter(|message| is_missing(message));
    missing
        .map(|(_, size, flags, seconds)| (*size, flags.clone(), *seconds))
        .collect()
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
