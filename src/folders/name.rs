//! Folder names as users know them: decoded levels, without any server's separator, prefix or
//! encoding.

use super::escape;
use std::fmt;
use unicode_normalization::UnicodeNormalization as _;

/// The separator of levels wherever a name is shown or typed.
pub(super) const LEVEL: char = '/';

/// A folder's decoded name: one or more levels. The first level `INBOX` is case-insensitive and
/// stored in capitals (RFC 3501 section 5.1); no level contains NUL, which no server may send.
///
/// Shown with `/` between levels. A `/` within a level is shown as `=2F` and an empty level as
/// `=00`, so that a displayed name can be typed back ([`FolderName::parse`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderName(Vec<String>);

impl FolderName {
    /// Makes a name from levels; `None` if there are none.
    pub fn new(mut levels: Vec<String>) -> Option<Self> {
        let first = levels.first_mut()?;
        if first.eq_ignore_ascii_case("INBOX") {
            first.make_ascii_uppercase();
        }
        for level in &mut levels {
            if level.contains('\0') {
                *level = level.replace('\0', "\u{fffd}");
            }
        }
        Some(Self(levels))
    }

    /// Returns the name INBOX.
    pub fn inbox() -> Self {
        Self(vec!["INBOX".to_owned()])
    }

    /// Parses a name as displayed or typed. `None` if a level is empty.
    pub fn parse(text: &str) -> Option<Self> {
        if text.split(LEVEL).any(str::is_empty) {
            return None;
        }
        Self::new(text.split(LEVEL).map(escape::read_typed).collect())
    }

    /// Returns the levels, outermost first; never empty.
    pub fn levels(&self) -> &[String] {
        &self.0
    }

    /// Reports whether it is INBOX itself.
    pub fn is_inbox(&self) -> bool {
        matches!(self.0.as_slice(), [only] if only == "INBOX")
    }

    /// Returns the key for comparisons: names with equal keys look the same to users, however they
    /// are composed (NFC).
    pub fn key(&self) -> String {
        self.to_string().nfc().collect()
    }

    /// Returns the levels below `ancestor`: none if they are equal, `None` if this isn't below it.
    /// Compares like keys.
    pub fn below(&self, ancestor: &Self) -> Option<&[String]> {
        let (head, tail) = self.0.split_at_checked(ancestor.0.len())?;
        let same = head
            .iter()
            .zip(&ancestor.0)
            .all(|(a, b)| a.nfc().eq(b.nfc()));
        same.then_some(tail)
    }

    /// Returns this name with more levels below it.
    #[must_use]
    pub fn join(&self, levels: &[String]) -> Self {
        let mut joined = self.clone();
        joined.0.extend_from_slice(levels);
        joined
    }

    /// Yields all ancestors, nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        (1..self.0.len())
            .rev()
            .filter_map(|depth| Some(Self(self.0.get(..depth)?.to_vec())))
    }

    /// Returns this name with all levels from `depth` (from 0) on joined into one, with `/` inside
    /// it.
    #[must_use]
    pub(super) fn flattened(&self, depth: usize) -> Self {
        let (head, tail) = self.0.split_at(depth.min(self.0.len() - 1));
        let mut levels = head.to_vec();
        levels.push(tail.join("/"));
        Self(levels)
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, level) in self.0.iter().enumerate() {
            if depth > 0 {
                write!(f, "{LEVEL}")?;
            }
            f.write_str(&escape::show(level))?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Makes a name from its levels.
    pub(crate) fn name(levels: &[&str]) -> FolderName {
        FolderName::new(levels.iter().map(|&level| level.to_owned()).collect()).unwrap()
    }

    /// Generates any name at all, with more special cases than chance would.
    pub(crate) fn any_name() -> impl Strategy<Value = FolderName> {
        let level = prop_oneof![
            "[^\0]{0,12}",
            "[=/.~&%A-F0-9 ]{0,8}",
            "[A-Za-z ü台😀\"]{1,8}",
            Just("inbox".to_owned()),
            Just("..".to_owned()),
        ];
        prop::collection::vec(level, 1..4).prop_map(|levels| FolderName::new(levels).unwrap())
    }

    #[test]
    fn names_are_shown_without_ambiguity() {
        for (levels, shown) in [
            (&["Work", "2023"][..], "Work/2023"),
            (&["a/b", "c"], "a=2Fb/c"),
            (&["a=2Fb"], "a=3D2Fb"),
            (&["a=3Db"], "a=3D3Db"),
            (&["a=25b"], "a=25b"),
            (&["a", "", "b"], "a/=00/b"),
            (&["=00"], "=3D00"),
            (&["inBox", "inbox"], "INBOX/inbox"),
        ] {
            assert_eq!(name(levels).to_string(), shown);
            assert_eq!(FolderName::parse(shown), Some(name(levels)));
        }
        for broken in ["", "/", "a//b", "/a", "a/"] {
            assert_eq!(FolderName::parse(broken), None, "{broken}");
        }
        assert_eq!(FolderName::new(Vec::new()), None);
    }

    #[test]
    fn composition_does_not_matter_to_keys() {
        let (composed, decomposed) = (name(&["\u{e9}te", "x"]), name(&["e\u{301}te", "x"]));
        assert_ne!(composed, decomposed);
        assert_eq!(composed.key(), decomposed.key());
        assert_eq!(
            decomposed.below(&name(&["\u{e9}te"])),
            Some(&["x".to_owned()][..])
        );
        assert_eq!(composed.below(&name(&["x"])), None);
        assert_eq!(name(&["a"]).below(&composed), None);
    }

    #[test]
    fn names_are_flattened_from_a_level_on() {
        assert_eq!(name(&["a", "b", "c"]).flattened(1), name(&["a", "b/c"]));
        assert_eq!(name(&["a", "b", "c"]).flattened(0), name(&["a/b/c"]));
        assert_eq!(name(&["a"]).flattened(5), name(&["a"]));
    }

    #[test]
    fn ancestors_come_nearest_first() {
        let all: Vec<_> = name(&["a", "b", "c"]).ancestors().collect();
        assert_eq!(all, [name(&["a", "b"]), name(&["a"])]);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn what_is_shown_can_be_typed(name in any_name()) {
            prop_assert_eq!(FolderName::parse(&name.to_string()), Some(name));
        }
    }
}
