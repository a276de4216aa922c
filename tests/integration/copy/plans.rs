//! Saved plans: they are applied exactly, and what has changed since is skipped and reported.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::mailboxes::each;
use crate::lab::pair::{Pair, letter, letters, snapshot};
use crate::lab::proxy::{Answer, Plan, Proxy};
use crate::lab::run::{Run, Running, mailferry, run, verify};
use crate::lab::servers::{PASSWORD, Personality};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Servers with nearly every extension, and with none.
const KINDS: [Personality; 2] = [Personality::Plain, Personality::Poor];

/// A pair of mailboxes with a plan between them.
struct Ground {
    pair: Pair,
    plan: String,
    with_state: bool,
}

impl Ground {
    fn new(name: &str, kind: Personality) -> Self {
        let pair = Pair::new(name, kind);
        let plan = pair.state.path().join("a.plan").display().to_string();
        Self {
            pair,
            plan,
            with_state: true,
        }
    }

    fn without_state(self) -> Self {
        Self {
            with_state: false,
            ..self
        }
    }

    fn copy(&self, options: &[&str]) -> Run {
        if self.with_state {
            self.pair.copy(options)
        } else {
            self.pair.copy_without_state(options)
        }
    }

    /// A dry run that saves its plan.
    fn save(&self, options: &[&str]) -> Run {
        let run = self.copy(&[&["--dry-run", "--save-plan", &self.plan], options].concat());
        let mode = std::fs::metadata(&self.plan).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&self.plan).unwrap();
        assert!(
            !text.contains(&self.pair.source.password),
            "a secret is in the plan"
        );
        run
    }

    fn apply(&self, options: &[&str]) -> Run {
        run(&[&["apply", &self.plan, "--output", "json"], options].concat())
    }

    fn source(&self) -> Client {
        Client::login(&self.pair.source)
    }

    fn target(&self) -> Client {
        Client::login(&self.pair.target)
    }
}

/// The reasons for which folders were left alone, each with its folder.
fn refused(run: &Run) -> Vec<(String, String)> {
    let text = |event: &serde_json::Value, member: &str| event[member].as_str().unwrap().to_owned();
    run.named("folder_failed")
        .iter()
        .map(|event| (text(event, "folder"), text(event, "reason")))
        .collect()
}

#[test]
fn a_plan_is_carried_out_and_what_came_since_is_left_alone() {
    each(KINDS, |kind| {
        let ground = Ground::new("planwhole", kind);
        let mut client = ground.source();
        for folder in ["Work", "Idle", "Later"] {
            client.create(&[folder]);
        }
        client.append(&["INBOX"], letters("mail", 5));
        client.append(&["Idle"], letters("idle", 2));
        ground
            .copy(&["--exclude", "Work", "--exclude", "Later"])
            .ended(0)
            .counts(&[("copied", 7)]);
        client.select(&["INBOX"]);
        client.store("2:3", "+FLAGS", "\\Flagged");
        client.append(&["Work"], letters("work", 3));
        client.subscribe(&["Work"]);
        let foreseen = [("copied", 3), ("flags_updated", 2), ("folders_created", 2)];
        ground.save(&[]).ended(0).counts(&foreseen);
        assert_eq!(
            snapshot(&ground.pair.target).count(),
            7,
            "a dry run writes nothing"
        );

        // New folders, and new mail where the plan has nothing to do.
        client.append(&["Idle"], letters("more", 2));
        client.create(&["New"]);
        client.append(&["New"], letters("new", 1));
        ground.apply(&["--dry-run"]).ended(0).counts(&foreseen);
        assert_eq!(
            snapshot(&ground.pair.target).count(),
            7,
            "a dry run writes nothing"
        );
        let done = ground
            .apply(&[])
            .ended(0)
            .counts(&foreseen)
            .counts(&[("failed", 0), ("folders_failed", 0)]);
        assert_eq!(done.summary()["command"], "apply");
        assert!(done.says("left alone"), "{}", done.stderr);
        let there = snapshot(&ground.pair.target);
        assert_eq!(
            (
                there.folder(&["Work"]).len(),
                there.folder(&["Idle"]).len(),
                there.count()
            ),
            (3, 2, 10)
        );
        assert!(!there.folders.contains_key(&vec!["New".to_owned()]));
        assert!(
            there.subscribed.iter().any(|name| *name == ["Work"]),
            "{:?}",
            there.subscribed
        );

        // Again: all of it is there. And what was left alone comes with the next copy.
        ground.apply(&[]).ended(0).counts(&[
            ("copied", 0),
            ("flags_updated", 0),
            ("folders_created", 0),
        ]);
        ground
            .copy(&[])
            .ended(0)
            .counts(&[("copied", 3), ("flags_updated", 0)]);
        ground.pair.assert_equal();
    });
}

