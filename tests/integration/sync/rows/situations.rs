//! Cases beyond edits on both sides: lost states, restored servers, the deletion limit, options,
//! rings, two runs at once.

use super::{Ground, assert_as_documented, assert_idle};
use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::each;
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{Running, run, sync};
use crate::lab::servers::{Account, Cyrus, Dovecot, Personality};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So many letters, none of which `letter` gives.
pub(crate) fn many(word: &str, count: usize) -> impl ExactSizeIterator<Item = NewMessage> {
    let word = word.to_owned();
    (0..count).map(move |n| {
        let text = format!(
            "Message-ID: <{word}{n}@rows>\r\nSubject: {word} {n}\r\n\r\n{}\r\n",
            "body ".repeat(n % 50)
        );
        NewMessage {
            date: Some(format!("{:02}-Feb-2024 03:04:05 +0130", 1 + n % 28)),
            ..NewMessage::of(text)
        }
    })
}

fn ground(name: &str) -> Ground {
    Ground::new(name, Personality::Plain, false)
}

/// Two real servers, and one with a bare server on either side.
pub(crate) fn grounds(name: &str, turned: bool) -> [Ground; 3] {
    let bare = |is_here| Ground::with_bare(name, is_here, turned);
    [
        Ground::new(name, Personality::Plain, turned),
        bare(true),
        bare(false),
    ]
}

/// Row 20, and the swapped pair: the state is the same whichever side is named first.
#[test]
fn the_first_run_joins_and_so_does_one_after_the_state_was_lost() {
    let both = [false, true].map(|turned| grounds("join", turned).map(|ground| (turned, ground)));
    each(both.into_iter().flatten(), |(turned, mut ground)| {
        let mut here = ground.client(0);
        here.append(&["INBOX"], many("both", 30));
        here.append(&["INBOX"], many("here", 10));
        let mut there = ground.client(1);
        there.append(&["INBOX"], many("both", 30));
        there.create(&["Only"]);
        there.append(&["Only"], many("there", 5));
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 15), ("deleted", 0), ("folders_created", 1)]);
        ground.assert_at_rest("first run");
        // A deletion that happened meanwhile can't be told from a new message.
        here.select(&["INBOX"]);
        here.expunge("1:3");
        here.try_command("UNSELECT");
        let lost = tempfile::tempdir().unwrap();
        let state = std::mem::replace(&mut ground.state, lost);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 3), ("deleted", 0)]);
        ground.assert_at_rest("state lost");
        // The old state again: what it knows still holds, and nothing is deleted for what came back
        // with other UIDs.
        ground.state = state;
        ground
            .run(&[])
            .ended(0)
            .counts(&[("deleted", 0), ("copied", 0)]);
        ground.turned = !turned;
        ground.assert_at_rest("turned");
        here.select(&["INBOX"]);
        here.expunge("5");
        ground
            .run(&[])
            .ended(0)
            .counts(&[("deleted", 1), ("copied", 0)]);
        ground.assert_at_rest("turned, deletion");
    });
}

/// Row 19: what a restored server has lost is put back, and nothing is deleted for it.
#[test]
fn a_server_that_was_restored_gets_back_what_it_lost() {
    for side in [0, 1] {
        let ground = ground("restored");
        let mut client = ground.client(side);
        client.append(&["INBOX"], many("old", 20));
        ground.run(&[]).ended(0);
        let backup = tempfile::tempdir().unwrap();
        ground.sides[side].copy_home(backup.path());
        client.append(&["INBOX"], many("new", 30));
        ground.run(&[]).ended(0).counts(&[("copied", 30)]);
        drop(client);
        ground.sides[side].restore_home(backup.path());
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 30), ("deleted", 0)]);
        ground.assert_at_rest("restored");
        assert_eq!(ground.snapshots()[side].count(), 50);
        // So it is where new mail has taken the UIDs that were lost.
        ground.sides[side].restore_home(backup.path());
        ground.client(side).append(&["INBOX"], many("other", 40));
        ground.run(&[]).ended(0).counts(&[("deleted", 0)]);
        ground.assert_at_rest("restored, with new mail");
        assert_eq!(ground.snapshots()[side].count(), 90);
    }
}

