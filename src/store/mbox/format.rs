//! What precedes a message in an mbox file, and the quoting of its lines. Pure.
//!
//! A message written by mailferry begins with `From mailferry DATE` and `X-Mailferry: 1 SIZE
//! crlf|asis`: its size as delivered, and whether CRLFs were written as LFs. Then come its flags
//! (`Status`, `X-Status`, `X-Keywords`), then the message. These lines aren't part of it.

use crate::mail::{Flags, SystemFlag};
use jiff::Timestamp;
use jiff::tz::Offset;

/// The sender in the `From ` line of our own messages.
const SENDER: &str = "mailferry";
/// The line that marks our own messages.
const MARK: &str = "X-Mailferry: 1 ";
/// The fields that hold flags: other programs write them into the message's own header, where
/// readers don't show them.
pub(super) const FLAG_FIELDS: [&str; 3] = ["Status", "X-Status", "X-Keywords"];
/// Our own fields: visible only if another program has changed the message after them.
pub(super) const OWN_FIELDS: [&str; 2] = ["X-Mailferry", "X-Mailferry-End"];
/// The line that ends our own lines.
pub(super) const END: &str = "X-Mailferry-End: 1\n";
/// The letters of `X-Status`.
const LETTERS: [(char, SystemFlag, &str); 4] = [
    ('A', SystemFlag::Answered, "\\Answered"),
    ('F', SystemFlag::Flagged, "\\Flagged"),
    ('T', SystemFlag::Draft, "\\Draft"),
    ('D', SystemFlag::Deleted, "\\Deleted"),
];

/// How one of our own messages was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Own {
    /// Bytes as delivered.
    pub(super) size: u64,
    /// Whether its CRLFs were written as LFs.
    pub(super) crlf: bool,
}

/// Writes the `From ` line for a date in seconds since 1970; the time is UTC.
pub(super) fn from_line(seconds: i64) -> String {
    let time = Offset::UTC.to_datetime(Timestamp::from_second(seconds).unwrap_or_default());
    format!("From {SENDER} {}\n", time.strftime("%a %b %e %H:%M:%S %Y"))
}

/// Parses the date of a `From ` line; `None` if it isn't one, but a line of text.
///
/// ```abnf
/// from-line    = "From " addr-spec SP asctime-date LF      ; RFC 4155 appendix A, in words
/// asctime-date = day-name SP date3 SP time-of-day SP year  ; RFC 9110 section 5.6.7
/// date3        = month SP ( 2DIGIT / ( SP 1DIGIT ))
/// ```
/// Programs write anything or nothing for the sender, omit the seconds, and put a zone before or
/// after the year.
pub(super) fn from_date(line: &[u8]) -> Option<i64> {
    let words: Vec<&str> = str::from_utf8(line.strip_prefix(b"From ")?)
        .ok()?
        .split_ascii_whitespace()
        .collect();
    let at = words
        .iter()
        .rposition(|word| word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit()))?;
    let (month, day, time) = (
        words.get(at.checked_sub(2)?)?,
        words.get(at - 1)?,
        words[at],
    );
    // The zone may precede the year, and may be missing.
    let year = words
        .get(at + 1..)?
        .iter()
        .find(|word| word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit()))?;
    let time = if time.matches(':').count() == 1 {
        format!("{time}:00")
    } else {
        time.to_owned()
    };
    let text = format!("{month} {day} {time} {year}");
    let parsed = jiff::fmt::strtime::parse("%b %d %H:%M:%S %Y", text)
        .ok()?
        .to_datetime()
        .ok()?;
    Some(Offset::UTC.to_timestamp(parsed).ok()?.as_second())
}

/// Reports whether a `From ` line, or what a crash has left of one, is ours.
pub(super) fn is_own_from_line(line: &[u8]) -> bool {
    let own = format!("From {SENDER} ");
    line.starts_with(own.as_bytes()) || own.as_bytes().starts_with(line)
}

/// Writes the line that says how a message was written.
pub(super) fn mark_line(own: Own) -> String {
    format!(
        "{MARK}{} {}\n",
        own.size,
        if own.crlf { "crlf" } else { "asis" }
    )
}

/// Parses that line.
///
/// ```abnf
/// mark = "X-Mailferry: 1 " 1*DIGIT SP ( "crlf" / "asis" ) LF
/// ```
pub(super) fn parse_mark(line: &[u8]) -> Option<Own> {
    let (size, how) = str::from_utf8(line)
        .ok()?
        .strip_prefix(MARK)?
        .strip_suffix('\n')?
        .split_once(' ')?;
    let crlf = match how {
        "crlf" => true,
        "asis" => false,
        _ => return None,
    };
    Some(Own {
        size: size.parse().ok()?,
        crlf,
    })
}

/// Writes the lines for a message's flags. `O`, old, keeps mail programs from treating it as newly
/// arrived.
pub(super) fn flag_lines(flags: &Flags) -> String {
    let mut lines = format!(
        "Status: {}O\n",
        if flags.has(SystemFlag::Seen) { "R" } else { "" }
    );
    let letters: String = LETTERS
        .iter()
        .filter(|(_, flag, _)| flags.has(*flag))
        .map(|(letter, ..)| *letter)
        .collect();
    if !letters.is_empty() {
        lines.push_str(&format!("X-Status: {letters}\n"));
    }
    let keywords: Vec<&str> = flags
        .names()
        .filter(|name| !name.starts_with('\\'))
        .collect();
    if !keywords.is_empty() {
        lines.push_str(&format!("X-Keywords: {}\n", keywords.join(" ")));
    }
    lines
}

