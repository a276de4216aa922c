//! Mailboxes whose messages are named by letters, and edits of them in words.

use super::client::{Client, NewMessage, Snapshot, StoredMessage};
use std::collections::BTreeMap;

/// What mailboxes hold before the tables of *the run after* change them.
pub const BEFORE: &[&str] = &[
    "add INBOX abcdefghijkl",
    "flag INBOX ef \\Seen",
    "create Old",
    "add Old m",
    "create Gone",
    "add Gone n",
    "create Archive",
    "create Apart",
];

/// The message of a letter; of a capital one, without a Message-ID.
pub fn letter(name: char) -> NewMessage {
    let id = if name.is_uppercase() {
        String::new()
    } else {
        format!("Message-ID: <{name}@rows>\r\n")
    };
    let body = format!("body {name} ").repeat(20);
    let text = format!("{id}Subject: {name}\r\nFrom: ann@example.org\r\n\r\n{body}\r\n");
    NewMessage {
        date: Some(format!(
            "{:02}-Feb-2024 03:04:05 +0130",
            1 + name as u32 % 28
        )),
        ..NewMessage::of(text)
    }
}

/// One edit: `WORD FOLDER LETTERS [FLAGS or FOLDER]`.
pub fn edit(client: &mut Client, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let folder = |at: usize| words[at].split('/').collect::<Vec<_>>();
    match words[0] {
        "add" => {
            client.append(
                &folder(1),
                words[2].chars().map(letter).collect::<Vec<_>>().into_iter(),
            );
        }
        "create" => client.create(&folder(1)),
        "subscribe" => client.subscribe(&folder(1)),
        "rename" => {
            let (from, to) = (client.name(&folder(1)), client.name(&folder(2)));
            client.command(&format!("RENAME {from} {to}"));
        }
        "drop" => {
            let name = client.name(&folder(1));
            client.command(&format!("DELETE {name}"));
        }
        what => {
            let uids = uids(client, &folder(1), words[2]);
            client.select(&folder(1));
            match what {
                "expunge" => client.expunge(&uids),
                "move" => {
                    let to = client.name(&folder(3));
                    if !client
                        .try_command(&format!("UID MOVE {uids} {to}"))
                        .1
                        .starts_with("OK")
                    {
                        client.command(&format!("UID COPY {uids} {to}"));
                        client.expunge(&uids);
                    }
                }
                "flag" => client.store(&uids, "+FLAGS", words[3]),
                "unflag" => client.store(&uids, "-FLAGS", words[3]),
                other => panic!("no edit {other}"),
            }
            // A server of RFC 3501 alone has it open until something else is.
            client.try_command("UNSELECT");
        }
    }
}

fn uids(client: &mut Client, folder: &[&str], letters: &str) -> String {
    let snapshot = client.snapshot();
    let wanted: Vec<[u8; 32]> = letters
        .chars()
        .map(|name| sha(&letter(name).bytes))
        .collect();
    let found = snapshot
        .folder(folder)
        .iter()
        .filter(|message| wanted.contains(&message.sha256));
    let uids: Vec<String> = found.map(|message| message.uid.to_string()).collect();
    assert!(!uids.is_empty(), "{letters} not in {folder:?}");
    uids.join(",")
}

/// What a mailbox holds: by folder, each message's letter and those of its flags.
pub fn shown(snapshot: &Snapshot) -> BTreeMap<String, Vec<String>> {
    let flags = |message: &StoredMessage| {
        let mut text = String::new();
        for (flag, letter) in [
            ("\\Seen", 'S'),
            ("\\Flagged", 'F'),
            ("\\Deleted", 'D'),
            ("work", 'k'),
        ] {
            text.extend(message.flags.contains(flag).then_some(letter));
        }
        text
    };
    let known: BTreeMap<[u8; 32], char> = ('a'..='z')
        .chain('A'..='Z')
        .map(|name| (sha(&letter(name).bytes), name))
        .collect();
    let of = |message: &StoredMessage| {
        format!(
            "{}{}",
            known.get(&message.sha256).copied().unwrap_or('?'),
            flags(message)
        )
    };
    let folders = snapshot.folders.iter().map(|(levels, messages)| {
        let mut found: Vec<String> = messages.iter().map(of).collect();
        found.sort();
        (levels.join("/"), found)
    });
    folders.collect()
}

/// SHA-256, as a snapshot has it of each message.
pub fn sha(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
