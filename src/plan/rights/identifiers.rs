//! Who has rights, as different servers write it (RFC 4314 section 3), and `--acl-map`.
//!
//! Invariant: nobody becomes anyone else unless `--acl-map` says so. What is written for someone
//! reads as the same one, in the target's own syntax.

use crate::provider::Identifiers;

/// Who has rights, whatever the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A user.
    User(String),
    /// A group of users.
    Group(String),
    /// Everyone, logged in or not.
    Anyone,
    /// Everyone who isn't logged in.
    Anonymous,
    /// Everyone who is logged in (Dovecot).
    Authenticated,
    /// The owner of the folder.
    Owner,
    /// Administrators, who have all rights anyway (Courier).
    Administrators,
    /// What only this kind of server knows, as it writes it: Dovecot's `!$group` and `#global`.
    Special(String),
}

/// An entry's identifier: who, and whether the rights are taken away from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Who.
    pub principal: Principal,
    /// Whether the rights are denied: `-name` (RFC 4314 section 2).
    pub denied: bool,
}

impl Who {
    /// Reads a server's identifier.
    pub fn read(text: &str, style: Identifiers) -> Self {
        let (denied, name) = text
            .strip_prefix('-')
            .map_or((false, text), |name| (true, name));
        Self {
            principal: Principal::read(name, style),
            denied,
        }
    }

    /// Writes it for a server; `None` if the server has no way to write it.
    pub fn written(&self, style: Identifiers) -> Option<String> {
        let name = self.principal.written(style)?;
        let text = if self.denied {
            format!("-{name}")
        } else {
            name
        };
        (Self::read(&text, style) == *self).then_some(text)
    }
}

impl Principal {
    fn read(name: &str, style: Identifiers) -> Self {
        let has_groups = |prefix: &str| {
            let group = name.strip_prefix(prefix)?;
            Some(Self::Group(group.to_owned()))
        };
        let special = match style {
            Identifiers::Plain => None,
            Identifiers::Dovecot if name.starts_with(['!', '#']) => {
                Some(Self::Special(name.to_owned()))
            }
            Identifiers::Dovecot => has_groups("$").or(match name {
                "owner" => Some(Self::Owner),
                "authenticated" => Some(Self::Authenticated),
                _ => None,
            }),
            Identifiers::Cyrus => has_groups("group:"),
            Identifiers::Courier => has_groups("group=").or_else(|| match name {
                "owner" => Some(Self::Owner),
                "administrators" => Some(Self::Administrators),
                _ => Some(Self::User(name.strip_prefix("user=")?.to_owned())),
            }),
        };
        special.unwrap_or_else(|| match name {
            "anyone" => Self::Anyone,
            "anonymous" if style != Identifiers::Dovecot => Self::Anonymous,
            _ => Self::User(name.to_owned()),
        })
    }

    fn written(&self, style: Identifiers) -> Option<String> {
        Some(match (self, style) {
            (Self::User(name) | Self::Special(name), _) => name.clone(),
            (Self::Group(name), Identifiers::Dovecot) => format!("${name}"),
            (Self::Group(name), Identifiers::Cyrus) => format!("group:{name}"),
            (Self::Anyone, _) => "anyone".to_owned(),
            (Self::Anonymous, _) => "anonymous".to_owned(),
            (Self::Authenticated, _) => "authenticated".to_owned(),
            (Self::Owner, _) => "owner".to_owned(),
            // Courier's SETACL refuses groups.
            (Self::Group(_), Identifiers::Plain | Identifiers::Courier)
            | (Self::Administrators, _) => return None,
        })
    }

    /// Reads what a user typed, in any server's syntax.
    fn typed(text: &str) -> Self {
        let styles = [
            Identifiers::Dovecot,
            Identifiers::Cyrus,
            Identifiers::Courier,
        ];
        let mut read = styles.iter().map(|style| Self::read(text, *style));
        read.find(|principal| !matches!(principal, Self::User(name) if name == text))
            .unwrap_or_else(|| Self::User(text.to_owned()))
    }
}

/// Reports whether two names are one user: the same, but for case and a missing domain.
pub(super) fn are_one_user(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let parts = |name: &str| {
        name.rsplit_once('@')
            .map_or((name.to_owned(), None), |(user, domain)| {
                (user.to_owned(), Some(domain.to_owned()))
            })
    };
    let (one, other) = (parts(&one), parts(&other));
    one.0 == other.0 && (one.1 == other.1 || one.1.is_none() || other.1.is_none())
}

