//! Which message is which: what a header can tell, and what only the content can.
//!
//! Servers change messages in transit (line ends, folding, added fields), and a Message-ID alone
//! isn't an identity, so a message has keys of several strengths: [`header_key`] from five fields
//! that a scan can request, and [`ContentKeys`] from all its bytes as they pass. Pure functions of
//! bytes: they accept anything, never fail and take linear time. The keys are saved in the state,
//! so their input never changes without a new state format.

mod content;
mod date;
mod fixed;
mod header;
mod key;
mod print;
mod stand_in;

pub use content::{ContentHasher, ContentKeys};
pub use date::message_date;
pub use fixed::{FIXED_FIELD, fixed_comment, fixed_value, is_fixed};
pub(crate) use header::fields;
pub use header::{heading, message_id};
pub use key::{FIELDS, header_key};
pub use print::print;
pub use stand_in::stand_in;
