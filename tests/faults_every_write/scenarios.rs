//! What is stepped through. A scenario is small, since it is run some hundred times.

use crate::ground::Ground;
use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::{message, messages};
use crate::lab::servers::Personality;
use mailferry::verbs::CopyOptions;

/// One kind of run, each of whose writes is to break once.
pub(crate) struct Scenario {
    /// Its name in the names of steps.
    pub(crate) name: &'static str,
    /// What kind of server the target is.
    pub(crate) target: Personality,
    /// Brings both accounts to where the run begins. It may run copies, which break nowhere.
    pub(crate) prepare: fn(&Ground),
    /// How the run goes.
    pub(crate) options: fn() -> CopyOptions,
    /// What must hold after a broken run that did not go through by itself.
    pub(crate) meanwhile: fn(&Ground),
    /// What must hold in the end.
    pub(crate) then: fn(&Ground),
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "first",
        target: Personality::Plain,
        prepare: fill,
        options: one_lane,
        meanwhile: Ground::assert_no_damage,
        then: Ground::assert_equal,
    },
    Scenario {
        name: "alone",
        target: Personality::NoLiteral,
        prepare: fill,
        options: one_lane,
        meanwhile: Ground::assert_no_damage,
        then: Ground::assert_equal,
    },
    // Without UIDPLUS, CONDSTORE, LIST-STATUS and literals that are not asked for.
    Scenario {
        name: "poor",
        target: Personality::Poor,
        prepare: change,
        options: one_lane,
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
    Scenario {
        name: "rerun",
        target: Personality::Plain,
        prepare: change,
        options: one_lane,
        // Flags may be behind: those that the first run left are changed by the second.
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
];

/// One lane writes in the same order each time.
fn one_lane() -> CopyOptions {
    CopyOptions { jobs: Some(1), ..CopyOptions::default() }
}

/// Messages of every kind in a few folders: equal ones, some without Message-ID, one that is streamed, a draft, none.
fn fill(ground: &Ground) {
    let mut client = ground.on_source();
    client.append(&["INBOX"], messages(9).into_iter());
    for (folder, first) in [("one", 20), ("two", 40), ("Drafts", 60)] {
        client.create(&[folder]);
        client.append(&[folder], (first..first + 3).map(|number| message(number, "a body")));
    }
    client.create(&["empty"]);
    client.subscribe(&["one"]);
    client.subscribe(&["empty"]);
    let odd = NewMessage::of("no header, only this\r\n");
    let large = message(80, &"a line of a body, as there are many\r\n".repeat(4_000));
    client.append(&["two"], [odd.clone(), large, odd].into_iter());
}

/// Both sides in step, and then new mail, a new folder and changes of flags on the source.
fn change(ground: &Ground) {
    fill(ground);
    ground.copy(&[]).unwrap();
    let mut client = ground.on_source();
    client.append(&["INBOX"], (100..103).chain([102]).map(|number| message(number, "news")));
    client.create(&["new"]);
    client.append(&["new"], (110..112).map(|number| message(number, "more news")));
    set_flags(&mut client, "INBOX", "2:4", "+FLAGS", "\\Flagged");
    if ground.has_state() {
        // Without it a flag that is gone can't be told from one that the target's reader has set.
        set_flags(&mut client, "INBOX", "1", "-FLAGS", "\\Seen");
    }
    set_flags(&mut client, "one", "1:2", "+FLAGS", "\\Answered $Label1");
}

fn set_flags(client: &mut Client, folder: &str, uids: &str, how: &str, flags: &str) {
    client.select(&[folder]);
    client.store(uids, how, flags);
}
