//! Logging in, without showing or leaving any secret.

#[cfg(feature = "keyring")]
mod keyring;
mod mechanisms;
mod secrets;
mod tokens;
