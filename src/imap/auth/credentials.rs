//! Who logs in, and the secret that proves it. A password stays the same; an access token lasts for
//! an hour, and a run may take longer, so its source can be asked again.

use super::recall::Recall;
use crate::address::{ImapAddress, Mechanism, Proof};
use crate::imap::Error;
use crate::locks::lock;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How old a token may be when a login uses it: connections made at the same time share it, a later
/// one asks again.
const FRESH: Duration = Duration::from_secs(60);

/// Who logs in, and how.
pub struct Credentials {
    /// The user.
    pub user: String,
    /// Whose mailbox it is, if an administrator logs in.
    pub authzid: Option<String>,
    /// The password or token.
    pub secret: Secret,
    /// The mechanism; `None`: of those that the server offers and that fit, the one that protects
    /// most.
    pub mechanism: Option<Mechanism>,
    /// Whether the connection presents a certificate of the user's.
    pub has_certificate: bool,
    /// How the last run logged in.
    pub recall: Recall,
    /// Whether the server has shown that it can't bind a login to the certificate, whatever it
    /// offers.
    cannot_bind: AtomicBool,
}

impl Credentials {
    /// Makes the credentials for the user in an address.
    pub fn new(address: &ImapAddress, secret: Secret) -> Self {
        Self {
            user: address.user.clone(),
            authzid: address.authzid.clone(),
            secret,
            mechanism: address.auth,
            has_certificate: address.client_cert.is_some(),
            recall: Recall::default(),
            cannot_bind: AtomicBool::new(false),
        }
    }

    pub(super) fn cannot_bind(&self) -> bool {
        self.cannot_bind.load(Ordering::Relaxed)
    }

    /// Stops binding logins, unless the user asks for it.
    pub(super) fn give_up_binding(&self) {
        self.cannot_bind.store(true, Ordering::Relaxed);
    }
}

/// Why there is no secret to log in with.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct NoSecret {
    /// What caused it.
    pub cause: NoSecretCause,
    /// What was tried and what came back, without the secret.
    pub text: String,
    /// What the user can do.
    pub hint: Option<String>,
}

/// What caused the lack of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSecretCause {
    /// The issuer of tokens no longer grants any to this user.
    Refused,
    /// The issuer of tokens can't be reached.
    Unreachable,
    /// The issuer's server isn't trusted.
    Untrusted,
    /// A problem on this machine.
    Local,
}

/// Gets a secret again, if possible another one than the one that was refused.
type Source = Box<dyn Fn(Option<&SecretString>) -> Result<SecretString, NoSecret> + Send + Sync>;

/// A password or token, and where to get a newer token.
#[derive(Default)]
pub struct Secret {
    held: Mutex<Option<Held>>,
    source: Option<Source>,
    /// Whether it is an OAuth 2.0 access token, whatever it looks like.
    is_granted: bool,
}

struct Held {
    secret: SecretString,
    since: Instant,
}

impl Secret {
    /// Makes one that stays the same.
    pub fn fixed(secret: SecretString) -> Self {
        Self {
            held: Mutex::new(Some(Held::now(secret))),
            ..Self::default()
        }
    }

    /// Makes one that can be read again; an error is readable text without the secret.
    pub fn renewable(
        secret: SecretString,
        source: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static,
    ) -> Self {
        let failed = |text| NoSecret {
            cause: NoSecretCause::Local,
            text,
            hint: None,
        };
        let source = move |_: Option<&SecretString>| source().map_err(failed);
        Self {
            held: Mutex::new(Some(Held::now(secret))),
            source: Some(Box::new(source)),
            is_granted: false,
        }
    }

    /// Makes an OAuth 2.0 access token, which is obtained when needed, and again when it has
    /// expired or the server has refused it.
    pub fn granted(
        source: impl Fn(Option<&SecretString>) -> Result<SecretString, NoSecret> + Send + Sync + 'static,
    ) -> Self {
        Self {
            held: Mutex::default(),
            source: Some(Box::new(source)),
            is_granted: true,
        }
    }

    /// Makes none: the mechanism needs none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns what to log in with. A token that isn't fresh is read again first.
    pub(super) fn current(&self, wanted: Option<Mechanism>) -> Result<Option<SecretString>, Error> {
        let mut held = lock(&self.held);
        let is_stale = match &*held {
            None => self.is_granted,
            Some(now) => now.since.elapsed() > FRESH && self.kind(&now.secret, wanted).is_token(),
        };
        if let Some(source) = self.source.as_ref().filter(|_| is_stale) {
            *held = Some(Held::now(source(None)?));
        }
        Ok(held.as_ref().map(|now| now.secret.clone()))
    }

