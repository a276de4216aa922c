//! A server of Gmail's kind: one store of messages, and folders that show those with a label
//! (X-GM-EXT-1).
//!
//! What [`memory`](super::memory) does with one folder is done here with all folders that show the
//! message: they share its flags, and equal bytes are the same message. A message that leaves its
//! last folder stays in All Mail, and one moved to Trash leaves all others.

use super::memory::{Fake, Folder, Held, Manner, appended, bad, fetch, is_in, quoted, store};
use super::scripted::Reply;
use super::servers::{Account, PASSWORD};
use super::wire::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub const ALL: &str = "[Gmail]/All Mail";
pub const SENT: &str = "[Gmail]/Sent Mail";
pub const TRASH: &str = "[Gmail]/Trash";

const FOLDERS: [(&str, &str); 4] = [
    ("[Gmail]", "\\Noselect"),
    (ALL, "\\HasNoChildren \\AllMail"),
    (SENT, "\\HasNoChildren \\Sent"),
    (TRASH, "\\HasNoChildren \\Trash"),
];

/// Whether folders are labels, and what X-GM-LABELS tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Folders are folders.
    Unknown,
    /// All labels but that of the open folder, as Gmail does.
    Others,
    /// That of the open folder, too.
    WithOwn,
    /// Nothing, though it was asked.
    Untold,
}

