//! The `mailferry` command: parses the command line, runs one verb of the library, shows the
//! result.

mod cli;
#[cfg(test)]
mod properties;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::run())
}
