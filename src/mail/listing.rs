//! Mailboxes as a store lists them, before their names are interpreted.

use super::{Counters, Gaps};
use serde::{Serialize, Serializer};
use std::fmt;

/// A mailbox's name exactly as its store writes it: modified UTF-7 on most IMAP servers, with
/// prefix and separators.
///
/// The raw bytes identify the folder on its server; decoding is only for display and mapping.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Vec<u8>);

impl MailboxName {
    /// Makes a name from the bytes that a store sent, unquoted.
    pub fn new(raw: impl Into<Vec<u8>>) -> Self {
        Self(raw.into())
    }

    /// Returns the bytes, unquoted.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reports whether it is INBOX, which is case-insensitive (RFC 3501 section 5.1).
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
    /// Writes the raw name with everything but printable ASCII escaped: safe for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

/// A mailbox's role (RFC 6154; XLIST's older names mean the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialUse {
    /// Every message in the account: a view, not a place.
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
    /// Parses a LIST attribute such as `\Sent`, case-insensitively (Cyrus 3.6 writes `\sent`), or
    /// XLIST's `\Spam`.
    ///
    /// ```abnf
    /// use-attr = "\All" / "\Archive" / "\Drafts" / "\Flagged" / "\Junk" / "\Sent" / "\Trash" / use-attr-ext
    /// ```
    /// (RFC 6154 section 6; `\Important` comes from RFC 8457.)
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

    /// Returns its attribute in LIST and CREATE (RFC 6154 section 2).
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

    /// Reports whether it shows messages that are in other folders, so that copying it would
    /// duplicate them.
    pub fn is_view(self) -> bool {
        matches!(self, Self::All | Self::Flagged | Self::Important)
    }

    /// Returns the role's English name in lower case, for tables and JSON.
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

/// What STATUS reports about a mailbox without opening it (RFC 3501 section 6.3.10). `None`: the
/// server did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderStatus {
    /// MESSAGES, UIDNEXT, UIDVALIDITY and HIGHESTMODSEQ.
    pub counters: Counters,
    /// UNSEEN: the number of messages without `\Seen`.
    pub unseen: Option<u32>,
    /// SIZE in bytes (RFC 8438).
    pub size: Option<u64>,
    /// MAILBOXID, which a mailbox keeps when renamed (RFC 8474).
    pub mailbox_id: Option<String>,
}

/// A name for a subfolder of a mailbox that can't have any: all levels from the mailbox's on become
/// one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flattened {
    /// The mailbox above.
    pub parent: MailboxName,
    /// The folder's name, beside that mailbox.
    pub name: MailboxName,
}

/// One mailbox in a listing.
#[derive(Clone, Debug)]
pub struct ListedMailbox {
    /// Its name on the server.
    pub name: MailboxName,
    /// The separator of levels in this name; `None` if the mailbox is outside any hierarchy.
    pub separator: Option<char>,
    /// Whether it can hold messages: neither `\Noselect` nor `\NonExistent`.
    pub selectable: bool,
    /// Whether it can't have children: `\Noinferiors`.
    pub no_inferiors: bool,
    /// Whether the user is subscribed to it.
    pub subscribed: bool,
    /// Its role, if the server gives one.
    pub special_use: Option<SpecialUse>,
    /// Its counters, if they came with the listing or by STATUS.
    pub status: Option<FolderStatus>,
}

impl ListedMailbox {
    /// Returns its counters, if the server reported them.
    pub fn counters(&self) -> Option<&Counters> {
        self.status.as_ref().map(|status| &status.counters)
    }

    /// Makes a folder that can hold messages and about which nothing else is known.
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

    /// Reports whether its counters say that it has no messages.
    pub fn is_empty(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.counters.messages == Some(0))
    }
}

/// How a store writes the names of the user's own mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameStyle {
    /// The prefix of every name but INBOX's, such as `INBOX.`; raw bytes, usually empty (NAMESPACE,
    /// RFC 2342).
    pub prefix: Vec<u8>,
    /// The separator of levels; `None` if there are no levels.
    pub separator: Option<char>,
    /// Whether names are in UTF-8 (UTF8=ACCEPT was enabled, RFC 6855) rather than modified UTF-7.
    pub utf8: bool,
}

/// All mailboxes in an account.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The mailboxes, in the server's order.
    pub mailboxes: Vec<ListedMailbox>,
    /// How the user's own mailboxes are named.
    pub style: NameStyle,
    /// Prefixes of other users' and shared namespaces: listed, but not the user's own mail.
    pub foreign_prefixes: Vec<Vec<u8>>,
    /// What exists or may exist in the account but could not be listed.
    pub gaps: Gaps,
    /// Whether folders are labels on messages in one store (X-GM-EXT-1), so that its All Mail
    /// accepts messages, too.
    pub are_labels: bool,
    /// Whether a message that a folder already has isn't stored there a second time.
    pub merges_equal: bool,
}
