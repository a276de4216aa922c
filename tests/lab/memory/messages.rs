//! The messages of a folder in memory: APPEND, FETCH, STORE, COPY, EXPUNGE, SEARCH.

use super::super::scripted::Reply;
use super::super::wire::Value;
use super::manner::{Broken, Manner, ModSeqs, Search};
use super::{Boxes, Folder, Held, bad, quoted};
use std::collections::BTreeSet;

fn flags(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(Value::text).collect()
}

/// What is done with messages. `None`: it is something else.
pub(super) fn serve(
    name: &str,
    words: &[Value],
    manner: &Manner,
    selected: Option<&(String, bool)>,
    boxes: &mut Boxes,
) -> Option<Reply> {
    let text = |at: usize| words.get(at).map(Value::text).unwrap_or_default();
    if name == "APPEND" {
        return Some(deliver(words, manner, boxes));
    }
    let known = [
        "UID COPY",
        "UID MOVE",
        "UID SEARCH",
        "EXPUNGE",
        "UID EXPUNGE",
        "UID FETCH",
        "UID STORE",
    ];
    let announces = |capability: &str| manner.after.contains(capability);
    if !known.contains(&name)
        || name == "UID MOVE" && !announces("MOVE")
        || name == "UID EXPUNGE" && !announces("UIDPLUS")
    {
        return None;
    }
    let Some((open, writable)) = selected else {
        return Some(bad("nothing is open"));
    };
    if manner.strictness.ascending && is_descending(&text(0)) {
        return Some(bad("Command Argument Error. 11"));
    }
    if !writable && !["UID COPY", "UID SEARCH", "UID FETCH"].contains(&name) {
        return Some(Reply::status("NO read only"));
    }
    Some(match name {
        "UID COPY" | "UID MOVE" => copy(name, open, words, manner, boxes),
        "UID SEARCH" => search(&boxes[open], words, manner),
        "EXPUNGE" | "UID EXPUNGE" => {
            let set = if name == "EXPUNGE" {
                "1:*".to_owned()
            } else {
                text(0)
            };
            let is_left =
                |message: &Held| !message.flags.contains("\\Deleted") || !is_in(&set, message.uid);
            boxes.get_mut(open)?.messages.retain(is_left);
            Reply::ok()
        }
        "UID FETCH" => fetch(&boxes[open], words, manner, &|_, _| None),
        _ => store(boxes.get_mut(open)?, words, manner),
    })
}

/// A set that runs downwards, such as `9:7` or `9,7`.
fn is_descending(set: &str) -> bool {
    let number = |text: &str| text.parse().unwrap_or(u32::MAX);
    let numbers: Vec<u32> = set.split([',', ':']).map(number).collect();
    numbers.windows(2).any(|pair| pair[0] > pair[1])
}

fn folder_of(name: String, manner: &Manner) -> String {
    if name.eq_ignore_ascii_case("INBOX") {
        manner.inbox.clone()
    } else {
        name
    }
}

fn deliver(words: &[Value], manner: &Manner, boxes: &mut Boxes) -> Reply {
    let holds_nul = |word: &Value| matches!(word, Value::Text(bytes) if bytes.contains(&0));
    // No other than a binary literal may hold it (RFC 3501 section 9 `CHAR8`).
    if words.iter().any(holds_nul) && !manner.after.contains("BINARY") {
        return Reply::status("NO Message contains NUL characters");
    }
    let Some(held) = boxes.get_mut(&folder_of(words[0].text(), manner)) else {
        return Reply::status("NO [TRYCREATE] no such mailbox");
    };
    let mut given = Vec::new();
    for message in words[1..].split_inclusive(is_message) {
        match appended(message) {
            Ok(message) => given.push(message),
            Err(refusal) => return refusal,
        }
    }
    if given.len() > 1 && !manner.after.contains("MULTIAPPEND") {
        return bad("syntax error");
    }
    append(held, given, manner)
}

/// Whether this is a message rather than the date before it.
fn is_message(word: &Value) -> bool {
    let is_date = |bytes: &[u8]| bytes.len() == 26 && bytes[2] == b'-' && bytes[6] == b'-';
    matches!(word, Value::Text(bytes) if !is_date(bytes))
}

type Appended = (BTreeSet<String>, String, Vec<u8>);

