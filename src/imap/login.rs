//! From a fresh connection to one that is ready: greeting, STARTTLS, login, and what the server says of itself.
//!
//! No byte of a secret goes out before TLS is up, unless the user asked for none. What was said before TLS, and what
//! was said before login, does not count.

use super::connection::{Connection, Received, ignore};
use super::response::{Condition, Response};
use super::wire::Command;
use super::{Capabilities, Error};
use crate::net::{Dialer, Phase, TlsMode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// Who logs in, and how.
pub struct Credentials {
    /// The user.
    pub user: String,
    /// Whose mailbox it is, where an administrator logs in.
    pub authzid: Option<String>,
    /// The password.
    pub password: SecretString,
    /// `PLAIN` or `LOGIN`; `None`: the better one that the server offers.
    pub mechanism: Option<String>,
}

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
    let mode = dialer.settings().tls;
    let mut connection = Connection::new(dialer.dial()?, trace);
    connection.set_phase(Phase::Greeting);
    let greeting = greet(&mut connection)?;
    connection.set_phase(Phase::Login);
    if mode == TlsMode::StartTls {
        connection = start_tls(connection, dialer, &greeting)?;
    }
    if greeting.condition == Condition::PreAuth {
        if mode != TlsMode::None {
            let text = "the server says that this connection is logged in already; it may be somebody else's mailbox";
            return Err(Error::NoLogin(text.to_owned()));
        }
    } else {
        authenticate(&mut connection, credentials)?;
    }
    if connection.capabilities().is_none() {
        connection.run(&Command::new("CAPABILITY"), &mut ignore)?;
    }
    connection.set_phase(Phase::Reply);
    if connection.has_ended() {
        // Dovecot says "OK Logged in, but initialization failed", and then BYE.
        connection.run(&Command::new("NOOP"), &mut ignore)?;
    }
    if !connection.capabilities().is_some_and(Capabilities::is_imap) {
        return Err(Error::Protocol("it offers no revision of IMAP4 after login".to_owned()));
    }
    Ok(LoggedIn { connection, greeting: greeting.text })
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
        (Received::Untagged, None) if connection.has_ended() => {
            connection.receive(&mut ignore)?;
            Err(Error::Closed)
        }
        (_, greeting) => {
            let text = greeting.map_or_else(|| "no greeting of an IMAP server".to_owned(), |greeting| greeting.text);
            Err(Error::Protocol(text))
        }
    }
}

/// STARTTLS, whether the server offers it or not: without it nothing is sent (RFC 3501 section 6.2.1).
fn start_tls(mut connection: Connection, dialer: &Dialer, greeting: &Greeting) -> Result<Connection, Error> {
    if greeting.condition == Condition::PreAuth {
        let text = "the server wants to go on without TLS (PREAUTH), which the address does not allow";
        return Err(Error::NoLogin(text.to_owned()));
    }
    let reply = connection.run(&Command::new("STARTTLS"), &mut ignore)?;
    if !reply.is_ok() {
        return Err(Error::NoLogin(format!("the server refuses STARTTLS, so nothing was sent: {}", reply.text)));
    }
    connection.encrypt(|stream| dialer.start_tls(stream))
}

fn authenticate(connection: &mut Connection, credentials: &Credentials) -> Result<(), Error> {
    if connection.capabilities().is_none() {
        connection.run(&Command::new("CAPABILITY"), &mut ignore)?;
    }
    let offered = connection.capabilities().cloned().unwrap_or_default();
    connection.forget_capabilities();
    let reply = if wants_plain(credentials, &offered)? {
        plain(connection, credentials, offered.has("SASL-IR"))?
    } else {
        let login = Command::new("LOGIN")
            .secret_string(credentials.user.as_bytes())
            .secret_string(credentials.password.expose_secret().as_bytes());
        connection.run(&login, &mut ignore)?
    };
    if reply.is_ok() { Ok(()) } else { Err(Error::Login { text: reply.text, code: reply.code }) }
}

/// Whether AUTHENTICATE PLAIN is to be used, and not LOGIN.
fn wants_plain(credentials: &Credentials, offered: &Capabilities) -> Result<bool, Error> {
    let has_plain = offered.has("AUTH=PLAIN");
    let wanted = credentials.mechanism.as_deref().map(str::to_ascii_uppercase);
    let plain = match wanted.as_deref() {
        Some("PLAIN") => true,
        Some("LOGIN") => false,
        // LOGIN can't carry who is to be acted for, and some servers take only ASCII in it.
        _ => credentials.authzid.is_some() || has_plain,
    };
    if !plain && credentials.authzid.is_some() {
        return Err(Error::NoLogin("LOGIN can't act for another user; use auth=PLAIN with authzid".to_owned()));
    }
    if !plain && offered.has("LOGINDISABLED") {
        let text = "the server forbids LOGIN here (LOGINDISABLED) and offers no AUTHENTICATE PLAIN; use TLS";
        return Err(Error::NoLogin(text.to_owned()));
    }
    Ok(plain)
}

/// AUTHENTICATE PLAIN (RFC 4616), with the response in the command itself where the server takes it there (RFC 4959).
fn plain(connection: &mut Connection, credentials: &Credentials, initial: bool) -> Result<super::Reply, Error> {
    let mut message = zeroize::Zeroizing::new(Vec::new());
    message.extend_from_slice(credentials.authzid.as_deref().unwrap_or("").as_bytes());
    message.push(0);
    message.extend_from_slice(credentials.user.as_bytes());
    message.push(0);
    message.extend_from_slice(credentials.password.expose_secret().as_bytes());
    let response = zeroize::Zeroizing::new(STANDARD.encode(&*message));
    if initial {
        return connection.run(&Command::new("AUTHENTICATE PLAIN").secret_text(&response), &mut ignore);
    }
    let ticket = connection.send(&Command::new("AUTHENTICATE PLAIN"))?;
    if let Some(reply) = connection.await_continuation(ticket, &mut ignore)? {
        return Ok(reply);
    }
    connection.answer(&Command::continuation(&response))?;
    connection.wait(ticket, &mut ignore)
}
