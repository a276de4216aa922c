//! Servers that offer little, or in odd ways: other configurations of Dovecot, a server with
//! nothing but IMAP4rev1, and each way to connect, to log in and to name folders.

use crate::lab::client::Client;
use crate::lab::generator::mailbox;
use crate::lab::mailboxes::assert_folders;
use crate::lab::memory::{Fake, Manner, Told};
use crate::lab::pair::snapshot;
use crate::lab::pair::{Pair, letter, letters};
use crate::lab::run::{End, Run, copy, folders, mailferry, sync, verify};
use crate::lab::scripted::{Scripted, Step, expect, send};
use crate::lab::servers::{Account, Dovecot, Mailutils, PASSWORD, Personality};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn filled(name: &str, personality: Personality, seed: u64, count: usize) -> Account {
    let account = Dovecot::shared().account(name, personality);
    Client::login(&account).fill(&mailbox(seed, count));
    account
}

/// Copies, copies again, verifies.
#[track_caller]
fn crosses(from: &Account, to: &Account, messages: u64) {
    assert_eq!(
        copy(End::tls(from), End::tls(to), &[])
            .ended(0)
            .count("copied"),
        messages,
        "{to:?}"
    );
    assert_eq!(
        copy(End::tls(from), End::tls(to), &[])
            .ended(0)
            .count("copied"),
        0,
        "{to:?}"
    );
    assert_eq!(
        verify(End::tls(from), End::tls(to), &[])
            .ended(0)
            .count("compared"),
        messages,
        "{to:?}"
    );
    assert_eq!(snapshot(to).content(), snapshot(from).content(), "{to:?}");
}

#[test]
fn every_kind_of_dovecot_is_a_target() {
    use Personality::{Mdbox, NoLiteral, NoMulti, Poor, Sdbox};
    let source = filled("kinds", Personality::Plain, 41, 200);
    for personality in [Poor, NoMulti, NoLiteral, Mdbox, Sdbox] {
        crosses(
            &source,
            &Dovecot::shared().account("kind", personality),
            200,
        );
    }
}

#[test]
fn every_kind_of_dovecot_is_a_source() {
    use Personality::{Mdbox, NoLiteral, Poor, Sdbox};
    for (seed, personality) in (50..).zip([Poor, NoLiteral, Mdbox, Sdbox]) {
        let source = filled("kind", personality, seed, 150);
        crosses(
            &source,
            &Dovecot::shared().account("ofkind", Personality::Dot),
            150,
        );
    }
}

#[test]
fn folders_shows_what_dovecots_have() {
    for personality in [
        Personality::Plain,
        Personality::Dot,
        Personality::Poor,
        Personality::Mdbox,
    ] {
        let account = filled("shown", personality, 60, 80);
        assert_folders(
            &folders(End::tls(&account), &[]).ended(0),
            &snapshot(&account),
        );
    }
}

