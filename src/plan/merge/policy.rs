//! What the user has decided beforehand.

use crate::mail::{Both, Side};
use crate::plan::DeletionLimit;

/// Who wins where the two sides contradict each other (`--prefer`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// A deletion wins over a change of flags; the first side wins where two places or names are at stake.
    #[default]
    Default,
    /// What was done on the first side.
    First,
    /// What was done on the second side.
    Second,
    /// What keeps the message; else as by default.
    Keep,
}

impl Prefer {
    /// The side whose place or name counts where both have changed it.
    pub(super) fn winner(self) -> Side {
        match self {
            Self::Default | Self::First | Self::Keep => Side::First,
            Self::Second => Side::Second,
        }
    }

    /// Whether a message comes back that was deleted on `deleted_on` and changed on the other side.
    pub(super) fn brings_back(self, deleted_on: Side) -> bool {
        match self {
            Self::Default => false,
            Self::First => deleted_on == Side::Second,
            Self::Second => deleted_on == Side::First,
            Self::Keep => true,
        }
    }
}

/// What may be done, and how conflicts end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who wins.
    pub prefer: Prefer,
    /// Whether new mail may be written to each side (`--only`).
    pub new_mail: Both<bool>,
    /// Whether flags may be changed on each side (`--only`).
    pub flags: Both<bool>,
    /// Whether messages may be deleted on each side (`--only`).
    pub deletions: Both<bool>,
    /// Whether folders that were deleted on one side are deleted on the other.
    pub folder_deletions: bool,
    /// How much may be deleted on each side (`--max-delete`).
    pub limits: Both<DeletionLimit>,
    /// Whether what is deleted is kept in the undo store first (`--keep-deleted`).
    pub keep_deleted: bool,
    /// Whether messages that a side refused in an earlier run are tried again.
    pub retry_refused: bool,
    /// Whether a side may have folders that it does not show. Then none is taken for deleted there.
    pub unlisted: Both<bool>,
}

impl Default for Policy {
    /// Everything in both directions, with the default brake, and all that is deleted kept.
    fn default() -> Self {
        let open = Both::new(true, true);
        Self {
            prefer: Prefer::Default,
            new_mail: open,
            flags: open,
            deletions: open,
            folder_deletions: true,
            limits: Both::default(),
            keep_deleted: true,
            retry_refused: false,
            unlisted: Both::default(),
        }
    }
}
