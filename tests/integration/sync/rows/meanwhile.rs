//! Changes by others during a run, and refusals by a server.

use super::{Ground, assert_idle, bare_manner, edit};
use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::each;
use crate::lab::memory::Manner;
use crate::lab::proxy::{Answer, At, Direction, How, Meanwhile, Plan, Proxy};
use crate::lab::run::Run;
use crate::lab::servers::{Account, Personality};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn edits(account: &Account, edits: &[&str]) {
    let mut client = Client::login(account);
    edits.iter().for_each(|text| edit(&mut client, text));
}

/// A side that is reached through a proxy which keeps to its plan only while it is switched on. The
/// state knows a side by its port, so all runs go through it.
pub(crate) struct Proxied {
    proxy: Proxy,
    is_on: Arc<AtomicBool>,
}

impl Proxied {
    pub(crate) fn new(ground: &mut Ground, side: usize, plan: Plan) -> Self {
        let is_on = Arc::default();
        let proxy = Proxy::start(ground.sides[side].port, plan.only_while(&is_on));
        ground.sides[side] = ground.sides[side].by_port(proxy.port);
        Self { proxy, is_on }
    }

    /// A run that meets it, and this command among what it sends there.
    pub(crate) fn run(&self, ground: &Ground, command: &str) -> Run {
        let before = self.proxy.traffic().len();
        self.is_on.store(true, Ordering::Relaxed);
        let run = ground.run(&[]);
        self.is_on.store(false, Ordering::Relaxed);
        let commands: Vec<String> = self
            .proxy
            .traffic()
            .drain(before..)
            .flat_map(|traffic| traffic.commands)
            .collect();
        assert!(
            commands.iter().any(|line| line.contains(command)),
            "there was no {command}: {commands:#?}"
        );
        run
    }
}

/// What somebody does there when the first such command of a run is on its way.
pub(crate) fn done_there_before(
    ground: &mut Ground,
    command: &str,
    done: &'static [&'static str],
) -> Proxied {
    let own = ground.sides[1].clone();
    Proxied::new(
        ground,
        1,
        Plan::default().meanwhile(Meanwhile::before(command, move || edits(&own, done))),
    )
}

/// Two real servers, and a real one with a bare one there, each both ways round.
pub(crate) fn grounds(name: &str) -> Vec<Ground> {
    let of = |turned| {
        [
            Ground::new(name, Personality::Plain, turned),
            Ground::with_bare(name, false, turned),
        ]
    };
    [false, true].into_iter().flat_map(of).collect()
}

