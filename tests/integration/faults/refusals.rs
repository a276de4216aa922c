//! Temporary and permanent refusals: everything that can be copied is, the rest is reported, and
//! nothing is duplicated.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::client::{Client, NewMessage};
use crate::lab::fake::{Fake, Shared, content};
use crate::lab::mailboxes::{
    assert_equal, assert_no_damage, at, by, each, empty, filled, message, messages,
};
use crate::lab::pair::{Pair, letters, snapshot};
use crate::lab::proxy::{Answer, Plan, Proxy};
use crate::lab::run::{Run, copy, run, sync};
use crate::lab::scripted::{Reply, Scripted};
use crate::lab::servers::{Account, Personality};

/// A source with two folders beside INBOX.
fn source() -> Account {
    let source = filled("src", messages(20));
    let mut client = Client::login(&source);
    for folder in ["one", "two"] {
        client.create(&[folder]);
        client.append(&[folder], messages(20).into_iter());
    }
    source
}

/// A target that has some of INBOX and of `one`.
fn begun(personality: Personality) -> Account {
    let target = empty("dst", personality);
    let mut client = Client::login(&target);
    client.append(&["INBOX"], messages(20).into_iter().take(5));
    client.create(&["one"]);
    client.append(&["one"], messages(20).into_iter().skip(8));
    target
}

const LATER: &str = "NO [UNAVAILABLE] try again later";

/// The first such command of the first connection is refused.
fn once(command: &str, nth: usize, status: &str) -> Plan {
    Plan::default()
        .answer(Answer::instead(command, nth, status))
        .only_first(1)
}

/// Every such command is refused.
fn always(command: &str, status: &str) -> Plan {
    (1..=200).fold(Plan::default(), |plan, nth| {
        plan.answer(Answer::instead(command, nth, status))
    })
}

fn copy_by(
    source: &Account,
    target: &Account,
    source_plan: Plan,
    target_plan: Plan,
    options: &[&str],
) -> Run {
    let from = Proxy::start(source.port, source_plan);
    let to = Proxy::start(target.port, target_plan);
    copy(&by(source, from.port), &by(target, to.port), options)
}

#[test]
fn a_passing_refusal_on_the_source_is_asked_again() {
    let source = source();
    for (command, nth) in [
        ("EXAMINE", 1),
        ("EXAMINE", 2),
        ("EXAMINE", 3),
        ("EXAMINE", 4),
        ("EXAMINE", 5),
        ("UID FETCH", 1),
        ("UID FETCH", 2),
        ("UID FETCH", 4),
        ("UID FETCH", 5),
    ] {
        let target = begun(Personality::Plain);
        let plan = once(command, nth, LATER);
        let run = copy_by(&source, &target, plan, Plan::default(), &["-j", "1"]).ended(0);
        assert_eq!(run.count("copied"), 60 - 5 - 12, "{command} {nth}");
        assert_equal(&source, &target);
    }
}

#[test]
fn a_passing_refusal_of_a_search_is_asked_again() {
    let source = source();
    for nth in [1, 2, 4] {
        let target = begun(Personality::Plain);
        let plan = once("UID SEARCH", nth, LATER);
        copy_by(
            &source,
            &target,
            plan,
            Plan::default(),
            &["-j", "1", "--search", "ALL"],
        )
        .ended(0);
        assert_equal(&source, &target);
    }
}

#[test]
fn a_passing_refusal_on_the_target_is_asked_again() {
    let source = source();
    for (command, nth) in [
        ("SELECT", 1),
        ("SELECT", 2),
        ("UID FETCH", 1),
        ("UID FETCH", 2),
        ("APPEND", 1),
        ("APPEND", 2),
    ] {
        for personality in [Personality::Plain, Personality::NoLiteral] {
            let target = begun(personality);
            let plan = once(command, nth, LATER);
            let run = copy_by(&source, &target, Plan::default(), plan, &["-j", "1"]).ended(0);
            assert_eq!(
                run.count("copied"),
                60 - 5 - 12,
                "{command} {nth} {personality:?}"
            );
            assert_equal(&source, &target);
        }
    }
}

