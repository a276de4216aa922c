//! The config file: accounts by name, jobs, and everything that is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first surprise, in its helpers too"
)]

use crate::lab::mailboxes::{assert_equal, empty, filled, messages};
use crate::lab::run::{Run, mailferry, run};
use crate::lab::servers::{Account, PASSWORD, Personality};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// A config file in a directory of its own.
struct Config {
    directory: tempfile::TempDir,
}

impl Config {
    fn of(text: &str) -> Self {
        let config = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(config.directory.path().join("mailferry")).unwrap();
        fs::write(config.path(), text).unwrap();
        config.with_mode(0o600)
    }

    fn with_mode(self, mode: u32) -> Self {
        fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
        self
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("mailferry/config.toml")
    }

    /// A run that finds it where the XDG rules say, and no password in the environment.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = mailferry(arguments);
        command.env("XDG_CONFIG_HOME", self.directory.path());
        command
            .env_remove("MAILFERRY_SOURCE_PASSWORD")
            .env_remove("MAILFERRY_TARGET_PASSWORD");
        Run::of(&mut command)
    }
}

/// An account's table, with another way to its password each time.
fn table(name: &str, account: &Account, password: &str) -> String {
    format!(
        "[account.{name}]\nuser = '{}'\nhost = 'localhost'\nport = {}\nca = '{}'\n{password}\n",
        account.user,
        account.tls_port,
        account.ca.display()
    )
}

fn by_command() -> String {
    format!("password-command = 'echo {PASSWORD}'")
}

#[test]
fn accounts_stand_where_addresses_do_and_jobs_run() {
    let (source, target) = (
        filled("cfgsrc", messages(5)),
        empty("cfgdst", Personality::Plain),
    );
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("pw");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let by_file = format!("password-file = '{}'", file.display());
    let job = "[job.nightly]\ncommand = 'copy'\nsource = 'work'\ntarget = 'archive'\nno-state = true\njobs = 2\noutput = 'json'\n";
    let config = Config::of(
        &[
            table("work", &source, &by_command()),
            table("archive", &target, &by_file),
            job.to_owned(),
        ]
        .concat(),
    );
    let check = config.run(&["config", "check"]).ended(0);
    assert!(
        check.stdout.contains("account work: imaps://")
            && check.stdout.contains("job nightly: mailferry copy")
    );
    assert!(!check.says("echo "));
    config
        .run(&["copy", "--dry-run", "--output", "json", "work", "archive"])
        .ended(0)
        .counts(&[("copied", 5)]);
    config
        .run(&["run", "nightly", "--dry-run"])
        .ended(0)
        .counts(&[("copied", 5)]);
    config
        .run(&["run", "nightly", "--max-size", "1"])
        .ended(0)
        .counts(&[("copied", 0)]);
    config
        .run(&["run", "nightly"])
        .ended(0)
        .counts(&[("copied", 5)]);
    assert_equal(&source, &target);
    config
        .run(&["run", "nightly", "-j", "1"])
        .ended(0)
        .counts(&[("copied", 0)]);
    config.run(&["verify", "work", "archive"]).ended(0);
    config
        .run(&["folders", "archive", "--output", "json"])
        .ended(0)
        .counts(&[("messages", 5)]);
    config.run(&["doctor", "work", "--idle", "0"]).ended(0);
    // The same file by name, in the place of another one.
    let other = Config::of("");
    other
        .run(&[
            "--config",
            config.path().to_str().unwrap(),
            "folders",
            "work",
        ])
        .ended(0);
    other
        .run(&[
            "folders",
            "work",
            "--config",
            config.path().to_str().unwrap(),
        ])
        .ended(0);
}

#[test]
fn an_account_can_be_a_directory() {
    let source = filled("cfgdir", messages(3));
    let home = tempfile::tempdir().unwrap();
    let backup = format!(
        "[account.backup]\naddress = 'maildir:{}'\n",
        home.path().join("m").display()
    );
    let job = "[job.backup]\ncommand = 'copy'\nsource = 'work'\ntarget = 'backup'\nno-state = true\noutput = 'json'\n";
    let config = Config::of(
        &[
            table("work", &source, &by_command()),
            backup,
            job.to_owned(),
        ]
        .concat(),
    );
    assert!(
        config
            .run(&["config", "check"])
            .ended(0)
            .stdout
            .contains("account backup: maildir:/")
    );
    config
        .run(&["run", "backup"])
        .ended(0)
        .counts(&[("copied", 3)]);
    config.run(&["verify", "work", "backup"]).ended(0);
    config
        .run(&["folders", "backup", "--output", "json"])
        .ended(0)
        .counts(&[("messages", 3)]);
    let refused = config.run(&["doctor", "work", "backup"]).ended(2);
    assert!(
        refused.says("doctor only checks IMAP servers; the target is a directory"),
        "{refused:?}"
    );
}

