//! What `doctor` needs from an account beyond what a copy does: the way in, step by step, and how a
//! connection behaves. Nothing here changes anything on a server.

use super::account::Account;
use super::session::Session;
use crate::imap::{self, Capabilities, Command, Introduction, ignore};
use crate::net::{self, CertificateFacts, DialSettings, Stream};
use crate::provider::Provider;
use crate::store::guard::Guarded;
use crate::store::{Error, ReadStore};
use std::thread;
use std::time::{Duration, Instant};

/// How often an idle connection is checked.
const GLANCE: Duration = Duration::from_millis(100);

impl Account {
    /// Returns where it is and how it is reached.
    pub fn settings(&self) -> &DialSettings {
        self.dialer.settings()
    }

    /// Connects to the server, under TLS if configured, up to the point of logging in, and leaves.
    ///
    /// # Errors
    /// Why it failed, as the protocol layer reports it.
    pub fn introduce(&self) -> Result<Introduction, imap::Error> {
        imap::introduce(&self.dialer, self.tracer())
    }

    /// Returns the certificate that the server presents, trusted or not.
    ///
    /// # Errors
    /// Why it failed.
    pub fn certificate(&self) -> Result<CertificateFacts, net::Error> {
        imap::certificate(&self.dialer)
    }

    /// Returns the certificate that the port presents to a client that begins with TLS, whatever
    /// the address says.
    ///
    /// # Errors
    /// The port doesn't speak TLS from the first byte, or something else failed.
    pub fn certificate_at_once(&self) -> Result<CertificateFacts, net::Error> {
        self.dialer
            .connect()
            .and_then(|stream: Stream| self.dialer.certificate(stream))
    }

    /// Converts an error on the way in into what it means for a run.
    pub fn judge(&self, error: &imap::Error) -> Error {
        Error::from(error).of(&self.name)
    }

    /// Makes a connection for checks, logged in.
    ///
    /// # Errors
    /// As [`Connector::connect`](crate::store::Connector::connect).
    pub fn check_up(&self) -> Result<Checkup, Error> {
        Ok(Checkup {
            guarded: self.session()?,
        })
    }
}

/// A connection for checks.
pub struct Checkup {
    guarded: Guarded<Session>,
}

impl Checkup {
    /// Returns the connection as other code uses it.
    pub fn store(&mut self) -> &mut dyn ReadStore {
        &mut self.guarded
    }

    /// Returns the provider or kind of server, if it is a known one.
    pub fn provider(&self) -> Option<&'static Provider> {
        self.guarded.provider()
    }

    /// Returns the server's capabilities.
    pub fn capabilities(&self) -> &Capabilities {
        &self.guarded.store.capabilities
    }

    /// Returns how long the server takes to answer `count` commands that do nothing, each sent
    /// after the reply to the one before.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn one_by_one(&mut self, count: usize) -> Result<Duration, Error> {
        let started = Instant::now();
        for _ in 0..count {
            self.run_all(1)?;
        }
        Ok(started.elapsed())
    }

    /// Does the same with all of them sent before the first reply.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn at_once(&mut self, count: usize) -> Result<Duration, Error> {
        let started = Instant::now();
        self.run_all(count)?;
        Ok(started.elapsed())
    }

    fn run_all(&mut self, count: usize) -> Result<(), Error> {
        let commands = vec![Command::new("NOOP"); count];
        let replies = self
            .guarded
            .store
            .connection
            .run_all(&commands, |_, _| Ok(()));
        self.guarded.named(replies.map(drop).map_err(Error::from))
    }

    /// Leaves the connection idle for this long and then checks whether it is still open. Returns
    /// also after how long it ended.
    pub fn idle(&mut self, time: Duration) -> (Duration, Result<(), Error>) {
        let started = Instant::now();
        let idled = self.stay_idle(started, time);
        (started.elapsed(), self.guarded.named(idled))
    }

    fn stay_idle(&mut self, started: Instant, time: Duration) -> Result<(), Error> {
        let connection = &mut self.guarded.store.connection;
        while started.elapsed() < time {
            // A diagnosis changes nothing that a stop would have to wait for: the first signal ends
            // the program.
            thread::sleep(GLANCE.min(time));
            connection.receive_available(&mut ignore)?;
        }
        connection.run(&Command::new("NOOP"), &mut ignore)?;
        Ok(())
    }
}
