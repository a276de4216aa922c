//! What a run leaves for the next.

mod golden;
mod runs;