/// Row 16.
#[test]
fn new_uids_are_no_new_mail() {
    let both = [0, 1].map(|side| grounds("newuids", false).map(|ground| (side, ground)));
    each(both.into_iter().flatten(), |(side, ground)| {
        let mut client = ground.client(side);
        client.create(&["Work"]);
        client.append(&["Work"], many("mail", 25));
        ground.run(&[]).ended(0);
        client.command("DELETE Work");
        client.create(&["Work"]);
        client.append(&["Work"], many("mail", 25));
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
        ground.assert_at_rest("new UIDs");
    });
}

/// Rows 17 and 18: too much is not deleted, on no side, before the user says so.
#[test]
fn the_brake_stops_deletions_and_nothing_else() {
    let both = [0, 1].map(|side| grounds("brake", false).map(|ground| (side, ground)));
    each(both.into_iter().flatten(), |(side, ground)| {
        let mut client = ground.client(side);
        client.append(&["INBOX"], many("mail", 60));
        ground.run(&[]).ended(0);
        client.select(&["INBOX"]);
        client.expunge("1:30");
        client.try_command("UNSELECT");
        client.append(&["INBOX"], many("new", 2));
        let run = ground
            .run(&[])
            .ended(9)
            .counts(&[("copied", 2), ("deleted", 0)]);
        assert!(run.says("--max-delete 30"), "{run:?}");
        assert_eq!(ground.snapshots()[1 - side].count(), 62);
        ground
            .run(&["--max-delete", "30"])
            .ended(0)
            .counts(&[("deleted", 30)]);
        ground.assert_at_rest("after the brake");
        // A folder that shows nothing any more may be one that the server has lost.
        client.select(&["INBOX"]);
        client.expunge("1:*");
        ground
            .run(&["--max-delete", "1000"])
            .ended(3)
            .counts(&[("deleted", 0), ("copied", 0)]);
        assert_eq!(ground.snapshots()[1 - side].count(), 32);
        ground
            .run(&["--max-delete", "100%"])
            .ended(0)
            .counts(&[("deleted", 32)]);
        ground.assert_at_rest("emptied");
    });
}

/// A dry run says what would be done and why, and does nothing.
#[test]
fn a_dry_run_tells_each_change_and_writes_nothing() {
    let ground = ground("dry");
    let mut here = ground.client(0);
    here.append(&["INBOX"], many("mail", 8));
    let run = ground
        .run(&["--dry-run", "--exit-code"])
        .ended(4)
        .counts(&[("copied", 8), ("to_second.copied", 8)]);
    assert_eq!(run.named("change").len(), 8);
    assert_eq!(
        std::fs::read_dir(ground.state.path()).unwrap().count(),
        0,
        "a dry run left something"
    );
    ground.run(&[]).ended(0);
    here.create(&["Work"]);
    here.select(&["INBOX"]);
    here.store("1", "+FLAGS", "\\Flagged");
    here.command("UID MOVE 2 Work");
    here.expunge("3");
    let before = ground.snapshots();
    let run = ground.run(&["--dry-run"]).ended(0);
    let actions = run.texts("change", "action");
    assert_eq!(
        actions,
        ["create_folder", "delete", "flags", "move"],
        "{}",
        run.stdout
    );
    assert!(
        run.texts("change", "to").iter().all(|to| to == "second"),
        "{}",
        run.stdout
    );
    assert!(run.says("Deleted on one side."), "{}", run.stdout);
    assert_eq!(ground.snapshots(), before);
    let told = |uid: &str| {
        ground
            .run(&["--dry-run", "--explain", &format!("INBOX/{uid}")])
            .ended(0)
            .texts("explained", "text")
    };
    assert!(
        told("1")
            .iter()
            .any(|line| line.contains("(row 1)") && line.contains("\\Flagged")),
        "{:?}",
        told("1")
    );
    assert!(
        told("2")
            .iter()
            .any(|line| line.contains("moved on the second (row 8)")),
        "{:?}",
        told("2")
    );
    assert!(
        told("3")
            .iter()
            .any(|line| line.contains("deleted on the second")),
        "{:?}",
        told("3")
    );
    assert!(
        told("4").iter().any(|line| line.contains("nothing to do")),
        "{:?}",
        told("4")
    );
    assert!(
        told("99")[0].contains("no message with UID 99 on either side"),
        "{:?}",
        told("99")
    );
    let dry: Vec<u64> = [
        "copied",
        "moved",
        "flags_updated",
        "deleted",
        "folders_created",
    ]
    .map(|at| run.count(at))
    .into();
    let run = ground.run(&[]).ended(0);
    let done: Vec<u64> = [
        "copied",
        "moved",
        "flags_updated",
        "deleted",
        "folders_created",
    ]
    .map(|at| run.count(at))
    .into();
    assert_eq!(dry, done, "{}", run.stdout);
}