/// A folder is to be made, and somebody else has made one of its name since both sides were read:
/// with mail in it, it is left to the next run, which joins the two and doubles nothing.
#[test]
fn a_folder_that_somebody_makes_meanwhile_is_looked_into_by_the_next_run() {
    let made: [&[&str]; 2] = [&["create Work", "add Work bd"], &["rename Other Work"]];
    for done in made {
        each(grounds("made"), |mut ground| {
            let proxied = done_there_before(&mut ground, r#"CREATE "Work""#, done);
            edits(
                &ground.sides[0],
                &["add INBOX a", "create Other", "add Other b"],
            );
            ground.run(&[]).ended(0);
            edits(
                &ground.sides[0],
                &["create Work", "add Work bc", "add INBOX e"],
            );
            let run = proxied.run(&ground, "CREATE").ended(3);
            assert!(run.says("and has mail in it"), "{run:?}");
            run.counts(&[
                ("to_second.copied", if ground.turned { 0 } else { 1 }),
                ("copied", 1),
                ("deleted", 0),
            ]);
            // The message of Other is in Work now, and leaves Other here.
            let is_renamed = done.len() == 1;
            ground
                .run(&[])
                .ended(0)
                .counts(&[("deleted", u64::from(is_renamed))]);
            ground.assert_at_rest("made meanwhile");
            let expected: &[&str] = if is_renamed {
                &["b", "c"]
            } else {
                &["b", "c", "d"]
            };
            assert_eq!(ground.shown(0)["Work"], expected, "{done:?}");
        });
    }
}

/// Two equal messages are moved into a folder that can't be filled there. Which of them went where
/// can't be told, so they are copied and deleted, not moved: they stay where they were until the
/// copies have arrived.
#[test]
fn what_moved_into_a_folder_that_somebody_makes_meanwhile_stays_where_it_was() {
    each(grounds("nowhere"), |mut ground| {
        let made = &["create Work", "add Work z"];
        let proxied = done_there_before(&mut ground, r#"CREATE "Work""#, made);
        edits(&ground.sides[0], &["add INBOX aabc"]);
        ground.run(&[]).ended(0);
        edits(&ground.sides[0], &["create Work", "move INBOX a Work"]);
        let run = proxied.run(&ground, "CREATE").ended(3);
        assert!(run.says("and has mail in it"), "{run:?}");
        assert_eq!(ground.shown(1)["INBOX"], ["a", "a", "b", "c"], "{run:?}");
        ground.run(&[]).ended(0);
        ground.assert_at_rest("nowhere");
        assert_eq!(ground.shown(1)["Work"], ["a", "a", "z"]);
    });
}

/// One that is still empty is as good as one of the run's own.
#[test]
fn an_empty_folder_that_somebody_makes_meanwhile_is_filled() {
    each(grounds("empty"), |mut ground| {
        let proxied = done_there_before(&mut ground, r#"CREATE "Work""#, &["create Work"]);
        edits(
            &ground.sides[0],
            &["add INBOX a", "create Work", "add Work bc"],
        );
        proxied
            .run(&ground, "CREATE")
            .ended(0)
            .counts(&[("copied", 3)]);
        ground.assert_at_rest("empty meanwhile");
        assert_eq!(ground.shown(1)["Work"], ["b", "c"]);
    });
}

/// A run that is cut off as it deletes a folder leaves no subscription to it.
#[test]
fn a_deleted_folder_leaves_no_subscription_whenever_the_run_ends() {
    let at = At::After("DELETE \"Work\"\r\n".to_owned());
    let plan = Plan::default().cut(Direction::Up, at, How::Fin);
    for turned in [false, true] {
        let mut ground = Ground::new("deleted", Personality::Plain, turned);
        let proxied = Proxied::new(&mut ground, 1, plan.clone());
        edits(
            &ground.sides[0],
            &["add INBOX a", "create Work", "subscribe Work"],
        );
        ground.run(&[]).ended(0);
        let subscribed = |ground: &Ground| ground.snapshots().map(|side| side.subscribed.len());
        assert_eq!(subscribed(&ground), [1, 1]);
        edits(&ground.sides[0], &["drop Work"]);
        Client::login(&ground.sides[0]).command("UNSUBSCRIBE Work");
        // A server that has answered before the cut lets the run end well.
        let run = proxied.run(&ground, "DELETE");
        let is_cut = proxied.proxy.traffic().iter().any(|traffic| traffic.cut);
        assert!(is_cut, "{run:?}");
        ground.run(&[]).ended(0);
        assert_eq!(subscribed(&ground), [0, 0], "turned {turned}");
        ground.assert_at_rest("deleted");
    }
}

/// A folder is to be deleted, and gets mail since both sides were read: it stays, and comes back
/// with that mail alone.
#[test]
fn a_folder_that_gets_mail_meanwhile_is_not_deleted() {
    each(grounds("mail"), |mut ground| {
        let proxied = done_there_before(&mut ground, "UID STORE", &["add Work d"]);
        edits(
            &ground.sides[0],
            &["add INBOX a", "create Work", "add Work bc"],
        );
        ground.run(&[]).ended(0);
        edits(&ground.sides[0], &["drop Work"]);
        let run = proxied.run(&ground, "UID STORE").ended(0);
        run.counts(&[("deleted", 2), ("folders_deleted", 0)]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 1), ("deleted", 0)]);
        ground.assert_at_rest("mail meanwhile");
        assert_eq!(ground.shown(0)["Work"], ["d"]);
    });
}

/// Row 27: a message is to cross, and is expunged where it comes from; another one comes there. The
/// first is gone for both, the other crosses with the next run.
#[test]
fn a_message_that_goes_meanwhile_is_no_failure() {
    each(grounds("goes"), |mut ground| {
        let proxied = done_there_before(
            &mut ground,
            "UID FETCH 2",
            &["expunge INBOX c", "add INBOX d"],
        );
        edits(&ground.sides[0], &["add INBOX a"]);
        ground.run(&[]).ended(0);
        edits(&ground.sides[1], &["add INBOX bc"]);
        let run = proxied.run(&ground, "UID FETCH 2");
        assert!([Some(0), Some(3)].contains(&run.code), "{run:?}");
        ground.run(&[]).ended(0).counts(&[("deleted", 0)]);
        ground.assert_at_rest("gone meanwhile");
        assert_eq!(ground.shown(0)["INBOX"], ["a", "b", "d"]);
    });
}

/// What a rule does to a message between its delivery and the proof is a change like any other: the
/// next run carries it over, and nothing is sent again.
#[test]
fn what_a_rule_does_to_a_delivered_message_crosses_and_nothing_is_sent_again() {
    let rules: [(&[&str], [&[&str]; 2]); 2] = [
        (&["move INBOX bc F1"], [&["a", "d"], &["b", "c"]]),
        (&["expunge INBOX bc"], [&["a", "d"], &[]]),
    ];
    let kinds = [Some(Personality::Plain), Some(Personality::Poor), None];
    each(
        kinds
            .into_iter()
            .flat_map(|kind| [(kind, false), (kind, true)]),
        |(kind, turned)| {
            for (done, [inbox, moved]) in rules {
                let mut ground = match kind {
                    Some(kind) => Ground::new("rule", kind, turned),
                    None => Ground::with_bare("rule", false, turned),
                };
                let own = ground.sides[1].clone();
                let rule = Meanwhile::before("EXAMINE", move || edits(&own, done)).after("APPEND");
                let proxied = Proxied::new(&mut ground, 1, Plan::default().meanwhile(rule));
                edits(&ground.sides[0], &["add INBOX a", "create F1"]);
                ground.run(&[]).ended(0);
                edits(&ground.sides[0], &["add INBOX bcd"]);
                let run = proxied
                    .run(&ground, "EXAMINE")
                    .ended(0)
                    .counts(&[("copied", 3)]);
                assert!(run.says("moved or deleted"), "{kind:?}: {run:?}");
                let moves = if moved.is_empty() { [0, 2] } else { [2, 0] };
                ground.run(&[]).ended(0).counts(&[
                    ("copied", 0),
                    ("moved", moves[0]),
                    ("deleted", moves[1]),
                ]);
                ground.assert_at_rest("a rule");
                let shown = ground.shown(0);
                assert_eq!(
                    [&shown["INBOX"][..], &shown["F1"][..]],
                    [inbox, moved],
                    "{kind:?}"
                );
            }
        },
    );
}

/// What a side told to have put a message under is not believed if another message has that UID by
/// the time of the proof.
#[test]
fn messages_whose_uids_are_exchanged_before_the_proof_are_not_taken_for_each_other() {
    let root = tempfile::tempdir().unwrap();
    let (tree, state) = (root.path().join("tree"), root.path().join("state"));
    let account = crate::lab::mailboxes::empty("exchanged", Personality::Plain);
    let files = |sub: &str| -> Vec<_> {
        let mut files: Vec<_> = std::fs::read_dir(tree.join(sub))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    };
    let is_on: Arc<AtomicBool> = Arc::default();
    let exchange = {
        let cur = tree.join("cur");
        move || {
            let mut files: Vec<_> = std::fs::read_dir(&cur)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            files.sort();
            let [.., one, other] = files.as_slice() else {
                panic!("{files:?}")
            };
            let aside = cur.join("../tmp/aside");
            for (from, to) in [(one, &aside), (other, one), (&aside, other)] {
                std::fs::rename(from, to).unwrap();
            }
        }
    };
    // The server proves first what came to it.
    let meanwhile = Meanwhile::before("EXAMINE", exchange).after("APPEND");
    let proxy = Proxy::start(
        account.port,
        Plan::default().meanwhile(meanwhile).only_while(&is_on),
    );
    let address = format!("maildir:{}", tree.display());
    let go = || {
        super::sync(
            &account.by_port(proxy.port),
            &address,
            &["--state", state.to_str().unwrap()],
        )
        .ended(0)
    };
    go();
    std::fs::write(
        tree.join("new/1700000000.M1.other"),
        super::letter('c').bytes,
    )
    .unwrap();
    edits(&account, &["add INBOX ab"]);
    is_on.store(true, Ordering::Relaxed);
    go().counts(&[("to_first.copied", 1), ("to_second.copied", 2)]);
    is_on.store(false, Ordering::Relaxed);
    go().counts(&[("copied", 0), ("deleted", 0)]);
    let is_a = |path: &std::path::PathBuf| {
        std::fs::read(path)
            .unwrap()
            .windows(8)
            .any(|text| text == b"<a@rows>")
    };
    std::fs::remove_file(files("cur").into_iter().find(is_a).unwrap()).unwrap();
    go().counts(&[("copied", 0), ("deleted", 1)]);
    let mut client = Client::login(&account);
    let here = client.snapshot();
    let is_there = |name: char| {
        here.folder(&["INBOX"])
            .iter()
            .any(|found| found.sha256 == super::sha(&super::letter(name).bytes))
    };
    assert_eq!(
        ['a', 'b', 'c'].map(is_there),
        [false, true, true],
        "{here:?}"
    );
}

/// A deletion that was decided is not carried out on a UID that stands for another message by then.
#[test]
fn a_uid_that_stands_for_another_message_by_now_is_not_deleted() {
    let root = tempfile::tempdir().unwrap();
    let (tree, state) = (root.path().join("tree"), root.path().join("state"));
    let account = crate::lab::mailboxes::empty("others", Personality::Plain);
    edits(&account, &["add INBOX ab"]);
    let exchange = {
        let tree = tree.clone();
        move || {
            let mut files: Vec<_> = ["cur", "new"]
                .iter()
                .flat_map(|sub| std::fs::read_dir(tree.join(sub)).unwrap())
                .map(|entry| entry.unwrap().path())
                .collect();
            files.sort();
            assert_eq!(files.len(), 2);
            let aside = tree.join("tmp/aside");
            for (from, to) in [
                (&files[0], &aside),
                (&files[1], &files[0]),
                (&aside, &files[1]),
            ] {
                std::fs::rename(from, to).unwrap();
            }
        }
    };
    let is_on: Arc<AtomicBool> = Arc::default();
    let meanwhile = Meanwhile::before("UID FETCH 3 ", exchange);
    let proxy = Proxy::start(
        account.port,
        Plan::default().meanwhile(meanwhile).only_while(&is_on),
    );
    let address = format!("maildir:{}", tree.display());
    let go = || {
        super::sync(
            &account.by_port(proxy.port),
            &address,
            &["--state", state.to_str().unwrap()],
        )
        .ended(0)
    };
    go();
    edits(&account, &["expunge INBOX a", "add INBOX c"]);
    is_on.store(true, Ordering::Relaxed);
    let run = go().counts(&[("deleted", 0)]);
    assert!(
        run.says("those UIDs now belong to other messages"),
        "{run:?}"
    );
    is_on.store(false, Ordering::Relaxed);
    go();
    let here = Client::login(&account).snapshot();
    let is_there = |name: char| {
        here.folder(&["INBOX"])
            .iter()
            .any(|found| found.sha256 == super::sha(&super::letter(name).bytes))
    };
    assert!(is_there('b') && is_there('c'), "{here:?}");
}

/// Row 34: a side does not let a message go that was deleted on the other. It waits there, and is
/// not copied back.
#[test]
fn a_deletion_that_is_refused_waits() {
    let refused = (1..=3).map(|nth| Answer::instead("UID STORE", nth, "NO [NOPERM] you may not"));
    let plan = refused.fold(Plan::default(), Plan::answer);
    each(grounds("refused"), |mut ground| {
        let proxied = Proxied::new(&mut ground, 1, plan.clone());
        edits(&ground.sides[0], &["add INBOX abc"]);
        ground.run(&[]).ended(0);
        edits(&ground.sides[0], &["expunge INBOX a"]);
        for _ in 0..2 {
            let run = proxied
                .run(&ground, "UID STORE")
                .ended(3)
                .counts(&[("copied", 0), ("deleted", 0)]);
            assert!(run.says("you may not"), "{run:?}");
            assert_eq!(
                [ground.shown(0), ground.shown(1)].map(|shown| shown["INBOX"].len()),
                [2, 3]
            );
        }
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 1)]);
        ground.assert_at_rest("permitted");
    });
}

