//! Unanswered commands.
//!
//! A reply ends the command with its tag (RFC 3501 section 2.2.1), in whatever order the server
//! answers. What is on the way is counted, so that it can be limited.

use super::{Asked, BYTES_AHEAD, COMMANDS_AHEAD, Ticket};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// An unanswered command.
struct Waiting {
    ticket: Ticket,
    tag: String,
    /// What it requests.
    asked: Asked,
    /// Whether anyone waits for the reply; otherwise it is discarded.
    is_attended: bool,
    /// The command's length, without a message that it may carry.
    bytes: usize,
    /// When it was begun, if no other was unanswered: its reply takes at least a round trip.
    since: Option<Instant>,
}

/// Unanswered commands, oldest first: a few hundred at most.
#[derive(Default)]
pub(super) struct Unreplied {
    waiting: VecDeque<Waiting>,
    round_trip: Option<Duration>,
}

impl Unreplied {
    /// Adds a command of this length that is being sent.
    pub(super) fn push(&mut self, ticket: Ticket, tag: String, asked: Asked, bytes: usize) {
        let since = self.waiting.is_empty().then(Instant::now);
        self.waiting.push_back(Waiting {
            ticket,
            tag,
            asked,
            is_attended: true,
            bytes,
            since,
        });
    }

    /// Marks the last command as one whose reply nobody waits for.
    pub(super) fn leave_last(&mut self) {
        if let Some(last) = self.waiting.back_mut() {
            last.is_attended = false;
        }
    }

    /// Returns the one that is most likely being answered.
    pub(super) fn oldest(&self) -> Option<Ticket> {
        self.waiting.front().map(|waiting| waiting.ticket)
    }

    /// Removes the command with this tag, as its reply has arrived. Returns its ticket, what it
    /// requests, and whether anyone waits for the reply; `None`: no command has this tag.
    pub(super) fn take(&mut self, tag: &str) -> Option<(Ticket, Asked, bool)> {
        let at = self.waiting.iter().position(|waiting| waiting.tag == tag)?;
        let answered = self.waiting.remove(at)?;
        if let Some(since) = answered.since {
            let took = since.elapsed();
            self.round_trip = Some(self.round_trip.map_or(took, |before| before.min(took)));
        }
        Some((answered.ticket, answered.asked, answered.is_attended))
    }

    /// Returns the shortest time in which a command was answered that was sent to an idle server.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Returns how many replies someone waits for.
    pub(super) fn attended(&self) -> usize {
        self.waiting
            .iter()
            .filter(|waiting| waiting.is_attended)
            .count()
    }

    /// Reports whether the server can accept one more command while nobody reads its replies.
    pub(super) fn has_room(&self) -> bool {
        self.bytes() < BYTES_AHEAD && self.waiting.len() < COMMANDS_AHEAD
    }

    /// Reports whether few enough are left to send more, all at once.
    pub(super) fn is_half_answered(&self) -> bool {
        self.bytes() <= BYTES_AHEAD / 2 && self.waiting.len() <= COMMANDS_AHEAD / 2
    }

    fn bytes(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn a_round_trip_is_the_shortest_wait_for_what_was_sent_alone() {
        let (tag, wait) = (|number: u8| format!("a{number}"), Duration::from_millis(20));
        let mut unreplied = Unreplied::default();
        unreplied.push(Ticket(1), tag(1), Asked::Read, 10);
        unreplied.push(Ticket(2), tag(2), Asked::Read, 10);
        sleep(wait);
        assert_eq!(unreplied.take("a1"), Some((Ticket(1), Asked::Read, true)));
        let first = unreplied.round_trip().unwrap();
        assert!(first >= wait);
        // After another, it may be answered in no time.
        unreplied.push(Ticket(3), tag(3), Asked::Read, 10);
        assert_eq!(unreplied.take("a3"), Some((Ticket(3), Asked::Read, true)));
        assert_eq!(unreplied.round_trip(), Some(first));
        unreplied.leave_last();
        assert_eq!(unreplied.take("a2"), Some((Ticket(2), Asked::Read, false)));
        unreplied.push(Ticket(4), tag(4), Asked::Read, 10);
        unreplied.take("a4");
        assert!(unreplied.round_trip().unwrap() < first);
        assert_eq!(unreplied.take("a4"), None);
    }
}
