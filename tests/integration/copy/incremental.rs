//! Later runs request only what has changed, and trust no record that the servers contradict.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::mailboxes::each;
use crate::lab::pair::{Pair, letters, snapshot};
use crate::lab::proxy::twist::{Damage, Kind, Twist};
use crate::lab::proxy::{Meanwhile, Plan, Proxy};
use crate::lab::run::{Run, copy, sync};
use crate::lab::servers::{Account, Dovecot, Personality};
use mailferry::mail::Side;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Servers that differ in how they tell what has changed: by QRESYNC, by CONDSTORE alone, and not
/// at all.
const KINDS: [Personality; 3] = [
    Personality::Plain,
    Personality::NoQresync,
    Personality::Poor,
];

/// Two accounts, and proxies in front of them that read along.
struct Ground {
    pair: Pair,
    proxies: [Proxy; 2],
}

impl Ground {
    fn new(name: &str, kind: Personality) -> Self {
        let pair = Pair::new(name, kind);
        let proxies =
            [&pair.source, &pair.target].map(|account| Proxy::start(account.port, Plan::default()));
        Self { pair, proxies }
    }

    fn copy(&self, options: &[&str]) -> Run {
        let behind = |account: &Account, at: usize| account.by_port(self.proxies[at].port);
        let (source, target) = (behind(&self.pair.source, 0), behind(&self.pair.target, 1));
        copy(
            &source,
            &target,
            &[&self.pair.state_options()[..], options].concat(),
        )
    }

    /// What was asked of both servers since the last look, without tags.
    fn asked(&self, mut seen: [usize; 2]) -> (Vec<String>, [usize; 2]) {
        let mut asked = Vec::new();
        for (proxy, seen) in self.proxies.iter().zip(&mut seen) {
            let traffic = proxy.traffic();
            let lines = traffic
                .iter()
                .skip(*seen)
                .flat_map(|connection| &connection.commands);
            asked.extend(lines.map(|line| line.split_once(' ').unwrap().1.to_owned()));
            *seen = traffic.len();
        }
        (asked, seen)
    }
}

#[test]
fn only_what_has_changed_is_asked_for() {
    each(KINDS, |kind| {
        let ground = Ground::new("asked", kind);
        let mut client = Client::login(&ground.pair.source);
        client.append(&["INBOX"], letters("mail", 50));
        ground.copy(&[]).ended(0).counts(&[("copied", 50)]);
        let (_, seen) = ground.asked([0, 0]);
        client.append(&["INBOX"], letters("new", 2));
        client.select(&["INBOX"]);
        client.store("3:7", "+FLAGS", "\\Flagged");
        client.expunge("11:12");
        let run = ground.copy(&[]).ended(0);
        run.counts(&[
            ("copied", 2),
            ("flags_updated", 5),
            ("already_there", 48),
            ("deleted", 0),
        ]);
        let (asked, _) = ground.asked(seen);
        let fetches: Vec<&String> = asked
            .iter()
            .filter(|line| line.starts_with("UID FETCH 1:"))
            .collect();
        let all_of = |text: &str| fetches.iter().all(|line| line.contains(text));
        assert!(
            !fetches.is_empty() && !fetches.iter().any(|line| line.contains("INTERNALDATE")),
            "{fetches:?}"
        );
        match kind {
            Personality::Plain => {
                assert!(all_of("CHANGEDSINCE") && all_of("VANISHED"), "{fetches:?}");
            }
            Personality::NoQresync => {
                assert!(all_of("CHANGEDSINCE") && !all_of("VANISHED"), "{fetches:?}");
                assert!(
                    asked
                        .iter()
                        .any(|line| line.starts_with("UID SEARCH RETURN (ALL)")),
                    "{asked:?}"
                );
            }
            _ => assert!(all_of("(UID FLAGS)"), "{fetches:?}"),
        }
        ground
            .copy(&["--delete"])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 2)]);
        ground.pair.assert_equal();
    });
}

