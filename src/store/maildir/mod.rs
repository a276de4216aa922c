//! A mailbox account in a directory: Maildir++ as used by Dovecot and Courier.
//!
//! INBOX is the directory itself, a folder `A/B` is `.A.B` below it, each with `new`, `cur` and
//! `tmp`. A message is a file with exactly the bytes that were delivered; its flags are letters in
//! its name, its INTERNALDATE is its mtime.
//!
//! ```text
//! account, tree     shared by all connections: the root, its lock, the folders' numbers and indexes
//! session           one connection: the `Store`
//! scan, fetch       reading             deliver, change, relocate, manage   writing
//! folder, index     directories and their messages, by UID                  uidlist   lists of UIDs
//! filename, keywords, subscriptions     formats
//! ```
//!
//! Invariants: a message appears in `new` or `cur` only once all its bytes and its date are on
//! disk; no file is overwritten; no symbolic link below the root is followed; a read-only mailbox
//! isn't written to, not even with a lock or a list. Other programs may work in the same tree: what
//! they rename is found again by its base name.

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
