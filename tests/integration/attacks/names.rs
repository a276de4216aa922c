//! Attacks by names: folders and keywords meant to have an effect when they are shown or written.
//! The rows N1 to N3 are those of docs/security.md.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may stop at the first surprise"
)]

use crate::lab::fake::{Fake, is_for_bodies};
use crate::lab::mailboxes::{each, message};
use crate::lab::memory::{self, Manner};
use crate::lab::run::{End, copy, folders};
use crate::lab::scripted::{Reply, Scripted};
use std::path::{Path, PathBuf};

fn bytes(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| message(number, &format!("body {number}")).bytes)
        .collect()
}

/// A server whose answers end or do not: two seconds of silence are enough.
fn end(server: &Scripted) -> End {
    End::plain(server.port, "&timeout=2")
}

/// Names that were made to leave a folder, end a line, move a terminal or meet another name, as
/// LIST writes them.
const HOSTILE: [&str; 23] = [
    "../../.ssh",
    "a/../../b",
    ".",
    "..",
    "a//b",
    "/etc/passwd",
    "C:\\windows",
    "CON",
    "trailing.",
    "trailing ",
    "INBOX&AA0ACg-A1 DELETE INBOX",
    "nul&AAA-",
    "esc&ABs-[2J",
    "bell&AAc-",
    "bidi&IC4-txt.exe",
    "line&ICg-separator",
    "&AMk-le",
    "raw \u{1b}[31mred",
    "{5}",
    "a\\\"b",
    "%*",
    "~root",
    "$(reboot)`reboot`",
];

/// N1, N2, N3: hostile names reach the other server as names and nothing else, or are named as
/// failed.
#[test]
fn hostile_folder_names_are_names_and_nothing_else() {
    let mut listed: String = HOSTILE
        .iter()
        .map(|name| format!("* LIST () \"/\" \"{name}\"\r\n"))
        .collect();
    // One more separator on each line, a name in a literal with line ends in it, one of 300
    // characters, and a NUL.
    listed += "* LIST () \".\" one.level\r\n* LIST () NIL flat/name\r\n* LIST () \"^\" a^b\r\n";
    listed += "* LIST () \"/\" {25}\r\nINBOX\r\nA1 DELETE INBOX\r\nx\r\n";
    listed += &format!(
        "* LIST () \"/\" {}\r\n* LIST () \"/\" \"n\0l\"\r\n",
        "x".repeat(300)
    );
    for separator in [Some('/'), Some('.'), None] {
        let listed = listed.clone();
        let (source, _) = Fake::of(bytes(2)).serve(move |command, folder| {
            (command.name == "LIST")
                .then(|| Reply::before(b"", folder.answer(command)).raw(listed.as_bytes()))
        });
        let target = memory::Fake::start(
            Manner {
                separator,
                ..Manner::default()
            },
            &[],
        );
        target.put("INBOX", b"Subject: what was there\r\n\r\nx");
        let run = copy(end(&source), end(&target.server), &["-vv"]);
        let run = run.ended(3);
        assert_eq!(
            run.texts("folder_failed", "folder"),
            [r"INBOX\r\nA1 DELETE INBOX\r\nx", r"n\x00l"]
        );
        run.assert_harmless();
        assert!(
            target.boxes()["INBOX"]
                .messages
                .iter()
                .any(|held| held.bytes.starts_with(b"Subject: what was there"))
        );
        let known = [
            "CAPABILITY",
            "LOGIN",
            "LIST",
            "LSUB",
            "STATUS",
            "CREATE",
            "SUBSCRIBE",
            "SELECT",
            "EXAMINE",
            "APPEND",
            "CLOSE",
            "LOGOUT",
            "UID",
            "NOOP",
        ];
        for line in target.server.lines() {
            // What follows a literal goes on without a tag.
            let word = line.split(' ').nth(1).unwrap_or_default();
            assert!(
                known.contains(&word)
                    || line.is_empty()
                    || line.starts_with(' ')
                    || line.starts_with(')'),
                "{line:?}"
            );
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        for name in target.boxes().keys() {
            assert!(!name.chars().any(char::is_control), "{name:?}");
            let leads_out = |separator| {
                name.split(separator)
                    .any(|level| [".", "..", ""].contains(&level))
            };
            assert!(!separator.is_some_and(leads_out), "{name:?}");
        }
    }
}

/// N1: nor do they lead out of a directory, whatever is kept in it.
#[test]
fn hostile_folder_names_stay_below_the_directory_that_they_are_copied_to() {
    let listed: String = HOSTILE
        .iter()
        .map(|name| format!("* LIST () \"/\" \"{name}\"\r\n"))
        .collect();
    let listed = format!(
        "{listed}* LIST () \"/\" {}\r\n* LIST () \".\" a.b/../../c\r\n",
        "x".repeat(300)
    );
    for kind in ["maildir", "mbox"] {
        let listed = listed.clone();
        let (source, _) = Fake::of(bytes(2)).serve(move |command, folder| {
            (command.name == "LIST")
                .then(|| Reply::before(b"", folder.answer(command)).raw(listed.as_bytes()))
        });
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("a/b/mail");
        std::fs::create_dir_all(below.parent().unwrap()).unwrap();
        let run = copy(
            end(&source),
            &format!("{kind}:{}", below.display()),
            &["-vv"],
        );
        assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
        run.assert_harmless();
        let made = walk(root.path());
        assert!(made.len() > HOSTILE.len(), "{kind}: {made:?}");
        for path in made {
            let name = path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap_or_else(|| panic!("{path:?}"))
                .to_owned();
            assert!(!name.chars().any(char::is_control), "{path:?}");
            assert!(
                path.starts_with(&below) || below.starts_with(&path),
                "{kind}: {path:?} is outside"
            );
        }
        // All that was listed is there or named.
        let there = folders(&format!("{kind}:{}", below.display()), &[])
            .ended(0)
            .named("folder")
            .len();
        assert!(
            there + run.named("folder_failed").len() > HOSTILE.len(),
            "{kind}: {there} {run:?}"
        );
    }
}

/// Everything below a directory, links not followed.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    let inner = |entry: &std::fs::DirEntry| {
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path())
        } else {
            vec![]
        }
    };
    entries
        .iter()
        .flat_map(|entry| [vec![entry.path()], inner(entry)].concat())
        .collect()
}

