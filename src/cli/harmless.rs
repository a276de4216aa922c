//! Makes text from a server harmless: the only way for it to reach a terminal or a log.
//!
//! A folder's name or an error's text is written by someone else. Control characters and ESC would
//! move the cursor, clear the screen or type into the terminal; line ends would forge lines in a
//! log; bidirectional overrides would change how text reads. Each becomes a visible `\u{1b}`, and a
//! text is never longer than a line.

use std::fmt::Write as _;

/// The longest text of one field, in characters: a name, a reason, a warning.
const FIELD: usize = 300;

/// The longest hint, in characters: a few sentences, with what a server offers.
const ADVICE: usize = 1000;

/// The longest line of the protocol, in characters.
const TRACE: usize = 2000;

/// Reports whether a terminal may do anything with `c` other than show it in its place.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' // marks of direction
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // embeddings, overrides, isolates
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}') // invisible marks
}

/// Prepares one field's text for display.
pub(crate) fn text(raw: &str) -> String {
    limited(raw, FIELD)
}

/// Prepares a hint for display: it is useless if its end is cut off.
pub(crate) fn advice(raw: &str) -> String {
    limited(raw, ADVICE)
}

/// Prepares a line of the protocol for display. Invalid UTF-8 shows as U+FFFD.
pub(crate) fn trace(raw: &[u8]) -> String {
    limited(&String::from_utf8_lossy(raw), TRACE)
}

fn limited(raw: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(raw.len().min(limit));
    for (at, c) in raw.chars().enumerate() {
        if at == limit {
            shown.push('…');
            break;
        }
        if is_harmful(c) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_characters_become_visible() {
        let table = [
            ("Entwürfe/日本語 👍🏽", "Entwürfe/日本語 👍🏽"),
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("one\r\ntwo", "one\\u{d}\\u{a}two"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("exe\u{202e}cod.", "exe\\u{202e}cod."),
            ("a\u{2028}b\u{7f}", "a\\u{2028}b\\u{7f}"),
            ("", ""),
        ];
        for (raw, shown) in table {
            assert_eq!(text(raw), shown);
        }
    }

    #[test]
    fn a_text_is_one_line_long_at_most() {
        assert_eq!(text(&"x".repeat(300)), "x".repeat(300));
        assert_eq!(text(&"ü".repeat(5000)), format!("{}…", "ü".repeat(300)));
        assert_eq!(advice(&"x".repeat(600)), "x".repeat(600));
        assert_eq!(trace(&[0xff, b'a']), "\u{fffd}a");
        assert_eq!(trace(&[b'a'; 9000]).chars().count(), 2001);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn nothing_harmful_is_left(raw in any::<String>()) {
            prop_assert!(!text(&raw).chars().any(is_harmful));
        }
    }
}
