//! Listings for this module's tests.

use crate::mail::{Gaps, ListedMailbox, Listing, MailboxName, NameStyle, SpecialUse};

/// A mailbox to be listed.
#[derive(Clone)]
pub(super) struct Mailbox {
    pub(super) raw: MailboxName,
    pub(super) special_use: Option<SpecialUse>,
    pub(super) selectable: bool,
    pub(super) no_inferiors: bool,
    pub(super) subscribed: bool,
}

impl Mailbox {
    pub(super) fn new(raw: &str) -> Self {
        Self {
            raw: raw.into(),
            special_use: None,
            selectable: true,
            no_inferiors: false,
            subscribed: false,
        }
    }

    pub(super) fn listed(self, separator: char) -> ListedMailbox {
        ListedMailbox {
            name: self.raw,
            separator: Some(separator),
            selectable: self.selectable,
            no_inferiors: self.no_inferiors,
            subscribed: self.subscribed,
            special_use: self.special_use,
            status: None,
        }
    }
}

/// Makes a listing of mailboxes with these raw names. A name may end in ` \Attribute`: a role,
/// `\Noselect`, `\Noinferiors` or `\Subscribed`.
pub(super) fn listing(prefix: &str, separator: char, names: &[&str]) -> Listing {
    let mailboxes = names
        .iter()
        .map(|text| {
            let mut words = text.split(" \\");
            let mut mailbox = Mailbox::new(words.next().unwrap());
            for word in words {
                match word {
                    "Noselect" => mailbox.selectable = false,
                    "Noinferiors" => mailbox.no_inferiors = true,
                    "Subscribed" => mailbox.subscribed = true,
                    role => {
                        mailbox.special_use =
                            Some(SpecialUse::from_attribute(&format!("\\{role}")).unwrap());
                    }
                }
            }
            mailbox.listed(separator)
        })
        .collect();
    let style = NameStyle {
        prefix: prefix.into(),
        separator: Some(separator),
        utf8: false,
    };
    Listing {
        mailboxes,
        style,
        foreign_prefixes: Vec::new(),
        gaps: Gaps::default(),
        are_labels: false,
        merges_equal: false,
    }
}
