//! Which message is which: what can be told from a header, and what only from the content.
//!
//! Servers change messages on the way (line ends, folding, added fields), and a Message-ID alone is no identity, so a
//! message has keys of several strengths: [`header_key`] from five fields that a scan can ask for, and [`ContentKeys`]
//! from all its bytes, taken as they pass. Pure functions of bytes: they accept anything, never fail and take linear
//! time. The keys are kept in the state, so what goes into them never changes without a new state format.

mod content;
mod date;
mod header;
mod key;
mod print;
mod stand_in;

pub use content::{ContentHasher, ContentKeys};
pub use date::message_date;
pub use header::{heading, message_id};
pub use key::{FIELDS, header_key};
pub use print::print;
pub use stand_in::stand_in;
