//! No secret is ever shown or kept: every kind of secret, by every way in which a run can end, and all that is left of the run
//! searched for it. The rows S1 to S8 are those of docs/security.md, which names the tests of other files too.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which may stop at the first surprise")]

mod lab;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lab::fake::Fake;
use lab::mailboxes::message;
use lab::run::{Run, mailferry};
use lab::scripted::{Command, Reply, Scripted};
use lab::secrets::is_in;
use std::fs;
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

const ALL: [From; 6] = [From::File, From::Command, From::Environment, From::Netrc, From::TokenFile, From::TokenCommand];

impl From {
    /// One that needs quoting and has all that base64 of both alphabets has.
    fn secret(self) -> String {
        let kind = format!("{self:?}").to_lowercase();
        match self {
            Self::TokenFile | Self::TokenCommand => format!("ya29.{kind}-~_{}", "T0ken+/".repeat(30)),
            _ => format!("P4ss \"{kind}\\ of >>>???"),
        }
    }

    fn is_token(self) -> bool {
        matches!(self, Self::TokenFile | Self::TokenCommand)
    }

    /// The run with the secret laid ready for the source, everything of it below this home. The target's comes by the
    /// environment.
    fn run(self, arguments: &[&str], home: &Path) -> Run {
        let mut command = mailferry(arguments);
        command.env_remove("MAILFERRY_SOURCE_PASSWORD").env("HOME", home).current_dir(home);
        command.env("MAILFERRY_TARGET_PASSWORD", From::Environment.secret());
        let secret = self.secret();
        let path = home.join(if self == Self::Netrc { ".netrc" } else { "the-secret" });
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
            Self::Command | Self::TokenCommand => command.args(["--source-password-command", "cat the-secret"]),
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

const MANNERS: [Manner; 5] = [Manner::Welcomes, Manner::Refuses, Manner::Leaves, Manner::Gossips, Manner::Stammers];

/// The secret in each form in which a server may have it.
fn repeated(command: &Command, secret: &str) -> String {
    let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let base64 = ["", "x", "xx"].map(|before| STANDARD.encode(format!("{before}{secret}")));
    format!("{secret} / {} {} / \"{quoted}\" / {}", command.name, command.arguments, base64.join(" "))
}

fn server(manner: Manner, mechanism: &'static str, secret: String) -> Scripted {
    let folder = Fake::of((0..3).map(|number| message(number, "body").bytes));
    let twist = move |command: &Command, folder: &mut Fake| {
        let said = repeated(command, &secret);
        let gossip = format!("* OK [ALERT] {said}\r\n* NO {said}\r\n");
        match (command.name.as_str(), manner) {
            ("CAPABILITY", _) => Some(Reply::ok().line(&format!("* CAPABILITY IMAP4rev1 SASL-IR{mechanism}"))),
            ("AUTHENTICATE" | "LOGIN", Manner::Refuses) => {
                Some(Reply::status(&format!("NO {said}")).raw(gossip.as_bytes()))
            }
            ("AUTHENTICATE" | "LOGIN", Manner::Stammers) => Some(Reply::status(&format!("BAD what is {said}"))),
            ("AUTHENTICATE" | "LOGIN", Manner::Leaves) => Some(Reply::hang_up().line(&format!("* BYE {said}"))),
            (_, Manner::Gossips) => Some(Reply::before(gossip.as_bytes(), folder.answer(command))),
            _ => None,
        }
    };
    folder.serve(twist).0
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() { files(&path) } else { vec![(path.display().to_string(), fs::read(&path).unwrap())] }
        })
        .collect()
}

/// A page's or a JSON's text as it was before it was written there.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let escapes = [("&#34;", "\""), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&"), ("\\\"", "\""), ("\\\\", "\\")];
    escapes.iter().fold(text.into_owned(), |text, (escape, plain)| text.replace(escape, plain)).into_bytes()
}

