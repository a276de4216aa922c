//! How long a line may be.

/// The longest line, without its end (RFC 5322 section 2.1.1).
pub(super) const LONGEST: usize = 998;

/// Reports whether a text has a longer line.
pub(super) fn has_long_lines(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n')
        .any(|line| line.strip_suffix(b"\r").unwrap_or(line).len() > LONGEST)
}
