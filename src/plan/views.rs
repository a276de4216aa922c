//! Which messages in a view are homeless: they are in no folder of their own, so only the view can
//! provide them.
//!
//! Pure. A view's messages are matched with those in folders by server-given ID, where one ID is
//! one message however many folders show it, or by looks, where each message in a folder accounts
//! for one in the view.

use crate::mail::{HeaderKey, InternalDate, Message, Uid, UidSet};
use std::collections::HashMap;
use std::hash::Hash;

/// A message's looks within one account: its header key, its size, and its date in seconds.
pub type Look = (HeaderKey, u32, Option<i64>);

/// Returns the look of a message whose header was read.
pub fn look(message: &Message) -> Look {
    (
        message.key(),
        message.size(),
        message.date().map(InternalDate::seconds),
    )
}

/// Messages in a view that were not found in any folder so far.
#[derive(Clone, Debug)]
pub struct Unplaced<K> {
    by_key: HashMap<K, Vec<Uid>>,
}

impl<K: Eq + Hash> Unplaced<K> {
    /// Starts with all messages unplaced.
    pub fn new(messages: impl IntoIterator<Item = (K, Uid)>) -> Self {
        let mut by_key: HashMap<K, Vec<Uid>> = HashMap::new();
        for (key, uid) in messages {
            by_key.entry(key).or_default().push(uid);
        }
        Self { by_key }
    }

    /// Notes that a folder has one such message: it accounts for one in the view.
    pub fn place_one(&mut self, key: &K) {
        if let Some(uids) = self.by_key.get_mut(key) {
            uids.pop();
        }
    }

    /// Notes that a folder has this message: it accounts for all that the view shows of it.
    pub fn place_all(&mut self, key: &K) {
        self.by_key.remove(key);
    }

    /// Returns the messages that are only in the view.
    pub fn left(self) -> UidSet {
        self.by_key.into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unplaced(keys: &[u8]) -> Unplaced<u8> {
        Unplaced::new(
            keys.iter()
                .zip(1..)
                .filter_map(|(key, uid)| Some((*key, Uid::new(uid)?))),
        )
    }

    #[test]
    fn what_no_folder_has_is_left() {
        let mut view = unplaced(&[7, 8, 9]);
        [7, 9, 9, 5].iter().for_each(|key| view.place_one(key));
        assert_eq!(view.left().to_string(), "2");
        assert!(unplaced(&[]).left().is_empty());
    }

    #[test]
    fn messages_that_look_alike_are_counted_and_messages_of_one_name_are_one() {
        let mut alike = unplaced(&[7, 7, 7]);
        [7, 7].iter().for_each(|key| alike.place_one(key));
        assert_eq!(alike.left().to_string(), "1");
        let mut named = unplaced(&[7, 7, 8]);
        named.place_all(&7);
        assert_eq!(named.left().to_string(), "3");
    }
}
