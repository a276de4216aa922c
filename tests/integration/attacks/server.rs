//! Attacks by a server after login: endless answers, nonsense, and texts meant to have an effect
//! when they are shown. The rows P1 to P12 and N4 to N10 are those of docs/security.md, which also
//! lists tests in other files.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::client::{Client, NewMessage};
use crate::lab::fake::{Fake, Shared, is_for_bodies, literal};
use crate::lab::mailboxes::{at, by, each, empty, filled, message};
use crate::lab::memory::{self, Manner};
use crate::lab::proxy::{Answer, Plan, Proxy};
use crate::lab::run::{End, Run, copy, doctor, folders, mailferry, sync, verify};
use crate::lab::scripted::{Command, Reply, Scripted, Step, expect, send};
use crate::lab::servers::Personality;
use std::time::{Duration, Instant};

fn bytes(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| message(number, &format!("body {number}")).bytes)
        .collect()
}

/// A server whose answers end or do not: two seconds of silence are enough.
fn end(server: &Scripted) -> End {
    End::plain(server.port, "&timeout=2")
}

fn content(folder: &Shared) -> Vec<Vec<u8>> {
    folder
        .lock()
        .unwrap()
        .messages
        .iter()
        .map(|(_, bytes)| bytes.clone())
        .collect()
}

/// `folders` with a server that answers one command in its own way.
fn shown(name: &'static str, reply: impl Fn() -> Reply + Send + 'static) -> Run {
    let (server, _) =
        Fake::of(bytes(3)).serve(move |command, _| (command.name == name).then(&reply));
    folders(end(&server), &[])
}

/// P1: a size is a claim. Nothing is taken into memory for it, and what does not come ends the
/// wait.
#[test]
fn announced_sizes_are_not_believed() {
    let sizes = [
        "4294967295",
        "18446744073709551615",
        "-1",
        "99999999999999999999",
        "1099511627777",
    ];
    each(sizes, |size| {
        let run = shown("LIST", move || {
            Reply::unfinished().raw(format!("* LIST () \"/\" {{{size}}}\r\nx").as_bytes())
        });
        let run = run.ended(1);
        assert!(
            run.says("impossible size") || run.says("sent nothing for 2 s"),
            "{size}: {run:?}"
        );
    });
    // A message that never comes whole is not stored, and named.
    let (source, _) = Fake::of(bytes(3)).serve(|command, _| {
        let reply =
            || Reply::unfinished().raw(b"* 1 FETCH (UID 1 BODY[] {4294967295}\r\nSubject: half");
        is_for_bodies(&command.arguments).then(reply)
    });
    let (target, got) = Fake::of([]).serve(|_, _| None);
    let run = copy(end(&source), end(&target), &["-j", "1"]).ended(3);
    assert!(content(&got).is_empty(), "{run:?}");
}

/// P2, P3 and P4: answers that are endless, or take the square of their length, or a stack.
#[test]
fn endless_answers_end_soon() {
    let listed = |item: &[u8], times: usize, rest: &[u8]| {
        [b"* LIST () \"/\" ", item.repeat(times).as_slice(), rest].concat()
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("more than 65536 literals", listed(b"{0}\r\n", 2 << 20, b"")),
        (
            "a line of more than 16777216 bytes",
            listed(b"x", 17 << 20, b""),
        ),
        (
            "a response of more than 33554432 bytes",
            listed(
                &[b" {60000}\r\n".as_slice(), &[b'x'; 60_000]].concat(),
                600,
                b"",
            ),
        ),
        (
            "more than 131072 remarks",
            b"* OK still at work\r\n".repeat(140_000),
        ),
    ];
    each(cases, |(words, bytes)| {
        let begun = Instant::now();
        let run = shown("LIST", move || Reply::unfinished().raw(&bytes)).ended(1);
        assert!(run.says(words), "{words}: {run:?}");
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?} for {words}",
            begun.elapsed()
        );
    });
    // Nested a hundred thousand deep, in each answer that may be nested: read or refused, and never
    // a crash.
    let deep = "(".repeat(100_000) + &")".repeat(100_000);
    let run = shown("LIST", {
        let deep = deep.clone();
        move || {
            Reply::ok()
                .line(&format!("* LIST {deep} \"/\" x"))
                .line("* LIST () \"/\" INBOX")
        }
    });
    // A line of the listing that can't be read is named: it may stand for a folder.
    run.ended(3).counts(&[("messages", 3)]);
    let (server, _) = Fake::of(bytes(3)).serve(move |command, folder| {
        let nested = format!(
            "* 1 FETCH (UID 1 BODYSTRUCTURE {deep} ENVELOPE {deep})\r\n* 1 FETCH {deep}\r\n"
        );
        (command.name == "UID FETCH")
            .then(|| Reply::before(nested.as_bytes(), folder.answer(command)))
    });
    let run = folders(end(&server), &[]);
    run.ended(0);
}

