//! What can go wrong with a connection, what kind of failure it is, and what a user can do about
//! it.

use super::{Fingerprint, Phase, Way};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

/// What a failure means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection, or no TLS.
    Unreachable,
    /// The server's certificate isn't trusted: never retried.
    Untrusted,
    /// An established connection broke or fell silent.
    Lost,
    /// An established connection brought next to nothing for very long.
    Stalled,
    /// The user asked to stop.
    Interrupted,
    /// A problem on this machine, or with how mailferry was called.
    Local,
}

/// One address that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why it failed, in readable form.
    pub reason: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.reason)
    }
}

/// Why a connection can't be made or used any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host name doesn't resolve.
    #[error("no address found for {host}: {reason}")]
    NoAddress {
        /// The host.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// None of the host's addresses accepts a connection.
    #[error("cannot connect to {host} port {port}: {}", reasons(host, attempts))]
    NoConnection {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Every address that was tried, in order.
        attempts: Vec<Attempt>,
    },
    /// Nothing arrived, or nothing was accepted, for as long as allowed.
    #[error("the server {} for {} while mailferry {phase}", silence(*way), seconds(*timeout))]
    Silent {
        /// What was under way.
        phase: Phase,
        /// The direction that the bytes should have gone in.
        way: Way,
        /// How long it was silent.
        timeout: Duration,
        /// Whether TLS was up.
        encrypted: bool,
    },
    /// Next to nothing arrived for as long as allowed.
    #[error("the server sent next to nothing for {} while mailferry {phase}", seconds(*patience))]
    Dripping {
        /// What was under way.
        phase: Phase,
        /// How long that lasted.
        patience: Duration,
    },
    /// A response took too long for its size.
    #[error("the server sent {bytes} bytes in {} while mailferry {phase}, and was not done", seconds(*waited))]
    Slow {
        /// What was under way.
        phase: Phase,
        /// How long that lasted.
        waited: Duration,
        /// How much arrived.
        bytes: u64,
    },
    /// The connection broke.
    #[error("the connection broke while mailferry {phase}: {reason}")]
    Broken {
        /// What was under way.
        phase: Phase,
        /// How, in the system's words.
        reason: String,
    },
    /// The user asked to stop, and the time for a clean stop is over.
    #[error("stopped while mailferry {phase}")]
    Interrupted {
        /// What was under way.
        phase: Phase,
    },
    /// The file of `ca=` can't be read.
    #[error("cannot read the certificates in {}: {reason}", path.display())]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// The system's or the TLS library's words.
        reason: String,
    },
    /// The file of `ca=` contains no certificate.
    #[error("{} holds no PEM certificate", path.display())]
    CaEmpty {
        /// The file.
        path: PathBuf,
    },
    /// The TLS library doesn't work here, or a thread can't be started.
    #[error("cannot prepare a connection on this machine: {reason}")]
    Setup {
        /// The library's words.
        reason: String,
    },
    /// TLS was requested at a moment when it can't begin.
    #[error("TLS cannot be started: {reason}")]
    NotReady {
        /// Why.
        reason: &'static str,
    },
    /// The server's certificate isn't trusted.
    #[error("the certificate of {host} is not trusted: {check}{}", shown(*fingerprint))]
    Untrusted {
        /// The host.
        host: String,
        /// Which check failed, in the TLS library's words.
        check: String,
        /// The file given by `ca=`.
        ca: Option<PathBuf>,
        /// The certificate's fingerprint, if available.
        fingerprint: Option<Fingerprint>,
    },
    /// The server presents another certificate than the pinned one.
    #[error("the certificate of {host} is not the one that `pin=` names{}", shown(*seen))]
    OtherCertificate {
        /// The host.
        host: String,
        /// The fingerprint that it should have.
        pin: Fingerprint,
        /// The one that it has.
        seen: Option<Fingerprint>,
    },
    /// A file of `client-cert=` or `client-key=` is unusable.
    #[error("cannot use {} for the client certificate: {reason}", path.display())]
    ClientCertificate {
        /// The file.
        path: PathBuf,
        /// The system's or the TLS library's words.
        reason: String,
    },
    /// The server speaks plain text where TLS is expected.
    #[error("{host} port {port} answers in plain text where TLS should begin")]
    PlainText {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Whether the server had agreed to STARTTLS.
        after_start_tls: bool,
    },
    /// The server speaks TLS where plain text is expected, so neither side says anything.
    #[error(
        "{host} port {port} speaks TLS from the first byte, and the address begins with imap://"
    )]
    TlsAtOnce {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// The two sides could not agree on TLS.
    #[error("TLS with {host} port {port} failed: {reason}")]
    Handshake {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The TLS library's words.
        reason: String,
    },
}

