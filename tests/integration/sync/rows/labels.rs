//! Row 38: a real server, and one whose folders are labels, so one message is in several of them.

use super::meanwhile::edits;
use super::{Ground, assert_idle};
use crate::lab::gmail::{self, ALL, Labels, TRASH};
use crate::lab::mailboxes::each;
use crate::lab::proxy::{At, Direction, How, Meanwhile, Plan, Proxy};
use crate::lab::run::Run;
use crate::lab::servers::{Dovecot, Personality};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A ground of which one side has labels.
struct Labelled {
    ground: Ground,
    /// The side with labels.
    labelled: usize,
    /// The other one.
    plain: usize,
}

impl Labelled {
    fn new(labels: Labels, labelled: usize, turned: bool) -> Self {
        let (fake, account) = gmail::start(labels);
        let plain = Dovecot::shared().account("labels", Personality::Plain);
        let sides = if labelled == 0 {
            [account, plain]
        } else {
            [plain, account]
        };
        Self {
            ground: Ground {
                bare: vec![fake],
                ..Ground::of(sides, turned)
            },
            labelled,
            plain: 1 - labelled,
        }
    }

    /// On either side, and named first or second.
    fn all() -> Vec<Self> {
        let ways = [(0, false), (0, true), (1, false), (1, true)];
        ways.map(|(labelled, turned)| Self::new(Labels::Others, labelled, turned))
            .into()
    }

    fn edit(&self, side: usize, edits_: &[&str]) {
        edits(&self.ground.sides[side], edits_);
    }

    /// What leaves its last label stays in All Mail, and would be named each time.
    fn run(&self, counts: &[(&str, u64)]) -> Run {
        self.ground.run(&["--exclude", ALL]).ended(0).counts(counts)
    }

    /// What the user's own folders hold on both sides, and of the labelled side besides that All
    /// Mail and the Trash.
    #[track_caller]
    fn assert_holds(&self, own: &[(&str, &str)], all: &str, trash: &str, case: &str) {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let own: BTreeMap<String, Vec<String>> = own
            .iter()
            .map(|(name, text)| ((*name).to_owned(), words(text)))
            .collect();
        for side in [self.labelled, self.plain] {
            let mut shown = self.ground.shown(side);
            if side == self.labelled {
                assert_eq!(
                    [&shown[ALL], &shown[TRASH]],
                    [&words(all), &words(trash)],
                    "{case}: All Mail and Trash"
                );
            }
            shown.retain(|name, _| own.contains_key(name));
            assert_eq!(shown, own, "{case}: side {side}");
        }
    }

    /// What the other side's Trash holds.
    fn trash_there(&self) -> Vec<String> {
        let shown = self.ground.shown(self.plain);
        shown
            .into_iter()
            .find(|(name, _)| name.ends_with("Trash"))
            .map(|(_, messages)| messages)
            .unwrap_or_default()
    }

    #[track_caller]
    fn assert_at_rest(&self, case: &str) {
        assert_idle(&self.run(&[("failed", 0)]), case);
    }
}

const MAIL: [&str; 5] = [
    "add INBOX abc",
    "create Work",
    "create Home",
    "add Work ab",
    "add Home a",
];

