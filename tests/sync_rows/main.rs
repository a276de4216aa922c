//! The case table of two-way sync on two real servers: what was done on each side since both agreed, and what both hold
//! after a run. Each case is run both ways round, and after each a further run finds nothing to do.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

#[path = "../lab/mod.rs"]
mod lab;

mod after;
mod cases;
mod folders;
mod foreign;
mod labels;
mod meanwhile;
mod rewriting;
mod sharing;
mod situations;

use cases::{CASES, Case};
use lab::client::{Client, NewMessage, Snapshot};
use lab::mailboxes::each;
use lab::memory::{Fake, Manner};
use lab::run::{Run, sync};
use lab::schema::Schema;
use lab::servers::{Account, Dovecot, PASSWORD, Personality};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Two accounts and the state of their sync.
struct Ground {
    /// The side on which edits of `here` are made, and the other.
    sides: [Account; 2],
    /// Whether `here` is the second of the run.
    turned: bool,
    state: tempfile::TempDir,
    /// The sides that are no real servers.
    bare: Vec<Fake>,
}

impl Ground {
    fn new(name: &str, kind: Personality, turned: bool) -> Self {
        let account = |side: &str| Dovecot::shared().account(&format!("{name}{side}"), kind);
        Self::of([account("a"), account("b")], turned)
    }

    fn of(sides: [Account; 2], turned: bool) -> Self {
        Self { sides, turned, state: tempfile::tempdir().unwrap(), bare: Vec::new() }
    }

    /// A real server and one that has nothing but RFC 3501, which is `here` or there.
    fn with_bare(name: &str, is_here: bool, turned: bool) -> Self {
        Self::with(name, bare_manner(), is_here, turned)
    }

    /// A real server and one of this manner.
    fn with(name: &str, manner: Manner, is_here: bool, turned: bool) -> Self {
        let (bare, poor) = bare_of(manner);
        let rich = Dovecot::shared().account(name, Personality::Plain);
        let sides = if is_here { [poor, rich] } else { [rich, poor] };
        Self { bare: vec![bare], ..Self::of(sides, turned) }
    }

    /// Two that have nothing but RFC 3501.
    fn of_bare(turned: bool) -> Self {
        let [(here, first), (there, second)] = [(); 2].map(|()| bare());
        Self { bare: vec![here, there], ..Self::of([first, second], turned) }
    }

    fn run(&self, options: &[&str]) -> Run {
        let state = self.state.path().to_str().unwrap();
        let [here, there] = &self.sides;
        let (first, second) = if self.turned { (there, here) } else { (here, there) };
        let run = sync(first, second, &[&["--state", state], options].concat());
        assert_as_documented(&run);
        run
    }

    fn client(&self, side: usize) -> Client {
        Client::login(&self.sides[side])
    }

    fn snapshots(&self) -> [Snapshot; 2] {
        [0, 1].map(|side| self.client(side).snapshot())
    }

    /// Both sides hold the same, and a further run does nothing.
    #[track_caller]
    fn assert_at_rest(&self, case: &str) {
        let [here, there] = self.snapshots();
        assert_eq!(here.content(), there.content(), "{case}: the sides differ");
        assert_eq!(here.subscribed, there.subscribed, "{case}: subscriptions differ");
        let again = self.run(&[]);
        assert!(again.code == Some(0), "{case}: {again:?}");
        assert_idle(&again, case);
    }

    /// What a side holds: `FOLDER: SUBJECT+FLAGS ...` by folder.
    fn shown(&self, side: usize) -> BTreeMap<String, Vec<String>> {
        let snapshot = self.client(side).snapshot();
        let letters = |message: &lab::client::StoredMessage| {
            let mut text = String::new();
            for (flag, letter) in [("\\Seen", 'S'), ("\\Flagged", 'F'), ("\\Deleted", 'D'), ("work", 'k')] {
                text.extend(message.flags.contains(flag).then_some(letter));
            }
            text
        };
        let known: BTreeMap<[u8; 32], char> = ('a'..='z').map(|name| (sha(&letter(name).bytes), name)).collect();
        let of = |message| format!("{}{}", known.get(&message_sha(message)).copied().unwrap_or('?'), letters(message));
        let folders = snapshot.folders.iter().map(|(levels, messages)| {
            let mut found: Vec<String> = messages.iter().map(of).collect();
            found.sort();
            (levels.join("/"), found)
        });
        folders.collect()
    }
}