#[test]
fn a_planned_move_that_could_not_be_carried_out_is_named() {
    each(KINDS, |kind| {
        let mut ground = Ground::new("planmove", kind);
        let is_on = Arc::new(AtomicBool::new(false));
        // The first time INBOX is compared, the second time it is looked at for what may move.
        let closed = Plan::default().answer(Answer::instead(
            "EXAMINE \"INBOX\"",
            2,
            "NO [UNAVAILABLE] not now",
        ));
        let proxy = Proxy::start(ground.pair.target.port, closed.only_while(&is_on));
        ground.pair.target = ground.pair.target.by_port(proxy.port);
        let mut client = ground.source();
        client.create(&["Work"]);
        client.append(&["INBOX"], letters("mail", 5));
        client.append(&["Work"], letters("work", 5));
        ground.copy(&[]).ended(0);
        client.select(&["INBOX"]);
        client.command("UID MOVE 2 Work");
        ground
            .save(&["--delete"])
            .ended(0)
            .counts(&[("copied_server_side", 1)]);
        is_on.store(true, Ordering::Relaxed);
        let run = ground.apply(&[]).ended(3);
        is_on.store(false, Ordering::Relaxed);
        let reasons = refused(&run);
        assert!(
            reasons.len() == 1 && reasons[0].0 == "INBOX" && reasons[0].1.contains("still there"),
            "{reasons:?}"
        );
        ground.copy(&["--delete"]).ended(0);
        ground.pair.assert_equal();
    });
}

#[test]
fn mail_that_arrives_keeps_nothing_of_a_plan_from_being_done() {
    each(KINDS, |kind| {
        let ground = Ground::new("planbusy", kind);
        let mut client = ground.source();
        client.append(&["INBOX"], letters("mail", 6));
        ground.copy(&[]).ended(0).counts(&[("copied", 6)]);
        client.select(&["INBOX"]);
        client.expunge("1");
        client.store("2", "+FLAGS", "\\Flagged");
        client.append(&["INBOX"], letters("planned", 2));
        let foreseen = [("copied", 2), ("deleted", 1), ("flags_updated", 1)];
        ground.save(&["--delete"]).ended(0).counts(&foreseen);

        // Mail arrives on both sides, and once the same on both.
        client.append(&["INBOX"], letters("arrived", 1).chain(letters("both", 1)));
        ground
            .target()
            .append(&["INBOX"], letters("both", 1).chain(letters("there", 1)));
        let run = ground
            .apply(&[])
            .ended(0)
            .counts(&foreseen)
            .counts(&[("failed", 0), ("folders_failed", 0)]);
        for side in ["source", "target"] {
            assert!(
                run.says(&format!("INBOX: 2 new messages on the {side}")),
                "{}",
                run.stderr
            );
        }
        assert!(run.says("not in the plan"), "{}", run.stderr);
        assert_eq!(
            (
                snapshot(&ground.pair.source).count(),
                snapshot(&ground.pair.target).count()
            ),
            (9, 9)
        );
        // Once more, after a message of the plan has arrived: there is nothing left to do.
        ground
            .apply(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0), ("flags_updated", 0)]);
        ground
            .copy(&["--delete"])
            .ended(0)
            .counts(&[("copied", 1), ("deleted", 1)]);
        ground.pair.assert_equal();
    });
}

