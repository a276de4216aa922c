//! A backup that is killed again and again.

use super::{Ground, account, messages, snapshot};
use crate::lab::client::Client;
use crate::lab::generator;
use crate::lab::run::{Running, copy, verify};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is killed.
const KILLS: u64 = 50;

#[test]
fn whatever_moment_it_is_killed_in_no_half_message_is_seen_and_nothing_is_doubled() {
    let source = account("killed");
    Client::login(&source).fill(&generator::mailbox(23, 900));
    let mut known: HashMap<[u8; 32], usize> = HashMap::new();
    for message in snapshot(&source).folders.values().flatten() {
        *known.entry(message.sha256).or_default() += 1;
    }
    let ground = Ground::new("maildir");
    let address = source.plain_address();
    let (tree, state) = (ground.address(), ground.state());
    let mut seen = 0;
    let mut interrupted = 0;
    for kill in 0..KILLS {
        // Each other one without what the runs before have left.
        let state: &[&str] = if kill % 2 == 0 {
            &["--state", &state]
        } else {
            &["--no-state"]
        };
        let slow = [
            "copy",
            &address,
            &tree,
            "--limit-rate",
            "2M",
            "--output",
            "json",
        ];
        let run = Running::start(&[&slow[..], state].concat());
        // Most moments lie in the copy, some in the planning before it, and some follow the first
        // message, however long that takes.
        if kill % 8 != 7 {
            run.wait_for_line_with("\"planned\"");
        }
        let follows_a_message = kill % 4 == 1;
        let until = Instant::now() + Duration::from_secs(10);
        while follows_a_message
            && seen < 900
            && arrived(&ground.tree()) <= seen
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(
            kill * 7919 % if follows_a_message { 50 } else { 400 },
        ));
        run.kill();
        let files = written(&ground);
        let mut here: HashMap<[u8; 32], usize> = HashMap::new();
        for path in &files {
            let hash: [u8; 32] = Sha256::digest(std::fs::read(path).unwrap()).into();
            assert!(
                known.contains_key(&hash),
                "{} is no message of the source",
                path.display()
            );
            *here.entry(hash).or_default() += 1;
        }
        for (hash, count) in here {
            assert!(count <= known[&hash], "a message is there {count} times");
        }
        interrupted += usize::from(files.len() > seen);
        seen = files.len();
    }
    assert!(
        interrupted >= 5,
        "only {interrupted} runs were killed while they wrote"
    );
    let last = copy(&source, &tree, &["--state", &state]).ended(0);
    assert_eq!(last.count("copied") as usize + seen, 900);
    verify(&source, &tree, &["--deep"])
        .ended(0)
        .counts(&[("missing", 0), ("extra", 0)]);
    let drafts = super::in_directories(&ground.tree(), &["tmp"]);
    assert!(
        drafts.is_empty(),
        "{} drafts of killed runs are left",
        drafts.len()
    );
}

fn written(ground: &Ground) -> Vec<PathBuf> {
    if ground.tree().exists() {
        messages(&ground.tree())
    } else {
        Vec::new()
    }
}

/// How many messages are in a tree to which somebody is writing.
fn arrived(tree: &Path) -> usize {
    let entries = |path: &Path| {
        std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
    };
    let folders = entries(tree)
        .map(|entry| entry.path())
        .chain([tree.to_owned()]);
    folders
        .map(|folder| {
            entries(&folder.join("cur"))
                .chain(entries(&folder.join("new")))
                .count()
        })
        .sum()
}

#[test]
fn a_second_writer_waits_for_its_turn_and_is_told_so() {
    let source = account("locked");
    Client::login(&source).fill(&generator::mailbox(24, 300));
    let ground = Ground::new("maildir");
    let (address, tree) = (source.plain_address(), ground.address());
    let first = Running::start(&[
        "copy",
        &address,
        &tree,
        "--limit-rate",
        "500k",
        "--output",
        "json",
    ]);
    first.wait_for_line_with("folder_created");
    let second = copy(&source, &tree, &[]).ended(7);
    assert!(
        second.says("is writing to") && second.says("backup/ann"),
        "{}",
        second.stderr
    );
    first.kill();
    copy(&source, &tree, &[]).ended(0);
    verify(&source, &tree, &[]).ended(0);
}
