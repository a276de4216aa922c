//! Mail that an earlier run had sent and that arrives while a run sends it again, in folders into
//! which the target itself copies or moves messages: the copies that were sent now are removed.

use crate::lab::client::{Client, NewMessage};
use crate::lab::pair::{Pair, letter, letters, snapshot};
use crate::lab::proxy::{Meanwhile, Plan, Proxy};
use crate::lab::run::{Run, run};
use crate::lab::servers::{Account, Personality};

const REMOVED: &str = "the duplicates were removed";

/// The target behind a proxy: these messages arrive in its folder `Two` before it sees a command.
fn arriving(pair: &Pair, messages: Vec<NewMessage>, before: &str) -> Proxy {
    let account = pair.target.clone();
    let meanwhile = Meanwhile::before(before, move || {
        Client::login(&account).append(&["Two"], messages.clone().into_iter());
    });
    Proxy::start(pair.target.port, Plan::default().meanwhile(meanwhile))
}

/// Copies while these messages arrive.
fn copy_while(pair: &Pair, messages: Vec<NewMessage>, before: &str) -> Run {
    let to = arriving(pair, messages, before);
    run_to(pair, "copy", &pair.target.by_port(to.port))
}

fn run_to(pair: &Pair, verb: &str, target: &Account) -> Run {
    let addresses = [pair.source.plain_address(), target.plain_address()];
    let options = ["--output", "json", "-j", "1"];
    let arguments = [
        &[verb, &addresses[0], &addresses[1]][..],
        &pair.state_options(),
        &options,
    ];
    run(&arguments.concat()).ended(0)
}

/// The source has three messages in one folder and one more that is in both.
fn twins(name: &str) -> Pair {
    let pair = Pair::new(name, Personality::Plain);
    let mut client = Client::login(&pair.source);
    client.create(&["Two"]);
    client.append(&["INBOX"], letters("in both", 1));
    client.append(&["Two"], letters("in both", 1));
    client.append(&["Two"], letters("here", 3));
    pair
}

#[test]
fn beside_messages_that_the_target_copies_from_what_was_sent() {
    let pair = twins("latetwins");
    let run = copy_while(&pair, letters("here", 3).collect(), "APPEND");
    assert!(run.says(REMOVED), "{}", run.stderr);
    run.counts(&[
        ("copied", 2),
        ("copied_server_side", 1),
        ("already_there", 3),
    ]);
    pair.assert_equal();
    pair.copy(&[]).ended(0).counts(&[("copied", 0)]);
}

#[test]
fn before_messages_that_the_target_copies_from_what_it_has() {
    let pair = twins("latebefore");
    Client::login(&pair.target).append(&["INBOX"], letters("in both", 1));
    let run = copy_while(&pair, letters("here", 3).collect(), "UID COPY");
    assert!(run.says(REMOVED), "{}", run.stderr);
    pair.assert_equal();
    pair.copy(&[]).ended(0).counts(&[("copied", 0)]);
}

#[test]
fn before_messages_that_a_sync_moves() {
    let pair = Pair::new("latemoves", Personality::Plain);
    let mut client = Client::login(&pair.source);
    client.create(&["Two"]);
    client.append(&["INBOX"], letters("moved", 1));
    let to = arriving(&pair, letters("here", 3).collect(), "UID MOVE");
    let target = pair.target.by_port(to.port);
    run_to(&pair, "sync", &target);
    client.select(&["INBOX"]);
    client.command("UID MOVE 1 Two");
    client.append(&["Two"], letters("here", 3));
    let run = run_to(&pair, "sync", &target);
    assert!(run.says(REMOVED), "{}", run.stderr);
    pair.assert_equal();
    run_to(&pair, "sync", &target).counts(&[("copied", 0)]);
}

/// Two equal messages in one folder stay two, however each of them got there.
#[test]
fn an_equal_message_that_the_target_copied_is_not_taken_for_a_late_one() {
    let pair = twins("lateequal");
    Client::login(&pair.source).append(&["Two"], letters("in both", 1));
    Client::login(&pair.target).append(&["INBOX"], letters("in both", 1));
    let run = copy_while(&pair, vec![letter("somebody's own")], "UID COPY");
    assert!(!run.says(REMOVED), "{}", run.stderr);
    let there = snapshot(&pair.target);
    assert_eq!(there.folder(&["Two"]).len(), 6, "{}", run.stderr);
    pair.copy(&[]).ended(0).counts(&[("copied", 0)]);
}
