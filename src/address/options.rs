//! The part of an address after `?`: `key=value` pairs, each key known, each at most once.

use super::{
    AddressError, Compression, DailyLimit, Fingerprint, Mechanism, TlsMode, decode, number,
};
use crate::provider::Provider;
use std::path::PathBuf;
use std::time::Duration;

/// The keys, as errors list them.
pub(super) const KNOWN: &str = "tls, auth, authzid, ca, pin, client-cert, client-key, prefix, separator, compress, connections, timeout, \
     provider, daily-read, daily-write";

/// The values of `auth=`, as its error lists them.
pub(super) const MECHANISMS: &str = "PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-1-PLUS, SCRAM-SHA-256-PLUS, \
                          OAUTHBEARER, XOAUTH2, NTLM, GSSAPI, EXTERNAL or ANONYMOUS";

/// The values of `provider=`, as its error lists them.
pub(super) const PROVIDERS: &str = "google, microsoft, exchange, yahoo, aol, icloud, fastmail, zoho, yandex, gmx, \
                          web.de, strato, ionos, ovh, mail.ru, qq, netease, proton, zimbra, dovecot, cyrus, courier, hmailserver or mailenable";

/// Keys that users try for a password.
const SECRETS: [&str; 6] = ["password", "passwd", "pass", "pw", "token", "secret"];

/// The value of a key for a file, as its error says it.
const PEM_FILE: &str = "the path of a PEM file";

const TLS: Key<TlsMode> = Key::new("tls", "implicit, starttls or none", tls_mode);
const AUTH: Key<Mechanism> = Key::new("auth", MECHANISMS, Mechanism::named);
const AUTHZID: Key<String> = Key::new("authzid", "a user name", filled);
const CA: Key<PathBuf> = Key::new("ca", PEM_FILE, path);
const PIN: Key<Fingerprint> = Key::new(
    "pin",
    "sha256: and the 64 hexadecimal digits of a SHA-256",
    Fingerprint::parse,
);
const CLIENT_CERT: Key<PathBuf> = Key::new("client-cert", PEM_FILE, path);
const CLIENT_KEY: Key<PathBuf> = Key::new("client-key", PEM_FILE, path);
// An empty prefix is a choice: the account's root.
const PREFIX: Key<String> = Key::new("prefix", "the start of folder names", |text| {
    Some(text.to_owned())
});
const SEPARATOR: Key<char> = Key::new("separator", "one ASCII character", one_character);
const COMPRESS: Key<Compression> = Key::new("compress", "auto, on or off", compression);
const CONNECTIONS: Key<usize> = Key::new("connections", "a number from 1 to 64", connections);
const TIMEOUT: Key<Duration> = Key::new("timeout", "seconds, from 1 to 86400", seconds);
const PROVIDER: Key<&'static Provider> = Key::new("provider", PROVIDERS, Provider::named);

const DAILY: &str = "bytes such as 500MB, at least 1, or none";
const DAILY_READ: Key<DailyLimit> = Key::new("daily-read", DAILY, DailyLimit::parse);
const DAILY_WRITE: Key<DailyLimit> = Key::new("daily-write", DAILY, DailyLimit::parse);

/// A key and its values.
struct Key<T> {
    name: &'static str,
    /// What is allowed, as its error lists it.
    wanted: &'static str,
    read: fn(&str) -> Option<T>,
}

impl<T> Key<T> {
    const fn new(name: &'static str, wanted: &'static str, read: fn(&str) -> Option<T>) -> Self {
        Self { name, wanted, read }
    }

