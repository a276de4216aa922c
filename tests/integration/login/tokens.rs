//! `mailferry login`: tokens from a code for another device and from a browser on this machine,
//! stored, rotated and renewed, with the tests' own strict OAuth server and a Dovecot that asks it
//! about every token.

use crate::lab::agreeing::{Home, by_browser, by_device, get, mode, tls};
use crate::lab::certificates::{Authority, Wish};
use crate::lab::client::Client;
use crate::lab::mailboxes::{assert_equal, at, each, empty, message, messages};
use crate::lab::proxy::{At, Direction, How, Plan, Proxy};
use crate::lab::run::{Run, Running};
use crate::lab::secrets::{assert_hidden, private_file};
use crate::lab::servers::{Account, AnyMechanism, PASSWORD, Personality};
use crate::lab::tls_front;
use openssl::ssl::SslVersion;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

/// An account with some mail, and a client of the OAuth server for its user.
fn account(name: &str, count: usize) -> (Account, crate::lab::grants::Registration) {
    let lab = AnyMechanism::shared();
    let account = lab.account(name);
    Client::login(&account).append(&["INBOX"], messages(count).into_iter());
    let client = lab.issuer.register(&account.user);
    (account, client)
}

fn assert_all_hidden(run: &Run, client: &crate::lab::grants::Registration) {
    client
        .secrets()
        .iter()
        .for_each(|secret| assert_hidden(run, secret));
}

#[test]
fn a_code_for_another_device_logs_in_as_slowly_as_the_server_wants() {
    let (account, client) = account("device", 3);
    client.change(|manner| manner.before.extend(["authorization_pending", "slow_down"]));
    let home = Home::new();
    let address = tls(&account, "");
    let run = by_device(&home, &address, &client, &[]).ended(0);
    assert!(
        run.says("enter the code WDJB-MJHT") && run.says("http://127.0.0.1/agree"),
        "{run:?}"
    );
    assert!(
        run.stdout
            .contains(&format!("logged in as {} on localhost", account.user)),
        "{run:?}"
    );
    assert_all_hidden(&run, &client);

    let asked = client.requests("/device");
    assert_eq!(
        (asked.len(), asked[0].1["scope"].as_str()),
        (1, "mail offline_access")
    );
    let times: Vec<_> = client
        .requests("/token")
        .into_iter()
        .map(|(time, _)| time)
        .collect();
    assert_eq!(times.len(), 3);
    assert!(
        times[1] - times[0] >= Duration::from_secs(1),
        "the interval of the server"
    );
    assert!(
        times[2] - times[1] >= Duration::from_secs(6),
        "five seconds more after slow_down (RFC 8628 section 3.5)"
    );

    // From now on it is used, by both mechanisms, whatever the token looks like.
    for (auth, mechanism) in [
        ("", "OAUTHBEARER"),
        ("&auth=OAUTHBEARER", "OAUTHBEARER"),
        ("&auth=XOAUTH2", "XOAUTH2"),
    ] {
        let arguments = [
            "folders",
            "-vvv",
            "--output",
            "json",
            &format!("{address}{auth}"),
        ];
        let run = home.run(&arguments).ended(0).counts(&[("messages", 3)]);
        assert!(
            run.says(&format!("AUTHENTICATE {mechanism} <hidden>")),
            "{}",
            run.stderr
        );
        assert_all_hidden(&run, &client);
    }
    assert_eq!(
        client.requests("/token").len(),
        3,
        "a token that is good is not renewed"
    );
    // A mechanism for passwords is not given a token.
    assert!(
        home.run(&["folders", &format!("{address}&auth=PLAIN")])
            .ended(2)
            .says("no password for the source")
    );
}

