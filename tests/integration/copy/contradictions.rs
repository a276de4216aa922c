//! Bodies that contradict what the source reports about them: fetched again, then reported, never
//! stored.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::client::Client;
use crate::lab::fake::{Fake, Shared, is_for_bodies, literal};
use crate::lab::mailboxes::{at, empty, message};
use crate::lab::proxy::{Meanwhile, Plan, Proxy};
use crate::lab::run::{End, Run, copy, sync};
use crate::lab::scripted::{Command, Reply, Scripted};
use crate::lab::servers::{Courier, Personality};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn bytes(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| message(number, &format!("body {number}\r\nline")).bytes)
        .collect()
}

/// Too large to pass through memory.
fn large() -> Vec<u8> {
    message(99, &"a line of a large message\r\n".repeat(8_000)).bytes
}

fn address(server: &Scripted) -> String {
    format!("imap://ann@127.0.0.1:{}?tls=none&timeout=20", server.port)
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

/// How often each message's body was asked for, by UID.
type Asked = Arc<Mutex<Vec<u32>>>;

/// A source whose bodies are what `body` makes of a message: its UID, its bytes, and how often it
/// was asked for.
struct Source {
    server: Scripted,
    folder: Shared,
    asked: Asked,
}

fn source(
    messages: Vec<Vec<u8>>,
    body: impl Fn(u32, &[u8], usize) -> Vec<u8> + Send + 'static,
) -> Source {
    greeting("OK ready", messages, body)
}

fn greeting(
    text: &str,
    messages: Vec<Vec<u8>>,
    body: impl Fn(u32, &[u8], usize) -> Vec<u8> + Send + 'static,
) -> Source {
    let folder: Shared = Arc::new(Mutex::new(Fake::of(messages)));
    let asked: Asked = Arc::default();
    let (shared, log) = (Arc::clone(&folder), Arc::clone(&asked));
    let server = Scripted::serve(text, move |command| {
        let mut folder = shared.lock().unwrap();
        if command.name != "UID FETCH" || !is_for_bodies(&command.arguments) {
            return folder.answer(command);
        }
        let set = command.arguments.split(' ').next().unwrap();
        folder
            .named(set)
            .into_iter()
            .fold(Reply::ok(), |reply, (number, uid, bytes)| {
                let mut asked = log.lock().unwrap();
                asked.push(uid);
                let times = asked.iter().filter(|other| **other == uid).count();
                reply.raw(&literal(
                    &format!("* {number} FETCH (UID {uid} BODY[]"),
                    &body(uid, bytes, times),
                    ")",
                ))
            })
    });
    Source {
        server,
        folder,
        asked,
    }
}

impl Source {
    /// Copies to a good server. Gives what that got.
    fn copy(&self, options: &[&str]) -> (Run, Vec<Vec<u8>>) {
        // Of another UIDVALIDITY, so that the two can't be one mailbox.
        let (target, got) = Fake {
            uid_validity: 9,
            ..Fake::of([])
        }
        .serve(|_, _| None);
        let run = copy(&*address(&self.server), &*address(&target), options);
        let mut got = content(&got);
        got.sort();
        (run, got)
    }

    fn asked_for(&self, uid: u32) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|other| **other == uid)
            .count()
    }

    fn was_told_to_delete(&self) -> bool {
        self.server
            .lines()
            .iter()
            .any(|line| line.contains("STORE") || line.contains("EXPUNGE"))
    }
}

