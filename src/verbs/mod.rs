//! The commands of a user: one function each. Inputs come first, the observer last.

mod compare;
mod copy;
mod deep;
mod doctor;
mod failed;
mod folders;
mod gone;
mod headings;
mod holdings;
mod known;
mod labels;
mod left_out;
mod opening;
mod options;
mod plan_file;
mod room;
mod rounds;
mod same_mailbox;
mod searching;
mod summary;
mod sync;
mod undo;
mod unlisted;
mod verify;
mod views;

pub use copy::copy;
pub use doctor::{DoctorOptions, DoctorSummary, Patient, doctor};
pub use failed::{FailedDir, FailedSaved};
pub use folders::folders;
pub use left_out::{LeftOut, LeftOutFolder};
pub use options::{
    CopyOptions, Deleting, FlagPolicy, Headway, MessageFilter, PlanUse, SyncOptions, VerifyOptions,
};
pub use plan_file::{PlanError, PlanHead, PlanMailbox, read_plan, write_plan};
pub use same_mailbox::Kinship;
pub use summary::{
    CopySummary, FolderListing, FolderRow, OnlyInView, Status, SyncSummary, SyncWay, VerifySummary,
    milliseconds,
};
pub use sync::sync;
pub use undo::{KeptMessage, Restoring, UndoSummary, kept_headings, kept_messages, undo};
pub use verify::verify;
