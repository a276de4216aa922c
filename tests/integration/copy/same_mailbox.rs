//! One mailbox given twice, in any guise: it is detected before anything is deleted, and nothing is
//! lost. Two mailboxes that only look the same are not refused.

use crate::lab::client::Client;
use crate::lab::pair::{Pair, letters, snapshot};
use crate::lab::proxy::{At, Direction, How, Plan, Proxy};
use crate::lab::run::{End, Run, copy, doctor, run, sync, verify};
use crate::lab::servers::{Account, Cyrus, Dovecot, PASSWORD, Personality};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An account with mail in two folders.
fn filled(name: &str) -> Account {
    let account = Dovecot::shared().account(name, Personality::Plain);
    fill(&account);
    account
}

fn fill(account: &Account) {
    let mut client = Client::login(account);
    client.create(&["Work"]);
    client.append(&["INBOX"], letters("mail", 6));
    client.append(&["Work"], letters("work", 4));
}

/// Nothing may have been deleted, doubled or left marked.
#[track_caller]
fn refused(run: &Run, account: &Account, before: &crate::lab::client::Content) {
    assert_eq!(run.code, Some(2), "{}\n{}", run.stdout, run.stderr);
    assert!(run.says("same mailbox"), "{}", run.stderr);
    assert_eq!(&snapshot(account).content(), before);
}

const VERBS: [&[&str]; 5] = [
    &[],
    &["--move"],
    &["--delete"],
    &["--keep-deleted"],
    &["--dry-run", "--move"],
];

#[test]
fn equal_addresses_are_refused_by_every_verb_that_writes() {
    let account = filled("equal");
    let before = snapshot(&account).content();
    let state = tempfile::tempdir().unwrap();
    let state = ["--state", state.path().to_str().unwrap()];
    for options in VERBS {
        refused(&copy(&account, &account, options), &account, &before);
        refused(
            &copy(&account, &account, &[options, &state].concat()),
            &account,
            &before,
        );
    }
    // However the address is written.
    let other = account
        .plain_address()
        .replace("imap://equal", "imap://%65qual");
    refused(
        &copy(&account, other.as_str(), &["--move"]),
        &account,
        &before,
    );
    refused(&sync(&account, &account, &state), &account, &before);
    let address = account.plain_address();
    refused(
        &run(&["undo", "--list", &address, &address, state[0], state[1]]),
        &account,
        &before,
    );
    // A folder that would go into itself, beside one that would not.
    refused(
        &copy(&account, &account, &["--move", "--map", "Work=Elsewhere"]),
        &account,
        &before,
    );
    // A mirror whose extras are the source's own folders.
    refused(
        &copy(
            &account,
            &account,
            &["--delete", "--folder", "Work", "--map", "Work=Elsewhere"],
        ),
        &account,
        &before,
    );
}

#[test]
fn mail_moves_within_one_account() {
    for with_alias in [false, true] {
        let account = filled(if with_alias { "withinalias" } else { "within" });
        let end = || {
            if with_alias {
                End::tls(&account)
            } else {
                End::from(&account)
            }
        };
        copy(&account, end(), &["--move", "--into", "Old"])
            .ended(0)
            .counts(&[("copied", 10), ("deleted", 10)]);
        let after = snapshot(&account);
        assert_eq!(
            (
                after.folder(&["INBOX"]).len(),
                after.folder(&["Old", "INBOX"]).len()
            ),
            (0, 6)
        );
        assert_eq!(
            (
                after.folder(&["Work"]).len(),
                after.folder(&["Old", "Work"]).len()
            ),
            (0, 4)
        );
        copy(
            &account,
            end(),
            &["--folder", "Old/Work", "--map", "Old/Work=Work", "--move"],
        )
        .ended(0);
        assert_eq!(snapshot(&account).folder(&["Work"]).len(), 4);
    }
}

/// Other addresses of an account.
fn aliases(account: &Account) -> (Vec<End>, Proxy) {
    let proxy = Proxy::start(account.port, Plan::default());
    let other_user = Account {
        user: format!("{}@alias.test", account.user),
        ..account.clone()
    };
    let ends = vec![
        End::from(&account.by_port(proxy.port)),
        End::new(
            account.plain_address().replace("127.0.0.1", "localhost"),
            PASSWORD,
        ),
        End::tls(account),
        End::from(&other_user),
    ];
    (ends, proxy)
}

