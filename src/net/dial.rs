//! Makes connections to one server for all lanes, with a shared TLS configuration.

use super::connect::Connecting;
use super::error::words;
use super::socket::{Limits, Socket};
use super::tls::{self, Peer, Trust};
use super::{
    CertificateFacts, Compression, Error, FaultInjector, Fingerprint, Meter, Phase, Stream, TlsMode,
};
use crate::event::Stop;
use native_tls::TlsConnector;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long waits continue after a request to stop, so that work in progress can be finished.
const GRACE: Duration = Duration::from_secs(10);

/// How long a greeting may take before the port is tested for TLS: a server that waits for a
/// handshake says nothing.
const GREETING: Duration = Duration::from_secs(3);

/// How long each step of that test may take.
const QUESTION: Duration = Duration::from_secs(5);

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub struct DialSettings {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// A file of PEM certificates to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    /// The one certificate that the server must present. Without `ca` it is trusted whatever its
    /// contents.
    pub pin: Option<Fingerprint>,
    /// A file of PEM certificates that identify the user.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with the key of the first of them; `None`: `client_cert` contains it.
    pub client_key: Option<PathBuf>,
    /// Whether the connection is compressed, if the server offers it.
    pub compression: Compression,
    /// How long the server may be silent.
    pub timeout: Duration,
    /// How long one address may take to answer.
    pub connect_timeout: Duration,
}

/// Makes connections to one server. Shared by all lanes.
pub struct Dialer {
    settings: DialSettings,
    trust: Trust,
    connector: OnceLock<Result<TlsConnector, String>>,
    limits: Arc<Limits>,
    /// Whether the port was tested for TLS and had none.
    is_without_tls: AtomicBool,
    faults: Option<Arc<dyn FaultInjector>>,
    meter: Option<Arc<dyn Meter>>,
}

impl Dialer {
    /// Prepares to connect; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::CaUnreadable`] or [`Error::CaEmpty`] if the file of `ca` is unusable,
    /// [`Error::ClientCertificate`] if those of the user's certificate are.
    pub fn new(settings: DialSettings, stop: Arc<Stop>) -> Result<Self, Error> {
        let trust = Trust::read(&settings)?;
        let limits = Arc::new(Limits::new(settings.timeout, GRACE, stop));
        let is_without_tls = AtomicBool::new(false);
        Ok(Self {
            settings,
            trust,
            connector: OnceLock::new(),
            limits,
            is_without_tls,
            faults: None,
            meter: None,
        })
    }

    /// Makes future connections break where the injector says, for tests.
    pub fn inject_faults(&mut self, faults: Arc<dyn FaultInjector>) {
        self.faults = Some(faults);
    }

    /// Counts the bytes of future connections.
    pub fn count_by(&mut self, meter: Arc<dyn Meter>) {
        self.meter = Some(meter);
    }

    /// Returns its settings.
    pub fn settings(&self) -> &DialSettings {
        &self.settings
    }

    /// Makes a connection, with TLS up if it is implicit. Tries every address of the host in turn.
    ///
    /// # Errors
    /// Why it failed: each address with its reason, the failed handshake, the untrusted
    /// certificate. [`Error::Interrupted`] as soon as the user asks to stop.
    pub fn dial(&self) -> Result<Stream, Error> {
        if self.limits.is_stopping() {
            return Err(Error::Interrupted {
                phase: Phase::Connecting,
            });
        }
        let stream = self.connect()?;
        if self.settings.tls != TlsMode::Implicit {
            return Ok(stream);
        }
        self.protect(stream, false)
            .map_err(|error| error.with_fingerprint(|| self.fingerprint(self.connect()?)))
    }

