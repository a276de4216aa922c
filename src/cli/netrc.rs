//! Finds a password in a netrc file: `machine HOST login USER password SECRET`, `default`, quotes,
//! `macdef`, comments.
//!
//! Words are separated by white space; a quoted word may contain spaces, and a backslash in it
//! escapes the next character. Port and protocol aren't part of the format.

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

/// Returns the password of the first entry for this machine and user. An entry without `login` is
/// for every user, `default` for every machine. Host names are case-insensitive.
pub(crate) fn find(text: &str, host: &str, user: &str) -> Option<SecretString> {
    let mut words = Words { rest: text };
    let mut entry = Entry::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" => {
                if let Some(password) = entry.take(user) {
                    return Some(password);
                }
                let here = word.as_str() == "default" || words.next()?.eq_ignore_ascii_case(host);
                entry = Entry {
                    here,
                    ..Entry::default()
                };
            }
            "login" => entry.login = Some(words.next()?),
            "password" => entry.password = Some(words.next()?),
            "account" => drop(words.next()),
            "macdef" => words.skip_macro(),
            comment if comment.starts_with('#') => words.skip_line(),
            _ => {}
        }
    }
    entry.take(user)
}

#[derive(Default)]
struct Entry {
    here: bool,
    login: Option<Zeroizing<String>>,
    password: Option<Zeroizing<String>>,
}

impl Entry {
    fn take(&mut self, user: &str) -> Option<SecretString> {
        let ours = self.here
            && self
                .login
                .as_ref()
                .is_none_or(|login| login.as_str() == user);
        self.password
            .take()
            .filter(|password| ours && !password.is_empty())
            .map(|text| text.as_str().into())
    }
}

struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn next(&mut self) -> Option<Zeroizing<String>> {
        self.rest = self.rest.trim_start();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            self.rest = quoted;
            return Some(self.quoted());
        }
        let end = self
            .rest
            .find(char::is_whitespace)
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then(|| Zeroizing::new(word.to_owned()))
    }

    /// Returns the text before the closing quote, or up to the end if there is none.
    fn quoted(&mut self) -> Zeroizing<String> {
        // As much room as can be needed: growing would leave copies behind.
        let mut word = Zeroizing::new(String::with_capacity(self.rest.len()));
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => word.extend(chars.next()),
                c => word.push(c),
            }
        }
        self.rest = chars.as_str();
        word
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// Skips a macro, which ends with an empty line.
    fn skip_macro(&mut self) {
        self.skip_line();
        while !self.rest.is_empty() {
            let line = self.rest.split('\n').next().unwrap_or_default();
            if line.trim().is_empty() {
                return;
            }
            self.skip_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    const FILE: &str = r##"
# comment with machine imap.example.org password no
machine imap.example.org login ann password s3cret
machine IMAP.example.org
    login bob account x
    password "two words \"quoted\" \\ done"
macdef init
    machine trap.example.org login ann password no
    cd /tmp

machine any.example.org password every#one
machine empty.example.org login ann password ""
machine late.example.org login ann # why
  password after
default login ann password fallback
"##;

    #[test]
    fn finds_the_entry_of_host_and_user() {
        let table = [
            ("imap.example.org", "ann", Some("s3cret")),
            (
                "imap.EXAMPLE.org",
                "bob",
                Some("two words \"quoted\" \\ done"),
            ),
            ("any.example.org", "carl", Some("every#one")),
            ("late.example.org", "ann", Some("after")),
            ("trap.example.org", "ann", Some("fallback")),
            ("empty.example.org", "ann", Some("fallback")),
            ("elsewhere.example.org", "ann", Some("fallback")),
            ("elsewhere.example.org", "bob", None),
        ];
        for (host, user, password) in table {
            let found = find(FILE, host, user);
            assert_eq!(
                found.as_ref().map(ExposeSecret::expose_secret),
                password,
                "{user}@{host}"
            );
        }
    }

    #[test]
    fn broken_files_hold_no_password() {
        for text in [
            "",
            "machine",
            "machine h login",
            "machine h password",
            "macdef x\nmachine h password no",
            "\"",
            "#",
        ] {
            assert!(find(text, "h", "u").is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn no_text_makes_it_panic(text in "(machine|default|login|password|macdef|#|\"|\\\\|\n| |a){0,40}") {
            let _ = find(&text, "a", "a");
        }
    }
}