/// Parses the value of a flag field into names of flags.
///
/// ```abnf
/// Status     = *( "R" / "O" )
/// X-Status   = *( "A" / "F" / "T" / "D" )
/// X-Keywords = keyword *( 1*WSP keyword )
/// ```
/// (No RFC has them.) Other letters are skipped.
pub(super) fn parse_flag_field(name: &str, value: &[u8], names: &mut Vec<String>) {
    let value = String::from_utf8_lossy(value);
    match name {
        "Status" if value.contains('R') => names.push("\\Seen".to_owned()),
        "X-Status" => {
            let known = LETTERS
                .iter()
                .filter(|(letter, ..)| value.contains(*letter));
            names.extend(known.map(|(.., name)| (*name).to_owned()));
        }
        "X-Keywords" => names.extend(value.split_ascii_whitespace().map(str::to_owned)),
        _ => {}
    }
}

/// Adds a `>` before each line that is `From ` after any number of `>`, or removes one.
#[derive(Debug)]
pub(super) struct Quoting {
    undo: bool,
    line: Line,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    /// This many `>`, then this many bytes of `From `.
    Beginning {
        marks: u64,
        matched: usize,
    },
    Rest,
}

const FROM: &[u8] = b"From ";

impl Quoting {
    /// Makes one that quotes, for writing.
    pub(super) fn new() -> Self {
        Self {
            undo: false,
            line: Line::Beginning {
                marks: 0,
                matched: 0,
            },
        }
    }

    /// Makes one that unquotes, for reading.
    pub(super) fn undone() -> Self {
        Self {
            undo: true,
            ..Self::new()
        }
    }

    /// Takes a byte.
    pub(super) fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        if let Line::Beginning { marks, matched } = self.line {
            if byte == b'>' && matched == 0 {
                self.line = Line::Beginning {
                    marks: marks + 1,
                    matched,
                };
                return;
            }
            if byte == FROM[matched] {
                if matched + 1 < FROM.len() {
                    self.line = Line::Beginning {
                        marks,
                        matched: matched + 1,
                    };
                    return;
                }
                let marks = if self.undo {
                    marks.saturating_sub(1)
                } else {
                    marks + 1
                };
                put(out, marks, FROM);
                self.line = Line::Rest;
                return;
            }
            put(out, marks, &FROM[..matched]);
            self.line = Line::Rest;
        }
        out.push(byte);
        if byte == b'\n' {
            self.line = Line::Beginning {
                marks: 0,
                matched: 0,
            };
        }
    }

    /// Ends the message.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if let Line::Beginning { marks, matched } = self.line {
            put(out, marks, &FROM[..matched]);
            self.line = Line::Beginning {
                marks: 0,
                matched: 0,
            };
        }
    }
}

fn put(out: &mut Vec<u8>, marks: u64, rest: &[u8]) {
    out.extend(std::iter::repeat_n(
        b'>',
        usize::try_from(marks).unwrap_or(usize::MAX),
    ));
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_written_and_read_as_asctime_has_them() {
        assert_eq!(
            from_line(1_706_751_245),
            "From mailferry Thu Feb  1 01:34:05 2024\n"
        );
        for (line, date) in [
            (
                "From mailferry Thu Feb  1 01:34:05 2024",
                Some(1_706_751_245),
            ),
            (
                "From ann@x.org Thu Feb  1 01:34:05 2024",
                Some(1_706_751_245),
            ),
            (
                "From ann@x.org Thu Feb  1 01:34 +0000 2024\r",
                Some(1_706_751_240),
            ),
            ("From - Thu Feb 01 01:34:05 2024", Some(1_706_751_245)),
            ("From here to there", None),
            ("From ann at 10:30 of 2024", None),
            ("From ", None),
            ("from ann Thu Feb  1 01:34:05 2024", None),
        ] {
            assert_eq!(from_date(line.as_bytes()), date, "{line}");
        }
    }

    #[test]
    fn flags_are_written_and_read() {
        for text in [
            "",
            "\\Seen",
            "\\Seen \\Answered \\Flagged \\Draft \\Deleted $Label1 Red",
            "Red",
        ] {
            let flags = Flags::from_names(text.split_whitespace());
            let mut names = Vec::new();
            for line in flag_lines(&flags).lines() {
                let (name, value) = line.split_once(": ").unwrap();
                parse_flag_field(name, value.as_bytes(), &mut names);
            }
            assert_eq!(Flags::from_names(names.iter().map(String::as_str)), flags);
        }
        let own = Own {
            size: 5,
            crlf: true,
        };
        assert_eq!(parse_mark(mark_line(own).as_bytes()), Some(own));
        assert_eq!(parse_mark(b"X-Mailferry: 1 5 crl"), None);
    }

    fn run(mut quoting: Quoting, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        text.iter().for_each(|byte| quoting.take(*byte, &mut out));
        quoting.end(&mut out);
        out
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn quoting_can_be_undone(text in "(>|From |Fro|\n|x| ){0,12}") {
            let quoted = run(Quoting::new(), text.as_bytes());
            prop_assert!(!quoted.split(|byte| *byte == b'\n').any(|line| line.starts_with(FROM)));
            prop_assert_eq!(run(Quoting::undone(), &quoted), text.as_bytes());
        }
    }
}
