//! From a fresh connection to one that is ready: greeting, STARTTLS, login, and what the server
//! says about itself.
//!
//! No byte of a secret is sent before TLS is up, unless the user asked for no TLS. What was said
//! before TLS, and before login, doesn't count.

use super::connection::{Connection, Received, ignore};
use super::response::{Condition, Response};
use super::wire::Command;
use super::{Capabilities, Credentials, Error, auth};
use crate::net::{self, CertificateFacts, Dialer, Phase, Stream, TlsMode};

/// A logged-in connection.
pub struct LoggedIn {
    /// The connection.
    pub connection: Connection,
    /// The greeting's text, raw.
    pub greeting: String,
}

/// Connects and logs in.
///
/// # Errors
/// Why it failed; a refused login isn't retried.
pub fn log_in(
    dialer: &Dialer,
    credentials: &Credentials,
    trace: Option<super::Trace>,
) -> Result<LoggedIn, Error> {
    let Approached {
        mut connection,
        greeting,
    } = approach(dialer, trace)?;
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
        // Dovecot says "OK Logged in, but initialization failed", followed by BYE.
        connection.run(&Command::new("NOOP"), &mut ignore)?;
    }
    check_revision(connection.capabilities())?;
    compress(&mut connection, dialer)?;
    Ok(LoggedIn {
        connection,
        greeting: greeting.text,
    })
}

/// Rejects a server that speaks another protocol, before anything is sent.
fn check_revision(offered: Option<&Capabilities>) -> Result<(), Error> {
    if offered.is_some_and(Capabilities::is_imap) {
        return Ok(());
    }
    Err(Error::Protocol(
        "it offers neither IMAP4rev1 nor IMAP4rev2".to_owned(),
    ))
}

/// Marks errors from before TLS, which anyone may have caused: the text says so, and none is worth
/// a retry.
fn before_tls(error: Error, mode: TlsMode) -> Error {
    let told = |text: &str| format!("the server says (unauthenticated): {text}");
    match error {
        _ if mode != TlsMode::StartTls => error,
        Error::Bye { text, code } => Error::Bye {
            text: told(&text),
            code,
        },
        Error::TurnedAway { text, code } => Error::TurnedAway {
            text: told(&text),
            code,
        },
        Error::Protocol(text) => Error::NoLogin(format!(
            "the server didn't speak IMAP before TLS, so nothing was sent: {text}"
        )),
        error => error,
    }
}

/// Compresses the connection if that is wanted and offered (RFC 4978): after TLS, which can't begin
/// inside it, and after the login, so that a secret's length doesn't show in how well it compresses
/// next to others' text. If the server refuses, the connection stays uncompressed.
fn compress(connection: &mut Connection, dialer: &Dialer) -> Result<(), Error> {
    let is_wanted = dialer
        .settings()
        .compression
        .is_wanted(connection.distance())
        && connection.is_encrypted();
    let is_offered = connection
        .capabilities()
        .is_some_and(|offered| offered.has("COMPRESS=DEFLATE"));
    if is_wanted
        && is_offered
        && connection
            .run(&Command::new("COMPRESS DEFLATE"), &mut ignore)?
            .is_ok()
    {
        connection.compress()?;
    }
    Ok(())
}

/// What a server says before anyone logs in.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// The greeting's text, raw.
    pub greeting: String,
    /// The login mechanisms that it offers.
    pub mechanisms: Vec<String>,
}

/// Connects to a server, under TLS if configured, up to the point of logging in, and leaves.
///
/// # Errors
/// Why it failed.
pub fn introduce(dialer: &Dialer, trace: Option<super::Trace>) -> Result<Introduction, Error> {
    let Approached {
        mut connection,
        greeting,
    } = approach(dialer, trace)?;
    if connection.capabilities().is_none() {
        connection.run(&Command::new("CAPABILITY"), &mut ignore)?;
    }
    check_revision(connection.capabilities())?;
    let offered = connection.capabilities().cloned().unwrap_or_default();
    connection.log_out();
    Ok(Introduction {
        greeting: greeting.text,
        mechanisms: offered.mechanisms().map(str::to_owned).collect(),
    })
}

