//! An account's tokens, as stored between runs.

use super::client::{Client, Tokens};
use super::endpoint::Endpoint;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

/// How much longer a token must be valid to be used: a login takes time, and clocks differ.
const MARGIN: Duration = Duration::from_secs(60);

/// The owner of tokens: they go to this host and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Who logs in.
    pub user: String,
    /// The IMAP server.
    pub host: String,
    /// The mailbox as the user typed it, for hints.
    pub address: String,
}

/// The refresh token and the last access token. Has no `Debug`, as it consists of secrets.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<Zeroizing<String>>,
    token_endpoint: String,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<Zeroizing<String>>,
    access_token: Zeroizing<String>,
    /// Seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

impl Kept {
    /// Makes it from a login's tokens. `now` is the time since 1970.
    pub fn new(client: &Client, tokens: Tokens, now: Duration) -> Self {
        let mut kept = Self {
            client_id: client.id.clone(),
            client_secret: client
                .secret
                .as_ref()
                .map(|secret| Zeroizing::new(secret.expose_secret().to_owned())),
            token_endpoint: client
                .token
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            scopes: client.scopes.clone(),
            refresh_token: None,
            access_token: Zeroizing::default(),
            expires_at: None,
        };
        kept.take(tokens, now);
        kept
    }

    /// Stores a renewal's tokens; if the server sends no new refresh token, the old one stays valid
    /// (RFC 6749 section 6).
    pub(super) fn take(&mut self, tokens: Tokens, now: Duration) {
        self.access_token = tokens.access;
        self.refresh_token = tokens.refresh.or_else(|| self.refresh_token.take());
        self.expires_at = tokens
            .lives
            .map(|lives| now.saturating_add(lives).as_secs());
    }

    /// Returns the access token, if it is still valid and not the refused one.
    pub(super) fn usable(
        &self,
        refused: Option<&SecretString>,
        now: Duration,
    ) -> Option<SecretString> {
        let is_refused =
            refused.is_some_and(|refused| refused.expose_secret() == self.access_token.as_str());
        let is_good = self
            .expires_at
            .is_none_or(|end| now.saturating_add(MARGIN).as_secs() < end);
        (is_good && !is_refused && !self.access_token.is_empty())
            .then(|| SecretString::from(self.access_token.as_str()))
    }

    /// Reports whether it can be renewed without the user.
    pub fn lasts(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// Returns the client for the next renewal.
    pub(super) fn client(&self) -> Client {
        let secret = self
            .client_secret
            .as_ref()
            .map(|secret| SecretString::from(secret.as_str()));
        let client = Client::new(self.client_id.clone(), secret);
        Client {
            token: Endpoint::parse(&self.token_endpoint).ok(),
            scopes: self.scopes.clone(),
            ..client
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn tokens(access: &str, refresh: Option<&str>, lives: Option<u64>) -> Tokens {
        Tokens {
            access: Zeroizing::new(access.to_owned()),
            refresh: refresh.map(|token| Zeroizing::new(token.to_owned())),
            lives: lives.map(Duration::from_secs),
        }
    }

    #[test]
    fn a_token_is_used_while_it_is_good_and_not_refused() {
        let client = Client::new("id".to_owned(), None);
        let table = [
            (Some(3600), None, true),
            (Some(61), None, true),
            (Some(60), None, false),
            (Some(0), None, false),
            (None, None, true),
            (Some(3600), Some("access"), false),
            (Some(3600), Some("other"), true),
        ];
        for (lives, refused, expected) in table {
            let kept = Kept::new(&client, tokens("access", None, lives), NOW);
            let refused = refused.map(SecretString::from);
            assert_eq!(
                kept.usable(refused.as_ref(), NOW).is_some(),
                expected,
                "{lives:?} {refused:?}"
            );
        }
    }

    #[test]
    fn a_new_refresh_token_takes_the_place_of_the_old_one_and_none_leaves_it() {
        let mut kept = Kept::new(
            &Client::new("id".to_owned(), None),
            tokens("a", Some("first"), None),
            NOW,
        );
        kept.take(tokens("b", None, None), NOW);
        assert_eq!(
            kept.refresh_token.as_deref().map(String::as_str),
            Some("first")
        );
        kept.take(tokens("c", Some("second"), None), NOW);
        assert_eq!(
            kept.refresh_token.as_deref().map(String::as_str),
            Some("second")
        );
    }
}
