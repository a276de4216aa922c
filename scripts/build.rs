//! Tells a release build which commit it is made of, for `--version`: `MAILFERRY_COMMIT` where
//! whoever builds it has set that, else what git says of the checkout. Sources without git say
//! nothing.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=MAILFERRY_COMMIT");
    // A commit would otherwise build everything again while one works on it.
    if std::env::var("PROFILE").as_deref() != Ok("release")
        || std::env::var_os("MAILFERRY_COMMIT").is_some()
    {
        println!("cargo::rerun-if-changed=scripts/build.rs");
        return;
    }
    // The sources may lie within somebody else's repository.
    if !std::path::Path::new(".git").exists() {
        println!("cargo::rerun-if-changed=scripts/build.rs");
        return;
    }
    if let Some(head) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={head}");
    }
    println!("cargo::rerun-if-changed=src");
    if let Some(commit) = git(&[
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
        "--exclude=*",
    ]) {
        println!("cargo::rustc-env=MAILFERRY_COMMIT={commit}");
    }
}

/// The line that git prints; `None` where it is not there or has nothing to say.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
