//! Dates in headers (RFC 5322 section 3.3), to replace an INTERNALDATE that isn't a date.
//!
//! mail-parser parses them, with four of its traps avoided: the result may not exist in the
//! calendar, a month in another language becomes some English one, a time without seconds makes it
//! lose the zone, and a date without a zone counts only if something follows it.

use super::header::{fields, unfolded};
use crate::mail::InternalDate;
use jiff::{civil, tz::Offset};

/// The longest value that is parsed; real ones have some thirty bytes, and a Received some
/// hundreds.
const MAX_VALUE: usize = 4096;

/// 1980-01-01T00:00:00Z: older dates in headers come from a clock with a dead battery.
const EARLIEST: i64 = 315_532_800;

/// Names of months (RFC 5322 section 3.3).
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// How far a clock may be ahead, in seconds: one day.
const AHEAD: i64 = 86_400;

/// Returns when a message was sent, for one whose INTERNALDATE isn't a date: its Date, otherwise
/// its newest Received (the first one), in the zone given there. `now_seconds` is the current time
/// in seconds since 1970.
///
/// `None` if neither is between 1980 and tomorrow.
pub fn message_date(header: &[u8], now_seconds: i64) -> Option<InternalDate> {
    let is_sane = |date: &InternalDate| {
        (EARLIEST..=now_seconds.saturating_add(AHEAD)).contains(&date.seconds())
    };
    let date = fields(header)
        .find(|field| field.is("Date"))
        .and_then(|field| parse(field.value));
    let received = || {
        fields(header)
            .filter(|field| field.is("Received"))
            .filter_map(|field| parse_received(field.value))
    };
    date.filter(is_sane).or_else(|| received().find(is_sane))
}

/// Parses the value of a Date into an instant and a zone; `None` if it isn't a date.
///
/// `orig-date = "Date:" date-time CRLF` (RFC 5322 section 3.6.1).
pub(super) fn parse(value: &[u8]) -> Option<InternalDate> {
    parse_text(&without_comments(value)?)
}

/// Parses the date of a Received, which comes after its last semicolon (RFC 5322 section 3.6.7).
///
/// `received = "Received:" *received-token ";" date-time CRLF` (RFC 5322 section 3.6.7).
fn parse_received(value: &[u8]) -> Option<InternalDate> {
    let text = without_comments(value)?;
    let (_, date) = text.rsplit_once(';')?;
    parse_text(date)
}

/// Returns the value unfolded and without comments, which may be nested; `None` if it is too long.
///
/// `comment = "(" *([FWS] ccontent) [FWS] ")"` (RFC 5322 section 3.2.2).
fn without_comments(value: &[u8]) -> Option<String> {
    if value.len() > MAX_VALUE {
        return None;
    }
    let mut text = String::new();
    let mut depth = 0_usize;
    for byte in unfolded(value) {
        match byte {
            b'(' => depth += 1,
            // Leave a blank: `10:00(x)+0100` is two tokens.
            b')' if depth > 0 => {
                depth -= 1;
                text.push(' ');
            }
            _ if depth > 0 => {}
            b'\t' | b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push('?'),
        }
    }
    Some(text)
}

/// Parses a date without comments.
///
/// ```abnf
/// date-time   = [ day-of-week "," ] date time [CFWS]
/// date        = day month year
/// time        = time-of-day zone
/// time-of-day = hour ":" minute [ ":" second ]
/// ```
/// (RFC 5322 section 3.3, and the obsolete forms of section 4.3.) A missing zone means UTC.
fn parse_text(text: &str) -> Option<InternalDate> {
    // Put a blank after each token, the last one too: mail-parser counts a token when it ends.
    let mut tidy = String::new();
    for token in text.split_ascii_whitespace() {
        tidy.push_str(token);
        if is_time_without_seconds(token) {
            tidy.push_str(":00");
        }
        tidy.push(' ');
    }
    let is_month = |token: &str| MONTHS.iter().any(|month| month.eq_ignore_ascii_case(token));
    if !tidy.split(' ').any(is_month) {
        return None;
    }
    to_internal_date(mail_parser::DateTime::parse_rfc822(&tidy)?)
}

fn is_time_without_seconds(token: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    token
        .split_once(':')
        .is_some_and(|(hours, minutes)| is_number(hours) && is_number(minutes))
}