/// Whatever the server can't do is not tried: no command of it is refused.
#[test]
fn a_server_of_nothing_but_imap4rev1_is_source_and_target() {
    let source = filled("tofake", Personality::Plain, 42, 200);
    let fake = Fake::start(Manner::default(), &[]);
    let there = End::plain(fake.server.port, "");
    assert_eq!(
        copy(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("copied"),
        200
    );
    let lines = fake.server.lines();
    assert!(
        !lines.iter().any(|line| line.ends_with("+}")),
        "an unasked literal"
    );
    for extension in [
        "ID",
        "NAMESPACE",
        "ENABLE",
        "XLIST",
        "UNSELECT",
        "COMPRESS",
        "GETQUOTAROOT",
        "AUTHENTICATE",
    ] {
        assert_eq!(fake.lines_of(extension), [""; 0], "{extension}");
    }
    assert_eq!(
        copy(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("copied"),
        0
    );
    assert_eq!(fake.lines_of("APPEND").len(), 200);
    assert_eq!(
        verify(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("compared"),
        200
    );

    let back = Dovecot::shared().account("fromfake", Personality::Plain);
    assert_eq!(
        copy(there.clone(), End::tls(&back), &[])
            .ended(0)
            .count("copied"),
        200
    );
    assert_eq!(
        copy(there.clone(), End::tls(&back), &[])
            .ended(0)
            .count("copied"),
        0
    );
    assert_eq!(snapshot(&back).content(), snapshot(&source).content());
    assert_eq!(snapshot(&back).subscribed, snapshot(&source).subscribed);

    let shown = folders(there, &[]).ended(0);
    assert_folders(&shown, &snapshot(&source));
}

#[test]
fn a_large_literal_waits_where_only_small_ones_may_come_unasked() {
    let source = filled("tominus", Personality::Plain, 43, 150);
    let manner = Manner {
        after: "IMAP4rev1 LITERAL- UIDPLUS".to_owned(),
        at_once: 4096,
        ..Manner::default()
    };
    let fake = Fake::start(manner, &[]);
    let there = End::plain(fake.server.port, "");
    assert_eq!(
        copy(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("copied"),
        150
    );
    assert_eq!(
        copy(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("copied"),
        0
    );
    verify(End::tls(&source), there, &[]).ended(0);
    let appends = fake.lines_of("APPEND");
    assert_eq!(appends.len(), 150);
    for line in &appends {
        let size: usize = line
            .rsplit(['{', '}', '+'])
            .find_map(|word| word.parse().ok())
            .unwrap();
        assert_eq!(line.ends_with("+}"), size <= 4096, "{line}");
    }
    assert!(
        appends.iter().any(|line| line.ends_with("+}"))
            && appends.iter().any(|line| !line.ends_with("+}"))
    );
}

#[test]
fn capabilities_count_wherever_they_are_told() {
    let source = filled("told", Personality::Plain, 44, 20);
    for told in [Told::InTheOk, Told::Untagged, Told::OnRequest] {
        // What is said before login is a lie.
        let lies = "IMAP4rev1 LITERAL+ MULTIAPPEND LIST-EXTENDED LIST-STATUS NAMESPACE ID UNSELECT";
        for greeting in [
            "OK ready".to_owned(),
            format!("OK [CAPABILITY {lies}] ready"),
        ] {
            let manner = Manner {
                greeting,
                before: lies.to_owned(),
                told,
                ..Manner::default()
            };
            let fake = Fake::start(manner, &[]);
            copy(End::tls(&source), End::plain(fake.server.port, ""), &[]).ended(0);
            let asked = fake.lines_of("CAPABILITY").len();
            assert!(
                told == Told::OnRequest || asked <= fake.lines_of("LOGIN").len(),
                "{asked} {told:?}"
            );
            assert_eq!(
                fake.boxes()
                    .values()
                    .map(|held| held.messages.len())
                    .sum::<usize>(),
                20
            );
        }
    }
}

/// Names that no real server takes as they stand, or only some.
#[test]
fn names_of_any_kind_come_from_a_server_that_has_them() {
    let names: [(&str, &[&str]); 8] = [
        ("sl/ash", &["sl/ash"]),
        ("~tilde", &["~tilde"]),
        ("a.b/c.~d", &["a", "b/c", "~d"]),
        ("Entw&APw-rfe", &["Entwürfe"]),
        ("&2D3eAA- smile", &["😀 smile"]),
        ("R&D", &["R&D"]),
        ("two  blanks", &["two  blanks"]),
        ("tab.\"quote\\", &["tab", "\"quote\\"]),
    ];
    let manner = Manner {
        separator: Some('.'),
        ..Manner::default()
    };
    let fake = Fake::start(manner.clone(), &names.map(|(raw, _)| (raw, "")));
    for (raw, _) in names {
        fake.put(raw, format!("Subject: {raw}\r\n\r\n{raw}\r\n").as_bytes());
    }
    let source = End::plain(fake.server.port, "");
    for personality in [Personality::Plain, Personality::Dot, Personality::Sdbox] {
        let target = Dovecot::shared().account("anyname", personality);
        let run = copy(source.clone(), End::tls(&target), &[]).ended(0);
        assert_eq!(run.count("copied"), 8);
        assert!(
            run.reason("sl=2Fash").contains("can't hold '/'"),
            "{}",
            run.reason("sl=2Fash")
        );
        assert!(
            run.reason("~tilde").contains("escaped"),
            "{}",
            run.reason("~tilde")
        );
        assert_eq!(
            copy(source.clone(), End::tls(&target), &[])
                .ended(0)
                .count("copied"),
            0
        );
        verify(source.clone(), End::tls(&target), &[]).ended(0);
        let back = Fake::start(
            Manner {
                separator: Some('|'),
                ..Manner::default()
            },
            &[],
        );
        copy(End::tls(&target), End::plain(back.server.port, ""), &[]).ended(0);
        // What all three can hold is as it was; what the last can't is escaped there too.
        let there = back.contents();
        for raw in [
            "a|b=2Fc|=7Ed",
            "Entw&APw-rfe",
            "&2D3eAA- smile",
            "R&-D",
            "two  blanks",
            "tab|\"quote\\",
        ] {
            assert_eq!(
                there.get(raw).map(Vec::len),
                Some(1),
                "{raw}: {:?}",
                there.keys()
            );
        }
        // And back on a server of the first one's kind every name reads as the first one's.
        assert_eq!(
            verify(source.clone(), End::plain(back.server.port, ""), &[])
                .ended(0)
                .count("compared"),
            8
        );
    }
}

#[test]
fn xlist_tells_roles() {
    let manner = Manner {
        after: "IMAP4rev1 XLIST".to_owned(),
        inbox: "Inbox".to_owned(),
        xlist: true,
        ..Manner::default()
    };
    let held = [
        ("[Gmail]", "\\Noselect"),
        ("[Gmail]/Gesendet", "\\HasNoChildren \\Sent"),
        ("[Gmail]/Spam", "\\HasNoChildren \\Spam"),
        ("[Gmail]/Alle", "\\HasNoChildren \\AllMail"),
        ("[Gmail]/Mit Stern", "\\HasNoChildren \\Starred"),
    ];
    let fake = Fake::start(manner, &held);
    fake.boxes().get_mut("Inbox").unwrap().attributes = "\\Inbox".to_owned();
    for folder in ["Inbox", "[Gmail]/Gesendet", "[Gmail]/Spam", "[Gmail]/Alle"] {
        fake.put(folder, format!("Subject: {folder}\r\n\r\nx\r\n").as_bytes());
    }
    fake.boxes().get_mut("[Gmail]/Spam").unwrap().subscribed = true;
    let shown = folders(End::plain(fake.server.port, ""), &[]).ended(0);
    let rows = shown.named("folder");
    let roles: Vec<_> = (rows.iter().filter(|row| !row["role"].is_null()))
        .map(|row| (row["name"].as_str().unwrap(), row["role"].as_str().unwrap()))
        .collect();
    assert_eq!(
        roles,
        [
            ("[Gmail]/Alle", "all"),
            ("[Gmail]/Gesendet", "sent"),
            ("[Gmail]/Mit Stern", "flagged"),
            ("[Gmail]/Spam", "junk")
        ]
    );
    let target = Dovecot::shared().account("xlist", Personality::Plain);
    let mut client = Client::login(&target);
    client.create(&["Sent"]);
    client.create(&["Junk"]);
    copy(End::plain(fake.server.port, ""), End::tls(&target), &[]).ended(0);
    let snapshot = snapshot(&target);
    // What the view of all mail alone has is archived mail.
    for folder in ["INBOX", "Sent", "Junk", "Archive"] {
        assert_eq!(
            snapshot.folder(&[folder]).len(),
            1,
            "{:?}",
            snapshot.folders.keys()
        );
    }
    assert_eq!(snapshot.count(), 4, "the view of all mail was copied whole");
    assert_eq!(snapshot.subscribed, [vec!["Junk".to_owned()]].into());
}

#[test]
fn a_server_without_levels_takes_and_gives_all() {
    let source = filled("flat", Personality::Plain, 45, 60);
    let fake = Fake::start(
        Manner {
            separator: None,
            ..Manner::default()
        },
        &[],
    );
    let there = End::plain(fake.server.port, "");
    let run = copy(End::tls(&source), there.clone(), &[]).ended(0);
    assert_eq!(run.count("copied"), 60);
    assert!(
        run.reason("Archive/2023").contains("no folder hierarchy"),
        "{}",
        run.reason("Archive/2023")
    );
    assert!(
        fake.contents().contains_key("Archive=2F2023"),
        "{:?}",
        fake.contents().keys()
    );
    assert_eq!(
        copy(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("copied"),
        0
    );
    verify(End::tls(&source), there, &[]).ended(0);
}

#[test]
fn a_server_of_utf8_only_gets_names_in_utf8() {
    let source = filled("utf8", Personality::Plain, 46, 60);
    let manner = Manner {
        after: "IMAP4rev1 ENABLE UTF8=ONLY NAMESPACE".to_owned(),
        utf8: true,
        namespace: Some("((\"\" \"/\")) NIL NIL".to_owned()),
        ..Manner::default()
    };
    let fake = Fake::start(manner, &[]);
    let there = End::plain(fake.server.port, "");
    assert_eq!(
        copy(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("copied"),
        60
    );
    for name in ["Projects/Café & Söhne", "项目/会议记录", "Клиенты"] {
        assert!(
            fake.contents().contains_key(name),
            "{:?}",
            fake.contents().keys()
        );
    }
    assert_eq!(
        copy(End::tls(&source), there.clone(), &[])
            .ended(0)
            .count("copied"),
        0
    );
    let back = Dovecot::shared().account("fromutf8", Personality::Dot);
    copy(there, End::tls(&back), &[]).ended(0);
    assert_eq!(snapshot(&back).content(), snapshot(&source).content());
}

#[test]
fn each_way_to_connect_and_log_in() {
    let source = filled("ways", Personality::Plain, 47, 20);
    let (ca, user) = (source.ca.display(), &source.user);
    let target = Dovecot::shared().account("ways", Personality::Plain);
    let mut copied = 20;
    for address in [
        format!("imaps://{user}@localhost:{}?ca={ca}", source.tls_port),
        format!("imaps://{user}@127.0.0.1:{}?ca={ca}", source.tls_port),
        format!("imap://{user}@localhost:{}?ca={ca}", source.port),
        format!(
            "imap://{user}@localhost:{}?ca={ca}&tls=starttls",
            source.port
        ),
        format!("imap://{user}@localhost:{}?tls=none", source.port),
    ] {
        for auth in ["", "&auth=LOGIN", "&auth=PLAIN", "&auth=plain"] {
            let end = End::new(format!("{address}{auth}"), PASSWORD);
            assert_eq!(
                copy(end, End::tls(&target), &[]).ended(0).count("copied"),
                copied,
                "{address}{auth}"
            );
            copied = 0;
        }
    }
    let wrong = End::new(source.address(), "wrong");
    copy(wrong, End::tls(&target), &[]).ended(5);
    for (address, code) in [
        (format!("imaps://{user}@localhost:{}", source.tls_port), 6),
        (
            format!("imaps://{user}@127.0.0.4:{}?ca={ca}", source.tls_port),
            6,
        ),
        (
            format!("imaps://{user}@127.0.0.5:{}?ca={ca}", source.tls_port),
            6,
        ),
        (
            format!("imaps://{user}@127.0.0.6:{}?ca={ca}", source.tls_port),
            6,
        ),
    ] {
        copy(End::new(address, PASSWORD), End::tls(&target), &[]).ended(code);
    }
}

/// What a user or a password may be; the second form is for an address.
const AWKWARD: [(&str, &str, &str); 5] = [
    ("ann with blanks", "ann%20with%20blanks", " lead and trail "),
    ("q\"uote\\back", "q%22uote%5Cback", "p\"w\\d"),
    ("per%cent", "per%25cent", "100%{5}"),
    (
        "jörg@exämple.org",
        "j%C3%B6rg%40ex%C3%A4mple.org",
        "pä55wörd€",
    ),
    ("(*)", "(*)", "{3+}"),
];

#[test]
fn login_carries_any_user_and_password() {
    for (user, encoded, password) in AWKWARD {
        let manner = Manner {
            user: user.to_owned(),
            password: password.to_owned(),
            ..Manner::default()
        };
        let fake = Fake::start(manner, &[]);
        let address = |more| {
            format!(
                "imap://{encoded}@127.0.0.1:{}?tls=none{more}",
                fake.server.port
            )
        };
        folders(End::new(address(""), password), &[]).ended(0);
        folders(End::new(address("&auth=LOGIN"), password), &[]).ended(0);
        let refused = folders(End::new(address(""), "other"), &["-vvv"]).ended(5);
        assert!(!refused.stderr.contains("other\""), "{}", refused.stderr);
    }
}

#[test]
fn plain_carries_any_user_and_password() {
    use base64::Engine as _;
    for (user, encoded, password) in AWKWARD {
        for (authzid, more) in [("", ""), ("jo é", "&authzid=jo%20%C3%A9")] {
            let text = format!("{authzid}\0{user}\0{password}");
            let response =
                regex::escape(&base64::engine::general_purpose::STANDARD.encode(text)) + "$";
            let list = [
                expect("LIST"),
                send("* LIST () \"/\" INBOX"),
                send("{tag} OK done"),
                expect("LSUB"),
                send("{tag} OK done"),
            ];
            let status = [
                expect("STATUS"),
                send("* STATUS INBOX (MESSAGES 0 UNSEEN 0 UIDNEXT 1 UIDVALIDITY 1)"),
                send("{tag} OK done"),
            ];
            let rest: Vec<Step> = [send("{tag} OK [CAPABILITY IMAP4rev1] in")]
                .into_iter()
                .chain(list)
                .chain(status)
                .collect();
            let with_ir = [
                send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready"),
                expect(&format!("AUTHENTICATE PLAIN {response}")),
            ];
            let without = [
                send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"),
                expect("AUTHENTICATE PLAIN$"),
                send("+ "),
            ];
            for ir in [true, false] {
                let mut steps: Vec<Step> = if ir {
                    with_ir.to_vec()
                } else {
                    without.to_vec()
                };
                if !ir {
                    // The response is a line of its own, without a tag.
                    steps.push(Step::Line(response.clone()));
                }
                steps.extend(rest.clone());
                steps.extend([expect("LOGOUT"), send("{tag} OK bye")]);
                let server = Scripted::script(vec![steps]);
                let address = format!("imap://{encoded}@127.0.0.1:{}?tls=none{more}", server.port);
                folders(End::new(address, password), &[]).ended(0);
                server.finish();
            }
        }
    }
}

#[test]
fn a_server_that_does_not_answer_logout_holds_nobody_up() {
    let server = Scripted::script(vec![vec![
        send("* OK ready"),
        expect("CAPABILITY"),
        send("* CAPABILITY IMAP4rev1"),
        send("{tag} OK done"),
        expect("LOGIN"),
        send("{tag} OK [CAPABILITY IMAP4rev1] in"),
        expect("LIST"),
        send("* LIST (\\Noselect) \"/\" INBOX"),
        send("{tag} OK done"),
        expect("LSUB"),
        send("{tag} OK done"),
        expect("LOGOUT"),
    ]]);
    folders(End::plain(server.port, ""), &[]).ended(0);
    server.finish();
}

/// A server on which a mailbox is a file, so that it can have no folders below it.
fn of_files() -> (Fake, Account) {
    account_of(Manner {
        files: true,
        own_validities: true,
        ..Manner::default()
    })
}

fn account_of(manner: Manner) -> (Fake, Account) {
    let (user, password) = (manner.user.clone(), manner.password.clone());
    let fake = Fake::start(manner, &[]);
    let account = Account {
        port: fake.server.port,
        tls_port: 0,
        user,
        password,
        ca: PathBuf::new(),
    };
    (fake, account)
}

/// Mail in folders and below them, and below one that holds none.
fn nested(name: &str) -> Account {
    let account = Dovecot::shared().account(name, Personality::Plain);
    let mut client = Client::login(&account);
    for (folder, subjects) in [
        ("INBOX", &["one", "two"][..]),
        ("Archive", &["three", "four"]),
        ("Archive/2019", &["five", "six"]),
        ("Archive/2019/Q1", &["seven"]),
        ("INBOX/kid", &["eight"]),
        ("Tree/leaf", &["nine"]),
    ] {
        let levels: Vec<&str> = folder.split('/').collect();
        if folder != "INBOX" {
            client.create(&levels);
        }
        client.append(
            &levels,
            subjects
                .iter()
                .map(|subject| letter(subject))
                .collect::<Vec<_>>()
                .into_iter(),
        );
    }
    account
}

const BESIDE: [(&str, usize); 6] = [
    ("Archive", 2),
    ("Archive=2F2019", 2),
    ("Archive=2F2019=2FQ1", 1),
    ("INBOX", 2),
    ("INBOX=2Fkid", 1),
    ("Tree/leaf", 1),
];

#[track_caller]
fn assert_held(fake: &Fake, expected: &[(&str, usize)]) {
    let held = fake
        .contents()
        .into_iter()
        .map(|(name, messages)| (name, messages.len()));
    let held: BTreeMap<String, usize> = held
        .filter(|(name, count)| *count > 0 || name != "Tree")
        .collect();
    let expected = expected
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    assert_eq!(held, expected);
}

fn tells_of_flattening(run: &Run) -> usize {
    run.texts("warning", "text")
        .iter()
        .filter(|text| text.contains("can't have subfolders"))
        .count()
}

#[test]
fn a_folder_below_a_mailbox_goes_beside_it_where_mailboxes_are_files() {
    for with_state in [true, false] {
        let (fake, target) = of_files();
        let ground = Pair::of(nested("beside"), target);
        let go = |options: &[&str]| {
            if with_state {
                ground.copy(options)
            } else {
                ground.copy_without_state(options)
            }
        };
        let run = go(&[])
            .ended(0)
            .counts(&[("copied", 9), ("folders_failed", 0)]);
        assert!(tells_of_flattening(&run) > 0, "{}", run.stderr);
        assert_held(&fake, &BESIDE);
        let again = go(&[])
            .ended(0)
            .counts(&[("copied", 0), ("already_there", 9)]);
        assert_eq!(tells_of_flattening(&again), 0, "it is said once");
        verify(&ground.source, &ground.target, &[])
            .ended(0)
            .counts(&[("compared", 9), ("extra", 0)]);
        go(&["--delete"])
            .ended(0)
            .counts(&[("copied", 0), ("deleted", 0), ("folders_deleted", 0)]);
        // One that is new below what is there, and one of which the mailbox above is gone.
        let mut client = Client::login(&ground.source);
        client.create(&["Archive", "2020"]);
        client.append(&["Archive", "2020"], [letter("ten")].into_iter());
        client.append(&["Archive", "2019"], [letter("eleven")].into_iter());
        fake.boxes().remove("Archive");
        go(&[]).ended(0).counts(&[("copied", 4)]);
        let all = [&BESIDE[..], &[("Archive=2F2020", 1)]].concat();
        let all: Vec<(&str, usize)> = all
            .into_iter()
            .map(|(name, count)| (name, if name == "Archive=2F2019" { 3 } else { count }))
            .collect();
        assert_held(&fake, &all);
    }
}

#[test]
fn a_saved_plan_puts_folders_beside_mailboxes_that_are_files() {
    let (fake, target) = of_files();
    let ground = Pair::of(nested("besideplan"), target);
    let plan = ground.state.path().join("plan").display().to_string();
    ground.copy(&["--dry-run", "--save-plan", &plan]).ended(0);
    let mut apply = mailferry(
        &[
            &["apply", &plan, "--output", "json"],
            &ground.state_options()[..],
        ]
        .concat(),
    );
    Run::of(&mut apply).ended(0).counts(&[("copied", 9)]);
    assert_held(&fake, &BESIDE);
    verify(&ground.source, &ground.target, &[]).ended(0);
}

/// Both ways round, and with a state that was lost.
#[test]
fn a_sync_keeps_folders_beside_mailboxes_that_are_files() {
    for files_first in [false, true] {
        let (fake, there) = of_files();
        let here = nested("besidesync");
        let sides = if files_first {
            [&there, &here]
        } else {
            [&here, &there]
        };
        let state = tempfile::tempdir().unwrap();
        let go = |state: &tempfile::TempDir| {
            sync(
                sides[0],
                sides[1],
                &["--state", state.path().to_str().unwrap()],
            )
            .ended(0)
        };
        let to_files = if files_first {
            "to_first.copied"
        } else {
            "to_second.copied"
        };
        let from_files = if files_first {
            "to_second.copied"
        } else {
            "to_first.copied"
        };
        let run = go(&state).counts(&[(to_files, 9), (from_files, 0), ("folders_failed", 0)]);
        assert!(tells_of_flattening(&run) > 0, "{}", run.stderr);
        assert_held(&fake, &BESIDE);
        go(&state).counts(&[(to_files, 0), (from_files, 0)]);
        let lost = tempfile::tempdir().unwrap();
        for state in [&state, &lost] {
            let number = if state.path() == lost.path() {
                "lost"
            } else {
                "kept"
            };
            fake.put(
                "Archive=2F2019",
                &letter(&format!("from files {number}")).bytes,
            );
            Client::login(&here).append(
                &["Archive", "2019", "Q1"],
                [letter(&format!("to {number}"))].into_iter(),
            );
            go(state).counts(&[
                (to_files, 1),
                (from_files, 1),
                ("to_first.folders_created", 0),
            ]);
            go(state).counts(&[(to_files, 0), (from_files, 0)]);
        }
        let folder = |levels: &[&str]| snapshot(&here).folder(levels).len();
        assert_eq!(
            (
                folder(&["Archive", "2019"]),
                folder(&["Archive", "2019", "Q1"])
            ),
            (4, 3)
        );
        assert_eq!(fake.contents()["Archive=2F2019=2FQ1"].len(), 3);
        assert!(
            !snapshot(&here)
                .folders
                .keys()
                .any(|levels| levels.iter().any(|level| level.contains("=2F")))
        );
        // A name that it gets on one side goes to the other, beside what it is below there.
        Client::login(&here).command("RENAME Archive/2019/Q1 Archive/2019/Q2");
        go(&lost).counts(&[(to_files, 0), ("conflicts", 0)]);
        assert_eq!(
            fake.contents()["Archive=2F2019=2FQ2"].len(),
            3,
            "{:?}",
            fake.contents().keys()
        );
        assert!(!fake.contents().contains_key("Archive=2F2019=2FQ1"));
        go(&lost).counts(&[(to_files, 0), (from_files, 0)]);
    }
}

#[test]
fn two_folders_never_become_one_where_mailboxes_are_files() {
    let source = Fake::start(
        Manner {
            separator: Some('.'),
            own_validities: true,
            ..Manner::default()
        },
        &[("Archive", ""), ("Archive.2019", ""), ("Archive/2019", "")],
    );
    for folder in ["Archive", "Archive.2019", "Archive/2019"] {
        source.put(folder, &letter(folder).bytes);
    }
    let (fake, target) = of_files();
    let from = End::plain(source.server.port, "");
    let run = copy(from.clone(), &target, &[])
        .ended(3)
        .counts(&[("copied", 2), ("folders_failed", 1)]);
    assert_eq!(run.texts("folder_failed", "folder"), ["Archive/2019"]);
    assert_held(
        &fake,
        &[("Archive", 1), ("Archive=2F2019", 1), ("INBOX", 0)],
    );
    assert_eq!(
        fake.contents()["Archive=2F2019"],
        [letter("Archive/2019").bytes]
    );
    let refused = copy(from.clone(), &target, &[]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.says("--map"), "{}", refused.stderr);
    copy(from, &target, &["--map", "Archive/2019=Archive-2019"])
        .ended(0)
        .counts(&[("copied", 1)]);
    assert_held(
        &fake,
        &[
            ("Archive", 1),
            ("Archive-2019", 1),
            ("Archive=2F2019", 1),
            ("INBOX", 0),
        ],
    );
}

#[test]
fn mailutils_takes_folders_below_mailboxes() {
    let Some(mailutils) = Mailutils::shared() else {
        return;
    };
    let end =
        |account: &Account| End::new(format!("{}&auth=LOGIN", account.plain_address()), PASSWORD);
    let (source, target) = (nested("tomailutils"), end(&mailutils.account()));
    let run = copy(&source, target.clone(), &[])
        .ended(0)
        .counts(&[("copied", 9), ("folders_failed", 0)]);
    assert!(tells_of_flattening(&run) > 0, "{}", run.stderr);
    let names = |of: &End| -> Vec<String> {
        let listed = folders(of.clone(), &[]).ended(0).named("folder");
        let has_mail = |row: &&serde_json::Value| row["messages"].as_u64() > Some(0);
        let mut names: Vec<String> = listed
            .iter()
            .filter(has_mail)
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&target), BESIDE.map(|(name, _)| name.to_owned()));
    copy(&source, target.clone(), &[])
        .ended(0)
        .counts(&[("copied", 0)]);
    let state = tempfile::tempdir().unwrap();
    let other = end(&mailutils.account());
    for copied in [9, 0] {
        let options = ["--state", state.path().to_str().unwrap()];
        sync(&source, other.clone(), &options)
            .ended(0)
            .counts(&[("to_second.copied", copied), ("to_first.copied", 0)]);
        assert_eq!(names(&other), BESIDE.map(|(name, _)| name.to_owned()));
    }
}

/// UW takes the UID of a message that brings an `X-UID` of its own, and counts on from there.
#[test]
fn messages_that_get_other_uids_than_were_told_are_found() {
    for renumbers in [1, 100] {
        for with_state in [true, false] {
            let after = "IMAP4rev1 UIDPLUS".to_owned();
            let (fake, target) = account_of(Manner {
                after,
                own_validities: true,
                renumbers,
                ..Manner::default()
            });
            let source = Dovecot::shared().account("renumbered", Personality::Plain);
            Client::login(&source).append(&["INBOX"], letters("n", 12));
            let ground = Pair::of(source, target);
            let go = |options: &[&str]| {
                if with_state {
                    ground.copy(options)
                } else {
                    ground.copy_without_state(options)
                }
            };
            let run = go(&[]).ended(0).counts(&[("copied", 12), ("failed", 0)]);
            assert!(
                run.says("were found by their headers") && !run.says("moved or deleted"),
                "{}",
                run.stderr
            );
            go(&[])
                .ended(0)
                .counts(&[("copied", 0), ("already_there", 12)]);
            let mut client = Client::login(&ground.source);
            client.append(&["INBOX"], letters("more", 3));
            client.select(&["INBOX"]);
            client.expunge("4");
            go(&["--delete"])
                .ended(0)
                .counts(&[("copied", 3), ("deleted", 1)]);
            let snapshot = snapshot(&ground.source);
            let mut there = fake.contents()["INBOX"].clone();
            there.retain(|bytes| *bytes != letter("n 3").bytes);
            assert_eq!(
                (there.len(), snapshot.count()),
                (14, 14),
                "another message was deleted"
            );
            go(&["--delete"]).ended(0).counts(&[
                ("copied", 0),
                ("deleted", 0),
                ("already_there", 14),
            ]);
        }
    }
}

#[test]
fn a_sync_finds_messages_that_get_other_uids_than_were_told() {
    for renumbers in [1, 100] {
        let after = "IMAP4rev1 UIDPLUS".to_owned();
        let (fake, there) = account_of(Manner {
            after,
            own_validities: true,
            renumbers,
            ..Manner::default()
        });
        let here = Dovecot::shared().account("renumbersync", Personality::Plain);
        Client::login(&here).append(&["INBOX"], letters("n", 12));
        let state = tempfile::tempdir().unwrap();
        let go = |state: &tempfile::TempDir| {
            sync(&here, &there, &["--state", state.path().to_str().unwrap()]).ended(0)
        };
        let run = go(&state).counts(&[("to_second.copied", 12), ("to_second.failed", 0)]);
        assert!(
            run.says("were found by their headers") && !run.says("moved or deleted"),
            "{}",
            run.stderr
        );
        go(&state).counts(&[("to_first.copied", 0), ("to_second.copied", 0)]);
        fake.boxes()
            .get_mut("INBOX")
            .unwrap()
            .messages
            .retain(|held| held.bytes != letter("n 7").bytes);
        go(&state).counts(&[
            ("to_first.deleted", 1),
            ("to_second.copied", 0),
            ("to_first.copied", 0),
        ]);
        assert_eq!(snapshot(&here).count(), 11);
        let lost = tempfile::tempdir().unwrap();
        go(&lost).counts(&[
            ("to_first.copied", 0),
            ("to_second.copied", 0),
            ("already_there", 11),
        ]);
    }
}
