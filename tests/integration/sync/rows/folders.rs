//! Folders that aren't what their listing claims.

use super::meanwhile::{Proxied, edits};
use super::{Ground, assert_idle, bare_manner, edit};
use crate::lab::client::Client;
use crate::lab::mailboxes::each;
use crate::lab::memory::Fake;
use crate::lab::proxy::{Answer, Plan};
use crate::lab::run::{End, Run, copy, mailferry, verify};
use crate::lab::servers::{Account, Dovecot, Personality};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

const BEFORE: [&str; 4] = [
    "create Work",
    "create Work/Old",
    "add Work ab",
    "add Work/Old c",
];

/// Deletes Work, below which there is another folder. Dovecot goes on listing it, in all forms of
/// LIST, as if it could be opened.
fn drop_parent(account: &Account) {
    let mut client = Client::login(account);
    client.snapshot();
    edit(&mut client, "drop Work");
    let listed = client.command(r#"LIST "" Work"#);
    let says = |name: &str| {
        listed
            .iter()
            .flat_map(|reply| reply[2].items())
            .any(|attribute| attribute.is(name))
    };
    assert!(
        !listed.is_empty() && !says("\\Noselect") && !says("\\NonExistent"),
        "{listed:?}"
    );
    let answer = client.try_command(r#"EXAMINE "Work""#).1;
    assert!(
        answer.starts_with("NO ") && answer.contains("doesn't exist"),
        "{answer}"
    );
}

fn folders(shown: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let folder = |(name, messages): &(&str, &[&str])| {
        (
            (*name).to_owned(),
            messages
                .iter()
                .map(|message| (*message).to_owned())
                .collect(),
        )
    };
    shown.iter().map(folder).collect()
}

/// Rows 13 and 14, where the server still lists the folder that was deleted.
#[test]
fn a_folder_that_is_listed_and_not_there_was_deleted() {
    let ways = [
        Personality::Plain,
        Personality::NoQresync,
        Personality::Poor,
    ]
    .map(|kind| [(kind, false), (kind, true)]);
    each(ways.into_iter().flatten(), |(kind, turned)| {
        let name = format!("{kind:?}, turned {turned}");
        let ground = Ground::new("phantom", kind, turned);
        edits(&ground.sides[0], &BEFORE);
        ground.run(&[]).ended(0);
        drop_parent(&ground.sides[0]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("deleted", 2), ("folders_deleted", 1), ("copied", 0)]);
        let expected = folders(&[("INBOX", &[]), ("Work/Old", &["c"])]);
        assert_eq!(
            [ground.shown(0), ground.shown(1)],
            [expected.clone(), expected],
            "{name}"
        );
        ground.assert_at_rest(&name);

        edits(&ground.sides[1], &["create Work", "add Work ab"]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("folders_created", 1), ("copied", 2)]);
        ground.assert_at_rest(&format!("{name}, made anew"));
        drop_parent(&ground.sides[0]);
        edits(&ground.sides[1], &["add Work d"]);
        ground.run(&[]).ended(0).counts(&[
            ("folders_created", 1),
            ("folders_deleted", 0),
            ("copied", 1),
        ]);
        let expected = folders(&[("INBOX", &[]), ("Work", &["d"]), ("Work/Old", &["c"])]);
        assert_eq!(
            [ground.shown(0), ground.shown(1)],
            [expected.clone(), expected],
            "{name}"
        );
        ground.assert_at_rest(&format!("{name}, with new mail"));
    });
}

/// Neither does it keep a copy or a comparison from being whole, on whichever side it is.
#[test]
fn a_folder_that_is_listed_and_not_there_does_not_fail_a_copy() {
    let accounts =
        ["source", "target"].map(|name| Dovecot::shared().account(name, Personality::Plain));
    let [source, target] = &accounts;
    edits(source, &BEFORE);
    drop_parent(source);
    copy(source, target, &[])
        .ended(0)
        .counts(&[("copied", 1), ("failed", 0)]);
    verify(source, target, &[]).ended(0);
    verify(target, source, &[]).ended(0);
    edits(target, &["create Work", "add Work a"]);
    drop_parent(target);
    edits(source, &["create Work", "add Work ab"]);
    copy(source, target, &[])
        .ended(0)
        .counts(&[("copied", 2), ("folders_created", 1)]);
    verify(source, target, &[]).ended(0);
}

