//! Fills an account on loopback with realistic mail: `fill-mailbox --port P --user U [--count 3000] [--seed 1]`.
//!
//! The password is `secret`. Says what it did in one line.

#![expect(clippy::print_stdout, reason = "a tool says what it did")]

#[path = "../mod.rs"]
mod lab;

use clap::Parser;
use lab::servers::Account;
use std::time::Instant;

/// Fills an account on a loopback IMAP server with realistic mail.
#[derive(Parser)]
struct Arguments {
    /// Plain port on 127.0.0.1.
    #[arg(long)]
    port: u16,
    #[arg(long)]
    user: String,
    #[arg(long, default_value_t = 3000)]
    count: usize,
    /// The same seed gives the same mail.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() {
    let Arguments { port, user, count, seed } = Arguments::parse();
    let account = Account { port, tls_port: 0, user, password: "secret".to_owned(), ca: "".into() };
    let mailbox = lab::generator::mailbox(seed, count);
    let start = Instant::now();
    let bytes = lab::client::Client::login(&account).fill(&mailbox);
    let seconds = start.elapsed().as_secs_f64();
    println!("{count} messages in {} folders, {:.1} MB, {seconds:.1} s", mailbox.folders.len(), bytes as f64 / 1e6);
}
