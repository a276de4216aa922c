//! The bridge to imap-proto, which reads the common responses.
//!
//! It sees complete frames that are plain and not nested deeply, as its recursion would overflow the stack. A panic in
//! it is caught; the one that servers are known to cause in the responses handed over here (`INTERNALDATE NIL`) is kept
//! away from it. What it takes as `Unknown` may be a known item that it could not read, so such a frame is not taken
//! from it. Names and status lines never come here: it does not unescape strings and replaces bytes that are not UTF-8.

use super::Response;
use super::fetch::{Content, Fetch};
use super::quota::{Quota, QuotaResource};
use crate::imap::wire::{Frame, RECURSION};
use imap_proto::{AttributeValue, MailboxDatum, MessageSection, SectionPath, rfc2087};
use std::borrow::Cow;
use std::panic::catch_unwind;

/// Reads a frame; `None` where only our own parser can be trusted with it.
pub(super) fn read(frame: &Frame) -> Option<Response<'_>> {
    if !frame.is_plain() || frame.depth() > RECURSION || frame.text().any(is_beyond_it) {
        return None;
    }
    let (rest, response) = catch_unwind(|| imap_proto::Response::parse(frame.bytes())).ok()?.ok()?;
    if !rest.is_empty() {
        return None;
    }
    match response {
        imap_proto::Response::Fetch(seq, items) => fetch(seq, items).map(Response::Fetch),
        // The strings of the others may be literals, and those it would replace bytes in.
        _ if !frame.literals().is_empty() => None,
        imap_proto::Response::MailboxData(MailboxDatum::Flags(flags)) => {
            Some(Response::Flags(flags.into_iter().map(Cow::into_owned).collect()))
        }
        imap_proto::Response::Quota(quota) => Some(Response::Quota(Quota {
            root: quota.root_name.into_owned(),
            resources: quota.resources.iter().map(resource).collect(),
        })),
        _ => None,
    }
}

/// Whether there is text (literals apart) that it would panic at or replace by U+FFFD.
fn is_beyond_it(text: &[u8]) -> bool {
    text.windows(3).any(|window| window.eq_ignore_ascii_case(b"NIL")) || std::str::from_utf8(text).is_err()
}

fn resource(resource: &rfc2087::QuotaResource<'_>) -> QuotaResource {
    let name = match &resource.name {
        rfc2087::QuotaResourceName::Storage => "STORAGE".to_owned(),
        rfc2087::QuotaResourceName::Message => "MESSAGE".to_owned(),
        rfc2087::QuotaResourceName::Atom(name) => name.to_ascii_uppercase(),
    };
    QuotaResource { name, used: resource.usage, limit: resource.limit }
}

fn fetch<'a>(seq: u32, items: Vec<AttributeValue<'a>>) -> Option<Fetch<'a>> {
    let mut fetch = Fetch { seq, ..Fetch::default() };
    for item in items {
        match item {
            AttributeValue::Uid(uid) => fetch.set_uid(Some(uid)).ok()?,
            AttributeValue::Flags(flags) => fetch.set_flags(flags),
            AttributeValue::InternalDate(date @ Cow::Borrowed(_)) => fetch.set_internal_date(Some(date)),
            AttributeValue::Rfc822Size(size) => fetch.set_size(Some(size.into())),
            AttributeValue::ModSeq(mod_seq) => fetch.set_mod_seq(Some(mod_seq)),
            AttributeValue::EmailId(id) => fetch.set_email_id(Some(id)),
            AttributeValue::GmailMsgId(id) => fetch.set_gmail_msgid(Some(id)),
            AttributeValue::Rfc822(data)
            | AttributeValue::BodySection { section: None, index: None | Some(0), data } => {
                fetch.set_body(content(data)).ok()?;
            }
            AttributeValue::Rfc822Header(data)
            | AttributeValue::BodySection { section: Some(SectionPath::Full(MessageSection::Header)), data, .. } => {
                fetch.set_header(content(data)).ok()?;
            }
            // It does not unescape labels: `"\\Inbox"` would be a folder's name.
            AttributeValue::Unknown | AttributeValue::InternalDate(Cow::Owned(_)) | AttributeValue::GmailLabels(_) => {
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