#[test]
fn a_refused_list_or_status_changes_nothing() {
    let source = source();
    for (personality, command) in [
        (Personality::Plain, "LIST"),
        (Personality::Poor, "STATUS"),
        (Personality::Poor, "LSUB"),
    ] {
        for plan in [once(command, 1, LATER), once(command, 2, LATER)] {
            let target = begun(personality);
            copy_by(&source, &target, plan.clone(), plan, &["-j", "1"]).ended(0);
            assert_equal(&source, &target);
        }
    }
    let target = begun(Personality::Poor);
    copy_by(
        &source,
        &target,
        Plan::default(),
        always("STATUS", LATER),
        &[],
    )
    .ended(0);
    assert_equal(&source, &target);
}

#[test]
fn a_side_that_never_lists_its_folders_ends_the_run_before_anything_is_written() {
    let source = source();
    for on_source in [true, false] {
        let target = begun(Personality::Plain);
        let before = Client::login(&target).snapshot();
        let (from, to) = if on_source {
            (always("LIST", LATER), Plan::default())
        } else {
            (Plan::default(), always("LIST", LATER))
        };
        let run = copy_by(&source, &target, from, to, &[]).ended(1);
        assert!(
            run.says("does not list its folders") && run.says("try again later"),
            "{run:?}"
        );
        assert_eq!(Client::login(&target).snapshot(), before);
    }
}

#[test]
fn a_folder_that_is_never_opened_or_read_is_named_and_the_others_are_copied() {
    let source = source();
    let folder_failed = |run: &Run| {
        let failed = run.named("folder_failed");
        assert_eq!(failed.len(), 1, "{run:?}");
        assert_eq!(failed[0]["folder"], "one");
        assert!(
            failed[0]["reason"]
                .as_str()
                .unwrap()
                .contains("try again later"),
            "{failed:?}"
        );
    };
    for (source_command, target_command) in [("EXAMINE", ""), ("", "SELECT")] {
        // However the name is written.
        let plan = |command: &str| {
            let names = ["one", "\"one\""].iter().filter(|_| !command.is_empty());
            names.fold(Plan::default(), |plan, name| {
                always(&format!("{command} {name}"), LATER)
                    .answers
                    .into_iter()
                    .fold(plan, Plan::answer)
            })
        };
        let target = begun(Personality::Plain);
        let run = copy_by(
            &source,
            &target,
            plan(source_command),
            plan(target_command),
            &["-j", "1"],
        )
        .ended(3);
        folder_failed(&run);
        assert_eq!(run.count("copied"), 35);
        assert_no_damage(&source, &target);
        copy(&at(&source), &at(&target), &[]).ended(0);
        assert_equal(&source, &target);
    }
}

#[test]
fn bodies_that_are_never_sent_are_named() {
    let source = filled("src", messages(12));
    let target = empty("dst", Personality::Plain);
    // The first is the scan's.
    let plan = (2..=200)
        .fold(Plan::default(), |plan, nth| {
            plan.answer(Answer::instead("UID FETCH", nth, LATER))
        })
        .only_first(1);
    let run = copy_by(&source, &target, plan, Plan::default(), &["-j", "1"]).ended(3);
    let failed = run.named("message_failed");
    assert_eq!((run.count("failed"), failed.len()), (12, 12));
    assert!(
        failed.iter().all(|event| event["reason"]
            .as_str()
            .unwrap()
            .contains("try again later")),
        "{failed:?}"
    );
    assert_eq!(Client::login(&target).snapshot().count(), 0);
}

/// A plan is made over the first connection to each side, and carried out over those that are
/// refused something.
fn apply_by(source: &Account, target: &Account, source_plan: Plan, target_plan: Plan) -> Run {
    let from = Proxy::start(source.port, source_plan.spare(1));
    let to = Proxy::start(target.port, target_plan.spare(1));
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("a.plan").display().to_string();
    copy(
        &by(source, from.port),
        &by(target, to.port),
        &["--dry-run", "--save-plan", &plan],
    )
    .ended(0);
    run(&["apply", &plan, "--output", "json", "-j", "1"])
}