    /// Returns what to try in place of a refused token: what another connection has read since, or
    /// what the source has now, if that differs.
    pub(super) fn renewed(&self, refused: &SecretString) -> Result<Option<SecretString>, Error> {
        let mut held = lock(&self.held);
        let is_other = |secret: &SecretString| secret.expose_secret() != refused.expose_secret();
        let (Some(now), Some(source)) = (&mut *held, &self.source) else {
            return Ok(None);
        };
        if !is_other(&now.secret) {
            *now = Held::now(source(Some(refused))?);
        }
        Ok(Some(now.secret.clone()).filter(is_other))
    }

    /// Returns what it is, as far as a mechanism cares.
    pub(super) fn kind(&self, secret: &SecretString, wanted: Option<Mechanism>) -> Kind {
        if self.is_granted {
            Kind::Granted
        } else if is_token(secret, wanted) {
            Kind::Token
        } else {
            Kind::Password
        }
    }
}

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Password,
    /// It looks like an access token, or was said to be one.
    Token,
    /// An access token from `mailferry login`: only OAUTHBEARER and XOAUTH2 ever get it.
    Granted,
}

impl Kind {
    fn is_token(self) -> bool {
        self != Self::Password
    }
}

impl Held {
    fn now(secret: SecretString) -> Self {
        Self {
            secret,
            since: Instant::now(),
        }
    }
}

/// Reports whether a secret is an access token: by the mechanism if one is set, otherwise by its
/// look. No password is that long, and Google's tokens all begin the same.
fn is_token(secret: &SecretString, wanted: Option<Mechanism>) -> bool {
    if let Some(mechanism) = wanted {
        return mechanism.proof() == Proof::Token;
    }
    let text = secret.expose_secret();
    // RFC 6750 section 2.1 `b64token`.
    let may_be = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    may_be && (text.len() > 128 || text.starts_with("ya29."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn text(secret: Option<SecretString>) -> Option<String> {
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn tokens_are_told_by_the_mechanism_or_by_their_look() {
        let table = [
            ("hunter2", None, false),
            ("hunter2", Some(Mechanism::XOAuth2), true),
            ("ya29.a0", None, true),
            ("ya29.a0", Some(Mechanism::Plain), false),
            (&"x".repeat(129), None, true),
            (&"x y".repeat(129), None, false),
        ];
        for (secret, wanted, expected) in table {
            assert_eq!(
                is_token(&secret.into(), wanted),
                expected,
                "{secret} {wanted:?}"
            );
        }
    }

    #[test]
    fn a_refused_token_is_read_again_once_for_all_connections() {
        let reads = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&reads);
        let secret = Secret::renewable("first".into(), move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok("second".into())
        });
        assert_eq!(
            text(secret.current(Some(Mechanism::XOAuth2)).unwrap()).as_deref(),
            Some("first")
        );
        for _ in 0..3 {
            assert_eq!(
                text(secret.renewed(&"first".into()).unwrap()).as_deref(),
                Some("second")
            );
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        assert_eq!(
            text(secret.renewed(&"second".into()).unwrap()),
            None,
            "the source has no other"
        );
    }

    #[test]
    fn a_token_that_is_not_fresh_is_read_again_and_a_password_is_not() {
        let old = || {
            let secret = Secret::renewable("first".into(), || Ok("second".into()));
            let since = Instant::now()
                .checked_sub(FRESH + Duration::from_secs(1))
                .unwrap();
            secret.held.lock().unwrap().as_mut().unwrap().since = since;
            secret
        };
        for (wanted, expected) in [
            (Some(Mechanism::OAuthBearer), "second"),
            (Some(Mechanism::Plain), "first"),
            (None, "first"),
        ] {
            assert_eq!(
                text(old().current(wanted).unwrap()).as_deref(),
                Some(expected),
                "{wanted:?}"
            );
        }
    }

    #[test]
    fn a_fixed_secret_is_never_another() {
        assert_eq!(
            text(Secret::fixed("x".into()).renewed(&"x".into()).unwrap()),
            None
        );
        assert_eq!(text(Secret::none().current(None).unwrap()), None);
    }

    #[test]
    fn a_source_that_fails_is_an_error() {
        let secret = Secret::renewable("first".into(), || Err("no luck".to_owned()));
        assert!(
            matches!(secret.renewed(&"first".into()), Err(Error::Secret(error)) if error.text == "no luck")
        );
    }

    #[test]
    fn a_granted_token_is_got_when_it_is_needed_and_told_which_one_was_refused() {
        let secret =
            Secret::granted(
                |refused| match refused.map(secrecy::ExposeSecret::expose_secret) {
                    None => Ok("first".into()),
                    Some("first") => Ok("second".into()),
                    Some(other) => panic!("{other}"),
                },
            );
        assert_eq!(
            text(secret.current(None).unwrap()).as_deref(),
            Some("first")
        );
        assert_eq!(
            secret.kind(&"first".into(), None),
            Kind::Granted,
            "whatever it looks like"
        );
        assert_eq!(
            text(secret.renewed(&"first".into()).unwrap()).as_deref(),
            Some("second")
        );
        assert_eq!(
            text(secret.current(None).unwrap()).as_deref(),
            Some("second")
        );
    }
}
