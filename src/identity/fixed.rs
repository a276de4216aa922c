//! The marks of a message that was corrected before it was stored (`--fix-refused`): whose copy it
//! is.
//!
//! A comment in its Date has the header key of the original, so that every scan, which requests the
//! Date anyway, takes it for the original; a field of its own has the SHA-256 of the original's
//! bytes, for comparisons of contents.

use super::header::{fields, unfolded};
use crate::mail::HeaderKey;
use std::fmt::Write as _;

/// The field with the SHA-256 of the original.
pub const FIXED_FIELD: &str = "X-Mailferry-Fixed";

/// What the comment in Date begins with, and how the SHA-256 is named.
const COMMENT: &str = "(mailferry-fixed";
const DIGEST: &[u8] = b"sha256=";

/// Returns the comment for a Date, with the original's key.
pub fn fixed_comment(key: HeaderKey) -> String {
    let (kind, bytes) = match key {
        HeaderKey::WithId(bytes) => ('i', bytes),
        HeaderKey::WithoutId(bytes) => ('n', bytes),
        HeaderKey::Empty | HeaderKey::Unknown => ('e', [0; 16]),
    };
    format!("{COMMENT} {kind}{})", hex(&bytes))
}

/// Returns the value of the field with the original's SHA-256. `what` says what was corrected.
pub fn fixed_value(what: &str, digest: &[u8; 32]) -> String {
    format!("{what}\r\n sha256={}", hex(digest))
}

/// Returns the original's key, if the value of a Date has the comment.
pub(super) fn key_in(date: &[u8]) -> Option<HeaderKey> {
    // Nearly no date has it, and looking for it is faster than unfolding.
    find(date, COMMENT.as_bytes())?;
    let value: Vec<u8> = unfolded(date).collect();
    let at = find(&value, COMMENT.as_bytes())?;
    // A server may fold it elsewhere.
    let rest = value.get(at + COMMENT.len()..)?.trim_ascii_start();
    let (kind, rest) = rest.split_first()?;
    let key: [u8; 16] = unhex(rest.get(..32)?)?;
    if rest.get(32) != Some(&b')') {
        return None;
    }
    match kind {
        b'i' => Some(HeaderKey::WithId(key)),
        b'n' => Some(HeaderKey::WithoutId(key)),
        b'e' => Some(HeaderKey::Empty),
        _ => None,
    }
}

/// Reports whether a message, its header, or a server's literal for [`FIELDS`](super::FIELDS) has
/// the comment.
pub fn is_fixed(header: &[u8]) -> bool {
    // Looking for it is faster than reading the fields.
    find(header, COMMENT.as_bytes()).is_some()
        && fields(header)
            .find(|field| field.is("Date"))
            .is_some_and(|field| key_in(field.value).is_some())
}

/// Returns the original's SHA-256 from the beginning of a message.
pub(super) fn original(head: &[u8]) -> Option<[u8; 32]> {
    find(head, DIGEST)?;
    let field = fields(head).find(|field| field.is(FIXED_FIELD))?;
    let value: Vec<u8> = unfolded(field.value).collect();
    let at = find(&value, DIGEST)? + DIGEST.len();
    unhex(value.get(at..at + 64)?)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::header_key;
    use super::*;

    #[test]
    fn a_marked_message_has_the_key_of_its_original() {
        for original in [
            &b"Message-ID: <a@x>\r\nSubject: Gr\xfc\xdfe\r\n\r\n"[..],
            b"Subject: no ID\r\n\r\n",
            b"\r\ntext",
        ] {
            let key = header_key(original);
            let comment = fixed_comment(key);
            let marked =
                format!("Subject: =?x?=\r\nDate: 1 Feb 2024 03:04:05 +0000\r\n {comment}\r\n\r\n");
            assert_eq!(header_key(marked.as_bytes()), key);
            assert!(is_fixed(marked.as_bytes()) && !is_fixed(original));
        }
        let other = b"Subject: (mailferry-fixed i0)\r\nDate: x (mailferry-fixed z1)\r\n\r\n";
        assert!(!is_fixed(other));
        assert_eq!(
            key_in(b"x (mailferry-fixed i00112233445566778899aabbccddeeff"),
            None
        );
    }

    #[test]
    fn the_digest_of_the_original_is_read_back() {
        let digest = [0xa5; 32];
        let value = fixed_value("nul, line_ends", &digest);
        let header = format!("Received: x\r\n{FIXED_FIELD}: {value}\r\nA: 1\r\n\r\nx");
        assert_eq!(original(header.as_bytes()), Some(digest));
        assert_eq!(original(b"A: sha256=00\r\n\r\n"), None);
    }
}
