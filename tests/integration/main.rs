//! All tests that run mailferry, or parts of it, against servers and directories. They are one
//! program, so a change is compiled and linked only once. `scripts/test NAME` runs the tests whose
//! path contains NAME, such as `sync::rows` or `attacks::server::endless_answers_end_soon`.
//!
//! - [`lab`]: the servers, proxies, directories and clients that they work with; [`lab_itself`]
//!   tests those.
//! - [`copy`] and [`sync`]: the effects of the verbs on mail.
//! - [`stores`] and [`servers`]: Maildir and mbox, and the demands of each kind of server.
//! - [`state`]: what a run saves for the next.
//! - [`login`] and [`attacks`]: authentication, and malicious input.
//! - [`faults`]: failures during a run, wherever it can break.
//! - [`cost`]: round trips, bytes, memory and time.
//! - [`cli`]: options, exit codes, streams, reports and the texts that users read.
//! - [`fuzz`]: arbitrary bytes for everything that parses input.

mod attacks;
mod cli;
mod copy;
mod cost;
mod faults;
mod fuzz;
#[path = "../lab/mod.rs"]
mod lab;
mod lab_itself;
mod login;
mod servers;
mod state;
mod stores;
mod sync;
