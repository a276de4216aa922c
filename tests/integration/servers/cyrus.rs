//! Dovecot to Cyrus and back: the same mail and the same tree, except for what Cyrus refuses, which
//! is reported.

use super::comes_back_whole;
use crate::lab::client::{Client, NewMessage};
use crate::lab::generator::mailbox;
use crate::lab::mailboxes::assert_folders;
use crate::lab::memory::{Fake, Manner};
use crate::lab::pair::snapshot;
use crate::lab::run::{End, copy, folders, verify};
use crate::lab::servers::{Cyrus, Dovecot, Personality};
use sha2::{Digest as _, Sha256};

#[test]
fn all_mail_goes_to_cyrus_and_back() {
    let first = Dovecot::shared().account("tocyrus", Personality::Plain);
    let cyrus = Cyrus::shared().account();
    let last = Dovecot::shared().account("fromcyrus", Personality::Dot);
    Client::login(&first).fill(&mailbox(21, 600));
    let original = snapshot(&first);

    let there = copy(End::tls(&first), End::tls(&cyrus), &[]).ended(0);
    assert_eq!(there.count("copied"), 600);
    assert_eq!(there.count("folders_created"), 17);
    // Cyrus holds no `"`; the folder was made under another name, and that is said.
    assert!(
        there
            .named("warning")
            .iter()
            .any(|event| event["text"].as_str().unwrap().contains("Say =22hello=22")),
        "{there:#?}"
    );
    assert_eq!(
        copy(End::tls(&first), End::tls(&cyrus), &[])
            .ended(0)
            .count("copied"),
        0
    );
    assert_eq!(
        verify(End::tls(&first), End::tls(&cyrus), &[])
            .ended(0)
            .count("compared"),
        600
    );
    let mut there = snapshot(&cyrus).content();
    let quoted = there
        .remove(
            ["Projects", "Say =22hello=22"]
                .map(str::to_owned)
                .as_slice(),
        )
        .unwrap();
    there.insert(
        ["Projects", "Say \"hello\""].map(str::to_owned).to_vec(),
        quoted,
    );
    assert_eq!(there, original.content());

    let back = copy(End::tls(&cyrus), End::tls(&last), &[]).ended(0);
    assert_eq!(back.count("copied"), 600);
    assert_eq!(
        copy(End::tls(&cyrus), End::tls(&last), &[])
            .ended(0)
            .count("copied"),
        0
    );
    verify(End::tls(&cyrus), End::tls(&last), &[]).ended(0);
    verify(End::tls(&first), End::tls(&last), &[]).ended(0);
    assert_eq!(snapshot(&last).content(), original.content());
    assert_eq!(snapshot(&last).subscribed, original.subscribed);
    assert_eq!(
        verify(End::tls(&first), End::tls(&last), &["--deep"])
            .ended(0)
            .count("changed"),
        0
    );
}

/// A message in five folders is fetched once and sent once.
#[test]
fn a_message_in_five_folders_of_cyrus_costs_one_transfer() {
    let cyrus = Cyrus::shared().account();
    let target = Dovecot::shared().account("five", Personality::Plain);
    let text = format!(
        "Message-ID: <five@cyrus>\r\nSubject: five\r\n\r\n{}",
        "a line of some length, so that it shows\r\n".repeat(2_000)
    );
    let date = Some("05-Feb-2024 03:04:05 +0130".to_owned());
    let message = NewMessage {
        date,
        ..NewMessage::of(text)
    };
    let mut client = Client::login(&cyrus);
    for folder in ["INBOX", "One", "Two", "Three", "Four"] {
        if folder != "INBOX" {
            client.create(&[folder]);
        }
        client.append(&[folder], std::iter::once(message.clone()));
    }
    let bytes = message.bytes.len() as u64;
    let run = copy(&cyrus, &target, &[]).ended(0);
    let run = run.counts(&[
        ("copied", 5),
        ("copied_server_side", 4),
        ("bytes_copied", bytes),
    ]);
    for field in ["source.received", "target.sent"] {
        assert!(
            (bytes..bytes * 3 / 2).contains(&run.count(field)),
            "{field}: {}",
            run.stdout
        );
    }
    copy(&cyrus, &target, &[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 5)]);
    verify(End::tls(&cyrus), End::tls(&target), &["--deep"]).ended(0);
}

