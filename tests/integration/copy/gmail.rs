//! Whole mailboxes from a server of Gmail's kind and back, and the options for its labels.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::gmail::{self, ALL, Labels, deliver};
use crate::lab::mailboxes::empty;
use crate::lab::memory::{Fake, Manner};
use crate::lab::names::decode;
use crate::lab::pair::{Pair, letter, snapshot};
use crate::lab::run::{Run, copy, verify};
use crate::lab::servers::{Account, PASSWORD, Personality};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How many messages the large mailbox has; `MAILFERRY_GMAIL` sets another number.
const MESSAGES: usize = 240;

/// Labels by their raw names, and what they are called elsewhere: nested ones, and some in other
/// languages.
const LABELS: [(&str, &str); 6] = [
    ("INBOX", "INBOX"),
    ("Work", "Work"),
    ("Work/2024/Q1", "Work/2024/Q1"),
    ("&ZeVnLIqe-", "日本語"),
    ("Entw&APw-rfe alt", "Entwürfe alt"),
    ("[Gmail]/Gesendet", "Gesendet"),
];

/// Folders of Gmail's own whose messages have no labels.
const APART: [(&str, &str); 3] = [
    ("[Gmail]/Entw&APw-rfe", "Entwürfe"),
    ("[Gmail]/Papierkorb", "Papierkorb"),
    ("[Gmail]/Spam", "Spam"),
];

const ALL_GERMAN: &str = "[Gmail]/Alle Nachrichten";

/// What folders hold: each message's bytes and whether it is starred, sorted.
type Held = BTreeMap<String, Vec<([u8; 32], bool)>>;

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What an account holds, without empty folders.
fn held(account: &Account) -> Held {
    let mut held = Held::new();
    for (levels, messages) in snapshot(account).folders {
        let of = |flags: &BTreeSet<String>| flags.contains("\\Flagged");
        let mut all: Vec<_> = messages
            .iter()
            .map(|one| (one.sha256, of(&one.flags)))
            .collect();
        all.sort_unstable();
        if !all.is_empty() {
            held.insert(levels.join("/"), all);
        }
    }
    held
}

/// A random sequence that is the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }
}

/// Fills a mailbox: a quarter of the messages is archived, the others have up to four labels, every
/// fifth is starred, and one is large. Gives what another server is to hold of it.
fn fill(fake: &Fake) -> Held {
    let count = std::env::var("MAILFERRY_GMAIL").map_or(MESSAGES, |text| text.parse().unwrap());
    let mut random = Random(42);
    let mut expected = Held::new();
    for (raw, _) in LABELS
        .iter()
        .filter(|(raw, _)| !raw.starts_with("[Gmail]") && *raw != "INBOX")
    {
        fake.boxes()
            .insert((*raw).to_owned(), crate::lab::memory::Folder::default());
    }
    for number in 0..count {
        let mut bytes = letter(&format!("message {number}")).bytes;
        if number == 7 {
            bytes.extend_from_slice("a line of a large message\r\n".repeat(12_000).as_bytes());
        }
        let is_starred = number % 5 == 0;
        let mut labels: Vec<(&str, &str)> = Vec::new();
        if number % 20 == 1 {
            labels.push(APART[random.below(APART.len())]);
        } else if number % 4 > 0 {
            for _ in 0..=random.below(4) {
                labels.push(LABELS[random.below(LABELS.len())]);
            }
        }
        labels.sort_unstable();
        labels.dedup();
        let raw: Vec<&str> = labels.iter().map(|(raw, _)| *raw).collect();
        let flags: &[&str] = if is_starred {
            &["\\Flagged"]
        } else {
            &["\\Seen"]
        };
        deliver(fake, &raw, flags, &bytes);
        let there: Vec<&str> = match labels.is_empty() {
            true => vec!["Archive"],
            false => labels.iter().map(|(_, name)| *name).collect(),
        };
        for folder in there {
            let held = expected.entry(folder.to_owned()).or_default();
            held.push((hash(&bytes), is_starred));
        }
    }
    ["hi", "hello"]
        .iter()
        .for_each(|chat| fake.put("[Gmail]/Chats", &letter(chat).bytes));
    expected.values_mut().for_each(|held| held.sort_unstable());
    expected
}

/// Each message of All Mail, drafts, Trash and Spam once.
fn distinct(held: &Held) -> usize {
    held.values().flatten().collect::<BTreeSet<_>>().len()
}

