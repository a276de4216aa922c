//! Opens an address in the user's browser, if there is a desktop with one.

use std::ffi::OsString;
use std::process::{Command, Stdio};

/// Programs that know the user's default browser.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// Opens the address; reports whether a browser was started.
pub(crate) fn open(address: &str) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let chosen = std::env::var_os("BROWSER").filter(|browser| !browser.is_empty());
    let has_desktop = cfg!(target_os = "macos") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    let programs = chosen.into_iter().chain(
        OPENERS
            .map(OsString::from)
            .into_iter()
            .filter(|_| has_desktop),
    );
    programs.into_iter().any(|program| start(&program, address))
}

/// Starts it without waiting: a browser may stay open. It has no access to our terminal or our
/// passwords.
fn start(program: &OsString, address: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .env_remove("MAILFERRY_SOURCE_PASSWORD")
        .env_remove("MAILFERRY_TARGET_PASSWORD");
    command.spawn().is_ok()
}
