//! Servers that send what they should not, at any moment: no message is damaged, missing or
//! duplicated.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::client::Client;
use crate::lab::fake::{Fake, content, honest, is_for_bodies, literal};
use crate::lab::mailboxes::{assert_equal, at, by, each, empty, filled, message, messages};
use crate::lab::proxy::{Answer, Plan, Proxy};
use crate::lab::run::{End, Run, copy};
use crate::lab::scripted::{Command, Reply, Scripted, expect, send};
use crate::lab::servers::{Account, PASSWORD, Personality};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

fn bytes(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| message(number, &format!("body {number}")).bytes)
        .collect()
}

fn address(server: &Scripted) -> String {
    format!("imap://ann@127.0.0.1:{}?tls=none&timeout=20", server.port)
}

/// Copies from a twisted source to an honest target; gives what the target got.
fn from_twisted(
    source: Fake,
    options: &[&str],
    twist: impl FnMut(&Command, &mut Fake) -> Option<Reply> + Send + 'static,
) -> (Run, Vec<Vec<u8>>) {
    let (source, _) = source.serve(twist);
    let (target, got) = Fake::of([]).serve(honest);
    let run = copy(&address(&source), &address(&target), options);
    (run, content(&got))
}

fn sorted(mut all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    all.sort();
    all
}

/// A copy to which nothing at all happened, whatever was said.
#[track_caller]
fn assert_all(run: (Run, Vec<Vec<u8>>), expected: Vec<Vec<u8>>) {
    let (run, got) = run;
    let run = run.ended(0);
    assert_eq!(run.count("copied"), expected.len() as u64);
    assert!(
        got == sorted(expected),
        "other messages arrived than were there"
    );
}

#[test]
fn exists_that_is_wrong_once_is_asked_again() {
    let mut opened = 0;
    let run = from_twisted(Fake::of(bytes(9)), &[], move |command, folder| {
        opened += usize::from(command.name == "EXAMINE");
        (command.name == "EXAMINE" && opened == 1).then(|| folder.open(12))
    });
    assert_all(run, bytes(9));
}

#[test]
fn exists_that_is_wrong_for_ever_on_the_source_names_the_folder_and_copies_what_is_listed() {
    let (run, got) = from_twisted(Fake::of(bytes(9)), &[], |command, folder| {
        (command.name == "EXAMINE").then(|| folder.open(12))
    });
    let run = run.ended(3);
    assert_eq!(got, sorted(bytes(9)));
    let failed = run.named("folder_failed");
    assert_eq!(
        (failed.len(), failed[0]["folder"].as_str()),
        (1, Some("INBOX"))
    );
    assert!(
        failed[0]["reason"]
            .as_str()
            .unwrap()
            .contains("3 messages more"),
        "{failed:?}"
    );
}

#[test]
fn exists_that_is_wrong_on_the_target_is_asked_again_and_nothing_is_copied_there_blindly() {
    for for_ever in [false, true] {
        let (source, _) = Fake::of(bytes(9)).serve(honest);
        let mut opened = 0;
        let (target, got) = Fake::of(bytes(4)).serve(move |command, folder| {
            let opens = matches!(command.name.as_str(), "SELECT" | "EXAMINE");
            opened += usize::from(opens);
            (opens && (for_ever || opened == 1)).then(|| folder.open(6))
        });
        let run = copy(&address(&source), &address(&target), &[]);
        if for_ever {
            let run = run.ended(3);
            assert_eq!(run.named("folder_failed")[0]["folder"], "INBOX");
            assert_eq!(content(&got), sorted(bytes(4)));
        } else {
            assert_eq!(run.ended(0).count("copied"), 5);
            assert_eq!(content(&got), sorted(bytes(9)));
        }
    }
}

