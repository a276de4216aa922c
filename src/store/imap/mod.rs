//! An account on an IMAP server as a [`Store`](super::Store).
//!
//! ```text
//! account   makes connections          list     LIST in all its forms, STATUS, NAMESPACE
//! session   one connection's state     scan     contents of folders; asking: what is requested of them
//! refusal   what a NO means            fetch    whole messages, requested ahead
//! manage    CREATE, SUBSCRIBE, STORE   append   whole messages, delivered ahead
//! prepare   new folders in one flight  opening  what SELECT and EXAMINE report
//! relocate  COPY, MOVE, UID EXPUNGE    labels   folders that are Gmail's labels
//! breaks    folders that break connections
//! logins    how many connections the server bears
//! checkup   what doctor needs besides  content_ids  EMAILID, X-GM-MSGID
//! rights    GETACL, SETACL
//! room      what fits by the quota
//! ```

mod account;
mod append;
mod asking;
mod breaks;
mod checkup;
mod content_ids;
mod denial;
mod fetch;
mod labels;
mod list;
mod logins;
mod manage;
mod opening;
mod prepare;
mod refusal;
mod relocate;
mod rights;
mod room;
mod scan;
mod session;

pub use crate::imap::{Recall, Secret};
pub use account::{Account, AccountRun};
pub use checkup::Checkup;
