//! The contents of mailboxes, for reports: summed up while a folder's scan is in memory, so only
//! the few listed messages are kept.
//!
//! Without an observer that wants them, every function here does nothing.

use super::headings::Wanted;
use crate::event::{Event, FolderHoldings, Holdings, NamedMessage, Observer, YearSum};
use crate::mail::{HeaderKey, InternalDate, MailboxName, Message, Side};
use crate::store::{Error, ReadStore};
use std::collections::{BTreeMap, HashSet};

/// The maximum number of largest messages listed.
const LARGEST: usize = 25;
/// The maximum number of groups of duplicates listed.
const DUPLICATES: usize = 100;

/// Sums up the contents of one side's folders.
pub(super) struct Survey {
    side: Side,
    is_wanted: bool,
    folders: Vec<FolderHoldings>,
    seen: HashSet<MailboxName>,
    largest: Most<Named>,
    duplicates: Most<(Named, u64)>,
}

/// A message that may be listed, with the number of its folder.
#[derive(Clone)]
struct Named {
    mailbox: MailboxName,
    folder: usize,
    message: Message,
}

impl Survey {
    /// Returns it for a side, if the observer wants it.
    pub(super) fn new(side: Side, observer: &dyn Observer) -> Self {
        let (largest, duplicates) = (Most::new(LARGEST), Most::new(DUPLICATES));
        let is_wanted = observer.wants_holdings();
        Self {
            side,
            is_wanted,
            folders: Vec::new(),
            seen: HashSet::new(),
            largest,
            duplicates,
        }
    }

    /// Reports whether to read headers that the plan doesn't need.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Adds a folder's messages from its scan. A folder that is added twice counts once.
    pub(super) fn add(&mut self, name: &str, mailbox: &MailboxName, messages: &[Message]) {
        if !self.is_wanted || !self.seen.insert(mailbox.clone()) {
            return;
        }
        let number = self.folders.len();
        let mut years: BTreeMap<Option<i16>, YearSum> = BTreeMap::new();
        let mut folder = FolderHoldings {
            folder: name.to_owned(),
            ..FolderHoldings::default()
        };
        for message in messages {
            folder.messages += 1;
            folder.unkeyed += u64::from(message.key() == HeaderKey::Unknown);
            if message.is_bare() {
                folder.unread += 1;
                continue;
            }
            let bytes = u64::from(message.size());
            let year = message
                .date()
                .and_then(InternalDate::day)
                .map(jiff::civil::Date::year);
            let sum = years.entry(year).or_insert(YearSum {
                year,
                ..YearSum::default()
            });
            sum.messages += 1;
            sum.bytes += bytes;
            folder.bytes += bytes;
            self.largest.add(bytes, || Named {
                mailbox: mailbox.clone(),
                folder: number,
                message: *message,
            });
        }
        folder.years = years.into_values().collect();
        each_kind(messages, &mut |first, count| {
            folder.surplus += count - 1;
            let wasted = u64::from(first.size()) * (count - 1);
            let named = || {
                (
                    Named {
                        mailbox: mailbox.clone(),
                        folder: number,
                        message: *first,
                    },
                    count,
                )
            };
            self.duplicates.add(wasted, named);
        });
        self.folders.push(folder);
    }

    /// Adds a folder that was not opened, because it is unchanged.
    pub(super) fn add_unopened(&mut self, name: &str, messages: u64) {
        if self.is_wanted {
            let folder = name.to_owned();
            let unread = FolderHoldings {
                folder,
                messages,
                unread: messages,
                unkeyed: messages,
                ..Default::default()
            };
            self.folders.push(unread);
        }
    }

    /// Reports it, with the headings of the listed messages.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub(super) fn tell(
        self,
        store: &mut dyn ReadStore,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        if !self.is_wanted {
            return Ok(());
        }
        let (largest, _) = self.largest.take();
        let (duplicates, more_duplicates) = self.duplicates.take();
        let named = largest
            .iter()
            .chain(duplicates.iter().map(|(named, _)| named));
        let mut wanted = Wanted::default();
        named.for_each(|one| wanted.add(&one.mailbox, one.message.uid()));
        let headings = wanted.read(store);
        let folders = &self.folders;
        let name = |named: &Named, count: u64| {
            let uid = named.message.uid();
            let heading = headings
                .get(&named.mailbox, uid)
                .cloned()
                .unwrap_or_default();
            NamedMessage {
                folder: folders[named.folder].folder.clone(),
                uid,
                bytes: u64::from(named.message.size()),
                date: named.message.date(),
                subject: heading.subject,
                from: heading.from,
                count,
            }
        };
        let largest: Vec<NamedMessage> = largest.iter().map(|named| name(named, 1)).collect();
        let duplicates: Vec<NamedMessage> = duplicates
            .iter()
            .map(|(named, count)| name(named, *count))
            .collect();
        let (largest, duplicates) = (&largest, &duplicates);
        observer.observe(&Event::Holdings(Holdings {
            side: self.side,
            folders,
            largest,
            duplicates,
            more_duplicates,
        }));
        Ok(())
    }
}

