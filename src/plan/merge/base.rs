//! The base: what both sides last agreed on in one folder. Forty bytes per pair.

use super::flags::AgreedFlags;
use crate::mail::{
    Both, Counters, FlagTable, HeaderKey, InternalDate, Message, Side, Uid, UidNext, UidSet,
};

/// Fingerprints of a pair's two messages: enough to notice that a UID now belongs to another
/// message, and to find a moved message again. A side's is unknown until a scan has shown the
/// message: what a server makes of a message sent to it can't be known before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prints {
    /// From the header key: [`UNKNOWN`], [`NO_KEY`] or part of the key. Older states have
    /// [`NO_KEY`] for all without a Message-ID.
    keys: Both<u32>,
    /// From INTERNALDATE and RFC822.SIZE: [`UNKNOWN`] or a hash.
    looks: Both<u32>,
}

const UNKNOWN: u32 = 0;
const NO_KEY: u32 = 1;

impl Prints {
    /// Makes the fingerprints of two messages that are the same, as scans show them; `None`: not
    /// shown yet.
    pub fn of(messages: Both<Option<&Message>>) -> Self {
        Self {
            keys: messages.map(|m| m.map_or(UNKNOWN, key_print)),
            looks: messages.map(|m| m.map_or(UNKNOWN, look)),
        }
    }

    /// Restores fingerprints saved as [`Prints::keys`] and [`Prints::looks`].
    pub fn from_kept(keys: Both<u32>, looks: Both<u32>) -> Self {
        Self { keys, looks }
    }

    /// Returns each side's fingerprint of the header key, for saving.
    pub fn keys(self) -> Both<u32> {
        self.keys
    }

    /// Returns each side's fingerprint of date and size, for saving.
    pub fn looks(self) -> Both<u32> {
        self.looks
    }

    /// Returns these fingerprints, with unknown ones taken from two messages.
    pub(super) fn learned(self, messages: Both<Option<&Message>>) -> Self {
        let seen = Self::of(messages);
        let known = |known: u32, seen: u32| if known == UNKNOWN { seen } else { known };
        Self {
            keys: Both::of(|side| known(self.keys[side], seen.keys[side])),
            looks: Both::of(|side| known(self.looks[side], seen.looks[side])),
        }
    }

    /// Returns the trace by which a message on `side` that is this one in another folder is found;
    /// `None` if it can't be told.
    pub fn trace(self, side: Side) -> Option<Trace> {
        let look = if self.looks[side] == UNKNOWN {
            self.looks[side.other()]
        } else {
            self.looks[side]
        };
        Some(self.key(side))
            .filter(|key| *key > NO_KEY)
            .map(|key| (key, look))
    }

    /// Reports whether `message` on `side` is another one: its INTERNALDATE differs, or its size
    /// and its header do. Servers rewrite headers, and some only estimate sizes, so neither of
    /// these alone suffices. If this side has not shown it yet, it is another one if its date and
    /// its header differ from those of the other side's message.
    pub fn contradict(self, side: Side, message: &Message) -> bool {
        if !self.differ_in_looks(side, message) {
            return false;
        }
        let key = key_print(message);
        let other_key = key != UNKNOWN && key != self.key(side);
        if self.looks[side] == UNKNOWN {
            return other_key && self.key(side) != UNKNOWN;
        }
        let other_date = date_part(self.looks[side]) != date_part(look(message));
        let has_no_id = matches!(message.key(), HeaderKey::WithoutId(_) | HeaderKey::Empty);
        other_date || has_no_id || other_key
    }

    /// Reports whether `message` on `side` looks different: if only the other side's was shown so
    /// far, by date alone, which most servers keep. A message of which only flags were requested
    /// matches any.
    pub(super) fn differ_in_looks(self, side: Side, message: &Message) -> bool {
        let (ours, theirs) = (self.looks[side], self.looks[side.other()]);
        match (message.is_bare(), ours, theirs) {
            (true, ..) | (_, UNKNOWN, UNKNOWN) => false,
            (_, UNKNOWN, theirs) => date_part(theirs) != date_part(look(message)),
            (_, ours, _) => ours != look(message),
        }
    }

