//! One complete response: its lines with their literals in place (RFC 3501 section 2.2.2).

/// A literal of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Where its bytes begin in the frame, right after the line end that follows `{n}`.
    pub offset: usize,
    /// Its announced size in bytes.
    pub size: u64,
    /// Whether its bytes were streamed past the frame: the frame then goes on at `offset` with what follows them.
    pub streamed: bool,
}

impl Literal {
    /// How many bytes of it stand in the frame.
    pub(crate) fn kept(&self) -> usize {
        if self.streamed { 0 } else { usize::try_from(self.size).unwrap_or(usize::MAX) }
    }
}

/// One complete response, exactly as the server sent it but for streamed literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub(super) bytes: Vec<u8>,
    pub(super) literals: Vec<Literal>,
    pub(super) depth: usize,
    pub(super) odd: bool,
}

impl Frame {
    /// Its bytes, the last line end included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes without the last line end and without the NULs that some servers send before a response.
    pub fn trimmed(&self) -> &[u8] {
        // A literal may end in CR: that one is no part of the line end.
        let line = self.literals.last().map_or(0, |literal| literal.offset + literal.kept()).min(self.bytes.len());
        let end = line + without_line_end(&self.bytes[line..]).len();
        self.bytes.get(self.leading_nuls()..end).unwrap_or_default()
    }

    /// Its literals, by ascending offset.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// The deepest nesting of parentheses outside of quotes and literals.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Whether nothing in it is out of the ordinary: no escapes in quoted strings, no `~{n}` or `{n+}`, no streamed
    /// literal, no bare LF, no quote left open, no leading NUL.
    pub fn is_plain(&self) -> bool {
        !self.odd
    }

    /// The text outside of literals, piece by piece.
    pub fn text(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.literals.iter().map(|literal| literal.offset).chain([self.bytes.len()]);
        let starts = [0].into_iter().chain(self.literals.iter().map(|literal| literal.offset + literal.kept()));
        starts.zip(ends).map(|(start, end)| self.bytes.get(start..end).unwrap_or_default())
    }

    pub(super) fn leading_nuls(&self) -> usize {
        self.bytes.iter().take_while(|byte| **byte == 0).count()
    }

    pub(super) fn clear(&mut self) {
        /// What a frame keeps of its memory for the next: most are far smaller.
        const KEPT: usize = 256 << 10;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.literals.clear();
        self.literals.shrink_to(1024);
        self.depth = 0;
        self.odd = false;
    }
}

/// A line without its CRLF or bare LF.
pub(super) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a response with this first line can carry literals: an untagged one that is not a status line. A status
/// line's text may end in `{5}` and means nothing by it (RFC 3501 section 7.1).
///
/// `response-data = "*" SP (resp-cond-state / resp-cond-bye / mailbox-data / message-data / capability-data) CRLF` (RFC 3501
/// section 9), without the first two.
pub(super) fn carries_literals(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"*") else { return false };
    let word = rest.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    let status: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
    !status.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// A literal announced at a line's end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Announced {
    /// Its size; `None` where the number is negative or beyond 64 bits.
    pub(super) size: Option<u64>,
    /// Whether it is `~{n}` or `{n+}`, which no plain response has.
    pub(super) odd: bool,
}

/// Reads `{n}`, `{n+}` or `~{n}` at the end of a line that has no line end any more.
///
/// The beginning of `literal = "{" number64 ["+"] "}" CRLF *CHAR8` or `literal8 = "~{" number64 "}" CRLF *OCTET` (RFC 9051
/// section 9). A negative number is announced, too, so that it is refused and not taken for text.
pub(super) fn announced(line: &[u8]) -> Option<Announced> {
    let inner = line.strip_suffix(b"}")?;
    let (inner, plus) = inner.strip_suffix(b"+").map_or((inner, false), |inner| (inner, true));
    let digits = inner.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, digits) = inner.split_at(inner.len() - digits);
    let (head, negative) = head.strip_suffix(b"-").map_or((head, false), |head| (head, true));
    let before = head.strip_suffix(b"{")?;
    if digits.is_empty() {
        return None;
    }
    let size = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).filter(|_| !negative);
    Some(Announced { size, odd: plus || before.ends_with(b"~") })
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
        for line in [&b"* OK {5}"[..], b"* ok [ALERT] {5}", b"*  NO", b"A1 OK {5}", b"+ {5}", b"Server {5}", b""] {
            assert!(!carries_literals(line), "{}", line.escape_ascii());
        }
        for line in [&b"* LIST () \"/\" {5}"[..], b"* 1 FETCH (BODY[] {5}", b"* OKAY {5}"] {
            assert!(carries_literals(line), "{}", line.escape_ascii());
        }
    }
}
