//! Tests of the lab itself: what it writes can be read back, and its proxy and scripted server do
//! what they claim.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::client::{Client, Content, NewMessage};
use crate::lab::generator::{Mailbox, mailbox};
use crate::lab::proxy::twist::{Damage, Kind, Twist};
use crate::lab::proxy::{Answer, At, Direction, How, Plan, Proxy};
use crate::lab::run::Run;
use crate::lab::scripted::{Reply, Scripted, Step, expect, send};
use crate::lab::servers::{Account, AnyMechanism, Courier, Cyrus, Dovecot, PASSWORD, Personality};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// What a server must hold after it was filled.
fn content_of(mailbox: &Mailbox) -> Content {
    let content = |message: NewMessage| {
        let date =
            jiff::Timestamp::strptime("%d-%b-%Y %H:%M:%S %z", message.date.unwrap()).unwrap();
        let mut flags = message.flags;
        flags.sort();
        (
            Sha256::digest(&message.bytes).into(),
            message.bytes.len(),
            flags,
            date.as_second(),
        )
    };
    let folder = |folder: &crate::lab::generator::Folder| {
        let mut messages: Vec<_> = folder.messages().map(content).collect();
        messages.sort();
        (
            folder
                .levels
                .iter()
                .map(|&level| level.to_owned())
                .collect(),
            messages,
        )
    };
    mailbox.folders.iter().map(folder).collect()
}

#[track_caller]
fn fills_and_reads(account: &Account, mailbox: &Mailbox) {
    let mut client = Client::login(account);
    client.fill(mailbox);
    let snapshot = client.snapshot();
    let expected = content_of(mailbox);
    assert_eq!(
        snapshot.folders.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    assert!(
        snapshot.content() == expected,
        "{}: other messages than were put in",
        account.user
    );
    let subscribed = mailbox
        .folders
        .iter()
        .filter(|folder| folder.subscribed)
        .count();
    assert_eq!(snapshot.subscribed.len(), subscribed, "{}", account.user);
}

#[test]
fn dovecot_of_each_kind_keeps_what_it_is_given() {
    for personality in Personality::ALL {
        if personality != Personality::Tiny {
            fills_and_reads(
                &Dovecot::shared().account("fill", personality),
                &mailbox(7, 150),
            );
        }
    }
}

#[test]
fn tiny_dovecot_is_soon_full() {
    let mut client = Client::login(&Dovecot::shared().account("full", Personality::Tiny));
    let half = || NewMessage::of(format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(40_000)));
    client.append(&["INBOX"], [half()].into_iter());
    let (_, status) = client.try_command("APPEND INBOX {40000}");
    assert!(status.starts_with("NO [OVERQUOTA]"), "{status}");
}

#[test]
fn cyrus_keeps_what_it_is_given() {
    fills_and_reads(
        &Cyrus::shared().account(),
        &mailbox(8, 150).without_names_with('"'),
    );
}

#[test]
fn courier_keeps_what_it_is_given() {
    if let Some(courier) = Courier::shared() {
        fills_and_reads(&courier.account(), &mailbox(9, 100));
    }
}

#[test]
fn personalities_announce_what_they_should() {
    let listed = |personality| {
        let account = Dovecot::shared().account("list", personality);
        let replies = Client::login(&account).command("CAPABILITY");
        ["IMAP4rev1", "MULTIAPPEND", "LITERAL+"]
            .map(|name| replies.iter().flatten().any(|value| value.is(name)))
    };
    assert_eq!(listed(Personality::Plain), [true, true, true]);
    assert_eq!(listed(Personality::NoMulti), [true, false, true]);
    assert_eq!(listed(Personality::NoLiteral), [true, false, false]);
    assert_eq!(listed(Personality::Poor), [true, false, false]);
}

#[test]
fn changes_show_in_the_next_snapshot() {
    let mut client = Client::login(&Dovecot::shared().account("change", Personality::Dot));
    client.create(&["Été", "2024"]);
    client.append(
        &["Été", "2024"],
        (0..3).map(|n| NewMessage::of(format!("Subject: {n}\r\n\r\n{n}\r\n"))),
    );
    client.select(&["Été", "2024"]);
    client.store("2", "+FLAGS", "\\Seen $Label1");
    client.expunge("1");
    let snapshot = client.snapshot();
    let uids: Vec<u32> = snapshot
        .folder(&["Été", "2024"])
        .iter()
        .map(|message| message.uid)
        .collect();
    assert_eq!(uids, [2, 3]);
    assert_eq!(
        snapshot.folder(&["Été", "2024"])[0].flags,
        ["$Label1", "\\Seen"].map(str::to_owned).into()
    );
    assert_eq!(snapshot.count(), 2);
}

