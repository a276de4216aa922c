//! Two-way merging: from what both sides last agreed on, and what each shows now, to what is to be done on each.
//!
//! PLACEHOLDER

mod actions;
mod base;
mod flags;
mod folders;
mod headers;
mod messages;
mod moves;
mod policy;
mod renames;
mod restraint;
mod row;
mod side;
#[cfg(test)]
mod tests;
mod trust;
mod view;
mod whereabouts;

pub use actions::{Agreement, Deletion, Dropped, FlagOutcomes, FolderMerge, Incoming, Joined, Left, Pending, Refusal};
pub use base::{BaseFolder, BasePair, Mark, PairState, Prints};
pub use flags::{AgreedFlags, FlagMerge, FlagState, merge_flags};
pub use folders::{
    Fate, FolderIdentity, FolderKind, FolderPair, FoldersMerge, KnownFolder, LeftFolder, NewFolder, SeenFolder,
    SubscriptionChange, fate, merge_folders,
};
pub use headers::headers_wanted;
pub use messages::merge_messages;
pub use moves::{Move, merge_moves};
pub use policy::{Policy, Prefer};
pub use renames::Rename;
pub use restraint::hold_back;
pub use row::Row;
pub use side::{Both, Side};
pub use view::{Extent, View};

use crate::plan::MatchRules;

/// One folder of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a> {
    /// What both last agreed on; `None` where nothing is known.
    pub base: Option<&'a BaseFolder>,
    /// What each side shows now.
    pub views: Both<&'a View>,
    /// How messages without a base are matched.
    pub rules: MatchRules,
    /// Why its messages are kept, where it is missing on one side ([`FolderPair::comes_back`]).
    pub comes_back: Option<Row>,
}
