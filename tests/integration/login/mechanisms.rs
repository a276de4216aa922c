//! Logging in with every mechanism, and the effects of a refusal, an expiring token and a cheating
//! server.

use crate::lab::agreeing::Home;
use crate::lab::client::Client;
use crate::lab::mailboxes::{assert_equal, at, each, empty, filled, message, messages};
use crate::lab::proxy::{At, Direction, How, Plan, Proxy};
use crate::lab::run::{End, Run, copy, folders, mailferry};
use crate::lab::scram::Listener;
use crate::lab::scripted::{Scripted, Step, expect, send};
use crate::lab::secrets::{assert_hidden, is_in, one_by_one, private_file};
#[cfg(feature = "gssapi")]
use crate::lab::servers::Kerberos;
use crate::lab::servers::{Account, AnyMechanism, Cyrus, PASSWORD, Personality};
use crate::lab::stripper::Stripper;
use crate::lab::tls_front;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailferry::address::{Address, Mechanism};
use mailferry::state::Mechanisms;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
#[cfg(feature = "gssapi")]
use std::path::Path;
use std::time::Duration;

/// The mechanisms that take a password.
const PASSWORDS: [&str; 6] = [
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "NTLM",
];
const TOKENS: [&str; 2] = ["OAUTHBEARER", "XOAUTH2"];

/// An account's address over TLS from the first byte or after STARTTLS.
fn by(account: &Account, start_tls: bool, more: &str) -> String {
    let (scheme, port) = if start_tls {
        ("imap", account.port)
    } else {
        ("imaps", account.tls_port)
    };
    format!(
        "{scheme}://{}@localhost:{port}?timeout=60&ca={}{more}",
        account.user,
        account.ca.display()
    )
}

/// How often a login was tried.
fn attempts(run: &Run) -> usize {
    let is_attempt = |line: &&str| {
        line.contains(" > ") && (line.contains(" AUTHENTICATE ") || line.contains(" LOGIN "))
    };
    run.stderr.lines().filter(is_attempt).count()
}

/// The cases of a test, each over both kinds of TLS.
fn over_both<'a>(mechanisms: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, bool)> {
    mechanisms
        .into_iter()
        .flat_map(|mechanism| [(mechanism, false), (mechanism, true)])
        .collect()
}

#[test]
fn every_mechanism_with_a_password_lets_in_the_right_one_and_refuses_the_wrong_one_once() {
    each(over_both(PASSWORDS), |(mechanism, start_tls)| {
        let account = AnyMechanism::shared().account("pw");
        Client::login(&account).append(&["INBOX"], messages(3).into_iter());
        let address = by(&account, start_tls, &format!("&auth={mechanism}"));

        let run = folders(&address, &["-vvv"])
            .ended(0)
            .counts(&[("messages", 3)]);
        let command = if mechanism == "LOGIN" {
            "LOGIN".to_owned()
        } else {
            format!("AUTHENTICATE {mechanism}")
        };
        assert!(
            run.says(&format!(" {command} ")) || run.says(&format!(" {command}\n")),
            "{}",
            run.stderr
        );
        assert_eq!(attempts(&run), 1);
        assert_hidden(&run, PASSWORD);

        let run = folders(End::new(&address, "wrong-password"), &["-vvv"]).ended(5);
        assert!(
            run.says(&format!("refused the login by {mechanism}: ")),
            "{run:?}"
        );
        assert_eq!(attempts(&run), 1, "{}", run.stderr);
        assert_hidden(&run, "wrong-password");
    });
}

