//! No secret is ever shown or kept: every kind of secret, for every way in which a run can end;
//! everything that the run leaves is searched for it. The rows S1 to S8 are those of
//! docs/security.md, which also lists tests in other files.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::agreeing::{Home, arguments, by_browser, by_device, get, mode, tls};
use crate::lab::client::Client;
use crate::lab::fake::Fake;
use crate::lab::grants::Registration;
use crate::lab::mailboxes::{at, each, empty, message, messages};
use crate::lab::run::{Run, mailferry};
use crate::lab::scripted::{Command, Reply, Scripted};
use crate::lab::secrets::{is_in, private_file};
use crate::lab::servers::{AnyMechanism, PASSWORD, Personality};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
#[cfg(target_os = "linux")]
use std::io::BufRead as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Where a secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    File,
    Command,
    Environment,
    Netrc,
    TokenFile,
    TokenCommand,
}

const ALL: [From; 6] = [
    From::File,
    From::Command,
    From::Environment,
    From::Netrc,
    From::TokenFile,
    From::TokenCommand,
];

impl From {
    /// One that needs quoting and has all that base64 of both alphabets has.
    fn secret(self) -> String {
        let kind = format!("{self:?}").to_lowercase();
        match self {
            Self::TokenFile | Self::TokenCommand => {
                format!("ya29.{kind}-~_{}", "T0ken+/".repeat(30))
            }
            _ => format!("P4ss \"{kind}\\ of >>>???"),
        }
    }

    fn is_token(self) -> bool {
        matches!(self, Self::TokenFile | Self::TokenCommand)
    }

    /// The run with the secret laid ready for the source, everything of it below this home. The
    /// target's comes by the environment.
    fn run(self, arguments: &[&str], home: &Path) -> Run {
        let mut command = mailferry(arguments);
        command
            .env_remove("MAILFERRY_SOURCE_PASSWORD")
            .env("HOME", home)
            .current_dir(home);
        command.env("MAILFERRY_TARGET_PASSWORD", From::Environment.secret());
        let secret = self.secret();
        let path = home.join(if self == Self::Netrc {
            ".netrc"
        } else {
            "the-secret"
        });
        let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
        let text = if self == Self::Netrc {
            format!("machine 127.0.0.1 login ann password \"{quoted}\"\n")
        } else {
            secret.clone()
        };
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        match self {
            Self::File | Self::TokenFile => command.arg("--source-password-file").arg(&path),
            Self::Command | Self::TokenCommand => {
                command.args(["--source-password-command", "cat the-secret"])
            }
            Self::Environment => command.env("MAILFERRY_SOURCE_PASSWORD", &secret),
            Self::Netrc => &mut command,
        };
        let run = Run::of(&mut command);
        fs::remove_file(path).unwrap();
        run
    }
}

/// What a server does with the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Welcomes,
    /// Refuses, and repeats all that it was given, in each form.
    Refuses,
    /// Says goodbye with it.
    Leaves,
    /// Welcomes, and repeats it then and later.
    Gossips,
    /// Does not understand what it is told.
    Stammers,
}

const MANNERS: [Manner; 5] = [
    Manner::Welcomes,
    Manner::Refuses,
    Manner::Leaves,
    Manner::Gossips,
    Manner::Stammers,
];

/// The secret in each form in which a server may have it.
fn repeated(command: &Command, secret: &str) -> String {
    let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let base64 = ["", "x", "xx"].map(|before| STANDARD.encode(format!("{before}{secret}")));
    format!(
        "{secret} / {} {} / \"{quoted}\" / {}",
        command.name,
        command.arguments,
        base64.join(" ")
    )
}

