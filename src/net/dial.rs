//! Makes connections to one server for all lanes, with one TLS configuration between them.

use super::connect::Connecting;
use super::error::words;
use super::socket::{Limits, Socket};
use super::tls::{self, Peer};
use super::{Error, FaultInjector, Phase, Stream, TlsMode};
use crate::event::Stop;
use native_tls::{Certificate, TlsConnector};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long waits go on after a request to stop, so that what is under way can be finished.
const GRACE: Duration = Duration::from_secs(10);

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub struct DialSettings {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// A file of PEM certificates to trust as well as the system's.
    pub ca: Option<PathBuf>,
    /// How long the server may be silent.
    pub timeout: Duration,
    /// How long one address may take to answer.
    pub connect_timeout: Duration,
}

/// Makes connections to one server. Shared by all lanes.
pub struct Dialer {
    settings: DialSettings,
    certificates: Vec<Certificate>,
    connector: OnceLock<Result<TlsConnector, String>>,
    limits: Arc<Limits>,
    faults: Option<Arc<dyn FaultInjector>>,
}

impl Dialer {
    /// Gets ready to connect; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::CaUnreadable`] or [`Error::CaEmpty`] where the file of `ca` does not serve.
    pub fn new(settings: DialSettings, stop: Arc<Stop>) -> Result<Self, Error> {
        let certificates = settings.ca.as_deref().map_or(Ok(Vec::new()), tls::read_certificates)?;
        let limits = Arc::new(Limits::new(settings.timeout, GRACE, stop));
        Ok(Self { settings, certificates, connector: OnceLock::new(), limits, faults: None })
    }

    /// Lets connections that are made from now on break where the injector says: for tests.
    pub fn inject_faults(&mut self, faults: Arc<dyn FaultInjector>) {
        self.faults = Some(faults);
    }

    /// What it was made with.
    pub fn settings(&self) -> &DialSettings {
        &self.settings
    }

    /// A new connection, with TLS up where it is implicit. Every address of the host is tried in turn.
    ///
    /// # Errors
    /// Why there is none: each address with its reason, the failed handshake, the certificate that is not trusted.
    /// [`Error::Interrupted`] as soon as the user asked to stop.
    pub fn dial(&self) -> Result<Stream, Error> {
        if self.limits.is_stopping() {
            return Err(Error::Interrupted { phase: Phase::Connecting });
        }
        let connecting = Connecting::begin(&self.settings.host, self.settings.port, self.settings.connect_timeout)?;
        let is_implicit = self.settings.tls == TlsMode::Implicit;
        if is_implicit {
            // Takes about 65 ms the first time, while the network is at work.
            self.connector()?;
        }
        let tcp = connecting.wait(&self.limits)?;
        let mut socket = Socket::new(tcp, Arc::clone(&self.limits))
            .map_err(|error| Error::Broken { phase: Phase::Connecting, reason: words(&error) })?;
        if let Some(faults) = &self.faults {
            socket.inject_faults(Arc::clone(faults));
        }
        let stream = Stream::plain(socket);
        if is_implicit { self.protect(stream, false) } else { Ok(stream) }
    }

    /// Sets up TLS on a connection after the server's OK to STARTTLS (RFC 3501 section 6.2.1). The caller has made sure
    /// that it holds no byte that came after the OK, and forgets all that it learnt before.
    ///
    /// # Errors
    /// [`Error::NotReady`] where the connection is encrypted already or has bytes that were not flushed, else why the
    /// handshake failed.
    pub fn start_tls(&self, stream: Stream) -> Result<Stream, Error> {
        self.protect(stream, true)
    }

    /// The handshake, whoever asked for it.
    fn protect(&self, stream: Stream, after_start_tls: bool) -> Result<Stream, Error> {
        let peer = Peer {
            host: &self.settings.host,
            port: self.settings.port,
            ca: self.settings.ca.as_deref(),
            after_start_tls,
        };
        let connector = self.connector()?;
        stream.encrypt(|socket| tls::handshake(connector, socket, &peer))
    }

    /// The TLS configuration, made when it is first needed: it reads all of the system's certificates.
    fn connector(&self) -> Result<&TlsConnector, Error> {
        let made = self.connector.get_or_init(|| tls::connector(&self.certificates).map_err(|error| error.to_string()));
        made.as_ref().map_err(|reason| Error::Setup { reason: reason.clone() })
    }
}
