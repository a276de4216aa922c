//! QUOTA and QUOTAROOT (RFC 9208).

use super::cursor::{Cursor, Value};

/// One limited resource of a quota root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaResource {
    /// Its name in capitals: `STORAGE` counts units of 1024 bytes, `MESSAGE` messages.
    pub name: String,
    /// How much is used.
    pub used: u64,
    /// How much may be used.
    pub limit: u64,
}

/// A quota root. No resources means no limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The root's name.
    pub root: String,
    /// The limited resources.
    pub resources: Vec<QuotaResource>,
}

/// The quota roots of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaRoot {
    /// The mailbox's raw name.
    pub mailbox: Vec<u8>,
    /// The roots' names.
    pub roots: Vec<String>,
}

/// Parses `root [(name used limit …)]`; Courier omits the list if nothing is limited.
///
/// ```abnf
/// quota-response = "QUOTA" SP quota-root-name SP quota-list
/// quota-list     = "(" quota-resource *(SP quota-resource) ")"
/// quota-resource = resource-name SP resource-usage SP resource-limit
/// ```
/// (RFC 9208 section 7.) The list may be empty, as RFC 2087 allows.
pub(super) fn quota(cursor: &mut Cursor<'_>) -> Option<Quota> {
    let root = cursor.value()?.text()?.into_owned();
    let values = if cursor.is_end() {
        Vec::new()
    } else {
        cursor.list()?
    };
    let mut resources = Vec::new();
    for resource in values.chunks(3) {
        let [name, used, limit] = resource else {
            return None;
        };
        // An invalid number means that nothing is known about the resource.
        if let (Some(used), Some(limit)) = (used.clone().number(), limit.clone().number()) {
            resources.push(QuotaResource {
                name: name.clone().text()?.to_ascii_uppercase(),
                used,
                limit,
            });
        }
    }
    Some(Quota { root, resources })
}

/// Parses `mailbox root …`.
///
/// `quotaroot-response = "QUOTAROOT" SP mailbox *(SP quota-root-name)` (RFC 9208 section 7).
pub(super) fn quota_root(cursor: &mut Cursor<'_>) -> Option<QuotaRoot> {
    let mailbox = cursor.value()?.bytes()?.into_owned();
    let mut roots = Vec::new();
    while !cursor.is_end() {
        roots.push(cursor.value().and_then(Value::text)?.into_owned());
    }
    Some(QuotaRoot { mailbox, roots })
}
