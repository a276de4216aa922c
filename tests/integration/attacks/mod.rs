//! Malicious names, servers and certificates. docs/security.md lists the test for each attack.

mod names;
mod server;
mod tls;