/// How often each body was fetched.
fn fetches(fake: &Fake) -> BTreeMap<[u8; 32], usize> {
    let mut counts = BTreeMap::new();
    for folder in fake.boxes().values() {
        for uid in &folder.fetched {
            let message = folder.messages.iter().find(|message| message.uid == *uid);
            *counts.entry(hash(&message.unwrap().bytes)).or_default() += 1;
        }
    }
    counts
}

/// A whole mailbox goes to an ordinary server and from there into another Gmail: nothing is
/// missing, nothing is doubled, each message crosses the wire once, and further runs do nothing.
#[test]
fn a_mailbox_leaves_gmail_and_comes_back() {
    let (fake, source) = gmail::start_german();
    let expected = fill(&fake);
    let there = Pair::of(source, empty("gmail", Personality::Plain));
    let run = there.copy(&[]).ended(0);
    assert_eq!(held(&there.target), expected);
    let archived = expected["Archive"].len();
    let (view, only) = (ALL_GERMAN.to_owned(), &run.summary()["only_in_views"]);
    assert_eq!(only.as_array().unwrap().len(), 1, "{only}");
    assert_eq!(
        (&only[0]["view"], &only[0]["folder"], &only[0]["messages"]),
        (&view.into(), &"Archive".into(), &archived.into())
    );
    assert_eq!(left_out(&run), [("chats".to_owned(), 2)]);
    let counts = fetches(&fake);
    assert_eq!(counts.len(), distinct(&expected));
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    at_rest(&there);
    assert_eq!(fetches(&fake), counts, "it was fetched again");

    let (other, target) = gmail::start_german();
    let back = Pair::of(there.target.clone(), target);
    back.copy(&[]).ended(0);
    assert_eq!(other.lines_of("APPEND").len(), distinct(&expected));
    let returned = held(&back.target);
    for (raw, name) in LABELS.iter().chain(&APART) {
        let label = decode(raw);
        assert_eq!(returned.get(&label), expected.get(*name), "{label}");
    }
    assert_eq!(returned.get("Archive"), expected.get("Archive"));
    let apart: usize = ["Papierkorb", "Spam"]
        .map(|name| expected[name].len())
        .iter()
        .sum();
    assert_eq!(returned[ALL_GERMAN].len(), distinct(&expected) - apart);
    at_rest(&back);
    assert_eq!(held(&back.target), returned);
}

/// Further runs find nothing to do, with the state and without, and both sides are equal.
fn at_rest(ground: &Pair) {
    for run in [
        ground.copy(&[]),
        ground.copy_without_state(&[]),
        ground.copy(&["--delete"]),
        ground.copy_without_state(&["--delete"]),
    ] {
        run.ended(0)
            .counts(&[("copied", 0), ("deleted", 0), ("flags_updated", 0)]);
    }
    verify(&ground.source, &ground.target, &[]).ended(0);
}

fn left_out(run: &Run) -> Vec<(String, u64)> {
    let summary = run.summary();
    let all = summary["left_out"].as_array().unwrap().iter();
    all.map(|one| {
        let by = one["by"].as_str().unwrap().to_owned();
        (by, one["messages"].as_u64().unwrap())
    })
    .collect()
}

/// A small Gmail: `a` in INBOX and Work, `b` in Work and Home, `c` sent, `d` archived.
fn small() -> (Fake, Account) {
    let (fake, account) = gmail::start(Labels::Others);
    for label in ["Work", "Home/New York"] {
        fake.boxes()
            .insert(label.to_owned(), crate::lab::memory::Folder::default());
    }
    for (subject, labels) in [
        ("a", &["INBOX", "Work"][..]),
        ("b", &["Work", "Home/New York"]),
        ("c", &["[Gmail]/Sent Mail", "Work"]),
        ("d", &[]),
    ] {
        deliver(&fake, labels, &["\\Seen"], &letter(subject).bytes);
    }
    (fake, account)
}

/// The subjects in each folder, each with its keywords.
fn subjects(account: &Account) -> BTreeMap<String, Vec<String>> {
    let names: BTreeMap<[u8; 32], &str> = ["a", "b", "c", "d", "e"]
        .map(|subject| (hash(&letter(subject).bytes), subject))
        .into();
    let mut found = BTreeMap::new();
    for (levels, messages) in snapshot(account).folders {
        let mut shown: Vec<String> = messages
            .iter()
            .map(|message| {
                let keywords = message.flags.iter().filter(|flag| !flag.starts_with('\\'));
                let words: Vec<String> = keywords.cloned().collect();
                [vec![names[&message.sha256].to_owned()], words]
                    .concat()
                    .join(" ")
            })
            .collect();
        shown.sort();
        if !shown.is_empty() {
            found.insert(levels.join("/"), shown);
        }
    }
    found
}

