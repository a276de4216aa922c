//! Connections that break on purpose, so that tests can step through every write and see what is left of it.
//!
//! Nothing in the program injects a fault: without an injector a write costs one look at an empty `Option`.

use std::fmt::Debug;

/// Is asked about every write to a server's socket, over all connections of one [`super::Dialer`]. The first of a
/// connection that it cuts is its last: nothing more goes out or comes in.
pub trait FaultInjector: Debug + Send + Sync {
    /// Whether the connection breaks at this write, and where. `bytes` are what the socket is given, under TLS its
    /// records; they may hold secrets.
    fn at_write(&self, bytes: &[u8]) -> Option<Cut>;
}

/// Where in a write a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Before its first byte: the server sees none of it.
    Before,
    /// In its middle: the server gets half a command.
    Within,
    /// After its last byte: the server gets all of it and does what it asks, and its reply is lost.
    After,
}
