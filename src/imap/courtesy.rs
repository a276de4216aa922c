//! How long to pause before the next command: servers that want less load say so in replies.
//!
//! Gmail ends a successful reply with `[THROTTLED]`; Microsoft 365 gives a time in a refusal.
//! Clients that ignore it are slowed down to next to nothing, or locked out for hours.

use super::connection::Reply;
use super::response::Code;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(16);
/// A server may ask for more than this; then it refuses again, and says how long.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// What one server has asked for so far.
#[derive(Debug, Default)]
pub(super) struct Courtesy {
    /// Between commands: doubled by each throttled reply, reduced by each other one.
    pause: Duration,
    /// Once, as requested by the server.
    asked: Duration,
}

impl Courtesy {
    /// Takes note of a tagged reply.
    pub(super) fn heard(&mut self, reply: &Reply) {
        if let Some(time) = suggested(&reply.text) {
            self.asked = time.min(LONGEST_ASKED);
        }
        if reply.code == Some(Code::Throttled) || reply.text.trim_end().ends_with("[THROTTLED]") {
            self.pause = (self.pause * 2).clamp(FIRST, LONGEST);
        } else {
            let less = self.pause * 3 / 4;
            self.pause = if less < FIRST { Duration::ZERO } else { less };
        }
    }

    /// Returns how long to pause before the next command.
    pub(super) fn take(&mut self) -> Duration {
        self.pause.max(std::mem::take(&mut self.asked))
    }
}

/// Parses `Suggested Backoff Time: 299961 milliseconds`, as written by Exchange and Microsoft 365.
/// No RFC has it: it is part of the human-readable `text` of a reply (RFC 3501 section 7.1).
fn suggested(text: &str) -> Option<Duration> {
    let (_, rest) = text.split_once("Suggested Backoff Time: ")?;
    let (number, unit) = rest.split_once(' ')?;
    unit.starts_with("milliseconds").then_some(())?;
    Some(Duration::from_millis(number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::Completion;

    fn reply(completion: Completion, code: Option<Code>, text: &str) -> Reply {
        Reply {
            completion,
            code,
            text: text.to_owned(),
        }
    }

    #[test]
    fn pauses_grow_while_the_server_throttles_and_end_when_it_stops() {
        let mut courtesy = Courtesy::default();
        let throttled = reply(Completion::Ok, None, "Success [THROTTLED]");
        let mut pauses = Vec::new();
        for _ in 0..12 {
            courtesy.heard(&throttled);
            pauses.push(courtesy.take().as_millis());
        }
        assert_eq!(pauses[..4], [50, 100, 200, 400]);
        assert_eq!(pauses[11], 16_000);
        for _ in 0..25 {
            courtesy.heard(&reply(Completion::Ok, None, "Success"));
        }
        assert_eq!(courtesy.take(), Duration::ZERO);
    }

    #[test]
    fn a_time_that_the_server_names_is_waited_for_once() {
        let mut courtesy = Courtesy::default();
        for (text, seconds) in [
            (
                "Request is throttled. Suggested Backoff Time: 29000 milliseconds",
                29,
            ),
            (
                "Request is throttled. Suggested Backoff Time: 9999999 milliseconds",
                300,
            ),
            ("Suggested Backoff Time: soon", 0),
        ] {
            courtesy.heard(&reply(Completion::Bad, None, text));
            assert_eq!(courtesy.take(), Duration::from_secs(seconds), "{text}");
            assert_eq!(courtesy.take(), Duration::ZERO);
        }
        courtesy.heard(&reply(Completion::No, Some(Code::Throttled), "slow down"));
        assert_eq!(courtesy.take(), FIRST);
    }
}
