//! INTERNALDATE: when a message reached its mailbox, to the second and with its time zone (RFC 3501
//! section 2.3.3).

use jiff::{Timestamp, tz::Offset};
use serde::{Serialize, Serializer};
use std::fmt;

/// The longest date-time text that is parsed; the grammar's own form has 26 bytes.
const MAX_TEXT: usize = 64;

/// An instant in whole seconds, with its original time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InternalDate {
    /// Seconds since 1970-01-01T00:00:00Z.
    seconds: i64,
    /// Minutes east of UTC.
    offset_minutes: i16,
}

impl InternalDate {
    /// The range of instants that every known server keeps: Dovecot 2.3 silently turns anything
    /// outside 32 bits into another date.
    const KEPT_EVERYWHERE: std::ops::RangeInclusive<i64> = 86_400..=2_147_385_600;

    /// Makes a date from seconds since 1970 and a time zone in minutes east of UTC. `None` for an
    /// offset of more than a day.
    pub fn new(seconds: i64, offset_minutes: i16) -> Option<Self> {
        (offset_minutes.abs() < 24 * 60).then_some(Self {
            seconds,
            offset_minutes,
        })
    }

    /// Parses what servers send: `" 1-Feb-2024 03:04:05 +0130"`, with a one- or two-digit day.
    /// `None` for anything that isn't a date (`00-Jan-0000`, `31-Feb`, an endless text).
    ///
    /// ```abnf
    /// date-time      = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
    /// date-day-fixed = (SP DIGIT) / 2DIGIT
    /// time           = 2DIGIT ":" 2DIGIT ":" 2DIGIT
    /// zone           = ("+" / "-") 4DIGIT
    /// ```
    /// (RFC 3501 section 9; without the quotes.)
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return None;
        }
        let parsed = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text).ok()?;
        let offset = parsed.offset()?;
        let seconds = parsed.to_timestamp().ok()?.as_second();
        Self::new(seconds, i16::try_from(offset.seconds() / 60).ok()?)
    }

    /// Returns seconds since 1970-01-01T00:00:00Z. Dates of two servers are compared by these, as
    /// many servers drop the zone.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Returns the zone in minutes east of UTC.
    pub fn offset_minutes(self) -> i16 {
        self.offset_minutes
    }

    /// Returns the day in its own zone, as SEARCH SINCE and BEFORE count days (RFC 3501 section
    /// 6.4.4).
    pub fn day(self) -> Option<jiff::civil::Date> {
        let offset = Offset::from_seconds(i32::from(self.offset_minutes) * 60).ok()?;
        Some(
            offset
                .to_datetime(Timestamp::from_second(self.seconds).ok()?)
                .date(),
        )
    }

    /// The instant in its own zone, as RFC 3339 writes it; `None` beyond the years that it can
    /// write.
    pub fn rfc3339(self) -> Option<String> {
        let offset = Offset::from_seconds(i32::from(self.offset_minutes) * 60).ok()?;
        Some(
            Timestamp::from_second(self.seconds)
                .ok()?
                .display_with_offset(offset)
                .to_string(),
        )
    }

    /// Reports whether every server keeps it: after 1970-01-01 and before 2038-01-19.
    pub fn is_kept_everywhere(self) -> bool {
        Self::KEPT_EVERYWHERE.contains(&self.seconds)
    }
}

impl Serialize for InternalDate {
    /// By RFC 3339; null where it can't be written.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.rfc3339().serialize(to)
    }
}

impl fmt::Display for InternalDate {
    /// Writes the `date-time` of APPEND without its quotes: `01-Feb-2024 03:04:05 +0130`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset =
            Offset::from_seconds(i32::from(self.offset_minutes) * 60).map_err(|_| fmt::Error)?;
        let instant = Timestamp::from_second(self.seconds).map_err(|_| fmt::Error)?;
        let local = offset.to_datetime(instant);
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let zone = self.offset_minutes.unsigned_abs();
        write!(
            f,
            "{} {sign}{:02}{:02}",
            local.strftime("%d-%b-%Y %H:%M:%S"),
            zone / 60,
            zone % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_servers_send() {
        for text in [
            "01-Feb-2024 03:04:05 +0130",
            " 1-Feb-2024 03:04:05 +0130",
            "1-feb-2024 03:04:05 +0130",
        ] {
            let date = InternalDate::parse(text).unwrap();
            assert_eq!(date.seconds(), 1_706_751_245, "{text}");
            assert_eq!(date.to_string(), "01-Feb-2024 03:04:05 +0130");
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        let endless = "9".repeat(100_000);
        for text in [
            "00-Jan-0000 00:00:00 +0000",
            "31-Feb-2024 00:00:00 +0000",
            "",
            "NIL",
            "1-Feb-2024",
            &endless,
        ] {
            assert_eq!(InternalDate::parse(text), None, "{text:.40}");
        }
    }

    #[test]
    fn keeps_negative_and_half_hour_zones() {
        let date = InternalDate::parse("24-Nov-2026 23:59:59 -0330").unwrap();
        assert_eq!(date.offset_minutes(), -210);
        assert_eq!(date.to_string(), "24-Nov-2026 23:59:59 -0330");
    }

    #[test]
    fn knows_what_is_kept_everywhere() {
        let kept = |text| InternalDate::parse(text).unwrap().is_kept_everywhere();
        assert!(kept("17-Jan-2038 00:00:00 +0000"));
        assert!(!kept("20-Jan-2038 00:00:00 +0000"));
        assert!(!kept("30-Dec-1899 00:00:00 +0000"));
    }
}
