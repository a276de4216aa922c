//! What a target lacks and where it differs: pure functions of scans. No I/O, no clock.

mod brake;
pub mod elsewhere;
mod matching;
pub mod merge;
pub mod planned;
pub mod rights;
mod second_look;
mod settling;
pub mod views;
mod work;

pub use brake::{DeletionLimit, Deletions, LimitError, Verdict};
pub use matching::{MatchRules, Matching, Tie, join_folders, match_folder};
pub use second_look::look_alike;
pub use settling::{Likeness, Settled, settle};
#[cfg(test)]
pub(crate) use work::task_of_sizes;
pub use work::{FolderTask, Keywords, Piece, Treatment, pieces, pieces_of, rows};