fn shown(expected: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let all = expected.iter();
    all.map(|(folder, words)| ((*folder).to_owned(), owned(words)))
        .collect()
}

/// Gmail says which messages are one, where headers can't: without a Message-ID, of a draft, and of
/// two that look the same.
#[test]
fn every_body_is_fetched_once_whatever_its_header() {
    let (fake, source) = gmail::start_german();
    for label in ["Work", "Home"] {
        fake.boxes()
            .insert(label.to_owned(), crate::lab::memory::Folder::default());
    }
    let without_id = b"Subject: no id\r\nFrom: ann@example.org\r\n\r\nhello\r\n";
    deliver(&fake, &["INBOX", "Work", "Home"], &[], without_id);
    deliver(
        &fake,
        &["[Gmail]/Entw&APw-rfe", "Work"],
        &["\\Draft"],
        &letter("a").bytes,
    );
    deliver(&fake, &["INBOX", "Work"], &[], &letter("b").bytes);
    deliver(
        &fake,
        &["Work", "Home"],
        &[],
        &NewLetter::of("b", "jello").0.bytes,
    );
    let ground = Pair::of(source, empty("fetched", Personality::Plain));
    ground.copy(&[]).ended(0).counts(&[("copied", 9)]);
    let counts = fetches(&fake);
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [1; 4]);
    let there = held(&ground.target);
    let sizes = |name: &str| there.get(name).map_or(0, Vec::len);
    assert_eq!(
        ["INBOX", "Work", "Home", "Entwürfe"].map(sizes),
        [2, 4, 2, 1]
    );
    at_rest(&ground);
    verify(&ground.source, &ground.target, &["--deep"]).ended(0);
}

#[test]
fn archived_mail_goes_where_the_user_wants_it() {
    let (_fake, source) = small();
    let ground = Pair::of(source, empty("archive", Personality::Plain));
    let options = ["--gmail-archive", "Old/Gmail"];
    ground.copy(&options).ended(0).counts(&[("copied", 7)]);
    assert_eq!(subjects(&ground.target)["Old/Gmail"], ["d"]);
    verify(&ground.source, &ground.target, &options).ended(0);
    verify(&ground.source, &ground.target, &[]).ended(4);
    for more in [&[][..], &["--delete"]] {
        let run = ground.copy(&[&options, more].concat()).ended(0);
        run.counts(&[("copied", 0), ("deleted", 0)]);
    }
    // Another Gmail has no better place for it either, where the user names one.
    let (_other, target) = gmail::start(Labels::Others);
    let ground = Pair::of(ground.source.clone(), target);
    ground.copy(&options).ended(0);
    assert_eq!(subjects(&ground.target)["Old/Gmail"], ["d"]);
}

#[test]
fn each_message_goes_into_one_folder_if_the_user_wants_that() {
    let (fake, source) = small();
    let ground = Pair::of(source, empty("onefolder", Personality::Plain));
    let options = ["--gmail-labels", "one-folder"];
    let run = ground.copy(&options).ended(0).counts(&[("copied", 4)]);
    assert_eq!(left_out(&run), [("labels".to_owned(), 3)]);
    let there = shown(&[
        ("Archive", &["d"]),
        ("Home/New York", &["b"]),
        ("INBOX", &["a"]),
        ("Sent Mail", &["c"]),
    ]);
    assert_eq!(subjects(&ground.target), there);
    for more in [&[][..], &["--delete"]] {
        let all = [&options, more].concat();
        for run in [ground.copy(&all), ground.copy_without_state(&all)] {
            run.ended(0).counts(&[("copied", 0), ("deleted", 0)]);
        }
    }
    verify(&ground.source, &ground.target, &options).ended(0);
    verify(&ground.source, &ground.target, &[]).ended(4);
    // A message that leaves the inbox goes to its label.
    let mut client = Client::login(&ground.source);
    client.select(&["INBOX"]);
    client.expunge("1");
    drop(client);
    assert_eq!(fake.boxes()["INBOX"].messages.len(), 0);
    ground
        .copy(&[&options[..], &["--delete"]].concat())
        .ended(0);
    assert_eq!(subjects(&ground.target)["Work"], ["a"]);
    assert!(!subjects(&ground.target).contains_key("INBOX"));
    // Without the option, the labels that were left out come along.
    ground.copy(&[]).ended(0).counts(&[("copied", 2)]);
    assert_eq!(subjects(&ground.target)["Work"], ["a", "b", "c"]);
}

