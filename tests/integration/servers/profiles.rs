//! Each known provider and kind of server as source, target, mirror and one side of a sync: what
//! arrives, what a second run does, and what is said about the rest.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, NewMessage, Snapshot};
use crate::lab::letters::sha;
use crate::lab::memory::{Fake, Held};
use crate::lab::names;
use crate::lab::profiles::{self, Profile};
use crate::lab::run::{End, Run, copy, folders, sync};
use crate::lab::servers::{Account, Dovecot, Personality};
use std::collections::{BTreeMap, BTreeSet};

/// Makes the tests of each profile.
macro_rules! each {
    ($($name:ident)*) => { $(mod $name {
        use crate::lab::profiles::$name;

        #[test]
        fn all_its_mail_arrives() {
            super::all_its_mail_arrives(&$name());
        }

        #[test]
        fn it_takes_mail_once() {
            super::it_takes_mail_once(&$name());
        }

        #[test]
        fn deletions_reach_it_and_come_from_it() {
            super::deletions_reach_it(&$name());
            super::deletions_come_from_it(&$name());
        }

        #[test]
        fn it_syncs_both_ways() {
            super::it_syncs_both_ways(&$name());
        }
    })* };
}

each! {
    gmail m365 exchange_2010 exchange_2019 yahoo aol icloud zoho yandex mail_ru netease qq gmx
    web_de ionos strato ovh proton_bridge zimbra domino hmail mailenable communigate
}

/// The levels of the folders that are filled.
const FOLDERS: [&[&str]; 5] = [
    &["INBOX"],
    &["Sent"],
    &["Work"],
    &["Work", "2024"],
    &["Bücher"],
];

/// What each of them holds. The third has no Message-ID; the fourth is there twice.
fn letters(folder: &[&str]) -> Vec<NewMessage> {
    let place = folder.join(".").replace('ü', "u");
    let letter = |number: usize, id: &str, flags: &[&str]| NewMessage {
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        date: Some(format!("0{}-Feb-2024 03:04:05 +0130", number + 1)),
        bytes: format!(
            "From:  Ann  <ann@example.org>\r\n{id}Subject: {number}  in {place}\r\nDate: 0{} Feb \
             2024 01:34:05 +0000\r\n\r\nbody {number} of {place}\r\n",
            number + 1
        )
        .into_bytes(),
    };
    let id = |number: usize| format!("Message-ID: <{number}.letter.{place}@example.org>\r\n");
    vec![
        letter(0, &id(0), &["\\Seen", "\\Flagged"]),
        letter(1, &id(1), &["\\Answered", "work"]),
        letter(2, "", &["\\Seen", "$Forwarded"]),
        letter(3, &id(3), &[]),
        letter(3, &id(3), &[]),
    ]
}

fn end(profile: &Profile, fake: &Fake) -> End {
    End::plain(fake.server.port, profile.address)
}

/// The raw name that the folder has there.
fn raw(profile: &Profile, levels: &[&str]) -> String {
    let separator = profile.manner.separator.unwrap().to_string();
    match levels {
        ["INBOX"] => profile.manner.inbox.clone(),
        ["Sent"] => profile.sent.to_owned(),
        levels => {
            let levels: Vec<String> = levels.iter().map(|level| names::encode(level)).collect();
            format!("{}{}", profile.root, levels.join(&separator))
        }
    }
}

/// The server with the letters in it.
fn filled(profile: &Profile) -> Fake {
    let fake = profile.start();
    for folder in FOLDERS {
        let name = raw(profile, folder);
        fake.boxes().entry(name.clone()).or_default();
        for letter in letters(folder) {
            put(profile, &fake, &name, &letter);
        }
    }
    fake
}

fn put(profile: &Profile, fake: &Fake, name: &str, letter: &NewMessage) {
    let flags: Vec<&str> = letter.flags.iter().map(String::as_str).collect();
    if profile.name == "gmail" {
        crate::lab::gmail::deliver(fake, &[name], &flags, &letter.bytes);
    } else {
        let flags = letter.flags.iter().cloned().collect();
        let date = letter.date.clone().unwrap();
        let mut boxes = fake.boxes();
        boxes
            .get_mut(name)
            .unwrap()
            .add(flags, date, letter.bytes.clone());
    }
}

/// A Dovecot account with the letters in it.
fn dovecot(name: &str) -> Account {
    let account = empty(name);
    let mut client = Client::login(&account);
    for folder in FOLDERS {
        if folder != ["INBOX"] {
            client.create(folder);
        }
        client.append(folder, letters(folder).into_iter());
    }
    account
}

fn empty(name: &str) -> Account {
    Dovecot::shared().account(&name.replace([' ', '.'], ""), Personality::Plain)
}

