//! What a run saves for the next.

mod golden;
mod runs;
