//! Signals: the first asks the run to end gently, a later one ends it at once.
//!
//! One request often arrives as several signals: `timeout` signals the process and then its group, and a terminal that
//! hangs up signals the session while the shell signals its jobs. All that arrive within [`TOGETHER`] count as one.
//!
//! A signal that was ignored when the process began stays ignored, as is the custom: `nohup` ignores SIGHUP, and a shell
//! without job control ignores SIGINT for what it starts in the background.

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

/// What the first signal says.
const GENTLY: &str =
    "stopping after the current messages; press Ctrl-C again to quit now; rerun the same command to resume";

/// How long after the first signal others still belong to it.
const TOGETHER: Duration = Duration::from_millis(500);

/// Watches SIGINT, SIGTERM and SIGHUP from now on, on a thread of its own.
///
/// # Errors
/// The system's refusal.
pub(crate) fn watch(stop: Arc<Stop>, console: Arc<Console>) -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP].iter().filter(|signal| !ignored.contains(signal)))?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut first = None;
        for _ in signals.forever() {
            match first {
                None => {
                    first = Some(Instant::now());
                    stop.request();
                    console.line(GENTLY);
                }
                Some(first) if first.elapsed() < TOGETHER => {}
                // Without any cleaning up: lanes are at work, and nothing of theirs may be waited for.
                Some(_) => signal_hook::low_level::exit(c_int::from(exit::INTERRUPTED)),
            }
        }
    })?;
    Ok(())
}

/// A write past the limit on the size of files (`ulimit -f`) fails from now on, as a full disk does, instead of ending the
/// process. A handler, not SIG_IGN: commands that are started for passwords don't inherit it.
pub(crate) fn outlive_size_limit() {
    // Where that is refused, the limit ends the process as it does any other.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
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
