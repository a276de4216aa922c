//! Dovecot to Courier and back: no LITERAL+, no MULTIAPPEND, `INBOX.` and `.`, and a server that
//! changes bytes in its own ways.

use super::comes_back_whole;
use crate::lab::client::{Client, Levels, NewMessage};
use crate::lab::generator::mailbox;
use crate::lab::mailboxes::assert_folders;
use crate::lab::pair::snapshot;
use crate::lab::run::{End, copy, folders, verify};
use crate::lab::servers::{Courier, Cyrus, Dovecot, Personality};

#[test]
fn all_mail_goes_to_courier_and_back() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let first = Dovecot::shared().account("tocourier", Personality::Plain);
    let last = Dovecot::shared().account("fromcourier", Personality::Dot);
    Client::login(&first).fill(&mailbox(31, 600));
    let original = snapshot(&first);

    let there = copy(End::tls(&first), End::tls(&courier), &[]).ended(0);
    assert_eq!(
        (there.count("copied"), there.count("folders_created")),
        (600, 17)
    );
    assert_eq!(
        copy(End::tls(&first), End::tls(&courier), &[])
            .ended(0)
            .count("copied"),
        0
    );
    assert_eq!(
        verify(End::tls(&first), End::tls(&courier), &[])
            .ended(0)
            .count("compared"),
        600
    );
    assert_eq!(snapshot(&courier).content(), original.content());

    let back = copy(End::tls(&courier), End::tls(&last), &[]).ended(0);
    assert_eq!(back.count("copied"), 600);
    assert_eq!(
        copy(End::tls(&courier), End::tls(&last), &[])
            .ended(0)
            .count("copied"),
        0
    );
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

#[test]
fn names_that_courier_refuses_come_back_as_they_were() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let first = Dovecot::shared().account("names", Personality::Sdbox);
    let last = Dovecot::shared().account("namesback", Personality::Sdbox);
    let long = "y".repeat(230);
    let names: [&[&str]; 13] = [
        &["do.t"],
        &["a\"b"],
        &["back\\slash"],
        &["per%cent"],
        &["star*"],
        &["a;b'c$d{e}"],
        &["R&D"],
        &["R&D", "😀 smile"],
        &["R&D", "😀 smile", "a.b & c"],
        &["#hash"],
        &[" leading"],
        &["trailing "],
        &[&long],
    ];
    let mut client = Client::login(&first);
    for levels in names {
        client.create(levels);
        let text = format!(
            "Subject: {levels:?}\r\nMessage-ID: <{}@x>\r\n\r\ntext\r\n",
            levels.len()
        );
        client.append(
            levels,
            [NewMessage::of(text.replace('😀', "smile"))].into_iter(),
        );
    }
    let original = snapshot(&first);
    let there = copy(End::tls(&first), End::tls(&courier), &[]).ended(0);
    assert_eq!(there.count("copied"), names.len() as u64);
    let warned = there.texts("warning", "text").join("\n");
    assert!(
        warned.contains("R&D/😀 smile") && warned.contains("R&-D.=F0=9F=98=80 smile"),
        "{warned}"
    );
    assert!(
        there.reason("do.t").contains("do=2Et"),
        "{}",
        there.reason("do.t")
    );
    comes_back_whole((&first, &original), &courier, &last);
}

#[test]
fn a_name_that_courier_can_not_hold_at_all_is_named() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let first = Dovecot::shared().account("toolong", Personality::Sdbox);
    // Courier keeps all levels in one directory's name.
    let deep = ["z".repeat(150), "z".repeat(150)];
    let mut client = Client::login(&first);
    client.create(&deep);
    client.append(
        &deep,
        [NewMessage::of("Subject: deep\r\n\r\nx\r\n")].into_iter(),
    );
    client.append(
        &["INBOX"],
        [NewMessage::of("Subject: shallow\r\n\r\nx\r\n")].into_iter(),
    );
    let run = copy(End::tls(&first), End::tls(&courier), &[]).ended(3);
    assert_eq!((run.count("copied"), run.count("folders_failed")), (1, 1));
    assert_eq!(run.texts("folder_failed", "folder"), [deep.join("/")]);
    assert!(
        run.texts("folder_failed", "reason")[0].contains("did not create it"),
        "{:?}",
        run.events()
    );
}

