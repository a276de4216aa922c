//! mailferry moves mail between IMAP servers and local directories: it copies, syncs, verifies,
//! lists and diagnoses mailboxes.
//!
//! The library is laid out along the path of one message. Imports go downward only, which
//! `scripts/check` enforces:
//!
//! ```text
//! verbs      copy, sync, verify, folders, doctor: one function for each thing that a user can ask for
//! engine     what copy and sync share: relocating, proving, taking back, over connections that are re-established
//! exec       lanes: a pool of workers that carries out a plan on the target
//! plan       what is missing, which message is which: pure functions of two scans
//! folders    names, roles, mapping: pure functions of two listings
//! state      what is saved on this machine about a pair of mailboxes
//! oauth      OAuth 2.0 tokens: getting, storing and renewing them
//! store      one trait for a mailbox account, and its forms: IMAP, Maildir++, mbox
//! imap       the protocol: commands, replies, sessions
//! net        TCP, TLS, deadlines
//! fixing     corrects what a server refuses a message for
//! identity   a message's keys, from its header and its content
//! address    where a mailbox is
//! event      what happens, reported to observers
//! mail       the vocabulary: sides, UIDs, flags, dates, mailbox names
//! provider   what is known of mail providers and kinds of servers
//! locks      mutexes that survive a panic of their holder
//! ```
//!
//! The library never prints, reads no environment variables and knows nothing of command lines or
//! progress bars: those belong to the binary. It reports what happens to an [`event::Observer`].

pub mod address;
mod engine;
pub mod event;
pub mod exec;
pub mod fixing;
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
pub mod provider;
pub mod state;
pub mod store;
pub mod verbs;
