//! Waiting: before reconnecting, which a stop ends, and for a server to finish, which it does not.

use crate::event::Stop;
use crate::store::{Error, ErrorKind};
use std::time::{Duration, Instant};

/// How long a server is given to finish what it received before its connection broke.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Yields growing pauses between attempts: half a second, doubled up to sixteen; half a minute in
/// all.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    (0..6).map(|n| Duration::from_millis(500 << n))
}

/// How long connecting may take in all, including attempts and pauses: a single attempt may be
/// slow.
pub(super) const LONGEST: Duration = Duration::from_secs(600);

/// Waits, unless the user asks to stop.
pub(crate) fn wait(time: Duration, stop: &Stop) -> Result<(), Error> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if stop.is_requested() {
            return Err(Error::new(
                ErrorKind::Interrupted,
                "stopped while waiting to connect again",
            ));
        }
        std::thread::sleep(Duration::from_millis(50).min(end - Instant::now().min(end)));
    }
    Ok(())
}

/// Waits for a server to finish what it received before its connection broke. Not even a stop cuts
/// this short: a look that comes too early finds nothing, and what still arrives then would count
/// as lost.
pub(crate) fn grace() {
    std::thread::sleep(GRACE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute() {
        let all: Vec<_> = pauses().collect();
        assert!(all.windows(2).all(|pair| pair[0] * 2 == pair[1]));
        assert!(all.iter().sum::<Duration>() < Duration::from_secs(40));
    }

    #[test]
    fn a_request_to_stop_ends_a_pause() {
        let stop = Stop::new();
        stop.request();
        let error = wait(Duration::from_secs(3_600), &stop).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
    }
}
