//! What a server's refusal means: by its code, otherwise by known servers' words.
//!
//! OK, NO and BAD alone say little: Microsoft 365 throttles with BAD, Gmail says OVERQUOTA for a
//! bandwidth limit, and Courier says NO to a syntax error. Texts are compared in lower case.

use crate::imap::{Code, Completion, Reply};
use crate::store::{Answer, Error, ErrorKind, Refusal, RefusalMeaning};

/// What was requested when the refusal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Reading: SELECT, EXAMINE, FETCH, SEARCH, STATUS.
    Read,
    /// Delivering a message.
    Append,
    /// Creating, subscribing or changing flags.
    Change,
}

/// Words that mean a temporary problem, on any server.
const TRANSIENT: &[&str] = &[
    "try again",
    "temporar",
    "throttl",
    "backoff",
    "rate limit",
    "timeout while waiting for lock",
    "is locked",
    "internal error",
    "system error",
    "server error",
    "server unavailable",
    "not available",
    // Dovecot, about a folder that was deleted, renamed or renumbered while it was open.
    "was deleted under us",
];

/// Words that mean that the account is full.
const FULL: &[&str] = &[
    "over quota",
    "quota exceeded",
    "overquota",
    "exceeded your mail quota",
    "quota limit",
];

/// Words that mean that a message contains NUL.
const NUL: &[&str] = &["nul character", "nul byte", "nul octet"];

/// How Dovecot denies a folder without a code. Other servers say the same about a folder that may
/// not be opened.
const NO_FOLDER: &str = "mailbox doesn't exist";

/// Reports whether a refusal says exactly that the folder in question doesn't exist (RFC 5530).
pub(super) fn denies_existence(reply: &Reply) -> bool {
    reply.completion == Completion::No
        && match &reply.code {
            Some(code) => *code == Code::NonExistent,
            None => reply.text.to_ascii_lowercase().starts_with(NO_FOLDER),
        }
}

/// Words of a server that withholds the reason.
const WITHHELD: &[&str] = &[
    "permission",
    "denied",
    "not allowed",
    "not permitted",
    "unauthorized",
    "acl",
];

/// Reports whether a refusal of STATUS can only mean that the folder doesn't exist, in whatever
/// words: nothing temporary, and nothing withheld from the user.
pub(super) fn says_no_such_folder(reply: &Reply) -> bool {
    let text = reply.text.to_ascii_lowercase();
    let is_plain = match &reply.code {
        Some(Code::NonExistent | Code::TryCreate) => true,
        None => !WITHHELD.iter().any(|words| text.contains(words)),
        Some(_) => false,
    };
    reply.completion == Completion::No
        && is_plain
        && meaning(reply, Asked::Change) == RefusalMeaning::Permanent
}

/// Converts a reply that isn't OK into a refusal.
pub(super) fn refusal(reply: &Reply, asked: Asked) -> Refusal {
    let text = words(reply);
    Refusal {
        meaning: meaning(reply, asked),
        text,
    }
}

/// Returns the first refusal among the replies to changes.
pub(super) fn all_accepted(replies: &[Reply]) -> Answer<()> {
    replies
        .iter()
        .find(|reply| !reply.is_ok())
        .map_or(Ok(()), |reply| Err(refusal(reply, Asked::Change)))
}

fn words(reply: &Reply) -> String {
    if reply.text.is_empty() && !matches!(reply.code, Some(Code::Referral(_))) {
        return "the server gave no reason".to_owned();
    }
    with_referral(&reply.text, reply.code.as_ref())
}

/// Adds the server that a referral points to (RFC 2193, RFC 2221) to the text: it may be anyone's,
/// so it is shown and never followed.
fn with_referral(text: &str, code: Option<&Code>) -> String {
    match code {
        Some(Code::Referral(url)) => {
            format!("{text} (it refers to {url}, which mailferry doesn't follow)")
        }
        _ => text.to_owned(),
    }
}

fn meaning(reply: &Reply, asked: Asked) -> RefusalMeaning {
    match &reply.code {
        // When reading, Gmail means its daily bandwidth limit by this.
        Some(Code::OverQuota) => return RefusalMeaning::Full,
        Some(Code::TryCreate) if asked == Asked::Append => return RefusalMeaning::NoFolder,
        Some(Code::InUse | Code::Unavailable | Code::ServerBug | Code::Throttled) => {
            return RefusalMeaning::Transient;
        }
        Some(Code::TooBig | Code::NoPerm | Code::NonExistent) => return RefusalMeaning::Permanent,
        _ => {}
    }
    let text = reply.text.to_ascii_lowercase();
    let says = |list: &[&str]| list.iter().any(|words| text.contains(words));
    if asked == Asked::Append && says(FULL) {
        RefusalMeaning::Full
    } else if says(TRANSIENT) {
        RefusalMeaning::Transient
    } else if asked == Asked::Append && (text.contains("flag") || text.contains("keyword")) {
        RefusalMeaning::Flags
    } else if asked == Asked::Append && says(NUL) {
        RefusalMeaning::Nul
    } else if asked == Asked::Append && text.contains("date") {
        RefusalMeaning::Date
    } else if asked == Asked::Read && reply.completion == Completion::No {
        // What a server can't read now it may read later; the caller limits how often it asks.
        RefusalMeaning::Transient
    } else {
        RefusalMeaning::Permanent
    }
}