/// What sync deletes is kept, and goes back with its flags and its date; the next run brings it to
/// both sides.
#[test]
fn what_was_deleted_can_be_put_back() {
    each(grounds("undo", false), |ground| {
        what_was_deleted_is_put_back(&ground);
    });
}

fn what_was_deleted_is_put_back(ground: &Ground) {
    let mut here = ground.client(0);
    here.append(&["INBOX"], many("mail", 9));
    here.create(&["Work"]);
    here.append(&["Work"], many("work", 3));
    here.select(&["INBOX"]);
    here.store("2", "+FLAGS", "\\Flagged work");
    here.try_command("UNSELECT");
    ground.run(&[]).ended(0);
    let before = ground.snapshots()[1].content();
    here.select(&["INBOX"]);
    here.expunge("1:3");
    here.try_command("UNSELECT");
    here.command("DELETE Work");
    ground
        .run(&[])
        .ended(0)
        .counts(&[("deleted", 6), ("folders_deleted", 1)]);
    let undo = |words: &[&str]| {
        let addresses = ground.sides.each_ref().map(Account::plain_address);
        let state = [
            "--state",
            ground.state.path().to_str().unwrap(),
            "--output",
            "json",
        ];
        let run = run(&[&["undo"], words, &[&addresses[0], &addresses[1]], &state].concat());
        assert_as_documented(&run);
        run
    };
    let listed = undo(&["--list"]).ended(0);
    let run = listed.named("undo_run");
    assert_eq!(
        (run.len(), &run[0]["messages"]),
        (1, &6.into()),
        "{}",
        listed.stdout
    );
    let name = run[0]["run"].as_str().unwrap().to_owned();
    undo(&[&name])
        .ended(0)
        .counts(&[("restored", 6), ("already_there", 0)]);
    assert_eq!(ground.snapshots()[1].content(), before);
    undo(&[&name])
        .ended(0)
        .counts(&[("restored", 0), ("already_there", 6)]);
    ground
        .run(&[])
        .ended(0)
        .counts(&[("copied", 6), ("deleted", 0)]);
    ground.assert_at_rest("undone");
    assert_eq!(ground.snapshots()[0].content(), before);
    undo(&["nonsense"]).ended(2);
}

/// The undo store has a size: the oldest runs make way, and what does not fit even then is not
/// deleted.
#[test]
fn what_the_undo_store_has_no_room_for_is_not_deleted() {
    for side in [0, 1] {
        let ground = ground("room");
        let mut client = ground.client(side);
        let text = |n: usize| {
            format!(
                "Message-ID: <{n}@room>\r\nSubject: {n}\r\n\r\n{}",
                "0123456789abcde\r\n".repeat(600)
            )
        };
        client.append(&["INBOX"], (0..9).map(|n| NewMessage::of(text(n))));
        ground.run(&[]).ended(0);
        let mut expunge = |uids: &str| {
            client.select(&["INBOX"]);
            client.expunge(uids);
            client.try_command("UNSELECT");
        };
        let addresses = ground.sides.each_ref().map(Account::plain_address);
        let kept = || {
            let state = [
                "--state",
                ground.state.path().to_str().unwrap(),
                "--output",
                "json",
            ];
            let listed = run(&[
                &["undo", "--list", &addresses[0], &addresses[1]],
                &state[..],
            ]
            .concat())
            .ended(0);
            let runs = listed.named("undo_run");
            let mut counts: Vec<u64> = runs
                .iter()
                .map(|run| run["messages"].as_u64().unwrap())
                .collect();
            counts.sort_unstable();
            counts
        };
        // Two messages of 10 KB fit.
        let tight = ["--keep-size", "25k"];
        for uid in ["1", "2"] {
            expunge(uid);
            let run = ground.run(&tight).ended(0).counts(&[("deleted", 1)]);
            assert!(!run.says("--keep-size"), "{run:?}");
        }
        assert_eq!(kept(), [1, 1]);
        expunge("3");
        let run = ground.run(&tight).ended(0).counts(&[("deleted", 1)]);
        assert!(
            run.says("(1 message deleted) can no longer be undone"),
            "{run:?}"
        );
        assert_eq!(kept(), [1, 1]);
        expunge("4:6");
        let run = ground
            .run(&tight)
            .ended(3)
            .counts(&[("deleted", 2), ("copied", 0)]);
        assert!(
            run.says("not deleted on the") && run.says(": 1 message: the undo store is full"),
            "{run:?}"
        );
        assert_eq!((kept(), ground.snapshots()[1 - side].count()), (vec![2], 4));
        // Nothing is copied back for it, and it goes when there is room.
        ground
            .run(&["--keep-size", "9k"])
            .ended(3)
            .counts(&[("deleted", 0), ("copied", 0)]);
        assert_eq!(kept(), [2]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("deleted", 1), ("copied", 0)]);
        assert_eq!(kept(), [1, 2]);
        ground.assert_at_rest("with room");
    }
}

