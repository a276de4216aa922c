//! The protocol: what goes over the wire and what it means (RFC 3501, RFC 9051 and their extensions).
//!
//! Only this module knows imap-proto. Nothing here opens a connection: bytes come from a [`wire::ByteSource`] and go
//! out as [`wire::Step`]s.

pub mod response;
pub mod wire;
