//! Signals: the first asks the run to stop cleanly, a later one ends it at once.
//!
//! One request often arrives as several signals: `timeout` signals the process and then its group,
//! and a terminal that hangs up signals the session while the shell signals its jobs. All that
//! arrive within [`TOGETHER`] count as one.
//!
//! A signal that was ignored when the process started stays ignored, as is usual: `nohup` ignores
//! SIGHUP, and a shell without job control ignores SIGINT for background jobs.

use super::console::Console;
use super::exit;
use mailferry::event::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::ffi::c_int;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

/// The message for the first signal.
const GENTLY: &str = "stopping after the current messages; press Ctrl-C again to quit now; rerun the same command to resume";

/// How long after the first signal others still belong to it.
const TOGETHER: Duration = Duration::from_millis(500);

/// Watches SIGINT, SIGTERM and SIGHUP from now on, in its own thread.
///
/// # Errors
/// The system's error.
pub(crate) fn watch(stop: Arc<Stop>, console: Arc<Console>) -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    let mut signals = Signals::new(
        [SIGINT, SIGTERM, SIGHUP]
            .iter()
            .filter(|signal| !ignored.contains(signal)),
    )?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut first = None;
            for _ in signals.forever() {
                match first {
                    None => {
                        first = Some(Instant::now());
                        stop.request();
                        console.line(GENTLY);
                    }
                    Some(first) if first.elapsed() < TOGETHER => {}
                    // Without any cleanup: lanes are working, and none may be waited for.
                    Some(_) => signal_hook::low_level::exit(c_int::from(exit::INTERRUPTED)),
                }
            }
        })?;
    Ok(())
}

/// Makes writes past the file size limit (`ulimit -f`) fail like a full disk, instead of ending the
/// process. Uses a handler rather than SIG_IGN, which password commands would inherit.
pub(crate) fn outlive_size_limit() {
    // If that is refused, the limit ends the process as it does any other.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Returns the signals listed as ignored in `/proc/self/status`; none if there is no such file.
fn ignored(status: &str) -> Vec<c_int> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or_default();
    (1..=64)
        .filter(|signal| mask >> (signal - 1) & 1 == 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        assert_eq!(
            ignored("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t00\n"),
            [SIGHUP, 13]
        );
        assert!(ignored("SigIgn:\t0000000000000000\n").is_empty());
        assert!(ignored("SigIgn:\tnonsense\n").is_empty());
        assert!(ignored("").is_empty());
    }
}