/// One way only: what only the other side has, or has deleted, stays as it is.
#[test]
fn one_way_changes_nothing_on_the_other_side() {
    each(grounds("oneway", false), |ground| {
        one_way_changes_one_side(&ground);
    });
}

fn one_way_changes_one_side(ground: &Ground) {
    ground.client(0).append(&["INBOX"], many("mail", 10));
    ground.run(&[]).ended(0);
    let edit = |side: usize, word: &str, uid: &str| {
        let mut client = ground.client(side);
        client.append(&["INBOX"], many(word, 2));
        client.select(&["INBOX"]);
        client.expunge(uid);
    };
    edit(0, "here", "1");
    edit(1, "there", "2");
    let before = ground.snapshots();
    ground
        .run(&["--only", "first-to-second"])
        .ended(0)
        .counts(&[("to_second.copied", 2), ("to_second.deleted", 1)]);
    let after = ground.snapshots();
    assert_eq!(before[0].content(), after[0].content());
    assert_eq!(after[1].count(), before[1].count() + 1);
    ground.run(&[]).ended(0).counts(&[
        ("to_first.copied", 2),
        ("to_first.deleted", 1),
        ("to_second.copied", 0),
    ]);
    ground.assert_at_rest("both ways again");
}

/// Three mailboxes in a ring come to rest.
#[test]
fn a_ring_of_three_comes_to_rest() {
    let accounts = ["a", "b", "c"]
        .map(|name| Dovecot::shared().account(&format!("ring{name}"), Personality::Plain));
    let state = tempfile::tempdir().unwrap();
    let round = || -> u64 {
        let mut done = 0;
        for (first, second) in [(0, 1), (1, 2), (2, 0)] {
            let options = ["--state", state.path().to_str().unwrap()];
            let run = sync(&accounts[first], &accounts[second], &options).ended(0);
            done += [
                "copied",
                "moved",
                "flags_updated",
                "deleted",
                "folders_created",
                "folders_renamed",
                "folders_deleted",
            ]
            .map(|field| run.count(field))
            .iter()
            .sum::<u64>();
        }
        done
    };
    for (at, account) in accounts.iter().enumerate() {
        Client::login(account).append(&["INBOX"], many(&format!("ring{at}x"), 4));
    }
    let settle = |case: &str| {
        let rounds = (0..6).take_while(|_| round() > 0).count();
        assert!(rounds < 6, "{case}: the ring does not come to rest");
        let contents = accounts
            .each_ref()
            .map(|account| Client::login(account).snapshot().content());
        assert!(
            contents[0] == contents[1] && contents[1] == contents[2],
            "{case}"
        );
    };
    settle("first");
    let mut client = Client::login(&accounts[1]);
    client.create(&["Work"]);
    client.select(&["INBOX"]);
    client.store("1", "+FLAGS", "\\Flagged");
    client.command("UID MOVE 2 Work");
    client.expunge("3");
    let mut client = Client::login(&accounts[2]);
    client.select(&["INBOX"]);
    client.store("1:*", "+FLAGS", "\\Seen");
    settle("edited");
    assert_eq!(Client::login(&accounts[0]).snapshot().count(), 11);
}