#[test]
fn another_address_of_the_same_account_is_found_out() {
    let account = filled("alias");
    let before = snapshot(&account).content();
    let (ends, _proxy) = aliases(&account);
    for end in &ends {
        let state = tempfile::tempdir().unwrap();
        let state = ["--state", state.path().to_str().unwrap()];
        for options in [&["--move"][..], &["--delete"], &["--keep-deleted"], &[]] {
            refused(&copy(&account, end.clone(), options), &account, &before);
            refused(
                &copy(&account, end.clone(), &[options, &state].concat()),
                &account,
                &before,
            );
        }
        refused(&copy(end.clone(), &account, &["--move"]), &account, &before);
        refused(&sync(&account, end.clone(), &state), &account, &before);
        refused(
            &copy(
                &account,
                end.clone(),
                &["--delete", "--map", "Work=Elsewhere"],
            ),
            &account,
            &before,
        );
        refused(
            &copy(
                &account,
                end.clone(),
                &["--delete", "--folder", "Work", "--map", "Work=Elsewhere"],
            ),
            &account,
            &before,
        );
    }
}

#[test]
fn a_saved_plan_is_not_carried_out_on_the_mailbox_itself() {
    let account = filled("aliasplan");
    let before = snapshot(&account).content();
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("move.plan");
    let plan = plan.to_str().unwrap();
    copy(
        &account,
        End::tls(&account),
        &["--move", "--dry-run", "--save-plan", plan],
    )
    .ended(0);
    refused(&run(&["apply", plan]), &account, &before);
}

#[test]
fn what_writes_nothing_says_that_it_is_one_mailbox() {
    let account = filled("aliassaid");
    for (end, code) in [(End::tls(&account), 0), (End::from(&account), 2)] {
        let said = verify(&account, end.clone(), &[]).ended(0);
        assert!(said.says("same mailbox"), "{}", said.stderr);
        let said = doctor(&[End::from(&account), end], &["--idle", "0", "--no-state"]).ended(code);
        assert!(
            said.says("same mailbox"),
            "{}\n{}",
            said.stdout,
            said.stderr
        );
    }
    let said = copy(&account, End::tls(&account), &["--move", "--dry-run"]).ended(0);
    assert!(said.says("same mailbox"), "{}", said.stderr);
}

#[test]
fn a_server_with_ids_of_its_mailboxes_is_found_out_too() {
    let account = Cyrus::shared().account();
    fill(&account);
    let before = snapshot(&account).content();
    refused(
        &copy(&account, End::tls(&account), &["--move"]),
        &account,
        &before,
    );
    let other = Cyrus::shared().account();
    copy(&account, &other, &["--move"])
        .ended(0)
        .counts(&[("copied", 10), ("deleted", 10)]);
}

#[test]
fn the_directory_that_a_server_serves_is_not_emptied_into_itself() {
    let account = filled("served");
    let before = snapshot(&account).content();
    let tree = format!("maildir:{}", Dovecot::shared().maildir(&account).display());
    for with_state in [true, false] {
        let state = tempfile::tempdir().unwrap();
        let state = ["--state", state.path().to_str().unwrap()];
        let options = if with_state { &state[..] } else { &[] };
        refused(
            &copy(&account, &tree, &[options, &["--move"]].concat()),
            &account,
            &before,
        );
        refused(
            &copy(&tree, &account, &[options, &["--move"]].concat()),
            &account,
            &before,
        );
    }
    for is_first in [true, false] {
        let state = tempfile::tempdir().unwrap();
        let state = ["--state", state.path().to_str().unwrap()];
        let run = if is_first {
            sync(&tree, &account, &state)
        } else {
            sync(&account, &tree, &state)
        };
        refused(&run, &account, &before);
    }
}

#[test]
fn a_directory_with_the_same_mail_is_kept_in_step_with_a_server() {
    let account = filled("backedup");
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("state");
    let state = ["--state", state.to_str().unwrap()];
    for kind in ["maildir", "mbox"] {
        let before = snapshot(&account).content();
        let tree = format!("{kind}:{}", root.path().join(kind).display());
        copy(&account, &tree, &[]).ended(0);
        for _ in 0..2 {
            sync(&account, &tree, &state)
                .ended(0)
                .counts(&[("to_first.copied", 0), ("to_second.copied", 0)]);
        }
        sync(&tree, &account, &state).ended(0);
        assert_eq!(snapshot(&account).content(), before, "no mark is left");
    }
}

