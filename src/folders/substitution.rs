//! `s/RE/TO/`: one substitution of `--map-regex`, as in sed and Perl.
//!
//! The delimiter is any ASCII punctuation except `\`; `\` before it makes it literal. Flags: `g`
//! replaces every match rather than the first, `i` ignores case. In TO, `\1` and `$1` are groups,
//! `${name}` a named one, `&` is itself, `\$` and `\\` are the characters.

use super::rule_error::RuleError;
use regex::{Regex, RegexBuilder};
use unicode_normalization::UnicodeNormalization as _;

const OPTION: &str = "--map-regex";

/// A compiled substitution.
#[derive(Clone, Debug)]
pub(super) struct Substitution {
    regex: Regex,
    /// In the syntax of the regex crate, with groups in braces.
    replacement: String,
    all: bool,
    text: String,
}

impl Substitution {
    /// Compiles `s/RE/TO/flags`.
    pub(super) fn new(text: &str) -> Result<Self, RuleError> {
        let error = |problem: String| RuleError::new(OPTION, text, problem);
        let parts = Parts::split(text).map_err(|problem| error(problem.to_owned()))?;
        let (mut all, mut any_case) = (false, false);
        for flag in parts.flags.chars() {
            match flag {
                'g' => all = true,
                'i' => any_case = true,
                other => return Err(error(format!("unknown flag '{other}' (known: g, i)"))),
            }
        }
        let pattern: String = parts.pattern.nfc().collect();
        let regex = RegexBuilder::new(&pattern)
            .case_insensitive(any_case)
            .size_limit(1 << 20)
            .build()
            .map_err(|cause| error(last_line(&cause)))?;
        let replacement = replacement(parts.replacement, parts.delimiter, &regex).map_err(error)?;
        Ok(Self {
            regex,
            replacement,
            all,
            text: text.to_owned(),
        })
    }

    /// Returns the name after the substitution; `None` if the expression doesn't match.
    pub(super) fn apply(&self, name: &str) -> Option<String> {
        if !self.regex.is_match(name) {
            return None;
        }
        let limit = if self.all { 0 } else { 1 };
        Some(
            self.regex
                .replacen(name, limit, &self.replacement)
                .into_owned(),
        )
    }

    /// Returns the substitution as typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

struct Parts<'a> {
    delimiter: char,
    pattern: String,
    replacement: &'a str,
    flags: &'a str,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix('s').ok_or("expected s/RE/TO/")?;
        let delimiter = rest
            .chars()
            .next()
            .filter(|c| c.is_ascii_punctuation() && *c != '\\');
        let delimiter = delimiter.ok_or("no delimiter after s, expected s/RE/TO/")?;
        let (pattern, rest) = until(&rest[1..], delimiter).ok_or("no TO, expected s/RE/TO/")?;
        let (replacement, flags) =
            until(rest, delimiter).ok_or("no delimiter after TO, expected s/RE/TO/")?;
        if pattern.is_empty() {
            return Err("no regular expression, expected s/RE/TO/");
        }
        // `\|` between `|`s is a literal `|`, so the expression must see the backslash. `\/` and
        // `/` mean the same to it, and `\<` must not reach it, as it means something else.
        let escaped = format!("\\{delimiter}");
        let pattern = pattern.replace(&escaped, &regex::escape(delimiter.encode_utf8(&mut [0; 4])));
        Ok(Self {
            delimiter,
            pattern,
            replacement,
            flags,
        })
    }
}

