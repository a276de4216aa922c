//! The `mailferry` command: reads the command line, runs one verb of the library, shows what came of it.

mod cli;
#[cfg(test)]
mod properties;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::run())
}
