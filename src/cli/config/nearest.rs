//! Suggestions for unknown words.

/// How similar two words must be, from 0 to 1, for one to pass as a misspelling of the other.
const ALIKE: f64 = 0.7;

/// Returns `; did you mean X?`, or nothing if no known word is similar.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = known
        .into_iter()
        .map(|other| (strsim::normalized_damerau_levenshtein(word, other), other));
    match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((alike, other)) if alike >= ALIKE => format!("; did you mean {other}?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_words_are_suggested() {
        let known = ["user", "host", "password-file"];
        assert_eq!(did_you_mean("usr", known), "; did you mean user?");
        assert_eq!(
            did_you_mean("pasword-file", known),
            "; did you mean password-file?"
        );
        assert_eq!(did_you_mean("colour", known), "");
        assert_eq!(did_you_mean("x", []), "");
    }
}
