//! Two-way merging: from what both sides last agreed on and what each shows now to the actions for
//! each.
//!
//! Pure functions of (base, first, second, policy). Each file starts with its case table, followed
//! by the code:
//!
//! ```text
//! folders     which folder is which; created, renamed, deleted      whereabouts  a side's folders under new names
//! messages    one folder: what is copied, deleted, left             renames      names, one after the other
//! moves       what vanished here and appeared there                 trust        whether the base still holds
//! apart       deleted from different folders on the two sides       headers      what a scan has to request
//! flags       flag by flag                                          row          why: the row that decided
//! restraint   emptied folders and the deletion limit
//! base, view, policy, side    what goes in                          actions      what comes out
//! ```
//!
//! The order of a run:
//!
//! 1. [`merge_folders`] pairs the folders of two listings. Renames and new folders are carried out
//!    in its order.
//! 2. Each pair is scanned; [`headers_wanted`] returns the headers needed for that.
//! 3. [`merge_messages`] for each pair, then [`FolderMerge::settle`] with what content has decided
//!    about its ties.
//! 4. [`merge_moves`] over all of them, then [`hold_departures`] and [`hold_back`], then [`fate`]
//!    for folders that are missing on a side.
//! 5. Moves are carried out first, deletions after copies, folders deleted last, the innermost
//!    first and only when empty.
//!
//! Invariants: nothing is deleted unless the base knew it on both sides and one side no longer has
//! it; whatever else is missing on a side is copied there. The sides are equal: exchanging them
//! gives the mirrored actions, except where [`Prefer`] decides. Once the actions are carried out,
//! the same merge finds nothing to do. What changes on a side between scan and execution is found
//! by the next run, provided that the saved counters are those of the scan.

mod actions;
mod apart;
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
#[cfg(test)]
mod tests;
mod trust;
mod view;
mod whereabouts;

pub use actions::{
    Agreement, Deletion, Dropped, FlagOutcomes, FolderMerge, Incoming, Joined, Kept, Learned, Left,
    Pending, Refusal,
};
pub use base::{BaseFolder, BasePair, PairState, Prints, Trace, trace};
pub use flags::{AgreedFlags, FlagMerge, FlagState, merge_flags};
pub use folders::{
    Fate, FolderIdentity, FolderKind, FolderPair, FoldersMerge, KnownFolder, LeftFolder, NewFolder,
    SeenFolder, SubscriptionChange, fate, merge_folders,
};
pub use headers::headers_wanted;
pub use messages::merge_messages;
pub use moves::{At, Former, Move, merge_moves};
pub use policy::{Policy, Prefer};
pub use renames::Rename;
pub use restraint::{hold_back, hold_departures, leave_alone};
pub use row::Row;
pub use view::{Extent, View};

use crate::mail::{Both, Side};
use crate::plan::MatchRules;

/// One folder on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a> {
    /// What both last agreed on; `None` if nothing is known.
    pub base: Option<&'a BaseFolder>,
    /// What each side shows now.
    pub views: Both<&'a View>,
    /// How messages without a base are matched.
    pub rules: MatchRules,
    /// Why its messages are kept if it is missing on one side ([`FolderPair::comes_back`]).
    pub comes_back: Option<Row>,
}

impl Folder<'_> {
    /// Returns why nothing of a kind may be changed on `side`. `open` says which sides the options
    /// leave open.
    fn closed(&self, side: Side, open: Both<bool>) -> Option<Row> {
        if self.views[side].is_read_only() {
            Some(Row::NotPermitted)
        } else if !open[side] {
            Some(Row::OneWay)
        } else {
            None
        }
    }
}