/// What becomes of someone by `--acl-map`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// They are this one on the target.
    To(Principal),
    /// The user leaves them out on purpose.
    LeftOut,
    /// Nothing says what they are.
    Untold,
}

/// All `--acl-map OLD=NEW`.
#[derive(Clone, Debug, Default)]
pub struct AclMap(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    rule: Rule,
    text: String,
}

#[derive(Clone, Debug)]
enum Rule {
    One {
        from: Principal,
        /// `None`: left out.
        to: Option<Principal>,
    },
    /// Users of one domain are those of another; `None`: they have none.
    Domain {
        from: Option<String>,
        to: Option<String>,
    },
}

/// Why a text isn't a valid `--acl-map`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid --acl-map '{text}': {problem}")]
pub struct AclMapError {
    text: String,
    problem: &'static str,
}

impl AclMap {
    /// Parses the options.
    ///
    /// # Errors
    /// The first invalid one, or two that contradict each other.
    pub fn new(texts: &[String]) -> Result<Self, AclMapError> {
        let error = |text: &str, problem| AclMapError {
            text: text.to_owned(),
            problem,
        };
        let mut entries: Vec<Entry> = Vec::new();
        for text in texts {
            let rule = Rule::parse(text).map_err(|problem| error(text, problem))?;
            if entries.iter().any(|entry| entry.rule.contradicts(&rule)) {
                return Err(error(text, "OLD is mapped twice"));
            }
            let text = text.clone();
            entries.push(Entry { rule, text });
        }
        Ok(Self(entries))
    }

    /// Yields the options as typed.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.text.as_str())
    }

    /// Returns what becomes of someone. A rule for them alone comes before that for their domain.
    pub fn apply(&self, principal: &Principal) -> Mapped {
        let rules = || self.0.iter().map(|entry| &entry.rule);
        let one = rules().find_map(|rule| match rule {
            Rule::One { from, to } if is_same(from, principal) => Some(to),
            _ => None,
        });
        if let Some(to) = one {
            return to.clone().map_or(Mapped::LeftOut, Mapped::To);
        }
        let Principal::User(name) = principal else {
            return Mapped::Untold;
        };
        let (user, domain) = name
            .rsplit_once('@')
            .map_or((name.as_str(), None), |(user, domain)| (user, Some(domain)));
        let domain = domain.map(str::to_lowercase);
        let moved = rules().find_map(|rule| match rule {
            Rule::Domain { from, to } if *from == domain => Some(to),
            _ => None,
        });
        moved.map_or(Mapped::Untold, |to| {
            let name = to
                .as_ref()
                .map_or_else(|| user.to_owned(), |to| format!("{user}@{to}"));
            Mapped::To(Principal::User(name))
        })
    }
}

/// Reports whether a typed principal means this one. Names differ in more than case.
fn is_same(typed: &Principal, principal: &Principal) -> bool {
    match (typed, principal) {
        (Principal::User(a), Principal::User(b)) | (Principal::Group(a), Principal::Group(b)) => {
            a.eq_ignore_ascii_case(b)
        }
        (typed, principal) => typed == principal,
    }
}

