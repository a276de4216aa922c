//! Names, servers and certificates that mean harm. docs/security.md says which test answers which
//! attack.

mod names;
mod server;
mod tls;
