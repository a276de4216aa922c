//! How long to pause before the next command: servers that want less load say so in replies.
//!
//! Gmail ends a successful reply with `[THROTTLED]`; Microsoft 365 gives a time in a refusal.
//! Clients that ignore it are slowed down to next to nothing, or locked out for hours. The pauses
//! between commands are those of Dovecot's client.

use super::connection::Reply;
use super::meaning::{Class, Meaning, Wait};
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
    asked: Option<Pause>,
}

/// A pause that a server has asked for by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// How long, from when it is taken.
    pub(super) time: Duration,
    /// The server's text, raw.
    pub(super) text: String,
}

impl Courtesy {
    /// Takes note of a tagged reply and its meaning.
    pub(super) fn heard(&mut self, reply: &Reply, meaning: Meaning) {
        let is_told = meaning.wait == Wait::AsTold;
        if let Some(time) = meaning.least_wait(&reply.text).filter(|_| is_told) {
            self.asked = Some(Pause {
                time: time.min(LONGEST_ASKED),
                text: reply.text.clone(),
            });
        } else if matches!(meaning.class, Class::Slow | Class::Throttled) {
            self.pause = (self.pause * 2).clamp(FIRST, LONGEST);
        } else {
            let less = self.pause * 3 / 4;
            self.pause = if less < FIRST { Duration::ZERO } else { less };
        }
    }

    /// Returns how long to pause before the next command, and what the server has asked for by
    /// name, if that is longer.
    pub(super) fn take(&mut self) -> (Duration, Option<Pause>) {
        match self.asked.take() {
            Some(asked) if asked.time > self.pause => (asked.time, Some(asked)),
            _ => (self.pause, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::meaning::{Asked as To, Said, meaning};
    use super::*;
    use crate::imap::{Code, Completion};

    fn hear(courtesy: &mut Courtesy, completion: Completion, code: Option<Code>, text: &str) {
        let reply = Reply {
            completion,
            code,
            text: text.to_owned(),
        };
        let meaning = meaning(&Said {
            completion: Some(reply.completion),
            code: reply.code.as_ref(),
            text: &reply.text,
            to: To::Read,
            server: "",
        });
        courtesy.heard(&reply, meaning);
    }

    #[test]
    fn pauses_grow_while_the_server_throttles_and_end_when_it_stops() {
        let mut courtesy = Courtesy::default();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            hear(&mut courtesy, Completion::Ok, None, "Success [THROTTLED]");
            pauses.push(courtesy.take().0.as_millis());
        }
        assert_eq!(pauses[..4], [50, 100, 200, 400]);
        assert_eq!(pauses[11], 16_000);
        hear(&mut courtesy, Completion::Ok, None, "Success");
        assert_eq!(courtesy.take(), (Duration::from_secs(12), None));
        for _ in 0..25 {
            hear(&mut courtesy, Completion::Ok, None, "Success");
        }
        assert_eq!(courtesy.take(), (Duration::ZERO, None));
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
        ] {
            hear(&mut courtesy, Completion::Bad, None, text);
            let (time, asked) = courtesy.take();
            assert_eq!(time, Duration::from_secs(seconds), "{text}");
            assert_eq!(asked.unwrap().text, text);
            assert_eq!(courtesy.take(), (Duration::ZERO, None));
        }
        for text in ["Suggested Backoff Time: soon", "slow down"] {
            let mut courtesy = Courtesy::default();
            hear(&mut courtesy, Completion::No, Some(Code::Throttled), text);
            assert_eq!(courtesy.take(), (FIRST, None), "{text}");
        }
    }
}
