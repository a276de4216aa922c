//! Reads the values in a frame one after the other: atoms, strings, literals, lists (RFC 3501
//! section 4).
//!
//! It never mistakes one kind of value for another and builds no tree: it counts nesting and never
//! recurses. Literals are where the framer found them, so both always agree.

use crate::imap::wire::{Frame, Literal};
use std::borrow::Cow;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// `(`: the list's values come next.
    Open,
    /// NIL in any case.
    Nil,
    /// Unquoted text: an atom, a number, a flag.
    Atom(&'a [u8]),
    /// A quoted string without its escapes, or a literal.
    String(Cow<'a, [u8]>),
    /// A literal that was streamed past the frame.
    Streamed {
        /// Its size in bytes.
        size: u64,
        /// Its index among the frame's streamed literals, from 0.
        nth: usize,
    },
}

impl<'a> Value<'a> {
    /// Returns the bytes of an atom or a string.
    pub(super) fn bytes(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Atom(bytes) => Some(Cow::Borrowed(bytes)),
            Self::String(bytes) => Some(bytes),
            Self::Open | Self::Nil | Self::Streamed { .. } => None,
        }
    }

    /// Returns them as text.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        self.bytes().map(text)
    }

    /// Returns a number in plain digits that fits the type.
    pub(super) fn number<T: std::str::FromStr>(self) -> Option<T> {
        number(&self.bytes()?)
    }
}

