//! `--failed-dir`: what can't be copied is kept, byte for byte and with its reason, once and only as
//! long as it fails.

use crate::lab::memory::{Fake, Manner};
use crate::lab::pair::snapshot;
use crate::lab::run::{End, copy, run, sync};
use crate::lab::scripted::Reply;
use crate::lab::servers::{Account, Cyrus};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

const GOOD: &[u8] = b"Message-ID: <good@x>\r\nSubject: good\r\n\r\nx\r\n";
const HEADERLESS: &[u8] = b"just text, no header at all\r\n\r\nx\r\n";
const BARE: &[u8] = b"Message-ID: <lf@x>\r\nSubject: bare\r\nFrom: ann@x\r\n\r\na\nb\r\n";

/// A message that Cyrus refuses and that is too large to pass through memory.
fn large() -> Vec<u8> {
    let header = b"Message-ID: <large@x>\r\nSubject: large\r\n\r\n".to_vec();
    [header, b"a line and a bare newline\n".repeat(20_000)].concat()
}

/// A server with these messages, and a folder that holds one more.
fn source() -> (Fake, End) {
    let fake = Fake::start(Manner::default(), &[("../up", "")]);
    for message in [GOOD, HEADERLESS, &large()] {
        fake.put("INBOX", message);
    }
    fake.put("../up", BARE);
    let end = End::plain(fake.server.port, "");
    (fake, end)
}

/// The files in a directory of folders, by their path.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in std::fs::read_dir(directory).unwrap() {
        let folder = folder.unwrap();
        assert!(folder.file_type().unwrap().is_dir(), "{folder:?}");
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let below = path.strip_prefix(directory).unwrap().to_owned();
            found.insert(below, std::fs::read(path).unwrap());
        }
    }
    found
}

