//! Lines of a body that are too long: parts with text are written as quoted-printable, encoded ones
//! in shorter lines. What a reader sees stays the same.

use super::header::Header;
use super::lines::has_long_lines;
use super::{Faults, Unfixable};

/// How deep parts may be nested.
const DEEPEST: usize = 10;
/// The longest line that is written here (RFC 2045 section 6.7).
const SHORT: usize = 75;

/// Returns the body of a message or a part with shorter lines; its header says how it is encoded
/// now.
pub(super) fn shorten(
    header: &mut Header,
    body: &[u8],
    depth: usize,
) -> Result<Vec<u8>, Unfixable> {
    if !has_long_lines(body) {
        return Ok(body.to_vec());
    }
    let kind = header.value("Content-Type").unwrap_or_default();
    let lower = kind.to_ascii_lowercase();
    if lower.starts_with("multipart/") {
        let boundary = boundary(&kind).ok_or("a multipart has no boundary")?;
        return shorten_parts(&boundary, body, depth);
    }
    let encoding = header
        .value("Content-Transfer-Encoding")
        .unwrap_or_default();
    match encoding.to_ascii_lowercase().as_str() {
        "base64" => Ok(wrapped_base64(body)),
        "quoted-printable" => Ok(quoted_printable(body, true)),
        "" | "7bit" | "8bit" if kind.is_empty() || lower.starts_with("text/") => {
            header.set("Content-Transfer-Encoding", "quoted-printable");
            if header.value("MIME-Version").is_none() && depth == 0 {
                header.set("MIME-Version", "1.0");
            }
            Ok(quoted_printable(body, false))
        }
        _ => Err("a part with long lines is no text"),
    }
}

/// Shortens the lines of each part of a multipart.
fn shorten_parts(boundary: &[u8], body: &[u8], depth: usize) -> Result<Vec<u8>, Unfixable> {
    if depth == DEEPEST {
        return Err("its parts are nested too deeply");
    }
    let delimiter = [b"--", boundary].concat();
    let mut out = Vec::new();
    let mut part: Option<Vec<u8>> = None;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(&delimiter) {
            end_part(part.take(), depth, &mut out)?;
            out.extend_from_slice(line);
            let is_last = line[delimiter.len()..].starts_with(b"--");
            part = (!is_last).then(Vec::new);
        } else if let Some(part) = &mut part {
            part.extend_from_slice(line);
        } else if has_long_lines(line) {
            return Err("text outside of its parts has long lines");
        } else {
            out.extend_from_slice(line);
        }
    }
    end_part(part, depth, &mut out)?;
    Ok(out)
}

fn end_part(part: Option<Vec<u8>>, depth: usize, out: &mut Vec<u8>) -> Result<(), Unfixable> {
    let Some(part) = part else { return Ok(()) };
    if !has_long_lines(&part) {
        out.extend_from_slice(&part);
        return Ok(());
    }
    // A part without a header begins with the empty line.
    let (mut header, body) = Header::split(&part, Faults::default(), &mut Faults::default());
    header.fold()?;
    let body = shorten(&mut header, body, depth + 1)?;
    out.extend_from_slice(&header.bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    Ok(())
}

/// Returns the boundary of a multipart (RFC 2046 section 5.1.1).
fn boundary(kind: &str) -> Option<Vec<u8>> {
    let at = kind.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    let rest = kind.get(at..)?;
    let found = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([';', ' ']).next()?,
    };
    (!found.is_empty()).then(|| found.as_bytes().to_vec())
}

/// Writes base64 in lines of 76 characters (RFC 2045 section 6.8).
fn wrapped_base64(body: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = (body.iter().copied())
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let mut out = Vec::new();
    for line in text.chunks(76) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Writes a text as quoted-printable (RFC 2045 section 6.7), or, if it `is_encoded` already, only
/// its lines shorter.
fn quoted_printable(body: &[u8], is_encoded: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let mut column = 0;
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let is_last = at + 1 == text.len();
            let token = if is_encoded && *byte == b'=' {
                text[at..text.len().min(at + 3)].to_vec()
            } else if is_plain(*byte, is_last) || is_encoded {
                vec![*byte]
            } else {
                format!("={byte:02X}").into_bytes()
            };
            at += if is_encoded { token.len() } else { 1 };
            let is_soft = is_encoded && token == b"=" && at == text.len();
            if column + token.len() > SHORT && !is_soft {
                out.extend_from_slice(b"=\r\n");
                column = 0;
            }
            column += token.len();
            out.extend_from_slice(&token);
        }
        if line.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// Reports whether a byte stands for itself; a blank at the end of a line doesn't.
fn is_plain(byte: u8, is_last: bool) -> bool {
    matches!(byte, b'!'..=b'<' | b'>'..=b'~') || matches!(byte, b' ' | b'\t') && !is_last
}
