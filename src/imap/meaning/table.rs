//! The table: what known servers say, and what they mean by it. The first row that fits counts, so
//! narrow rows come before wide ones. Words are in lower case, and any one of them suffices.

use super::{Asked, Class, Code, Completion, Meaning, Said, Scope, Wait};
use std::time::Duration;

/// One row. What is empty fits anything.
#[derive(Debug)]
pub(super) struct Row {
    completion: Option<Completion>,
    codes: &'static [Code],
    words: &'static [&'static str],
    to: &'static [Asked],
    server: &'static str,
    pub(super) meaning: Meaning,
}

impl Row {
    /// Reports whether this row has what the server said. `text` is its text in lower case.
    pub(super) fn fits(&self, said: &Said<'_>, text: &str) -> bool {
        let is_said = match self.completion {
            Some(completion) => said.completion == Some(completion),
            None => said.completion != Some(Completion::Ok),
        };
        is_said
            && (self.to.is_empty() || self.to.contains(&said.to))
            && (self.server.is_empty() || self.server == said.server)
            && (self.codes.is_empty() || said.code.is_some_and(|code| self.codes.contains(code)))
            && (self.words.is_empty() || self.words.iter().any(|words| text.contains(words)))
    }

    const fn code(self, codes: &'static [Code]) -> Self {
        Self { codes, ..self }
    }

    const fn words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    const fn to(self, to: &'static [Asked]) -> Self {
        Self { to, ..self }
    }

    const fn by(self, server: &'static str) -> Self {
        Self { server, ..self }
    }

    const fn in_ok(self) -> Self {
        Self {
            completion: Some(Completion::Ok),
            ..self
        }
    }

    const fn advice(self, advice: &'static str) -> Self {
        Self {
            meaning: Meaning {
                advice: Some(advice),
                ..self.meaning
            },
            ..self
        }
    }
}

const fn row(class: Class, scope: Scope, wait: Wait) -> Row {
    Row {
        completion: None,
        codes: &[],
        words: &[],
        to: &[],
        server: "",
        meaning: Meaning {
            class,
            scope,
            wait,
            advice: None,
        },
    }
}

const LOGIN: &[Asked] = &[Asked::Login];
const READ: &[Asked] = &[Asked::Read];
const APPEND: &[Asked] = &[Asked::Append];
const CHANGE: &[Asked] = &[Asked::Change];
const BYE: &[Asked] = &[Asked::Nothing];
const COMMAND: &[Asked] = &[Asked::Read, Asked::Append, Asked::Change];

/// How long Gmail keeps an account locked that has used up its day.
const HOUR: Wait = Wait::Least(Duration::from_secs(3_600));
/// How long Microsoft 365 takes to forget connections.
const MINUTE: Wait = Wait::Least(Duration::from_secs(60));

const TOO_MANY: &[&str] = &[
    "too many simultaneous",
    "maximum number of connections",
    "too many connections",
    "too many concurrent",
];

/// A refused login, with what to do.
const fn login(words: &'static [&'static str], advice: &'static str) -> Row {
    row(Class::Login, Scope::Account, Wait::Nothing)
        .words(words)
        .to(LOGIN)
        .advice(advice)
}

/// A refused message: by itself, for good.
const fn refused() -> Row {
    row(Class::Refused, Scope::Message, Wait::Nothing)
}