#[test]
fn what_changed_on_either_side_is_refused_folder_by_folder_and_said() {
    each(KINDS, |kind| {
        for with_state in [true, false] {
            let ground = Ground::new("planchanged", kind);
            let ground = if with_state {
                ground
            } else {
                ground.without_state()
            };
            let mut client = ground.source();
            let folders = [
                "anew", "arrived", "gone", "flagged", "there", "lost", "good",
            ];
            for folder in folders {
                client.create(&[folder]);
                client.append(&[folder], letters(folder, 4));
            }
            ground.copy(&[]).ended(0).counts(&[("copied", 28)]);
            for folder in folders {
                client.append(&[folder], letters(&format!("{folder} late"), 2));
            }
            ground.save(&[]).ended(0).counts(&[("copied", 14)]);

            client.command(&format!("DELETE {}", client.name(&["anew"])));
            client.create(&["anew"]);
            client.append(&["anew"], letters("anew", 6));
            client.append(&["arrived"], letters("arrived since", 1));
            client.select(&["gone"]);
            client.expunge("1,5");
            client.select(&["flagged"]);
            client.store("6", "+FLAGS", "\\Seen");
            let mut other = ground.target();
            other.append(&["there"], letters("of another", 1));
            other.select(&["lost"]);
            other.expunge("3");

            for options in [&["--dry-run"][..], &[]] {
                let run = ground
                    .apply(options)
                    .ended(3)
                    .counts(&[("folders_failed", 4)]);
                assert_eq!(run.summary()["status"], "partial");
                let found = refused(&run);
                for (folder, words) in [
                    ("anew", "on the source, UIDVALIDITY was "),
                    ("gone", "2 messages are gone from the source"),
                    ("flagged", "1 message has different flags on the source"),
                    ("lost", "1 message is gone from the target"),
                ] {
                    let is_told = found
                        .iter()
                        .any(|(name, reason)| name == folder && reason.contains(words));
                    assert!(is_told, "{folder}: {words} in {found:#?}");
                }
                for news in [
                    "arrived: 1 new message on the source, UIDNEXT was 7 and is now 8; not in the plan, left alone",
                    "there: 1 new message on the target, UIDNEXT was 5 and is now 6; not in the plan, left alone",
                ] {
                    assert!(run.says(news), "{news} in {}", run.stderr);
                }
            }
            let there = snapshot(&ground.pair.target);
            let counts = folders.map(|folder| there.folder(&[folder]).len());
            assert_eq!(counts, [4, 6, 4, 4, 7, 3, 6], "{folders:?}");
        }
    });
}

#[test]
fn a_mirrors_plan_deletes_what_it_names_and_nothing_else() {
    each(KINDS, |kind| {
        let ground = Ground::new("plandelete", kind);
        let mut client = ground.source();
        for folder in ["Old", "Kept", "Marked", "Emptied"] {
            client.create(&[folder]);
            client.append(&[folder], letters(folder, 3));
        }
        client.append(&["INBOX"], letters("mail", 6));
        ground.copy(&[]).ended(0).counts(&[("copied", 18)]);
        client.select(&["INBOX"]);
        client.expunge("2:3");
        client.select(&["Marked"]);
        client.expunge("1:2");
        client.command(&format!("DELETE {}", client.name(&["Old"])));
        client.command(&format!("DELETE {}", client.name(&["Emptied"])));
        ground.save(&["--delete"]).ended(0).counts(&[
            ("deleted", 10),
            ("folders_deleted", 2),
            ("copied", 0),
        ]);

        // Somebody wants one of them after all; another folder goes on the source only now.
        let mut other = ground.target();
        other.select(&["Marked"]);
        other.store("1", "+FLAGS", "\\Flagged");
        other.append(&["Emptied"], letters("in between", 1));
        client.command(&format!("DELETE {}", client.name(&["Kept"])));
        let run = ground.apply(&[]).ended(3);
        let found = refused(&run);
        let told = |folder: &str, words: &str| {
            found
                .iter()
                .any(|(name, why)| name == folder && why.contains(words))
        };
        assert!(
            told(
                "Marked",
                "1 message is to be deleted and has different flags"
            ),
            "{found:?}"
        );
        assert!(
            told("Emptied", "skipped, changed since the plan was made")
                && found.len() == 2 + usize::from(told("Old", "")),
            "{found:?}"
        );
        run.counts(&[("deleted", 2), ("folders_deleted", 0)]);
        let there = snapshot(&ground.pair.target);
        let count = |folder: &str| there.folder(&[folder]).len();
        assert_eq!(
            (
                count("INBOX"),
                count("Marked"),
                count("Emptied"),
                count("Kept")
            ),
            (4, 3, 4, 3)
        );

        // A new plan has it all, and is carried out to the last message.
        ground.save(&["--delete", "--max-delete", "100%"]).ended(0);
        ground.apply(&[]).ended(0);
        ground.pair.assert_equal();
        verify(&ground.pair.source, &ground.pair.target, &["--deep"]).ended(0);
    });
}

