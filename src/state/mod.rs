//! What is kept on this machine for a pair of mailboxes, in a directory that is the user's alone.
//!
//! Files are named by a hash of the two mailboxes' identities, which hold no secret.

mod directory;
mod lock;

pub use directory::{PairName, StateDirectory};
pub use lock::PairLock;
