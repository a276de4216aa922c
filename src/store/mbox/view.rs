//! A message as its reader gets it, from its bytes in the file.

use super::format::{FLAG_FIELDS, OWN_FIELDS, Own, Quoting};
use crate::store::disk::CHUNK;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Some bytes of a file.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) file: Arc<File>,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Read for Region {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.end - self.at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Undoes the file format. For a message written by another program, the flag fields are removed
/// and lines end in CRLF, as servers show it.
pub(super) struct View {
    region: Region,
    quoting: Quoting,
    own: Option<Own>,
    /// Bytes left of one of our own messages.
    left: u64,
    fields: FieldFilter,
    after_return: bool,
    unquoted: Vec<u8>,
    ready: Vec<u8>,
    given: usize,
    has_ended: bool,
    /// Whether anything but empty lines follows after the message's size: another program has
    /// changed it.
    has_more: bool,
}

impl View {
    pub(super) fn new(region: Region, own: Option<Own>) -> Self {
        Self {
            region,
            quoting: Quoting::undone(),
            own,
            left: own.map_or(u64::MAX, |own| own.size),
            fields: FieldFilter::default(),
            after_return: false,
            unquoted: Vec::new(),
            ready: Vec::new(),
            given: 0,
            has_ended: false,
            has_more: false,
        }
    }

    /// Reports whether the message is longer than when written. All of it must have been read.
    pub(super) fn is_longer(&mut self) -> io::Result<bool> {
        while !self.has_ended && !self.has_more {
            self.fill()?;
        }
        Ok(self.has_more)
    }

    /// Returns the names of flags in the header of another program's message, once that has passed.
    pub(super) fn flag_names(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fields.names)
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        let count = self.region.read(&mut chunk)?;
        self.unquoted.clear();
        chunk[..count]
            .iter()
            .for_each(|byte| self.quoting.take(*byte, &mut self.unquoted));
        if count == 0 {
            self.quoting.end(&mut self.unquoted);
            self.has_ended = true;
        }
        self.ready.clear();
        self.given = 0;
        let unquoted = std::mem::take(&mut self.unquoted);
        match self.own {
            Some(own) => unquoted.iter().for_each(|byte| {
                if own.crlf && *byte == b'\n' {
                    self.ready.push(b'\r');
                }
                self.ready.push(*byte);
            }),
            None => {
                let mut shown = Vec::with_capacity(unquoted.len());
                unquoted
                    .iter()
                    .for_each(|byte| self.fields.take(*byte, &mut shown));
                if self.has_ended {
                    self.fields.end(&mut shown);
                }
                for byte in shown {
                    if byte == b'\n' && !self.after_return {
                        self.ready.push(b'\r');
                    }
                    self.ready.push(byte);
                    self.after_return = byte == b'\r';
                }
            }
        }
        self.unquoted = unquoted;
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let beyond = self.ready.get(left..).unwrap_or_default();
        self.has_more |= beyond.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        self.ready.truncate(left);
        self.left -= self.ready.len() as u64;
        Ok(())
    }
}

impl Read for View {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            if self.has_ended || self.left == 0 {
                return Ok(0);
            }
            self.fill()?;
        }
        let ready = &self.ready[self.given..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.given += count;
        Ok(count)
    }
}

/// Removes the fields that hold flags, and keeps their values.
#[derive(Debug, Default)]
pub(super) struct FieldFilter {
    place: Place,
    line: Vec<u8>,
    /// The flag field that the last line belonged to.
    field: Option<&'static str>,
    names: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    Name,
    Shown,
    Hidden,
    Body,
}

/// The longest name of a flag field, including blanks before its colon.
const MAX_NAME: usize = 40;
/// How much of a flag field is read.
const MAX_VALUE: usize = 8 << 10;

impl FieldFilter {
    pub(super) fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.place {
            Place::Body => out.push(byte),
            Place::Shown => {
                out.push(byte);
                self.place = if byte == b'\n' {
                    Place::LineStart
                } else {
                    Place::Shown
                };
            }
            Place::Hidden => {
                if self.line.len() < MAX_VALUE {
                    self.line.push(byte);
                }
                if byte == b'\n' {
                    if let Some(field) = self.field {
                        super::format::parse_flag_field(field, &self.line, &mut self.names);
                    }
                    self.place = Place::LineStart;
                }
            }
            Place::LineStart if matches!(byte, b' ' | b'\t') => {
                self.line.clear();
                self.place = if self.field.is_some() {
                    Place::Hidden
                } else {
                    Place::Shown
                };
                self.take(byte, out);
            }
            Place::LineStart | Place::Name => self.take_name(byte, out),
        }
    }

    /// Ends the message; an unterminated last line is shown.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if self.place == Place::Name {
            out.append(&mut self.line);
        }
    }

    fn take_name(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.place == Place::LineStart {
            self.line.clear();
            self.field = None;
            self.place = Place::Name;
        }
        self.line.push(byte);
        match byte {
            b':' => {
                let name = self.line[..self.line.len() - 1].trim_ascii_end();
                self.field = FLAG_FIELDS
                    .into_iter()
                    .chain(OWN_FIELDS)
                    .find(|field| name.eq_ignore_ascii_case(field.as_bytes()));
                if self.field.is_some() {
                    self.line.clear();
                    self.place = Place::Hidden;
                    return;
                }
                self.place = Place::Shown;
            }
            b'\n' => {
                let is_end = matches!(self.line.as_slice(), b"\n" | b"\r\n");
                self.place = if is_end {
                    Place::Body
                } else {
                    Place::LineStart
                };
            }
            _ if self.line.len() > MAX_NAME => self.place = Place::Shown,
            _ => return,
        }
        out.append(&mut self.line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> (String, Vec<String>) {
        let mut filter = FieldFilter::default();
        let mut out = Vec::new();
        text.bytes().for_each(|byte| filter.take(byte, &mut out));
        filter.end(&mut out);
        (String::from_utf8(out).unwrap(), filter.names)
    }

    #[test]
    fn flag_fields_of_a_header_are_left_out() {
        let text = "A: 1\nstatus : RO\nX-Keywords: a\n b\nB: 2\n c\nX-Status: F\n\nStatus: RO\n";
        let names = ["\\Seen", "a", "b", "\\Flagged"].map(str::to_owned);
        let (left, found) = shown(text);
        assert_eq!(left, "A: 1\nB: 2\n c\n\nStatus: RO\n");
        assert_eq!(found, names);
        for text in [
            "",
            "\n",
            "\r\nStatus: x\n",
            "no colon\nA: b\n\nx",
            "Statuses: R\n",
        ] {
            assert_eq!(shown(text).0, text);
        }
    }
}
