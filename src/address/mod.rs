//! Mailbox addresses: where an account is and how to access it, as a user writes it on the command
//! line.
//!
//! `imaps://USER@HOST[:PORT][?key=value&…]` is TLS from the first byte, `imap://…` requires
//! STARTTLS. USER and the values are percent-encoded (RFC 3986 section 2.1). `maildir:PATH` and
//! `mbox:PATH` are directories on this machine; everything after the colon is the literal path.
//! Everything here is pure: no file is opened and no name is resolved.
//!
//! Invariants: an address never contains a password, and no error repeats a part of the text that
//! could contain one. A user name or a value never contains a control character, so none can end a
//! line of the protocol.

mod daily;
mod error;
mod mechanism;
mod options;
mod pin;

pub use daily::DailyLimit;
pub use error::AddressError;
pub use mechanism::{Mechanism, Proof};
pub use pin::Fingerprint;

use crate::provider::Provider;
use options::Options;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The characters not encoded in a canonical user name (RFC 3986 section 2.3).
const USER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The characters not encoded in a canonical value: paths and fingerprints remain readable.
const VALUE: &AsciiSet = &USER.remove(b'/').remove(b':');

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// Plain until STARTTLS, which is required (RFC 3501 section 6.2.1).
    StartTls,
    /// No protection at all, at the user's request.
    None,
}

impl TlsMode {
    /// Returns the name in `tls=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Implicit => "implicit",
            Self::StartTls => "starttls",
            Self::None => "none",
        }
    }

    /// Returns the default port.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Implicit => 993,
            Self::StartTls | Self::None => 143,
        }
    }
}

/// Whether a connection is compressed (COMPRESS=DEFLATE, RFC 4978) if the server offers it, after
/// TLS and login only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// If it helps: not with a server that is near ([`NEAR`]), where sending is faster than
    /// compressing.
    #[default]
    Auto,
    /// Even with a server on this machine, such as the near end of a tunnel.
    On,
    /// Never.
    Off,
}

/// The distance from which a server is neither on this machine nor in the same building, where
/// networks are too fast for compression to pay off.
pub const NEAR: Duration = Duration::from_millis(1);

impl Compression {
    /// Returns the name in `compress=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// Reports whether to request it from a server at this distance (a packet there and back).
    pub fn is_wanted(self, distance: Duration) -> bool {
        match self {
            Self::Auto => distance >= NEAR,
            Self::On => true,
            Self::Off => false,
        }
    }
}

/// How a directory on this machine stores a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A Maildir++ tree.
    Maildir,
    /// A directory of mbox files.
    Mbox,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Maildir, Self::Mbox];

    /// Returns the scheme of its addresses.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Maildir => "maildir",
            Self::Mbox => "mbox",
        }
    }

    /// Returns the form whose addresses have this scheme, in any case.
    fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|form| form.scheme().eq_ignore_ascii_case(scheme))
    }
}

/// A mailbox in a directory on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// How it is stored.
    pub form: Form,
    /// The directory.
    pub path: PathBuf,
}

impl LocalAddress {
    /// Parses `path = 1*(%x01-FF)`: whatever the system accepts as a path.
    fn parse_path(form: Form, path: &str) -> Result<Self, AddressError> {
        if path.is_empty() || path.contains('\0') {
            return Err(AddressError::NoPath {
                scheme: form.scheme(),
            });
        }
        let path = PathBuf::from(path);
        Ok(Self { form, path })
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.form.scheme(), self.path.display())
    }
}

/// Where a mailbox is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are two addresses in a run, and most are of the large kind"
)]
pub enum Address {
    /// On an IMAP server.
    Imap(ImapAddress),
    /// In a directory on this machine.
    Local(LocalAddress),
}

impl Address {
    /// Parses an address.
    ///
    /// ```abnf
    /// address = ( "imap" / "imaps" ) "://" rest / ( "maildir" / "mbox" ) ":" path
    /// ```
    /// (A URI of RFC 3986 section 3, except that `path` isn't encoded.)
    ///
    /// # Errors
    /// What is wrong with it, without any part that could contain a password; the hint says what to
    /// write.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(if is_plain_name(text) {
                AddressError::UnknownAccount {
                    name: text.to_owned(),
                }
            } else {
                AddressError::NoAddress
            });
        };
        if let Some(form) = Form::of_scheme(scheme) {
            return LocalAddress::parse_path(form, rest).map(Self::Local);
        }
        let implicit = match scheme.to_ascii_lowercase().as_str() {
            "imaps" => true,
            "imap" => false,
            other if rest.starts_with("//") && is_plain_name(other) => {
                return Err(AddressError::UnknownScheme {
                    scheme: other.to_owned(),
                });
            }
            _ => return Err(AddressError::NoAddress),
        };
        let rest = rest.strip_prefix("//").ok_or(AddressError::NoSlashes)?;
        ImapAddress::parse_rest(implicit, rest).map(Self::Imap)
    }

    /// Returns which mailbox it is, whatever the way to it, without any secret. A path is as in the
    /// address.
    pub fn identity(&self) -> String {
        match self {
            Self::Imap(address) => address.identity(),
            Self::Local(address) => address.to_string(),
        }
    }

    /// Returns how many connections may be open at once, according to the address.
    pub fn connections(&self) -> Option<usize> {
        match self {
            Self::Imap(address) => address.connections,
            Self::Local(_) => None,
        }
    }

    /// Returns the directory of a mailbox on this machine.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Imap(_) => None,
            Self::Local(address) => Some(&address.path),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Imap(address) => address.fmt(f),
            Self::Local(address) => address.fmt(f),
        }
    }
}