    /// Returns one side's key, or the other's if it is unknown: they are usually the same.
    fn key(self, side: Side) -> u32 {
        if self.keys[side] == UNKNOWN {
            self.keys[side.other()]
        } else {
            self.keys[side]
        }
    }
}

/// Header key, size and date: what a message keeps when it is moved. Without a Message-ID, two
/// messages may have the same trace.
pub type Trace = (u32, u32);

/// Returns a message's trace; `None` if its header doesn't distinguish it from others.
pub fn trace(message: &Message) -> Option<Trace> {
    Some(key_print(message))
        .filter(|key| *key > NO_KEY)
        .map(|key| (key, look(message)))
}

fn key_print(message: &Message) -> u32 {
    match message.key() {
        HeaderKey::WithId([a, b, c, d, ..]) | HeaderKey::WithoutId([a, b, c, d, ..]) => {
            u32::from_be_bytes([a, b, c, d]).max(NO_KEY + 1)
        }
        HeaderKey::Empty => NO_KEY,
        HeaderKey::Unknown => UNKNOWN,
    }
}

/// Combines a hash of the date with one of the size. It is saved in the state, so it never changes.
fn look(message: &Message) -> u32 {
    if message.is_bare() {
        return UNKNOWN;
    }
    let seconds = message.date().map_or(i64::MIN, InternalDate::seconds);
    let look = u32::from(short_hash(&seconds.to_be_bytes())) << 16
        | u32::from(short_hash(&message.size().to_be_bytes()));
    look.max(UNKNOWN + 1)
}

fn date_part(look: u32) -> u32 {
    look >> 16
}

/// Computes FNV-1a, with its two halves folded into one.
fn short_hash(bytes: &[u8]) -> u16 {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    let [a, b, c, d] = hash.to_be_bytes();
    u16::from_be_bytes([a ^ c, b ^ d])
}

/// Whether both messages of a pair should exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairState {
    /// They should.
    Settled,
    /// It was deleted on this side, and the other side's message could not be deleted so far. It is
    /// never copied back.
    DeletedOn(Side),
}

/// A message on each side that are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasePair {
    pub(super) uids: Both<Uid>,
    flags: u32,
    lacks: Both<u32>,
    pub(super) prints: Prints,
    pub(super) state: PairState,
}

impl BasePair {
    /// Returns its UIDs.
    pub fn uids(&self) -> Both<Uid> {
        self.uids
    }

    /// Returns the fingerprints of its messages.
    pub fn prints(&self) -> Prints {
        self.prints
    }

    /// Reports whether both messages should exist.
    pub fn state(&self) -> PairState {
        self.state
    }

    /// Reports whether it has a message on this side. The UID of a message deleted there no longer
    /// means anything.
    pub(super) fn is_on(&self, side: Side) -> bool {
        self.state != PairState::DeletedOn(side)
    }

    /// Returns what its flags are merged by: equal for pairs with equal flags.
    pub(super) fn flag_sets(&self) -> [u32; 3] {
        [self.flags, self.lacks.first, self.lacks.second]
    }
}

/// What is known about a folder on both sides from the last run that brought it into sync.
#[derive(Clone, Debug, Default)]
pub struct BaseFolder {
    pairs: Vec<BasePair>,
    sets: FlagTable,
    refused: Both<UidSet>,
    marks: Both<Counters>,
    highest: Both<Option<Uid>>,
    stale: bool,
    unfinished: bool,
}

impl BaseFolder {
    /// Makes a base without pairs. `marks` are both sides' counters before that run wrote anything
    /// itself.
    pub fn new(marks: Both<Counters>) -> Self {
        Self {
            marks,
            ..Self::default()
        }
    }

    /// Marks the state as older than the mailboxes (its generation isn't that of the last run): no
    /// deletion is inferred from it.
    #[must_use]
    pub fn stale(mut self) -> Self {
        self.stale = true;
        self
    }

