//! What each kind of server can do, as source and as target: the table in docs/servers.md.
//!
//! The table is compared with the document; `MAILFERRY_MATRIX=FILE` appends its rows to a file
//! instead, which `scripts/servers/matrix` makes the document of.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::mailboxes::{each, message, messages};
use crate::lab::pair::snapshot;
use crate::lab::run::{End, Run, copy, doctor, folders, sync, verify};
use crate::lab::servers::{Account, Courier, Cyrus, Dovecot, Front, Mailutils, Personality};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// What is tried with a server, in the order of the table's columns.
const SUITES: [&str; 10] = [
    "copy",
    "rerun",
    "verify --deep",
    "--delete",
    "--move",
    "sync",
    "backup",
    "restore",
    "folders",
    "doctor",
];

/// One kind of server: its name in the table, and new accounts on it.
struct Kind {
    name: String,
    account: Box<dyn Fn() -> Account + Sync>,
    /// What its addresses need besides.
    more: &'static str,
}

/// An account, and its address.
struct Place {
    account: Account,
    more: &'static str,
}

impl Place {
    fn on_dovecot() -> Self {
        let account = Dovecot::shared().account("matrixside", Personality::Plain);
        Self { account, more: "" }
    }
}

impl From<&Place> for End {
    fn from(place: &Place) -> Self {
        let address = place.account.plain_address();
        Self::new(format!("{address}{}", place.more), &place.account.password)
    }
}

impl Kind {
    fn new(name: String, account: impl Fn() -> Account + Sync + 'static) -> Self {
        let account = Box::new(account);
        Self {
            name,
            account,
            more: "",
        }
    }

    fn place(&self) -> Place {
        Place {
            account: (self.account)(),
            more: self.more,
        }
    }
}

