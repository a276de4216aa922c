//! Messages that others move during a run: in the end each is in one place, and was moved rather
//! than resent.

use super::Ground;
use super::meanwhile::{Proxied, done_there_before, edits};
use crate::lab::mailboxes::each;
use crate::lab::proxy::{Meanwhile, Plan};
use crate::lab::servers::Personality;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The folders of [`moved_between_scans`], and the message in each.
const READ: [(&str, &str); 2] = [("A1", "a"), ("Z1", "b")];

/// A side on which somebody moves a message between the two folders of [`READ`] when the second of
/// them is about to be read: the message of the one that is read, or of the one that is still to be
/// read.
fn moved_between_scans(ground: &mut Ground, of_read: bool) -> Proxied {
    let (own, is_second) = (ground.sides[1].clone(), Arc::new(AtomicBool::new(false)));
    let meanwhile = [0, 1].map(|at| {
        let (own, is_second) = (own.clone(), Arc::clone(&is_second));
        let act = move || {
            if is_second.swap(true, Ordering::Relaxed) {
                // The server answers what came before.
                std::thread::sleep(Duration::from_millis(150));
                let ((folder, name), (to, _)) = if of_read {
                    (READ[1 - at], READ[at])
                } else {
                    (READ[at], READ[1 - at])
                };
                edits(&own, &[&format!("move {folder} {name} {to}")]);
            }
        };
        Meanwhile::before(&format!("SELECT \"{}\"", READ[at].0), act)
    });
    let proxied = Proxied::new(
        ground,
        1,
        meanwhile.into_iter().fold(Plan::default(), Plan::meanwhile),
    );
    edits(
        &ground.sides[0],
        &[
            "create A1",
            "create B1",
            "create Z1",
            "add A1 ac",
            "add Z1 bd",
        ],
    );
    ground.run(&[]).ended(0);
    proxied
}

/// The message that somebody has moved there, by name, and where it is.
fn moved(ground: &Ground) -> (&'static str, &'static str) {
    let shown = ground.shown(1);
    let has = |folder: &str, name: &str| shown[folder].iter().any(|of| of.starts_with(name));
    if has("Z1", "a") {
        ("a", "Z1")
    } else {
        ("b", "A1")
    }
}

/// The folders of both sides in which a message is, after a further run has nothing left to do.
#[track_caller]
fn places(ground: &Ground, name: &str) -> Vec<String> {
    ground.run(&[]).ended(0);
    ground.assert_at_rest(name);
    let shown = ground.shown(0);
    shown
        .iter()
        .flat_map(|(folder, found)| {
            found
                .iter()
                .filter(|of| *of == name)
                .map(|_| folder.clone())
        })
        .collect()
}

/// Where there is no MOVE, a message is copied and then removed. Who moves it between the two has
/// it in one place in the end: where both moved it, or where the first did.
#[test]
fn a_message_that_is_moved_while_the_run_moves_it_is_there_once() {
    let elsewhere: [(&[&str], [&str; 2]); 2] = [
        (&["move INBOX a F1"], ["F1", "F1"]),
        (&["move INBOX a F2"], ["F1", "F2"]),
    ];
    each(
        elsewhere
            .into_iter()
            .flat_map(|way| [(way, false), (way, true)]),
        |((done, places_of), turned)| {
            let mut ground = Ground::new("overtaken", Personality::Poor, turned);
            let proxied = done_there_before(&mut ground, "UID STORE", done);
            edits(
                &ground.sides[0],
                &["add INBOX abc", "create F1", "create F2"],
            );
            ground.run(&[]).ended(0);
            edits(&ground.sides[0], &["move INBOX a F1"]);
            let run = proxied.run(&ground, "UID COPY");
            assert!(run.says("the duplicate was removed"), "{run:?}");
            assert_eq!(
                places(&ground, "a"),
                [places_of[usize::from(turned)]],
                "{done:?}, turned {turned}"
            );
        },
    );
}

/// A side's folders are read one after the other: a message that is moved from one that is still to
/// be read to one that was read is in neither. It is not taken for deleted.
#[test]
fn a_message_that_no_scan_shows_is_looked_for_before_the_run_ends() {
    each([false, true], |turned| {
        let mut ground = Ground::new("unseen", Personality::Plain, turned);
        let proxied = moved_between_scans(&mut ground, false);
        edits(&ground.sides[0], &["move A1 a B1", "move Z1 b B1"]);
        let run = proxied.run(&ground, "SELECT");
        assert!(run.says("the duplicate was removed"), "{run:?}");
        let (name, there) = moved(&ground);
        assert_eq!(
            places(&ground, name),
            [if turned { there } else { "B1" }],
            "turned {turned}"
        );
    });
}

