//! `--map`, `--map-regex` and `--into`: renaming the source's folders on request.

use super::name::{FolderName, LEVEL};
use super::rule_error::RuleError;
use super::rules::Rules;

const OPTION: &str = "--map";

/// All `--map FROM=TO`, longest FROM first.
#[derive(Clone, Debug, Default)]
pub(super) struct Map(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    from: FolderName,
    to: FolderName,
    text: String,
}

impl Map {
    /// Parses the options.
    pub(super) fn new(texts: &[String]) -> Result<Self, RuleError> {
        let mut entries = texts
            .iter()
            .map(|text| Entry::new(text))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.from.levels().len()));
        for (index, entry) in entries.iter().enumerate() {
            if entries
                .iter()
                .skip(index + 1)
                .any(|other| other.from == entry.from && other.to != entry.to)
            {
                let problem = format!("{} is mapped to two folders", entry.from);
                return Err(RuleError::new(OPTION, &entry.text, problem));
            }
        }
        Ok(Self(entries))
    }

    /// Returns a folder's new name. A FROM that is composed exactly like the folder's name takes
    /// precedence over one that only looks the same.
    fn apply(&self, name: &FolderName) -> Option<FolderName> {
        let exact = |entry: &&Entry| name.levels().starts_with(entry.from.levels());
        let alike = |entry: &&Entry| name.below(&entry.from).is_some();
        let entry = self
            .0
            .iter()
            .find(exact)
            .or_else(|| self.0.iter().find(alike))?;
        Some(entry.to.join(name.below(&entry.from)?))
    }

    /// Yields FROM and TO of each option.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&FolderName, &FolderName)> {
        self.0.iter().map(|entry| (&entry.from, &entry.to))
    }

    /// Yields each option, as typed, that matches none of these folders.
    pub(super) fn unused<'a>(&'a self, names: &'a [&FolderName]) -> impl Iterator<Item = &'a str> {
        let unused = |entry: &&Entry| !names.iter().any(|name| name.below(&entry.from).is_some());
        self.0
            .iter()
            .filter(unused)
            .map(|entry| entry.text.as_str())
    }
}

impl Entry {
    fn new(text: &str) -> Result<Self, RuleError> {
        let error = |problem| RuleError::new(OPTION, text, problem);
        let at = equals_sign(text).ok_or_else(|| error("expected FROM=TO"))?;
        let name = |part: &str| parse_typed(&part.replace("\\=", "="));
        Ok(Self {
            from: name(&text[..at])
                .ok_or_else(|| error("FROM is not a folder name: a level is empty"))?,
            to: name(&text[at + 1..])
                .ok_or_else(|| error("TO is not a folder name: a level is empty"))?,
            text: text.to_owned(),
        })
    }
}

/// Finds the first `=` without a `\` before it.
fn equals_sign(text: &str) -> Option<usize> {
    text.match_indices('=')
        .map(|(at, _)| at)
        .find(|&at| !text[..at].ends_with('\\'))
}

/// Parses a typed name; ignores one trailing `/`.
pub(super) fn parse_typed(text: &str) -> Option<FolderName> {
    FolderName::parse(text.strip_suffix(LEVEL).unwrap_or(text))
}

/// A name after the user's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Renamed {
    /// The name.
    pub(super) name: FolderName,
    /// Whether `--map` gave it.
    pub(super) mapped: bool,
    /// Whether `--map-regex` changed it.
    pub(super) substituted: bool,
}

impl Renamed {
    /// Applies `--map` and `--map-regex`; `--into` comes last ([`place`]).
    ///
    /// `Err`: the substitution, as typed, that leaves no name.
    pub(super) fn by(rules: &Rules, name: &FolderName) -> Result<Self, String> {
        let mapped = rules.map.apply(name);
        let was_mapped = mapped.is_some();
        let mut renamed = Self {
            name: mapped.unwrap_or_else(|| name.clone()),
            mapped: was_mapped,
            substituted: false,
        };
        for substitution in &rules.regex {
            // Composed, like the expression: what looks the same matches the same.
            let key = renamed.name.key();
            match substitution.apply(&key) {
                Some(text) if text != key => {
                    renamed.name =
                        FolderName::parse(&text).ok_or_else(|| substitution.text().to_owned())?;
                    renamed.substituted = true;
                }
                _ => {}
            }
        }
        Ok(renamed)
    }
}

/// Returns the name below `--into`.
pub(super) fn place(rules: &Rules, name: FolderName) -> FolderName {
    match &rules.into {
        Some(top) => top.join(name.levels()),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Options;
    use super::*;

    fn renamed(map: &[&str], regex: &[&str], into: Option<&str>, name: &str) -> String {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let options = Options {
            map: owned(map),
            map_regex: owned(regex),
            into: into.map(str::to_owned),
            ..Options::default()
        };
        let rules = Rules::new(&options).unwrap();
        match Renamed::by(&rules, &FolderName::parse(name).unwrap()) {
            Ok(renamed) => place(&rules, renamed.name).to_string(),
            Err(rule) => format!("nothing left by {rule}"),
        }
    }

    #[test]
    fn names_change_by_the_users_word() {
        for (map, regex, into, name, result) in [
            (&["a=x"][..], &[][..], None, "a", "x"),
            (&["a=x"], &[], None, "a/b", "x/b"),
            (&["a=x"], &[], None, "ab", "ab"),
            (&["a=x", "a/b=y/z"], &[], None, "a/b/c", "y/z/c"),
            (&["inbox=Old"], &[], None, "INBOX/kid", "Old/kid"),
            (&["a=inbox"], &[], None, "a", "INBOX"),
            (&["a\\=b=c\\=d"], &[], None, "a=b", "c=d"),
            (&["a=b=c"], &[], None, "a", "b=c"),
            (&["a\\=2Fb=c/"], &[], None, "a=2Fb", "c"),
            (&["caf\u{e9}=x"], &[], None, "cafe\u{301}/b", "x/b"),
            (
                &["caf\u{e9}=x", "cafe\u{301}=y"],
                &[],
                None,
                "cafe\u{301}",
                "y",
            ),
            (&["a=b"], &["s/^b/c/", "s/c$/d/"], None, "a", "d"),
            (&[], &["s/^caf\u{e9}/x/"], None, "cafe\u{301}", "x"),
            (&[], &["s/^.*$//"], None, "a", "nothing left by s/^.*$//"),
            (&[], &["s#^a##"], None, "a/b", "nothing left by s#^a##"),
            (&["a=b"], &["s/b/c/"], Some("Old"), "a", "Old/c"),
            (&[], &[], Some("Old/"), "INBOX", "Old/INBOX"),
        ] {
            assert_eq!(renamed(map, regex, into, name), result);
        }
    }

    #[test]
    fn a_map_that_makes_no_sense_says_so() {
        for (texts, problem) in [
            (&["a"][..], "expected FROM=TO"),
            (&["=a"], "FROM is not a folder name"),
            (&["a="], "TO is not a folder name"),
            (&["a/b//c=d"], "FROM is not a folder name"),
            (&["a=b", "a=c"], "a is mapped to two folders"),
        ] {
            let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
            let text = Map::new(&texts).unwrap_err().to_string();
            assert!(text.contains(problem), "{text}");
        }
    }
}