#[test]
fn the_brake_counts_for_a_plan_too() {
    let ground = Ground::new("planbrake", Personality::Plain);
    let mut client = ground.source();
    client.append(&["INBOX"], letters("mail", 60));
    ground.copy(&[]).ended(0);
    client.select(&["INBOX"]);
    client.expunge("1:50");
    ground
        .save(&["--delete"])
        .ended(9)
        .counts(&[("deleted", 0)]);
    ground.apply(&[]).ended(0).counts(&[("deleted", 0)]);
    assert_eq!(snapshot(&ground.pair.target).count(), 60);
    ground
        .save(&["--delete", "--max-delete", "50"])
        .ended(0)
        .counts(&[("deleted", 50)]);
    ground.apply(&[]).ended(0).counts(&[("deleted", 50)]);
    assert_eq!(snapshot(&ground.pair.target).count(), 10);
}

#[test]
fn moves_copies_and_renames_on_the_target_are_in_a_plan() {
    each(KINDS, |kind| {
        let ground = Ground::new("planmoves", kind);
        let mut client = ground.source();
        for folder in ["Archive", "Project"] {
            client.create(&[folder]);
        }
        client.append(&["INBOX"], letters("mail", 5));
        client.append(&["Project"], letters("project", 3));
        ground.copy(&[]).ended(0);
        client.select(&["INBOX"]);
        client.command(&format!("UID COPY 2 {}", client.name(&["Archive"])));
        client.expunge("2");
        client.command(&format!(
            "RENAME {} {}",
            client.name(&["Project"]),
            client.name(&["Renamed"])
        ));
        ground.save(&["--delete"]).ended(0).counts(&[
            ("copied", 1),
            ("folders_renamed", 1),
            ("deleted", 0),
        ]);
        let done = ground.apply(&[]).ended(0);
        done.counts(&[
            ("copied", 1),
            ("copied_server_side", 1),
            ("folders_renamed", 1),
            ("bytes_copied", 0),
        ]);
        ground.pair.assert_equal();
        ground
            .apply(&[])
            .ended(0)
            .counts(&[("copied", 0), ("folders_renamed", 0), ("deleted", 0)]);
    });
}

#[test]
fn a_rename_is_held_back_where_its_folder_has_changed() {
    let ground = Ground::new("planrename", Personality::Plain);
    let mut client = ground.source();
    for folder in [&["Project"][..], &["Project", "Part"]] {
        client.create(folder);
        client.append(folder, letters(&folder.join(" "), 3));
    }
    ground.copy(&[]).ended(0);
    client.command("RENAME Project Renamed");
    ground.save(&[]).ended(0).counts(&[("folders_renamed", 2)]);
    client.append(&["Renamed", "Part"], letters("since", 1));
    let run = ground.apply(&[]).ended(3).counts(&[
        ("folders_renamed", 0),
        ("folders_created", 0),
        ("copied", 0),
    ]);
    let mut names: Vec<String> = refused(&run).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["Renamed", "Renamed/Part"]);
    assert!(
        snapshot(&ground.pair.target)
            .folders
            .contains_key(&vec!["Project".to_owned(), "Part".to_owned()])
    );
}