/// The other way round it is in both. It is no new mail in the second one.
#[test]
fn a_message_that_two_scans_show_is_moved_and_not_sent() {
    each([false, true], |turned| {
        let mut ground = Ground::new("seentwice", Personality::Plain, turned);
        let proxied = moved_between_scans(&mut ground, true);
        // Both are to be read.
        edits(&ground.sides[0], &["flag A1 c \\Seen", "flag Z1 d \\Seen"]);
        proxied
            .run(&ground, "SELECT")
            .ended(0)
            .counts(&[("copied", 0)]);
        let (name, there) = moved(&ground);
        edits(
            &ground.sides[0],
            &[&format!(
                "move {} {name} B1",
                if name == "a" { "A1" } else { "Z1" }
            )],
        );
        assert_eq!(
            places(&ground, name),
            [if turned { there } else { "B1" }],
            "turned {turned}"
        );
    });
}

/// Where there is no UIDPLUS, what somebody else has marked as deleted keeps messages from leaving
/// their folder: they are not copied to another one either, where they would be twice.
#[test]
fn a_message_that_can_not_leave_is_not_copied() {
    each([false, true], |turned| {
        let ground = Ground::new("marked", Personality::Poor, turned);
        edits(&ground.sides[0], &["add INBOX abc", "create F1"]);
        ground.run(&[]).ended(0);
        edits(&ground.sides[1], &["flag INBOX b \\Deleted"]);
        edits(&ground.sides[0], &["move INBOX a F1"]);
        let run = ground.run(&[]).ended(3);
        assert!(run.says("other messages in it are marked"), "{run:?}");
        assert_eq!(ground.shown(1)["F1"], [""; 0], "turned {turned}");
        edits(&ground.sides[1], &["unflag INBOX b \\Deleted"]);
        assert_eq!(places(&ground, "a"), ["F1"], "turned {turned}");
    });
}

