//! The heading of a message in lists: subject, sender and date.

use super::harmless;
use mailferry::mail::{Heading, InternalDate};
use unicode_width::UnicodeWidthChar as _;

/// The maximum width of a subject and a sender in a terminal, in columns.
const SUBJECT: usize = 60;
const FROM: usize = 40;

/// Returns ` "Invoice 4711" from Ann <ann@example.org>, 2026-03-26`, to follow a UID; empty if no
/// heading was read.
pub(crate) fn after_uid(heading: Option<&Heading>) -> String {
    let Some(Heading {
        subject,
        from,
        date,
        ..
    }) = heading
    else {
        return String::new();
    };
    let mut text = match subject {
        Some(subject) => format!(" \"{}\"", cut(&harmless::text(subject), SUBJECT)),
        None => " (no subject)".to_owned(),
    };
    if let Some(from) = from {
        text.push_str(&format!(" from {}", cut(&harmless::text(from), FROM)));
    }
    if let Some(day) = date.and_then(InternalDate::day) {
        text.push_str(&format!(", {day}"));
    }
    text
}

/// Returns the text, cut if it is wider than so many columns.
fn cut(text: &str, columns: usize) -> String {
    let mut width = 0;
    let mut shown = String::new();
    for c in text.chars() {
        width += c.width().unwrap_or(0);
        if width > columns {
            shown.push('…');
            return shown;
        }
        shown.push(c);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_harmless_and_short() {
        let date = InternalDate::parse("03-Mar-2025 23:20:30 -0330");
        let heading = Heading {
            message_id: None,
            subject: Some(format!("\x1b[2J{}", "日".repeat(60))),
            from: Some("Ann\u{202e} <ann@example.org>".to_owned()),
            date,
        };
        let expected = format!(
            " \"\\u{{1b}}[2J{}…\" from Ann\\u{{202e}} <ann@example.org>, 2025-03-03",
            "日".repeat(25)
        );
        assert_eq!(after_uid(Some(&heading)), expected);
        assert_eq!(after_uid(Some(&Heading::default())), " (no subject)");
        assert_eq!(after_uid(None), "");
        let members = serde_json::to_value(&heading).unwrap();
        assert_eq!(members["date"], "2025-03-03T23:20:30-03:30");
    }
}