fn first_words(program: &str, argument: &str) -> String {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
    let output = Command::new(program)
        .arg(argument)
        .env("PATH", path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The two first numbers of a version: `2.3.19` is `2.3`.
fn short(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// The first line that a server says.
fn greeting(account: &Account) -> String {
    let stream = TcpStream::connect(("127.0.0.1", account.port)).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

fn kinds() -> Vec<Kind> {
    let dovecot = format!("Dovecot {}", short(&first_words("dovecot", "--version")));
    let personalities = [
        ("Maildir, `/`", Personality::Plain),
        ("Maildir, `INBOX.`", Personality::Dot),
        ("mdbox", Personality::Mdbox),
        ("sdbox", Personality::Sdbox),
        ("no extensions", Personality::Poor),
        ("no MULTIAPPEND", Personality::NoMulti),
        ("no QRESYNC", Personality::NoQresync),
    ];
    let mut kinds: Vec<Kind> = personalities
        .into_iter()
        .map(|(what, personality)| {
            Kind::new(format!("{dovecot}, {what}"), move || {
                Dovecot::shared().account("matrix", personality)
            })
        })
        .collect();
    let greeting = greeting(&Cyrus::shared().account());
    let version = greeting.split("Cyrus IMAP ").nth(1).unwrap_or_default();
    kinds.push(Kind::new(format!("Cyrus {}", short(version)), || {
        Cyrus::shared().account()
    }));
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let number = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_ID="));
    let system = format!("Debian {}", number.unwrap_or_default().trim_matches('"'));
    if let Some(courier) = Courier::shared() {
        kinds.push(Kind::new(format!("Courier, {system}"), || {
            courier.account()
        }));
    }
    if let Some(mailutils) = Mailutils::shared() {
        kinds.push(Kind {
            // It offers mechanisms that it has no passwords for.
            more: "&auth=LOGIN",
            ..Kind::new(format!("GNU Mailutils, {system}"), || mailutils.account())
        });
    }
    for (name, script) in [("nginx", "nginx"), ("Perdition", "perdition")] {
        if let Some(front) = Front::start(script) {
            let name = format!("{dovecot} behind {name}");
            kinds.push(Kind::new(name, move || front.account()));
        }
    }
    kinds
}

/// What a suite showed: nothing, or what was said in place of success.
type Shown = Result<(), String>;

/// What a run warned of last.
fn warning(run: &Run) -> Option<String> {
    let mut lines = run.stderr.lines().map(str::trim).rev();
    let warning = lines.find_map(|line| line.strip_prefix("warning: "));
    warning.map(str::to_owned)
}

/// What a run says where it does not do all: how the sides differ, its first failure or last
/// warning, or the last line.
fn said(run: &Run) -> String {
    if run.code == Some(4) {
        let fields = [
            "missing",
            "extra",
            "changed",
            "flags_differ",
            "dates_differ",
        ];
        let some = fields.into_iter().filter(|field| run.count(field) > 0);
        return some.collect::<Vec<_>>().join(", ").replace('_', " ");
    }
    let failures = ["message_failed", "folder_failed"].map(|event| run.texts(event, "reason"));
    let failure = failures.into_iter().flatten().next();
    let last = || {
        run.stderr
            .lines()
            .next_back()
            .unwrap_or_default()
            .to_owned()
    };
    failure.or_else(|| warning(run)).unwrap_or_else(last)
}

fn well(run: &Run) -> Shown {
    match run.code {
        Some(0) => Ok(()),
        _ => Err(said(run)),
    }
}

/// Whether a run ended well and counted this.
fn counted(run: &Run, expected: &[(&str, u64)]) -> Shown {
    well(run)?;
    for (field, number) in expected {
        let found = run.count(field);
        if found != *number {
            let counts = || format!("{field}: {found} of {number}");
            return Err(warning(run).unwrap_or_else(counts));
        }
    }
    Ok(())
}

/// Whether both hold the same, but for what a server stores in its own way.
fn equal(source: &Place, target: &Place) -> Shown {
    well(&verify(source, target, &[]))
}

/// Fifteen messages in three folders, one of them below another.
const MESSAGES: u64 = 15;

fn fill(place: &Place) {
    let mut client = Client::login(&place.account);
    client.append(&["INBOX"], messages(8).into_iter());
    client.create(&["Entwürfe alt"]);
    client.append(&["Entwürfe alt"], messages(4).into_iter());
    client.create(&["Work"]);
    client.create(&["Work", "2024"]);
    let mut two: Vec<_> = messages(2);
    two.push(message(70, &"a line of a longer body\r\n".repeat(4_000)));
    client.append(&["Work", "2024"], two.into_iter());
}

fn filled() -> Place {
    let place = Place::on_dovecot();
    fill(&place);
    place
}

/// Deletes the last message, in INBOX.
fn delete_one(place: &Place) {
    let mut client = Client::login(&place.account);
    client.select(&["INBOX"]);
    client.expunge("*");
}

fn add_one(place: &Place, number: usize) {
    Client::login(&place.account).append(&["INBOX"], [message(number, "added\r\n")].into_iter());
}

/// All suites with the mail of one side going to the other.
struct Trip {
    source: Place,
    target: Place,
    root: tempfile::TempDir,
}

impl Trip {
    fn new(source: Place, target: Place) -> Self {
        let root = tempfile::tempdir().unwrap();
        Self {
            source,
            target,
            root,
        }
    }

    fn copy(&self, options: &[&str]) -> Run {
        let state = self.root.path().join("state").display().to_string();
        copy(
            &self.source,
            &self.target,
            &[&["--state", &state], options].concat(),
        )
    }

    fn copies(&self) -> Shown {
        counted(&self.copy(&[]), &[("copied", MESSAGES)])?;
        equal(&self.source, &self.target)
    }

    /// With the state and without.
    fn reruns(&self) -> Shown {
        let nothing = [("copied", 0), ("deleted", 0), ("flags_updated", 0)];
        counted(&self.copy(&[]), &nothing)?;
        let run = copy(&self.source, &self.target, &["--delete"]);
        counted(&run, &nothing)
    }

    fn verifies(&self) -> Shown {
        counted(
            &verify(&self.source, &self.target, &["--deep"]),
            &[("compared", MESSAGES)],
        )
    }

    fn deletes(&self) -> Shown {
        delete_one(&self.source);
        counted(&self.copy(&["--delete"]), &[("copied", 0), ("deleted", 1)])?;
        equal(&self.source, &self.target)
    }

    fn syncs(&self) -> Shown {
        let state = self.root.path().join("sync").display().to_string();
        let go = || sync(&self.source, &self.target, &["--state", &state]);
        well(&go())?;
        delete_one(&self.target);
        add_one(&self.source, 90);
        add_one(&self.target, 91);
        let run = go();
        counted(&run, &[("copied", 2), ("deleted", 1)])?;
        counted(&go(), &[("copied", 0), ("deleted", 0)])?;
        equal(&self.source, &self.target)
    }

    /// To an account that has the mail of the target's kind and is empty.
    fn moves_to(&self, target: &Place) -> Shown {
        let before = snapshot(&self.source.account).count() as u64;
        let run = copy(&self.source, target, &["--move", "--max-delete", "100%"]);
        counted(&run, &[("copied", before), ("deleted", before)])?;
        match snapshot(&self.source.account).count() {
            0 => Ok(()),
            left => Err(format!("{left} messages are left")),
        }
    }

    fn tree(&self) -> String {
        format!("maildir:{}", self.root.path().join("tree").display())
    }

    fn backs_up(place: &Place, tree: &str) -> Shown {
        let count = snapshot(&place.account).count() as u64;
        counted(&copy(place, tree, &[]), &[("copied", count)])?;
        counted(&copy(place, tree, &[]), &[("copied", 0)])?;
        well(&verify(place, tree, &["--deep"]))
    }

    fn restores(tree: &str, place: &Place) -> Shown {
        well(&copy(tree, place, &[]))?;
        counted(&copy(tree, place, &[]), &[("copied", 0)])?;
        well(&verify(tree, place, &[]))
    }
}

fn lists(place: &Place) -> Shown {
    let run = folders(place, &[]);
    well(&run)?;
    match run.named("folder").len() {
        0..3 => Err("folders are not listed".to_owned()),
        _ => Ok(()),
    }
}

/// What a server can do as a target, suite by suite; `None`: it is no matter of a target.
fn as_target(kind: &Kind) -> Vec<Option<Shown>> {
    let place = || kind.place();
    let trip = Trip::new(filled(), place());
    let copied = trip.copies();
    let reran = trip.reruns();
    let verified = trip.verifies();
    let deleted = trip.deletes();
    let synced = trip.syncs();
    let tree = trip.tree();
    let backed_up = Trip::backs_up(&trip.source, &tree);
    let restored = backed_up.and_then(|()| Trip::restores(&tree, &place()));
    let moved = trip.moves_to(&place());
    vec![
        Some(copied),
        Some(reran),
        Some(verified),
        Some(deleted),
        Some(moved),
        Some(synced),
        None,
        Some(restored),
        None,
        None,
    ]
}

/// What it can do as a source.
fn as_source(kind: &Kind) -> Vec<Option<Shown>> {
    let source = kind.place();
    let empty = Place::on_dovecot;
    if let Err(words) = well(&copy(&filled(), &source, &[])) {
        return SUITES.map(|_| Some(Err(words.clone()))).into();
    }
    let trip = Trip::new(source, empty());
    let copied = trip.copies();
    let reran = trip.reruns();
    let verified = trip.verifies();
    let listed = lists(&trip.source);
    let examined = well(&doctor(&[End::from(&trip.source)], &[]));
    let deleted = trip.deletes();
    let synced = trip.syncs();
    let backed_up = Trip::backs_up(&trip.source, &trip.tree());
    let moved = trip.moves_to(&empty());
    vec![
        Some(copied),
        Some(reran),
        Some(verified),
        Some(deleted),
        Some(moved),
        Some(synced),
        Some(backed_up),
        None,
        Some(listed),
        Some(examined),
    ]
}

/// A row of the table; what can't be done is in the server's own words, below it.
fn row(name: &str, side: &str, shown: &[Option<Shown>]) -> String {
    let cells = shown.iter().map(|cell| match cell {
        None => String::new(),
        Some(Ok(())) => "yes".to_owned(),
        Some(Err(words)) => words.replace('|', "\\|"),
    });
    let cells: Vec<String> = cells.collect();
    format!("| {name} | {side} | {} |", cells.join(" | "))
}

#[test]
fn each_server_does_what_the_document_says() {
    let kinds = kinds();
    let rows = Mutex::new(Vec::new());
    let sides = (0..kinds.len()).flat_map(|at| [(at, false), (at, true)]);
    each(sides, |(at, is_target)| {
        let kind = &kinds[at];
        let (side, shown) = match is_target {
            false => ("source", as_source(kind)),
            true => ("target", as_target(kind)),
        };
        let row = row(&kind.name, side, &shown);
        rows.lock().unwrap().push(((at, is_target), row));
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort();
    let rows: Vec<String> = rows.into_iter().map(|(_, row)| row).collect();
    if let Some(file) = std::env::var_os("MAILFERRY_MATRIX") {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
        writeln!(file, "{}", rows.join("\n")).unwrap();
        return;
    }
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/servers.md");
    let document = std::fs::read_to_string(document).unwrap();
    let unknown: Vec<String> = rows
        .into_iter()
        .filter(|row| !document.lines().any(|line| line == row))
        .collect();
    assert!(
        unknown.is_empty(),
        "docs/servers.md has other rows; if these are right, run scripts/servers/matrix:\n{}",
        unknown.join("\n")
    );
}
