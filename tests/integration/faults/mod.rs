//! What breaks under a run: connections, processes, replies and writes, at every place where they
//! can.

mod cuts;
mod every_write;
pub(super) mod injector;
mod kills;
mod matrix;
mod planning;
mod random;
mod refusals;
mod sayings;
mod tls;
