//! The vocabulary of all other modules: UIDs, flags, dates, mailbox names as a server lists them.
//!
//! Plain values, without I/O or knowledge of any store. Names are those of RFC 3501 and RFC 9051.

mod count;
mod counters;
mod date;
mod flags;
mod gaps;
mod heading;
mod listing;
mod message;
mod rights;
mod side;
mod uid;

pub(crate) use count::counted;
pub use counters::Counters;
pub use date::InternalDate;
pub use flags::{Flags, Keyword, PermanentFlags, SystemFlag};
pub use gaps::{Gap, Gaps, Unread};
pub use heading::Heading;
pub use listing::{
    Flattened, FolderStatus, ListedMailbox, Listing, MailboxName, NameStyle, SpecialUse,
};
pub use message::{FlagTable, HeaderKey, Message};
pub use rights::{AclEntry, Rights};
pub use side::{Both, Side};
pub use uid::{ModSeq, Uid, UidNext, UidSet, UidValidity};