/// A message leaves a folder that nobody reads, as it has not changed since the last run, for one
/// that is about to be read: it is no new mail there. What is done to it on the other side before
/// the next run meets that one message.
#[test]
fn a_message_that_leaves_a_folder_at_rest_meanwhile_is_not_taken_for_another() {
    each([false, true], |turned| {
        let mut ground = Ground::new("rest", Personality::Plain, turned);
        let proxied = done_there_before(&mut ground, r#"SELECT "INBOX""#, &["move Other b INBOX"]);
        edits(
            &ground.sides[0],
            &[
                "add INBOX a",
                "create Other",
                "add Other bc",
                "create Archive",
                "add Archive d",
            ],
        );
        ground.run(&[]).ended(0);
        ground.assert_at_rest("before");
        edits(&ground.sides[1], &["add INBOX e"]);
        proxied
            .run(&ground, "SELECT")
            .ended(0)
            .counts(&[("copied", 1)]);
        edits(&ground.sides[0], &["move Other b Archive"]);
        ground.run(&[]).ended(0).counts(&[("copied", 0)]);
        assert_eq!(places(&ground, "b").len(), 1, "turned {turned}");
    });
}

/// New mail that both sides have is moved on one side between the scans of two folders, which then
/// both show it: it is one message.
#[test]
fn new_mail_that_is_moved_while_folders_are_read_is_not_taken_for_two() {
    each([false, true], |turned| {
        let mut ground = Ground::new("between", Personality::Plain, turned);
        let own = ground.sides[1].clone();
        let moves = move || {
            // What was asked of Archive in the same flight is answered by then.
            std::thread::sleep(Duration::from_millis(500));
            edits(&own, &["move Archive b Other"]);
        };
        let meanwhile = Meanwhile::before(r#"SELECT "Other""#, moves);
        let proxied = Proxied::new(&mut ground, 1, Plan::default().meanwhile(meanwhile));
        edits(
            &ground.sides[0],
            &[
                "create Other",
                "add Other c",
                "create Archive",
                "add Archive d",
            ],
        );
        ground.run(&[]).ended(0);
        edits(&ground.sides[0], &["add Archive b"]);
        edits(&ground.sides[1], &["add Archive b", "add Other e"]);
        proxied
            .run(&ground, "SELECT")
            .ended(0)
            .counts(&[("copied", 1)]);
        edits(&ground.sides[0], &["move Archive b Other"]);
        ground.run(&[]).ended(0).counts(&[("copied", 0)]);
        ground.assert_at_rest("between");
        assert_eq!(ground.shown(1)["Other"], ["b", "c", "e"]);
    });
}

/// What has a new pair by the end of a run, and is moved again before that, is a message that was
/// moved: the pair that it had before is not taken up again beside the new one, which would hide
/// that.
#[test]
fn what_has_got_a_new_place_and_is_moved_again_meanwhile_is_moved_by_the_next_run() {
    const TO_ONE: [&str; 2] = ["move INBOX b Archive"; 2];
    const APART: [&str; 2] = ["move INBOX b Other", "move INBOX b Archive"];
    // Where it is on the side that is meddled with: what the first side did counts.
    let cases: [([&str; 2], bool, &[&str]); 4] = [
        (TO_ONE, false, &["move Archive b Third"]),
        (TO_ONE, true, &["move Archive b Third"]),
        (APART, false, &["move Other b Third"]),
        (APART, true, &["move Archive b Third"]),
    ];
    each(cases, |(before, turned, meanwhile)| {
        let case = format!("{before:?}, turned {turned}");
        let mut ground = Ground::new("again", Personality::Plain, turned);
        let proxied = done_there_before(&mut ground, "APPEND", meanwhile);
        edits(
            &ground.sides[0],
            &[
                "create Archive",
                "create Other",
                "create Third",
                "add INBOX ab",
            ],
        );
        ground.run(&[]).ended(0);
        edits(&ground.sides[0], &[before[0], "add INBOX e"]);
        edits(&ground.sides[1], &[before[1]]);
        proxied
            .run(&ground, "APPEND")
            .ended(0)
            .counts(&[("copied", 1)]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("moved", 1), ("copied", 0), ("deleted", 0)]);
        ground.assert_at_rest(&case);
        assert_eq!(ground.shown(0)["Third"], ["b"], "{case}");
    });
}

/// A server without MOVE copies a message and then removes it, and somebody moves it in between,
/// and the copy as well: it is there once.
#[test]
fn a_copy_that_is_moved_as_well_is_taken_back() {
    each([false, true], |turned| {
        let mut ground = Ground::new("copy", Personality::Poor, turned);
        let own = ground.sides[1].clone();
        let before = |command: &str, done: &'static str| {
            let own = own.clone();
            Meanwhile::before(command, move || edits(&own, &[done]))
        };
        let plan = Plan::default()
            .meanwhile(before("UID STORE", "move INBOX b Other"))
            .meanwhile(before("APPEND", "move Archive b Third"));
        let proxied = Proxied::new(&mut ground, 1, plan);
        edits(
            &ground.sides[0],
            &[
                "create Archive",
                "create Other",
                "create Third",
                "add INBOX ab",
            ],
        );
        ground.run(&[]).ended(0);
        edits(&ground.sides[0], &["move INBOX b Archive", "add INBOX e"]);
        let run = proxied.run(&ground, "APPEND").ended(0);
        assert!(run.says("the duplicate was removed"), "{run:?}");
        assert_eq!(places(&ground, "b").len(), 1, "turned {turned}");
    });
}

/// A message without a Message-ID is read before it is taken for one that was moved. If it is gone
/// by then it was moved again, or deleted: the next run sees which.
#[test]
fn what_is_gone_when_it_is_compared_is_left_to_the_next_run() {
    each([false, true], |turned| {
        let mut ground = Ground::new("compared", Personality::Plain, turned);
        let proxied = done_there_before(
            &mut ground,
            "UID FETCH 1 (UID BODY.PEEK[]",
            &["move Archive B Other"],
        );
        edits(
            &ground.sides[0],
            &["create Archive", "create Other", "add INBOX aB"],
        );
        ground.run(&[]).ended(0);
        edits(&ground.sides[1], &["move INBOX B Archive"]);
        proxied.run(&ground, "BODY.PEEK[]").ended(0).counts(&[
            ("moved", 0),
            ("copied", 0),
            ("deleted", 0),
        ]);
        ground
            .run(&[])
            .ended(0)
            .counts(&[("moved", 1), ("copied", 0), ("deleted", 0)]);
        ground.assert_at_rest("compared");
        assert_eq!(ground.shown(0)["Other"], ["B"]);
    });
}
