//! A mailbox account in a directory of mbox files (RFC 4155, with mboxrd's quoting, which can be undone).
//!
//! INBOX is the file `INBOX`, a folder `A` the file `A`, a folder `A/B` the file `B` in the directory `A.sbd`, as
//! Thunderbird has it; a plain directory `A` is read as the folders below `A` too. What is no mbox is left alone.
//!
//! ```text
//! account, tree     what is shared by all connections: the root, its lock, paths of folders
//! session           one connection: the `Store`
//! format, view      what a message is written as, and read as
//! index             the messages of a file, by UID      append, rewrite   the ways to change a file      lock   who may
//! ```
//!
//! What it keeps true: what was delivered is read back to the same bytes, whatever is in it. A file is only appended to,
//! after a message that is whole, or replaced as a whole. A message that a crash has cut is never read, and is cut off
//! before the next one is appended.

mod account;
mod append;
mod format;
mod found;
mod index;
mod lock;
mod rewrite;
mod session;
#[cfg(test)]
mod tests;
mod tree;
mod view;

pub use account::Account;
