//! Counts in user-facing sentences.

/// Returns a count with its noun: `1 message`, `3089 messages`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(
            [0, 1, 2].map(|n| counted(n, "folder")),
            ["0 folders", "1 folder", "2 folders"]
        );
    }
}
