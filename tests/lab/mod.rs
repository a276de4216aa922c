//! The lab: real IMAP servers on loopback, a client of the tests' own, a proxy that misbehaves, and mail to fill them.
//!
//! Nothing here uses mailferry's own code, so that a fault in it can't hide itself. Test files say `mod lab;`, the
//! examples below `bin/` take the same files by path.
//!
//! - [`servers`]: Dovecot, Cyrus and Courier, started once per test binary, with an account of its own for every test.
//! - [`client`]: a blocking IMAP client that fills accounts and takes snapshots of them; [`wire`] and [`names`] are its
//!   reader and its mailbox names.
//! - [`proxy`]: latency, bandwidth, cuts and false answers between a client and a server.
//! - [`run`]: runs of mailferry, with their events and summaries.
//! - [`scripted`]: a server that says what real ones won't.
//! - [`fake`]: a made-up mailbox behind a scripted server.
//! - [`ferry`]: runs mailferry with a deadline and reads what it says, for the tests of faults.
//! - [`memory`]: a server with a mailbox in memory, of any manner.
//! - [`crossing`]: the binary itself, run between two accounts.
//! - [`generator`]: some thousand realistic messages, the same for the same seed.

#![expect(dead_code, unreachable_pub, reason = "each test file and example uses its own part of the lab")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

pub mod client;
pub mod crossing;
pub mod fake;
pub mod ferry;
pub mod generator;
pub mod memory;
pub mod names;
pub mod proxy;
pub mod run;
pub mod scripted;
pub mod servers;
pub mod wire;
