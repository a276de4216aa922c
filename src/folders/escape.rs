//! Escapes what a name can't hold: `=XX`, the upper-case hex of each UTF-8 byte, similar to
//! quoted-printable.
//!
//! Invariant: `unescape(escape(level)) == level` for every level, separator and strength. A `=`
//! that would read as an escape is itself written `=3D`; every other `=` stays. Only what
//! [`escape`] would have written is ever unescaped, so a folder that happens to be called `a=20b`
//! keeps its name.

use std::fmt::Write as _;

/// An empty level, which no server accepts. NUL is in no name, so its escape is free for this.
const EMPTY: &str = "=00";

/// How much is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    /// What would change the levels or is refused nearly everywhere: the separator, `/` (Dovecot
    /// and Cyrus refuse it even if it separates nothing), control characters, a leading `~`, `.`
    /// and `..` as a level, empty levels.
    Plain,
    /// What any known server refuses: also all ASCII punctuation except `+ , - = @ _` (Cyrus
    /// refuses most of it, Dovecot's Maildir `.`, UW `#`), characters beyond the BMP (Courier),
    /// leading, trailing and repeated blanks (Gmail).
    Careful,
}

/// Escapes a level so that a server with this separator can hold it.
pub(super) fn escape(level: &str, separator: Option<char>, strength: Strength) -> String {
    if !is_changed(level, separator, strength) && unescape(level, separator) == level {
        return level.to_owned();
    }
    write(level, separator, strength)
}

/// Undoes [`escape`] of either strength, and nothing else.
pub(super) fn unescape(level: &str, separator: Option<char>) -> String {
    let read = if level == EMPTY {
        String::new()
    } else {
        read(level, &|c| is_known(c, separator))
    };
    let ours = [Strength::Plain, Strength::Careful]
        .iter()
        .any(|&strength| write(&read, separator, strength) == level);
    if ours { read } else { level.to_owned() }
}

/// Returns the characters in a level that plain escaping changes, each once. Empty for an empty
/// level.
pub(super) fn unfit(level: &str, separator: Option<char>) -> Vec<char> {
    let mut found = Vec::new();
    for (at, c) in level.char_indices() {
        if must_go(level, at, c, separator, Strength::Plain) && !found.contains(&c) {
            found.push(c);
        }
    }
    found
}