/// Splits at the next delimiter without a `\` before it.
fn until(text: &str, delimiter: char) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == delimiter && !escaped {
            return Some((&text[..at], &text[at + 1..]));
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// Converts TO to the syntax of the regex crate. A group that doesn't exist in the expression is an
/// error, not empty.
fn replacement(to: &str, delimiter: char, regex: &Regex) -> Result<String, String> {
    let mut out = String::with_capacity(to.len() + 4);
    let mut rest = to.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek().copied()) {
            ('\\' | '$', Some(digit @ '0'..='9')) => {
                let mut number = String::from(digit);
                rest.next();
                while let Some(more) = rest.next_if(char::is_ascii_digit) {
                    number.push(more);
                }
                let known = number
                    .parse::<usize>()
                    .is_ok_and(|group| group < regex.captures_len());
                if !known {
                    return Err(format!("refers to group {number}, which doesn't exist"));
                }
                out.push_str(&format!("${{{number}}}"));
            }
            ('$', Some('{')) => {
                rest.next();
                let group: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let numbered = group
                    .parse::<usize>()
                    .is_ok_and(|group| group < regex.captures_len());
                if !numbered && !regex.capture_names().flatten().any(|name| name == group) {
                    return Err(format!("refers to group {group}, which doesn't exist"));
                }
                out.push_str(&format!("${{{group}}}"));
            }
            ('\\', Some('$')) => {
                rest.next();
                out.push_str("$$");
            }
            ('\\', Some(next)) if next == delimiter || next.is_ascii_punctuation() => {
                rest.next();
                out.push(next);
            }
            ('\\', Some(next)) => return Err(format!("\\{next} in TO has no meaning here")),
            ('\\', None) => return Err("ends with a lone \\".to_owned()),
            ('$', _) => out.push_str("$$"),
            (c, _) => out.push(c),
        }
    }
    Ok(out.nfc().collect())
}

/// Returns the part of a regex error that says what is wrong, without the drawing.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitutions_do_what_sed_does() {
        for (rule, name, result) in [
            ("s/a/b/", "banana", Some("bbnana")),
            ("s/a/b/g", "banana", Some("bbnbnb")),
            ("s/A/b/gi", "banana", Some("bbnbnb")),
            ("s/A/b/", "banana", None),
            ("s/^Old\\/(.*)/New\\/$1/", "Old/x", Some("New/x")),
            ("s#^Old/(.*)#\\1/Old#", "Old/x", Some("x/Old")),
            ("s|a\\|b|c|", "a|b", Some("c")),
            ("s|a\\|b|c|", "a", None),
            ("s<a\\<b<c<", "a<b", Some("c")),
            ("s,(x)(y),$2$1z,", "xy", Some("yxz")),
            ("s,(x)(y),$1a,", "xy", Some("xa")),
            ("s,(?P<n>x)y,${n}!,", "xy", Some("x!")),
            ("s/x/$/", "x", Some("$")),
            ("s/x/\\$1/", "x", Some("$1")),
            ("s/x/a\\\\b/", "x", Some("a\\b")),
            ("s/x/[$0]&/", "x", Some("[x]&")),
            ("s/\\.$//", "a.", Some("a")),
            ("s/caf\u{e9}/x/", "caf\u{e9}", Some("x")),
        ] {
            assert_eq!(
                Substitution::new(rule).unwrap().apply(name).as_deref(),
                result,
                "{rule}"
            );
        }
    }

    #[test]
    fn a_broken_substitution_says_what_is_wrong() {
        for (rule, problem) in [
            ("y/a/b/", "expected s/RE/TO/"),
            ("s", "no delimiter after s"),
            ("sxaxbx", "no delimiter after s"),
            ("s/a", "no TO"),
            ("s/a/b", "no delimiter after TO"),
            ("s//b/", "no regular expression"),
            ("s/a/b/x", "unknown flag 'x'"),
            ("s/(a/b/", "unclosed group"),
            ("s/a/$1/", "refers to group 1"),
            ("s/a/\\9/", "refers to group 9"),
            ("s/a/${n}/", "refers to group n"),
            ("s/a/\\U/", "\\U in TO"),
        ] {
            let text = Substitution::new(rule).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("invalid --map-regex '{rule}': "))
                    && text.contains(problem),
                "{text}"
            );
        }
    }
}
