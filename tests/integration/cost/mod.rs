//! What a run costs: round trips, bytes, memory and time.

mod compress;
mod memory;
mod pace;
mod round_trips;
