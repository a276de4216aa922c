//! ACL, LISTRIGHTS and MYRIGHTS (RFC 4314).
//!
//! imap-proto would replace bytes in identifiers, and doesn't know all rights.

use super::cursor::{Cursor, Value};
use crate::mail::{AclEntry, Rights};

/// A folder's access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// The mailbox's raw name.
    pub mailbox: Vec<u8>,
    /// Who has which rights.
    pub entries: Vec<AclEntry>,
}

/// The rights that someone can have in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRights {
    /// The mailbox's raw name.
    pub mailbox: Vec<u8>,
    /// Who.
    pub identifier: String,
    /// What they always have.
    pub required: Rights,
    /// What may be granted: the rights of a group only together.
    pub optional: Vec<Rights>,
}

/// The rights of the user who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MyRights {
    /// The mailbox's raw name.
    pub mailbox: Vec<u8>,
    /// The rights.
    pub rights: Rights,
}

/// Parses `mailbox identifier rights …`.
///
/// `acl-data = "ACL" SP mailbox *(SP identifier SP rights)` (RFC 4314 section 6).
pub(super) fn acl(cursor: &mut Cursor<'_>) -> Option<Acl> {
    let mailbox = cursor.value()?.bytes()?.into_owned();
    let mut entries = Vec::new();
    while !cursor.is_end() {
        entries.push(AclEntry {
            identifier: cursor.value().and_then(Value::text)?.into_owned(),
            rights: rights(cursor)?,
        });
    }
    Some(Acl { mailbox, entries })
}

/// Parses `mailbox identifier rights rights …`.
///
/// `listrights-data = "LISTRIGHTS" SP mailbox SP identifier SP rights *(SP rights)` (RFC 4314
/// section 6).
pub(super) fn list_rights(cursor: &mut Cursor<'_>) -> Option<ListRights> {
    let mailbox = cursor.value()?.bytes()?.into_owned();
    let identifier = cursor.value()?.text()?.into_owned();
    let required = rights(cursor)?;
    let mut optional = Vec::new();
    while !cursor.is_end() {
        optional.push(rights(cursor)?);
    }
    Some(ListRights {
        mailbox,
        identifier,
        required,
        optional,
    })
}

/// Parses `mailbox rights`.
///
/// `myrights-data = "MYRIGHTS" SP mailbox SP rights` (RFC 4314 section 6).
pub(super) fn my_rights(cursor: &mut Cursor<'_>) -> Option<MyRights> {
    let mailbox = cursor.value()?.bytes()?.into_owned();
    let rights = rights(cursor)?;
    cursor.is_end().then_some(MyRights { mailbox, rights })
}

fn rights(cursor: &mut Cursor<'_>) -> Option<Rights> {
    Rights::parse(&cursor.value()?.text()?)
}
