//! Globs on folder names: `*` and `?` stay within a level, `**` as a level of its own crosses
//! levels, `{a,b}` is either, `[ab]` and `[!a-c]` are one character, `\` makes the next character
//! literal.
//!
//! Globs made for file names match bytes, where `?` matches no single character of most languages;
//! these match whole characters.

use regex::{Regex, RegexBuilder};
use std::iter::Peekable;
use std::str::Chars;

/// Compiles a glob to a regular expression that matches whole names. `Err` says what is wrong, as a
/// fragment that follows the glob.
pub(super) fn compile(glob: &str) -> Result<Regex, String> {
    let mut translation = Translation {
        rest: glob.chars().peekable(),
        out: String::from("^(?:"),
        depth: 0,
        at_level: true,
    };
    translation.run()?;
    translation.out.push_str(")$");
    RegexBuilder::new(&translation.out)
        .dot_matches_new_line(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|_| "is too long or has a range that runs backwards".to_owned())
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    /// How many `{` are open.
    depth: usize,
    /// Whether a level starts here.
    at_level: bool,
}

impl Translation<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            let mut begins_level = false;
            match c {
                '*' => begins_level = self.star(),
                '?' => self.out.push_str("[^/]"),
                '[' => self.class()?,
                '\\' => {
                    let next = self.rest.next().ok_or("ends with a lone \\")?;
                    self.literal(next);
                }
                '{' => {
                    self.depth += 1;
                    self.out.push_str("(?:");
                    begins_level = self.at_level;
                }
                ',' if self.depth > 0 => {
                    self.out.push('|');
                    begins_level = true;
                }
                '}' if self.depth > 0 => {
                    self.depth -= 1;
                    self.out.push(')');
                }
                c => {
                    self.literal(c);
                    begins_level = c == '/';
                }
            }
            self.at_level = begins_level;
        }
        if self.depth > 0 {
            Err("has a { without }".to_owned())
        } else {
            Ok(())
        }
    }

    /// Translates `*` or `**`; reports whether a level starts after it.
    fn star(&mut self) -> bool {
        let mut stars = 1;
        while self.rest.next_if_eq(&'*').is_some() {
            stars += 1;
        }
        let next = self.rest.peek().copied();
        let ends_level =
            matches!(next, None | Some('/')) || (self.depth > 0 && matches!(next, Some(',' | '}')));
        if stars == 1 || !self.at_level || !ends_level {
            self.out.push_str("[^/]*");
            return false;
        }
        if self.rest.next_if_eq(&'/').is_some() {
            self.out.push_str("(?:.*/)?");
            return true;
        }
        self.out.push_str(".+");
        false
    }

    /// Translates `[…]`: a `]` at its start is a character, as is a `-` at either end. Never
    /// matches `/`.
    fn class(&mut self) -> Result<(), String> {
        let mut set = String::new();
        let negated = self.rest.next_if(|c| matches!(c, '!' | '^')).is_some();
        let mut first = true;
        loop {
            let c = self
                .rest
                .next()
                .ok_or("has a [ without ]; put \\ before a [ that is meant as it is")?;
            if c == ']' && !first {
                break;
            }
            let is_range = c == '-' && !first && !matches!(self.rest.peek(), None | Some(']'));
            if is_range {
                set.push('-');
            } else {
                set.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
            }
            first = false;
        }
        let not = if negated { "^" } else { "" };
        self.out.push_str(&format!("[[{not}{set}]&&[^/]]"));
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.out
            .push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn globs_match_whole_characters_and_levels() {
        for (glob, matching, not_matching) in [
            ("a*c", &["ac", "abc", "aüc"][..], &["a/c", "abcd"][..]),
            ("?", &["a", "台", "😀"], &["", "ab", "/"]),
            ("[äö]x", &["äx", "öx"], &["ax", "/x"]),
            ("[!a-c]", &["d", "台"], &["a", "b", "/"]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[-a]", &["a", "-"], &["b"]),
            ("**", &["a", "a/b/c", "a\nb"], &[]),
            ("a/**", &["a/b", "a/b/c"], &["a", "ab"]),
            ("**/a", &["a", "b/a", "c/b/a"], &["ba", "a/b"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["ab", "a/xb"]),
            ("a**b", &["ab", "axb"], &["a/b"]),
            ("a{,/**}", &["a", "a/b"], &["ab"]),
            ("{**/,}a", &["a", "b/a"], &["ba"]),
            ("{a,b{c,d}}", &["a", "bc", "bd"], &["b", "a,b"]),
            ("a,b}", &["a,b}"], &["a"]),
            ("\\*\\[x\\]", &["*[x]"], &["a"]),
            ("a.(b)+$", &["a.(b)+$"], &["ax(b)+$"]),
        ] {
            let regex = compile(glob).unwrap();
            for text in matching {
                assert!(regex.is_match(text), "{glob} {text}");
            }
            for text in not_matching {
                assert!(!regex.is_match(text), "{glob} {text}");
            }
        }
    }

    #[test]
    fn what_is_open_or_backwards_is_refused() {
        for (glob, problem) in [
            ("[a", "a [ without ]"),
            ("{a", "a { without }"),
            ("a\\", "lone \\"),
            ("[b-a]", "backwards"),
        ] {
            assert!(compile(glob).unwrap_err().contains(problem), "{glob}");
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn an_escaped_name_matches_itself_only(name in "[a-c*?{}\\[\\],\\\\/.ü-]{1,12}", other in "[a-c/.ü-]{1,12}") {
            let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
            let regex = compile(&escaped).unwrap();
            prop_assert!(regex.is_match(&name));
            prop_assert_eq!(regex.is_match(&other), name == other);
        }

        #[test]
        fn no_glob_is_too_much(glob in "[ab*?{}\\[\\]!^,\\\\/&~.-]{0,20}") {
            let _ = compile(&glob);
        }
    }
}