#[test]
fn generator_makes_the_same_again_and_about_the_size_of_real_mail() {
    let bytes: usize = mailbox(1, 3000)
        .folders
        .iter()
        .flat_map(crate::lab::generator::Folder::messages)
        .map(|m| m.bytes.len())
        .sum();
    assert!((30_000_000..50_000_000).contains(&bytes), "{bytes}");
    assert_eq!(content_of(&mailbox(3, 300)), content_of(&mailbox(3, 300)));
    assert_ne!(content_of(&mailbox(3, 300)), content_of(&mailbox(4, 300)));
    assert_eq!(mailbox(5, 3000).count(), 3000);
}

#[test]
fn proxy_delays_without_limiting_what_is_sent_ahead() {
    let account = Dovecot::shared().account("slow", Personality::NoMulti);
    let proxy = Proxy::start(account.port, Plan::round_trip(Duration::from_millis(100)));
    let mut client = Client::login(&account.by_port(proxy.port));
    let start = Instant::now();
    client.append(
        &["INBOX"],
        (0..100).map(|n| NewMessage::of(format!("Subject: {n}\r\n\r\n{n}\r\n"))),
    );
    let time = start.elapsed();
    assert!(time >= Duration::from_millis(100), "{time:?}");
    let traffic = &proxy.traffic()[0];
    assert_eq!(
        traffic
            .commands
            .iter()
            .filter(|line| line.contains("APPEND"))
            .count(),
        100
    );
    assert!(
        traffic.bytes_up > 2000 && traffic.bytes_down > 2000,
        "{traffic:?}"
    );
    // In turn each would be a burst.
    assert!(traffic.bursts < 50, "{traffic:?}");
}

#[test]
fn proxy_limits_the_rate() {
    let account = Dovecot::shared().account("narrow", Personality::Plain);
    let proxy = Proxy::start(
        account.port,
        Plan {
            rate: Some(1_000_000),
            ..Plan::default()
        },
    );
    let mut client = Client::login(&account.by_port(proxy.port));
    let start = Instant::now();
    client.append(
        &["INBOX"],
        [NewMessage::of(format!(
            "Subject: x\r\n\r\n{}\r\n",
            "y".repeat(500_000)
        ))]
        .into_iter(),
    );
    let time = start.elapsed();
    assert!(time > Duration::from_millis(400), "{time:?}");
}

/// What a client reads when it sends a NOOP to a connection that the plan makes a cut in.
fn cut_by(plan: Plan) -> (String, std::io::Result<usize>) {
    let server = Scripted::serve("OK ready", |_| Reply::ok().line("* 5 EXISTS"));
    let proxy = Proxy::start(server.port, plan);
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(b"a NOOP\r\n").unwrap();
    let mut read = Vec::new();
    let result = stream.read_to_end(&mut read);
    (String::from_utf8(read).unwrap(), result)
}

#[test]
fn proxy_cuts_where_it_is_told() {
    use Direction::{Down, Up};
    let text = || "5 EXISTS".to_owned();
    for (direction, at, expected) in [
        (Down, At::Bytes(14), "* OK ready\r\n* "),
        (Down, At::Before(text()), "* OK ready\r\n* "),
        (Down, At::After(text()), "* OK ready\r\n* 5 EXISTS"),
    ] {
        for how in [How::Fin, How::Rst] {
            let (read, result) = cut_by(Plan::default().cut(direction, at.clone(), how));
            assert_eq!(read, expected, "{at:?} {how:?}");
            assert_eq!(
                result.is_err(),
                how == How::Rst,
                "{at:?} {how:?} {result:?}"
            );
        }
    }
    let (read, _) = cut_by(Plan::default().cut(Up, At::Before("NOOP".to_owned()), How::Fin));
    assert!(!read.contains("EXISTS"), "{read}");
}

/// What arrives of a server's responses to three NOOPs where one of them is twisted so.
fn twisted(kind: Kind, nth: usize, damage: Damage) -> String {
    let server = Scripted::serve("OK ready", |_| {
        Reply::status("OK [APPENDUID 7 9] done")
            .line("* 5 EXISTS")
            .line("* 3 FETCH (BODY[] {7}\r\n* 1 LIS UID 3)")
    });
    let twist = Twist::new(kind, nth, damage);
    let proxy = Proxy::start(server.port, Plan::default().twist(twist.clone()));
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .write_all(b"a NOOP\r\nb NOOP\r\nc LOGOUT\r\n")
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut read = String::new();
    stream.read_to_string(&mut read).unwrap();
    assert!(twist.is_done());
    read
}

