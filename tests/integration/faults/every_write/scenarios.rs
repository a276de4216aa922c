//! The kinds of runs to step through. Each is small, since it runs some hundred times.

use super::ground::Ground;
use crate::lab::client::{Client, NewMessage};
use crate::lab::mailboxes::{message, messages};
use crate::lab::servers::Personality;
use mailferry::plan::rights::AclMap;
use mailferry::verbs::{CopyOptions, Deleting, Headway};

/// One kind of run, each of whose writes is to break once.
pub(crate) struct Scenario {
    /// Its name in the names of steps.
    pub(crate) name: &'static str,
    /// What kind of server the target is.
    pub(crate) target: Personality,
    /// Brings both accounts to where the run begins. It may run copies, which break nowhere.
    pub(crate) prepare: fn(&Ground),
    /// Whether it is stepped through without the state too, where the run goes another way then.
    pub(crate) stateless: bool,
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
        stateless: true,
        options: one_lane,
        meanwhile: Ground::assert_no_damage,
        then: Ground::assert_equal,
    },
    // Two lanes begin with the first folder while others are read; they write in any order.
    Scenario {
        name: "early",
        target: Personality::Plain,
        prepare: fill_for_lanes,
        stateless: true,
        options: two_lanes_at_once,
        meanwhile: Ground::assert_no_damage,
        then: Ground::assert_equal,
    },
    Scenario {
        name: "alone",
        target: Personality::NoLiteral,
        prepare: fill,
        stateless: false,
        options: one_lane,
        meanwhile: Ground::assert_no_damage,
        then: Ground::assert_equal,
    },
    Scenario {
        name: "mirror",
        target: Personality::Plain,
        prepare: rearrange,
        stateless: false,
        options: mirroring,
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
    // Without MOVE and UIDPLUS a message is copied, looked for, and removed.
    Scenario {
        name: "poormirror",
        target: Personality::Poor,
        prepare: rearrange,
        stateless: true,
        options: mirroring,
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
    Scenario {
        name: "keep",
        target: Personality::Plain,
        prepare: remove,
        stateless: false,
        options: keeping,
        meanwhile: Ground::assert_all_on_target,
        then: Ground::assert_kept,
    },
    Scenario {
        name: "poorkeep",
        target: Personality::Poor,
        prepare: remove,
        stateless: true,
        options: keeping,
        meanwhile: Ground::assert_all_on_target,
        then: Ground::assert_kept,
    },
    Scenario {
        name: "apply",
        target: Personality::Plain,
        prepare: |ground| {
            rearrange(ground);
            ground.make_plan();
        },
        stateless: false,
        options: mirroring,
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
    Scenario {
        name: "poorapply",
        target: Personality::Poor,
        prepare: |ground| {
            change(ground);
            ground.make_plan();
        },
        stateless: false,
        options: one_lane,
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
    Scenario {
        name: "move",
        target: Personality::Plain,
        prepare: fill,
        stateless: false,
        options: emptying,
        meanwhile: Ground::assert_nothing_lost,
        then: Ground::assert_moved,
    },
    Scenario {
        name: "rename",
        target: Personality::Plain,
        prepare: rename,
        stateless: false,
        options: mirroring,
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
    Scenario {
        name: "rights",
        target: Personality::Acl,
        prepare: share,
        stateless: false,
        options: copying_rights,
        meanwhile: Ground::assert_no_damage,
        then: |ground| {
            ground.assert_equal();
            ground.assert_same_rights();
        },
    },
    // Without UIDPLUS, CONDSTORE, LIST-STATUS and literals that are not asked for.
    Scenario {
        name: "poor",
        target: Personality::Poor,
        prepare: change,
        stateless: false,
        options: one_lane,
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
    Scenario {
        name: "rerun",
        target: Personality::Plain,
        prepare: change,
        stateless: true,
        options: one_lane,
        // Flags may be behind: those that the first run left are changed by the second.
        meanwhile: |_| (),
        then: Ground::assert_equal,
    },
];

/// One lane writes in the same order each time.
fn one_lane() -> CopyOptions {
    CopyOptions {
        jobs: Some(1),
        ..CopyOptions::default()
    }
}

fn two_lanes_at_once() -> CopyOptions {
    let headway = Headway {
        messages: 1,
        bytes: 1,
    };
    CopyOptions {
        jobs: Some(2),
        headway,
        ..CopyOptions::default()
    }
}

/// Messages of every kind in a few folders: equal ones, some without Message-ID, one that is
/// streamed, a draft, none.
fn fill(ground: &Ground) {
    fill_account(&mut ground.on_source());
}

/// The same, and as many more that there is work for two lanes.
fn fill_for_lanes(ground: &Ground) {
    fill(ground);
    let mut client = ground.on_source();
    client.create(&["many"]);
    client.append(
        &["many"],
        (200..240).map(|number| message(number, "one of many")),
    );
}

/// The same by any client.
pub(crate) fn fill_account(client: &mut Client) {
    client.append(&["INBOX"], messages(9).into_iter());
    for (folder, first) in [("one", 20), ("two", 40), ("Drafts", 60)] {
        client.create(&[folder]);
        client.append(
            &[folder],
            (first..first + 3).map(|number| message(number, "a body")),
        );
    }
    client.create(&["empty"]);
    client.subscribe(&["one"]);
    client.subscribe(&["empty"]);
    let date = Some("03-Feb-2024 04:05:06 +0000".to_owned());
    let odd = NewMessage {
        date,
        ..NewMessage::of("no header, only this\r\n")
    };
    let large = message(80, &"a line of a body, as there are many\r\n".repeat(4_000));
    client.append(&["two"], [odd.clone(), large, odd].into_iter());
    // One message in two folders is sent once, and is to have other flags in the other one.
    for (folder, flag) in [("one", "\\Seen"), ("two", "\\Flagged")] {
        let both = NewMessage {
            flags: vec![flag.to_owned()],
            ..message(90, "in both")
        };
        client.append(&[folder], std::iter::once(both));
    }
}

/// Both sides in step, and then new mail, a new folder and changes of flags on the source.
fn change(ground: &Ground) {
    fill(ground);
    ground.copy(&[]).unwrap();
    let mut client = ground.on_source();
    client.append(
        &["INBOX"],
        (100..103)
            .chain([102])
            .map(|number| message(number, "news")),
    );
    client.create(&["new"]);
    client.append(
        &["new"],
        (110..112).map(|number| message(number, "more news")),
    );
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

/// Both sides in step, and then messages of the source moved, copied and removed.
fn rearrange(ground: &Ground) {
    fill(ground);
    ground.copy(&[]).unwrap();
    let mut client = ground.on_source();
    client.select(&["INBOX"]);
    client.command("UID MOVE 2:4 one");
    client.command("UID COPY 5 two");
    client.expunge("1");
    client.append(&["INBOX"], (100..102).map(|number| message(number, "news")));
    client.create(&["new"]);
    client.select(&["two"]);
    client.command("UID MOVE 1:2 new");
}

/// Both sides in step, and then a folder of the source renamed, with new mail in it.
fn rename(ground: &Ground) {
    fill(ground);
    ground.copy(&[]).unwrap();
    let mut client = ground.on_source();
    client.command("RENAME one first");
    client.command("UNSUBSCRIBE one");
    client.command("SUBSCRIBE first");
    client.append(&["first"], (100..102).map(|number| message(number, "news")));
}

/// Both sides in step, and then messages of the source removed, equal ones among them, and a
/// folder.
fn remove(ground: &Ground) {
    fill(ground);
    ground.copy(&[]).unwrap();
    let mut client = ground.on_source();
    for (folder, uids) in [("INBOX", "2:6"), ("two", "4,6")] {
        client.select(&[folder]);
        client.expunge(uids);
    }
    client.command("UNSUBSCRIBE one");
    client.command("DELETE one");
}

/// Folders that others have rights to, where this Dovecot has rights.
fn share(ground: &Ground) {
    fill(ground);
    let mut client = ground.on_source();
    for (folder, who, rights) in [
        ("one", "bob", "lrs"),
        ("one", "$staff", "lrwstiek"),
        ("two", "bob", "lr"),
    ] {
        client.try_command(&format!("SETACL {folder} {who} {rights}"));
    }
}

fn copying_rights() -> CopyOptions {
    CopyOptions {
        acl: Some(AclMap::default()),
        ..one_lane()
    }
}

fn keeping() -> CopyOptions {
    CopyOptions {
        keep_deleted: Some("2026-11-25".parse().unwrap()),
        ..mirroring()
    }
}

fn mirroring() -> CopyOptions {
    CopyOptions {
        deleting: Deleting::Mirror("1000".parse().unwrap()),
        ..one_lane()
    }
}

fn emptying() -> CopyOptions {
    CopyOptions {
        deleting: Deleting::Source(None),
        ..one_lane()
    }
}