/// Adds all messages, or none.
fn append(held: &mut Folder, given: Vec<Appended>, manner: &Manner) -> Reply {
    let taking = &manner.taking;
    for (_, _, bytes) in &given {
        match (taking.unended, taking.largest) {
            (Some(refusal), _) if !bytes.ends_with(b"\n") => return Reply::status(refusal),
            (_, Some((most, refusal))) if bytes.len() > most => return Reply::status(refusal),
            _ => {}
        }
    }
    let mut uids = Vec::new();
    for (flags, date, bytes) in given {
        let flags = if manner.only_store {
            BTreeSet::new()
        } else {
            flags
        };
        let date = taking.date.map_or(date, str::to_owned);
        let stored = match manner.rewrites {
            Some(rewrites) => rewrites(&bytes),
            None => bytes,
        };
        let same = |message: &&Held| taking.merges && message.bytes == stored;
        let known = held.messages.iter().find(same).map(|message| message.uid);
        let uid = known.unwrap_or_else(|| {
            held.add(flags, date, stored);
            held.uid_next
        });
        uids.push(uid.to_string());
    }
    if !manner.after.contains("UIDPLUS") {
        return Reply::ok();
    }
    let (validity, uids) = (held.uid_validity, uids.join(","));
    Reply::status(&format!("OK [APPENDUID {validity} {uids}] taken"))
}

fn copy(name: &str, open: &str, words: &[Value], manner: &Manner, boxes: &mut Boxes) -> Reply {
    let set = words[0].text();
    let target = folder_of(words[1].text(), manner);
    let is_chosen = |message: &&Held| is_in(&set, message.uid);
    let chosen: Vec<Held> = boxes[open]
        .messages
        .iter()
        .filter(is_chosen)
        .cloned()
        .collect();
    match manner.taking.copies {
        Some((most, refusal)) if chosen.len() > most => return Reply::status(refusal),
        _ => {}
    }
    let Some(to) = boxes.get_mut(&target) else {
        return Reply::status("NO [TRYCREATE] no such mailbox");
    };
    let (mut from, mut placed) = (Vec::new(), Vec::new());
    for message in chosen {
        from.push(message.uid.to_string());
        to.add(message.flags, message.date, message.bytes);
        placed.push(to.uid_next.to_string());
    }
    let validity = to.uid_validity;
    if name == "UID MOVE" {
        let is_left = |message: &Held| !is_in(&set, message.uid);
        boxes.get_mut(open).unwrap().messages.retain(is_left);
    }
    if !manner.after.contains("UIDPLUS") || from.is_empty() {
        return Reply::ok();
    }
    let code = format!(
        "[COPYUID {validity} {} {}]",
        from.join(","),
        placed.join(",")
    );
    match (manner.taking.bare_copyuid, name) {
        (true, _) => Reply::ok().line(&code),
        (false, "UID MOVE") => Reply::ok().line(&format!("* OK {code} moved")),
        (false, _) => Reply::status(&format!("OK {code} copied")),
    }
}

fn search(held: &Folder, words: &[Value], manner: &Manner) -> Reply {
    let mut words: Vec<String> = words.iter().map(search_word).collect();
    let is_extended = words.first().is_some_and(|word| word == "RETURN");
    words.drain(..if is_extended { 2 } else { 0 });
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let finds = |message: &&Held| match words[..] {
        ["ALL"] => true,
        ["DELETED"] => message.flags.contains("\\Deleted"),
        ["UID", set] => is_in(set, message.uid),
        ["KEYWORD", keyword] => message.flags.contains(keyword),
        _ => false,
    };
    let mut uids: Vec<String> = (held.messages.iter().filter(finds))
        .map(|message| message.uid.to_string())
        .collect();
    match manner.telling.search {
        Search::Works => {}
        Search::AtMost(most) => uids.truncate(most),
        Search::Nothing => uids.clear(),
        Search::Fails(refusal) => return Reply::status(refusal),
    }
    let known = ["ALL", "DELETED", "UID", "KEYWORD"];
    if !words.first().is_some_and(|word| known.contains(word)) {
        return bad("unknown search");
    }
    match is_extended {
        true if !manner.after.contains("ESEARCH") => bad("no ESEARCH here"),
        true if uids.is_empty() => Reply::ok().line("* ESEARCH UID"),
        true => Reply::ok().line(&format!("* ESEARCH UID ALL {}", uids.join(","))),
        false => Reply::ok().line(format!("* SEARCH {}", uids.join(" ")).trim_end()),
    }
}