fn server(manner: Manner, mechanism: &'static str, secret: String) -> Scripted {
    let folder = Fake::of((0..3).map(|number| message(number, "body").bytes));
    let twist = move |command: &Command, folder: &mut Fake| {
        let said = repeated(command, &secret);
        let gossip = format!("* OK [ALERT] {said}\r\n* NO {said}\r\n");
        match (command.name.as_str(), manner) {
            ("CAPABILITY", _) => {
                Some(Reply::ok().line(&format!("* CAPABILITY IMAP4rev1 SASL-IR{mechanism}")))
            }
            ("AUTHENTICATE" | "LOGIN", Manner::Refuses) => {
                Some(Reply::status(&format!("NO {said}")).raw(gossip.as_bytes()))
            }
            ("AUTHENTICATE" | "LOGIN", Manner::Stammers) => {
                Some(Reply::status(&format!("BAD what is {said}")))
            }
            ("AUTHENTICATE" | "LOGIN", Manner::Leaves) => {
                Some(Reply::hang_up().line(&format!("* BYE {said}")))
            }
            (_, Manner::Gossips) => Some(Reply::before(gossip.as_bytes(), folder.answer(command))),
            _ => None,
        }
    };
    folder.serve(twist).0
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![(path.display().to_string(), fs::read(&path).unwrap())]
            }
        })
        .collect()
}

/// A page's or a JSON's text as it was before it was written there.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let escapes = [
        ("&#34;", "\""),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("\\\"", "\""),
        ("\\\\", "\\"),
    ];
    escapes
        .iter()
        .fold(text.into_owned(), |text, (escape, plain)| {
            text.replace(escape, plain)
        })
        .into_bytes()
}

/// S1, S3, S5: what was printed, and every file that the run has left.
#[track_caller]
fn assert_gone(run: &Run, home: &Path, secrets: &[String], what: &str) {
    for secret in secrets {
        for (name, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            assert!(
                !is_in(text.as_bytes(), secret),
                "{what}: {secret} is on {name}: {text}"
            );
        }
        for (name, bytes) in files(home) {
            assert!(
                !is_in(&bytes, secret) && !is_in(&unescaped(&bytes), secret),
                "{what}: {secret} is in {name}"
            );
        }
    }
}

#[test]
fn no_run_shows_or_keeps_a_secret_of_any_kind() {
    each(ALL, |from| {
        let ways: &[&'static str] = if from.is_token() {
            &[" AUTH=XOAUTH2", " AUTH=OAUTHBEARER"]
        } else {
            &[" AUTH=PLAIN", " AUTH=CRAM-MD5", ""]
        };
        let secrets = [from.secret(), From::Environment.secret()];
        for way in ways {
            for manner in MANNERS {
                let what = format!("{from:?}{way} {manner:?}");
                let home = tempfile::tempdir().unwrap();
                let source = server(manner, way, from.secret());
                let target = server(Manner::Gossips, " AUTH=PLAIN", From::Environment.secret());
                let address = |server: &Scripted| {
                    format!("imap://ann@127.0.0.1:{}?tls=none&timeout=5", server.port)
                };
                let (source, target) = (address(&source), address(&target));
                for arguments in [
                    &[
                        "copy",
                        &source,
                        &target,
                        "-vvv",
                        "--state",
                        "state",
                        "--report",
                        "report.html",
                    ][..],
                    &[
                        "copy",
                        &source,
                        &target,
                        "-vvv",
                        "--output",
                        "json",
                        "--report",
                        "report.json",
                    ],
                    &["folders", &source],
                ] {
                    let run = from.run(arguments, home.path());
                    let is_refused = matches!(manner, Manner::Refuses | Manner::Stammers);
                    assert!(!is_refused || run.code == Some(5), "{what}: {run:?}");
                    let is_welcome = matches!(manner, Manner::Welcomes | Manner::Gossips)
                        && *way != " AUTH=CRAM-MD5";
                    assert!(!is_welcome || run.code == Some(0), "{what}: {run:?}");
                    assert_gone(&run, home.path(), &secrets, &what);
                }
            }
        }
        // Nobody there.
        let home = tempfile::tempdir().unwrap();
        for address in [
            "imaps://ann@127.0.0.1:1?timeout=2",
            "imap://ann@127.0.0.1:1?timeout=2",
        ] {
            let run = from
                .run(&["folders", address, "-vvv"], home.path())
                .ended(6);
            assert_gone(&run, home.path(), &secrets, "nobody");
        }
    });
}

/// What a login's client has of its own.
const CLIENT_SECRET: &str = "client/secret+of >>>??? the lab";

