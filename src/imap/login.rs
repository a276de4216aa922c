//! From a fresh connection to one that is ready: greeting, STARTTLS, login, and what the server says of itself.
//!
//! No byte of a secret goes out before TLS is up, unless the user asked for none. What was said before TLS, and what
//! was said before login, does not count.

use super::connection::{Connection, Received, ignore};
use super::response::{Condition, Response};
use super::wire::Command;
use super::{Capabilities, Credentials, Error, auth};
use crate::net::{self, CertificateFacts, Dialer, Phase, Stream, TlsMode};

/// A connection that is logged in.
pub struct LoggedIn {
    /// The connection.
    pub connection: Connection,
    /// The greeting's words, raw.
    pub greeting: String,
}

/// Connects and logs in.
///
/// # Errors
/// What kept it from being done; after a refused login there is no second try.
pub fn log_in(dialer: &Dialer, credentials: &Credentials, trace: Option<super::Trace>) -> Result<LoggedIn, Error> {
    let Approached { mut connection, greeting } = approach(dialer, trace)?;
    if greeting.condition == Condition::PreAuth {
        if dialer.settings().tls != TlsMode::None {
            let text = "the server says that this connection is already logged in; it may be someone else's mailbox";
            return Err(Error::NoLogin(text.to_owned()));
        }
    } else {
        authenticate(&mut connection, dialer, credentials)?;
    }
    if connection.capabilities().is_none() {
        connection.run(&Command::new("CAPABILITY"), &mut ignore)?;
    }
    connection.set_phase(Phase::Reply);
    if connection.has_ended() {
        // Dovecot says "OK Logged in, but initialization failed", and then BYE.
        connection.run(&Command::new("NOOP"), &mut ignore)?;
    }
    check_revision(connection.capabilities())?;
    compress(&mut connection, dialer)?;
    Ok(LoggedIn { connection, greeting: greeting.text })
}

/// Nothing is sent, and no command tried, on a server that speaks another protocol.
fn check_revision(offered: Option<&Capabilities>) -> Result<(), Error> {
    if offered.is_some_and(Capabilities::is_imap) {
        return Ok(());
    }
    Err(Error::Protocol("it offers neither IMAP4rev1 nor IMAP4rev2".to_owned()))
}

/// What was said before TLS may have been said by anybody: that goes with the words, and no such word is worth a second try.
fn before_tls(error: Error, mode: TlsMode) -> Error {
    let told = |text: &str| format!("the server says (unauthenticated): {text}");
    match error {
        _ if mode != TlsMode::StartTls => error,
        Error::Bye { text, code } => Error::Bye { text: told(&text), code },
        Error::TurnedAway { text, code } => Error::TurnedAway { text: told(&text), code },
        Error::Protocol(text) => {
            Error::NoLogin(format!("the server didn't speak IMAP before TLS, so nothing was sent: {text}"))
        }
        error => error,
    }
}

/// Compression where it is wanted and offered (RFC 4978): after TLS, which can't begin in it, and after the login, so that no
/// secret's length shows in how well it is compressed beside what others wrote. A server that refuses goes on without.
fn compress(connection: &mut Connection, dialer: &Dialer) -> Result<(), Error> {
    let is_wanted = dialer.settings().compression.is_wanted(connection.distance()) && connection.is_encrypted();
    let is_offered = connection.capabilities().is_some_and(|offered| offered.has("COMPRESS=DEFLATE"));
    if is_wanted && is_offered && connection.run(&Command::new("COMPRESS DEFLATE"), &mut ignore)?.is_ok() {
        connection.compress()?;
    }
    Ok(())
}

/// What a server says before anyone logs in.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// The greeting's words, raw.
    pub greeting: String,
    /// The mechanisms that it offers for logging in.
    pub mechanisms: Vec<String>,
}

/// Comes to a server, under TLS where that is asked for, up to the point of logging in, and leaves.
///
/// # Errors
/// What kept it from being done.
pub fn introduce(dialer: &Dialer, trace: Option<super::Trace>) -> Result<Introduction, Error> {
    let Approached { mut connection, greeting } = approach(dialer, trace)?;
    if connection.capabilities().is_none() {
        connection.run(&Command::new("CAPABILITY"), &mut ignore)?;
    }
    check_revision(connection.capabilities())?;
    let offered = connection.capabilities().cloned().unwrap_or_default();
    connection.log_out();
    Ok(Introduction { greeting: greeting.text, mechanisms: offered.mechanisms().map(str::to_owned).collect() })
}

