//! Mailboxes as a store lists them, before anything is made of their names.

use super::{Counters, Gaps};
use serde::{Serialize, Serializer};
use std::fmt;

/// A mailbox's name exactly as its store writes it: modified UTF-7 on most IMAP servers, with prefix and separators.
///
/// The raw bytes are the folder's identity on its server; decoding is for people and for mapping only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Vec<u8>);

impl MailboxName {
    /// A name from the bytes that a store sent, unquoted.
    pub fn new(raw: impl Into<Vec<u8>>) -> Self {
        Self(raw.into())
    }

    /// The bytes, unquoted.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is INBOX, which has no case (RFC 3501 section 5.1).
    pub fn is_inbox(&self) -> bool {
        self.0.eq_ignore_ascii_case(b"INBOX")
    }
}

impl From<&str> for MailboxName {
    fn from(name: &str) -> Self {
        Self(name.as_bytes().to_vec())
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for MailboxName {
    /// The raw name with everything but printable ASCII escaped: safe for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

/// What a mailbox is for (RFC 6154; XLIST's older names mean the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialUse {
    /// Every message of the account: a view, not a place.
    All,
    /// Archived mail.
    Archive,
    /// Drafts.
    Drafts,
    /// Flagged messages: a view.
    Flagged,
    /// Important messages: a view.
    Important,
    /// Spam.
    Junk,
    /// Sent mail.
    Sent,
    /// Deleted mail.
    Trash,
}

impl SpecialUse {
    /// Reads a LIST attribute such as `\Sent`, in any case (Cyrus 3.6 writes `\sent`), or XLIST's `\Spam`.
    ///
    /// ```abnf
    /// use-attr = "\All" / "\Archive" / "\Drafts" / "\Flagged" / "\Junk" / "\Sent" / "\Trash" / use-attr-ext
    /// ```
    /// (RFC 6154 section 6; `\Important` is of RFC 8457.)
    pub fn from_attribute(attribute: &str) -> Option<Self> {
        let name = attribute.strip_prefix('\\')?.to_ascii_lowercase();
        Some(match name.as_str() {
            "all" | "allmail" => Self::All,
            "archive" => Self::Archive,
            "drafts" => Self::Drafts,
            "flagged" | "starred" => Self::Flagged,
            "important" => Self::Important,
            "junk" | "spam" => Self::Junk,
            "sent" => Self::Sent,
            "trash" => Self::Trash,
            _ => return None,
        })
    }

    /// The attribute that says so in LIST and CREATE (RFC 6154 section 2).
    pub fn attribute(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// Whether it shows messages that live in other folders, so that copying it would double them.
    pub fn is_view(self) -> bool {
        matches!(self, Self::All | Self::Flagged | Self::Important)
    }

    /// The role's name in English, lower case: for tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Archive => "archive",
            Self::Drafts => "drafts",
            Self::Flagged => "flagged",
            Self::Important => "important",
            Self::Junk => "junk",
            Self::Sent => "sent",
            Self::Trash => "trash",
        }
    }
}

impl Serialize for SpecialUse {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// What STATUS tells of a mailbox without opening it (RFC 3501 section 6.3.10). `None`: the server did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderStatus {
    /// MESSAGES, UIDNEXT, UIDVALIDITY and HIGHESTMODSEQ.
    pub counters: Counters,
    /// UNSEEN: how many lack `\Seen`.
    pub unseen: Option<u32>,
    /// SIZE in bytes (RFC 8438).
    pub size: Option<u64>,
    /// MAILBOXID, which a mailbox keeps when it is renamed (RFC 8474).
    pub mailbox_id: Option<String>,
}

/// A name for a folder below a mailbox that can have none below it: all levels from the mailbox's on are made one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flattened {
    /// The mailbox above.
    pub parent: MailboxName,
    /// The folder's name beside it.
    pub name: MailboxName,
}

/// One mailbox of a listing.
#[derive(Clone, Debug)]
pub struct ListedMailbox {
    /// Its name on the server.
    pub name: MailboxName,
    /// What separates levels in this name; `None` where the mailbox stands outside of any hierarchy.
    pub separator: Option<char>,
    /// Whether it can hold messages: neither `\Noselect` nor `\NonExistent`.
    pub selectable: bool,
    /// Whether it can't have children: `\Noinferiors`.
    pub no_inferiors: bool,
    /// Whether the user is subscribed to it.
    pub subscribed: bool,
    /// What it is for, where the server says so.
    pub special_use: Option<SpecialUse>,
    /// Its counters, where they came with the listing or could be asked.
    pub status: Option<FolderStatus>,
}

impl ListedMailbox {
    /// Its counters, where STATUS told them.
    pub fn counters(&self) -> Option<&Counters> {
        self.status.as_ref().map(|status| &status.counters)
    }

    /// A folder that can hold messages and of which nothing else is known.
    pub fn new(name: MailboxName, separator: Option<char>) -> Self {
        Self {
            name,
            separator,
            selectable: true,
            no_inferiors: false,
            subscribed: false,
            special_use: None,
            status: None,
        }
    }

    /// Whether its counters say that it holds no message.
    pub fn is_empty(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.counters.messages == Some(0))
    }
}

/// How a store writes the names of the user's own mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameStyle {
    /// What stands before every name but INBOX's, such as `INBOX.`; raw bytes, mostly empty (NAMESPACE, RFC 2342).
    pub prefix: Vec<u8>,
    /// The separator of levels; `None`: there are no levels.
    pub separator: Option<char>,
    /// Whether names are UTF-8 (UTF8=ACCEPT was enabled, RFC 6855) and not modified UTF-7.
    pub utf8: bool,
}

/// All mailboxes of an account.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The mailboxes, in the server's order.
    pub mailboxes: Vec<ListedMailbox>,
    /// How the user's own mailboxes are named.
    pub style: NameStyle,
    /// Prefixes of other users' and shared namespaces: listed, but not the user's own mail.
    pub foreign_prefixes: Vec<Vec<u8>>,
    /// What the account holds, or may hold, and could not list.
    pub gaps: Gaps,
    /// Whether folders are labels that show messages of one store (X-GM-EXT-1), so that its All Mail takes messages, too.
    pub are_labels: bool,
}
