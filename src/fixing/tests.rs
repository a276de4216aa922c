//! Each fault corrected, what is left alone, and what later runs find in the result.

use super::*;
use crate::identity::{header_key, is_fixed};
use proptest::prelude::*;

const ALL: [Fault; 7] = [
    Fault::LineEnds,
    Fault::Nul,
    Fault::LongLines,
    Fault::Date,
    Fault::EightBit,
    Fault::Fields,
    Fault::Separator,
];

fn date() -> Option<InternalDate> {
    InternalDate::parse("01-Feb-2024 03:04:05 +0130")
}

fn fixed(original: &[u8], faults: &[Fault]) -> Result<Fixed, Unfixable> {
    fix(original, faults.iter().copied().collect(), date())
}

/// What the corrected message is without its marks.
#[track_caller]
fn corrected(original: &[u8], faults: &[Fault]) -> String {
    let fixed = fixed(original, faults).unwrap();
    assert_eq!(fixed.faults, faults.iter().copied().collect(), "{faults:?}");
    assert_eq!(header_key(&fixed.bytes), header_key(original));
    assert!(is_fixed(&fixed.bytes));
    let text = String::from_utf8(fixed.bytes).unwrap();
    let (_, rest) = text.split_once("\r\n sha256=").unwrap();
    let (_, rest) = rest.split_once("\r\n").unwrap();
    let comment = format!("\r\n {}", identity::fixed_comment(header_key(original)));
    rest.replacen(&comment, "", 1)
}

const DATE: &str = "Date: 1 Feb 2024 03:04:05 +0130\r\n";

#[test]
fn line_ends_and_nuls() {
    let text = format!("{DATE}A: 1\n 2\r\r\nB: x\ry\r\n\na\nb\rc\r\r\r\nd");
    assert_eq!(
        corrected(text.as_bytes(), &[Fault::LineEnds]),
        format!("{DATE}A: 1\r\n 2\r\nB: x y\r\n\r\na\r\nb\r\nc\r\nd")
    );
    let text = format!("{DATE}\r\na\0b\n");
    assert_eq!(
        corrected(text.as_bytes(), &[Fault::Nul]),
        format!("{DATE}\r\nab\n")
    );
}

#[test]
fn dates() {
    let written = "Date: 01 Feb 2024 03:04:05 +0130\r\n";
    assert_eq!(
        corrected(b"A: 1\r\n\r\nx", &[Fault::Date]),
        format!("A: 1\r\n{written}\r\nx")
    );
    assert_eq!(
        corrected(b"Date: yesterday\r\nA: 1\r\n\r\nx", &[Fault::Date]),
        format!("X-Original-Date: yesterday\r\nA: 1\r\n{written}\r\nx")
    );
    // A date that can be read stays.
    assert_eq!(
        fixed(format!("{DATE}\r\nx").as_bytes(), &[Fault::Date]),
        Err(SOUND)
    );
}

#[test]
fn eight_bit_text_in_headers() {
    let decoded = |header: &[u8]| {
        let text = [DATE.as_bytes(), header, b"\r\n\r\nx"].concat();
        let fixed = fixed(&text, &[Fault::EightBit]).unwrap();
        assert_eq!(header_key(&fixed.bytes), header_key(&text));
        let end = fixed
            .bytes
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .unwrap();
        assert!(fixed.bytes[..end].is_ascii());
        identity::heading(&fixed.bytes)
    };
    for (header, expected) in [
        (
            "Subject: Gr\u{fc}\u{df}e aus K\u{f6}ln, Ann",
            "Gr\u{fc}\u{df}e aus K\u{f6}ln, Ann",
        ),
        (
            "Subject: Re: \u{65e5}\u{672c}\u{8a9e}",
            "Re: \u{65e5}\u{672c}\u{8a9e}",
        ),
    ] {
        assert_eq!(
            decoded(header.as_bytes()).subject.as_deref(),
            Some(expected)
        );
    }
    let long = "\u{fc}".repeat(100);
    let subject = decoded(format!("Subject: {long}").as_bytes()).subject;
    assert_eq!(subject, Some(long));
    let latin = decoded(b"Subject: Gr\xfc\xdfe");
    assert_eq!(latin.subject.as_deref(), Some("Gr\u{fc}\u{df}e"));
    for from in [
        "From: \"M\u{fc}ller, Ann\" <ann@x>",
        "From: Ann M\u{fc}ller <ann@x>",
        "From: Ann\u{e9} M\u{fc}ller <ann@x>",
    ] {
        let name = from.trim_start_matches("From: ").replace('"', "");
        assert_eq!(decoded(from.as_bytes()).from, Some(name));
    }
    let attached = "Content-Disposition: attachment; filename=\"\u{fc} 1.pdf\"; x=1\r\n";
    assert_eq!(
        corrected(
            format!("{DATE}{attached}\r\nx").as_bytes(),
            &[Fault::EightBit]
        ),
        format!(
            "{DATE}Content-Disposition: attachment; filename*=UTF-8''%C3%BC%201.pdf; x=1\r\n\r\nx"
        )
    );
    let address = format!("{DATE}From: <m\u{fc}ller@x>\r\n\r\nx");
    assert!(fixed(address.as_bytes(), &[Fault::EightBit]).is_err());
}

