//! Signals: the first asks the run to end gently, the second ends it at once.
//!
//! A signal that was ignored when the process began stays ignored: `nohup` means what it says.

use super::console::Console;
use super::exit;
use mailferry::event::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::c_int;
use std::io;
use std::sync::Arc;
use std::thread;

/// What the first signal says.
const GENTLY: &str =
    "finishing what is under way; press Ctrl-C again to stop at once; run the same command again to go on";

/// Watches SIGINT, SIGTERM and SIGHUP from now on, on a thread of its own.
///
/// # Errors
/// The system's refusal.
pub(crate) fn watch(stop: Arc<Stop>, console: Arc<Console>) -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP].iter().filter(|signal| !ignored.contains(signal)))?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked = false;
        for _ in signals.forever() {
            if asked {
                // Without any cleaning up: lanes are at work, and nothing of theirs may be waited for.
                signal_hook::low_level::exit(c_int::from(exit::INTERRUPTED));
            }
            asked = true;
            stop.request();
            console.line(GENTLY);
        }
    })?;
    Ok(())
}

/// The signals that `/proc/self/status` names as ignored; none where there is no such file.
fn ignored(status: &str) -> Vec<c_int> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or_default();
    (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t00\n"), [SIGHUP, 13]);
        assert!(ignored("SigIgn:\t0000000000000000\n").is_empty());
        assert!(ignored("SigIgn:\tnonsense\n").is_empty());
        assert!(ignored("").is_empty());
    }
}
