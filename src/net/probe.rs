//! Single steps towards a server, to find out which one fails: a host's addresses, one address's
//! port, what a port says unprompted. No user data is sent.

use super::Error;
use super::connect;
use super::error::{seconds, words};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The most that is read from a port.
const MAX_HEARD: usize = 512;

/// Returns all addresses of a host; the resolver gets `timeout`.
///
/// # Errors
/// [`Error::NoAddress`] with the resolver's words, [`Error::Setup`] if no thread can be started.
pub fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, Error> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    // The resolver can't be aborted: it is abandoned.
    let work = move || drop(sender.send(connect::resolve(&name, port)));
    thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(work)
        .map_err(|error| Error::Setup {
            reason: words(&error),
        })?;
    // Only for a diagnosis, which changes nothing: the first signal ends the program.
    receiver.recv_timeout(timeout).unwrap_or_else(|_| {
        let reason = format!("the resolver did not answer within {}", seconds(timeout));
        Err(Error::NoAddress {
            host: host.to_owned(),
            reason,
        })
    })
}

/// Why a port doesn't accept a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shut {
    /// The host says that no program listens there.
    Refused,
    /// Nothing came back.
    Silent,
    /// In the system's words: no route, no network.
    Other(String),
}

/// Connects to one address and disconnects. Returns how long it took.
///
/// # Errors
/// Why the connection was not accepted.
pub fn knock(address: &SocketAddr, timeout: Duration) -> Result<Duration, Shut> {
    let started = Instant::now();
    match TcpStream::connect_timeout(address, timeout) {
        Ok(_) => Ok(started.elapsed()),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => Shut::Refused,
            io::ErrorKind::TimedOut => Shut::Silent,
            _ => Shut::Other(words(&error)),
        }),
    }
}

/// Returns the first bytes that a port sends without TLS, unprompted or, if it sends nothing within
/// `patience`, in reply to a line that is no protocol's. Empty if it sends nothing at all.
pub fn overhear(addresses: &[SocketAddr], patience: Duration) -> Vec<u8> {
    let connected = addresses
        .iter()
        .find_map(|address| TcpStream::connect_timeout(address, patience).ok());
    let Some(mut tcp) = connected else {
        return Vec::new();
    };
    let heard = listen(&mut tcp, patience);
    // A web server waits for a request, and identifies itself in its reply to a bad one.
    if heard.is_empty() && tcp.write_all(b"A1 NOOP\r\n\r\n").is_ok() {
        listen(&mut tcp, patience)
    } else {
        heard
    }
}

/// Returns what arrives until the first line end, or within `patience`.
fn listen(tcp: &mut TcpStream, patience: Duration) -> Vec<u8> {
    let mut heard = vec![0; MAX_HEARD];
    if tcp.set_read_timeout(Some(patience)).is_err() {
        return Vec::new();
    }
    let count = tcp.read(&mut heard).unwrap_or(0);
    heard.truncate(count);
    heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const SOON: Duration = Duration::from_millis(300);

    /// Starts a listener that treats its one client like this.
    fn serve(treat: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || treat(listener.accept().unwrap().0));
        address
    }

    #[test]
    fn a_name_that_is_none_has_the_resolvers_words() {
        let error = resolve("no-such-host.invalid", 993, Duration::from_secs(20)).unwrap_err();
        assert!(matches!(error, Error::NoAddress { .. }), "{error}");
        assert!(
            !resolve("localhost", 993, Duration::from_secs(20))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn an_open_port_and_a_shut_one() {
        let open = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(knock(&open.local_addr().unwrap(), Duration::from_secs(20)).is_ok());
        let address = open.local_addr().unwrap();
        drop(open);
        assert_eq!(knock(&address, Duration::from_secs(20)), Err(Shut::Refused));
    }

    #[test]
    fn who_speaks_first_is_heard_and_who_waits_for_a_line_too() {
        let first = serve(|mut tcp| tcp.write_all(b"SSH-2.0-x\r\n").unwrap());
        assert_eq!(
            overhear(&[first], Duration::from_secs(20)),
            b"SSH-2.0-x\r\n"
        );
        let second = serve(|mut tcp| {
            let _ = tcp.read(&mut [0; 64]).unwrap();
            tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
        });
        assert!(overhear(&[second], SOON).starts_with(b"HTTP/1.1"));
        let silent = serve(|mut tcp| drop(tcp.read_to_end(&mut Vec::new())));
        assert_eq!(overhear(&[silent], SOON), b"");
    }
}