    /// Marks the last run as interrupted: either side may have copies that are in no pair. They are
    /// recognised by content, as far as they are shown.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    /// Adds a pair. A UID is in one pair at most.
    pub fn add(&mut self, uids: Both<Uid>, flags: &AgreedFlags, prints: Prints, state: PairState) {
        let lacks = Both::of(|side| self.sets.intern(flags.lacks[side].clone()));
        let flags = self.sets.intern(flags.flags.clone());
        let pair = BasePair {
            uids,
            flags,
            lacks,
            prints,
            state,
        };
        for side in Side::BOTH.into_iter().filter(|side| pair.is_on(*side)) {
            self.highest[side] = self.highest[side].max(Some(uids[side]));
        }
        self.pairs.push(pair);
    }

    /// Notes that the other side permanently refused this message on `side` (too big, a virus, its
    /// bytes).
    pub fn refuse(&mut self, side: Side, uid: Uid) {
        self.refused[side].insert(uid);
    }

    /// Reports whether the run that left it was interrupted.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Returns the pairs, in the order in which they were added.
    pub fn pairs(&self) -> &[BasePair] {
        &self.pairs
    }

    /// Returns the flags that a pair's two messages agreed on.
    pub fn flags(&self, pair: &BasePair) -> AgreedFlags {
        AgreedFlags {
            flags: self.sets.get(pair.flags),
            lacks: pair.lacks.map(|set| self.sets.get(set)),
        }
    }

    /// Returns the messages on `side` that the other side refused.
    pub fn refused(&self, side: Side) -> &UidSet {
        &self.refused[side]
    }

    pub(super) fn mark(&self, side: Side) -> &Counters {
        &self.marks[side]
    }

    /// Returns the lowest UIDNEXT that a side can have now: its last one, or more if messages were
    /// written since.
    pub(super) fn least_uid_next(&self, side: Side) -> UidNext {
        let told = self.marks[side].uid_next.unwrap_or(UidNext::FIRST);
        self.highest[side].map_or(told, |uid| told.max(UidNext::after(uid)))
    }

    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_which_only_flags_were_asked_for_contradicts_nothing() {
        let uid = Uid::new(7).unwrap();
        let seen = Message::new(
            uid,
            100,
            InternalDate::new(1_700_000_000, 0),
            0,
            HeaderKey::WithId([3; 16]),
        );
        let other = Message::new(
            uid,
            200,
            InternalDate::new(1_600_000_000, 0),
            0,
            HeaderKey::WithId([4; 16]),
        );
        let prints = Prints::of(Both::new(Some(&seen), Some(&seen)));
        let bare = Message::bare(uid, 0);
        for side in Side::BOTH {
            assert!(!prints.contradict(side, &bare) && !prints.differ_in_looks(side, &bare));
            assert!(prints.contradict(side, &other));
        }
        // Nothing is learned about it either, and nothing forgotten.
        assert_eq!(prints.learned(Both::new(Some(&bare), Some(&bare))), prints);
        assert_eq!(Prints::of(Both::new(Some(&bare), None)), Prints::default());
        assert_eq!(Prints::from_kept(prints.keys(), prints.looks()), prints);
    }

    #[test]
    fn a_message_that_was_not_shown_yet_is_another_one_by_its_date_and_its_header() {
        let uid = Uid::new(7).unwrap();
        let at = |seconds, key| Message::new(uid, 100, InternalDate::new(seconds, 0), 0, key);
        let (key, other_key) = (HeaderKey::WithId([3; 16]), HeaderKey::WithId([4; 16]));
        let sent = at(1_700_000_000, key);
        let prints = Prints::of(Both::new(Some(&sent), None));
        assert!(prints.contradict(Side::Second, &at(1_600_000_000, other_key)));
        // A server that keeps no dates, one that rewrites headers, and a header that was not
        // requested.
        for same in [
            at(1_600_000_000, key),
            at(1_700_000_000, other_key),
            at(1_600_000_000, HeaderKey::Unknown),
        ] {
            assert!(!prints.contradict(Side::Second, &same));
        }
        assert!(
            prints.differ_in_looks(Side::Second, &at(1_600_000_000, HeaderKey::Unknown)),
            "its header is asked for"
        );
    }
}