impl Error {
    /// Returns the kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoAddress { .. }
            | Self::NoConnection { .. }
            | Self::PlainText { .. }
            | Self::TlsAtOnce { .. }
            | Self::Handshake { .. } => ErrorKind::Unreachable,
            Self::Silent { phase, .. }
            | Self::Dripping { phase, .. }
            | Self::Slow { phase, .. }
            | Self::Broken { phase, .. }
                if phase.is_opening() =>
            {
                ErrorKind::Unreachable
            }
            Self::Silent { .. } | Self::Broken { .. } => ErrorKind::Lost,
            Self::Dripping { .. } | Self::Slow { .. } => ErrorKind::Stalled,
            Self::Interrupted { .. } => ErrorKind::Interrupted,
            Self::Untrusted { .. } | Self::OtherCertificate { .. } => ErrorKind::Untrusted,
            Self::CaUnreadable { .. }
            | Self::CaEmpty { .. }
            | Self::ClientCertificate { .. }
            | Self::Setup { .. }
            | Self::NotReady { .. } => ErrorKind::Local,
        }
    }

    /// Adds the fingerprint of the untrusted certificate, if it can be found.
    pub fn with_fingerprint(mut self, find: impl FnOnce() -> Result<Fingerprint, Self>) -> Self {
        if let Self::Untrusted {
            fingerprint: fingerprint @ None,
            ..
        } = &mut self
        {
            // The user need not know why a second look failed.
            *fingerprint = find().ok();
        }
        self
    }

    /// Returns what the user can do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoAddress { .. } => "check the spelling of the host, and this machine's network",
            Self::NoConnection { .. } => {
                "check the host and the port: servers listen on 993 for imaps:// and on 143 for imap://"
            }
            Self::Silent {
                phase: Phase::Greeting,
                encrypted: false,
                ..
            } => "if the port speaks TLS from the first byte, write imaps:// instead of imap://",
            Self::CaUnreadable { .. } | Self::CaEmpty { .. } => {
                "ca= takes a file of PEM certificates; `openssl x509 -inform der -in FILE` converts a DER file to PEM"
            }
            Self::Untrusted {
                check,
                ca,
                fingerprint,
                ..
            } => {
                return Some(untrusted_hint(
                    distrust_hint(check, ca.is_some()),
                    *fingerprint,
                ));
            }
            Self::OtherCertificate { .. } => {
                "the server has a new certificate, or this is a man-in-the-middle attack: ask the server's operator, \
                 and pin the new fingerprint only if it is theirs"
            }
            Self::ClientCertificate { .. } => {
                "client-cert= takes a PEM certificate and client-key= its key in PKCS #8; \
                 `openssl pkcs8 -topk8 -nodes -in KEY -out NEW` converts any other PEM key; then run chmod 600 on it"
            }
            Self::PlainText {
                port,
                after_start_tls: false,
                ..
            } => {
                return Some(format!(
                    "the port answers without TLS: write imap://USER@HOST:{port}, which demands STARTTLS, or imaps:// \
                     with the port that speaks TLS (993)"
                ));
            }
            Self::TlsAtOnce { port, .. } => {
                return Some(format!(
                    "write imaps://USER@HOST:{port}, and omit tls= if the address has it"
                ));
            }
            Self::PlainText {
                after_start_tls: true,
                ..
            } => {
                "the server agreed to STARTTLS but then didn't start TLS: TLS isn't set up there, or something in \
                 between interferes; try imaps://"
            }
            Self::Handshake { reason, .. } if reason.contains("protocol") => {
                "the server doesn't offer TLS 1.2 or newer and needs an update"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Writes a fingerprint for the end of a sentence.
fn shown(fingerprint: Option<Fingerprint>) -> String {
    fingerprint.map_or_else(String::new, |fingerprint| {
        format!(" (its fingerprint is {fingerprint})")
    })
}

/// What helps against a certificate that is not trusted: `hint`, or trust in its fingerprint.
fn untrusted_hint(hint: &str, fingerprint: Option<Fingerprint>) -> String {
    let Some(fingerprint) = fingerprint else {
        return hint.to_owned();
    };
    format!(
        "{hint}; or, once the server's operator confirms the fingerprint, add pin={fingerprint} to the address, \
         after ? or &"
    )
}

/// Returns what helps against the failed check, by OpenSSL's words for it.
fn distrust_hint(check: &str, has_ca: bool) -> &'static str {
    if check.contains("mismatch") {
        "use the host name in the certificate (ca= won't help)"
    } else if check.contains("expired") || check.contains("not yet valid") {
        "the server's operator must renew it, or this machine's clock is wrong (ca= won't help)"
    } else if check.contains("alternative name") || check.contains("too weak") {
        "the server needs a new certificate with the host name and a modern key (ca= won't help)"
    } else if has_ca {
        "the ca= file doesn't contain the certificate that signed this one"
    } else {
        "if you trust the issuer, add ?ca=FILE to the address: a PEM file with the certificate that signed it"
    }
}

/// Writes an error from the system or the TLS library without its number.
pub(super) fn words(error: &io::Error) -> String {
    let text = reason(&error.to_string()).to_owned();
    let text = text
        .split_once(" (os error")
        .map_or(text.as_str(), |(words, _)| words);
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_lowercase());
    // A word, not an abbreviation.
    if !characters.as_str().starts_with(|c: char| c.is_lowercase()) {
        return text.to_owned();
    }
    first.into_iter().chain(characters).collect()
}

/// Extracts OpenSSL's reason from `error:CODE:library:function:reason:file:line:…`; returns other
/// texts unchanged.
pub(super) fn reason(text: &str) -> &str {
    match text
        .strip_prefix("error:")
        .and_then(|fields| fields.split(':').nth(3))
    {
        Some(reason) if !reason.is_empty() => reason,
        _ => text,
    }
}

/// Writes why each address failed. One that was given as the host is already in the sentence.
fn reasons(host: &str, attempts: &[Attempt]) -> String {
    if let [only] = attempts
        && only.address.ip().to_string() == host
    {
        return only.reason.clone();
    }
    attempts
        .iter()
        .map(Attempt::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

fn silence(way: Way) -> &'static str {
    match way {
        Way::In => "sent nothing",
        Way::Out => "took nothing",
    }
}

/// Writes a duration as users do: `120 s`, `0.3 s`.
pub(super) fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
