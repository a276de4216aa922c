//! FETCH: what a server says about one message (RFC 3501 section 7.4.2, RFC 7162, RFC 8474, Gmail's
//! X-GM-EXT-1).
//!
//! An unreadable item makes the whole response unreadable. It is never just skipped, or a message
//! whose flags could not be read would count as having none.

use super::cursor::{Cursor, Value};
use crate::imap::wire::Frame;
use crate::mail::ModSeq;
use std::borrow::Cow;
use std::fmt;
use std::ops::BitOr;

/// A set of FETCH items: those in a response, or those requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(u16);

impl Attributes {
    /// UID.
    pub const UID: Self = Self(1);
    /// FLAGS.
    pub const FLAGS: Self = Self(1 << 1);
    /// INTERNALDATE.
    pub const INTERNAL_DATE: Self = Self(1 << 2);
    /// RFC822.SIZE.
    pub const SIZE: Self = Self(1 << 3);
    /// MODSEQ.
    pub const MOD_SEQ: Self = Self(1 << 4);
    /// EMAILID.
    pub const EMAIL_ID: Self = Self(1 << 5);
    /// X-GM-MSGID.
    pub const GMAIL_MSGID: Self = Self(1 << 6);
    /// `BODY[HEADER]`, `BODY[HEADER.FIELDS …]` or RFC822.HEADER.
    pub const HEADER: Self = Self(1 << 7);
    /// `BODY[]` or RFC822.
    pub const BODY: Self = Self(1 << 8);
    /// X-GM-LABELS.
    pub const GMAIL_LABELS: Self = Self(1 << 9);

    const NAMES: [(Self, &'static str); 10] = [
        (Self::UID, "UID"),
        (Self::FLAGS, "FLAGS"),
        (Self::INTERNAL_DATE, "INTERNALDATE"),
        (Self::SIZE, "RFC822.SIZE"),
        (Self::MOD_SEQ, "MODSEQ"),
        (Self::EMAIL_ID, "EMAILID"),
        (Self::GMAIL_MSGID, "X-GM-MSGID"),
        (Self::HEADER, "BODY[HEADER]"),
        (Self::BODY, "BODY[]"),
        (Self::GMAIL_LABELS, "X-GM-LABELS"),
    ];

    /// Reports whether all of `other` are among these.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns those that aren't in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Attributes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Attributes {
    /// Writes the items' names, separated by blanks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES
            .iter()
            .filter(|(attribute, _)| self.contains(*attribute));
        for (at, (_, name)) in names.enumerate() {
            f.write_str(if at > 0 { " " } else { "" })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// A header or a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Its bytes.
    Bytes(Cow<'a, [u8]>),
    /// It was streamed past the frame.
    Streamed {
        /// Its size in bytes.
        size: u64,
        /// Its index among the frame's streamed literals, from 0.
        nth: usize,
    },
    /// NIL, or nothing where a value should be: the server no longer has the message, or can't read
    /// it.
    Nil,
}

/// One FETCH response. `present` has the items that it contained; an item that was NIL or an
/// invalid number (`RFC822.SIZE -1`) is present and `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch<'a> {
    /// The message's sequence number. Zero in a UIDFETCH (RFC 9586) and in some of Courier's
    /// responses.
    pub seq: u32,
    /// The items that it contained.
    pub present: Attributes,
    /// Its UID, never zero.
    pub uid: Option<u32>,
    /// Its flags as the server spells them.
    pub flags: Option<Vec<Cow<'a, str>>>,
    /// INTERNALDATE as sent, without its quotes.
    pub internal_date: Option<Cow<'a, str>>,
    /// RFC822.SIZE in bytes: a hint, never the number of bytes to come.
    pub size: Option<u64>,
    /// MODSEQ.
    pub mod_seq: Option<ModSeq>,
    /// EMAILID (RFC 8474).
    pub email_id: Option<Cow<'a, str>>,
    /// X-GM-MSGID.
    pub gmail_msgid: Option<u64>,
    /// X-GM-LABELS, raw and without quotes and escapes: folder names in the usual form (modified
    /// UTF-7, or UTF-8 if enabled), and `\Inbox`, `\Sent` and the like.
    pub gmail_labels: Option<Vec<Cow<'a, [u8]>>>,
    /// The header, or the requested fields of it.
    pub header: Option<Content<'a>>,
    /// The whole message.
    pub body: Option<Content<'a>>,
}

/// The part of a FETCH frame before a large literal: shows whose literal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOpening {
    /// The message's sequence number.
    pub seq: u32,
    /// Its UID, if it came before the literal.
    pub uid: Option<u32>,
    /// [`Attributes::BODY`], [`Attributes::HEADER`], or nothing for any other item's literal.
    pub place: Attributes,
}

impl FetchOpening {
    /// Parses a frame that ends in the announcement of a large literal. `None`: it isn't a FETCH.
    ///
    /// The beginning of `message-data = nz-number SP ("EXPUNGE" / ("FETCH" SP msg-att))` (RFC 3501
    /// section 9).
    pub fn read(frame: &Frame) -> Option<Self> {
        let mut cursor = Cursor::new(frame);
        if !cursor.eat(b'*') {
            return None;
        }
        let number = super::cursor::number(cursor.word())?;
        let mut fetch = Fetch::begin(number, cursor.word())?;
        let last = frame
            .literals()
            .iter()
            .filter(|literal| literal.streamed)
            .count()
            .checked_sub(1)?;
        // The frame ends in the middle of its list, so this fails; what it has read by then is
        // right.
        let _ = fetch.read_items(&mut cursor);
        let is_last = |content: &Option<Content<'_>>| matches!(content, Some(Content::Streamed { nth, .. }) if *nth == last);
        let place = match (is_last(&fetch.body), is_last(&fetch.header)) {
            (true, _) => Attributes::BODY,
            (_, true) => Attributes::HEADER,
            _ => Attributes::default(),
        };
        Some(Self {
            seq: fetch.seq,
            uid: fetch.uid,
            place,
        })
    }
}

/// Why a response can't be read.
pub(super) type Why = &'static str;

impl<'a> Fetch<'a> {
    /// Makes an empty one for `* <number> <keyword>`; `None` if the keyword is another.
    ///
    /// `nz-number SP "FETCH" SP msg-att` (RFC 3501 section 9 `message-data`). UIDFETCH (RFC 9586)
    /// has the UID in place of the number. A FETCH may have the number 0, as Courier sends it.
    pub(super) fn begin(number: u32, keyword: &[u8]) -> Option<Self> {
        if keyword.eq_ignore_ascii_case(b"FETCH") {
            return Some(Self {
                seq: number,
                ..Self::default()
            });
        }
        let mut fetch = Self::default();
        (keyword.eq_ignore_ascii_case(b"UIDFETCH") && fetch.set_uid(Some(number)).is_ok())
            .then_some(fetch)
    }