#[test]
fn changes_of_every_kind_are_followed_run_after_run() {
    each(KINDS, |kind| {
        let ground = Ground::new("follow", kind);
        let mut client = Client::login(&ground.pair.source);
        client.create(&["box"]);
        client.append(&["INBOX"], letters("mail", 30));
        client.append(&["box"], letters("box", 30));
        ground.copy(&["--delete"]).ended(0);
        for round in 0..4 {
            let word = format!("round {round}");
            client.append(&["box"], letters(&word, 3));
            client.select(&["box"]);
            client.store(&format!("{}:*", 20 + round), "+FLAGS", "\\Seen $Work");
            client.store(&format!("{}", 22 + round), "-FLAGS", "\\Seen");
            client.expunge(&format!("{}", 5 + round));
            client.select(&["INBOX"]);
            client.command(&format!("UID COPY {} box", 10 + round));
            client.expunge(&format!("{}", 10 + round));
            let run = ground.copy(&["--delete"]).ended(0);
            run.counts(&[("copied", 4), ("copied_server_side", 1), ("deleted", 1)]);
            ground.pair.assert_equal();
            ground.copy(&["--delete"]).ended(0).counts(&[
                ("copied", 0),
                ("deleted", 0),
                ("flags_updated", 0),
            ]);
        }
    });
}

#[test]
fn a_flag_that_somebody_else_changes_meanwhile_is_seen_to_by_the_next_run() {
    let ground = Ground::new("meanwhile", Personality::Plain);
    let mut client = Client::login(&ground.pair.source);
    client.append(&["INBOX"], letters("mail", 3));
    ground.copy(&[]).ended(0);
    // The target's reader and the source's change different flags of one message.
    let mut reader = Client::login(&ground.pair.target);
    reader.select(&["INBOX"]);
    reader.store("2", "+FLAGS", "\\Answered");
    client.select(&["INBOX"]);
    client.store("2", "+FLAGS", "\\Flagged");
    ground.copy(&[]).ended(0).counts(&[("flags_updated", 1)]);
    let there = snapshot(&ground.pair.target);
    let flags: Vec<_> = there.folder(&["INBOX"])[1].flags.iter().cloned().collect();
    assert_eq!(flags, ["\\Answered", "\\Flagged"]);
}

/// A message that gets a flag and loses another has two changes: it counts once, and if somebody
/// else changes it first, neither is made.
#[test]
fn two_changes_of_one_message_are_both_made_or_neither() {
    let pair = Pair::new("two", Personality::Plain);
    let is_watched = Arc::<AtomicBool>::default();
    let own = pair.target.clone();
    let reader_sets_a_flag = move || {
        let mut reader = Client::login(&own);
        reader.select(&["INBOX"]);
        reader.store("1", "+FLAGS", "\\Seen");
    };
    let plan = Plan::default()
        .meanwhile(Meanwhile::before("UID STORE", reader_sets_a_flag))
        .only_while(&is_watched);
    let proxy = Proxy::start(pair.target.port, plan);
    let target = pair.target.by_port(proxy.port);
    let run = || copy(&pair.source, &target, &pair.state_options());
    let flags = || -> Vec<Vec<String>> {
        let there = snapshot(&pair.target);
        let messages = there.folder(&["INBOX"]).iter();
        messages
            .map(|message| message.flags.iter().cloned().collect())
            .collect()
    };
    let mut client = Client::login(&pair.source);
    client.append(&["INBOX"], letters("mail", 2));
    client.select(&["INBOX"]);
    client.store("1:2", "+FLAGS", "\\Flagged");
    run().ended(0).counts(&[("copied", 2)]);
    client.store("1:2", "-FLAGS", "\\Flagged");
    client.store("1:2", "+FLAGS", "\\Answered");
    is_watched.store(true, Ordering::Relaxed);
    run().ended(0).counts(&[("flags_updated", 1)]);
    is_watched.store(false, Ordering::Relaxed);
    assert_eq!(flags(), [vec!["\\Flagged", "\\Seen"], vec!["\\Answered"]]);
    run().ended(0).counts(&[("flags_updated", 1)]);
    assert_eq!(flags(), [vec!["\\Answered", "\\Seen"], vec!["\\Answered"]]);
    run().ended(0).counts(&[("flags_updated", 0)]);
}

