//! Authentication: proves who the user is in the way that protects most (RFC 3501 section 6.2.2,
//! RFC 4422).
//!
//! ```text
//! credentials  who logs in, and the secret, which may be re-read   choose   the mechanism, by what both sides have
//! exchange     AUTHENTICATE: challenges and answers                simple   PLAIN, LOGIN, EXTERNAL, CRAM-MD5, …
//! library      the exchanges that rsasl runs                       scram    SCRAM, with and without channel binding
//! bearer       OAUTHBEARER, XOAUTH2           ntlm    NTLM            gssapi    Kerberos, if built in
//! recall       how the last run logged in
//! ```
//!
//! Invariants: a password is tried once; a refused mechanism isn't replaced by a weaker one (except
//! for the binding, before any proof was given), nor is a stronger one that the server no longer
//! offers; a server that must prove itself (SCRAM) is believed only once it has; no trace and no
//! error shows a secret or a line of an exchange.

mod bearer;
mod choose;
mod credentials;
mod exchange;
#[cfg(feature = "gssapi")]
mod gssapi;
mod library;
mod ntlm;
mod recall;
mod scram;
mod simple;

pub use credentials::{Credentials, NoSecret, NoSecretCause, Secret};
pub use recall::Recall;

use self::choose::{Held, Situation, Way};
use self::exchange::{Failure, Outcome, Sasl};
use super::connection::{Connection, Reply, ignore};
use super::wire::Command;
use super::{Capabilities, Code, Error};
use crate::address::{Mechanism, Proof};
use crate::net::DialSettings;
use secrecy::{ExposeSecret, SecretString};

/// Logs in on a connection whose server has announced what it offers.
///
/// If a token is refused and its source can have a newer one, it is asked once and, if it does, the
/// login is retried. A password is never retried: repeated failures lock accounts. A server that
/// binds logins only to what the TLS library doesn't provide (`tls-unique`, `tls-exporter`) says so
/// before it checks the password: then the login isn't bound, unless the user chose the mechanism.
///
/// # Errors
/// A refusal, no suitable mechanism, a server that doesn't prove what it must, or a failure that
/// ends the connection.
pub(super) fn authenticate(
    connection: &mut Connection,
    credentials: &Credentials,
    server: &DialSettings,
    offered: &Capabilities,
) -> Result<(), Error> {
    let mut secret = credentials.secret.current(credentials.mechanism)?;
    // Once: with a source that has another token each time, a server that refuses them all would be
    // tried endlessly.
    let mut may_renew = true;
    loop {
        let way = choose(connection, credentials, offered, secret.as_ref())?;
        connection.begin_login(secret.as_ref());
        let attempt = Attempt {
            credentials,
            server,
            offered,
            secret: secret.as_ref(),
        };
        let result = attempt.run(connection, way);
        connection.end_login();
        let outcome = result?;
        if outcome.reply.is_ok() {
            if credentials.mechanism.is_none() {
                credentials.recall.keep(way.mechanism());
            }
            return Ok(());
        }
        if way.binds_channel() && credentials.mechanism.is_none() && binds_otherwise(&outcome) {
            credentials.give_up_binding();
            continue;
        }
        let Outcome { reply, remark, .. } = outcome;
        let is_of_use = may_renew && way.proof() == Proof::Token && is_about_the_token(&reply);
        if let Some(refused) = secret.as_ref().filter(|_| is_of_use)
            && let Some(newer) = credentials.secret.renewed(refused)?
        {
            (secret, may_renew) = (Some(newer), false);
            continue;
        }
        let words = remark.map_or_else(
            || reply.text.clone(),
            |remark| format!("{} ({remark})", reply.text),
        );
        let text = connection.redacted(&words);
        return Err(Error::Login {
            text,
            code: reply.code,
            way: way.name(),
            offered: choose::list(offered),
        });
    }
}

/// Chooses how to log in.
fn choose(
    connection: &Connection,
    credentials: &Credentials,
    offered: &Capabilities,
    secret: Option<&SecretString>,
) -> Result<Way, Error> {
    let wanted = credentials.mechanism;
    let kind = |secret: &SecretString| Held::Secret(credentials.secret.kind(secret, wanted));
    let situation = Situation {
        offered,
        wanted,
        held: secret.map_or(Held::Nothing, kind),
        has_certificate: credentials.has_certificate,
        has_authzid: credentials.authzid.is_some(),
        can_bind: (wanted.is_some() || !credentials.cannot_bind())
            && connection.server_end_point().is_some(),
        gave_up_binding: credentials.cannot_bind(),
        is_encrypted: connection.is_encrypted(),
        is_ascii: secret.is_none_or(|secret| secret.expose_secret().is_ascii())
            && credentials.user.is_ascii(),
    };
    let way = choose::choose(&situation)?;
    // What the user has named is what the user wants.
    match credentials.recall.last().filter(|_| wanted.is_none()) {
        Some(before) if choose::is_downgrade(&situation, before, way) => Err(Error::Downgrade {
            before,
            now: way.name(),
        }),
        _ => Ok(way),
    }
}

