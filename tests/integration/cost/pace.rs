//! The speed of a copy: more lanes as long as they help and the servers handle them, and never
//! faster than the user allows.

use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::each;
use crate::lab::proxy::{Plan, Proxy, Traffic};
use crate::lab::run::{Run, copy};
use crate::lab::servers::{Account, Dovecot, Personality};
use std::time::Duration;

/// Letters like no others.
fn letters(folder: usize, count: usize, bytes: usize) -> impl ExactSizeIterator<Item = NewMessage> {
    (0..count).map(move |n| {
        let text = format!(
            "Message-ID: <{n}.{folder}@pace>\r\nSubject: {n}\r\n\r\n{}\r\n",
            "x".repeat(bytes)
        );
        NewMessage::of(text)
    })
}

/// A source with so many messages in each of some folders, and an empty target of this kind.
fn accounts(
    name: &str,
    kind: Personality,
    folders: usize,
    count: usize,
    bytes: usize,
) -> [Account; 2] {
    let dovecot = Dovecot::shared();
    let source = dovecot.account(name, Personality::Plain);
    let mut client = Client::login(&source);
    for folder in 0..folders {
        let levels = [format!("Folder {folder}")];
        client.create(&levels);
        client.append(&levels, letters(folder, count, bytes));
    }
    [source, dovecot.account(name, kind)]
}

/// The same source, and another empty target.
fn fresh(name: &str, [source, _]: &[Account; 2]) -> [Account; 2] {
    [
        source.clone(),
        Dovecot::shared().account(name, Personality::Plain),
    ]
}

/// Copies over a line to the target. Gives the run and how many connections it made there.
fn over(line: Plan, [source, target]: &[Account; 2], options: &[&str]) -> (Run, usize) {
    let proxy = Proxy::start(target.port, line);
    let run = copy(source, &target.by_port(proxy.port).plain_address(), options).ended(0);
    (run, proxy.traffic().len())
}

#[test]
fn lanes_are_added_where_each_waits_for_a_far_server() {
    // Each message waits for the server's word, so twice the lanes are twice as fast. Not on a
    // machine that is busy with other tests: there they wait for the processor, and more of them
    // gain nothing.
    let mut grown = (0..4).map(|_| {
        let accounts = accounts("far", Personality::NoLiteral, 40, 24, 100);
        let (run, connections) = over(Plan::round_trip(Duration::from_millis(40)), &accounts, &[]);
        let run = run.counts(&[("copied", 960), ("failed", 0)]);
        assert!((4..=8).contains(&connections), "{connections} connections");
        assert!(
            !run.stderr.contains("one connection fewer"),
            "{}",
            run.stderr
        );
        connections
    });
    assert!(
        grown.any(|connections| connections >= 6),
        "never more than five lanes"
    );
}

/// One folder is enough: its messages are shared by all lanes, where each has to be asked for.
#[test]
fn a_folder_is_shared_where_each_message_waits() {
    let [source, target] = accounts("shared", Personality::NoLiteral, 1, 256, 100);
    let proxy = Proxy::start(target.port, Plan::round_trip(Duration::from_millis(20)));
    copy(
        &source,
        &target.by_port(proxy.port).plain_address(),
        &["-j", "4"],
    )
    .ended(0)
    .counts(&[("copied", 256)]);
    let appends = |traffic: &Traffic| {
        traffic
            .commands
            .iter()
            .filter(|command| command.contains(" APPEND "))
            .count()
    };
    let appends: Vec<usize> = proxy.traffic().iter().map(appends).collect();
    assert_eq!(appends.len(), 4);
    assert!(appends.iter().all(|appends| *appends >= 32), "{appends:?}");
}

#[test]
fn lanes_are_not_added_where_the_line_is_full() {
    let accounts = accounts("fullline", Personality::Plain, 12, 40, 20_000);
    let line = Plan {
        rate: Some(2_000_000),
        ..Plan::round_trip(Duration::from_millis(20))
    };
    let (run, connections) = over(line, &accounts, &[]);
    run.counts(&[("copied", 480), ("failed", 0)]);
    // One more is tried, now and then two.
    assert!((4..=6).contains(&connections), "{connections} connections");
}

/// Both are on this machine, which keep each other waiting where more lanes work.
#[test]
fn near_servers_begin_with_few_lanes() {
    let accounts = accounts("near", Personality::Plain, 6, 40, 100);
    let (run, connections) = over(Plan::default(), &accounts, &[]);
    run.counts(&[("copied", 240), ("failed", 0)]);
    // A machine that is busy enough seems to be far away.
    assert!((2..=4).contains(&connections), "{connections} connections");
    let (_, connections) = over(
        Plan::round_trip(Duration::from_millis(40)),
        &fresh("near", &accounts),
        &[],
    );
    assert!(connections >= 4, "{connections} connections");
}

#[test]
fn as_many_lanes_as_asked_for_and_no_others() {
    each(["1", "3"], |jobs| {
        let accounts = accounts(&format!("asked{jobs}"), Personality::NoLiteral, 6, 30, 100);
        let (_, connections) = over(
            Plan::round_trip(Duration::from_millis(20)),
            &accounts,
            &["-j", jobs],
        );
        assert_eq!(connections.to_string(), jobs);
    });
}

#[test]
fn a_limited_rate_is_never_exceeded() {
    let accounts = accounts("limited", Personality::Plain, 4, 50, 10_000);
    let (run, _) = over(Plan::default(), &accounts, &["--limit-rate", "1M"]);
    let bytes = run.count("bytes_copied") as f64;
    let seconds = run.summary()["seconds"].as_f64().unwrap();
    assert!(
        bytes > 2e6 && seconds >= 0.95 * bytes / f64::from(1 << 20),
        "{bytes} bytes in {seconds} s"
    );
}

/// The target confirms either kind as one, after about three seconds.
#[test]
fn progress_moves_before_the_target_confirms() {
    each(
        [("batch", 60, 10_000), ("large", 1, 600_000)],
        |(name, count, bytes)| {
            let accounts = accounts(&format!("moves{name}"), Personality::Plain, 1, count, bytes);
            let (run, _) = over(Plan::default(), &accounts, &["-j1", "--limit-rate", "200k"]);
            let none_confirmed = format!("0/{count} messages, ");
            let sent = run
                .stderr
                .lines()
                .find_map(|line| line.strip_prefix(&none_confirmed));
            let sent = sent.unwrap_or_else(|| panic!("{name}: {}", run.stderr));
            assert!(
                !sent.starts_with("0 B") && sent.contains(" KiB/s, ") && sent.contains(" s left"),
                "{name}: {sent}"
            );
        },
    );
}

#[test]
fn a_server_that_throttles_is_given_time() {
    use crate::lab::proxy::Answer;
    let [source, target] = accounts("throttled", Personality::Plain, 1, 10, 100);
    // The scan's, however many there are: the last word before the messages are asked for is this
    // one.
    let throttled = |nth| Answer::after("UID FETCH", nth, "{tag} OK Success [THROTTLED]");
    let answers = Plan::default().answer(throttled(1)).answer(throttled(2));
    let proxy = Proxy::start(source.port, answers);
    let options = ["-j1", "-vvv"];
    let run = copy(
        &source.by_port(proxy.port).plain_address(),
        &target,
        &options,
    )
    .ended(0);
    let run = run.counts(&[("copied", 10), ("failed", 0)]);
    assert!(run.stderr.contains("[THROTTLED]"), "{}", run.stderr);
    assert!(
        run.summary()["seconds"].as_f64().unwrap() >= 0.05,
        "no pause was made"
    );
}