#[test]
fn a_folder_made_anew_between_scan_and_fetch_gives_no_wrong_message() {
    // More than one piece of work, so that a second request relies on the folder that the first one
    // opened.
    for count in [5, 4_500] {
        let mut opened = 0;
        let (run, got) = from_twisted(
            Fake::of(bytes(count)),
            &["-j", "1"],
            move |command, folder| {
                opened += usize::from(command.name == "EXAMINE");
                if command.name == "EXAMINE" && opened == 2 {
                    *folder = Fake {
                        uid_validity: 8,
                        ..Fake::of((0..count).map(|_| b"Subject: other\r\n\r\nx".to_vec()))
                    };
                }
                None
            },
        );
        let run = run.ended(3);
        assert_eq!(
            (run.count("copied"), run.count("failed")),
            (0, count as u64)
        );
        assert!(
            got.is_empty(),
            "{} messages of another generation",
            got.len()
        );
        assert!(
            run.says("UIDVALIDITY 7 became 8"),
            "{:?}",
            run.events().last()
        );
    }
}

#[test]
fn a_folder_made_anew_between_two_runs_doubles_nothing() {
    let source = filled("src", messages(1));
    let target = empty("dst", Personality::Plain);
    let mut client = Client::login(&source);
    client.create(&["x"]);
    client.append(&["x"], messages(20).into_iter());
    copy(&at(&source), &at(&target), &[]).ended(0);
    client.command("DELETE x");
    client.create(&["y"]);
    client.command("RENAME y x");
    client.append(&["x"], messages(21).into_iter().rev());
    assert_eq!(
        copy(&at(&source), &at(&target), &[])
            .ended(0)
            .count("copied"),
        1
    );
    assert_equal(&source, &target);
}

#[test]
fn a_message_deleted_between_scan_and_fetch_is_no_failure() {
    for says in [
        "OK done",
        "NO [EXPUNGEISSUED] Some messages are gone",
        "NO Some of the requested messages no longer exist",
    ] {
        let (run, got) = from_twisted(Fake::of(bytes(9)), &["-j", "1"], move |command, folder| {
            if command.name != "UID FETCH" || !is_for_bodies(&command.arguments) {
                return None;
            }
            folder.messages.retain(|(uid, _)| *uid != 4);
            let set = command.arguments.split(' ').next().unwrap();
            let reply = if folder.named(set).len() < 8 && set != "1:9" {
                Reply::ok()
            } else {
                Reply::status(says)
            };
            let named = folder.named(set);
            if named.is_empty() {
                return Some(Reply::status(says));
            }
            Some(
                named
                    .into_iter()
                    .fold(reply, |reply, (number, uid, bytes)| {
                        reply.raw(&literal(
                            &format!("* {number} FETCH (UID {uid} BODY[]"),
                            bytes,
                            ")",
                        ))
                    }),
            )
        });
        let run = run.ended(0);
        assert_eq!(
            (
                run.count("copied"),
                run.count("skipped"),
                run.count("failed")
            ),
            (8, 1, 0),
            "{says}"
        );
        assert_eq!(got.len(), 8);
    }
}

#[test]
fn a_message_deleted_on_a_real_server_between_scan_and_fetch_is_no_failure() {
    let source = filled("src", messages(20));
    let (target, got) = Fake::of([]).serve({
        let source = source.clone();
        let mut done = false;
        // The first message is taken only when another client has deleted one of the source's.
        move |command, _| {
            if command.name == "SELECT" && !std::mem::replace(&mut done, true) {
                let mut client = Client::login(&source);
                client.select(&["INBOX"]);
                client.expunge("20");
            }
            None
        }
    });
    let run = copy(&at(&source), &address(&target), &["-j", "1"]).ended(0);
    assert_eq!(run.count("failed"), 0);
    let got = content(&got).len();
    assert!(got == 19 || got == 20, "{got}");
}

/// Answers a fetch of bodies with a form of each.
fn bodies(
    form: impl Fn(usize, u32, &[u8]) -> Vec<u8> + Send + 'static,
) -> impl FnMut(&Command, &mut Fake) -> Option<Reply> + Send + 'static {
    move |command, folder| {
        if command.name != "UID FETCH" || !is_for_bodies(&command.arguments) {
            return None;
        }
        let set = command.arguments.split(' ').next().unwrap();
        let all = folder.named(set).into_iter();
        Some(all.fold(Reply::ok(), |reply, (number, uid, bytes)| {
            reply.raw(&form(number, uid, bytes))
        }))
    }
}