impl Rule {
    /// Parses `OLD=NEW`. The `=` of Courier's `user=` and `group=` belongs to the name if another
    /// one follows.
    fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "expected OLD=NEW";
        let skipped = ["user=", "group="]
            .into_iter()
            .find(|prefix| text.starts_with(prefix) && text[prefix.len()..].contains('='))
            .map_or(0, str::len);
        let at = text[skipped..].find('=').ok_or(FORM)? + skipped;
        let (old, new) = (&text[..at], &text[at + 1..]);
        if old.is_empty() {
            return Err(FORM);
        }
        if let Some(from) = old.strip_prefix('@') {
            let to = new
                .strip_prefix('@')
                .ok_or("a domain can only become a domain: @old.example=@new.example")?;
            let domain = |name: &str| (!name.is_empty()).then(|| name.to_lowercase());
            return Ok(Self::Domain {
                from: domain(from),
                to: domain(to),
            });
        }
        if new.starts_with('@') {
            return Err("only a domain can become a domain: @old.example=@new.example");
        }
        Ok(Self::One {
            from: Principal::typed(old),
            to: (!new.is_empty()).then(|| Principal::typed(new)),
        })
    }

    fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One { from: a, to: x }, Self::One { from: b, to: y }) => is_same(a, b) && x != y,
            (Self::Domain { from: a, to: x }, Self::Domain { from: b, to: y }) => a == b && x != y,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Identifiers::{Courier, Cyrus, Dovecot, Plain};

    fn across(text: &str, from: Identifiers, to: Identifiers) -> Option<String> {
        Who::read(text, from).written(to)
    }

    #[test]
    fn each_server_has_its_own_words() {
        for (text, from, to, expected) in [
            ("bob", Dovecot, Cyrus, Some("bob")),
            ("$staff", Dovecot, Cyrus, Some("group:staff")),
            ("-group:staff", Cyrus, Dovecot, Some("-$staff")),
            ("user=bob", Courier, Dovecot, Some("bob")),
            ("group=staff", Courier, Cyrus, Some("group:staff")),
            ("$staff", Dovecot, Courier, None),
            ("group:staff", Cyrus, Plain, None),
            ("anyone", Cyrus, Dovecot, Some("anyone")),
            ("authenticated", Dovecot, Cyrus, None),
            ("owner", Dovecot, Courier, Some("owner")),
            ("owner", Dovecot, Cyrus, None),
            ("!$staff", Dovecot, Dovecot, Some("!$staff")),
            ("!$staff", Dovecot, Cyrus, None),
            ("administrators", Courier, Courier, None),
            // Users whose names would mean someone else on the target.
            ("$bob", Cyrus, Dovecot, None),
            ("owner", Cyrus, Dovecot, None),
            ("group:x", Plain, Cyrus, None),
            ("authenticated", Cyrus, Dovecot, None),
        ] {
            assert_eq!(across(text, from, to).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_name_without_a_domain_may_be_the_same_user() {
        assert!(are_one_user("Ann@a.example", "ann"));
        assert!(are_one_user("ann@a.example", "ann@A.example"));
        assert!(!are_one_user("ann@a.example", "ann@b.example"));
        assert!(!are_one_user("ann", "bob"));
    }

    fn mapped(texts: &[&str], name: &str, style: Identifiers) -> Mapped {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        AclMap::new(&texts)
            .unwrap()
            .apply(&Who::read(name, style).principal)
    }

    #[test]
    fn maps_are_read_in_any_syntax() {
        let user = |name: &str| Mapped::To(Principal::User(name.to_owned()));
        let group = |name: &str| Mapped::To(Principal::Group(name.to_owned()));
        for (texts, name, style, expected) in [
            (&["bob=robert"][..], "Bob", Dovecot, user("robert")),
            (&["$a=group:b"], "$a", Dovecot, group("b")),
            (&["group=a=group=b"], "group:a", Cyrus, group("b")),
            (&["user=bob=rob"], "bob", Courier, user("rob")),
            (&["user=bob"], "user", Plain, user("bob")),
            (
                &["anyone=anyone"],
                "anyone",
                Cyrus,
                Mapped::To(Principal::Anyone),
            ),
            (&["anyone="], "anyone", Cyrus, Mapped::LeftOut),
            (&["@a.x=@b.x"], "bob@A.x", Dovecot, user("bob@b.x")),
            (&["@a.x=@b.x", "bob@a.x=c"], "bob@a.x", Dovecot, user("c")),
            (&["@a.x=@"], "bob@a.x", Dovecot, user("bob")),
            (&["@=@b.x"], "bob", Dovecot, user("bob@b.x")),
            (&["@a.x=@b.x"], "bob@c.x", Dovecot, Mapped::Untold),
            (&["@a.x=@b.x"], "$a@a.x", Dovecot, Mapped::Untold),
        ] {
            assert_eq!(mapped(texts, name, style), expected, "{texts:?} {name}");
        }
    }

    #[test]
    fn a_map_that_means_nothing_is_refused() {
        for texts in [
            &["bob"][..],
            &["=bob"],
            &["@a.x=bob"],
            &["bob=@a.x"],
            &["bob=a", "BOB=b"],
        ] {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert!(AclMap::new(&texts).is_err(), "{texts:?}");
        }
    }
}
