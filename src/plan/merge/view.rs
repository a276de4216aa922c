//! What a scan shows of one side's folder now, and how far it can be trusted.

use crate::mail::{Counters, FlagTable, Flags, Message, PermanentFlags, Uid, UidSet};

/// How much of a folder a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every message, shown or known to be hidden by a filter: what isn't here doesn't exist.
    Complete,
    /// Only part of it (Gmail's limit of 1,000 messages per folder): what isn't here may exist.
    Capped,
    /// Some messages could not be read.
    Incomplete,
    /// The folder doesn't exist on this side.
    Absent,
}

/// One side's folder as scanned: 40 bytes per message.
#[derive(Clone, Debug)]
pub struct View {
    messages: Vec<Message>,
    flags: FlagTable,
    hidden: UidSet,
    permanent: PermanentFlags,
    mark: Counters,
    extent: Extent,
    read_only: bool,
}

impl View {
    /// Makes the view of a scanned folder. `exists` is the number of messages according to the
    /// server (EXISTS, RFC 3501 section 7.3.1); `hidden` are existing messages that a filter leaves
    /// out. The view is complete only if the counts agree.
    pub fn new(
        mut messages: Vec<Message>,
        flags: FlagTable,
        hidden: UidSet,
        mark: Counters,
        exists: u32,
    ) -> Self {
        messages.sort_unstable_by_key(Message::uid);
        messages.dedup_by_key(|message| message.uid());
        messages.retain(|message| !hidden.contains(message.uid()));
        let complete = messages.len() as u64 + hidden.len() == u64::from(exists);
        let extent = if complete {
            Extent::Complete
        } else {
            Extent::Incomplete
        };
        let permanent = PermanentFlags::everything();
        Self {
            messages,
            flags,
            hidden,
            permanent,
            mark,
            extent,
            read_only: false,
        }
    }

    /// Makes the view of a folder that was deleted on this side, or doesn't exist yet.
    pub fn absent() -> Self {
        let (messages, flags, hidden, mark) = Default::default();
        Self {
            extent: Extent::Absent,
            ..Self::new(messages, flags, hidden, mark, 0)
        }
    }

    /// Marks it as one of which the server shows only part.
    #[must_use]
    pub fn capped(mut self) -> Self {
        if self.extent == Extent::Complete {
            self.extent = Extent::Capped;
        }
        self
    }

    /// Marks it as read-only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Limits it to the flags that the folder keeps.
    #[must_use]
    pub fn keeping(mut self, permanent: PermanentFlags) -> Self {
        self.permanent = permanent;
        self
    }

    /// Returns the messages shown, by ascending UID.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Returns the flags of a message that is shown.
    pub fn flags(&self, message: &Message) -> Flags {
        self.flags.get(message.flags())
    }

    /// Returns the flags that the folder keeps.
    pub fn permanent(&self) -> &PermanentFlags {
        &self.permanent
    }

    /// Returns its counters.
    pub fn mark(&self) -> &Counters {
        &self.mark
    }

    /// Returns how much of it is shown.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Reports whether it can't be changed.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Returns how many messages it has, as far as is known.
    pub fn count(&self) -> u64 {
        self.messages.len() as u64 + self.hidden.len()
    }

    /// Returns the message at this index.
    pub(super) fn at(&self, index: u32) -> Option<&Message> {
        self.messages.get(index as usize)
    }

    /// Returns the flags of the message at this index.
    pub(super) fn flags_at(&self, index: u32) -> Flags {
        self.at(index)
            .map(|message| self.flags(message))
            .unwrap_or_default()
    }

    /// Returns the index of the message with this UID, if it is shown.
    pub(super) fn find(&self, uid: Uid) -> Option<u32> {
        let index = self
            .messages
            .binary_search_by_key(&uid, Message::uid)
            .ok()?;
        u32::try_from(index).ok()
    }

    /// Returns what has become of the message with this UID.
    pub(super) fn presence(&self, uid: Uid) -> Presence {
        if let Some(index) = self.find(uid) {
            return Presence::Here(index);
        }
        match self.extent {
            Extent::Complete | Extent::Absent if !self.hidden.contains(uid) => Presence::Gone,
            _ => Presence::Unseen,
        }
    }
}

/// What has become of a message in the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It exists, at this index.
    Here(u32),
    /// It no longer exists.
    Gone,
    /// It may exist: a filter or the server hides it.
    Unseen,
}
