//! Connections that break: wherever that happens, no message is damaged, missing or duplicated
//! afterwards.

use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::{
    assert_equal, assert_no_damage, at, by, each, empty, filled, message, messages,
};
use crate::lab::proxy::{At, Direction, How, Plan, Proxy};
use crate::lab::run::copy;
use crate::lab::servers::{Account, Personality};

/// Stands in the middle of one message's body.
const MARK: &str = "=the=mark=";

/// Messages of which one in the middle has the mark in its body of about this size.
fn marked(count: usize, size: usize) -> Vec<NewMessage> {
    let mut all = messages(count);
    let half = "a line of a body, as there are many\r\n".repeat(size / 74 + 1);
    all.insert(
        count / 2,
        message(1_000, &format!("{half}{MARK}\r\n{half}")),
    );
    all
}

fn after_mark() -> At {
    At::After(MARK.to_owned())
}

#[test]
fn source_cut_inside_a_small_body_recovers_in_the_same_run() {
    each([How::Fin, How::Rst], |how| {
        let source = filled("src", marked(30, 2_000));
        let target = empty("dst", Personality::Plain);
        let proxy = Proxy::start(
            source.port,
            Plan::default()
                .cut(Direction::Down, after_mark(), how)
                .only_first(1),
        );
        let run = copy(&by(&source, proxy.port), &at(&target), &["-j", "1"]).ended(0);
        assert_eq!(run.count("copied"), 31);
        assert!(run.stderr.contains("source: "), "{}", run.stderr);
        assert_equal(&source, &target);
    });
}

#[test]
fn source_cut_inside_a_large_streamed_body_recovers_in_the_same_run() {
    for (how, personality) in [
        (How::Fin, Personality::Plain),
        (How::Rst, Personality::Plain),
        (How::Fin, Personality::Poor),
    ] {
        let source = filled("src", marked(10, 5_000_000));
        let target = empty("dst", personality);
        let proxy = Proxy::start(
            source.port,
            Plan::default()
                .cut(Direction::Down, after_mark(), how)
                .only_first(1),
        );
        let run = copy(&by(&source, proxy.port), &at(&target), &["-j", "1"]).ended(0);
        assert_eq!(run.count("copied"), 11);
        assert!(
            run.stderr.contains("source: ") && !run.stderr.contains("target: "),
            "{}",
            run.stderr
        );
        assert_equal(&source, &target);
    }
}

#[test]
fn a_body_that_always_cuts_the_source_is_named_and_the_others_arrive() {
    each([2_000, 5_000_000], |size| {
        let source = filled("src", marked(30, size));
        let target = empty("dst", Personality::Plain);
        let proxy = Proxy::start(
            source.port,
            Plan::default().cut(Direction::Down, after_mark(), How::Fin),
        );
        let run = copy(&by(&source, proxy.port), &at(&target), &["-j", "1"]).ended(3);
        assert_eq!((run.count("copied"), run.count("failed")), (30, 1));
        let failed = run.named("message_failed");
        assert_eq!(failed[0]["folder"], "INBOX");
        assert_eq!(failed[0]["uid"], 16);
        assert!(
            failed[0]["reason"]
                .as_str()
                .unwrap()
                .contains("closed the connection"),
            "{failed:?}"
        );
        assert_no_damage(&source, &target);
        assert_eq!(
            copy(&at(&source), &at(&target), &[])
                .ended(0)
                .count("copied"),
            1
        );
        assert_equal(&source, &target);
    });
}

#[test]
fn a_source_that_breaks_every_connection_ends_the_run_with_the_reason() {
    let source = filled("src", messages(60));
    let target = empty("dst", Personality::Plain);
    // The first body is never whole: each connection ends within the first FETCH of bodies.
    let cut = At::After("this is body 0this".to_owned());
    let plan = Plan::default().cut(Direction::Down, cut, How::Fin).cut(
        Direction::Down,
        At::After("this is body".to_owned()),
        How::Rst,
    );
    let proxy = Proxy::start(source.port, plan);
    let run = copy(&by(&source, proxy.port), &at(&target), &["-j", "2"]).ended(1);
    assert!(run.says("connections in a row broke"), "{run:?}");
    assert_no_damage(&source, &target);
    copy(&at(&source), &at(&target), &[]).ended(0);
    assert_equal(&source, &target);
}

/// The kinds of target that differ in how they are sent messages.
const SENDING: [Personality; 4] = [
    Personality::Plain,
    Personality::NoMulti,
    Personality::NoLiteral,
    Personality::Poor,
];

/// A target that has some of the messages already, one of two equal ones among them.
fn begun(personality: Personality) -> Account {
    let target = empty("dst", personality);
    Client::login(&target).append(&["INBOX"], messages(60).into_iter().skip(40).take(6));
    target
}

#[test]
fn a_lost_reply_of_the_target_neither_loses_nor_doubles() {
    for how in [How::Fin, How::Rst] {
        each(SENDING, |personality| {
            let source = filled("src", marked(60, 2_000));
            let target = begun(personality);
            let cut = At::Before("OK [APPENDUID".to_owned());
            let proxy = Proxy::start(
                target.port,
                Plan::default().cut(Direction::Down, cut, how).only_first(1),
            );
            let run = copy(&at(&source), &by(&target, proxy.port), &["-j", "1"]).ended(0);
            assert_eq!(
                (run.count("copied"), run.count("already_there")),
                (55, 6),
                "{personality:?}"
            );
            assert!(
                run.stderr.contains("target: ") && !run.stderr.contains("source: "),
                "{}",
                run.stderr
            );
            assert_equal(&source, &target);
        });
    }
}

