//! Converts a store's raw names to decoded ones and back, by the store's prefix, separator and
//! encoding.
//!
//! Invariant: `read(encode(name)) == name` for every name, style and number of plain levels, as
//! long as the style has levels.
//!
//! INBOX stays INBOX whatever the prefix. If names are below `INBOX.`, the raw `INBOX.Sent` is
//! `Sent`, and a folder `INBOX/kid` from another server becomes `INBOX.INBOX.kid`, distinct from
//! `kid`: Cyrus, Courier and Dovecot all create it, and stripping the prefix gives `INBOX/kid`
//! again. Only the raw `INBOX.INBOX` has no name of its own in this scheme (it would be INBOX), so
//! it is read as `=49NBOX`.

use super::escape::{self, Strength};
use super::name::FolderName;
use super::utf7;
use crate::mail::{MailboxName, NameStyle};

/// A decoded raw name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The decoded name.
    pub(super) name: FolderName,
    /// Whether some level isn't valid modified UTF-7 (or UTF-8) and was taken literally.
    pub(super) malformed: bool,
    /// Whether some level was unescaped.
    pub(super) unescaped: bool,
}

/// How to treat `=XX` when decoding a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// They are this module's own, and decoded.
    Undone,
    /// They are the user's, and kept.
    Kept,
}

/// Decodes a raw name below the user's own prefix. `separator` is that of this mailbox. `None` for
/// an empty name.
pub(super) fn read(
    raw: &MailboxName,
    separator: Option<char>,
    style: &NameStyle,
    escapes: Escapes,
) -> Option<Reading> {
    if raw.is_inbox() {
        return Some(Reading {
            name: FolderName::inbox(),
            malformed: false,
            unescaped: false,
        });
    }
    let bytes = raw.as_bytes();
    let below = own_part(bytes, style);
    let mut reading = read_levels(below.unwrap_or(bytes), separator, style.utf8, escapes)?;
    let stripped = !style.prefix.is_empty() && below.is_some();
    if stripped && reading.name.is_inbox() {
        reading.name = inbox_below_inbox(below.unwrap_or_default())?;
    }
    Some(reading)
}

/// Decodes a whole raw name without removing a prefix: a folder in another user's or a shared
/// namespace.
pub(super) fn read_foreign(
    raw: &MailboxName,
    separator: Option<char>,
    utf8: bool,
) -> Option<Reading> {
    read_levels(raw.as_bytes(), separator, utf8, Escapes::Undone)
}

/// Returns what follows the user's own prefix; `None` if the name doesn't begin with it.
pub(super) fn own_part<'a>(raw: &'a [u8], style: &NameStyle) -> Option<&'a [u8]> {
    let (head, tail) = raw.split_at_checked(style.prefix.len())?;
    let inbox = style
        .prefix
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"INBOX"));
    let same = if inbox {
        head.eq_ignore_ascii_case(&style.prefix)
    } else {
        head == style.prefix
    };
    same.then_some(tail)
}

/// Every level is plain.
pub(super) const ALL_PLAIN: usize = usize::MAX;

/// Encodes a name as a store with this style writes it. Without levels, all levels become one. From
/// the level `plain` on, everything that any known server refuses is escaped too.
pub(super) fn encode(name: &FolderName, style: &NameStyle, plain: usize) -> MailboxName {
    if name.is_inbox() {
        return MailboxName::from("INBOX");
    }
    let raw = match usable(style.separator) {
        Some(_) => write_levels(name.levels(), style, plain),
        None => write_levels(name.flattened(0).levels(), style, plain),
    };
    MailboxName::new([style.prefix.as_slice(), raw.as_bytes()].concat())
}

/// Encodes levels below a mailbox that exists, whatever its spelling. `plain` counts the levels
/// below it.
pub(super) fn encode_below(
    parent: &MailboxName,
    levels: &[String],
    style: &NameStyle,
    plain: usize,
) -> MailboxName {
    let separator = usable(style.separator).unwrap_or('/').to_string();
    let parent = parent.as_bytes();
    let parent = parent.strip_suffix(separator.as_bytes()).unwrap_or(parent);
    MailboxName::new(
        [
            parent,
            separator.as_bytes(),
            write_levels(levels, style, plain).as_bytes(),
        ]
        .concat(),
    )
}

