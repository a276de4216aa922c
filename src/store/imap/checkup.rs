//! What `doctor` asks of an account beyond what a copy needs: the way in step by step, and how a connection behaves.
//! Nothing here changes anything on a server.

use super::account::Account;
use super::session::Session;
use crate::imap::{self, Capabilities, Command, Introduction, ignore};
use crate::net::{self, CertificateFacts, DialSettings, Stream};
use crate::store::guard::Guarded;
use crate::store::{Error, ReadStore};
use std::thread;
use std::time::{Duration, Instant};

/// How often an idle connection is looked at.
const GLANCE: Duration = Duration::from_millis(100);

impl Account {
    /// Where it is and how it is reached.
    pub fn settings(&self) -> &DialSettings {
        self.dialer.settings()
    }

    /// Comes to the server, under TLS where that is asked for, up to the point of logging in, and leaves.
    ///
    /// # Errors
    /// What kept it from being done, as the protocol's layer tells it.
    pub fn introduce(&self) -> Result<Introduction, imap::Error> {
        imap::introduce(&self.dialer, self.tracer())
    }

    /// The certificate that the server shows, trusted or not.
    ///
    /// # Errors
    /// What kept it from being seen.
    pub fn certificate(&self) -> Result<CertificateFacts, net::Error> {
        imap::certificate(&self.dialer)
    }

    /// The certificate that the port shows to a client that begins with TLS, whatever the address says.
    ///
    /// # Errors
    /// That it does not speak TLS from the first byte, or what else kept it from being seen.
    pub fn certificate_at_once(&self) -> Result<CertificateFacts, net::Error> {
        self.dialer.connect().and_then(|stream: Stream| self.dialer.certificate(stream))
    }

    /// What an error on the way in means for a run.
    pub fn judge(&self, error: &imap::Error) -> Error {
        Error::from(error).of(&self.name)
    }

    /// A connection to look at, logged in.
    ///
    /// # Errors
    /// As [`Connector::connect`](crate::store::Connector::connect).
    pub fn check_up(&self) -> Result<Checkup, Error> {
        Ok(Checkup { guarded: self.session()? })
    }
}

/// A connection that is looked at.
pub struct Checkup {
    guarded: Guarded<Session>,
}

impl Checkup {
    /// The connection as all others use it.
    pub fn store(&mut self) -> &mut dyn ReadStore {
        &mut self.guarded
    }

    /// What the server offers.
    pub fn capabilities(&self) -> &Capabilities {
        &self.guarded.store.capabilities
    }

    /// How long the server takes to answer commands that ask nothing, `count` of them, each sent after the reply to the one
    /// before.
    ///
    /// # Errors
    /// What ended the connection.
    pub fn one_by_one(&mut self, count: usize) -> Result<Duration, Error> {
        let started = Instant::now();
        for _ in 0..count {
            self.run_all(1)?;
        }
        Ok(started.elapsed())
    }

    /// The same with all of them sent before the first reply.
    ///
    /// # Errors
    /// What ended the connection.
    pub fn at_once(&mut self, count: usize) -> Result<Duration, Error> {
        let started = Instant::now();
        self.run_all(count)?;
        Ok(started.elapsed())
    }

    fn run_all(&mut self, count: usize) -> Result<(), Error> {
        let commands = vec![Command::new("NOOP"); count];
        let replies = self.guarded.store.connection.run_all(&commands, |_, _| Ok(()));
        self.guarded.named(replies.map(drop).map_err(Error::from))
    }

    /// Leaves the connection idle for so long and then asks whether it still lives. Gives after how long it ended before
    /// that.
    pub fn idle(&mut self, time: Duration) -> Result<(), (Duration, Error)> {
        let started = Instant::now();
        let idled = self.stay_idle(started, time);
        self.guarded.named(idled).map_err(|error| (started.elapsed(), error))
    }

    fn stay_idle(&mut self, started: Instant, time: Duration) -> Result<(), Error> {
        let connection = &mut self.guarded.store.connection;
        while started.elapsed() < time {
            thread::sleep(GLANCE.min(time));
            connection.receive_available(&mut ignore)?;
        }
        connection.run(&Command::new("NOOP"), &mut ignore)?;
        Ok(())
    }
}