#[test]
fn what_is_kept_is_its_owners_alone_and_one_that_others_can_read_is_refused() {
    let (account, client) = account("modes", 1);
    let home = Home::new();
    let address = tls(&account, "");
    by_device(&home, &address, &client, &[]).ended(0);
    let files = home.token_files();
    assert_eq!(
        (files.len(), mode(&home.tokens()), mode(&files[0])),
        (1, 0o700, 0o600)
    );
    for open in [0o644, 0o640, 0o604, 0o620] {
        fs::set_permissions(&files[0], fs::Permissions::from_mode(open)).unwrap();
        let run = home.run(&["folders", &address]).ended(2);
        assert!(
            run.says(&format!("chmod 600 {}", files[0].display())),
            "{open:o}: {run:?}"
        );
        assert_all_hidden(&run, &client);
    }
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o600)).unwrap();
    // A link in its place is not followed.
    let elsewhere = home.path().join("elsewhere.json");
    fs::rename(&files[0], &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &files[0]).unwrap();
    home.run(&["folders", &address]).ended(2);
    fs::rename(&elsewhere, &files[0]).unwrap();
    home.run(&["folders", &address]).ended(0);
    fs::write(&files[0], "{\"version\":1,\"hunter2").unwrap();
    let run = home.run(&["folders", &address]).ended(2);
    assert!(run.says("it is damaged") && !run.says("hunter2"), "{run:?}");
}

#[test]
fn a_user_who_says_no_or_nothing_is_told_so() {
    let table = [
        ("access_denied", "access denied"),
        ("authorization_declined", "access denied"),
        ("expired_token", "the code expired"),
        (
            "invalid_scope",
            "refused: invalid_scope (in words: invalid_scope)",
        ),
    ];
    let (account, _) = account("no", 0);
    each(table, |(error, words)| {
        let client = AnyMechanism::shared().issuer.register(&account.user);
        client.change(|manner| manner.before.push_back(error));
        let home = Home::new();
        let run = by_device(&home, &tls(&account, ""), &client, &[]).ended(5);
        assert!(run.says(words), "{run:?}");
        assert!(home.token_files().is_empty(), "nothing is kept");
    });
    // The server never says that the code is over.
    let client = AnyMechanism::shared().issuer.register(&account.user);
    client.change(|manner| {
        manner.before.push_back("authorization_pending");
        (manner.is_endless, manner.code_lives) = (true, 2);
    });
    let run = by_device(&Home::new(), &tls(&account, ""), &client, &[]).ended(5);
    assert!(run.says("the code expired"), "{run:?}");
    // A server that wants to be asked once in a lifetime.
    client.change(|manner| manner.interval = u64::MAX);
    assert!(
        by_device(&Home::new(), &tls(&account, ""), &client, &[])
            .ended(5)
            .says("allows polling only every")
    );
}

#[test]
fn a_browser_brings_the_code_and_only_the_one_that_was_asked_for() {
    let (account, client) = account("browser", 2);
    client.change(|manner| manner.secret = Some("client/secret+of the lab".to_owned()));
    let (_directory, secret) = private_file("secret", "client/secret+of the lab\n");
    let home = Home::new();
    let address = tls(&account, "");
    let more = [
        "--no-browser",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    let waiting = by_browser(&home, &address, &client, &more);
    let asked = crate::lab::oauth::fields(waiting.address.split_once('?').unwrap().1);
    assert_eq!(
        (
            asked["code_challenge_method"].as_str(),
            asked["login_hint"].as_str()
        ),
        ("S256", account.user.as_str())
    );
    assert_eq!(asked["scope"], "mail offline_access");
    assert!(
        asked["state"].len() >= 16 && asked["code_challenge"].len() == 43,
        "{asked:?}"
    );
    let redirect = asked["redirect_uri"].clone();
    assert!(redirect.starts_with("http://127.0.0.1:"), "{redirect}");
    let port: u16 = redirect
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        TcpStream::connect(("127.0.0.2", port)).is_err(),
        "it listens on 127.0.0.1 alone"
    );

    // Anybody may knock. None of it counts, and none of it ends the wait.
    let knock = |path: &str| get(&format!("{redirect}{path}")).0;
    assert!(knock("?code=evil&state=guessed").contains("400"));
    assert!(knock("?code=evil").contains("400"));
    assert!(knock("?error=access_denied&state=guessed").contains("400"));
    assert!(knock("favicon.ico").contains("404"));
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert!(
        client.requests("/token").is_empty(),
        "no code of a stranger is sent on"
    );
    assert!(waiting.agree().contains("200"));
    let run = waiting.end().ended(0);
    assert!(run.says("different state"), "{run:?}");
    assert_all_hidden(&run, &client);
    let run = home
        .run(&["folders", "-vvv", "--output", "json", &address])
        .ended(0)
        .counts(&[("messages", 2)]);
    assert_all_hidden(&run, &client);
}

