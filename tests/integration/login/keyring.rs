//! The desktop's keyring, for a password and for the tokens of `mailferry login`: with the test's
//! own Secret Service, on its own session bus.
#![cfg(feature = "keyring")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::agreeing::{Home, arguments, mode, tls};
use crate::lab::client::Client;
use crate::lab::grants::Registration;
use crate::lab::mailboxes::{assert_equal, at, empty, filled, messages};
use crate::lab::run::{Run, mailferry};
use crate::lab::secrets::is_in;
use crate::lab::servers::{AnyMechanism, PASSWORD, Personality};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

/// A session with a new keyring, unlocked, which says its bus once the keyring is there (before
/// that the bus would start another, which is locked) and lasts until its stdin ends. What its
/// services say goes nowhere: they tell of themselves.
const SESSION: &str = r#"
exec 3>&1 >/dev/null 2>&1
exec dbus-run-session -- bash -c '
  echo -n unlocks-it | gnome-keyring-daemon --unlock --components=secrets
  asks="dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner"
  for ((i = 0; i < 600; i++)); do
    ! $asks string:org.freedesktop.secrets | grep -q "boolean true" || break
    sleep 0.1
  done
  echo "$DBUS_SESSION_BUS_ADDRESS" >&3
  read -r'
"#;

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A desktop's session.
struct Session {
    script: Child,
    bus: String,
    home: tempfile::TempDir,
}

impl Session {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut script = Command::new("bash")
            .args(["-c", SESSION])
            .env("HOME", home.path())
            .env_remove(BUS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut bus = String::new();
        BufReader::new(script.stdout.take().unwrap())
            .read_line(&mut bus)
            .unwrap();
        Self {
            script,
            bus: bus.trim().to_owned(),
            home,
        }
    }

    fn secret_tool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("secret-tool");
        command
            .args(arguments)
            .env("HOME", self.home.path())
            .env(BUS, &self.bus);
        command
    }

    /// Puts a password there.
    fn store(&self, service: &str, user: &str, password: &str) {
        let entry = [
            "store",
            "--label=lab",
            "service",
            service,
            "username",
            user,
            "target",
            "default",
        ];
        let mut store = self
            .secret_tool(&entry)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        store
            .stdin
            .take()
            .unwrap()
            .write_all(password.as_bytes())
            .unwrap();
        assert!(store.wait().unwrap().success());
    }

    /// What it has; nothing where there is no entry.
    fn lookup(&self, service: &str, user: &str) -> String {
        let found = self
            .secret_tool(&["lookup", "service", service, "username", user])
            .output()
            .unwrap();
        String::from_utf8(found.stdout).unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        drop(self.script.wait());
    }
}

#[test]
fn the_keyring_has_the_password() {
    let account = filled("ring", messages(3));
    let session = Session::start();
    session.store("localhost", &account.user, PASSWORD);
    let run = |address: &str| {
        let mut command = mailferry(&["folders", "--output", "json", address]);
        Run::of(
            command
                .env("HOME", session.home.path())
                .env(BUS, &session.bus)
                .env_remove("MAILFERRY_SOURCE_PASSWORD"),
        )
    };
    run(&account.address()).ended(0).counts(&[("messages", 3)]);
    // Nobody else's.
    let other = filled("other", Vec::new());
    assert!(
        run(&other.address())
            .ended(2)
            .says("no password for the source")
    );
}

/// Runs in a session, of which nothing else has the tokens.
struct Desktop {
    session: Session,
    home: Home,
    client: Registration,
    user: String,
}

impl Desktop {
    fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::of(self.home.command(arguments).env(BUS, &self.session.bus));
        self.assert_gone(&run);
        run
    }

    fn login(&self, address: &str) -> Run {
        let arguments = arguments(address, &self.client, &["--flow", "device"]);
        self.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The entry of the tokens.
    fn entry(&self) -> String {
        self.session
            .lookup("mailferry-oauth", &format!("{}@localhost", self.user))
    }

    /// No output and no file has what went to and fro.
    #[track_caller]
    fn assert_gone(&self, run: &Run) {
        let shown = format!("{}{}", run.stdout, run.stderr);
        let kept: Vec<_> = self
            .home
            .token_files()
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        for secret in self.client.secrets() {
            assert!(
                !is_in(shown.as_bytes(), &secret),
                "{secret} is shown: {shown}"
            );
            assert!(
                !kept.iter().any(|file| is_in(file.as_bytes(), &secret)),
                "{secret} is in {kept:?}"
            );
        }
    }
}

