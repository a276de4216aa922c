//! `mailferry copy` and `verify` on real servers: their promises about every message, about a
//! second run, and about an interrupted one.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod after;
mod contradictions;
mod early;
mod failed;
mod fixing;
mod gmail;
mod identity;
mod incremental;
mod keep_deleted;
mod labels;
mod matching;
mod mirror;
mod moves;
mod odd;
mod plans;
mod renames;
mod round_trips;
mod same_mailbox;
mod stopping;
mod unlisted;
mod verify;
mod views;
mod whole;

use crate::lab::client::NewMessage;
use crate::lab::pair::snapshot;
use crate::lab::proxy::{Plan, Proxy, Traffic};
use crate::lab::servers::{Account, Dovecot, Personality};

/// Two new accounts.
fn accounts(name: &str, personalities: [Personality; 2]) -> [Account; 2] {
    let dovecot = Dovecot::shared();
    let [source, target] = personalities;
    [
        dovecot.account(&format!("{name}from"), source),
        dovecot.account(&format!("{name}to"), target),
    ]
}

/// Two new accounts of the usual kind.
fn plain_accounts(name: &str) -> [Account; 2] {
    accounts(name, [Personality::Plain, Personality::Plain])
}

/// A proxy that only reads along, and the account behind it.
fn overheard(account: &Account) -> (Proxy, Account) {
    let proxy = Proxy::start(account.port, Plan::default());
    let behind = account.by_port(proxy.port);
    (proxy, behind)
}

/// The commands of all connections without their tags.
fn commands(proxy: &Proxy) -> Vec<String> {
    let of = |traffic: &Traffic| -> Vec<String> {
        traffic
            .commands
            .iter()
            .map(|line| line.split_once(' ').unwrap().1.to_owned())
            .collect()
    };
    proxy.traffic().iter().flat_map(of).collect()
}

/// How many commands begin with one of these.
fn count_commands(commands: &[String], verbs: &[&str]) -> usize {
    commands
        .iter()
        .filter(|command| verbs.iter().any(|verb| command.starts_with(verb)))
        .count()
}

/// A small message with a Message-ID of its own.
fn letter(number: usize) -> NewMessage {
    let day = number % 28 + 1;
    NewMessage {
        flags: Vec::new(),
        date: Some(format!("{day:02}-Mar-2021 10:20:30 +0000")),
        bytes: format!(
            "From: ann@example.org\r\nTo: bob@example.org\r\nSubject: letter {number}\r\n\
             Date: Mon, {day} Mar 2021 10:20:30 +0000\r\nMessage-ID: <letter-{number}@example.org>\r\n\r\nNumber {number}.\r\n"
        )
        .into_bytes(),
    }
}
