//! A message's header, field by field.

use super::lines::{LONGEST, has_long_lines};
use super::{Fault, Faults, Unfixable};
use crate::identity;
use crate::mail::InternalDate;

/// Where a longer line of a header is folded at the latest.
const FOLD_AT: usize = 900;
/// How many bytes of text an encoded word holds: in base64 with its charset it has less than 75
/// characters (RFC 2047 section 2).
const WORD_BYTES: usize = 39;

/// Fields with addresses: 8-bit text may stand only in names and comments.
const ADDRESSES: [&str; 8] = [
    "From",
    "To",
    "Cc",
    "Bcc",
    "Sender",
    "Reply-To",
    "Resent-From",
    "Resent-To",
];

/// The fields of a header, each with its continuation lines and line ends.
pub(super) struct Header(Vec<Vec<u8>>);

impl Header {
    /// Splits a message into its header and its body. If there is no empty line between them, and
    /// that is to be corrected, the header ends before the first line that is no field.
    pub(super) fn split<'t>(text: &'t [u8], faults: Faults, done: &mut Faults) -> (Self, &'t [u8]) {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut at = 0;
        let mut first_odd = None;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let length = rest.iter().position(|byte| *byte == b'\n');
            let line = &rest[..length.map_or(rest.len(), |lf| lf + 1)];
            if line.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                return Self::ended(lines, first_odd, text, at + line.len(), (faults, done));
            }
            let continues = matches!(line.first(), Some(b' ' | b'\t'));
            match lines.last_mut().filter(|_| continues) {
                Some(field) => field.extend_from_slice(line),
                None => {
                    if !is_field(line) && first_odd.is_none() {
                        first_odd = Some((lines.len(), at));
                    }
                    lines.push(line.to_vec());
                }
            }
            at += line.len();
        }
        if !faults.has(Fault::Separator) {
            return (Self(lines), &[]);
        }
        done.add(Fault::Separator);
        let (fields, body) = first_odd.unwrap_or((lines.len(), text.len()));
        lines.truncate(fields);
        (Self(lines), &text[body..])
    }

    /// Splits where the empty line is, unless there is no field before it at all: then all is body.
    fn ended<'t>(
        lines: Vec<Vec<u8>>,
        first_odd: Option<(usize, usize)>,
        text: &'t [u8],
        body: usize,
        (faults, done): (Faults, &mut Faults),
    ) -> (Self, &'t [u8]) {
        let has_none = first_odd.is_some() && !lines.iter().any(|line| is_field(line));
        if has_none && faults.has(Fault::Fields) {
            done.add(Fault::Fields);
            return (Self(Vec::new()), text);
        }
        (Self(lines), &text[body..])
    }

    /// Returns its bytes, without the empty line.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for field in &self.0 {
            all.extend_from_slice(field);
            if !field.ends_with(b"\n") {
                all.extend_from_slice(b"\r\n");
            }
        }
        all
    }

    /// Makes lines that are no fields the values of fields.
    pub(super) fn correct_lines(&mut self, done: &mut Faults) {
        for line in self.0.iter_mut().filter(|line| !is_field(line)) {
            line.splice(0..0, b"X-Original-Line: ".iter().copied());
            done.add(Fault::Fields);
        }
    }

    /// Writes 8-bit text as encoded words (RFC 2047), or in parameters as RFC 2231 does.
    pub(super) fn encode(&mut self, done: &mut Faults) -> Result<(), Unfixable> {
        for field in self.0.iter_mut().filter(|field| !field.is_ascii()) {
            let colon = field.iter().position(|byte| *byte == b':').unwrap_or(0);
            let name = String::from_utf8_lossy(field[..colon].trim_ascii_end()).into_owned();
            let value = field[colon..].to_vec();
            let is_one_of =
                |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(&name));
            let encoded = if colon == 0 || !name.is_ascii() {
                return Err("a line of its header has no ASCII name");
            } else if name.to_ascii_lowercase().starts_with("content-") {
                parameters(&value)?
            } else if is_one_of(&ADDRESSES) {
                addresses(&value)?
            } else {
                unstructured(&value)
            };
            field.truncate(colon);
            field.extend_from_slice(&encoded);
            done.add(Fault::EightBit);
        }
        Ok(())
    }

    /// Puts a Date in place of a missing one, or of one that can't be read, which is kept under
    /// another name.
    pub(super) fn correct_date(&mut self, date: Option<InternalDate>, done: &mut Faults) {
        let Some(date) = date.filter(|_| identity::heading(&self.bytes()).date.is_none()) else {
            return;
        };
        for field in self.0.iter_mut().filter(|field| is_named(field, "Date")) {
            field.splice(0..0, b"X-Original-".iter().copied());
        }
        self.0.push(written(date));
        done.add(Fault::Date);
    }

    /// Adds a comment to the Date; if there is none, it gets one, if INTERNALDATE is known.
    pub(super) fn mark_date(&mut self, date: Option<InternalDate>, comment: &str) {
        let at = self.0.iter().position(|field| is_named(field, "Date"));
        let at = at.or_else(|| {
            self.0.push(written(date?));
            Some(self.0.len() - 1)
        });
        if let Some(field) = at.and_then(|at| self.0.get_mut(at)) {
            field.truncate(field.trim_ascii_end().len());
            field.extend_from_slice(format!("\r\n {comment}\r\n").as_bytes());
        }
    }

    pub(super) fn has_long_lines(&self) -> bool {
        self.0.iter().any(|field| has_long_lines(field))
    }

    /// Folds long lines at blanks.
    pub(super) fn fold(&mut self) -> Result<(), Unfixable> {
        for field in &mut self.0 {
            let mut out = Vec::new();
            for line in field.split_inclusive(|byte| *byte == b'\n') {
                let mut line = line;
                while line.trim_ascii_end().len() > LONGEST {
                    let blank = line[1..FOLD_AT].iter().rposition(|byte| *byte == b' ');
                    let at = blank.ok_or("a long line of its header has no blank to fold it at")?;
                    out.extend_from_slice(&line[..=at]);
                    out.extend_from_slice(b"\r\n");
                    line = &line[at + 1..];
                }
                out.extend_from_slice(line);
            }
            *field = out;
        }
        Ok(())
    }

    /// Returns the first value with this name, unfolded.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let field = self.0.iter().find(|field| is_named(field, name))?;
        let colon = field.iter().position(|byte| *byte == b':')?;
        let value = String::from_utf8_lossy(&field[colon + 1..]);
        Some(value.replace(['\r', '\n'], "").trim().to_owned())
    }

    /// Replaces all fields with this name by one.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|field| !is_named(field, name));
        self.0.push(format!("{name}: {value}\r\n").into_bytes());
    }
}