#[test]
fn labels_become_keywords_if_the_user_wants_that() {
    let (fake, source) = small();
    let ground = Pair::of(source, empty("keywords", Personality::Plain));
    let options = ["--gmail-labels", "keywords"];
    ground.copy(&options).ended(0).counts(&[("copied", 4)]);
    let there = shown(&[
        ("Archive", &["d"]),
        ("Home/New York", &["b Work"]),
        ("INBOX", &["a Work"]),
        ("Sent Mail", &["c Work"]),
    ]);
    assert_eq!(subjects(&ground.target), there);
    let nothing = [("copied", 0), ("deleted", 0), ("flags_updated", 0)];
    for more in [&[][..], &["--delete"]] {
        let all = [&options, more].concat();
        for run in [ground.copy(&all), ground.copy_without_state(&all)] {
            run.ended(0).counts(&nothing);
        }
    }
    verify(&ground.source, &ground.target, &options).ended(0);
    // Labels are added and taken away.
    deliver(&fake, &["Home/New York"], &[], &letter("a").bytes);
    let mut client = Client::login(&ground.source);
    client.select(&["Work"]);
    let work = fake.boxes()["Work"].clone();
    let of_c = work
        .messages
        .iter()
        .find(|held| held.bytes == letter("c").bytes);
    client.expunge(&of_c.unwrap().uid.to_string());
    drop(client);
    ground
        .copy(&options)
        .ended(0)
        .counts(&[("copied", 0), ("flags_updated", 2)]);
    assert_eq!(subjects(&ground.target)["INBOX"], ["a Home/New_York Work"]);
    assert_eq!(subjects(&ground.target)["Sent Mail"], ["c"]);
}