/// What an OAuth server says that repeats all that it was sent, as a refusal, a fault, a grant and
/// something else.
const ECHOES: [(u16, &str); 4] = [
    (
        400,
        r#"{"error":"invalid_grant","error_description":"{all}"}"#,
    ),
    (503, "{all}"),
    (
        200,
        r#"{"access_token":"","token_type":"{all}","scope":["{all}"]}"#,
    ),
    (400, "<p>{all}</p>"),
];

/// Every field of a request in which a secret may be, plain and in base64.
fn echo(status: u16, text: &str) -> (u16, Option<String>, String) {
    let fields = [
        "client_secret",
        "device_code",
        "code",
        "code_verifier",
        "refresh_token",
    ];
    let all = fields
        .map(|name| format!("{{{name}}} / {{base64 {name}}}"))
        .join(" / ");
    // Where it is sent on, that place has them in it too.
    let location = (status == 503)
        .then(|| "https://evil.example/?{device_code}{code}{refresh_token}".to_owned());
    (status, location, text.replace("{all}", &all))
}

/// A home, a client with a secret, and what its logins are typed with.
struct Desk {
    home: Home,
    client: Registration,
    address: String,
    secret: std::path::PathBuf,
    _outside: tempfile::TempDir,
}

impl Desk {
    fn new(user: &str, address: String) -> Self {
        let client = AnyMechanism::shared().issuer.register(user);
        client.change(|manner| manner.secret = Some(CLIENT_SECRET.to_owned()));
        let (outside, secret) = private_file("secret", CLIENT_SECRET);
        Self {
            home: Home::new(),
            client,
            address,
            secret,
            _outside: outside,
        }
    }

    fn more(&self) -> [&str; 2] {
        ["--client-secret-file", self.secret.to_str().unwrap()]
    }

    fn by_device(&self) -> Run {
        by_device(&self.home, &self.address, &self.client, &self.more())
    }

    /// The run, and the page that the browser is shown in the end.
    fn by_browser(&self) -> (Run, String) {
        let waiting = by_browser(
            &self.home,
            &self.address,
            &self.client,
            &[&["--no-browser"], &self.more()[..]].concat(),
        );
        let page = get(&waiting.sent_back()).1;
        (waiting.end(), page)
    }

