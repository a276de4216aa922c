//! mailferry moves mail between IMAP servers and local directories: it copies, syncs, verifies, lists and diagnoses mailboxes.
//!
//! The library is laid out as the flow of one message. Imports go downward only (`scripts/check` holds them to it):
//!
//! ```text
//! verbs      copy, sync, verify, folders, doctor: one function each, all that a user can ask for
//! engine     what copy and sync both do: relocate, prove, take back; over connections that are made anew
//! exec       lanes: a pool of workers that replays a plan against the target
//! plan       what is missing, which message is which: pure functions of two scans
//! folders    names, roles, mapping: pure functions of two listings
//! state      what is kept on this machine for a pair of mailboxes
//! oauth      tokens by OAuth 2.0: got, kept and renewed
//! store      one trait for a mailbox account, and its forms: IMAP, Maildir++, mbox
//! imap       the protocol: commands, replies, sessions
//! net        TCP, TLS, deadlines
//! identity   a message's keys, from its header and its content
//! address    where a mailbox lives
//! event      what happens, told to observers
//! mail       the vocabulary: sides, UIDs, flags, dates, mailbox names
//! locks      mutexes that bear a panic of their holder
//! ```
//!
//! The library never prints, reads no environment and knows nothing of command lines or progress bars: those are the
//! binary's. What happens is told to an [`event::Observer`].

pub mod address;
mod engine;
pub mod event;
pub mod exec;
pub mod folders;
pub mod identity;
pub mod imap;
pub mod locks;
pub mod mail;
pub mod net;
pub mod oauth;
pub mod plan;
#[cfg(test)]
mod properties;
pub mod state;
pub mod store;
pub mod verbs;