/// Parses plain digits: no sign, no blank, no overflow.
///
/// `number = 1*DIGIT` (RFC 3501 section 9).
pub(super) fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    let digits = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Decodes a server's text. What isn't UTF-8 is read as Latin-1, so that two different texts stay
/// different.
pub(super) fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| latin1(bytes).into(), Cow::Borrowed)
        }
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .unwrap_or_else(|error| latin1(error.as_bytes()))
            .into(),
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A position in a frame. Its methods return `None` if something else is there.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    literals: &'a [Literal],
    at: usize,
    streamed: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the beginning of a frame. Its last line end is out of reach.
    pub(super) fn new(frame: &'a Frame) -> Self {
        let at = frame.bytes().iter().take_while(|byte| **byte == 0).count();
        let end = at + frame.trimmed().len();
        Self {
            bytes: &frame.bytes()[..end],
            literals: frame.literals(),
            at,
            streamed: 0,
        }
    }

    /// Returns what has not been read yet, raw.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Advances by this many bytes.
    pub(super) fn advance(&mut self, count: usize) {
        self.at += count;
    }

    /// Skips blanks. They never matter: servers repeat them, omit them and add them at the end.
    pub(super) fn blanks(&mut self) {
        self.at += self
            .rest()
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
    }

    /// Reports whether only blanks are left.
    pub(super) fn is_end(&mut self) -> bool {
        self.blanks();
        self.rest().is_empty()
    }

    /// Takes this byte if it comes next, after blanks.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        self.blanks();
        let is_next = self.rest().first() == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Takes a word up to a blank or a parenthesis, after blanks; empty if there is none.
    ///
    /// `atom = 1*ATOM-CHAR` (RFC 3501 section 9). Any other character is allowed, too: servers
    /// write without quotes what isn't an atom.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.blanks();
        self.take_until(|byte| matches!(byte, b' ' | b'\t' | b'(' | b')' | b'\r' | b'\n'))
    }

    /// Takes the name of a FETCH item: a word that may have blanks, quotes and parentheses inside
    /// brackets.
    ///
    /// `"BODY" section ["<" number ">"]` with `section = "[" [section-spec] "]"`, or an `atom` (RFC
    /// 3501 section 9).
    pub(super) fn item_name(&mut self) -> &'a [u8] {
        self.blanks();
        let (mut bracket, mut quoted) = (false, false);
        self.take_until(|byte| {
            match byte {
                b'"' if bracket => quoted = !quoted,
                b'[' if !quoted => bracket = true,
                b']' if !quoted => bracket = false,
                _ => {}
            }
            !bracket && matches!(byte, b' ' | b'\t' | b'(' | b')' | b'\r' | b'\n')
        })
    }

    /// Takes the next value; `None` at a closing parenthesis, at the end, or if there is no value.
    ///
    /// `nstring = string / nil`, `astring = 1*ASTRING-CHAR / string`, `string = quoted / literal`,
    /// or the `"("` of a list (RFC 3501 section 9).
    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        self.blanks();
        match self.rest().first()? {
            b')' => None,
            b'(' => {
                self.at += 1;
                Some(Value::Open)
            }
            b'"' => self.quoted().map(Value::String),
            b'{' | b'~' => self.literal().or_else(|| self.atom()),
            _ => self.atom(),
        }
    }

    /// Skips one value, however deeply nested.
    ///
    /// `tagged-ext-val = tagged-ext-simple / "(" [tagged-ext-comp] ")"` (RFC 9051 section 9), and
    /// any other value or list.
    pub(super) fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.value() {
                Some(Value::Open) => depth += 1,
                Some(_) => {}
                None if depth > 0 && self.eat(b')') => depth -= 1,
                None => return None,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Takes a list's values; NIL is an empty list. A nested list is an error.
    ///
    /// A parenthesized list (RFC 3501 section 4.4). Blanks between its values may be missing.
    pub(super) fn list(&mut self) -> Option<Vec<Value<'a>>> {
        match self.value()? {
            Value::Nil => return Some(Vec::new()),
            Value::Open => {}
            _ => return None,
        }
        let mut values = Vec::new();
        while !self.eat(b')') {
            match self.value()? {
                Value::Open => return None,
                value => values.push(value),
            }
        }
        Some(values)
    }

    /// Takes a value with or without parentheses of its own; `Some(None)` for NIL and `()`.
    ///
    /// `"(" mod-sequence-value ")"` (RFC 7162 section 7 `fetch-mod-resp`) or `"(" objectid ")"`
    /// (RFC 8474 section 7). The parentheses may be missing.
    #[expect(
        clippy::option_option,
        reason = "no value is not the same as an unreadable one"
    )]
    pub(super) fn single(&mut self) -> Option<Option<Value<'a>>> {
        let mut values = if self.clone().eat(b'(') {
            self.list()?
        } else {
            vec![self.value()?]
        };
        let value = values.pop().filter(|value| *value != Value::Nil);
        values.is_empty().then_some(value)
    }

    /// Takes the string that begins right here: `None` if none does, `Some(None)` if it is
    /// unterminated.
    ///
    /// `string = quoted / literal` (RFC 3501 section 9).
    #[expect(
        clippy::option_option,
        reason = "no string is not the same as an unreadable one"
    )]
    pub(super) fn string_ahead(&mut self) -> Option<Option<Value<'a>>> {
        match self.rest().first()? {
            b'"' => Some(self.value()),
            b'{' | b'~' => self.literal().map(Some),
            _ => None,
        }
    }

    /// Takes a flag list. Servers write flags that aren't atoms, some quoted or with `(` inside;
    /// only a blank or `)` ends one.
    ///
    /// `flag-list = "(" [flag *(SP flag)] ")"` (RFC 3501 section 9), or NIL for an empty one.
    pub(super) fn flags(&mut self) -> Option<Vec<Cow<'a, str>>> {
        match self.value()? {
            Value::Nil => return Some(Vec::new()),
            Value::Open => {}
            _ => return None,
        }
        let mut flags = Vec::new();
        while !self.eat(b')') {
            let string = matches!(self.rest().first()?, b'"' | b'{' | b'~');
            let value = if string {
                self.value()?.bytes()?
            } else {
                Cow::Borrowed(self.flag()?)
            };
            flags.push(text(value));
        }
        Some(flags)
    }

    /// Takes `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword /
    /// flag-extension` (RFC 3501 section 9), or any other word.
    fn flag(&mut self) -> Option<&'a [u8]> {
        let flag = self.take_until(|byte| matches!(byte, b' ' | b'\t' | b')' | b'\r' | b'\n'));
        (!flag.is_empty()).then_some(flag)
    }

    fn take_until(&mut self, mut is_end: impl FnMut(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let count = rest
            .iter()
            .position(|byte| is_end(*byte))
            .unwrap_or(rest.len());
        self.at += count;
        &rest[..count]
    }

    /// Takes `atom = 1*ATOM-CHAR`, `nil = "NIL"` (RFC 3501 section 9).
    fn atom(&mut self) -> Option<Value<'a>> {
        let atom = self.word();
        let is_nil = atom.eq_ignore_ascii_case(b"NIL");
        (!atom.is_empty()).then_some(if is_nil {
            Value::Nil
        } else {
            Value::Atom(atom)
        })
    }

    /// Takes a quoted string. A backslash before anything but `"` and `\` is literal: some servers
    /// don't escape it.
    ///
    /// ```abnf
    /// quoted      = DQUOTE *QUOTED-CHAR DQUOTE
    /// QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials
    /// ```
    /// (RFC 3501 section 9.)
    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let inside = self.rest().get(1..)?;
        let special = |from: usize| {
            Some(
                from + inside
                    .get(from..)?
                    .iter()
                    .position(|b| matches!(b, b'"' | b'\\'))?,
            )
        };
        let mut unescaped = Vec::new();
        let (mut copied, mut at) = (0, special(0)?);
        while inside[at] == b'\\' {
            let next = inside.get(at + 1)?;
            if matches!(next, b'"' | b'\\') {
                unescaped.extend_from_slice(&inside[copied..at]);
                copied = at + 1;
                at = special(at + 2)?;
            } else {
                at = special(at + 1)?;
            }
        }
        self.at += at + 2;
        if copied == 0 {
            return Some(Cow::Borrowed(&inside[..at]));
        }
        unescaped.extend_from_slice(&inside[copied..at]);
        Some(Cow::Owned(unescaped))
    }

    /// Takes the literal that the framer found here, if it found one.
    ///
    /// `literal = "{" number64 ["+"] "}" CRLF *CHAR8`, `literal8 = "~{" number64 "}" CRLF *OCTET`
    /// (RFC 9051 section 9). The line may end in a bare LF.
    fn literal(&mut self) -> Option<Value<'a>> {
        let next = self
            .literals
            .partition_point(|literal| literal.offset <= self.at);
        let literal = self.literals.get(next)?;
        let announcement = self.bytes.get(self.at..literal.offset)?;
        let line_end = announcement
            .iter()
            .position(|byte| matches!(byte, b'\r' | b'\n' | b' '))?;
        if !announcement[..line_end].ends_with(b"}") || announcement.len() - line_end > 2 {
            return None;
        }
        let end = literal.offset.checked_add(literal.kept())?;
        let bytes = self.bytes.get(literal.offset..end)?;
        self.at = end;
        if literal.streamed {
            self.streamed += 1;
            return Some(Value::Streamed {
                size: literal.size,
                nth: self.streamed - 1,
            });
        }
        Some(Value::String(Cow::Borrowed(bytes)))
    }
}
