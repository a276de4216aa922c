//! Redacts secrets that a server repeats: as they are, as quoted strings, or in base64, as when a
//! server repeats a whole command that it doesn't understand.

use super::response::{Code, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Replaces a secret.
const HIDDEN: &str = "<hidden>";

/// The shortest piece of base64 that counts as part of a secret: three bytes of it.
const SHORTEST: usize = 4;

/// The longest server text that is kept, in characters. A longer one floods whatever shows it: a
/// terminal, a log, a report.
const LONGEST: usize = 500;

/// How many fields of an ID are kept. RFC 2971 allows 30.
const ID_FIELDS: usize = 30;

/// A secret this short is redacted only where it stands alone.
const FEW: usize = 2;

/// Knows the secrets of one connection.
#[derive(Default)]
pub(crate) struct Redactor {
    plain: Vec<Zeroizing<String>>,
    encoded: Vec<Zeroizing<String>>,
}

impl Redactor {
    /// Redacts this secret too from now on.
    pub(crate) fn add(&mut self, secret: &SecretString) {
        let secret = secret.expose_secret();
        if secret.is_empty() || self.plain.iter().any(|known| known.as_str() == secret) {
            return;
        }
        self.plain.push(Zeroizing::new(secret.to_owned()));
        if secret.contains(['"', '\\']) {
            self.plain.push(Zeroizing::new(
                secret.replace('\\', "\\\\").replace('"', "\\\""),
            ));
        }
        for (before, skipped) in [("", 0), ("x", 2), ("xx", 3)] {
            // The characters at the ends depend on the secret's neighbours.
            let all = Zeroizing::new(
                STANDARD.encode(Zeroizing::new(format!("{before}{secret}")).as_bytes()),
            );
            let kept = all.trim_end_matches('=').len() - 1;
            let core = all.get(skipped..kept).filter(|core| core.len() >= SHORTEST);
            self.encoded
                .extend(core.map(|core| Zeroizing::new(core.to_owned())));
        }
    }

    /// Returns a text without the secrets.
    pub(crate) fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self
            .plain
            .iter()
            .filter(|secret| text.contains(secret.as_str()))
            .collect::<Vec<_>>()
        {
            text = Cow::Owned(struck_out(&text, secret));
        }
        for core in &self.encoded {
            while let Some(at) = text.find(core.as_str()) {
                text = Cow::Owned(without_word(&text, at));
            }
        }
        text
    }

    /// Returns the response with its readable texts cut to a length that can be shown. Secrets are
    /// redacted before a text is cut: the cut could leave part of one that nothing recognises
    /// later.
    pub(super) fn shortened<'a>(&self, response: Response<'a>) -> Response<'a> {
        match response {
            Response::Tagged {
                tag,
                completion,
                code,
                text,
            } => Response::Tagged {
                tag,
                completion,
                code: self.short_code(code),
                text: self.short(text),
            },
            Response::Status {
                condition,
                code,
                text,
            } => Response::Status {
                condition,
                code: self.short_code(code),
                text: self.short(text),
            },
            Response::Id(fields) => {
                let owned = |text: String| self.short(Cow::Owned(text)).into_owned();
                let fields = fields.into_iter().take(ID_FIELDS);
                Response::Id(
                    fields
                        .map(|(name, value)| (owned(name), value.map(owned)))
                        .collect(),
                )
            }
            response => response,
        }
    }

    fn short_code(&self, code: Option<Code>) -> Option<Code> {
        let owned = |text: String| self.short(Cow::Owned(text)).into_owned();
        code.map(|code| match code {
            Code::Referral(url) => Code::Referral(owned(url)),
            Code::Other { name, arguments } => Code::Other {
                name: owned(name),
                arguments: owned(arguments),
            },
            code => code,
        })
    }

    fn short<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        if text.len() <= LONGEST {
            return text;
        }
        let clean = self.clean(&text);
        match clean.char_indices().nth(LONGEST) {
            Some((end, _)) => Cow::Owned(format!("{}…", &clean[..end])),
            None => text,
        }
    }
}

/// Returns a text without a secret. One of a letter or two is part of every other word, where it
/// reveals nothing: it is redacted only where it stands alone.
fn struck_out(text: &str, secret: &str) -> String {
    if secret.chars().count() > FEW {
        return text.replace(secret, HIDDEN);
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(secret) {
        let (before, after) = (&rest[..at], &rest[at + secret.len()..]);
        let is_inside = is_word(before.chars().next_back().or(clean.chars().next_back()))
            || is_word(after.chars().next());
        clean.push_str(before);
        clean.push_str(if is_inside { secret } else { HIDDEN });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Returns a text without the whole base64 word around this place: the secret's neighbours in it
/// are no better.
fn without_word(text: &str, at: usize) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let start = text[..at].rfind(|c| !is_base64(c)).map_or(0, |end| {
        end + text[end..].chars().next().map_or(1, char::len_utf8)
    });
    let end = text[at..]
        .find(|c| !is_base64(c))
        .map_or(text.len(), |length| at + length);
    [&text[..start], HIDDEN, &text[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_secret_of_one_letter_leaves_words_whole() {
        let redactor = redactor("a");
        assert_eq!(
            redactor.clean("A1 NO bad password a for \"a\""),
            "A1 NO bad password <hidden> for \"<hidden>\""
        );
    }

    fn redactor(secret: &str) -> Redactor {
        let mut redactor = Redactor::default();
        redactor.add(&secret.into());
        redactor
    }

    #[test]
    fn a_secret_is_struck_out_in_each_form() {
        let plain = STANDARD.encode("\0ann\0pass\"word");
        for (said, shown) in [
            ("nothing of note", "nothing of note"),
            (
                "no pass\"word here, pass\"word!",
                "no <hidden> here, <hidden>!",
            ),
            (
                r#"LOGIN "ann" "pass\"word" what"#,
                r#"LOGIN "ann" "<hidden>" what"#,
            ),
            (
                &format!("A1 BAD AUTHENTICATE PLAIN {plain}?"),
                "A1 BAD AUTHENTICATE PLAIN <hidden>?",
            ),
            (&format!("ü{plain}ü {plain}"), "ü<hidden>ü <hidden>"),
        ] {
            assert_eq!(redactor("pass\"word").clean(said), shown);
        }
        assert_eq!(redactor("").clean("a text"), "a text");
        assert_eq!(redactor("x").clean("a text, x"), "a text, <hidden>");
    }

    #[test]
    fn a_long_text_is_cut_and_shows_no_part_of_a_secret() {
        let short = |text: &str| redactor("pass-word").short(text.into()).into_owned();
        assert_eq!(short(&"ü".repeat(LONGEST)), "ü".repeat(LONGEST));
        assert_eq!(short(&"ü".repeat(1 << 20)), "ü".repeat(LONGEST) + "…");
        let cut = short(&(" ".repeat(LONGEST - 4) + "pass-word" + &"x".repeat(100)));
        assert!(cut.ends_with(" <hid…"), "{cut}");
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn whatever_stands_around_it(secret in "[!-~]{5,20}", before in "[a-z\0]{0,9}", after in "[a-z\0]{0,9}") {
            let said = format!("NO {} NO", STANDARD.encode(format!("{before}{secret}{after}")));
            prop_assert_eq!(redactor(&secret).clean(&said), "NO <hidden> NO");
        }
    }
}
