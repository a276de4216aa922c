//! The handshake, and what its failures mean. Certificate and host name are always checked, unless
//! the certificate is the one that the user pinned; TLS is at least 1.2.

use super::error::{reason, words};
use super::phase::Phase;
use super::socket::{Ended, Socket};
use super::{DialSettings, Error, Fingerprint};
use crate::locks::lock;
use native_tls::{
    Certificate, HandshakeError, Identity, Protocol, TlsConnector, TlsConnectorBuilder, TlsStream,
};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use zeroize::Zeroizing;

/// The peer of a handshake, for its checks and its errors.
pub(super) struct Peer<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) ca: Option<&'a Path>,
    pub(super) after_start_tls: bool,
}

/// Whom to trust, and the user's own identity.
pub(super) struct Trust {
    authorities: Authorities,
    certificates: Vec<Certificate>,
    identity: Option<Identity>,
}

/// Whom to trust: a file of PEM certificates in addition to the system's, and whether one
/// certificate is right whatever its contents.
#[derive(Clone, PartialEq, Eq)]
struct Authorities {
    pem: Vec<u8>,
    is_pinned: bool,
}

/// The configurations made so far, so that both sides' trusted certificates are read only once:
/// that takes as long as several connections.
static MADE: Mutex<Vec<(Authorities, TlsConnector)>> = Mutex::new(Vec::new());

impl Trust {
    /// Reads the files named in the settings.
    pub(super) fn read(settings: &DialSettings) -> Result<Self, Error> {
        let (pem, certificates) = settings
            .ca
            .as_deref()
            .map_or(Ok(Default::default()), read_certificates)?;
        let key = settings.client_key.as_deref();
        let identity = settings
            .client_cert
            .as_deref()
            .map(|cert| read_identity(cert, key.unwrap_or(cert)))
            .transpose()?;
        let authorities = Authorities {
            pem,
            is_pinned: settings.pin.is_some(),
        };
        Ok(Self {
            authorities,
            certificates,
            identity,
        })
    }
}

/// Reads the user's certificate and its key.
fn read_identity(cert: &Path, key: &Path) -> Result<Identity, Error> {
    let failure = |path: &Path, reason: String| Error::ClientCertificate {
        path: path.to_owned(),
        reason,
    };
    let read = |path: &Path| {
        fs::read(path)
            .map(Zeroizing::new)
            .map_err(|error| failure(path, words(&error)))
    };
    let (certificates, keys) = (read(cert)?, read(key)?);
    let key_pem = private_key(&keys)
        .ok_or_else(|| failure(key, "it holds no unencrypted PKCS #8 key".to_owned()))?;
    let identity = Identity::from_pkcs8(&certificates, key_pem);
    // Only using them shows whether they belong together.
    let used = |identity: &Identity| {
        TlsConnector::builder()
            .disable_built_in_roots(true)
            .identity(identity.clone())
            .build()
            .map(drop)
    };
    let fitting = identity.and_then(|identity| used(&identity).map(|()| identity));
    fitting.map_err(|error| failure(cert, reason(&error.to_string()).to_owned()))
}

/// Finds the key in a PEM file that may contain certificates too. The TLS library accepts only this
/// form.
fn private_key(pem: &[u8]) -> Option<&[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN PRIVATE KEY-----";
    let at = pem
        .windows(BEGIN.len())
        .position(|window| window == BEGIN)?;
    Some(&pem[at..])
}

/// Reads a file of PEM certificates: its bytes, and the parsed certificates. The TLS library
/// silently skips a bad one; here it is an error.
fn read_certificates(path: &Path) -> Result<(Vec<u8>, Vec<Certificate>), Error> {
    let failure = |reason: String| Error::CaUnreadable {
        path: path.to_owned(),
        reason,
    };
    let bytes = fs::read(path).map_err(|error| failure(words(&error)))?;
    let certificates = Certificate::stack_from_pem(&bytes)
        .map_err(|error| failure(reason(&error.to_string()).into()))?;
    if certificates.is_empty() {
        Err(Error::CaEmpty {
            path: path.to_owned(),
        })
    } else {
        Ok((bytes, certificates))
    }
}

