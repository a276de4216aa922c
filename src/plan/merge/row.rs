//! Why: the row of the case table that decided. Every action and everything left alone carries one.

/// The row that decided. [`Row::number`] returns its number in the tables of docs/two-way.md.
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
    /// A folder deleted and recreated with other mail.
    Recreated,
    /// The folder's UIDs are new, its mail isn't.
    NewUids,
    /// The folder no longer shows any mail.
    Emptied,
    /// The folder no longer shows any mail, on a server restored from a backup.
    LostAll,
    /// The deletion limit is exceeded.
    TooMany,
    /// It may have been moved to a folder that could not be read.
    PerhapsMoved,
    /// The server was restored from a backup.
    Restored,
    /// Nothing is recorded about this folder.
    FirstRun,
    /// The state is older than the mailboxes.
    StaleState,
    /// A filter hides the message.
    Hidden,
    /// Only content can tell two messages apart, and it could not be read.
    Undecided,
    /// The same mail arrived on both sides independently.
    FoundOnBoth,
    /// The other side refused the message before.
    Refused,
    /// The side can't be changed.
    NotPermitted,
    /// Not a mail folder, or a view of other folders.
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
    /// The server shows only part of the folder.
    Capped,
    /// Not all of the folder could be read.
    Incomplete,
    /// Not all folders could be listed on the side where it is missing.
    Unlisted,
    /// INBOX and folders with a role are never deleted.
    KeptFolder,
}

impl Row {
    /// Returns its number in the tables of docs/two-way.md; `None` for what follows from the rules
    /// there.
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

    /// Returns the reason as a sentence for users.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::FlagsChanged => "Flags changed since the last sync.",
            Self::FlagsJoined => "No saved flags for it, so both sides get all flags of either.",
            Self::DeletedAndChanged => "Deleted on one side, flags changed on the other.",
            Self::DeletedOnBoth => "Gone from both sides.",
            Self::Moved => "Moved to another folder on one side.",
            Self::MovedApart => "Moved to different folders on the two sides; one is kept.",
            Self::MovedAndDeleted => {
                "Moved on one side, deleted on the other; the moved message stays."
            }
            Self::Renamed => "Folder renamed on one side.",
            Self::RenamedApart => "Folder renamed differently on the two sides; one name is kept.",
            Self::FolderDeleted => "Folder deleted on one side, unchanged on the other.",
            Self::FolderDeletedAndChanged => {
                "Folder deleted on one side; what is new or changed in it on the other is kept."
            }
            Self::Recreated => {
                "Folder deleted and recreated with other mail; nothing in it is deleted."
            }
            Self::NewUids => "The server gave the folder new UIDs; its mail was matched again.",
            Self::Emptied => {
                "The folder is suddenly empty; the server may have lost its mail. If this is intended, rerun with \
                 --max-delete 100%, or empty the folder on the other side too."
            }
            Self::LostAll => {
                "The server went back to an older state in which the folder is empty. Rerun with --prefer keep to \
                 restore its mail, or empty the folder on the other side too."
            }
            Self::PerhapsMoved => {
                "It may have been moved to a folder that could not be read, so it isn't deleted here."
            }
            Self::TooMany => "--max-delete limit exceeded; nothing is deleted on this side.",
            Self::Restored => "The server went back to an older state; missing mail is restored.",
            Self::FirstRun => "First sync of this folder: merged, nothing deleted.",
            Self::StaleState => {
                "The saved state is older than the mailboxes: merged, nothing deleted."
            }
            Self::Hidden => "Hidden by a filter; left alone.",
            Self::Undecided => {
                "It may be the same as another message, and its content could not be read."
            }
            Self::FoundOnBoth => "Already on both sides.",
            Self::Refused => {
                "The other side refused it before; not retried without --retry-refused."
            }
            Self::NotPermitted => "This side is read-only for that change; pending.",
            Self::NotAFolder => "It holds no mail of its own.",
            Self::NewMail => "New on one side.",
            Self::Deleted => "Deleted on one side.",
            Self::NewFolder => "New folder on one side.",
            Self::Subscription => "Subscription changed on one side.",
            Self::OneWay => "Not allowed by --only, --new, --flags or --deletions.",
            Self::Capped => "The server shows only part of the folder, so it may still be there.",
            Self::Incomplete => "Not all of the folder could be read; left alone.",
            Self::Unlisted => {
                "Missing on the other side, but not all folders there could be listed, so it may be one of those."
            }
            Self::KeptFolder => {
                "INBOX and folders with a role are never deleted, so it is restored."
            }
        }
    }

    /// Reports whether the two sides conflicted, which a report lists.
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
