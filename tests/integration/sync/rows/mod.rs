//! The case table of two-way sync on two real servers: the changes on each side since both agreed,
//! and the contents of both after a run. Each case is run both ways round, and after each a further
//! run finds nothing to do.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod after;
mod cases;
mod folders;
mod foreign;
mod labels;
mod meanwhile;
mod moves;
mod rewriting;
mod sharing;
mod situations;

use crate::lab::client::{Client, Snapshot};
use crate::lab::letters::{self, edit, letter, sha};
use crate::lab::mailboxes::each;
use crate::lab::memory::{Fake, Manner};
use crate::lab::run::{Run, sync};
use crate::lab::schema::Schema;
use crate::lab::servers::{Account, Dovecot, PASSWORD, Personality};
use cases::{CASES, Case};
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
        Self {
            sides,
            turned,
            state: tempfile::tempdir().unwrap(),
            bare: Vec::new(),
        }
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
        Self {
            bare: vec![bare],
            ..Self::of(sides, turned)
        }
    }

    /// Two that have nothing but RFC 3501.
    fn of_bare(turned: bool) -> Self {
        let [(here, first), (there, second)] = [(); 2].map(|()| bare());
        Self {
            bare: vec![here, there],
            ..Self::of([first, second], turned)
        }
    }

    fn run(&self, options: &[&str]) -> Run {
        let state = self.state.path().to_str().unwrap();
        let [here, there] = &self.sides;
        let (first, second) = if self.turned {
            (there, here)
        } else {
            (here, there)
        };
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
        assert_eq!(
            here.subscribed, there.subscribed,
            "{case}: subscriptions differ"
        );
        let again = self.run(&[]);
        assert!(again.code == Some(0), "{case}: {again:?}");
        assert_idle(&again, case);
    }

    /// What a side holds: `FOLDER: SUBJECT+FLAGS ...` by folder.
    fn shown(&self, side: usize) -> BTreeMap<String, Vec<String>> {
        letters::shown(&self.client(side).snapshot())
    }
}

/// A server that has nothing but RFC 3501, and its account.
fn bare() -> (Fake, Account) {
    bare_of(bare_manner())
}

fn bare_of(manner: Manner) -> (Fake, Account) {
    let bare = Fake::start(manner, &[]);
    let (user, password) = ("ann".to_owned(), PASSWORD.to_owned());
    let account = Account {
        port: bare.server.port,
        tls_port: 0,
        user,
        password,
        ca: PathBuf::new(),
    };
    (bare, account)
}

fn bare_manner() -> Manner {
    let namespace = Some(r#"(("" "/")) NIL NIL"#.to_owned());
    Manner {
        namespace,
        own_validities: true,
        ..Manner::default()
    }
}

/// All that a run prints is as docs/json.schema.json says.
#[track_caller]
fn assert_as_documented(run: &Run) {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::of_output);
    for line in run.events() {
        assert_eq!(SCHEMA.fault(&line), None, "{line}");
    }
}

#[track_caller]
fn assert_idle(run: &Run, case: &str) {
    for field in [
        "copied",
        "moved",
        "flags_updated",
        "deleted",
        "folders_created",
        "folders_renamed",
        "folders_deleted",
    ] {
        assert_eq!(run.count(field), 0, "{case}: {field}: {}", run.stdout);
    }
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
        assert_eq!(
            run.count(field),
            *count,
            "{name}: {field}: {}\n{}",
            run.stdout,
            run.stderr
        );
    }
    assert_conflicts_are_told(case, ground.turned, &run, name);
    let is_other = ground.turned && !case.expected_turned.is_empty();
    let expected = if is_other {
        case.expected_turned
    } else {
        case.expected
    };
    let expected: BTreeMap<String, Vec<String>> = (expected.iter())
        .map(|(folder, messages)| {
            (
                (*folder).to_owned(),
                messages.split_whitespace().map(str::to_owned).collect(),
            )
        })
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
    let told: Vec<_> = run
        .named("change")
        .into_iter()
        .filter(|change| change["conflict"] == true)
        .collect();
    assert_eq!(
        told.len() as u64,
        run.count("conflicts"),
        "{name}: {}",
        run.stdout
    );
    assert_eq!(
        !told.is_empty(),
        case.conflict.is_some(),
        "{name}: {}",
        run.stdout
    );
    for change in told {
        let [first, second] =
            [&change["first_did"], &change["second_did"]].map(|did| did.as_str().unwrap());
        let did = if turned {
            [second, first]
        } else {
            [first, second]
        };
        assert_eq!(did, case.conflict.unwrap(), "{name}: {change}");
        assert!(
            change["settled"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{name}: {change}"
        );
        assert!(
            change["uid"].is_u64() || change["action"].as_str().unwrap().contains("folder"),
            "{name}: {change}"
        );
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

/// Rows on a real server and one that has nothing but RFC 3501: no UIDPLUS, CONDSTORE, MOVE nor
/// UNSELECT, and no UIDNEXT when a folder is opened. Each of the two is edited first, and each is
/// named first.
#[test]
fn rows_hold_with_a_bare_server() {
    let ways: Vec<(&Case, bool, bool)> = CASES
        .iter()
        .flat_map(|case| {
            [(true, true), (true, false), (false, true), (false, false)]
                .map(|(here, turned)| (case, here, turned))
        })
        .collect();
    for some in ways.chunks(10) {
        each(some, |(case, is_here, turned)| {
            let name = format!("{} (bare is here {is_here}, turned {turned})", case.name);
            check_on(case, &Ground::with_bare("bare", *is_here, *turned), &name);
        });
    }
}