/// A message that is deleted under one label stays under the others, whichever side deleted it; one
/// that is deleted under its last one goes to the Trash, also where it is deleted under several at
/// once.
#[test]
fn what_is_deleted_under_one_label_stays_under_the_others() {
    each(Labelled::all(), |on| {
        on.edit(on.labelled, &MAIL);
        on.run(&[("copied", 6)]);
        on.assert_holds(
            &[("INBOX", "a b c"), ("Work", "a b"), ("Home", "a")],
            "a b c",
            "",
            "first",
        );
        on.assert_at_rest("first");

        on.edit(on.plain, &["expunge Work a"]);
        on.run(&[("deleted", 1), ("copied", 0)]);
        on.assert_holds(
            &[("INBOX", "a b c"), ("Work", "b"), ("Home", "a")],
            "a b c",
            "",
            "deleted there",
        );
        on.assert_at_rest("deleted there");

        on.edit(on.labelled, &["expunge INBOX a"]);
        on.run(&[("deleted", 1), ("copied", 0)]);
        on.assert_holds(
            &[("INBOX", "b c"), ("Work", "b"), ("Home", "a")],
            "a b c",
            "",
            "unlabelled",
        );
        on.assert_at_rest("unlabelled");

        on.edit(on.plain, &["expunge INBOX b", "expunge Work b"]);
        on.run(&[("deleted", 2), ("copied", 0)]);
        on.assert_holds(
            &[("INBOX", "c"), ("Work", ""), ("Home", "a")],
            "a c",
            "b",
            "deleted under all",
        );
        // What is in a Trash is mail like any other.
        on.run(&[("deleted", 0), ("copied", 1)]);
        on.assert_at_rest("deleted under all");

        on.edit(on.plain, &["expunge Home a"]);
        on.run(&[("deleted", 1), ("copied", 0)]);
        on.assert_holds(
            &[("INBOX", "c"), ("Work", ""), ("Home", "")],
            "c",
            "a b",
            "deleted under the last",
        );
        on.run(&[("deleted", 0), ("copied", 1)]);
        assert_eq!(on.trash_there(), ["a", "b"]);
        on.assert_at_rest("deleted under the last");

        // The last label is taken away there, which archives the message: nothing that this side
        // could show.
        on.edit(on.labelled, &["expunge INBOX c"]);
        on.run(&[("deleted", 1), ("copied", 0)]);
        on.assert_holds(
            &[("INBOX", ""), ("Work", ""), ("Home", "")],
            "c",
            "a b",
            "archived",
        );
        on.assert_at_rest("archived");
    });
}

/// A mark is no folder, and neither is the folder's own label where it is told.
#[test]
fn marks_and_the_own_label_are_no_other_folders() {
    each(
        [
            (Labels::Others, false),
            (Labels::WithOwn, false),
            (Labels::WithOwn, true),
        ],
        |(labels, turned)| {
            let on = Labelled::new(labels, 1, turned);
            on.edit(
                on.plain,
                &[
                    "add INBOX ab",
                    "create Work",
                    "add Work bc",
                    "flag INBOX a \\Flagged",
                ],
            );
            on.run(&[("copied", 4)]);
            on.assert_holds(&[("INBOX", "aF b"), ("Work", "b c")], "aF b c", "", "first");
            on.edit(on.plain, &["expunge INBOX ab", "expunge Work c"]);
            on.run(&[("deleted", 3), ("copied", 0)]);
            on.assert_holds(&[("INBOX", ""), ("Work", "b")], "b", "aF c", "deleted");
        },
    );
}

/// Moves cross as moves, and one into the Trash is refused where it would take the message out of a
/// folder that keeps it.
#[test]
fn a_move_into_the_trash_leaves_no_other_folder() {
    each(Labelled::all(), |on| {
        on.edit(
            on.labelled,
            &["add INBOX abc", "create Work", "create Home", "add Work a"],
        );
        on.run(&[("copied", 4)]);
        on.assert_at_rest("first");
        let trash = on
            .ground
            .shown(on.plain)
            .into_keys()
            .find(|name| name.ends_with("Trash"))
            .unwrap();
        let to_trash = |letter: char| format!("move INBOX {letter} {trash}");
        on.edit(on.plain, &["move INBOX b Home", &to_trash('c')]);
        on.run(&[("moved", 2), ("copied", 0), ("deleted", 0)]);
        on.assert_holds(
            &[("INBOX", "a"), ("Work", "a"), ("Home", "b")],
            "a b",
            "c",
            "moved",
        );
        on.assert_at_rest("moved");

        on.edit(on.plain, &[&to_trash('a')]);
        for _ in 0..2 {
            let run =
                on.ground
                    .run(&[])
                    .ended(3)
                    .counts(&[("moved", 0), ("copied", 0), ("deleted", 0)]);
            assert!(run.says("they are in other folders too"), "{run:?}");
            let shown = on.ground.shown(on.labelled);
            assert_eq!(
                [&shown["INBOX"], &shown["Work"], &shown[TRASH]],
                [&["a"][..], &["a"], &["c"]]
            );
            assert_eq!(on.trash_there(), ["a", "c"]);
        }
        // Once no other folder keeps it, it goes.
        on.edit(on.labelled, &["expunge Work a"]);
        on.run(&[("moved", 1), ("deleted", 1), ("copied", 0)]);
        on.assert_holds(
            &[("INBOX", ""), ("Work", ""), ("Home", "b")],
            "b",
            "a c",
            "moved at last",
        );
        on.assert_at_rest("moved at last");
    });
}

