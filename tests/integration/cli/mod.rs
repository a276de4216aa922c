//! The command line: options, streams, exit codes, reports, and working advice.

mod advice;
mod config;
mod doctor;
mod folders;
mod pipelines;
mod readme;
mod report;
mod shell;
