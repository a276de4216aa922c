//! Mail in directories.

mod maildir;
mod mbox;