/// Nothing has changed: no folder is opened, however many there are. Each side is a line of 40 ms
/// away.
#[test]
fn nothing_to_do_costs_a_few_round_trips() {
    each([20, 200], |folders| {
        let mut ground = ground(&format!("still{folders}n"));
        let mut client = ground.client(0);
        for folder in 0..folders {
            client.create(&[format!("folder {folder}")]);
        }
        for folder in 0..20 {
            client.append(&[format!("folder {folder}")], many("mail", 3));
        }
        let own = ground.sides.clone();
        let far = || Plan::round_trip(Duration::from_millis(40));
        ground.sides = own
            .each_ref()
            .map(|account| account.by_port(Proxy::start(account.port, far()).port));
        ground
            .run(&[])
            .ended(0)
            .counts(&[("folders_created", folders), ("copied", 60)]);
        ground.run(&[]).ended(0);
        let run = ground.run(&[]).ended(0);
        assert_idle(&run, "still");
        let trips = ["first.round_trips", "second.round_trips"].map(|field| run.count(field));
        assert!(
            trips.iter().all(|trips| *trips <= 6),
            "{trips:?} round trips for {folders} folders"
        );
        // Something in one folder: that one is looked into.
        client.append(&["folder 9"], many("more", 1));
        let run = ground.run(&[]).ended(0).counts(&[("copied", 1)]);
        assert!(run.count("first.received") < 60_000, "{}", run.stdout);
        let [here, there] = own.map(|account| Client::login(&account).snapshot().content());
        assert_eq!(here, there);
    });
}

/// A message that moves costs no upload, however large it is.
#[test]
fn a_move_sends_no_message() {
    let ground = ground("bytes");
    let mut client = ground.client(0);
    client.create(&["Archive"]);
    let large = format!(
        "Message-ID: <large@rows>\r\nSubject: large\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(100_000)
    );
    let large = NewMessage {
        date: Some("05-Feb-2024 03:04:05 +0130".to_owned()),
        ..NewMessage::of(large)
    };
    client.append(&["INBOX"], [large].into_iter());
    ground.run(&[]).ended(0);
    client.select(&["INBOX"]);
    client.command("UID MOVE 1 Archive");
    let run = ground.run(&[]).ended(0).counts(&[
        ("moved", 1),
        ("to_second.moved", 1),
        ("bytes_copied", 0),
    ]);
    assert!(
        run.count("second.sent") < 5_000 && run.count("first.received") < 20_000,
        "{}",
        run.stdout
    );
    ground.assert_at_rest("moved");
}

/// Row 39: one run at a time, whichever mailbox is named first, and a copy between the two waits as
/// well.
#[test]
fn two_runs_at_once_are_one_too_many() {
    let ground = ground("locked");
    ground.client(0).append(&["INBOX"], many("mail", 400));
    let addresses = ground.sides.each_ref().map(Account::plain_address);
    let state = ground.state.path().to_str().unwrap();
    let slow = ["--output", "json", "--state", state, "--limit-rate", "10k"];
    let running =
        Running::interruptible(&[&["sync", &addresses[0], &addresses[1]], &slow[..]].concat());
    running.wait_for_line_with("planned");
    for verb in ["sync", "copy"] {
        let run = run(&[
            verb,
            &addresses[1],
            &addresses[0],
            "--output",
            "json",
            "--state",
            state,
        ]);
        assert!(run.ended(7).says("is using these mailboxes"));
    }
    running.interrupt();
    running.end().ended(130);
    ground.run(&[]).ended(0);
    ground.assert_at_rest("after an interrupted run");
}

/// Row 32: what a side refuses for good is named by each run, and sent again only when somebody
/// says so.
#[test]
fn what_was_refused_for_good_is_not_sent_again_by_itself() {
    for turned in [false, true] {
        let ground = Ground::of_bare(turned);
        let [here, there] = &ground.bare[..] else {
            panic!("two servers")
        };
        for text in [
            "Subject: one\r\n\r\none\r\n",
            "Subject: nul\r\n\r\n\0\r\n",
            "Subject: two\r\n\r\ntwo\r\n",
        ] {
            here.put("INBOX", text.as_bytes());
        }
        let sent = || there.lines_of("APPEND").len();
        let told = |run: crate::lab::run::Run| {
            assert!(run.says("NUL"), "{run:?}");
            assert_eq!(run.named("message_failed").len(), 1, "{run:?}");
            run.counts(&[("failed", 1), ("deleted", 0)])
        };
        told(ground.run(&[])).ended(3).counts(&[("copied", 2)]);
        for _ in 0..3 {
            let before = sent();
            let run = told(ground.run(&[])).ended(3).counts(&[("copied", 0)]);
            assert!(
                run.says("refused it in an earlier run") && run.says("--retry-refused"),
                "{run:?}"
            );
            told(ground.run(&["--dry-run"]))
                .ended(3)
                .counts(&[("copied", 0)]);
            assert_eq!(sent(), before, "it was sent again");
        }
        let before = sent();
        told(ground.run(&["--retry-refused"]))
            .ended(3)
            .counts(&[("copied", 0)]);
        assert!(sent() > before, "it was not sent again");
        let before = sent();
        told(ground.run(&[])).ended(3);
        assert_eq!(sent(), before, "it was sent again");
        // With the message, all that was known of it goes.
        here.boxes().get_mut("INBOX").unwrap().messages.remove(1);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("deleted", 0), ("failed", 0)]);
        ground.assert_at_rest("without it");
    }
}

