//! What exists or may exist on a side but could not be read.
//!
//! What was not read is not absent. A listing or a scan with a gap is still valid for what it
//! shows, but nothing may depend on what it doesn't show: no deletion, no move, no checkpoint that
//! says a folder is in sync.

use super::{MailboxName, Uid};
use std::fmt;

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// A line of a listing. It could be about any folder.
    Line,
    /// A line of the subscriptions. It could be about any folder; it hides no folder.
    Subscription,
    /// All subscriptions: the server doesn't list them. This hides no mail.
    Subscriptions,
    /// A folder, by its raw name.
    Folder(MailboxName),
    /// A file or directory where a folder should be, by its path.
    Path(String),
    /// This many messages in a folder, with unknown UIDs.
    Messages(u64),
    /// A message in a folder, with at least one unknown attribute.
    Message(Uid),
}

impl fmt::Display for Unread {
    /// Writes it for users, as a lower-case fragment: `a line of the listing`, `UID 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line => f.write_str("a line of the listing"),
            Self::Subscriptions => f.write_str("the subscriptions"),
            Self::Subscription => f.write_str("a line of the subscriptions"),
            Self::Folder(name) => write!(f, "{name}"),
            Self::Path(path) => f.write_str(path),
            Self::Messages(count) => f.write_str(&super::counted(*count, "message")),
            Self::Message(uid) => write!(f, "UID {uid}"),
        }
    }
}

/// One thing that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// What could not be read.
    pub what: Unread,
    /// Why: the server's words or the system's, raw.
    pub why: String,
}

/// The gaps of one listing or of one folder's scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    found: Vec<Gap>,
}

impl Gaps {
    /// Reports whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Reports whether there may be folders that a listing with these gaps doesn't show. A folder
    /// that is shown but could not be read counts too: it may be a missing one under its new name.
    pub fn hide_folders(&self) -> bool {
        let of_subscriptions =
            |what: &Unread| matches!(what, Unread::Subscription | Unread::Subscriptions);
        self.found.iter().any(|gap| !of_subscriptions(&gap.what))
    }

    /// Reports whether there may be subscriptions that a listing with these gaps doesn't show.
    pub fn hide_subscriptions(&self) -> bool {
        self.found
            .iter()
            .any(|gap| matches!(gap.what, Unread::Subscription | Unread::Subscriptions))
    }

    /// Adds a gap.
    pub fn add(&mut self, what: Unread, why: impl Into<String>) {
        self.found.push(Gap {
            what,
            why: why.into(),
        });
    }

    /// Iterates over the gaps, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Gap> {
        self.found.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_subscription_hides_no_folder() {
        let with = |what: Unread| {
            let mut gaps = Gaps::default();
            gaps.add(what, "why");
            (gaps.hide_folders(), gaps.hide_subscriptions())
        };
        assert_eq!(
            [with(Unread::Subscription), with(Unread::Subscriptions)],
            [(false, true); 2]
        );
        let others = [
            Unread::Line,
            Unread::Folder(MailboxName::from("x")),
            Unread::Path("x".to_owned()),
        ];
        assert!(others.into_iter().all(|what| with(what) == (true, false)));
        assert!(!Gaps::default().hide_folders() && !Gaps::default().hide_subscriptions());
    }
}
