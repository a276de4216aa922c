//! OAuth 2.0 for a user at a keyboard: getting tokens, keeping them, and renewing them (RFC 6749, RFC 8252, RFC 9700).
//!
//! ```text
//! device    a code that is typed in elsewhere (RFC 8628)       loopback  the one redirect that a browser brings back
//! browser   the authorisation code with PKCE (RFC 7636)        renew     an access token that is good now
//! client    what all of them need of the server                kept      the tokens of an account, as they are kept
//! http      requests, limited and never redirected             vault     where they are kept: a file, or a keyring
//! endpoint  URLs that a secret may be sent to                  profile   what is known of providers
//! ```
//!
//! What stays true: a secret goes to `https` or to this machine only, and to no other place than the one that was named;
//! a code that was not asked for, by its `state`, is never used; a new refresh token is on the disk before anything relies on
//! it; and of what a server says of a failure, secrets are struck out. The user brings the client id: mailferry has none of its
//! own.

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

/// What the user is shown while a login waits for them. Texts come from a server, raw.
pub trait Guide {
    /// A code is to be typed in at an address; `complete` has it in it already.
    fn show_code(&self, address: &str, code: &str, complete: Option<&str>, good_for: Duration);

    /// An address is to be opened in a browser on this machine.
    fn show_address(&self, address: &str);

    /// Something to know that stops nothing.
    fn remark(&self, text: &str);
}
