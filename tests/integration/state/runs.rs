//! What a run leaves for the next: what is in step is not looked into again, what the source
//! changed is carried over, and without the state, or with one that the servers contradict,
//! everything is compared and nothing is lost or doubled.

use crate::lab::client::{Client, StoredMessage};
use crate::lab::generator;
use crate::lab::mailboxes::each;
use crate::lab::pair::{Pair, letter, letters, snapshot};
use crate::lab::proxy::{Meanwhile, Plan, Proxy};
use crate::lab::run::{Running, copy};
use crate::lab::servers::{Account, Personality};
use std::path::Path;

/// Fills folders of three messages each.
fn fill_folders(account: &Account, folders: usize) {
    let mut client = Client::login(account);
    for folder in 0..folders {
        let name = [format!("folder {folder}")];
        client.create(&name);
        client.append(
            &name,
            (0..3).map(|n| letter(&format!("letter {folder} {n}"))),
        );
    }
}

#[test]
fn what_is_in_step_is_not_looked_into_again_however_many_folders_there_are() {
    for folders in [20, 200] {
        let ground = Pair::new(&format!("step{folders}n"), Personality::Plain);
        fill_folders(&ground.source, folders);
        let all = 3 * folders as u64;
        ground.copy(&[]).ended(0).counts(&[("copied", all)]);
        let second = ground.copy(&[]).ended(0).counts(&[
            ("copied", 0),
            ("already_there", all),
            ("flags_updated", 0),
        ]);
        for side in ["source", "target"] {
            let trips = second.count(&format!("{side}.round_trips"));
            assert!(
                trips <= 6,
                "{trips} round trips on the {side} for {folders} folders"
            );
        }
        ground.assert_equal();
    }
}

#[test]
fn a_run_costs_what_has_changed() {
    let ground = Pair::new("changed", Personality::Plain);
    fill_folders(&ground.source, 40);
    ground.copy(&[]).ended(0);
    let mut client = Client::login(&ground.source);
    client.append(&["folder 7"], std::iter::once(letter("one more")));
    client.select(&["folder 9"]);
    client.store("1:3", "+FLAGS", "\\Flagged");
    client.select(&["folder 11"]);
    client.store("1:2", "+FLAGS", "\\Answered $Label1");
    let run = ground.copy(&[]).ended(0).counts(&[
        ("copied", 1),
        ("flags_updated", 5),
        ("already_there", 120),
    ]);
    assert!(
        run.count("source.round_trips") <= 10 && run.count("target.round_trips") <= 14,
        "{}",
        run.summary()
    );
    ground.assert_equal();
    ground.copy(&[]).ended(0).counts(&[
        ("copied", 0),
        ("flags_updated", 0),
        ("already_there", 121),
    ]);
}

#[test]
fn the_sources_changes_of_flags_are_followed_and_the_targets_stay() {
    let ground = Pair::new("follow", Personality::Plain);
    let mut client = Client::login(&ground.source);
    client.append(&["INBOX"], (0..3).map(|n| letter(&format!("follow {n}"))));
    client.select(&["INBOX"]);
    client.store("1:3", "+FLAGS", "\\Flagged");
    ground.copy(&[]).ended(0);
    // The reader of the target sees to two of them; the source takes a mark away and sets another.
    let mut reader = Client::login(&ground.target);
    reader.select(&["INBOX"]);
    reader.store("1:2", "+FLAGS", "\\Seen");
    reader.store("3", "-FLAGS", "\\Flagged");
    client.store("1", "-FLAGS", "\\Flagged");
    client.store("2", "+FLAGS", "\\Answered");
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 0), ("flags_updated", 2)]);
    let there = snapshot(&ground.target);
    let flags =
        |message: &StoredMessage| message.flags.iter().cloned().collect::<Vec<_>>().join(" ");
    let flags: Vec<String> = there.folder(&["INBOX"]).iter().map(flags).collect();
    assert_eq!(flags, ["\\Seen", "\\Answered \\Flagged \\Seen", ""]);
    ground.copy(&[]).ended(0).counts(&[("flags_updated", 0)]);
}

#[test]
fn what_the_target_lost_comes_again() {
    let ground = Pair::new("lost", Personality::Plain);
    Client::login(&ground.source).fill(&generator::mailbox(31, 120));
    ground.copy(&[]).ended(0);
    let mut client = Client::login(&ground.target);
    client.select(&["INBOX"]);
    client.expunge("3:6");
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 4), ("already_there", 116)]);
    ground.assert_equal();
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 120)]);
}