fn search_word(word: &Value) -> String {
    match word {
        Value::List(_) => "(…)".to_owned(),
        word => word.text(),
    }
}

/// What an APPEND says of its one message, with flags and date or without: flags, date, bytes.
pub(in super::super) fn appended(
    words: &[Value],
) -> Result<(BTreeSet<String>, String, Vec<u8>), Reply> {
    let (given, rest) = match words {
        [Value::List(items), rest @ ..] => (flags(items), rest),
        rest => (BTreeSet::new(), rest),
    };
    let (date, bytes) = match rest {
        [Value::Text(date), Value::Text(bytes)] => {
            (String::from_utf8(date.clone()).unwrap(), bytes)
        }
        [Value::Text(bytes)] => ("01-Feb-2024 03:04:05 +0000".to_owned(), bytes),
        // Two messages in one command among them.
        _ => return Err(bad("syntax error")),
    };
    if given.contains("\\Recent") {
        return Err(bad("\\Recent can't be set"));
    }
    Ok((given, date, bytes.clone()))
}

/// Whether a set such as `1:3,7,9:*` has the UID.
pub(in super::super) fn is_in(set: &str, uid: u32) -> bool {
    set.split(',').any(|range| {
        let (low, high) = range.split_once(':').unwrap_or((range, range));
        let number = |text: &str| {
            if text == "*" {
                u32::MAX
            } else {
                text.parse().unwrap()
            }
        };
        (number(low)..=number(high)).contains(&uid)
    })
}

/// `more` gives items that only some servers know: one that is empty is left out.
pub(in super::super) fn fetch(
    held: &Folder,
    words: &[Value],
    manner: &Manner,
    more: &dyn Fn(&Held, &str) -> Option<String>,
) -> Reply {
    let set = words[0].text();
    let items = words.get(1).map_or(&[][..], Value::items);
    let since = words.get(2).and_then(changed_since);
    if since.is_some() && manner.telling.mod_seqs == ModSeqs::Unknown {
        return bad("no CONDSTORE here");
    }
    let is_wanted = |message: &Held| {
        is_in(&set, message.uid) && since.is_none_or(|since| held.mod_seq(message.uid) > since)
    };
    let numbered = (1..).zip(&held.messages);
    let mut lines = Vec::new();
    for (number, message) in numbered.filter(|(_, message)| is_wanted(message)) {
        let asks_for_body = items.iter().any(|item| item.text() == "BODY.PEEK[]");
        match broken(message, manner).filter(|_| asks_for_body) {
            Some(Broken::Silence) => continue,
            Some(Broken::Refusal(refusal)) => return Reply::status(refusal),
            _ => {}
        }
        let mut parts = Vec::new();
        for item in items {
            match part(held, message, &item.text(), manner, more) {
                Some(part) => parts.push(part),
                None => return bad("unknown item"),
            }
        }
        if since.is_some() {
            parts.push(format!("MODSEQ ({})", held.mod_seq(message.uid)).into_bytes());
        }
        let start = format!("* {number} FETCH (").into_bytes();
        lines.push([start, parts.join(&b' '), b")\r\n".to_vec()].concat());
    }
    if manner.telling.unordered {
        lines.reverse();
    }
    lines
        .iter()
        .fold(Reply::ok(), |reply, line| reply.raw(line))
}

/// The number in `(CHANGEDSINCE 7)`.
fn changed_since(modifiers: &Value) -> Option<u64> {
    match modifiers.items() {
        [name, number] if name.is("CHANGEDSINCE") => number.text().parse().ok(),
        _ => None,
    }
}

fn broken(message: &Held, manner: &Manner) -> Option<Broken> {
    let (mark, broken) = manner.telling.broken?;
    let has = message
        .bytes
        .windows(mark.len())
        .any(|window| window == mark.as_bytes());
    has.then_some(broken)
}

