//! The cost of a run: round trips, bytes, memory and time.

mod compress;
mod memory;
mod pace;
mod round_trips;
