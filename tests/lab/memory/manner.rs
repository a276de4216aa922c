//! How a server in memory behaves: what it announces, and where it is odd.

use super::super::gmail::Labels;
use super::super::servers::PASSWORD;

pub(super) const SYSTEM: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

/// When the server says what it can do after login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    InTheOk,
    Untagged,
    OnRequest,
}

/// Makes another message of one.
pub type Rewrites = fn(&[u8]) -> Vec<u8>;

/// How a name is refused, if it is.
pub type Refuses = fn(&str) -> Option<&'static str>;

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Manner {
    pub greeting: String,
    /// Capabilities before login.
    pub before: String,
    /// Capabilities after login.
    pub after: String,
    pub told: Told,
    /// In LIST; `None` is NIL.
    pub separator: Option<char>,
    /// The largest literal that may come without being asked for.
    pub at_once: usize,
    /// What NAMESPACE answers, where it is known.
    pub namespace: Option<String>,
    /// Whether names are UTF-8 in quotes or literals, and ASCII only before ENABLE.
    pub utf8: bool,
    /// Who may log in.
    pub user: String,
    pub password: String,
    /// The mailbox that is INBOX, as LIST spells it.
    pub inbox: String,
    pub xlist: bool,
    /// Whether each folder gets a UIDVALIDITY of its own, as it should be; else all have 7.
    pub own_validities: bool,
    /// Whether it keeps keywords; else it takes them and forgets them, and says so when a folder is
    /// opened.
    pub keywords: bool,
    /// What it lists as PERMANENTFLAGS, where that is not what it keeps.
    pub lists: Option<&'static str>,
    /// System flags that it takes and forgets.
    pub forgets: &'static [&'static str],
    /// Whether it forgets the flags of what is appended, and keeps those that are set afterwards.
    pub only_store: bool,
    /// What it makes of a message that is appended.
    pub rewrites: Option<Rewrites>,
    /// Whether a mailbox is a file, which can have no folders below it, and a folder with others
    /// below it is none that holds mail (UW, GNU Mailutils).
    pub files: bool,
    /// By how much the UIDs of appended messages are higher, when their folder is opened, than was
    /// told for them.
    pub renumbers: u32,
    /// Whether folders are labels, as Gmail's.
    pub labels: Labels,
    pub telling: Telling,
    pub taking: Taking,
    pub strictness: Strictness,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            greeting: "OK ready".to_owned(),
            before: "IMAP4rev1".to_owned(),
            after: "IMAP4rev1".to_owned(),
            told: Told::OnRequest,
            separator: Some('/'),
            at_once: 0,
            namespace: None,
            utf8: false,
            user: "ann".to_owned(),
            password: PASSWORD.to_owned(),
            inbox: "INBOX".to_owned(),
            xlist: false,
            own_validities: false,
            keywords: true,
            lists: None,
            forgets: &[],
            only_store: false,
            rewrites: None,
            files: false,
            renumbers: 0,
            labels: Labels::Unknown,
            telling: Telling::default(),
            taking: Taking::default(),
            strictness: Strictness::default(),
        }
    }
}

/// What the server says of its folders and messages.
#[derive(Clone, Debug)]
pub struct Telling {
    /// FLAGS, which need not be the permanent ones.
    pub flags: &'static str,
    /// PERMANENTFLAGS on EXAMINE, where it differs from SELECT.
    pub examined: Option<&'static str>,
    /// Further untagged lines when a folder is opened.
    pub remarks: &'static [&'static str],
    /// Whether it says UIDNEXT when a folder is opened.
    pub uid_next: bool,
    /// Whether LIST tells roles (SPECIAL-USE), and not XLIST alone.
    pub roles: bool,
    /// Attributes of INBOX in LIST.
    pub inbox: &'static str,
    /// Whether STATUS ends with a blank in its list.
    pub blank: bool,
    /// What RFC822.SIZE says of a message of so many bytes.
    pub size: fn(usize) -> String,
    /// What INTERNALDATE says, where it isn't what was stored.
    pub date: Option<&'static str>,
    /// Whether FETCH answers in another order than by number.
    pub unordered: bool,
    /// How messages' MODSEQ and folders' HIGHESTMODSEQ are told.
    pub mod_seqs: ModSeqs,
    pub search: Search,
    /// Whether 8-bit bytes in a part of a header are told as `?`.
    pub plain_headers: bool,
    /// What FETCH gives for the body of a message with this text in it.
    pub broken: Option<(&'static str, Broken)>,
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            flags: SYSTEM,
            examined: None,
            remarks: &[],
            uid_next: false,
            roles: false,
            inbox: "",
            blank: false,
            size: |bytes| bytes.to_string(),
            date: None,
            unordered: false,
            mod_seqs: ModSeqs::Unknown,
            search: Search::Works,
            plain_headers: false,
            broken: None,
        }
    }
}

/// What a server tells of changes (RFC 7162).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModSeqs {
    Unknown,
    Right,
    /// A HIGHESTMODSEQ, and 0 for each message (Zoho).
    Zero,
}

/// What SEARCH is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    Works,
    /// It finds no more than so many messages, and doesn't say so.
    AtMost(usize),
    /// It finds nothing, whatever there is.
    Nothing,
    Fails(&'static str),
}

/// What is given for a message that the server can't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// OK, and nothing else (Exchange).
    Silence,
    /// A notice in the message's place (Exchange).
    Notice(&'static str),
    /// An item without a value (Yandex).
    NoValue,
    /// A refusal of the whole command.
    Refusal(&'static str),
}

/// What the server does with what it's given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taking {
    /// Keywords that it keeps although it keeps none else.
    pub keywords: &'static [&'static str],
    /// How it refuses a message whose last line has no end.
    pub unended: Option<&'static str>,
    /// The largest message, and how a larger one is refused.
    pub largest: Option<(usize, &'static str)>,
    /// The date that it gives to appended messages, whatever was said.
    pub date: Option<&'static str>,
    /// Whether a message that the folder holds already isn't stored again, and its UID is told.
    pub merges: bool,
    /// How it refuses to create a folder of this name.
    pub names: Option<Refuses>,
    /// Whether names that differ only in case are one folder's.
    pub case_blind: bool,
    /// How many messages one COPY or MOVE may have, and how more are refused.
    pub copies: Option<(usize, &'static str)>,
    /// Whether COPYUID stands on a line of its own, outside of any status (Exchange).
    pub bare_copyuid: bool,
}

/// Where the server is strict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strictness {
    /// How it refuses to open a folder before ID has been sent (NetEase).
    pub id_first: Option<&'static str>,
    /// The longest command line without its literals, and how a longer one is refused.
    pub line: Option<(usize, &'static str)>,
    /// After so many refused commands in a row it says this and closes.
    pub refusals: Option<(usize, &'static str)>,
    /// Whether a set must ascend.
    pub ascending: bool,
    /// Whether it says BYE again and again, and waits for the client to close.
    pub endless_bye: bool,
}
