//! A mailbox account in a directory of mbox files (RFC 4155, with mboxrd's quoting, which is
//! reversible).
//!
//! INBOX is the file `INBOX`, a folder `A` the file `A`, a folder `A/B` the file `B` in the
//! directory `A.sbd`, as in Thunderbird; a plain directory `A` is read as the folders below `A`
//! too. Files that aren't mboxes are left alone.
//!
//! ```text
//! account, tree     shared by all connections: the root, its lock, paths of folders
//! session           one connection: the `Store`
//! format, view      how a message is written, and read
//! index             a file's messages, by UID      append, rewrite   the ways to change a file      lock   who may
//! ```
//!
//! Invariants: what was delivered is read back byte for byte, whatever it contains. A file is only
//! appended to, after a complete message, or replaced as a whole. A message cut by a crash is never
//! read, and is cut off before the next one is appended.

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