/// Row 4: a server that keeps no keywords. They stay where they are, and that they are missing on
/// the other side is no change: neither of that side's flags nor of keywords that are taken away
/// later.
#[test]
fn keywords_that_a_side_does_not_keep_stay_on_the_other() {
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    each(ways, |(is_here, turned)| {
        let ground = Ground::with(
            "keywords",
            Manner {
                keywords: false,
                ..bare_manner()
            },
            is_here,
            turned,
        );
        let rich = usize::from(is_here);
        let both = |expected: [&[&str]; 2], case: &str| {
            let shown = [rich, 1 - rich].map(|side| ground.shown(side).remove("INBOX").unwrap());
            assert_eq!(
                shown,
                expected.map(|side| side
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect::<Vec<_>>()),
                "{case}"
            );
        };
        edits(
            &ground.sides[rich],
            &["add INBOX ab", "flag INBOX a work", "flag INBOX a \\Seen"],
        );
        ground.run(&[]).ended(0);
        both([&["aSk", "b"], &["aS", "b"]], "first run");
        assert_idle(&ground.run(&[]).ended(0), "first run");
        edits(&ground.sides[1 - rich], &["flag INBOX a \\Flagged"]);
        edits(&ground.sides[rich], &["flag INBOX b work"]);
        ground.run(&[]).ended(0);
        both([&["aSFk", "bk"], &["aSF", "b"]], "flags on the other side");
        assert_idle(&ground.run(&[]).ended(0), "flags on the other side");
        edits(&ground.sides[rich], &["unflag INBOX a work"]);
        edits(&ground.sides[1 - rich], &["unflag INBOX a \\Seen"]);
        ground.run(&[]).ended(0);
        both([&["aF", "bk"], &["aF", "b"]], "taken away");
        assert_idle(&ground.run(&[]).ended(0), "taken away");
    });
}

