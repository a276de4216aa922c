//! Which folders a user's globs select.
//!
//! A glob ([`glob`]) is matched against the whole decoded name with `/` between levels. `Work` is
//! only that folder, `Work/**` everything below it, `Work{,/**}` both. A folder whose name is
//! exactly the text is selected too, so `[Gmail]/Sent Mail` needs no escaping. INBOX as the first
//! level is case-insensitive.

use super::glob;
use super::rule_error::RuleError;
use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

/// One glob.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    /// `None`: only the exact name matches.
    matcher: Option<Regex>,
}

impl Pattern {
    /// Compiles a glob from the given option.
    pub(super) fn new(option: &'static str, text: &str) -> Result<Self, RuleError> {
        let error = |problem: String| RuleError::new(option, text, problem);
        if text.is_empty() {
            return Err(error("names no folder".to_owned()));
        }
        let text: String = inbox_in_capitals(text).nfc().collect();
        let matcher = glob::compile(&text).map_err(error)?;
        Ok(Self {
            text,
            matcher: Some(matcher),
        })
    }

    /// Makes a pattern for a folder's exact name, without wildcards.
    pub(super) fn exact(text: &str) -> Self {
        Self {
            text: inbox_in_capitals(text).nfc().collect(),
            matcher: None,
        }
    }

    /// Reports whether it selects a folder, by its key.
    pub(super) fn matches(&self, key: &str) -> bool {
        self.names(key) || self.globs(key)
    }

    fn globs(&self, key: &str) -> bool {
        self.matcher
            .as_ref()
            .is_some_and(|matcher| matcher.is_match(key))
    }

    /// Reports whether the text is the folder's exact name.
    pub(super) fn names(&self, key: &str) -> bool {
        self.text == key
    }

    /// Reports whether it can only mean one folder: it has no wildcard.
    pub(super) fn is_name(&self) -> bool {
        self.matcher.is_none() || !self.text.contains(['*', '?', '[', '{'])
    }

    /// Reports whether a glob whose first level has no wildcard selects a folder: `shared/**`, but
    /// not `**`.
    pub(super) fn matches_on_purpose(&self, key: &str) -> bool {
        let top = self.text.split('/').next().unwrap_or_default();
        self.names(key) || (!top.contains(['*', '?', '[', '{']) && self.globs(key))
    }

    /// Returns the glob as typed, except for INBOX's case.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

fn inbox_in_capitals(text: &str) -> String {
    match text.split_at_checked(5) {
        Some((first, rest))
            if first.eq_ignore_ascii_case("INBOX")
                && matches!(rest.chars().next(), None | Some('/' | '{')) =>
        {
            format!("INBOX{rest}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_mean_what_the_head_says() {
        for (glob, meant, not_meant) in [
            ("Work", &["Work"][..], &["Work/a", "Works", "work"][..]),
            ("Work/*", &["Work/a"], &["Work", "Work/a/b"]),
            ("Work/**", &["Work/a", "Work/a/b"], &["Work", "Workers/a"]),
            ("Work{,/**}", &["Work", "Work/a", "Work/a/b"], &["Works"]),
            ("**/2023", &["2023", "a/2023", "a/b/2023"], &["a/2023/b"]),
            ("**", &["a", "a/b/c", "INBOX"], &[]),
            ("*", &["a", "INBOX"], &["a/b"]),
            ("inbox/*", &["INBOX/a"], &["inbox/a"]),
            ("Inbox", &["INBOX"], &["Inbox"]),
            (
                "[Gmail]/Sent Mail",
                &["[Gmail]/Sent Mail"],
                &["Gmail/Sent Mail"],
            ),
            ("\\[Gmail\\]/**", &["[Gmail]/Sent Mail"], &[]),
            ("{a,b}/x", &["a/x", "b/x"], &["c/x"]),
            ("a=2F*", &["a=2Fb"], &["a/b"]),
            ("caf\u{e9}", &["caf\u{e9}"], &[]),
            ("cafe\u{301}", &["caf\u{e9}"], &[]),
            ("?", &["台", "a"], &["/", "ab"]),
        ] {
            let pattern = Pattern::new("--folder", glob).unwrap();
            for key in meant {
                assert!(pattern.matches(key), "{glob} {key}");
            }
            for key in not_meant {
                assert!(!pattern.matches(key), "{glob} {key}");
            }
        }
    }

    #[test]
    fn what_is_named_on_purpose() {
        let on_purpose = |glob, key| {
            Pattern::new("--folder", glob)
                .unwrap()
                .matches_on_purpose(key)
        };
        assert!(on_purpose("shared/**", "shared/team"));
        assert!(on_purpose("[Gmail]/All Mail", "[Gmail]/All Mail"));
        assert!(!on_purpose("**", "shared/team"));
        assert!(!on_purpose("s*/**", "shared/team"));
    }

    #[test]
    fn a_broken_glob_says_what_is_wrong() {
        let text = Pattern::new("--exclude", "a[b").unwrap_err().to_string();
        assert!(
            text.starts_with("invalid --exclude 'a[b': has a [ without ]"),
            "{text}"
        );
        assert!(Pattern::new("--folder", "").is_err());
    }
}
