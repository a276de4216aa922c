//! Numbers and lists in sentences.

pub(super) use crate::mail::counted;

/// Writes `38.3 MiB`; powers of 1024.
pub(in crate::verbs) fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1023.95 {
            return if unit == "B" {
                format!("{n} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Joins the first of many: `a, b, c and 4 more`.
pub(super) fn some(of: &[String]) -> String {
    const FEW: usize = 5;
    let shown = of
        .iter()
        .take(FEW)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if of.len() > FEW {
        format!("{shown} and {} more", of.len() - FEW)
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let table = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (40_200_000, "38.3 MiB"),
            (3 << 30, "3.0 GiB"),
            (5 << 40, "5.0 TiB"),
        ];
        for (n, text) in table {
            assert_eq!(bytes(n), text);
        }
        let letters: Vec<String> = "abcdefg".chars().map(String::from).collect();
        assert_eq!(some(&letters), "a, b, c, d, e and 2 more");
        assert_eq!(some(&letters[..2]), "a, b");
    }
}