/// Row 21: the state is put back from before much was done on both sides, and they were in step
/// since. What was deleted does not come back, what is there stays, and what is deleted from then
/// on goes.
#[test]
fn a_state_from_an_old_backup_deletes_nothing_and_brings_nothing_back() {
    each(grounds("oldstate"), |mut ground| {
        edits(
            &ground.sides[0],
            &["add INBOX abcd", "create Work", "add Work ef"],
        );
        ground.run(&[]).ended(0);
        let old = tempfile::tempdir().unwrap();
        let copy_files = |from: &std::path::Path, to: &std::path::Path| {
            let status = std::process::Command::new("cp")
                .arg("-a")
                .arg(from.join("."))
                .arg(to)
                .status();
            assert!(status.unwrap().success());
        };
        copy_files(ground.state.path(), old.path());
        edits(
            &ground.sides[0],
            &[
                "expunge INBOX a",
                "add INBOX g",
                "move INBOX b Work",
                "flag INBOX c \\Flagged",
            ],
        );
        edits(
            &ground.sides[1],
            &["add Work h", "expunge Work e", "create New", "add New i"],
        );
        ground.run(&[]).ended(0);
        let before = ground.snapshots();
        ground.state = old;
        let run = ground.run(&[]).ended(0);
        assert_idle(&run, "old state");
        assert_eq!(ground.snapshots(), before);
        edits(&ground.sides[1], &["expunge INBOX d", "add INBOX j"]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("deleted", 1), ("copied", 1)]);
        ground.assert_at_rest("after the old state");
    });
}

