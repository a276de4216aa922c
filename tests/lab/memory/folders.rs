//! The folders in memory: LIST, CREATE, RENAME, STATUS, and what SELECT says.

use super::super::scripted::Reply;
use super::super::wire::Value;
use super::manner::{Manner, ModSeqs, SYSTEM};
use super::{Boxes, Folder, LAST_VALIDITY, bad, quoted};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// The names above this one, by the separator `/`.
fn above(name: &str) -> Vec<String> {
    name.match_indices('/')
        .map(|(at, _)| name[..at].to_owned())
        .collect()
}

fn is_below_a_file(name: &str, boxes: &Boxes) -> bool {
    above(name).iter().any(|above| {
        boxes
            .get(above)
            .is_some_and(|held| held.attributes != "\\Noselect")
    })
}

/// Whether a folder has this name, for a server that may not tell `a` from `A`.
fn is_taken(name: &str, manner: &Manner, boxes: &Boxes) -> bool {
    let is_it = |held: &String| manner.taking.case_blind && held.eq_ignore_ascii_case(name);
    boxes.contains_key(name) || boxes.keys().any(is_it)
}

pub(super) fn create(words: &[Value], manner: &Manner, boxes: &mut Boxes) -> Reply {
    let name = words[0].text();
    if words.len() > 1 {
        return Reply::status("NO [USEATTR] no roles here");
    }
    if is_taken(&name, manner, boxes) {
        return Reply::status("NO Mailbox already exists");
    }
    if !manner.utf8 && !name.is_ascii() {
        return Reply::status("NO not modified UTF-7");
    }
    if let Some(refusal) = manner.taking.names.and_then(|refusal| refusal(&name)) {
        return Reply::status(refusal);
    }
    if manner.files && is_below_a_file(&name, boxes) {
        return Reply::status("NO Can't create mailbox node: File exists");
    }
    for directory in above(&name).into_iter().filter(|_| manner.files) {
        let attributes = "\\Noselect".to_owned();
        boxes.entry(directory).or_insert_with(|| Folder {
            attributes,
            ..Folder::default()
        });
    }
    let mut made = Folder::default();
    if manner.own_validities {
        made.uid_validity = 1 + LAST_VALIDITY.fetch_add(1, Ordering::Relaxed);
    }
    boxes.insert(name, made);
    Reply::ok()
}

/// With all that is below it (RFC 3501 section 6.3.5). What it was subscribed to is a name, and
/// stays with that name's folder.
pub(super) fn rename(words: &[Value], manner: &Manner, boxes: &mut Boxes) -> Reply {
    let (from, to) = (words[0].text(), words[1].text());
    if boxes.contains_key(&to) {
        return Reply::status("NO Mailbox already exists");
    }
    if manner.files && is_below_a_file(&to, boxes) {
        return Reply::status("NO Can't create mailbox node: File exists");
    }
    if !boxes.contains_key(&from) {
        return no_such();
    }
    let below = |name: &str| {
        let rest = name.strip_prefix(&from)?;
        let separator = manner.separator;
        (rest.is_empty() || separator.is_some_and(|separator| rest.starts_with(separator)))
            .then(|| rest.to_owned())
    };
    let moved: Vec<(String, String)> = boxes
        .keys()
        .filter_map(|name| Some((name.clone(), below(name)?)))
        .collect();
    for (name, rest) in moved {
        let held = boxes.remove(&name).unwrap();
        boxes.insert(format!("{to}{rest}"), held);
    }
    Reply::ok()
}

pub(super) fn no_such() -> Reply {
    Reply::status("NO no such mailbox")
}

/// LIST, LSUB and XLIST, and LIST … RETURN (RFC 5258) where it is announced.
pub(super) fn list(verb: &str, words: &[Value], manner: &Manner, boxes: &Boxes) -> Reply {
    let options = match words {
        [_, _] => &[][..],
        [_, _, Value::Atom(word), options]
            if word == "RETURN" && manner.after.contains("LIST-EXTENDED") =>
        {
            options.items()
        }
        _ => return bad("no LIST-EXTENDED here"),
    };
    let pattern = words[1].text();
    let prefix = pattern.strip_suffix('*');
    let separator = manner
        .separator
        .map_or("NIL".to_owned(), |c| quoted(&c.to_string()));
    let matches = |name: &str| {
        prefix.map_or(name.eq_ignore_ascii_case(&pattern), |prefix| {
            name.starts_with(prefix)
        })
    };
    let status = options
        .iter()
        .skip_while(|option| !option.is("STATUS"))
        .nth(1);
    let shown = boxes
        .iter()
        .filter(|(name, held)| matches(name) && (verb != "LSUB" || held.subscribed));
    shown.fold(Reply::ok(), |reply, (name, held)| {
        let mut attributes = attributes(verb, name, held, manner);
        if held.subscribed && options.iter().any(|option| option.is("SUBSCRIBED")) {
            attributes.push_str(" \\Subscribed");
        }
        let attributes = attributes.trim_start();
        let name_word = quoted(name);
        let reply = reply.line(&format!("* {verb} ({attributes}) {separator} {name_word}"));
        match status {
            Some(items) if attributes != "\\Noselect" => {
                reply.line(&status_line(name, held, items, manner).unwrap())
            }
            _ => reply,
        }
    })
}