#[test]
fn labels_that_the_target_stores_no_keywords_for_are_named() {
    let (_gmail, source) = small();
    let manner = Manner {
        after: "IMAP4rev1 NAMESPACE UIDPLUS".to_owned(),
        namespace: Some(r#"(("" "/")) NIL NIL"#.to_owned()),
        keywords: false,
        ..Manner::default()
    };
    let fake = Fake::start(manner, &[]);
    let target = account(&fake);
    let run = copy(&source, &target, &["--gmail-labels", "keywords"]).ended(0);
    assert!(
        run.says("the target keeps no (Work) here"),
        "{}",
        run.stderr
    );
    let there = subjects(&target);
    assert_eq!(
        (&there["INBOX"][..], &there["Home/New York"][..]),
        (&["a".to_owned()][..], &["b".to_owned()][..])
    );
    copy(&source, &target, &["--gmail-labels", "keywords"])
        .ended(0)
        .counts(&[("copied", 0)]);
}

fn account(fake: &Fake) -> Account {
    Account {
        port: fake.server.port,
        tls_port: 0,
        user: "ann".to_owned(),
        password: PASSWORD.to_owned(),
        ca: PathBuf::new(),
    }
}

/// Gmail keeps one of several equal messages: that is said, and they are not sent again and again.
#[test]
fn equal_messages_become_one_in_gmail() {
    let (fake, target) = gmail::start(Labels::Others);
    let ground = Pair::of(empty("equal", Personality::Plain), target);
    let mut other = letter("a");
    other.bytes.pop();
    other.bytes.pop();
    other.bytes.extend_from_slice(b"o\r\n");
    let same_length = NewLetter::of("a", "jello");
    Client::login(&ground.source).append(
        &["INBOX"],
        [letter("a"), letter("a"), letter("b"), other, same_length.0].into_iter(),
    );
    for nth in 0..3 {
        let run = if nth < 2 {
            ground.copy(&[])
        } else {
            ground.copy_without_state(&[])
        };
        let run = run
            .ended(0)
            .counts(&[("copied", if nth == 0 { 4 } else { 0 })]);
        if nth != 1 {
            assert_eq!(left_out(&run), [("equal".to_owned(), 1)]);
        }
        assert_eq!(fake.lines_of("APPEND").len(), 4, "run {nth}");
    }
    assert_eq!(fake.contents()[ALL].len(), 4);
    verify(&ground.source, &ground.target, &[]).ended(0);
}

/// A letter with another body of the same length.
struct NewLetter(crate::lab::client::NewMessage);

impl NewLetter {
    fn of(subject: &str, body: &str) -> Self {
        let mut letter = letter(subject);
        let text = String::from_utf8(letter.bytes).unwrap();
        letter.bytes = text.replace("hello", body).into_bytes();
        Self(letter)
    }
}

#[test]
fn a_hidden_all_mail_is_named() {
    let (fake, source) = small();
    fake.boxes().remove(ALL);
    let ground = Pair::of(source, empty("hidden", Personality::Plain));
    // The server can't do without it, but it need not show it.
    let run = ground.copy_without_state(&["--dry-run"]).ended(0);
    assert!(run.says("All Mail is hidden"), "{}", run.stderr);
}

#[test]
fn options_for_gmail_say_what_is_wrong_with_them() {
    let ground = Pair::new("nogmail", Personality::Plain);
    Client::login(&ground.source).append(&["INBOX"], [letter("a")].into_iter());
    let run = ground.copy(&["--gmail-labels", "tags"]).ended(2);
    assert!(
        run.says("one-folder") && run.says("keywords"),
        "{}",
        run.stderr
    );
    let run = ground.copy(&["--gmail-archive", "a//b"]).ended(2);
    assert!(run.says("invalid --gmail-archive 'a//b'"), "{}", run.stderr);
    let run = ground
        .copy(&["--gmail-labels", "keywords", "--move"])
        .ended(2);
    assert!(run.says("can't be combined with --move"), "{}", run.stderr);
    let run = ground
        .copy(&["--gmail-labels", "one-folder", "--gmail-archive", "Old"])
        .ended(0);
    for option in ["--gmail-labels", "--gmail-archive"] {
        let text = format!("{option} has no effect: the source isn't Gmail");
        assert!(run.says(&text), "{}", run.stderr);
    }
    run.counts(&[("copied", 1), ("folders_created", 0)]);
    assert_eq!(held(&ground.target).len(), 1);
}

/// A label may have the name of one of Gmail's own folders elsewhere.
#[test]
fn gmails_own_folders_give_way_to_labels() {
    let (fake, source) = gmail::start(Labels::Others);
    for label in ["Sent Mail", "Gmail/Sent Mail"] {
        fake.boxes()
            .insert(label.to_owned(), crate::lab::memory::Folder::default());
    }
    for (subject, folder) in [
        ("a", "Sent Mail"),
        ("b", "Gmail/Sent Mail"),
        ("c", "[Gmail]/Sent Mail"),
    ] {
        deliver(&fake, &[folder], &["\\Seen"], &letter(subject).bytes);
    }
    let ground = Pair::of(source, empty("giveway", Personality::Plain));
    for copied in [3, 0] {
        ground
            .copy_without_state(&[])
            .ended(0)
            .counts(&[("copied", copied)]);
    }
    let there = subjects(&ground.target);
    assert_eq!(there["Sent Mail"], ["a"], "{there:?}");
    assert_eq!(there["Gmail/Sent Mail"], ["b"], "{there:?}");
    assert_eq!(there.len(), 3, "{there:?}");
    assert!(there.keys().all(|name| !name.contains('[')), "{there:?}");
}

/// An earlier version made a `[Gmail]` on the target: what is there stays in use.
#[test]
fn a_gmail_folder_from_an_earlier_copy_stays_in_use() {
    let (_fake, source) = small();
    let ground = Pair::of(source, empty("earlier", Personality::Plain));
    let mut client = Client::login(&ground.target);
    client.create(&["[Gmail]", "Sent Mail"]);
    client.append(&["[Gmail]", "Sent Mail"], [letter("c")].into_iter());
    drop(client);
    ground.copy(&[]).ended(0).counts(&[("copied", 6)]);
    let there = subjects(&ground.target);
    assert_eq!(there["[Gmail]/Sent Mail"], ["c"], "{there:?}");
    assert!(!there.contains_key("Sent Mail"), "{there:?}");
}

/// What only a view of another server has goes there, too, whatever Gmail's options say.
#[test]
fn views_of_other_servers_know_no_options_for_gmail() {
    let manner = Manner {
        after: "IMAP4rev1 XLIST UIDPLUS".to_owned(),
        xlist: true,
        own_validities: true,
        ..Manner::default()
    };
    let fake = Fake::start(manner, &[("All", "\\AllMail")]);
    ["a", "b"]
        .iter()
        .for_each(|subject| fake.put("All", &letter(subject).bytes));
    fake.put("INBOX", &letter("a").bytes);
    let source = account(&fake);
    let target = empty("otherviews", Personality::Plain);
    let run = copy(&source, &target, &["--gmail-archive", "Old"]).ended(0);
    assert!(run.says("has no effect"), "{}", run.stderr);
    assert_eq!(
        subjects(&target),
        shown(&[("Archive", &["b"]), ("INBOX", &["a"])])
    );
}
