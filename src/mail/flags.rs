//! Message flags and keywords (RFC 3501 section 2.3.2), and which of them a mailbox can store
//! (PERMANENTFLAGS).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How many keywords are shown to users, and how many characters of each.
const MAX_SHOWN: usize = 10;
const MAX_SHOWN_LENGTH: usize = 60;

/// The system flags that a client may set. `\Recent` is missing: only the server sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SystemFlag {
    /// `\Seen`
    Seen = 1,
    /// `\Answered`
    Answered = 2,
    /// `\Flagged`
    Flagged = 4,
    /// `\Deleted`
    Deleted = 8,
    /// `\Draft`
    Draft = 16,
}

/// Each [`SystemFlag`].
const ALL_SYSTEM: u8 = 31;

impl SystemFlag {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Seen, "\\Seen"),
        (Self::Answered, "\\Answered"),
        (Self::Flagged, "\\Flagged"),
        (Self::Deleted, "\\Deleted"),
        (Self::Draft, "\\Draft"),
    ];

    /// Parses `"\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft"` of `flag` (RFC 3501
    /// section 9).
    fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, text)| text.eq_ignore_ascii_case(name))
            .map(|(flag, _)| *flag)
    }
}

/// A keyword such as `$Forwarded`. Compared case-insensitively; the original spelling is kept.
#[derive(Clone, Debug)]
pub struct Keyword(String);

impl Keyword {
    /// Returns the keyword in its original spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reports whether every known server keeps it unchanged: letters, digits, `$ _ - .`, at most
    /// 50 bytes (Dovecot's limit). Others are set separately, after the message has been sent, so
    /// that a refusal costs the keyword and not the message.
    pub fn is_plain(&self) -> bool {
        self.0.len() <= 50
            && self
                .0
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"$_-.".contains(&b))
    }

    /// Reports whether it is one that mailferry sets for its own use.
    pub fn is_own(&self) -> bool {
        [Flags::MARK, Flags::DAMAGED]
            .iter()
            .any(|own| self.0.eq_ignore_ascii_case(own))
    }

    /// Reports whether it can be written as an atom at all (RFC 3501 `flag-keyword`).
    ///
    /// `flag-keyword = atom`, `atom = 1*ATOM-CHAR` (RFC 3501 section 9).
    fn is_atom(text: &str) -> bool {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b))
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl Hash for Keyword {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> Ordering {
        // Compares without copying either: a message may have a hundred thousand.
        for (one, other) in self.0.bytes().zip(other.0.bytes()) {
            match one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        self.0.len().cmp(&other.0.len())
    }
}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The flags of one message that can be copied to another server: system flags and keywords, never
/// `\Recent`.
///
/// Sixteen bytes; clones share the keywords.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    system: u8,
    /// Sorted, without duplicates; `None` if there are none.
    keywords: Option<Arc<[Keyword]>>,
}

impl Flags {
    /// A keyword set on a target message for a moment, to find out whether it is the source's own
    /// message. Never copied to another mailbox.
    pub const MARK: &str = "$MailferryMark";

    /// A keyword on a target message that was found damaged and is being replaced. Never copied to
    /// another mailbox.
    pub const DAMAGED: &str = "$MailferryDamaged";