/// Row 25: messages that nothing but their contents tells apart cross, are the same the next time,
/// and go.
#[test]
fn messages_without_a_message_id_are_known_again() {
    each(grounds("nameless"), |ground| {
        let texts = [
            "no header at all\r\n",
            "Subject: one\r\n\r\nbody\r\n",
            "Subject: one\r\n\r\nother\r\n",
            "\r\nonly a body\r\n",
        ];
        let mut here = Client::login(&ground.sides[0]);
        here.append(&["INBOX"], texts.map(NewMessage::of).into_iter());
        ground.run(&[]).ended(0).counts(&[("copied", 4)]);
        ground.assert_at_rest("nameless");
        here.select(&["INBOX"]);
        here.expunge("2");
        here.try_command("UNSELECT");
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 1)]);
        ground.assert_at_rest("one less");
        // The state is lost: they are told by their contents.
        let lost = Ground {
            state: tempfile::tempdir().unwrap(),
            ..ground
        };
        lost.run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0)]);
        lost.assert_at_rest("state lost");
    });
}

/// A message without a Message-ID that both sides have moved to different folders is in one in the
/// end. One that only looks like it is another message.
#[test]
fn messages_without_a_message_id_are_followed_by_their_contents() {
    let text = |body: &str| {
        let date = Some("03-Feb-2024 03:04:05 +0000".to_owned());
        NewMessage {
            date,
            ..NewMessage::of(format!(
                "Subject: one\r\nFrom: ann@example.org\r\n\r\n{body}\r\n"
            ))
        }
    };
    each(
        [(false, false), (false, true), (true, false), (true, true)],
        |(is_moved, turned)| {
            let ground = Ground::new("unnamed", Personality::Plain, turned);
            let [mut here, mut there] = [0, 1].map(|side| ground.client(side));
            ["F1", "F2"]
                .iter()
                .for_each(|folder| here.create(&[*folder]));
            here.append(&["INBOX"], [text("body")].into_iter());
            ground.run(&[]).ended(0);
            for (client, folder) in [(&mut here, "F1"), (&mut there, "F2")] {
                client.select(&["INBOX"]);
                if is_moved {
                    client.command(&format!("UID MOVE 1 {folder}"));
                } else if folder == "F1" {
                    client.expunge("1");
                    client.append(&["F1"], [text("ydob")].into_iter());
                }
                client.command("UNSELECT");
            }
            let run = ground.run(&[]).ended(0);
            ground.assert_at_rest("unnamed");
            let [snapshot, _] = ground.snapshots();
            let count = |folder: &str| snapshot.folder(&[folder]).len();
            let winner = usize::from(turned);
            let expected = if is_moved {
                [0, 1 - winner, winner]
            } else {
                [0, 1, 0]
            };
            assert_eq!(
                ["INBOX", "F1", "F2"].map(count),
                expected,
                "{is_moved} {turned} {run:?}"
            );
            let body = if is_moved { "body" } else { "ydob" };
            let found = snapshot.folders.values().flatten().next().unwrap().sha256;
            assert_eq!(found, super::sha(&text(body).bytes), "{is_moved} {turned}");
            run.counts(&[
                ("copied", u64::from(!is_moved)),
                ("moved", u64::from(is_moved)),
            ]);
        },
    );
}