fn snapshot(account: &Account) -> Snapshot {
    Client::login(account).snapshot()
}

/// Messages by folder, as far as all stores keep them: hash, flags, and date in seconds.
type Shown = BTreeMap<String, Vec<([u8; 32], BTreeSet<String>, i64)>>;

fn shown_by_dovecot(account: &Account) -> Shown {
    let mut shown = Shown::new();
    for (levels, messages) in snapshot(account).folders {
        let of = |message: &crate::lab::client::StoredMessage| {
            (message.sha256, message.flags.clone(), message.seconds)
        };
        let mut messages: Vec<_> = messages.iter().map(of).collect();
        messages.sort();
        shown.insert(levels.join("/"), messages);
    }
    shown.retain(|_, messages| !messages.is_empty());
    shown
}

/// By the names in the plan of a run.
fn shown_by_fake(profile: &Profile, fake: &Fake) -> Shown {
    let mut shown = Shown::new();
    for (name, held) in fake.boxes().iter() {
        if profile.views.contains(&name.as_str()) || held.messages.is_empty() {
            continue;
        }
        let date = |held: &Held| {
            profile
                .manner
                .telling
                .date
                .map_or(held.date.clone(), str::to_owned)
        };
        let of = |held: &Held| (sha(&held.bytes), held.flags.clone(), seconds(&date(held)));
        let mut messages: Vec<_> = held.messages.iter().map(of).collect();
        messages.sort();
        shown.insert(name.clone(), messages);
    }
    shown
}

fn seconds(date: &str) -> i64 {
    jiff::Timestamp::strptime("%d-%b-%Y %H:%M:%S %z", date).map_or(0, jiff::Timestamp::as_second)
}

/// The name that `folders` and the plan show for a raw one.
fn displayed(profile: &Profile, raw: &str) -> String {
    if *raw == profile.manner.inbox {
        return "INBOX".to_owned();
    }
    let separator = profile.manner.separator.unwrap();
    let below = raw.strip_prefix(profile.root).unwrap_or(raw);
    let levels: Vec<String> = below.split(separator).map(names::decode).collect();
    levels.join("/")
}

/// Where each folder goes, by the plan.
fn planned(run: &Run) -> BTreeMap<String, String> {
    let name = |event: &serde_json::Value, member: &str| {
        event[member].as_str().unwrap_or_default().to_owned()
    };
    run.named("folder_planned")
        .iter()
        .map(|event| (name(event, "from"), name(event, "to")))
        .collect()
}

fn warnings(run: &Run) -> String {
    run.texts("warning", "text").join("\n")
}

struct State(tempfile::TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn option(&self) -> [&str; 2] {
        ["--state", self.0.path().to_str().unwrap()]
    }

    /// Also with `more`.
    fn and<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&self.option()[..], more].concat()
    }
}

const NOTHING: [(&str, u64); 4] = [
    ("copied", 0),
    ("failed", 0),
    ("deleted", 0),
    ("flags_updated", 0),
];

/// Whatever it gives is there, byte for byte, with flags and dates.
fn all_its_mail_arrives(profile: &Profile) {
    let fake = filled(profile);
    let target = empty(&format!("of{}", profile.name));
    let state = State::new();
    let run = copy(end(profile, &fake), &target, &state.option()).ended(0);
    let plan = planned(&run);
    let mut expected = Shown::new();
    for (name, messages) in shown_by_fake(profile, &fake) {
        let name = displayed(profile, &name);
        expected.insert(plan[&name].clone(), messages);
    }
    let mut found = shown_by_dovecot(&target);
    if profile
        .manner
        .telling
        .date
        .is_some_and(|date| seconds(date) == 0)
    {
        for messages in found.values_mut() {
            messages.iter_mut().for_each(|message| message.2 = 0);
        }
    }
    assert_eq!(found, expected, "{}: {:?}", profile.name, warnings(&run));
    copy(end(profile, &fake), &target, &state.option())
        .ended(0)
        .counts(&NOTHING);
    copy(end(profile, &fake), &target, &["--no-state"])
        .ended(0)
        .counts(&NOTHING);
    let shown = folders(end(profile, &fake), &[]).ended(0);
    let sent = displayed(profile, profile.sent);
    let rows = shown.named("folder");
    let row = rows
        .iter()
        .find(|row| row["name"] == sent.as_str())
        .unwrap();
    assert_eq!(row["role"], "sent", "{}: {row}", profile.name);
}

/// Whether it makes more of a message than one line end.
fn changes_sizes(profile: &Profile) -> bool {
    let bytes = letters(&["INBOX"]).swap_remove(0).bytes;
    let length = bytes.len();
    let rewrites = profile.manner.rewrites;
    rewrites.is_some_and(|rewrites| rewrites(&bytes).len().abs_diff(length) > 2)
}