#[test]
fn uids_that_come_back_with_other_messages_are_not_believed() {
    each(KINDS, |kind| {
        for side in ["source", "target"] {
            let ground = Ground::new("again", kind);
            let restored = if side == "source" {
                &ground.pair.source
            } else {
                &ground.pair.target
            };
            let mut client = Client::login(&ground.pair.source);
            client.append(&["INBOX"], letters("mail", 5));
            ground.copy(&["--delete"]).ended(0);
            let backup = tempfile::tempdir().unwrap();
            restored.copy_home(backup.path());
            client.append(&["INBOX"], letters("later", 3));
            ground.copy(&["--delete"]).ended(0).counts(&[("copied", 3)]);
            drop(client);
            restored.restore_home(backup.path());
            // New mail takes the UIDs of what was lost and goes beyond them, so that no counter
            // tells.
            let mut client = Client::login(restored);
            client.append(&["INBOX"], letters("other", 6));
            client.select(&["INBOX"]);
            client.store("1:*", "+FLAGS", "\\Seen");
            client.store("1:*", "-FLAGS", "\\Seen");
            let run = ground
                .copy(&["--delete"])
                .ended(0)
                .counts(&[("deleted", 0)]);
            assert!(run.says("restor"), "{kind:?} {side}: {}", run.stderr);
            let (here, there) = (snapshot(&ground.pair.source), snapshot(&ground.pair.target));
            for message in here.folder(&["INBOX"]) {
                let is_there = there
                    .folder(&["INBOX"])
                    .iter()
                    .any(|other| other.sha256 == message.sha256);
                assert!(
                    is_there,
                    "{kind:?} {side}: a message of the source is not on the target"
                );
            }
            // Five that were never lost, three of later, six others: nothing is missing and nothing
            // is doubled.
            assert_eq!(there.folder(&["INBOX"]).len(), 14, "{kind:?} {side}");
            ground
                .copy(&["--delete"])
                .ended(0)
                .counts(&[("deleted", 0), ("copied", 0)]);
            assert_eq!(
                snapshot(&ground.pair.target).folder(&["INBOX"]).len(),
                14,
                "{kind:?} {side}"
            );
        }
    });
}

#[test]
fn a_source_whose_newest_message_was_deleted_is_no_restored_one() {
    each(KINDS, |kind| {
        let ground = Ground::new("newest", kind);
        let mut client = Client::login(&ground.pair.source);
        client.append(&["INBOX"], letters("mail", 6));
        ground.copy(&["--delete"]).ended(0);
        client.select(&["INBOX"]);
        client.expunge("5:6");
        client.append(&["INBOX"], letters("new", 1));
        let run = ground
            .copy(&["--delete"])
            .ended(0)
            .counts(&[("deleted", 2), ("copied", 1)]);
        assert!(run.named("warning").is_empty(), "{}", run.stdout);
        ground.pair.assert_equal();
    });
}