#[test]
fn bodies_in_odd_forms_arrive_once_and_whole() {
    let mut all = bytes(9);
    all.insert(
        4,
        message(
            500,
            &"a line of a body, as there are many\r\n".repeat(30_000),
        )
        .bytes,
    );
    let after = |number: usize, uid: u32, bytes: &[u8]| {
        literal(
            &format!("* {number} FETCH (BODY[]"),
            bytes,
            &format!(" UID {uid} FLAGS (\\Seen))"),
        )
    };
    let plain = |number: usize, uid: u32, bytes: &[u8]| {
        literal(&format!("* {number} FETCH (UID {uid} BODY[]"), bytes, ")")
    };
    assert_all(
        from_twisted(Fake::of(all.clone()), &[], bodies(after)),
        all.clone(),
    );
    let twice = move |number, uid, bytes: &[u8]| {
        [plain(number, uid, bytes), after(number, uid, bytes)].concat()
    };
    assert_all(
        from_twisted(Fake::of(all.clone()), &[], bodies(twice)),
        all.clone(),
    );
    let unasked = move |number, uid, bytes: &[u8]| {
        [
            plain(number + 100, uid + 100, b"Subject: unasked\r\n\r\n"),
            after(number + 200, uid + 200, bytes),
            plain(number, uid, bytes),
        ]
        .concat()
    };
    assert_all(
        from_twisted(Fake::of(all.clone()), &[], bodies(unasked)),
        all.clone(),
    );
    let no_uid = move |number, uid, bytes: &[u8]| {
        [
            literal(&format!("* {number} FETCH (BODY[]"), bytes, ")"),
            plain(number, uid, bytes),
        ]
        .concat()
    };
    assert_all(
        from_twisted(Fake::of(all.clone()), &[], bodies(no_uid)),
        all.clone(),
    );
    let noisy = move |number, uid, bytes: &[u8]| {
        [
            NOISE.as_bytes(),
            &plain(number, uid, bytes),
            NOISE.as_bytes(),
        ]
        .concat()
    };
    assert_all(from_twisted(Fake::of(all.clone()), &[], bodies(noisy)), all);
}

#[test]
fn a_body_that_is_nil_is_named_and_the_others_arrive() {
    let form = |number: usize, uid: u32, bytes: &[u8]| match uid {
        4 => b"* 4 FETCH (UID 4 BODY[] NIL)\r\n".to_vec(),
        _ => literal(&format!("* {number} FETCH (UID {uid} BODY[]"), bytes, ")"),
    };
    let (run, got) = from_twisted(Fake::of(bytes(9)), &[], bodies(form));
    let run = run.ended(3);
    assert_eq!((run.count("copied"), got.len()), (8, 8));
    let failed = run.named("message_failed");
    assert_eq!((failed.len(), failed[0]["uid"].as_u64()), (1, Some(4)));
    assert!(
        failed[0]["reason"]
            .as_str()
            .unwrap()
            .contains("does not send its content"),
        "{failed:?}"
    );
}

/// What a server may say at any moment.
const NOISE: &str = "* OK [ALERT] the disk is nearly full\r\n* FLAGS (\\Seen new)\r\n* 77 EXISTS\r\n* 3 RECENT\r\n\
    * 2 FETCH (FLAGS (\\Answered))\r\n* 3 FETCH (FLAGS (\\Deleted) UID 3)\r\n* NO just so\r\n* BAD nor that\r\n\
    * XYZZY (of \"no\" {3}\r\nuse)\r\n";

/// Says something before and after everything that an honest server says.
fn noisy(command: &Command, folder: &mut Fake) -> Option<Reply> {
    let opens = matches!(command.name.as_str(), "SELECT" | "EXAMINE");
    // What is said before a folder's own count is about the folder that was open before.
    let noise = if opens {
        "* OK [ALERT] x\r\n* 1 EXPUNGE\r\n"
    } else {
        NOISE
    };
    let quiet = matches!(command.name.as_str(), "LOGIN" | "CAPABILITY");
    (!quiet).then(|| {
        let inner = folder.answer(command);
        Reply::before(noise.as_bytes(), inner)
    })
}

