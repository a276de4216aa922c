//! TCP and TLS for one client: blocking, with deadlines that carry a reason.
//!
//! ```text
//! dial     resolves, connects, protects: makes streams      tls      the handshake, and what its failures mean
//! stream   buffered writes, counted traffic, phases         socket   waits in slices: silence, stop
//! phase    what is being waited for                         error    what went wrong, and what to do
//! probe    single steps, to find the one that fails         certificate   what one says about itself
//! deflate  compression, and its limits                      faults   connections that tests break on purpose
//! meter    counts the bytes of all connections
//! ```
//!
//! Invariants: every wait ends, every error of a wait says what was waited for, certificates are
//! always checked (RFC 8314 section 5.3, TLS 1.2 at least) or are the one that the user pinned, and
//! only this module knows native-tls, flate2 and x509-parser.

mod certificate;
mod connect;
mod deflate;
mod dial;
mod error;
mod faults;
mod meter;
mod phase;
pub mod probe;
mod socket;
mod stream;
mod tls;

pub use crate::address::{Compression, Fingerprint, TlsMode};
pub use certificate::CertificateFacts;
pub use dial::{DialSettings, Dialer};
pub use error::{Attempt, Error, ErrorKind};
pub use faults::{Cut, FaultInjector};
pub use meter::Meter;
pub use phase::{Phase, Way};
pub use stream::{Stream, Traffic};

#[cfg(test)]
mod tests;
