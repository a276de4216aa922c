//! A server of Gmail's kind: one store of messages, and folders that show those with a label
//! (X-GM-EXT-1).
//!
//! Starred and Important are views: of what is flagged, and of every second message. Names may be
//! those of another language; XLIST tells what a folder is for.
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

/// All of Gmail's own folders, with German names.
const GERMAN: [(&str, &str); 9] = [
    ("[Gmail]", "\\Noselect"),
    ("[Gmail]/Alle Nachrichten", "\\HasNoChildren \\AllMail"),
    ("[Gmail]/Chats", "\\HasNoChildren"),
    ("[Gmail]/Entw&APw-rfe", "\\HasNoChildren \\Drafts"),
    ("[Gmail]/Gesendet", "\\HasNoChildren \\Sent"),
    ("[Gmail]/Markiert", "\\HasNoChildren \\Starred"),
    ("[Gmail]/Papierkorb", "\\HasNoChildren \\Trash"),
    ("[Gmail]/Spam", "\\HasNoChildren \\Spam"),
    ("[Gmail]/Wichtig", "\\HasNoChildren \\Important"),
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
    start_with(labels, &FOLDERS)
}

/// The same with all of Gmail's own folders, in German.
pub fn start_german() -> (Fake, Account) {
    start_with(Labels::Others, &GERMAN)
}

/// Puts a message under these labels, by its folders' raw names; without any it is archived.
pub fn deliver(fake: &Fake, labels: &[&str], flags: &[&str], bytes: &[u8]) {
    let message = Held {
        uid: 0,
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        date: "05-Feb-2024 03:04:05 +0130".to_owned(),
        bytes: bytes.to_vec(),
    };
    let mut boxes = fake.boxes();
    let all = with(&boxes, "AllMail").unwrap();
    let folders = if labels.is_empty() {
        &[all.as_str()]
    } else {
        labels
    };
    for folder in folders {
        place(&mut boxes, folder, &message);
    }
    refresh(&mut boxes);
}

fn start_with(labels: Labels, folders: &[(&str, &str)]) -> (Fake, Account) {
    let manner = Manner {
        after: "IMAP4rev1 NAMESPACE XLIST X-GM-EXT-1 UIDPLUS MOVE".to_owned(),
        namespace: Some(r#"(("" "/")) NIL NIL"#.to_owned()),
        xlist: true,
        own_validities: true,
        labels,
        ..Manner::default()
    };
    let fake = Fake::start(manner, folders);
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

/// The folder with an attribute.
fn with(boxes: &Boxes, attribute: &str) -> Option<String> {
    // XLIST's name, or LIST's (RFC 6154).
    let other = match attribute {
        "AllMail" => "All",
        "Starred" => "Flagged",
        "Spam" => "Junk",
        same => same,
    };
    let ends = |folder: &Folder, name: &str| folder.attributes.ends_with(&format!("\\{name}"));
    let has = |folder: &Folder| ends(folder, attribute) || ends(folder, other);
    let found = boxes.iter().find(|(_, folder)| has(folder));
    found.map(|(name, _)| name.clone())
}

fn is(boxes: &Boxes, name: &str, attribute: &str) -> bool {
    with(boxes, attribute).is_some_and(|found| found == name)
}

/// Lets the views show what they are for.
fn refresh(boxes: &mut Boxes) {
    refresh_view(boxes, "Starred", |message| {
        message.flags.contains("\\Flagged")
    });
    refresh_view(boxes, "Important", |message| id(message).is_multiple_of(2));
}

fn refresh_view(boxes: &mut Boxes, attribute: &str, shows: fn(&Held) -> bool) {
    let (Some(all), Some(view)) = (with(boxes, "AllMail"), with(boxes, attribute)) else {
        return;
    };
    let all = boxes[&all].messages.iter();
    let shown: Vec<Held> = all.filter(|message| shows(message)).cloned().collect();
    let view = boxes.get_mut(&view).unwrap();
    let is_shown = |held: &Held| shown.iter().any(|message| message.bytes == held.bytes);
    view.messages.retain(is_shown);
    for message in shown {
        let known = view
            .messages
            .iter_mut()
            .find(|held| held.bytes == message.bytes);
        match known {
            Some(held) => held.flags = message.flags,
            None => view.add(message.flags, message.date, message.bytes),
        }
    }
}

/// What is done otherwise than by a server whose folders are folders; `None`: nothing is.
pub(super) fn serve(
    name: &str,
    words: &[Value],
    manner: &Manner,
    selected: Option<&(String, bool)>,
    boxes: &mut Boxes,
) -> Option<Reply> {
    let reply = answer(name, words, manner, selected, boxes);
    if !matches!(name, "UID FETCH" | "UID SEARCH") {
        refresh(boxes);
    }
    reply
}

fn answer(
    name: &str,
    words: &[Value],
    manner: &Manner,
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
            if is(boxes, &text(1), "Trash") {
                chosen
                    .iter()
                    .for_each(|message| leave(boxes, message, |folder| folder != text(1)));
            } else if name == "UID MOVE" && !is(boxes, open, "AllMail") {
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
            let is_all = is(boxes, open, "AllMail");
            marked
                .filter(|_| !is_all)
                .for_each(|message| leave(boxes, &message, |folder| folder == open));
            Reply::ok()
        }
        "UID STORE" => {
            let reply = store(boxes.get_mut(open)?, words, manner);
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
            let items = words.get(1).map_or(&[][..], Value::items);
            if items.iter().any(|item| item.text() == "BODY.PEEK[]") {
                let uids: Vec<u32> = of_set(boxes, &text(0))
                    .iter()
                    .map(|message| message.uid)
                    .collect();
                boxes.get_mut(open)?.fetched.extend(uids);
            }
            let more = |message: &Held, item: &str| match item {
                "X-GM-MSGID" => Some(format!("X-GM-MSGID {}", id(message))),
                "X-GM-LABELS" => Some(told(boxes, open, message, manner.labels)),
                _ => None,
            };
            fetch(&boxes[open], words, manner, &more)
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
    let all = with(boxes, "AllMail").unwrap();
    let apart = is(boxes, to, "Trash") || is(boxes, to, "Spam") || to.ends_with("/Chats");
    let mut show = |folder: &str| {
        let folder = boxes.get_mut(folder).unwrap();
        if let Some(held) = folder.messages.iter().find(|held| held.bytes == bytes) {
            return held.uid;
        }
        folder.add(flags.clone(), date.clone(), bytes.clone());
        folder.uid_next
    };
    if !apart {
        show(&all);
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
    let no_labels = ["AllMail", "Trash", "Spam", "Starred", "Important"];
    let is_label = |name: &str| !no_labels.iter().any(|no_label| is(boxes, name, no_label));
    let others = boxes
        .iter()
        .filter(|(name, folder)| shows(folder) && is_label(name));
    let others = others.filter(|(name, _)| labels == Labels::WithOwn || *name != open);
    let mut names: Vec<String> = others
        .map(|(name, _)| match name.as_str() {
            "INBOX" => "\\Inbox".to_owned(),
            name if is(boxes, name, "Sent") => "\\Sent".to_owned(),
            name if is(boxes, name, "Drafts") => "\\Draft".to_owned(),
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