/// P2: replies that are each valid, and together more than was asked for.
#[test]
fn replies_beyond_what_was_asked_end_the_connection() {
    let copied = |is_meant: fn(&Command) -> bool, line: &'static [u8]| {
        let (source, _) = Fake::of(bytes(3)).serve(move |command, _| {
            is_meant(command).then(|| Reply::unfinished().raw(&line.repeat(70_000)))
        });
        let (target, got) = Fake::of([]).serve(|_, _| None);
        let run = copy(end(&source), end(&target), &["-j", "1"]);
        assert!(content(&got).is_empty());
        run
    };
    let is_for_attributes =
        |command: &Command| command.name == "UID FETCH" && !is_for_bodies(&command.arguments);
    let words = "more than 65548 FETCH replies where 3 messages were asked for";
    for line in [
        &b"* 1 FETCH (UID 1 FLAGS ())\r\n"[..],
        b"* 9 FETCH (UID 9 FLAGS () RFC822.SIZE 1)\r\n",
    ] {
        let run = copied(is_for_attributes, line).ended(1);
        assert!(run.says(words), "{run:?}");
    }
    let is_for_bodies = |command: &Command| is_for_bodies(&command.arguments);
    let run = copied(is_for_bodies, b"* 9 FETCH (UID 9 BODY[] {1}\r\nx)\r\n").ended(3);
    assert!(run.says(words), "{run:?}");
    let run = copied(
        is_for_bodies,
        b"* 9 FETCH (UID 9 BODY[] {1099511627776}\r\nx",
    )
    .ended(3);
    assert!(
        run.says("messages of more than 1073741824 bytes that nobody asked for"),
        "{run:?}"
    );
}

