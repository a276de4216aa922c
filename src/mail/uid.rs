//! UIDs, UIDNEXT, UIDVALIDITY and sets of UIDs (RFC 3501 section 2.3.1.1), and mod-sequences (RFC
//! 7162).

use serde::Serialize;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

/// A message's unique identifier within one mailbox and one UIDVALIDITY. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Uid(NonZeroU32);

impl Uid {
    /// Makes the UID with this value; `None` for zero, which no server may use.
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// Returns the number as on the wire.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// UIDNEXT: every message that comes into a mailbox gets this UID or a higher one, and all that were
/// ever there have lower ones. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UidNext(NonZeroU32);

impl UidNext {
    /// The UIDNEXT of a mailbox that never had a message.
    pub const FIRST: Self = Self(NonZeroU32::MIN);
    /// The highest that there is.
    pub const LAST: Self = Self(NonZeroU32::MAX);

    /// Makes the UIDNEXT with this value; `None` for zero, which no server may use.
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// Returns the lowest UIDNEXT of a mailbox that had a message with this UID.
    pub fn after(uid: Uid) -> Self {
        Self(uid.0.saturating_add(1))
    }

    /// Returns the number as on the wire.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// Reports whether this UID was assigned already, so that its message isn't new.
    pub fn has_assigned(self, uid: Uid) -> bool {
        uid.0 < self.0
    }

    /// Returns all UIDs that can still be assigned.
    pub fn and_above(self) -> UidSet {
        UidSet::from_uid(Uid(self.0))
    }

    /// Returns the UIDNEXT after so many messages came.
    #[must_use]
    pub fn advanced_by(self, messages: u32) -> Self {
        Self(self.0.saturating_add(messages))
    }

    /// Returns the UIDNEXT before so many messages came, at least [`UidNext::FIRST`].
    #[must_use]
    pub fn lowered_by(self, messages: u32) -> Self {
        Self::new(self.get().saturating_sub(messages)).unwrap_or(Self::FIRST)
    }
}

impl fmt::Display for UidNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A mod-sequence (RFC 7162 section 3): each change of a mailbox's messages gets a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModSeq(pub u64);

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The generation of a mailbox's UIDs: when it changes, every recorded UID of that mailbox is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UidValidity(pub u32);

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of UIDs as ascending ranges that neither overlap nor touch: its memory grows with the
/// gaps, not with the messages, so a server's `1:4294967295` costs eight bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<RangeInclusive<u32>>,
}

impl UidSet {
    /// Makes the set of all UIDs from `first` to the largest possible.
    pub fn from_uid(first: Uid) -> Self {
        Self {
            ranges: vec![first.get()..=u32::MAX],
        }
    }

    /// Reports whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns how many UIDs it contains.
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|range| u64::from(range.end() - range.start()) + 1)
            .sum()
    }

    /// Reports whether it contains `uid`. Takes time logarithmic in the number of ranges.
    pub fn contains(&self, uid: Uid) -> bool {
        let value = uid.get();
        let at = self.ranges.partition_point(|range| *range.end() < value);
        self.ranges
            .get(at)
            .is_some_and(|range| range.contains(&value))
    }

    /// Adds one UID. Takes constant time in ascending order; any order works.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid.get()..=uid.get());
    }

    /// Adds every UID between the two numbers, whichever is larger (RFC 3501 allows `9:5`). Zero is
    /// skipped.
    pub fn insert_range(&mut self, range: RangeInclusive<u32>) {
        let (mut low, mut high) = range.into_inner();
        if low > high {
            std::mem::swap(&mut low, &mut high);
        }
        low = low.max(1);
        if high == 0 {
            return;
        }
        // Merge all ranges that overlap or touch low..=high.
        let from = self
            .ranges
            .partition_point(|r| r.end().saturating_add(1) < low);
        let to = self
            .ranges
            .partition_point(|r| *r.start() <= high.saturating_add(1));
        if from < to {
            low = low.min(*self.ranges[from].start());
            high = high.max(*self.ranges[to - 1].end());
        }
        self.ranges.splice(from..to, [low..=high]);
    }

    /// Adds all UIDs of another set.
    pub fn add(&mut self, other: &Self) {
        other
            .ranges()
            .for_each(|(low, high)| self.insert_range(low..=high));
    }

    /// Returns the UIDs that aren't in the other set. Only for sets made from known UIDs.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.iter().filter(|uid| !other.contains(*uid)).collect()
    }

    /// Returns the UIDs that are in the other set, too. Only for sets made from known UIDs.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> Self {
        self.iter().filter(|uid| other.contains(*uid)).collect()
    }

    /// Returns the UIDs that were assigned between two values of UIDNEXT and that it doesn't
    /// contain.
    pub fn missing_between(&self, before: UidNext, after: UidNext) -> Self {
        let (first, end) = (before.get(), after.get());
        let mut missing = Self::default();
        let mut next = first;
        for (low, high) in self.ranges().filter(|(_, high)| *high >= first) {
            if low.min(end) > next {
                missing.insert_range(next..=low.min(end) - 1);
            }
            next = next.max(high.saturating_add(1));
        }
        if end > next {
            missing.insert_range(next..=end - 1);
        }
        missing
    }

    /// Iterates over the ranges, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.ranges
            .iter()
            .map(|range| (*range.start(), *range.end()))
    }

    /// Iterates over all UIDs, ascending. Only for sets made from known UIDs: a server's own set
    /// may have four billion.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().cloned().flatten().filter_map(Uid::new)
    }

    /// Splits the set into IMAP sequence-sets of at most `max_bytes` each (RFC 2683 section 3.2.1.5
    /// on the length of command lines), in ascending order. Each has at least one range.
    pub fn sequence_sets(&self, max_bytes: usize) -> Vec<String> {
        let mut sets = Vec::new();
        let mut current = String::new();
        for range in &self.ranges {
            let item = RangeText(range).to_string();
            if !current.is_empty() && current.len() + 1 + item.len() > max_bytes {
                sets.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(',');
            }
            current.push_str(&item);
        }
        if !current.is_empty() {
            sets.push(current);
        }
        sets
    }

    /// Parses a server's `uid-set` (RFC 4315 section 4), such as `4,7:9,3`. `None` if it is
    /// malformed.
    ///
    /// ```abnf
    /// uid-set   = (uniqueid / uid-range) *("," uid-set)
    /// uid-range = (uniqueid ":" uniqueid)
    /// ```
    /// (RFC 4315 section 4.) Zeros are skipped.
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for item in text.split(',') {
            let (low, high) = item.split_once(':').unwrap_or((item, item));
            set.insert_range(low.parse().ok()?..=high.parse().ok()?);
        }
        Some(set)
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut set = Self::default();
        for uid in uids {
            set.insert(uid);
        }
        set
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.ranges.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            RangeText(range).fmt(f)?;
        }
        Ok(())
    }
}

