//! The case table as tests, and what holds for anything that may happen to two mailboxes.

mod folder_rows;
mod rows;
mod scene;
