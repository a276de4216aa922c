//! One connection: reads that wait with a reason, buffered writes, and a count of the traffic.

use super::deflate::Deflate;
use super::error::words;
use super::socket::{Ended, SLICE, Socket};
use super::{Error, Fingerprint, Meter, Phase, tls};
use native_tls::TlsStream;
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Writes are buffered up to this many bytes: the most that one TLS record holds (RFC 8446 section
/// 5.1).
const GATHER: usize = 16 * 1024;

/// A connection's traffic so far. Bytes are those of the protocol, without TLS's overhead and
/// compression's savings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// How many times something was written and then waited for.
    pub round_trips: u64,
}

/// The path of bytes to the socket.
enum Channel {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Channel {
    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref(),
        }
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_mut(),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes),
        }
    }
}

/// One connection to a server. After an error it can't be used any more.
pub struct Stream {
    channel: Channel,
    deflate: Option<Box<Deflate>>,
    phase: Phase,
    gathered: Vec<u8>,
    traffic: Traffic,
    meter: Option<Arc<dyn Meter>>,
    is_answer_due: bool,
    distance: Duration,
}

impl Stream {
    /// Makes a new connection, which waits for the server's greeting.
    pub(super) fn plain(socket: Socket, distance: Duration) -> Self {
        Self {
            distance,
            channel: Channel::Plain(socket),
            deflate: None,
            phase: Phase::Greeting,
            gathered: Vec::new(),
            traffic: Traffic::default(),
            meter: None,
            is_answer_due: false,
        }
    }

    /// Also counts its bytes here from now on.
    pub(super) fn count_by(&mut self, meter: Arc<dyn Meter>) {
        self.meter = Some(meter);
    }

    /// Counts bytes that went over it.
    fn count(&mut self, received: u64, sent: u64) {
        self.traffic.received += received;
        self.traffic.sent += sent;
        if let Some(meter) = &self.meter {
            meter.count(received, sent);
        }
    }

    /// Puts the connection under TLS.
    pub(super) fn encrypt(
        self,
        handshake: impl FnOnce(Socket) -> Result<TlsStream<Socket>, Error>,
    ) -> Result<Self, Error> {
        let Channel::Plain(socket) = self.channel else {
            return Err(Error::NotReady {
                reason: "the connection is encrypted already",
            });
        };
        if self.deflate.is_some() {
            return Err(Error::NotReady {
                reason: "the connection is compressed already",
            });
        }
        if !self.gathered.is_empty() {
            return Err(Error::NotReady {
                reason: "bytes that were written have not been sent",
            });
        }
        Ok(Self {
            channel: Channel::Tls(Box::new(handshake(socket)?)),
            ..self
        })
    }

    /// Compresses the connection from now on, as the server has agreed (RFC 4978). `received`
    /// arrived after the server's OK and is already compressed.
    ///
    /// # Errors
    /// [`Error::NotReady`] without TLS (plain text reveals enough already), if it is already
    /// compressed, or if written bytes have not been sent.
    pub fn compress(&mut self, received: &[u8]) -> Result<(), Error> {
        if !self.is_encrypted() {
            return Err(Error::NotReady {
                reason: "compression needs TLS under it",
            });
        }
        if self.deflate.is_some() {
            return Err(Error::NotReady {
                reason: "the connection is compressed already",
            });
        }
        if !self.gathered.is_empty() {
            return Err(Error::NotReady {
                reason: "bytes that were written have not been sent",
            });
        }
        self.deflate = Some(Box::new(Deflate::new(received)));
        Ok(())
    }

    /// Returns how long a packet took there and back when the connection was made; zero if the
    /// server is on this machine.
    pub fn distance(&self) -> Duration {
        if self.channel.socket().is_loopback() {
            Duration::ZERO
        } else {
            self.distance
        }
    }

    /// Reports whether it is compressed.
    pub fn is_compressed(&self) -> bool {
        self.deflate.is_some()
    }

    /// Reports whether anything arrives within this time, even the connection's end. It stays to be
    /// read.
    pub(super) fn hears(&self, within: Duration) -> bool {
        self.channel.socket().hears(within)
    }