fn to_internal_date(read: mail_parser::DateTime) -> Option<InternalDate> {
    if !read.is_valid() {
        return None;
    }
    let small = |value: u8| i8::try_from(value).ok();
    // jiff rejects what is_valid() accepts: 31 February.
    let date = civil::Date::new(
        i16::try_from(read.year).ok()?,
        small(read.month)?,
        small(read.day)?,
    )
    .ok()?;
    let local = date.at(
        small(read.hour)?,
        small(read.minute)?,
        small(read.second)?,
        0,
    );
    let east = i16::from(read.tz_hour) * 60 + i16::from(read.tz_minute);
    let minutes = if read.tz_before_gmt { -east } else { east };
    let offset = Offset::from_seconds(i32::from(minutes) * 60).ok()?;
    InternalDate::new(offset.to_timestamp(local).ok()?.as_second(), minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-01-01T00:00:00Z.
    const NOW: i64 = 1_767_225_600;

    #[test]
    fn reads_dates_as_they_are_written() {
        for (text, expected) in [
            (
                "Tue, 2 Jan 2024 10:00:00 +0100",
                Some("02-Jan-2024 10:00:00 +0100"),
            ),
            (
                " Tue,\r\n\t2 Jan 2024 10:00:00\r\n +0100 (CET)",
                Some("02-Jan-2024 10:00:00 +0100"),
            ),
            ("2 Jan 2024 09:00 GMT", Some("02-Jan-2024 09:00:00 +0000")),
            ("2 Jan 2024 09:00 EST", Some("02-Jan-2024 09:00:00 -0500")),
            ("2 Jan 24 09:00:00 UT", Some("02-Jan-2024 09:00:00 +0000")),
            (
                "2 Jan 2024 09:00:00 -0330",
                Some("02-Jan-2024 09:00:00 -0330"),
            ),
            ("2 jan 2024 09:00:00", Some("02-Jan-2024 09:00:00 +0000")),
            (
                "2 Jan 2024 (a (nested) comment) 9:5:1 +0000",
                Some("02-Jan-2024 09:05:01 +0000"),
            ),
            (
                "29 Feb 2024 00:00:00 +0000",
                Some("29-Feb-2024 00:00:00 +0000"),
            ),
            ("31 Feb 2024 00:00:00 +0000", None),
            ("32 Jan 2024 00:00:00 +0000", None),
            ("2 Jan 2024 25:00:00 +0000", None),
            ("2 Foo 2024 00:00:00 +0000", None),
            ("2 Jan 2024", None),
            ("garbage", None),
            ("", None),
        ] {
            let read = parse(text.as_bytes()).map(|date| date.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
        assert_eq!(parse("(".repeat(1 << 20).as_bytes()), None);
    }

    #[test]
    fn takes_date_then_the_newest_received() {
        let received = "Received: from a (b; c) by d; Mon, 1 Jan 2024 00:00:02 +0200 (EET)\r\n\
            Received: from e; Mon, 1 Jan 2024 00:00:01 +0200\r\n";
        for (header, expected) in [
            (
                format!("{received}Date: 2 Jan 2024 10:00:00 +0100\r\n"),
                Some("02-Jan-2024 10:00:00 +0100"),
            ),
            (received.to_owned(), Some("01-Jan-2024 00:00:02 +0200")),
            (
                format!("Date: garbage\r\n{received}"),
                Some("01-Jan-2024 00:00:02 +0200"),
            ),
            (
                format!("Date: 1 Jan 1904 00:00:00 +0000\r\n{received}"),
                Some("01-Jan-2024 00:00:02 +0200"),
            ),
            (
                format!("Date: 1 Jan 2030 00:00:00 +0000\r\n{received}"),
                Some("01-Jan-2024 00:00:02 +0200"),
            ),
            (
                format!("Received: no date\r\n{received}"),
                Some("01-Jan-2024 00:00:02 +0200"),
            ),
            (
                "Date: 2 Jan 2026 00:00:00 +0000".to_owned(),
                Some("02-Jan-2026 00:00:00 +0000"),
            ),
            ("Date: 2 Jan 2026 00:00:01 +0000".to_owned(), None),
            (
                "Date: 1 Jan 1980 00:00:00 +0000".to_owned(),
                Some("01-Jan-1980 00:00:00 +0000"),
            ),
            ("Date: 31 Dec 1979 23:59:59 +0000".to_owned(), None),
            (
                "Subject: none\r\n\r\nDate: 2 Jan 2024 10:00:00 +0100".to_owned(),
                None,
            ),
        ] {
            let found = message_date(header.as_bytes(), NOW).map(|date| date.to_string());
            assert_eq!(found.as_deref(), expected, "{header}");
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_bytes_will_do(value in prop::collection::vec(any::<u8>(), 0..80)) {
            parse(&value);
        }

        #[test]
        fn near_dates_will_do(text in "[0-9]{0,3} (Jan|Feb|[A-z]{2})-? [0-9]{1,5} [0-9:]{0,9} [-+A-Z0-9;(]{0,6}") {
            parse(text.as_bytes());
            parse_received(text.as_bytes());
        }

        #[test]
        fn reads_what_internal_date_writes(seconds in EARLIEST..NOW, minutes in -700_i16..840) {
            let date = InternalDate::new(seconds, minutes).unwrap();
            prop_assert_eq!(parse(date.to_string().replacen('-', " ", 2).as_bytes()), Some(date));
        }
    }
}
