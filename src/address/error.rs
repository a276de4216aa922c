//! What can be wrong with an address. No message repeats a part that could contain a password.

use super::Form;
use super::options::KNOWN;

/// Why a text isn't a mailbox address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A name without a scheme that no account has.
    #[error("no such account: `{name}`")]
    UnknownAccount {
        /// The name.
        name: String,
    },
    /// Neither an address nor a name.
    #[error("this is not a mailbox address")]
    NoAddress,
    /// The scheme of a local mailbox without a path.
    #[error("`{scheme}:` needs the path of a directory")]
    NoPath {
        /// Such as `maildir`.
        scheme: &'static str,
    },
    /// An unknown scheme.
    #[error("`{scheme}://` is not a kind of mailbox that mailferry knows")]
    UnknownScheme {
        /// The scheme.
        scheme: String,
    },
    /// `imaps:` without `//`.
    #[error("the address needs `//` after its scheme")]
    NoSlashes,
    /// A password in the address.
    #[error(
        "the address contains a password, which the process list and the shell history would show"
    )]
    Password,
    /// Nothing before `@`, or no `@`.
    #[error("the address has no user")]
    NoUser,
    /// A user name that can't be decoded.
    #[error("the user in the address is not well-formed percent-encoded text")]
    BadUser,
    /// Nothing after `@`.
    #[error("the address has no host")]
    NoHost,
    /// A character that no host name has.
    #[error("the host in the address contains an invalid character")]
    BadHost,
    /// Something with colons that isn't an IPv6 address in brackets.
    #[error("the host in the address is neither a name nor an IPv6 address in brackets")]
    BadIpv6,
    /// An invalid port.
    #[error("the port in the address is not a number from 1 to 65535")]
    BadPort,
    /// Something between the host and `?`.
    #[error("the address has something other than `?key=value` after the host")]
    Path,
    /// An unknown key.
    #[error("the address has an unknown key {key}; known keys: {KNOWN}")]
    UnknownKey {
        /// The key in quotation marks, or where it is.
        key: String,
    },
    /// A key that occurs twice.
    #[error("the address sets `{key}` twice")]
    Twice {
        /// The key.
        key: &'static str,
    },
    /// A value that its key does not allow.
    #[error("`{key}=` in the address must be {wanted}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What it allows.
        wanted: &'static str,
    },
    /// `imaps://` with a different `tls=`.
    #[error("`imaps://` is TLS from the first byte, and `tls={mode}` contradicts it")]
    Contradiction {
        /// The value of `tls=`.
        mode: &'static str,
    },
    /// A key for certificates without TLS.
    #[error("`{key}=` makes no sense with `tls=none`: there are no certificates")]
    NeedsTls {
        /// The key.
        key: &'static str,
    },
    /// `client-key=` without a certificate.
    #[error("`client-key=` needs `client-cert=`")]
    KeyWithoutCertificate,
}

impl AddressError {
    /// Returns what to write instead.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownAccount { .. } | Self::NoAddress | Self::UnknownScheme { .. } => {
                let local = Form::ALL.map(|form| format!("{}:PATH", form.scheme()));
                return Some(format!(
                    "write imaps://USER@HOST, imap://USER@HOST for a server with STARTTLS, {}",
                    local.join(" or ")
                ));
            }
            Self::NoPath { scheme } => {
                return Some(format!(
                    "write {scheme}:PATH, such as {scheme}:/home/ann/mail"
                ));
            }
            Self::NoSlashes => "write imaps://USER@HOST",
            Self::Password => {
                "remove it, and use --source-password-file, --target-password-file, \
                 --source-password-command or the prompt; write a `:` in USER as %3A"
            }
            Self::NoUser => {
                "write imaps://USER@HOST, with %40 for an @ in USER (imaps://ann%40example.org@HOST)"
            }
            Self::BadUser => {
                "write % as %25, @ as %40, : as %3A, / as %2F; control characters are not allowed"
            }
            Self::NoHost | Self::BadHost => {
                "write the server's name after the @: imaps://USER@imap.example.org"
            }
            Self::BadIpv6 => "write an IPv6 address in brackets: imaps://USER@[2001:db8::1]:993",
            Self::BadPort => "write imaps://USER@HOST:993, or omit :PORT",
            Self::Path => {
                "end the address after the host; select folders with --folder, and write a `/` in USER as %2F"
            }
            Self::Contradiction { .. } => "write imap:// instead of imaps://, or omit `tls=`",
            Self::NeedsTls { .. } => "remove one of the two",
            Self::KeyWithoutCertificate => "add client-cert=FILE with the certificate",
            Self::UnknownKey { .. } | Self::Twice { .. } | Self::BadValue { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
