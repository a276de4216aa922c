//! LIST, LSUB, XLIST and STATUS (RFC 3501 sections 7.2.2 to 7.2.4, RFC 5258, RFC 8438, RFC 8474).
//!
//! Names stay the server's raw bytes; otherwise they could not be sent back to it.

use super::cursor::{Cursor, Value};
use super::fetch::{Why, lenient_number};
use crate::mail::{FolderStatus, ModSeq, UidNext, UidValidity};
use std::borrow::Cow;

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedItem {
    /// The attributes as sent, such as `\HasChildren`: compare them case-insensitively.
    pub attributes: Vec<String>,
    /// The separator of levels in this name; `None` for NIL and `""`.
    pub separator: Option<char>,
    /// The name, raw but without quotes and escapes.
    pub name: Vec<u8>,
}

impl ListedItem {
    /// Reports whether it can be opened: neither `\\Noselect` nor `\\NonExistent`.
    pub fn is_selectable(&self) -> bool {
        !self.has("\\Noselect") && !self.has("\\NonExistent")
    }

    /// Reports whether it has an attribute, such as `\\Noinferiors`.
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes
            .iter()
            .any(|told| told.eq_ignore_ascii_case(attribute))
    }
}

/// What STATUS said about a mailbox. Unknown items are skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxStatus {
    /// The mailbox's raw name.
    pub name: Vec<u8>,
    /// Its counters. An impossible zero (UIDNEXT, UIDVALIDITY) counts as missing.
    pub counters: FolderStatus,
    /// APPENDLIMIT in bytes (RFC 7889).
    pub append_limit: Option<u64>,
}

/// Parses `(attributes) separator name [(extended data)]`.
///
/// ```abnf
/// mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil)
///                SP mailbox [SP mbox-list-extended]
/// ```
/// (RFC 5258 section 6.)
pub(super) fn listed(cursor: &mut Cursor<'_>) -> Result<ListedItem, Why> {
    let attributes = cursor.flags().ok_or("its attributes are not a list")?;
    let separator = separator(cursor)?;
    let name = name(cursor)?;
    Ok(ListedItem {
        attributes: attributes.into_iter().map(Cow::into_owned).collect(),
        separator,
        name,
    })
}

/// Takes `DQUOTE QUOTED-CHAR DQUOTE / nil` (RFC 3501 section 9 `mailbox-list`). An empty string is
/// NIL.
fn separator(cursor: &mut Cursor<'_>) -> Result<Option<char>, Why> {
    const WHY: Why = "its separator is not one character";
    cursor.blanks();
    // A server that forgets the escape: `"\" name`.
    if cursor.rest().starts_with(b"\"\\\" ") {
        cursor.advance(3);
        return Ok(Some('\\'));
    }
    let text = match cursor.value().ok_or(WHY)? {
        Value::Nil => return Ok(None),
        value => value.text().ok_or(WHY)?,
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (separator, None) => Ok(separator),
        _ => Err(WHY),
    }
}

