//! All tests that run mailferry, or parts of it, against servers and directories: one program, so
//! that a change is compiled and linked once. `scripts/test NAME` runs the tests whose path
//! contains NAME, such as `sync::rows` or `attacks::server::endless_answers_end_soon`.
//!
//! - [`lab`]: the servers, proxies, directories and clients that they work with; [`lab_itself`]
//!   tests those.
//! - [`copy`] and [`sync`]: what the verbs do with mail.
//! - [`stores`] and [`servers`]: Maildir and mbox, and what each kind of server wants of us.
//! - [`state`]: what a run leaves for the next.
//! - [`login`] and [`attacks`]: who we are, and who means us harm.
//! - [`faults`]: what breaks under a run, at every place where it can.
//! - [`cost`]: round trips, bytes, memory and time.
//! - [`cli`]: options, exit codes, streams, reports and the texts that users read.
//! - [`fuzz`]: arbitrary bytes for everything that reads what others wrote.

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
