//! Parses option values: sizes, dates, searches. Errors are usage errors.

use jiff::civil::Date;

/// Parses bytes: `4096`, `500k`, `10M`, `2G`, `1T`; powers of 1024, in either case.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size such as 500k, 10M or 2G".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits
        .parse()
        .map_err(|_| "the size is too large".to_owned())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "the size is too large".to_owned())
}

/// Parses bytes per second, never zero.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    match size(text.strip_suffix("/s").unwrap_or(text))? {
        0 => Err("at that rate nothing would ever be copied".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Parses a day: `2024-01-31` or, in IMAP's form, `31-Jan-2024`.
pub(crate) fn date(text: &str) -> Result<Date, String> {
    ["%Y-%m-%d", "%d-%b-%Y"]
        .iter()
        .find_map(|form| Date::strptime(form, text).ok())
        .filter(|date| (1970..=9999).contains(&date.year()))
        .ok_or_else(|| "expected a date since 1970, such as 2024-01-31 or 31-Jan-2024".to_owned())
}

/// Checks a SEARCH program (RFC 3501 section 6.4.4). It becomes part of a command line: a line end
/// would begin another command, and `{` a literal, so neither is accepted.
pub(crate) fn search(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the search is empty; omit the option to select every message".to_owned());
    }
    if !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        return Err("a search must be printable ASCII on one line".to_owned());
    }
    if text.contains('{') {
        return Err("a search can't contain '{'".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let table = [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("500k", Some(500 * 1024)),
            ("10M", Some(10 << 20)),
            ("10m", Some(10 << 20)),
            ("2G", Some(2 << 30)),
            ("1T", Some(1 << 40)),
            ("", None),
            ("M", None),
            ("10X", None),
            ("10MB", None),
            ("1.5M", None),
            ("-1", None),
            ("+1", None),
            ("1 M", None),
            ("10µ", None),
            ("18446744073709551616", None),
            ("99999999999999999T", None),
        ];
        for (text, bytes) in table {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn a_rate_is_never_zero() {
        assert_eq!(rate("1M"), Ok(1 << 20));
        assert_eq!(rate("1M/s"), Ok(1 << 20));
        assert!(rate("0").is_err());
        assert!(rate("0k").is_err());
    }

    #[test]
    fn dates_have_two_forms() {
        let day = Date::new(2024, 1, 31).unwrap();
        for text in ["2024-01-31", "31-Jan-2024", "31-jan-2024"] {
            assert_eq!(date(text), Ok(day), "{text}");
        }
        for text in [
            "",
            "2024-02-30",
            "31.1.2024",
            "24-01-31",
            "2024-01-31T00:00",
            "yesterday",
            "31-Jan-2024 x",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_search_contains_no_line_end() {
        assert_eq!(
            search("FROM \"ann\" UNSEEN"),
            Ok("FROM \"ann\" UNSEEN".to_owned())
        );
        for text in [
            "",
            "  ",
            "ALL\r\nA2 LOGOUT",
            "TEXT {3+}",
            "FROM ä",
            "A\tB",
            "A\0B",
        ] {
            assert!(search(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn no_text_makes_them_panic(text in any::<String>()) {
            let _ = (size(&text), rate(&text), date(&text), search(&text));
        }
    }
}