/// A message of which no labels are told may be in any folder: it stays where it is, waits, and is
/// not copied back.
#[test]
fn a_message_without_labels_told_is_not_deleted() {
    each([false, true], |turned| {
        let on = Labelled::new(Labels::Untold, 1, turned);
        on.edit(on.plain, &["add INBOX ab"]);
        on.run(&[("copied", 2)]);
        on.edit(on.plain, &["expunge INBOX a"]);
        for _ in 0..2 {
            let run = on
                .ground
                .run(&[])
                .ended(3)
                .counts(&[("copied", 0), ("deleted", 0)]);
            assert!(run.says("doesn't say which other folders"), "{run:?}");
            assert_eq!(
                [on.labelled, on.plain].map(|side| on.ground.shown(side)["INBOX"].len()),
                [2, 1]
            );
        }
        // Gone by itself, it is gone.
        on.edit(on.labelled, &["expunge INBOX a"]);
        on.assert_at_rest("gone");
    });
}

/// A connection that is made in the middle of a run knows as well where deleted messages go.
#[test]
fn a_connection_that_breaks_changes_nothing_of_it() {
    let ways = ["X-GM-LABELS", "UID MOVE", "UID EXPUNGE"]
        .map(|command| [(command, false), (command, true)]);
    each(ways.into_iter().flatten(), |(command, turned)| {
        let mut on = Labelled::new(Labels::Others, 1, turned);
        let is_on = Arc::new(AtomicBool::new(false));
        let off = Arc::clone(&is_on);
        // Only the first connection of a run breaks.
        let plan = Plan::default()
            .cut(Direction::Up, At::After(command.to_owned()), How::Rst)
            .meanwhile(Meanwhile::before("SELECT", move || {
                off.store(false, Ordering::Relaxed);
            }))
            .only_while(&is_on);
        let proxy = Proxy::start(on.ground.sides[1].port, plan);
        on.ground.sides[1] = on.ground.sides[1].by_port(proxy.port);
        on.edit(on.plain, &["add INBOX ab", "create Work", "add Work a"]);
        on.run(&[("copied", 3)]);
        on.edit(on.plain, &["expunge INBOX ab"]);
        let before = proxy.traffic().len();
        is_on.store(true, Ordering::Relaxed);
        on.run(&[("copied", 0), ("deleted", 2)]);
        assert!(
            !is_on.load(Ordering::Relaxed) && proxy.traffic().len() > before + 1,
            "no connection broke"
        );
        on.assert_holds(&[("INBOX", ""), ("Work", "a")], "a", "b", command);
        on.run(&[("deleted", 0), ("copied", 1)]);
        on.assert_at_rest(command);
    });
}

/// Of two equal messages in one folder, a server that takes equal bytes for one message keeps one.
/// The other stays where it is, is named, not sent again by itself, and not deleted with the first;
/// nor is the first with it.
#[test]
fn a_second_copy_that_is_taken_for_the_first_is_no_pair_of_its_own() {
    each(
        [("1", false), ("2", false), ("1", true), ("2", true)],
        |(uid, turned)| {
            let on = Labelled::new(Labels::Others, 1, turned);
            on.edit(on.plain, &["add INBOX aab", "create Work", "add Work bcc"]);
            let sent = || on.ground.bare[0].lines_of("APPEND").len();
            let first =
                on.ground
                    .run(&[])
                    .ended(3)
                    .counts(&[("copied", 4), ("failed", 2), ("deleted", 0)]);
            assert!(
                first.says("treats it as a duplicate of a message already"),
                "{first:?}"
            );
            let before = sent();
            on.ground
                .run(&[])
                .ended(3)
                .counts(&[("copied", 0), ("failed", 2), ("deleted", 0)]);
            assert_eq!(sent(), before, "it was sent again");
            // One of the two is deleted, whichever is the pair's: the other one stays.
            let mut client = on.ground.client(on.plain);
            client.select(&["INBOX"]);
            client.expunge(uid);
            client.try_command("UNSELECT");
            for _ in 0..3 {
                on.ground.run(&[]);
            }
            assert_eq!(on.ground.shown(on.plain)["INBOX"], ["a", "b"], "{uid}");
            assert_eq!(on.ground.shown(on.plain)["Work"], ["b", "c", "c"], "{uid}");
            on.ground
                .run(&["--retry-refused"])
                .ended(3)
                .counts(&[("failed", 1), ("deleted", 0)]);
            assert_eq!(
                [on.plain, on.labelled].map(|side| on.ground.shown(side)["INBOX"].len()),
                [2, 2],
                "{uid}"
            );
        },
    );
}
