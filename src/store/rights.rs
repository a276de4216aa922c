//! Access rights of folders (RFC 4314), as stores read and set them.

use crate::mail::{AclEntry, MailboxName, Rights};
use crate::provider::Identifiers;

/// How an account's server deals with rights.
#[derive(Clone, Debug)]
pub struct AclRules {
    /// The user whose folders these are, as they log in.
    pub user: String,
    /// How the server writes who has rights.
    pub identifiers: Identifiers,
    /// What may be granted in general.
    pub grantable: Grantable,
}

/// Which rights can be granted. The rights of a group are granted together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grantable(pub Vec<Rights>);

impl Grantable {
    /// Returns how much of the wanted rights can be granted to someone who has some already,
    /// without granting anything else.
    pub fn limit(&self, wanted: Rights, has: Rights) -> Rights {
        let all = wanted.and(has);
        self.0
            .iter()
            .filter(|group| all.includes(**group))
            .fold(Rights::default(), |sum, group| sum.and(*group))
            .in_common(wanted)
    }
}

/// A folder's rights, as far as the user may see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRights {
    /// Who has which rights; `None`: that is shown to those who may change it, and the user may
    /// not.
    pub entries: Option<Vec<AclEntry>>,
}

/// A change to what someone may do in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightsChange {
    /// The folder.
    pub mailbox: MailboxName,
    /// Who, as the server writes it.
    pub identifier: String,
    /// What to change.
    pub edit: RightsEdit,
}

/// What to do to an entry of a folder's access control list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightsEdit {
    /// Add these rights to those that it has.
    Grant(Rights),
    /// Leave exactly these.
    Replace(Rights),
    /// Remove the entry.
    Remove,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_of_a_group_are_granted_together_or_not_at_all() {
        let groups = ["l", "r", "etx"].map(Rights::of).to_vec();
        let limit = |wanted: &str, has: &str| {
            let limited = Grantable(groups.clone()).limit(Rights::of(wanted), Rights::of(has));
            limited.to_string()
        };
        assert_eq!(limit("lrw", ""), "lr");
        assert_eq!(limit("lte", ""), "l");
        assert_eq!(limit("lxte", ""), "lxte");
        assert_eq!(limit("te", "x"), "te");
    }
}
