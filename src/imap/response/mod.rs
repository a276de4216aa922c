//! What a response means: typed values from complete frames.
//!
//! imap-proto parses what it gets right; the rest is parsed here. The parser is tolerant where a
//! value is clear (missing texts, doubled and trailing blanks, NIL for an empty list) and reports a
//! distinct error where it isn't: [`Response::Unreadable`] is lost data, which must not be mistaken
//! for empty. Nothing that a server sends ends the connection here, panics, or takes more than
//! linear time.

mod acl;
mod code;
mod cursor;
mod fetch;
mod list;
mod proto;
mod quota;
mod search;
mod server;
mod status;

pub use acl::{Acl, ListRights, MyRights};
pub use code::Code;
pub use fetch::{Attributes, Content, Fetch, FetchOpening};
pub use list::{ListedItem, MailboxStatus};
pub use quota::{Quota, QuotaResource, QuotaRoot};
pub use search::ESearch;
pub use server::{Namespace, NamespacePrefix};
pub use status::{Completion, Condition};

use crate::imap::wire::Frame;
use crate::mail::UidSet;
use cursor::{Cursor, number};
use fetch::Why;
use std::borrow::Cow;

/// One response. Borrows from its frame; a message's bytes are never copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// `+`: the server waits for the rest of the command.
    Continue {
        /// What follows, raw: base64 during authentication.
        text: &'a [u8],
    },
    /// The end of a command.
    Tagged {
        /// The command's tag, as the server sent it.
        tag: &'a str,
        /// How it ended.
        completion: Completion,
        /// The response code.
        code: Option<Code>,
        /// The readable text.
        text: Cow<'a, str>,
    },
    /// An untagged status line.
    Status {
        /// What it is about.
        condition: Condition,
        /// The response code.
        code: Option<Code>,
        /// The readable text.
        text: Cow<'a, str>,
    },
    /// CAPABILITY, in capitals.
    Capability(Vec<String>),
    /// ENABLED (RFC 5161), in capitals.
    Enabled(Vec<String>),
    /// LIST.
    List(ListedItem),
    /// LSUB.
    Lsub(ListedItem),
    /// XLIST.
    XList(ListedItem),
    /// STATUS.
    MailboxStatus(MailboxStatus),
    /// FETCH or UIDFETCH.
    Fetch(Fetch<'a>),
    /// The number of messages.
    Exists(u32),
    /// The number of recent messages.
    Recent(u32),
    /// The message with this sequence number is gone.
    Expunge(u32),
    /// The messages with these UIDs are gone (RFC 7162).
    Vanished {
        /// Whether they went before this session began.
        earlier: bool,
        /// Their UIDs.
        uids: UidSet,
    },
    /// FLAGS: those used in the mailbox.
    Flags(Vec<String>),
    /// SEARCH: UIDs or sequence numbers, depending on the command.
    Search(UidSet),
    /// ESEARCH (RFC 4731).
    ESearch(ESearch),
    /// NAMESPACE (RFC 2342).
    Namespace(Namespace),
    /// ID (RFC 2971).
    Id(Vec<(String, Option<String>)>),
    /// QUOTA (RFC 9208).
    Quota(Quota),
    /// QUOTAROOT (RFC 9208).
    QuotaRoot(QuotaRoot),
    /// ACL (RFC 4314).
    Acl(Acl),
    /// LISTRIGHTS (RFC 4314).
    ListRights(ListRights),
    /// MYRIGHTS (RFC 4314).
    MyRights(MyRights),
    /// Data of a known kind that can't be parsed: it is lost, not empty.
    Unreadable(Unreadable),
    /// Anything else, raw and without its line end.
    Unknown(&'a [u8]),
}

/// A response that can't be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's {kind} response can't be read: {why}")]
pub struct Unreadable {
    /// The response's keyword in capitals, such as `FETCH`.
    pub kind: &'static str,
    /// The UID of the message that a FETCH is about, if that much can be parsed.
    pub uid: Option<u32>,
    /// What is wrong with it.
    pub why: &'static str,
}

impl<'a> Response<'a> {
    /// Parses a complete frame.
    ///
    /// `continue-req / response-data / response-tagged` (RFC 3501 section 9 `response`).
    pub fn parse(frame: &'a Frame) -> Self {
        let line = frame.trimmed();
        status::read(line)
            .or_else(|| data(frame))
            .unwrap_or(Self::Unknown(line))
    }

    /// Returns the response code, if this is a status line that has one.
    pub fn code(&self) -> Option<&Code> {
        match self {
            Self::Tagged { code, .. } | Self::Status { code, .. } => code.as_ref(),
            _ => None,
        }
    }
}

/// Parses an untagged response that isn't a status line; `None` if its kind is unknown.
///
/// ```abnf
/// response-data = "*" SP (resp-cond-state / resp-cond-bye / mailbox-data / message-data /
///                 capability-data) CRLF
/// ```
/// (RFC 3501 section 9.)
fn data(frame: &Frame) -> Option<Response<'_>> {
    let mut cursor = Cursor::new(frame);
    if !cursor.eat(b'*') {
        return None;
    }
    let word = cursor.word();
    match number(word) {
        Some(count) => counted(frame, count, &mut cursor),
        None => named(frame, &word.to_ascii_uppercase(), &mut cursor),
    }
}

