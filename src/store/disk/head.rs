//! The identifying header fields, read from a file in passing: nothing else is kept, however long a
//! line is.

use crate::identity;
use crate::mail::{HeaderKey, Heading};
use std::io::{self, Read};

/// How much of the wanted fields is kept: as much as of an IMAP server's reply, where longer ones
/// give no key either.
const MAX_KEPT: usize = 64 << 10;
/// The longest name of a wanted field, including blanks before the colon.
const MAX_NAME: usize = 100;

/// Collects the fields of [`identity::FIELDS`].
#[derive(Debug, Default)]
pub(in crate::store) struct HeaderFields {
    kept: Vec<u8>,
    place: Place,
    /// The start of a line until it is known whether the line is wanted.
    name: Vec<u8>,
    was_kept: bool,
    has_ended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    Name,
    Kept,
    Skipped,
}

impl HeaderFields {
    /// Takes a message's next bytes. Returns whether the header has ended.
    pub(in crate::store) fn take(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.has_ended {
                break;
            }
            self.take_byte(*byte);
        }
        self.has_ended
    }

    fn take_byte(&mut self, byte: u8) {
        match (self.place, byte) {
            (Place::LineStart, b'\n') => self.has_ended = true,
            (Place::LineStart, b' ' | b'\t') => {
                self.place = if self.was_kept {
                    Place::Kept
                } else {
                    Place::Skipped
                };
                self.keep(byte);
            }
            (Place::LineStart, b'\r') => {}
            (Place::LineStart, _) => {
                self.place = Place::Name;
                self.name.clear();
                self.name.push(byte);
            }
            (Place::Name, b'\n') => self.end_line(false),
            (Place::Name, b':') => {
                let wanted = is_wanted(self.name.trim_ascii_end());
                self.place = if wanted { Place::Kept } else { Place::Skipped };
                self.name.push(byte);
                if wanted {
                    self.kept.extend_from_slice(&self.name);
                }
            }
            (Place::Name, _) if self.name.len() == MAX_NAME => self.place = Place::Skipped,
            (Place::Name, _) => self.name.push(byte),
            (Place::Kept | Place::Skipped, b'\n') => {
                self.keep(byte);
                self.end_line(self.place == Place::Kept);
            }
            (Place::Kept | Place::Skipped, _) => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.place == Place::Kept && self.kept.len() <= MAX_KEPT {
            self.kept.push(byte);
        }
    }

    fn end_line(&mut self, was_kept: bool) {
        self.was_kept = was_kept;
        self.place = Place::LineStart;
    }

    /// Returns the fields by which users recognise the message.
    pub(in crate::store) fn heading(&self) -> Heading {
        identity::heading(&self.kept)
    }

    /// Returns the message's identity according to the fields.
    pub(in crate::store) fn key(&self) -> HeaderKey {
        if self.kept.len() > MAX_KEPT {
            HeaderKey::Empty
        } else {
            identity::header_key(&self.kept)
        }
    }
}

fn is_wanted(name: &[u8]) -> bool {
    identity::FIELDS
        .split(' ')
        .any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Reads the fields of a message from its beginning.
pub(in crate::store) fn header_fields(mut from: impl Read) -> io::Result<HeaderFields> {
    let mut fields = HeaderFields::default();
    let mut chunk = [0; 8 << 10];
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 || fields.take(&chunk[..count]) {
            return Ok(fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_lines_of_no_interest_are_not_kept() {
        let text = format!(
            "X-Long: {}\r\nSubject: a\r\n b\r\n{}: x\r\n\r\nFrom: body\r\n",
            "x".repeat(1 << 20),
            "n".repeat(500)
        );
        let mut fields = HeaderFields::default();
        assert!(fields.take(text.as_bytes()));
        assert_eq!(fields.kept, b"Subject: a\r\n b\r\n");
        assert_eq!(fields.key(), identity::header_key(text.as_bytes()));
    }

    #[test]
    fn a_header_too_long_to_keep_gives_no_key() {
        let text = format!("Subject: {}\r\n\r\n", "x".repeat(MAX_KEPT));
        assert_eq!(
            header_fields(text.as_bytes()).unwrap().key(),
            HeaderKey::Empty
        );
    }

    fn any_line() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec![
            "Subject",
            "DATE",
            "From ",
            "X-a",
            "To",
            "message-id",
            "",
            " ",
            "\t",
        ]);
        let end = prop::sample::select(vec!["\r\n", "\n"]);
        (name, "[ a<@>:]{0,8}", end).prop_map(|(name, value, end)| format!("{name}:{value}{end}"))
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn the_key_is_that_of_the_whole_header(lines in prop::collection::vec(any_line(), 0..8)) {
            let text = lines.concat();
            prop_assert_eq!(header_fields(text.as_bytes()).unwrap().key(), identity::header_key(text.as_bytes()), "{:?}", text);
        }
    }
}