/// Row 32: a full account is no refusal of the messages, so they go when there is room.
#[test]
fn what_had_no_room_is_sent_when_there_is() {
    let account = |name: &str, kind| Dovecot::shared().account(name, kind);
    for turned in [false, true] {
        let sides = [
            account("roomy", Personality::Plain),
            account("tiny", Personality::Tiny),
        ];
        let ground = Ground::of(sides, turned);
        let mut here = ground.client(0);
        let text = |n: usize| {
            format!(
                "Message-ID: <{n}@full>\r\nSubject: {n}\r\n\r\n{}\r\n",
                "y".repeat(25_000)
            )
        };
        here.append(&["INBOX"], (0..6).map(|n| NewMessage::of(text(n))));
        let run = ground.run(&[]).ended(8);
        assert!(!run.says("--retry-refused"), "{run:?}");
        here.select(&["INBOX"]);
        here.expunge("1:4");
        ground.run(&["--max-delete", "100%"]).ended(0);
        assert_eq!(ground.snapshots()[1].count(), 2);
        ground.assert_at_rest("with room");
    }
}

/// No decision depends on clocks: not on this machine's, which was ahead for a run, nor on the
/// dates of mail.
#[test]
fn a_clock_that_jumped_changes_nothing() {
    let ground = ground("clock");
    let mut here = ground.client(0);
    let dated = |date: &str, n: usize| NewMessage {
        date: Some(date.to_owned()),
        ..many("dated", n + 1).last().unwrap()
    };
    let dates = [
        "02-Jan-1990 00:00:01 +0000",
        "31-Dec-2037 23:59:59 -1200",
        "29-Feb-2024 23:30:00 +1400",
    ];
    here.append(
        &["INBOX"],
        dates
            .iter()
            .enumerate()
            .map(|(n, date)| dated(date, n))
            .collect::<Vec<_>>()
            .into_iter(),
    );
    here.append(&["INBOX"], many("mail", 6));
    ground.run(&[]).ended(0).counts(&[("copied", 9)]);
    let undo = |words: &[&str]| {
        let addresses = ground.sides.each_ref().map(Account::plain_address);
        let state = [
            "--state",
            ground.state.path().to_str().unwrap(),
            "--output",
            "json",
        ];
        run(&[&["undo"], words, &[&addresses[0], &addresses[1]], &state].concat()).ended(0)
    };
    let mut expunge = |uids: &str| {
        here.select(&["INBOX"]);
        here.expunge(uids);
        here.command("UNSELECT");
    };
    expunge("4");
    ground.run(&[]).ended(0).counts(&[("deleted", 1)]);
    // As if all of that had been written in 2060, which the run's name says too.
    let ahead = UNIX_EPOCH + Duration::from_secs(2_840_140_800);
    let name = undo(&["--list"]).texts("undo_run", "run").remove(0);
    let store = find(ground.state.path(), &name);
    let future = store.with_file_name("20600101T000000Z-1");
    std::fs::rename(&store, &future).unwrap();
    set_times(ground.state.path(), ahead);
    ground.assert_at_rest("clock was ahead");
    expunge("5:6");
    ground
        .run(&[])
        .ended(0)
        .counts(&[("deleted", 2), ("copied", 0)]);
    ground.assert_at_rest("clock is back");
    assert_eq!(undo(&["--list"]).texts("undo_run", "run").len(), 2);
    undo(&["20600101T000000Z-1"]).counts(&[("restored", 1)]);
    ground
        .run(&[])
        .ended(0)
        .counts(&[("copied", 1), ("deleted", 0)]);
    // What is kept goes by its age, and by nothing else.
    set_times(
        &future,
        SystemTime::now() - Duration::from_secs(31 * 86_400),
    );
    ground.assert_at_rest("later");
    assert_eq!(undo(&["--list"]).texts("undo_run", "run").len(), 1);
}

