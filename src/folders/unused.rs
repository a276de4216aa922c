//! Folder options that match no folder, most likely because of a typo. A missing name ends the run
//! before it writes; a pattern or a mapping only causes a warning.

use super::name::FolderName;
use super::pairing::PairError;
use super::rules::Rules;
use super::select::Pattern;

/// How similar two names must be, from 0 to 1, for one to pass as a misspelling of the other.
const ALIKE: f64 = 0.6;
/// How many names are suggested.
const SUGGESTIONS: usize = 3;

impl Rules {
    /// Checks that each folder selected by its exact name exists.
    ///
    /// # Errors
    /// The missing names, each with similar ones that may be meant.
    pub fn check_names(&self, there: &[&FolderName], whose: &'static str) -> Result<(), PairError> {
        let keys: Vec<String> = there.iter().map(|name| name.key()).collect();
        let is_missing =
            |pattern: &&Pattern| pattern.is_name() && !keys.iter().any(|key| pattern.matches(key));
        let missing: Vec<String> = self
            .include
            .iter()
            .filter(is_missing)
            .map(|it| described(it, &keys))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(PairError::NoFolder {
            whose,
            missing: missing.join("; "),
        })
    }

    /// Returns a warning for each option that matches none of these folders.
    pub fn unused(&self, there: &[&FolderName], whose: &str) -> Vec<String> {
        let keys: Vec<String> = there.iter().map(|name| name.key()).collect();
        let mut unused = Vec::new();
        for (option, patterns) in [("--folder", &self.include), ("--exclude", &self.exclude)] {
            let idle = patterns
                .iter()
                .filter(|pattern| !keys.iter().any(|key| pattern.matches(key)));
            unused.extend(
                idle.map(|pattern| {
                    format!("{option} '{}' matches no folder {whose}", pattern.text())
                }),
            );
        }
        let idle = self.map.unused(there);
        unused.extend(idle.map(|text| format!("--map '{text}' matches no folder {whose}")));
        unused
    }
}

/// Writes `Wrok (did you mean Work?)`.
fn described(pattern: &Pattern, keys: &[String]) -> String {
    let wanted = pattern.text().to_lowercase();
    let mut near: Vec<(f64, &String)> = keys.iter().map(|key| (alike(&wanted, key), key)).collect();
    near.retain(|(alike, _)| *alike >= ALIKE);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let names: Vec<&str> = near
        .iter()
        .take(SUGGESTIONS)
        .map(|(_, key)| key.as_str())
        .collect();
    match names[..] {
        [] => pattern.text().to_owned(),
        _ => format!("{} (did you mean {}?)", pattern.text(), names.join(" or ")),
    }
}

/// Returns how similar a name is to a folder's, or to its last level: servers put folders below
/// INBOX that users know without it.
fn alike(wanted: &str, key: &str) -> f64 {
    let key = key.to_lowercase();
    let last = key.rsplit('/').next().unwrap_or_default();
    let whole = strsim::normalized_damerau_levenshtein(wanted, &key);
    whole.max(strsim::normalized_damerau_levenshtein(wanted, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::Options;

    fn names(names: &[&str]) -> Vec<FolderName> {
        names
            .iter()
            .map(|name| FolderName::parse(name).unwrap())
            .collect()
    }

    fn checked(include: &[&str], exact: &[&str]) -> Result<(), String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let options = Options {
            include: texts(include),
            include_names: texts(exact),
            ..Options::default()
        };
        let there = names(&["INBOX", "Work", "Works/2024", "Lists/rust", "a*"]);
        let rules = Rules::new(&options).unwrap();
        rules
            .check_names(&there.iter().collect::<Vec<_>>(), "on the source")
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_name_that_is_not_there_is_an_error() {
        for (include, exact) in [
            (&["Work", "inbox"][..], &[][..]),
            (&["Nothing*", "No/**", "[x]"], &[]),
            (&["Lists/rust"], &["a*"]),
            (&[], &[]),
        ] {
            assert_eq!(checked(include, exact), Ok(()), "{include:?} {exact:?}");
        }
        let error = checked(&["Wrok", "Work"], &["b*"]).unwrap_err();
        assert_eq!(
            error,
            "no such folder on the source: Wrok (did you mean Work?); b*"
        );
        assert!(
            checked(&["Rust"], &[])
                .unwrap_err()
                .ends_with("(did you mean Lists/rust?)")
        );
        assert!(
            checked(&["Unlike anything"], &[])
                .unwrap_err()
                .ends_with(": Unlike anything")
        );
    }
}
