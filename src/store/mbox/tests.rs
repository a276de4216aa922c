//! Each test has its own directory, accessed in the same way as by the verbs.

use super::Account;
use crate::event::Silent;
use crate::mail::Side;
use crate::store::disk::contract::{self, Bench, uids};
use crate::store::{Access, Connector as _, ErrorKind, FlagEdit, IfAbsent, ScanDepth};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

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
        Account::new(
            &self.path(),
            Side::TARGET,
            access,
            if_absent,
            Arc::new(Silent),
        )
    }

    fn writer(&self) -> Account {
        self.account(Access::ReadWrite, IfAbsent::Make)
    }

    fn reader(&self) -> Account {
        self.account(Access::ReadOnly, IfAbsent::Fail)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path().join(name)).unwrap()).into_owned()
    }
}

/// The contract has names with dots between levels; here they are slashes.
const FOREIGN: &str = "From ann@x.org Thu Feb  1 01:34:05 2024\nSubject: one\nStatus: RO\nX-Status: F\nX-Keywords: Red\n\n\
                       >From here\nbody\n\nFrom bob@x.org Fri Feb  2 01:34:05 2024\nSubject: two\n\nFrom me to you\nend\n";

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
fn half_a_message_is_none() {
    contract::half_a_message_is_none(&Ground::new().writer());
}

#[test]
fn folders_are_files_and_what_is_below_them_directories() {
    let ground = Ground::new();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    for name in ["A", "A/b", "A/b/c", "Ü"] {
        assert_eq!(bench.create(name), Ok(name.into()));
        bench.deliver(name, "", name.as_bytes()).unwrap();
    }
    assert!(ground.path().join("A.sbd/b.sbd/c").is_file());
    let before = bench.validity("A/b");
    let rename = |bench: &mut Bench, from: &str, to: &str| {
        bench
            .store
            .rename(&[(from.into(), to.into())])
            .unwrap()
            .remove(0)
    };
    rename(&mut bench, "A", "N/x").unwrap();
    assert_eq!(
        bench.names(),
        [
            "INBOX",
            "N/x",
            "N/x/b",
            "N/x/b/c",
            &crate::mail::MailboxName::from("Ü").to_string()
        ]
    );
    assert_eq!(
        (
            bench.read("N/x/b")[&1].0.as_slice(),
            bench.validity("N/x/b")
        ),
        (&b"A/b"[..], before)
    );
    assert!(rename(&mut bench, "N/x", "Ü").is_err() && rename(&mut bench, "INBOX", "q").is_err());
    assert!(rename(&mut bench, "missing", "q").is_err());
    bench
        .store
        .subscribe(&["N/x/b".into(), "INBOX".into()])
        .unwrap();
    bench
        .store
        .delete(&["N/x/b".into()])
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(bench.subscribed(), ["INBOX"]);
    assert_eq!(bench.names()[1..3], ["N/x", "N/x/b/c"]);
    bench.create("N/x/b").unwrap();
    assert_ne!(bench.validity("N/x/b"), before);
    for hostile in [
        "../x",
        "a/../../x",
        "a//b",
        ".",
        "..",
        "",
        "a\nb",
        "x.lock",
        "x.sbd",
        "mailferry-x",
        &"x".repeat(300),
    ] {
        assert!(bench.create(hostile).is_err(), "{hostile:?}");
    }
}

#[test]
fn what_other_programs_wrote_is_read_and_their_bytes_stay() {
    let ground = Ground::new();
    ground.put("INBOX", FOREIGN);
    ground.put("Old/2023", FOREIGN);
    ground.put("notes.txt", "no mail");
    ground.put("INBOX.msf", "// mork");
    let one = (
        b"Subject: one\r\n\r\nFrom here\r\nbody\r\n".to_vec(),
        "(\\Seen \\Flagged Red)".to_owned(),
        1_706_751_245,
    );
    let two = (
        b"Subject: two\r\n\r\nFrom me to you\r\nend\r\n".to_vec(),
        "()".to_owned(),
        1_706_837_645,
    );
    let mut bench = Bench::of(&ground.reader());
    assert_eq!(bench.names(), ["INBOX", "Old/2023"]);
    for name in ["INBOX", "Old/2023"] {
        assert_eq!(
            bench.read(name).into_values().collect::<Vec<_>>(),
            [one.clone(), two.clone()]
        );
    }
    assert_eq!(ground.text("INBOX"), FOREIGN);
    assert!(
        !ground.path().join("INBOX.mailferry-uids").exists(),
        "what is only read is not written to"
    );
    // A writer changes flags and appends, without altering a byte of the messages.
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    bench
        .change("INBOX", 1, FlagEdit::Remove, "\\Flagged")
        .unwrap();
    bench
        .change("INBOX", 2, FlagEdit::Add, "\\Answered Blue")
        .unwrap();
    assert_eq!(
        bench.deliver("INBOX", "\\Seen", b"Subject: three\r\n\r\nx\r\n"),
        Ok(3)
    );
    let read = bench.read("INBOX");
    assert_eq!(read[&1], (one.0, "(\\Seen Red)".to_owned(), one.2));
    assert_eq!(read[&2], (two.0, "(\\Answered Blue)".to_owned(), two.2));
    assert_eq!(read[&3].0, b"Subject: three\r\n\r\nx\r\n");
    assert!(ground.text("INBOX").contains("\n>From here\nbody\n"));
}

