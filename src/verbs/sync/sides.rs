//! The two sides of a link, by the names that two-way work has for them.

use crate::event;
use crate::exec::{Link, join};
use crate::plan::merge::{Both, Side};
use crate::store::{Error, Store};

/// The connection to one side.
pub(super) fn store(link: &mut Link, side: Side) -> &mut dyn Store {
    link.side(shown(side))
}

/// Does this on both sides at the same time.
pub(super) fn on_both<T: Send>(
    link: &mut Link,
    work: impl Fn(Side, &mut dyn Store) -> Result<T, Error> + Sync,
) -> Result<Both<T>, Error> {
    let Link { source, target } = link;
    std::thread::scope(|scope| {
        let work = &work;
        let second = scope.spawn(move || work(Side::Second, target.as_mut()));
        let first = work(Side::First, source.as_mut());
        let second = join(second.join());
        Ok(Both::new(first?, second?))
    })
}

/// The side as events name it.
pub(super) fn shown(side: Side) -> event::Side {
    match side {
        Side::First => event::Side::Source,
        Side::Second => event::Side::Target,
    }
}

/// The side as people name it.
pub(super) fn word(side: Side) -> &'static str {
    match side {
        Side::First => "first",
        Side::Second => "second",
    }
}

/// Which of two it is in the state.
pub(super) fn number(side: Side) -> usize {
    match side {
        Side::First => 0,
        Side::Second => 1,
    }
}

/// Which side has this number in the state.
pub(super) fn side(number: usize) -> Side {
    if number == 0 { Side::First } else { Side::Second }
}

/// From the state's order.
pub(super) fn both<T>([first, second]: [T; 2]) -> Both<T> {
    Both::new(first, second)
}

/// To the state's order.
pub(super) fn pair<T>(both: Both<T>) -> [T; 2] {
    [both.first, both.second]
}
