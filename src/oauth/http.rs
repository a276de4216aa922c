//! Requests to an OAuth server: HTTP/1.1 over the system's TLS, with a limit on every wait and
//! every length. Redirects are never followed: the request contains secrets, which were meant for
//! the place that the user named.

use oauth2::http::{StatusCode, header::LOCATION};
use oauth2::{HttpRequest, HttpResponse};
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

/// How long connecting to a server may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long one request may take in total.
const WHOLE: Duration = Duration::from_secs(60);
/// The longest response: tokens have some kilobytes.
const MAX_ANSWER: u64 = 256 * 1024;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("could not reach {place}: {reason}")]
    Unreachable { place: String, reason: String },
    #[error("the certificate of {place} is not trusted: {reason}")]
    Untrusted { place: String, reason: String },
    #[error("{place} has a temporary problem (HTTP status {status})")]
    Unavailable { place: String, status: u16 },
    #[error(
        "{place} redirects to {to}, which mailferry doesn't follow, as the request contains secrets"
    )]
    Redirected { place: String, to: String },
}

impl HttpError {
    /// Reports whether the same request may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable { .. })
    }
}

/// The HTTP client for one login or renewal.
pub(super) struct Http(ureq::Agent);

impl Http {
    pub(super) fn new() -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The environment is up to the binary.
            .proxy(None)
            .user_agent(concat!("mailferry/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .build();
        Self(config.into())
    }

    /// Sends a request and returns its response.
    pub(super) fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let place = request.uri().host().unwrap_or_default().to_owned();
        let failed = |error: ureq::Error| failure(place.clone(), &error);
        let (head, mut body) = self.0.run(request).map_err(failed)?.into_parts();
        if head.status.is_redirection() {
            let to = head
                .headers
                .get(LOCATION)
                .map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            // The part after `?` may be what was sent.
            let to = to
                .as_deref()
                .and_then(|to| to.split(['?', '#']).next())
                .unwrap_or("another place")
                .to_owned();
            return Err(HttpError::Redirected { place, to });
        }
        if head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpError::Unavailable {
                place,
                status: head.status.as_u16(),
            });
        }
        let body = body
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
            .map_err(failed)?;
        Ok(HttpResponse::from_parts(head, body))
    }
}

/// Converts an error of the HTTP client.
fn failure(place: String, error: &ureq::Error) -> HttpError {
    let reason = error.to_string();
    match error {
        ureq::Error::Tls(_) | ureq::Error::NativeTls(_) => HttpError::Untrusted { place, reason },
        _ => HttpError::Unreachable { place, reason },
    }
}
