//! Results for users, on stdout. All names and texts from a server are made harmless here.

mod copy;
mod deletions;
mod doctor;
mod folders;
mod rights;
mod sync;
mod undo;
mod verify;

pub(crate) use copy::{PlanTable, summary as copy_summary};
pub(crate) use doctor::{Findings, summary as doctor_summary};
pub(crate) use folders::listing;
pub(crate) use sync::{ChangeList, Detail, summary as sync_summary};
pub(crate) use undo::{Restorations, verdict as undo_verdict};
pub(crate) use verify::Differences;
