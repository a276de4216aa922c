//! A mailbox account in a directory: Maildir++ as Dovecot and Courier keep it.
//!
//! INBOX is the directory itself, a folder `A/B` is `.A.B` below it, each with `new`, `cur` and `tmp`. A message is a file
//! of exactly the bytes that were delivered; its flags are letters in its name, its INTERNALDATE is its mtime.
//!
//! ```text
//! account, tree     what is shared by all connections: the root, its lock, the folders' numbers and indexes
//! session           one connection: the `Store`
//! scan, fetch       reading             deliver, change, relocate, manage   writing
//! folder, index     directories and what is in them, by UID                 uidlist   lists of UIDs
//! filename, keywords, subscriptions     formats
//! ```
//!
//! What it keeps true: a message is seen in `new` or `cur` only when all its bytes and its date are on the disk; no file is
//! overwritten; no symbolic link below the root is followed; a mailbox that is only read is not written to, not even with
//! a lock or a list. Other programs may work in the same tree: what they rename is found again by its base name.

mod account;
mod change;
mod deliver;
mod fetch;
mod filename;
mod folder;
mod index;
mod keywords;
mod manage;
mod relocate;
mod scan;
mod session;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tree;
mod uidlist;

pub use account::Account;