/// The directory of this name below another one.
fn find(root: &Path, name: &str) -> PathBuf {
    let below = |path: &Path| {
        std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    let stores = below(&root.join("undo"));
    stores
        .iter()
        .map(|store| store.join(name))
        .find(|path| path.is_dir())
        .unwrap()
}

/// Gives everything there this time.
fn set_times(path: &Path, time: SystemTime) {
    if path.is_dir() {
        std::fs::read_dir(path)
            .unwrap()
            .for_each(|entry| set_times(&entry.unwrap().path(), time));
    }
    std::fs::File::open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

/// What options leave out is not taken for deleted, not even where a folder is renamed out of
/// sight.
#[test]
fn what_is_left_out_is_not_deleted() {
    each(grounds("leftout", false), |ground| {
        what_is_left_out_stays(&ground);
    });
}

fn what_is_left_out_stays(ground: &Ground) {
    let mut here = ground.client(0);
    for folder in ["Work", "Private"] {
        here.create(&[folder]);
        here.append(&[folder], many(folder, 4));
    }
    ground.run(&[]).ended(0).counts(&[("copied", 8)]);
    here.command("RENAME Work Hidden");
    here.select(&["Private"]);
    here.expunge("1");
    here.try_command("UNSELECT");
    ground
        .run(&["--exclude", "Hidden", "--exclude", "Private"])
        .ended(0)
        .counts(&[("deleted", 0), ("copied", 0)]);
    assert_eq!(ground.snapshots()[1].count(), 8);
    let counts = [("deleted", 1), ("copied", 0), ("folders_renamed", 1)];
    ground.run(&[]).ended(0).counts(&counts);
    ground.assert_at_rest("all again");
}

/// Cyrus tells its MAILBOXIDs when a folder is opened, and wrong ones in STATUS.
#[test]
fn a_rename_on_cyrus_crosses() {
    for turned in [false, true] {
        let cyrus = Cyrus::shared();
        let ground = Ground::of(
            [
                cyrus.account(),
                Dovecot::shared().account("oncyrus", Personality::Plain),
            ],
            turned,
        );
        let mut here = ground.client(0);
        for folder in [&["Work"][..], &["Work", "Deep"]] {
            here.create(folder);
            here.subscribe(folder);
            here.append(folder, many(&folder.concat(), 4));
        }
        ground.run(&[]).ended(0).counts(&[("copied", 8)]);
        let (from, to) = (here.name(&["Work"]), here.name(&["Office"]));
        here.command(&format!("RENAME {from} {to}"));
        // New mail would hide that a folder with the same UIDs is the same.
        here.append(&["Office"], many("more", 2));
        let counts = [
            ("folders_renamed", 1),
            ("copied", 2),
            ("moved", 0),
            ("deleted", 0),
        ];
        ground.run(&[]).ended(0).counts(&counts);
        assert_eq!(ground.snapshots()[1].folder(&["Office"]).len(), 6);
        ground.assert_at_rest("renamed on Cyrus");
    }
}

/// Folders that are called otherwise on the other side: by role, and by `--map`.
#[test]
fn names_may_differ_between_the_sides() {
    let ground = ground("names");
    let mut here = ground.client(0);
    let mut there = ground.client(1);
    here.create(&["Sent"]);
    here.append(&["Sent"], many("sent", 2));
    here.create(&["Old"]);
    here.append(&["Old"], many("old", 2));
    there.create(&["Sent Items"]);
    there.append(&["Sent Items"], many("items", 3));
    let map = ["--map", "Old=Archived/Old"];
    ground
        .run(&map)
        .ended(0)
        .counts(&[("copied", 7), ("folders_created", 1)]);
    assert_idle(&ground.run(&map).ended(0), "names");
    let [first, second] = ground.snapshots();
    assert_eq!(
        (
            first.folder(&["Sent"]).len(),
            second.folder(&["Sent Items"]).len()
        ),
        (5, 5)
    );
    assert_eq!(second.folder(&["Archived", "Old"]).len(), 2);
    // Without the option they are known all the same.
    assert_idle(&ground.run(&[]).ended(0), "names, without --map");
}