/// A running server of this kind, and its account.
pub fn start(labels: Labels) -> (Fake, Account) {
    let manner = Manner {
        after: "IMAP4rev1 NAMESPACE XLIST X-GM-EXT-1 UIDPLUS MOVE".to_owned(),
        namespace: Some(r#"(("" "/")) NIL NIL"#.to_owned()),
        xlist: true,
        own_validities: true,
        labels,
        ..Manner::default()
    };
    let fake = Fake::start(manner, &FOLDERS);
    let (user, password) = ("ann".to_owned(), PASSWORD.to_owned());
    let account = Account {
        port: fake.server.port,
        tls_port: 0,
        user,
        password,
        ca: PathBuf::new(),
    };
    (fake, account)
}

type Boxes = BTreeMap<String, Folder>;

/// What is done otherwise than by a server whose folders are folders; `None`: nothing is.
pub(super) fn serve(
    name: &str,
    words: &[Value],
    labels: Labels,
    selected: Option<&(String, bool)>,
    boxes: &mut Boxes,
) -> Option<Reply> {
    let text = |at: usize| words.get(at).map(Value::text).unwrap_or_default();
    if name == "APPEND" && boxes.contains_key(&text(0)) {
        return Some(append(&text(0), &words[1..], boxes));
    }
    let (open, writable) = selected?;
    let of_set = |boxes: &Boxes, set: &str| -> Vec<Held> {
        boxes[open]
            .messages
            .iter()
            .filter(|message| is_in(set, message.uid))
            .cloned()
            .collect()
    };
    Some(match name {
        "UID MOVE" | "UID STORE" | "EXPUNGE" | "UID EXPUNGE" if !writable => {
            Reply::status("NO read only")
        }
        "UID COPY" | "UID MOVE" if boxes.contains_key(&text(1)) => {
            let chosen = of_set(boxes, &text(0));
            let placed = chosen
                .iter()
                .map(|message| place(boxes, &text(1), message).to_string())
                .collect::<Vec<_>>();
            if text(1) == TRASH {
                chosen
                    .iter()
                    .for_each(|message| leave(boxes, message, |folder| folder != TRASH));
            } else if name == "UID MOVE" && *open != ALL {
                chosen
                    .iter()
                    .for_each(|message| leave(boxes, message, |folder| folder == open));
            }
            let uids = chosen
                .iter()
                .map(|message| message.uid.to_string())
                .collect::<Vec<_>>();
            let validity = boxes[&text(1)].uid_validity;
            let code = format!(
                "OK [COPYUID {validity} {} {}] done",
                uids.join(","),
                placed.join(",")
            );
            if chosen.is_empty() {
                Reply::ok()
            } else {
                Reply::status(&code)
            }
        }
        "EXPUNGE" | "UID EXPUNGE" => {
            let set = if name == "EXPUNGE" {
                "1:*".to_owned()
            } else {
                text(0)
            };
            let marked = of_set(boxes, &set)
                .into_iter()
                .filter(|message| message.flags.contains("\\Deleted"));
            // All Mail has what any other folder has: nothing is taken out of it.
            marked
                .filter(|_| open != ALL)
                .for_each(|message| leave(boxes, &message, |folder| folder == open));
            Reply::ok()
        }
        "UID STORE" => {
            let reply = store(
                boxes.get_mut(open)?,
                &text(0),
                &text(1),
                words.get(2).map_or(&[], Value::items),
            );
            let changed = of_set(boxes, &text(0));
            changed
                .iter()
                .for_each(|message| share_flags(boxes, open, message));
            reply
        }
        "UID SEARCH" if text(0) == "UID" => {
            let uids: Vec<String> = of_set(boxes, &text(1))
                .iter()
                .map(|message| message.uid.to_string())
                .collect();
            Reply::ok().line(format!("* SEARCH {}", uids.join(" ")).trim_end())
        }
        "UID FETCH" => {
            let more = |message: &Held, item: &str| match item {
                "X-GM-MSGID" => Some(format!("X-GM-MSGID {}", id(message))),
                "X-GM-LABELS" => Some(told(boxes, open, message, labels)),
                _ => None,
            };
            fetch(
                &boxes[open],
                &text(0),
                words.get(1).map_or(&[], Value::items),
                &more,
            )
        }
        _ => return None,
    })
}

/// The same bytes are the same message.
fn id(message: &Held) -> u64 {
    let digest = Sha256::digest(&message.bytes);
    u64::from_be_bytes(digest[..8].try_into().unwrap()) >> 1
}

fn append(to: &str, words: &[Value], boxes: &mut Boxes) -> Reply {
    let (flags, date, bytes) = match appended(words) {
        Ok(appended) => appended,
        Err(refusal) => return refusal,
    };
    if flags.contains("\\Deleted") {
        return bad("it would be gone at once");
    }
    let uid = place(
        boxes,
        to,
        &Held {
            uid: 0,
            flags,
            date,
            bytes,
        },
    );
    Reply::status(&format!(
        "OK [APPENDUID {} {uid}] done",
        boxes[to].uid_validity
    ))
}

/// Shows a message in a folder, too, and in All Mail. One that is there already keeps its flags and
/// its date.
fn place(boxes: &mut Boxes, to: &str, message: &Held) -> u32 {
    let known = boxes
        .values()
        .flat_map(|folder| &folder.messages)
        .find(|held| held.bytes == message.bytes);
    let Held {
        mut flags,
        date,
        bytes,
        ..
    } = known.unwrap_or(message).clone();
    flags.remove("\\Deleted");
    let mut show = |folder: &str| {
        let folder = boxes.get_mut(folder).unwrap();
        if let Some(held) = folder.messages.iter().find(|held| held.bytes == bytes) {
            return held.uid;
        }
        folder.add(flags.clone(), date.clone(), bytes.clone());
        folder.uid_next
    };
    if to != TRASH {
        show(ALL);
    }
    show(to)
}

/// Shows a message no more in these folders.
fn leave(boxes: &mut Boxes, message: &Held, folders: impl Fn(&str) -> bool) {
    for (_, folder) in boxes.iter_mut().filter(|(name, _)| folders(name)) {
        folder.messages.retain(|held| held.bytes != message.bytes);
    }
}

/// All flags but `\Deleted` are the message's and no folder's.
fn share_flags(boxes: &mut Boxes, open: &str, message: &Held) {
    let others = boxes
        .iter_mut()
        .filter(|(name, _)| *name != open)
        .flat_map(|(_, folder)| &mut folder.messages);
    for held in others.filter(|held| held.bytes == message.bytes) {
        let is_marked = held.flags.contains("\\Deleted");
        held.flags.clone_from(&message.flags);
        held.flags.remove("\\Deleted");
        held.flags.extend(is_marked.then(|| "\\Deleted".to_owned()));
    }
}

/// X-GM-LABELS of a message.
fn told(boxes: &Boxes, open: &str, message: &Held, labels: Labels) -> String {
    if labels == Labels::Untold {
        return String::new();
    }
    let shows = |folder: &Folder| {
        folder
            .messages
            .iter()
            .any(|held| held.bytes == message.bytes)
    };
    let others = boxes
        .iter()
        .filter(|(name, folder)| shows(folder) && ![ALL, TRASH].contains(&name.as_str()));
    let others = others.filter(|(name, _)| labels == Labels::WithOwn || *name != open);
    let mut names: Vec<String> = others
        .map(|(name, _)| match name.as_str() {
            "INBOX" => "\\Inbox".to_owned(),
            SENT => "\\Sent".to_owned(),
            name => name.to_owned(),
        })
        .collect();
    names.extend(
        message
            .flags
            .contains("\\Flagged")
            .then(|| "\\Starred".to_owned()),
    );
    names.push("\\Important".to_owned());
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("X-GM-LABELS ({})", names.join(" "))
}
