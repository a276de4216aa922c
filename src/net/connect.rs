//! From a host name to a TCP connection, in its own thread: neither the resolver nor a connection
//! attempt can be aborted, so a request to stop abandons them.

use super::error::{seconds, words};
use super::socket::{Limits, SLICE};
use super::{Attempt, Error, Phase};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// A connection that is being made.
pub(super) struct Connecting(Receiver<Result<(TcpStream, Duration), Error>>);

impl Connecting {
    /// Starts to resolve and connect. Each address gets `timeout`.
    ///
    /// # Errors
    /// [`Error::Setup`] if no thread can be started.
    pub(super) fn begin(host: &str, port: u16, timeout: Duration) -> Result<Self, Error> {
        let (sender, receiver) = mpsc::channel();
        let host = host.to_owned();
        let work = move || {
            let result = resolve(&host, port)
                .and_then(|addresses| first_to_answer(&host, port, &addresses, timeout));
            // After a request to stop, nobody listens any more.
            sender.send(result).ok();
        };
        thread::Builder::new()
            .name("connect".to_owned())
            .spawn(work)
            .map_err(|error| Error::Setup {
                reason: words(&error),
            })?;
        Ok(Self(receiver))
    }

    /// Waits for the connection, or until the user asks to stop: there is nothing to finish yet.
    pub(super) fn wait(self, limits: &Limits) -> Result<(TcpStream, Duration), Error> {
        loop {
            if limits.is_stopping() {
                return Err(Error::Interrupted {
                    phase: Phase::Connecting,
                });
            }
            match self.0.recv_timeout(SLICE) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Setup {
                        reason: "the connecting thread failed".to_owned(),
                    });
                }
            }
        }
    }
}

/// Returns all addresses of a host, in the system's order of preference (RFC 6724).
pub(super) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let failure = |reason: String| Error::NoAddress {
        host: host.to_owned(),
        reason,
    };
    let addresses: Vec<_> = (host, port)
        .to_socket_addrs()
        .map_err(|error| failure(words(&error)))?
        .collect();
    if addresses.is_empty() {
        Err(failure("the name has none".to_owned()))
    } else {
        Ok(addresses)
    }
}

/// Tries the addresses in turn. Returns the connection, and how long its handshake took: one packet
/// each way.
pub(super) fn first_to_answer(
    host: &str,
    port: u16,
    addresses: &[SocketAddr],
    timeout: Duration,
) -> Result<(TcpStream, Duration), Error> {
    let mut attempts = Vec::new();
    for address in addresses {
        let begun = Instant::now();
        match TcpStream::connect_timeout(address, timeout) {
            Ok(tcp) => return Ok((tcp, begun.elapsed())),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                attempts.push(Attempt {
                    address: *address,
                    reason: format!("no answer within {}", seconds(timeout)),
                });
            }
            Err(error) => attempts.push(Attempt {
                address: *address,
                reason: words(&error),
            }),
        }
    }
    Err(Error::NoConnection {
        host: host.to_owned(),
        port,
        attempts,
    })
}
