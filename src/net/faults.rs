//! Connections that break on purpose, so that tests can step through every write and check the
//! consequences.
//!
//! Nothing in the program injects a fault: without an injector a write only checks an empty
//! `Option`.

use std::fmt::Debug;

/// Is asked about every write to a server's socket, over all connections of one [`super::Dialer`].
/// The first write that it cuts is the connection's last: nothing more goes out or comes in.
pub trait FaultInjector: Debug + Send + Sync {
    /// Reports whether and where the connection breaks at this write. `bytes` are what the socket
    /// gets, TLS records if encrypted; they may contain secrets.
    fn at_write(&self, bytes: &[u8]) -> Option<Cut>;
}

/// Where in a write a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Before its first byte: the server gets none of it.
    Before,
    /// In the middle: the server gets half a command.
    Within,
    /// After its last byte: the server gets all of it and acts on it, and its reply is lost.
    After,
}
