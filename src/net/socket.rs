//! A TCP socket whose waits end: after too long a silence, or some time after the user asked to
//! stop.
//!
//! It is below TLS, so one place keeps time for plain bytes, TLS records and handshakes alike. TLS
//! never sees a wait that it would have to resume: a call returns bytes, or the connection is over.
//!
//! A connection that isn't closed in order is reset, even if the process is killed: what was
//! written but has not left this machine is dropped, rather than reaching the server after the next
//! run has checked what arrived.

use super::{Cut, FaultInjector, Way};
use crate::event::Stop;
use crate::locks::lock;
use rustix::net::sockopt::set_socket_linger;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How often a wait checks whether it should end.
pub(super) const SLICE: Duration = Duration::from_millis(250);

/// A wait that lasts this many timeouts and brings next to nothing counts as silence: a server that
/// sends a byte a minute would otherwise hold up a run forever. With the default timeout this is 40
/// minutes, more than honest servers need to say anything substantial.
const PATIENCE: u32 = 20;

/// The same while waiting for a message's bytes, which the server has at hand. Each complete
/// message starts it again.
const BODY_PATIENCE: u32 = 4;

/// What is more than next to nothing, in bytes: 27 per second with the default timeout.
const NOTEWORTHY: usize = 64 << 10;

/// Bytes per second below which a whole response is given up, once the patience is over: at that
/// rate it isn't worth waiting for its end. A listing may arrive slowly, as the server looks at
/// each message.
const SLOWEST: u64 = 64;

/// The same for a message's bytes, which the server has at hand. No line in use is slower.
const SLOWEST_BODY: u64 = 1 << 10;

/// How many of a connection's first bytes are kept: enough to tell plain text from TLS.
const FIRST: usize = 5;

/// When waits end. Shared by all connections of a [`super::Dialer`].
#[derive(Debug)]
pub(super) struct Limits {
    timeout: Duration,
    grace: Duration,
    stop: Arc<Stop>,
    noticed: OnceLock<Instant>,
}

impl Limits {
    /// Sets the limits: silence of `timeout` ends a wait; `grace` after a request to stop was
    /// noticed, all waits end.
    pub(super) fn new(timeout: Duration, grace: Duration, stop: Arc<Stop>) -> Self {
        Self {
            timeout,
            grace,
            stop,
            noticed: OnceLock::new(),
        }
    }

    /// Returns limits for a side connection, which ends on the same request to stop and tolerates
    /// this much silence.
    pub(super) fn hasty(&self, timeout: Duration) -> Self {
        Self::new(
            timeout.min(self.timeout),
            Duration::ZERO,
            Arc::clone(&self.stop),
        )
    }

    /// Returns how long silence may last.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns how long next to nothing may arrive.
    pub(super) fn patience(&self) -> Duration {
        self.timeout.saturating_mul(PATIENCE)
    }

    /// Reports whether the user asked to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_requested()
    }

    /// Reports whether the user asked to stop and the time for a clean stop is over.
    fn is_over(&self) -> bool {
        self.is_stopping() && self.noticed.get_or_init(Instant::now).elapsed() >= self.grace
    }
}

/// Why a wait ended without bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Silent(Way),
    /// Something arrived all the time, but never enough.
    Dripping(Duration),
    /// A response took too long for its size.
    Slow {
        waited: Duration,
        bytes: u64,
    },
    Stopped,
}

/// What has arrived since the last write.
#[derive(Debug, Default)]
struct Trickle {
    /// Time spent waiting for it.
    waited: Duration,
    bytes: usize,
}

/// What has arrived of a whole response.
#[derive(Debug)]
struct Answer {
    waited: Duration,
    bytes: u64,
    /// How many bytes earn a second.
    slowest: u64,
}

impl Answer {
    fn new(slowest: u64) -> Self {
        Self {
            waited: Duration::ZERO,
            bytes: 0,
            slowest,
        }
    }
}

/// What a socket saw. It outlives the socket if a handshake fails and takes the socket with it.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// The first bytes that arrived since this record was started.
    pub(super) first: Vec<u8>,
    /// Whether the peer closed.
    pub(super) closed: bool,
    /// Why the last wait ended, if it returned nothing.
    pub(super) ended: Option<Ended>,
}

/// A socket with deadlines.
#[derive(Debug)]
pub(super) struct Socket {
    tcp: TcpStream,
    limits: Arc<Limits>,
    witness: Arc<Mutex<Witness>>,
    trickle: Trickle,
    answer: Answer,
    polling: bool,
    hurried: bool,
    faults: Option<Arc<dyn FaultInjector>>,
    /// Whether an injected fault broke it.
    cut: bool,
}

impl Socket {
    /// Wraps a connected socket.
    ///
    /// # Errors
    /// The system rejects a socket option.
    pub(super) fn new(tcp: TcpStream, limits: Arc<Limits>) -> io::Result<Self> {
        let slice = SLICE.min(limits.timeout).max(Duration::from_millis(1));
        tcp.set_read_timeout(Some(slice))?;
        tcp.set_write_timeout(Some(slice))?;
        tcp.set_nodelay(true)?;
        // The system resets it when it is closed, however that happens (RFC 9293 section 3.10.4,
        // ABORT).
        set_socket_linger(&tcp, Some(Duration::ZERO))?;
        Ok(Self {
            tcp,
            limits,
            witness: Arc::default(),
            trickle: Trickle::default(),
            answer: Answer::new(SLOWEST),
            polling: false,
            hurried: false,
            faults: None,
            cut: false,
        })
    }