/// Explains a refused login: the likely cause, and what to do.
pub(super) fn refused_login(text: &str, code: Option<&Code>, way: &str, offered: &str) -> Error {
    let lower = text.to_ascii_lowercase();
    let text = with_referral(text, code);
    let busy = [
        "too many simultaneous",
        "maximum number of connections",
        "too many connections",
    ];
    if matches!(code, Some(Code::Limit)) || busy.iter().any(|words| lower.contains(words)) {
        return Error::new(ErrorKind::TooManyConnections, format!("the server accepts no more connections: {text}"))
            .with_hint("close other programs that use this account, or use fewer connections with -j or connections=");
    }
    if matches!(
        code,
        Some(Code::Unavailable | Code::InUse | Code::ServerBug)
    ) {
        return Error::new(
            ErrorKind::Unreachable,
            format!("the server can't log anyone in right now: {text}"),
        );
    }
    let hint = if lower.contains("application-specific password") || lower.contains("app password")
    {
        "create an app password in the account's security settings and use it here"
    } else if lower.contains("basic authentication is disabled") || lower.contains("logindisabled")
    {
        "this provider no longer accepts passwords for IMAP"
    } else if lower.contains("web browser") || lower.contains("web login") {
        "log in to the account in a web browser once, then try again"
    } else if lower.contains("imap is disabled") {
        "enable IMAP in the account's settings"
    } else if matches!(code, Some(Code::AuthorizationFailed)) {
        "this user isn't allowed to act for the authzid= user; only an administrator is"
    } else if lower.contains("channel-bindings-dont-match") {
        "the server has a different certificate than mailferry was shown: this may be a man-in-the-middle attack, or \
         an intercepting device; ask the server's operator"
    } else if ["OAUTHBEARER", "XOAUTH2"].contains(&way) {
        "the access token has expired, belongs to another account, or doesn't allow IMAP: get a new one"
    } else if way == "EXTERNAL" {
        "the server doesn't accept this certificate for this user: check client-cert= and the user name"
    } else {
        "check the user name (often the whole address) and the password; some providers require an app password or \
         enabling IMAP in the account's settings"
    };
    // A server may offer a mechanism without having what it needs to check this user.
    let hint = match way {
        "CRAM-MD5" | "SCRAM-SHA-1" | "SCRAM-SHA-256" | "SCRAM-SHA-1-PLUS"
        | "SCRAM-SHA-256-PLUS" => {
            format!(
                "{hint}; otherwise try another auth= in the address: the server offers {offered}"
            )
        }
        _ => hint.to_owned(),
    };
    Error::new(
        ErrorKind::Authentication,
        format!("the server refused the login by {way}: {text}"),
    )
    .with_hint(hint)
}

/// Explains a goodbye: usually temporary.
pub(super) fn goodbye(text: &str, code: Option<&Code>) -> Error {
    let message = format!(
        "the server ended the session: {}",
        with_referral(text, code)
    );
    match code {
        Some(Code::OverQuota) => Error::new(ErrorKind::Full, message),
        _ => Error::new(ErrorKind::Lost, message),
    }
}

