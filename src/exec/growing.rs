//! A list that is added to while others read it.

use crate::locks::lock;
use std::ops::Index;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// How many chunks there may be: each has twice the room of the one before.
const CHUNKS: usize = usize::BITS as usize;

/// Items that stay where they are: reading one takes no lock.
pub(super) struct Growing<T> {
    chunks: [OnceLock<Box<[OnceLock<T>]>>; CHUNKS],
    length: AtomicUsize,
    adding: Mutex<()>,
}

impl<T> Growing<T> {
    pub(super) fn new() -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS],
            length: AtomicUsize::new(0),
            adding: Mutex::default(),
        }
    }

    /// Adds what is made from the last item. Returns its index.
    pub(super) fn push(&self, make: impl FnOnce(Option<&T>) -> T) -> usize {
        let _adding = lock(&self.adding);
        let at = self.len();
        let item = make(at.checked_sub(1).and_then(|last| self.get(last)));
        let (chunk, offset) = place(at);
        let chunk = self.chunks[chunk]
            .get_or_init(|| (0..1_usize << chunk).map(|_| OnceLock::new()).collect());
        // The place is empty, as only this function fills one, and each once.
        let _ = chunk[offset].set(item);
        self.length.store(at + 1, Ordering::Release);
        at
    }

    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    fn get(&self, at: usize) -> Option<&T> {
        let (chunk, offset) = place(at);
        self.chunks[chunk].get()?.get(offset)?.get()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// Returns how many items are at the beginning for which this is true.
    pub(super) fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_before(&self[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl<T> Index<usize> for Growing<T> {
    type Output = T;

    #[expect(
        clippy::panic,
        reason = "an index past the end is this program's mistake, as in any list"
    )]
    fn index(&self, at: usize) -> &T {
        match self.get(at) {
            Some(item) => item,
            None => panic!("there are {} items and none at {at}", self.len()),
        }
    }
}

/// Returns the chunk of an item and its place there.
fn place(at: usize) -> (usize, usize) {
    let chunk = (at + 1).ilog2() as usize;
    (chunk, at + 1 - (1 << chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_are() {
        let list = Growing::new();
        list.push(|_| 7);
        let first = &list[0];
        for _ in 1..1_000 {
            list.push(|last| last.map_or(0, |last| last + 2));
        }
        assert!(std::ptr::eq(first, &list[0]));
        let expected: Vec<usize> = (0..1_000).map(|at| 7 + 2 * at).collect();
        assert_eq!(list.iter().copied().collect::<Vec<_>>(), expected);
        for value in [0, 7, 8, 9, 500, 2_005, 9_999] {
            assert_eq!(
                list.partition_point(|item| *item <= value),
                expected.partition_point(|item| *item <= value)
            );
        }
    }

    #[test]
    fn what_is_counted_can_be_read_while_more_is_added() {
        let list = Growing::new();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    (0..5_000).for_each(|_| {
                        list.push(|_| list.len());
                    });
                });
            }
            while list.len() < 10_000 {
                let length = list.len();
                assert_eq!(list.iter().take(length).count(), length);
            }
        });
        assert!(list.iter().copied().eq(0..10_000), "each has its own place");
    }
}
