//! One connection: reads that wait with a reason, buffered writes, and a count of what went over it.

use super::deflate::Deflate;
use super::error::words;
use super::socket::{Ended, SLICE, Socket};
use super::{Error, Fingerprint, Phase, tls};
use native_tls::TlsStream;
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::time::{Duration, Instant};

/// Written bytes are gathered up to this many: the most that one TLS record holds (RFC 8446 section 5.1).
const GATHER: usize = 16 * 1024;

/// What went over a connection so far. Bytes are those of the protocol, without what TLS adds and compression saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// How many times something was written and then waited for.
    pub round_trips: u64,
}

/// The bytes' way to the socket.
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

/// One connection to a server. After an error it is of no further use.
pub struct Stream {
    channel: Channel,
    deflate: Option<Box<Deflate>>,
    phase: Phase,
    gathered: Vec<u8>,
    traffic: Traffic,
    is_answer_due: bool,
    distance: Duration,
}

impl Stream {
    /// A new connection, which waits for the server's greeting.
    pub(super) fn plain(socket: Socket, distance: Duration) -> Self {
        Self {
            distance,
            channel: Channel::Plain(socket),
            deflate: None,
            phase: Phase::Greeting,
            gathered: Vec::new(),
            traffic: Traffic::default(),
            is_answer_due: false,
        }
    }

    /// The same connection under TLS.
    pub(super) fn encrypt(
        self,
        handshake: impl FnOnce(Socket) -> Result<TlsStream<Socket>, Error>,
    ) -> Result<Self, Error> {
        let Channel::Plain(socket) = self.channel else {
            return Err(Error::NotReady { reason: "the connection is encrypted already" });
        };
        if self.deflate.is_some() {
            return Err(Error::NotReady { reason: "the connection is compressed already" });
        }
        if !self.gathered.is_empty() {
            return Err(Error::NotReady { reason: "bytes that were written have not been sent" });
        }
        Ok(Self { channel: Channel::Tls(Box::new(handshake(socket)?)), ..self })
    }

    /// From now on what goes over it is compressed, as the server has agreed to (RFC 4978). `received` came behind the server's
    /// OK and is compressed already.
    ///
    /// # Errors
    /// [`Error::NotReady`] without TLS (what is in the clear says enough already), where it is compressed, or where bytes that
    /// were written have not been sent.
    pub fn compress(&mut self, received: &[u8]) -> Result<(), Error> {
        if !self.is_encrypted() {
            return Err(Error::NotReady { reason: "compression needs TLS under it" });
        }
        if self.deflate.is_some() {
            return Err(Error::NotReady { reason: "the connection is compressed already" });
        }
        if !self.gathered.is_empty() {
            return Err(Error::NotReady { reason: "bytes that were written have not been sent" });
        }
        self.deflate = Some(Box::new(Deflate::new(received)));
        Ok(())
    }

    /// How long a packet took there and back when the connection was made; nothing, where the server is on this machine.
    pub fn distance(&self) -> Duration {
        if self.channel.socket().is_loopback() { Duration::ZERO } else { self.distance }
    }

    /// Whether what goes over it is compressed.
    pub fn is_compressed(&self) -> bool {
        self.deflate.is_some()
    }

    /// Whether anything comes within this time, were it the connection's end. What comes is left to be read.
    pub(super) fn hears(&self, within: Duration) -> bool {
        self.channel.socket().hears(within)
    }

