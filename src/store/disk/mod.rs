//! What the stores on this machine's disk share: directories that no symbolic link leads out of,
//! files replaced as a whole, locks, line ends, headers read in passing, and a lane's requests.
//!
//! Invariants: below the directory that the user named, no link is followed, and only regular files
//! are read. An existing file is only ever replaced by a complete new one. New files are private to
//! the owner.

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

/// The longest settings file (keywords, subscriptions) that is read.
pub(super) const MAX_SETTINGS: u64 = 4 << 20;