/// Explains a goodbye in place of a greeting: there is no connection.
pub(super) fn turned_away(text: &str, code: Option<&Code>) -> Error {
    let text = with_referral(text, code);
    Error::new(ErrorKind::Unreachable, format!("the server turned the connection away: {text}")).with_hint(
        "wait a few minutes and try again; if it persists, ask the server's operator whether it bans this address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning_of(
        completion: Completion,
        code: Option<Code>,
        text: &str,
        asked: Asked,
    ) -> RefusalMeaning {
        meaning(
            &Reply {
                completion,
                code,
                text: text.to_owned(),
            },
            asked,
        )
    }

    #[test]
    fn replies_of_known_servers() {
        use Asked::{Append, Read};
        use RefusalMeaning::{Date, Flags, Full, NoFolder, Nul, Permanent, Transient};
        for (completion, code, text, asked, expected) in [
            (
                Completion::No,
                Some(Code::OverQuota),
                "Quota exceeded (mailbox for user is full)",
                Append,
                Full,
            ),
            (
                Completion::No,
                Some(Code::Alert),
                "You exceeded your mail quota.",
                Append,
                Full,
            ),
            (Completion::No, None, "Over quota", Append, Full),
            (
                Completion::No,
                Some(Code::TryCreate),
                "Mailbox doesn't exist: x",
                Append,
                NoFolder,
            ),
            (
                Completion::No,
                Some(Code::InUse),
                "Timeout while waiting for lock",
                Append,
                Transient,
            ),
            (
                Completion::No,
                None,
                "Mailbox was deleted under us (0.001 + 0.000 secs).",
                Append,
                Transient,
            ),
            (
                Completion::Bad,
                None,
                "Request is throttled. Suggested Backoff Time: 299961 milliseconds",
                Read,
                Transient,
            ),
            (
                Completion::No,
                Some(Code::Unavailable),
                "UID FETCH Server error - Please try again later",
                Read,
                Transient,
            ),
            (
                Completion::No,
                None,
                "Message contains NUL characters",
                Append,
                Nul,
            ),
            (
                Completion::No,
                None,
                "Message contains invalid header",
                Append,
                Permanent,
            ),
            (
                Completion::Bad,
                None,
                "Invalid system flag \\FORWARDED",
                Append,
                Flags,
            ),
            (
                Completion::No,
                Some(Code::Cannot),
                "Keyword length too long",
                Append,
                Flags,
            ),
            (
                Completion::No,
                Some(Code::Limit),
                "Too many user flags in mailbox",
                Append,
                Flags,
            ),
            (
                Completion::Bad,
                None,
                "Invalid date-time in Append command",
                Append,
                Date,
            ),
            (
                Completion::No,
                None,
                "Maximum size of appendable message has been exceeded",
                Append,
                Permanent,
            ),
        ] {
            assert_eq!(
                meaning_of(completion, code, text, asked),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_folder_is_missing_only_where_nothing_else_can_be_meant() {
        for (completion, code, text, expected) in [
            (
                Completion::No,
                None,
                "Mailbox doesn't exist: Work (0.001 + 0.000 secs).",
                true,
            ),
            (
                Completion::No,
                Some(Code::NonExistent),
                "Unknown Mailbox: [Gmail]",
                true,
            ),
            (
                Completion::No,
                Some(Code::Unavailable),
                "Mailbox doesn't exist: Work",
                false,
            ),
            (
                Completion::No,
                Some(Code::NoPerm),
                "Permission denied",
                false,
            ),
            (
                Completion::No,
                None,
                "Mailbox does not exist, or must be subscribed to.",
                false,
            ),
            (
                Completion::No,
                None,
                "Internal error occurred: mailbox doesn't exist",
                false,
            ),
            (Completion::Ok, None, "Mailbox doesn't exist", false),
            (Completion::Bad, None, "Mailbox doesn't exist", false),
        ] {
            let reply = Reply {
                completion,
                code,
                text: text.to_owned(),
            };
            assert_eq!(denies_existence(&reply), expected, "{reply:?}");
        }
    }

    #[test]
    fn only_a_plain_refusal_denies_a_folder() {
        for (completion, code, text, expected) in [
            (Completion::No, None, "Mailbox doesn't exist: Work", true),
            (
                Completion::No,
                None,
                "Mailbox does not exist, or must be subscribed to.",
                true,
            ),
            (Completion::No, None, "STATUS failed: no such mailbox", true),
            (
                Completion::No,
                Some(Code::NonExistent),
                "Unknown Mailbox: [Gmail]",
                true,
            ),
            (Completion::No, None, "Permission denied", false),
            (Completion::No, Some(Code::NoPerm), "no", false),
            (
                Completion::No,
                Some(Code::Unavailable),
                "Mailbox doesn't exist",
                false,
            ),
            (
                Completion::No,
                None,
                "Internal error occurred. Refer to server log",
                false,
            ),
            (
                Completion::No,
                None,
                "Server error - Please try again later",
                false,
            ),
            (Completion::Bad, None, "Mailbox doesn't exist", false),
            (Completion::Ok, None, "Status completed", false),
        ] {
            let reply = Reply {
                completion,
                code,
                text: text.to_owned(),
            };
            assert_eq!(says_no_such_folder(&reply), expected, "{reply:?}");
        }
    }

    #[test]
    fn a_full_server_is_no_wrong_password() {
        let error = refused_login(
            "Too many simultaneous connections. (Failure)",
            Some(&Code::Alert),
            "PLAIN",
            "",
        );
        assert_eq!(error.kind, ErrorKind::TooManyConnections);
        let error = refused_login(
            "Invalid credentials (Failure)",
            Some(&Code::AuthenticationFailed),
            "PLAIN",
            "PLAIN",
        );
        assert_eq!(error.kind, ErrorKind::Authentication);
        assert!(error.hint.is_some_and(|hint| !hint.contains("auth=")));
        let error = refused_login("no", None, "SCRAM-SHA-1", "PLAIN, SCRAM-SHA-1");
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.contains("offers PLAIN, SCRAM-SHA-1"))
        );
        let error = refused_login(
            "channel-bindings-dont-match",
            None,
            "SCRAM-SHA-1-PLUS",
            "PLAIN",
        );
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.contains("man-in-the-middle attack"))
        );
        let error = refused_login("no", None, "XOAUTH2", "XOAUTH2");
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.contains("token has expired"))
        );
    }
}
