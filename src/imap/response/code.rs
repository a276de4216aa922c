//! Response codes: `[NAME arguments]` at the beginning of a status line's text (RFC 3501 section
//! 7.1, RFC 5530 and the registry that followed). The set is open: unknown or unreadable codes are
//! kept as sent.

use super::cursor::{number, text};
use super::search::ordered_set;
use super::server::capabilities;
use crate::mail::{ModSeq, UidNext, UidSet};

/// A response code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are the RFCs' own; those that need more than their name have it"
)]
pub enum Code {
    Alert,
    AlreadyExists,
    /// Where the messages of an APPEND are now, in order. As many as there were messages, if the
    /// server is honest.
    AppendUid {
        validity: u32,
        uids: UidSet,
    },
    AuthenticationFailed,
    AuthorizationFailed,
    BadCharset,
    Cannot,
    /// In capitals.
    Capability(Vec<String>),
    ClientBug,
    Closed,
    ContactAdmin,
    /// Where copied messages were and where they are now, in the same order.
    CopyUid {
        validity: u32,
        from: UidSet,
        to: UidSet,
    },
    Expired,
    ExpungeIssued,
    HighestModSeq(ModSeq),
    InUse,
    Limit,
    MailboxId(String),
    /// Messages that a conditional STORE left alone because they had changed (RFC 7162 section
    /// 3.1.3).
    Modified(UidSet),
    NoModSeq,
    NonExistent,
    NoPerm,
    OverQuota,
    /// As the server spells them, including `\*`.
    PermanentFlags(Vec<String>),
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    /// A URL that is never followed.
    Referral(String),
    ServerBug,
    Throttled,
    TooBig,
    TryCreate,
    UidNext(UidNext),
    UidNotSticky,
    UidValidity(u32),
    Unavailable,
    Unseen(u32),
    /// Any other, and those with invalid arguments (`UIDVALIDITY 0`, a number beyond its type, UIDs
    /// out of order).
    Other {
        /// In capitals.
        name: String,
        /// What came after the name.
        arguments: String,
    },
}

/// Splits a status line's text into its code and the rest. An unterminated bracket is text.
///
/// `resp-text = ["[" resp-text-code "]" SP] text` (RFC 3501 section 9). Blanks around the code may
/// be missing or repeated, and the text may be missing.
pub(super) fn split(line: &[u8]) -> (Option<Code>, &[u8]) {
    let Some(inside) = line.strip_prefix(b"[") else {
        return (None, line);
    };
    let Some(end) = code_end(inside) else {
        return (None, line);
    };
    let code = &inside[..end];
    let name_end = code
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t'))
        .unwrap_or(code.len());
    if name_end == 0 {
        return (None, line);
    }
    let name = text(code[..name_end].into()).to_ascii_uppercase();
    let arguments = code[name_end..].trim_ascii();
    (
        Some(parse(name, arguments)),
        inside[end + 1..].trim_ascii_start(),
    )
}

/// Finds the closing bracket: outside parentheses and quotes, if there is one. In a capability
/// list, a bracket in the middle of a word isn't it.
///
/// `resp-text-code =/ atom [SP 1*<any TEXT-CHAR except "]">]` (RFC 3501 section 9). A `]` in
/// quotes, in parentheses or within a capability doesn't end it: servers write one there all the
/// same.
fn code_end(inside: &[u8]) -> Option<usize> {
    let is_capability = inside
        .get(..11)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"CAPABILITY "));
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let outside = inside.iter().enumerate().position(|(at, byte)| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b']' if !quoted && depth == 0 => {
                return !is_capability || inside.get(at + 1).is_none_or(|next| *next == b' ');
            }
            _ => {}
        }
        false
    });
    outside.or_else(|| inside.iter().position(|byte| *byte == b']'))
}

