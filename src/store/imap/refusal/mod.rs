//! What a server's answers mean for a run: [`crate::imap::meaning`] says what the server means by
//! them.
//!
//! ```text
//! ending   what ends a connection: goodbyes, refused logins
//! ```

mod ending;

pub(super) use crate::imap::Asked;
pub(super) use ending::{goodbye, refused_login, turned_away, useless};

use crate::imap::{Class, Code, Completion, Meaning, Reply, Said, meaning};
use crate::store::{Answer, Error, ErrorKind, Refusal, RefusalMeaning, When};

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
        && of_reply(reply, Asked::Change, "").class == Class::Refused
}

/// Converts a reply that isn't OK into a refusal.
pub(super) fn refusal(reply: &Reply, asked: Asked) -> Refusal {
    refusal_by("", reply, asked)
}

/// Does the same for a server of this kind.
pub(super) fn refusal_by(server: &str, reply: &Reply, asked: Asked) -> Refusal {
    let meaning = of_reply(reply, asked, server);
    let text = words(reply);
    Refusal {
        meaning: for_run(meaning.class),
        text: match meaning.advice {
            Some(advice) => format!("{text} ({advice})"),
            None => text,
        },
    }
}

/// Explains a BAD to a message that was sent without asking. A server that throttles says how long
/// to stay away.
pub(super) fn misunderstood(reply: &Reply) -> Error {
    let message = format!("the server did not understand an APPEND: {}", reply.text);
    Error {
        when: of_reply(reply, Asked::Append, "")
            .least_wait(&reply.text)
            .map(When::After),
        ..Error::new(ErrorKind::Protocol, message)
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

fn of_reply(reply: &Reply, asked: Asked, server: &str) -> Meaning {
    meaning(&Said {
        completion: Some(reply.completion),
        code: reply.code.as_ref(),
        text: &reply.text,
        to: asked,
        server,
    })
}

/// Returns what a class of refusals means for a run. Those that end a connection never get here.
fn for_run(class: Class) -> RefusalMeaning {
    match class {
        Class::Throttled | Class::Slow => RefusalMeaning::Throttled,
        Class::Passing | Class::Expired | Class::Crowded | Class::Unconnected => {
            RefusalMeaning::Transient
        }
        Class::Full | Class::Spent => RefusalMeaning::Full,
        Class::NoFolder => RefusalMeaning::NoFolder,
        Class::Flags => RefusalMeaning::Flags,
        Class::Date => RefusalMeaning::Date,
        Class::Nul => RefusalMeaning::Nul,
        Class::Fine | Class::Exists | Class::Login | Class::Refused => RefusalMeaning::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
