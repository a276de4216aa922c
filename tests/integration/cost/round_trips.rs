//! How often a run waits for a server, counted at the connection. Times would fail on a busy
//! machine; numbers of waits don't.

use crate::lab::client::Client;
use crate::lab::generator::mailbox;
use crate::lab::mailboxes::message;
use crate::lab::proxy::{Plan, Proxy, Traffic};
use crate::lab::run::{copy, sync};
use crate::lab::servers::{Account, Dovecot, Personality};

/// Copies over counting proxies. Gives what went over each connection of the source and of the
/// target.
fn count(source: &Account, target: &Account, options: &[&str]) -> (Vec<Traffic>, Vec<Traffic>) {
    let (from, to) = (
        Proxy::start(source.port, Plan::default()),
        Proxy::start(target.port, Plan::default()),
    );
    let address = |account: &Account, proxy: &Proxy| account.by_port(proxy.port).plain_address();
    copy(&address(source, &from), &address(target, &to), options).ended(0);
    (from.traffic(), to.traffic())
}

/// Each time that the client speaks after the server did: AUTHENTICATE after the greeting; ID,
/// NAMESPACE and LIST; the folders, as these fit into one flight; and LOGOUT, whose answer nobody
/// waits for.
#[test]
fn a_run_with_nothing_to_do_waits_four_times() {
    let source = Dovecot::shared().account("trips", Personality::Plain);
    let target = Dovecot::shared().account("trips", Personality::Plain);
    // One folder, so that no further folders are asked for when the first have come.
    let mut one = mailbox(5, 40);
    one.folders.retain(|folder| folder.levels == ["INBOX"]);
    Client::login(&source).fill(&one);
    count(&source, &target, &["-j", "1"]);
    let (from, to) = count(&source, &target, &["-j", "1"]);
    for traffic in [from, to] {
        let [only] = &traffic[..] else {
            panic!("more than one connection: {traffic:#?}")
        };
        assert!(only.bursts <= 4, "{only:#?}");
    }
}

/// AUTHENTICATE; ID, NAMESPACE and LIST; the folder that is there already and empty, which is
/// opened and subscribed to in one flight; the messages; the proof; and LOGOUT.
#[test]
fn a_first_copy_waits_six_times_for_the_target() {
    let [source, target] =
        ["first"; 2].map(|name| Dovecot::shared().account(name, Personality::Plain));
    let mut client = Client::login(&source);
    client.append(
        &["INBOX"],
        (0..5).map(|number| message(number, "a line\r\n")),
    );
    client.subscribe(&["INBOX"]);
    let (_, to) = count(&source, &target, &["-j", "1", "--no-state"]);
    let [only] = &to[..] else {
        panic!("more than one connection: {to:#?}")
    };
    assert!(only.bursts <= 6, "{only:#?}");
    let there = Client::login(&target).snapshot();
    assert_eq!((there.count(), there.subscribed.len()), (5, 1));
}

/// Further lanes connect as soon as the listings show work for them, and only then.
#[test]
fn lanes_connect_where_there_is_work() {
    let [source, target] =
        ["lanes"; 2].map(|name| Dovecot::shared().account(name, Personality::Plain));
    Client::login(&source).fill(&mailbox(5, 300));
    let connections = |options: &[&str]| {
        let (from, to) = count(&source, &target, options);
        (from.len(), to.len())
    };
    assert_eq!(connections(&["--no-state", "--dry-run"]), (1, 1));
    let (from, to) = connections(&["--no-state"]);
    assert!(from > 1 && from == to, "{from} and {to} connections");
    assert_eq!(connections(&["--no-state"]), (1, 1), "all is there");
}

/// What a run costs on one side, over all connections.
#[derive(Debug)]
struct Cost {
    bursts: u64,
    commands: usize,
    bytes_up: u64,
    bytes_down: u64,
}

fn cost(connections: &[Traffic]) -> Cost {
    Cost {
        bursts: connections.iter().map(|traffic| traffic.bursts).sum(),
        commands: connections
            .iter()
            .map(|traffic| traffic.commands.len())
            .sum(),
        bytes_up: connections.iter().map(|traffic| traffic.bytes_up).sum(),
        bytes_down: connections.iter().map(|traffic| traffic.bytes_down).sum(),
    }
}

/// The same mailbox each time: 18 folders, 300 messages. Its own bytes cross each line once; beyond
/// them, a message costs some 60 bytes to ask for and to tell of on either side, and a folder a few
/// commands. The source is asked for folders while the ones before them arrive, and the target
/// acknowledges some while it is sent others, so both are spoken to more often than they are waited
/// for; a wait for each folder would be 18 more.
#[test]
fn a_first_copy_of_a_known_mailbox_costs_no_more_than_it_did() {
    let source = Dovecot::shared().account("cost", Personality::Plain);
    let target = Dovecot::shared().account("cost", Personality::Plain);
    Client::login(&source).fill(&mailbox(5, 300));
    let snapshot = Client::login(&source).snapshot();
    let mail: u64 = snapshot
        .folders
        .values()
        .flatten()
        .map(|message| message.size as u64)
        .sum();
    let (from, to) = count(&source, &target, &["-j", "1", "--no-state"]);
    let (from, to) = (cost(&from), cost(&to));
    let show = format!("{mail} bytes of mail, source {from:?}, target {to:?}");
    assert!(from.bursts <= 18 && to.bursts <= 14, "{show}");
    assert!(from.commands <= 90 && to.commands <= 140, "{show}");
    assert!(
        from.bytes_up <= 6_000 && from.bytes_down <= mail + 75_000,
        "{show}"
    );
    assert!(
        to.bytes_up <= mail + 60_000 && to.bytes_down <= 40_000,
        "{show}"
    );

    let (from, to) = count(&source, &target, &["-j", "1", "--no-state"]);
    let (from, to) = (cost(&from), cost(&to));
    let show = format!("compared: source {from:?}, target {to:?}");
    assert!(from.bursts <= 5 && to.bursts <= 5, "{show}");
    assert!(
        from.bytes_down <= 200_000 && to.bytes_down <= 200_000,
        "{show}"
    );
}

/// Two-way sync: what either side lacks is made, subscribed to and opened in one flight. Before it
/// there are the login, the listing and the scan of INBOX.
#[test]
fn a_first_sync_makes_folders_in_one_flight() {
    let sides = ["a", "b"]
        .map(|side| Dovecot::shared().account(&format!("flight{side}"), Personality::Plain));
    for (side, account) in sides.iter().enumerate() {
        let mut client = Client::login(account);
        for number in 0..40 {
            let folder = [format!("Folder {side} {number}")];
            client.create(&folder);
            client.subscribe(&folder);
        }
    }
    let state = tempfile::tempdir().unwrap();
    let run = sync(
        &sides[0],
        &sides[1],
        &["--state", state.path().to_str().unwrap(), "-j", "1"],
    )
    .ended(0);
    assert_eq!(run.count("folders_created"), 80);
    let [first, second] = sides.map(|account| Client::login(&account).snapshot());
    assert_eq!(
        (first.content(), &first.subscribed),
        (second.content(), &second.subscribed)
    );
    assert!(first.subscribed.len() >= 80, "{:?}", first.subscribed);
    let trips = ["first.round_trips", "second.round_trips"].map(|side| run.count(side));
    assert!(trips.iter().all(|trips| *trips <= 4), "{trips:?}");
}