/// Names that one server or another refuses, in folders that a Dovecot with separator `/` holds.
const AWKWARD: &[&[&str]] = &[
    &["do.t"],
    &["a\"b"],
    &["back\\slash"],
    &["per%cent"],
    &["star*"],
    &["a;b'c$d{e}"],
    &["R&D"],
    &["R&D", "say \"yes\""],
    &["R&D", "say \"yes\"", "a.b & c"],
    &["😀 smile"],
    &["#hash"],
    &[" leading"],
    &["trailing "],
    &["two  blanks"],
    &["x=2Fy"],
];

#[test]
fn names_that_cyrus_refuses_come_back_as_they_were() {
    let first = Dovecot::shared().account("names", Personality::Sdbox);
    let cyrus = Cyrus::shared().account();
    let last = Dovecot::shared().account("namesback", Personality::Sdbox);
    let long = "x".repeat(250);
    let mut client = Client::login(&first);
    for levels in AWKWARD.iter().copied().chain([&[long.as_str()][..]]) {
        client.create(levels);
        client.append(
            levels,
            [NewMessage::of(format!(
                "Subject: {levels:?}\r\nMessage-ID: <{}@x>\r\n\r\n",
                levels.len()
            ))]
            .into_iter(),
        );
    }
    let original = snapshot(&first);

    let there = copy(End::tls(&first), End::tls(&cyrus), &[]).ended(0);
    assert_eq!(there.count("copied"), AWKWARD.len() as u64 + 1);
    let warned = there.texts("warning", "text").join("\n");
    for (name, escaped) in [
        ("a\"b", "a=22b"),
        ("back\\slash", "back=5Cslash"),
        ("per%cent", "per=25cent"),
        ("a;b'c$d{e}", "a=3Bb=27c=24d=7Be=7D"),
        ("R&D/say \"yes\"", "R&-D.say =22yes=22"),
    ] {
        assert!(
            warned.contains(name) && warned.contains(escaped),
            "{name}: {warned}"
        );
    }
    assert!(
        there.reason("do.t").contains("do=2Et"),
        "{}",
        there.reason("do.t")
    );
    // Of old it may be mailferry's own: it is read as `x/y`, said so, and written the same again.
    assert!(
        there.reason("x=2Fy").contains("unescaped"),
        "{}",
        there.reason("x=2Fy")
    );
    assert!(
        there.reason(&long).contains("256 bytes"),
        "{}",
        there.reason(&long)
    );
    comes_back_whole((&first, &original), &cyrus, &last);
}

