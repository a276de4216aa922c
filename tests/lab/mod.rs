//! The lab: real IMAP servers on loopback, the tests' own client, a misbehaving proxy, and mail to
//! fill them.
//!
//! Nothing here uses mailferry's own code, so a bug in it can't hide itself. The tests and the
//! examples below `bin/` include it by path.
//!
//! - [`servers`]: Dovecot, Cyrus, Courier and Mailutils, started once, with separate accounts for
//!   every test.
//! - [`agreeing`]: `mailferry login` with a simulated user.
//! - [`browser`]: a real headless browser, which opens pages from disk.
//! - [`certificates`]: certificates that must not be trusted.
//! - [`client`]: a blocking IMAP client that fills accounts and takes snapshots of them; [`wire`]
//!   and [`names`] are its reader and its mailbox names.
//! - [`proxy`]: latency, bandwidth, cuts and false answers between a client and a server.
//! - [`scram`]: a server that records a SCRAM exchange.
//! - [`schema`]: validates the lines of `--output json`.
//! - [`scripted`]: a server that sends what real ones won't.
//! - [`stripper`]: a man in the middle who removes mechanisms that a server offers.
//! - [`tls_front`]: TLS in front of a server without it.
//! - [`fake`]: a mailbox with one folder behind a scripted server, single answers of which a test
//!   can change.
//! - [`memory`]: folders in memory behind a scripted server, as strict or as odd as a test wants
//!   it.
//! - [`profiles`]: such servers that say and do what known providers do.
//! - [`gmail`]: the same with folders that are labels.
//! - [`generator`]: thousands of realistic messages, the same for the same seed.
//! - [`ntlm`]: checks NTLM passwords for a mail server.
//! - [`oauth`]: an OAuth server that knows which access tokens are good; [`grants`]: how it issues
//!   them.
//! - [`run`]: runs of mailferry, with their events and summaries.
//! - [`secrets`]: sources of secrets, and a search for leaks.
//! - [`letters`]: mailboxes whose messages are named by letters, and edits of them in words.
//! - [`mailboxes`]: small mailboxes on real servers, and their expected contents after a run.
//! - [`trees`]: mail in directories, and damage to them.
//! - [`pair`]: two accounts, and the state of runs between them.

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
pub mod profiles;
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