/// P5: ranges stay ranges.
#[test]
fn a_set_of_four_thousand_million_numbers_costs_nothing() {
    let all = "1:4294967295";
    let lines = [
        format!("* VANISHED (EARLIER) {all}"),
        format!("* VANISHED {all}"),
        format!("* ESEARCH UID ALL {all}"),
    ];
    let said = lines.join("\r\n") + "\r\n* SEARCH 1 4294967295\r\n";
    let begun = Instant::now();
    let (source, _) = Fake::of(bytes(3)).serve(move |command, folder| {
        let search = command.name == "UID SEARCH";
        search.then(|| Reply::before(said.as_bytes(), folder.answer(command)))
    });
    let (target, got) = Fake::of([]).serve(|_, _| None);
    copy(end(&source), end(&target), &["--search", "ALL", "-j", "1"]).ended(0);
    assert!(
        content(&got)
            .iter()
            .all(|message| bytes(3).contains(message))
    );
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

/// P7: messages of odd shape come out as they went in.
#[test]
fn messages_of_any_shape_cross_as_they_are() {
    let many_fields: Vec<u8> = (0..10_000)
        .flat_map(|n| format!("X-{n}: y\r\n").into_bytes())
        .chain(*b"\r\nz")
        .collect();
    let long_field = [
        b"Subject: ".as_slice(),
        &vec![b'x'; 100 << 20],
        b"\r\n\r\nz",
    ]
    .concat();
    let odd: Vec<Vec<u8>> = vec![
        b"\r\nan empty line first\r\n".to_vec(),
        Vec::new(),
        b"Subject: a header and nothing else\r\n\r\n".to_vec(),
        b"Subject: not even a line's end".to_vec(),
        b"\n\n\n".to_vec(),
        many_fields,
        long_field,
    ];
    // With messages on the target, so that headers are asked for and compared.
    let (source, _) = Fake::of(odd.clone()).serve(|_, _| None);
    let (target, got) = Fake::of(bytes(2)).serve(|_, _| None);
    copy(
        End::plain(source.port, ""),
        End::plain(target.port, ""),
        &[],
    )
    .ended(0)
    .counts(&[("copied", 7)]);
    let arrived = content(&got).split_off(2);
    assert!(odd.iter().all(|message| arrived.contains(message)) && arrived.len() == odd.len());
}

/// P8: answers without words, and nonsense again and again.
#[test]
fn refusals_without_words_and_nonsense_are_told_once() {
    each(["NO", "BAD", "NO ", "BAD []"], |status| {
        let run = shown("LIST", move || Reply::status(status)).ended(1);
        assert!(run.says("does not list its folders"), "{status}: {run:?}");
        assert!(
            run.stdout.lines().count() + run.stderr.lines().count() < 8,
            "{run:?}"
        );
    });
    let greeting = || send("* OK ready");
    let refuses = |status: &str| {
        vec![
            greeting(),
            expect("CAPABILITY$"),
            send(&format!("{{tag}} {status}")),
        ]
    };
    for steps in [refuses("BAD what"), refuses("NO"), refuses("OK")] {
        let server = Scripted::script(vec![steps]);
        let run = folders(end(&server), &[]).ended(1);
        assert!(run.says("neither IMAP4rev1"), "{run:?}");
        assert_eq!(server.lines().len(), 1, "asked once");
    }
    // What no command asked for.
    let noise = "* BAD what\r\n* BAD\r\n* NO\r\n*\r\n* \r\n+ go on\r\n";
    let run = shown("LIST", move || {
        Reply::before(noise.as_bytes(), Reply::ok().line("* LIST () \"/\" INBOX"))
    });
    assert!(
        run.says("asked for more where nothing was to follow"),
        "{run:?}"
    );
    let ids = [
        "NIL",
        "(\"name\")",
        "(\"name\" NIL \"name\" \"x\" NIL)",
        "((((",
        "(\"name\" {3}\r\n\x1b[2)",
        "()",
    ];
    each(ids, |id| {
        let (server, _) = Fake::of(bytes(3)).serve(move |command, _| match command.name.as_str() {
            "CAPABILITY" => Some(Reply::ok().line("* CAPABILITY IMAP4rev1 ID")),
            "ID" => Some(Reply::ok().line(&format!("* ID {id}"))),
            _ => None,
        });
        let run = folders(end(&server), &["-v"])
            .ended(0)
            .counts(&[("messages", 3)]);
        assert!(!run.says("\x1b"), "{run:?}");
    });
}

/// P9 and P10: what was not asked for is nobody's message, and numbers that can't be end nothing
/// but the folder.
#[test]
fn messages_and_numbers_that_nobody_asked_for_do_no_harm() {
    let forged = literal("* 9 FETCH (UID 77 BODY[]", b"Subject: forged\r\n\r\nx", ")");
    let twice = literal(
        "* 1 FETCH (UID 1 BODY[]",
        b"Subject: another first one\r\n\r\nx",
        ")",
    );
    let noise = [
        b"* 4294967295 EXPUNGE\r\n* 0 EXPUNGE\r\n* 2 EXISTS\r\n* OK [UIDNEXT 1] back\r\n* 1 FETCH (FLAGS (\\Deleted))\r\n".as_slice(),
        &forged,
    ]
    .concat();
    for behind in [Vec::new(), twice] {
        let noise = noise.clone();
        let (source, _) = Fake::of(bytes(20)).serve(move |command, folder| {
            let behind = &behind;
            is_for_bodies(&command.arguments).then(|| {
                let answer = folder.answer(command);
                Reply::before(&noise, answer).raw(behind)
            })
        });
        let (target, got) = Fake::of([]).serve(|_, _| None);
        let run = copy(end(&source), end(&target), &["-j", "1"]).ended(0);
        assert_eq!(run.count("copied"), 20);
        assert!(
            content(&got) == bytes(20),
            "something that was not asked for: {run:?}"
        );
    }
}

/// P9: in another order, and one in the place of another that was asked for.
#[test]
fn messages_that_come_in_another_order_are_themselves_and_one_in_anothers_place_is_not_taken() {
    type Message = (usize, u32, Vec<u8>);
    let serve = |mangle: fn(&mut Vec<Message>)| {
        Fake::of(bytes(20)).serve(move |command, folder| {
            let set = command.arguments.split(' ').next().unwrap_or_default();
            is_for_bodies(&command.arguments).then(|| {
                let mut named: Vec<_> = folder
                    .named(set)
                    .into_iter()
                    .map(|(number, uid, bytes)| (number, uid, bytes.to_vec()))
                    .collect();
                mangle(&mut named);
                named
                    .into_iter()
                    .fold(Reply::ok(), |reply, (number, uid, bytes)| {
                        reply.raw(&literal(
                            &format!("* {number} FETCH (UID {uid} BODY[]"),
                            &bytes,
                            ")",
                        ))
                    })
            })
        })
    };
    let (source, _) = serve(|named| named.reverse());
    let (target, got) = Fake::of([]).serve(|_, _| None);
    copy(end(&source), end(&target), &["-j", "1"])
        .ended(0)
        .counts(&[("copied", 20)]);
    let mut arrived = content(&got);
    let mut expected = bytes(20);
    arrived.sort();
    expected.sort();
    assert!(arrived == expected);

    let (source, _) = serve(|named| {
        for (_, uid, bytes) in named.iter_mut().filter(|(_, uid, _)| *uid == 4) {
            (*uid, *bytes) = (77, b"Subject: forged\r\n\r\nx".to_vec());
        }
    });
    let (target, got) = Fake::of([]).serve(|_, _| None);
    let run = copy(end(&source), end(&target), &["-j", "1"]);
    assert_eq!(run.count("copied"), 19, "{run:?}");
    assert!(
        run.count("failed") + run.count("skipped") == 1,
        "it is accounted for: {run:?}"
    );
    assert!(
        content(&got)
            .iter()
            .all(|message| bytes(20).contains(message))
    );
}

/// P10: numbers that can't be are no reason to delete what the source still has.
#[test]
fn numbers_that_can_not_be_delete_nothing_on_the_other_side() {
    let sayings = [
        "* 4294967295 EXPUNGE\r\n* 0 EXPUNGE\r\n",
        "* 2 EXISTS\r\n",
        "* 0 EXISTS\r\n",
        "* OK [UIDNEXT 1] back\r\n",
        "* OK [UIDVALIDITY 8] anew\r\n",
        "* VANISHED 1:*\r\n* VANISHED (EARLIER) 1:4294967295\r\n",
        "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n",
    ];
    let commands = ["EXAMINE", "UID FETCH", "LIST"];
    each(
        sayings
            .into_iter()
            .flat_map(|said| commands.map(|name| (said, name))),
        |(said, name)| {
            let mut runs = 0;
            let (source, _) = Fake::of(bytes(20)).serve(move |command, folder| {
                runs += usize::from(command.name == "LOGIN");
                // The first run is an honest one, whose state the next ones go by.
                (runs > 1 && command.name == name).then(|| {
                    let mut answer = folder.answer(command);
                    answer = Reply::before(said.as_bytes(), answer);
                    if name == "EXAMINE" {
                        answer.line(said.trim_end())
                    } else {
                        answer
                    }
                })
            });
            let (target, got) = Fake::of([]).serve(|_, _| None);
            let directory = tempfile::tempdir().unwrap();
            let options = [
                "--delete",
                "-j",
                "1",
                "--state",
                directory.path().to_str().unwrap(),
            ];
            copy(end(&source), end(&target), &options)
                .ended(0)
                .counts(&[("copied", 20)]);
            for _ in 0..2 {
                let run = copy(end(&source), end(&target), &options);
                assert!(
                    content(&got) == bytes(20),
                    "{said:?} before {name}: {run:?}"
                );
            }
        },
    );
}

/// P11: a folder that can't be told from another is no reason to delete.
#[test]
fn without_a_uidvalidity_nothing_is_deleted_blindly() {
    let kept = bytes(30);
    for validity in [
        "",
        "* OK [UIDVALIDITY 0] none\r\n",
        "* OK [UIDVALIDITY 4294967296] none\r\n",
    ] {
        // All of the source's messages are gone, or said to be.
        let (source, _) = Fake::of([]).serve(move |command, folder| {
            let opens = command.name == "EXAMINE";
            opens.then(|| {
                Reply::status("OK open")
                    .raw(format!("* {} EXISTS\r\n{validity}", folder.messages.len()).as_bytes())
            })
        });
        let (target, got) = Fake::of(kept.clone()).serve(|_, _| None);
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().to_str().unwrap();
        for _ in 0..2 {
            let run = copy(end(&source), end(&target), &["--delete", "--state", state]);
            assert!(run.code != Some(0) || run.count("deleted") == 0, "{run:?}");
            assert_eq!(content(&got), kept, "{validity:?}");
        }
    }
}

/// P12: a byte now and then does not hold a run for ever. The wait's length is `net`'s own test.
#[test]
fn a_server_that_drips_is_left() {
    let mut steps = vec![
        send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready"),
        expect("AUTHENTICATE"),
        send("{tag} OK in"),
    ];
    steps.extend([expect("CAPABILITY"), Step::Raw(b"* ".to_vec())]);
    for _ in 0..60 {
        steps.extend([
            Step::Pause(Duration::from_millis(500)),
            Step::Raw(b"X".to_vec()),
        ]);
    }
    let server = Scripted::script(vec![steps]);
    let begun = Instant::now();
    let run = folders(End::plain(server.port, "&timeout=1"), &[]).ended(1);
    assert!(
        run.says("sent next to nothing for 20 s while mailferry was logging in"),
        "{run:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(60));
}

/// P12: a message whose bytes come now and then is given up and named as failed, and a run in which
/// nothing gets through ends.
#[test]
fn messages_that_drip_end_the_run_after_a_few_tries() {
    let (source, _) = Fake::of(bytes(3)).serve(|command, _| {
        let reply = || Reply::dripping().raw(b"* 1 FETCH (UID 1 BODY[] {100000}\r\nSubject: half");
        is_for_bodies(&command.arguments).then(reply)
    });
    let (target, got) = Fake::of([]).serve(|_, _| None);
    let run = copy(
        End::plain(source.port, "&timeout=1"),
        end(&target),
        &["-j", "1"],
    )
    .ended(1);
    let words = "the server sent next to nothing for 4 s while mailferry was reading a message";
    assert!(
        run.says(&format!(
            "4 connections in a row broke before a message got through: {words}"
        )),
        "{run:?}"
    );
    let failed = run.named("message_failed");
    assert!(failed.len() == 1 && failed[0]["uid"] == 1, "{run:?}");
    assert!(
        failed[0]["reason"].as_str().unwrap().contains(words),
        "{failed:?}"
    );
    assert!(content(&got).is_empty());
}

/// P12: a folder that can't be opened, as the server stalls or dies over it, keeps nothing else
/// from coming across. The run says which one it is and deletes nothing for it.
#[test]
fn a_folder_over_which_the_server_breaks_is_left_out() {
    let ends: [fn() -> Reply; 2] = [|| Reply::dripping().raw(b"* OK "), Reply::hang_up];
    each(
        [(0, "copy"), (1, "copy"), (1, "mirror"), (1, "sync")],
        |(end_of, verb)| {
            let (source, _) =
                Fake::of(bytes(1)).serve(move |command, _| match command.name.as_str() {
                    "LIST" => Some(
                        Reply::ok()
                            .line(r#"* LIST () "/" Bad"#)
                            .line(r#"* LIST () "/" INBOX"#),
                    ),
                    "EXAMINE" | "SELECT" if command.arguments.contains("Bad") => {
                        Some(ends[end_of]())
                    }
                    _ => None,
                });
            let source = End::plain(source.port, "&timeout=1");
            let target = empty(&format!("bad{verb}{end_of}"), Personality::Plain);
            let mut client = Client::login(&target);
            client.create(&["Bad"]);
            client.append(&["Bad"], std::iter::once(message(7, "kept")));
            let state = tempfile::tempdir().unwrap();
            let run = match verb {
                "mirror" => copy(source, &target, &["--delete", "--max-delete", "100%"]),
                "sync" => sync(
                    source,
                    &target,
                    &["--state", state.path().to_str().unwrap()],
                ),
                _ => copy(source, &target, &[]),
            };
            let run = run.ended(3);
            let failed = run.named("folder_failed");
            assert!(
                failed.len() == 1 && failed[0]["folder"] == "Bad",
                "{verb}: {run:?}"
            );
            assert!(
                run.says("each connection broke while this folder was read"),
                "{verb}: {run:?}"
            );
            let there = Client::login(&target).snapshot();
            assert_eq!(
                (there.folder(&["INBOX"]).len(), there.folder(&["Bad"]).len()),
                (1, 1),
                "{verb}: {run:?}"
            );
        },
    );
}

/// N4: a literal that the server has not asked for is not sent: it would be read as commands.
#[test]
fn a_literal_that_is_refused_is_not_sent() {
    let evil = b"Subject: x\r\n\r\nA2 CREATE Evil\r\nA3 DELETE INBOX\r\n".to_vec();
    let source = filled(
        "literal",
        vec![NewMessage {
            bytes: evil,
            ..message(1, "")
        }],
    );
    each(["BAD no literals here", "NO [ALERT] not now"], |status| {
        let target = empty("literaldst", Personality::NoLiteral);
        let proxy = Proxy::start(
            target.port,
            Plan::default().answer(Answer::instead("APPEND", 1, status)),
        );
        let run = copy(&at(&source), &by(&target, proxy.port), &["-j", "1"]);
        let traffic = proxy.traffic();
        let commands: Vec<&String> = traffic
            .iter()
            .flat_map(|connection| &connection.commands)
            .collect();
        assert!(
            commands
                .iter()
                .any(|line| line.contains(" APPEND ") && line.ends_with('}')),
            "{commands:?}"
        );
        assert!(
            !commands
                .iter()
                .any(|line| line.starts_with("A2 ") || line.starts_with("A3 ")),
            "{commands:?}"
        );
        assert_eq!(
            Client::login(&target).snapshot().folders.len(),
            1,
            "{run:?}"
        );
    });
}

/// N6: a server's words move no terminal and forge no line, in text and in JSON, at each verbosity.
#[test]
fn a_servers_words_are_shown_and_do_nothing() {
    const EVIL: &str = "\x1b]0;owned\x07\x1b[2J\u{202e}txt\u{2028}next\tcolumn \u{9b}31m";
    let twist = |refused: &'static str| {
        move |command: &Command, folder: &mut Fake| match command.name.as_str() {
            "CAPABILITY" => Some(Reply::ok().line("* CAPABILITY IMAP4rev1 ID NAMESPACE QUOTA")),
            "ID" => Some(Reply::ok().line(&format!("* ID (\"name\" \"{EVIL}\")"))),
            "LIST" => Some(
                folder
                    .answer(command)
                    .line(&format!("* LIST () \"/\" \"x{EVIL}\""))
                    .line(&format!("* OK [ALERT] {EVIL}")),
            ),
            name if name == refused => Some(Reply::status(&format!("NO [X{EVIL}] {EVIL}"))),
            _ => None,
        }
    };
    let evil_message = format!("Message-ID: <{EVIL}@x>\r\nSubject: {EVIL}\r\n\r\nx").into_bytes();
    each(
        [
            "EXAMINE",
            "APPEND",
            "CREATE",
            "UID FETCH",
            "LIST",
            "AUTHENTICATE",
            "LOGIN",
            "-",
        ],
        |refused| {
            let serve = || Fake::of([evil_message.clone()]).serve(twist(refused)).0;
            let (source, target) = (serve(), Fake::of([]).serve(twist(refused)).0);
            copy(end(&source), end(&target), &["-vvv"]).assert_harmless();
            verify(end(&source), end(&target), &["-vvv"]).assert_harmless();
            folders(end(&source), &["-vvv"]).assert_harmless();
            for options in [&["-vvv"][..], &[]] {
                let (from, to) = (end(&source).address, end(&target).address);
                for verb in [&["folders", &from][..], &["copy", &from, &to]] {
                    Run::of(&mut mailferry(&[verb, options].concat())).assert_harmless();
                }
            }
        },
    );
}

/// N6: a text of a megabyte floods neither a terminal nor a log, JSON or a report.
#[test]
fn a_text_of_a_megabyte_is_cut_wherever_it_is_shown() {
    let flood = "flood ".repeat(200_000);
    let twist = |refused: &'static str| {
        let flood = flood.clone();
        move |command: &Command, folder: &mut Fake| match command.name.as_str() {
            "CAPABILITY" => Some(Reply::ok().line("* CAPABILITY IMAP4rev1 ID")),
            "ID" => {
                Some(Reply::ok().line(&format!("* ID (\"name\" \"{flood}\" \"{flood}\" \"x\")")))
            }
            name if name == refused => Some(Reply::status(&format!("NO [X{flood}] {flood}"))),
            "LIST" => Some(
                folder
                    .answer(command)
                    .line(&format!("* OK [ALERT] {flood}")),
            ),
            _ => None,
        }
    };
    let page = tempfile::tempdir().unwrap();
    let page = page.path().join("report.html");
    each(
        ["EXAMINE", "APPEND", "UID FETCH", "LIST", "LOGIN", "-"],
        |refused| {
            let serve = || Fake::of(bytes(2)).serve(twist(refused)).0;
            let (source, target) = (serve(), Fake::of([]).serve(twist(refused)).0);
            let runs = [
                copy(end(&source), end(&target), &["-v"]),
                folders(end(&source), &[]),
                doctor(&[end(&source)], &[]),
                Run::of(&mut mailferry(&[
                    "copy",
                    &end(&source).address,
                    &end(&target).address,
                ])),
            ];
            for run in runs {
                let longest = run
                    .stdout
                    .lines()
                    .chain(run.stderr.lines())
                    .map(str::len)
                    .max();
                assert!(
                    longest.unwrap_or(0) < 4_000,
                    "{refused}: a line of {longest:?} bytes"
                );
            }
        },
    );
    let (source, target) = (
        Fake::of(bytes(2)).serve(twist("UID FETCH")).0,
        Fake::of([]).serve(|_, _| None).0,
    );
    copy(
        end(&source),
        end(&target),
        &["--report", page.to_str().unwrap()],
    )
    .ended(3);
    assert!(std::fs::metadata(&page).unwrap().len() < 500_000);
    let greeting = Scripted::serve(&format!("BYE {flood}"), |_| Reply::hang_up());
    let run = folders(End::plain(greeting.port, "&timeout=2"), &[]);
    assert!(
        run.says("flood flood") && run.stdout.len() + run.stderr.len() < 10_000,
        "{run:?}"
    );
}

/// N5: a message's bytes are never commands, and never more or fewer than were announced.
#[test]
fn a_message_is_its_bytes_however_they_read() {
    let evil = b"Subject: x\r\n\r\nA2 DELETE INBOX\r\n* BYE\r\n+ go\r\n{5+}\r\n)\r\nA3 LOGOUT\r\n"
        .to_vec();
    let (source, _) = Fake::of([evil.clone()]).serve(|_, _| None);
    let target = memory::Fake::start(Manner::default(), &[]);
    copy(end(&source), end(&target.server), &[])
        .ended(0)
        .counts(&[("copied", 1)]);
    assert_eq!(target.contents()["INBOX"], std::slice::from_ref(&evil));
    assert!(target.lines_of("DELETE").is_empty());
    // More or fewer bytes than the literal announces.
    for (announced, words) in [
        (evil.len() - 20, "does not send its content"),
        (evil.len() + 200, "sent nothing for 2 s"),
    ] {
        let body = evil.clone();
        let (source, _) = Fake::of([evil.clone()]).serve(move |command, _| {
            let head = format!("* 1 FETCH (UID 1 BODY[] {{{announced}}}\r\n");
            is_for_bodies(&command.arguments)
                .then(|| Reply::ok().raw(&[head.as_bytes(), &body, b")\r\n"].concat()))
        });
        let (target, got) = Fake::of([]).serve(|_, _| None);
        let run = copy(end(&source), end(&target), &["-j", "1"]);
        assert!(
            run.named("message_failed").len() == 1 && run.says(words),
            "{run:?}"
        );
        run.ended(3);
        assert!(content(&got).is_empty(), "{announced}");
    }
}

/// N10: whatever the target says, nothing is sent to the source that could change it.
#[test]
fn the_source_is_only_read_whatever_the_target_says() {
    let evil =
        b"* 1 EXPUNGE\r\n* VANISHED 1:*\r\n* 0 EXISTS\r\n* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n* OK [READ-ONLY] x\r\n";
    let kept = bytes(10);
    let (source, held) = Fake::of(kept.clone()).serve(|_, _| None);
    let (target, _) = Fake::of(bytes(4))
        .serve(|command, folder| Some(Reply::before(evil, folder.answer(command))));
    for options in [&[][..], &["--delete"], &["--flags", "union"]] {
        copy(end(&source), end(&target), options);
    }
    assert_eq!(content(&held), kept);
    let reading = [
        "CAPABILITY",
        "LOGIN",
        "AUTHENTICATE",
        "LIST",
        "LSUB",
        "STATUS",
        "EXAMINE",
        "UNSELECT",
        "NOOP",
        "LOGOUT",
        "CLOSE",
    ];
    for line in source.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let is_peek = line.contains(" UID FETCH ") && !line.contains("BODY[");
        assert!(
            reading.contains(&words[1]) || is_peek || line.contains(" UID SEARCH "),
            "{line}"
        );
    }
}
