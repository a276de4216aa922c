//! A scanner for header fields (RFC 5322 section 2.2) in raw bytes.
//!
//! It reads a whole message, its header or the literal of `BODY[HEADER.FIELDS (…)]` alike: it stops
//! at the first empty line. It accepts what servers really send: bare LF, `\r\r\n`, blanks before
//! the colon, an unterminated last line, lines that aren't fields. It borrows, so a line of a
//! megabyte costs no more than reading it.

use super::date;
use crate::mail::Heading;

/// How much of a subject or a sender is kept, in characters, and parsed, in bytes.
const MAX_TEXT: usize = 200;
const MAX_TEXT_BYTES: usize = 4000;

/// One field: its name as spelled, and its value, still folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Reports whether it has this name, ignoring case.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Parses a line with its continuations; `None` if it isn't a field.
    ///
    /// ```abnf
    /// optional-field = field-name ":" unstructured CRLF        ; RFC 5322 section 3.6.8
    /// obs-optional   = field-name *WSP ":" unstructured CRLF   ; RFC 5322 section 4.5.8
    /// field-name     = 1*ftext
    /// ftext          = %d33-57 / %d59-126
    /// ```
    fn parse(line: &'a [u8]) -> Option<Self> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        // RFC 5322 section 4.5 allowed blanks before the colon, and some programs still write them.
        let name = name.trim_ascii_end();
        let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        is_name.then_some(Self {
            name,
            value: value.get(1..)?,
        })
    }
}

/// Yields a header's fields in order, up to the empty line or the end.
pub(crate) fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        loop {
            let line = take_line(&mut rest)?;
            if let Some(field) = Field::parse(line) {
                return Some(field);
            }
        }
    })
}

/// Removes one line with its continuations from `rest`, without the last line end. `None` at the
/// end of the header.
fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let all = *rest;
    let mut end = line_length(all);
    if without_line_end(all.get(..end)?).is_empty() {
        return None;
    }
    while let Some(b' ' | b'\t') = all.get(end) {
        end += line_length(all.get(end..)?);
    }
    let (line, after) = all.split_at(end);
    *rest = after;
    Some(without_line_end(line))
}

/// Returns the length of the first line in bytes, including its LF.
fn line_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |lf| lf + 1)
}

fn without_line_end(line: &[u8]) -> &[u8] {
    without_cr(line.strip_suffix(b"\n").unwrap_or(line))
}

/// Strips CRs at the end of a line: a server that turns every LF into CRLF turns CRLF into
/// `\r\r\n`.
fn without_cr(line: &[u8]) -> &[u8] {
    let kept = line
        .iter()
        .rposition(|byte| *byte != b'\r')
        .map_or(0, |last| last + 1);
    line.get(..kept).unwrap_or(line)
}

/// Yields a value's bytes without its folding: line ends are dropped, the blanks that follow them
/// kept (RFC 5322 section 2.2.3).
///
/// `FWS = ([*WSP CRLF] 1*WSP) / obs-FWS` (RFC 5322 section 3.2.2). A line may end in a bare LF.
pub(crate) fn unfolded(value: &[u8]) -> impl Iterator<Item = u8> + '_ {
    value
        .split(|byte| *byte == b'\n')
        .flat_map(|line| without_cr(line).iter().copied())
}

/// Returns the text of a message's first Message-ID, for reports: unfolded and trimmed, otherwise
/// unchanged.
///
/// It is as the sender wrote it, and may contain control characters. Bytes that aren't UTF-8 are
/// written as `\xff` and a backslash as `\\`, so nothing is lost. `None` if there is none or it is
/// empty.
///
/// `message-id = "Message-ID:" msg-id CRLF` (RFC 5322 section 3.6.4). The value need not be a
/// `msg-id`.
pub fn message_id(header: &[u8]) -> Option<String> {
    let field = fields(header).find(|field| field.is("Message-ID"))?;
    let bytes: Vec<u8> = unfolded(field.value).collect();
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return None;
    }
    Some(std::str::from_utf8(bytes).map_or_else(|_| escaped(bytes), str::to_owned))
}

/// Returns the fields by which users recognise a message in a list: its Message-ID, and its
/// Subject, From and Date decoded (RFC 2047), each on one line and cut if long.
///
/// They are as the sender wrote them, and may contain control characters.
pub fn heading(header: &[u8]) -> Heading {
    let date = fields(header)
        .find(|field| field.is("Date"))
        .and_then(|field| date::parse(field.value));
    Heading {
        message_id: message_id(header),
        subject: decoded(header, "Subject"),
        from: decoded(header, "From"),
        date,
    }
}

