//! What becomes of one entry of a folder's access control list (`--acl`).

use crate::mail::Rights;
use serde::{Serialize, Serializer};

/// An entry, and what is done about it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EntryRights<'a> {
    /// The target's folder.
    pub folder: &'a str,
    /// Who has the rights, as the source writes it; in a removal, as the target does.
    pub identifier: &'a str,
    /// Who that is on the target; `None` if they aren't there.
    pub to: Option<&'a str>,
    /// What is done.
    pub action: RightsAction,
    /// The rights that are granted or removed, and otherwise those of the entry.
    #[serde(serialize_with = "as_text")]
    pub rights: Rights,
    /// Why it is left alone or could not be copied; otherwise empty.
    pub reason: &'a str,
}

/// What is done about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RightsAction {
    /// Rights are granted.
    Grant,
    /// Rights that the source doesn't grant are removed.
    Remove,
    /// The target has them already. Only in a dry run.
    Keep,
    /// It isn't copied, and need not be. Only in a dry run.
    Leave,
    /// It could not be copied.
    Fail,
}

fn as_text<S: Serializer>(rights: &Rights, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(rights)
}
