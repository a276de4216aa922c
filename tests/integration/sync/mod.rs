//! Two-way sync: its case table, failures, other programs at work, and undo.

mod faults;
mod kills;
mod others_at_work;
mod random;
mod rows;
mod undo;
