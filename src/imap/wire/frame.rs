//! One complete response: its lines, including literals (RFC 3501 section 2.2.2).
//!
//! A frame has the server's bytes unchanged. Only a streamed literal is missing, and the frame knows
//! where.

/// A literal in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Where its bytes begin in the frame, right after the line end that follows `{n}`.
    pub offset: usize,
    /// Its announced size in bytes.
    pub size: u64,
    /// Whether its bytes were streamed past the frame: the frame then continues at `offset` with
    /// what follows them.
    pub streamed: bool,
}

impl Literal {
    /// Returns how many of its bytes are in the frame.
    pub(crate) fn kept(&self) -> usize {
        if self.streamed {
            0
        } else {
            usize::try_from(self.size).unwrap_or(usize::MAX)
        }
    }
}

/// One complete response, exactly as sent except for streamed literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) literals: Vec<Literal>,
    pub(super) depth: usize,
    pub(super) odd: bool,
}

impl Frame {
    /// Returns its bytes, including the last line end.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns its bytes without the last line end and without the NULs that some servers send
    /// before a response.
    pub fn trimmed(&self) -> &[u8] {
        // A literal may end in CR: that one isn't part of the line end.
        let line = self
            .literals
            .last()
            .map_or(0, |literal| literal.offset + literal.kept())
            .min(self.bytes.len());
        let end = line + without_line_end(&self.bytes[line..]).len();
        self.bytes.get(self.leading_nuls()..end).unwrap_or_default()
    }

    /// Returns its literals, by ascending offset.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Returns the deepest nesting of parentheses outside quotes and literals.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Reports whether it has nothing unusual: no escapes in quoted strings, no `~{n}` or `{n+}`,
    /// no streamed literal, no bare LF, no unterminated quote, no leading NUL.
    pub fn is_plain(&self) -> bool {
        !self.odd
    }

    /// Yields the text outside literals, piece by piece.
    pub fn text(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self
            .literals
            .iter()
            .map(|literal| literal.offset)
            .chain([self.bytes.len()]);
        let starts = [0].into_iter().chain(
            self.literals
                .iter()
                .map(|literal| literal.offset + literal.kept()),
        );
        starts
            .zip(ends)
            .map(|(start, end)| self.bytes.get(start..end).unwrap_or_default())
    }

    pub(super) fn leading_nuls(&self) -> usize {
        self.bytes.iter().take_while(|byte| **byte == 0).count()
    }

    pub(super) fn clear(&mut self) {
        /// How much of a frame's memory is kept for the next one: most are far smaller.
        const KEPT: usize = 256 << 10;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.literals.clear();
        self.literals.shrink_to(1024);
        self.depth = 0;
        self.odd = false;
    }
}

/// Returns a line without its CRLF or bare LF.
pub(super) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Reports whether a response with this first line can have literals: an untagged one that isn't a
/// status line. A status line's text may end in `{5}` without meaning a literal (RFC 3501 section
/// 7.1).
///
/// `response-data = "*" SP (resp-cond-state / resp-cond-bye / mailbox-data / message-data /
/// capability-data) CRLF` (RFC 3501 section 9), without the first two.
pub(super) fn carries_literals(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"*") else {
        return false;
    };
    let word = rest
        .split(u8::is_ascii_whitespace)
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    let status: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
    !status.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// A literal announced at the end of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// Its size; `None` if the number is negative or beyond 64 bits.
    pub(super) size: Option<u64>,
    /// Whether it is `~{n}` or `{n+}`, which plain responses don't have.
    pub(super) odd: bool,
}

/// Parses `{n}`, `{n+}` or `~{n}` at the end of a line without its line end.
///
/// The beginning of `literal = "{" number64 ["+"] "}" CRLF *CHAR8` or `literal8 = "~{" number64 "}"
/// CRLF *OCTET` (RFC 9051 section 9). A negative number counts as an announcement, too, so that it
/// is rejected rather than taken for text.
pub(super) fn announced(line: &[u8]) -> Option<Announced> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, plus) = inner
        .strip_suffix(b"+")
        .map_or((inner, false), |inner| (inner, true));
    let digits = inner
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (head, digits) = inner.split_at(inner.len() - digits);
    let (head, negative) = head
        .strip_suffix(b"-")
        .map_or((head, false), |head| (head, true));
    let before = head.strip_suffix(b"{")?;
    if digits.is_empty() {
        return None;
    }
    let size = std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|_| !negative);
    Some(Announced {
        size,
        odd: plus || before.ends_with(b"~"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_announcements() {
        let sized = |size, odd| Some(Announced { size, odd });
        for (line, expected) in [
            (&b"BODY[] {12}"[..], sized(Some(12), false)),
            (b"BODY[] {12+}", sized(Some(12), true)),
            (b"BODY[] ~{12}", sized(Some(12), true)),
            (b"{4294967296}", sized(Some(1 << 32), false)),
            (b"{18446744073709551615}", sized(Some(u64::MAX), false)),
            (b"{18446744073709551616}", sized(None, false)),
            (b"{-1}", sized(None, false)),
            (b"{}", None),
            (b"{a}", None),
            (b"12}", None),
            (b"{12", None),
            (b"", None),
        ] {
            assert_eq!(announced(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn status_lines_carry_no_literals() {
        for line in [
            &b"* OK {5}"[..],
            b"* ok [ALERT] {5}",
            b"*  NO",
            b"A1 OK {5}",
            b"+ {5}",
            b"Server {5}",
            b"",
        ] {
            assert!(!carries_literals(line), "{}", line.escape_ascii());
        }
        for line in [
            &b"* LIST () \"/\" {5}"[..],
            b"* 1 FETCH (BODY[] {5}",
            b"* OKAY {5}",
        ] {
            assert!(carries_literals(line), "{}", line.escape_ascii());
        }
    }
}