#[test]
fn what_courier_rewrites_is_not_sent_again_and_is_named() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let first = Dovecot::shared().account("rewritten", Personality::Plain);
    let odd: [&[u8]; 7] = [
        b"Message-ID: <plain@x>\r\nSubject: plain\r\n\r\nx\r\n",
        b"Message-ID: <cr@x>\r\nSubject: bare cr\r\n\r\na\rb\r\n",
        b"Message-ID: <end@x>\r\nSubject: no end\r\n\r\nlast line",
        b"Message-ID: <eight@x>\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n",
        b"no header at all\r\n\r\nx\r\n",
        b"Message-ID: <only@x>\r\nSubject: only a header\r\n\r\n",
        b"From me@example.org Thu Jan  1 00:00:00 1970\r\nMessage-ID: <from@x>\r\n\r\nx\r\n",
    ];
    Client::login(&first).append(&["INBOX"], odd.iter().map(|bytes| NewMessage::of(*bytes)));
    let run = copy(End::tls(&first), End::tls(&courier), &[]).ended(0);
    assert_eq!(run.count("copied"), 7);
    let again = copy(End::tls(&first), End::tls(&courier), &[]).ended(0);
    assert_eq!(
        (again.count("copied"), again.count("already_there")),
        (0, 7)
    );
    let compared = verify(End::tls(&first), End::tls(&courier), &["--deep"]).ended(4);
    let changed: Vec<_> = compared
        .named("difference")
        .iter()
        .map(|event| event["uid"].as_u64().unwrap())
        .collect();
    assert_eq!(changed, [2, 3], "{compared:#?}");
    assert_eq!(
        (
            compared.count("changed"),
            compared.count("missing"),
            compared.count("extra")
        ),
        (2, 0, 0)
    );
}

/// The slower one: through all three, with names that each of them writes in its own way.
#[test]
fn a_larger_mailbox_goes_through_cyrus_and_courier_and_back() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let first = Dovecot::shared().account("round", Personality::Sdbox);
    let cyrus = Cyrus::shared().account();
    let last = Dovecot::shared().account("roundback", Personality::Sdbox);
    let mut client = Client::login(&first);
    client.fill(&mailbox(34, 2000));
    for levels in [
        &["a.b \"c\""][..],
        &["R&D", "100%"],
        &["R&D", "100%", "\\{😀}"],
        &["#1", " 2 "],
    ] {
        client.create(levels);
        client.append(
            levels,
            [NewMessage::of(format!(
                "Subject: {}\r\n\r\nx\r\n",
                levels.len()
            ))]
            .into_iter(),
        );
    }
    // Cyrus makes real folders of all levels; so this one is real from the beginning.
    client.create(&["R&D"]);
    client.create(&["#1"]);
    let original = snapshot(&first);
    let hops = [&first, &cyrus, &courier, &last];
    for hop in hops.windows(2) {
        assert_eq!(
            copy(End::tls(hop[0]), End::tls(hop[1]), &[])
                .ended(0)
                .count("copied"),
            2004,
            "{hop:?}"
        );
    }
    for hop in hops.windows(2) {
        assert_eq!(
            copy(End::tls(hop[0]), End::tls(hop[1]), &[])
                .ended(0)
                .count("copied"),
            0,
            "{hop:?}"
        );
    }
    verify(End::tls(&first), End::tls(&last), &[]).ended(0);
    assert_eq!(snapshot(&last).subscribed, original.subscribed);
    assert_eq!(snapshot(&last).content(), original.content());
}

/// `prefix=` and `separator=` in the address: the tree stands elsewhere.
#[test]
fn the_address_may_say_where_folders_stand() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    let first = Dovecot::shared().account("prefixed", Personality::Plain);
    let mut client = Client::login(&first);
    client.fill(&mailbox(32, 40).without_names_with('"'));
    let original = snapshot(&first).content();
    for target in [
        courier,
        Dovecot::shared().account("prefixed", Personality::Dot),
    ] {
        let below = End::new(
            format!("{}&prefix=INBOX.Old.&separator=.", target.address()),
            &target.password,
        );
        let mine = NewMessage::of("Subject: mine\r\n\r\n");
        Client::login(&target).append(&["INBOX"], [mine].into_iter());
        copy(End::tls(&first), below.clone(), &[]).ended(0);
        assert_eq!(
            copy(End::tls(&first), below.clone(), &[])
                .ended(0)
                .count("copied"),
            0
        );
        assert_eq!(
            verify(End::tls(&first), below.clone(), &[])
                .ended(4)
                .count("extra"),
            1
        );
        let mut there = snapshot(&target).content();
        let inbox: Levels = vec!["INBOX".to_owned()];
        assert_eq!(
            there.remove(&inbox).unwrap().len(),
            original[&inbox].len() + 1
        );
        let moved: Vec<Levels> = original
            .keys()
            .filter(|levels| **levels != inbox)
            .map(|levels| [&["Old".to_owned()][..], levels].concat())
            .collect();
        assert_eq!(
            there
                .keys()
                .filter(|levels| levels.len() > 1)
                .cloned()
                .collect::<Vec<_>>(),
            moved
        );
        let back = Dovecot::shared().account("unprefixed", Personality::Plain);
        copy(below, End::tls(&back), &[]).ended(0);
        let mut back = snapshot(&back).content();
        back.get_mut(&inbox)
            .unwrap()
            .retain(|message| original[&inbox].contains(message));
        assert_eq!(back, original);
    }
}

#[test]
fn folders_shows_what_courier_has() {
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    Client::login(&courier).fill(&mailbox(33, 80));
    let shown = folders(End::tls(&courier), &[]).ended(0);
    assert_folders(&shown, &snapshot(&courier));
}