#[test]
fn a_move_empties_the_source_of_what_the_plan_names() {
    let ground = Ground::new("planempty", Personality::Plain);
    let mut client = ground.source();
    client.append(&["INBOX"], letters("mail", 8));
    ground
        .save(&["--move"])
        .ended(0)
        .counts(&[("copied", 8), ("deleted", 8)]);
    client.append(&["INBOX"], letters("since", 1));
    let run = ground
        .apply(&[])
        .ended(0)
        .counts(&[("copied", 8), ("deleted", 8)]);
    assert!(
        run.says("INBOX: 1 new message on the source") && run.says("not in the plan"),
        "{}",
        run.stderr
    );
    assert_eq!(
        (
            snapshot(&ground.pair.source).count(),
            snapshot(&ground.pair.target).count()
        ),
        (1, 8)
    );
    ground.save(&["--move"]).ended(0);
    ground
        .apply(&[])
        .ended(0)
        .counts(&[("copied", 1), ("deleted", 1)]);
    assert_eq!(
        (
            snapshot(&ground.pair.source).count(),
            snapshot(&ground.pair.target).count()
        ),
        (0, 9)
    );
    ground
        .apply(&[])
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 0)]);
}

#[test]
fn a_plan_that_was_cut_short_goes_on_where_it_stopped() {
    let ground = Ground::new("planshort", Personality::Plain);
    let mut client = ground.source();
    client.create(&["Large"]);
    client.append(&["Large"], letters("large", 600));
    client.append(&["INBOX"], letters("mail", 200));
    client.select(&["INBOX"]);
    client.store("1:100", "+FLAGS", "\\Seen $Work");
    ground.save(&[]).ended(0).counts(&[("copied", 800)]);
    let mut was_cut = 0;
    for lines in [40, 150, 300, 100] {
        let running = Running::start(&[
            "apply",
            &ground.plan,
            "--output",
            "json",
            "-vv",
            "-j",
            "1",
            "--limit-rate",
            "80k",
        ]);
        running.has_ended_before("message_copied", lines);
        was_cut += usize::from(running.kill());
    }
    assert!(was_cut >= 2, "the runs ended before they could be killed");
    let rest = ground.apply(&[]).ended(0);
    assert!(rest.count("copied") < 800, "{}", rest.summary());
    ground.pair.assert_equal();
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 800)]);
}

#[test]
fn a_plan_and_a_copy_of_the_same_pair_exclude_each_other() {
    let ground = Ground::new("planlock", Personality::Plain);
    let mut client = ground.source();
    client.append(&["INBOX"], letters("mail", 300));
    ground.save(&[]).ended(0);
    let running = Running::start(&[
        "apply",
        &ground.plan,
        "--output",
        "json",
        "-vv",
        "-j",
        "1",
        "--limit-rate",
        "4k",
    ]);
    running.wait_for_line_with("message_copied");
    ground.copy(&[]).ended(7);
    assert!(running.kill(), "it ended before the other one was refused");
}

#[test]
fn what_is_no_plan_is_refused_and_said() {
    let ground = Ground::new("plannone", Personality::Plain);
    ground
        .source()
        .append(&["INBOX"], std::iter::once(letter("one")));
    ground.save(&[]).ended(0);
    let whole = std::fs::read_to_string(&ground.plan).unwrap();
    let path = ground
        .pair
        .state
        .path()
        .join("b.plan")
        .display()
        .to_string();
    let said = |text: &str, words: &[&str]| {
        std::fs::write(&path, text).unwrap();
        let run = run(&["apply", &path]).ended(2);
        for word in words {
            assert!(run.stderr.contains(word), "{word} in {}", run.stderr);
        }
    };
    said("hello\n", &["not a mailferry plan", "--save-plan"]);
    said(
        &whole.replacen("\"mailferry_plan\":1", "\"mailferry_plan\":7", 1),
        &["newer mailferry (format 7"],
    );
    said(&whole[..whole.len() / 2], &["damaged or was edited"]);
    said(
        &whole.replacen("\"uids\":\"1\"", "\"uids\":\"1:9\"", 1),
        &["damaged or was edited", "checksum"],
    );
    assert!(
        run(&["apply", "/nonexistent/plan"])
            .ended(2)
            .stderr
            .contains("No such file")
    );
    std::fs::write(&path, &whole).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(
        run(&["apply", &path])
            .ended(2)
            .stderr
            .contains("writable by others")
    );
    // Nothing was written by any of them.
    assert_eq!(snapshot(&ground.pair.target).count(), 0);
    let (source, target) = (
        ground.pair.source.plain_address(),
        ground.pair.target.plain_address(),
    );
    let no_dry_run = run(&["copy", "--save-plan", &path, &source, &target]).ended(2);
    assert!(
        no_dry_run.stderr.contains("--dry-run"),
        "{}",
        no_dry_run.stderr
    );
    let no_copy = run(&["sync", "--dry-run", "--save-plan", &path, &source, &target]).ended(2);
    assert!(
        no_copy.stderr.contains("only a copy's plan can be saved"),
        "{}",
        no_copy.stderr
    );
}

