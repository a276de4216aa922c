//! What every store on a disk must do, as tests that both run.

use crate::mail::{Flags, InternalDate, MailboxName, ModSeq, Uid, UidSet, UidValidity};
use crate::store::{
    Answer, Body, Connector, Delivery, Error, Fetched, FlagChange, FlagEdit, FolderScan,
    MessageSink, NewFolder, Refusal, RefusalMeaning, Relocation, Removal, ScanDepth, ScanRequest,
    Store,
};
use std::collections::BTreeMap;

/// A store, with helpers for tests.
pub(in crate::store) struct Bench {
    pub(in crate::store) store: Box<dyn Store>,
}

/// A message as read: bytes, flags as text, seconds.
pub(in crate::store) type Read = (Vec<u8>, String, i64);

struct Bytes(BTreeMap<u32, Vec<u8>>);

impl MessageSink for Bytes {
    fn message(&mut self, uid: Uid, body: Body<'_>) -> Result<(), Error> {
        let bytes = match body {
            Body::Whole(bytes) => bytes.to_vec(),
            Body::Stream { size, from } => {
                let mut bytes = Vec::new();
                from.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, size);
                bytes
            }
        };
        assert!(
            self.0.insert(uid.get(), bytes).is_none(),
            "{uid} came twice"
        );
        Ok(())
    }
}

pub(in crate::store) fn flags(names: &str) -> Flags {
    Flags::from_names(names.split_whitespace())
}

pub(in crate::store) fn uids(values: &[u32]) -> UidSet {
    values.iter().filter_map(|value| Uid::new(*value)).collect()
}

impl Bench {
    pub(in crate::store) fn of(connector: &dyn Connector) -> Self {
        Self {
            store: connector.connect().unwrap(),
        }
    }

    pub(in crate::store) fn create(&mut self, name: &str) -> Answer<MailboxName> {
        self.store
            .create(&[NewFolder::new(name.into(), Vec::new())])
            .unwrap()
            .remove(0)
    }

    /// Delivers one message and waits for its acknowledgement. Returns the UID.
    pub(in crate::store) fn deliver(
        &mut self,
        to: &str,
        flag_names: &str,
        body: &[u8],
    ) -> Answer<u32> {
        self.deliver_with(to, flag_names, body, false)
    }

    pub(in crate::store) fn deliver_with(
        &mut self,
        to: &str,
        flag_names: &str,
        body: &[u8],
        careful: bool,
    ) -> Answer<u32> {
        let flags = flags(flag_names);
        let date = InternalDate::new(1_700_000_000, 60);
        let mut cursor = body;
        let body = if body.len() > 1000 {
            Body::Stream {
                size: body.len() as u64,
                from: &mut cursor,
            }
        } else {
            Body::Whole(body)
        };
        let delivery = Delivery {
            token: 7,
            flags: &flags,
            date,
            body,
            careful,
            binary: false,
            batch: 0,
        };
        self.store.deliver(&to.into(), delivery).unwrap();
        let mut outcomes = self.store.outcomes(true).unwrap();
        assert_eq!(outcomes.len(), 1);
        assert_eq!(self.store.unacknowledged(), [0u32; 0]);
        let outcome = outcomes.remove(0);
        assert_eq!(outcome.tokens, [7]);
        outcome
            .result
            .map(|placed| placed.unwrap().uids.iter().next().unwrap().get())
    }

    pub(in crate::store) fn scan(&mut self, mailbox: &str, depth: ScanDepth) -> Answer<FolderScan> {
        let mailbox = mailbox.into();
        let request = ScanRequest {
            mailbox: &mailbox,
            depth,
            uids: None,
            search: None,
            for_writing: true,
        };
        let mut found = None;
        self.store
            .scan(&[request], &mut |_, scan| found = Some(scan))
            .unwrap();
        found.unwrap()
    }

    pub(in crate::store) fn validity(&mut self, mailbox: &str) -> Option<UidValidity> {
        self.scan(mailbox, ScanDepth::Attributes)
            .unwrap()
            .uid_validity
    }

