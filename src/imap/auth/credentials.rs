//! Who logs in, and the secret that proves it. A password stays what it was; an access token lives for an hour, and a run may
//! take longer, so where it came from can be asked again.

use crate::address::{ImapAddress, Mechanism, Proof};
use crate::imap::Error;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How old a token may be when a login begins with it: the connections of one start share it, a later one asks anew.
const FRESH: Duration = Duration::from_secs(60);

/// Who logs in, and how.
pub struct Credentials {
    /// The user.
    pub user: String,
    /// Whose mailbox it is, where an administrator logs in.
    pub authzid: Option<String>,
    /// The password or token.
    pub secret: Secret,
    /// The mechanism; `None`: the one that protects most of those that the server offers and that fit.
    pub mechanism: Option<Mechanism>,
    /// Whether the connection shows a certificate of the user's.
    pub has_certificate: bool,
    /// Whether the server has shown that it can't bind a login to the certificate, whatever it offers.
    cannot_bind: AtomicBool,
}

impl Credentials {
    /// Whom an address names, and what proves that it is them.
    pub fn new(address: &ImapAddress, secret: Secret) -> Self {
        Self {
            user: address.user.clone(),
            authzid: address.authzid.clone(),
            secret,
            mechanism: address.auth,
            has_certificate: address.client_cert.is_some(),
            cannot_bind: AtomicBool::new(false),
        }
    }

    pub(super) fn cannot_bind(&self) -> bool {
        self.cannot_bind.load(Ordering::Relaxed)
    }

    /// From now on no login is bound, unless the user asks for it.
    pub(super) fn give_up_binding(&self) {
        self.cannot_bind.store(true, Ordering::Relaxed);
    }
}

/// Reads a secret again; an error is in words, without the secret.
type Source = Box<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// A password or token, and where a newer token comes from.
#[derive(Default)]
pub struct Secret {
    held: Mutex<Option<Held>>,
    source: Option<Source>,
}

struct Held {
    secret: SecretString,
    since: Instant,
}

impl Secret {
    /// One that stays.
    pub fn fixed(secret: SecretString) -> Self {
        Self { held: Mutex::new(Some(Held::now(secret))), source: None }
    }

    /// One that can be read again.
    pub fn renewable(
        secret: SecretString,
        source: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static,
    ) -> Self {
        Self { held: Mutex::new(Some(Held::now(secret))), source: Some(Box::new(source)) }
    }

    /// None: the mechanism needs none.
    pub fn none() -> Self {
        Self::default()
    }

    /// What to log in with. A token that is not fresh is read again first.
    pub(super) fn current(&self, wanted: Option<Mechanism>) -> Result<Option<SecretString>, Error> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(now) = &mut *held else { return Ok(None) };
        let is_token = is_token(&now.secret, wanted);
        if let Some(source) = self.source.as_ref().filter(|_| is_token && now.since.elapsed() > FRESH) {
            *now = Held::now(source().map_err(Error::Secret)?);
        }
        Ok(Some(now.secret.clone()))
    }

    /// What to try in place of a token that was refused: what another connection has read meanwhile, or what the source has
    /// now, if that is another.
    pub(super) fn renewed(&self, refused: &SecretString) -> Result<Option<SecretString>, Error> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = |secret: &SecretString| secret.expose_secret() != refused.expose_secret();
        let (Some(now), Some(source)) = (&mut *held, &self.source) else { return Ok(None) };
        if !is_other(&now.secret) {
            *now = Held::now(source().map_err(Error::Secret)?);
        }
        Ok(Some(now.secret.clone()).filter(is_other))
    }
}

impl Held {
    fn now(secret: SecretString) -> Self {
        Self { secret, since: Instant::now() }
    }
}

/// Whether a secret is an access token: by the mechanism if one is chosen, else by its look. No password is that long, and
/// Google's tokens begin alike.
pub(super) fn is_token(secret: &SecretString, wanted: Option<Mechanism>) -> bool {
    if let Some(mechanism) = wanted {
        return mechanism.proof() == Proof::Token;
    }
    let text = secret.expose_secret();
    // RFC 6750 section 2.1 `b64token`.
    let may_be = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
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
            assert_eq!(is_token(&secret.into(), wanted), expected, "{secret} {wanted:?}");
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
        assert_eq!(text(secret.current(Some(Mechanism::XOAuth2)).unwrap()).as_deref(), Some("first"));
        for _ in 0..3 {
            assert_eq!(text(secret.renewed(&"first".into()).unwrap()).as_deref(), Some("second"));
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        assert_eq!(text(secret.renewed(&"second".into()).unwrap()), None, "the source has no other");
    }

    #[test]
    fn a_token_that_is_not_fresh_is_read_again_and_a_password_is_not() {
        let old = || {
            let secret = Secret::renewable("first".into(), || Ok("second".into()));
            let since = Instant::now().checked_sub(FRESH + Duration::from_secs(1)).unwrap();
            secret.held.lock().unwrap().as_mut().unwrap().since = since;
            secret
        };
        for (wanted, expected) in
            [(Some(Mechanism::OAuthBearer), "second"), (Some(Mechanism::Plain), "first"), (None, "first")]
        {
            assert_eq!(text(old().current(wanted).unwrap()).as_deref(), Some(expected), "{wanted:?}");
        }
    }

    #[test]
    fn a_fixed_secret_is_never_another() {
        assert_eq!(text(Secret::fixed("x".into()).renewed(&"x".into()).unwrap()), None);
        assert_eq!(text(Secret::none().current(None).unwrap()), None);
    }

    #[test]
    fn a_source_that_fails_is_an_error() {
        let secret = Secret::renewable("first".into(), || Err("no luck".to_owned()));
        assert!(matches!(secret.renewed(&"first".into()), Err(Error::Secret(text)) if text == "no luck"));
    }
}