#[test]
fn noise_at_any_place_changes_nothing() {
    let (source, _) = Fake::of(bytes(300)).serve(noisy);
    let (target, got) = Fake::of(bytes(100)).serve(noisy);
    for copied in [200, 0] {
        let run = copy(&address(&source), &address(&target), &["-j", "1"]).ended(0);
        assert_eq!(run.count("copied"), copied);
        assert_eq!(content(&got), sorted(bytes(300)));
    }
}

#[test]
fn nonsense_in_appenduid_is_not_believed() {
    for code in [
        "APPENDUID",
        "APPENDUID 0 0",
        "APPENDUID 7 1:4294967295",
        "APPENDUID 7 *",
        "APPENDUID x y",
        "APPENDUID 7 1,1,1",
    ] {
        let (source, _) = Fake::of(bytes(30)).serve(honest);
        let (target, got) = Fake::of([]).serve(move |command, folder| {
            (command.name == "APPEND").then(|| {
                folder.answer(command);
                Reply::status(&format!("OK [{code}] done"))
            })
        });
        assert_eq!(
            copy(&address(&source), &address(&target), &[])
                .ended(0)
                .count("copied"),
            30,
            "{code}"
        );
        assert_eq!(content(&got), sorted(bytes(30)));
    }
}

/// What is said of messages that were not asked for takes nothing away, and is not listed one by
/// one.
#[test]
fn nonsense_in_copyuid_is_not_believed() {
    let sayings = [
        "7 1:5 1:5",
        "7 1:4294967295 1:4294967295",
        "7 2 1:3",
        "7 0 0",
        "7 2 0",
        "0 2 1",
        "7 * *",
        "7 3 1",
        "x",
        "7 2",
    ];
    let ways = sayings
        .into_iter()
        .flat_map(|saying| [(saying, false), (saying, true)]);
    each(ways, |(saying, is_untagged)| {
        let source = filled("copyuid", messages(6));
        let mut client = Client::login(&source);
        client.create(&["Archive"]);
        // Without MOVE, so that what was copied is removed by UID.
        let target = empty("copyuiddst", Personality::Poor);
        copy(&at(&source), &at(&target), &[]).ended(0);
        client.select(&["INBOX"]);
        client.command("UID COPY 2 Archive");
        client.command("UID STORE 2 +FLAGS.SILENT (\\Deleted)");
        client.command("EXPUNGE");
        let code = format!("OK [COPYUID {saying}] done");
        let reply = if is_untagged {
            format!("* {code}\r\n{{tag}} OK done")
        } else {
            format!("{{tag}} {code}")
        };
        let proxy = Proxy::start(
            target.port,
            Plan::default().answer(Answer::after("UID COPY", 1, &reply)),
        );
        let run = copy(
            &at(&source),
            &by(&target, proxy.port),
            &["--delete", "-j", "1"],
        )
        .ended(0);
        assert_eq!(run.count("copied_server_side"), 1, "{saying}: {run:?}");
        assert_equal(&source, &target);
    });
}

#[test]
fn a_reply_to_a_command_that_was_never_sent_ends_the_connection_without_damage() {
    // On either side, once: the copy recovers.
    for name in ["UID FETCH", "APPEND"] {
        let forge = move |command: &Command, folder: &mut Fake| {
            let due = command.connection == 1
                && command.name == name
                && (name == "APPEND" || is_for_bodies(&command.arguments));
            due.then(|| Reply::before(b"forged1 OK done\r\n", folder.answer(command)))
        };
        let (source, _) = Fake::of(bytes(30)).serve(forge);
        let (target, got) = Fake::of([]).serve(forge);
        let run = copy(&address(&source), &address(&target), &["-j", "1"]).ended(0);
        assert_eq!(run.count("copied"), 30, "{name}");
        assert!(run.says("never sent"), "{name}: {run:?}");
        assert_eq!(content(&got), sorted(bytes(30)), "{name}");
    }
    // At the scan.
    let (run, got) = from_twisted(Fake::of(bytes(9)), &[], |command, folder| {
        (command.name == "EXAMINE")
            .then(|| Reply::before(b"forged1 OK done\r\n", folder.answer(command)))
    });
    assert!(run.ended(1).says("never sent"));
    assert!(got.is_empty());
}