/// One item of a FETCH; `None`: the server doesn't know it.
fn part(
    held: &Folder,
    message: &Held,
    item: &str,
    manner: &Manner,
    more: &dyn Fn(&Held, &str) -> Option<String>,
) -> Option<Vec<u8>> {
    let telling = &manner.telling;
    let text = match item {
        "UID" => format!("UID {}", message.uid),
        "FLAGS" => format!(
            "FLAGS ({})",
            Vec::from_iter(message.flags.clone()).join(" ")
        ),
        "INTERNALDATE" => {
            let date = telling.date.unwrap_or(&message.date);
            format!("INTERNALDATE {}", quoted(date))
        }
        "RFC822.SIZE" => format!("RFC822.SIZE {}", (telling.size)(message.bytes.len())),
        "MODSEQ" => match telling.mod_seqs {
            ModSeqs::Unknown => return None,
            ModSeqs::Right => format!("MODSEQ ({})", held.mod_seq(message.uid)),
            ModSeqs::Zero => "MODSEQ (0)".to_owned(),
        },
        "EMAILID" if manner.after.contains("OBJECTID") => format!("EMAILID (M{})", id(message)),
        "BODY.PEEK[]" => match broken(message, manner) {
            Some(Broken::NoValue) => "BODY[] ".to_owned(),
            Some(Broken::Notice(notice)) => return Some(literal("BODY[]", notice.as_bytes())),
            _ => return Some(literal("BODY[]", &message.bytes)),
        },
        fields if fields.starts_with("BODY.PEEK[HEADER.FIELDS (") => {
            let name = fields.replacen(".PEEK", "", 1);
            let mut header = header(&message.bytes, fields);
            let is_munged = |byte: &&mut u8| telling.plain_headers && !byte.is_ascii();
            header
                .iter_mut()
                .filter(is_munged)
                .for_each(|byte| *byte = b'?');
            return Some(literal(&name, &header));
        }
        other => more(message, other)?,
    };
    Some(text.into_bytes())
}

fn literal(name: &str, bytes: &[u8]) -> Vec<u8> {
    let start = format!("{name} {{{}}}\r\n", bytes.len()).into_bytes();
    [&start, bytes].concat()
}

/// A number for the message's content.
fn id(message: &Held) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    message.bytes.hash(&mut hasher);
    hasher.finish()
}

/// The fields that `BODY.PEEK[HEADER.FIELDS (A B)]` names, and the empty line.
fn header(bytes: &[u8], item: &str) -> Vec<u8> {
    let names = item.split(['(', ')']).nth(1).unwrap().to_ascii_lowercase();
    let wanted: Vec<&str> = names.split(' ').collect();
    let mut out = Vec::new();
    let mut taken = false;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if line == b"\r\n" || line == b"\n" {
            break;
        }
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line
                .split(|&byte| byte == b':')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            taken = wanted.iter().any(|wanted| wanted.as_bytes() == name);
        }
        if taken {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

pub(in super::super) fn store(held: &mut Folder, words: &[Value], manner: &Manner) -> Reply {
    let (condition, rest) = match &words[1..] {
        [Value::List(items), rest @ ..] => (items.get(1).map(Value::text), rest),
        rest => (None, rest),
    };
    if condition.is_some() && manner.telling.mod_seqs == ModSeqs::Unknown {
        return bad("no CONDSTORE here");
    }
    let unchanged_since: Option<u64> = condition.and_then(|number| number.parse().ok());
    let set = words[0].text();
    let given = rest
        .get(1)
        .map_or(BTreeSet::new(), |items| flags(items.items()));
    let mut modified = Vec::new();
    let mod_seqs: Vec<u64> = (held.messages.iter())
        .map(|message| held.mod_seq(message.uid))
        .collect();
    let numbered = held.messages.iter_mut().zip(mod_seqs);
    for (message, mod_seq) in numbered.filter(|(message, _)| is_in(&set, message.uid)) {
        if unchanged_since.is_some_and(|since| mod_seq > since) {
            modified.push(message.uid.to_string());
            continue;
        }
        match rest[0].text().as_str() {
            "+FLAGS.SILENT" | "+FLAGS" => message.flags.extend(given.clone()),
            "-FLAGS.SILENT" | "-FLAGS" => message.flags.retain(|flag| !given.contains(flag)),
            _ => return bad("unknown item"),
        }
    }
    if modified.is_empty() {
        return Reply::ok();
    }
    Reply::status(&format!("OK [MODIFIED {}] not all", modified.join(",")))
}