#[test]
fn a_plan_is_carried_out_whatever_is_refused_in_passing() {
    let source = source();
    for (on_source, command, nth) in [
        (true, "EXAMINE", 2),
        (true, "UID FETCH", 1),
        (true, "UID FETCH", 4),
        (false, "SELECT", 1),
        (false, "UID FETCH", 2),
        (false, "APPEND", 1),
        (false, "APPEND", 2),
    ] {
        let target = begun(Personality::Plain);
        let plan = once(command, nth, LATER);
        let (from, to) = if on_source {
            (plan, Plan::default())
        } else {
            (Plan::default(), plan)
        };
        let run = apply_by(&source, &target, from, to).ended(0);
        assert_eq!(run.count("copied"), 60 - 5 - 12, "{command} {nth}");
        assert_equal(&source, &target);
    }
}

#[test]
fn what_is_refused_for_good_is_left_out_of_a_plan_and_named() {
    let source = source();
    let target = begun(Personality::Plain);
    let names = ["one", "\"one\""].iter();
    let plan = names.fold(Plan::default(), |plan, name| {
        always(&format!("SELECT {name}"), LATER)
            .answers
            .into_iter()
            .fold(plan, Plan::answer)
    });
    let run = apply_by(&source, &target, Plan::default(), plan).ended(3);
    assert_eq!(run.texts("folder_failed", "folder"), ["one"]);
    assert_eq!(run.count("copied"), 35);
    assert_no_damage(&source, &target);
    copy(&at(&source), &at(&target), &[]).ended(0);
    assert_equal(&source, &target);
}

/// What one message's content is refused for.
const INVALID: &str = "NO Message contains invalid header";

/// A target that refuses every APPEND with a message that holds `poison`, and keeps the others.
fn refusing(capabilities: &'static str, status: &'static str) -> (Scripted, Shared) {
    Fake::of([]).serve(move |command, _| match command.name.as_str() {
        "CAPABILITY" => Some(Reply::ok().line(&format!("* CAPABILITY {capabilities}"))),
        "APPEND"
            if command
                .literals
                .iter()
                .any(|bytes| String::from_utf8_lossy(bytes).contains("poison")) =>
        {
            Some(Reply::status(status))
        }
        _ => None,
    })
}

const MULTI: &str = "IMAP4rev1 LITERAL+ MULTIAPPEND UIDPLUS UNSELECT";

#[test]
fn a_message_refused_for_its_content_is_named_alone_and_the_others_arrive() {
    for capabilities in [MULTI, "IMAP4rev1 LITERAL+ UNSELECT", "IMAP4rev1"] {
        for status in [INVALID, "NO [CANNOT] no", "BAD Invalid message"] {
            for count in [0, 400] {
                let mut all: Vec<NewMessage> =
                    (0..count).map(|number| message(number, "body")).collect();
                // Number 999 has a Message-ID.
                all.insert(count * 3 / 4, message(999, "poison"));
                let source = filled("src", all.clone());
                let (server, kept) = refusing(capabilities, status);
                let run = copy_by(
                    &source,
                    &source.by_port(server.port),
                    Plan::default(),
                    Plan::default(),
                    &["-j", "1"],
                )
                .ended(3);
                assert_eq!(
                    (run.count("copied"), run.count("failed")),
                    (count as u64, 1),
                    "{capabilities} {status}"
                );
                let failed = run.named("message_failed");
                assert_eq!(failed[0]["folder"], "INBOX");
                assert_eq!(failed[0]["uid"].as_u64(), Some(count as u64 * 3 / 4 + 1));
                assert!(
                    failed[0]["message_id"]
                        .as_str()
                        .unwrap()
                        .contains("999@lab.example"),
                    "{failed:?}"
                );
                let words = status
                    .rsplit_once(']')
                    .map_or(&status[3..], |(_, words)| words)
                    .trim();
                assert!(
                    failed[0]["reason"].as_str().unwrap().contains(words),
                    "{failed:?}"
                );
                let mut expected: Vec<_> = all
                    .into_iter()
                    .map(|message| message.bytes)
                    .filter(|bytes| !bytes.windows(6).any(|w| w == b"poison"))
                    .collect();
                let kept = content(&kept);
                expected.sort();
                assert!(
                    expected == kept,
                    "{capabilities} {status}: {} {}",
                    expected.len(),
                    kept.len()
                );
            }
        }
    }
}