/// Takes a name up to the end of the line. Unquoted, it may contain blanks, TABs and parentheses
/// (Exchange): only known extended data ends it.
///
/// `mailbox = "INBOX" / astring` (RFC 3501 section 9).
fn name(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Why> {
    cursor.blanks();
    if let Some(name) = cursor.string_ahead() {
        let name = name
            .and_then(Value::bytes)
            .ok_or("its name can't be read")?
            .into_owned();
        return match cursor.rest().first() {
            None | Some(b' ' | b'\t' | b'(') => Ok(name),
            Some(_) => Err("there is text right after its name"),
        };
    }
    let line = cursor.rest();
    let extended = (0..line.len())
        .find(|at| is_extended_data(&line[*at..]))
        .unwrap_or(line.len());
    let name = line[..extended].trim_ascii_end();
    match name {
        b"" => Err("it has no name"),
        // A server that knows that NIL means none quotes a folder with this name.
        name if name.eq_ignore_ascii_case(b"NIL") => Err("it has NIL for a name"),
        name => Ok(name.to_vec()),
    }
}

/// Reports whether a text is extended data.
///
/// ```abnf
/// childinfo-extended-item = "CHILDINFO" SP "(" list-select-base-opt-quoted
///                           *(SP list-select-base-opt-quoted) ")"
/// oldname-extended-item   = "OLDNAME" SP "(" mailbox ")"
/// ```
/// (RFC 9051 section 9.) The name of the item may be quoted.
fn is_extended_data(text: &[u8]) -> bool {
    let Some(inside) = text.strip_prefix(b" (") else {
        return false;
    };
    let inside = inside.strip_prefix(b"\"").unwrap_or(inside);
    let kinds: [&[u8]; 2] = [b"CHILDINFO", b"OLDNAME"];
    kinds.iter().any(|kind| {
        inside
            .get(..kind.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(kind))
    })
}

/// Parses `name (item value …)`.
///
/// ```abnf
/// mailbox-data    =/ "STATUS" SP mailbox SP "(" [status-att-list] ")"
/// status-att-list  = status-att-val *(SP status-att-val)
/// ```
/// (RFC 9051 section 9.)
pub(super) fn status(cursor: &mut Cursor<'_>) -> Result<MailboxStatus, Why> {
    let mut status = MailboxStatus {
        name: status_name(cursor)?,
        ..MailboxStatus::default()
    };
    if !cursor.eat(b'(') {
        return Err("it has no list of items");
    }
    while !cursor.eat(b')') {
        let item = cursor.word().to_ascii_uppercase();
        if item.is_empty() {
            return Err("an item has no name");
        }
        read_item(&mut status, &item, cursor).ok_or("an item has no value")?;
    }
    if cursor.is_end() {
        Ok(status)
    } else {
        Err("there is text after its items")
    }
}

/// Takes a name that may be unquoted and contain blanks: it extends to the last opening parenthesis
/// after a blank.
///
/// `mailbox = "INBOX" / astring` (RFC 3501 section 9).
fn status_name(cursor: &mut Cursor<'_>) -> Result<Vec<u8>, Why> {
    cursor.blanks();
    if let Some(name) = cursor.string_ahead() {
        return Ok(name
            .and_then(Value::bytes)
            .ok_or("its name can't be read")?
            .into_owned());
    }
    let line = cursor.rest();
    let strict = line
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t'))
        .unwrap_or(line.len());
    let lenient = || {
        line.windows(2)
            .rposition(|window| window == b" (")
            .unwrap_or(line.len())
    };
    let end = if line[strict..].trim_ascii_start().starts_with(b"(") {
        strict
    } else {
        lenient()
    };
    cursor.advance(end);
    let name = line[..end].trim_ascii_end();
    if name.is_empty() {
        Err("it has no name")
    } else {
        Ok(name.to_vec())
    }
}

/// Parses one item.
///
/// ```abnf
/// status-att-val  = ("MESSAGES" SP number) / ("UIDNEXT" SP nz-number) / ("UIDVALIDITY" SP nz-number) /
///                   ("UNSEEN" SP number) / ("DELETED" SP number) / ("SIZE" SP number64)
///                                                                ; RFC 9051 section 9
/// status-att-val =/ "HIGHESTMODSEQ" SP mod-sequence-valzer       ; RFC 7162 section 7
/// status-att-val =/ "MAILBOXID" SP "(" objectid ")"              ; RFC 8474 section 7
/// status-att-val =/ "APPENDLIMIT" SP (number / nil)              ; RFC 7889 section 5
/// ```
/// An invalid value counts as missing: the other items are still right.
fn read_item(status: &mut MailboxStatus, item: &[u8], cursor: &mut Cursor<'_>) -> Option<()> {
    if item == b"MAILBOXID" {
        // Cyrus 3.6 sometimes sends freed memory here; that isn't an id (RFC 8474 section 7).
        let is_id = |id: &Cow<'_, str>| {
            !id.is_empty()
                && id
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        };
        status.counters.mailbox_id = cursor
            .single()?
            .and_then(Value::text)
            .filter(is_id)
            .map(Cow::into_owned);
        return Some(());
    }
    let ahead = cursor.clone().value()?;
    cursor.skip()?;
    let exact = |value: Value<'_>| value.number::<u32>().filter(|number| *number > 0);
    let count = |value: Value<'_>| lenient_number(&value.bytes()?);
    let small = |value: Value<'_>| count(value)?.try_into().ok();
    match item {
        b"MESSAGES" => status.counters.counters.messages = small(ahead),
        b"UNSEEN" => status.counters.unseen = small(ahead),
        b"UIDNEXT" => status.counters.counters.uid_next = exact(ahead).and_then(UidNext::new),
        b"UIDVALIDITY" => status.counters.counters.uid_validity = exact(ahead).map(UidValidity),
        b"HIGHESTMODSEQ" => status.counters.counters.mod_seq = ahead.number().map(ModSeq),
        b"SIZE" => status.counters.size = count(ahead),
        b"APPENDLIMIT" => status.append_limit = ahead.number(),
        _ => {}
    }
    Some(())
}
