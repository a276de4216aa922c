//! The messages of a folder in memory: APPEND's arguments, FETCH, STORE.

use super::super::scripted::Reply;
use super::super::wire::Value;
use super::{Folder, Held, bad, quoted};
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn flags(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(Value::text).collect()
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
    set: &str,
    items: &[Value],
    more: &dyn Fn(&Held, &str) -> Option<String>,
) -> Reply {
    let mut reply = Reply::ok();
    for (number, message) in held
        .messages
        .iter()
        .enumerate()
        .filter(|(_, message)| is_in(set, message.uid))
    {
        let mut line = format!("* {} FETCH (", number + 1).into_bytes();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                line.push(b' ');
            }
            let item = item.text();
            let mut plain = String::new();
            match item.as_str() {
                "UID" => write!(plain, "UID {}", message.uid).unwrap(),
                "FLAGS" => write!(
                    plain,
                    "FLAGS ({})",
                    Vec::from_iter(message.flags.clone()).join(" ")
                )
                .unwrap(),
                "INTERNALDATE" => write!(plain, "INTERNALDATE {}", quoted(&message.date)).unwrap(),
                "RFC822.SIZE" => write!(plain, "RFC822.SIZE {}", message.bytes.len()).unwrap(),
                "BODY.PEEK[]" => {
                    line.extend_from_slice(
                        format!("BODY[] {{{}}}\r\n", message.bytes.len()).as_bytes(),
                    );
                    line.extend_from_slice(&message.bytes);
                }
                fields if fields.starts_with("BODY.PEEK[HEADER.FIELDS (") => {
                    let header = header(&message.bytes, fields);
                    let name = fields.replacen(".PEEK", "", 1);
                    line.extend_from_slice(format!("{name} {{{}}}\r\n", header.len()).as_bytes());
                    line.extend_from_slice(&header);
                }
                other => match more(message, other) {
                    Some(text) => plain = text,
                    None => return bad("unknown item"),
                },
            }
            line.extend_from_slice(plain.as_bytes());
        }
        line.extend_from_slice(b")\r\n");
        reply = reply.raw(&line);
    }
    reply
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

pub(in super::super) fn store(held: &mut Folder, set: &str, how: &str, items: &[Value]) -> Reply {
    for message in held
        .messages
        .iter_mut()
        .filter(|message| is_in(set, message.uid))
    {
        match how {
            "+FLAGS.SILENT" | "+FLAGS" => message.flags.extend(flags(items)),
            "-FLAGS.SILENT" | "-FLAGS" => message.flags.retain(|flag| !flags(items).contains(flag)),
            _ => return bad("unknown item"),
        }
    }
    Reply::ok()
}