#[test]
fn messages_that_cyrus_refuses_are_named() {
    let odd: [(&[u8], &str); 9] = [
        (b"Message-ID: <fine@x>\r\nSubject: fine\r\n\r\nx\r\n", ""),
        (
            b"just text, no header at all\r\n\r\nx\r\n",
            "invalid header",
        ),
        (
            b"Message-ID: <blank@x>\r\nBad Field: x\r\n\r\nx\r\n",
            "invalid header",
        ),
        (
            b"Message-ID: <umlaut@x>\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n",
            "",
        ),
        (b"Message-ID: <cr@x>\r\n\r\na\rb\r\n", ""),
        (b"Message-ID: <nul@x>\r\n\r\na\0b\r\n", ""),
        (b"Message-ID: <lf@x>\r\n\r\na\nb\r\n", "bare newlines"),
        (b"", "Zero-length"),
        (b"Message-ID: <last@x>\r\nSubject: last\r\n\r\nno end", ""),
    ];
    // A Dovecot would repair some of them before they got here.
    let first = Fake::start(Manner::default(), &[]);
    odd.iter().for_each(|(bytes, _)| first.put("INBOX", bytes));
    let source = End::plain(first.server.port, "");
    let cyrus = Cyrus::shared().account();
    let refused: Vec<(u64, &str)> = (1..)
        .zip(odd)
        .filter(|(_, (_, why))| !why.is_empty())
        .map(|(uid, (_, why))| (uid, why))
        .collect();
    for (copied, already_there) in [(5, 0), (0, 5)] {
        let run = copy(source.clone(), End::tls(&cyrus), &[]).ended(3);
        assert_eq!(
            (run.count("copied"), run.count("already_there")),
            (copied, already_there)
        );
        assert_eq!(run.count("failed"), refused.len() as u64);
        let failed = run.named("message_failed");
        let mut named: Vec<_> = (failed.iter())
            .map(|event| {
                (
                    event["uid"].as_u64().unwrap(),
                    event["reason"].as_str().unwrap(),
                )
            })
            .collect();
        named.sort_unstable();
        assert_eq!(named.len(), refused.len(), "{named:?}");
        for ((uid, reason), (expected, why)) in named.into_iter().zip(&refused) {
            assert!(
                uid == *expected && reason.contains(why),
                "{uid}: {reason}, not {expected}: {why}"
            );
        }
    }
    let mut taken: Vec<_> = snapshot(&cyrus)
        .folder(&["INBOX"])
        .iter()
        .map(|message| message.size)
        .collect();
    let mut expected: Vec<_> = odd
        .iter()
        .filter(|(_, why)| why.is_empty())
        .map(|(bytes, _)| bytes.len())
        .collect();
    taken.sort_unstable();
    expected.sort_unstable();
    assert_eq!(taken, expected);
    let compared = verify(source, End::tls(&cyrus), &[]).ended(4);
    assert_eq!(
        (
            compared.count("missing"),
            compared.count("changed"),
            compared.count("extra")
        ),
        (4, 0, 0)
    );
}

#[test]
fn nul_crosses_unchanged_where_the_server_takes_binary_literals() {
    let with = |id: &str, body: &[u8]| {
        [
            format!("Message-ID: <{id}@x>\r\n\r\n").as_bytes(),
            body,
            b"\r\n",
        ]
        .concat()
    };
    let messages = [
        with("plain", b"a"),
        with("nul", b"a\0b"),
        with(
            "many",
            &[b"a\0".repeat(30), b"\r\n".to_vec()]
                .concat()
                .repeat(40_000),
        ),
        with("last", b"z"),
    ];
    let first = Fake::start(Manner::default(), &[]);
    messages
        .iter()
        .for_each(|message| first.put("INBOX", message));
    let source = End::plain(first.server.port, "");
    let cyrus = Cyrus::shared().account();
    assert_eq!(
        copy(source.clone(), End::tls(&cyrus), &[])
            .ended(0)
            .count("copied"),
        4
    );
    assert_eq!(
        copy(source.clone(), End::tls(&cyrus), &[])
            .ended(0)
            .count("already_there"),
        4
    );
    verify(source.clone(), End::tls(&cyrus), &["--deep"])
        .ended(0)
        .counts(&[("compared", 4)]);
    let mut there: Vec<[u8; 32]> = snapshot(&cyrus)
        .folder(&["INBOX"])
        .iter()
        .map(|message| message.sha256)
        .collect();
    let mut expected: Vec<[u8; 32]> = messages
        .iter()
        .map(|message| Sha256::digest(message).into())
        .collect();
    there.sort_unstable();
    expected.sort_unstable();
    assert_eq!(there, expected);

    // Where it takes none, they are named.
    let strict = Fake::start(Manner::default(), &[]);
    let run = copy(source, End::plain(strict.server.port, ""), &[]).ended(3);
    assert_eq!((run.count("copied"), run.count("failed")), (2, 2));
    assert!(
        run.texts("message_failed", "reason")
            .iter()
            .all(|reason| reason.contains("NUL")),
        "{run:#?}"
    );
    assert!(
        !strict
            .lines_of("APPEND")
            .iter()
            .any(|line| line.contains('~')),
        "{:?}",
        strict.lines_of("APPEND")
    );
}