struct RangeText<'a>(&'a RangeInclusive<u32>);

impl fmt::Display for RangeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self.0.start(), *self.0.end()) {
            (low, high) if low == high => write!(f, "{low}"),
            (low, u32::MAX) => write!(f, "{low}:*"),
            (low, high) => write!(f, "{low}:{high}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(values: impl IntoIterator<Item = u32>) -> UidSet {
        values.into_iter().filter_map(Uid::new).collect()
    }

    #[test]
    fn displays_ranges() {
        assert_eq!(set([5, 1, 2, 3, 9, 8]).to_string(), "1:3,5,8:9");
        assert_eq!(UidSet::from_uid(Uid::new(7).unwrap()).to_string(), "7:*");
    }

    #[test]
    fn tells_what_is_missing() {
        let some = set([3, 4, 7, 9]);
        let next = |value| UidNext::new(value).unwrap();
        let missing = |before, after| some.missing_between(next(before), next(after));
        assert_eq!(missing(1, 12).to_string(), "1:2,5:6,8,10:11");
        assert_eq!(missing(4, 9).to_string(), "5:6,8");
        assert_eq!(missing(3, 5), UidSet::default());
        assert_eq!(missing(9, 3), UidSet::default());
        assert_eq!(
            next(5)
                .and_above()
                .missing_between(next(2), UidNext::LAST)
                .to_string(),
            "2:4"
        );
    }

    #[test]
    fn a_uid_is_assigned_once_it_is_below_uidnext() {
        let (uid, next) = (Uid::new(7).unwrap(), UidNext::new(7).unwrap());
        assert!(!next.has_assigned(uid) && next.and_above().contains(uid));
        assert!(UidNext::after(uid).has_assigned(uid));
        assert_eq!(next.advanced_by(3).lowered_by(3), next);
        // A server may have assigned the last one.
        let last = Uid::new(u32::MAX).unwrap();
        assert_eq!(UidNext::after(last), UidNext::LAST);
        assert_eq!(UidNext::LAST.advanced_by(1), UidNext::LAST);
        assert_eq!(next.lowered_by(9), UidNext::FIRST);
        assert_eq!(UidNext::new(0), None);
    }

    #[test]
    fn parses_what_servers_send() {
        assert_eq!(UidSet::parse("310:300,4").unwrap().to_string(), "4,300:310");
        assert_eq!(UidSet::parse("1:4294967295").unwrap().len(), 4_294_967_295);
        assert_eq!(UidSet::parse("1:4294967296"), None);
        assert_eq!(UidSet::parse(""), None);
    }

    #[test]
    fn splits_into_short_command_lines() {
        let odd = set((0..100).map(|n| n * 2 + 1));
        let sets = odd.sequence_sets(20);
        assert!(sets.iter().all(|text| text.len() <= 20 && !text.is_empty()));
        let joined = UidSet::parse(&sets.join(",")).unwrap();
        assert_eq!(joined, odd);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn behaves_like_a_set(values in prop::collection::vec(1u32..200, 0..80)) {
            let model: BTreeSet<u32> = values.iter().copied().collect();
            let ours = set(values);
            prop_assert_eq!(ours.len(), model.len() as u64);
            prop_assert_eq!(ours.iter().map(Uid::get).collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            for value in 1..201 {
                prop_assert_eq!(ours.contains(Uid::new(value).unwrap()), model.contains(&value));
            }
        }
    }
}