#[test]
fn an_accounts_name_finds_its_password_and_must_mean_the_same_mailbox() {
    let ground = Ground::new("planaccount", Personality::Plain);
    ground.source().append(&["INBOX"], letters("mail", 2));
    let path = ground.pair.state.path().join("config.toml");
    let config = path.display().to_string();
    let write = |source: &str| {
        let text = format!(
            "[account.from]\naddress = \"{source}\"\npassword-command = \"echo {PASSWORD}\"\n[account.to]\naddress = \"{}\"\n\
             password-command = \"echo {PASSWORD}\"\n",
            ground.pair.target.plain_address()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let go = |arguments: &[&str]| {
        let mut command = mailferry(&[&["--config", &config], arguments].concat());
        Run::of(
            command
                .env_remove("MAILFERRY_SOURCE_PASSWORD")
                .env_remove("MAILFERRY_TARGET_PASSWORD"),
        )
    };
    write(&ground.pair.source.plain_address());
    go(&[
        "copy",
        "--dry-run",
        "--no-state",
        "--save-plan",
        &ground.plan,
        "from",
        "to",
    ])
    .ended(0);
    assert!(
        !std::fs::read_to_string(&ground.plan)
            .unwrap()
            .contains("echo")
    );
    write(&ground.pair.target.plain_address());
    assert!(
        go(&["apply", &ground.plan])
            .ended(2)
            .stderr
            .contains("the plan was made for")
    );
    write(&ground.pair.source.plain_address());
    go(&["apply", &ground.plan]).ended(0);
    assert_eq!(snapshot(&ground.pair.target).count(), 2);
}

#[test]
fn directories_are_in_plans_where_their_numbers_last() {
    let ground = Ground::new("plandisk", Personality::Plain).without_state();
    ground.source().append(&["INBOX"], letters("mail", 4));
    let tree = ground.pair.state.path().join("tree");
    let address = format!("maildir:{}", tree.display());
    let source = ground.pair.source.plain_address();
    let save = |from: &str, to: &str| {
        run(&[
            "copy",
            "--dry-run",
            "--output",
            "json",
            "--no-state",
            "--save-plan",
            &ground.plan,
            from,
            to,
        ])
    };
    save(&source, &address).ended(0).counts(&[("copied", 4)]);
    assert!(!tree.exists(), "a dry run makes nothing");
    ground.apply(&[]).ended(0).counts(&[("copied", 4)]);
    // The way back, from numbers of our own.
    save(&address, &ground.pair.target.plain_address()).ended(0);
    ground.apply(&[]).ended(0).counts(&[("copied", 4)]);
    ground.pair.assert_equal();
    // A tree that nobody has numbered.
    let other = ground.pair.state.path().join("other");
    for name in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(other.join(name)).unwrap();
    }
    std::fs::write(other.join("cur/1.2.3:2,S"), "Subject: x\n\nx\n").unwrap();
    let run = save(
        &format!("maildir:{}", other.display()),
        &ground.pair.target.plain_address(),
    )
    .ended(3);
    assert!(
        refused_text(&run).contains("no persistent UIDs"),
        "{}",
        run.stdout
    );
    ground.apply(&[]).ended(0).counts(&[("copied", 0)]);
}

fn refused_text(run: &Run) -> String {
    refused(run).into_iter().map(|(_, reason)| reason).collect()
}