/// Only what the server says twice counts: a folder that it opens after all is there, and one that
/// it can't open now may be.
#[test]
fn a_folder_that_is_denied_once_is_not_taken_for_deleted() {
    let denied = Answer::instead(r#"STATUS "Work""#, 1, "NO [NONEXISTENT] there is none");
    let busy = Answer::instead(r#"EXAMINE "Work""#, 1, "NO [UNAVAILABLE] come again");
    // A folder that does not open is asked for three times.
    let gone = (1..=3)
        .map(|nth| Answer::instead(r#"SELECT "Work""#, nth, "NO Mailbox doesn't exist: Work"));
    let closed = gone.fold(
        Plan::default().answer(denied.clone()).answer(busy),
        Plan::answer,
    );
    let plans = [(Plan::default().answer(denied), 0), (closed, 3)];
    each(
        plans
            .into_iter()
            .flat_map(|(plan, code)| [(plan.clone(), code, false), (plan, code, true)]),
        |case| {
            let (plan, code, turned) = case;
            let mut ground = Ground::new("denied", Personality::Poor, turned);
            let proxied = Proxied::new(&mut ground, 0, plan);
            edits(
                &ground.sides[0],
                &["create Work", "add Work ab", "add INBOX c"],
            );
            ground.run(&[]).ended(0);
            let before = ground.snapshots();
            let run = proxied.run(&ground, "EXAMINE").ended(code);
            assert_idle(&run, "denied");
            assert_eq!(ground.snapshots(), before);
            ground.assert_at_rest("not denied");
        },
    );
}

/// A side does not subscribe to a folder: that is no wish of the user to end the subscription on
/// the other.
#[test]
fn a_subscription_that_is_refused_waits() {
    let refused = (1..=3).map(|nth| Answer::instead("SUBSCRIBE", nth, "NO [NOPERM] you may not"));
    let plan = refused.fold(Plan::default(), Plan::answer);
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    each(ways, |(is_known, turned)| {
        let mut ground = Ground::new("unsubscribed", Personality::Plain, turned);
        let proxied = Proxied::new(&mut ground, 1, plan.clone());
        edits(&ground.sides[0], &["create Work", "add Work a"]);
        if is_known {
            ground.run(&[]).ended(0);
        }
        edits(&ground.sides[0], &["subscribe Work"]);
        for _ in 0..2 {
            let run = proxied.run(&ground, "SUBSCRIBE").ended(0);
            assert!(run.says("did not subscribe to it: you may not"), "{run:?}");
            let [here, there] = ground
                .snapshots()
                .map(|side| side.subscribed.iter().any(|name| *name == ["Work"]));
            assert!(
                here && !there,
                "known {is_known}, turned {turned}: {here}, {there}"
            );
        }
        ground.run(&[]).ended(0);
        let there = &ground.snapshots()[1].subscribed;
        assert!(
            there.iter().any(|name| *name == ["Work"]),
            "known {is_known}, turned {turned}: {there:?}"
        );
        ground.assert_at_rest("permitted");
    });
}

/// A run, and how many hundredths of a second of this machine's processors it took: not of the
/// clock, as others run beside it.
fn processor_time(arguments: &[&str]) -> (Run, u64) {
    let run = mailferry(arguments);
    let mut shell = Command::new("sh");
    // The last line that `times` prints is about what the shell has run.
    shell
        .args(["-c", r#""$0" "$@"; code=$?; times >&2; exit $code"#])
        .arg(run.get_program())
        .args(run.get_args());
    shell.env_clear().stdin(Stdio::null());
    shell.envs(
        run.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let run = Run::of(&mut shell);
    let hundredths = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        (minutes.parse::<f64>().unwrap() * 6000.0 + seconds.parse::<f64>().unwrap() * 100.0) as u64
    };
    let taken = run
        .stderr
        .lines()
        .last()
        .unwrap()
        .split_whitespace()
        .map(hundredths)
        .sum();
    (run.ended(0), taken)
}

/// What a run does beside what it asks of the servers grows with the folders, as in a copy, and not
/// with their square. Five times what a copy takes leaves room; it was more than twenty times when
/// folders were looked for one by one.
#[test]
fn many_folders_cost_little_more_than_in_a_copy() {
    let name = |n: usize| {
        if n.is_multiple_of(10) {
            format!("f{}", n / 10)
        } else {
            format!("f{}/{n}", n / 10)
        }
    };
    let names: Vec<String> = (0..2000).map(name).collect();
    let folders: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let [first, second] = [&folders[..], &[]].map(|folders| Fake::start(bare_manner(), folders));
    first
        .boxes()
        .values_mut()
        .for_each(|folder| folder.subscribed = true);
    let [first, second] = [first, second].map(|fake| End::plain(fake.server.port, "").address);
    let state = tempfile::tempdir().unwrap();
    let options = [
        "--state",
        state.path().to_str().unwrap(),
        "--output",
        "json",
    ];
    let run =
        |verb: &str| processor_time(&[&[verb, first.as_str(), &second], &options[..]].concat());
    let (new, first_run) = run("sync");
    new.counts(&[("folders_created", 2000), ("folders_failed", 0)]);
    let (_, idle) = run("sync");
    let (_, copied) = run("copy");
    let text = format!("sync {first_run}, again {idle}, copy {copied} hundredths of a second");
    assert!(first_run.max(idle) < copied.max(20) * 5, "{text}");
}