/// An account on an IMAP server. `None` leaves the choice to mailferry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImapAddress {
    /// Who logs in, decoded.
    pub user: String,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// The login mechanism to use.
    pub auth: Option<Mechanism>,
    /// Whose mailbox it is, if an administrator logs in (RFC 4616's authorization identity).
    pub authzid: Option<String>,
    /// A file of PEM certificates to trust in addition to the system's.
    pub ca: Option<PathBuf>,
    /// The server's certificate, which the user has checked.
    pub pin: Option<Fingerprint>,
    /// A PEM file with the user's certificate.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with the key of that certificate; `None`: the certificate's file contains it.
    pub client_key: Option<PathBuf>,
    /// The prefix of the account's folder names.
    pub prefix: Option<String>,
    /// The separator of levels in folder names.
    pub separator: Option<char>,
    /// Whether connections are compressed.
    pub compression: Compression,
    /// How many connections may be open at once: 1 to 64.
    pub connections: Option<usize>,
    /// How long the server may be silent: 1 s to a day.
    pub timeout: Option<Duration>,
    /// The provider or kind of server, if neither the host name nor the server shows it.
    pub provider: Option<&'static Provider>,
    /// Bytes to read from the account per day; `None`: as the provider allows.
    pub daily_read: Option<DailyLimit>,
    /// Bytes to send to the account per day; `None`: as the provider allows.
    pub daily_write: Option<DailyLimit>,
}

impl ImapAddress {
    /// Returns how many bytes may be read from the account and sent to it per day: as the address
    /// says, otherwise as its provider allows.
    pub fn daily_limits(&self) -> [Option<u64>; 2] {
        let provider = self.provider.or_else(|| Provider::of_host(&self.host));
        let daily = provider.and_then(|provider| provider.daily);
        let or_usual = |chosen: Option<DailyLimit>, usual: Option<u64>| {
            chosen.map_or(usual, DailyLimit::bytes)
        };
        [
            or_usual(self.daily_read, daily.map(|daily| daily.read)),
            or_usual(self.daily_write, daily.map(|daily| daily.written)),
        ]
    }

    /// Parses the address of an IMAP account.
    ///
    /// # Errors
    /// As [`Address::parse`]; a directory isn't such an account.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match Address::parse(text)? {
            Address::Imap(address) => Ok(address),
            Address::Local(_) => Err(AddressError::NoAddress),
        }
    }

    /// Returns which mailbox it is, whatever the way to it: the same over STARTTLS and implicit
    /// TLS, with and without options. Contains no secret.
    pub fn identity(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        let mut identity = format!("imap:{}@{host}", utf8_percent_encode(&self.user, USER));
        let is_usual = [TlsMode::Implicit, TlsMode::StartTls]
            .iter()
            .any(|mode| mode.default_port() == self.port);
        if !is_usual {
            identity.push_str(&format!(":{}", self.port));
        }
        if let Some(authzid) = &self.authzid {
            identity.push_str(&format!("?authzid={}", utf8_percent_encode(authzid, VALUE)));
        }
        identity
    }

    /// Parses what follows `imap://` or `imaps://`.
    ///
    /// ```abnf
    /// rest      = userinfo "@" host [ ":" port ] [ "/" ] [ "?" query ]
    /// userinfo  = *( unreserved / pct-encoded / sub-delims / ":" )    ; RFC 3986 section 3.2.1
    /// query     = *( pchar / "/" / "?" )                              ; RFC 3986 section 3.4
    /// ```
    /// There is no ":" in `userinfo` here, since a password would follow it. Characters that RFC
    /// 3986 requires to be encoded are accepted unencoded, as users write them, including `@`.
    fn parse_rest(implicit: bool, rest: &str) -> Result<Self, AddressError> {
        let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // From the right: a host has no `@`, but a user who forgot to write `%40` does.
        let Some((user, place)) = authority.rsplit_once('@') else {
            return Err(no_user(authority, after));
        };
        if user.contains(':') {
            return Err(AddressError::Password);
        }
        let user = decode(user).ok_or(AddressError::BadUser)?;
        if user.is_empty() {
            return Err(AddressError::NoUser);
        }
        let (host, port) = host_and_port(place)?;
        let options = match after.strip_prefix('/').unwrap_or(after) {
            "" => Options::default(),
            query => Options::parse(query.strip_prefix('?').ok_or(AddressError::Path)?)?,
        };
        let tls = match (implicit, options.tls) {
            (true, None | Some(TlsMode::Implicit)) => TlsMode::Implicit,
            (true, Some(mode)) => return Err(AddressError::Contradiction { mode: mode.name() }),
            (false, mode) => mode.unwrap_or(TlsMode::StartTls),
        };
        options.check(tls)?;
        Ok(Self {
            user,
            host,
            port: port.unwrap_or(tls.default_port()),
            tls,
            auth: options.auth,
            authzid: options.authzid,
            ca: options.ca,
            pin: options.pin,
            client_cert: options.client_cert,
            client_key: options.client_key,
            prefix: options.prefix,
            separator: options.separator,
            compression: options.compression.unwrap_or_default(),
            connections: options.connections,
            timeout: options.timeout,
            provider: options.provider,
            daily_read: options.daily_read,
            daily_write: options.daily_write,
        })
    }

    /// Returns the keys and values that differ from their defaults, decoded.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if self.tls == TlsMode::None {
            pairs.push(("tls", self.tls.name().to_owned()));
        }
        let path = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.to_string_lossy().into_owned())
        };
        let options = [
            ("auth", self.auth.map(|mechanism| mechanism.to_string())),
            ("authzid", self.authzid.clone()),
            ("ca", path(&self.ca)),
            ("pin", self.pin.map(|pin| pin.to_string())),
            ("client-cert", path(&self.client_cert)),
            ("client-key", path(&self.client_key)),
            ("prefix", self.prefix.clone()),
            ("separator", self.separator.map(String::from)),
            (
                "compress",
                (self.compression != Compression::Auto).then(|| self.compression.name().to_owned()),
            ),
            ("connections", self.connections.map(|n| n.to_string())),
            (
                "timeout",
                self.timeout.map(|timeout| timeout.as_secs().to_string()),
            ),
            (
                "provider",
                self.provider.map(|provider| provider.key().to_owned()),
            ),
            ("daily-read", self.daily_read.map(|limit| limit.to_string())),
            (
                "daily-write",
                self.daily_write.map(|limit| limit.to_string()),
            ),
        ];
        pairs.extend(
            options
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?))),
        );
        pairs
    }
}

