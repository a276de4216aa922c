//! Why: the row of the case table that decided. Every action and everything that is left alone carries one.

/// What decided. [`Row::number`] gives the number in the tables of docs/two-way.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// Flags changed since both sides agreed.
    FlagsChanged,
    /// Flags without a base.
    FlagsJoined,
    /// Deleted here, changed there.
    DeletedAndChanged,
    /// Gone from both sides.
    DeletedOnBoth,
    /// Moved to another folder.
    Moved,
    /// Moved to different folders, or deleted from different ones.
    MovedApart,
    /// Moved here, deleted there.
    MovedAndDeleted,
    /// A folder renamed.
    Renamed,
    /// A folder renamed differently on each side.
    RenamedApart,
    /// A folder deleted.
    FolderDeleted,
    /// A folder deleted here, with new or changed mail there.
    FolderDeletedAndChanged,
    /// A folder deleted and made anew with other mail.
    Recreated,
    /// The folder's UIDs are new, its mail is not.
    NewUids,
    /// The folder shows no mail any more.
    Emptied,
    /// The folder shows no mail any more, on a server that was restored from a backup.
    LostAll,
    /// More would be deleted than the brake allows.
    TooMany,
    /// It may have been moved to a folder that could not be read.
    PerhapsMoved,
    /// The server was restored from a backup.
    Restored,
    /// Nothing is recorded of this folder.
    FirstRun,
    /// The state is older than what both sides have become.
    StaleState,
    /// A filter hides the message.
    Hidden,
    /// Nothing but content can tell two messages apart, and it could not be read.
    Undecided,
    /// The same mail came to both sides by itself.
    FoundOnBoth,
    /// The other side refused the message before.
    Refused,
    /// The side can't be changed.
    NotPermitted,
    /// No folder of mail, or a view of other folders.
    NotAFolder,
    /// New mail.
    NewMail,
    /// A deletion.
    Deleted,
    /// A new folder.
    NewFolder,
    /// A subscription changed.
    Subscription,
    /// The options close this direction.
    OneWay,
    /// The server shows a part of the folder only.
    Capped,
    /// Not all of the folder could be read.
    Incomplete,
    /// Not all folders of the side on which it is missing could be listed.
    Unlisted,
    /// INBOX and folders with a role are never deleted.
    KeptFolder,
}

impl Row {
    /// Its number in the tables of docs/two-way.md; `None` for what follows from the rules there.
    pub fn number(self) -> Option<u8> {
        Some(match self {
            Self::FlagsChanged => 1,
            Self::FlagsJoined => 3,
            Self::DeletedAndChanged => 5,
            Self::DeletedOnBoth => 6,
            Self::Moved => 8,
            Self::MovedApart => 9,
            Self::MovedAndDeleted => 10,
            Self::Renamed => 11,
            Self::RenamedApart => 12,
            Self::FolderDeleted => 13,
            Self::FolderDeletedAndChanged => 14,
            Self::Recreated => 15,
            Self::NewUids => 16,
            Self::Emptied | Self::LostAll => 17,
            Self::TooMany => 18,
            Self::Restored => 19,
            Self::FirstRun => 20,
            Self::StaleState => 21,
            Self::Hidden => 22,
            Self::Undecided => 23,
            Self::FoundOnBoth => 26,
            Self::Refused => 32,
            Self::NotPermitted => 34,
            Self::NotAFolder => 37,
            Self::NewMail
            | Self::Deleted
            | Self::NewFolder
            | Self::Subscription
            | Self::OneWay
            | Self::Capped
            | Self::Incomplete
            | Self::Unlisted
            | Self::PerhapsMoved
            | Self::KeptFolder => return None,
        })
    }