/// Reports whether the server can't bind a login in the way that we do. Bindings that differ
/// (`channel-bindings-dont-match`) are another matter: there may be a man in the middle.
fn binds_otherwise(outcome: &Outcome) -> bool {
    let text = outcome.reply.text.to_ascii_lowercase();
    // The second is how Cyrus SASL reports a different kind; for a wrong password it says
    // "authentication failure".
    let words = ["unsupported-channel-binding-type", "bad protocol"];
    outcome.was_refused_at_once || words.iter().any(|word| text.contains(word))
}

/// Reports whether a newer token may work better.
fn is_about_the_token(reply: &Reply) -> bool {
    matches!(
        reply.code,
        None | Some(Code::AuthenticationFailed | Code::Expired)
    )
}

/// One attempt.
struct Attempt<'a> {
    credentials: &'a Credentials,
    server: &'a DialSettings,
    offered: &'a Capabilities,
    secret: Option<&'a SecretString>,
}

impl Attempt<'_> {
    fn run(&self, connection: &mut Connection, way: Way) -> Result<Outcome, Error> {
        let mechanism = match way {
            Way::Sasl(mechanism) => mechanism,
            Way::Command => {
                let login = Command::new("LOGIN")
                    .secret_string(self.credentials.user.as_bytes())
                    .secret_string(self.secret()?.as_bytes());
                let reply = connection.run(&login, &mut ignore)?;
                return Ok(Outcome {
                    reply,
                    remark: None,
                    was_refused_at_once: false,
                });
            }
        };
        let mut sasl = self.begin(mechanism, connection.server_end_point())?;
        exchange::run(connection, mechanism, &mut *sasl, self.offered)
    }

    /// Starts the client's side of a mechanism.
    fn begin(
        &self,
        mechanism: Mechanism,
        end_point: Option<Vec<u8>>,
    ) -> Result<Box<dyn Sasl>, Error> {
        let user = self.credentials.user.as_str();
        let authzid = self.credentials.authzid.as_deref();
        let sasl: Result<Box<dyn Sasl>, Failure> = match mechanism {
            Mechanism::Plain | Mechanism::Login => {
                simple::begin(mechanism, authzid, user, self.secret()?)
            }
            Mechanism::CramMd5 => Ok(simple::cram_md5(user, self.secret()?)),
            Mechanism::Ntlm => ntlm::begin(user, self.secret()?),
            Mechanism::Gssapi => self.kerberos(),
            Mechanism::External => {
                simple::begin(mechanism, Some(authzid.unwrap_or(user)), user, "")
            }
            Mechanism::Anonymous => simple::begin(mechanism, None, user, ""),
            Mechanism::OAuthBearer => {
                bearer::oauthbearer(authzid.unwrap_or(user), self.server, self.secret()?)
            }
            Mechanism::XOAuth2 => bearer::xoauth2(user, self.secret()?),
            Mechanism::ScramSha256Plus
            | Mechanism::ScramSha1Plus
            | Mechanism::ScramSha256
            | Mechanism::ScramSha1 => {
                let binding =
                    scram::Binding::of(mechanism, end_point, choose::offers_binding(self.offered));
                scram::begin(mechanism, binding, authzid, user, self.secret()?)
            }
        };
        sasl.map_err(|failure| failure.into_error(mechanism, self.offered))
    }

    #[cfg(feature = "gssapi")]
    fn kerberos(&self) -> Result<Box<dyn Sasl>, Failure> {
        gssapi::begin(
            &self.server.host,
            &self.credentials.user,
            self.credentials.authzid.as_deref(),
        )
    }

    #[cfg(not(feature = "gssapi"))]
    #[expect(clippy::unused_self, reason = "the same as where it is built in")]
    fn kerberos(&self) -> Result<Box<dyn Sasl>, Failure> {
        let text = "this mailferry was built without Kerberos; build it with `cargo build --release --features gssapi`";
        Err(Failure::Unfit(text.to_owned()))
    }

    fn secret(&self) -> Result<&str, Error> {
        let missing = || Error::NoMechanism {
            text: "no password for the login".to_owned(),
            hint: "pass a password, or auth=EXTERNAL with client-cert=".to_owned(),
        };
        self.secret
            .map(ExposeSecret::expose_secret)
            .ok_or_else(missing)
    }
}