#[test]
fn a_dry_run_foresees_what_the_run_does_and_leaves_the_state_alone() {
    let ground = Ground::new("foresee", Personality::Plain);
    let mut client = Client::login(&ground.pair.source);
    client.append(&["INBOX"], letters("mail", 10));
    ground.copy(&[]).ended(0);
    client.select(&["INBOX"]);
    client.store("1:4", "+FLAGS", "\\Flagged");
    ground.copy(&[]).ended(0);
    // Only the state knows that this mark was taken away, and that the other was set on the target.
    client.store("2", "-FLAGS", "\\Flagged");
    let mut reader = Client::login(&ground.pair.target);
    reader.select(&["INBOX"]);
    reader.store("3", "-FLAGS", "\\Flagged");
    client.append(&["INBOX"], letters("new", 1));
    let files = || {
        let files = std::fs::read_dir(ground.pair.state.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.is_file());
        let mut files: Vec<_> = files
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    let expected = [("copied", 1), ("flags_updated", 1), ("already_there", 10)];
    ground.copy(&["--dry-run"]).ended(0).counts(&expected);
    assert!(files() == before, "a dry run has touched the state");
    ground.copy(&[]).ended(0).counts(&expected);
}

#[test]
fn a_conditional_change_leaves_alone_what_somebody_else_has_changed() {
    use mailferry::address::ImapAddress;
    use mailferry::event::{Silent, Stop};
    use mailferry::mail::{Flags, Uid, UidSet};
    use mailferry::store::imap::{Account as Opened, AccountRun};
    use mailferry::store::{Access, Connector as _, FlagChange, FlagEdit, ScanDepth, ScanRequest};
    use std::sync::Arc;

    let account = Dovecot::shared().account("conditional", Personality::Plain);
    Client::login(&account).append(&["INBOX"], letters("mail", 3));
    let address = ImapAddress::parse(&account.plain_address()).unwrap();
    let secret = mailferry::imap::Secret::fixed(account.password.clone().into());
    let run = AccountRun {
        observer: Arc::new(Silent),
        trace: false,
        stop: Arc::new(Stop::new()),
    };
    let opened = Opened::new(&address, secret, Side::TARGET, Access::ReadWrite, run).unwrap();
    let mut store = opened.connect().unwrap();
    // As every run begins: from then on the server keeps count of changes.
    store.list().unwrap();
    let mailbox = "INBOX".into();
    let depth = ScanDepth::Attributes;
    let request = ScanRequest {
        mailbox: &mailbox,
        depth,
        uids: None,
        search: None,
        for_writing: true,
    };
    let mut unchanged_since = None;
    store
        .scan(&[request], &mut |_, scan| {
            unchanged_since = scan.unwrap().highest_mod_seq;
        })
        .unwrap();
    let mut other = Client::login(&account);
    other.select(&["INBOX"]);
    other.store("2", "+FLAGS", "\\Seen");
    let uids: UidSet = (1..=3).filter_map(Uid::new).collect();
    let flags = Flags::from_names(["\\Flagged"]);
    let change = FlagChange {
        mailbox: mailbox.clone(),
        uids,
        edit: FlagEdit::Add,
        flags,
        unchanged_since,
    };
    let left_alone = store.change_flags(&[change]).unwrap().remove(0).unwrap();
    assert_eq!(left_alone.to_string(), "2");
    let there = snapshot(&account);
    let flagged: Vec<bool> = there
        .folder(&["INBOX"])
        .iter()
        .map(|message| message.flags.contains("\\Flagged"))
        .collect();
    assert_eq!(flagged, [true, false, true]);
}

/// The two verbs that go by what an earlier run has recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Copy,
    Sync,
}

const VERBS: [Verb; 2] = [Verb::Copy, Verb::Sync];

/// Two accounts with the same mail and a record of it; what one of them answers can be damaged.
struct Damaged {
    pair: Pair,
    verb: Verb,
    /// Whether it is the source, or the first, whose answers are damaged.
    is_source: bool,
    account: Account,
    is_on: Arc<AtomicBool>,
}

impl Damaged {
    fn new(kind: Personality, verb: Verb, is_source: bool, plan: Plan) -> Self {
        let pair = Pair::new("damaged", kind);
        Client::login(&pair.source).append(&["INBOX"], letters("mail", 4));
        // Equal UIDs in folders of one second's making would look like one folder.
        let mut client = Client::login(&pair.target);
        client.append(&["INBOX"], letters("gone", 1));
        client.select(&["INBOX"]);
        client.expunge("1");
        let account = if is_source {
            &pair.source
        } else {
            &pair.target
        };
        let is_on = Arc::default();
        let proxy = Proxy::start(account.port, plan.only_while(&is_on));
        let account = account.by_port(proxy.port);
        let damaged = Self {
            pair,
            verb,
            is_source,
            account,
            is_on,
        };
        damaged.run().ended(0).counts(&[("copied", 4)]);
        damaged.run().ended(0).counts(&[("copied", 0)]);
        damaged
    }

    fn run(&self) -> Run {
        let Self { pair, account, .. } = self;
        let (source, target) = if self.is_source {
            (account, &pair.target)
        } else {
            (&pair.source, account)
        };
        match self.verb {
            Verb::Copy => copy(source, target, &pair.state_options()),
            Verb::Sync => sync(source, target, &pair.state_options()),
        }
    }

    fn run_damaged(&self) -> Run {
        self.is_on.store(true, Ordering::Relaxed);
        let run = self.run();
        self.is_on.store(false, Ordering::Relaxed);
        run
    }

