//! The bridge to imap-proto, which parses the common responses.
//!
//! It gets complete frames that are plain and not deeply nested, as its recursion would overflow
//! the stack. Its panics are caught; the one that servers are known to cause in the responses
//! passed on here (`INTERNALDATE NIL`) is kept away from it. What it calls `Unknown` may be a known
//! item that it could not parse, so its result for such a frame isn't used. Names and status lines
//! never get here: it doesn't unescape strings and replaces bytes that aren't UTF-8.

use super::Response;
use super::fetch::{Content, Fetch};
use super::quota::{Quota, QuotaResource};
use crate::imap::wire::{Frame, RECURSION};
use crate::mail::ModSeq;
use imap_proto::{AttributeValue, MailboxDatum, MessageSection, SectionPath, rfc2087};
use std::borrow::Cow;
use std::panic::catch_unwind;

/// Parses a frame; `None` if only our own parser can be trusted with it.
pub(super) fn read(frame: &Frame) -> Option<Response<'_>> {
    if !frame.is_plain() || frame.depth() > RECURSION || frame.text().any(is_beyond_it) {
        return None;
    }
    let (rest, response) = catch_unwind(|| imap_proto::Response::parse(frame.bytes()))
        .ok()?
        .ok()?;
    if !rest.is_empty() {
        return None;
    }
    match response {
        imap_proto::Response::Fetch(seq, items) => fetch(seq, items).map(Response::Fetch),
        // Others may have strings that are literals, or in which it would replace bytes.
        _ if !frame.literals().is_empty() => None,
        imap_proto::Response::MailboxData(MailboxDatum::Flags(flags)) => Some(Response::Flags(
            flags.into_iter().map(Cow::into_owned).collect(),
        )),
        imap_proto::Response::Quota(quota) => Some(Response::Quota(Quota {
            root: quota.root_name.into_owned(),
            resources: quota.resources.iter().map(resource).collect(),
        })),
        _ => None,
    }
}

/// Reports whether there is text (apart from literals) at which it would panic or that it would
/// replace by U+FFFD.
fn is_beyond_it(text: &[u8]) -> bool {
    text.windows(3)
        .any(|window| window.eq_ignore_ascii_case(b"NIL"))
        || std::str::from_utf8(text).is_err()
}

fn resource(resource: &rfc2087::QuotaResource<'_>) -> QuotaResource {
    let name = match &resource.name {
        rfc2087::QuotaResourceName::Storage => "STORAGE".to_owned(),
        rfc2087::QuotaResourceName::Message => "MESSAGE".to_owned(),
        rfc2087::QuotaResourceName::Atom(name) => name.to_ascii_uppercase(),
    };
    QuotaResource {
        name,
        used: resource.usage,
        limit: resource.limit,
    }
}

fn fetch<'a>(seq: u32, items: Vec<AttributeValue<'a>>) -> Option<Fetch<'a>> {
    let mut fetch = Fetch {
        seq,
        ..Fetch::default()
    };
    for item in items {
        match item {
            AttributeValue::Uid(uid) => fetch.set_uid(Some(uid)).ok()?,
            AttributeValue::Flags(flags) => fetch.set_flags(flags),
            AttributeValue::InternalDate(date @ Cow::Borrowed(_)) => {
                fetch.set_internal_date(Some(date));
            }
            AttributeValue::Rfc822Size(size) => fetch.set_size(Some(size.into())),
            AttributeValue::ModSeq(mod_seq) => fetch.set_mod_seq(Some(ModSeq(mod_seq))),
            AttributeValue::EmailId(id) => fetch.set_email_id(Some(id)),
            AttributeValue::GmailMsgId(id) => fetch.set_gmail_msgid(Some(id)),
            AttributeValue::Rfc822(data)
            | AttributeValue::BodySection {
                section: None,
                index: None | Some(0),
                data,
            } => {
                fetch.set_body(content(data)).ok()?;
            }
            AttributeValue::Rfc822Header(data)
            | AttributeValue::BodySection {
                section: Some(SectionPath::Full(MessageSection::Header)),
                data,
                ..
            } => {
                fetch.set_header(content(data)).ok()?;
            }
            // It doesn't unescape labels: `"\\Inbox"` would be a folder's name.
            AttributeValue::Unknown
            | AttributeValue::InternalDate(Cow::Owned(_))
            | AttributeValue::GmailLabels(_) => {
                return None;
            }
            _ => {}
        }
    }
    Some(fetch)
}

fn content(data: Option<Cow<'_, [u8]>>) -> Content<'_> {
    data.map_or(Content::Nil, Content::Bytes)
}
