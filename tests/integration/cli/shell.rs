//! The command line as a shell sees it: exit codes and streams, without any server.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at the first surprise, in its helpers too"
)]

use crate::lab::secrets::Watch;
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

const SOURCE: &str = "imaps://ann@127.0.0.1:1";
const TARGET: &str = "imaps://bob@127.0.0.1:1";

/// The binary in an environment that holds nothing of the tester's.
fn mailferry(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailferry"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_clear()
        .env("HOME", "/nonexistent");
    command
}

fn run(arguments: &[&str]) -> Output {
    watched(&mut mailferry(arguments))
}

/// Runs a command to its end; it shows and leaves nothing of its passwords.
fn watched(command: &mut Command) -> Output {
    let watch = Watch::over(command);
    let output = command.output().unwrap();
    watch.assert_kept(&[
        ("stdout", &text(&output.stdout)),
        ("stderr", &text(&output.stderr)),
    ]);
    output
}

fn with_passwords(arguments: &[&str]) -> Command {
    let mut command = mailferry(arguments);
    command
        .env("MAILFERRY_SOURCE_PASSWORD", "s3cret-a")
        .env("MAILFERRY_TARGET_PASSWORD", "s3cret-b");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A port of the loopback where nobody listens any more.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn help_and_version_go_to_stdout() {
    for arguments in [
        &["--help"][..],
        &["copy", "--help"],
        &["verify", "--help"],
        &["folders", "--help"],
        &["doctor", "--help"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let help = text(&output.stdout);
        assert!(
            help.contains("Exit codes:") && help.contains("Examples:"),
            "{help}"
        );
        assert!(output.stderr.is_empty());
    }
    let name = concat!("mailferry ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(text(&run(&["-V"]).stdout), name);
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    let version = text(&version.stdout);
    assert!(
        version.starts_with(name)
            && !version.contains("unknown")
            && version.contains("\nfeatures: "),
        "{version}"
    );
}

#[test]
fn wrong_usage_is_two_and_leaves_stdout_empty() {
    let table: &[&[&str]] = &[
        &[],
        &["nonsense"],
        &["copy", SOURCE],
        &["copy", SOURCE, TARGET, "--nonsense"],
        &["copy", "imaps://ann@127.0.0.1?nonsense=1", TARGET],
        &["copy", "ann@example.org", TARGET],
        &["copy", SOURCE, TARGET, "--folder", "[a"],
        &["copy", SOURCE, TARGET, "--map", "no-equals-sign"],
        &["copy", SOURCE, TARGET, "--map-regex", "s/(/x/"],
        &["copy", SOURCE, TARGET, "--since", "yesterday"],
        &[
            "copy",
            SOURCE,
            TARGET,
            "--since",
            "2024-02-01",
            "--before",
            "2024-01-01",
        ],
        &["copy", SOURCE, TARGET, "--max-size", "10X"],
        &[
            "copy",
            SOURCE,
            TARGET,
            "--min-size",
            "2M",
            "--max-size",
            "1M",
        ],
        &["copy", SOURCE, TARGET, "--limit-rate", "0"],
        &["copy", SOURCE, TARGET, "--search", "ALL\r\nA1 LOGOUT"],
        &["copy", SOURCE, TARGET, "--search", "TEXT {3}"],
        &["copy", SOURCE, TARGET, "--jobs", "0"],
        &["copy", SOURCE, TARGET, "--exit-code"],
        &["copy", SOURCE, TARGET, "-q", "-v"],
        &[
            "copy",
            SOURCE,
            TARGET,
            "--source-password-file",
            "a",
            "--source-password-command",
            "b",
        ],
        &[
            "copy",
            SOURCE,
            TARGET,
            "--source-password-file",
            "-",
            "--target-password-file",
            "-",
        ],
        &[
            "copy",
            SOURCE,
            TARGET,
            "--source-password-file",
            "/nonexistent/pw",
        ],
        &["verify", SOURCE, TARGET, "--dry-run"],
        &["folders", SOURCE, "--target-password-file", "x"],
    ];
    for arguments in table {
        let output = watched(&mut with_passwords(arguments));
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_never_repeated() {
    let secret = "imaps://ann:hunter2@imap.example.org";
    let table: &[&[&str]] = &[
        &["copy", secret, TARGET],
        &["copy", SOURCE, secret],
        &["copy", SOURCE, TARGET, secret],
        &["copy", "--jobs", secret, SOURCE, TARGET],
        &["folders", secret],
        &["folders", "--output", "json", secret],
        &[secret],
        &["ann:hunter2@imap.example.org"],
    ];
    for arguments in table {
        let output = watched(&mut with_passwords(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let shown = text(&output.stdout) + &text(&output.stderr);
        assert!(
            shown.contains("password") && !shown.contains("hunter2"),
            "{arguments:?}: {shown}"
        );
    }
}

#[test]
fn without_a_password_the_ways_to_give_one_are_named() {
    let output = run(&["folders", SOURCE]);
    assert_eq!(output.status.code(), Some(2));
    let shown = text(&output.stderr);
    for way in [
        "--source-password-file",
        "--source-password-command",
        "MAILFERRY_SOURCE_PASSWORD",
        "netrc",
    ] {
        assert!(shown.contains(way), "{shown}");
    }
}

#[test]
fn a_failing_password_command_is_named_without_its_output() {
    let output = run(&[
        "folders",
        SOURCE,
        "--source-password-command",
        "echo hunter2; exit 7",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let shown = text(&output.stdout) + &text(&output.stderr);
    assert!(shown.contains('7') && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_refused_connection_is_six_and_an_event() {
    let address = format!("imaps://ann@127.0.0.1:{}", closed_port());
    let other = address.replace("ann@", "ben@");
    let table: &[&[&str]] = &[
        &["folders", &address, "--output", "json"],
        &["copy", &address, &other, "--no-state", "--output", "json"],
        &["verify", &address, &other, "--output", "json"],
    ];
    for arguments in table {
        let output = watched(&mut with_passwords(arguments));
        assert_eq!(
            output.status.code(),
            Some(6),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        let lines: Vec<Value> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let error = lines.iter().find(|line| line["event"] == "error").unwrap();
        assert_eq!(error["kind"], "unreachable");
        assert!(
            error["reason"]
                .as_str()
                .is_some_and(|reason| !reason.is_empty())
        );
        let shown = text(&output.stderr);
        assert!(shown.contains("mailferry: "), "{shown}");
    }
}

#[test]
fn in_text_a_failure_leaves_stdout_empty() {
    let address = format!("imaps://ann@127.0.0.1:{}", closed_port());
    let output = watched(&mut with_passwords(&["folders", &address]));
    assert_eq!(output.status.code(), Some(6));
    assert!(output.stdout.is_empty());
    assert!(
        !text(&output.stderr).contains('\x1b'),
        "no colours off a terminal"
    );
}

#[test]
fn a_log_has_what_was_said_and_metrics_have_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let (log, metrics) = (
        directory.path().join("log"),
        directory.path().join("nightly.prom"),
    );
    let address = format!("imaps://ann@127.0.0.1:{}", closed_port());
    let files = [
        "--log-file",
        log.to_str().unwrap(),
        "--metrics",
        metrics.to_str().unwrap(),
    ];
    let output = watched(&mut with_passwords(
        &[&["folders", &address][..], &files].concat(),
    ));
    assert_eq!(output.status.code(), Some(6));
    let written = std::fs::read_to_string(&log).unwrap();
    assert!(
        written.contains(" begins\n") && written.contains("ends with exit code 6\n"),
        "{written}"
    );
    assert!(
        written.contains("mailferry: ") && text(&output.stderr).contains("mailferry: "),
        "{written}"
    );
    let numbers = std::fs::read_to_string(&metrics).unwrap();
    assert!(
        numbers.contains("mailferry_exit_code{name=\"nightly\"} 6\n"),
        "{numbers}"
    );
    let nowhere = ["--log-file", "/nonexistent/log"];
    let output = watched(&mut with_passwords(
        &[&["folders", &address][..], &nowhere].concat(),
    ));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent/log"));
}

#[test]
fn a_log_in_text_names_the_command_and_both_mailboxes_and_has_no_json() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(directory.path().join("one").join(part)).unwrap();
    }
    std::fs::write(
        directory.path().join("one/cur/1.a:2,S"),
        "Subject: x\n\nx\n",
    )
    .unwrap();
    let (source, target) = (
        format!("maildir:{}", at("one")),
        format!("maildir:{}", at("two")),
    );
    let output = run(&[
        "copy",
        "--no-state",
        "--log-file",
        &at("log"),
        &source,
        &target,
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let written = std::fs::read_to_string(at("log")).unwrap();
    for part in [
        ": copy begins",
        &format!("source: {source}"),
        &format!("target: {target}"),
        "  copied  ",
    ] {
        assert!(written.contains(part), "{part}: {written}");
    }
    assert!(!written.contains('{'), "{written}");
    let output = run(&[
        "copy",
        "--no-state",
        "--output",
        "json",
        "--log-file",
        &at("json.log"),
        &source,
        &target,
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        std::fs::read_to_string(at("json.log"))
            .unwrap()
            .contains("{\"event\":\"summary\"")
    );
}

#[test]
fn manual_pages_and_completions() {
    let page = run(&["man"]);
    assert_eq!(page.status.code(), Some(0));
    assert!(text(&page.stdout).contains(".TH mailferry 1"));
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    assert_eq!(
        run(&["man", pages.to_str().unwrap()]).status.code(),
        Some(0)
    );
    for name in [
        "mailferry",
        "mailferry-copy",
        "mailferry-verify",
        "mailferry-folders",
        "mailferry-doctor",
        "mailferry-run",
    ] {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains("Exit codes"), "{name}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        assert_eq!(script.status.code(), Some(0), "{shell}");
        assert!(text(&script.stdout).contains("doctor"), "{shell}");
    }
    // The script itself completes, in the shell that is everywhere.
    let script = directory.path().join("completion");
    std::fs::write(&script, run(&["completions", "bash"]).stdout).unwrap();
    let line = "source \"$0\"; COMP_WORDS=(mailferry doc); COMP_CWORD=1; _mailferry mailferry doc mailferry; echo ${COMPREPLY[@]}";
    let completed = Command::new("bash")
        .args(["-c", line])
        .arg(&script)
        .output()
        .unwrap();
    assert_eq!(
        text(&completed.stdout).trim(),
        "doctor",
        "{}",
        text(&completed.stderr)
    );
    assert_eq!(run(&["completions", "nonsense"]).status.code(), Some(2));
}

#[test]
fn a_limit_on_the_size_of_files_is_told_and_ends_nothing_by_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(source.join(part)).unwrap();
    }
    let body = "x".repeat(70) + "\n";
    let message = |lines: usize| {
        format!(
            "Subject: a\nMessage-ID: <{lines}@x>\n\n{}",
            body.repeat(lines)
        )
    };
    std::fs::write(source.join("cur/1.a:2,S"), message(1)).unwrap();
    std::fs::write(source.join("cur/2.b:2,S"), message(4000)).unwrap();
    // In KiB: more than the small message and its folder's files, less than the large one.
    let limited = |kib: u32, more: &str| {
        let mut command = Command::new("bash");
        let line = format!("ulimit -f {kib}; exec \"$@\" {more}");
        let addresses = [
            format!("maildir:{}", source.display()),
            format!("maildir:{}/target", directory.path().display()),
        ];
        command
            .args(["-c", &line, "bash", env!("CARGO_BIN_EXE_mailferry"), "copy"])
            .args(addresses);
        watched(
            command
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .env("HOME", directory.path()),
        )
    };
    let output = limited(64, "--no-state");
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{:?} {shown}", output.status);
    assert!(
        shown.contains("UID 2") && shown.contains("exceed the limit on file size"),
        "{shown}"
    );
    assert!(
        text(&output.stdout).contains("  failed         1 "),
        "{}",
        text(&output.stdout)
    );
    // The state's file does not fit either.
    let output = limited(8, &format!("--state {}/state", directory.path().display()));
    let shown = text(&output.stderr);
    assert!(
        matches!(output.status.code(), Some(1 | 8)) && !shown.is_empty(),
        "{:?} {shown}",
        output.status
    );
}

#[test]
fn whoever_stops_reading_is_not_complained_to() {
    let mut child = mailferry(&["man"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 141)),
        "{:?}",
        output.status
    );
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}