    /// The reason as a sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::FlagsChanged => "Its flags were changed on one side since both sides last agreed.",
            Self::FlagsJoined => "Nothing is recorded of its flags, so both sides get what either has.",
            Self::DeletedAndChanged => "It was deleted on one side and its flags were changed on the other.",
            Self::DeletedOnBoth => "It is gone from both sides.",
            Self::Moved => "It was moved to another folder on one side.",
            Self::MovedApart => {
                "It is in different folders on the two sides since both last agreed; one place is kept."
            }
            Self::MovedAndDeleted => "It was moved on one side and deleted on the other; the moved message stays.",
            Self::Renamed => "The folder was renamed on one side.",
            Self::RenamedApart => "The folder was renamed differently on the two sides; one name is kept.",
            Self::FolderDeleted => "The folder was deleted on one side, and nothing in it changed on the other.",
            Self::FolderDeletedAndChanged => {
                "The folder was deleted on one side, but the other has something new or changed in it, which is kept."
            }
            Self::Recreated => "The folder was deleted and made anew with other mail, so nothing is deleted in it.",
            Self::NewUids => "The server has given the folder new UIDs, so its mail was recognised anew.",
            Self::Emptied => {
                "The folder shows no mail any more, as it would on a server that has lost it. If that is meant, say \
                 --max-delete 100%, or empty the folder on the other side too."
            }
            Self::LostAll => {
                "The server has gone back to an older state in which the folder shows no mail. Say --prefer keep to put its \
                 mail back, or empty the folder on the other side too."
            }
            Self::PerhapsMoved => {
                "It may have been moved to a folder that could not be read, so it is not deleted on this side."
            }
            Self::TooMany => "More would be deleted than --max-delete allows, so nothing is deleted on this side.",
            Self::Restored => "The server has gone back to an older state, so missing mail is put back.",
            Self::FirstRun => {
                "Nothing is recorded of this folder yet, so both sides are joined and nothing is deleted."
            }
            Self::StaleState => {
                "The state is older than the mailboxes, so both sides are joined and nothing is deleted."
            }
            Self::Hidden => "A filter hides it, so it is left as it is.",
            Self::Undecided => "It may be the same as another message, and its content could not be read.",
            Self::FoundOnBoth => "The same mail was already on both sides.",
            Self::Refused => "The other side refused it before, so it is not sent again by itself.",
            Self::NotPermitted => "This side does not permit the change, so it waits.",
            Self::NotAFolder => "It holds no mail of its own.",
            Self::NewMail => "It is new on one side.",
            Self::Deleted => "It was deleted on one side.",
            Self::NewFolder => "The folder is new on one side.",
            Self::Subscription => "The subscription was changed on one side.",
            Self::OneWay => "The options let no such change through in this direction.",
            Self::Capped => "The server shows a part of the folder only, so it may be there unseen.",
            Self::Incomplete => "Not all of the folder could be read, so it is left as it is.",
            Self::Unlisted => {
                "It is missing on the other side, but not all folders there could be listed, so it may be one of those."
            }
            Self::KeptFolder => "INBOX and folders with a role are never deleted, so it comes back.",
        }
    }

    /// Whether the two sides contradicted each other, which a report lists.
    pub fn is_conflict(self) -> bool {
        matches!(
            self,
            Self::DeletedAndChanged
                | Self::MovedApart
                | Self::MovedAndDeleted
                | Self::RenamedApart
                | Self::FolderDeletedAndChanged
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ALL: [Row; 35] = [
        Row::FlagsChanged,
        Row::FlagsJoined,
        Row::DeletedAndChanged,
        Row::DeletedOnBoth,
        Row::Moved,
        Row::MovedApart,
        Row::MovedAndDeleted,
        Row::Renamed,
        Row::RenamedApart,
        Row::FolderDeleted,
        Row::FolderDeletedAndChanged,
        Row::Recreated,
        Row::NewUids,
        Row::Emptied,
        Row::LostAll,
        Row::TooMany,
        Row::PerhapsMoved,
        Row::Restored,
        Row::FirstRun,
        Row::StaleState,
        Row::Hidden,
        Row::Undecided,
        Row::FoundOnBoth,
        Row::Refused,
        Row::NotPermitted,
        Row::NotAFolder,
        Row::NewMail,
        Row::Deleted,
        Row::NewFolder,
        Row::Subscription,
        Row::OneWay,
        Row::Capped,
        Row::Incomplete,
        Row::Unlisted,
        Row::KeptFolder,
    ];

    #[test]
    fn the_documentation_has_each_number_that_explanations_cite() {
        assert_eq!(ALL.last().map(|row| *row as usize + 1), Some(ALL.len()));
        assert!(ALL.iter().enumerate().all(|(at, row)| *row as usize == at));
        let cited: BTreeSet<u8> = ALL.iter().filter_map(|row| row.number()).collect();
        let tables = include_str!("../../../docs/two-way.md");
        let first = |line: &str| line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok();
        let documented: BTreeSet<u8> = tables.lines().filter_map(first).collect();
        assert_eq!(documented, cited);
    }
}