/// Returns the text of the first field with this name: decoded, with runs of blanks reduced to one,
/// cut if long. `None` if there is none or it is empty.
///
/// `subject = "Subject:" unstructured CRLF` (RFC 5322 section 3.6.5) with the encoded words of RFC
/// 2047 section 2: `encoded-word = "=?" charset "?" encoding "?" encoded-text "?="`.
fn decoded(header: &[u8], name: &str) -> Option<String> {
    let field = fields(header).find(|field| field.is(name))?;
    let value: Vec<u8> = unfolded(field.value).take(MAX_TEXT_BYTES).collect();
    // Any field is decoded like a Subject: encoded words among plain text.
    let line = [b"Subject: ", value.as_slice(), b"\r\n\r\n"].concat();
    let message = mail_parser::MessageParser::new()
        .header_text(mail_parser::HeaderName::Subject)
        .parse_headers(&line);
    let text = message.as_ref().and_then(mail_parser::Message::subject)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(MAX_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(header: &[u8]) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value =
            |field: &Field<'_>| text(unfolded(field.value).collect::<Vec<_>>().trim_ascii());
        fields(header)
            .map(|field| (text(field.name), value(&field)))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn reads_what_servers_send() {
        for (header, expected) in [
            (
                "A: 1\r\nB: 2\r\n\r\nC: 3\r\n",
                &[("A", "1"), ("B", "2")][..],
            ),
            ("A: 1\nB: 2\n\nC: 3\n", &[("A", "1"), ("B", "2")]),
            ("A: 1\r\r\nB: 2\r\r\n\r\r\nC: 3", &[("A", "1"), ("B", "2")]),
            ("Message-ID : <a@b>\r\n", &[("Message-ID", "<a@b>")]),
            ("A: 1\r\nB: no end", &[("A", "1"), ("B", "no end")]),
            (
                "A:\r\n folded\r\n\ttwice\r\nB:",
                &[("A", "folded\ttwice"), ("B", "")],
            ),
            (
                "A: 1\r\n \r\n still\r\nB: 2",
                &[("A", "1  still"), ("B", "2")],
            ),
            (
                " leading: x\r\nno colon\r\n : x\r\n: no name\r\nB: 2",
                &[("B", "2")],
            ),
            ("From ann Mon: 10\r\nA: b:c", &[("A", "b:c")]),
            ("", &[]),
            ("\r\nA: 1", &[]),
            ("\n", &[]),
            ("\r", &[]),
        ] {
            assert_eq!(read(header.as_bytes()), pairs(expected), "{header:?}");
        }
    }

    #[test]
    fn gives_the_message_id_as_it_stands() {
        for (header, expected) in [
            (
                &b"Subject: x\r\nMessage-ID:\r\n <a@B.org>\r\n"[..],
                Some("<a@B.org>"),
            ),
            (b"message-id : <1>\r\nMessage-ID: <2>", Some("<1>")),
            (b"Message-ID: <caf\xc3\xa9\\x@y>", Some("<caf\u{e9}\\x@y>")),
            (b"Message-ID: <caf\xe9\\x@y>", Some("<caf\\xe9\\\\x@y>")),
            (b"Message-ID: \r\n\r\nMessage-ID: <body>", None),
            (b"Subject: none", None),
        ] {
            assert_eq!(
                message_id(header).as_deref(),
                expected,
                "{}",
                header.escape_ascii()
            );
        }
    }

    #[test]
    fn gives_the_subject_decoded_in_one_line() {
        let long = format!("Subject: {}", "ü".repeat(9_000));
        for (header, expected) in [
            (
                "From: a\r\nSubject:  a\r\n\tb \r\n\r\nSubject: body",
                Some("a b"),
            ),
            (
                "subject : =?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?_=FCber?=",
                Some("Grüße über"),
            ),
            (
                "Subject: =?utf-8?Q?one=0D=0A=00two=1B[2J?=",
                Some("one \0two\u{1b}[2J"),
            ),
            ("Subject: =?x-unknown?Q?a?= <b>\"&", Some("a <b>\"&")),
            ("Subject: \r\nFrom: a", None),
            ("From: a", None),
            (&long, Some(&*"ü".repeat(200))),
        ] {
            assert_eq!(
                heading(header.as_bytes()).subject.as_deref(),
                expected,
                "{header:.60}"
            );
        }
    }

    #[test]
    fn gives_the_sender_and_the_date() {
        let header = "From: =?utf-8?Q?J=C3=B6rg?= \"B.\"\r\n <j@example.org>\r\nDate: Mon, 3 Mar 2025 10:20:30 +0130\r\n\
                      Message-ID: <1@x>\r\n\r\nFrom: body";
        let Heading {
            message_id,
            subject,
            from,
            date,
        } = heading(header.as_bytes());
        assert_eq!((message_id.as_deref(), subject), (Some("<1@x>"), None));
        assert_eq!(from.as_deref(), Some("Jörg \"B.\" <j@example.org>"));
        assert_eq!(
            date.map(|date| date.to_string()).as_deref(),
            Some("03-Mar-2025 10:20:30 +0130")
        );
        assert_eq!(heading(b"Date: yesterday\r\nFrom:\r\n"), Heading::default());
    }

    #[test]
    fn long_lines_and_many_fields_are_fine() {
        let long = format!("Subject: {}\r\nA: 1\r\n", "x\r\n ".repeat(300_000));
        assert_eq!(read(long.as_bytes()).len(), 2);
        let many = "A: 1\r\n".repeat(10_000) + "Message-ID: <last>";
        assert_eq!(fields(many.as_bytes()).count(), 10_001);
        assert_eq!(message_id(many.as_bytes()).as_deref(), Some("<last>"));
    }

    fn any_byte() -> impl Strategy<Value = u8> {
        prop::sample::select(b"a: \t\r\n\x00\xff<@>".to_vec())
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_subject_will_do(value in prop::collection::vec(prop::sample::select(b"=?utf-8BQ_ \r\n\t\x00\xff\xc3".to_vec()), 0..80)) {
            for name in [b"Subject: ".as_slice(), b"From: "] {
                let Heading { subject, from, .. } = heading(&[name, &value].concat());
                let found = subject.or(from);
                prop_assert!(found.is_none_or(|text| !text.contains(['\r', '\n']) && text.chars().count() <= MAX_TEXT));
            }
        }

        #[test]
        fn any_bytes_will_do(header in prop::collection::vec(any_byte(), 0..60)) {
            let total: usize = fields(&header).map(|field| field.name.len() + field.value.len()).sum();
            prop_assert!(total <= header.len());
            message_id(&header);
            heading(&header);
        }
    }
}