#[test]
fn a_refused_message_of_two_folders_that_share_a_target_is_named_in_its_own() {
    let source = filled("src", messages(30));
    let mut client = Client::login(&source);
    client.create(&["other"]);
    let mut more: Vec<_> = (100..160).map(|number| message(number, "body")).collect();
    more.insert(50, message(999, "poison"));
    client.append(&["other"], more.into_iter());
    let (server, kept) = refusing(MULTI, INVALID);
    let target = source.by_port(server.port);
    let run = copy_by(
        &source,
        &target,
        Plan::default(),
        Plan::default(),
        &["-j", "1", "--map", "other=INBOX"],
    )
    .ended(3);
    let failed = run.named("message_failed");
    assert_eq!((run.count("copied"), failed.len()), (90, 1));
    assert_eq!(
        (failed[0]["folder"].as_str(), failed[0]["uid"].as_u64()),
        (Some("other"), Some(51))
    );
    assert_eq!(content(&kept).len(), 90);
}

#[test]
fn a_refused_flag_or_date_is_left_out_with_a_warning() {
    for (status, refused) in [
        ("BAD Invalid system flag", "$Label"),
        ("NO [CANNOT] Keyword length too long", "$Label"),
        ("NO [LIMIT] Too many user flags in mailbox", "$Label"),
        ("BAD Invalid date-time in Append command", "04-Mar-2011"),
        ("NO Bad INTERNALDATE", "04-Mar-2011"),
    ] {
        let (server, kept) = refusing_arguments(refused, status);
        let mut all = messages(40);
        all[20].flags.push("$Label1".to_owned());
        all[20].date = Some("04-Mar-2011 01:02:03 +0000".to_owned());
        let source = filled("src", all);
        let run = copy_by(
            &source,
            &source.by_port(server.port),
            Plan::default(),
            Plan::default(),
            &["-j", "1"],
        )
        .ended(0);
        assert_eq!(
            (run.count("copied"), run.count("failed")),
            (40, 0),
            "{status}"
        );
        assert_eq!(content(&kept).len(), 40, "{status}");
        let warnings = run.named("warning");
        assert!(
            warnings
                .iter()
                .any(|event| event.to_string().contains("that the target refuses")),
            "{status}: {run:?}"
        );
    }
}

/// As [`refusing`], for what stands in the command beside the message.
fn refusing_arguments(refused: &'static str, status: &'static str) -> (Scripted, Shared) {
    Fake::of([]).serve(move |command, _| {
        (command.name == "APPEND" && command.arguments.contains(refused))
            .then(|| Reply::status(status))
    })
}

#[test]
fn a_full_target_ends_all_lanes_at_once() {
    let source = filled("src", messages(300));
    let mut client = Client::login(&source);
    for (folder, first) in [("a", 1_000), ("b", 2_000), ("c", 3_000), ("d", 4_000)] {
        client.create(&[folder]);
        // Each like no other: the target could take over what another folder has.
        client.append(
            &[folder],
            (first..first + 300).map(|number| message(number, "a body")),
        );
    }
    for personality in [
        Personality::Plain,
        Personality::NoMulti,
        Personality::NoLiteral,
        Personality::Poor,
    ] {
        let target = empty("dst", personality);
        // From each connection's second command on: whichever lane takes a folder sends at least
        // two.
        let full = (2..=2_000).fold(Plan::default(), |plan, nth| {
            plan.answer(Answer::instead(
                "APPEND",
                nth,
                "NO [OVERQUOTA] Quota exceeded",
            ))
        });
        let proxy = Proxy::start(target.port, full);
        let run = copy(&at(&source), &by(&target, proxy.port), &["-j", "4"]).ended(8);
        assert!(run.says("Quota exceeded"), "{run:?}");
        assert_no_damage(&source, &target);
        // As many as go unanswered at a time may be on their way when the first refusal comes; a
        // storm would be 1,500.
        let appends: Vec<usize> = proxy
            .traffic()
            .iter()
            .map(|connection| {
                connection
                    .commands
                    .iter()
                    .filter(|line| line.contains(" APPEND "))
                    .count()
            })
            .collect();
        assert!(
            appends.iter().all(|count| *count <= 5 + 128 + 32),
            "{personality:?}: {appends:?}"
        );
        assert_eq!(
            run.count("copied"),
            Client::login(&target).snapshot().count() as u64,
            "{personality:?}"
        );
    }
}

