//! The two mailboxes of a run.

use serde::{Serialize, Serializer};
use std::ops::{AddAssign, Index, IndexMut};

/// One of the two mailboxes. In one-way work, mail goes from the first to the second; a sync treats
/// both alike. A command with one mailbox has only the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The one named first on the command line.
    First,
    /// The one named second.
    Second,
}

impl Side {
    /// The side that mail comes from, in one-way work.
    pub const SOURCE: Self = Self::First;
    /// The side that mail goes to, in one-way work.
    pub const TARGET: Self = Self::Second;
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// Returns the other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// Each side's name in one-way work.
    pub const PARTS: Both<&'static str> = Both::new(Self::SOURCE.name(), Self::TARGET.name());
    /// Each side's name in two-way work.
    pub const ORDINALS: Both<&'static str> =
        Both::new(Self::First.ordinal(), Self::Second.ordinal());

    /// Returns `source` or `target`, as in options and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SOURCE => "source",
            Self::TARGET => "target",
        }
    }

    /// Returns `first` or `second`, as in a sync.
    pub const fn ordinal(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }

    /// Serializes the side as a sync names it.
    pub(crate) fn as_ordinal<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.ordinal())
    }
}

impl Serialize for Side {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// One value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Both<T> {
    /// The first mailbox's.
    pub first: T,
    /// The second mailbox's.
    pub second: T,
}

impl<T> Both<T> {
    /// Pairs two values.
    pub const fn new(first: T, second: T) -> Self {
        Self { first, second }
    }

    /// Calls `value` for each side.
    pub fn of(mut value: impl FnMut(Side) -> T) -> Self {
        Self {
            first: value(Side::First),
            second: value(Side::Second),
        }
    }

    /// Applies `change` to each value.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Both<U> {
        Both {
            first: change(self.first),
            second: change(self.second),
        }
    }

    /// Swaps the two values.
    #[must_use]
    pub fn turned(self) -> Self {
        Self {
            first: self.second,
            second: self.first,
        }
    }

    /// Returns each value with its side, the first side's first.
    pub fn each(self) -> [(Side, T); 2] {
        [(Side::First, self.first), (Side::Second, self.second)]
    }

    /// Returns references to the values.
    pub fn as_ref(&self) -> Both<&T> {
        Both {
            first: &self.first,
            second: &self.second,
        }
    }

    /// Reports whether `holds` is true of at least one value.
    pub fn any(&self, holds: impl Fn(&T) -> bool) -> bool {
        holds(&self.first) || holds(&self.second)
    }

    /// Reports whether `holds` is true of both values.
    pub fn all(&self, holds: impl Fn(&T) -> bool) -> bool {
        holds(&self.first) && holds(&self.second)
    }
}

impl<T: Serialize> Both<T> {
    /// Serializes the values as `source` and `target`.
    pub(crate) fn as_one_way<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([("source", &self.first), ("target", &self.second)])
    }

    /// Serializes the values as `to_first` and `to_second`: what is done on each side.
    pub(crate) fn as_ways<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map([("to_first", &self.first), ("to_second", &self.second)])
    }
}

impl<T: AddAssign> AddAssign for Both<T> {
    fn add_assign(&mut self, other: Self) {
        self.first += other.first;
        self.second += other.second;
    }
}

impl<T> Index<Side> for Both<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        }
    }
}

impl<T> IndexMut<Side> for Both<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }
}
