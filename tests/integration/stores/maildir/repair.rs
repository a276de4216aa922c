//! `copy --repair`: damaged messages on the target are replaced, once, and nothing else is changed.

use super::{Ground, account, messages, snapshot};
use crate::lab::client::{Client, NewMessage};
use crate::lab::run::{copy, verify};
use crate::lab::servers::{Account, Dovecot, Personality};

fn letter(number: u32, body: &str) -> NewMessage {
    let head =
        format!("Message-ID: <{number}@repair>\r\nSubject: {number}\r\nFrom: ann@example.org\r\n");
    NewMessage {
        date: Some("05-Feb-2024 03:04:05 +0130".to_owned()),
        flags: std::iter::once("\\Flagged".to_owned()).collect(),
        ..NewMessage::of(format!("{head}\r\n{body}\r\n"))
    }
}

fn filled(name: &str, personality: Personality, bodies: [&str; 4]) -> Account {
    let account = Dovecot::shared().account(name, personality);
    let letters: Vec<_> = (1..)
        .zip(bodies)
        .map(|(number, body)| letter(number, body))
        .collect();
    Client::login(&account).append(&["INBOX"], letters.into_iter());
    account
}

const GOOD: [&str; 4] = ["one", "two", "three", "four"];

#[test]
fn damaged_files_of_a_backup_are_replaced() {
    for keeps in [false, true] {
        let source = filled("repairfrom", Personality::Plain, GOOD);
        let ground = Ground::new("maildir");
        let (tree, state) = (ground.address(), ground.state());
        let options = ["--state", state.as_str()];
        copy(&source, &tree, &options)
            .ended(0)
            .counts(&[("copied", 4)]);
        let mut files = messages(&ground.tree());
        files.sort();
        for (file, from, to) in [(&files[1], "two", "tw0"), (&files[3], "four", "five")] {
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains(from), "{text}");
            std::fs::write(file, text.replace(from, to)).unwrap();
        }
        verify(&source, &tree, &["--deep"])
            .ended(4)
            .counts(&[("changed", 2)]);
        copy(&source, &tree, &options)
            .ended(0)
            .counts(&[("copied", 0), ("repaired", 0)]);
        let repair = [
            &options[..],
            &["--repair"],
            if keeps { &["--keep-deleted"] } else { &[] },
        ]
        .concat();
        let dry = copy(&source, &tree, &[&repair[..], &["--dry-run"]].concat())
            .ended(0)
            .counts(&[("repaired", 2)]);
        assert_eq!(dry.named("message_repaired").len(), 2);
        verify(&source, &tree, &["--deep"])
            .ended(4)
            .counts(&[("changed", 2)]);
        let kept = if keeps { 2 } else { 0 };
        let done = copy(&source, &tree, &repair).ended(0);
        done.counts(&[
            ("repaired", 2),
            ("copied", 2),
            ("already_there", 2),
            ("kept", kept),
        ]);
        let exclude: &[&str] = if keeps {
            &["--deep", "--folder", "INBOX"]
        } else {
            &["--deep"]
        };
        verify(&source, &tree, exclude).ended(0);
        assert_eq!(messages(&ground.tree()).len(), 4 + kept as usize);
        let again = [
            ("repaired", 0),
            ("copied", 0),
            ("already_there", 4),
            ("kept", 0),
        ];
        copy(&source, &tree, &repair).ended(0).counts(&again);
        copy(&source, &tree, &["--repair"]).ended(0).counts(&again);
        copy(&source, &tree, &options).ended(0).counts(&again);
    }
}

#[test]
fn on_a_server_the_flags_stay_and_a_repair_that_was_cut_is_ended() {
    for kind in [Personality::Plain, Personality::Poor] {
        let source = filled("mendfrom", Personality::Plain, GOOD);
        let target = filled("mendto", kind, ["one", "b@d", "three", "worse"]);
        let mut client = Client::login(&target);
        client.select(&["INBOX"]);
        client.store("2", "+FLAGS", "\\Answered $Mine");
        client.store("4", "-FLAGS", "\\Flagged");
        // One that was sent by a run that died before it deleted the damaged one.
        client.store("4", "+FLAGS", "$MailferryDamaged");
        client.append(&["INBOX"], std::iter::once(letter(4, "four")));
        copy(&source, &target, &["--repair", "--flags", "ignore"])
            .ended(0)
            .counts(&[("copied", 1)]);
        let there = snapshot(&target);
        let flags = |number: u32| {
            let of = there
                .folder(&["INBOX"])
                .iter()
                .filter(|message| message.flags.contains("$Mine") == (number == 2));
            of.map(|message| message.flags.iter().cloned().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(flags(2), ["$Mine \\Answered \\Flagged"]);
        assert_eq!(there.count(), 4);
        verify(&source, &target, &["--deep"]).counts(&[
            ("changed", 0),
            ("missing", 0),
            ("extra", 0),
        ]);
        let again = [("repaired", 0), ("copied", 0), ("already_there", 4)];
        copy(&source, &target, &["--repair", "--flags", "ignore"])
            .ended(0)
            .counts(&again);
    }
}

#[test]
fn equal_headers_with_crossed_contents_are_no_damage() {
    let (source, target) = (account("crossedfrom"), account("crossedto"));
    let same = |body: &str| letter(1, body);
    Client::login(&source).append(&["INBOX"], [same("aa"), same("bb"), same("cc")].into_iter());
    Client::login(&target).append(&["INBOX"], [same("cc"), same("xx"), same("aa")].into_iter());
    copy(&source, &target, &["--repair"])
        .ended(0)
        .counts(&[("repaired", 1), ("copied", 1)]);
    verify(&source, &target, &["--deep"]).ended(0);
}

#[test]
fn of_equal_messages_the_damaged_one_is_replaced() {
    let source = account("twinsfrom");
    let twin = || letter(1, "twin");
    Client::login(&source).append(&["INBOX"], [twin(), twin(), letter(2, "other")].into_iter());
    // A copy of it is elsewhere on the target too, from where it could be taken.
    Client::login(&source).create(&["Old"]);
    Client::login(&source).append(&["Old"], std::iter::once(twin()));
    let ground = Ground::new("maildir");
    copy(&source, &ground.address(), &[])
        .ended(0)
        .counts(&[("copied", 4)]);
    let is_twin =
        |file: &&std::path::PathBuf| std::fs::read_to_string(file).unwrap().contains("twin");
    let files = messages(&ground.tree());
    let file = files.iter().find(is_twin).unwrap();
    let damaged = std::fs::read_to_string(file)
        .unwrap()
        .replace("twin", "tw1n");
    // A new file, as the other folder may hold the same one. Its date is another: only header and
    // size tell what it is.
    std::fs::remove_file(file).unwrap();
    std::fs::write(file, damaged).unwrap();
    copy(&source, &ground.address(), &["--repair"])
        .ended(0)
        .counts(&[("repaired", 1), ("copied", 1)]);
    verify(&source, &ground.address(), &["--deep"])
        .ended(0)
        .counts(&[("extra", 0), ("missing", 0)]);
    copy(&source, &ground.address(), &["--repair"])
        .ended(0)
        .counts(&[("repaired", 0), ("copied", 0)]);
}
