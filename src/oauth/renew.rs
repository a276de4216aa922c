//! An access token that is good now: the one that is kept, or a new one got by the refresh token (RFC 6749 section 6).

use super::client::{Tokens, Trouble};
use super::http::Http;
use super::kept::{Account, Kept};
use super::vault::Vault;
use crate::imap::{NoSecret, NoSecretCause};
use crate::store::{Error, ErrorKind};
use oauth2::RefreshToken;
use secrecy::SecretString;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An account that somebody has logged in to.
pub struct Login {
    vault: Vault,
    account: Account,
}

impl Login {
    /// The login of this user on this host, if there is one.
    ///
    /// # Errors
    /// A file that can't be used.
    pub fn find(vault: Vault, user: &str, host: &str) -> Result<Option<Self>, Error> {
        Ok(vault.account(user, host)?.map(|account| Self { vault, account }))
    }

    /// An access token that is good, and not the one that was refused. One run at a time renews it, and others take what it
    /// has got: a refresh token that rotates is good once.
    ///
    /// # Errors
    /// The server gives none any more, it can't be reached, or what was got can't be kept.
    pub fn access(&self, refused: Option<&SecretString>) -> Result<SecretString, NoSecret> {
        self.try_access(refused).map_err(no_secret)
    }

    fn try_access(&self, refused: Option<&SecretString>) -> Result<SecretString, Error> {
        let _alone = self.vault.alone(&self.account)?;
        let mut kept = self
            .vault
            .load(&self.account)?
            .ok_or_else(|| Error::new(ErrorKind::Authentication, "the tokens are gone").with_hint(self.again()))?;
        if let Some(token) = kept.usable(refused, since_1970()) {
            return Ok(token);
        }
        kept.take(self.refresh(&kept)?, since_1970());
        self.vault.save(&self.account, &kept)?;
        kept.usable(refused, Duration::ZERO).ok_or_else(|| {
            Error::new(ErrorKind::Authentication, "the OAuth server returned the token that was refused")
                .with_hint(self.again())
        })
    }

    fn refresh(&self, kept: &Kept) -> Result<Tokens, Error> {
        let Some(token) = &kept.refresh_token else {
            let text = "the login has expired, and the OAuth server gave no refresh token";
            return Err(Error::new(ErrorKind::Authentication, text).with_hint(self.again()));
        };
        let client = kept.client();
        let basic = client.basic()?;
        let http = Http::new();
        let call = |request| http.call(request);
        // Without scopes: they stay what they were.
        let granted = basic.exchange_refresh_token(&RefreshToken::new(token.to_string())).request(&call);
        granted.map(|response| Tokens::from(&response)).map_err(|error| {
            let trouble = Trouble::of(error, &client.redactor(&[token]));
            let is_final = trouble.error.kind == ErrorKind::Authentication;
            if is_final { trouble.error.with_hint(self.again()) } else { trouble.error }
        })
    }

    fn again(&self) -> String {
        format!("run `mailferry login {}` again", self.account.address)
    }
}

/// The time since 1970.
pub(super) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn no_secret(error: Error) -> NoSecret {
    let cause = match error.kind {
        ErrorKind::Authentication => NoSecretCause::Refused,
        ErrorKind::Unreachable => NoSecretCause::Unreachable,
        ErrorKind::Untrusted => NoSecretCause::Untrusted,
        _ => NoSecretCause::Local,
    };
    NoSecret { cause, text: error.message, hint: error.hint }
}
