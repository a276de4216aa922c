//! Status lines: the end of a command, untagged conditions, continuation requests (RFC 3501
//! sections 7.1 and 7.5).

use super::Response;
use super::code;
use super::cursor::text;
use std::borrow::Cow;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It was done, though perhaps without effect.
    Ok,
    /// It was refused.
    No,
    /// It was not understood.
    Bad,
}

/// What an untagged status line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Information, or the greeting.
    Ok,
    /// A warning.
    No,
    /// An error that belongs to no particular command.
    Bad,
    /// The server is closing the connection.
    Bye,
    /// A greeting: the connection is already logged in.
    PreAuth,
}

/// Parses a status line, given without its line end; `None` if the line is something else.
///
/// ```abnf
/// response-tagged = tag SP resp-cond-state CRLF
/// resp-cond-state = ("OK" / "NO" / "BAD") SP resp-text
/// resp-cond-auth  = ("OK" / "PREAUTH") SP resp-text
/// resp-cond-bye   = "BYE" SP resp-text
/// continue-req    = "+" SP (resp-text / base64) CRLF
/// ```
/// (RFC 3501 section 9.) The text may be missing and blanks may be repeated: the line is clear
/// without them.
pub(super) fn read(line: &[u8]) -> Option<Response<'_>> {
    if let Some(rest) = line.strip_prefix(b"+") {
        return Some(Response::Continue {
            text: rest.strip_prefix(b" ").unwrap_or(rest),
        });
    }
    let (tag, rest) = word(line);
    let (condition, rest) = word(rest);
    let condition = condition_from(condition)?;
    let (code, rest) = code::split(rest.trim_ascii_start());
    let text = text(Cow::Borrowed(rest));
    if tag == b"*" {
        return Some(Response::Status {
            condition,
            code,
            text,
        });
    }
    let completion = match condition {
        Condition::Ok => Completion::Ok,
        Condition::No => Completion::No,
        Condition::Bad => Completion::Bad,
        Condition::Bye | Condition::PreAuth => return None,
    };
    let tag = std::str::from_utf8(tag)
        .ok()
        .filter(|tag| !tag.is_empty())?;
    Some(Response::Tagged {
        tag,
        completion,
        code,
        text,
    })
}

fn condition_from(word: &[u8]) -> Option<Condition> {
    let names: [(&[u8], Condition); 5] = [
        (b"OK", Condition::Ok),
        (b"NO", Condition::No),
        (b"BAD", Condition::Bad),
        (b"BYE", Condition::Bye),
        (b"PREAUTH", Condition::PreAuth),
    ];
    names
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, condition)| *condition)
}

/// Splits off the first word.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line
        .iter()
        .position(|byte| !is_blank(byte))
        .unwrap_or(line.len());
    let line = &line[start..];
    line.split_at(line.iter().position(is_blank).unwrap_or(line.len()))
}