    /// Gives the mail of the other account's INBOX new UIDs.
    fn renew_the_other(&self) {
        let other = if self.is_source {
            &self.pair.target
        } else {
            &self.pair.source
        };
        let validity = || Client::login(other).command("STATUS INBOX (UIDVALIDITY)");
        let before = validity();
        for file in std::fs::read_dir(Dovecot::shared().maildir(other)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if name == "dovecot-uidlist" || name.starts_with("dovecot.index") {
                std::fs::remove_file(&path).unwrap();
            }
        }
        assert!(validity() != before, "UIDVALIDITY is the same");
    }

    fn counts(&self) -> [usize; 2] {
        [&self.pair.source, &self.pair.target]
            .map(|account| snapshot(account).folder(&["INBOX"]).len())
    }
}

/// After one side's UIDs are new, the other's messages are recognised by their headers. One that
/// can't be read is not gone.
#[test]
fn a_message_whose_header_does_not_come_is_not_sent_again() {
    let damages = [
        (Damage::Nil, true),
        (Damage::Garbled, false),
        (Damage::Dropped, false),
    ];
    let cases = VERBS
        .into_iter()
        .flat_map(|verb| KINDS.map(|kind| (verb, kind)));
    for (verb, kind) in cases {
        each(damages, |(damage, is_source)| {
            let name = format!("{verb:?}, {kind:?}, {damage:?}, source {is_source}");
            let twist = Twist::new(Kind::Untagged("FETCH"), 1, damage)
                .with("(UID 2 ")
                .with("BODY[HEADER");
            let damaged = Damaged::new(kind, verb, is_source, Plan::default().twist(twist.clone()));
            damaged.renew_the_other();
            let run = damaged.run_damaged();
            assert!(twist.is_done(), "{name}: nothing was damaged: {run:?}");
            assert_eq!(damaged.counts(), [4, 4], "{name}: {run:?}");
            // Where the scan itself shows that something is lacking, everything is listed once
            // more.
            assert!([Some(0), Some(3)].contains(&run.code), "{name}: {run:?}");
            let is_named = run
                .texts("folder_failed", "reason")
                .iter()
                .any(|text| text.contains("UID 2"));
            assert_eq!(is_named, run.code == Some(3), "{name}: {run:?}");
            damaged.run().ended(0).counts(&[("copied", 0)]);
            damaged.run().ended(0).counts(&[("copied", 0)]);
            damaged.pair.assert_equal();
        });
    }
}

/// A change that a server tells once, and in a line that can't be read, is asked for again.
#[test]
fn a_change_of_flags_in_a_line_that_can_not_be_read_is_not_lost() {
    let garbled = || {
        Plan::default()
            .twist(Twist::new(Kind::Untagged("FETCH"), 1, Damage::Garbled).with("(UID 2 "))
    };
    let without_flags = || {
        Plan::default().rewrite(|line| {
            let (start, rest) = line.split_once(" FETCH (UID 2 FLAGS (")?;
            let (_, rest) = rest.split_once(')')?;
            Some(format!("{start} FETCH (UID 2{rest}"))
        })
    };
    let plans: [(&str, &(dyn Fn() -> Plan + Sync)); 2] =
        [("garbled", &garbled), ("no flags", &without_flags)];
    let cases = VERBS
        .into_iter()
        .flat_map(|verb| KINDS.map(|kind| (verb, kind)));
    for (what, plan) in plans {
        each(cases.clone(), |(verb, kind)| {
            let name = format!("{verb:?}, {kind:?}, {what}");
            let damaged = Damaged::new(kind, verb, true, plan());
            let mut client = Client::login(&damaged.pair.source);
            client.select(&["INBOX"]);
            client.store("2:3", "+FLAGS", "\\Flagged");
            let run = damaged.run_damaged();
            assert!([Some(0), Some(3)].contains(&run.code), "{name}: {run:?}");
            assert_eq!(damaged.counts(), [4, 4], "{name}: {run:?}");
            damaged.run().ended(0).counts(&[("copied", 0)]);
            let [here, there] =
                [&damaged.pair.source, &damaged.pair.target].map(|side| snapshot(side).content());
            assert_eq!(there, here, "{name}: {run:?}");
        });
    }
}