pub(super) const ROWS: &[Row] = &[
    // The command succeeded. Gmail adds it at the end of the line, other servers as a code.
    row(Class::Slow, Scope::Connection, Wait::Growing)
        .in_ok()
        .words(&["[throttled]"]),
    row(Class::Slow, Scope::Connection, Wait::Growing)
        .in_ok()
        .code(&[Code::Throttled]),
    // A day's limit. Gmail says it of a download in the code for a full mailbox, at any command,
    // and when it locks an account also at the login and in a BYE.
    row(Class::Spent, Scope::Account, HOUR).words(&["command or bandwidth limits"]),
    row(Class::Spent, Scope::Account, HOUR)
        .code(&[Code::OverQuota])
        .to(READ),
    row(Class::Spent, Scope::Account, HOUR)
        .code(&[Code::OverQuota])
        .to(BYE),
    // Connections. Dovecot says it with UNAVAILABLE, Gmail with ALERT.
    row(Class::Crowded, Scope::Connection, Wait::Growing)
        .words(TOO_MANY)
        .to(LOGIN),
    row(Class::Crowded, Scope::Connection, Wait::Growing)
        .words(TOO_MANY)
        .to(BYE),
    row(Class::Crowded, Scope::Connection, Wait::Growing)
        .code(&[Code::Limit])
        .to(LOGIN),
    // Microsoft 365, to the first command after an OK to the login.
    row(Class::Unconnected, Scope::Connection, MINUTE)
        .words(&["user is authenticated but not connected"]),
    // Throttling: Microsoft 365 and Exchange by BAD, with a time; Yahoo by NO. At a login it says
    // nothing about the password.
    row(Class::Throttled, Scope::Connection, Wait::AsTold).words(&["request is throttled"]),
    row(Class::Throttled, Scope::Connection, Wait::AsTold).words(&["suggested backoff time"]),
    row(Class::Throttled, Scope::Connection, Wait::Growing).code(&[Code::Throttled]),
    // Logins. A server that can't check a password now says nothing about it.
    row(Class::Passing, Scope::Connection, Wait::Growing)
        .code(&[Code::Unavailable, Code::InUse, Code::ServerBug])
        .to(LOGIN),
    login(
        &["application-specific password", "app password"],
        "create an app password in the account's security settings and use it here",
    ),
    login(
        &["basic authentication is disabled", "logindisabled"],
        "this provider no longer accepts passwords for IMAP",
    ),
    login(
        &["web browser", "web login"],
        "log in to the account in a web browser once, then try again",
    ),
    login(
        &["imap is disabled"],
        "enable IMAP in the account's settings",
    ),
    row(Class::Login, Scope::Account, Wait::Nothing)
        .code(&[Code::AuthorizationFailed])
        .to(LOGIN)
        .advice("this user isn't allowed to act for the authzid= user; only an administrator is"),
    login(
        &["channel-bindings-dont-match"],
        "the server has a different certificate than mailferry was shown: this may be a man-in-the-middle attack, or \
         an intercepting device; ask the server's operator",
    ),
    row(Class::Login, Scope::Account, Wait::Nothing).to(LOGIN),
    // Goodbyes. A BYE that is in no row is temporary.
    row(Class::Expired, Scope::Connection, Wait::Nothing)
        .words(&["accesstokenexpired", "session expired"])
        .to(BYE),
    row(Class::Refused, Scope::Connection, Wait::Growing)
        .code(&[Code::TooBig])
        .to(BYE),
    row(Class::Passing, Scope::Connection, Wait::Growing).to(BYE),
    row(Class::Throttled, Scope::Connection, Wait::Growing)
        .words(&["rate limit"])
        .to(COMMAND),
    // A full account. The words without a code count only for a message: a folder's name may have
    // them.
    row(Class::Full, Scope::Account, Wait::Nothing).code(&[Code::OverQuota]),
    row(Class::NoFolder, Scope::Folder, Wait::Nothing)
        .code(&[Code::TryCreate])
        .to(APPEND),
    row(Class::Exists, Scope::Folder, Wait::Nothing)
        .code(&[Code::AlreadyExists])
        .to(CHANGE),
    // Temporary. UNAVAILABLE at Yahoo may also be one broken message: the caller counts.
    row(Class::Passing, Scope::Message, Wait::Growing).code(&[
        Code::InUse,
        Code::Unavailable,
        Code::ServerBug,
    ]),
    refused().code(&[Code::TooBig, Code::NoPerm, Code::NonExistent]),
    row(Class::Full, Scope::Account, Wait::Nothing)
        .words(&[
            "over quota",
            "quota exceeded",
            "overquota",
            "exceeded your mail quota",
            "quota has been exceeded",
            "quota limit",
        ])
        .to(APPEND),
    row(Class::Passing, Scope::Message, Wait::Growing).words(&[
        "try again",
        "temporar",
        "throttl",
        "backoff",
        "timeout while waiting for lock",
        "is locked",
        "internal error",
        "system error",
        "server error",
        "server unavailable",
        "not available",
        // Dovecot, about a folder that was deleted, renamed or renumbered while it was open.
        "was deleted under us",
    ]),
    // NetEase, to a client that has not identified itself. This one has.
    row(Class::Refused, Scope::Folder, Wait::Nothing)
        .words(&["unsafe login"])
        .to(READ)
        .advice("allow other mail programs in the mailbox's settings"),
    row(Class::Flags, Scope::Message, Wait::Nothing)
        .words(&["flag", "keyword"])
        .to(APPEND),
    // Zimbra, where flags are disabled.
    row(Class::Flags, Scope::Message, Wait::Nothing)
        .words(&["append failed"])
        .to(APPEND)
        .by("Zimbra"),
    row(Class::Nul, Scope::Message, Wait::Nothing)
        .words(&["nul character", "nul byte", "nul octet"])
        .to(APPEND),
    row(Class::Date, Scope::Message, Wait::Nothing)
        .words(&["date"])
        .to(APPEND),
    // Exchange: a long command line or folder name, or to APPEND a message that it doesn't take.
    // Fewer messages at a time may do.
    refused().words(&["command argument error", "command error."]),
    // Exchange, which names folders in any case, and reserves some.
    row(Class::Exists, Scope::Folder, Wait::Nothing)
        .words(&["mailbox already exists"])
        .to(CHANGE),
    row(Class::Refused, Scope::Folder, Wait::Nothing)
        .words(&["name is reserved"])
        .to(CHANGE),
    // What servers don't take as a message: too large, a virus, a header that they can't read.
    refused().to(APPEND),
];
