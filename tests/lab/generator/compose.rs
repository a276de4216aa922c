//! Composes a message: its header, and a body of plain text, of plain text and HTML, or with an
//! attachment.

use super::Kind;
use super::random::Random;
use super::words::{FOREIGN, PEOPLE, WORDS, ZONES};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, tz::Offset};

/// 2010-01-01 in seconds since 1970; dates go on from here for 15 years.
const FIRST_DATE: i64 = 1_262_304_000;
const YEARS: u64 = 15 * 365 * 86_400;

/// A message and its APPEND date-time.
pub(super) fn compose(random: &mut Random, kind: Kind, id: Option<u64>) -> (Vec<u8>, String) {
    let seconds = FIRST_DATE + i64::try_from(random.below(YEARS)).unwrap();
    let zone =
        Offset::from_seconds(ZONES[usize::try_from(random.below(10)).unwrap()] * 60).unwrap();
    let at = |seconds: i64, format: &str| {
        Timestamp::from_second(seconds)
            .unwrap()
            .to_zoned_datetime(zone.to_time_zone())
            .strftime(format)
            .to_string()
    };
    let mut text = header(random, kind, id);
    text.push_str(&format!(
        "Date: {}\r\nMIME-Version: 1.0\r\n",
        at(seconds, "%a, %d %b %Y %H:%M:%S %z")
    ));
    body(random, &mut text);
    // Mail arrives some seconds after it was written.
    let arrived = seconds + i64::try_from(random.below(90)).unwrap();
    (text.into_bytes(), at(arrived, "%d-%b-%Y %H:%M:%S %z"))
}

/// The header but for its date and what describes the body.
fn header(random: &mut Random, kind: Kind, id: Option<u64>) -> String {
    let me = ("Alice Example", "alice@example.org");
    let (mut from, mut to) = (person(random), me);
    if matches!(kind, Kind::Sent | Kind::Drafts) {
        (from, to) = (me, from);
    }
    let raw = random.below(10) == 0;
    let mut text = String::new();
    if kind != Kind::Drafts {
        let hop = random.next();
        text.push_str(&format!("Return-Path: <{}>\r\n", from.1));
        text.push_str(&format!(
            "Received: from mx{}.example.net (192.0.2.{})\r\n",
            hop % 9,
            hop % 250
        ));
        text.push_str(&format!(
            "\tby mail.example.org with ESMTPS id {hop:x}\r\n\tfor <{}>\r\n",
            to.1
        ));
    }
    text.push_str(&format!(
        "From: {} <{}>\r\nTo: {} <{}>\r\n",
        word(from.0, raw),
        from.1,
        word(to.0, raw),
        to.1
    ));
    let subject: Vec<&str> = (0..=random.below(7)).map(|_| any_word(random)).collect();
    let subject: Vec<String> = subject.into_iter().map(|part| word(part, raw)).collect();
    text.push_str(&format!("Subject: {}\r\n", subject.join(" ")));
    if let Some(id) = id {
        text.push_str(&format!("Message-ID: <{id:016x}@example.org>\r\n"));
    }
    if random.below(3) == 0 {
        text.push_str(&format!(
            "In-Reply-To: <{:016x}@example.org>\r\n",
            random.next()
        ));
    }
    text
}

fn person(random: &mut Random) -> (&'static str, &'static str) {
    PEOPLE[usize::try_from(random.below(PEOPLE.len() as u64)).unwrap()]
}

fn any_word(random: &mut Random) -> &'static str {
    if random.below(12) == 0 {
        random.pick(&FOREIGN)
    } else {
        random.pick(&WORDS)
    }
}

/// A word of a header: as it is where that is ASCII or raw UTF-8 is wanted, else encoded (RFC
/// 2047).
fn word(text: &str, raw: bool) -> String {
    if raw || text.is_ascii() {
        text.to_owned()
    } else {
        format!("=?UTF-8?B?{}?=", STANDARD.encode(text))
    }
}

/// The fields that describe the body, an empty line, the body.
fn body(random: &mut Random, text: &mut String) {
    let size = random.log_normal(4300.0, 0.9).clamp(200.0, 90_000.0) as usize;
    let boundary = format!("=_{:016x}", random.next());
    match random.below(1000) {
        0..7 => {
            text.push_str(&format!(
                "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n"
            ));
            text.push_str(&format!("--{boundary}\r\n"));
            plain(random, text, size.min(2000));
            text.push_str(&format!("--{boundary}\r\n"));
            attachment(random, text);
            text.push_str(&format!("--{boundary}--\r\n"));
        }
        7..500 => {
            text.push_str(&format!(
                "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n"
            ));
            text.push_str(&format!("--{boundary}\r\n"));
            plain(random, text, size / 3);
            text.push_str(&format!("--{boundary}\r\n"));
            html(random, text, size - size / 3);
            text.push_str(&format!("--{boundary}--\r\n"));
        }
        500..600 => html(random, text, size),
        _ => plain(random, text, size),
    }
}

/// A part of plain text of about this many bytes.
fn plain(random: &mut Random, text: &mut String, size: usize) {
    text.push_str(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
    );
    prose(random, text, size, "\r\n");
}

/// A part of HTML of about this many bytes.
fn html(random: &mut Random, text: &mut String, size: usize) {
    text.push_str(
        "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
    );
    text.push_str("<html><body><p style=\"margin: 0\">\r\n");
    prose(random, text, size, "</p>\r\n<p style=\"margin: 0\">");
    text.push_str("</p></body></html>\r\n");
}

/// Words in lines of about 70 bytes, each ended by `end`; the last line ends in CRLF.
fn prose(random: &mut Random, text: &mut String, size: usize, end: &str) {
    let start = text.len();
    let mut line = text.len();
    while text.len() - start < size {
        text.push_str(any_word(random));
        if text.len() - line > 70 {
            text.push_str(end);
            line = text.len();
        } else {
            text.push(' ');
        }
    }
    text.push_str("\r\n");
}

/// A part with 100 KB to 2 MB of a file in base64.
fn attachment(random: &mut Random, text: &mut String) {
    let size = 75_000.0 * 20_f64.powf(random.fraction());
    text.push_str("Content-Type: application/pdf; name=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n");
    text.push_str("Content-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n");
    for _ in 0..(size as usize).div_ceil(56) {
        let mut line = [0; 56];
        for eight in line.chunks_exact_mut(8) {
            eight.copy_from_slice(&random.next().to_be_bytes());
        }
        STANDARD.encode_string(line, text);
        text.push_str("\r\n");
    }
}
