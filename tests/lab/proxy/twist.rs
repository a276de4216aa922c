//! Damages single responses: the nth of a kind, over all connections of a proxy, is garbled,
//! duplicated, late or dropped, or the connection ends within it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A kind of response, by its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An untagged response of this name, after its number if it has one: `LIST`, `STATUS`,
    /// `FETCH`, `EXISTS`, `VANISHED`.
    Untagged(&'static str),
    /// An `OK`, tagged or not, with a code of this name: `UIDVALIDITY`, `APPENDUID`.
    Code(&'static str),
    /// A tagged `OK`.
    Tagged,
}

impl Kind {
    fn is_of(self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        let name = words.get(1..).unwrap_or_default();
        let is_untagged = words.first() == Some(&"*");
        let is_ok = name
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case("OK"));
        match self {
            Self::Untagged(kind) => {
                let has_number = name
                    .first()
                    .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
                let word = name.get(usize::from(has_number));
                is_untagged && word.is_some_and(|word| word.eq_ignore_ascii_case(kind))
            }
            Self::Code(code) => {
                let said = name.get(1).and_then(|word| word.strip_prefix('['));
                is_ok
                    && said
                        .is_some_and(|word| word.trim_end_matches(']').eq_ignore_ascii_case(code))
            }
            Self::Tagged => is_ok && !is_untagged,
        }
    }
}

/// What becomes of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// What follows the name, or the code's name, can't be read; where nothing follows, the number
    /// can't.
    Garbled,
    Dropped,
    Doubled,
    /// Its literal, the last thing in it, is NIL. A response without a literal comes as it is.
    Nil,
    /// It comes so much later, and so does everything after it.
    Late(Duration),
    /// Its first half comes, then the connection's end.
    Cut,
}

/// Damage to one response.
#[derive(Clone, Debug)]
pub struct Twist {
    kind: Kind,
    nth: usize,
    damage: Damage,
    texts: Vec<&'static str>,
    seen: Arc<AtomicUsize>,
}

impl Twist {
    /// Damages the nth response of this kind, from 1, whichever connection it comes on.
    pub fn new(kind: Kind, nth: usize, damage: Damage) -> Self {
        Self {
            kind,
            nth,
            damage,
            texts: Vec::new(),
            seen: Arc::default(),
        }
    }

    /// Counts only responses with this text in their first line.
    pub fn with(mut self, text: &'static str) -> Self {
        self.texts.push(text);
        self
    }

    /// Whether a response was damaged.
    pub fn is_done(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.nth
    }

    /// How many responses of this kind there were.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed)
    }

    /// What becomes of the response that begins with this line.
    pub(super) fn look_at(&self, line: &[u8]) -> Option<Damage> {
        let line = String::from_utf8_lossy(line);
        let is_due = self.kind.is_of(&line)
            && self.texts.iter().all(|text| line.contains(text))
            && self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.nth;
        is_due.then_some(self.damage)
    }

    /// The line of such a response so that it can't be read; its literal, if it has one, is still
    /// announced.
    pub(super) fn garble(&self, line: &[u8]) -> Vec<u8> {
        let name = match self.kind {
            Kind::Untagged(name) | Kind::Code(name) => name,
            Kind::Tagged => "OK",
        };
        let at = line
            .windows(name.len())
            .position(|window| window.eq_ignore_ascii_case(name.as_bytes()))
            .unwrap_or(0);
        let end = at + name.len();
        let has_more = line.get(end).is_some_and(|&byte| byte == b' ') && self.kind != Kind::Tagged;
        let at = if has_more { end + 1 } else { at };
        [&line[..at], b"\x01?", &line[at..]].concat()
    }
}