fn write_levels(levels: &[String], style: &NameStyle, plain: usize) -> String {
    let separator = usable(style.separator);
    let write = |(at, level): (usize, &String)| {
        let strength = if at < plain {
            Strength::Plain
        } else {
            Strength::Careful
        };
        let text = escape::escape(level, separator, strength);
        if style.utf8 {
            text
        } else {
            utf7::encode(&text)
        }
    };
    let written: Vec<_> = levels.iter().enumerate().map(write).collect();
    written.join(separator.unwrap_or('/').encode_utf8(&mut [0; 4]))
}

/// Returns the separator, unless modified UTF-7 or escapes use it: then there are no levels.
pub(super) fn usable(separator: Option<char>) -> Option<char> {
    separator.filter(|c| c.is_ascii_punctuation() && !"=&-+,".contains(*c))
}

fn read_levels(
    raw: &[u8],
    separator: Option<char>,
    utf8: bool,
    escapes: Escapes,
) -> Option<Reading> {
    let separator = usable(separator);
    let mut parts: Vec<&[u8]> = raw
        .split(|&byte| separator == Some(char::from(byte)))
        .collect();
    // UW lists a directory `d` as `d/` too.
    if parts.len() > 1 && parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    if parts.iter().all(|part| part.is_empty()) {
        return None;
    }
    let (mut malformed, mut unescaped) = (false, false);
    let mut levels = Vec::with_capacity(parts.len());
    for part in parts {
        let decoded = if utf8 {
            decode_utf8(part)
        } else {
            utf7::decode(part)
        };
        levels.push(match decoded {
            None => {
                malformed = true;
                literal(part)
            }
            Some(text) if escapes == Escapes::Kept => text,
            Some(text) => {
                let level = escape::unescape(&text, separator);
                unescaped |= level != text;
                level
            }
        });
    }
    Some(Reading {
        name: FolderName::new(levels)?,
        malformed,
        unescaped,
    })
}

fn decode_utf8(raw: &[u8]) -> Option<String> {
    let text = str::from_utf8(raw).ok()?;
    (!text.contains('\0')).then(|| text.to_owned())
}

/// Returns a level that can't be decoded literally: a raw `R&D` most likely means just that. Bytes
/// that aren't text are in hex.
fn literal(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    for chunk in raw.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\0', "=00"));
        for byte in chunk.invalid() {
            text.push_str(&format!("={byte:02X}"));
        }
    }
    text
}