/// A server that has nothing but RFC 3501, and its account.
fn bare() -> (Fake, Account) {
    bare_of(bare_manner())
}

fn bare_of(manner: Manner) -> (Fake, Account) {
    let bare = Fake::start(manner, &[]);
    let (user, password) = ("ann".to_owned(), PASSWORD.to_owned());
    let account = Account { port: bare.server.port, tls_port: 0, user, password, ca: PathBuf::new() };
    (bare, account)
}

fn bare_manner() -> Manner {
    let namespace = Some(r#"(("" "/")) NIL NIL"#.to_owned());
    Manner { namespace, own_validities: true, ..Manner::default() }
}

/// All that a run prints is as docs/json.schema.json says.
#[track_caller]
fn assert_as_documented(run: &Run) {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of_output);
    for line in run.events() {
        assert_eq!(SCHEMA.fault(&line), None, "{line}");
    }
}

fn message_sha(message: &lab::client::StoredMessage) -> [u8; 32] {
    message.sha256
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

#[track_caller]
fn assert_idle(run: &Run, case: &str) {
    for field in
        ["copied", "moved", "flags_updated", "deleted", "folders_created", "folders_renamed", "folders_deleted"]
    {
        assert_eq!(run.count(field), 0, "{case}: {field}: {}", run.stdout);
    }
}

/// The message of a letter.
fn letter(name: char) -> NewMessage {
    let text = format!(
        "Message-ID: <{name}@rows>\r\nSubject: {name}\r\nFrom: ann@example.org\r\n\r\n{}\r\n",
        format!("body {name} ").repeat(20)
    );
    NewMessage { date: Some(format!("{:02}-Feb-2024 03:04:05 +0130", 1 + name as u32 % 28)), ..NewMessage::of(text) }
}

/// One edit: `WORD FOLDER LETTERS [FLAGS or FOLDER]`.
fn edit(client: &mut Client, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let folder = |at: usize| words[at].split('/').collect::<Vec<_>>();
    match words[0] {
        "add" => {
            client.append(&folder(1), words[2].chars().map(letter).collect::<Vec<_>>().into_iter());
        }
        "create" => client.create(&folder(1)),
        "subscribe" => client.subscribe(&folder(1)),
        "rename" => {
            let (from, to) = (client.name(&folder(1)), client.name(&folder(2)));
            client.command(&format!("RENAME {from} {to}"));
        }
        "drop" => {
            let name = client.name(&folder(1));
            client.command(&format!("DELETE {name}"));
        }
        what => {
            let uids = uids(client, &folder(1), words[2]);
            client.select(&folder(1));
            match what {
                "expunge" => client.expunge(&uids),
                "move" => {
                    let to = client.name(&folder(3));
                    if !client.try_command(&format!("UID MOVE {uids} {to}")).1.starts_with("OK") {
                        client.command(&format!("UID COPY {uids} {to}"));
                        client.expunge(&uids);
                    }
                }
                "flag" => client.store(&uids, "+FLAGS", words[3]),
                "unflag" => client.store(&uids, "-FLAGS", words[3]),
                other => panic!("no edit {other}"),
            }
            // A server of RFC 3501 alone has it open until something else is.
            client.try_command("UNSELECT");
        }
    }
}

fn uids(client: &mut Client, folder: &[&str], letters: &str) -> String {
    let snapshot = client.snapshot();
    let wanted: Vec<[u8; 32]> = letters.chars().map(|name| sha(&letter(name).bytes)).collect();
    let found = snapshot.folder(folder).iter().filter(|message| wanted.contains(&message.sha256));
    let uids: Vec<String> = found.map(|message| message.uid.to_string()).collect();
    assert!(!uids.is_empty(), "{letters} not in {folder:?}");
    uids.join(",")
}

#[track_caller]
fn check(case: &Case, kind: Personality, turned: bool) {
    let name = format!("{} ({kind:?}, turned {turned})", case.name);
    check_on(case, &Ground::new("rows", kind, turned), &name);
}

#[track_caller]
fn check_on(case: &Case, ground: &Ground, name: &str) {
    let edits = |side: usize, edits: &[&str]| {
        let mut client = ground.client(side);
        edits.iter().for_each(|text| edit(&mut client, text));
    };
    edits(0, case.before);
    ground.run(&[]).ended(0);
    ground.assert_at_rest(&format!("{name}, before"));
    edits(0, case.here);
    edits(1, case.there);
    let run = ground.run(case.options);
    assert!(run.code == Some(0), "{name}: {run:?}");
    for (field, count) in case.counts {
        assert_eq!(run.count(field), *count, "{name}: {field}: {}\n{}", run.stdout, run.stderr);
    }
    assert_conflicts_are_told(case, ground.turned, &run, name);
    let is_other = ground.turned && !case.expected_turned.is_empty();
    let expected = if is_other { case.expected_turned } else { case.expected };
    let expected: BTreeMap<String, Vec<String>> = (expected.iter())
        .map(|(folder, messages)| ((*folder).to_owned(), messages.split_whitespace().map(str::to_owned).collect()))
        .collect();
    for side in [0, 1] {
        let shown: BTreeMap<_, _> = (ground.shown(side).into_iter())
            // Parents that are only levels on one kind of server are folders on another.
            .filter(|(folder, messages)| !messages.is_empty() || expected.contains_key(folder))
            .collect();
        assert_eq!(shown, expected, "{name}: side {side}\n{}", run.stdout);
    }
    ground.assert_at_rest(name);
}

/// Each conflict has an event of its own, which says what both sides did and how it ends.
#[track_caller]
fn assert_conflicts_are_told(case: &Case, turned: bool, run: &Run, name: &str) {
    let told: Vec<_> = run.named("change").into_iter().filter(|change| change["conflict"] == true).collect();
    assert_eq!(told.len() as u64, run.count("conflicts"), "{name}: {}", run.stdout);
    assert_eq!(!told.is_empty(), case.conflict.is_some(), "{name}: {}", run.stdout);
    for change in told {
        let [first, second] = [&change["first_did"], &change["second_did"]].map(|did| did.as_str().unwrap());
        let did = if turned { [second, first] } else { [first, second] };
        assert_eq!(did, case.conflict.unwrap(), "{name}: {change}");
        assert!(change["settled"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {change}");
        assert!(change["uid"].is_u64() || change["action"].as_str().unwrap().contains("folder"), "{name}: {change}");
    }
}

fn check_all(turned: bool, kind: Personality) {
    // Some at a time: each is a handful of logins.
    for some in CASES.chunks(5) {
        each(some, |case| check(case, kind, turned));
    }
}

#[test]
fn each_row_is_as_the_table_says() {
    check_all(false, Personality::Plain);
}

#[test]
fn each_row_is_so_the_other_way_round() {
    check_all(true, Personality::Plain);
}

#[test]
fn each_row_is_so_on_a_poor_server() {
    check_all(false, Personality::Poor);
}

/// Rows on a real server and one that has nothing but RFC 3501: no UIDPLUS, CONDSTORE, MOVE nor UNSELECT, and no UIDNEXT when a
/// folder is opened. Each of the two is edited first, and each is named first.
#[test]
fn rows_hold_with_a_bare_server() {
    let ways: Vec<(&Case, bool, bool)> = CASES
        .iter()
        .flat_map(|case| {
            [(true, true), (true, false), (false, true), (false, false)].map(|(here, turned)| (case, here, turned))
        })
        .collect();
    for some in ways.chunks(10) {
        each(some, |(case, is_here, turned)| {
            let name = format!("{} (bare is here {is_here}, turned {turned})", case.name);
            check_on(case, &Ground::with_bare("bare", *is_here, *turned), &name);
        });
    }
}