#[test]
fn a_goodbye_in_the_middle_of_anything_does_no_harm() {
    for (name, recovers) in [
        ("UID FETCH", true),
        ("APPEND", true),
        ("EXAMINE", false),
        ("SELECT", false),
        ("LIST", false),
    ] {
        let mut said = false;
        let mut goodbye = move |command: &Command, folder: &mut Fake| {
            let due =
                command.name == name && (name != "UID FETCH" || is_for_bodies(&command.arguments));
            (due && !std::mem::replace(&mut said, true)).then(|| {
                if name == "APPEND" {
                    folder.answer(command);
                }
                Reply::hang_up().line("* BYE the server goes down for a rest")
            })
        };
        let on_source = !matches!(name, "APPEND" | "SELECT");
        let (source, _) = Fake::of(bytes(30)).serve({
            let mut goodbye = goodbye;
            move |command, folder| {
                if on_source {
                    goodbye(command, folder)
                } else {
                    None
                }
            }
        });
        let (target, got) = Fake::of([]).serve(move |command, folder| {
            if on_source {
                None
            } else {
                goodbye(command, folder)
            }
        });
        let run = copy(&address(&source), &address(&target), &["-j", "1"]);
        assert!(run.says("goes down for a rest"), "{name}: {run:?}");
        if recovers {
            run.ended(0);
        } else {
            copy(&address(&source), &address(&target), &["-j", "1"]).ended(0);
        }
        assert_eq!(content(&got), sorted(bytes(30)), "{name}");
    }
}

#[test]
fn a_goodbye_in_place_of_a_greeting_or_after_the_login_is_told() {
    let target = empty("dst", Personality::Plain);
    let turned_away = || {
        Scripted::script(vec![vec![
            send("* BYE too many guests today"),
            crate::lab::scripted::Step::Close,
        ]])
    };
    let table = [
        (turned_away(), 6),
        (
            Scripted::script(vec![vec![
                send("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready"),
                expect("AUTHENTICATE PLAIN"),
                send("{tag} OK [CAPABILITY IMAP4rev1] Logged in\r\n* BYE too many guests today"),
                crate::lab::scripted::Step::Close,
            ]]),
            1,
        ),
    ];
    for (server, code) in table {
        let run = copy(&address(&server), &at(&target), &[]).ended(code);
        assert!(run.says("too many guests today"), "{run:?}");
    }
    // Every command says the same of it.
    let server = turned_away();
    crate::lab::run::doctor(&[(&address(&server)).into()], &[]).ended(6);
    crate::lab::run::folders(&address(&turned_away()), &[]).ended(6);
}

#[test]
fn a_limit_of_connections_leaves_one_lane_that_does_all() {
    let limit = |command: &Command, _: &mut Fake| {
        let refused = command.connection > 1 && command.name == "LOGIN";
        refused.then(|| {
            Reply::status("NO [LIMIT] Maximum number of connections from user+IP exceeded")
        })
    };
    let (run, got) = from_twisted(Fake::of(bytes(4_500)), &["-j", "4"], limit);
    let run = run.ended(0);
    assert_eq!(run.count("copied"), 4_500);
    assert!(run.says("one connection fewer"), "{run:?}");
    assert!(got == sorted(bytes(4_500)));
}

#[test]
fn a_wrong_password_is_tried_once_a_side() {
    let (source, target) = (
        empty("src", Personality::Plain),
        empty("dst", Personality::Plain),
    );
    for wrong in ["SOURCE", "TARGET"] {
        let (from, to) = (
            Proxy::start(source.port, Plan::default()),
            Proxy::start(target.port, Plan::default()),
        );
        let end = |side: &str, account: &Account, proxy: &Proxy| {
            let password = if side == wrong {
                "wr0ng-pass"
            } else {
                PASSWORD
            };
            End::new(account.by_port(proxy.port).plain_address(), password)
        };
        let run = copy(
            end("SOURCE", &source, &from),
            end("TARGET", &target, &to),
            &[],
        )
        .ended(5);
        assert!(
            run.says(&format!("{} (", wrong.to_lowercase())) && !run.says("wr0ng-pass"),
            "{run:?}"
        );
        for proxy in [from, to] {
            let traffic = proxy.traffic();
            let logins = traffic.iter().flat_map(|connection| &connection.commands);
            let logins = logins
                .filter(|line| line.contains("AUTHENTICATE") || line.contains("LOGIN"))
                .count();
            assert!(logins <= 1 && traffic.len() <= 1, "{logins} logins");
        }
    }
}