/// S1, S3, S5: what was printed, and every file that the run has left.
#[track_caller]
fn assert_gone(run: &Run, home: &Path, secrets: &[String], what: &str) {
    for secret in secrets {
        for (name, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            assert!(!is_in(text.as_bytes(), secret), "{what}: {secret} is on {name}: {text}");
        }
        for (name, bytes) in files(home) {
            assert!(!is_in(&bytes, secret) && !is_in(&unescaped(&bytes), secret), "{what}: {secret} is in {name}");
        }
    }
}

#[test]
fn no_run_shows_or_keeps_a_secret_of_any_kind() {
    lab::mailboxes::each(ALL, |from| {
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
                let address = |server: &Scripted| format!("imap://ann@127.0.0.1:{}?tls=none&timeout=5", server.port);
                let (source, target) = (address(&source), address(&target));
                for arguments in [
                    &["copy", &source, &target, "-vvv", "--state", "state", "--report", "report.html"][..],
                    &["copy", &source, &target, "-vvv", "--output", "json", "--report", "report.json"],
                    &["folders", &source],
                ] {
                    let run = from.run(arguments, home.path());
                    let is_refused = matches!(manner, Manner::Refuses | Manner::Stammers);
                    assert!(!is_refused || run.code == Some(5), "{what}: {run:?}");
                    let is_welcome = matches!(manner, Manner::Welcomes | Manner::Gossips) && *way != " AUTH=CRAM-MD5";
                    assert!(!is_welcome || run.code == Some(0), "{what}: {run:?}");
                    assert_gone(&run, home.path(), &secrets, &what);
                }
            }
        }
        // Nobody there.
        let home = tempfile::tempdir().unwrap();
        for address in ["imaps://ann@127.0.0.1:1?timeout=2", "imap://ann@127.0.0.1:1?timeout=2"] {
            let run = from.run(&["folders", address, "-vvv"], home.path()).ended(6);
            assert_gone(&run, home.path(), &secrets, "nobody");
        }
    });
}

/// The test above would see it.
#[test]
fn a_secret_is_found_in_each_form_at_each_place() {
    let secret = From::File.secret();
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("below")).unwrap();
    for shown in [secret.clone(), STANDARD.encode(&secret), STANDARD.encode(format!("ab{secret}c"))] {
        assert!(is_in(format!("x{shown}y").as_bytes(), &secret), "{shown}");
        let escaped = shown.replace('\\', "\\\\").replace('"', "&#34;").replace('>', "&#62;");
        assert!(is_in(&unescaped(escaped.as_bytes()), &secret), "{escaped}");
        fs::write(home.path().join("below/file"), &shown).unwrap();
        assert!(files(home.path()).iter().any(|(_, bytes)| is_in(bytes, &secret)));
    }
}

/// S1 and S5: while a run waits with the secret in its memory, the process list has none, and no core can be written.
#[test]
#[cfg(target_os = "linux")]
fn a_process_shows_no_secret_and_leaves_no_core() {
    let server = Scripted::serve("OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready", |_| Reply::unfinished());
    let home = tempfile::tempdir().unwrap();
    let binary = mailferry(&["folders", &format!("imap://ann@127.0.0.1:{}?tls=none", server.port)]);
    let arguments: Vec<_> = binary.get_args().collect();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\""]).arg(binary.get_program()).args(arguments);
    command.current_dir(home.path()).env("MAILFERRY_SOURCE_PASSWORD", "hunter2-hunter2");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !server.lines().iter().any(|line| line.contains("AUTHENTICATE")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not log in");
        std::thread::sleep(Duration::from_millis(10));
    }
    let about = |name: &str| fs::read(format!("/proc/{}/{name}", child.id())).unwrap();
    assert!(!is_in(&about("cmdline"), "hunter2-hunter2"));
    let limits = String::from_utf8(about("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    assert_eq!(core.split_whitespace().nth(4), Some("1"), "{core}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(files(home.path()).is_empty(), "something was left: {:?}", files(home.path()).len());
}