/// Calls `tell` with the first message of each group of duplicates, and with their number.
/// Duplicates have the same identifying header, date and size.
fn each_kind(messages: &[Message], tell: &mut dyn FnMut(&Message, u64)) {
    let kind = |message: &Message| {
        let (with_id, key) = match message.key() {
            HeaderKey::WithId(key) => (true, key),
            HeaderKey::WithoutId(key) => (false, key),
            HeaderKey::Unknown | HeaderKey::Empty => return None,
        };
        Some((
            key,
            with_id,
            message.size(),
            message.date().map(InternalDate::seconds),
        ))
    };
    // Four bytes per message of one folder, for a moment.
    let mut order: Vec<u32> = (0u32..)
        .zip(messages)
        .filter(|(_, message)| kind(message).is_some())
        .map(|(at, _)| at)
        .collect();
    order.sort_unstable_by_key(|at| (kind(&messages[*at as usize]), *at));
    for alike in order.chunk_by(|a, b| kind(&messages[*a as usize]) == kind(&messages[*b as usize]))
    {
        if let [first, _, ..] = alike {
            tell(&messages[*first as usize], alike.len() as u64);
        }
    }
}

/// Keeps the heaviest of many items.
struct Most<T> {
    limit: usize,
    kept: Vec<(u64, T)>,
    /// The weight below which items are dropped.
    least: u64,
    seen: u64,
}

impl<T> Most<T> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: Vec::new(),
            least: 0,
            seen: 0,
        }
    }

    fn add(&mut self, weight: u64, thing: impl FnOnce() -> T) {
        self.seen += 1;
        if self.kept.len() >= self.limit && weight <= self.least {
            return;
        }
        self.kept.push((weight, thing()));
        if self.kept.len() >= self.limit * 2 {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.kept
            .sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        self.kept.truncate(self.limit);
        if self.kept.len() == self.limit {
            self.least = self.kept.last().map_or(0, |(weight, _)| *weight);
        }
    }

    /// Returns the items, heaviest first, and the number of others.
    fn take(mut self) -> (Vec<T>, u64) {
        self.shrink();
        let more = self.seen - self.kept.len() as u64;
        (
            self.kept.into_iter().map(|(_, thing)| thing).collect(),
            more,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Uid;
    use proptest::prelude::*;

    fn message(uid: u32, size: u64, key: u8, day: i64) -> Message {
        let date = InternalDate::new(day * 86_400, 0);
        Message::new(
            Uid::new(uid).unwrap(),
            size,
            date,
            0,
            HeaderKey::WithId([key; 16]),
        )
    }

    struct Asks;

    impl Observer for Asks {
        fn observe(&self, _: &Event<'_>) {}

        fn wants_holdings(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_folder_is_summed_by_year_and_counted_once() {
        let mut survey = Survey::new(Side::SOURCE, &Asks);
        let undated = Message::new(Uid::new(9).unwrap(), 1, None, 0, HeaderKey::Unknown);
        let bare = Message::bare(Uid::new(10).unwrap(), 0);
        let messages = [
            message(1, 10, 1, 0),
            message(2, 20, 2, 364),
            message(3, 40, 3, 365),
            undated,
            bare,
        ];
        survey.add("A", &"A".into(), &messages);
        survey.add("A", &"A".into(), &messages);
        survey.add_unopened("B", 7);
        let year = |year, messages, bytes| YearSum {
            year,
            messages,
            bytes,
        };
        assert_eq!(
            survey.folders[0].years,
            [
                year(None, 1, 1),
                year(Some(1970), 2, 30),
                year(Some(1971), 1, 40)
            ]
        );
        let sums = |folder: &FolderHoldings| {
            (folder.messages, folder.unread, folder.unkeyed, folder.bytes)
        };
        assert_eq!(
            survey.folders.iter().map(sums).collect::<Vec<_>>(),
            [(5, 1, 2, 71), (7, 7, 7, 0)]
        );
    }

    #[test]
    fn nobody_asks_and_nothing_is_kept() {
        let mut survey = Survey::new(Side::SOURCE, &crate::event::Silent);
        survey.add("A", &"A".into(), &[message(1, 10, 1, 0)]);
        survey.add_unopened("B", 7);
        assert!(survey.folders.is_empty() && survey.largest.kept.is_empty());
    }

    #[test]
    fn what_is_there_more_than_once_is_found() {
        let empty = Message::new(Uid::new(20).unwrap(), 10, None, 0, HeaderKey::Empty);
        let messages = [
            message(1, 10, 1, 0),
            message(2, 10, 2, 0),
            message(3, 10, 1, 0),
            message(4, 11, 1, 0),
            message(5, 10, 1, 1),
            message(6, 10, 1, 0),
            empty,
            empty,
        ];
        let mut found = Vec::new();
        each_kind(&messages, &mut |first, count| {
            found.push((first.uid().get(), count));
        });
        assert_eq!(found, [(1, 3)]);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn the_heaviest_are_kept(weights in prop::collection::vec(0u64..50, 0..60)) {
            let mut most = Most::new(7);
            weights.iter().for_each(|weight| most.add(*weight, || *weight));
            let mut sorted = weights.clone();
            sorted.sort_unstable_by_key(|weight| std::cmp::Reverse(*weight));
            sorted.truncate(7);
            let (kept, more) = most.take();
            prop_assert_eq!(more, (weights.len() - kept.len()) as u64);
            prop_assert_eq!(kept, sorted);
        }
    }
}