#[test]
fn a_target_cut_inside_a_literal_neither_loses_nor_doubles() {
    for (how, size) in [(How::Fin, 2_000), (How::Rst, 2_000), (How::Fin, 500_000)] {
        each(SENDING, |personality| {
            let source = filled("src", marked(60, size));
            let target = begun(personality);
            let plan = Plan::default()
                .cut(Direction::Up, after_mark(), how)
                .only_first(1);
            let proxy = Proxy::start(target.port, plan);
            let run = copy(&at(&source), &by(&target, proxy.port), &["-j", "1"]).ended(0);
            assert_eq!(run.count("copied"), 55, "{personality:?} {run:?}");
            assert_equal(&source, &target);
        });
    }
}

#[test]
fn a_message_that_always_breaks_the_target_is_named_and_the_others_arrive() {
    each(SENDING, |personality| {
        let source = filled("src", marked(60, 2_000));
        let target = empty("dst", personality);
        let proxy = Proxy::start(
            target.port,
            Plan::default().cut(Direction::Up, after_mark(), How::Fin),
        );
        let run = copy(&at(&source), &by(&target, proxy.port), &["-j", "1"]).ended(3);
        assert_eq!(
            (run.count("copied"), run.count("failed")),
            (60, 1),
            "{personality:?}"
        );
        let failed = run.named("message_failed");
        assert_eq!(failed[0]["uid"], 31);
        assert!(
            failed[0]["reason"]
                .as_str()
                .unwrap()
                .contains("could not be confirmed: "),
            "{failed:?}"
        );
        assert_no_damage(&source, &target);
    });
}

#[test]
fn replies_that_are_always_lost_end_the_run_and_double_nothing() {
    each(
        [Personality::Plain, Personality::NoLiteral],
        |personality| {
            let source = filled("src", messages(60));
            let target = empty("dst", personality);
            let cut = At::Before("OK [APPENDUID".to_owned());
            let proxy = Proxy::start(
                target.port,
                Plan::default().cut(Direction::Down, cut, How::Fin),
            );
            let run = copy(&at(&source), &by(&target, proxy.port), &["-j", "1"]);
            assert!(matches!(run.code, Some(0 | 1 | 3)), "{run:?}");
            assert_no_damage(&source, &target);
            copy(&at(&source), &at(&target), &[]).ended(0);
            assert_equal(&source, &target);
        },
    );
}

#[test]
fn lost_replies_on_several_lanes_and_folders() {
    let source = filled("src", messages(40));
    let mut client = Client::login(&source);
    for folder in ["one", "two", "three"] {
        client.create(&[folder]);
        client.append(&[folder], messages(40).into_iter());
    }
    let target = empty("dst", Personality::NoMulti);
    let cut = At::Before("OK [APPENDUID".to_owned());
    let proxy = Proxy::start(
        target.port,
        Plan::default()
            .cut(Direction::Down, cut, How::Rst)
            .only_first(4),
    );
    copy(&at(&source), &by(&target, proxy.port), &["-j", "4"]).ended(0);
    assert_equal(&source, &target);
}

#[test]
fn two_folders_that_share_a_target_keep_equal_messages_apart_after_a_lost_reply() {
    let source = filled("src", messages(20));
    let mut client = Client::login(&source);
    client.create(&["other"]);
    client.append(&["other"], messages(30).into_iter());
    for personality in [Personality::Plain, Personality::NoMulti] {
        let target = empty("dst", personality);
        let cut = At::Before("OK [APPENDUID".to_owned());
        let proxy = Proxy::start(
            target.port,
            Plan::default()
                .cut(Direction::Down, cut, How::Fin)
                .only_first(1),
        );
        let run = copy(
            &at(&source),
            &by(&target, proxy.port),
            &["-j", "1", "--map", "other=INBOX"],
        )
        .ended(0);
        assert_eq!(run.count("copied"), 50);
        let mut expected = Client::login(&source)
            .snapshot()
            .content()
            .into_values()
            .flatten()
            .collect::<Vec<_>>();
        let mut got = Client::login(&target)
            .snapshot()
            .content()
            .into_values()
            .flatten()
            .collect::<Vec<_>>();
        expected.sort();
        got.sort();
        assert_eq!(expected.len(), got.len(), "{personality:?}");
        assert!(expected == got);
    }
}

#[test]
fn of_equal_messages_the_one_in_doubt_is_sent_again() {
    // Equal messages only: after the cut some are confirmed, some stored without a reply, some not
    // stored.
    for personality in [Personality::NoMulti, Personality::NoLiteral] {
        for at_reply in [1, 4] {
            let equal = |_| message(1, &"the same body\r\n".repeat(100));
            let source = filled("src", (0..90).map(equal).collect());
            let target = empty("dst", personality);
            // Both ways: a reply that is lost, then a literal that is cut.
            let cut = At::Before(format!(" {at_reply}] Append completed"));
            let plan = Plan::default()
                .cut(Direction::Down, cut, How::Fin)
                .cut(Direction::Up, At::Bytes(60_000), How::Rst)
                .only_first(2);
            let proxy = Proxy::start(target.port, plan);
            copy(&at(&source), &by(&target, proxy.port), &["-j", "1"]).ended(0);
            assert_equal(&source, &target);
        }
    }
}