/// What was sent is there once, as the server stores it.
fn assert_taken(profile: &Profile, fake: &Fake, source: &Account, run: &Run) {
    let plan = planned(run);
    let stored = |bytes: Vec<u8>| match profile.manner.rewrites {
        Some(rewrites) => rewrites(&bytes),
        None => bytes,
    };
    let merges = profile.manner.taking.merges || profile.name == "gmail";
    let mut expected: BTreeMap<String, Vec<[u8; 32]>> = BTreeMap::new();
    for (levels, _) in snapshot(source).folders {
        let names: Vec<&str> = levels.iter().map(String::as_str).collect();
        let letters = letters(&names).into_iter();
        let mut hashes: Vec<_> = letters.map(|letter| sha(&stored(letter.bytes))).collect();
        hashes.sort_unstable();
        if merges {
            hashes.dedup();
        }
        expected.insert(plan[&levels.join("/")].clone(), hashes);
    }
    let found = shown_by_fake(profile, fake)
        .into_iter()
        .map(|(name, messages)| {
            let mut hashes: Vec<_> = messages.into_iter().map(|(hash, _, _)| hash).collect();
            hashes.sort_unstable();
            (displayed(profile, &name), hashes)
        });
    assert_eq!(
        found.collect::<BTreeMap<_, _>>(),
        expected,
        "{}",
        profile.name
    );
}

fn it_takes_mail_once(profile: &Profile) {
    let source = dovecot(&format!("to{}", profile.name));
    let fake = profile.start();
    let state = State::new();
    let run = copy(&source, end(profile, &fake), &state.option()).ended(0);
    let says = |words: &str| warnings(&run).contains(words);
    // No flag is lost in silence.
    assert_eq!(
        says("work) here"),
        !profile.manner.keywords,
        "{}: {}",
        profile.name,
        warnings(&run)
    );
    assert_eq!(
        says("with a different size than sent"),
        changes_sizes(profile),
        "{}: {}",
        profile.name,
        warnings(&run)
    );
    assert_taken(profile, &fake, &source, &run);
    for options in [&state.option()[..], &["--no-state"]] {
        copy(&source, end(profile, &fake), options)
            .ended(0)
            .counts(&NOTHING);
    }
    assert_taken(profile, &fake, &source, &run);
}

/// Deletes the first messages of the folder `Work` on the server, wherever else they're shown.
fn delete_from_work(profile: &Profile, fake: &Fake, count: usize) {
    let mut boxes = fake.boxes();
    let work = boxes.get_mut(&raw(profile, &["Work"])).unwrap();
    let gone: Vec<Held> = work.messages.drain(..count).collect();
    for view in profile.views {
        let held = &mut boxes.get_mut(*view).unwrap().messages;
        held.retain(|held| gone.iter().all(|gone| gone.bytes != held.bytes));
    }
}

/// The messages of the folder `Work` on the server.
fn work(profile: &Profile, fake: &Fake) -> usize {
    fake.boxes()[&raw(profile, &["Work"])].messages.len()
}

fn deletions_reach_it(profile: &Profile) {
    let source = dovecot(&format!("del{}", profile.name));
    let fake = profile.start();
    let state = State::new();
    copy(&source, end(profile, &fake), &state.option()).ended(0);
    let before = work(profile, &fake);
    let mut client = Client::login(&source);
    client.select(&["Work"]);
    client.expunge("1");
    drop(client);
    copy(&source, end(profile, &fake), &state.and(&["--delete"]))
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 1)]);
    assert_eq!(work(profile, &fake), before - 1, "{}", profile.name);
    let mut client = Client::login(&source);
    client.select(&["Work"]);
    client.expunge("2:3");
    drop(client);
    let brake = ["--delete", "--max-delete", "1"];
    copy(&source, end(profile, &fake), &state.and(&brake)).ended(9);
    assert_eq!(work(profile, &fake), before - 1, "{}", profile.name);
}

fn deletions_come_from_it(profile: &Profile) {
    let fake = filled(profile);
    let target = empty(&format!("delof{}", profile.name));
    let state = State::new();
    copy(end(profile, &fake), &target, &state.option()).ended(0);
    let before = snapshot(&target).count();
    delete_from_work(profile, &fake, 1);
    copy(end(profile, &fake), &target, &state.and(&["--delete"]))
        .ended(0)
        .counts(&[("copied", 0), ("deleted", 1)]);
    assert_eq!(snapshot(&target).count(), before - 1, "{}", profile.name);
    delete_from_work(profile, &fake, 2);
    let brake = ["--delete", "--max-delete", "1"];
    copy(end(profile, &fake), &target, &state.and(&brake)).ended(9);
    assert_eq!(snapshot(&target).count(), before - 1, "{}", profile.name);
}

