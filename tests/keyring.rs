//! A password from the desktop's keyring: a Secret Service of the test's own, on a session bus of its own.
#![cfg(feature = "keyring")]

mod lab;

use lab::mailboxes::{filled, messages};
use lab::run::Run;
use std::process::Command;

/// Starts a session whose services' words go nowhere: a keyring that the bus has started says its address. Only what `SESSION` runs
/// speaks on stdout.
const QUIETLY: &str = r#"exec 3>&1 >/dev/null; exec dbus-run-session -- bash -c "$@""#;

/// Unlocks a new keyring, puts the lab's password into it for a user of `localhost`, and runs what follows.
const SESSION: &str = r#"
echo -n unlocks-it | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
echo -n secret | secret-tool store --label=lab service localhost username "$1" target default
shift
"$@" >&3
"#;

#[test]
fn the_keyring_has_the_password() {
    let account = filled("ring", messages(3));
    let home = tempfile::tempdir().unwrap();
    let run = |stored_for: &str, address: &str| {
        let mut command = Command::new("bash");
        command.args(["-c", QUIETLY, "bash", SESSION, "bash", stored_for, env!("CARGO_BIN_EXE_mailferry")]);
        command.args(["folders", "--output", "json", address]).env_remove("MAILFERRY_SOURCE_PASSWORD");
        Run::of(
            command.env("HOME", home.path()).env_remove("DBUS_SESSION_BUS_ADDRESS").stdin(std::process::Stdio::null()),
        )
    };
    run(&account.user, &account.address()).ended(0).counts(&[("messages", 3)]);
    // Nobody else's.
    let other = filled("other", Vec::new());
    assert!(run(&account.user, &other.address()).ended(2).says("no password for the source"));
}