#[test]
fn proxy_damages_the_response_that_it_is_told() {
    let fetch = "* 3 FETCH (BODY[] {7}\r\n* 1 LIS UID 3)\r\n";
    let done = "OK [APPENDUID 7 9] done\r\n";
    let whole = |tag: &str| format!("* 5 EXISTS\r\n{fetch}{tag} {done}");
    let all = format!("* OK ready\r\n{}{}{}", whole("a"), whole("b"), whole("c"));
    let of = |name| Kind::Untagged(name);
    let late = Damage::Late(Duration::from_millis(50));
    for (kind, nth, damage, from, to) in [
        (of("FETCH"), 1, Damage::Dropped, fetch, String::new()),
        (of("FETCH"), 1, Damage::Doubled, fetch, fetch.repeat(2)),
        (
            of("FETCH"),
            1,
            Damage::Garbled,
            "FETCH (",
            "FETCH \u{1}?(".to_owned(),
        ),
        (
            of("EXISTS"),
            1,
            Damage::Garbled,
            "EXISTS",
            "\u{1}?EXISTS".to_owned(),
        ),
        (of("EXISTS"), 1, late, "", String::new()),
        (
            Kind::Code("APPENDUID"),
            1,
            Damage::Garbled,
            "APPENDUID 7",
            "APPENDUID \u{1}?7".to_owned(),
        ),
        (
            Kind::Tagged,
            1,
            Damage::Dropped,
            &format!("a {done}"),
            String::new(),
        ),
    ] {
        assert_eq!(
            twisted(kind, nth, damage),
            all.replacen(from, &to, 1),
            "{kind:?} {damage:?}"
        );
    }
    let second = format!("b {done}");
    assert_eq!(
        twisted(Kind::Tagged, 2, Damage::Dropped),
        all.replacen(&second, "", 1)
    );
    let cut = twisted(of("FETCH"), 1, Damage::Cut);
    assert_eq!(cut, "* OK ready\r\n* 5 EXISTS\r\n* 3 FETCH (");
}

#[test]
fn proxy_misbehaves_on_the_first_connections_only() {
    let account = Dovecot::shared().account("twice", Personality::Plain);
    let plan = Plan::default()
        .cut(Direction::Down, At::Bytes(0), How::Rst)
        .only_first(1);
    let proxy = Proxy::start(account.port, plan);
    let mut first = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    assert!(first.read_to_end(&mut Vec::new()).is_err());
    Client::login(&account.by_port(proxy.port)).command("NOOP");
}

#[test]
fn proxy_answers_in_the_servers_place_and_in_order() {
    for personality in [Personality::Plain, Personality::NoLiteral] {
        let account = Dovecot::shared().account("false", personality);
        let plan = Plan::default()
            .answer(Answer::instead("STATUS", 2, "NO [UNAVAILABLE] later"))
            .answer(Answer::instead("APPEND", 2, "NO [LIMIT] too much"))
            .answer(Answer::after(
                "CREATE",
                1,
                "* NO a warning\r\n{tag} NO [SERVERBUG] who knows",
            ));
        let proxy = Proxy::start(account.port, plan);
        let mut client = Client::login(&account.by_port(proxy.port));
        let status = |client: &mut Client| client.try_command("STATUS INBOX (MESSAGES)").1;
        client.append(
            &["INBOX"],
            [NewMessage::of("Subject: 1\r\n\r\n")].into_iter(),
        );
        assert!(status(&mut client).starts_with("OK"));
        assert_eq!(status(&mut client), "NO [UNAVAILABLE] later");
        assert!(status(&mut client).starts_with("OK"));
        assert_eq!(
            client.try_command("APPEND INBOX {14}").1,
            "NO [LIMIT] too much"
        );
        assert_eq!(
            client.try_command("CREATE made").1,
            "NO [SERVERBUG] who knows"
        );
        client.append(
            &["made"],
            [NewMessage::of("Subject: 3\r\n\r\n")].into_iter(),
        );
        let snapshot = client.snapshot();
        assert_eq!(
            (
                snapshot.folder(&["INBOX"]).len(),
                snapshot.folder(&["made"]).len()
            ),
            (1, 1)
        );
    }
}