    /// Makes flags from a server's names. `\Recent` and unknown system flags are dropped, as no
    /// other server would accept them; the two that have a registered keyword (`\Forwarded`,
    /// `\Junk`) are converted to it.
    ///
    /// ```abnf
    /// flag-fetch = flag / "\Recent"
    /// flag       = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
    /// ```
    /// (RFC 3501 section 9.) A keyword need not be an atom: [`Flags::names`] skips those that can't
    /// be written.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut system = 0;
        let mut keywords = Vec::new();
        for name in names {
            if let Some(flag) = SystemFlag::parse(name) {
                system |= flag as u8;
            } else if name.eq_ignore_ascii_case("\\Forwarded") {
                keywords.push(Keyword("$Forwarded".to_owned()));
            } else if name.eq_ignore_ascii_case("\\Junk") {
                keywords.push(Keyword("$Junk".to_owned()));
            } else if !name.starts_with('\\') && !name.is_empty() {
                keywords.push(Keyword(name.to_owned()));
            }
        }
        Self::new(system, keywords)
    }

    fn new(system: u8, mut keywords: Vec<Keyword>) -> Self {
        keywords.sort();
        keywords.dedup();
        Self {
            system,
            keywords: if keywords.is_empty() {
                None
            } else {
                Some(keywords.into())
            },
        }
    }

    /// Reports whether there are none.
    pub fn is_empty(&self) -> bool {
        self.system == 0 && self.keywords.is_none()
    }

    /// Reports whether this system flag is set.
    pub fn has(&self, flag: SystemFlag) -> bool {
        self.system & flag as u8 != 0
    }

    /// Returns the keywords, sorted by their case-folded spelling.
    pub fn keywords(&self) -> &[Keyword] {
        self.keywords.as_deref().unwrap_or_default()
    }

    /// Returns these flags and those of `other`.
    pub fn union(&self, other: &Self) -> Self {
        let keywords = self
            .keywords()
            .iter()
            .chain(other.keywords())
            .cloned()
            .collect();
        Self::new(self.system | other.system, keywords)
    }

    /// Returns these flags without those of `other`.
    pub fn minus(&self, other: &Self) -> Self {
        let kept = self
            .keywords()
            .iter()
            .filter(|keyword| !other.has_keyword(keyword))
            .cloned()
            .collect();
        Self::new(self.system & !other.system, kept)
    }

    /// Reports whether this keyword is set.
    pub fn has_keyword(&self, keyword: &Keyword) -> bool {
        self.keywords().binary_search(keyword).is_ok()
    }

    /// Returns the flags for display, whatever a server called them: control characters are
    /// escaped, long lists are cut.
    pub fn shown(&self) -> String {
        let system = SystemFlag::ALL
            .iter()
            .filter(|(flag, _)| self.has(*flag))
            .map(|(_, name)| (*name).to_owned());
        let keyword = |keyword: &Keyword| {
            let shown: String = keyword
                .0
                .chars()
                .take(MAX_SHOWN_LENGTH)
                .flat_map(char::escape_debug)
                .collect();
            if keyword.0.chars().nth(MAX_SHOWN_LENGTH).is_some() {
                format!("{shown}…")
            } else {
                shown
            }
        };
        let keywords = self.keywords().iter().take(MAX_SHOWN).map(keyword);
        let shown = system.chain(keywords).collect::<Vec<_>>().join(" ");
        match self.keywords().len().saturating_sub(MAX_SHOWN) {
            0 => format!("({shown})"),
            more => format!("({shown} and {more} more)"),
        }
    }

    /// Returns all system flags, and the keywords for which `keep` holds.
    pub fn filter_keywords(&self, keep: impl Fn(&Keyword) -> bool) -> Self {
        Self::new(
            self.system,
            self.keywords()
                .iter()
                .filter(|k| keep(k))
                .cloned()
                .collect(),
        )
    }

    /// Returns the names as inside an IMAP flag list: `\Seen $Forwarded`. Keywords that aren't
    /// atoms are skipped: they can't be written, and raw bytes from one server's reply never reach
    /// another server.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let system = SystemFlag::ALL
            .iter()
            .filter(|(flag, _)| self.has(*flag))
            .map(|(_, name)| *name);
        system.chain(
            self.keywords()
                .iter()
                .map(Keyword::as_str)
                .filter(|name| Keyword::is_atom(name)),
        )
    }
}

impl fmt::Display for Flags {
    /// Writes a parenthesised flag list, ready for the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, name) in self.names().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            f.write_str(name)?;
        }
        f.write_str(")")
    }
}

/// The flags that a mailbox stores permanently, from the PERMANENTFLAGS response to SELECT (RFC
/// 3501 section 7.1).
///
/// Servers list less than they keep: UW `()` for an empty INBOX, go-imap `(\*)`. So if the mailbox
/// is writable, system flags are worth trying, and if nothing is listed, everything is;
/// [`PermanentFlags::doubts`] returns what has to be checked afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermanentFlags {
    /// The flags that are kept, or worth trying.
    pub flags: Flags,
    /// Whether new keywords can be created, or are worth trying.
    pub any_keyword: bool,
    /// The system flags that aren't listed.
    doubted: u8,
    /// Whether keywords are worth trying only because nothing at all is listed.
    doubts_keywords: bool,
}