/// Makes the configuration: the system's certificates and these. A pinned certificate is compared
/// by the caller, after the handshake and before a byte is sent; if `ca` is given too, both checks
/// must pass.
pub(super) fn connector(trust: &Trust) -> Result<TlsConnector, native_tls::Error> {
    if let Some(identity) = &trust.identity {
        return builder(trust).identity(identity.clone()).build();
    }
    // Held while one is made: the other side waits for it rather than make the same.
    let mut made = lock(&MADE);
    if let Some((_, connector)) = made
        .iter()
        .find(|(authorities, _)| *authorities == trust.authorities)
    {
        return Ok(connector.clone());
    }
    let connector = builder(trust).build()?;
    made.push((trust.authorities.clone(), connector.clone()));
    Ok(connector)
}

fn builder(trust: &Trust) -> TlsConnectorBuilder {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if trust.authorities.is_pinned && trust.certificates.is_empty() {
        builder
            .danger_accept_invalid_certs(true)
            .danger_accept_invalid_hostnames(true);
    }
    for certificate in &trust.certificates {
        builder.add_root_certificate(certificate.clone());
    }
    builder
}

/// Makes a configuration only for looking at a certificate.
pub(super) fn trusting_anyone() -> Result<TlsConnector, native_tls::Error> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    builder
        .danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .build()
}

/// Returns the fingerprint of the certificate that the server presented.
pub(super) fn fingerprint(stream: &TlsStream<Socket>) -> Option<Fingerprint> {
    Some(Fingerprint(Sha256::digest(certificate(stream)?).into()))
}

/// Returns the certificate that the server presented, in DER.
pub(super) fn certificate(stream: &TlsStream<Socket>) -> Option<Vec<u8>> {
    stream.peer_certificate().ok()??.to_der().ok()
}

/// The check reported for a certificate that names its host only in its subject.
pub(super) const NO_NAMES: &str = "no subject alternative name";

/// Reports whether the server's certificate has the extension with its names (RFC 5280 section
/// 4.2.1.6). If not, the TLS library falls back on the subject's common name, which RFC 9525
/// section 2 forbids: authorities don't verify it.
pub(super) fn is_named(stream: &TlsStream<Socket>) -> bool {
    /// The extension's identifier, 2.5.29.17, in DER.
    const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
    certificate(stream).is_some_and(|der| {
        der.windows(SUBJECT_ALTERNATIVE_NAME.len())
            .any(|window| window == SUBJECT_ALTERNATIVE_NAME)
    })
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
        Some(Ended::Silent(way)) => Error::Silent {
            phase,
            way,
            timeout,
            encrypted: false,
        },
        Some(Ended::Dripping(patience)) => Error::Dripping { phase, patience },
        Some(Ended::Slow { waited, bytes }) => Error::Slow {
            phase,
            waited,
            bytes,
        },
        None if is_plain_text(&witness.first) => Error::PlainText {
            host: peer.host.to_owned(),
            port: peer.port,
            after_start_tls: peer.after_start_tls,
        },
        None => explain(&text, witness.closed, peer),
    })
}

/// Distinguishes an untrusted certificate from a failed handshake, by the TLS library's words.
fn explain(text: &str, closed: bool, peer: &Peer<'_>) -> Error {
    let host = peer.host.to_owned();
    // An alert comes from the server: its view of us, not ours of it.
    if text.contains("certificate") && !text.contains("alert") {
        let check = verify_result(text).unwrap_or(reason(text)).to_owned();
        return Error::Untrusted {
            host,
            check,
            ca: peer.ca.map(Path::to_owned),
            fingerprint: None,
        };
    }
    let reason = if closed {
        "the server closed the connection"
    } else {
        reason(text)
    };
    Error::Handshake {
        host,
        port: peer.port,
        reason: reason.to_owned(),
    }
}

/// Returns the check that failed: the text in parentheses at the end.
fn verify_result(text: &str) -> Option<&str> {
    let (_, check) = text.strip_suffix(')')?.rsplit_once(" (")?;
    Some(check)
}

/// Reports whether a server's first bytes are text. A TLS record begins with a byte from 20 to 24
/// (RFC 8446 section 5.1), which no text does.
fn is_plain_text(first: &[u8]) -> bool {
    !first.is_empty()
        && first
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}