#[test]
fn proxy_swallows_the_literal_of_a_command_that_it_answers() {
    let account = Dovecot::shared().account("swallow", Personality::Plain);
    let proxy = Proxy::start(
        account.port,
        Plan::default().answer(Answer::instead("APPEND", 2, "NO no")),
    );
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", proxy.port)).unwrap());
    let login = format!("a LOGIN {} {PASSWORD}\r\n", account.user);
    let append = |tag: &str| format!("{tag} APPEND INBOX {{14+}}\r\nSubject: 1\r\n\r\n\r\n");
    let all = format!(
        "{login}{}{}{}z LOGOUT\r\n",
        append("b"),
        append("c"),
        append("d")
    );
    stream.get_mut().write_all(all.as_bytes()).unwrap();
    let mut read = String::new();
    stream.read_to_string(&mut read).unwrap();
    let tagged: Vec<&str> = read
        .lines()
        .filter(|line| !line.starts_with('*'))
        .map(|line| &line[..4])
        .collect();
    assert_eq!(tagged, ["a OK", "b OK", "c NO", "d OK", "z OK"], "{read}");
}

/// Every run of the suite is searched for what it was given that is secret: plain and in base64, in
/// what it prints and in what it leaves. Here a shell is the run, which shows it.
#[test]
fn a_run_that_shows_or_leaves_a_secret_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(at("pw"), "of-a-file-Zq8\n").unwrap();
    let issued = AnyMechanism::shared().issuer.issue("watched", 1);
    let searched = |script: &str, extra: &[&str]| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, "sh"])
            .args(extra)
            .current_dir(directory.path());
        shell.env("MAILFERRY_SOURCE_PASSWORD", "of-the-environment-Zq9");
        Run::of(&mut shell)
    };
    searched(
        "echo harmless; echo of-the-env >&2; echo of-a-file > report",
        &["--report", "report"],
    )
    .ended(0);
    let token = format!("echo {issued}");
    let leaks: [(&str, &[&str]); 8] = [
        ("echo $MAILFERRY_SOURCE_PASSWORD", &[]),
        ("echo \"x$MAILFERRY_SOURCE_PASSWORD\" | base64 >&2", &[]),
        ("cat pw >&2", &["--source-password-file", "pw"]),
        (
            "mkdir -p state/deep; cp pw state/deep/file",
            &["--source-password-file", "pw", "--state", "state"],
        ),
        (
            "base64 pw > log",
            &["--source-password-file", "pw", "--log-file", "log"],
        ),
        (
            &format!("echo {PASSWORD} > metrics"),
            &["--metrics", "metrics"],
        ),
        (&format!("echo {}", AnyMechanism::MASTER_PASSWORD), &[]),
        (&token, &[]),
    ];
    for (script, extra) in leaks {
        let ended = std::panic::catch_unwind(|| searched(script, extra));
        let said = ended.expect_err(script).downcast::<String>().unwrap();
        assert!(said.contains("a secret is "), "{script}: {said}");
    }
}

#[test]
fn scripted_server_keeps_to_its_script() {
    let server = Scripted::script(vec![vec![
        send("* OK ready"),
        expect("LOGIN "),
        send("{tag} OK in"),
        expect("APPEND .*\\{3\\+?\\}"),
        Step::Literal(3),
        Step::Raw(b"* BYE \xff\r\n".to_vec()),
        Step::Close,
    ]]);
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).unwrap());
    stream
        .get_mut()
        .write_all(b"a1 LOGIN u p\r\na2 APPEND x {3+}\r\nabc\r\n")
        .unwrap();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).unwrap();
    assert_eq!(read, b"* OK ready\r\na1 OK in\r\n* BYE \xff\r\n");
    assert_eq!(server.lines(), ["a1 LOGIN u p", "a2 APPEND x {3+}", ""]);
    server.finish();
}

#[test]
#[should_panic(expected = "expected LOGIN, got a1 NOOP")]
fn scripted_server_notices_another_command() {
    let server = Scripted::script(vec![vec![expect("LOGIN")]]);
    TcpStream::connect(("127.0.0.1", server.port))
        .unwrap()
        .write_all(b"a1 NOOP\r\n")
        .unwrap();
    server.finish();
}

#[test]
fn scripted_server_answers_by_a_function() {
    let mut stored = Vec::new();
    let server = Scripted::serve("OK ready", move |command| match command.name.as_str() {
        "APPEND" => {
            stored.extend(command.literals.clone());
            Reply::ok()
        }
        "UID FETCH" => Reply::ok().raw(&stored.concat()).line(""),
        _ => Reply::status("NO never"),
    });
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).unwrap());
    let mut say = |bytes: &[u8]| {
        stream.get_mut().write_all(bytes).unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(say(b"a1 APPEND x {3}\r\n"), "* OK ready\r\n");
    assert_eq!(say(b""), "+ go on\r\n");
    assert_eq!(say(b"abc\r\na2 uid fetch 1 x\r\n"), "a1 OK done\r\n");
    assert_eq!(say(b""), "abc\r\n");
    assert_eq!(say(b"a3 NOOP\r\n"), "a2 OK done\r\n");
    assert_eq!(say(b""), "a3 NO never\r\n");
}
