//! What the user decides in advance.

use crate::mail::{Both, Side};
use crate::plan::DeletionLimit;

/// Who wins a conflict (`--prefer`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// A deletion beats a flag change; the first side wins if two places or names conflict.
    #[default]
    Default,
    /// What was done on the first side.
    First,
    /// What was done on the second side.
    Second,
    /// Whatever keeps the message; otherwise the default.
    Keep,
}

impl Prefer {
    /// Returns the side whose place or name counts if both have changed it.
    pub(super) fn winner(self) -> Side {
        match self {
            Self::Default | Self::First | Self::Keep => Side::First,
            Self::Second => Side::Second,
        }
    }

    /// Reports whether a message is restored that was deleted on `deleted_on` and changed on the
    /// other side.
    pub(super) fn brings_back(self, deleted_on: Side) -> bool {
        match self {
            Self::Default => false,
            Self::First => deleted_on == Side::Second,
            Self::Second => deleted_on == Side::First,
            Self::Keep => true,
        }
    }
}

/// What is allowed, and how conflicts are resolved.
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
    /// Whether deleted messages are saved in the undo store first (`--keep-deleted`).
    pub keep_deleted: bool,
    /// Whether messages that a side refused in an earlier run are retried.
    pub retry_refused: bool,
    /// Whether a side may have folders that it doesn't show. Then none counts as deleted there.
    pub unlisted: Both<bool>,
}

impl Default for Policy {
    /// Allows everything in both directions, with the default deletion limit, and saves all that is
    /// deleted.
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
