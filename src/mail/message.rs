//! What a scan keeps of each message: forty bytes, since a folder can hold a million of them.

use super::{Flags, InternalDate, Uid};
use std::collections::HashMap;

/// A message's identity according to its header: 128 bits of a SHA-256, and how far it can be
/// trusted.
///
/// Made by `identity`, which describes what is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderKey {
    /// The header was not asked for.
    Unknown,
    /// The message has none of the identifying header fields: only its content can tell.
    Empty,
    /// It has no Message-ID, but other identifying fields.
    WithoutId([u8; 16]),
    /// It has a Message-ID.
    WithId([u8; 16]),
}

/// In place of a zone: there is no date.
const NO_DATE: i16 = i16::MIN;

/// One message as a scan saw it. Forty bytes.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    seconds: i64,
    key: [u8; 16],
    uid: Uid,
    size: u32,
    flags: u32,
    /// [`NO_DATE`] if it has none.
    offset_minutes: i16,
    /// Whether it is a corrected copy.
    is_fixed: bool,
    key_kind: KeyKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyKind {
    /// Neither header nor date nor size was asked for.
    Bare,
    Unknown,
    Empty,
    WithoutId,
    WithId,
}

impl Message {
    /// Makes a message. `size` is RFC822.SIZE in bytes: a hint, stored up to 4 GiB and never
    /// trusted as the number of bytes to come. `flags` is an index into the scan's [`FlagTable`].
    pub fn new(
        uid: Uid,
        size: u64,
        date: Option<InternalDate>,
        flags: u32,
        key: HeaderKey,
    ) -> Self {
        let (key_kind, key) = match key {
            HeaderKey::Unknown => (KeyKind::Unknown, [0; 16]),
            HeaderKey::Empty => (KeyKind::Empty, [0; 16]),
            HeaderKey::WithoutId(key) => (KeyKind::WithoutId, key),
            HeaderKey::WithId(key) => (KeyKind::WithId, key),
        };
        Self {
            seconds: date.map_or(0, InternalDate::seconds),
            key,
            uid,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            flags,
            offset_minutes: date.map_or(NO_DATE, InternalDate::offset_minutes),
            is_fixed: false,
            key_kind,
        }
    }

    /// Makes a message of which only UID and flags are known.
    pub fn bare(uid: Uid, flags: u32) -> Self {
        Self {
            key_kind: KeyKind::Bare,
            ..Self::new(uid, 0, None, flags, HeaderKey::Unknown)
        }
    }

    /// Reports whether its date and size are unknown.
    pub fn is_bare(&self) -> bool {
        self.key_kind == KeyKind::Bare
    }

    /// Returns the message with these flags, an index into another [`FlagTable`].
    #[must_use]
    pub fn with_flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// Returns the message, noted as a corrected copy (`--fix-refused`) or not: its key is then the
    /// original's.
    #[must_use]
    pub fn with_fixed(self, is_fixed: bool) -> Self {
        Self { is_fixed, ..self }
    }

    /// Reports whether it is a corrected copy.
    pub fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// Returns its UID.
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// Returns RFC822.SIZE in bytes, at most `u32::MAX`.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Returns its INTERNALDATE; `None` if the server's was not a date.
    pub fn date(&self) -> Option<InternalDate> {
        if self.offset_minutes == NO_DATE {
            None
        } else {
            InternalDate::new(self.seconds, self.offset_minutes)
        }
    }

    /// Returns the index of its flags in the scan's [`FlagTable`].
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Sets its header key, if it was not asked for at first.
    pub fn set_key(&mut self, key: HeaderKey) {
        let is_fixed = self.is_fixed;
        *self = Self::new(self.uid, u64::from(self.size), self.date(), self.flags, key);
        self.is_fixed = is_fixed;
    }

    /// Returns its header key.
    pub fn key(&self) -> HeaderKey {
        match self.key_kind {
            KeyKind::Bare | KeyKind::Unknown => HeaderKey::Unknown,
            KeyKind::Empty => HeaderKey::Empty,
            KeyKind::WithoutId => HeaderKey::WithoutId(self.key),
            KeyKind::WithId => HeaderKey::WithId(self.key),
        }
    }
}

/// The distinct sets of flags in one folder, each stored once: a folder may have a million
/// messages, but only a dozen sets.
#[derive(Clone, Debug, Default)]
pub struct FlagTable {
    sets: Vec<Flags>,
    index: HashMap<Flags, u32>,
}

impl FlagTable {
    /// Returns the index of `flags`, adding them if they are new.
    pub fn intern(&mut self, flags: Flags) -> u32 {
        if let Some(index) = self.index.get(&flags) {
            return *index;
        }
        let index = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(flags.clone());
        self.index.insert(flags, index);
        index
    }

    /// Returns the flags with this index; no flags for an index never assigned.
    pub fn get(&self, index: u32) -> Flags {
        self.sets.get(index as usize).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_takes_forty_bytes() {
        assert_eq!(size_of::<Message>(), 40);
    }

    #[test]
    fn a_message_gives_back_what_it_was_made_of() {
        let date = InternalDate::new(1_700_000_000, -210);
        let key = HeaderKey::WithoutId([7; 16]);
        let message = Message::new(Uid::new(9).unwrap(), 1 << 40, date, 3, key);
        assert_eq!(
            (message.uid().get(), message.size(), message.flags()),
            (9, u32::MAX, 3)
        );
        assert_eq!((message.date(), message.key()), (date, key));
    }

    #[test]
    fn equal_flags_are_kept_once() {
        let mut table = FlagTable::default();
        let seen = table.intern(Flags::from_names(["\\Seen"]));
        assert_eq!(table.intern(Flags::from_names(["\\SEEN"])), seen);
        assert_ne!(table.intern(Flags::default()), seen);
        assert_eq!(table.get(seen), Flags::from_names(["\\Seen"]));
        assert_eq!(table.get(99), Flags::default());
    }
}