fn parse(name: String, arguments: &[u8]) -> Code {
    match name.as_str() {
        "ALERT" => Code::Alert,
        "ALREADYEXISTS" => Code::AlreadyExists,
        "AUTHENTICATIONFAILED" => Code::AuthenticationFailed,
        "AUTHORIZATIONFAILED" => Code::AuthorizationFailed,
        "BADCHARSET" => Code::BadCharset,
        "CANNOT" => Code::Cannot,
        "CAPABILITY" => Code::Capability(capabilities(arguments)),
        "CLIENTBUG" => Code::ClientBug,
        "CLOSED" => Code::Closed,
        "CONTACTADMIN" => Code::ContactAdmin,
        "EXPIRED" => Code::Expired,
        "EXPUNGEISSUED" => Code::ExpungeIssued,
        "INUSE" => Code::InUse,
        "LIMIT" => Code::Limit,
        "NOMODSEQ" => Code::NoModSeq,
        "NONEXISTENT" => Code::NonExistent,
        "NOPERM" => Code::NoPerm,
        "OVERQUOTA" => Code::OverQuota,
        "PRIVACYREQUIRED" => Code::PrivacyRequired,
        "READ-ONLY" => Code::ReadOnly,
        "READ-WRITE" => Code::ReadWrite,
        "REFERRAL" => Code::Referral(text(arguments.into()).into_owned()),
        "SERVERBUG" => Code::ServerBug,
        "THROTTLED" => Code::Throttled,
        "TOOBIG" => Code::TooBig,
        "TRYCREATE" => Code::TryCreate,
        "UIDNOTSTICKY" => Code::UidNotSticky,
        "UNAVAILABLE" => Code::Unavailable,
        _ => with_arguments(&name, arguments).unwrap_or_else(|| Code::Other {
            name,
            arguments: text(arguments.into()).into_owned(),
        }),
    }
}

/// Parses a code's arguments.
///
/// ```abnf
/// resp-text-code =/ "UIDVALIDITY" SP nz-number / "UIDNEXT" SP nz-number / "UNSEEN" SP nz-number
///                                                         ; RFC 3501 section 9
/// resp-text-code =/ "HIGHESTMODSEQ" SP mod-sequence-value / "MODIFIED" SP sequence-set
///                                                         ; RFC 7162 section 7
/// resp-code-apnd  = "APPENDUID" SP nz-number SP append-uid ; RFC 4315 section 4
/// resp-code-copy  = "COPYUID" SP nz-number SP uid-set SP uid-set
/// resp-text-code =/ "MAILBOXID" SP "(" objectid ")"       ; RFC 8474 section 7
/// ```
/// A 0 for UNSEEN or HIGHESTMODSEQ is accepted, too: it means that there is none.
fn with_arguments(name: &str, arguments: &[u8]) -> Option<Code> {
    let words: Vec<&[u8]> = arguments
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    match (name, words.as_slice()) {
        ("UIDVALIDITY", [value]) => positive(value).map(Code::UidValidity),
        ("UIDNEXT", [value]) => UidNext::new(number(value)?).map(Code::UidNext),
        ("UNSEEN", [value]) => number(value).map(Code::Unseen),
        ("HIGHESTMODSEQ", [value]) => number(value).map(ModSeq).map(Code::HighestModSeq),
        ("APPENDUID", [validity, uids]) => Some(Code::AppendUid {
            validity: positive(validity)?,
            uids: ordered_set(uids)?,
        }),
        ("COPYUID", [validity, from, to]) => Some(Code::CopyUid {
            validity: positive(validity)?,
            from: ordered_set(from)?,
            to: ordered_set(to)?,
        }),
        ("MODIFIED", [uids]) => UidSet::parse(&text((*uids).into())).map(Code::Modified),
        ("MAILBOXID", [id]) => {
            let id = id.strip_prefix(b"(")?.strip_suffix(b")")?;
            Some(Code::MailboxId(text(id.into()).into_owned()))
        }
        ("PERMANENTFLAGS", flags) => permanent_flags(flags).map(Code::PermanentFlags),
        _ => None,
    }
}

/// Parses `nz-number = digit-nz *DIGIT` (RFC 3501 section 9).
fn positive(word: &[u8]) -> Option<u32> {
    number(word).filter(|number| *number > 0)
}

/// Returns the flags in a list whose parentheses are part of the first and the last word, or words
/// of their own.
///
/// `"PERMANENTFLAGS" SP "(" [flag-perm *(SP flag-perm)] ")"` with `flag-perm = flag / "\*"` (RFC
/// 3501 section 9). A flag may be quoted, and need not be an atom.
fn permanent_flags(words: &[&[u8]]) -> Option<Vec<String>> {
    let (first, last) = (words.first()?, words.last()?);
    (first.starts_with(b"(") && last.ends_with(b")")).then_some(())?;
    let joined = words.join(&b' ');
    let inside = joined.strip_prefix(b"(")?.strip_suffix(b")")?;
    let flags = inside
        .split(|byte| *byte == b' ')
        .filter(|flag| !flag.is_empty());
    let flags = flags.map(|flag| {
        flag.strip_prefix(b"\"")
            .and_then(|flag| flag.strip_suffix(b"\""))
            .unwrap_or(flag)
    });
    Some(flags.map(|flag| text(flag.into()).into_owned()).collect())
}