    /// Pauses before more is sent, unless the user asks to stop. Flushes first.
    pub fn rest(&mut self, time: Duration) {
        if time.is_zero() {
            return;
        }
        // If the connection is lost, its next use reports that.
        self.flush().ok();
        let end = Instant::now() + time;
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
            && !self.channel.socket().limits().is_stopping()
        {
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// Sets what the coming waits are for. It starts as [`Phase::Greeting`]. What arrives from now
    /// on has its own deadline.
    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.begin_answer();
    }

    /// Starts another response, with its own deadline.
    pub fn begin_answer(&mut self) {
        let is_body = self.phase == Phase::Body;
        self.channel.socket_mut().begin_answer(is_body);
    }

    /// Reads what arrives next, at most filling `buf`; 0 if the peer has closed. Flushes first.
    ///
    /// # Errors
    /// [`Error::Silent`] after the configured timeout without a byte, [`Error::Interrupted`] some
    /// seconds after a request to stop, [`Error::Broken`].
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        self.flush()?;
        if mem::take(&mut self.is_answer_due) {
            self.traffic.round_trips += 1;
        }
        let count = self.read_some(buf).map_err(|error| self.failure(&error))?;
        self.count(count as u64, 0);
        Ok(count)
    }

    /// Reads what has arrived, without waiting or flushing; `None` if nothing has, 0 if the peer
    /// has closed.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn read_available(&mut self, buf: &mut [u8]) -> Result<Option<usize>, Error> {
        self.channel.socket_mut().set_polling(true);
        let result = self.read_some(buf);
        self.channel.socket_mut().set_polling(false);
        match result {
            Ok(count) => {
                self.count(count as u64, 0);
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Takes bytes to send. Small writes are buffered until [`Stream::flush`] or [`Stream::read`],
    /// large ones go out at once.
    ///
    /// # Errors
    /// As [`Stream::flush`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.is_answer_due |= !bytes.is_empty();
        if self.gathered.len() + bytes.len() > GATHER {
            self.flush()?;
        }
        if bytes.len() >= GATHER {
            return self.send(bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends what is buffered.
    ///
    /// # Errors
    /// [`Error::Silent`] if the peer accepts nothing for the configured timeout,
    /// [`Error::Interrupted`] some seconds after a request to stop, [`Error::Broken`].
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let mut gathered = mem::take(&mut self.gathered);
        let result = self.send(&gathered);
        gathered.clear();
        self.gathered = gathered;
        result
    }

    /// Returns the traffic so far, without what is still buffered.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Reports whether TLS is up.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }

    /// Returns what binds a login to this TLS connection: the hash of the server's certificate
    /// (`tls-server-end-point`, RFC 5929 section 4). `None` without TLS, or if the certificate's
    /// signature has no suitable hash.
    pub fn server_end_point(&self) -> Option<Vec<u8>> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(tls) => tls.tls_server_end_point().ok().flatten(),
        }
    }

    /// Returns the fingerprint of the server's certificate.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(tls) => tls::fingerprint(tls),
        }
    }

    /// Reports whether the server's certificate has the extension that names its hosts.
    pub(super) fn is_certificate_named(&self) -> bool {
        match &self.channel {
            Channel::Plain(_) => false,
            Channel::Tls(tls) => tls::is_named(tls),
        }
    }

    /// Returns the server's certificate in DER.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(tls) => tls::certificate(tls),
        }
    }

    /// Closes both directions without waiting, and drops what was written but not sent. Ignores
    /// errors.
    pub fn shut_down(&mut self) {
        self.say_goodbye();
        self.channel.socket().close();
    }

    /// Closes in order: what was written and flushed is still sent.
    pub fn close(&mut self) {
        self.say_goodbye();
        self.channel.socket().close_in_order();
    }

    fn say_goodbye(&mut self) {
        self.channel.socket_mut().hurry();
        if let Channel::Tls(tls) = &mut self.channel {
            tls.shutdown().ok();
        }
    }

    /// Reads from the channel, and inflates if it is compressed.
    fn read_some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.deflate {
            Some(deflate) => deflate.read(buf, |compressed| self.channel.read(compressed)),
            None => self.channel.read(buf),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let sent = match &mut self.deflate {
            Some(deflate) => deflate
                .compress(bytes)
                .and_then(|compressed| self.channel.write_all(compressed)),
            None => self.channel.write_all(bytes),
        };
        sent.map_err(|error| self.failure(&error))?;
        self.count(0, bytes.len() as u64);
        Ok(())
    }

    /// Translates an error of the channel.
    fn failure(&self, error: &io::Error) -> Error {
        let phase = self.phase;
        match self.channel.socket().ended() {
            Some(Ended::Stopped) => Error::Interrupted { phase },
            Some(Ended::Silent(way)) => {
                let timeout = self.channel.socket().limits().timeout();
                Error::Silent {
                    phase,
                    way,
                    timeout,
                    encrypted: self.is_encrypted(),
                }
            }
            Some(Ended::Dripping(patience)) => Error::Dripping { phase, patience },
            Some(Ended::Slow { waited, bytes }) => Error::Slow {
                phase,
                waited,
                bytes,
            },
            None => Error::Broken {
                phase,
                reason: words(error),
            },
        }
    }
}
