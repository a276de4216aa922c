//! Row 22: a state of another pair, and options that differ from those of the last run.

use super::situations::{grounds, many};
use super::{Ground, assert_idle};
use crate::lab::client::Snapshot;
use crate::lab::mailboxes::each;
use crate::lab::run::{Run, copy};
use crate::lab::servers::{Dovecot, Personality};
use std::path::{Path, PathBuf};

fn all_grounds(name: &str) -> Vec<Ground> {
    [false, true]
        .into_iter()
        .flat_map(|turned| grounds(name, turned))
        .collect()
}

/// The file of the one state in a directory.
fn state_file(directory: &Path) -> PathBuf {
    let mut paths = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .find(|path| path.extension().is_some_and(|ending| ending == "db"))
        .unwrap()
}

/// The same mailboxes with another account in place of the real one; of two real ones, of the
/// second.
fn with_another_account(ground: &Ground) -> [crate::lab::servers::Account; 2] {
    let mut sides = ground.sides.clone();
    let at = usize::from(ground.bare.is_empty() || ground.bare[0].server.port == sides[0].port);
    sides[at] = Dovecot::shared().account("another", Personality::Plain);
    sides
}

/// A state's file under the name of another pair's says whose it is: it is refused, and nothing is
/// done on either side.
#[test]
fn a_state_under_another_pairs_name_is_refused() {
    each(all_grounds("copied"), |ground| {
        let other = Ground::of(with_another_account(&ground), ground.turned);
        ground.client(0).append(&["INBOX"], many("mail", 10));
        ground.run(&[]).ended(0).counts(&[("copied", 10)]);
        other.client(1).append(&["INBOX"], many("other", 5));
        other.run(&[]).ended(0).counts(&[("deleted", 0)]);
        let (one, another) = (
            state_file(ground.state.path()),
            state_file(other.state.path()),
        );
        let own = std::fs::read(&another).unwrap();
        std::fs::copy(&one, &another).unwrap();
        other.client(0).append(&["INBOX"], many("new", 2));
        let before = other.snapshots();
        for options in [&[][..], &["--dry-run"], &["--max-delete", "100%"]] {
            let run = other.run(options).ended(1);
            assert!(
                run.says("belongs to other mailboxes") && run.says(another.to_str().unwrap()),
                "{run:?}"
            );
        }
        assert_eq!(other.snapshots(), before);
        // Its own is as good as before.
        std::fs::write(&another, own).unwrap();
        other
            .run(&[])
            .ended(0)
            .counts(&[("copied", 2), ("deleted", 0)]);
        other.assert_at_rest("its own again");
    });
}

/// In one directory each pair has a state of its own: another account of the same server is a new
/// pair, however alike it is.
#[test]
fn another_account_of_a_server_is_another_pair() {
    each(all_grounds("account"), |mut ground| {
        ground.client(0).append(&["INBOX"], many("mail", 12));
        ground.run(&[]).ended(0).counts(&[("copied", 12)]);
        let own = ground.sides.clone();
        let others = with_another_account(&ground);
        let new = usize::from(others[0].user == own[0].user && others[0].port == own[0].port);
        ground.sides = others;
        // It is empty, has the same folders, and looks as if all had been deleted.
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 12), ("deleted", 0)]);
        ground.assert_at_rest("another account");
        let mut client = ground.client(new);
        client.select(&["INBOX"]);
        client.expunge("1:2");
        client.try_command("UNSELECT");
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 2)]);
        // For the first pair these two are gone from one side, by whomever.
        ground.sides = own;
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 2)]);
        ground.assert_at_rest("the first again");
    });
}