    /// A run with all that it may leave below this home.
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.home.command(arguments);
        Run::of(
            command
                .current_dir(self.home.path())
                .env("TMPDIR", self.home.path()),
        )
    }

    fn change(&self, status: u16, text: &str) {
        // A fault is asked about again until the code is over.
        self.client
            .change(|manner| (manner.instead, manner.code_lives) = (Some(echo(status, text)), 3));
    }

    /// Nothing of the login is anywhere but in the file of tokens, which is its owner's alone.
    #[track_caller]
    fn assert_gone(&self, run: &Run, what: &str) {
        let kept: Vec<_> = self.home.token_files();
        assert!(kept.iter().all(|path| mode(path) == 0o600), "{what}");
        let aside: Vec<_> = kept
            .iter()
            .map(|path| (path, fs::read(path).unwrap()))
            .collect();
        kept.iter().for_each(|path| fs::remove_file(path).unwrap());
        assert_gone(run, self.home.path(), &self.client.secrets(), what);
        for (path, bytes) in aside {
            fs::write(path, bytes).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// S3 and S4: codes, verifiers, the client's secret and tokens of both kinds, when they are got and
/// when it fails.
#[test]
fn a_login_shows_and_leaves_nothing_but_the_file_of_its_tokens() {
    let account = AnyMechanism::shared().account("hush");
    each(
        [None, Some("access_denied")]
            .into_iter()
            .map(Ok)
            .chain(ECHOES.map(Err)),
        |answer| {
            let desk = Desk::new(&account.user, tls(&account, ""));
            match answer {
                Ok(first) => desk.client.change(|manner| manner.before.extend(first)),
                Err((status, text)) => desk.change(status, text),
            }
            let run = desk.by_device();
            assert_eq!(
                run.code == Some(0),
                answer == Ok(None),
                "{answer:?}: {run:?}"
            );
            desk.assert_gone(&run, &format!("a code for a device, {answer:?}"));
            let kinds = ["device-", CLIENT_SECRET].iter().chain(
                ["access-", "refresh-"]
                    .iter()
                    .filter(|_| run.code == Some(0)),
            );
            kinds.for_each(|kind| {
                assert!(
                    desk.client
                        .secrets()
                        .iter()
                        .any(|secret| secret.starts_with(kind)),
                    "{kind}"
                );
            });

            let desk = Desk::new(&account.user, tls(&account, ""));
            match answer {
                Ok(first) => desk
                    .client
                    .change(|manner| manner.mistakes_challenge = first.is_some()),
                Err((status, text)) => desk.change(status, text),
            }
            let (run, page) = desk.by_browser();
            assert_eq!(
                run.code == Some(0),
                answer == Ok(None),
                "{answer:?}: {run:?}"
            );
            desk.assert_gone(&run, &format!("a browser, {answer:?}"));
            let shown = Run {
                code: None,
                stdout: page,
                stderr: String::new(),
            };
            desk.assert_gone(&shown, "the browser's page");
            assert!(
                desk.client
                    .secrets()
                    .iter()
                    .any(|secret| secret.starts_with("code-"))
            );
            let verifier = desk.client.requests("/token")[0].1["code_verifier"].clone();
            assert!(desk.client.secrets().contains(&verifier) && verifier.len() >= 43);
        },
    );
}

/// S3: what is kept is used, renewed, refused and forgotten, by each verb that logs in.
#[test]
fn a_run_with_a_kept_token_shows_and_leaves_none_of_it() {
    let account = AnyMechanism::shared().account("kept");
    Client::login(&account).append(&["INBOX"], messages(5).into_iter());
    let target = at(&empty("keptdst", Personality::Plain));
    let desk = Desk::new(&account.user, tls(&account, ""));
    // Each run has to renew.
    desk.client.change(|manner| manner.lives = 0);
    desk.by_device().ended(0);
    let source = desk.address.clone();
    let runs: [&[&str]; 6] = [
        &[
            "copy",
            &source,
            &target,
            "-vvv",
            "--state",
            "state",
            "--report",
            "a.html",
            "--log-file",
            "a.log",
        ],
        &[
            "copy",
            &source,
            &target,
            "-vvv",
            "--output",
            "json",
            "--report",
            "b.json",
            "--metrics",
            "b.prom",
        ],
        &["verify", &source, &target, "-vvv", "--report", "c.html"],
        &["folders", &source, "-vvv", "--output", "json"],
        &["doctor", &source, "-vvv"],
        &["sync", &source, "maildir:mine", "-vvv", "--state", "state"],
    ];
    for arguments in runs {
        let renewals = desk.client.requests("/token").len();
        let run = desk.run(arguments).ended(0);
        assert!(
            desk.client.requests("/token").len() > renewals,
            "{arguments:?} renews"
        );
        desk.assert_gone(&run, arguments[0]);
    }
    // The OAuth server repeats what it is sent.
    for (status, text) in ECHOES {
        desk.change(status, text);
        for arguments in &runs[..5] {
            let run = desk.run(arguments);
            assert!(
                arguments[0] == "doctor" || matches!(run.code, Some(5 | 6)),
                "{arguments:?}: {run:?}"
            );
            desk.assert_gone(&run, &format!("{arguments:?} and {text}"));
        }
    }
    let run = desk.run(&["logout", &source]).ended(0);
    assert!(desk.home.token_files().is_empty());
    desk.assert_gone(&run, "logout");
}

/// S3: the IMAP server repeats the token, and refuses one and the one after it.
#[test]
fn a_server_that_repeats_a_kept_token_is_not_repeated() {
    let reports = [
        &["--report", "report.html", "--state", "state"][..],
        &["--output", "json", "--report", "r.json"],
    ];
    let ways = [" AUTH=XOAUTH2", " AUTH=OAUTHBEARER"]
        .into_iter()
        .flat_map(|way| reports.map(|more| (way, more)));
    each(ways, |(way, more)| {
        for manner in MANNERS {
            let desk = Desk::new("ann", "imap://ann@127.0.0.1:1?tls=none".to_owned());
            desk.by_device().ended(0);
            let source = server(manner, way, desk.client.access_tokens()[0].clone());
            let target = server(Manner::Gossips, " AUTH=PLAIN", PASSWORD.to_owned());
            let [source, target] = [source.port, target.port]
                .map(|port| format!("imap://ann@127.0.0.1:{port}?tls=none&timeout=5"));
            let run = desk.run(&[&["copy", &source, &target, "-vvv"], more].concat());
            let is_welcome = matches!(manner, Manner::Welcomes | Manner::Gossips);
            assert!(!is_welcome || run.code == Some(0), "{manner:?}: {run:?}");
            // Every renewal brings another token, and one other is tried.
            let is_attempt =
                |line: &&str| line.starts_with("source 1 > ") && line.contains(" AUTHENTICATE ");
            let attempts = run.stderr.lines().filter(is_attempt).count();
            assert!(
                manner != Manner::Refuses || run.code == Some(5) && attempts == 2,
                "{attempts}: {run:?}"
            );
            desk.assert_gone(&run, &format!("{way} {manner:?}"));
        }
    });
}

/// S1 and S5 for a login: while it waits for the browser with the client's secret and the verifier
/// in its memory.
#[test]
#[cfg(target_os = "linux")]
fn a_login_that_is_aborted_leaves_no_core() {
    let desk = Desk::new("ann", "imaps://ann@localhost".to_owned());
    let typed = arguments(
        &desk.address,
        &desk.client,
        &[&["--flow", "browser", "--no-browser"], &desk.more()[..]].concat(),
    );
    let binary = desk
        .home
        .command(&typed.iter().map(String::as_str).collect::<Vec<_>>());
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""])
        .arg(binary.get_program())
        .args(binary.get_args());
    command
        .current_dir(desk.home.path())
        .env("HOME", desk.home.path())
        .env_remove("XDG_STATE_HOME");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    std::io::BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut shown)
        .unwrap();
    assert!(shown.contains("code_challenge="), "{shown}");
    assert_aborted_without_a_core(child, CLIENT_SECRET, desk.home.path());
}

