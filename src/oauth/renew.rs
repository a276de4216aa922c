//! A valid access token: the stored one, or a new one from the refresh token (RFC 6749 section 6).

use super::client::{Tokens, Trouble};
use super::http::Http;
use super::kept::{Account, Kept};
use super::vault::Vault;
use crate::imap::{NoSecret, NoSecretCause};
use crate::store::{Error, ErrorKind};
use oauth2::RefreshToken;
use secrecy::SecretString;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An account that the user has logged in to.
pub struct Login {
    vault: Vault,
    account: Account,
}

impl Login {
    /// Finds the login of this user on this host, if there is one.
    ///
    /// # Errors
    /// A file that can't be used.
    pub fn find(vault: Vault, user: &str, host: &str) -> Result<Option<Self>, Error> {
        Ok(vault
            .account(user, host)?
            .map(|account| Self { vault, account }))
    }

    /// Returns a valid access token other than the refused one. One run at a time renews it, and
    /// others use the result: a rotating refresh token works only once.
    ///
    /// # Errors
    /// The server no longer issues any, it can't be reached, or the result can't be stored.
    pub fn access(&self, refused: Option<&SecretString>) -> Result<SecretString, NoSecret> {
        self.try_access(refused).map_err(no_secret)
    }

    fn try_access(&self, refused: Option<&SecretString>) -> Result<SecretString, Error> {
        let _alone = self.vault.alone(&self.account)?;
        let mut kept = self.vault.load(&self.account)?.ok_or_else(|| {
            Error::new(ErrorKind::Authentication, "the tokens are gone").with_hint(self.again())
        })?;
        if let Some(token) = kept.usable(refused, since_1970()) {
            return Ok(token);
        }
        kept.take(self.refresh(&kept)?, since_1970());
        self.vault.save(&self.account, &kept)?;
        kept.usable(refused, Duration::ZERO).ok_or_else(|| {
            Error::new(
                ErrorKind::Authentication,
                "the OAuth server returned the token that was refused",
            )
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
        // Without scopes: they stay the same.
        let granted = basic
            .exchange_refresh_token(&RefreshToken::new(token.to_string()))
            .request(&call);
        granted
            .map(|response| Tokens::from(&response))
            .map_err(|error| {
                let trouble = Trouble::of(error, &client.redactor(&[token]));
                let is_final = trouble.error.kind == ErrorKind::Authentication;
                if is_final {
                    trouble.error.with_hint(self.again())
                } else {
                    trouble.error
                }
            })
    }

    fn again(&self) -> String {
        format!("run `mailferry login {}` again", self.account.address)
    }
}

/// Returns the time since 1970.
pub(super) fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn no_secret(error: Error) -> NoSecret {
    let cause = match error.kind {
        ErrorKind::Authentication => NoSecretCause::Refused,
        ErrorKind::Unreachable => NoSecretCause::Unreachable,
        ErrorKind::Untrusted => NoSecretCause::Untrusted,
        _ => NoSecretCause::Local,
    };
    NoSecret {
        cause,
        text: error.message,
        hint: error.hint,
    }
}