#[test]
fn headers_that_are_none() {
    assert_eq!(
        corrected(b"Bad Field: 1\r\nA: 1\r\n\r\nx", &[Fault::Fields]),
        "X-Original-Line: Bad Field: 1\r\nA: 1\r\nDate: 01 Feb 2024 03:04:05 +0130\r\n\r\nx"
    );
    assert_eq!(
        corrected(b"just text\r\n\r\nx\r\n", &[Fault::Fields]),
        "Date: 01 Feb 2024 03:04:05 +0130\r\n\r\njust text\r\n\r\nx\r\n"
    );
    assert_eq!(
        corrected(
            format!("{DATE}A: 1\r\ntext begins").as_bytes(),
            &[Fault::Separator]
        ),
        format!("{DATE}A: 1\r\n\r\ntext begins")
    );
}

#[test]
fn long_lines() {
    let long = "word ".repeat(300);
    let plain = corrected(
        format!("{DATE}\r\n{long}=\u{fc}\r\n").as_bytes(),
        &[Fault::LongLines],
    );
    assert!(
        plain.contains("Content-Transfer-Encoding: quoted-printable\r\n"),
        "{plain}"
    );
    assert!(plain.lines().all(|line| line.len() <= 76), "{plain}");
    let read = mail_parser::MessageParser::new().parse(&plain).unwrap();
    assert_eq!(read.body_text(0).unwrap(), format!("{long}=\u{fc}\r\n"));

    let data = "QUJD".repeat(500);
    let parts = format!(
        "{DATE}Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\r\nshort\r\n--b\r\n\
         Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}\r\n--b--\r\n"
    );
    let short = corrected(parts.as_bytes(), &[Fault::LongLines]);
    assert!(short.lines().all(|line| line.len() <= 76), "{short}");
    let read = mail_parser::MessageParser::new().parse(&short).unwrap();
    assert_eq!(
        read.attachment(0).unwrap().contents(),
        "ABC".repeat(500).as_bytes()
    );

    let binary = format!("{DATE}Content-Type: image/x\r\n\r\n{data}\r\n");
    assert!(fixed(binary.as_bytes(), &[Fault::LongLines]).is_err());
    let header = format!("{DATE}References: {}\r\n\r\nx", "<a@x> ".repeat(300));
    let folded = corrected(header.as_bytes(), &[Fault::LongLines]);
    assert!(folded.lines().all(|line| line.len() <= 998));
    assert_eq!(folded.replace("\r\n <a", " <a"), header);
}

#[test]
fn what_is_signed_or_binary_is_left_alone() {
    for field in [
        "Content-Type: multipart/signed; boundary=x",
        "content-type: application/x-pkcs7-mime",
        "Content-Transfer-Encoding: BINARY",
    ] {
        let text = format!("{DATE}{field}\r\n\r\na\nb");
        let refused = fixed(text.as_bytes(), &[Fault::LineEnds]);
        assert!(matches!(refused, Err(SIGNED | BINARY)), "{refused:?}");
    }
    // Its own header is not signed.
    let text = "Subject: \u{fc}\r\nContent-Type: multipart/signed; boundary=x\r\n\r\nx";
    assert!(fixed(text.as_bytes(), &[Fault::EightBit]).is_ok());
}

#[test]
fn refusals_name_faults() {
    for (text, expected) in [
        ("Message contains bare newlines", &[Fault::LineEnds][..]),
        ("Message contains NUL characters", &[Fault::Nul]),
        (
            "Message contains non-ASCII characters in headers",
            &[Fault::EightBit],
        ),
        ("Message has no header/body separator", &[Fault::Separator]),
        ("Line too long", &[Fault::LongLines]),
        ("Message contains invalid header", &ALL),
        ("Command Argument Error. 11", &ALL),
        ("Maximum size of appendable message has been exceeded", &[]),
        ("invalid message: virus found", &[]),
        ("Quota exceeded", &[]),
        ("Permission denied", &[]),
    ] {
        assert_eq!(named_in(text), expected.iter().copied().collect(), "{text}");
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn any_bytes_will_do_and_a_second_correction_finds_nothing(
        bytes in prop::collection::vec(prop::sample::select(b"aA: \r\n\0\xfc\"<>@,=-".to_vec()), 0..300),
    ) {
        if let Ok(fixed) = fixed(&bytes, &ALL) {
            prop_assert_eq!(header_key(&fixed.bytes), header_key(&bytes));
            prop_assert!(!has_bare_ends(&fixed.bytes) && !fixed.bytes.contains(&0));
            let again = fix(&fixed.bytes, ALL.into_iter().collect(), date());
            prop_assert_eq!(again, Err(SOUND), "{}", fixed.bytes.escape_ascii());
        }
    }
}