    /// Decodes a value and puts it in its place.
    fn put(&self, value: &str, place: &mut Option<T>) -> Result<(), AddressError> {
        let Self {
            name: key,
            wanted,
            read,
        } = *self;
        if place.is_some() {
            return Err(AddressError::Twice { key });
        }
        *place = Some(
            decode(value)
                .and_then(|text| read(&text))
                .ok_or(AddressError::BadValue { key, wanted })?,
        );
        Ok(())
    }
}

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
    pub(super) provider: Option<&'static Provider>,
    pub(super) daily_read: Option<DailyLimit>,
    pub(super) daily_write: Option<DailyLimit>,
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
                options.set(
                    if KNOWN.split(", ").any(|known| known == pair) {
                        pair
                    } else {
                        ""
                    },
                    "",
                )?;
                continue;
            };
            options.set(key, value)?;
        }
        Ok(options)
    }

    /// Checks whether the values are compatible.
    pub(super) fn check(&self, tls: TlsMode) -> Result<(), AddressError> {
        let keys = [
            ("ca", self.ca.is_some()),
            ("pin", self.pin.is_some()),
            ("client-cert", self.client_cert.is_some()),
        ];
        match keys.into_iter().find(|(_, is_given)| *is_given) {
            Some((key, _)) if tls == TlsMode::None => Err(AddressError::NeedsTls { key }),
            _ if self.client_key.is_some() && self.client_cert.is_none() => {
                Err(AddressError::KeyWithoutCertificate)
            }
            _ => Ok(()),
        }
    }

    /// Sets one pair.
    fn set(&mut self, key: &str, value: &str) -> Result<(), AddressError> {
        match key {
            "tls" => TLS.put(value, &mut self.tls),
            "auth" => AUTH.put(value, &mut self.auth),
            "authzid" => AUTHZID.put(value, &mut self.authzid),
            "ca" => CA.put(value, &mut self.ca),
            "pin" => PIN.put(value, &mut self.pin),
            "client-cert" => CLIENT_CERT.put(value, &mut self.client_cert),
            "client-key" => CLIENT_KEY.put(value, &mut self.client_key),
            "prefix" => PREFIX.put(value, &mut self.prefix),
            "separator" => SEPARATOR.put(value, &mut self.separator),
            "compress" => COMPRESS.put(value, &mut self.compression),
            "connections" => CONNECTIONS.put(value, &mut self.connections),
            "timeout" => TIMEOUT.put(value, &mut self.timeout),
            "provider" => PROVIDER.put(value, &mut self.provider),
            "daily-read" => DAILY_READ.put(value, &mut self.daily_read),
            "daily-write" => DAILY_WRITE.put(value, &mut self.daily_write),
            _ if SECRETS.contains(&key.to_ascii_lowercase().as_str()) => {
                Err(AddressError::Password)
            }
            _ if is_word(key) => Err(AddressError::UnknownKey {
                key: format!("`{key}`"),
            }),
            _ => Err(AddressError::UnknownKey {
                key: "after `?`".to_owned(),
            }),
        }
    }
}

/// Reports whether it may be a mistyped key, and nothing that should not be repeated.
fn is_word(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 20
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn tls_mode(text: &str) -> Option<TlsMode> {
    [TlsMode::Implicit, TlsMode::StartTls, TlsMode::None]
        .into_iter()
        .find(|mode| text.eq_ignore_ascii_case(mode.name()))
}

fn compression(text: &str) -> Option<Compression> {
    [Compression::Auto, Compression::On, Compression::Off]
        .into_iter()
        .find(|choice| choice.name() == text)
}

fn path(text: &str) -> Option<PathBuf> {
    filled(text).map(PathBuf::from)
}

fn one_character(text: &str) -> Option<char> {
    let mut characters = text.chars();
    let first = characters.next().filter(char::is_ascii_graphic)?;
    characters.next().is_none().then_some(first)
}

fn connections(digits: &str) -> Option<usize> {
    number(digits).filter(|n| (1..=64).contains(n))
}

fn seconds(digits: &str) -> Option<Duration> {
    number(digits)
        .filter(|n| (1..=86400).contains(n))
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider;

    #[test]
    fn the_error_lists_every_provider() {
        for provider in provider::ALL {
            assert!(PROVIDERS.contains(provider.key()), "{}", provider.name);
        }
        let count = PROVIDERS.replace(" or ", ", ").split(", ").count();
        assert_eq!(count, provider::ALL.len());
    }
}
