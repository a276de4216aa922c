//! Runs after the first with a server that truly has nothing but RFC 3501: no UIDPLUS, CONDSTORE,
//! LIST-STATUS, MULTIAPPEND, MOVE, LITERAL+, and no UIDNEXT when a folder is opened. Everything is
//! slower and just as safe.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::memory::{Fake, Manner};
use crate::lab::run::{End, Run, copy};
use std::collections::BTreeSet;

/// Two such servers and a state between them.
struct Ground {
    source: Fake,
    target: Fake,
    state: tempfile::TempDir,
}

impl Ground {
    fn new(folders: &[(&str, &str)]) -> Self {
        let [source, target] = [(), ()].map(|()| Fake::start(Manner::default(), folders));
        Self {
            source,
            target,
            state: tempfile::tempdir().unwrap(),
        }
    }

    fn copy(&self, options: &[&str]) -> Run {
        let [source, target] =
            [&self.source, &self.target].map(|fake| End::plain(fake.server.port, ""));
        copy(
            source,
            target,
            &[&["--state", self.state.path().to_str().unwrap()], options].concat(),
        )
    }

    #[track_caller]
    fn assert_equal(&self) {
        assert_eq!(self.target.contents(), self.source.contents());
    }

    /// Moves a message of the source by its place in a folder.
    fn move_on_source(&self, from: &str, at: usize, to: &str) {
        let message = self
            .source
            .boxes()
            .get_mut(from)
            .unwrap()
            .messages
            .remove(at);
        self.source
            .boxes()
            .get_mut(to)
            .unwrap()
            .add(message.flags, message.date, message.bytes);
    }
}

fn letter(name: &str) -> Vec<u8> {
    format!("Message-ID: <{name}@bare>\r\nSubject: {name}\r\n\r\nhello {name}\r\n").into_bytes()
}

fn flags(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn changes_are_followed_and_moved_mail_is_not_sent() {
    let ground = Ground::new(&[("Archive", "")]);
    (0..6).for_each(|number| {
        ground
            .source
            .put("INBOX", &letter(&format!("mail{number}")));
    });
    ground.copy(&[]).ended(0).counts(&[("copied", 6)]);
    ground
        .copy(&[])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 6)]);
    ground.move_on_source("INBOX", 1, "Archive");
    ground.source.put("INBOX", &letter("new"));
    ground.source.boxes().get_mut("INBOX").unwrap().messages[0].flags = flags(&["\\Flagged"]);
    ground
        .source
        .boxes()
        .get_mut("INBOX")
        .unwrap()
        .messages
        .remove(2);
    let appends = ground.target.lines_of("APPEND").len();
    let run = ground.copy(&["--delete"]).ended(0);
    run.counts(&[
        ("copied", 2),
        ("copied_server_side", 1),
        ("deleted", 1),
        ("flags_updated", 1),
    ]);
    assert_eq!(
        ground.target.lines_of("APPEND").len(),
        appends + 1,
        "only the new message is sent"
    );
    ground.assert_equal();
    assert_eq!(
        ground.target.boxes()["INBOX"].messages[0].flags,
        flags(&["\\Flagged"])
    );
    ground.copy(&["--delete"]).ended(0).counts(&[
        ("copied", 0),
        ("deleted", 0),
        ("flags_updated", 0),
    ]);
}

#[test]
fn folders_are_renamed_and_deleted_and_the_source_is_emptied() {
    let ground = Ground::new(&[("Work", ""), ("Old", "")]);
    for folder in ["Work", "Old"] {
        (0..3).for_each(|number| {
            ground
                .source
                .put(folder, &letter(&format!("{folder}{number}")));
        });
    }
    ground.copy(&[]).ended(0).counts(&[("copied", 6)]);
    // Without UIDPLUS it is the next run that learns which message is which.
    ground.copy(&[]).ended(0).counts(&[("copied", 0)]);
    let work = ground.source.boxes().remove("Work").unwrap();
    ground.source.boxes().insert("Office".to_owned(), work);
    ground.source.boxes().remove("Old");
    // All folders have the same UIDVALIDITY here: the messages' headers tell which one was renamed.
    let run = ground.copy(&["--delete"]).ended(0);
    run.counts(&[
        ("folders_renamed", 1),
        ("folders_deleted", 1),
        ("deleted", 3),
        ("copied", 0),
    ]);
    ground.assert_equal();
    let before = ground.target.contents();
    ground
        .copy(&["--move"])
        .ended(0)
        .counts(&[("deleted", 3), ("copied", 0)]);
    assert_eq!(ground.target.contents(), before);
    assert!(ground.source.contents().values().all(Vec::is_empty));
}

#[test]
fn a_message_in_two_folders_is_fetched_once() {
    let ground = Ground::new(&[("one", ""), ("two", "")]);
    ["one", "two"]
        .iter()
        .for_each(|folder| ground.source.put(folder, &letter("label")));
    let bytes = letter("label").len() as u64;
    ground.copy(&[]).ended(0).counts(&[
        ("copied", 2),
        ("copied_server_side", 1),
        ("bytes_copied", bytes),
    ]);
    ground.assert_equal();
}
