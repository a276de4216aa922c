//! The handshake, and what its failures mean. Certificate and host name are always checked, TLS is 1.2 at least.

use super::Error;
use super::error::{reason, words};
use super::phase::Phase;
use super::socket::{Ended, Socket, lock};
use native_tls::{Certificate, HandshakeError, Protocol, TlsConnector, TlsStream};
use std::fs;
use std::path::Path;

/// Whom a handshake is with: for its checks and its errors.
pub(super) struct Peer<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) ca: Option<&'a Path>,
    pub(super) after_start_tls: bool,
}

/// Reads a file of PEM certificates. The TLS library passes over a bad one in silence: here it is an error.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<Certificate>, Error> {
    let failure = |reason: String| Error::CaUnreadable { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(|error| failure(words(&error)))?;
    let certificates =
        Certificate::stack_from_pem(&bytes).map_err(|error| failure(reason(&error.to_string()).into()))?;
    if certificates.is_empty() { Err(Error::CaEmpty { path: path.to_owned() }) } else { Ok(certificates) }
}

/// The configuration: the system's certificates and these.
pub(super) fn connector(certificates: &[Certificate]) -> Result<TlsConnector, native_tls::Error> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    for certificate in certificates {
        builder.add_root_certificate(certificate.clone());
    }
    builder.build()
}

/// Sets up TLS.
pub(super) fn handshake(
    connector: &TlsConnector,
    mut socket: Socket,
    peer: &Peer<'_>,
) -> Result<TlsStream<Socket>, Error> {
    let phase = Phase::TlsHandshake;
    let timeout = socket.limits().timeout();
    let witness = socket.begin_witness();
    let text = match connector.connect(peer.host, socket) {
        Ok(stream) => return Ok(stream),
        Err(HandshakeError::Failure(error)) => error.to_string(),
        Err(error @ HandshakeError::WouldBlock(_)) => error.to_string(),
    };
    let witness = lock(&witness);
    Err(match witness.ended {
        Some(Ended::Stopped) => Error::Interrupted { phase },
        Some(Ended::Silent(way)) => Error::Silent { phase, way, timeout, encrypted: false },
        None if is_plain_text(&witness.first) => {
            Error::PlainText { host: peer.host.to_owned(), port: peer.port, after_start_tls: peer.after_start_tls }
        }
        None => explain(&text, witness.closed, peer),
    })
}

/// Tells a certificate that is not trusted from a handshake that failed, by the TLS library's words.
fn explain(text: &str, closed: bool, peer: &Peer<'_>) -> Error {
    let host = peer.host.to_owned();
    // An alert comes from the server: its view of us, not ours of it.
    if text.contains("certificate") && !text.contains("alert") {
        let check = verify_result(text).unwrap_or(reason(text)).to_owned();
        return Error::Untrusted { host, check, ca: peer.ca.map(Path::to_owned) };
    }
    let reason = if closed { "the server closed the connection" } else { reason(text) };
    Error::Handshake { host, port: peer.port, reason: reason.to_owned() }
}

/// The check that failed: what stands in parentheses at the end.
fn verify_result(text: &str) -> Option<&str> {
    let (_, check) = text.strip_suffix(')')?.rsplit_once(" (")?;
    Some(check)
}

/// Whether a server's first bytes are text. A TLS record begins with a byte from 20 to 24 (RFC 8446 section 5.1), which no
/// text does.
fn is_plain_text(first: &[u8]) -> bool {
    !first.is_empty() && first.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}
