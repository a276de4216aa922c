//! A slow network in front of a server: `delay-proxy LISTEN TARGET [--rtt 40ms] [--rate 100mbit]`.
//!
//! LISTEN is a port on 127.0.0.1, TARGET is `HOST:PORT` or a port on 127.0.0.1. Runs until it is
//! ended.

#![expect(clippy::unwrap_used, reason = "a tool of the lab")]

#[expect(dead_code, reason = "a tool uses its own part of the lab")]
#[path = "../mod.rs"]
mod lab;

use clap::Parser;
use lab::proxy::{Plan, Proxy};
use std::net::TcpListener;
use std::time::Duration;

/// A slow network in front of a server.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1 to listen on.
    listen: u16,
    /// `HOST:PORT`, or a port on 127.0.0.1.
    target: String,
    /// The round trip: `40ms`.
    #[arg(long, value_parser = milliseconds, default_value = "0ms")]
    rtt: Duration,
    /// The bandwidth in each direction, which all connections share: `100mbit`.
    #[arg(long, value_parser = megabits)]
    rate: Option<u64>,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text
        .strip_suffix("ms")
        .and_then(|number| number.parse().ok());
    number
        .map(Duration::from_millis)
        .ok_or_else(|| "say it in milliseconds: 40ms".to_owned())
}

/// Bytes a second.
fn megabits(text: &str) -> Result<u64, String> {
    let number = text
        .strip_suffix("mbit")
        .and_then(|number| number.parse::<u64>().ok());
    number
        .map(|megabits| megabits * 125_000)
        .ok_or_else(|| "say it in megabits a second: 100mbit".to_owned())
}

fn main() {
    let Arguments {
        listen,
        target,
        rtt,
        rate,
    } = Arguments::parse();
    let target = if target.contains(':') {
        target
    } else {
        format!("127.0.0.1:{target}")
    };
    let listener = TcpListener::bind(("127.0.0.1", listen)).unwrap();
    let _proxy = Proxy::serve(
        listener,
        target,
        Plan {
            rate,
            ..Plan::round_trip(rtt)
        },
    );
    loop {
        std::thread::park();
    }
}
