//! Logging in, and that no secret is shown or left behind.

#[cfg(feature = "keyring")]
mod keyring;
mod mechanisms;
mod secrets;
mod tokens;