/// A folder that is known keeps the name that it has on each side, whatever rules say today, and
/// what they leave out waits.
#[test]
fn rules_that_change_between_runs_delete_nothing() {
    each(all_grounds("rules"), |ground| {
        let first = usize::from(ground.turned);
        let mut named = ground.client(first);
        for folder in ["Work", "Old"] {
            named.create(&[folder]);
            named.append(&[folder], many(folder, 4));
        }
        ground
            .run(&["--map", "Work=Archive/Work"])
            .ended(0)
            .counts(&[("copied", 8)]);
        let mapped = |snapshots: &[Snapshot; 2]| {
            let (first, second) = (&snapshots[first], &snapshots[1 - first]);
            [
                first.folder(&["Work"]).len(),
                second.folder(&["Archive", "Work"]).len(),
                second.folder(&["Work"]).len(),
            ]
        };
        assert_eq!(mapped(&ground.snapshots()), [4, 4, 0]);
        // Something is deleted on each side, which is seen by no run that leaves the folder out.
        for (side, folder) in [(first, &["Work"][..]), (1 - first, &["Archive", "Work"])] {
            let mut client = ground.client(side);
            client.select(folder);
            client.expunge(if side == first { "1" } else { "2" });
            client.try_command("UNSELECT");
        }
        let before = ground.snapshots();
        let without: [&[&str]; 5] = [
            &["--exclude", "Work"],
            &["--folder", "Old", "--map", "Old=Elsewhere"],
            &["--folder", "INBOX"],
            &["--exclude", "Work/**", "--exclude", "Work", "--no-roles"],
            &[
                "--map",
                "Work=Old",
                "--exclude",
                "Work",
                "--max-delete",
                "100%",
            ],
        ];
        for options in without {
            let run = ground.run(options);
            assert_changes_nothing(&run, options);
            assert_eq!(ground.snapshots(), before, "{options:?}");
        }
        // With other rules, and with none, it is the folder that it was.
        ground.run(&["--map", "Work=Elsewhere"]).ended(0).counts(&[
            ("deleted", 2),
            ("copied", 0),
            ("folders_created", 0),
        ]);
        assert_eq!(mapped(&ground.snapshots()), [2, 2, 0]);
        for options in [
            &[][..],
            &["--map", "Work=Archive/Work"],
            &["--map", "Old=Archive/Old"],
        ] {
            assert_idle(&ground.run(options).ended(0), &format!("{options:?}"));
        }
        assert_eq!(mapped(&ground.snapshots()), [2, 2, 0]);
    });
}

/// Rules that can't be, such as two folders for one name, may end the run; others have nothing to
/// do.
#[track_caller]
fn assert_changes_nothing(run: &Run, options: &[&str]) {
    match run.code {
        Some(0) => assert_idle(run, &format!("{options:?}")),
        code => assert!(matches!(code, Some(1..=3)), "{options:?}: {run:?}"),
    }
}

/// A copy may leave messages out by their date and size, as a sync can't. What earlier copies left
/// out or took is deleted by no later one with other filters, nor by a sync of the same two
/// mailboxes, whose base they are not.
#[test]
fn filters_of_copies_are_no_deletions() {
    each(all_grounds("filters"), |ground| {
        let first = usize::from(ground.turned);
        let (source, target) = (&ground.sides[first], &ground.sides[1 - first]);
        let state = ground.state.path().to_str().unwrap();
        let run = |options: &[&str]| {
            copy(source, target, &[&["--state", state], options].concat()).ended(0)
        };
        ground.client(first).append(&["INBOX"], many("mail", 30));
        let held = || ground.snapshots()[1 - first].count() as u64;
        let mut before = 0;
        for filter in [
            &["--since", "2024-02-20"][..],
            &["--max-size", "100"],
            &["--before", "2024-02-03"],
            &["--min-size", "130"],
        ] {
            let copied = run(filter).count("copied");
            assert!(copied > 0 && copied < 30, "{filter:?}: {copied}");
            before += copied;
            assert_eq!(held(), before, "{filter:?}");
            run(filter).counts(&[("copied", 0)]);
        }
        assert!(before < 30, "the filters leave nothing to be seen");
        ground
            .run(&[])
            .ended(0)
            .counts(&[("copied", 30 - before), ("deleted", 0)]);
        ground.assert_at_rest("joined");
        run(&["--since", "2024-02-20"]).counts(&[("copied", 0), ("deleted", 0)]);
        run(&[]).counts(&[("copied", 0), ("deleted", 0)]);
        ground.assert_at_rest("copied");
        assert_eq!(held(), 30);
    });
}
