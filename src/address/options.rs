//! The part of an address after `?`: `key=value` pairs, each key known, each at most once.

use super::{AddressError, Compression, Fingerprint, Mechanism, Provider, TlsMode, decode, number};
use std::path::PathBuf;
use std::time::Duration;

/// The keys, as errors list them.
pub(super) const KNOWN: &str = "tls, auth, authzid, ca, pin, client-cert, client-key, prefix, separator, compress, connections, timeout, \
     provider";

/// The values of `auth=`, as its error lists them.
pub(super) const MECHANISMS: &str = "PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-1-PLUS, SCRAM-SHA-256-PLUS, \
                          OAUTHBEARER, XOAUTH2, NTLM, GSSAPI, EXTERNAL or ANONYMOUS";

/// Keys that users try for a password.
const SECRETS: [&str; 6] = ["password", "passwd", "pass", "pw", "token", "secret"];

/// The value of a key for a file, as its error says it.
const PEM_FILE: &str = "the path of a PEM file";

/// The values given.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) tls: Option<TlsMode>,
    pub(super) auth: Option<Mechanism>,
    pub(super) authzid: Option<String>,
    pub(super) ca: Option<PathBuf>,
    pub(super) pin: Option<Fingerprint>,
    pub(super) client_cert: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
    pub(super) prefix: Option<String>,
    pub(super) separator: Option<char>,
    pub(super) compression: Option<Compression>,
    pub(super) connections: Option<usize>,
    pub(super) timeout: Option<Duration>,
    pub(super) provider: Option<Provider>,
}

impl Options {
    /// Parses `key=value&…`; the values are percent-encoded, a `+` is a `+`.
    ///
    /// ```abnf
    /// query = [ pair ] *( "&" [ pair ] )
    /// pair  = key "=" value
    /// ```
    /// (Within RFC 3986 section 3.4 `query`.)
    pub(super) fn parse(query: &str) -> Result<Self, AddressError> {
        let mut options = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                // A single word may be anything, even a password.
                options.set(if KNOWN.split(", ").any(|known| known == pair) { pair } else { "" }, "")?;
                continue;
            };
            options.set(key, value)?;
        }
        Ok(options)
    }

    /// Checks whether the values are compatible.
    pub(super) fn check(&self, tls: TlsMode) -> Result<(), AddressError> {
        let keys =
            [("ca", self.ca.is_some()), ("pin", self.pin.is_some()), ("client-cert", self.client_cert.is_some())];
        match keys.into_iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) if tls == TlsMode::None => Err(AddressError::NeedsTls { key }),
            _ if self.client_key.is_some() && self.client_cert.is_none() => Err(AddressError::KeyWithoutCertificate),
            _ => Ok(()),
        }
    }

    /// Sets one pair.
    fn set(&mut self, key: &str, value: &str) -> Result<(), AddressError> {
        match key {
            "tls" => put(&mut self.tls, "tls", value, "implicit, starttls or none", tls_mode),
            "auth" => put(&mut self.auth, "auth", value, MECHANISMS, mechanism),
            "authzid" => put(&mut self.authzid, "authzid", value, "a user name", filled),
            "ca" => put(&mut self.ca, "ca", value, PEM_FILE, path),
            "pin" => {
                put(&mut self.pin, "pin", value, "sha256: and the 64 hexadecimal digits of a SHA-256", fingerprint)
            }
            "client-cert" => put(&mut self.client_cert, "client-cert", value, PEM_FILE, path),
            "client-key" => put(&mut self.client_key, "client-key", value, PEM_FILE, path),
            // An empty prefix is a choice: the account's root.
            "prefix" => put(&mut self.prefix, "prefix", value, "the start of folder names", Some),
            "separator" => put(&mut self.separator, "separator", value, "one ASCII character", one_character),
            "compress" => put(&mut self.compression, "compress", value, "auto, on or off", compression),
            "connections" => put(&mut self.connections, "connections", value, "a number from 1 to 64", |digits| {
                number(&digits).filter(|n| (1..=64).contains(n))
            }),
            "timeout" => put(&mut self.timeout, "timeout", value, "seconds, from 1 to 86400", |digits| {
                number(&digits).filter(|n| (1..=86400).contains(n)).map(Duration::from_secs)
            }),
            "provider" => {
                put(&mut self.provider, "provider", value, "google or microsoft", |name| Provider::named(&name))
            }
            _ if SECRETS.contains(&key.to_ascii_lowercase().as_str()) => Err(AddressError::Password),
            _ if is_word(key) => Err(AddressError::UnknownKey { key: format!("`{key}`") }),
            _ => Err(AddressError::UnknownKey { key: "after `?`".to_owned() }),
        }
    }
}

/// Decodes a value and stores it. `wanted` says what is allowed.
fn put<T>(
    place: &mut Option<T>,
    key: &'static str,
    value: &str,
    wanted: &'static str,
    read: impl FnOnce(String) -> Option<T>,
) -> Result<(), AddressError> {
    if place.is_some() {
        return Err(AddressError::Twice { key });
    }
    *place = Some(decode(value).and_then(read).ok_or(AddressError::BadValue { key, wanted })?);
    Ok(())
}

/// Reports whether it may be a mistyped key, and nothing that should not be repeated.
fn is_word(key: &str) -> bool {
    !key.is_empty() && key.len() <= 20 && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[expect(clippy::needless_pass_by_value, reason = "one signature for all readers of a value")]
fn tls_mode(text: String) -> Option<TlsMode> {
    [TlsMode::Implicit, TlsMode::StartTls, TlsMode::None]
        .into_iter()
        .find(|mode| text.eq_ignore_ascii_case(mode.name()))
}

#[expect(clippy::needless_pass_by_value, reason = "one signature for all readers of a value")]
fn compression(text: String) -> Option<Compression> {
    [Compression::Auto, Compression::On, Compression::Off].into_iter().find(|choice| choice.name() == text)
}

fn path(text: String) -> Option<PathBuf> {
    filled(text).map(PathBuf::from)
}

#[expect(clippy::needless_pass_by_value, reason = "one signature for all readers of a value")]
fn mechanism(text: String) -> Option<Mechanism> {
    Mechanism::named(&text)
}

#[expect(clippy::needless_pass_by_value, reason = "one signature for all readers of a value")]
fn fingerprint(text: String) -> Option<Fingerprint> {
    Fingerprint::parse(&text)
}

#[expect(clippy::needless_pass_by_value, reason = "one signature for all readers of a value")]
fn one_character(text: String) -> Option<char> {
    let mut characters = text.chars();
    let first = characters.next().filter(char::is_ascii_graphic)?;
    characters.next().is_none().then_some(first)
}
