//! SCRAM (RFC 5802, RFC 7677): neither side learns the password from the other, and each proves
//! that it knows it. rsasl does the cryptography; what it leaves open is closed here.
//!
//! - The server chooses how often the password is hashed: fewer than 4096 times would make the
//!   answer easy to break, many more would keep this machine busy for minutes (RFC 7677 section 4).
//! - `-PLUS` binds the login to the server's certificate (`tls-server-end-point`, RFC 5929), so
//!   that a man in the middle can't relay it. The TLS library gives no access to `tls-exporter`
//!   (RFC 9266).

use super::exchange::{Failure, Message, Sasl, asks_too_much};
use super::library::{self, Session};
use crate::address::Mechanism;
use rsasl::prelude::{ChannelBindingCallback, SessionError};
use std::borrow::Cow;
use std::mem;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// How often a password may be hashed.
const ITERATIONS: RangeInclusive<u32> = 4096..=1_000_000;

/// The only kind of channel binding that the TLS library makes possible.
pub(super) const END_POINT: &str = "tls-server-end-point";

/// What the client says about channel binding (RFC 5802 section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// `n`: it has none, or doesn't use it.
    None,
    /// `y`: it could, but the server doesn't offer it. A server that does can tell from this that
    /// the offer was removed.
    NotOffered,
    /// `p`: the login is bound to this.
    EndPoint(Vec<u8>),
}

impl Binding {
    /// Returns what to say, given what there is to bind to and whether the server offers it.
    pub(super) fn of(mechanism: Mechanism, end_point: Option<Vec<u8>>, is_offered: bool) -> Self {
        match end_point {
            Some(end_point) if mechanism.binds_channel() => Self::EndPoint(end_point),
            Some(_) if !is_offered => Self::NotOffered,
            _ => Self::None,
        }
    }
}

impl ChannelBindingCallback for Binding {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        match self {
            Self::EndPoint(data) if name == END_POINT => Some(data),
            _ => None,
        }
    }
}

/// An exchange, and what it is waiting for.
struct Scram {
    session: Session,
    waits_for: Awaited,
    /// Whether the server has proved that it knows the password.
    is_proved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    First,
    Final,
    Nothing,
}

/// Starts an exchange.
pub(super) fn begin(
    mechanism: Mechanism,
    binding: Binding,
    authzid: Option<&str>,
    user: &str,
    password: &str,
) -> Result<Box<dyn Sasl>, Failure> {
    let password = Zeroizing::new(prepared(password).into_owned());
    let session = library::start(mechanism, binding, authzid, &prepared(user), &password)?;
    Ok(Box::new(Scram {
        session,
        waits_for: Awaited::First,
        is_proved: false,
    }))
}

/// Returns a name or password in the form that both sides hash (SASLprep, RFC 4013). A text without
/// one is used unchanged, as servers do.
fn prepared(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}

impl Scram {
    fn step(&mut self, input: Option<&[u8]>) -> Result<Message, Failure> {
        library::step(&mut self.session, input)
            .map(|(_, output)| output)
            .map_err(|error| meaning(&error))
    }
}

impl Sasl for Scram {
    fn initial(&mut self) -> Result<Option<Message>, Failure> {
        self.step(None).map(Some)
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Message, Failure> {
        // After a failure nothing more is accepted.
        match mem::replace(&mut self.waits_for, Awaited::Nothing) {
            Awaited::First => {
                check_first(challenge)?;
                let answer = self.step(Some(challenge))?;
                self.waits_for = Awaited::Final;
                Ok(answer)
            }
            Awaited::Final => {
                check_final(challenge)?;
                let answer = self.step(Some(challenge))?;
                self.is_proved = true;
                Ok(answer)
            }
            Awaited::Nothing => Err(asks_too_much()),
        }
    }

    fn is_complete(&self) -> bool {
        self.is_proved
    }
}

/// Checks the server's first message before a password is hashed as it demands, and before rsasl,
/// which panics on short fields, sees it: `r=NONCE,s=SALT,i=ITERATIONS` (RFC 5802 section 7
/// `server-first-message`).
fn check_first(message: &[u8]) -> Result<(), Failure> {
    let distrust = |text: String| Err(Failure::Distrust(text));
    let mut fields = message.split(|byte| *byte == b',');
    let mut field = |name: &[u8; 2]| fields.next().and_then(|field| field.strip_prefix(name));
    if message.starts_with(b"m=") {
        return distrust("the server demands an unknown SCRAM extension".to_owned());
    }
    let (Some(_), Some(_), Some(digits)) = (field(b"r="), field(b"s="), field(b"i=")) else {
        return distrust("the server's first message is not valid SCRAM".to_owned());
    };
    match str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
    {
        Some(iterations) if ITERATIONS.contains(&iterations) => Ok(()),
        iterations => distrust(format!(
            "the server wants the password hashed {} times; mailferry accepts from {} to {} times",
            iterations.map_or_else(
                || "an invalid number of".to_owned(),
                |iterations| iterations.to_string()
            ),
            ITERATIONS.start(),
            ITERATIONS.end()
        )),
    }
}

/// Checks the server's last message: its signature, or its reason for refusing.
fn check_final(message: &[u8]) -> Result<(), Failure> {
    if let Some(word) = message.strip_prefix(b"e=") {
        return Err(Failure::Refused(String::from_utf8_lossy(word).into_owned()));
    }
    let is_signature = message.starts_with(b"v=");
    if is_signature {
        Ok(())
    } else {
        Err(Failure::Distrust(
            "the server's last message is not valid SCRAM".to_owned(),
        ))
    }
}

/// Translates an error of rsasl.
fn meaning(error: &SessionError) -> Failure {
    Failure::Distrust(match error {
        SessionError::MutualAuthenticationFailed => {
            "the server failed to prove it knows the password; it may be an impostor".to_owned()
        }
        SessionError::MechanismError(error) => format!("the server's response is invalid: {error}"),
        error => format!("the server's response is invalid: {error}"),
    })
}

#[cfg(test)]
#[path = "scram_tests.rs"]
mod tests;
