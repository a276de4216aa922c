//! What every way to a token needs: who asks, whom, for what, and what a failure means.

use super::endpoint::Endpoint;
use super::http::HttpError;
use super::profile::{OTHER, Profile};
use crate::address::Provider;
use crate::imap::Redactor;
use crate::store::{Error, ErrorKind};
use oauth2::basic::BasicTokenResponse;
use oauth2::{
    AuthType, ClientId, ClientSecret, ErrorResponseType, RequestTokenError, Scope, StandardErrorResponse,
    TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt::Display;
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest of a server's words that is shown.
const MAX_WORDS: usize = 300;

/// A registered client, and the server where it is registered.
pub struct Client {
    /// Its public name.
    pub id: String,
    /// What servers call its secret; a program on a user's machine can't keep one, and many have none.
    pub secret: Option<SecretString>,
    /// Where users agree.
    pub authorization: Option<Endpoint>,
    /// Where tokens are given.
    pub token: Option<Endpoint>,
    /// Where codes for other devices are given.
    pub device: Option<Endpoint>,
    /// What is asked for.
    pub scopes: Vec<String>,
    pub(super) profile: &'static Profile,
}

/// What a server has given.
pub struct Tokens {
    /// What logs in.
    pub access: Zeroizing<String>,
    /// What gets the next one.
    pub refresh: Option<Zeroizing<String>>,
    /// How long the first lives, if that was said.
    pub lives: Option<Duration>,
}

/// A client for the token endpoint alone.
pub(super) type Basic = oauth2::basic::BasicClient<
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

impl Client {
    /// One of which only the name is known.
    pub fn new(id: String, secret: Option<SecretString>) -> Self {
        Self { id, secret, authorization: None, token: None, device: None, scopes: Vec::new(), profile: &OTHER }
    }

    /// The same with what is known of its provider, where nothing else was said.
    #[must_use]
    pub fn at(mut self, provider: Option<Provider>) -> Self {
        if let Some(provider) = provider {
            Profile::of(provider).complete(&mut self);
        }
        self
    }

    pub(super) fn basic(&self) -> Result<Basic, Error> {
        let token = wanted(self.token.as_ref(), "token")?;
        let token = TokenUrl::new(token.as_str().to_owned()).map_err(|_| unusable("token"))?;
        let client = oauth2::basic::BasicClient::new(ClientId::new(self.id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(token);
        Ok(match &self.secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
            None => client,
        })
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.iter().cloned().map(Scope::new)
    }

    /// What must not be shown, with these.
    pub(super) fn redactor(&self, secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        secrets.iter().for_each(|secret| redactor.add(&SecretString::from(*secret)));
        self.secret.iter().for_each(|secret| redactor.add(secret));
        redactor
    }
}

/// An endpoint without which nothing goes.
pub(super) fn wanted<'a>(endpoint: Option<&'a Endpoint>, name: &str) -> Result<&'a Endpoint, Error> {
    endpoint.ok_or_else(|| {
        Error::new(ErrorKind::Local, format!("the OAuth server's {name} endpoint is unknown")).with_hint(format!(
            "set it with --{name}-endpoint URL, or {name}-endpoint in the config file, or use --provider if mailferry \
             knows the provider"
        ))
    })
}

pub(super) fn unusable(name: &str) -> Error {
    Error::new(ErrorKind::Local, format!("the {name} endpoint can't be used"))
}

impl From<&BasicTokenResponse> for Tokens {
    fn from(response: &BasicTokenResponse) -> Self {
        Self {
            access: Zeroizing::new(response.access_token().secret().clone()),
            refresh: response.refresh_token().map(|token| Zeroizing::new(token.secret().clone())),
            lives: response.expires_in(),
        }
    }
}

/// Why a server gave nothing, as the run's error; the refusal's own name goes with it.
pub(super) struct Trouble {
    /// `error` of RFC 6749 section 5.2, if the server said one.
    pub(super) said: Option<String>,
    pub(super) error: Error,
}

impl Trouble {
    /// Reads the library's error. What a server says of it is shown without secrets.
    pub(super) fn of<T>(error: RequestTokenError<HttpError, StandardErrorResponse<T>>, redactor: &Redactor) -> Self
    where
        T: ErrorResponseType + AsRef<str> + Display + 'static,
    {
        match error {
            RequestTokenError::ServerResponse(response) => {
                let code = response.error().as_ref().to_owned();
                let words = response.error_description().map(|words| format!(" ({words})")).unwrap_or_default();
                let text = redactor.clean(&format!("{code}{words}")).chars().take(MAX_WORDS).collect::<String>();
                let error = Error::new(ErrorKind::Authentication, format!("the OAuth server refused: {text}"));
                Self { said: Some(code), error }
            }
            RequestTokenError::Request(error) => Self { said: None, error: of_http(&error, redactor) },
            // What it is instead may repeat what was sent.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                let error = Error::new(ErrorKind::Authentication, "what answered is not an OAuth server")
                    .with_hint("check the endpoints");
                Self { said: None, error }
            }
        }
    }
}

/// What it means that a request came to nothing.
pub(super) fn of_http(error: &HttpError, redactor: &Redactor) -> Error {
    let kind = if error.may_pass() { ErrorKind::Unreachable } else { ErrorKind::Untrusted };
    Error::new(kind, redactor.clean(&error.to_string()).into_owned())
}