/// The bytes of the messages among the files, sorted.
fn mail(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<Vec<u8>> {
    let is_mail = |path: &Path| path.extension().is_some_and(|end| end == "eml");
    let mut mail: Vec<_> = (files.iter())
        .filter(|(path, _)| is_mail(path))
        .map(|(_, bytes)| bytes.clone())
        .collect();
    mail.sort();
    mail
}

/// The reasons among the files.
fn reasons(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<Value> {
    let is_reason = |path: &Path| path.extension().is_some_and(|end| end == "json");
    (files.iter())
        .filter(|(path, _)| is_reason(path))
        .map(|(_, bytes)| serde_json::from_slice(bytes).unwrap())
        .collect()
}

fn all_failed() -> Vec<Vec<u8>> {
    let mut all = vec![HEADERLESS.to_vec(), large(), BARE.to_vec()];
    all.sort();
    all
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path)
        .unwrap()
        .permissions()
        .mode()
        & 0o777
}

#[test]
fn what_cyrus_refuses_is_kept_with_its_reason_and_only_once() {
    let (_fake, source) = source();
    let cyrus = Cyrus::shared().account();
    let root = tempfile::tempdir().unwrap();
    let kept = root.path().join("new/kept");
    let options = ["--failed-dir", kept.to_str().unwrap()];
    let first = copy(source.clone(), End::tls(&cyrus), &options).ended(3);
    first.counts(&[("copied", 1), ("failed", 3)]);
    let found = files(&kept);
    assert_eq!(found.len(), 6, "{:?}", found.keys());
    assert_eq!(mail(&found), all_failed());
    assert!(
        found.keys().all(|path| {
            let folder = path.parent().unwrap();
            folder == Path::new("INBOX") || folder == Path::new("%2E.%2Fup")
        }),
        "{:?}",
        found.keys()
    );
    let reasons = reasons(&found);
    let bare = reasons
        .iter()
        .find(|reason| reason["message_id"] == "<lf@x>")
        .unwrap();
    assert_eq!(bare["folder"], "../up");
    assert_eq!(bare["subject"], "bare");
    assert_eq!(bare["uid"], 1);
    assert!(bare["reason"].as_str().unwrap().contains("bare newlines"));
    assert!(bare["account"].as_str().unwrap().contains("ann@127.0.0.1"));
    assert_eq!(bare["internal_date"], "2024-02-01T03:04:05+00:00");
    for path in found.keys() {
        let path = kept.join(path);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
    let bytes = kept.join("%2E.%2Fup").join(bare["file"].as_str().unwrap());
    let date = std::fs::metadata(bytes).unwrap().modified().unwrap();
    assert_eq!(
        date,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_706_756_645)
    );

    copy(source, End::tls(&cyrus), &options).ended(3);
    let again = files(&kept);
    assert!(again.keys().eq(found.keys()), "{:?}", again.keys());
    assert_eq!(mail(&again), all_failed());
}

#[test]
fn a_dry_run_keeps_nothing_and_an_unwritable_directory_ends_the_run_before_it_begins() {
    let (fake, source) = source();
    let target = Fake::start(Manner::default(), &[]);
    let root = tempfile::tempdir().unwrap();
    let kept = root.path().join("kept");
    let options = ["--failed-dir", kept.to_str().unwrap(), "--dry-run"];
    let to = End::plain(target.server.port, "");
    copy(source.clone(), to.clone(), &options).ended(0);
    assert!(!kept.exists());

    std::fs::write(&kept, "a file").unwrap();
    let logins = fake.lines_of("LOGIN").len();
    let refused = copy(source, to, &options[..2]).ended(1);
    assert!(
        refused.says("cannot keep failed messages in"),
        "{refused:?}"
    );
    assert_eq!(fake.lines_of("LOGIN").len(), logins);
}

/// A target that refuses whatever has a bare newline, until it is told otherwise.
fn refusing() -> (Fake, Arc<AtomicBool>) {
    let is_lenient = Arc::new(AtomicBool::new(false));
    let lenient = Arc::clone(&is_lenient);
    let has_bare = |bytes: &Vec<u8>| bytes.windows(2).any(|w| w[1] == b'\n' && w[0] != b'\r');
    let fake = Fake::start_with(Manner::default(), &[], move |command| {
        let refuses = command.name == "APPEND"
            && !lenient.load(Ordering::SeqCst)
            && command.literals.iter().any(has_bare);
        refuses.then(|| Reply::status("NO Message contains bare newlines"))
    });
    (fake, is_lenient)
}

#[test]
fn the_files_go_once_the_message_is_copied_and_those_of_others_stay() {
    let (_fake, source) = source();
    let (fake, is_lenient) = refusing();
    let target = End::plain(fake.server.port, "");
    let other = Fake::start(Manner::default(), &[]);
    let root = tempfile::tempdir().unwrap();
    let options = ["--failed-dir", root.path().to_str().unwrap()];
    let run = copy(source.clone(), target.clone(), &options).ended(3);
    run.counts(&[("copied", 2), ("failed", 2)]);
    let found = files(root.path());
    assert_eq!(found.len(), 4, "{:?}", found.keys());
    let strange = root.path().join("INBOX/1.1-0000000000000000.json");
    std::fs::write(&strange, "{}").unwrap();

    // Another target takes them, which says nothing about the first.
    copy(source.clone(), End::plain(other.server.port, ""), &options).ended(0);
    assert_eq!(files(root.path()).len(), 5);
    is_lenient.store(true, Ordering::SeqCst);
    let run = copy(source, target, &options).ended(0);
    run.counts(&[("copied", 2), ("failed", 0)]);
    let left = files(root.path());
    assert_eq!(left.len(), 1, "{:?}", left.keys());
    assert!(strange.exists() && !root.path().join("%2E.%2Fup").exists());
}

#[test]
fn what_the_source_cannot_give_leaves_its_reason_alone() {
    let source = Fake::start_with(Manner::default(), &[], |command| {
        let is_body = command.name == "UID FETCH" && command.arguments.contains("BODY.PEEK[]");
        let is_second = !command.arguments.starts_with("1 ");
        (is_body && is_second).then(|| Reply::status("NO cannot read this message"))
    });
    source.put("INBOX", GOOD);
    source.put("INBOX", BARE);
    let target = Fake::start(Manner::default(), &[]);
    let root = tempfile::tempdir().unwrap();
    let options = ["--failed-dir", root.path().to_str().unwrap()];
    let (source, target) = (
        End::plain(source.server.port, ""),
        End::plain(target.server.port, ""),
    );
    copy(source, target, &options)
        .ended(3)
        .counts(&[("copied", 1), ("failed", 1)]);
    let found = files(root.path());
    assert_eq!(found.len(), 1, "{:?}", found.keys());
    let reason = &reasons(&found)[0];
    assert_eq!(reason["file"], Value::Null);
    assert!(
        reason["reason"]
            .as_str()
            .unwrap()
            .contains("cannot read this message")
    );
}

#[test]
fn a_sync_keeps_what_was_refused_in_this_run_or_an_earlier_one() {
    let (_fake, source) = source();
    let cyrus = Cyrus::shared().account();
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("state");
    let state = ["--state", state.to_str().unwrap()];
    let kept = |name: &str| root.path().join(name).display().to_string();
    for name in ["first", "second"] {
        let kept = kept(name);
        let options = [&state[..], &["--failed-dir", &kept]].concat();
        sync(source.clone(), End::tls(&cyrus), &options).ended(3);
        assert_eq!(mail(&files(Path::new(&kept))), all_failed(), "{name}");
    }
}

/// docs/usage.md says how to bring the messages in.
#[test]
fn kept_messages_can_be_copied_from_a_maildir() {
    let (_fake, source) = source();
    let cyrus: Account = Cyrus::shared().account();
    let root = tempfile::tempdir().unwrap();
    let kept = root.path().join("kept");
    copy(
        source,
        End::tls(&cyrus),
        &["--failed-dir", kept.to_str().unwrap()],
    )
    .ended(3);
    let maildir = root.path().join("mended");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(maildir.join(part)).unwrap();
    }
    for (path, bytes) in files(&kept) {
        if path.extension().is_some_and(|end| end == "eml") {
            // Mended by hand: with line ends that Cyrus takes.
            let mended = bytes.split(|byte| *byte == b'\n').map(|line| {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                [line, b"\r\n"].concat()
            });
            let mended = [
                b"X-Mended: yes\r\n".to_vec(),
                mended.collect::<Vec<_>>().concat(),
            ];
            let to = maildir.join("cur").join(path.file_name().unwrap());
            std::fs::write(to, mended.concat()).unwrap();
        }
    }
    let from = format!("maildir:{}", maildir.display());
    let run = run(&[
        "copy",
        "--output",
        "json",
        "--target-password-file",
        &password_file(&root, &cyrus),
        &from,
        &cyrus.address(),
    ]);
    assert_eq!(run.count("copied"), 2, "{run:?}");
    assert_eq!(snapshot(&cyrus).folder(&["INBOX"]).len(), 3);
}

fn password_file(root: &tempfile::TempDir, account: &Account) -> String {
    let path = root.path().join("password");
    std::fs::write(&path, &account.password).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}
