//! What every way to a token needs: the client, its server, the scopes, and what a failure means.

use super::endpoint::Endpoint;
use super::http::HttpError;
use super::profile::{OTHER, Profile};
use crate::imap::Redactor;
use crate::store::{Error, ErrorKind};
use oauth2::basic::BasicTokenResponse;
use oauth2::{
    AuthType, ClientId, ClientSecret, ErrorResponseType, RequestTokenError, Scope,
    StandardErrorResponse, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt::Display;
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest server text that is shown.
const MAX_WORDS: usize = 300;

/// A registered client, and the server where it is registered.
pub struct Client {
    /// Its public name.
    pub id: String,
    /// Its secret, in servers' terms; a program on a user's machine can't keep one, and many have
    /// none.
    pub secret: Option<SecretString>,
    /// The authorization endpoint.
    pub authorization: Option<Endpoint>,
    /// The token endpoint.
    pub token: Option<Endpoint>,
    /// The device authorization endpoint.
    pub device: Option<Endpoint>,
    /// The scopes to request.
    pub scopes: Vec<String>,
    pub(super) profile: &'static Profile,
}

/// Tokens issued by a server.
pub struct Tokens {
    /// The access token, for logging in.
    pub access: Zeroizing<String>,
    /// The refresh token, for getting the next one.
    pub refresh: Option<Zeroizing<String>>,
    /// How long the access token lasts, if the server said so.
    pub lives: Option<Duration>,
}

/// A client for the token endpoint only.
pub(super) type Basic = oauth2::basic::BasicClient<
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

impl Client {
    /// Makes a client of which only the ID is known.
    pub fn new(id: String, secret: Option<SecretString>) -> Self {
        Self {
            id,
            secret,
            authorization: None,
            token: None,
            device: None,
            scopes: Vec::new(),
            profile: &OTHER,
        }
    }

    /// Fills in what is known about its provider, unless set otherwise.
    #[must_use]
    pub fn at(mut self, profile: Option<&'static Profile>) -> Self {
        if let Some(profile) = profile {
            profile.complete(&mut self);
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
            Some(secret) => {
                client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
            }
            None => client,
        })
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.iter().cloned().map(Scope::new)
    }

    /// Returns a redactor for its secret and these.
    pub(super) fn redactor(&self, secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        secrets
            .iter()
            .for_each(|secret| redactor.add(&SecretString::from(*secret)));
        self.secret.iter().for_each(|secret| redactor.add(secret));
        redactor
    }
}

/// Returns an endpoint that is required.
pub(super) fn wanted<'a>(
    endpoint: Option<&'a Endpoint>,
    name: &str,
) -> Result<&'a Endpoint, Error> {
    endpoint.ok_or_else(|| {
        Error::new(ErrorKind::Local, format!("the OAuth server's {name} endpoint is unknown")).with_hint(format!(
            "set it with --{name}-endpoint URL, or {name}-endpoint in the config file, or use --provider if mailferry \
             knows the provider"
        ))
    })
}

pub(super) fn unusable(name: &str) -> Error {
    Error::new(
        ErrorKind::Local,
        format!("the {name} endpoint can't be used"),
    )
}

impl From<&BasicTokenResponse> for Tokens {
    fn from(response: &BasicTokenResponse) -> Self {
        Self {
            access: Zeroizing::new(response.access_token().secret().clone()),
            refresh: response
                .refresh_token()
                .map(|token| Zeroizing::new(token.secret().clone())),
            lives: response.expires_in(),
        }
    }
}

/// Why a server issued nothing, as the run's error, with the name of the refusal.
pub(super) struct Trouble {
    /// `error` of RFC 6749 section 5.2, if the server sent one.
    pub(super) said: Option<String>,
    pub(super) error: Error,
}

impl Trouble {
    /// Converts the library's error. The server's text is shown without secrets.
    pub(super) fn of<T>(
        error: RequestTokenError<HttpError, StandardErrorResponse<T>>,
        redactor: &Redactor,
    ) -> Self
    where
        T: ErrorResponseType + AsRef<str> + Display + 'static,
    {
        match error {
            RequestTokenError::ServerResponse(response) => {
                let code = response.error().as_ref().to_owned();
                let words = response
                    .error_description()
                    .map(|words| format!(" ({words})"))
                    .unwrap_or_default();
                let text = redactor
                    .clean(&format!("{code}{words}"))
                    .chars()
                    .take(MAX_WORDS)
                    .collect::<String>();
                let error = Error::new(
                    ErrorKind::Authentication,
                    format!("the OAuth server refused: {text}"),
                );
                Self {
                    said: Some(code),
                    error,
                }
            }
            RequestTokenError::Request(error) => Self {
                said: None,
                error: of_http(&error, redactor),
            },
            // The text may repeat what was sent.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                let error = Error::new(
                    ErrorKind::Authentication,
                    "what answered is not an OAuth server",
                )
                .with_hint("check the endpoints");
                Self { said: None, error }
            }
        }
    }
}

/// Converts a failed request.
pub(super) fn of_http(error: &HttpError, redactor: &Redactor) -> Error {
    let kind = if error.may_pass() {
        ErrorKind::Unreachable
    } else {
        ErrorKind::Untrusted
    };
    Error::new(kind, redactor.clean(&error.to_string()).into_owned())
}