    /// Returns everything in a folder. Sizes must match the bytes.
    pub(in crate::store) fn read(&mut self, mailbox: &str) -> BTreeMap<u32, Read> {
        let scan = self.scan(mailbox, ScanDepth::Identity).unwrap();
        assert_eq!(scan.exists as usize, scan.messages.len());
        assert!(scan.headings.is_empty(), "nobody asked for them");
        let headings: BTreeMap<_, _> = self
            .scan(mailbox, ScanDepth::Headings)
            .unwrap()
            .headings
            .into_iter()
            .collect();
        let wanted: UidSet = scan
            .messages
            .iter()
            .map(crate::mail::Message::uid)
            .collect();
        let (bytes, missing, refusal) = self.fetch(mailbox, scan.uid_validity, &wanted);
        assert!(
            missing.is_empty() && refusal.is_none(),
            "{missing} {refusal:?}"
        );
        let read = |message: &crate::mail::Message| {
            let body = bytes[&message.uid().get()].clone();
            assert_eq!(body.len() as u64, u64::from(message.size()));
            assert_eq!(crate::identity::header_key(&body), message.key());
            assert_eq!(
                Some(&crate::identity::heading(&body)),
                headings.get(&message.uid())
            );
            (
                message.uid().get(),
                (
                    body,
                    scan.flags.get(message.flags()).to_string(),
                    message.date().unwrap().seconds(),
                ),
            )
        };
        scan.messages.iter().map(read).collect()
    }

    pub(in crate::store) fn fetch(
        &mut self,
        mailbox: &str,
        validity: Option<UidValidity>,
        uids: &UidSet,
    ) -> (BTreeMap<u32, Vec<u8>>, UidSet, Option<Refusal>) {
        self.store.request(&mailbox.into(), validity, uids).unwrap();
        let mut bytes = Bytes(BTreeMap::new());
        loop {
            match self.store.next(&mut bytes).unwrap() {
                Fetched::Message => {}
                Fetched::RequestDone { missing, refusal } => return (bytes.0, missing, refusal),
            }
        }
    }

    pub(in crate::store) fn change(
        &mut self,
        mailbox: &str,
        uid: u32,
        edit: FlagEdit,
        names: &str,
    ) -> Answer<UidSet> {
        self.change_since(mailbox, uid, edit, names, None)
    }

    pub(in crate::store) fn change_since(
        &mut self,
        mailbox: &str,
        uid: u32,
        edit: FlagEdit,
        names: &str,
        unchanged_since: Option<ModSeq>,
    ) -> Answer<UidSet> {
        let change = FlagChange {
            mailbox: mailbox.into(),
            uids: uids(&[uid]),
            edit,
            flags: flags(names),
            unchanged_since,
        };
        self.store.change_flags(&[change]).unwrap().remove(0)
    }

    pub(in crate::store) fn relocate(
        &mut self,
        from: &str,
        uid: u32,
        to: &str,
        leave: bool,
    ) -> u32 {
        let uid_validity = self.validity(from);
        let relocation = Relocation {
            from: from.into(),
            uid_validity,
            uids: uids(&[uid]),
            to: to.into(),
            leave,
        };
        let mut done = self.store.relocate(&[relocation]).unwrap().remove(0);
        assert!(
            done.refusal.is_none() && done.left_behind.is_empty(),
            "{done:?}"
        );
        assert_eq!(done.uid_validity, self.validity(to));
        let (before, now) = done.placed.pop().unwrap();
        assert_eq!(before.get(), uid);
        now.get()
    }

    pub(in crate::store) fn names(&mut self) -> Vec<String> {
        let listing = self.store.list().unwrap();
        listing
            .mailboxes
            .iter()
            .map(|mailbox| mailbox.name.to_string())
            .collect()
    }

    pub(in crate::store) fn subscribed(&mut self) -> Vec<String> {
        let listing = self.store.list().unwrap();
        listing
            .mailboxes
            .iter()
            .filter(|mailbox| mailbox.subscribed)
            .map(|mailbox| mailbox.name.to_string())
            .collect()
    }
}

