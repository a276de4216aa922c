//! Corrects messages that a server refuses for what is wrong with them (`--fix-refused`): as little
//! as its words name, and nothing that changes what a reader sees.
//!
//! ```text
//! faults   what can be wrong, and which of it a refusal names
//! header   fields: 8-bit text, missing or invalid dates, lines that are no fields
//! body     lines that are too long; lines says how long that is
//! ```
//!
//! Pure functions of bytes. A corrected message carries two marks (`identity`), by which later runs
//! take it for a copy of its original.

mod body;
mod faults;
mod header;
mod lines;

pub use faults::{Fault, Faults, named_in};

use crate::identity::{self, FIXED_FIELD};
use crate::mail::InternalDate;
use header::Header;
use sha2::{Digest as _, Sha256};

/// The largest message that is corrected, in bytes: each is held in memory.
pub const MOST_BYTES: u64 = 32 << 20;

/// A corrected message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What was corrected.
    pub faults: Faults,
}

/// Why a message can't be corrected, as the end of a sentence.
pub type Unfixable = &'static str;

const SIGNED: Unfixable = "it is signed or encrypted, which correcting it would break";
const BINARY: Unfixable = "it has binary parts";
const SOUND: Unfixable = "nothing is wrong with it that can be corrected";

/// Corrects these faults in a message. `date` is its INTERNALDATE.
///
/// # Errors
/// It has none of them, or they can't be corrected without changing what a reader sees.
pub fn fix(
    original: &[u8],
    faults: Faults,
    date: Option<InternalDate>,
) -> Result<Fixed, Unfixable> {
    let mut done = Faults::default();
    let text = clean(original, faults, &mut done)?;
    let (mut header, body) = Header::split(&text, faults, &mut done);
    if faults.has(Fault::Fields) {
        header.correct_lines(&mut done);
    }
    if faults.has(Fault::EightBit) {
        header.encode(&mut done)?;
    }
    if faults.has(Fault::Date) {
        header.correct_date(date, &mut done);
    }
    let mut body = body.to_vec();
    if faults.has(Fault::LongLines) && (lines::has_long_lines(&body) || header.has_long_lines()) {
        if lines::has_long_lines(&body) && is_sealed(original) {
            return Err(SIGNED);
        }
        header.fold()?;
        body = body::shorten(&mut header, &body, 0)?;
        done.add(Fault::LongLines);
    }
    if done.is_empty() {
        return Err(SOUND);
    }
    header.mark_date(
        date,
        &identity::fixed_comment(identity::header_key(original)),
    );
    let digest: [u8; 32] = Sha256::digest(original).into();
    let what = done.names().join(", ");
    let mark = format!(
        "{FIXED_FIELD}: {}\r\n",
        identity::fixed_value(&what, &digest)
    );
    Ok(Fixed {
        bytes: [mark.as_bytes(), &header.bytes(), b"\r\n", &body].concat(),
        faults: done,
    })
}

/// Removes NULs and corrects line ends, as far as these are among the faults.
fn clean(original: &[u8], faults: Faults, done: &mut Faults) -> Result<Vec<u8>, Unfixable> {
    let mut text = original.to_vec();
    let has_nul = faults.has(Fault::Nul) && text.contains(&0);
    let has_bare = faults.has(Fault::LineEnds) && has_bare_ends(&text);
    if !has_nul && !has_bare {
        return Ok(text);
    }
    if is_sealed(original) {
        return Err(SIGNED);
    }
    if has_binary_parts(original) {
        return Err(BINARY);
    }
    if has_nul {
        text.retain(|byte| *byte != 0);
        done.add(Fault::Nul);
    }
    if has_bare {
        text = with_line_ends(&text);
        done.add(Fault::LineEnds);
    }
    Ok(text)
}

fn has_bare_ends(text: &[u8]) -> bool {
    let mut before = 0;
    for (at, byte) in text.iter().enumerate() {
        let is_bare_lf = *byte == b'\n' && before != b'\r';
        let is_bare_cr = *byte == b'\r' && text.get(at + 1) != Some(&b'\n');
        if is_bare_lf || is_bare_cr {
            return true;
        }
        before = *byte;
    }
    false
}

/// Writes every line end as CRLF: a bare LF, a run of CRs before an LF, and a bare CR in the body.
/// In the header a bare CR becomes a blank, as what follows it need not be a field.
fn with_line_ends(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32);
    let (mut in_header, mut line_start) = (true, true);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let returns = text[at..].iter().take_while(|byte| **byte == b'\r').count();
        let ends_line = text.get(at + returns) == Some(&b'\n');
        if ends_line || (returns > 0 && !in_header) {
            in_header &= !line_start;
            out.extend_from_slice(b"\r\n");
            // Each bare CR in a body is a line of its own.
            at += if ends_line { returns + 1 } else { 1 };
            line_start = true;
        } else if returns > 0 {
            out.push(b' ');
            at += returns;
        } else {
            out.push(*byte);
            at += 1;
            line_start = false;
        }
    }
    out
}

/// Reports whether something in a message is signed or encrypted.
fn is_sealed(text: &[u8]) -> bool {
    has_type(
        text,
        b"content-type:",
        &[b"multipart/signed", b"multipart/encrypted", b"pkcs7-mime"],
    ) || text
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"-----BEGIN PGP"))
}

/// Reports whether a message has parts whose bytes are no text.
fn has_binary_parts(text: &[u8]) -> bool {
    has_type(text, b"content-transfer-encoding:", &[b"binary"])
}

/// Reports whether a line of a message, in its header or a part's, is such a field with such a
/// value. A line of text that looks like one counts, too: then nothing is corrected.
fn has_type(text: &[u8], name: &[u8], values: &[&[u8]]) -> bool {
    text.split(|byte| matches!(byte, b'\n' | b'\r'))
        .any(|line| {
            let begins = line
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name));
            begins && {
                let line = line.to_ascii_lowercase();
                let has = |value: &&[u8]| line.windows(value.len()).any(|window| window == *value);
                values.iter().any(has)
            }
        })
}

#[cfg(test)]
mod tests;
