//! The lab: real IMAP servers on loopback, a client of the tests' own, a proxy that misbehaves, and
//! mail to fill them.
//!
//! Nothing here uses mailferry's own code, so that a fault in it can't hide itself. The tests and
//! the examples below `bin/` take it by path.
//!
//! - [`servers`]: Dovecot, Cyrus, Courier and Mailutils, started once, with an account of its own
//!   for every test.
//! - [`agreeing`]: `mailferry login` with a user in front of it.
//! - [`browser`]: a real browser without a window, which opens pages from the disk.
//! - [`certificates`]: certificates that must not be trusted.
//! - [`client`]: a blocking IMAP client that fills accounts and takes snapshots of them; [`wire`]
//!   and [`names`] are its reader and its mailbox names.
//! - [`proxy`]: latency, bandwidth, cuts and false answers between a client and a server.
//! - [`scram`]: a server that listens to a SCRAM exchange.
//! - [`schema`]: what the lines of `--output json` are held against.
//! - [`scripted`]: a server that says what real ones won't.
//! - [`stripper`]: somebody in between who takes mechanisms out of what a server offers.
//! - [`tls_front`]: TLS in front of a server without.
//! - [`fake`]: a mailbox of one folder behind a scripted server, of which a test twists single
//!   answers.
//! - [`memory`]: folders in memory behind a scripted server, as strict or as odd as a test wants
//!   it.
//! - [`gmail`]: the same with folders that are labels.
//! - [`generator`]: some thousand realistic messages, the same for the same seed.
//! - [`ntlm`]: who checks NTLM passwords for a mail server.
//! - [`oauth`]: an OAuth server that knows which access tokens are good; [`grants`]: how it gives
//!   them.
//! - [`run`]: runs of mailferry, with their events and summaries.
//! - [`secrets`]: where secrets come from, and that none is shown.
//! - [`letters`]: mailboxes of messages that are called by letters, and edits of them in words.
//! - [`mailboxes`]: small mailboxes on real servers, and what they must hold after a run.
//! - [`trees`]: mail in directories, and damage to them.
//! - [`pair`]: two accounts and what runs between them leave.

#![expect(
    unreachable_pub,
    reason = "each program that has the lab takes it as a module of its own"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

pub mod agreeing;
pub mod browser;
pub mod certificates;
pub mod client;
pub mod fake;
pub mod generator;
pub mod gmail;
pub mod grants;
pub mod letters;
pub mod mailboxes;
pub mod memory;
pub mod names;
pub mod ntlm;
pub mod oauth;
pub mod pair;
pub mod proxy;
pub mod run;
pub mod schema;
pub mod scram;
pub mod scripted;
pub mod secrets;
pub mod servers;
pub mod stripper;
pub mod tls_front;
pub mod trees;
pub mod wire;
