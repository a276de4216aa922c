//! Folders that a side has but doesn't show: a line of its listing is unreadable, missing or wrong.
//! Such a folder isn't absent: nothing is deleted, renamed or unsubscribed on the other side
//! because of it, and the run reports it.

use crate::lab::client::{Client, Snapshot};
use crate::lab::mailboxes::each;
use crate::lab::memory::{Fake, Manner};
use crate::lab::pair::{Pair, letters, snapshot};
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{End, Run, copy, folders, sync, verify};
use crate::lab::servers::{Account, Dovecot, Personality};
use crate::lab::trees::{DAMAGES, Tree};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// With LIST-EXTENDED, and with LIST, LSUB and STATUS.
const KINDS: [Personality; 2] = [Personality::Plain, Personality::Poor];

/// What becomes of the line that lists a folder, by what it says and the folder's name.
type Twist = (&'static str, fn(&str) -> String);

/// Lines that can't be read.
const UNREADABLE: [Twist; 5] = [
    ("a separator of two characters", |name| {
        format!(r#"* LIST (\HasNoChildren) ".." {name}"#)
    }),
    ("text after the name", |name| {
        format!(r#"* LIST (\HasNoChildren) "." "{name}"junk"#)
    }),
    ("attributes without parentheses", |name| {
        format!(r#"* LIST \HasNoChildren "." {name}"#)
    }),
    ("no name", |_| r#"* LIST (\HasNoChildren) ".""#.to_owned()),
    ("NIL for a name", |_| {
        r#"* LIST (\HasNoChildren) "." NIL"#.to_owned()
    }),
];

/// Lines that can be read, or are not there.
const FALSE: [Twist; 2] = [
    ("no line", |_| String::new()),
    ("a false \\Noselect", |name| {
        format!(r#"* LIST (\Noselect) "." {name}"#)
    }),
];

/// Whether a line is what LIST, XLIST or LSUB says of a folder.
fn lists(line: &str, verb: &str, name: &str) -> bool {
    line.starts_with(&format!("* {verb} ("))
        && line.trim_matches('"').ends_with(&format!(" {name}"))
        || line.starts_with(&format!("* {verb} (")) && line.ends_with(&format!("\"{name}\""))
}

/// An account behind a proxy that changes lines while it is switched on. The state knows a side by
/// its port, so all runs go through it.
struct Twisted {
    account: Account,
    is_on: Arc<AtomicBool>,
}

impl Twisted {
    fn new(
        account: &Account,
        instead: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let is_on = Arc::default();
        let proxy = Proxy::start(
            account.port,
            Plan::default().rewrite(instead).only_while(&is_on),
        );
        Self {
            account: account.by_port(proxy.port),
            is_on,
        }
    }

    /// Changes the lines that list this folder.
    fn listing(account: &Account, name: &'static str, (_, twist): Twist) -> Self {
        Self::new(account, move |line| {
            lists(line, "LIST", name).then(|| twist(name))
        })
    }

    fn while_on(&self, run: impl FnOnce() -> Run) -> Run {
        self.is_on.store(true, Ordering::Relaxed);
        let run = run();
        self.is_on.store(false, Ordering::Relaxed);
        run
    }
}

/// Two accounts, the first of which has mail in INBOX, Work and Other.
fn ground(name: &str, kind: Personality) -> Pair {
    let ground = Pair::new(name, kind);
    let mut client = Client::login(&ground.source);
    client.append(&["INBOX"], letters("inbox", 3));
    for (folder, count) in [("Work", 4), ("Other", 2)] {
        client.create(&[folder]);
        client.append(&[folder], letters(folder, count));
        client.command(&format!("SUBSCRIBE {folder}"));
    }
    ground
}

fn both(ground: &Pair) -> [Snapshot; 2] {
    [snapshot(&ground.source), snapshot(&ground.target)]
}

#[test]
fn a_mirror_deletes_no_folder_that_the_source_has_and_does_not_list() {
    let twists = UNREADABLE.into_iter().chain(FALSE);
    each(
        twists.flat_map(|twist| KINDS.map(|kind| (twist, kind))),
        |(twist, kind)| {
            let ground = ground("unlisted", kind);
            let source = Twisted::listing(&ground.source, "Work", twist);
            let state = ground.state_options();
            let go = |options: &[&str]| copy(&source.account, &ground.target, options);
            go(&state).ended(0);
            let before = both(&ground);
            let mirrors = [
                ("--delete", &state[..]),
                ("--delete", &["--no-state"]),
                ("--keep-deleted", &state),
            ];
            for (mirror, state) in mirrors {
                let name = format!("{}, {kind:?}, {mirror}, {state:?}", twist.0);
                let run =
                    source.while_on(|| go(&[&[mirror, "--max-delete", "100%"], state].concat()));
                assert_eq!(run.code, Some(3), "{name}: {run:?}");
                assert!(both(&ground) == before, "{name}: {run:?}");
                assert!(
                    !run.named("folder_failed").is_empty() && run.count("folders_failed") > 0,
                    "{name}: {run:?}"
                );
                assert_eq!(
                    run.count("deleted") + run.count("kept") + run.count("folders_deleted"),
                    0,
                    "{name}"
                );
            }
            let run = go(&[&["--delete"], &state[..]].concat());
            run.ended(0)
                .counts(&[("copied", 0), ("deleted", 0), ("folders_deleted", 0)]);
            assert!(both(&ground) == before, "{}, {kind:?}, afterwards", twist.0);
        },
    );
}

#[test]
fn a_folder_that_was_copied_before_and_is_not_listed_now_is_named() {
    each(
        FALSE
            .into_iter()
            .flat_map(|twist| KINDS.map(|kind| (twist, kind))),
        |(twist, kind)| {
            let ground = ground("unlistedcopy", kind);
            let source = Twisted::listing(&ground.source, "Work", twist);
            let state = ground.state_options();
            copy(&source.account, &ground.target, &state).ended(0);
            Client::login(&ground.source).append(&["Work"], letters("new", 1));
            for options in [&[][..], &["--move"]] {
                let run = source.while_on(|| {
                    copy(&source.account, &ground.target, &[options, &state].concat())
                });
                let name = format!("{}, {kind:?}, {options:?}: {run:?}", twist.0);
                assert_eq!(run.code, Some(3), "{name}");
                assert_eq!(run.texts("folder_failed", "folder"), ["Work"], "{name}");
            }
            let run = source.while_on(|| {
                copy(
                    &source.account,
                    &ground.target,
                    &[&["--exclude", "Work"], &state[..]].concat(),
                )
            });
            run.ended(0);
            Client::login(&ground.source).command("DELETE Work");
            copy(&source.account, &ground.target, &state).ended(0);
        },
    );
}

#[test]
fn what_may_have_been_moved_to_a_folder_that_is_not_listed_stays() {
    let cases = ["--delete", "--keep-deleted", "sync"]
        .into_iter()
        .flat_map(|verb| KINDS.map(|kind| (verb, kind)));
    each(cases, |(verb, kind)| {
        let ground = ground("unlistedmove", kind);
        let source = Twisted::listing(&ground.source, "Work", FALSE[0]);
        let state = ground.state_options();
        let go = || match verb {
            "sync" => sync(&source.account, &ground.target, &state),
            _ => copy(
                &source.account,
                &ground.target,
                &[&[verb], &state[..]].concat(),
            ),
        };
        go().ended(0);
        let mut client = Client::login(&ground.source);
        client.select(&["INBOX"]);
        client.command("UID MOVE 1 Work");
        let before = snapshot(&ground.target).content();
        let run = source.while_on(go);
        assert_eq!(run.code, Some(3), "{verb}, {kind:?}: {run:?}");
        assert!(
            run.says("INBOX: not deleted on the "),
            "{verb}, {kind:?}: {run:?}"
        );
        assert_eq!(
            snapshot(&ground.target).content(),
            before,
            "{verb}, {kind:?}: {run:?}"
        );
        go().ended(0);
        assert_eq!(
            snapshot(&ground.target).content(),
            snapshot(&ground.source).content(),
            "{verb}, {kind:?}"
        );
    });
}

#[test]
fn a_sync_deletes_no_folder_that_a_side_has_and_does_not_list() {
    let twists = UNREADABLE.into_iter().chain(FALSE);
    let cases = twists.flat_map(|twist| KINDS.map(|kind| (twist, kind)));
    each(cases, |(twist, kind)| {
        for is_first in [true, false] {
            let name = format!("{}, {kind:?}, first {is_first}", twist.0);
            let ground = ground("unlistedsync", kind);
            let here = Twisted::listing(&ground.source, "Work", twist);
            let sides = if is_first {
                [&here.account, &ground.target]
            } else {
                [&ground.target, &here.account]
            };
            let options = [&ground.state_options()[..], &["--max-delete", "100%"]].concat();
            let go = || sync(sides[0], sides[1], &options);
            go().ended(0);
            let before = both(&ground);
            let run = here.while_on(go);
            assert_eq!(run.code, Some(3), "{name}: {run:?}");
            assert!(both(&ground) == before, "{name}: {run:?}");
            assert!(
                !run.named("folder_failed").is_empty() && run.count("folders_failed") > 0,
                "{name}: {run:?}"
            );
            // What was deleted in truth is deleted afterwards, and nothing else.
            let mut client = Client::login(&ground.source);
            client.command("DELETE Work");
            client.command("UNSUBSCRIBE Work");
            go().ended(0)
                .counts(&[("deleted", 4), ("folders_deleted", 1), ("copied", 0)]);
            let [source, target] = both(&ground);
            assert_eq!(source.content(), target.content(), "{name}");
        }
    });
}

/// A folder that was deleted is no reason to delete another one, and a folder that failed may be
/// the one that is missed.
#[test]
fn a_sync_deletes_no_folder_while_another_one_of_the_listing_failed() {
    each([true, false], |is_first| {
        let ground = ground("failedsync", Personality::Poor);
        let here = Twisted::listing(&ground.source, "Other", UNREADABLE[0]);
        let sides = if is_first {
            [&here.account, &ground.target]
        } else {
            [&ground.target, &here.account]
        };
        let go = || sync(sides[0], sides[1], &ground.state_options());
        go().ended(0);
        Client::login(&ground.source).command("DELETE Work");
        let before = snapshot(&ground.target);
        let run = here.while_on(go).ended(3);
        assert!(snapshot(&ground.target) == before, "{run:?}");
        assert!(
            run.texts("folder_failed", "folder")
                .iter()
                .any(|folder| folder == "Work"),
            "{run:?}"
        );
        go().ended(0)
            .counts(&[("folders_deleted", 1), ("deleted", 4), ("copied", 0)]);
    });
}

/// Mail that is there already is not sent once more into a folder that only its listing hides.
#[test]
fn a_copy_doubles_nothing_in_a_folder_that_the_target_does_not_list() {
    let twists = UNREADABLE.into_iter().chain(FALSE);
    each(
        twists.flat_map(|twist| KINDS.map(|kind| (twist, kind))),
        |(twist, kind)| {
            let ground = ground("unlistedthere", kind);
            let target = Twisted::listing(&ground.target, "Work", twist);
            let go = |state: &[&str]| copy(&ground.source, &target.account, state);
            go(&ground.state_options()).ended(0);
            let before = both(&ground);
            for state in [&ground.state_options()[..], &["--no-state"]] {
                let run = target.while_on(|| go(state)).ended(3);
                assert!(both(&ground) == before, "{}, {kind:?}: {run:?}", twist.0);
            }
            go(&ground.state_options())
                .ended(0)
                .counts(&[("copied", 0)]);
        },
    );
}

#[test]
fn what_could_not_be_listed_is_named_by_verify_and_folders() {
    each(
        UNREADABLE
            .into_iter()
            .flat_map(|twist| KINDS.map(|kind| (twist, kind))),
        |(twist, kind)| {
            let ground = ground("unlistedseen", kind);
            copy(&ground.source, &ground.target, &[]).ended(0);
            let source = Twisted::listing(&ground.source, "Work", twist);
            let target = Twisted::listing(&ground.target, "Work", twist);
            let ways = [
                (&source.account, &ground.target),
                (&ground.source, &target.account),
            ];
            for (from, to) in ways {
                verify(from, to, &[]).ended(0);
                let run = source.while_on(|| target.while_on(|| verify(from, to, &[])));
                assert_eq!(
                    (run.code, run.summary()["equal"].as_bool()),
                    (Some(3), Some(false)),
                    "{}: {run:?}",
                    twist.0
                );
                assert!(!run.named("folder_failed").is_empty(), "{run:?}");
            }
            let run = source.while_on(|| folders(&source.account, &[])).ended(3);
            assert!(!run.named("folder_failed").is_empty(), "{run:?}");
            folders(&source.account, &[]).ended(0);
        },
    );
}

/// Subscriptions that can't be read are not ended on the other side, and neither are those that a
/// server refuses to tell.
#[test]
fn a_subscription_that_could_not_be_read_is_not_ended() {
    let unreadable =
        |line: &str| lists(line, "LSUB", "Work").then(|| r#"* LSUB () ".." Work"#.to_owned());
    each([true, false], |is_first| {
        let ground = ground("unsubscribed", Personality::Poor);
        let here = Twisted::new(&ground.source, unreadable);
        let sides = if is_first {
            [&here.account, &ground.target]
        } else {
            [&ground.target, &here.account]
        };
        let go = || sync(sides[0], sides[1], &ground.state_options());
        go().ended(0);
        let before = both(&ground);
        assert!(
            before[1]
                .subscribed
                .iter()
                .any(|name| name.contains(&"Work".to_owned())),
            "{:?}",
            before[1].subscribed
        );
        let run = here.while_on(go).ended(3);
        assert!(both(&ground) == before, "{run:?}");
        Client::login(&ground.source).command("UNSUBSCRIBE Work");
        go().ended(0);
        assert_eq!(
            snapshot(&ground.source).subscribed,
            snapshot(&ground.target).subscribed
        );
    });
}

fn with_sub(name: &str) -> Account {
    let account = Dovecot::shared().account(name, Personality::Plain);
    let mut client = Client::login(&account);
    client.append(&["INBOX"], letters("inbox", 3));
    for folder in [&["Work"][..], &["Work", "Sub"], &["Other"]] {
        client.create(folder);
        client.append(folder, letters(&folder.join(" "), 4));
        client.command(&format!("SUBSCRIBE {}", folder.join("/")));
    }
    account
}

#[test]
fn a_mirror_of_a_damaged_tree_deletes_nothing_for_the_damage() {
    each(DAMAGES, |(kind, name, damage)| {
        let account = with_sub("damaged");
        let before = snapshot(&account);
        for with_state in [true, false] {
            let tree = Tree::of(kind, &account);
            let (state, none) = (tree.state(), "--no-state".to_owned());
            let state: &[&str] = if with_state {
                &["--state", &state]
            } else {
                &[&none]
            };
            let go = || {
                copy(
                    &tree.address(),
                    &account,
                    &[&["--delete", "--max-delete", "100%"], state].concat(),
                )
            };
            go().ended(0).counts(&[("deleted", 0), ("copied", 0)]);
            damage(&tree);
            let run = go();
            assert_eq!(run.code, Some(3), "{kind}, {name}: {run:?}");
            assert!(snapshot(&account) == before, "{kind}, {name}: {run:?}");
            let named = run.texts("folder_failed", "folder").concat()
                + &run.texts("folder_failed", "reason").concat();
            assert!(named.contains("Work"), "{kind}, {name}: {run:?}");
            let run = verify(&tree.address(), &account, &[]);
            assert_ne!(
                run.summary()["equal"].as_bool(),
                Some(true),
                "{kind}, {name}: {run:?}"
            );
        }
    });
}

#[test]
fn a_sync_with_a_damaged_tree_deletes_nothing_for_the_damage() {
    each(
        DAMAGES.into_iter().zip([true, false].into_iter().cycle()),
        |((kind, name, damage), is_first)| {
            let account = with_sub("damagedsync");
            let tree = Tree::of(kind, &account);
            let (address, state) = (End::from(&tree.address()), tree.state());
            let go = || {
                let sides = [address.clone(), End::from(&account)];
                let [first, second] = if is_first {
                    sides
                } else {
                    [sides[1].clone(), sides[0].clone()]
                };
                sync(first, second, &["--state", &state, "--max-delete", "100%"])
            };
            go().ended(0);
            let before = snapshot(&account);
            damage(&tree);
            for _ in 0..2 {
                let run = go();
                assert_eq!(run.code, Some(3), "{kind}, {name}: {run:?}");
                assert!(snapshot(&account) == before, "{kind}, {name}: {run:?}");
            }
        },
    );
}

/// What a listing of the tree's own would not show is not made, and `--move` leaves its mail where
/// it is.
#[test]
fn a_folder_of_too_many_levels_is_refused_and_not_emptied() {
    let deep = vec!["a"; 60].join("/");
    let manner = Manner {
        namespace: Some(r#"(("" "/")) NIL NIL"#.to_owned()),
        ..Manner::default()
    };
    let source = Fake::start(manner, &[(&deep, "")]);
    source.put(&deep, b"Subject: deep\r\n\r\nx\r\n");
    let before = source.contents();
    let root = tempfile::tempdir().unwrap();
    let address = format!("mbox:{}", root.path().join("tree").display());
    let go = |options: &[&str]| copy(End::plain(source.server.port, ""), &address, options);
    go(&[]).ended(0).counts(&[("copied", 1)]);
    go(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 1)]);
    assert!(
        folders(&address, &[])
            .ended(0)
            .texts("folder", "name")
            .contains(&deep)
    );
    let into = vec!["b"; 50].join("/");
    let run = go(&["--into", &into, "--move"]).ended(3).counts(&[
        ("copied", 0),
        ("deleted", 0),
        ("folders_failed", 1),
    ]);
    // It could not be created, and so its message is not deleted.
    assert_eq!(run.texts("folder_failed", "folder"), [deep]);
    assert!(run.says("110 levels, and 100 are allowed"), "{run:?}");
    assert_eq!(source.contents(), before);
}