#[test]
fn a_message_that_a_crash_has_cut_is_not_read_and_gives_way_to_the_next() {
    let whole = {
        let ground = Ground::new();
        let mut bench = Bench::of(&ground.writer());
        bench
            .deliver("INBOX", "\\Seen", b"Subject: one\r\n\r\nbody one\r\n")
            .unwrap();
        let first = ground.text("INBOX").len();
        bench
            .deliver("INBOX", "Red", b"Subject: two\r\n\r\nbody two\r\n")
            .unwrap();
        (ground.text("INBOX"), first)
    };
    let (text, first) = whole;
    for cut in first..text.len() {
        let ground = Ground::new();
        ground.put("INBOX", &text[..cut]);
        let complete = cut + 1 >= text.len();
        let read = Bench::of(&ground.reader()).read("INBOX");
        assert_eq!(
            read.len(),
            1 + usize::from(complete),
            "cut at {cut}: {:?}",
            &text[first..cut]
        );
        let mut bench = Bench::of(&ground.writer());
        bench
            .deliver("INBOX", "", b"Subject: next\r\n\r\nx\r\n")
            .unwrap();
        let bodies: Vec<_> = bench
            .read("INBOX")
            .into_values()
            .map(|(bytes, ..)| bytes)
            .collect();
        assert_eq!(bodies.len(), 2 + usize::from(complete), "cut at {cut}");
        assert_eq!(bodies[0], b"Subject: one\r\n\r\nbody one\r\n");
        assert_eq!(bodies.last().unwrap(), b"Subject: next\r\n\r\nx\r\n");
    }
}

#[test]
fn equal_messages_are_as_many_as_there_are_and_keep_their_numbers() {
    let ground = Ground::new();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    for names in ["", "\\Seen", "\\Flagged"] {
        bench.deliver("INBOX", names, b"same").unwrap();
    }
    let uid_validity = bench.validity("INBOX");
    let removal = crate::store::Removal {
        mailbox: "INBOX".into(),
        uid_validity,
        uids: uids(&[1]),
    };
    bench.store.remove(&[removal]).unwrap().remove(0).unwrap();
    let flags = |bench: &mut Bench| -> Vec<_> {
        bench
            .read("INBOX")
            .into_iter()
            .map(|(uid, (_, flags, _))| (uid, flags))
            .collect()
    };
    let left = [(2, "(\\Seen)".to_owned()), (3, "(\\Flagged)".to_owned())];
    assert_eq!(flags(&mut bench), left);
    drop((bench, writer));
    assert_eq!(flags(&mut Bench::of(&ground.writer())), left);
}

#[test]
fn a_message_that_another_program_has_changed_is_read_whole() {
    let ground = Ground::new();
    Bench::of(&ground.writer())
        .deliver("INBOX", "", b"Subject: one\r\n\r\nbody\r\n")
        .unwrap();
    let text = ground
        .text("INBOX")
        .replace("Status: O\n", "")
        .replace("\n\nbody", "\nX-Label: new\nStatus: RO\n\nbody");
    ground.put("INBOX", text);
    let read = Bench::of(&ground.reader()).read("INBOX");
    assert_eq!(read[&1].0, b"Subject: one\r\nX-Label: new\r\n\r\nbody\r\n");
    assert_eq!(read[&1].1, "(\\Seen)");
}

#[test]
fn links_and_other_files_are_not_touched() {
    let ground = Ground::new();
    ground.put("INBOX", FOREIGN);
    std::fs::write(ground.root.path().join("outside"), FOREIGN).unwrap();
    symlink("../outside", ground.path().join("Linked")).unwrap();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    assert_eq!(bench.names(), ["INBOX"]);
    for refused in [
        bench.scan("Linked", ScanDepth::Identity).map(drop),
        bench.deliver("Linked", "", b"x").map(drop),
    ] {
        let text = refused.unwrap_err().text;
        assert!(
            text.contains("/Linked") && text.contains("symbolic link"),
            "{text}"
        );
    }
    assert_eq!(
        std::fs::read_to_string(ground.root.path().join("outside")).unwrap(),
        FOREIGN
    );
    let other = Ground::new();
    other.put("notes.txt", "mine");
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = other
            .account(access, IfAbsent::Make)
            .connect()
            .err()
            .unwrap();
        assert_eq!(error.kind, ErrorKind::Local);
    }
    assert!(!other.path().join("INBOX").exists());
}

#[test]
fn a_dotlock_is_waited_for() {
    let ground = Ground::new();
    let writer = ground.writer();
    let mut bench = Bench::of(&writer);
    let lock = ground.path().join("INBOX.lock");
    std::fs::write(&lock, "").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            assert_eq!(
                std::fs::metadata(ground.path().join("INBOX"))
                    .unwrap()
                    .len(),
                0
            );
            std::fs::remove_file(&lock).unwrap();
        });
        bench.deliver("INBOX", "", b"x").unwrap();
    });
    assert!(!lock.exists());
}