#[test]
fn the_strongest_mechanism_is_chosen() {
    let account = AnyMechanism::shared().account("best");
    for start_tls in [false, true] {
        let run = folders(&by(&account, start_tls, ""), &["-vvv"]).ended(0);
        assert!(
            run.says("AUTHENTICATE SCRAM-SHA-256 <hidden>"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn names_and_passwords_in_any_script() {
    let account = AnyMechanism::shared().account_named("m%C3%BCller%40example.org");
    each(
        ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"],
        |mechanism| {
            let address = by(&account, false, &format!("&auth={mechanism}"));
            folders(End::new(&address, "pä ss\"w\\ör%d{}"), &[]).ended(0);
            folders(End::new(&address, "pa ss\"w\\ör%d{}"), &[]).ended(5);
        },
    );
}

/// The command LOGIN takes ASCII alone, and is not there where the server forbids it: then LOGIN
/// goes by SASL.
#[test]
fn login_goes_by_the_command_or_by_sasl() {
    let account = AnyMechanism::shared().account_named("m%C3%BCller%40example.org");
    for start_tls in [false, true] {
        let address = by(&account, start_tls, "&auth=LOGIN");
        let run = folders(End::new(&address, "pä ss\"w\\ör%d{}"), &["-vvv"]).ended(0);
        assert!(
            run.says(" AUTHENTICATE LOGIN") && attempts(&run) == 1,
            "{}",
            run.stderr
        );
        assert_hidden(&run, "pä ss\"w\\ör%d{}");
    }
}

#[test]
fn an_administrator_acts_for_somebody_else() {
    let lab = AnyMechanism::shared();
    for start_tls in [false, true] {
        let account = lab.account("acted");
        Client::login(&account).append(&["INBOX"], messages(4).into_iter());
        let master = lab.account_named("master");
        for auth in ["", "&auth=PLAIN"] {
            let address = by(
                &master,
                start_tls,
                &format!("&authzid={}{auth}", account.user),
            );
            let run =
                folders(End::new(&address, AnyMechanism::MASTER_PASSWORD), &["-vvv"]).ended(0);
            assert_eq!(run.count("messages"), 4, "it is the other's mailbox");
            assert_hidden(&run, AnyMechanism::MASTER_PASSWORD);
        }
        // Nobody else may.
        let address = by(&account, start_tls, "&authzid=master");
        folders(&address, &[]).ended(5);
        // Not every mechanism can.
        let run = folders(
            &by(&master, start_tls, "&authzid=ann&auth=CRAM-MD5"),
            &["-vvv"],
        )
        .ended(5);
        assert!(
            run.says("can't act for another user") && attempts(&run) == 0,
            "{run:?}"
        );
    }
}

#[test]
fn a_client_certificate_takes_the_place_of_a_password() {
    let lab = AnyMechanism::shared();
    let account = lab.account_named("certified");
    let (cert, key) = lab.client_certificate();
    let shows = format!(
        "&client-cert={}&client-key={}",
        cert.display(),
        key.display()
    );
    for start_tls in [false, true] {
        for auth in ["", "&auth=EXTERNAL"] {
            let address = by(&account, start_tls, &format!("{shows}{auth}"));
            // No password anywhere.
            let run = Run::of(
                mailferry(&["folders", "-vvv", &address]).env_remove("MAILFERRY_SOURCE_PASSWORD"),
            )
            .ended(0);
            assert!(run.says("AUTHENTICATE EXTERNAL <hidden>"), "{}", run.stderr);
        }
        // Without the certificate the server has nothing to go by.
        let run = folders(&by(&account, start_tls, "&auth=EXTERNAL"), &["-vvv"]).ended(5);
        assert!(run.says("client-cert=") && attempts(&run) == 1, "{run:?}");
        // With a certificate, another mechanism goes by the password as ever.
        folders(
            &by(&account, start_tls, &format!("{shows}&auth=PLAIN")),
            &[],
        )
        .ended(0);
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let lab = AnyMechanism::shared();
    let (cert, key) = lab.client_certificate();
    let copy = private_file("key", &fs::read_to_string(key).unwrap());
    fs::set_permissions(&copy.1, fs::Permissions::from_mode(0o644)).unwrap();
    let more = format!(
        "&client-cert={}&client-key={}",
        cert.display(),
        copy.1.display()
    );
    let run = folders(&by(&lab.account_named("certified"), false, &more), &[]).ended(2);
    assert!(run.says("chmod 600"), "{run:?}");
}

#[test]
fn anonymous() {
    let account = AnyMechanism::shared().account_named("anyone");
    for start_tls in [false, true] {
        let run = folders(&by(&account, start_tls, "&auth=ANONYMOUS"), &["-vvv"]).ended(0);
        assert!(
            run.says("AUTHENTICATE ANONYMOUS <hidden>"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn tokens_let_in_and_one_that_has_expired_is_refused_once() {
    let lab = AnyMechanism::shared();
    each(over_both(TOKENS), |(mechanism, start_tls)| {
        let account = lab.account("tok");
        Client::login(&account).append(&["INBOX"], messages(2).into_iter());
        let address = by(&account, start_tls, &format!("&auth={mechanism}"));
        let token = lab.issuer.issue(&account.user, 1);
        let run = folders(End::new(&address, &token), &["-vvv"])
            .ended(0)
            .counts(&[("messages", 2)]);
        assert!(
            run.says(&format!("AUTHENTICATE {mechanism} <hidden>")),
            "{}",
            run.stderr
        );
        assert_hidden(&run, &token);

        let run = folders(End::new(&address, &token), &["-vvv"]).ended(5);
        assert!(
            run.says("the access token has expired") && run.says("(status "),
            "{run:?}"
        );
        assert_eq!((attempts(&run), lab.issuer.asked(&token)), (1, 2));
        assert_hidden(&run, &token);
    });
}

#[test]
fn a_token_is_known_by_its_look() {
    let lab = AnyMechanism::shared();
    let account = lab.account("look");
    let token = lab.issuer.issue(&account.user, 1);
    let run = folders(End::new(by(&account, false, ""), &token), &["-vvv"]).ended(0);
    assert!(
        run.says("AUTHENTICATE OAUTHBEARER <hidden>"),
        "{}",
        run.stderr
    );
}

/// `copy` by a command for the source's secret.
fn copy_by_command(source: &str, target: &Account, command: &str) -> Run {
    let target = at(target);
    let arguments = [
        "copy",
        source,
        &target,
        "-j",
        "1",
        "-vvv",
        "--source-password-command",
        command,
    ];
    Run::of(&mut mailferry(&arguments))
}

#[test]
fn a_token_that_expires_in_the_middle_of_a_run_is_renewed_and_the_run_goes_on() {
    let lab = AnyMechanism::shared();
    each(TOKENS, |mechanism| {
        let source = lab.account("src");
        let mut mail = messages(30);
        mail.insert(15, message(1_000, "=the=mark="));
        Client::login(&source).append(&["INBOX"], mail.into_iter());
        let target = empty("dst", Personality::Plain);
        // Good for the connection that breaks, and not for the next.
        let tokens = [
            lab.issuer.issue(&source.user, 1),
            lab.issuer.issue(&source.user, 100),
        ];
        let cut = Plan::default()
            .cut(
                Direction::Down,
                At::After("=the=mark=".to_owned()),
                How::Fin,
            )
            .only_first(1);
        let proxy = Proxy::start(source.port, cut);
        let directory = tempfile::tempdir().unwrap();
        let command = one_by_one(directory.path(), &[&tokens[0], &tokens[1]]);
        let address = format!(
            "{}&timeout=60&auth={mechanism}",
            source.by_port(proxy.port).plain_address()
        );
        let run = copy_by_command(&address, &target, &command).ended(0);
        assert_equal(&source, &target);
        assert_eq!(lab.issuer.asked(&tokens[0]), 2, "used, and refused once");
        assert_eq!(lab.issuer.asked(&tokens[1]), 1);
        tokens.iter().for_each(|token| assert_hidden(&run, token));
    });
}

#[test]
fn a_token_file_is_read_again_too_and_a_source_without_a_newer_one_ends_the_run() {
    let lab = AnyMechanism::shared();
    let account = lab.account("again");
    let address = by(&account, false, "&auth=XOAUTH2");
    let (stale, good) = (
        lab.issuer.issue(&account.user, 0),
        lab.issuer.issue(&account.user, 9),
    );
    let directory = tempfile::tempdir().unwrap();
    let run = |lines: &[&str]| {
        let command = one_by_one(directory.path(), lines);
        Run::of(&mut mailferry(&[
            "folders",
            &address,
            "-vvv",
            "--source-password-command",
            &command,
        ]))
    };
    assert_eq!(attempts(&run(&[&stale, &good]).ended(0)), 2);
    assert_eq!(
        attempts(&run(&[&stale, &stale]).ended(5)),
        1,
        "the same token is not tried again"
    );
    assert_eq!(lab.issuer.asked(&stale), 2);
    // Nor one after the other: whose mailbox is closed to IMAP would be asked for without end.
    let others = [
        lab.issuer.issue(&account.user, 0),
        lab.issuer.issue(&account.user, 0),
    ];
    assert_eq!(
        attempts(&run(&[&others[0], &others[1], &good]).ended(5)),
        2,
        "a new one is tried once"
    );
    // The same from a file.
    let (_directory, path) = private_file("token", &stale);
    let path = path.to_str().unwrap();
    assert_eq!(
        attempts(&Run::of(&mut mailferry(&[
            "folders",
            &address,
            "-vvv",
            "--source-password-file",
            path
        ]))),
        1
    );
    fs::write(path, &good).unwrap();
    Run::of(&mut mailferry(&[
        "folders",
        &address,
        "--source-password-file",
        path,
    ]))
    .ended(0);
}

#[test]
fn a_password_is_never_asked_for_or_tried_again() {
    let account = AnyMechanism::shared().account("once");
    let directory = tempfile::tempdir().unwrap();
    for mechanism in PASSWORDS {
        let command = one_by_one(directory.path(), &["wrong", PASSWORD]);
        let address = by(&account, false, &format!("&auth={mechanism}"));
        let run = Run::of(&mut mailferry(&[
            "folders",
            &address,
            "-vvv",
            "--source-password-command",
            &command,
        ]))
        .ended(5);
        assert_eq!(attempts(&run), 1);
    }
}

#[test]
fn a_password_command_does_not_see_the_passwords_in_the_environment() {
    let account = AnyMechanism::shared().account("env");
    let (one, other) = PASSWORD.split_at(3);
    let prints = format!(
        "echo \"${{MAILFERRY_SOURCE_PASSWORD-{one}}}${{MAILFERRY_TARGET_PASSWORD-{other}}}\""
    );
    let address = by(&account, false, "");
    Run::of(&mut mailferry(&[
        "folders",
        &address,
        "--source-password-command",
        &prints,
    ]))
    .ended(0);
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let address = "imaps://ann@localhost:1";
    let (_directory, path) = private_file("pw", "machine localhost login ann password hunter2\n");
    let path = path.to_str().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let by_file =
            mailferry_without_password(&["folders", address, "--source-password-file", path]);
        let mut by_netrc = mailferry_without_password(&["folders", address]);
        by_netrc.env("NETRC", path);
        for mut command in [by_file, by_netrc] {
            let run = Run::of(&mut command).ended(2);
            assert!(run.says(&format!("chmod 600 {path}")), "{mode:o}: {run:?}");
            assert_hidden(&run, "hunter2");
        }
    }
    // Their own user's alone: nobody listens there, which is another matter.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = mailferry_without_password(&["folders", address]);
    Run::of(command.env("NETRC", path)).ended(6);
}

fn mailferry_without_password(arguments: &[&str]) -> std::process::Command {
    let mut command = mailferry(arguments);
    command.env_remove("MAILFERRY_SOURCE_PASSWORD");
    command
}

/// A scripted server without TLS, and what a run with it says.
fn against(steps: Vec<Step>, auth: &str, password: &str) -> Run {
    let server = Scripted::script(vec![steps]);
    let address = format!(
        "imap://ann@127.0.0.1:{}?tls=none&timeout=20{auth}",
        server.port
    );
    let run = folders(End::new(address, password), &["-vvv"]);
    assert_hidden(&run, password);
    run
}

#[test]
fn a_scram_server_that_cheats_is_left_at_once() {
    let greeting =
        || send("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=PLAIN] ready");
    let challenge = |text: &str| send(&format!("+ {}", STANDARD.encode(text)));
    let table: Vec<(&str, Vec<Step>)> = vec![
        (
            "without proving",
            vec![
                greeting(),
                expect("AUTHENTICATE SCRAM-SHA-256 "),
                send("{tag} OK welcome"),
            ],
        ),
        (
            "nonce",
            vec![
                greeting(),
                expect("AUTHENTICATE SCRAM-SHA-256 "),
                challenge("r=mine,s=c2FsdA==,i=4096"),
            ],
        ),
        (
            "hashed 2147483647 times",
            vec![
                greeting(),
                expect("AUTHENTICATE SCRAM-SHA-256 "),
                challenge("r=x,s=c2FsdA==,i=2147483647"),
            ],
        ),
        (
            "hashed 1 times",
            vec![
                greeting(),
                expect("AUTHENTICATE SCRAM-SHA-256 "),
                challenge("r=x,s=c2FsdA==,i=1"),
            ],
        ),
        (
            "not base64",
            vec![
                greeting(),
                expect("AUTHENTICATE SCRAM-SHA-256 "),
                send("+ !!!"),
            ],
        ),
    ];
    for (words, mut steps) in table {
        if words != "without proving" {
            // It is told that this is the end, and nothing weaker is tried.
            steps.extend([
                Step::Line(r"\*$".to_owned()),
                send("x BAD cancelled"),
                Step::Pause(Duration::from_millis(50)),
            ]);
        }
        let run = against(steps, "", "hunter2").ended(6);
        assert!(run.says(words) && attempts(&run) == 1, "{words}: {run:?}");
    }
}

#[test]
fn a_login_is_bound_to_the_certificate_and_the_server_learns_when_somebody_takes_that_away() {
    // RFC 5929: the hash of the certificate, by the algorithm of its signature.
    let ca = AnyMechanism::shared().account("bound").ca;
    let pem = fs::read(ca.with_file_name("server.pem")).unwrap();
    let certificate = openssl::x509::X509::from_pem(&pem).unwrap();
    let hash = certificate
        .digest(openssl::hash::MessageDigest::sha256())
        .unwrap();
    let messages_to = |offers: &str, start_tls: bool| {
        let listener = Listener::start(offers);
        let (certificates, server) = (ca.parent().unwrap(), listener.server.port);
        let (scheme, port) = if start_tls {
            ("imap", tls_front::start_tls(certificates, server, ""))
        } else {
            ("imaps", tls_front::start(certificates, server))
        };
        // The server goes away in the middle.
        folders(
            &format!(
                "{scheme}://ann@localhost:{port}?timeout=20&ca={}",
                ca.display()
            ),
            &[],
        )
        .ended(1);
        listener.messages()
    };
    let bound = STANDARD.encode([b"p=tls-server-end-point,,", &*hash].concat());
    for start_tls in [false, true] {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1"] {
            let messages = messages_to(
                &format!("AUTH={mechanism} AUTH={mechanism}-PLUS AUTH=PLAIN"),
                start_tls,
            );
            assert!(
                messages[0].starts_with("p=tls-server-end-point,,n=ann,r="),
                "{messages:?}"
            );
            assert!(
                messages[1].starts_with(&format!("c={bound},r=")),
                "{messages:?}"
            );
        }
        // Somebody in between has taken -PLUS out of the list: `y` tells the server that the client
        // would have bound it.
        let messages = messages_to("AUTH=SCRAM-SHA-256 AUTH=PLAIN", start_tls);
        assert!(messages[0].starts_with("y,,n=ann,r="), "{messages:?}");
        assert!(
            messages[1].starts_with(&format!("c={},r=", STANDARD.encode("y,,"))),
            "{messages:?}"
        );
    }
}

#[test]
fn a_server_that_repeats_a_secret_is_not_repeated() {
    let json = STANDARD.encode(r#"{"status":"401","token":"ya29.hunter2"}"#);
    for (auth, answer) in [("OAUTHBEARER", "AQ==$"), ("XOAUTH2", "$")] {
        let steps = vec![
            send(&format!(
                "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH={auth}] ready"
            )),
            expect(&format!("AUTHENTICATE {auth} ")),
            send(&format!("+ {json}")),
            Step::Line(answer.to_owned()),
            send("* NO [ALERT] ya29.hunter2 is no good"),
            send("{tag} NO [AUTHENTICATIONFAILED] no ya29.hunter2 here"),
        ];
        let run = against(steps, "", "ya29.hunter2").ended(5);
        assert!(
            run.says("(status 401)"),
            "the server got its answer, and the words came through: {run:?}"
        );
    }
    let steps = vec![
        send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"),
        expect("AUTHENTICATE PLAIN$"),
        send("+ "),
        Step::Line(".+".to_owned()),
        send("{tag} NO your password hunter2 is wrong"),
    ];
    assert!(
        against(steps, "", "hunter2")
            .ended(5)
            .says("your password <hidden> is wrong")
    );
}

#[test]
fn a_server_that_asks_and_asks_is_left() {
    let mut steps = vec![
        send("* OK [CAPABILITY IMAP4rev1 AUTH=LOGIN LOGINDISABLED] ready"),
        expect("AUTHENTICATE LOGIN$"),
    ];
    for _ in 0..2 {
        steps.extend([send("+ bW9yZQ=="), Step::Line(".+".to_owned())]);
    }
    steps.extend([
        send("+ bW9yZQ=="),
        Step::Line(r"\*$".to_owned()),
        send("x BAD"),
    ]);
    assert!(against(steps, "", "hunter2").ended(6).says("asks for more"));
}

#[test]
fn what_the_server_offers_is_said_where_nothing_fits() {
    let greeting = |offers: &str| {
        vec![send(&format!(
            "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED {offers}] ready"
        ))]
    };
    let run = against(greeting("AUTH=XOAUTH2 AUTH=OAUTHBEARER"), "", "hunter2").ended(5);
    assert!(
        run.says("OAUTHBEARER, XOAUTH2") && run.says("access token"),
        "{run:?}"
    );
    let run = against(greeting("AUTH=CRAM-MD5"), "&auth=SCRAM-SHA-256", "hunter2").ended(5);
    assert!(
        run.says("doesn't offer SCRAM-SHA-256") && run.says("it offers CRAM-MD5"),
        "{run:?}"
    );
}

#[test]
fn a_copy_logs_in_on_each_side_by_its_own_way() {
    let lab = AnyMechanism::shared();
    let (source, target) = (filled("src", messages(6)), lab.account("dst"));
    let token = lab.issuer.issue(&target.user, 100);
    let from = End::from(&source);
    copy(
        from,
        End::new(by(&target, false, "&auth=OAUTHBEARER"), &token),
        &[],
    )
    .ended(0)
    .counts(&[("copied", 6)]);
    assert_equal(&source, &target);
}

#[test]
fn a_server_that_can_not_bind_as_we_do_is_logged_in_without_unless_it_was_asked_for() {
    // This Cyrus offers SCRAM-SHA-256-PLUS and binds by `tls-unique` alone.
    let cyrus = Cyrus::with_all_mechanisms();
    let account = cyrus.account();
    for start_tls in [false, true] {
        let run = folders(&by(&account, start_tls, ""), &["-vvv"]).ended(0);
        let plus = run.says(" AUTHENTICATE SCRAM-SHA-256-PLUS <hidden>");
        assert!(
            plus && run.says(" AUTHENTICATE SCRAM-SHA-256 <hidden>") && attempts(&run) == 2,
            "{}",
            run.stderr
        );
    }
    let run = folders(&by(&account, false, "&auth=SCRAM-SHA-256-PLUS"), &["-vvv"]).ended(5);
    assert!(attempts(&run) == 1 && run.says("auth="), "{}", run.stderr);
    each(["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"], |mechanism| {
        let address = by(&account, true, &format!("&auth={mechanism}"));
        folders(&address, &[]).ended(0);
        folders(End::new(&address, "wrong"), &[]).ended(5);
    });
    // A wrong password is tried once all the same: the first refusal came before any proof of it.
    let run = folders(End::new(by(&account, false, ""), "wrong"), &["-vvv"]).ended(5);
    assert!(
        run.says("refused the login by SCRAM-SHA-256: ") && attempts(&run) == 2,
        "{}",
        run.stderr
    );
}

#[test]
#[cfg(feature = "gssapi")]
fn a_kerberos_ticket_takes_the_place_of_a_password() {
    let lab = Kerberos::start();
    let account = lab.account_named("kerberos");
    Client::login(&account).append(&["INBOX"], messages(5).into_iter());
    let run = |account: &Account, start_tls, more: &str, ticket: &Path| {
        let address = by(account, start_tls, more);
        let mut command = mailferry(&["folders", "-vvv", "--output", "json", &address]);
        command
            .env_remove("MAILFERRY_SOURCE_PASSWORD")
            .env("KRB5_CONFIG", lab.config())
            .env("KRB5CCNAME", ticket);
        Run::of(&mut command)
    };
    let directory = tempfile::tempdir().unwrap();
    let [ticket, nothing] = ["ticket", "nothing"].map(|name| directory.path().join(name));
    lab.kinit("kerberos", &ticket);
    for start_tls in [false, true] {
        let done = run(&account, start_tls, "&auth=GSSAPI", &ticket)
            .ended(0)
            .counts(&[("messages", 5)]);
        assert!(
            done.says(" AUTHENTICATE GSSAPI <hidden>"),
            "{}",
            done.stderr
        );
        let refused = run(&account, start_tls, "&auth=GSSAPI", &nothing).ended(5);
        assert!(
            refused.says("kinit") && attempts(&refused) == 0,
            "{refused:?}"
        );
    }
    // The ticket is somebody else's: no mailbox but that of the user in the address is ever opened.
    let other = run(&lab.account_named("ann"), false, "&auth=GSSAPI", &ticket).ended(5);
    assert!(other.says("is for kerberos@LAB.TEST"), "{other:?}");
}

#[test]
#[cfg(not(feature = "gssapi"))]
fn without_kerberos_built_in_it_says_so() {
    let greeting = send("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=GSSAPI] ready");
    let run = against(vec![greeting], "&auth=GSSAPI", "hunter2").ended(5);
    assert!(run.says("--features gssapi"), "{run:?}");
}

/// T13: somebody in between takes the mechanism of the last login out of what the server offers.
#[test]
fn a_weaker_login_than_the_last_one_is_refused_unless_it_is_allowed() {
    let source = AnyMechanism::shared().account("stronger");
    Client::login(&source).append(&["INBOX"], messages(3).into_iter());
    let between = Stripper::start(source.port);
    let target = at(&empty("weakertarget", Personality::Plain));
    let home = Home::new();
    let state = home.path().join("mailferry");
    let address = format!(
        "{}&timeout=20",
        source.by_port(between.port).plain_address()
    );
    let by_name = format!("{address}&auth=PLAIN");
    let Ok(Address::Imap(parsed)) = Address::parse(&address) else {
        panic!("no IMAP address")
    };
    let remembered = || Mechanisms::below(&state).last(&parsed.identity()).unwrap();
    let run = |arguments: &[&str]| {
        Run::of(
            home.command(arguments)
                .env("MAILFERRY_SOURCE_PASSWORD", PASSWORD),
        )
    };
    let copies = [
        "copy",
        &address,
        &target,
        "--state",
        state.to_str().unwrap(),
    ];
    let copy = |more: &[&str]| run(&[&copies[..], more].concat());

    copy(&[]).ended(0);
    assert_eq!(remembered(), Some(Mechanism::ScramSha256));
    between.strip(true);
    between.take();
    for refused in [
        copy(&[]),
        copy(&["--dry-run"]),
        run(&["verify", &address, &target]),
        run(&["folders", &address]),
        run(&["doctor", &address]),
        run(&["sync", &address, &target]),
    ] {
        let refused = refused.ended(6);
        for words in ["SCRAM-SHA-256", "PLAIN", "--allow-weaker-auth", "auth="] {
            assert!(refused.says(words), "{words}: {refused:?}");
        }
    }
    let sent = between.take();
    let text = sent.escape_ascii().to_string();
    assert!(!text.is_empty() && !is_in(&sent, PASSWORD), "{text}");
    assert!(
        !text.contains("AUTHENTICATE") && !text.contains(" LOGIN "),
        "{text}"
    );

    // What is allowed once is forgotten, where the run leaves nothing; and so is what the user has
    // named.
    copy(&["--dry-run", "--allow-weaker-auth"]).ended(0);
    run(&["copy", &address, &target, "--no-state"]).ended(0);
    for more in [&["--allow-weaker-auth"][..], &[]] {
        let address = if more.is_empty() { &by_name } else { &address };
        run(&[&["folders", address], more].concat()).ended(0);
        run(&[&["verify", address, &target], more].concat()).ended(0);
    }
    run(&[
        "copy",
        &by_name,
        &target,
        "--state",
        state.to_str().unwrap(),
    ])
    .ended(0);
    assert!(
        is_in(&between.take(), PASSWORD),
        "what is read along has a login in it"
    );
    assert_eq!(remembered(), Some(Mechanism::ScramSha256));
    run(&["folders", &address]).ended(6);

    copy(&["--allow-weaker-auth"]).ended(0);
    assert_eq!(remembered(), Some(Mechanism::Plain));
    copy(&[]).ended(0);
    between.strip(false);
    copy(&[]).ended(0);
    assert_eq!(
        remembered(),
        Some(Mechanism::ScramSha256),
        "the stronger one is taken where it is there again"
    );
}