    /// Waits before more is sent, unless the user asks to stop. What was written goes out first.
    pub fn rest(&mut self, time: Duration) {
        if time.is_zero() {
            return;
        }
        // A connection that is lost says so when it is used next.
        self.flush().ok();
        let end = Instant::now() + time;
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
            && !self.channel.socket().limits().is_stopping()
        {
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// Says what the coming waits are for. It begins as [`Phase::Greeting`]. What comes from now on has its own time.
    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.begin_answer();
    }

    /// Another answer begins, which has its own time.
    pub fn begin_answer(&mut self) {
        let is_body = self.phase == Phase::Body;
        self.channel.socket_mut().begin_answer(is_body);
    }

    /// Reads what comes next, at most `buf` full; 0 where the peer has closed. Sends what was written before.
    ///
    /// # Errors
    /// [`Error::Silent`] after the settings' timeout without a byte, [`Error::Interrupted`] some seconds after a request
    /// to stop, [`Error::Broken`].
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        self.flush()?;
        if mem::take(&mut self.is_answer_due) {
            self.traffic.round_trips += 1;
        }
        let count = self.read_some(buf).map_err(|error| self.failure(&error))?;
        self.traffic.received += count as u64;
        Ok(count)
    }

    /// Reads what has arrived, without waiting and without sending what was written; `None` where nothing has, 0 where
    /// the peer has closed.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn read_available(&mut self, buf: &mut [u8]) -> Result<Option<usize>, Error> {
        self.channel.socket_mut().set_polling(true);
        let result = self.read_some(buf);
        self.channel.socket_mut().set_polling(false);
        match result {
            Ok(count) => {
                self.traffic.received += count as u64;
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Takes bytes to send. Few are gathered until [`Stream::flush`] or [`Stream::read`], many go out at once.
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

    /// Sends what was gathered.
    ///
    /// # Errors
    /// [`Error::Silent`] where the peer takes nothing for as long as the settings' timeout, [`Error::Interrupted`] some
    /// seconds after a request to stop, [`Error::Broken`].
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

    /// What went over it so far. What is gathered is not sent yet.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Whether TLS is up.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }

    /// What ties a login to this TLS connection: the hash of the server's certificate (`tls-server-end-point`, RFC 5929
    /// section 4). `None` without TLS, or where the certificate's signature has no hash that would do.
    pub fn server_end_point(&self) -> Option<Vec<u8>> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(tls) => tls.tls_server_end_point().ok().flatten(),
        }
    }

    /// The fingerprint of the server's certificate.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(tls) => tls::fingerprint(tls),
        }
    }

    /// Whether the server's certificate says by itself whom it is for.
    pub(super) fn is_certificate_named(&self) -> bool {
        match &self.channel {
            Channel::Plain(_) => false,
            Channel::Tls(tls) => tls::is_named(tls),
        }
    }

    /// The server's certificate in DER.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        match &self.channel {
            Channel::Plain(_) => None,
            Channel::Tls(tls) => tls::certificate(tls),
        }
    }

    /// Closes both ways without waiting, and with the stream's end drops what was written and not sent yet. Errors no
    /// longer matter.
    pub fn shut_down(&mut self) {
        self.say_goodbye();
        self.channel.socket().close();
    }

    /// The same in order: what was written and flushed is still sent.
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

    /// Reads from the channel, inflated where it is compressed.
    fn read_some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.deflate {
            Some(deflate) => deflate.read(buf, |compressed| self.channel.read(compressed)),
            None => self.channel.read(buf),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let sent = match &mut self.deflate {
            Some(deflate) => deflate.compress(bytes).and_then(|compressed| self.channel.write_all(compressed)),
            None => self.channel.write_all(bytes),
        };
        sent.map_err(|error| self.failure(&error))?;
        self.traffic.sent += bytes.len() as u64;
        Ok(())
    }

    /// What an error of the channel means here.
    fn failure(&self, error: &io::Error) -> Error {
        let phase = self.phase;
        match self.channel.socket().ended() {
            Some(Ended::Stopped) => Error::Interrupted { phase },
            Some(Ended::Silent(way)) => {
                let timeout = self.channel.socket().limits().timeout();
                Error::Silent { phase, way, timeout, encrypted: self.is_encrypted() }
            }
            Some(Ended::Dripping(patience)) => Error::Dripping { phase, patience },
            Some(Ended::Slow { waited, bytes }) => Error::Slow { phase, waited, bytes },
            None => Error::Broken { phase, reason: words(error) },
        }
    }
}