/// Reports whether a line begins a field.
fn is_field(line: &[u8]) -> bool {
    identity::fields(line).next().is_some()
        && line
            .iter()
            .position(|byte| *byte == b':')
            .is_some_and(|colon| line[..colon].iter().all(u8::is_ascii_graphic))
}

fn is_named(field: &[u8], name: &str) -> bool {
    identity::fields(field)
        .next()
        .is_some_and(|field| field.is(name))
}

/// Returns a Date with this instant (RFC 5322 section 3.3).
fn written(date: InternalDate) -> Vec<u8> {
    // `01-Feb-2024 03:04:05 +0130`
    format!("Date: {}\r\n", date.to_string().replacen('-', " ", 2)).into_bytes()
}

/// Encodes the words with 8-bit text, and what is between two of them.
fn unstructured(value: &[u8]) -> Vec<u8> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let first = value.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
    let last = value.iter().rposition(|byte| !byte.is_ascii()).unwrap_or(0);
    let start = value[..first].iter().rposition(is_blank);
    // The colon stays.
    let start = start.map_or(1, |blank| blank + 1).max(1);
    let end = value[last..].iter().position(is_blank);
    let end = end.map_or(value.len(), |blank| last + blank);
    [
        &value[..start],
        &encoded_words(&value[start..end]),
        &value[end..],
    ]
    .concat()
}