/// S4: got, used, rotated and forgotten there, and nowhere else.
#[test]
fn the_keyring_has_the_tokens_of_a_login() {
    let lab = AnyMechanism::shared();
    let account = lab.account("ringed");
    Client::login(&account).append(&["INBOX"], messages(4).into_iter());
    let client = lab.issuer.register(&account.user);
    let desk = Desktop {
        session: Session::start(),
        home: Home::new(),
        client,
        user: account.user.clone(),
    };
    let address = tls(&account, "");

    assert!(
        desk.login(&address)
            .ended(0)
            .says("tokens stored in the keyring")
    );
    let files = desk.home.token_files();
    assert_eq!((files.len(), mode(&files[0])), (1, 0o600));
    assert!(
        fs::read_to_string(&files[0])
            .unwrap()
            .contains(r#""tokens":null"#)
    );
    assert!(desk.entry().contains(&desk.client.refresh_token()));
    assert_eq!(
        desk.run(&["login", "--list"]).ended(0).stdout,
        format!("{} on localhost (keyring)\n", account.user)
    );

    let target = empty("ringdst", Personality::Plain);
    desk.run(&["copy", &address, &at(&target), "-vvv"]).ended(0);
    assert_equal(&account, &target);
    assert_eq!(
        desk.client.requests("/token").len(),
        1,
        "a token that is good is not renewed"
    );

    // One that every run has to renew.
    desk.client.change(|manner| manner.lives = 0);
    desk.login(&address).ended(0);
    for _ in 0..3 {
        let before = desk.client.refresh_token();
        desk.run(&["copy", &address, &at(&target), "-vvv", "--output", "json"])
            .ended(0)
            .counts(&[("already_there", 4)]);
        let sent = desk.client.requests("/token").pop().unwrap().1["refresh_token"].clone();
        let (kept, now) = (desk.entry(), desk.client.refresh_token());
        assert!(
            sent != now && kept.contains(&now) && !kept.contains(&before),
            "the newest one is kept: {kept}"
        );
    }

    // Where there is no keyring any more, that is said, and nothing is lost.
    let outside = desk.home.run(&["folders", &address]).ended(1);
    assert!(
        outside.says("could not use the keyring for the tokens") && outside.says("mailferry login"),
        "{outside:?}"
    );
    desk.home.run(&["logout", &address]).ended(1);
    desk.run(&["folders", &address]).ended(0);

    desk.run(&["logout", &address]).ended(0);
    assert_eq!(
        (
            desk.entry(),
            fs::read_dir(desk.home.tokens()).unwrap().count()
        ),
        (String::new(), 0)
    );
    assert!(
        desk.run(&["logout", &address])
            .ended(2)
            .says("no tokens stored")
    );
}

/// What an earlier login has left in the keyring goes too, where a later one found none and keeps a
/// file; and an entry that somebody has removed stands in nobody's way.
#[test]
fn a_logout_leaves_nothing_in_the_keyring() {
    let lab = AnyMechanism::shared();
    let account = lab.account("leaves");
    let client = lab.issuer.register(&account.user);
    let desk = Desktop {
        session: Session::start(),
        home: Home::new(),
        client,
        user: account.user.clone(),
    };
    let address = tls(&account, "");
    desk.login(&address).ended(0);
    let outside = crate::lab::agreeing::by_device(&desk.home, &address, &desk.client, &[]).ended(0);
    assert!(
        outside.says("in a private file") && !desk.entry().is_empty(),
        "{outside:?}"
    );
    let run = Run::of(
        desk.home
            .command(&["logout", &address])
            .env(BUS, &desk.session.bus),
    )
    .ended(0);
    assert_eq!(desk.entry(), "", "{run:?}");

    desk.login(&address).ended(0);
    let entry = [
        "clear",
        "service",
        "mailferry-oauth",
        "username",
        &format!("{}@localhost", desk.user),
    ];
    assert!(desk.session.secret_tool(&entry).status().unwrap().success());
    assert!(
        desk.run(&["folders", &address])
            .ended(1)
            .says("mailferry login")
    );
    desk.run(&["logout", &address]).ended(0);
    assert!(desk.home.token_files().is_empty());
}
