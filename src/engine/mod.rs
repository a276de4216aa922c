//! The steps that `copy` and `sync` share. The verbs decide what to do; the functions here do it.
//!
//! Each function takes what is wanted and returns the outcome. It works in either direction and
//! reconnects if a connection breaks. It doesn't change its caller's data: recording and reporting
//! are up to the verb.

pub(crate) mod deleting;
pub(crate) mod departures;
pub(crate) mod flagging;
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