/// N3: neither do flags and keywords.
#[test]
fn hostile_keywords_are_keywords_or_left_out() {
    let hostile = [
        "\"x y\"",
        "{17}\r\nx\r\nA1 DELETE INBOX",
        "\\Recent",
        "\\*",
        "a\u{1b}[31m",
        "nul\0l",
        "(in side)",
        "x]y",
        "{5}",
        "{5+}",
        "\\Seen\\Deleted",
        "$Good",
    ];
    each(hostile, |keyword| {
        let (source, _) = Fake::of(bytes(3)).serve(move |command, folder| {
            let is_scan = command.name == "UID FETCH" && !is_for_bodies(&command.arguments);
            is_scan.then(|| {
                let lines: String = folder.named("1:*").iter().map(|(number, uid, bytes)| {
                    let date = "01-Feb-2024 03:04:05 +0000";
                    format!("* {number} FETCH (UID {uid} FLAGS (\\Seen {keyword}) INTERNALDATE \"{date}\" RFC822.SIZE {})\r\n", bytes.len())
                }).collect();
                Reply::ok().raw(lines.as_bytes())
            })
        });
        let target = memory::Fake::start(Manner::default(), &[]);
        let run = copy(end(&source), end(&target.server), &["-vv"]);
        run.assert_harmless();
        for line in target.server.lines() {
            assert!(
                !line.contains("DELETE") && !line.chars().any(char::is_control),
                "{keyword:?}: {line:?}"
            );
        }
        for held in &target.boxes()["INBOX"].messages {
            let is_flag = |flag: &String| {
                flag.bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"(){}%*\"]".contains(&byte))
            };
            assert!(
                held.flags.iter().all(is_flag),
                "{keyword:?}: {:?}",
                held.flags
            );
        }
        assert!(
            keyword != "$Good" || target.boxes()["INBOX"].messages[0].flags.contains("$Good"),
            "{run:?}"
        );
    });
}

/// N2: names that people can't tell apart, or that another server does not, are never made one
/// folder.
#[test]
fn names_that_would_become_one_folder_stop_the_run_before_anything_is_written() {
    for pair in [["E&AwE-le", "&AMk-le"], ["&AMk-le", "\u{c9}le"]] {
        let (source, _) = Fake::of(bytes(2)).serve(move |command, folder| {
            let listed = pair
                .map(|name| format!("* LIST () \"/\" \"{name}\"\r\n"))
                .concat();
            (command.name == "LIST").then(|| folder.answer(command).raw(listed.as_bytes()))
        });
        let target = memory::Fake::start(Manner::default(), &[]);
        let run = copy(end(&source), end(&target.server), &[]);
        assert!(
            run.code == Some(1) && run.says("would both become")
                || run.code == Some(3) && run.says("reads the same as"),
            "{run:?}"
        );
        assert!(target.lines_of("APPEND").is_empty() || run.code == Some(3));
    }
}
