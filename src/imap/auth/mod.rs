//! Authentication: who is at the door, proved in the way that protects most (RFC 3501 section 6.2.2, RFC 4422).
//!
//! ```text
//! credentials  who logs in, and the secret that may be read anew      choose    the mechanism, by what both sides have
//! exchange     AUTHENTICATE: challenges and answers                   simple    PLAIN, LOGIN, EXTERNAL, ANONYMOUS, CRAM-MD5
//! bearer       OAUTHBEARER, XOAUTH2                                   scram     SCRAM, with and without channel binding
//! ```
//!
//! What stays true: a password is tried once, a mechanism that is not there is not replaced by a weaker one that was not
//! asked for, a server that must prove itself (SCRAM) is believed only when it has, and no trace and no error shows a secret or
//! a line of an exchange.

mod bearer;
mod choose;
mod credentials;
mod exchange;
mod scram;
mod simple;

pub use credentials::{Credentials, Secret};

use self::choose::{Held, Situation, Way};
use self::exchange::{Failure, Sasl};
use super::connection::{Connection, Reply, ignore};
use super::wire::Command;
use super::{Capabilities, Code, Error};
use crate::address::{Mechanism, Proof};
use crate::net::DialSettings;
use secrecy::{ExposeSecret, SecretString};

/// Logs in on a connection whose server has said what it offers.
///
/// A token that is refused is asked for again where its source can have a newer one, and tried once more if it has. A
/// password never is: repeated failures lock accounts.
///
/// # Errors
/// A refusal, no mechanism that fits, a server that does not prove what it must, or what ends the connection.
pub(super) fn authenticate(
    connection: &mut Connection,
    credentials: &Credentials,
    server: &DialSettings,
    offered: &Capabilities,
) -> Result<(), Error> {
    let mut secret = credentials.secret.current(credentials.mechanism)?;
    let way = choose::choose(&Situation {
        offered,
        wanted: credentials.mechanism,
        held: Held::of(secret.as_ref(), credentials.mechanism),
        has_certificate: credentials.has_certificate,
        has_authzid: credentials.authzid.is_some(),
        can_bind: connection.server_end_point().is_some(),
        is_encrypted: connection.is_encrypted(),
        is_ascii: secret.as_ref().is_none_or(|secret| secret.expose_secret().is_ascii()) && credentials.user.is_ascii(),
    })?;
    let reply = loop {
        connection.begin_login(secret.clone());
        let attempt = Attempt { credentials, server, offered, secret: secret.as_ref() };
        let result = attempt.run(connection, way);
        connection.end_login();
        let (reply, remark) = result?;
        if reply.is_ok() {
            return Ok(());
        }
        match secret.as_ref().filter(|_| way.proof() == Proof::Token && is_about_the_token(&reply)) {
            Some(refused) => match credentials.secret.renewed(refused)? {
                Some(newer) => secret = Some(newer),
                None => break with_remark(reply, remark),
            },
            None => break with_remark(reply, remark),
        }
    };
    let text = without_secret(&reply.text, secret.as_ref());
    Err(Error::Login { text, code: reply.code, way: way.name(), offered: choose::list(offered) })
}

/// Whether a newer token may do better.
fn is_about_the_token(reply: &Reply) -> bool {
    matches!(reply.code, None | Some(Code::AuthenticationFailed | Code::Expired))
}

fn with_remark(reply: Reply, remark: Option<String>) -> Reply {
    match remark {
        Some(remark) => Reply { text: format!("{} ({remark})", reply.text), ..reply },
        None => reply,
    }
}

/// A server's words without the secret, should it repeat it.
fn without_secret(text: &str, secret: Option<&SecretString>) -> String {
    match secret.map(ExposeSecret::expose_secret) {
        Some(secret) if !secret.is_empty() => text.replace(secret, "<hidden>"),
        _ => text.to_owned(),
    }
}

/// One try.
struct Attempt<'a> {
    credentials: &'a Credentials,
    server: &'a DialSettings,
    offered: &'a Capabilities,
    secret: Option<&'a SecretString>,
}

impl Attempt<'_> {
    /// The server's reply, and what it said besides.
    fn run(&self, connection: &mut Connection, way: Way) -> Result<(Reply, Option<String>), Error> {
        let mechanism = match way {
            Way::Sasl(mechanism) => mechanism,
            Way::Command => {
                let login = Command::new("LOGIN")
                    .secret_string(self.credentials.user.as_bytes())
                    .secret_string(self.secret()?.as_bytes());
                return Ok((connection.run(&login, &mut ignore)?, None));
            }
        };
        let mut sasl = self.begin(mechanism, connection.server_end_point())?;
        exchange::run(connection, mechanism, &mut *sasl, self.offered)
    }

    /// The client's side of a mechanism.
    fn begin(&self, mechanism: Mechanism, end_point: Option<Vec<u8>>) -> Result<Box<dyn Sasl>, Error> {
        let user = self.credentials.user.as_str();
        let authzid = self.credentials.authzid.as_deref();
        let sasl: Result<Box<dyn Sasl>, Failure> = match mechanism {
            Mechanism::Plain => simple::plain(authzid, user, self.secret()?),
            Mechanism::Login => Ok(simple::login(user, self.secret()?)),
            Mechanism::CramMd5 => Ok(simple::cram_md5(user, self.secret()?)),
            Mechanism::External => Ok(simple::external(authzid.unwrap_or(user))),
            Mechanism::Anonymous => Ok(simple::anonymous(user)),
            Mechanism::OAuthBearer => bearer::oauthbearer(authzid.unwrap_or(user), self.server, self.secret()?),
            Mechanism::XOAuth2 => bearer::xoauth2(user, self.secret()?),
            Mechanism::ScramSha256Plus | Mechanism::ScramSha1Plus | Mechanism::ScramSha256 | Mechanism::ScramSha1 => {
                let binding = scram::Binding::of(mechanism, end_point, choose::offers_binding(self.offered));
                scram::begin(mechanism, binding, authzid, user, self.secret()?)
            }
        };
        sasl.map_err(|failure| failure.into_error(mechanism, self.offered))
    }

    fn secret(&self) -> Result<&str, Error> {
        let missing = || Error::NoMechanism {
            text: "there is no password for the login".to_owned(),
            hint: "give a password, or auth=EXTERNAL with client-cert=".to_owned(),
        };
        self.secret.map(ExposeSecret::expose_secret).ok_or_else(missing)
    }
}
