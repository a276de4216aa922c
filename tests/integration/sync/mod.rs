//! Two-way sync: its rows, what goes wrong under it, others at work beside it, and undo.

mod faults;
mod kills;
mod others_at_work;
mod random;
mod rows;
mod undo;