#[test]
fn two_accounts_that_look_the_same_are_two() {
    let kept = tempfile::tempdir().unwrap();
    let twins = twins(["twinfrom", "twinto"], kept.path());
    let before = snapshot(&twins[0]).content();
    let ground = Pair::of(twins[0].clone(), twins[1].clone());
    let said = verify(&ground.source, &ground.target, &[]).ended(0);
    assert!(said.says("may be the same mailbox"), "{}", said.stderr);
    ground
        .copy(&["--delete"])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 10)]);
    sync(&ground.source, &ground.target, &ground.state_options()).ended(0);
    ground
        .copy_without_state(&["--move"])
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 10)]);
    assert_eq!(snapshot(&ground.source).count(), 0);
    assert_eq!(
        snapshot(&ground.target).content(),
        before,
        "no mark is left"
    );
}

/// Two accounts of which everything that can be asked for is equal.
fn twins(names: [&str; 2], kept: &Path) -> [Account; 2] {
    let twins = names.map(|name| Dovecot::shared().account(name, Personality::Plain));
    fill(&twins[0]);
    // A byte-exact copy of the first one's files.
    twins[0].copy_home(kept);
    drop(Client::login(&twins[1]));
    twins[1].restore_home(kept);
    twins
}

fn is_marked(account: &Account) -> bool {
    let mark = |flag: &String| flag.eq_ignore_ascii_case("$MailferryMark");
    snapshot(account)
        .folders
        .values()
        .flatten()
        .any(|message| message.flags.iter().any(mark))
}

#[test]
fn a_mark_that_a_killed_run_left_comes_off_and_goes_nowhere_else() {
    for is_sync in [false, true] {
        let verb = if is_sync { "sync" } else { "copy" };
        let kept = tempfile::tempdir().unwrap();
        let names = [format!("marked{verb}from"), format!("marked{verb}to")];
        let twins = twins(names.each_ref().map(String::as_str), kept.path());
        let is_on = Arc::new(AtomicBool::new(true));
        let cut = Plan::default().cut(Direction::Up, At::Before("-FLAGS".to_owned()), How::Rst);
        let proxy = Proxy::start(twins[1].port, cut.only_while(&is_on));
        let target = twins[1].by_port(proxy.port);
        let state = tempfile::tempdir().unwrap();
        let state = ["--state", state.path().to_str().unwrap()];
        let go = || match is_sync {
            true => sync(&twins[0], &target, &state),
            false => copy(&twins[0], &target, &[&["--delete"], &state[..]].concat()),
        };
        assert_ne!(go().code, Some(0));
        assert!(
            is_marked(&twins[1]),
            "the run ended before its mark came off"
        );
        is_on.store(false, Ordering::Relaxed);
        // From now on another message is the one that would be marked.
        for account in &twins {
            let mut client = Client::login(account);
            client.append(&["INBOX"], letters("later", 1));
            client.append(&["Work"], letters("late", 1));
        }
        let elsewhere = Dovecot::shared().account(&format!("marked{verb}on"), Personality::Plain);
        copy(&twins[1], &elsewhere, &[]).ended(0);
        go().ended(0);
        assert!(
            ![&twins[0], &twins[1], &elsewhere]
                .into_iter()
                .any(is_marked),
            "{verb}"
        );
    }
}

#[test]
fn a_directory_is_found_out_through_links_and_inside_of_itself() {
    let root = tempfile::tempdir().unwrap();
    let account = filled("linked");
    for kind in ["maildir", "mbox"] {
        let real = root.path().join(kind);
        let address = format!("{kind}:{}", real.display());
        copy(&account, &address, &[]).ended(0);
        std::os::unix::fs::symlink(&real, root.path().join(format!("{kind}-link"))).unwrap();
        let link = format!("{address}-link");
        for options in [&["--move"][..], &["--delete"], &[]] {
            let said = copy(&address, &link, options).ended(2);
            assert!(said.says("same directory"), "{}", said.stderr);
        }
        let state = root.path().join("state");
        sync(&address, &link, &["--state", state.to_str().unwrap()]).ended(2);
        let inside = if kind == "maildir" { ".Work" } else { "Work" };
        let said = copy(&address, &format!("{address}/{inside}"), &["--move"]).ended(2);
        assert!(said.says("inside"), "{}", said.stderr);
        verify(&account, &address, &[]).ended(0);
    }
}
