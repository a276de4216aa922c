//! Failures during a run: connections, processes, replies and writes, wherever they can break.

mod chaos;
mod cuts;
mod every_write;
pub(super) mod injector;
mod kills;
mod late;
mod matrix;
mod planning;
mod random;
mod refusals;
mod sayings;
mod throttling;
mod tls;
