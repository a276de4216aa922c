//! Each test has its own tree, accessed in the same way as by the verbs.

use super::Account;
use crate::mail::{Side, UidNext};
use crate::store::disk::contract::{self, Bench, uids};
use crate::store::{
    Access, Connector as _, ErrorKind, FlagEdit, IfAbsent, RefusalMeaning, ScanDepth,
};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

struct Ground {
    root: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("mail")
    }

    fn account(&self, access: Access, if_absent: IfAbsent) -> Account {
        Account::new(&self.path(), Side::TARGET, access, if_absent)
    }

    fn writer(&self) -> Account {
        self.account(Access::ReadWrite, IfAbsent::Make)
    }

    fn reader(&self) -> Account {
        self.account(Access::ReadOnly, IfAbsent::Fail)
    }

    fn put(&self, place: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn file_names(&self, place: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join(place)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn bytes_come_back() {
    contract::bytes_come_back(&Ground::new().writer());
}

#[test]
fn flags_change() {
    contract::flags_change(&Ground::new().writer());
}

#[test]
fn messages_move() {
    contract::messages_move(&Ground::new().writer());
}

#[test]
fn folders_change() {
    contract::folders_change(&Ground::new().writer());
}

#[test]
fn half_a_message_is_none() {
    let ground = Ground::new();
    contract::half_a_message_is_none(&ground.writer());
    assert!(ground.file_names("tmp").is_empty());
}

#[test]
fn what_is_made_is_its_owners_alone_and_has_its_size_and_date() {
    let ground = Ground::new();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    bench.create("A").unwrap();
    bench.deliver("A", "\\Seen Red", b"a\r\nb\r\n").unwrap();
    let mode = |path: &str| {
        std::fs::symlink_metadata(ground.path().join(path))
            .unwrap()
            .mode()
            & 0o7777
    };
    for directory in ["", "cur", ".A", ".A/cur", ".A/new", ".A/tmp"] {
        assert_eq!(mode(directory), 0o700, "{directory}");
    }
    for file in [
        "mailferry-lock",
        ".A/mailferry-uids",
        ".A/dovecot-keywords",
        ".A/maildirfolder",
    ] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    let names = ground.file_names(".A/cur");
    assert!(names[0].ends_with(",S=6,W=6:2,Sa"), "{names:?}");
    let about = std::fs::metadata(ground.path().join(".A/cur").join(&names[0])).unwrap();
    assert_eq!(
        (about.mtime(), about.mode() & 0o777),
        (1_700_000_000, 0o600)
    );
    bench.deliver("A", "", b"a\nb\r\n").unwrap();
    assert!(
        ground
            .file_names(".A/cur")
            .iter()
            .any(|name| name.ends_with(",S=5,W=6,X=asis:2,"))
    );
}

#[test]
fn a_directory_that_is_not_there_is_made_by_a_copy_alone() {
    let ground = Ground::new();
    let error = ground.reader().connect().err().unwrap();
    assert_eq!(error.kind, ErrorKind::Local);
    assert!(
        error.message.contains(ground.path().to_str().unwrap()) && error.hint.is_some(),
        "{error}"
    );
    let imagined = ground.account(Access::ReadOnly, IfAbsent::Imagine);
    let mut bench = Bench::of(&imagined);
    assert_eq!(bench.names(), ["INBOX"]);
    assert!(
        bench
            .scan("INBOX", ScanDepth::Identity)
            .unwrap()
            .messages
            .is_empty()
    );
    assert!(bench.scan("A", ScanDepth::Identity).is_err());
    assert!(!ground.path().exists());
    Bench::of(&ground.writer());
    assert!(ground.path().join("cur").is_dir());
}

#[test]
fn a_folder_that_lost_its_directories_is_not_filled_again() {
    for name in ["INBOX", "A"] {
        let ground = Ground::new();
        ground.put(".B/cur/1:2,", "b");
        let place = if name == "INBOX" { "" } else { ".A/" };
        {
            let writer = ground.writer();
            let mut bench = Bench::of(&writer);
            bench.create("A").unwrap();
            bench.deliver(name, "", b"a").unwrap();
        }
        for inner in ["cur", "new"] {
            std::fs::remove_dir_all(ground.path().join(place).join(inner)).unwrap();
        }
        let writer = ground.writer();
        let refused = writer
            .connect()
            .map(|_| Bench::of(&writer).create(name).unwrap_err().text);
        let said = refused.unwrap_or_else(|error| error.message);
        assert!(said.contains("once held messages"), "{said}");
        assert!(!ground.path().join(place).join("cur").exists(), "{name}");
    }
    // A run killed while creating a folder leaves no list of UIDs.
    let ground = Ground::new();
    ground.put("cur/1:2,", "b");
    ground.put(".A/maildirfolder", "");
    Bench::of(&ground.writer()).create("A").unwrap();
}

#[test]
fn a_directory_of_other_things_is_not_written_to() {
    let ground = Ground::new();
    ground.put("notes.txt", "mine");
    for if_absent in [IfAbsent::Fail, IfAbsent::Imagine, IfAbsent::Make] {
        let access = if if_absent == IfAbsent::Make {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        };
        let error = ground.account(access, if_absent).connect().err().unwrap();
        assert!(error.message.contains("is not a Maildir"), "{error}");
    }
    assert_eq!(ground.file_names(""), ["notes.txt"]);
}

#[test]
fn two_writers_exclude_each_other_and_readers_nobody() {
    let ground = Ground::new();
    let first = ground.writer();
    let bench = Bench::of(&first);
    let error = ground.writer().connect().err().unwrap();
    assert_eq!(error.kind, ErrorKind::Locked);
    Bench::of(&ground.reader());
    // Connections to one account share the lock.
    Bench::of(&first);
    drop((bench, first));
    Bench::of(&ground.writer());
}

#[test]
fn what_is_only_read_is_not_written_to() {
    let ground = Ground::new();
    for n in 0..3 {
        ground.put(&format!("cur/{n}.host:2,S"), format!("Subject: {n}\n\nx\n"));
        ground.put(&format!(".A/new/{n}.host"), "x");
    }
    let everything = || -> Vec<_> {
        let of = |place: &str| {
            ground
                .file_names(place)
                .into_iter()
                .map(|name| format!("{place}/{name}"))
                .collect::<Vec<_>>()
        };
        ["", "cur", ".A", ".A/new"]
            .iter()
            .flat_map(|place| of(place))
            .collect()
    };
    let before = everything();
    let reader = ground.reader();
    let mut bench = Bench::of(&reader);
    assert_eq!(bench.names(), ["INBOX", "A"]);
    let read = bench.read("INBOX");
    assert_eq!(
        read[&1].0, b"Subject: 0\r\n\r\nx\r\n",
        "a reader gets CRLF, as from Dovecot"
    );
    assert_eq!(bench.validity("INBOX"), None, "its numbers do not last");
    let change = crate::store::FlagChange {
        mailbox: "INBOX".into(),
        uids: uids(&[1]),
        edit: FlagEdit::Add,
        flags: contract::flags("\\Flagged"),
        unchanged_since: None,
    };
    assert!(bench.store.change_flags(&[change]).is_err());
    // Another connection of the run knows the messages by the same numbers.
    ground.put("cur/00.host:2,", "later");
    assert_eq!(Bench::of(&reader).read("INBOX")[&1], read[&1]);
    std::fs::remove_file(ground.path().join("cur/00.host:2,")).unwrap();
    assert_eq!(everything(), before);
}

#[test]
fn a_folder_keeps_26_keywords_and_says_so() {
    let ground = Ground::new();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    let all: Vec<String> = (0..26).map(|n| format!("k{n}")).collect();
    bench.deliver("INBOX", &all.join(" "), b"all").unwrap();
    let kept = bench
        .scan("INBOX", ScanDepth::Attributes)
        .unwrap()
        .permanent_flags;
    assert!(!kept.any_keyword && kept.flags.keywords().len() == 26);
    let refused = bench.deliver("INBOX", "k1 one.more", b"more").unwrap_err();
    assert_eq!(refused.meaning, RefusalMeaning::Flags);
    assert!(refused.text.contains("one.more"), "{}", refused.text);
    // With care, it is delivered with as many as fit.
    let uid = bench
        .deliver_with("INBOX", "k1 one.more", b"more", true)
        .unwrap();
    let read = bench.read("INBOX");
    assert_eq!((read.len(), read[&uid].1.as_str()), (2, "(k1)"));
    assert_eq!(
        bench
            .change("INBOX", uid, FlagEdit::Add, "other")
            .unwrap_err()
            .meaning,
        RefusalMeaning::Flags
    );
}

#[test]
fn what_somebody_else_has_changed_is_left_alone() {
    let ground = Ground::new();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    bench.deliver("INBOX", "", b"one").unwrap();
    bench.deliver("INBOX", "", b"two").unwrap();
    let seen = bench
        .scan("INBOX", ScanDepth::Attributes)
        .unwrap()
        .highest_mod_seq
        .unwrap();
    let name = ground.file_names("cur").remove(0);
    let cur = ground.path().join("cur");
    std::fs::rename(cur.join(&name), cur.join(format!("{name}F"))).unwrap();
    let left = [1, 2].map(|uid| {
        bench
            .change_since("INBOX", uid, FlagEdit::Add, "\\Seen", Some(seen))
            .unwrap()
    });
    assert_eq!(left, [uids(&[1]), uids(&[])]);
    let read = bench.read("INBOX");
    assert_eq!(
        (read[&1].1.as_str(), read[&2].1.as_str()),
        ("(\\Flagged)", "(\\Seen)")
    );
    assert!(
        bench
            .scan("INBOX", ScanDepth::Attributes)
            .unwrap()
            .highest_mod_seq
            > Some(seen)
    );
}

#[test]
fn letters_of_other_programs_stay() {
    let ground = Ground::new();
    ground.put("cur/1.host:2,PSXz", "x");
    ground.put("new/2.host", "y");
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    assert_eq!(bench.read("INBOX")[&1].1, "(\\Seen $Forwarded)");
    bench
        .change("INBOX", 1, FlagEdit::Add, "\\Flagged")
        .unwrap();
    bench
        .change("INBOX", 1, FlagEdit::Remove, "\\Seen")
        .unwrap();
    bench
        .change("INBOX", 2, FlagEdit::Remove, "\\Seen")
        .unwrap();
    assert_eq!(
        (ground.file_names("cur"), ground.file_names("new")),
        (vec!["1.host:2,FPXz".into()], vec!["2.host".into()])
    );
    bench.change("INBOX", 2, FlagEdit::Add, "\\Seen").unwrap();
    assert_eq!(ground.file_names("cur"), ["1.host:2,FPXz", "2.host:2,S"]);
}

#[test]
fn two_files_of_one_base_are_two_messages() {
    let ground = Ground::new();
    ground.put("cur/1.host:2,S", "one");
    ground.put("cur/1.host:2,F", "another");
    ground.put("new/1.host", "a third");
    std::fs::hard_link(
        ground.path().join("cur/1.host:2,F"),
        ground.path().join("cur/1.host:2,FR"),
    )
    .unwrap();
    for account in [ground.reader(), ground.writer(), ground.writer()] {
        let mut bodies: Vec<_> = Bench::of(&account)
            .read("INBOX")
            .into_values()
            .map(|(body, ..)| body)
            .collect();
        bodies.sort();
        assert_eq!(bodies, [&b"a third"[..], b"another", b"one"]);
        drop(account);
    }
}

#[test]
fn links_pipes_and_what_can_not_be_read_are_named() {
    let ground = Ground::new();
    ground.put("cur/1.host:2,S", "good");
    ground.put("outside", "secret");
    symlink("../outside", ground.path().join("cur/2.host:2,")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        ground.path().join("cur/3.host:2,"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    std::fs::create_dir(ground.path().join("cur/4.host:2,")).unwrap();
    symlink("gone", ground.path().join("cur/5.host:2,")).unwrap();
    std::fs::create_dir_all(ground.path().join("elsewhere/cur")).unwrap();
    symlink("elsewhere", ground.path().join(".Linked")).unwrap();
    let reader = ground.reader();
    let mut bench = Bench::of(&reader);
    let scan = bench.scan("INBOX", ScanDepth::Identity).unwrap();
    assert_eq!(scan.messages.len(), 4, "they are there, and can't be had");
    for (uid, word) in [
        (2, "symbolic link"),
        (3, "not a regular file"),
        (4, "symbolic link"),
    ] {
        let (bytes, missing, refusal) = bench.fetch("INBOX", None, &uids(&[1, uid]));
        assert_eq!((bytes.len(), missing), (1, uids(&[uid])));
        let text = refusal.unwrap().text;
        assert!(text.contains(word) && text.contains("/cur/"), "{text}");
    }
    assert_eq!(bench.names(), ["INBOX", "Linked"]);
    let refused = bench.scan("Linked", ScanDepth::Attributes).unwrap_err();
    assert!(
        refused.text.contains("/.Linked") && refused.text.contains("symbolic link"),
        "{}",
        refused.text
    );
    let mut writer = Bench::of(&ground.writer());
    assert!(
        writer.deliver("Linked", "", b"x").is_err()
            && writer.store.delete(&["Linked".into()]).unwrap()[0].is_err()
    );
    assert!(ground.file_names("elsewhere/cur").is_empty());
}

#[test]
fn a_directory_of_messages_that_is_a_link_is_refused() {
    let ground = Ground::new();
    ground.put("cur/1.host:2,", "x");
    ground.put(".A/new/1.host", "x");
    std::fs::create_dir(ground.root.path().join("outside")).unwrap();
    symlink(
        ground.root.path().join("outside"),
        ground.path().join(".A/cur"),
    )
    .unwrap();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    for refused in [
        bench.scan("A", ScanDepth::Attributes).map(drop),
        bench.deliver("A", "", b"x").map(drop),
    ] {
        let text = refused.unwrap_err().text;
        assert!(
            text.contains(".A/cur") && text.contains("symbolic link"),
            "{text}"
        );
    }
}

#[test]
fn odd_file_names_keep_their_numbers() {
    let ground = Ground::new();
    for name in [
        "a\nb",
        "-",
        "%41",
        "space d",
        "ü",
        "\u{1b}[31m",
        "..x",
        ":2,S",
        "x:y:z",
    ] {
        ground.put(&format!("cur/{name}"), name);
    }
    ground.put("cur/.hidden", "no message");
    let before = Bench::of(&ground.writer()).read("INBOX");
    assert_eq!(
        before.len(),
        8,
        "a name that begins with a dot is none of a message"
    );
    assert_eq!(Bench::of(&ground.writer()).read("INBOX"), before);
}

#[test]
fn other_directories_are_no_folders_and_a_second_inbox_is_named() {
    let ground = Ground::new();
    ground.put("cur/1.host:2,", "x");
    ground.put(".git/config", "x");
    ground.put("plain/cur/1", "x");
    ground.put(".Inbox/cur/1.host:2,", "hidden");
    ground.put(".x..y/cur/1.host:2,", "odd");
    let account = Account::new(
        &ground.path(),
        Side::SOURCE,
        Access::ReadOnly,
        IfAbsent::Fail,
    );
    let mut bench = Bench::of(&account);
    assert_eq!(bench.names(), ["INBOX", "x..y"]);
    assert_eq!(bench.read("x..y").len(), 1);
    let listing = account.connect().unwrap().list().unwrap();
    let gaps: Vec<String> = listing
        .gaps
        .iter()
        .map(|gap| format!("{}: {}", gap.what, gap.why))
        .collect();
    assert!(
        gaps.len() == 1 && gaps[0].contains("/.Inbox: it reads like INBOX"),
        "{gaps:?}"
    );
}

#[test]
fn what_a_killed_run_has_left_is_cleared_away_and_nothing_else() {
    let ground = Ground::new();
    Bench::of(&ground.writer()).create("A").unwrap();
    ground.put("tmp/mailferry-123", "half");
    ground.put(".A/tmp/mailferry-456", "half");
    ground.put("tmp/99.other.program", "its own");
    ground.put("mailferry-deleted-1/cur/x", "deleted");
    let mut bench = Bench::of(&ground.writer());
    assert!(bench.read("INBOX").is_empty());
    assert_eq!(ground.file_names("tmp"), ["99.other.program"]);
    assert!(ground.file_names(".A/tmp").is_empty());
    assert!(!ground.path().join("mailferry-deleted-1").exists());
}

#[test]
fn dovecots_numbers_serve_a_tree_that_is_only_read() {
    let ground = Ground::new();
    ground.put("cur/1.host,S=1:2,S", "x");
    ground.put("dovecot-uidlist", "3 V77 N9 Gabc\n5 :1.host,S=1\n");
    let mut bench = Bench::of(&ground.reader());
    assert_eq!(bench.validity("INBOX").map(|validity| validity.0), Some(77));
    assert_eq!(bench.read("INBOX").into_keys().collect::<Vec<_>>(), [5]);
    assert_eq!(
        bench.scan("INBOX", ScanDepth::Attributes).unwrap().uid_next,
        UidNext::new(9)
    );
    // A writer has its own numbers, under a UIDVALIDITY other than Dovecot's.
    let mut bench = Bench::of(&ground.writer());
    assert!(bench.validity("INBOX").unwrap().0 > 77);
}

#[test]
fn a_lost_list_of_numbers_is_made_anew_under_another_validity() {
    let ground = Ground::new();
    let first = {
        let mut bench = Bench::of(&ground.writer());
        bench.deliver("INBOX", "", b"x").unwrap();
        bench.validity("INBOX")
    };
    std::fs::remove_file(ground.path().join("mailferry-uids")).unwrap();
    let mut bench = Bench::of(&ground.writer());
    assert_ne!(bench.validity("INBOX"), first);
    assert_eq!(bench.read("INBOX").len(), 1);
}

/// Stops the other program, however the test ends.
struct Stopping<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

fn renamed_by_others(path: &Path, stop: &std::sync::atomic::AtomicBool) -> usize {
    let mut renames = 0;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        for entry in std::fs::read_dir(path.join("cur")).unwrap() {
            std::thread::sleep(std::time::Duration::from_micros(500));
            let name = entry.unwrap().file_name().into_string().unwrap();
            let new = if name.ends_with('S') {
                name.trim_end_matches('S').to_owned()
            } else {
                format!("{name}S")
            };
            // Reading a directory twice may show a file twice.
            renames += usize::from(
                std::fs::rename(path.join("cur").join(&name), path.join("cur").join(new)).is_ok(),
            );
        }
    }
    renames
}

#[test]
fn another_program_that_renames_files_all_the_time_hides_none() {
    let ground = Ground::new();
    for n in 0..400 {
        ground.put(
            &format!("cur/{n}.host:2,"),
            format!("Subject: {n}\r\n\r\n{n}\r\n"),
        );
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let renames = std::thread::scope(|scope| {
        let other = scope.spawn(|| renamed_by_others(&ground.path(), &stop));
        let end = Stopping(&stop);
        for account in [ground.reader(), ground.writer(), ground.writer()] {
            let mut bench = Bench::of(&account);
            let scan = bench.scan("INBOX", ScanDepth::Identity).unwrap();
            assert_eq!(
                (scan.messages.len() as u64 + scan.unlisted, scan.exists),
                (400, 400)
            );
            let wanted: crate::mail::UidSet = scan
                .messages
                .iter()
                .map(crate::mail::Message::uid)
                .collect();
            let (bytes, missing, refusal) = bench.fetch("INBOX", scan.uid_validity, &wanted);
            assert!(
                bytes.len() as u64 + missing.len() == wanted.len()
                    && missing.len() < 4
                    && refusal.is_none(),
                "{missing}"
            );
        }
        drop(end);
        other.join().unwrap()
    });
    assert!(renames > 100, "only {renames} renames");
}

#[test]
fn the_room_is_that_of_its_file_system() {
    let ground = Ground::new();
    let inbox = [crate::mail::MailboxName::from("INBOX")];
    let room = ground.writer().connect().unwrap().room(&inbox).unwrap();
    assert_eq!(room.len(), 1);
    assert_eq!(room[0].folders, [0]);
    assert_eq!(room[0].name, ground.path().display().to_string());
    assert!(room[0].bytes.is_some_and(|bytes| bytes > 0));
    // A dry run imagines it: nothing is known of where it will be.
    let imagined = Ground::new().account(Access::ReadOnly, IfAbsent::Imagine);
    assert!(imagined.connect().unwrap().room(&inbox).unwrap().is_empty());
}
