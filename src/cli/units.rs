//! Numbers for users: counts, bytes, rates, durations.

use std::time::Duration;

/// Writes `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes `1 message`, `3,089 messages`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Writes `40200000` as `38.3 MiB`; powers of 1024, as in options.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        // 1023.95 would be shown as 1024.0.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

/// Writes a time in RFC 3339 as the user's clock shows it: `2026-12-01 01:00 CET`.
pub(crate) fn clock_time(time: &str) -> String {
    let time: Result<jiff::Timestamp, _> = time.parse();
    time.map_or_else(
        |error| error.to_string(),
        |time| {
            let here = time.to_zoned_datetime(jiff::tz::TimeZone::system());
            here.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
        },
    )
}

/// Writes bytes per second; `None` if no time has passed.
pub(crate) fn rate(n: u64, seconds: f64) -> Option<String> {
    (seconds > 0.0).then(|| format!("{}/s", bytes((n as f64 / seconds) as u64)))
}

/// Writes how long something took or will take: `0.75 s`, `12 s`, `3 min 20 s`, `1 h 02 min`, `2 d
/// 3 h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if seconds < 10 {
        let text = format!("{:.2}", time.as_secs_f64());
        return format!("{} s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {:02} s", seconds % 60),
        (0, _, _) => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Writes the same for a summary's seconds. An invalid time counts as zero.
pub(crate) fn seconds(value: f64) -> String {
    duration(Duration::try_from_secs_f64(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (123_456, "123,456"),
        ] {
            assert_eq!(count(n), text);
        }
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(3089, "message"), "3,089 messages");
    }

    #[test]
    fn sizes_and_rates() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (40_200_000, "38.3 MiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (3 << 30, "3.0 GiB"),
            (5000 << 40, "5000.0 TiB"),
        ];
        for (n, text) in table {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(rate(2048, 2.0).as_deref(), Some("1.0 KiB/s"));
        assert_eq!(rate(2048, 0.0), None);
    }

    #[test]
    fn durations() {
        let table = [
            (0.0, "0 s"),
            (1.9, "1.9 s"),
            (0.754, "0.75 s"),
            (12.6, "12 s"),
            (200.0, "3 min 20 s"),
            (3723.0, "1 h 02 min"),
            (183_600.0, "2 d 3 h"),
            (-1.0, "0 s"),
            (f64::NAN, "0 s"),
        ];
        for (value, text) in table {
            assert_eq!(seconds(value), text);
        }
    }
}