#[test]
fn a_silent_server_is_told_with_what_it_was_asked_for() {
    let target = empty("dst", Personality::Plain);
    let quiet = Scripted::script(vec![vec![]]);
    let brief =
        |server: &Scripted| format!("imap://ann@127.0.0.1:{}?tls=none&timeout=2", server.port);
    let run = copy(&brief(&quiet), &at(&target), &[]).ended(6);
    assert!(
        run.says("for 2 s while") && run.says("waited for the greeting"),
        "{run:?}"
    );
    for (name, words, code) in [
        ("LOGIN", "was logging in", 1),
        ("EXAMINE", "waited for a reply", 0),
        ("UID FETCH", "was reading a message", 0),
    ] {
        let mut stalled = None;
        let (source, _) = Fake::of(bytes(9)).serve(move |command, _| {
            let due =
                command.name == name && (name != "UID FETCH" || is_for_bodies(&command.arguments));
            if due && stalled.is_none() {
                stalled = Some(command.connection);
            }
            // No reply at all, to this and what comes after it.
            (stalled == Some(command.connection)).then(Reply::default)
        });
        let target = empty("dst", Personality::Plain);
        let run = copy(&brief(&source), &at(&target), &["-j", "1"]).ended(code);
        assert!(
            run.says("for 2 s while") && run.says(words),
            "{name}: {run:?}"
        );
    }
    let mut stalled = false;
    let (target, got) = Fake::of([]).serve(move |command, folder| {
        (command.name == "APPEND" && !std::mem::replace(&mut stalled, true)).then(|| {
            folder.answer(command);
            Reply::default()
        })
    });
    let (source, _) = Fake::of(bytes(9)).serve(honest);
    let run = copy(&address(&source), &brief(&target), &["-j", "1"]).ended(0);
    assert!(run.says("was sending a message"), "{run:?}");
    assert_eq!(content(&got), sorted(bytes(9)));
}

#[test]
fn a_search_that_finds_far_apart_messages_is_fetched_in_steps() {
    // More commands than a server takes in, while it sends more than a client's system holds, would
    // choke both.
    let all: Vec<Vec<u8>> = (0..40_000)
        .map(|number| message(number, "x").bytes)
        .collect();
    let proxy: Arc<OnceLock<Proxy>> = Arc::default();
    let ahead: Arc<OnceLock<usize>> = Arc::default();
    let (source, _) = Fake::of(all).serve({
        let (proxy, ahead) = (Arc::clone(&proxy), Arc::clone(&ahead));
        move |command, _| match command.name.as_str() {
            "UID SEARCH" => {
                let found: String = (1..=40_000)
                    .step_by(2)
                    .map(|uid| format!(" {uid}"))
                    .collect();
                Some(Reply::ok().line(&format!("* SEARCH{found}")))
            }
            "UID FETCH" if ahead.get().is_none() => {
                // Time to send what will be sent without a reply.
                std::thread::sleep(Duration::from_millis(700));
                let sent = &proxy.get().unwrap().traffic()[0].commands;
                ahead
                    .set(
                        sent.iter()
                            .filter(|line| line.contains("UID FETCH"))
                            .count(),
                    )
                    .unwrap();
                None
            }
            _ => None,
        }
    });
    proxy.get_or_init(|| Proxy::start(source.port, Plan::default()));
    let (target, _) = Fake::of(bytes(1)).serve(honest);
    let address_by_proxy = format!(
        "imap://ann@127.0.0.1:{}?tls=none&timeout=20",
        proxy.get().unwrap().port
    );
    let run = copy(
        &address_by_proxy,
        &address(&target),
        &["--search", "ALL", "--dry-run"],
    )
    .ended(0);
    assert_eq!(run.count("copied"), 19_999);
    assert!(*ahead.get().unwrap() <= 60, "{ahead:?} commands at once");
}
