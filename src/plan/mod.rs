//! What a target lacks and where it differs: pure functions of what was scanned. No I/O, no clock.

pub mod matching;