/// Parses what comes after `* <number>`.
///
/// ```abnf
/// message-data  = nz-number SP ("EXPUNGE" / ("FETCH" SP msg-att))
/// mailbox-data =/ number SP "EXISTS" / number SP "RECENT"
/// ```
/// (RFC 3501 section 9.)
fn counted<'a>(frame: &'a Frame, count: u32, cursor: &mut Cursor<'a>) -> Option<Response<'a>> {
    let keyword = cursor.word();
    if let Some(mut fetch) = Fetch::begin(count, keyword) {
        return Some(
            proto::read(frame).unwrap_or_else(|| match fetch.read_items(cursor) {
                Ok(()) => Response::Fetch(fetch),
                Err(why) => Response::Unreadable(Unreadable {
                    kind: "FETCH",
                    uid: fetch.uid.or_else(|| find_uid(frame)),
                    why,
                }),
            }),
        );
    }
    match keyword.to_ascii_uppercase().as_slice() {
        b"EXISTS" => Some(Response::Exists(count)),
        b"RECENT" => Some(Response::Recent(count)),
        b"EXPUNGE" if count > 0 => Some(Response::Expunge(count)),
        b"EXPUNGE" => Some(unreadable("EXPUNGE", "no message has the number zero")),
        _ => None,
    }
}

/// Parses what comes after `* <keyword>`.
///
/// ```abnf
/// mailbox-data = "FLAGS" SP flag-list / "LIST" SP mailbox-list / "LSUB" SP mailbox-list /
///                "SEARCH" *(SP nz-number) / "STATUS" SP mailbox SP "(" [status-att-list] ")" /
///                number SP "EXISTS" / number SP "RECENT"
/// ```
/// (RFC 3501 section 9, and extensions: see each function.)
fn named<'a>(frame: &'a Frame, keyword: &[u8], cursor: &mut Cursor<'a>) -> Option<Response<'a>> {
    const WHY: Why = "it doesn't follow the standard";
    let or_unreadable =
        |response: Option<Response<'a>>, kind| response.unwrap_or_else(|| unreadable(kind, WHY));
    let listed = |cursor: &mut Cursor<'a>, kind, make: fn(ListedItem) -> Response<'a>| {
        list::listed(cursor).map_or_else(|why| unreadable(kind, why), make)
    };
    Some(match keyword {
        b"CAPABILITY" => Response::Capability(server::capabilities(cursor.rest())),
        b"ENABLED" => Response::Enabled(server::capabilities(cursor.rest())),
        b"LIST" => listed(cursor, "LIST", Response::List),
        b"LSUB" => listed(cursor, "LSUB", Response::Lsub),
        b"XLIST" => listed(cursor, "XLIST", Response::XList),
        b"STATUS" => list::status(cursor)
            .map_or_else(|why| unreadable("STATUS", why), Response::MailboxStatus),
        b"SEARCH" => {
            search::search(cursor).map_or_else(|why| unreadable("SEARCH", why), Response::Search)
        }
        b"ESEARCH" => {
            search::esearch(cursor).map_or_else(|why| unreadable("ESEARCH", why), Response::ESearch)
        }
        b"VANISHED" => {
            let vanished = search::vanished(cursor);
            or_unreadable(
                vanished.map(|(earlier, uids)| Response::Vanished { earlier, uids }),
                "VANISHED",
            )
        }
        b"FLAGS" => proto::read(frame).unwrap_or_else(|| {
            let flags = cursor.flags().filter(|_| cursor.is_end());
            let flags = flags.map(|flags| flags.into_iter().map(Cow::into_owned).collect());
            or_unreadable(flags.map(Response::Flags), "FLAGS")
        }),
        b"NAMESPACE" => or_unreadable(
            server::namespace(cursor).map(Response::Namespace),
            "NAMESPACE",
        ),
        b"ID" => or_unreadable(server::id(cursor).map(Response::Id), "ID"),
        b"QUOTA" => proto::read(frame)
            .unwrap_or_else(|| or_unreadable(quota::quota(cursor).map(Response::Quota), "QUOTA")),
        b"QUOTAROOT" => or_unreadable(
            quota::quota_root(cursor).map(Response::QuotaRoot),
            "QUOTAROOT",
        ),
        b"ACL" => or_unreadable(acl::acl(cursor).map(Response::Acl), "ACL"),
        b"LISTRIGHTS" => or_unreadable(
            acl::list_rights(cursor).map(Response::ListRights),
            "LISTRIGHTS",
        ),
        b"MYRIGHTS" => or_unreadable(acl::my_rights(cursor).map(Response::MyRights), "MYRIGHTS"),
        _ => return None,
    })
}

fn unreadable<'a>(kind: &'static str, why: Why) -> Response<'a> {
    Response::Unreadable(Unreadable {
        kind,
        uid: None,
        why,
    })
}

/// Finds `UID <number>` in an unreadable FETCH, to identify the message. Text that only looks like
/// it may mislead a reader of the report, but does no other harm.
fn find_uid(frame: &Frame) -> Option<u32> {
    frame.text().find_map(|text| {
        let at = text.windows(5).position(|window| {
            matches!(window[0], b'(' | b' ') && window[1..].eq_ignore_ascii_case(b"UID ")
        })?;
        let digits = &text[at + 5..];
        let end = digits
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(digits.len());
        number(&digits[..end]).filter(|uid| *uid > 0)
    })
}

#[cfg(test)]
mod tests;