#[test]
fn an_administrator_copies_for_a_user() {
    let first = Dovecot::shared().account("admin", Personality::Plain);
    let cyrus = Cyrus::shared().account();
    Client::login(&first).fill(&mailbox(22, 30).without_names_with('"'));
    let acting = End::new(
        format!(
            "imaps://cyrus@localhost:{}?ca={}&authzid={}",
            cyrus.tls_port,
            cyrus.ca.display(),
            cyrus.user
        ),
        &cyrus.password,
    );
    // Cyrus makes a user's INBOX when they first log in themselves.
    Client::login(&cyrus);
    copy(End::tls(&first), acting.clone(), &[]).ended(0);
    assert_eq!(
        copy(End::tls(&first), acting, &[]).ended(0).count("copied"),
        0
    );
    assert_eq!(snapshot(&cyrus).content(), snapshot(&first).content());
}

#[test]
fn a_new_folder_keeps_its_role() {
    let roles = [
        ("Zettel", "\\Drafts"),
        ("Raus", "\\Sent"),
        ("Weg", "\\Trash"),
        ("Bah", "\\Junk"),
        ("Fach", "\\Archive"),
    ];
    let manner = |after: &str| Manner {
        xlist: true,
        after: format!("IMAP4rev1 {after}"),
        ..Manner::default()
    };
    let first = Fake::start(manner("XLIST"), &roles);
    roles.iter().for_each(|(name, _)| {
        first.put(
            name,
            format!("Message-ID: <{name}@x>\r\n\r\nx\r\n").as_bytes(),
        );
    });
    let source = End::plain(first.server.port, "");
    let cyrus = Cyrus::shared().account();
    copy(source.clone(), End::tls(&cyrus), &[])
        .ended(0)
        .counts(&[("folders_created", 5)]);
    let listed = Client::login(&cyrus).command("LIST \"\" \"*\" RETURN (SPECIAL-USE)");
    for (name, role) in roles {
        let reply = listed
            .iter()
            .find(|reply| {
                reply
                    .get(4)
                    .is_some_and(|value| value.text().ends_with(name))
            })
            .unwrap();
        assert!(
            reply[2].items().iter().any(|attribute| attribute.is(role)),
            "{name}: {reply:?}"
        );
    }

    // Another one's folders of other names go to the same places, by their roles.
    let others = Dovecot::shared().account("roles", Personality::Plain);
    let mut client = Client::login(&others);
    for name in ["Drafts", "Sent", "Trash", "Junk", "Archive"] {
        client.create(&[name]);
        client.append(
            &[name],
            [NewMessage::of(format!(
                "Message-ID: <{name}@y>\r\n\r\ny\r\n"
            ))]
            .into_iter(),
        );
    }
    for (from, copied, paired) in [
        ((&others).into(), 5, 5),
        ((&others).into(), 0, 5),
        (source.clone(), 0, 0),
    ] {
        let run = copy(from, End::tls(&cyrus), &[]).ended(0);
        assert_eq!(
            (run.count("folders_created"), run.count("copied")),
            (0, copied),
            "{run:#?}"
        );
        let by_role = run
            .texts("folder_planned", "reason")
            .iter()
            .filter(|reason| reason.contains("by role"))
            .count();
        assert_eq!(by_role, paired, "{run:#?}");
    }

    // Where the role is refused, the folder is made without.
    let strict = Fake::start(manner("CREATE-SPECIAL-USE"), &[]);
    copy(source, End::plain(strict.server.port, ""), &[])
        .ended(0)
        .counts(&[("copied", 5)]);
    assert_eq!(
        strict.lines_of("CREATE").len(),
        10,
        "{:?}",
        strict.lines_of("CREATE")
    );
}

#[test]
fn folders_shows_what_cyrus_has() {
    let cyrus = Cyrus::shared().account();
    Client::login(&cyrus).fill(&mailbox(23, 80).without_names_with('"'));
    let shown = folders(End::tls(&cyrus), &[]).ended(0);
    assert_folders(&shown, &snapshot(&cyrus));
}