impl fmt::Display for ImapAddress {
    /// Writes the canonical address, which parses to the same account.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == TlsMode::Implicit {
            "imaps"
        } else {
            "imap"
        };
        write!(f, "{scheme}://{}@", utf8_percent_encode(&self.user, USER))?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != self.tls.default_port() {
            write!(f, ":{}", self.port)?;
        }
        for (index, (key, value)) in self.pairs().iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(f, "{mark}{key}={}", utf8_percent_encode(value, VALUE))?;
        }
        Ok(())
    }
}

/// Explains why there is no `@` before the host: no user, or a password with a `/`, `?` or `#` in
/// it.
fn no_user(authority: &str, after: &str) -> AddressError {
    let looks_like_port = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b']' || byte == b':')
    };
    match authority.split_once(':') {
        Some((_, rest)) if after.contains('@') && !looks_like_port(rest) => AddressError::Password,
        _ => AddressError::NoUser,
    }
}

/// Splits `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
///
/// ```abnf
/// host       = IP-literal / IPv4address / reg-name                ; RFC 3986 section 3.2.2
/// IP-literal = "[" ( IPv6address / IPvFuture  ) "]"
/// port       = *DIGIT                                             ; RFC 3986 section 3.2.3
/// ```
/// A `reg-name` has only letters, digits, `-`, `.` and `_`, of any script; there is no IPvFuture.
fn host_and_port(place: &str) -> Result<(String, Option<u16>), AddressError> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(AddressError::BadIpv6)?;
        host.parse::<Ipv6Addr>()
            .map_err(|_| AddressError::BadIpv6)?;
        match after {
            "" => (host, None),
            _ => (
                host,
                Some(after.strip_prefix(':').ok_or(AddressError::BadIpv6)?),
            ),
        }
    } else {
        let (host, port) = place
            .split_once(':')
            .map_or((place, None), |(host, port)| (host, Some(port)));
        if port.is_some_and(|port| port.contains(':')) {
            return Err(AddressError::BadIpv6);
        }
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if !host
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))
        {
            return Err(AddressError::BadHost);
        }
        (host, port)
    };
    let port = match port {
        None => None,
        Some(digits) => Some(
            number(digits)
                .filter(|&port| port != 0)
                .ok_or(AddressError::BadPort)?,
        ),
    };
    Ok((host.to_owned(), port))
}

/// Parses only decimal digits: no sign, no blank.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// Percent-decodes; `None` for a stray `%`, invalid UTF-8 and control characters.
///
/// `pct-encoded = "%" HEXDIG HEXDIG` (RFC 3986 section 2.1). Any other character except controls is
/// literal.
fn decode(text: &str) -> Option<String> {
    let mut after_percent = text.split('%').skip(1);
    let well_formed =
        after_percent.all(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2);
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (well_formed && !decoded.chars().any(char::is_control)).then(|| decoded.into_owned())
}

/// Reports whether a text may be repeated in a message: it looks like a name and has nothing
/// typical of a password.
fn is_plain_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests;