/// Returns bodies that no store may alter by a byte.
pub(in crate::store) fn odd_bodies() -> Vec<Vec<u8>> {
    let large = |line: &str| {
        format!(
            "Subject: large\r\n\r\n{}",
            line.repeat(200_000 / line.len())
        )
        .into_bytes()
    };
    let texts = [
        "Subject: a\r\n\r\nplain\r\n",
        "Subject: b\n\nbare\n",
        "Subject: c\r\n\r\nmixed\nends\r\n\r\n",
        "Subject: d\r\n\r\nno end",
        "Subject: e\r\n\r\nFrom here\r\n>From there\r\n>>From\r\nFrom: x\r\n",
        "From ann Mon Jan  1 00:00:00 2024\r\nSubject: f\r\n\r\nx\r\n",
        "Status: RO\r\nX-Status: AF\r\nX-Keywords: a b\r\nX-UID: 5\r\nSubject: g\r\n\r\nx\r\n",
        "Subject: h\r\n\r\nends in a return\r",
        "\r\nno header\r\n",
        "\n",
        "x",
        "",
        "Subject: i\r\n\r\n\0nul \u{1b}[31m and ü\r\n\n\n",
        "Content-Length: 3\r\nSubject: j\r\n\r\nlonger than it says\r\n\r\nFrom me\r\n",
        "X-Mailferry: 1 raw 5\r\nSubject: k\r\n\r\nx\r\n",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.extend([
        large("a line of text\r\n"),
        large("a bare line\n"),
        large("From \r\n"),
        large("\r\n"),
        large("x"),
    ]);
    bodies.push(b"Subject: l\r\n\r\n\xff\xfe not text\r\n".to_vec());
    bodies
}

/// What is delivered comes back byte for byte, with flags and date, from another connection too.
pub(in crate::store) fn bytes_come_back(connector: &dyn Connector) {
    let mut bench = Bench::of(connector);
    bench.create("A.b").unwrap();
    for mailbox in ["INBOX", "A.b"] {
        for (number, body) in (1..).zip(odd_bodies()) {
            let names = [
                "",
                "\\Seen",
                "\\Seen \\Flagged $Label1",
                "\\Draft \\Answered \\Deleted",
            ][number as usize % 4];
            assert_eq!(bench.deliver(mailbox, names, &body), Ok(number));
            let expected = (body, flags(names).to_string(), 1_700_000_000);
            let read = bench.read(mailbox);
            assert!(
                read[&number] == expected,
                "{number}: {:?}",
                read[&number].0.escape_ascii().to_string().get(..200)
            );
        }
    }
    let before = bench.read("A.b");
    drop(bench);
    assert_eq!(Bench::of(connector).read("A.b"), before);
}

/// Flags are set and removed one by one.
pub(in crate::store) fn flags_change(connector: &dyn Connector) {
    let mut bench = Bench::of(connector);
    for body in ["one", "two"] {
        bench.deliver("INBOX", "\\Seen", body.as_bytes()).unwrap();
    }
    assert_eq!(
        bench.change("INBOX", 1, FlagEdit::Add, "\\Flagged Red"),
        Ok(UidSet::default())
    );
    assert_eq!(
        bench.change("INBOX", 1, FlagEdit::Remove, "\\Seen Blue"),
        Ok(UidSet::default())
    );
    assert_eq!(
        bench.change("INBOX", 99, FlagEdit::Add, "\\Seen"),
        Ok(UidSet::default())
    );
    let read = bench.read("INBOX");
    assert_eq!(
        read[&1],
        (b"one".to_vec(), "(\\Flagged Red)".to_owned(), 1_700_000_000)
    );
    assert_eq!(
        read[&2],
        (b"two".to_vec(), "(\\Seen)".to_owned(), 1_700_000_000)
    );
    bench
        .change("INBOX", 1, FlagEdit::Remove, "\\Flagged red")
        .unwrap();
    assert_eq!(bench.read("INBOX")[&1].1, "()");
}

/// Messages are copied, moved and removed by UID, but not under another UIDVALIDITY.
pub(in crate::store) fn messages_move(connector: &dyn Connector) {
    let mut bench = Bench::of(connector);
    bench.create("Work").unwrap();
    for body in ["one\r\n", "two\n", "three", "four"] {
        bench
            .deliver("INBOX", "\\Seen Red", body.as_bytes())
            .unwrap();
    }
    bench.deliver("Work", "Green", b"there").unwrap();
    let moved = bench.relocate("INBOX", 2, "Work", true);
    let copied = bench.relocate("INBOX", 3, "Work", false);
    let work = bench.read("Work");
    assert_eq!(
        work[&moved],
        (b"two\n".to_vec(), "(\\Seen Red)".to_owned(), 1_700_000_000)
    );
    assert_eq!(
        work[&copied],
        (b"three".to_vec(), "(\\Seen Red)".to_owned(), 1_700_000_000)
    );
    assert_eq!(work[&1].1, "(Green)");
    assert_eq!(
        bench.read("INBOX").into_keys().collect::<Vec<_>>(),
        [1, 3, 4]
    );
    // A copy has its own flags.
    bench
        .change("Work", copied, FlagEdit::Add, "\\Flagged")
        .unwrap();
    assert_eq!(bench.read("INBOX")[&3].1, "(\\Seen Red)");

    let uid_validity = bench.validity("INBOX");
    let other = uid_validity.map(|validity| UidValidity(validity.0 + 1));
    let removal = |uid_validity| Removal {
        mailbox: "INBOX".into(),
        uid_validity,
        uids: uids(&[1, 77]),
    };
    let refused = bench
        .store
        .remove(&[removal(other)])
        .unwrap()
        .remove(0)
        .unwrap_err();
    assert_eq!(refused.meaning, RefusalMeaning::NoFolder);
    bench
        .store
        .remove(&[removal(uid_validity)])
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(bench.read("INBOX").into_keys().collect::<Vec<_>>(), [3, 4]);
    let (_, missing, refusal) = bench.fetch("INBOX", other, &uids(&[3]));
    assert_eq!(
        (missing, refusal.unwrap().meaning),
        (uids(&[3]), RefusalMeaning::NoFolder)
    );
    let (_, missing, refusal) = bench.fetch("INBOX", uid_validity, &uids(&[1, 3]));
    assert_eq!((missing, refusal), (uids(&[1]), None));
    // No UID is used twice.
    assert_eq!(bench.deliver("INBOX", "", b"five"), Ok(5));
}

/// Folders are created, renamed with their subfolders, and deleted without them.
pub(in crate::store) fn folders_change(connector: &dyn Connector) {
    let mut bench = Bench::of(connector);
    for name in ["A", "A.b", "A.b.c", "AB", "Z"] {
        assert_eq!(bench.create(name), Ok(name.into()));
        bench.deliver(name, "", name.as_bytes()).unwrap();
    }
    assert_eq!(
        bench.create("A.b"),
        Ok("A.b".into()),
        "one that is there counts as made"
    );
    let all = ["INBOX", "A.b", "A.b.c"].map(MailboxName::from);
    assert!(
        bench
            .store
            .subscribe(&all)
            .unwrap()
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(bench.subscribed(), ["INBOX", "A.b", "A.b.c"]);

    let before = bench.validity("A.b");
    let rename = |bench: &mut Bench, from: &str, to: &str| {
        bench
            .store
            .rename(&[(from.into(), to.into())])
            .unwrap()
            .remove(0)
    };
    rename(&mut bench, "A", "N.x").unwrap();
    assert_eq!(
        bench.names(),
        ["INBOX", "AB", "N.x", "N.x.b", "N.x.b.c", "Z"]
    );
    assert_eq!(bench.read("N.x.b.c")[&1].0, b"A.b.c");
    assert_eq!(bench.validity("N.x.b"), before);
    // Subscriptions stay with the names (RFC 3501 section 6.3.9), until someone changes them.
    assert_eq!(bench.subscribed(), ["INBOX"]);
    bench
        .store
        .unsubscribe(&["A.b".into(), "A.b.c".into(), "never".into()])
        .unwrap();
    let new = ["N.x.b", "N.x.b.c"].map(MailboxName::from);
    assert!(
        bench
            .store
            .subscribe(&new)
            .unwrap()
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(bench.subscribed(), ["INBOX", "N.x.b", "N.x.b.c"]);
    assert!(rename(&mut bench, "N.x", "Z").is_err());
    assert!(rename(&mut bench, "missing", "q").is_err());
    assert!(rename(&mut bench, "INBOX", "q").is_err());

    let delete =
        |bench: &mut Bench, name: &str| bench.store.delete(&[name.into()]).unwrap().remove(0);
    delete(&mut bench, "N.x.b").unwrap();
    assert!(delete(&mut bench, "N.x.b").is_err());
    assert!(delete(&mut bench, "INBOX").is_err());
    assert_eq!(bench.names(), ["INBOX", "AB", "N.x", "N.x.b.c", "Z"]);
    assert_eq!(bench.subscribed(), ["INBOX", "N.x.b.c"]);
    // One with the same name is another folder.
    bench.create("N.x.b").unwrap();
    assert_ne!(bench.validity("N.x.b"), before);
    assert_eq!(
        bench.deliver("missing", "", b"x").unwrap_err().meaning,
        RefusalMeaning::NoFolder
    );
    for hostile in [
        "../x",
        "a/../../x",
        "x..y",
        ".",
        "..",
        "",
        "a\nb",
        &"x".repeat(300),
    ] {
        assert!(bench.create(hostile).is_err(), "{hostile:?}");
    }
}

/// A source that breaks off leaves nothing.
pub(in crate::store) fn half_a_message_is_none(connector: &dyn Connector) {
    let mut bench = Bench::of(connector);
    let flags = flags("");
    let mut short = std::io::repeat(b'x').take_only(100_000);
    let body = Body::Stream {
        size: 200_000,
        from: &mut short,
    };
    let delivery = Delivery {
        token: 1,
        flags: &flags,
        date: None,
        body,
        careful: false,
        binary: false,
        batch: 0,
    };
    assert!(bench.store.deliver(&"INBOX".into(), delivery).is_err());
    assert!(bench.read("INBOX").is_empty());
    assert_eq!(bench.deliver("INBOX", "", b"whole"), Ok(1));
    assert_eq!(bench.read("INBOX").len(), 1);
}

trait TakeOnly: std::io::Read + Sized {
    fn take_only(self, bytes: u64) -> std::io::Take<Self> {
        std::io::Read::take(self, bytes)
    }
}

impl TakeOnly for std::io::Repeat {}
