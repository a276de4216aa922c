//! The case table as tests, and what holds whatever happens to two mailboxes.

mod convergence;
mod folder_rows;
mod histories;
mod model;
mod rows;
mod run;
mod scene;
