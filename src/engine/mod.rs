//! What `copy` and `sync` both do, once: they decide what is to be done, and this is how.
//!
//! Each step is a function from what is wanted to what became of it. It works towards either side, over connections that are
//! made anew where they break, and changes nothing of its caller's: what is recorded and reported is the verb's.

pub(crate) mod departures;
pub(crate) mod folders;
pub(crate) mod kept;
pub(crate) mod latecomers;
pub(crate) mod proof;
pub(crate) mod relocate;
pub(crate) mod renumbered;
pub(crate) mod scans;
pub(crate) mod sent;
pub(crate) mod twins;
pub(crate) mod way;