/// Writes a text as encoded words, in UTF-8 if it is that, or else as Windows-1252.
fn encoded_words(text: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text: Vec<u8> = (text.iter().copied())
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let is_utf8 = std::str::from_utf8(&text).is_ok();
    let charset = if is_utf8 { "UTF-8" } else { "windows-1252" };
    let mut words = Vec::new();
    let mut rest = &text[..];
    while !rest.is_empty() {
        let mut length = rest.len().min(WORD_BYTES);
        // No character may be cut (RFC 2047 section 5).
        while is_utf8 && length > 1 && rest.get(length).is_some_and(|byte| byte & 0xc0 == 0x80) {
            length -= 1;
        }
        let (part, after) = rest.split_at(length);
        let encoded = base64::engine::general_purpose::STANDARD.encode(part);
        words.push(format!("=?{charset}?B?{encoded}?="));
        rest = after;
    }
    words.join("\r\n ").into_bytes()
}

/// Encodes 8-bit text in the names of addresses: quoted strings, words and comments.
fn addresses(value: &[u8]) -> Result<Vec<u8>, Unfixable> {
    const CUT: Unfixable = "8-bit text is part of an address in its header";
    let mut out = Vec::new();
    let mut rest = value;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => 1 + rest[1..].iter().position(|byte| *byte == b'"').ok_or(CUT)? + 1,
            b'<' => rest.iter().position(|byte| *byte == b'>').ok_or(CUT)? + 1,
            b',' | b':' | b';' | b'(' | b')' | b' ' | b'\t' | b'\r' | b'\n' => 1,
            _ => rest
                .iter()
                .position(|byte| b"\"<,:;() \t\r\n".contains(byte))
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        if token.is_ascii() {
            out.extend_from_slice(token);
        } else if let [b'"', inner @ .., b'"'] = token {
            if inner.contains(&b'\\') {
                return Err(CUT);
            }
            out.extend_from_slice(&encoded_words(inner));
        } else if token.contains(&b'@') || token.starts_with(b"<") {
            return Err(CUT);
        } else {
            // Blanks between encoded words are dropped by readers (RFC 2047 section 6.2), so one
            // that follows such a word is encoded with it.
            let follows = out.ends_with(b"?= ");
            let text = if follows {
                [b" ", token].concat()
            } else {
                token.to_vec()
            };
            out.extend_from_slice(&encoded_words(&text));
        }
    }
    Ok(out)
}

/// Encodes quoted parameters with 8-bit text (RFC 2231 section 4).
fn parameters(value: &[u8]) -> Result<Vec<u8>, Unfixable> {
    const ODD: Unfixable = "8-bit text in its header is no parameter";
    let mut out = Vec::new();
    let mut rest = value;
    while !rest.is_ascii() {
        let start = rest.iter().position(|byte| *byte == b'"').ok_or(ODD)?;
        let end = rest[start + 1..]
            .iter()
            .position(|byte| *byte == b'"')
            .ok_or(ODD)?;
        let (before, quoted) = (&rest[..start], &rest[start + 1..start + 1 + end]);
        rest = &rest[start + end + 2..];
        if !before.is_ascii() {
            return Err(ODD);
        }
        if quoted.is_ascii() || quoted.contains(&b'\\') {
            out.extend_from_slice(before);
            out.extend_from_slice(&[b"\"", quoted, b"\""].concat());
            if !quoted.is_ascii() {
                return Err(ODD);
            }
            continue;
        }
        out.extend_from_slice(before.strip_suffix(b"=").ok_or(ODD)?);
        let charset = std::str::from_utf8(quoted).map_or("windows-1252", |_| "UTF-8");
        out.extend_from_slice(format!("*={charset}''").as_bytes());
        for byte in quoted {
            if byte.is_ascii_alphanumeric() || b"-._".contains(byte) {
                out.push(*byte);
            } else {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
        }
    }
    out.extend_from_slice(rest);
    Ok(out)
}