/// Escapes a level for display: only `/` and empty levels, so that `/` always means a separator.
pub(super) fn show(level: &str) -> String {
    if level.is_empty() {
        return EMPTY.to_owned();
    }
    if level == EMPTY {
        return "=3D00".to_owned();
    }
    let mut out = String::with_capacity(level.len());
    for (at, c) in level.char_indices() {
        let reads_as_escape = c == '=' && escape_at(&level[at..], &is_shown_escaped).is_some();
        if c == '/' || reads_as_escape {
            push_escaped(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

/// Parses a level as displayed or typed.
pub(super) fn read_typed(level: &str) -> String {
    if level == EMPTY {
        String::new()
    } else {
        read(level, &is_shown_escaped)
    }
}

fn is_shown_escaped(c: char) -> bool {
    matches!(c, '/' | '=')
}

fn write(level: &str, separator: Option<char>, strength: Strength) -> String {
    if level.is_empty() {
        return EMPTY.to_owned();
    }
    if level == EMPTY {
        return "=3D00".to_owned();
    }
    let mut out = String::with_capacity(level.len() + 8);
    for (at, c) in level.char_indices() {
        let reads_as_escape =
            c == '=' && escape_at(&level[at..], &|c| is_known(c, separator)).is_some();
        if reads_as_escape || must_go(level, at, c, separator, strength) {
            push_escaped(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

fn read(level: &str, known: &dyn Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(level.len());
    let mut rest = level;
    while let Some(c) = rest.chars().next() {
        let (c, length) = escape_at(rest, known).unwrap_or((c, c.len_utf8()));
        out.push(c);
        rest = &rest[length..];
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a String can't fail.
        let _ = write!(out, "={byte:02X}");
    }
}

/// Returns the character whose escape a text begins with, and the escape's length in bytes.
fn escape_at(text: &str, known: &dyn Fn(char) -> bool) -> Option<(char, usize)> {
    let lead = hex_at(text, 0)?;
    let bytes = match lead {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let encoded = (0..bytes)
        .map(|index| hex_at(text, index))
        .collect::<Option<Vec<u8>>>()?;
    let c = str::from_utf8(&encoded).ok()?.chars().next()?;
    known(c).then_some((c, bytes * 3))
}

/// Decodes the byte of the `index`th `=XX` in a text.
fn hex_at(text: &str, index: usize) -> Option<u8> {
    let &[b'=', high, low] = text.as_bytes().get(index * 3..index * 3 + 3)? else {
        return None;
    };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn is_changed(level: &str, separator: Option<char>, strength: Strength) -> bool {
    level.is_empty()
        || level
            .char_indices()
            .any(|(at, c)| must_go(level, at, c, separator, strength))
}

/// Reports whether a character may be escaped in some place at some strength, so that [`unescape`]
/// may decode it.
fn is_known(c: char, separator: Option<char>) -> bool {
    c != '\0' && (c == ' ' || c == '=' || is_plain(c, separator) || is_careful(c))
}

fn must_go(level: &str, at: usize, c: char, separator: Option<char>, strength: Strength) -> bool {
    let first = at == 0;
    let plain = is_plain(c, separator) || (c == '~' && first) || matches!(level, "." | "..");
    plain || (strength == Strength::Careful && (is_careful(c) || is_blank_at_edge(level, at, c)))
}

fn is_plain(c: char, separator: Option<char>) -> bool {
    c.is_control() || c == '/' || Some(c) == separator
}

fn is_careful(c: char) -> bool {
    (c.is_ascii_punctuation() && !"+,-=@_".contains(c)) || c > '\u{ffff}'
}

fn is_blank_at_edge(level: &str, at: usize, c: char) -> bool {
    c == ' ' && (at == 0 || at + 1 == level.len() || level.as_bytes().get(at - 1) == Some(&b' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn levels_are_escaped_as_little_as_possible() {
        for (level, separator, plain, careful) in [
            ("Work", '/', "Work", "Work"),
            ("a/b", '.', "a=2Fb", "a=2Fb"),
            ("a.b", '.', "a=2Eb", "a=2Eb"),
            ("a.b", '/', "a.b", "a=2Eb"),
            ("a|b", '|', "a=7Cb", "a=7Cb"),
            ("~x~", '/', "=7Ex~", "=7Ex=7E"),
            ("..", '/', "=2E=2E", "=2E=2E"),
            ("...", '/', "...", "=2E=2E=2E"),
            ("", '/', "=00", "=00"),
            ("a\r\nb", '/', "a=0D=0Ab", "a=0D=0Ab"),
            ("\u{85}", '/', "=C2=85", "=C2=85"),
            ("😀", '.', "😀", "=F0=9F=98=80"),
            (" a  b ", '/', " a  b ", "=20a =20b=20"),
            ("R&D", '/', "R&D", "R=26D"),
            ("übung", '/', "übung", "übung"),
            ("x=y", '/', "x=y", "x=y"),
            ("x=41", '/', "x=41", "x=41"),
            ("x=2f", '/', "x=2f", "x=2f"),
            ("x=2F", '/', "x=3D2F", "x=3D2F"),
            ("x=20y", '/', "x=20y", "x=20y"),
            ("=00", '/', "=3D00", "=3D00"),
        ] {
            let separator = Some(separator);
            assert_eq!(escape(level, separator, Strength::Plain), plain);
            assert_eq!(escape(level, separator, Strength::Careful), careful);
            assert_eq!(unescape(plain, separator), level);
            assert_eq!(unescape(careful, separator), level);
        }
    }

    #[test]
    fn only_our_own_escapes_are_undone() {
        for level in [
            "a=41", "a=E9", "a=2fb", "a=20b", "a=00b", "a=", "=", "=3", "a.b=25", "=F0=9F", "a=5Fx",
        ] {
            assert_eq!(unescape(level, Some('/')), level);
        }
        assert_eq!(unescape("a=5Fx", Some('_')), "a_x");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(unfit("a.b/c.d", Some('.')), ['.', '/']);
        assert!(unfit("plain", Some('.')).is_empty());
    }

    fn any_level() -> impl Strategy<Value = String> {
        prop_oneof![
            "[^\0]{0,20}",
            "[=/.~ A-F0-9]{0,12}",
            "(=[A-F0-9]{2}){0,5}[/.😀 ]?"
        ]
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn every_level_comes_back(level in any_level(), separator in "[/.|^\\\\:]", flat in any::<bool>()) {
            let separator = separator.chars().next().filter(|_| !flat);
            for strength in [Strength::Plain, Strength::Careful] {
                let escaped = escape(&level, separator, strength);
                prop_assert!(!escaped.chars().any(|c| c.is_control() || c == '/' || Some(c) == separator));
                prop_assert_eq!(unescape(&escaped, separator), level.clone());
            }
        }

        #[test]
        fn two_levels_never_become_one(a in any_level(), b in any_level()) {
            prop_assume!(a != b);
            for strength in [Strength::Plain, Strength::Careful] {
                prop_assert_ne!(escape(&a, Some('.'), strength), escape(&b, Some('.'), strength));
            }
        }
    }
}