impl Default for PermanentFlags {
    fn default() -> Self {
        Self::everything()
    }
}

impl PermanentFlags {
    /// Returns the default of RFC 3501 for a server that sent no PERMANENTFLAGS: everything is
    /// kept.
    pub fn everything() -> Self {
        Self::exactly(
            Flags {
                system: ALL_SYSTEM,
                keywords: None,
            },
            true,
        )
    }

    /// Makes the set of exactly these flags, with no doubt about any.
    pub fn exactly(flags: Flags, any_keyword: bool) -> Self {
        Self {
            flags,
            any_keyword,
            doubted: 0,
            doubts_keywords: false,
        }
    }

    /// Interprets a server's list of names. For a read-only mailbox it is taken literally.
    ///
    /// `flag-perm = flag / "\*"` (RFC 3501 section 9).
    pub fn told<'a>(names: impl IntoIterator<Item = &'a str>, read_only: bool) -> Self {
        let mut any_keyword = false;
        let names = names
            .into_iter()
            .inspect(|name| any_keyword |= *name == "\\*");
        let listed = Flags::from_names(names);
        if read_only {
            return Self::exactly(listed, any_keyword);
        }
        let doubts_keywords = listed.is_empty() && !any_keyword;
        let doubted = ALL_SYSTEM & !listed.system;
        let flags = Flags {
            system: ALL_SYSTEM,
            ..listed
        };
        Self {
            flags,
            any_keyword: any_keyword || doubts_keywords,
            doubted,
            doubts_keywords,
        }
    }

    /// Makes every listed flag doubtful, for a server that may lose those too.
    #[must_use]
    pub fn all_doubted(self) -> Self {
        Self {
            doubted: ALL_SYSTEM,
            doubts_keywords: true,
            ..self
        }
    }

    /// Keeps no keywords, for a server that drops those that it lists.
    #[must_use]
    pub fn without_keywords(self) -> Self {
        Self {
            flags: self.flags.filter_keywords(|_| false),
            any_keyword: false,
            ..self
        }
    }

    /// Returns which of these flags are worth trying but may be lost all the same.
    pub fn doubts(&self, flags: &Flags) -> Flags {
        let keywords = if self.doubts_keywords {
            flags.keywords.clone()
        } else {
            None
        };
        Flags {
            system: flags.system & self.doubted,
            keywords,
        }
    }

    /// Splits `wanted` into the flags that this mailbox keeps and those that it can't. mailferry's
    /// own keywords are in neither.
    pub fn split(&self, wanted: &Flags) -> (Flags, Flags) {
        let wanted = &wanted.filter_keywords(|keyword| !keyword.is_own());
        let kept_keywords = wanted
            .keywords()
            .iter()
            .filter(|keyword| self.keeps_keyword(keyword))
            .cloned()
            .collect();
        let kept = Flags::new(wanted.system & self.flags.system, kept_keywords);
        let lost = wanted.minus(&kept);
        (kept, lost)
    }

    /// Reports whether this mailbox is certain to keep all of these, mailferry's own keywords
    /// included.
    pub fn keeps(&self, flags: &Flags) -> bool {
        let is_listed = flags.system & !self.flags.system == 0 && self.doubts(flags).is_empty();
        is_listed
            && flags
                .keywords()
                .iter()
                .all(|keyword| self.keeps_keyword(keyword))
    }

    fn keeps_keyword(&self, keyword: &Keyword) -> bool {
        Keyword::is_atom(keyword.as_str()) && (self.any_keyword || self.flags.has_keyword(keyword))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_and_unknown_system_flags_never_travel() {
        let flags = Flags::from_names([
            "\\Recent",
            "\\SEEN",
            "\\X-HAS-ATTACH",
            "\\Forwarded",
            "$Label1",
            "$label1",
        ]);
        assert_eq!(flags.to_string(), "(\\Seen $Forwarded $Label1)");
    }

    #[test]
    fn keywords_differ_only_beyond_case() {
        assert_eq!(
            Flags::from_names(["NonJunk", "\\Seen"]),
            Flags::from_names(["\\seen", "NONJUNK"])
        );
    }

    #[test]
    fn a_keyword_that_is_no_atom_is_never_written() {
        assert_eq!(
            Flags::from_names(["a]b", "c d", "x\r\ny", "ok"]).to_string(),
            "(ok)"
        );
    }

    #[test]
    fn permanent_flags_split_what_can_be_kept() {
        let exchange = PermanentFlags::exactly(Flags::from_names(["\\Seen", "$MDNSent"]), false);
        let (kept, lost) = exchange.split(&Flags::from_names([
            "\\Seen", "\\Draft", "$mdnsent", "$Label1",
        ]));
        assert_eq!(kept, Flags::from_names(["\\Seen", "$MDNSent"]));
        assert_eq!(lost, Flags::from_names(["\\Draft", "$Label1"]));
    }

    #[test]
    fn a_mark_can_be_kept_and_never_travels() {
        let mark = Flags::from_names([Flags::MARK]);
        assert!(PermanentFlags::everything().keeps(&mark));
        assert_eq!(
            PermanentFlags::everything().split(&mark),
            (Flags::default(), Flags::default())
        );
        let poor = PermanentFlags::exactly(Flags::from_names(["\\Seen"]), false);
        assert!(!poor.keeps(&mark) && !poor.keeps(&Flags::from_names(["\\Draft"])));
    }

    #[test]
    fn what_a_server_does_not_list_is_tried_and_doubted() {
        let wanted = Flags::from_names(["\\Seen", "\\Flagged", "$Label1"]);
        for (listed, read_only, kept, doubted) in [
            (
                &[][..],
                false,
                "(\\Seen \\Flagged $Label1)",
                "(\\Seen \\Flagged $Label1)",
            ),
            (
                &["\\*"],
                false,
                "(\\Seen \\Flagged $Label1)",
                "(\\Seen \\Flagged)",
            ),
            (
                &["\\Seen", "\\*"],
                false,
                "(\\Seen \\Flagged $Label1)",
                "(\\Flagged)",
            ),
            (
                &["\\Seen", "$MDNSent"],
                false,
                "(\\Seen \\Flagged)",
                "(\\Flagged)",
            ),
            (&[], true, "()", "()"),
            (&["\\Seen"], true, "(\\Seen)", "()"),
        ] {
            let told = PermanentFlags::told(listed.iter().copied(), read_only);
            let tried = told.split(&wanted).0;
            assert_eq!(
                (tried.to_string(), told.doubts(&tried).to_string()),
                (kept.into(), doubted.into()),
                "{listed:?}"
            );
        }
    }

    #[test]
    fn flags_are_shown_harmlessly_and_cut() {
        assert_eq!(
            Flags::from_names(["\\Seen", "a\u{7}b", "x\r\ny"]).shown(),
            "(\\Seen a\\u{7}b x\\r\\ny)"
        );
        let many: Vec<String> = (0..1000)
            .map(|number| format!("k{number:03}{}", "x".repeat(1000)))
            .collect();
        let shown = Flags::from_names(many.iter().map(String::as_str)).shown();
        assert!(
            shown.len() < 1000 && shown.ends_with(" and 990 more)"),
            "{shown}"
        );
    }

    #[test]
    fn two_hundred_thousand_keywords_take_no_square_time() {
        let names: Vec<String> = (0..200_000)
            .map(|number| format!("keyword{number}"))
            .collect();
        let flags = Flags::from_names(names.iter().map(String::as_str));
        // The time that this thread alone has run, in ns, since others are busy too.
        let ran = || {
            std::fs::read_to_string("/proc/thread-self/schedstat")
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .parse::<u64>()
        };
        let began = ran().unwrap();
        assert!(flags.minus(&flags).is_empty());
        assert_eq!(
            PermanentFlags::exactly(flags.clone(), false).split(&flags),
            (flags, Flags::default())
        );
        // In quadratic time this would take many minutes.
        let took = ran().unwrap() - began;
        assert!(took < 30_000_000_000, "{took} ns");
    }

    #[test]
    fn set_arithmetic() {
        let a = Flags::from_names(["\\Seen", "x"]);
        let b = Flags::from_names(["\\Seen", "\\Flagged", "y"]);
        assert_eq!(
            a.union(&b),
            Flags::from_names(["\\Seen", "\\Flagged", "x", "y"])
        );
        assert_eq!(a.minus(&b), Flags::from_names(["x"]));
        assert_eq!(a.filter_keywords(|_| false), Flags::from_names(["\\Seen"]));
    }
}