    /// Makes it break where the injector says.
    pub(super) fn inject_faults(&mut self, faults: Arc<dyn FaultInjector>) {
        self.faults = Some(faults);
    }

    /// Reports whether the peer is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.tcp
            .peer_addr()
            .is_ok_and(|peer| peer.ip().to_canonical().is_loopback())
    }

    /// Returns when its waits end.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Records what it sees from now on.
    pub(super) fn begin_witness(&mut self) -> Arc<Mutex<Witness>> {
        self.witness = Arc::default();
        Arc::clone(&self.witness)
    }

    /// Returns why the last wait ended without bytes.
    pub(super) fn ended(&self) -> Option<Ended> {
        lock(&self.witness).ended
    }

    /// Makes reads return `WouldBlock` at once if nothing has arrived.
    pub(super) fn set_polling(&mut self, polling: bool) {
        self.polling = polling;
    }

    /// Starts the time of another response, or of a part with its own deadline.
    pub(super) fn begin_answer(&mut self, is_body: bool) {
        self.trickle = Trickle::default();
        self.answer = Answer::new(if is_body { SLOWEST_BODY } else { SLOWEST });
    }

    /// Reports whether anything arrives within this time, even the connection's end. It stays to be
    /// read.
    pub(super) fn hears(&self, within: Duration) -> bool {
        let since = Instant::now();
        while !self.limits.is_stopping() && since.elapsed() < within {
            match self.tcp.peek(&mut [0]) {
                Err(error) if is_passing(&error) => {}
                _ => return true,
            }
        }
        self.limits.is_stopping()
    }

    /// Stops all waiting, for the last words on a connection that is being given up.
    pub(super) fn hurry(&mut self) {
        self.hurried = self.tcp.set_nonblocking(true).is_ok();
    }

    /// Closes both directions. What isn't sent yet is dropped with the socket.
    pub(super) fn close(&self) {
        self.tcp.shutdown(Shutdown::Both).ok();
    }

    /// Closes both directions after everything written has been sent, which the system does.
    pub(super) fn close_in_order(&self) {
        set_socket_linger(&self.tcp, None).ok();
        self.close();
    }

    /// Repeats a call that the end of a slice or a signal cut short, until a limit is reached.
    fn wait(
        &self,
        way: Way,
        mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let since = Instant::now();
        loop {
            if self.limits.is_over() {
                return Err(self.end(Ended::Stopped));
            }
            match call(&self.tcp) {
                Err(error) if is_passing(&error) => {
                    if self.hurried || since.elapsed() >= self.limits.timeout {
                        return Err(self.end(Ended::Silent(way)));
                    }
                }
                done => return done,
            }
        }
    }

    /// Writes as the fault injector allows: all, a part or nothing, after which the connection may
    /// be over.
    fn write_or_break(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let cut = self
            .faults
            .as_ref()
            .and_then(|faults| faults.at_write(bytes));
        let passing = match cut {
            None | Some(Cut::After) => bytes,
            Some(Cut::Within) => &bytes[..bytes.len() / 2],
            Some(Cut::Before) => &[],
        };
        let mut written = 0;
        while written < passing.len() {
            written += self.wait(Way::Out, |mut tcp| tcp.write(&passing[written..]))?;
        }
        match cut {
            None => return Ok(written),
            // What was written still goes out; nothing more is read.
            Some(_) => self.close_in_order(),
        }
        self.cut = true;
        if written == bytes.len() {
            Ok(written)
        } else {
            Err(broken())
        }
    }

    /// Notes why a wait ended, and returns an error that TLS treats as final.
    fn end(&self, why: Ended) -> io::Error {
        lock(&self.witness).ended = Some(why);
        io::Error::other("the wait ended")
    }

    /// Ends a wait that goes on forever without progress.
    fn measure(&mut self, waited: Duration, bytes: usize) -> io::Result<()> {
        self.trickle.waited += waited;
        self.trickle.bytes += bytes;
        if self.trickle.bytes >= NOTEWORTHY {
            self.trickle = Trickle::default();
        }
        self.answer.waited += waited;
        self.answer.bytes += bytes as u64;
        let Answer {
            waited,
            bytes,
            slowest,
        } = self.answer;
        let patience = if slowest == SLOWEST_BODY {
            self.limits.timeout * BODY_PATIENCE
        } else {
            self.limits.patience()
        };
        if self.trickle.waited >= patience {
            Err(self.end(Ended::Dripping(patience)))
        } else if waited >= patience + Duration::from_secs(bytes / slowest) {
            Err(self.end(Ended::Slow { waited, bytes }))
        } else {
            Ok(())
        }
    }

    /// Notes what arrived.
    fn note(&self, came: &[u8]) {
        let mut witness = lock(&self.witness);
        let missing = FIRST.saturating_sub(witness.first.len());
        witness.first.extend(came.iter().take(missing));
        witness.closed = came.is_empty();
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.cut {
            return Err(broken());
        }
        let count = if self.polling {
            self.tcp.set_nonblocking(true)?;
            let result = poll(&self.tcp, buf);
            // Reset at once: TLS may want to write before the poll is over.
            self.tcp.set_nonblocking(false)?;
            result?
        } else {
            let since = Instant::now();
            let count = self.wait(Way::In, |mut tcp| tcp.read(buf))?;
            self.measure(since.elapsed(), count)?;
            count
        };
        self.note(buf.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cut {
            return Err(broken());
        }
        self.trickle = Trickle::default();
        self.answer = Answer::new(self.answer.slowest);
        if self.faults.is_some() {
            return self.write_or_break(bytes);
        }
        self.wait(Way::Out, |mut tcp| tcp.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the system's error for a broken connection.
fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// Reads what is there; retries only after a signal.
fn poll(mut tcp: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match tcp.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Reports whether an error only means the end of a slice (its kind differs by system) or a signal.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Makes a socket that tolerates this much silence, and its silent peer.
    fn pair(timeout: Duration) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let limits = Limits::new(timeout, Duration::ZERO, Arc::new(Stop::new()));
        (
            Socket::new(tcp, Arc::new(limits)).unwrap(),
            listener.accept().unwrap().0,
        )
    }

    #[test]
    fn a_wait_sleeps_also_after_a_poll() {
        let (mut socket, _peer) = pair(SLICE * 2);
        socket.set_polling(true);
        assert_eq!(
            socket.read(&mut [0]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        socket.set_polling(false);
        let mut calls = 0;
        let result = socket.wait(Way::In, |mut tcp| {
            calls += 1;
            tcp.read(&mut [0])
        });
        assert!(result.is_err() && calls <= 3, "{calls} calls");
        assert_eq!(socket.ended(), Some(Ended::Silent(Way::In)));
    }

    #[test]
    fn a_byte_now_and_then_is_no_progress() {
        let (mut socket, mut peer) = pair(Duration::from_millis(20));
        let dripping = std::thread::spawn(move || {
            while peer.write_all(b"*").is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let begun = Instant::now();
        while socket.read(&mut [0]).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        // A loaded machine may let the peer fall silent.
        assert!(matches!(
            socket.ended(),
            Some(Ended::Dripping(_) | Ended::Silent(Way::In))
        ));
        drop(socket);
        dripping.join().unwrap();
    }

    #[test]
    fn what_comes_in_numbers_or_answers_something_is_progress() {
        let (mut socket, _peer) = pair(Duration::from_secs(1));
        let nearly = Duration::from_millis(19_900);
        for _ in 0..3 {
            socket.measure(nearly, NOTEWORTHY).unwrap();
        }
        for _ in 0..3 {
            socket.measure(nearly, 1).unwrap();
            socket.write_all(b"NOOP").unwrap();
        }
        socket.measure(nearly, 1).unwrap();
        assert!(socket.measure(nearly, 1).is_err());
        assert_eq!(
            socket.ended(),
            Some(Ended::Dripping(Duration::from_secs(20)))
        );
    }

    #[test]
    fn an_answer_has_its_time_by_the_bytes_that_come() {
        let (mut socket, _peer) = pair(Duration::from_secs(1));
        let slow = |socket: &mut Socket, bytes: usize| {
            (0..1_000).find(|_| socket.measure(Duration::from_secs(3), bytes).is_err())
        };
        // 21 KiB per second.
        socket.begin_answer(true);
        assert_eq!(slow(&mut socket, NOTEWORTHY), None);
        socket.begin_answer(true);
        let mut dripped = 0;
        while socket.measure(Duration::from_secs(1), 500).is_ok() && dripped < 1_000 {
            dripped += 1;
            socket.trickle = Trickle::default();
        }
        // Over when t = 4 + 500 t / 1024.
        assert_eq!(dripped, 5);
        assert!(matches!(
            socket.ended(),
            Some(Ended::Slow { bytes: 3_000, .. })
        ));
        socket.begin_answer(false);
        assert!((0..1_000).all(|_| {
            socket.trickle = Trickle::default();
            socket.measure(Duration::from_secs(1), 500).is_ok()
        }));
    }

    #[test]
    fn nothing_waits_in_a_hurry() {
        let (mut socket, _peer) = pair(Duration::from_secs(20));
        socket.hurry();
        let begun = Instant::now();
        while socket.write(&[0; 100_000]).is_ok() {}
        assert!(socket.read(&mut [0]).is_err());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_signal_does_not_end_a_wait() {
        let (socket, _peer) = pair(Duration::from_secs(20));
        let mut answers = [
            Ok(7),
            Err(io::ErrorKind::Interrupted.into()),
            Err(io::ErrorKind::WouldBlock.into()),
        ]
        .into();
        let result = socket.wait(Way::Out, |_| Vec::pop(&mut answers).unwrap());
        assert_eq!(result.unwrap(), 7);
    }
}
