//! How many bytes an account may move in a day, as in `daily-read=500MB`.

use std::fmt;

/// A limit for a day, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DailyLimit {
    /// No limit, whatever the provider says.
    Nothing,
    /// So many bytes, at least one.
    Bytes(u64),
}

impl DailyLimit {
    /// Parses `none` or bytes: `4096`, `500k`, `500M`, `2G`, `1T` are powers of 1024, `500kB`,
    /// `500MB`, `2GB`, `1TB` powers of 1000; in either case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("none") {
            return Some(Self::Nothing);
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" => 1 << 10,
            "m" => 1 << 20,
            "g" => 1 << 30,
            "t" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => return None,
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = is_number.then(|| digits.parse().ok())??;
        number
            .checked_mul(unit)
            .filter(|bytes| *bytes > 0)
            .map(Self::Bytes)
    }

    /// Returns the bytes.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Nothing => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

impl fmt::Display for DailyLimit {
    /// Writes it as it is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Bytes(bytes) => bytes.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bytes_or_nothing() {
        let table = [
            ("none", Some(DailyLimit::Nothing)),
            ("4096", Some(DailyLimit::Bytes(4_096))),
            ("2500MB", Some(DailyLimit::Bytes(2_500_000_000))),
            ("500m", Some(DailyLimit::Bytes(500 << 20))),
            ("1T", Some(DailyLimit::Bytes(1 << 40))),
            ("2gb", Some(DailyLimit::Bytes(2_000_000_000))),
            ("0", None),
            ("", None),
            ("MB", None),
            ("1.5GB", None),
            ("-1", None),
            ("5 MB", None),
            ("99999999T", None),
            ("99999999999999999999", None),
        ];
        for (text, limit) in table {
            assert_eq!(DailyLimit::parse(text), limit, "{text}");
            if let Some(limit) = limit {
                assert_eq!(DailyLimit::parse(&limit.to_string()), Some(limit));
            }
        }
    }
}
