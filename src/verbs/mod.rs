//! What a user can ask for: one function each, inputs left, outputs right, the observer last.

mod options;
mod summary;

pub use options::{CopyOptions, FlagPolicy, MessageFilter, VerifyOptions};
pub use summary::{CopySummary, FolderListing, FolderRow, Status, VerifySummary};