/// What a rule or a reader on the target moves stays there, whether a run has seen it arrive or
/// not, and is not sent again.
#[test]
fn what_was_moved_on_the_target_stays_there() {
    each([Personality::Plain, Personality::Poor], |kind| {
        for options in [&[][..], &["--move"]] {
            let ground = Pair::new("moved", kind);
            let target = ground.target.clone();
            Client::login(&target).create(&["Kept"]);
            Client::login(&ground.source).append(&["INBOX"], letters("mail", 5));
            let own = target.clone();
            let rule = Meanwhile::before("EXAMINE", move || {
                let mut reader = Client::login(&own);
                reader.select(&["INBOX"]);
                reader.command("UID MOVE 1:2 Kept");
            });
            let proxy = Proxy::start(target.port, Plan::default().meanwhile(rule.after("APPEND")));
            let by_proxy = target.by_port(proxy.port);
            let go = || {
                copy(
                    &ground.source,
                    &by_proxy,
                    &[&ground.state_options()[..], options].concat(),
                )
            };
            let run = go().ended(0).counts(&[("copied", 5)]);
            assert!(run.says("moved or deleted"), "{run:?}");
            for more in [0, 1] {
                Client::login(&ground.source).append(&["INBOX"], letters("more", more));
                go().ended(0)
                    .counts(&[("copied", more as u64), ("copied_server_side", 0)]);
            }
            // A reader moves one more between two runs.
            let mut reader = Client::login(&target);
            reader.select(&["INBOX"]);
            reader.command("UID MOVE 3 Kept");
            go().ended(0).counts(&[("copied", 0)]);
            go().ended(0).counts(&[("copied", 0)]);
            let there = snapshot(&target);
            assert_eq!(
                [
                    there.folder(&["INBOX"]).len(),
                    there.folder(&["Kept"]).len()
                ],
                [3, 3],
                "{kind:?} {options:?}"
            );
            let here = snapshot(&ground.source).folder(&["INBOX"]).len();
            assert!(
                here == 6 || here == 2 && !options.is_empty(),
                "{kind:?} {options:?}: {here} left on the source"
            );
        }
    });
}

#[test]
fn a_lost_state_costs_time_and_nothing_else() {
    let mut ground = Pair::new("gone", Personality::Plain);
    Client::login(&ground.source).fill(&generator::mailbox(32, 120));
    ground.copy(&[]).ended(0);
    ground.state = tempfile::tempdir().unwrap();
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 120)]);
    ground
        .copy_without_state(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 120)]);
    ground.assert_equal();
}

#[test]
fn servers_that_tell_little_are_compared_as_safely() {
    for kind in [Personality::Poor, Personality::NoLiteral] {
        let ground = Pair::new("poor", kind);
        Client::login(&ground.source).fill(&generator::mailbox(33, 90));
        ground.copy(&[]).ended(0).counts(&[("copied", 90)]);
        Client::login(&ground.source)
            .append(&["INBOX"], (0..2).map(|n| letter(&format!("poor {n}"))));
        let mut client = Client::login(&ground.target);
        client.select(&["INBOX"]);
        client.expunge("2");
        ground.copy(&[]).ended(0).counts(&[("copied", 3)]);
        ground.copy(&[]).ended(0).counts(&[("copied", 0)]);
        ground.assert_equal();
    }
}

#[test]
fn a_folder_that_was_made_anew_is_compared_anew() {
    let ground = Pair::new("anew", Personality::Plain);
    let mut client = Client::login(&ground.source);
    client.create(&["box"]);
    client.append(&["box"], (0..4).map(|n| letter(&format!("old {n}"))));
    ground.copy(&[]).ended(0);
    client.command("DELETE box");
    client.create(&["box"]);
    client.append(&["box"], (0..4).map(|n| letter(&format!("new {n}"))));
    let run = ground.copy(&[]).ended(0).counts(&[("copied", 4)]);
    assert!(
        run.stderr.contains("UIDVALIDITY"),
        "it was not said: {}",
        run.stderr
    );
    let there: Vec<_> = snapshot(&ground.target).folder(&["box"]).to_vec();
    assert_eq!(there.len(), 8, "what the source no longer has stays");
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 4)]);
}

#[test]
fn two_runs_of_one_pair_never_work_at_once() {
    let ground = Pair::new("lock", Personality::Plain);
    Client::login(&ground.source).fill(&generator::mailbox(34, 60));
    let (source, target) = (ground.source.plain_address(), ground.target.plain_address());
    let slow = [
        "copy",
        &source,
        &target,
        "--state",
        ground.state_options()[1],
        "--output",
        "json",
        "-vv",
        "--limit-rate",
        "40k",
    ];
    let first = Running::interruptible(&slow);
    first.wait_for_line_with("message_copied");
    let second = ground.copy(&[]);
    assert_eq!(second.code, Some(7), "{}", second.stderr);
    assert!(
        second.stderr.contains("process"),
        "the holder is not named: {}",
        second.stderr
    );
    first.interrupt();
    first.end().ended(130);
    ground.copy(&[]).ended(0);
    ground.assert_equal();
}

#[test]
fn a_state_that_is_damaged_is_refused_and_left_alone() {
    let ground = Pair::new("damaged", Personality::Plain);
    Client::login(&ground.source).append(&["INBOX"], std::iter::once(letter("damaged")));
    ground.copy(&[]).ended(0);
    let is_state = |path: &Path| path.extension().is_some_and(|ending| ending == "db");
    let files = std::fs::read_dir(ground.state.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| is_state(path)).unwrap();
    std::fs::write(&file, b"no database at all").unwrap();
    let run = ground.copy(&[]).ended(1);
    assert!(
        run.stderr.contains(file.to_str().unwrap()) && run.stderr.contains("--no-state"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"no database at all");
}