fn it_syncs_both_ways(profile: &Profile) {
    let fake = filled(profile);
    let other = empty(&format!("sync{}", profile.name));
    let state = State::new();
    let again = || sync(end(profile, &fake), &other, &state.option()).ended(0);
    again();
    again().counts(&NOTHING);
    let new = crate::lab::pair::letter;
    put(profile, &fake, &raw(profile, &["Work"]), &new("there"));
    Client::login(&other).append(&["INBOX"], [new("here")].into_iter());
    again().counts(&[("copied", 2), ("deleted", 0)]);
    again().counts(&NOTHING);
}

/// What Exchange, Yahoo and Yandex do with a message that they can't read: nothing of it is stored,
/// it is named, the others arrive, and the next run tries again.
#[test]
fn a_message_that_the_server_cannot_read_is_named_and_the_others_arrive() {
    let unreadable = [
        (profiles::m365(), "does not send its content"),
        (
            profiles::exchange_2010(),
            "retrieval failed on the Exchange server",
        ),
        (profiles::yahoo(), "Server error while fetching messages"),
        (profiles::yandex(), "does not send its content"),
    ];
    crate::lab::mailboxes::each(unreadable, |(profile, words)| {
        let fake = filled(&profile);
        let mut broken = letters(&["INBOX"]).swap_remove(0);
        broken.bytes = format!(
            "Message-ID: <broken.one@example.org>\r\n{}\r\nSubject: broken\r\n\r\n{}\r\n",
            profiles::BROKEN,
            "calendar ".repeat(200)
        )
        .into_bytes();
        put(&profile, &fake, &raw(&profile, &["Work"]), &broken);
        put(
            &profile,
            &fake,
            &raw(&profile, &["Work"]),
            &crate::lab::pair::letter("last"),
        );
        let target = empty(&format!("broken{}", profile.name));
        let state = State::new();
        for copied in [26, 0] {
            let run = copy(end(&profile, &fake), &target, &state.option()).ended(3);
            let failures = run.texts("message_failed", "reason").join("\n");
            assert!(failures.contains(words), "{}: {failures}", profile.name);
            run.counts(&[("copied", copied), ("failed", 1)]);
            assert_eq!(snapshot(&target).count(), 26, "{}", profile.name);
        }
    });
}

/// Yahoo refuses a mail whose last line has no end, and hangs up on nothing else because of it.
#[test]
fn a_message_without_a_last_line_end_is_named_where_it_is_refused() {
    let profile = profiles::yahoo();
    let source = empty("unended");
    let unended = |number: usize| {
        let id = format!("Message-ID: <unended.{number}@example.org>\r\n");
        NewMessage::of(format!("{id}Subject: {number}\r\n\r\nno end"))
    };
    let mut client = Client::login(&source);
    client.append(&["INBOX"], letters(&["INBOX"]).into_iter());
    client.append(&["INBOX"], [unended(1), unended(2)].into_iter());
    drop(client);
    let fake = profile.start();
    for copied in [5, 0] {
        let run = copy(&source, end(&profile, &fake), &[]).ended(3);
        let reason = "the target refused it: APPEND Additional arguments found after last";
        let reasons = run.texts("message_failed", "reason").join("\n");
        assert_eq!(reasons.matches(reason).count(), 2, "{reasons}");
        run.counts(&[("copied", copied), ("failed", 2)]);
        assert_eq!(fake.boxes()["Inbox"].messages.len(), 5);
    }
}

/// Zimbra copies at most 1000 messages by one command.
#[test]
fn a_moved_folder_of_more_than_a_thousand_messages_is_moved_on_zimbra() {
    let profile = profiles::zimbra();
    let source = empty("thousand");
    let fake = profile.start();
    let state = State::new();
    let mut client = Client::login(&source);
    client.create(&["Old"]);
    client.create(&["New"]);
    client.append(&["Old"], crate::lab::pair::letters("many", 1100));
    copy(&source, end(&profile, &fake), &state.option()).ended(0);
    client.select(&["Old"]);
    client.command("UID MOVE 1:* New");
    drop(client);
    let options = state.and(&["--delete", "--max-delete", "100%"]);
    let run = copy(&source, end(&profile, &fake), &options).ended(0);
    run.counts(&[("copied_server_side", 1100), ("bytes_copied", 0)]);
    let held = |name: &str| fake.boxes()[name].messages.len();
    assert_eq!((held("Old"), held("New")), (0, 1100));
}