    /// Parses the list of items.
    ///
    /// ```abnf
    /// msg-att = "(" (msg-att-dynamic / msg-att-static) *(SP (msg-att-dynamic / msg-att-static)) ")"
    /// ```
    /// (RFC 3501 section 9.) The list may be empty.
    pub(super) fn read_items(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Why> {
        if !cursor.eat(b'(') {
            return Err("it has no list of items");
        }
        while !cursor.eat(b')') {
            let name = cursor.item_name();
            if !name.first().is_some_and(u8::is_ascii_alphabetic) {
                return Err("an item has no name");
            }
            self.read_item(name, cursor)?;
        }
        if cursor.is_end() {
            Ok(())
        } else {
            Err("there is text after its items")
        }
    }

    /// Parses one item.
    ///
    /// ```abnf
    /// msg-att-dynamic  = "FLAGS" SP "(" [flag-fetch *(SP flag-fetch)] ")"
    /// msg-att-static   = "ENVELOPE" SP envelope / "INTERNALDATE" SP date-time /
    ///                    "RFC822" [".HEADER" / ".TEXT"] SP nstring / "RFC822.SIZE" SP number /
    ///                    "BODY" ["STRUCTURE"] SP body / "BODY" section ["<" number ">"] SP nstring /
    ///                    "UID" SP uniqueid
    /// msg-att-dynamic =/ "MODSEQ" SP "(" permsg-modsequence ")"
    /// msg-att-static  =/ "EMAILID" SP "(" objectid ")"
    /// ```
    /// (RFC 3501 section 9, RFC 7162 section 7, RFC 8474 section 7; Gmail's items have no grammar.)
    /// An invalid date or size counts as missing, and an unknown item may lack its value: the
    /// message exists all the same.
    fn read_item(&mut self, name: &[u8], cursor: &mut Cursor<'a>) -> Result<(), Why> {
        let name = name.to_ascii_uppercase();
        match name.as_slice() {
            b"UID" => return self.set_uid(cursor.value().and_then(Value::number)),
            b"FLAGS" => self.set_flags(cursor.flags().ok_or("its FLAGS are not a list")?),
            b"INTERNALDATE" => self.set_internal_date(date(cursor)?),
            b"RFC822.SIZE" => {
                let size = cursor
                    .value()
                    .ok_or("its RFC822.SIZE has no value")?
                    .bytes();
                self.set_size(size.and_then(|bytes| lenient_number(&bytes)));
            }
            b"MODSEQ" => {
                self.set_mod_seq(
                    cursor
                        .single()
                        .ok_or("its MODSEQ is not a number")?
                        .and_then(Value::number)
                        .map(ModSeq),
                );
            }
            b"EMAILID" => {
                self.set_email_id(
                    cursor
                        .single()
                        .ok_or("its EMAILID is not a string")?
                        .and_then(Value::text),
                );
            }
            b"X-GM-MSGID" => {
                self.set_gmail_msgid(
                    cursor
                        .value()
                        .ok_or("its X-GM-MSGID has no value")?
                        .number(),
                );
            }
            b"X-GM-LABELS" => {
                self.set_gmail_labels(
                    labels(cursor).ok_or("its X-GM-LABELS are not a list of names")?,
                );
            }
            b"BODY[]" | b"BODY[]<0>" | b"RFC822" => return self.set_body(content(cursor)?),
            b"RFC822.HEADER" => return self.set_header(content(cursor)?),
            _ if name.starts_with(b"BODY[HEADER") => return self.set_header(content(cursor)?),
            _ if cursor.rest().is_empty() || cursor.clone().eat(b')') => {}
            _ => return cursor.skip().ok_or("an item has no readable value"),
        }
        Ok(())
    }

    pub(super) fn set_uid(&mut self, uid: Option<u32>) -> Result<(), Why> {
        match uid {
            None | Some(0) => Err("its UID is not a positive number"),
            Some(uid) if self.uid.is_some_and(|known| known != uid) => Err("it has two UIDs"),
            uid => {
                self.uid = uid;
                self.mark(Attributes::UID);
                Ok(())
            }
        }
    }

    pub(super) fn set_flags(&mut self, flags: Vec<Cow<'a, str>>) {
        self.flags = Some(flags);
        self.mark(Attributes::FLAGS);
    }

    pub(super) fn set_internal_date(&mut self, date: Option<Cow<'a, str>>) {
        self.internal_date = date;
        self.mark(Attributes::INTERNAL_DATE);
    }

    pub(super) fn set_size(&mut self, size: Option<u64>) {
        self.size = size;
        self.mark(Attributes::SIZE);
    }

    pub(super) fn set_mod_seq(&mut self, mod_seq: Option<ModSeq>) {
        self.mod_seq = mod_seq;
        self.mark(Attributes::MOD_SEQ);
    }

    pub(super) fn set_email_id(&mut self, id: Option<Cow<'a, str>>) {
        self.email_id = id;
        self.mark(Attributes::EMAIL_ID);
    }

    pub(super) fn set_gmail_msgid(&mut self, id: Option<u64>) {
        self.gmail_msgid = id;
        self.mark(Attributes::GMAIL_MSGID);
    }

    fn set_gmail_labels(&mut self, labels: Vec<Cow<'a, [u8]>>) {
        self.gmail_labels = Some(labels);
        self.mark(Attributes::GMAIL_LABELS);
    }

    pub(super) fn set_header(&mut self, header: Content<'a>) -> Result<(), Why> {
        self.mark(Attributes::HEADER);
        if self.header.replace(header).is_none() {
            Ok(())
        } else {
            Err("it has two headers")
        }
    }

    pub(super) fn set_body(&mut self, body: Content<'a>) -> Result<(), Why> {
        self.mark(Attributes::BODY);
        if self.body.replace(body).is_none() {
            Ok(())
        } else {
            Err("it has two bodies")
        }
    }

    fn mark(&mut self, attribute: Attributes) {
        self.present = self.present | attribute;
    }
}

fn date<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Cow<'a, str>>, Why> {
    match cursor.value().ok_or("its INTERNALDATE has no value")? {
        Value::Nil => Ok(None),
        value => value
            .text()
            .ok_or("its INTERNALDATE is not a string")
            .map(Some),
    }
}

/// Takes a string or NIL. A missing value counts as NIL: Yandex sends `BODY[] )` for a message that
/// it can't read.
///
/// `nstring = string / nil` (RFC 3501 section 9).
fn content<'a>(cursor: &mut Cursor<'a>) -> Result<Content<'a>, Why> {
    if cursor.clone().eat(b')') {
        return Ok(Content::Nil);
    }
    match cursor.value() {
        Some(Value::Nil) => Ok(Content::Nil),
        Some(Value::String(bytes)) => Ok(Content::Bytes(bytes)),
        Some(Value::Streamed { size, nth }) => Ok(Content::Streamed { size, nth }),
        _ => Err("its content is not a string"),
    }
}

/// Takes the names in a list of labels, which may be unquoted (with brackets in them) or NIL for
/// none. A NIL inside the list is a label of that name.
fn labels<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Cow<'a, [u8]>>> {
    let name = |value: Value<'a>| {
        if value == Value::Nil {
            Some(Cow::Borrowed(&b"NIL"[..]))
        } else {
            value.bytes()
        }
    };
    cursor.list()?.into_iter().map(name).collect()
}

/// Parses a count that is only a hint: mail.ru has sent `9.3736e+06`.
///
/// `number = 1*DIGIT` (RFC 3501 section 9), or a decimal fraction with an exponent.
pub(super) fn lenient_number(bytes: &[u8]) -> Option<u64> {
    super::cursor::number(bytes).or_else(|| {
        let number: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
        (0.0..9.0e15).contains(&number).then_some(number as u64)
    })
}