#[test]
fn the_environment_is_stronger_than_the_file_and_the_command_line_stronger_still() {
    let account = filled("order", messages(1));
    let config = Config::of(&table("work", &account, &by_command()));
    let with = |value: &str, arguments: &[&str]| {
        let mut command = mailferry(
            &[
                &[
                    "--config",
                    config.path().to_str().unwrap(),
                    "folders",
                    "work",
                ],
                arguments,
            ]
            .concat(),
        );
        Run::of(command.env("MAILFERRY_SOURCE_PASSWORD", value))
    };
    with("wrong", &[]).ended(5);
    with(
        "wrong",
        &["--source-password-command", &format!("echo {PASSWORD}")],
    )
    .ended(0);
    config.run(&["folders", "work"]).ended(0);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_done() {
    let account = "[account.work]\nuser = 'ann'\nhost = 'localhost'\n";
    for (text, arguments, words) in [
        (
            "[account.work]\nusr = 'a'",
            &["folders", "work"][..],
            "did you mean user?",
        ),
        (account, &["folders", "wrok"], "did you mean work?"),
        (account, &["run", "nightly"], "has no job nightly"),
        (
            "[job.n]\ncommand = 'copy'\nsource = 'a'\ntarget = 'b'\nexlude = 'T'",
            &["run", "n"],
            "did you mean exclude?",
        ),
        (
            "[job.n]\ncommand = 'copy'\nsource = 'a'\ntarget = 'b'\nsince = 'today'",
            &["run", "n"],
            "--since",
        ),
        (
            "[job.n]\ncommand = 'copy'\nsource = 'a'\ntarget = 'b'\nsince = 'today'",
            &["config", "check"],
            "job.n: ",
        ),
        (
            "[job.n]\ncommand = 'copy'\nsource = 'a'\ntarget = 'b'",
            &["config", "check"],
            "has no account b",
        ),
        (
            "[job.n]\ncommand = 'folders'\nmailbox = 'a'",
            &["run", "n", "-v", "--config", "x"],
            "before the job name",
        ),
        (
            "[account.a]\naddress = 'imaps://ann:hunter2@h'",
            &["config", "check"],
            "contains a password",
        ),
        (
            "[account.a]\nuser = 'a'\nhost = 'h'\npassword-file = '/nonexistent/pw'",
            &["config", "check"],
            "/nonexistent/pw",
        ),
    ] {
        let run = Config::of(text).run(arguments).ended(2);
        assert!(
            run.says(words) && run.stdout.is_empty(),
            "{text}: {words}: {run:?}"
        );
        assert!(!run.says("hunter2"), "{run:?}");
    }
    let nothing = run(&["folders", "work"]).ended(2);
    assert!(nothing.stderr.contains("no such account: `work`"));
    run(&["--config", "/nonexistent/c", "folders", "imaps://a@h"]).ended(2);
}

#[test]
fn config_check_lists_every_problem_of_the_file_of_config() {
    let text = "\
        [acount.x]\nuser = 'a'\n\
        [account.a]\nusr = 'a'\nport = 'x'\n\
        [account.b]\naddress = 'maildir:/m'\npassword-file = '/nonexistent/pw'\n\
        [account.c]\nuser = 'c'\nhost = 'h'\npassword-file = '/nonexistent/other'\n\
        [job.n]\ncommand = 'copy'\nsource = 'a'\ntarget = 'nobody'\n\
        [job.o]\ncommand = 'coppy'\n";
    let config = Config::of(text).with_mode(0o666);
    let path = config.path();
    let checked = run(&["--config", path.to_str().unwrap(), "config", "check"]).ended(2);
    for words in [
        "[acount]",
        "unknown key usr",
        "port must be a number",
        "host is missing",
        "a directory needs no password",
        "/nonexistent/pw",
        "/nonexistent/other",
        "has no account nobody",
        "unknown command coppy",
        "this file is writable by others",
    ] {
        assert!(
            checked.stderr.contains(words),
            "{words}: {}",
            checked.stderr
        );
    }
    assert!(
        !checked.stderr.contains("list all with"),
        "{}",
        checked.stderr
    );
    assert!(checked.stderr.contains("11 problems"), "{}", checked.stderr);
    // What only reads the file for an account says where all of them are listed.
    let other = run(&["--config", path.to_str().unwrap(), "folders", "a"]).ended(2);
    assert!(
        other
            .stderr
            .contains("7 more problems; list all with `mailferry --config "),
        "{}",
        other.stderr
    );
}

#[test]
fn a_file_that_others_can_read_or_write_is_refused() {
    let plain = "[account.work]\nuser = 'ann'\nhost = 'localhost'\n";
    let secret = format!("{plain}password-command = 'echo x'\n");
    for (text, mode, words) in [
        (plain, 0o644, None),
        (plain, 0o664, Some("writable by others")),
        (&*secret, 0o600, None),
        (&*secret, 0o640, Some("readable by others")),
        (&*secret, 0o604, Some("readable by others")),
    ] {
        let config = Config::of(text).with_mode(mode);
        let run = config
            .run(&["config", "check"])
            .ended(if words.is_some() { 2 } else { 0 });
        assert!(
            words.is_none_or(|words| run.says(words)),
            "{mode:o}: {run:?}"
        );
    }
}
