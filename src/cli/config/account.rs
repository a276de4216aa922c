//! `[account.NAME]`: a complete address or its parts, and where the password comes from.

use super::nearest::did_you_mean;
use crate::cli::password::{Configured, ConfiguredClient};
use mailferry::address::{Address, TlsMode};
use mailferry::oauth::Endpoint;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::Path;
use toml::{Table, Value};

/// Keys whose values are files, in which `~/` is the home directory.
const FILES: [&str; 5] = [
    "ca",
    "client-cert",
    "client-key",
    "password-file",
    "client-secret-file",
];

/// The keys of an address after its `?`, except `tls`.
const OPTIONS: [&str; 14] = [
    "auth",
    "authzid",
    "ca",
    "pin",
    "client-cert",
    "client-key",
    "prefix",
    "separator",
    "connections",
    "timeout",
    "compress",
    "provider",
    "daily-read",
    "daily-write",
];

/// The keys for `mailferry login`.
const LOGIN: [&str; 6] = [
    "client-id",
    "client-secret-file",
    "authorization-endpoint",
    "token-endpoint",
    "device-endpoint",
    "scopes",
];

/// All other keys.
const OTHERS: [&str; 7] = [
    "address",
    "user",
    "host",
    "port",
    "tls",
    "password-command",
    "password-file",
];

/// The keys allowed in an account with a complete address.
const STANDS_BESIDE: [&str; 3] = ["address", "password-command", "password-file"];

/// The characters of a user name that aren't encoded.
const USER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The characters of a value that aren't encoded.
const VALUE: &AsciiSet = &USER.remove(b'/').remove(b':');

/// An account.
pub(crate) struct Account {
    /// Its address, as a user would type it.
    pub(crate) address: String,
    /// Where its password comes from, unless a source with precedence has it.
    pub(crate) password: Configured,
}

/// Collects the problems in one table.
pub(super) struct Reading {
    /// The table.
    place: String,
    pub(super) problems: Vec<String>,
}