/// The tests above would see it.
#[test]
fn a_secret_is_found_in_each_form_at_each_place() {
    let secret = From::File.secret();
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("below")).unwrap();
    for shown in [
        secret.clone(),
        STANDARD.encode(&secret),
        STANDARD.encode(format!("ab{secret}c")),
    ] {
        assert!(is_in(format!("x{shown}y").as_bytes(), &secret), "{shown}");
        let escaped = shown
            .replace('\\', "\\\\")
            .replace('"', "&#34;")
            .replace('>', "&#62;");
        assert!(is_in(&unescaped(escaped.as_bytes()), &secret), "{escaped}");
        fs::write(home.path().join("below/file"), &shown).unwrap();
        assert!(
            files(home.path())
                .iter()
                .any(|(_, bytes)| is_in(bytes, &secret))
        );
    }
}

/// S1 and S5: while a run waits with the secret in its memory, the process list has none, and no
/// core can be written.
#[test]
#[cfg(target_os = "linux")]
fn a_process_shows_no_secret_and_leaves_no_core() {
    let server = Scripted::serve("OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready", |_| {
        Reply::unfinished()
    });
    let home = tempfile::tempdir().unwrap();
    let binary = mailferry(&[
        "folders",
        &format!("imap://ann@127.0.0.1:{}?tls=none", server.port),
    ]);
    let arguments: Vec<_> = binary.get_args().collect();
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""])
        .arg(binary.get_program())
        .args(arguments);
    command
        .current_dir(home.path())
        .env("MAILFERRY_SOURCE_PASSWORD", "hunter2-hunter2");
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !server
        .lines()
        .iter()
        .any(|line| line.contains("AUTHENTICATE"))
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not log in"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_aborted_without_a_core(child, "hunter2-hunter2", home.path());
}

/// The process list does not show the secret, and what aborts the process leaves nothing in its
/// directory.
#[cfg(target_os = "linux")]
fn assert_aborted_without_a_core(mut child: std::process::Child, secret: &str, home: &Path) {
    let about = |name: &str| fs::read(format!("/proc/{}/{name}", child.id())).unwrap();
    assert!(!is_in(&about("cmdline"), secret));
    let limits = String::from_utf8(about("limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap()
        .to_owned();
    assert_eq!(core.split_whitespace().nth(4), Some("1"), "{core}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(
        files(home).is_empty(),
        "something was left: {:?}",
        files(home).len()
    );
}