/// The server's word on a batch comes while the batch is being sent.
#[test]
fn a_batch_that_is_refused_before_its_end_is_not_waited_for() {
    let source = filled(
        "src",
        (0..700).map(|number| message(number, "a body")).collect(),
    );
    let target = empty("dst", Personality::Plain);
    // Slow enough for the word on the first batch and on the second to come together, in the middle
    // of the second.
    let far = Plan::round_trip(std::time::Duration::from_millis(60));
    let full = (2..=50).fold(far, |plan, nth| {
        plan.answer(Answer::instead(
            "APPEND",
            nth,
            "NO [OVERQUOTA] Quota exceeded",
        ))
    });
    let proxy = Proxy::start(target.port, full);
    let run = copy(
        &at(&source),
        &by(&target, proxy.port),
        &["-j", "1", "--limit-rate", "60k"],
    )
    .ended(8);
    assert!(run.says("Quota exceeded"), "{run:?}");
    assert_eq!(
        (
            run.count("copied"),
            Client::login(&target).snapshot().count()
        ),
        (250, 250)
    );
}

#[test]
fn a_real_quota_ends_the_run_and_what_fits_is_whole() {
    let source = filled(
        "src",
        (0..200)
            .map(|number| message(number, &"x".repeat(900)))
            .collect(),
    );
    let target = empty("dst", Personality::Tiny);
    let says = "the target has too little room: ";
    let rehearsal = copy(&at(&source), &at(&target), &["--dry-run"]).ended(0);
    assert!(rehearsal.texts("warning", "text")[0].starts_with(says));
    let run = copy(&at(&source), &at(&target), &[]).ended(8);
    assert!(run.says("accepts no more mail"), "{run:?}");
    assert!(run.says("KiB free in User quota; the copy ends when it is full"));
    assert_no_damage(&source, &target);
}

/// What a server that refuses deletions, or says OK to them and does nothing, is told to say: the
/// command, how often, and the answer.
type Undone = (
    &'static [&'static str],
    Personality,
    &'static str,
    &'static str,
);

/// Deletions that are refused, or that a server says it has done: they are counted as what they
/// are, their folder is named, and the next run does them.
#[test]
fn a_deletion_that_is_not_done_is_named_and_counted() {
    let cases: [Undone; 9] = [
        (
            &["--delete"],
            Personality::Plain,
            r"UID STORE 1:3 +FLAGS.SILENT (\Deleted)",
            "NO [NOPERM] not you",
        ),
        (
            &["--delete"],
            Personality::Plain,
            "UID EXPUNGE",
            "NO not now",
        ),
        (&["--delete"], Personality::Plain, "UID EXPUNGE", "OK done"),
        (&["--delete"], Personality::Poor, "EXPUNGE", "OK done"),
        (
            &["--move"],
            Personality::Plain,
            r"UID STORE 1:5 +FLAGS.SILENT (\Deleted)",
            "NO [NOPERM] not you",
        ),
        (&["--move"], Personality::Plain, "UID EXPUNGE", "OK done"),
        (
            &["--keep-deleted"],
            Personality::Plain,
            "UID MOVE",
            "NO [CANNOT] not from here",
        ),
        (
            &["--keep-deleted"],
            Personality::Plain,
            "UID MOVE",
            "OK done",
        ),
        (
            &["--keep-deleted"],
            Personality::Poor,
            r"UID STORE 1:3 +FLAGS.SILENT (\Deleted)",
            "NO read only",
        ),
    ];
    each(cases, |(options, kind, command, status)| {
        let name = format!("{options:?}, {kind:?}, {command}, {status}");
        let ground = Pair::new("undone", kind);
        let mut client = Client::login(&ground.source);
        client.create(&["Work"]);
        client.append(&["Work"], letters("work", 5));
        ground.copy_without_state(&[]).ended(0);
        let is_move = options == ["--move"];
        if !is_move {
            client.select(&["Work"]);
            client.expunge("1:3");
        }
        let count = if is_move { 5 } else { 3 };
        let side = if is_move {
            &ground.source
        } else {
            &ground.target
        };
        let answers = (1..=9).map(|nth| Answer::instead(command, nth, status));
        let proxy = Proxy::start(side.port, answers.fold(Plan::default(), Plan::answer));
        let by_proxy = side.by_port(proxy.port);
        let sides = if is_move {
            [&by_proxy, &ground.target]
        } else {
            [&ground.source, &by_proxy]
        };
        let in_work = || snapshot(side).folder(&["Work"]).len();
        let before = in_work();
        let run = copy(sides[0], sides[1], options).ended(3);
        let run = run.counts(&[
            ("not_deleted", count),
            ("deleted", 0),
            ("kept", 0),
            ("folders_failed", 1),
        ]);
        assert_eq!(run.summary()["status"], "partial", "{name}");
        assert_eq!(
            run.texts("folder_failed", "folder"),
            ["Work"],
            "{name}: {run:?}"
        );
        assert_eq!(in_work(), before, "{name}");
        let done = if options == ["--keep-deleted"] {
            "kept"
        } else {
            "deleted"
        };
        copy(&ground.source, &ground.target, options)
            .ended(0)
            .counts(&[(done, count), ("not_deleted", 0)]);
    });
}

