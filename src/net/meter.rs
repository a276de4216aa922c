//! Counting what goes over all connections to an account.

/// Is told of all bytes that go over the connections of one [`super::Dialer`]: those of the
/// protocol, without TLS's overhead and compression's savings.
pub trait Meter: Send + Sync {
    /// Counts bytes. Must be quick.
    fn count(&self, received: u64, sent: u64);
}
