//! Small mailboxes on real servers, and their expected contents after a run.

use super::client::{Client, Content, NewMessage, Snapshot};
use super::run::Run;
use super::servers::{Account, Dovecot, Personality};
use serde_json::Value;
use std::collections::BTreeMap;

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
    let id = if number % 3 == 2 {
        String::new()
    } else {
        format!("Message-ID: <{number}@lab.example>\r\n")
    };
    let bytes =
        format!("{id}From: Ann <ann@lab.example>\r\nSubject: number {number}\r\n\r\n{body}\r\n");
    NewMessage {
        flags: if number.is_multiple_of(2) {
            vec!["\\Seen".to_owned()]
        } else {
            Vec::new()
        },
        date: Some(format!(
            "{:02}-Feb-2024 03:04:{:02} +0130",
            number % 28 + 1,
            number % 60
        )),
        bytes: bytes.into_bytes(),
    }
}

/// So many messages, every seventh the same as the one before it.
pub fn messages(count: usize) -> Vec<NewMessage> {
    let number = |at: usize| if at % 7 == 6 { at - 1 } else { at };
    (0..count)
        .map(|at| {
            message(
                number(at),
                &format!("this is body {}", number(at)).repeat(20),
            )
        })
        .collect()
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

/// The account's address by a proxy's or another port, with a timeout that ends a stall before the
/// deadline.
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
    let (source, target) = (
        Client::login(source).snapshot(),
        Client::login(target).snapshot(),
    );
    for (levels, messages) in source.content() {
        let other = target.content().remove(&levels).unwrap_or_default();
        assert_eq!(
            messages.len(),
            other.len(),
            "{levels:?}: messages on the source and on the target"
        );
        assert!(
            messages == other,
            "{levels:?}: other messages than on the source"
        );
    }
    assert_eq!(
        source.count(),
        target.count(),
        "the target has more folders with messages"
    );
}

/// Fails if the target holds a message that the source does not hold, or more often than the
/// source.
#[track_caller]
pub fn assert_no_damage(source: &Account, target: &Account) {
    assert_nothing_beyond(
        &Client::login(source).snapshot().content(),
        &Client::login(target).snapshot().content(),
    );
}

/// The same of what was seen of both.
#[track_caller]
pub fn assert_nothing_beyond(source: &Content, target: &Content) {
    for (levels, messages) in target {
        let mut known = source.get(levels).cloned().unwrap_or_default();
        for message in messages {
            let at = known.iter().position(|other| other == message);
            let at = at.unwrap_or_else(|| {
                panic!("{levels:?}: a message that the source has not, or less often: {message:?}")
            });
            known.remove(at);
        }
    }
}

/// `mailferry folders` shows what the account has: messages, unread, bytes.
#[track_caller]
pub fn assert_folders(shown: &Run, snapshot: &Snapshot) {
    let numbers = |row: &Value| ["messages", "unread", "bytes"].map(|name| row[name].as_u64());
    let shown: BTreeMap<String, _> = (shown
        .named("folder")
        .iter()
        .filter(|row| row["selectable"] == true))
    .map(|row| (row["name"].as_str().unwrap().to_owned(), numbers(row)))
    .collect();
    let expected = snapshot.folders.iter().map(|(levels, messages)| {
        let unread = messages
            .iter()
            .filter(|message| !message.flags.contains("\\Seen"))
            .count();
        let bytes: usize = messages.iter().map(|message| message.size).sum();
        (
            levels.join("/"),
            [messages.len(), unread, bytes].map(|number| Some(number as u64)),
        )
    });
    assert_eq!(shown, expected.collect());
}