impl Reading {
    pub(super) fn new(place: String) -> Self {
        Self {
            place,
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, text: impl std::fmt::Display) {
        self.problems.push(format!("{}: {text}", self.place));
    }
}

impl Account {
    pub(super) fn read(table: &Table, reading: &mut Reading) -> Self {
        for key in table.keys().filter(|key| !is_known(key)) {
            if key == "client-secret" {
                reading.problem("don't put the client secret in this file; use client-secret-file");
            } else if ["password", "passwd", "pass", "pw", "token", "secret"]
                .contains(&key.as_str())
            {
                reading.problem(
                    "don't put passwords in this file; use password-command or password-file",
                );
            } else {
                let known = OTHERS.into_iter().chain(OPTIONS).chain(LOGIN);
                reading.problem(format!("unknown key {key}{}", did_you_mean(key, known)));
            }
        }
        let password = Configured {
            account: None,
            file: text(table, "password-file", reading),
            command: text(table, "password-command", reading),
            client: client(table, reading),
        };
        if password.file.is_some() && password.command.is_some() {
            reading.problem("password-file and password-command are both set; keep one");
        }
        let address = address(table, reading).unwrap_or_default();
        match Address::parse(&address) {
            // What is missing was already reported.
            _ if address.is_empty() => {}
            Ok(Address::Imap(_)) => {}
            Ok(Address::Local(_)) => {
                if password.file.is_some() || password.command.is_some() {
                    reading.problem(
                        "a directory needs no password; remove password-file and password-command",
                    );
                }
                for key in LOGIN.into_iter().filter(|key| table.contains_key(*key)) {
                    reading.problem(format!("a directory needs no login; remove {key}"));
                }
            }
            Err(error) => {
                let hint = error
                    .hint()
                    .map(|hint| format!(" ({hint})"))
                    .unwrap_or_default();
                reading.problem(format!("{error}{hint}"));
            }
        }
        Self { address, password }
    }
}

fn is_known(key: &str) -> bool {
    OTHERS.contains(&key) || OPTIONS.contains(&key) || LOGIN.contains(&key)
}

/// Reads the settings for `mailferry login`.
fn client(table: &Table, reading: &mut Reading) -> ConfiguredClient {
    let scopes = match table.get("scopes") {
        None => Vec::new(),
        Some(Value::Array(values)) if values.iter().all(Value::is_str) => values
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(_) => {
            reading.problem("scopes must be a list of strings");
            Vec::new()
        }
    };
    let mut endpoints = Vec::new();
    for (name, key) in [
        ("authorization", "authorization-endpoint"),
        ("token", "token-endpoint"),
        ("device", "device-endpoint"),
    ] {
        let Some(url) = text(table, key, reading) else {
            continue;
        };
        match Endpoint::parse(&url) {
            Ok(_) => endpoints.push((name, url)),
            Err(reason) => reading.problem(format!("{key}: {reason}")),
        }
    }
    ConfiguredClient {
        id: text(table, "client-id", reading),
        secret_file: text(table, "client-secret-file", reading),
        scopes,
        endpoints,
    }
}

/// Returns the address, complete or assembled.
fn address(table: &Table, reading: &mut Reading) -> Option<String> {
    if let Some(address) = text(table, "address", reading) {
        if table.keys().any(|key| {
            is_known(key)
                && !LOGIN.contains(&key.as_str())
                && !STANDS_BESIDE.contains(&key.as_str())
        }) {
            reading.problem("set either address, or user, host and the other keys, not both");
        }
        return Some(address);
    }
    for key in ["user", "host"]
        .into_iter()
        .filter(|key| !table.contains_key(*key))
    {
        reading.problem(format!("{key} is missing"));
    }
    let tls = tls(table, reading);
    let scheme = if tls == TlsMode::Implicit {
        "imaps"
    } else {
        "imap"
    };
    // Read all values before stopping at a missing one, so that every problem is reported.
    let (user, host) = (text(table, "user", reading), text(table, "host", reading));
    let port = match table.get("port") {
        None => String::new(),
        Some(Value::Integer(port)) => format!(":{port}"),
        Some(_) => {
            reading.problem("port must be a number");
            String::new()
        }
    };
    let plain = (tls == TlsMode::None).then(|| ("tls", "none".to_owned()));
    let options: Vec<_> = OPTIONS
        .into_iter()
        .filter_map(|key| Some((key, text(table, key, reading)?)))
        .collect();
    let (user, host) = (user?, host?);
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let mut address = format!(
        "{scheme}://{}@{host}{port}",
        utf8_percent_encode(&user, USER)
    );
    let mut mark = '?';
    for (key, value) in plain.into_iter().chain(options) {
        address.push_str(&format!(
            "{mark}{key}={}",
            utf8_percent_encode(&value, VALUE)
        ));
        mark = '&';
    }
    Some(address)
}

fn tls(table: &Table, reading: &mut Reading) -> TlsMode {
    let Some(text) = text(table, "tls", reading) else {
        return TlsMode::Implicit;
    };
    let modes = [TlsMode::Implicit, TlsMode::StartTls, TlsMode::None];
    modes
        .into_iter()
        .find(|mode| mode.name() == text)
        .unwrap_or_else(|| {
            reading.problem("tls must be implicit, starttls or none");
            TlsMode::Implicit
        })
}

/// Returns a value as a user would type it after `=`.
fn text(table: &Table, key: &str, reading: &mut Reading) -> Option<String> {
    match table.get(key)? {
        Value::String(text) if FILES.contains(&key) => Some(at_home(text)),
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => {
            reading.problem(format!("{key} must be a string"));
            None
        }
    }
}

/// Expands `~/x` to a file in the home directory; no shell has seen this text.
fn at_home(text: &str) -> String {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest).to_string_lossy().into_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_an_address() {
        let table = [
            ("user = 'ann:x@y'\nhost = 'h'", "imaps://ann%3Ax%40y@h"),
            (
                "user = 'a'\nhost = '::1'\nport = 1993",
                "imaps://a@[::1]:1993",
            ),
            ("user = 'a'\nhost = 'h'\ntls = 'starttls'", "imap://a@h"),
            (
                "user = 'a'\nhost = 'h'\ntls = 'none'\nprefix = 'INBOX.'\ntimeout = 9",
                "imap://a@h?tls=none&prefix=INBOX.&timeout=9",
            ),
            (
                "user = 'a'\nhost = 'h'\ncompress = 'off'",
                "imaps://a@h?compress=off",
            ),
            (
                "user = 'a'\nhost = 'h'\ndaily-read = '5MB'\ndaily-write = 4000",
                "imaps://a@h?daily-read=5MB&daily-write=4000",
            ),
            ("address = 'maildir:~/Mail'", "maildir:~/Mail"),
            ("address = 'mbox:/var/mail/a b'", "mbox:/var/mail/a b"),
            (
                "user = 'a'\nhost = 'h'\nca = '/x y&z'",
                "imaps://a@h?ca=/x%20y%26z",
            ),
        ];
        for (text, address) in table {
            let mut reading = Reading::new("account.a".to_owned());
            let account = Account::read(&toml::from_str(text).unwrap(), &mut reading);
            assert_eq!(reading.problems, Vec::<String>::new(), "{text}");
            assert_eq!(account.address, address);
        }
    }
}
