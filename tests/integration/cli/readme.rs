//! The commands in the README, run by a shell exactly as written, with the binary on the PATH. Only
//! the addresses of the two accounts are replaced by those of the lab.
//!
//! A block is tried if a comment above it says so: `<!-- tried by tests/integration/cli/readme.rs:
//! NAME -->`.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::generator;
use crate::lab::mailboxes::{assert_equal, empty};
use crate::lab::run::{End, Run, copy, verify};
use crate::lab::servers::{Account, Personality};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../../README.md");
const MARK: &str = "<!-- tried by tests/integration/cli/readme.rs: ";
/// The README's accounts, the first one also by a user's name without a domain.
const OLD: [&str; 2] = [
    "imaps://ann%40old.example.org@imap.old.example.org",
    "imaps://ann@imap.old.example.org",
];
const NEW: &str = "imaps://ann%40new.example.org@imap.new.example.org";

/// The blocks that are tried, by their names, as they are written.
fn blocks() -> BTreeMap<&'static str, String> {
    let mut blocks = BTreeMap::new();
    for part in README.split(MARK).skip(1) {
        let (name, rest) = part.split_once(" -->\n\n").unwrap();
        let lines = rest.lines().map_while(|line| line.strip_prefix("    "));
        let block: String = lines.map(|line| format!("{line}\n")).collect();
        assert!(!block.is_empty(), "{name}: no block follows the comment");
        assert!(
            blocks.insert(name, block).is_none(),
            "{name} is there twice"
        );
    }
    blocks
}

/// Two accounts and a home directory.
struct Ground {
    old: Account,
    new: Account,
    home: tempfile::TempDir,
}

impl Ground {
    fn new(seed: u64) -> Self {
        let old = empty("readmeold", Personality::Plain);
        Client::login(&old).fill(&generator::mailbox(seed, 120));
        Self {
            old,
            new: empty("readmenew", Personality::Plain),
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// What a shell makes of a text of the README.
    #[track_caller]
    fn shell(&self, shell: &mut Command, text: &str) -> Run {
        let old = |text: String, address: &&str| text.replace(*address, &self.old.address());
        let text = OLD.iter().fold(text.replace(NEW, &self.new.address()), old);
        assert!(
            !text.contains("example.org"),
            "an address that is not the lab's: {text}"
        );
        let binaries = Path::new(env!("CARGO_BIN_EXE_mailferry"))
            .parent()
            .unwrap()
            .display();
        shell.arg("-c").arg(text).current_dir(self.home.path());
        Run::of(
            shell
                .env("PATH", format!("{binaries}:/usr/bin:/bin"))
                .env("HOME", self.home.path()),
        )
    }

    /// The shell that people type into: any command that fails ends it. Where they would be asked
    /// for passwords, these come from the environment.
    #[track_caller]
    fn typed(&self, text: &str) -> Run {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail"]).env_clear();
        shell.env("MAILFERRY_SOURCE_PASSWORD", &self.old.password);
        shell.env("MAILFERRY_TARGET_PASSWORD", &self.new.password);
        self.shell(&mut shell, text).ended(0)
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap()
    }
}

#[test]
fn the_four_users_are_all_there() {
    assert_eq!(
        blocks().into_keys().collect::<Vec<_>>(),
        ["backup", "migration", "pipeline", "report"]
    );
}

#[test]
fn a_migration() {
    let ground = Ground::new(41);
    let block = blocks().remove("migration").unwrap();
    // What cargo would install is here already.
    let rest = block.strip_prefix("cargo install --path .\n").unwrap();
    assert_eq!(rest.lines().count(), 4, "five lines in all");
    let run = ground.typed(rest);
    assert!(run.says("equal") && run.says("INBOX"), "{}", run.stdout);
    assert_equal(&ground.old, &ground.new);
}

#[test]
fn a_backup_by_cron() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::new(42);
    let password = ground.home.path().join(".ann.pw");
    std::fs::write(&password, &ground.old.password).unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let line = blocks().remove("backup").unwrap();
    let (time, command) = line.trim_end().split_once("  ").unwrap();
    assert_eq!(time.split(' ').count(), 5, "when: {time}");
    // Cron ends a command at a % that no backslash stands before.
    let command = command
        .replace("\\%", "\0")
        .split('%')
        .next()
        .unwrap()
        .replace('\0', "%");
    let night = || {
        ground
            .shell(Command::new("sh").env_clear(), &command)
            .ended(0)
    };
    assert!(night().stderr.is_empty(), "cron would mail it");
    let backup = format!(
        "maildir:{}",
        ground.home.path().join("backup/ann").display()
    );
    verify(End::tls(&ground.old), backup.as_str(), &["--deep"]).ended(0);
    let mut client = Client::login(&ground.old);
    client.select(&["INBOX"]);
    client.expunge("1");
    assert!(night().says("to dated folders under Vanished"));
    verify(End::tls(&ground.old), backup.as_str(), &["--deep"]).ended(0);
    copy(
        backup.as_str(),
        End::tls(&ground.new),
        &["--folder", "Vanished/**"],
    )
    .ended(0)
    .counts(&[("copied", 1)]);
}

#[test]
fn a_plan_before_and_a_report_after() {
    let ground = Ground::new(43);
    let block = blocks().remove("report").unwrap();
    let (before, after) = block.split_once('\n').unwrap();
    ground.typed(before);
    assert!(ground.file("plan.html").contains("120 messages to copy"));
    assert_eq!(
        Client::login(&ground.new).snapshot().count(),
        0,
        "a dry run writes nothing"
    );
    ground.typed(after);
    assert!(ground.file("done.html").contains("120 messages copied"));
    assert_equal(&ground.old, &ground.new);
}

#[test]
fn a_pipeline() {
    let ground = Ground::new(44);
    let run = ground.typed(&blocks().remove("pipeline").unwrap());
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.pop(), Some("true"), "{}", run.stdout);
    let copies: u64 = lines
        .iter()
        .map(|line| line.split('\t').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(copies, 120, "{}", run.stdout);
    let (old, new) = (
        Client::login(&ground.old).snapshot(),
        Client::login(&ground.new).snapshot(),
    );
    let left_out = old.folder(&["Trash"]).len() + old.folder(&["Junk"]).len();
    assert_eq!(new.count(), old.count() - left_out);
    assert!(left_out > 0);
}