/// Only XLIST tells of roles, unless LIST does.
fn attributes(verb: &str, name: &str, held: &Folder, manner: &Manner) -> String {
    let attributes = match held.attributes.as_str() {
        _ if name == manner.inbox && !manner.telling.inbox.is_empty() => manner.telling.inbox,
        attributes if verb == "XLIST" || attributes == "\\Noselect" => attributes,
        attributes if verb == "LIST" && manner.telling.roles => attributes,
        _ if manner.files => "\\NoInferiors",
        _ => "",
    };
    attributes.to_owned()
}

pub(super) fn status(name: &str, items: &Value, manner: &Manner, boxes: &Boxes) -> Reply {
    match boxes.get(name).filter(|held| can_open(held)) {
        Some(held) => match status_line(name, held, items, manner) {
            Some(line) => Reply::ok().line(&line),
            None => bad("unknown item"),
        },
        None => no_such(),
    }
}

fn can_open(held: &Folder) -> bool {
    !held.attributes.contains("\\Noselect")
}

fn status_line(name: &str, held: &Folder, items: &Value, manner: &Manner) -> Option<String> {
    let mut told = Vec::new();
    for item in items.items() {
        let number = match item.text().as_str() {
            "MESSAGES" => held.messages.len() as u64,
            "UNSEEN" => held.unseen() as u64,
            "UIDNEXT" => u64::from(held.uid_next) + 1,
            "UIDVALIDITY" => u64::from(held.uid_validity),
            "HIGHESTMODSEQ" if manner.telling.mod_seqs != ModSeqs::Unknown => held.highest(),
            "SIZE" if manner.after.contains("STATUS=SIZE") => {
                let sizes = held.messages.iter().map(|message| message.bytes.len());
                sizes.sum::<usize>() as u64
            }
            "MAILBOXID" if manner.after.contains("OBJECTID") => {
                told.push(format!("MAILBOXID ({})", held.uid_validity));
                continue;
            }
            _ => return None,
        };
        told.push(format!("{} {number}", item.text()));
    }
    let blank = if manner.telling.blank { " " } else { "" };
    Some(format!(
        "* STATUS {} ({}{blank}){blank}",
        quoted(name),
        told.join(" ")
    ))
}

/// What SELECT and EXAMINE say of a folder that can be opened.
pub(super) fn open<'a>(boxes: &'a mut Boxes, name: &str) -> Option<&'a mut Folder> {
    boxes.get_mut(name).filter(|held| can_open(held))
}

pub(super) fn opened(held: &Folder, for_writing: bool, manner: &Manner) -> Reply {
    let telling = &manner.telling;
    let kept = if manner.keywords {
        format!("{SYSTEM} \\*")
    } else {
        SYSTEM.to_owned()
    };
    let listed = manner.lists.map_or(kept, str::to_owned);
    let listed = match telling.examined {
        Some(listed) if !for_writing => listed.to_owned(),
        _ => listed,
    };
    let access = if for_writing {
        "READ-WRITE"
    } else {
        "READ-ONLY"
    };
    let mut reply = Reply::status(&format!("OK [{access}] open"))
        .line(&format!("* FLAGS ({})", telling.flags))
        .line(&format!("* OK [PERMANENTFLAGS ({listed})] these are kept"))
        .line(&format!("* {} EXISTS", held.messages.len()))
        .line("* 0 RECENT")
        .line(&format!("* OK [UIDVALIDITY {}] valid", held.uid_validity));
    if telling.uid_next {
        reply = reply.line(&format!("* OK [UIDNEXT {}] next", held.uid_next + 1));
    }
    if telling.mod_seqs != ModSeqs::Unknown {
        // Gmail and Zoho say nothing after the code.
        reply = reply.line(&format!("* OK [HIGHESTMODSEQ {}]", held.highest()));
    }
    telling
        .remarks
        .iter()
        .fold(reply, |reply, line| reply.line(line))
}

/// Subscribes or unsubscribes.
pub(super) fn subscribe(name: &str, wanted: bool, boxes: &mut BTreeMap<String, Folder>) -> Reply {
    match boxes.get_mut(name) {
        Some(held) => {
            held.subscribed = wanted;
            Reply::ok()
        }
        None if wanted => no_such(),
        None => Reply::ok(),
    }
}
