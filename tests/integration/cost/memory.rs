//! Memory stays small whatever is copied: 3,000 messages, or one of 300 MB between servers of
//! unequal speed.
//!
//! Measures the real binary's peak resident memory according to the kernel, repeatedly while it
//! runs, without its code: that of a development build is large, and grows with every feature.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]
#![cfg(target_os = "linux")]

use crate::lab::client::{Client, NewMessage};
use crate::lab::generator::mailbox;
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::mailferry;
use crate::lab::secrets::Watch;
use crate::lab::servers::{Account, Dovecot, Personality};
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Peak memory that no run may reach besides its code, in KiB.
const LIMIT: u64 = 16 << 10;
/// Lines of the large message, with 76 bytes each on the wire: 304 MB.
const LINES: usize = 4_000_000;
/// Bytes a second of a slow line: a fraction of what a server and loopback give.
const SLOW: u64 = 100_000_000;

/// Runs mailferry, asserts that it ends well, and gives its peak of memory in KiB.
fn peak_of(verb: &[&str], source: &str, target: &str) -> u64 {
    let mut command = mailferry(&[verb, &[source, target, "--output", "json"]].concat());
    let watch = Watch::over(&command);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let status = loop {
        // The kernel keeps the peak, so what was reached between two looks is not missed.
        let status = fs::read_to_string(&status_file).unwrap_or_default();
        let of = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        if let (Some(all), Some(code)) = (of("VmHWM:"), of("RssFile:")) {
            peak = peak.max(all.saturating_sub(code));
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    watch.assert_kept(&[("stderr", &said)]);
    assert!(status.success(), "{verb:?}: {status}: {said}");
    assert!(peak > 0, "its memory could not be read");
    peak
}

#[track_caller]
fn assert_small(what: &str, peak: u64) {
    // Seen with `--nocapture`.
    eprintln!("{what}: {:.1} MiB", peak as f64 / 1024.0);
    assert!(
        peak < LIMIT,
        "{what}: {peak} KiB of memory, and {LIMIT} are allowed"
    );
}

#[test]
fn three_thousand_messages_take_little_memory() {
    let source = Dovecot::shared().account("manymessages", Personality::Plain);
    let target = Dovecot::shared().account("manymessages", Personality::Plain);
    Client::login(&source).fill(&mailbox(3, 3000));
    let (from, to) = (source.address(), target.address());
    let directory = tempfile::tempdir().unwrap();
    let state = ["--state", directory.path().to_str().unwrap()];
    let copy = [&["copy"], &state[..]].concat();
    assert_small("the first copy", peak_of(&copy, &from, &to));
    assert_small("a copy with nothing to do", peak_of(&copy, &from, &to));
    assert_small(
        "a deep comparison",
        peak_of(&["verify", "--deep"], &from, &to),
    );
}

#[test]
fn a_large_folder_takes_less_than_a_hundred_bytes_for_each_message() {
    // What does not grow with the folder is in both.
    const FEW: usize = 2_000;
    const MANY: usize = 102_000;
    let dovecot = Dovecot::shared();
    let account = |name: &str| dovecot.account(name, Personality::Mdbox);
    let letter = |number: usize| {
        let head = format!(
            "Message-ID: <{number}@memory.example>\r\nSubject: letter {number}\r\nFrom: a@b.example\r\n"
        );
        NewMessage::of(format!(
            "{head}Date: 1 Mar 2023 00:00:00 +0000\r\n\r\nhello\r\n"
        ))
    };
    let peak_of_comparing = |count: usize| {
        let (source, target) = (account("manyfrom"), account("manyto"));
        Client::login(&source).append(&["INBOX"], (0..count).map(letter));
        let directory = tempfile::tempdir().unwrap();
        let report = directory.path().join("report.html");
        let peak = |options: &[&str]| {
            peak_of(
                &[&["copy"], options].concat(),
                &source.address(),
                &target.address(),
            )
        };
        peak(&[]);
        // Each message is counted by year and looked for among the largest and among duplicates.
        [peak(&[]), peak(&["--report", report.to_str().unwrap()])]
    };
    let (few, many) = (peak_of_comparing(FEW), peak_of_comparing(MANY));
    for (what, few, many) in [
        ("without a report", few[0], many[0]),
        ("with a report", few[1], many[1]),
    ] {
        let each = many.saturating_sub(few) * 1024 / (MANY - FEW) as u64;
        eprintln!(
            "comparing, {what}: {few} KiB for {FEW} messages, {many} KiB for {MANY}: {each} bytes for each more"
        );
        assert!(each < 100, "{what}: {each} bytes for each message");
    }
}

/// The folder where a server of the lab keeps an account's INBOX.
fn inbox_directory(account: &Account) -> PathBuf {
    account
        .ca
        .ancestors()
        .nth(2)
        .unwrap()
        .join("home")
        .join(&account.user)
        .join("Maildir/cur")
}

/// Puts a large message into an account, past the server: that is fast and takes no memory.
fn put_large(account: &Account) -> PathBuf {
    Client::login(account).snapshot();
    let directory = inbox_directory(account);
    let head = b"From: a@example.org\nSubject: large\nMessage-ID: <large@example.org>\n\n";
    // As Dovecot writes them: lines end in LF on its disk and in CRLF on the wire. Maildir++ names
    // both sizes, so that the server need not read the message for that.
    let line = [b"x".repeat(74), b"\n".to_vec()].concat();
    let on_disk = head.len() + LINES * line.len();
    let path = directory.join(format!(
        "1700000000.M1P1.lab,S={on_disk},W={}:2,S",
        on_disk + 4 + LINES
    ));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    file.write_all(head).unwrap();
    for _ in 0..LINES {
        file.write_all(&line).unwrap();
    }
    file.flush().unwrap();
    let owner = fs::metadata(&directory).unwrap();
    chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    path
}

/// Whether two large files are equal, without reading them whole.
fn are_equal(left: &Path, right: &Path) -> bool {
    let (mut left, mut right) = (File::open(left).unwrap(), File::open(right).unwrap());
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let count = left.read(&mut a).unwrap();
        if count == 0 {
            return right.read(&mut b).unwrap() == 0;
        }
        if right.read_exact(&mut b[..count]).is_err() || a[..count] != b[..count] {
            return false;
        }
    }
}

#[test]
fn a_message_of_300_mb_takes_little_memory_whichever_side_is_slow() {
    let source = Dovecot::shared().account("large", Personality::Plain);
    let sent = put_large(&source);
    let slow = |account: &Account| {
        let plan = Plan {
            rate: Some(SLOW),
            ..Plan::default()
        };
        account.by_port(Proxy::start(account.port, plan).port)
    };
    for (what, slow_source, slow_target) in [
        ("both fast", false, false),
        ("a slow source", true, false),
        ("a slow target", false, true),
    ] {
        let target = Dovecot::shared().account("large", Personality::Plain);
        let from = if slow_source {
            slow(&source)
        } else {
            source.clone()
        };
        let to = if slow_target {
            slow(&target)
        } else {
            target.clone()
        };
        let directory = tempfile::tempdir().unwrap();
        let copy = ["copy", "--state", directory.path().to_str().unwrap()];
        assert_small(
            what,
            peak_of(&copy, &from.plain_address(), &to.plain_address()),
        );
        let stored: Vec<_> = inbox_files(&target);
        assert_eq!(stored.len(), 1, "{what}");
        assert!(are_equal(&sent, &stored[0]), "{what}: it arrived changed");
        fs::remove_file(&stored[0]).unwrap();
    }
}

/// The messages in an account's INBOX, read or not.
fn inbox_files(account: &Account) -> Vec<PathBuf> {
    let cur = inbox_directory(account);
    [cur.with_file_name("new"), cur]
        .iter()
        .flat_map(|directory| fs::read_dir(directory).into_iter().flatten())
        .map(|entry| entry.expect("a directory's entry").path())
        .collect()
}
