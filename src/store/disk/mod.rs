//! What the stores on this machine's disk share: directories that no symbolic link leads out of, files replaced as a
//! whole, locks, line ends, headers read in passing, and the requests of a lane.
//!
//! What it keeps true: below the directory that the user named, nothing is followed, and what is not a regular file is
//! not read. A file that exists is never overwritten but by a whole new one. New files are their owner's alone.

#[cfg(test)]
pub(super) mod contract;
mod dir;
mod head;
mod lines;
mod lock;
mod place;
mod requests;
mod said;
mod uids;

pub(super) use dir::{Dir, Kind, Stat, set_modified};
pub(super) use head::{HeaderFields, header_fields};
pub(super) use lines::{CHUNK, Measure, WireReader};
pub(super) use lock::TreeLock;
pub use place::IfAbsent;
pub(super) use place::{Place, unique};
pub(super) use requests::{Letter, Reading, Requests};
pub(super) use said::{gone, made_anew, permanent, refused, stopped};
pub(super) use uids::{Generation, Lines, ListPlace, Numbered, Numbers};

/// The longest file of a few settings (keywords, subscriptions) that is read.
pub(super) const MAX_SETTINGS: u64 = 4 << 20;
