//! What a scan keeps of each message: forty bytes, since a folder can hold a million of them.

use super::{Flags, InternalDate, Uid};
use std::collections::HashMap;

/// What a message's header says of its identity: 128 bits of a SHA-256, and how far it can be trusted.
///
/// Made by `identity`; what goes into the hash is described there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderKey {
    /// The header was not asked for.
    Unknown,
    /// None of the header fields that identify a message is there: only content can tell.
    Empty,
    /// There is no Message-ID, but other fields.
    WithoutId([u8; 16]),
    /// There is a Message-ID.
    WithId([u8; 16]),
}

/// One message as a scan saw it. Forty bytes.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    seconds: i64,
    key: [u8; 16],
    uid: Uid,
    size: u32,
    flags: u32,
    offset_minutes: i16,
    has_date: bool,
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
    /// A message. `size` is RFC822.SIZE in bytes: a hint, kept up to 4 GiB and never trusted as the number of bytes to
    /// come. `flags` are an index into the scan's [`FlagTable`].
    pub fn new(uid: Uid, size: u64, date: Option<InternalDate>, flags: u32, key: HeaderKey) -> Self {
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
            offset_minutes: date.map_or(0, InternalDate::offset_minutes),
            has_date: date.is_some(),
            key_kind,
        }
    }

    /// A message of which only UID and flags are known.
    pub fn bare(uid: Uid, flags: u32) -> Self {
        Self { key_kind: KeyKind::Bare, ..Self::new(uid, 0, None, flags, HeaderKey::Unknown) }
    }

    /// Whether its date and size are not known.
    pub fn is_bare(&self) -> bool {
        self.key_kind == KeyKind::Bare
    }

    /// The same with these flags, as an index into another [`FlagTable`].
    #[must_use]
    pub fn with_flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// Its UID.
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// RFC822.SIZE in bytes, at most `u32::MAX`.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Its INTERNALDATE; `None` where the server's was no date.
    pub fn date(&self) -> Option<InternalDate> {
        if self.has_date { InternalDate::new(self.seconds, self.offset_minutes) } else { None }
    }

    /// The index of its flags in the scan's [`FlagTable`].
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Notes what its header says of its identity, where it was not asked for at first.
    pub fn set_key(&mut self, key: HeaderKey) {
        *self = Self::new(self.uid, u64::from(self.size), self.date(), self.flags, key);
    }

    /// What its header says of its identity.
    pub fn key(&self) -> HeaderKey {
        match self.key_kind {
            KeyKind::Bare | KeyKind::Unknown => HeaderKey::Unknown,
            KeyKind::Empty => HeaderKey::Empty,
            KeyKind::WithoutId => HeaderKey::WithoutId(self.key),
            KeyKind::WithId => HeaderKey::WithId(self.key),
        }
    }
}

/// The different sets of flags in one folder, each kept once: folders have a million messages and a dozen of these.
#[derive(Clone, Debug, Default)]
pub struct FlagTable {
    sets: Vec<Flags>,
    index: HashMap<Flags, u32>,
}

impl FlagTable {
    /// The index of `flags`, which are added if they are new.
    pub fn intern(&mut self, flags: Flags) -> u32 {
        if let Some(index) = self.index.get(&flags) {
            return *index;
        }
        let index = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(flags.clone());
        self.index.insert(flags, index);
        index
    }

    /// The flags with this index; none for an index that was never given out.
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
        assert_eq!((message.uid().get(), message.size(), message.flags()), (9, u32::MAX, 3));
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