#[test]
fn a_code_without_its_verifier_is_good_for_nothing() {
    let (account, client) = account("pkce", 0);
    client.change(|manner| manner.mistakes_challenge = true);
    let home = Home::new();
    let waiting = by_browser(&home, &tls(&account, ""), &client, &["--no-browser"]);
    waiting.agree();
    let run = waiting.end().ended(5);
    assert!(
        run.says("invalid_grant") && home.token_files().is_empty(),
        "{run:?}"
    );
    assert_all_hidden(&run, &client);
}

#[test]
fn the_users_browser_is_started_where_there_is_one_and_not_with_no_browser() {
    let (account, client) = account("opens", 0);
    let home = Home::new();
    let opened = home.path().join("opened");
    let script = home.path().join("browser");
    // S2: the last word is what it sees of passwords.
    let says = "$1 ${MAILFERRY_SOURCE_PASSWORD-no}${MAILFERRY_TARGET_PASSWORD-thing}";
    fs::write(
        &script,
        format!(
            "#!/bin/sh\necho \"{says}\" > {0}.part && mv {0}.part {0}\n",
            opened.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let login = |more: &[&str]| {
        let arguments = crate::lab::agreeing::arguments("imaps://ann@localhost", &client, more);
        let mut command = home.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        Running::of(
            command
                .env("MAILFERRY_SOURCE_PASSWORD", PASSWORD)
                .env("BROWSER", &script),
        )
    };
    let running = login(&["--flow", "browser"]);
    let begun = Instant::now();
    while !opened.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no browser was started"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let address = fs::read_to_string(&opened).unwrap();
    let (address, seen) = address.trim().split_once(' ').unwrap();
    assert_eq!(seen, "nothing");
    let (_, answer) = get(address);
    let back = answer
        .lines()
        .find_map(|line| line.strip_prefix("Location: "))
        .unwrap();
    get(back);
    running.end().ended(0);

    fs::remove_file(&opened).unwrap();
    let running = login(&["--flow", "browser", "--no-browser"]);
    std::thread::sleep(Duration::from_millis(1500));
    running.kill();
    assert!(!opened.exists(), "a browser was started");
    drop(account);
}

#[test]
fn a_refresh_token_that_rotates_is_kept_before_it_is_needed() {
    let (account, client) = account("rotates", 2);
    // Every run has to renew.
    client.change(|manner| manner.lives = 0);
    let home = Home::new();
    let address = tls(&account, "");
    by_device(&home, &address, &client, &[]).ended(0);
    let mut seen = vec![client.refresh_token()];
    for _ in 0..3 {
        let run = home.run(&["folders", "-vvv", &address]).ended(0);
        assert_all_hidden(&run, &client);
        let sent = client.requests("/token").pop().unwrap().1["refresh_token"].clone();
        assert_eq!(Some(&sent), seen.last(), "the newest one is sent");
        seen.push(client.refresh_token());
        let kept = fs::read_to_string(&home.token_files()[0]).unwrap();
        assert!(
            kept.contains(seen.last().unwrap()) && !kept.contains(&sent),
            "the newest one is kept"
        );
        assert_eq!(mode(&home.token_files()[0]), 0o600);
    }
}

#[test]
fn runs_at_the_same_time_renew_once_and_never_use_a_token_twice() {
    let (account, client) = account("together", 1);
    client.change(|manner| manner.lives = 30);
    let home = Home::new();
    let address = tls(&account, "");
    // What lives for less than a minute is renewed before it is used; the next lives long.
    by_device(&home, &address, &client, &[]).ended(0);
    client.change(|manner| manner.lives = 3600);
    each(0..5, |_| drop(home.run(&["folders", &address]).ended(0)));
    assert_eq!(client.requests("/token").len(), 2, "one login, one renewal");
}

#[test]
fn a_token_that_expires_in_the_middle_of_a_run_is_renewed_and_the_run_goes_on() {
    let lab = AnyMechanism::shared();
    each(["OAUTHBEARER", "XOAUTH2"], |mechanism| {
        let source = lab.account("midrun");
        let mut mail = messages(30);
        mail.insert(15, message(1_000, "=the=mark="));
        Client::login(&source).append(&["INBOX"], mail.into_iter());
        let client = lab.issuer.register(&source.user);
        // Good for the connection that breaks, and for no other, whatever the server says of its
        // life.
        client.change(|manner| manner.uses = 1);
        let target = empty("dst", Personality::Plain);
        let cut = Plan::default()
            .cut(
                Direction::Down,
                At::After("=the=mark=".to_owned()),
                How::Fin,
            )
            .only_first(1);
        let proxy = Proxy::start(source.port, cut);
        let home = Home::new();
        let address = format!(
            "{}&timeout=60&auth={mechanism}",
            source.by_port(proxy.port).plain_address()
        );
        by_device(&home, &address, &client, &[]).ended(0);
        let run = home
            .run(&["copy", &address, &at(&target), "-j", "1", "-vvv"])
            .ended(0);
        assert_equal(&source, &target);
        let renewals = client
            .requests("/token")
            .iter()
            .filter(|(_, fields)| fields["grant_type"] == "refresh_token")
            .count();
        assert_eq!(renewals, 1, "{}", run.stderr);
        assert_all_hidden(&run, &client);
    });
}

/// By time, as real ones do: a run on a slow line, a token of three seconds, and a connection that
/// breaks when it is over.
#[test]
fn a_token_that_is_too_old_for_a_new_connection_is_renewed_and_the_run_goes_on() {
    const LIFE: Duration = Duration::from_secs(3);
    let lab = AnyMechanism::shared();
    // The server tells how long it lives, or wrongly that it lives for an hour.
    each(
        [("OAUTHBEARER", LIFE.as_secs()), ("XOAUTH2", 3600)],
        |(mechanism, said)| {
            let source = lab.account("clock");
            let mut mail = messages(50);
            mail.insert(40, message(1_000, "=the=mark="));
            Client::login(&source).append(&["INBOX"], mail.into_iter());
            let client = lab.issuer.register(&source.user);
            client.change(|manner| (manner.lives, manner.ends_after) = (said, Some(LIFE)));
            let target = empty("clockdst", Personality::Plain);
            let slow = Plan {
                rate: Some(4_000),
                ..Plan::default()
            };
            let cut = slow
                .cut(
                    Direction::Down,
                    At::After("=the=mark=".to_owned()),
                    How::Fin,
                )
                .only_first(1);
            let proxy = Proxy::start(source.port, cut);
            let home = Home::new();
            let address = format!(
                "{}&timeout=60&auth={mechanism}",
                source.by_port(proxy.port).plain_address()
            );
            by_device(&home, &address, &client, &[]).ended(0);
            let begun = Instant::now();
            let run = home
                .run(&["copy", &address, &at(&target), "-j", "1", "-vvv"])
                .ended(0);
            assert!(begun.elapsed() > LIFE, "{:?}", begun.elapsed());
            assert_equal(&source, &target);
            // What has less than a minute to live is renewed before the first login too.
            let expected = if said < 60 { 2 } else { 1 };
            let requests = client.requests("/token");
            let renewals = requests
                .iter()
                .filter(|(_, fields)| fields["grant_type"] == "refresh_token")
                .count();
            assert_eq!(renewals, expected, "{}", run.stderr);
            let used = client
                .access_tokens()
                .iter()
                .rev()
                .nth(1)
                .map(|token| lab.issuer.asked(token));
            assert_eq!(
                used,
                Some(2),
                "the one before the last let in once, and was refused once for its age"
            );
            assert_all_hidden(&run, &client);
        },
    );
}

#[test]
fn a_refused_refresh_token_ends_the_run_and_says_to_log_in_again() {
    let (account, client) = account("refused", 1);
    client.change(|manner| manner.lives = 0);
    let home = Home::new();
    let address = tls(&account, "");
    by_device(&home, &address, &client, &[]).ended(0);
    client.change(|manner| {
        manner.instead = Some((
            400,
            None,
            r#"{"error":"invalid_grant","error_description":"no {refresh_token} here"}"#.to_owned(),
        ));
    });
    let target = at(&empty("dst", Personality::Plain));
    for arguments in [
        &["folders", "-vvv", &address][..],
        &["copy", "-vvv", &address, &target],
        &["doctor", &address],
    ] {
        let run = home.run(arguments).ended(5);
        assert!(
            run.says(&format!("run `mailferry login {address}` again")),
            "{run:?}"
        );
        assert!(run.says("invalid_grant (no <hidden> here)"), "T18: {run:?}");
        assert_all_hidden(&run, &client);
    }
    // A server that is at fault is another matter, and so is one that is gone.
    client.change(|manner| manner.instead = Some((503, None, "{refresh_token}".to_owned())));
    let run = home.run(&["folders", &address]).ended(6);
    assert!(run.says("503") && !run.says("login"), "{run:?}");
    client.change(|manner| manner.instead = None);
    home.run(&["folders", &address]).ended(0);
}

#[test]
fn a_secret_goes_where_it_was_meant_to_go_and_nowhere_else() {
    let (account, client) = account("t18", 0);
    let home = Home::new();
    // T18: to another place, or to none that is protected.
    for place in [
        "http://127.0.0.1:9/token",
        "https://evil.example/token",
        "/other",
    ] {
        client.change(|manner| {
            manner.instead = Some((
                307,
                Some(format!("{place}?{{device_code}}")),
                "{}".to_owned(),
            ));
        });
        let run = by_device(&home, &tls(&account, ""), &client, &[]).ended(6);
        assert!(run.says("doesn't follow") && run.says(place), "{run:?}");
        assert_all_hidden(&run, &client);
    }
    for url in [
        "http://login.example.org/token",
        "ftp://localhost/token",
        "https://ann:pw@login.example.org/",
    ] {
        let more = [
            "--client-id",
            "x",
            "--token-endpoint",
            url,
            "imaps://ann@localhost",
        ];
        let run = home.run(&[&["login"], &more[..]].concat()).ended(2);
        assert!(run.says("invalid token endpoint"), "{run:?}");
    }
    // What answers is no OAuth server, and repeats what it was sent.
    for status in [200, 400] {
        client.change(|manner| {
            manner.instead = Some((status, None, "<p>{device_code}</p>".to_owned()));
        });
        let run = by_device(&home, &tls(&account, ""), &client, &[]).ended(5);
        assert!(run.says("not an OAuth server"), "{run:?}");
        assert_all_hidden(&run, &client);
    }
}

#[test]
fn the_oauth_servers_certificate_must_be_trusted() {
    let (account, client) = account("https", 1);
    let home = Home::new();
    let authority = Authority::new();
    let trusted = authority.file(home.path());
    let front = |wish: &Wish| {
        tls_front::start_with(authority.acceptor(wish, SslVersion::TLS1_3), client.port)
    };
    let login = |port: u16, knows_authority: bool| {
        let [token, device] =
            ["token", "device"].map(|name| format!("https://localhost:{port}/{name}"));
        let address = tls(&account, "");
        let arguments = [
            "login",
            &address,
            "--client-id",
            &client.id,
            "--token-endpoint",
            &token,
            "--device-endpoint",
            &device,
        ];
        let mut command = home.command(&arguments);
        if knows_authority {
            command.env("SSL_CERT_FILE", &trusted);
        }
        Run::of(&mut command)
    };
    let good = front(&Wish::default());
    let run = login(good, false).ended(6);
    assert!(
        run.says("the certificate of localhost is not trusted"),
        "{run:?}"
    );
    let other = front(&Wish {
        common_name: "other",
        names: Some("other.example"),
        ..Wish::default()
    });
    assert!(login(other, true).ended(6).says("not trusted"));
    assert!(client.requests("/device").is_empty(), "nothing was sent");
    login(good, true).ended(0);
    assert_eq!(client.requests("/device").len(), 1);
}

#[test]
fn what_is_kept_is_listed_and_forgotten() {
    let (account, client) = account("list", 1);
    let home = Home::new();
    assert_eq!(home.run(&["login", "--list"]).ended(0).stdout, "");
    let address = tls(&account, "");
    by_device(&home, &address, &client, &[]).ended(0);
    let run = home.run(&["login", "--list"]).ended(0);
    assert_eq!(
        run.stdout,
        format!("{} on localhost (file)\n", account.user)
    );
    home.run(&["logout", &address]).ended(0);
    assert_eq!(
        fs::read_dir(home.tokens()).unwrap().count(),
        0,
        "nothing is left"
    );
    assert!(
        home.run(&["logout", &address])
            .ended(2)
            .says("no tokens stored")
    );
    assert!(
        home.run(&["folders", &address])
            .ended(2)
            .says("mailferry login"),
        "the hint names it"
    );
}

#[test]
fn an_account_of_the_config_file_has_all_that_a_login_needs() {
    let (account, client) = account("config", 2);
    client.change(|manner| manner.secret = Some("client/secret+of the lab".to_owned()));
    let home = Home::new();
    let (_directory, secret) = private_file("secret", "client/secret+of the lab\n");
    let config = format!(
        "[account.work]\nuser = '{}'\nhost = 'localhost'\nport = {}\nca = '{}'\nclient-id = '{}'\nclient-secret-file = '{}'\n\
         token-endpoint = '{}'\ndevice-endpoint = '{}'\nscopes = ['mail', 'offline_access']\n",
        account.user,
        account.tls_port,
        account.ca.display(),
        client.id,
        secret.display(),
        client.endpoint("token"),
        client.endpoint("device")
    );
    let (_directory, path) = private_file("config.toml", &config);
    let run =
        |arguments: &[&str]| home.run(&[&["--config", path.to_str().unwrap()], arguments].concat());
    run(&["config", "check"]).ended(0);
    run(&["login", "work"]).ended(0);
    run(&["folders", "--output", "json", "work"])
        .ended(0)
        .counts(&[("messages", 2)]);
    // What ends the login names the account as it was typed.
    client.change(|manner| manner.uses = 0);
    client.change(|manner| {
        manner.instead = Some((400, None, r#"{"error":"invalid_grant"}"#.to_owned()));
    });
    let file = &home.token_files()[0];
    let kept = fs::read_to_string(file).unwrap();
    let stale = regex::Regex::new(r#""expires_at":\d+"#)
        .unwrap()
        .replace(&kept, r#""expires_at":1"#)
        .into_owned();
    fs::write(file, stale).unwrap();
    assert!(
        run(&["folders", "work"])
            .ended(5)
            .says("run `mailferry login work` again")
    );
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(run(&["config", "check"]).ended(2).says("chmod 600"));
}

#[test]
fn what_is_missing_is_named() {
    let home = Home::new();
    let table: [(&[&str], &str); 5] = [
        (
            &["login", "imaps://ann@imap.gmail.com"],
            "mailferry doesn't ship one",
        ),
        (
            &["login", "--client-id", "x", "maildir:/m"],
            "a directory needs no login",
        ),
        (
            &["login", "--client-id", "x", "imaps://ann:hunter2@h"],
            "password",
        ),
        (
            &[
                "login",
                "--client-id",
                "x",
                "--flow",
                "device",
                "imaps://ann@h",
            ],
            "--device-endpoint",
        ),
        (
            &["login", "--client-id", "x", "--no-browser", "imaps://ann@h"],
            "--authorization-endpoint",
        ),
    ];
    for (arguments, words) in table {
        let run = home.run(arguments);
        assert!(
            run.code != Some(0) && run.says(words) && !run.says("hunter2"),
            "{words}: {run:?}"
        );
    }
}
