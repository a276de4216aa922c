//! The two mailboxes of a run.

use serde::{Serialize, Serializer};
use std::ops::{AddAssign, Index, IndexMut};

/// One of the two mailboxes. Mail goes from the first to the second where only one of them changes; a sync treats both alike.
/// A command with one mailbox has only the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The one named first on the command line.
    First,
    /// The one named second.
    Second,
}

impl Side {
    /// Where mail comes from, if it goes one way.
    pub const SOURCE: Self = Self::First;
    /// Where mail goes to, if it goes one way.
    pub const TARGET: Self = Self::Second;
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// `source` or `target`, as options and messages name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SOURCE => "source",
            Self::TARGET => "target",
        }
    }

    /// `first` or `second`, as a sync names it.
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
    /// Two values.
    pub const fn new(first: T, second: T) -> Self {
        Self { first, second }
    }

    /// What `value` gives for each side.
    pub fn of(mut value: impl FnMut(Side) -> T) -> Self {
        Self { first: value(Side::First), second: value(Side::Second) }
    }

    /// What `change` makes of each value.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Both<U> {
        Both { first: change(self.first), second: change(self.second) }
    }

    /// The same the other way round.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { first: self.second, second: self.first }
    }

    /// References to the values.
    pub fn as_ref(&self) -> Both<&T> {
        Both { first: &self.first, second: &self.second }
    }

    /// Whether `holds` for one of them at least.
    pub fn any(&self, holds: impl Fn(&T) -> bool) -> bool {
        holds(&self.first) || holds(&self.second)
    }

    /// Whether `holds` for both.
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