    /// Waits some seconds for a greeting without TLS. If none comes, a separate connection tells a
    /// slow server from a port that speaks TLS from the first byte, where client and server would
    /// wait for each other.
    ///
    /// # Errors
    /// [`Error::TlsAtOnce`].
    pub fn await_greeting(&self, stream: &Stream) -> Result<(), Error> {
        let is_settled = stream.is_encrypted() || self.is_without_tls.load(Ordering::Relaxed);
        if is_settled || stream.hears(GREETING.min(self.settings.timeout / 2)) {
            return Ok(());
        }
        if self.speaks_tls() {
            return Err(Error::TlsAtOnce {
                host: self.settings.host.clone(),
                port: self.settings.port,
            });
        }
        self.is_without_tls.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Reports whether a handshake succeeds on a new connection, whatever the certificate.
    fn speaks_tls(&self) -> bool {
        let limits = Arc::new(self.limits.hasty(QUESTION));
        let handshake = || {
            let connecting =
                Connecting::begin(&self.settings.host, self.settings.port, limits.timeout())?;
            let (tcp, distance) = connecting.wait(&limits)?;
            let socket = Socket::new(tcp, Arc::clone(&limits)).map_err(|error| Error::Broken {
                phase: Phase::Connecting,
                reason: words(&error),
            })?;
            self.trust_anyone(Stream::plain(socket, distance))
        };
        handshake().map(|mut stream| stream.shut_down()).is_ok()
    }

    /// Makes a connection without TLS, whatever the settings say, to see what answers.
    ///
    /// # Errors
    /// Why it failed.
    pub fn connect(&self) -> Result<Stream, Error> {
        let connecting = Connecting::begin(
            &self.settings.host,
            self.settings.port,
            self.settings.connect_timeout,
        )?;
        if self.settings.tls == TlsMode::Implicit {
            // Takes about 65 ms the first time, in parallel with the network.
            self.connector()?;
        }
        let (tcp, distance) = connecting.wait(&self.limits)?;
        let mut socket =
            Socket::new(tcp, Arc::clone(&self.limits)).map_err(|error| Error::Broken {
                phase: Phase::Connecting,
                reason: words(&error),
            })?;
        if let Some(faults) = &self.faults {
            socket.inject_faults(Arc::clone(faults));
        }
        let mut stream = Stream::plain(socket, distance);
        if let Some(meter) = &self.meter {
            stream.count_by(Arc::clone(meter));
        }
        Ok(stream)
    }

    /// Sets up TLS on a connection after the server's OK to STARTTLS (RFC 3501 section 6.2.1). The
    /// caller has made sure that it holds no byte that came after the OK, and forgets everything
    /// learnt before.
    ///
    /// # Errors
    /// [`Error::NotReady`] if the connection is already encrypted or has unflushed bytes, otherwise
    /// why the handshake failed.
    pub fn start_tls(&self, stream: Stream) -> Result<Stream, Error> {
        self.protect(stream, true)
    }

    /// Returns the fingerprint of the certificate that a server presents, trusted or not. The
    /// connection must be at the point where TLS begins, and can't be used afterwards.
    ///
    /// # Errors
    /// Why the handshake failed.
    pub fn fingerprint(&self, stream: Stream) -> Result<Fingerprint, Error> {
        let mut stream = self.trust_anyone(stream)?;
        let fingerprint = stream.fingerprint();
        stream.shut_down();
        fingerprint.ok_or(Error::NotReady {
            reason: "the server showed no certificate",
        })
    }

    /// Returns what the certificate that a server presents says about itself, trusted or not. As
    /// with [`Self::fingerprint`], the connection must be at the point where TLS begins, and can't
    /// be used afterwards.
    ///
    /// # Errors
    /// Why the handshake failed, or that the certificate can't be parsed.
    pub fn certificate(&self, stream: Stream) -> Result<CertificateFacts, Error> {
        let mut stream = self.trust_anyone(stream)?;
        let facts = stream
            .certificate()
            .and_then(|der| CertificateFacts::read(&der));
        stream.shut_down();
        facts.ok_or(Error::NotReady {
            reason: "the server showed no certificate that can be read",
        })
    }

    /// Does a handshake only to look at the certificate.
    fn trust_anyone(&self, stream: Stream) -> Result<Stream, Error> {
        let connector = tls::trusting_anyone().map_err(|error| Error::Setup {
            reason: error.to_string(),
        })?;
        stream.encrypt(|socket| tls::handshake(&connector, socket, &self.peer(true)))
    }

    /// Does the handshake, for either mode of TLS.
    fn protect(&self, stream: Stream, after_start_tls: bool) -> Result<Stream, Error> {
        let connector = self.connector()?;
        let mut stream = stream
            .encrypt(|socket| tls::handshake(connector, socket, &self.peer(after_start_tls)))?;
        match (self.settings.pin, stream.fingerprint()) {
            (Some(pin), seen) if seen != Some(pin) => {
                stream.shut_down();
                Err(Error::OtherCertificate {
                    host: self.settings.host.clone(),
                    pin,
                    seen,
                })
            }
            (None, fingerprint) if !stream.is_certificate_named() => {
                stream.shut_down();
                let (host, ca) = (self.settings.host.clone(), self.settings.ca.clone());
                Err(Error::Untrusted {
                    host,
                    check: tls::NO_NAMES.to_owned(),
                    ca,
                    fingerprint,
                })
            }
            _ => Ok(stream),
        }
    }

    fn peer(&self, after_start_tls: bool) -> Peer<'_> {
        Peer {
            host: &self.settings.host,
            port: self.settings.port,
            ca: self.settings.ca.as_deref(),
            after_start_tls,
        }
    }

    /// Returns the TLS configuration, made on first use: that reads all of the system's
    /// certificates.
    fn connector(&self) -> Result<&TlsConnector, Error> {
        let made = self
            .connector
            .get_or_init(|| tls::connector(&self.trust).map_err(|error| error.to_string()));
        made.as_ref().map_err(|reason| Error::Setup {
            reason: reason.clone(),
        })
    }
}
