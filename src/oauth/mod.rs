//! OAuth 2.0 for an interactive user: getting tokens, storing them, and renewing them (RFC 6749,
//! RFC 8252, RFC 9700).
//!
//! ```text
//! device    a code that is typed in elsewhere (RFC 8628)       loopback  the redirect that a browser follows
//! browser   the authorization code with PKCE (RFC 7636)        renew     a valid access token
//! client    what all of them need of the server                kept      an account's tokens, as stored
//! http      requests, limited and never redirected             vault     where they are stored: a file, or a keyring
//! endpoint  URLs that a secret may be sent to                  profile   what is known about providers
//! ```
//!
//! Invariants: a secret goes only to `https` or to this machine, and only to the place that was
//! named; a code that was not requested, according to its `state`, is never used; a new refresh
//! token is on disk before anything relies on it; secrets are redacted from a server's text about a
//! failure. The user provides the client ID: mailferry has none of its own.

mod browser;
mod client;
mod device;
mod endpoint;
mod http;
mod kept;
mod loopback;
mod profile;
mod renew;
mod vault;

pub use browser::by_browser;
pub use client::{Client, Tokens};
pub use device::by_device;
pub use endpoint::Endpoint;
pub use kept::{Account, Kept};
pub use profile::{Flow, Profile};
pub use renew::Login;
pub use vault::{Keyring, Vault};

use std::time::Duration;

/// Shows the user what a login is waiting for. Texts come from a server, raw.
pub trait Guide {
    /// Shows a code and the address where to enter it; `complete` includes the code.
    fn show_code(&self, address: &str, code: &str, complete: Option<&str>, good_for: Duration);

    /// Shows an address to open in a browser on this machine.
    fn show_address(&self, address: &str);

    /// Shows a remark that stops nothing.
    fn remark(&self, text: &str);
}
