//! Waiting before reconnecting.

use crate::event::Stop;
use crate::store::{Error, ErrorKind};
use std::time::{Duration, Instant};

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
