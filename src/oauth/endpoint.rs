//! URLs that a secret may be sent to: `https`, or a host on this machine (RFC 6749 section 3.1).

use oauth2::url::{Host, Url};
use std::fmt;

/// Such a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Parses one.
    ///
    /// # Errors
    /// Why it is invalid, without the text, which may contain secrets.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "not a URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must not contain a password");
        }
        if url.fragment().is_some() {
            return Err("it must not have a fragment (`#`)");
        }
        match (url.scheme(), url.host()) {
            ("https", Some(_)) => Ok(Self(url)),
            ("http", Some(host)) if is_loopback(&host) => Ok(Self(url)),
            _ => Err("it must begin with https:// (http:// only for this machine)"),
        }
    }

    /// Returns it for the HTTP client.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_https_or_to_this_machine() {
        for good in [
            "https://login.example.org/token",
            "http://127.0.0.1:9/x",
            "http://localhost/x",
            "http://[::1]:9/x",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.example.org/token",
            "http://localhost.example.org/token",
            "http://127.0.0.1.example.org/",
            "ftp://login.example.org/",
            "https://ann:pw@login.example.org/",
            "https://login.example.org/#x",
            "login.example.org/token",
            "https://",
            "",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