/// Returns the name of `INBOX.INBOX`: with its first letter in hex, preserving case.
fn inbox_below_inbox(raw: &[u8]) -> Option<FolderName> {
    let (first, rest) = raw.get(..5)?.split_first()?;
    FolderName::new(vec![format!("={first:02X}{}", literal(rest))])
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::{any_name, name};
    use super::*;
    use proptest::prelude::*;

    fn style(prefix: &str, separator: char, utf8: bool) -> NameStyle {
        NameStyle {
            prefix: prefix.into(),
            separator: Some(separator),
            utf8,
        }
    }

    fn read_own(raw: &str, style: &NameStyle) -> Option<FolderName> {
        read(&raw.into(), style.separator, style, Escapes::Undone).map(|reading| reading.name)
    }

    #[test]
    fn raw_names_and_decoded_ones_belong_together() {
        let (slash, dot, below) = (
            style("", '/', false),
            style("", '.', false),
            style("INBOX.", '.', false),
        );
        for (style, raw, levels) in [
            (&slash, "INBOX", &["INBOX"][..]),
            (&slash, "INBOX/kid", &["INBOX", "kid"]),
            (&slash, "Entw&APw-rfe/R&-D", &["Entwürfe", "R&D"]),
            (&slash, "a.b/&2D3eAA-", &["a.b", "😀"]),
            (&slash, "a=2Fb", &["a/b"]),
            (&dot, "INBOX.kid", &["INBOX", "kid"]),
            (&dot, "a=2Eb.c", &["a.b", "c"]),
            (&below, "INBOX", &["INBOX"]),
            (&below, "INBOX.Sent", &["Sent"]),
            (&below, "INBOX.INBOX.kid", &["INBOX", "kid"]),
            (&below, "INBOX.INBOX.INBOX", &["INBOX", "INBOX"]),
            (&below, "INBOX.Work.a=2Fb", &["Work", "a/b"]),
        ] {
            assert_eq!(read_own(raw, style), Some(name(levels)), "{raw}");
            assert_eq!(encode(&name(levels), style, ALL_PLAIN), raw.into());
        }
    }

    #[test]
    fn odd_spellings_are_read_too() {
        let (slash, below) = (style("", '/', false), style("INBOX.", '.', false));
        for (style, raw, levels) in [
            (&slash, "Inbox", &["INBOX"][..]),
            (&slash, "inbox/kid", &["INBOX", "kid"]),
            (&slash, "dir/", &["dir"]),
            (&slash, "a//b", &["a", "", "b"]),
            (&slash, "R&D", &["R&D"]),
            (&below, "Inbox.Sent", &["Sent"]),
            (&below, "INBOX.INBOX", &["=49NBOX"]),
            (&below, "INBOX.inbox", &["=69nbox"]),
            (&below, "shared.x", &["shared", "x"]),
        ] {
            assert_eq!(read_own(raw, style), Some(name(levels)), "{raw}");
        }
        assert_eq!(read_own("", &slash), None);
        assert_eq!(read_own("/", &slash), None);
        assert_eq!(read_own("INBOX.", &below), None);
    }

    #[test]
    fn a_name_that_is_no_text_is_shown_in_hex() {
        let slash = style("", '/', false);
        let reading = read(
            &MailboxName::new(&b"caf\xe9/x"[..]),
            Some('/'),
            &slash,
            Escapes::Undone,
        )
        .unwrap();
        assert_eq!(reading.name, name(&["caf=E9", "x"]));
        assert!(reading.malformed);
        assert_eq!(
            read_own(&String::from("caf=E9/x"), &slash),
            Some(name(&["caf=E9", "x"]))
        );
    }

    #[test]
    fn a_mailbox_without_separator_is_one_level() {
        let slash = style("", '/', false);
        let reading = read(&"a/b".into(), None, &slash, Escapes::Undone).unwrap();
        assert_eq!(reading.name, name(&["a/b"]));
    }

    #[test]
    fn a_store_without_levels_takes_all_in_one() {
        for separator in [None, Some('='), Some('A'), Some('&'), Some('é'), Some('\n')] {
            let flat = NameStyle {
                prefix: Vec::new(),
                separator,
                utf8: false,
            };
            assert_eq!(encode(&name(&["a", "b"]), &flat, ALL_PLAIN), "a=2Fb".into());
            assert_eq!(read_own("a=2Fb", &flat), Some(name(&["a/b"])));
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn every_name_comes_back(name in any_name(), which in 0..5usize, utf8 in any::<bool>()) {
            let (prefix, separator) = [("", '/'), ("", '.'), ("INBOX.", '.'), ("INBOX/", '/'), ("Mail|", '|')][which];
            let style = style(prefix, separator, utf8);
            for plain in 0..=name.levels().len() {
                let raw = encode(&name, &style, plain);
                let reading = read(&raw, style.separator, &style, Escapes::Undone);
                prop_assert_eq!(reading.map(|reading| (reading.name, reading.malformed)), Some((name.clone(), false)));
            }
        }

        #[test]
        fn no_raw_name_is_too_much(raw in prop::collection::vec(any::<u8>(), 0..30), utf8 in any::<bool>()) {
            let style = style("INBOX.", '.', utf8);
            let _ = read(&MailboxName::new(raw), Some('.'), &style, Escapes::Undone);
        }
    }
}