fn half(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

fn sorted(mut all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    all.sort();
    all
}

#[test]
fn a_body_that_comes_short_is_named_and_not_stored_and_its_original_stays() {
    for options in [&[][..], &["--move"]] {
        let mut all = bytes(8);
        all.push(large());
        let source = source(all.clone(), |uid, bytes, _| {
            if uid == 3 || uid == 9 {
                half(bytes)
            } else {
                bytes.to_vec()
            }
        });
        let (run, got) = source.copy(options);
        let run = run.ended(3);
        assert_eq!(
            (run.count("copied"), run.count("failed")),
            (7, 2),
            "{run:?}"
        );
        assert_eq!(
            got,
            sorted(
                all.into_iter()
                    .enumerate()
                    .filter(|(at, _)| *at != 2 && *at != 8)
                    .map(|(_, b)| b)
                    .collect()
            )
        );
        let failed = run.named("message_failed");
        assert!(
            failed.iter().all(|event| event["reason"]
                .as_str()
                .unwrap()
                .contains("bytes but sends")),
            "{failed:?}"
        );
        assert_eq!(
            (
                source.asked_for(3),
                source.asked_for(9),
                source.asked_for(4)
            ),
            (2, 2, 1)
        );
        let deleted: Vec<String> = source
            .server
            .lines()
            .into_iter()
            .filter(|line| line.contains("\\Deleted"))
            .collect();
        assert_eq!(deleted.is_empty(), options.is_empty());
        assert!(
            deleted.iter().all(|line| line.contains("1:2,4:8 ")),
            "{deleted:?}"
        );
        assert!(run.says("2 of the 9 messages"), "{}", run.stderr);
    }
}

#[test]
fn a_body_that_comes_short_once_is_copied_whole() {
    let mut all = bytes(5);
    all.push(large());
    let source = source(all.clone(), |uid, bytes, times| {
        if times == 1 && matches!(uid, 2 | 6) {
            half(bytes)
        } else {
            bytes.to_vec()
        }
    });
    let (run, got) = source.copy(&[]);
    assert_eq!(run.ended(0).count("copied"), 6);
    assert_eq!(got, sorted(all));
}

#[test]
fn notices_in_a_messages_place_are_never_stored() {
    let exchange = "From: Microsoft Exchange Server 2010\r\nTo: ann@example.org\r\nSubject: Retrieval using the IMAP4 \
                    protocol failed for the following message: 20004\r\n\r\nThe server couldn't retrieve it.\r\n";
    let courier = "From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\nThis message is no \
                   longer available on the server.\r\n";
    for (greeted, notice) in [
        ("OK ready", exchange),
        (
            "OK The Microsoft Exchange IMAP4 service is ready.",
            exchange,
        ),
        ("OK ready", courier),
    ] {
        for options in [&[][..], &["--accept-size-mismatch"], &["--move"]] {
            // One has just the notice's length.
            let mut all = bytes(4);
            all.push(vec![b'x'; notice.len()]);
            let source = greeting(greeted, all.clone(), move |uid, bytes, _| {
                if matches!(uid, 2 | 5) {
                    notice.as_bytes().to_vec()
                } else {
                    bytes.to_vec()
                }
            });
            let (run, got) = source.copy(options);
            let run = run.ended(3);
            assert_eq!(
                (run.count("copied"), run.count("failed")),
                (3, 2),
                "{run:?}"
            );
            assert_eq!(got.len(), 3);
            assert!(got.iter().all(|bytes| all.contains(bytes)));
            assert!(
                run.named("message_failed")[0]["reason"]
                    .as_str()
                    .unwrap()
                    .contains("notice"),
                "{run:?}"
            );
        }
    }
}

/// Counts each line end as one byte, as some servers do.
fn miscounting(messages: Vec<Vec<u8>>) -> (Scripted, Shared, Asked) {
    let folder: Shared = Arc::new(Mutex::new(Fake::of(messages)));
    let asked: Asked = Arc::default();
    let (shared, log) = (Arc::clone(&folder), Arc::clone(&asked));
    let server = Scripted::serve("OK ready", move |command: &Command| {
        let mut folder = shared.lock().unwrap();
        if command.name != "UID FETCH" {
            return folder.answer(command);
        }
        let set = command.arguments.split(' ').next().unwrap();
        if is_for_bodies(&command.arguments) {
            log.lock()
                .unwrap()
                .extend(folder.named(set).iter().map(|(_, uid, _)| *uid));
            return folder.answer(command);
        }
        let has_header = command.arguments.contains("BODY.PEEK[");
        folder.named(set).into_iter().fold(Reply::ok(), |reply, (number, uid, bytes)| {
            let size = bytes.len() - bytes.iter().filter(|byte| **byte == b'\n').count();
            let start = format!(
                "* {number} FETCH (UID {uid} FLAGS (\\Seen) INTERNALDATE \"01-Feb-2024 03:04:05 +0000\" RFC822.SIZE {size}"
            );
            if !has_header {
                return reply.line(&format!("{start})"));
            }
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
            let section = command.arguments.split("BODY.PEEK[").nth(1).unwrap().split(']').next().unwrap();
            reply.raw(&literal(&format!("{start} BODY[{section}]"), &bytes[..end], ")"))
        })
    });
    (server, folder, asked)
}

#[test]
fn a_server_that_counts_wrongly_is_told_and_accepted_on_request() {
    let mut all = bytes(6);
    all.push(large());
    let (server, _, asked) = miscounting(all.clone());
    let (target, got) = Fake::of([]).serve(|_, _| None);
    let run = copy(&*address(&server), &*address(&target), &[]).ended(3);
    assert_eq!((run.count("copied"), run.count("failed")), (0, 7));
    assert!(run.says("7 of the 7 messages"), "{}", run.stderr);
    assert!(run.says("each line end as one byte"), "{}", run.stderr);
    assert!(run.says("--accept-size-mismatch"), "{}", run.stderr);
    assert!(content(&got).is_empty());
    // The advice works, and a later run finds everything there.
    let run = copy(
        &*address(&server),
        &*address(&target),
        &["--accept-size-mismatch"],
    )
    .ended(0);
    assert_eq!(run.count("copied"), 7);
    assert_eq!(sorted(content(&got)), sorted(all));
    let before = asked.lock().unwrap().len();
    let run = copy(
        &*address(&server),
        &*address(&target),
        &["--accept-size-mismatch"],
    )
    .ended(0);
    assert_eq!(
        (run.count("copied"), asked.lock().unwrap().len()),
        (0, before)
    );
}

#[test]
fn other_bytes_each_time_are_never_accepted() {
    let mut all = bytes(3);
    all.push(large());
    let source = source(all, |uid, bytes, times| {
        let mut bytes = bytes.to_vec();
        if matches!(uid, 2 | 4) {
            bytes.extend_from_slice(format!("{times}\r\n").as_bytes());
        }
        bytes
    });
    let (run, got) = source.copy(&["--accept-size-mismatch"]);
    let run = run.ended(3);
    assert_eq!(
        (run.count("copied"), run.count("failed"), got.len()),
        (2, 2, 2),
        "{run:?}"
    );
    assert!(
        run.named("message_failed")[0]["reason"]
            .as_str()
            .unwrap()
            .contains("different bytes each time"),
        "{run:?}"
    );
}

#[test]
fn exchange_estimates_sizes_and_needs_no_second_fetch_unless_most_is_missing() {
    let exchange = "OK The Microsoft Exchange IMAP4 service is ready. [TQBX]";
    let rewritten = |uid: u32, bytes: &[u8], _: usize| match uid {
        1 => [bytes, b"more\r\n"].concat(),
        2 => half(bytes),
        3 => bytes[..10].to_vec(),
        _ => bytes.to_vec(),
    };
    let source = greeting(exchange, bytes(4), rewritten);
    let (run, got) = source.copy(&[]);
    let run = run.ended(3);
    assert_eq!(
        (run.count("copied"), run.count("failed"), got.len()),
        (3, 1, 3),
        "{run:?}"
    );
    assert_eq!([1, 2, 3, 4].map(|uid| source.asked_for(uid)), [1, 1, 2, 1]);
    assert!(!source.was_told_to_delete());
}

#[test]
fn a_sync_does_not_store_what_contradicts_itself() {
    let source = source(bytes(4), |uid, bytes, _| {
        if uid == 2 {
            half(bytes)
        } else {
            bytes.to_vec()
        }
    });
    let (other, got) = Fake::of([]).serve(|_, _| None);
    let state = tempfile::tempdir().unwrap();
    let options = ["--state", state.path().to_str().unwrap()];
    for _ in 0..2 {
        let run = sync(&*address(&source.server), &*address(&other), &options).ended(3);
        assert_eq!(run.count("failed"), 1, "{run:?}");
        assert_eq!(
            (
                content(&got).len(),
                source.folder.lock().unwrap().messages.len()
            ),
            (3, 4)
        );
    }
}

#[test]
fn a_message_that_was_expunged_meanwhile_is_skipped_whatever_came_in_its_place() {
    let notice =
        b"From: System Administrator <root@localhost>\r\nSubject: message unavailable\r\n\r\n\
                   This message is no longer available on the server.\r\n";
    let (source, _) = Fake::of(bytes(4)).serve(move |command, folder| {
        if command.name != "UID FETCH"
            || !is_for_bodies(&command.arguments)
            || folder.messages.len() < 4
        {
            return None;
        }
        let set = command.arguments.split(' ').next().unwrap();
        let reply =
            folder
                .named(set)
                .into_iter()
                .fold(Reply::ok(), |reply, (number, uid, bytes)| {
                    let body = if uid == 2 { notice } else { bytes };
                    reply.raw(&literal(
                        &format!("* {number} FETCH (UID {uid} BODY[]"),
                        body,
                        ")",
                    ))
                });
        folder.messages.retain(|(uid, _)| *uid != 2);
        Some(reply)
    });
    let (target, got) = Fake::of([]).serve(|_, _| None);
    let run = copy(&*address(&source), &*address(&target), &[]).ended(0);
    assert_eq!(
        (
            run.count("copied"),
            run.count("skipped"),
            run.count("failed")
        ),
        (3, 1, 0),
        "{run:?}"
    );
    assert_eq!(content(&got).len(), 3);
}

#[test]
fn what_another_session_expunges_on_courier_meanwhile_is_skipped() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let messages: Vec<_> = (0..200).map(|number| message(number, "x")).collect();
    Client::login(&courier).append(&["INBOX"], messages.into_iter());
    let other = courier.clone();
    let expunge = move || {
        // At the end of a command Courier looks at what has gone; here it has to come after the
        // last one's.
        std::thread::sleep(Duration::from_millis(400));
        let mut client = Client::login(&other);
        client.select(&["INBOX"]);
        client.store("196", "+FLAGS", "\\Deleted");
        client.command("EXPUNGE");
    };
    // A later piece of a folder that is open already, as its session still shows what another one
    // has removed.
    let plan = Plan::default().meanwhile(Meanwhile::before("UID FETCH 193:200 (UID BODY", expunge));
    let proxy = Proxy::start(courier.port, plan);
    let source = End::new(
        courier.by_port(proxy.port).plain_address(),
        &courier.password,
    );
    let target = empty("unavailable", Personality::Poor);
    let run = copy(source, &*at(&target), &["-j1"]).ended(0);
    assert_eq!(
        (
            run.count("copied"),
            run.count("skipped"),
            run.count("failed")
        ),
        (199, 1, 0),
        "{run:?}"
    );
    assert_eq!(Client::login(&target).snapshot().count(), 199);
}