/// The certificate that a server shows, trusted or not, by a connection of its own.
///
/// # Errors
/// What kept it from being seen.
pub fn certificate(dialer: &Dialer) -> Result<CertificateFacts, net::Error> {
    let stream = match dialer.settings().tls {
        TlsMode::StartTls => up_to_tls(dialer)?,
        TlsMode::Implicit | TlsMode::None => dialer.connect()?,
    };
    dialer.certificate(stream)
}

/// A connection that is protected as the settings say, and not logged in.
struct Approached {
    connection: Connection,
    greeting: Greeting,
}

fn approach(dialer: &Dialer, trace: Option<super::Trace>) -> Result<Approached, Error> {
    let mode = dialer.settings().tls;
    let stream = dialer.dial()?;
    dialer.await_greeting(&stream)?;
    let mut connection = Connection::new(stream, trace);
    connection.set_phase(Phase::Greeting);
    let greeting = greet(&mut connection).map_err(|error| before_tls(error, mode))?;
    if mode == TlsMode::StartTls {
        connection.set_phase(Phase::TlsHandshake);
        connection = start_tls(connection, dialer, &greeting)?;
    }
    connection.set_phase(Phase::Login);
    Ok(Approached { connection, greeting })
}

struct Greeting {
    condition: Condition,
    text: String,
}

/// The server speaks first (RFC 3501 section 7.1).
fn greet(connection: &mut Connection) -> Result<Greeting, Error> {
    let mut greeting = None;
    let received = connection.receive(&mut |_, response: &Response<'_>| {
        if let Response::Status { condition, text, .. } = response {
            greeting = Some(Greeting { condition: *condition, text: text.to_string() });
        }
        Ok(())
    })?;
    match (received, greeting) {
        (Received::Untagged, Some(greeting)) if matches!(greeting.condition, Condition::Ok | Condition::PreAuth) => {
            Ok(greeting)
        }
        // A goodbye in place of a greeting: the next read tells its words.
        (Received::Untagged, None) if connection.has_ended() => match connection.receive(&mut ignore) {
            Err(Error::Bye { text, code }) => Err(Error::TurnedAway { text, code }),
            Err(error) => Err(error),
            Ok(_) => Err(Error::Closed),
        },
        (_, greeting) => {
            let text = greeting.map_or_else(|| "no IMAP greeting".to_owned(), |greeting| greeting.text);
            Err(Error::Protocol(text))
        }
    }
}

/// STARTTLS, whether the server offers it or not: without it nothing is sent (RFC 3501 section 6.2.1).
fn start_tls(mut connection: Connection, dialer: &Dialer, greeting: &Greeting) -> Result<Connection, Error> {
    if greeting.condition == Condition::PreAuth {
        let text = "the server wants to continue without TLS (PREAUTH), which the address doesn't allow";
        return Err(Error::NoLogin(text.to_owned()));
    }
    ask_for_tls(&mut connection).map_err(|error| before_tls(error, TlsMode::StartTls))?;
    connection.encrypt(|stream| dialer.start_tls(stream)).map_err(|error| match error {
        Error::Net(error) => Error::Net(error.with_fingerprint(|| dialer.fingerprint(up_to_tls(dialer)?))),
        error => error,
    })
}

fn ask_for_tls(connection: &mut Connection) -> Result<(), Error> {
    let reply = connection.run(&Command::new("STARTTLS"), &mut ignore)?;
    if reply.is_ok() {
        return Ok(());
    }
    let text = reply.text;
    Err(Error::NoLogin(format!("the server refuses STARTTLS, so nothing was sent; it says (unauthenticated): {text}")))
}

/// A connection of its own after the server's OK to STARTTLS, to look at its certificate.
fn up_to_tls(dialer: &Dialer) -> Result<Stream, net::Error> {
    const NOTHING: net::Error = net::Error::NotReady { reason: "the server did not begin TLS again" };
    let mut connection = Connection::new(dialer.dial()?, None);
    greet(&mut connection).and_then(|_| ask_for_tls(&mut connection)).map_err(|_| NOTHING)?;
    connection.into_stream().ok_or(NOTHING)
}

fn authenticate(connection: &mut Connection, dialer: &Dialer, credentials: &Credentials) -> Result<(), Error> {
    if connection.capabilities().is_none() {
        connection.run(&Command::new("CAPABILITY"), &mut ignore)?;
    }
    check_revision(connection.capabilities())?;
    let offered = connection.capabilities().cloned().unwrap_or_default();
    connection.forget_capabilities();
    auth::authenticate(connection, credentials, dialer.settings(), &offered)
}
