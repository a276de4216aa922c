//! Requests to scan folders, and their results.

use crate::mail::{
    Counters, FlagTable, Flags, Heading, MailboxName, Message, ModSeq, PermanentFlags, Uid,
    UidNext, UidSet, UidValidity,
};

/// How much a scan requests of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanDepth {
    /// UID and size: for messages that were delivered.
    Sizes,
    /// UID, flags, date and size: for a folder that needs no matching.
    Attributes,
    /// Also the identifying header fields.
    Identity,
    /// Also the headings: for messages that are listed to users.
    Headings,
    /// The identifying header fields of new messages: the rest of the folder is known.
    Since(Baseline),
}

/// What is already known about a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Messages with this UID or a higher one are new.
    pub uid_next: UidNext,
    /// How much is requested of the others.
    pub known: KnownDepth,
    /// Some of the others whose header fields are requested all the same, to check whether they are
    /// still the same messages.
    pub probe: [Option<Uid>; 2],
}

impl Baseline {
    /// Returns what is known of a folder since its UIDNEXT and HIGHESTMODSEQ were these; `None`
    /// without a UIDNEXT.
    pub fn since(
        uid_next: Option<UidNext>,
        mod_seq: Option<ModSeq>,
        probe: [Option<Uid>; 2],
    ) -> Option<Self> {
        Some(Self {
            uid_next: uid_next?,
            known: mod_seq.map_or(KnownDepth::Flags, KnownDepth::Changes),
            probe,
        })
    }
}

/// How much a scan requests of known messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownDepth {
    /// UID, flags, date and size.
    Attributes,
    /// UID and flags.
    Flags,
    /// UID and flags of what has changed after this HIGHESTMODSEQ, and which are gone (CONDSTORE
    /// and QRESYNC, RFC 7162); like `Flags` if the server doesn't support that.
    Changes(ModSeq),
}

/// A folder to scan.
#[derive(Clone, Debug)]
pub struct ScanRequest<'a> {
    /// The folder.
    pub mailbox: &'a MailboxName,
    /// How much to request of each message.
    pub depth: ScanDepth,
    /// Only these messages; `None`: all. Can't be combined with `search`.
    pub uids: Option<UidSet>,
    /// Only messages matching this SEARCH (RFC 3501 section 6.4.4), already checked for line ends.
    pub search: Option<&'a str>,
    /// Whether the folder will be written to: it is opened by SELECT, as some servers send
    /// PERMANENTFLAGS only then.
    pub for_writing: bool,
}

impl<'a> ScanRequest<'a> {
    /// Requests all messages of a folder, for reading.
    pub fn new(mailbox: &'a MailboxName, depth: ScanDepth) -> Self {
        Self {
            mailbox,
            depth,
            uids: None,
            search: None,
            for_writing: false,
        }
    }
}

/// The contents of a folder.
#[derive(Clone, Debug, Default)]
pub struct FolderScan {
    /// Its UIDVALIDITY; `None` if the server gives none.
    pub uid_validity: Option<UidValidity>,
    /// Its UIDNEXT when it was opened, so no message had this UID or a higher one; `None` if the
    /// server doesn't say.
    pub uid_next: Option<UidNext>,
    /// How many messages it had when it was opened.
    pub exists: u32,
    /// HIGHESTMODSEQ when it was opened (RFC 7162); `None` if the server has none.
    pub highest_mod_seq: Option<ModSeq>,
    /// MAILBOXID (RFC 8474); `None` if the server has none.
    pub mailbox_id: Option<String>,
    /// The flags that it can keep.
    pub permanent_flags: PermanentFlags,
    /// How many messages the folder has beyond those that could be listed: they exist, but nothing
    /// is known about them.
    pub unlisted: u64,
    /// The messages, by ascending UID.
    pub messages: Vec<Message>,
    /// Their flags.
    pub flags: FlagTable,
    /// Their headings, if requested.
    pub headings: Vec<(Uid, Heading)>,
    /// What is known about unlisted messages below the baseline; `None`: all are listed.
    pub unchanged: Option<Unchanged>,
}

impl FolderScan {
    /// Returns the folder's counters when it was opened, according to the server.
    pub fn counters(&self) -> Counters {
        let (uid_validity, uid_next, mod_seq) =
            (self.uid_validity, self.uid_next, self.highest_mod_seq);
        Counters {
            uid_validity,
            uid_next,
            mod_seq,
            messages: Some(self.exists),
        }
    }

    /// Returns the message with this UID.
    pub fn message(&self, uid: Uid) -> Option<&Message> {
        self.messages.get(
            self.messages
                .binary_search_by_key(&uid, Message::uid)
                .ok()?,
        )
    }

    /// Adds the unchanged messages that the scan left out. `known` has their UIDs and flags at the
    /// time of the baseline; `is_known` reports whether a UID existed then, in a pair or not.
    /// `None`: something could not be listed, or the result doesn't add up to the server's count of
    /// messages.
    #[must_use]
    pub fn filled_in(
        self,
        known: impl Iterator<Item = (Uid, Flags)>,
        is_known: impl Fn(Uid) -> bool,
    ) -> Option<Self> {
        let Some(unchanged) = &self.unchanged else {
            return Some(self);
        };
        if self.unlisted > 0 {
            return None;
        }
        let mut flags = self.flags.clone();
        let mut messages: Vec<Message> = known
            .filter(|(uid, _)| unchanged.contains(*uid) && self.message(*uid).is_none())
            .map(|(uid, of)| Message::bare(uid, flags.intern(of)))
            .collect();
        // A message that changed and then went may be reported in both ways.
        let is_there =
            |message: &&Message| !is_known(message.uid()) || unchanged.contains(message.uid());
        messages.extend(self.messages.iter().filter(is_there));
        messages.sort_unstable_by_key(Message::uid);
        let is_complete = messages.len() as u64 == u64::from(self.exists);
        is_complete.then_some(Self {
            messages,
            flags,
            unchanged: None,
            ..self
        })
    }

    /// Returns UIDNEXT. A server that doesn't report it still assigns new messages higher UIDs than
    /// the last one (RFC 3501 section 2.3.1.1); `None` if there is no message either.
    pub fn next_uid(&self) -> Option<UidNext> {
        let after_last = || Some(UidNext::after(self.messages.last()?.uid()));
        self.uid_next.or_else(after_last)
    }
}

/// Messages that a scan did not list, as they have not changed ([`KnownDepth::Changes`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// All known ones except these, which are gone. Some of these UIDs may never have been known.
    AllBut(UidSet),
    /// Exactly these.
    Only(UidSet),
}

impl Unchanged {
    /// Reports whether a known message that was not listed still exists.
    pub fn contains(&self, uid: Uid) -> bool {
        match self {
            Self::AllBut(gone) => !gone.contains(uid),
            Self::Only(there) => there.contains(uid),
        }
    }
}