/// The same of two-way sync.
#[test]
fn a_deletion_that_a_side_of_a_sync_does_not_do_is_named_and_done_later() {
    each(["NO not now", "OK done"], |status| {
        let ground = Pair::new("undonesync", Personality::Plain);
        let mut client = Client::login(&ground.source);
        client.append(&["INBOX"], letters("inbox", 5));
        let is_on = std::sync::Arc::default();
        let plan = (1..=9)
            .map(|nth| Answer::instead("UID EXPUNGE", nth, status))
            .fold(Plan::default(), Plan::answer);
        let proxy = Proxy::start(ground.target.port, plan.only_while(&is_on));
        let second = ground.target.by_port(proxy.port);
        let go = || sync(&ground.source, &second, &ground.state_options());
        go().ended(0);
        client.select(&["INBOX"]);
        client.expunge("1:2");
        is_on.store(true, std::sync::atomic::Ordering::Relaxed);
        let run = go().ended(3).counts(&[("deleted", 0)]);
        assert_eq!(run.texts("folder_failed", "folder"), ["INBOX"], "{run:?}");
        assert_eq!(snapshot(&ground.target).count(), 5);
        is_on.store(false, std::sync::atomic::Ordering::Relaxed);
        go().ended(0).counts(&[("deleted", 2), ("copied", 0)]);
        ground.assert_equal();
    });
}

/// A server that limits the number of messages, and says so.
#[test]
fn a_limit_of_messages_is_read_before_any_is_sent() {
    use crate::lab::memory::{self, Manner};
    use crate::lab::run::End;
    let source = memory::Fake::start(Manner::default(), &[("Work", "")]);
    for number in 0..60 {
        let folder = ["INBOX", "Work"][number % 2];
        source.put(folder, &message(number, "body").bytes);
    }
    let manner = || Manner {
        after: "IMAP4rev1 QUOTA".to_owned(),
        ..Manner::default()
    };
    // What is left; whether that is enough; and a server that refuses to say.
    for (left, warns) in [(Some(59), true), (Some(60), false), (None, false)] {
        let target = memory::Fake::start_with(manner(), &[], move |command| {
            if command.name != "GETQUOTAROOT" {
                return None;
            }
            let Some(left) = left else {
                return Some(Reply::status("NO permission denied"));
            };
            let root = Reply::ok().line("* QUOTAROOT INBOX \"\"");
            Some(root.line(&format!("* QUOTA \"\" (MESSAGE 10 {})", 10 + left)))
        });
        let (from, to) = (
            End::plain(source.server.port, ""),
            End::plain(target.server.port, ""),
        );
        let run = copy(from.clone(), to.clone(), &[]).ended(0);
        assert_eq!(run.count("copied"), 60);
        let told = run.says("60 messages to copy, and it accepts 59 more messages");
        assert_eq!(told, warns, "{left:?}: {run:?}");
        let lines = target.server.lines();
        let at = |word: &str| lines.iter().position(|line| line.contains(word)).unwrap();
        assert!(at("GETQUOTAROOT") < at("APPEND"), "{lines:?}");
        // Where nothing is to be sent, nothing is asked.
        copy(from, to, &[]).ended(0);
        // Once, and again for the plan where there isn't room for all.
        let questions = 1 + usize::from(warns);
        assert_eq!(target.lines_of("GETQUOTAROOT").len(), questions);
    }
}