/// Returns the certificate that a server presents, trusted or not, over a separate connection.
///
/// # Errors
/// Why it failed.
pub fn certificate(dialer: &Dialer) -> Result<CertificateFacts, net::Error> {
    let stream = match dialer.settings().tls {
        TlsMode::StartTls => up_to_tls(dialer)?,
        TlsMode::Implicit | TlsMode::None => dialer.connect()?,
    };
    dialer.certificate(stream)
}

/// A connection that is protected as configured, but not logged in.
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
    Ok(Approached {
        connection,
        greeting,
    })
}

struct Greeting {
    condition: Condition,
    text: String,
}

/// Waits for the greeting: the server speaks first (RFC 3501 section 7.1).
fn greet(connection: &mut Connection) -> Result<Greeting, Error> {
    let mut greeting = None;
    let received = connection.receive(&mut |_, response: &Response<'_>| {
        if let Response::Status {
            condition, text, ..
        } = response
        {
            greeting = Some(Greeting {
                condition: *condition,
                text: text.to_string(),
            });
        }
        Ok(())
    })?;
    match (received, greeting) {
        (Received::Untagged, Some(greeting))
            if matches!(greeting.condition, Condition::Ok | Condition::PreAuth) =>
        {
            Ok(greeting)
        }
        // A goodbye in place of a greeting: the next read returns its text.
        (Received::Untagged, None) if connection.has_ended() => {
            match connection.receive(&mut ignore) {
                Err(Error::Bye { text, code }) => Err(Error::TurnedAway { text, code }),
                Err(error) => Err(error),
                Ok(_) => Err(Error::Closed),
            }
        }
        (_, greeting) => {
            let text =
                greeting.map_or_else(|| "no IMAP greeting".to_owned(), |greeting| greeting.text);
            Err(Error::Protocol(text))
        }
    }
}

/// Requests STARTTLS, whether the server offers it or not: without it nothing is sent (RFC 3501
/// section 6.2.1).
fn start_tls(
    mut connection: Connection,
    dialer: &Dialer,
    greeting: &Greeting,
) -> Result<Connection, Error> {
    if greeting.condition == Condition::PreAuth {
        let text =
            "the server wants to continue without TLS (PREAUTH), which the address doesn't allow";
        return Err(Error::NoLogin(text.to_owned()));
    }
    ask_for_tls(&mut connection).map_err(|error| before_tls(error, TlsMode::StartTls))?;
    connection
        .encrypt(|stream| dialer.start_tls(stream))
        .map_err(|error| match error {
            Error::Net(error) => {
                Error::Net(error.with_fingerprint(|| dialer.fingerprint(up_to_tls(dialer)?)))
            }
            error => error,
        })
}

fn ask_for_tls(connection: &mut Connection) -> Result<(), Error> {
    let reply = connection.run(&Command::new("STARTTLS"), &mut ignore)?;
    if reply.is_ok() {
        return Ok(());
    }
    let text = reply.text;
    Err(Error::NoLogin(format!(
        "the server refuses STARTTLS, so nothing was sent; it says (unauthenticated): {text}"
    )))
}

/// Makes a separate connection up to the server's OK to STARTTLS, to look at its certificate.
fn up_to_tls(dialer: &Dialer) -> Result<Stream, net::Error> {
    const NOTHING: net::Error = net::Error::NotReady {
        reason: "the server did not begin TLS again",
    };
    let mut connection = Connection::new(dialer.dial()?, None);
    greet(&mut connection)
        .and_then(|_| ask_for_tls(&mut connection))
        .map_err(|_| NOTHING)?;
    connection.into_stream().ok_or(NOTHING)
}

fn authenticate(
    connection: &mut Connection,
    dialer: &Dialer,
    credentials: &Credentials,
) -> Result<(), Error> {
    if connection.capabilities().is_none() {
        connection.run(&Command::new("CAPABILITY"), &mut ignore)?;
    }
    check_revision(connection.capabilities())?;
    let offered = connection.capabilities().cloned().unwrap_or_default();
    connection.forget_capabilities();
    auth::authenticate(connection, credentials, dialer.settings(), &offered)
}
